//! `logs` of several containers, log drivers and rotation, and readers that stop reading.

use std::time::{Duration, Instant};

use crate::support::TestHome;

const NONE: &str = "--network=none";

fn start(home: &TestHome, flags: &[&str], script: &str) {
    let args = [
        &["run", "-d", NONE],
        flags,
        &["busybox", "sh", "-c", script],
    ]
    .concat();
    home.pod(args).ok();
}

#[test]
fn several_containers_are_merged_by_time() {
    let home = TestHome::with_busybox();
    for (name, script) in [("a", "echo 1; echo err >&2; printf part"), ("b", "echo 2")] {
        start(&home, &["--name", name], script);
        home.pod(["wait", name]).ok();
    }
    let id = |name| home.inspect(name, "{{.Id}}")[..12].to_owned();
    let (a, b) = (id("a"), id("b"));
    let both = home.pod(["logs", "b", "a"]);
    assert_eq!(both.stdout, format!("{a} 1\n{a} part\n{b} 2\n"), "{both}");
    assert_eq!(both.stderr, format!("{a} err\n"), "{both}");
    let named = home.pod(["logs", "-n", "--tail=1", "a", "b"]);
    assert_eq!(named.stdout, "a part\nb 2\n", "{named}");
    let coloured = home.pod(["logs", "--color", "-n", "a", "b"]);
    assert_eq!(
        coloured.stdout,
        "\x1b[37ma 1\x1b[0m\n\x1b[37ma part\x1b[0m\n\x1b[31mb 2\x1b[0m\n",
    );
    // One alone has no name before its lines.
    assert_eq!(home.pod(["logs", "-n", "b"]).stdout, "2\n");
    let followed = home.pod(["logs", "-f", "a", "b"]);
    assert_eq!(followed.stdout, both.stdout);
    home.refuses(
        ["logs", "a", "nosuch"],
        125,
        &["no container with name or ID \"nosuch\""],
    );
    home.pod(["create", "--name=c", "busybox"]).ok();
    assert_eq!(home.pod(["logs", "-f", "c"]).ok(), "");
}

#[test]
fn several_are_followed_until_all_have_ended() {
    let home = TestHome::with_busybox();
    let script = "while read x; do echo $x; done";
    let run = |name| {
        let args = [
            "run", "-i", "--name", name, NONE, "busybox", "sh", "-c", script,
        ];
        home.spawn(args)
    };
    let (mut a, mut b) = (run("a"), run("b"));
    for (one, name) in [(&mut a, "a"), (&mut b, "b")] {
        one.write(format!("up-{name}\n"));
        one.wait_for(&format!("up-{name}"));
    }
    let logs = home.spawn(["logs", "-fn", "a", "b"]);
    logs.wait_for("b up-b\n");
    a.write("one\n");
    logs.wait_for("a one\n");
    a.stop();
    home.pod(["stop", "-t0", "a"]).ok();
    b.write("two\n");
    logs.wait_for("b two\n");
    b.stop();
    home.pod(["stop", "-t0", "b"]).ok();
    assert_eq!(logs.wait().code, 0);
}

#[test]
fn following_goes_on_across_a_restart() {
    let home = TestHome::with_busybox();
    start(
        &home,
        &["--name=r"],
        "echo up $$; trap 'echo down; exit' TERM; sleep 1000 & wait",
    );
    let logs = home.spawn(["logs", "-f", "r"]);
    logs.wait_for("up 1\n");
    home.pod(["restart", "r"]).ok();
    logs.wait_for("up 1\ndown\nup 1\n");
    home.pod(["stop", "r"]).ok();
    assert_eq!(logs.wait().stdout, "up 1\ndown\nup 1\ndown\n");
}

#[test]
fn rotation_loses_and_tears_no_line_of_those_kept() {
    let home = TestHome::with_busybox();
    let script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; printf end";
    let flags = ["--name=r", "--log-opt=max-size=20k", "--log-opt=max-file=4"];
    start(&home, &flags, script);
    // Followed from the beginning by one that is fast enough: everything.
    let followed = home.pod(["logs", "-f", "r"]).stdout;
    home.pod(["wait", "r"]).ok();
    assert!(followed.ends_with("line 2999\nend"));
    let text = home.pod(["logs", "r"]).stdout;
    let lines: Vec<&str> = text.lines().collect();
    let first: usize = lines[0]
        .trim_start_matches("line ")
        .parse()
        .expect("a whole line");
    let want: Vec<String> = (first..3000).map(|n| format!("line {n}")).collect();
    assert_eq!(lines[..lines.len() - 1], want);
    assert!((600..2900).contains(&lines.len()), "{}", lines.len());
    let path = home.inspect("r", "{{.HostConfig.LogConfig.Path}}");
    for n in 1..=3 {
        let size = std::fs::metadata(format!("{path}.{n}"))
            .expect("a rotated file")
            .len();
        assert!((1000..=20_480).contains(&size), "{size}");
    }
    assert!(std::fs::metadata(format!("{path}.4")).is_err());
    assert_eq!(
        home.inspect("r", "{{.HostConfig.LogConfig.Size}}"),
        "20.48kB"
    );
    let last = home.pod(["logs", "--tail=2000", "r"]).stdout;
    assert!(text.ends_with(&last) && last.lines().count() == 2000.min(lines.len()));
    home.pod(["rm", "r"]).ok();
    assert!(std::fs::metadata(format!("{path}.1")).is_err());
}

#[test]
fn long_lines_bytes_and_terminals() {
    let home = TestHome::with_busybox();
    start(
        &home,
        &["--name=long"],
        "head -c 10000000 /dev/zero | tr '\\0' x; echo; printf '\\377\\000z\\n'",
    );
    home.pod(["wait", "long"]).ok();
    let script = "$POD logs long | wc -lc; $POD logs long | tail -n1 | od -An -tx1; $POD logs --tail=2 long | wc -c";
    let out = home.sh(script).ok();
    let words: Vec<&str> = out.split_whitespace().collect();
    assert_eq!(words, ["2", "10000005", "ff", "00", "7a", "0a", "10000005"]);
    start(&home, &["-t", "--name=tty"], "echo a; echo b >&2");
    home.pod(["wait", "tty"]).ok();
    assert_eq!(home.pod(["logs", "tty"]).stdout, "a\r\nb\r\n");
}

#[test]
fn drivers() {
    let home = TestHome::with_busybox();
    let path = home.mkdir("logs").join("mine");
    let at = format!("path={}", path.display());
    start(
        &home,
        &["--name=file", "--log-driver=json-file", "--log-opt", &at],
        "echo kept",
    );
    home.pod(["wait", "file"]).ok();
    assert_eq!(home.pod(["logs", "file"]).stdout, "kept\n");
    let config = home.inspect(
        "file",
        "{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Path}}",
    );
    assert_eq!(config, format!("json-file {}", path.display()));
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .ends_with(" stdout F kept\n")
    );
    for driver in ["none", "passthrough", "passthrough-tty"] {
        let flag = format!("--log-driver={driver}");
        let run = home.pod([
            "run", "--name", driver, &flag, NONE, "busybox", "echo", "seen",
        ]);
        assert_eq!(run.ok(), "seen", "{driver}");
        let words = format!("this container is using the '{driver}' log driver, cannot read logs");
        home.refuses(["logs", driver], 125, &[&words]);
    }
    let mut terminal = home.terminal([
        "run",
        "--rm",
        "--log-driver=passthrough",
        NONE,
        "busybox",
        "tty",
    ]);
    terminal.wait_for("cannot be used on a TTY");
    assert_eq!(terminal.wait().code, 125);
    terminal = home.terminal([
        "run",
        "--rm",
        "--log-driver=passthrough-tty",
        NONE,
        "busybox",
        "sh",
        "-c",
        "test -t 1 && echo yes",
    ]);
    terminal.wait_for("yes");
    assert_eq!(terminal.wait().code, 0);
    for (flags, want) in [
        (
            ["--log-driver=nope", "--log-opt=tag=x"],
            "invalid log driver \"nope\"",
        ),
        (
            ["--log-driver=k8s-file", "--log-opt=nope=x"],
            "invalid log option \"nope=x\"",
        ),
        (
            ["--log-driver=none", "--log-opt=path=/x"],
            "log option path cannot be used with --log-driver none",
        ),
        (
            ["--log-driver=k8s-file", "--log-opt=label=A=b"],
            "log option label cannot be used",
        ),
        (
            ["--log-driver=k8s-file", "--log-opt=max-file=3"],
            "max-file needs max-size",
        ),
        (
            ["--log-driver=passthrough", "-t"],
            "cannot be used with --tty",
        ),
    ] {
        let args = [&["create"], &flags[..], &["busybox"]].concat();
        home.refuses(args, 125, &[want]);
    }
    if !std::path::Path::new("/run/systemd/journal/socket").exists() {
        let done = home.refuses(
            ["create", "--log-driver=journald", "busybox"],
            125,
            &["initialize journal /run/systemd/journal/socket"],
        );
        assert!(done.stderr.contains("journald does not run here"), "{done}");
    }
    home.write(
        "home/.config/containers/containers.conf",
        &format!("[containers]\nlog_path = {:?}\n", home.mkdir("all")),
    );
    start(&home, &["--name=dir"], "echo x");
    home.pod(["wait", "dir"]).ok();
    let file = home
        .path("all")
        .join(format!("{}.log", home.inspect("dir", "{{.Id}}")));
    assert!(file.exists() && home.pod(["logs", "dir"]).stdout == "x\n");
    home.pod(["rm", "dir"]).ok();
    assert!(!file.exists());
}

#[test]
fn a_reader_that_stops_reading_does_not_keep_the_container_from_being_stopped() {
    let home = TestHome::with_busybox();
    // The pipe of `run` is read by nobody.
    let script =
        "mkfifo ~/go; $POD run --name=flood --network=none busybox yes | { echo up; cat ~/go; }";
    let stuck = home.spawn_sh(script);
    stuck.wait_for("up");
    let script = "until $POD logs -f flood 2>/dev/null | grep -qm1 y; do :; done; echo seen";
    home.spawn_sh(script).wait_for("seen");
    start(&home, &["--name=other"], "sleep 1000");
    let began = Instant::now();
    home.pod(["stop", "-t1", "flood"]).ok();
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(home.inspect("flood", "{{.State.Status}}"), "exited");
    let last = home.pod(["logs", "--tail=1", "flood"]);
    assert!(last.stdout.starts_with('y'), "{last}");
    home.pod(["rm", "flood"]).ok();
    home.pod(["rm", "-ft0", "other"]).ok();
    std::fs::write(home.path("home/go"), "").expect("the reader waits");
    stuck.wait();
    std::fs::remove_file(home.path("home/go")).expect("it is there");
}

#[test]
fn what_ends_at_once_is_seen_whole() {
    let home = TestHome::with_busybox();
    for n in 0..12 {
        let text = format!("out{n}");
        let done = home.pod(["run", "--rm", NONE, "busybox", "echo", &text]);
        assert_eq!(done.ok(), text);
    }
}
