//! `create start stop kill rm ps logs exec attach inspect wait`: the life of one container.

use nix::sys::signal::Signal;

use crate::support::{Lane, TestHome, lane, process};

/// A detached busybox without network that runs `sh -c SCRIPT`.
#[track_caller]
fn start(home: &TestHome, name: &str, script: &str) -> String {
    home.pod([
        "run",
        "-d",
        "--name",
        name,
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ])
    .ok()
}

const IDLE: &str = "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done";

/// [`start`], and waits until the script has printed `ready`: its traps stand.
#[track_caller]
fn start_ready(home: &TestHome, name: &str, script: &str) {
    start(home, name, script);
    home.spawn(["logs", "-f", name]).wait_for("ready");
}

#[test]
fn create_start_wait_logs_rm() {
    let home = TestHome::with_busybox();
    let id = home
        .pod([
            "create",
            "--name=c",
            "--network=none",
            "busybox",
            "sh",
            "-c",
            "echo out; echo err >&2; exit 4",
        ])
        .ok();
    assert_eq!(home.inspect("c", "{{.State.Status}}"), "created");
    assert_eq!(home.pod(["start", "c"]).ok(), "c");
    assert_eq!(home.pod(["wait", "c", &id]).ok(), "4\n4");
    let logs = home.pod(["logs", "c"]);
    assert_eq!(
        (logs.stdout.as_str(), logs.stderr.as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(
        home.inspect(
            "c",
            "{{.State.Status}} {{.State.ExitCode}} {{.State.Running}}"
        ),
        "exited 4 false"
    );
    let status = home.pod(["ps", "-a", "--format", "{{.Status}}"]).ok();
    assert!(status.starts_with("Exited (4) "), "{status}");
    // A second life of the same container.
    assert_eq!(home.pod(["start", "-a", "c"]).code(4).stdout, "out\n");
    assert_eq!(home.pod(["rm", &id[..6]]).ok(), id[..6]);
    assert_eq!(home.pod(["container", "exists", "c"]).code, 1);
}

#[test]
fn ps_prints_podmans_table() {
    let home = TestHome::with_busybox();
    let header =
        "CONTAINER ID  IMAGE       COMMAND     CREATED     STATUS      PORTS       NAMES\n";
    assert_eq!(home.pod(["ps"]).stdout, header);
    let id = start(&home, "one", IDLE);
    home.pod(["create", "--name=two", "--network=none", "busybox", "true"])
        .ok();
    assert_eq!(home.pod(["ps", "-q"]).ok(), id[..12]);
    assert_eq!(home.pod(["ps", "-aq"]).ok().lines().count(), 2);
    let fields = "{{.ID}} {{.Image}} {{.Names}} {{.State}} {{.ExitCode}}";
    let want = format!(
        "{} docker.io/library/busybox:latest one running 0",
        &id[..12]
    );
    assert_eq!(home.pod(["ps", "--format", fields]).ok(), want);
    assert_eq!(
        home.pod([
            "ps",
            "-a",
            "--filter",
            "status=created",
            "--format",
            "{{.Names}}"
        ])
        .ok(),
        "two"
    );
    let json: serde_json::Value =
        serde_json::from_str(&home.pod(["ps", "-a", "--format=json"]).ok()).unwrap();
    assert_eq!(json[0]["Id"], id.as_str());
    assert_eq!(json[0]["Names"], serde_json::json!(["one"]));
    assert_eq!(json[1]["State"], "created");
    let wrong = home.pod(["ps", "--format", "{{.Nope}}"]).code(125);
    assert!(
        wrong.stderr.contains("can't evaluate field Nope"),
        "{wrong}"
    );
}

#[test]
fn stop_asks_and_then_kills() {
    let home = TestHome::with_busybox();
    start_ready(&home, "polite", IDLE);
    start_ready(
        &home,
        "deaf",
        "trap '' TERM; echo ready; while :; do sleep 1000; done",
    );
    let (polite, deaf) = (home.pid_of("polite"), home.pid_of("deaf"));
    let done = home.pod(["stop", "-t", "60", "polite"]);
    assert_eq!(done.ok(), "polite");
    let done = home.pod(["stop", "-t", "0", "deaf"]);
    assert_eq!(done.stdout, "deaf\n", "{done}");
    process::wait_gone(polite);
    process::wait_gone(deaf);
    assert_eq!(home.inspect("deaf", "{{.State.ExitCode}}"), "137");
    // Stopping what is stopped is fine, as in Podman.
    assert_eq!(home.pod(["stop", "deaf"]).ok(), "deaf");
}

#[test]
fn kill_sends_any_signal() {
    let home = TestHome::with_busybox();
    let script = "trap 'echo usr2; exit 3' USR2; echo ready; while :; do sleep 1000 & wait; done";
    start_ready(&home, "k", script);
    assert_eq!(home.pod(["kill", "-s", "USR2", "k"]).ok(), "k");
    assert_eq!(home.pod(["wait", "k"]).ok(), "3");
    let done = home.pod(["kill", "k"]).code(125);
    assert!(done.stderr.contains("container state improper"), "{done}");
    let done = home.pod(["kill", "-s", "NOSUCH", "k"]).code(125);
    assert!(done.stderr.contains("invalid signal"), "{done}");
    // SIGKILL is waited for: rm may follow at once.
    assert_eq!(home.pod(["start", "k"]).ok(), "k");
    assert_eq!(home.pod(["kill", "k"]).ok(), "k");
    assert_eq!(home.pod(["rm", "k"]).ok(), "k");
}

#[test]
fn rm_refuses_what_runs_unless_forced() {
    let home = TestHome::with_busybox();
    start(&home, "busy", IDLE);
    let done = home.pod(["rm", "busy"]).code(2);
    assert!(done.stderr.contains("container state improper"), "{done}");
    let pid = home.pid_of("busy");
    assert_eq!(home.pod(["rm", "-f", "-t", "0", "busy"]).ok(), "busy");
    process::wait_gone(pid);
    assert_eq!(home.pod(["rm", "busy"]).code, 1);
    assert_eq!(home.pod(["rm", "-f", "busy"]).code, 0);
}

#[test]
fn nothing_of_that_name() {
    let home = TestHome::new();
    for command in ["start", "stop", "kill", "logs", "port", "wait", "attach"] {
        let done = home.pod([command, "nosuch"]).code(125);
        let want = "Error: no container with name or ID \"nosuch\" found: no such container\n";
        assert_eq!(done.stderr, want, "{done}");
    }
    let done = home.pod(["exec", "nosuch", "true"]).code(125);
    assert!(done.stderr.contains("no such container"), "{done}");
    let done = home.pod(["rm", "nosuch"]).code(1);
    assert!(done.stderr.contains("no such container"), "{done}");
    let done = home.pod(["inspect", "nosuch"]).code(125);
    assert_eq!(done.stdout, "[]\n", "{done}");
    assert!(done.stderr.contains("no such object: \"nosuch\""), "{done}");
}

#[test]
fn exec_answers_as_podman_does() {
    let home = TestHome::with_busybox();
    start(&home, "e", IDLE);
    let done = home.pod(["exec", "e", "sh", "-c", "echo out; echo err >&2; exit 6"]);
    assert_eq!(
        (done.code, done.stdout.as_str(), done.stderr.as_str()),
        (6, "out\n", "err\n"),
        "{done}"
    );
    assert_eq!(home.pod(["exec", "e", "/no/such"]).code, 127);
    assert_eq!(home.pod(["exec", "e", "nosuch"]).code, 127);
    assert_eq!(home.pod(["exec", "e", "/opt/plain"]).code, 126);
    assert_eq!(home.pod(["exec", "e", "sh", "-c", "kill -9 $$"]).code, 137);
    let out = home.pod([
        "exec",
        "-e",
        "X=1",
        "-w",
        "/srv",
        "e",
        "sh",
        "-c",
        "echo $X; pwd; echo $container",
    ]);
    assert_eq!(out.ok(), "1\n/srv\npodman");
    assert_eq!(
        home.pod_with_input(["exec", "-i", "e", "cat"], "in\n").ok(),
        "in"
    );
    if lane() != Lane::Bare {
        assert_eq!(
            home.pod(["exec", "-u", "app", "e", "id", "-u"]).ok(),
            "1000"
        );
    }
    let mut terminal = home.terminal(["exec", "-it", "e", "sh"]);
    terminal.wait_for("# ");
    terminal.send("tty; exit 8\r");
    let done = terminal.wait();
    assert!(
        done.code == 8 && done.stdout.contains("/dev/pts/"),
        "{done}"
    );
    home.pod(["stop", "-t", "0", "e"]).ok();
    let done = home.pod(["exec", "e", "true"]).code(255);
    assert!(done.stderr.contains("container state improper"), "{done}");
}

#[test]
fn exec_is_as_confined_as_the_container() {
    let home = TestHome::with_busybox();
    start(&home, "e", IDLE);
    let script = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/$PID/status";
    let init = home
        .pod(["exec", "e", "sh", "-c", &script.replace("$PID", "1")])
        .ok();
    let own = home
        .pod(["exec", "e", "sh", "-c", &script.replace("$PID", "self")])
        .ok();
    assert_eq!(init, own);
    assert!(own.contains("Seccomp:\t2"), "{own}");
}

#[test]
fn logs_in_all_forms() {
    let home = TestHome::with_busybox();
    start(
        &home,
        "l",
        "for i in 1 2 3 4; do echo line $i; done; printf partial",
    );
    home.pod(["wait", "l"]).ok();
    assert_eq!(
        home.pod(["logs", "l"]).stdout,
        "line 1\nline 2\nline 3\nline 4\npartial"
    );
    assert_eq!(
        home.pod(["logs", "--tail=2", "l"]).stdout,
        "line 4\npartial"
    );
    assert_eq!(home.pod(["logs", "--tail=0", "l"]).stdout, "");
    assert_eq!(
        home.pod(["logs", "--since=1h", "--tail=1", "l"]).stdout,
        "partial"
    );
    assert_eq!(home.pod(["logs", "--until=2020-01-01", "l"]).stdout, "");
    let stamped = home.pod(["logs", "-t", "l"]).ok();
    let first = stamped.lines().next().unwrap();
    let (time, text) = first.split_once(' ').unwrap();
    assert!(
        time.len() >= 30 && time.starts_with("20") && text == "line 1",
        "{first}"
    );
    let named = home.pod(["logs", "-n", "--tail=1", "l"]).ok();
    assert!(named.ends_with(" partial") || named == "partial", "{named}");
    // The file is Podman's k8s-file.
    let path = home.inspect("l", "{{.HostConfig.LogConfig.Path}}");
    let file = std::fs::read_to_string(path).unwrap();
    let words: Vec<_> = file.lines().next().unwrap().splitn(4, ' ').collect();
    assert_eq!(&words[1..], ["stdout", "F", "line 1"], "{file}");
    assert!(file.trim_end().ends_with("stdout P partial"), "{file}");
}

#[test]
fn following_logs_ends_with_the_container() {
    let home = TestHome::with_busybox();
    let mut running = home.spawn([
        "run",
        "-i",
        "--name=f",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "echo one; read line; echo $line",
    ]);
    running.wait_for("one");
    let logs = home.spawn(["logs", "-f", "f"]);
    logs.wait_for("one");
    running.write("two\n");
    assert_eq!(logs.wait().stdout, "one\ntwo\n");
    assert_eq!(running.wait().code, 0);
}

#[test]
fn attach_sees_output_and_gives_the_code() {
    let home = TestHome::with_busybox();
    home.pod([
        "create",
        "-i",
        "--name=a",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "read x; echo got $x; exit 5",
    ])
    .ok();
    home.pod(["start", "a"]).ok();
    let mut attached = home.spawn(["attach", "a"]);
    attached.write("hello\n");
    let done = attached.wait();
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (5, "got hello\n"),
        "{done}"
    );
}

#[test]
fn wait_waits() {
    let home = TestHome::with_busybox();
    let mut running = home.spawn([
        "run",
        "-i",
        "--name=w",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "echo up; read x; exit 11",
    ]);
    running.wait_for("up");
    let waiting = home.spawn(["wait", "w"]);
    running.write("\n");
    assert_eq!(waiting.wait().stdout, "11\n");
    assert_eq!(running.wait().code, 11);
}

#[test]
fn a_killed_client_leaves_its_container_running() {
    let home = TestHome::with_busybox();
    let running = home.spawn([
        "run",
        "--name=r",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        &format!("echo up; {IDLE}"),
    ]);
    running.wait_for("up");
    running.signal(Signal::SIGKILL);
    assert_eq!(running.wait().signal, Some(9));
    assert_eq!(home.inspect("r", "{{.State.Status}}"), "running");
    home.pod(["rm", "-f", "-t", "0", "r"]).ok();
}

#[test]
fn a_name_is_taken_once_and_replaced_on_demand() {
    let home = TestHome::with_busybox();
    let first = start(&home, "same", IDLE);
    let done = home.refuses(
        [
            "run",
            "-d",
            "--name=same",
            "--network=none",
            "busybox",
            "true",
        ],
        125,
        &["already in use"],
    );
    assert!(done.stderr.contains("same"), "{done}");
    let second = home
        .pod([
            "run",
            "-d",
            "--name=same",
            "--replace",
            "--network=none",
            "busybox",
            "true",
        ])
        .ok();
    assert_ne!(first, second);
    assert_eq!(home.inspect("same", "{{.Id}}"), second);
}

#[test]
fn inspect_tells_what_was_asked_for() {
    let home = TestHome::with_busybox();
    start(&home, "i", IDLE);
    let json: serde_json::Value = serde_json::from_str(&home.pod(["inspect", "i"]).ok()).unwrap();
    let it = &json[0];
    assert_eq!(it["Name"], "i");
    assert_eq!(it["ImageName"], "docker.io/library/busybox:latest");
    assert_eq!(it["State"]["Running"], true);
    assert_eq!(it["HostConfig"]["NetworkMode"], "none");
    assert_eq!(it["Config"]["Cmd"][0], "sh");
    assert_eq!(it["Path"], "sh");
    assert!(
        it["State"]["ConmonPid"].as_i64().is_some_and(|pid| pid > 1),
        "{it}"
    );
    let caps = it["EffectiveCaps"].as_array().unwrap();
    assert_eq!(caps.len(), 11, "{caps:?}");
}

#[test]
fn top_lists_the_processes_of_a_container() {
    let home = TestHome::with_busybox();
    start_ready(&home, "c", IDLE);
    let table = home.pod(["top", "c"]).ok();
    let lines: Vec<&str> = table.lines().collect();
    let heading: Vec<&str> = lines[0].split_whitespace().collect();
    let want = [
        "USER", "PID", "PPID", "%CPU", "ELAPSED", "TTY", "TIME", "COMMAND",
    ];
    assert_eq!(heading, want);
    assert!(
        lines.iter().any(|line| line.contains("sleep 1000")),
        "{table}"
    );
    // The host's own view agrees.
    let pids = home
        .pod(["top", "c", "hpid,pid,ppid", "comm", "seccomp", "capeff"])
        .ok();
    let first: Vec<&str> = pids.lines().nth(1).unwrap().split_whitespace().collect();
    let host = home.pid_of("c").to_string();
    assert_eq!(first[..5], [host.as_str(), "1", "0", "sh", "filter"]);
    assert!(
        first[5].contains("NET_BIND_SERVICE") && !first[5].contains("SYS_ADMIN"),
        "{pids}"
    );
    // One that exec has added belongs to it, and its parent does not.
    let extra = home.spawn(["exec", "c", "sh", "-c", "echo up; exec sleep 500"]);
    extra.wait_for("up");
    let joined = home.pod(["top", "c", "%P", "args"]).ok();
    assert!(
        joined
            .lines()
            .any(|line| line.starts_with("0 ") && line.ends_with("sleep 500")),
        "{joined}"
    );
    home.refuses(
        ["top", "c", "-eo", "pid"],
        125,
        &["options of ps(1)", "pod exec"],
    );
    home.refuses(
        ["top", "c", "bogus"],
        125,
        &["unknown descriptor \"bogus\""],
    );
    home.pod(["create", "--name=idle", "--network=none", "busybox"])
        .ok();
    let idle = home.pod(["top", "idle"]).code(125);
    assert_eq!(
        idle.stderr,
        "Error: top can only be used on running containers\n"
    );
}
