//! The command line without any container: help, mistakes, their words and exit statuses.
// A panic is how a test fails.
#![allow(clippy::unwrap_used)]

use std::process::Command;

struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

fn pod(line: &str) -> Done {
    let words = line.split_whitespace();
    let output = Command::new(env!("CARGO_BIN_EXE_pod"))
        .args(words)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn mistakes_are_told_as_podman_does() {
    let see = |command: &str| format!("\nSee 'pod {command} --help'");
    for (line, want) in [
        ("nope", "unrecognized command `pod nope`\nTry 'pod --help' for more information".to_owned()),
        (
            "container nope",
            "unrecognized command `pod container nope`\nTry 'pod container --help' for more information".to_owned(),
        ),
        ("--nope", "unknown flag: --nope\nSee 'pod --help'".to_owned()),
        ("-Z ps", "unknown shorthand flag: 'Z' in -Z\nSee 'pod --help'".to_owned()),
        ("--root", "flag needs an argument: --root\nSee 'pod --help'".to_owned()),
        ("run", "requires at least 1 arg(s), only received 0".to_owned()),
        ("run --nope x", "unknown flag: --nope".to_owned() + &see("run")),
        ("run --nope=1 x", "unknown flag: --nope".to_owned() + &see("run")),
        ("run -itZ x", "unknown shorthand flag: 'Z' in -Z".to_owned() + &see("run")),
        ("run --name", "flag needs an argument: --name".to_owned() + &see("run")),
        ("run -e", "flag needs an argument: 'e' in -e".to_owned() + &see("run")),
        (
            "run --rm=x y",
            "invalid argument \"x\" for \"--rm\" flag: strconv.ParseBool: parsing \"x\": invalid syntax".to_owned()
                + &see("run"),
        ),
        (
            "container run -i=x y",
            "invalid argument \"x\" for \"-i, --interactive\" flag: strconv.ParseBool: parsing \"x\": invalid syntax"
                .to_owned()
                + &see("container run"),
        ),
        (
            "run --stop-timeout -1 y",
            "invalid argument \"-1\" for \"--stop-timeout\" flag: strconv.ParseUint: parsing \"-1\": invalid syntax"
                .to_owned()
                + &see("run"),
        ),
        ("run --oom-kill-disable x", "flag --oom-kill-disable is not available in this version of pod".to_owned()),
        ("--remote ps", "flag --remote is not available in this version of pod".to_owned()),
        ("auto-update", "command `pod auto-update` is not available in this version of pod".to_owned()),
        ("run -v a:b x", "invalid container path \"b\", must be an absolute path".to_owned()),
        ("run --add-host x y", "bad format for add-host: \"x\"".to_owned()),
        ("stop", "you must provide at least one name or id".to_owned()),
        ("start", "start requires at least one argument".to_owned()),
        ("ps x", "`pod ps` takes no arguments".to_owned()),
        ("logs", "specify at least one container name or ID to log".to_owned()),
        ("attach", "\"pod attach\" requires a name, id, or the \"--latest\" flag".to_owned()),
        ("exec", "exec requires the name or ID of a container or the --latest flag".to_owned()),
        ("port", "you must supply a running container name or id".to_owned()),
        ("inspect", "no names or ids specified".to_owned()),
        ("container exists", "accepts 1 arg(s), received 0".to_owned()),
        ("kill -s NOPE x", "invalid signal: NOPE".to_owned()),
    ] {
        let done = pod(line);
        assert_eq!(done.stderr, format!("Error: {want}\n"), "pod {line}");
        assert_eq!((done.code, done.stdout.as_str()), (125, ""), "pod {line}");
    }
}

#[test]
fn without_a_command_help_is_shown_and_the_status_says_so() {
    let done = pod("");
    assert_eq!(done.code, 125);
    assert_eq!(done.stderr, "Error: missing command 'pod COMMAND'\n");
    assert!(
        done.stdout.contains("\nRun containers:\n  run        "),
        "{}",
        done.stdout
    );
    let asked = pod("--help");
    assert_eq!((asked.code, asked.stdout), (0, done.stdout));
    assert_eq!(pod("container").code, 125);
    assert_eq!(pod("container --help").code, 0);
}

#[test]
fn help_of_a_command() {
    for line in ["stop --help", "help stop", "stop -h"] {
        let done = pod(line);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "pod {line}");
        assert!(
            done.stdout
                .starts_with("Stop running containers\n\nUsage: pod stop [OPTIONS] CONTAINER")
        );
        assert!(done.stdout.contains("  -a, --all "), "{}", done.stdout);
        assert!(!done.stdout.contains("--log-level"), "{}", done.stdout);
    }
    // -h is the host name there.
    assert_eq!(
        pod("run -h").stderr,
        "Error: flag needs an argument: 'h' in -h\nSee 'pod run --help'\n"
    );
    assert!(pod("run --help").stdout.contains("  -h, --hostname "));
}

#[test]
fn the_version_is_the_third_word() {
    for line in ["--version", "-v", "--log-level debug --version"] {
        let done = pod(line);
        assert_eq!(
            done.stdout,
            format!("pod version {}\n", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(done.code, 0);
    }
}

#[test]
fn completion_scripts() {
    for shell in ["bash", "zsh", "fish"] {
        let done = pod(&format!("completion {shell}"));
        assert_eq!(done.code, 0, "{}", done.stderr);
        assert!(done.stdout.contains(" __complete "), "{shell}");
    }
}
