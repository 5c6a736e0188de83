//! Completion as fingers find it: a real shell on a terminal, and the key pressed.

use std::path::Path;

use crate::support::{Terminal, TestHome, family, pod_binary};

/// An interactive bash of the home's user that knows the script and finds `pod`.
fn bash(home: &TestHome) -> Terminal {
    let dir = pod_binary().parent().unwrap().display().to_string();
    let rc = home.write(
        "home/rc",
        &format!(
            "PATH={dir}:$PATH; PS1='$ '; HISTFILE=; source <(pod completion bash)\n\
             bind 'set show-all-if-ambiguous on'; bind 'set enable-bracketed-paste off'; bind 'set page-completions off'\n"
        ),
    );
    let mut command = home.user_command(
        Path::new("setsid"),
        ["--ctty", "bash", "--noprofile", "--rcfile"],
    );
    command.arg(rc).arg("-i").env("TERM", "dumb");
    let terminal = Terminal::start(command, 50, 200);
    terminal.wait_for("$ ");
    terminal
}

/// What the key makes of a line, and what the shell runs then: `echo` in front shows the words.
#[track_caller]
fn completes(terminal: &mut Terminal, typed: &str, want: &str) {
    terminal.send(typed);
    terminal.send("\t");
    // The line is thrown away when it shows what is wanted.
    terminal.wait_for(want);
    terminal.send("\x15echo next-$((1+1))\r");
    terminal.wait_for("next-2\r\n");
    terminal.clear();
}

#[test]
fn bash_completes_commands_flags_and_names() {
    let (home, ids) = family::home_with(&["base", "mid"]);
    home.pod(["tag", "base", "quay.example:5000/team/app:1.2"])
        .ok();
    home.pod(["create", "--network=none", "--name=worker", "base"])
        .ok();
    home.write("home/local-file", "");
    let mut shell = bash(&home);
    for (typed, want) in [
        ("pod hist", "pod history "),
        ("pod image pru", "pod image prune "),
        ("pod images --no-t", "pod images --no-trunc "),
        ("pod images --sort rep", "pod images --sort repository "),
        ("pod images --sort=rep", "pod images --sort=repository "),
        ("pod images -f dang", "pod images -f dangling="),
        ("pod images -f dangling=t", "pod images -f dangling=true "),
        ("pod rmi mi", "pod rmi mid:latest "),
        (
            "pod rmi docker.io/library/mid:l",
            "pod rmi docker.io/library/mid:latest ",
        ),
        (
            "pod run --rm -it quay.example:5000/te",
            "pod run --rm -it quay.example:5000/team/app:1.2 ",
        ),
        ("pod run -e A=b\\ c ap", "pod run -e A=b\\ c app:1.2 "),
        ("pod start wor", "pod start worker "),
        ("pod container inspect wor", "pod container inspect worker "),
        (
            "pod run --network container:wor",
            "pod run --network container:worker ",
        ),
        ("pod run base ./local-f", "pod run base ./local-file "),
        ("pod save -o local-f", "pod save -o local-file "),
        ("pod --log-level inf", "pod --log-level info "),
    ] {
        completes(&mut shell, typed, want);
    }
    completes(
        &mut shell,
        &format!("pod rmi {}", &ids[1][..6]),
        &format!("pod rmi {} ", &ids[1][..12]),
    );
    // Several: all are listed.
    completes(
        &mut shell,
        "pod images --sort ",
        "created     id          repository  size        tag",
    );
    shell.send("exit\r");
}

#[test]
fn nothing_is_offered_where_nothing_is_known() {
    let home = TestHome::new();
    let offered = |words: &[&str]| {
        let all = ["__complete"].iter().chain(words);
        home.pod(all.copied()).ok()
    };
    assert_eq!(offered(&["rmi", ""]), ":4");
    assert_eq!(offered(&["nosuch", ""]), ":4");
    assert_eq!(offered(&["start", ""]), ":4");
    assert_eq!(offered(&["--nope", "x"]), ":4");
    assert_eq!(offered(&["rename", "x", ""]), ":4");
    assert!(offered(&[]).contains("run\tRun a command in a new container\n"));
    assert!(offered(&["images", "--a"]).starts_with("--all\t"));
    // A broken store is no reason to bother somebody who types.
    let broken = home.write("home/broken", "no directory");
    let done = home.pod([
        "__complete",
        "--root",
        &broken.display().to_string(),
        "rmi",
        "",
    ]);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), (":4\n", ""));
}

#[test]
fn every_command_is_offered() {
    let home = TestHome::new();
    let offered = home.pod(["__complete", ""]).ok();
    let help = home.pod(["--help"]).ok();
    let listed = help
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_whitespace().next());
    let mut count = 0;
    for name in listed {
        assert!(
            offered.contains(&format!("{name}\t")),
            "{name} is not offered:\n{offered}"
        );
        count += 1;
    }
    assert!(count > 20, "{help}");
}
