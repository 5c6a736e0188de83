//! `--init`: a small pid 1 that runs the program, passes signals on and reaps orphans.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Done, Lane, TestHome, lane};

/// Runs `sh -c SCRIPT` below an init.
#[track_caller]
fn below(home: &TestHome, flags: &[&str], script: &str) -> Done {
    let fixed = ["run", "--rm", "--init", "--network=none"];
    let words = fixed.iter().chain(flags).copied();
    home.pod(words.chain(["busybox", "sh", "-c", script]))
}

const SHOW: &str = "echo $$; readlink /proc/1/exe; cat /proc/1/comm; tr '\\0' ' ' </proc/1/cmdline";

#[test]
fn init_is_pid_1_and_lies_in_memory() {
    let home = TestHome::with_busybox();
    let shown = below(&home, &[], SHOW).ok();
    let lines: Vec<_> = shown.lines().collect();
    assert_ne!(lines[0], "1");
    assert_eq!(lines[1], "/memfd:pod-init (deleted)");
    assert_eq!(lines[2], "pod-init");
    assert!(lines[3].starts_with("pod-init /bin/sh sh -c "), "{shown}");
    // Not even root of the container can change it.
    let done = below(&home, &[], "echo x >/proc/1/exe; true");
    assert!(done.code == 0 && !done.stderr.is_empty(), "{done}");
}

#[test]
fn init_runs_for_any_user() {
    if lane() == Lane::Bare {
        return;
    }
    let home = TestHome::with_busybox();
    for flags in [
        ["--user", "app"].as_slice(),
        &["--user", "4321:4321"],
        &["--user", "app", "--security-opt", "no-new-privileges"],
        &["--userns", "keep-id"],
    ] {
        let shown = below(&home, flags, "readlink /proc/1/exe; id -u").ok();
        assert!(shown.starts_with("/memfd:pod-init"), "{flags:?}: {shown}");
        assert!(!shown.ends_with("\n0"), "{flags:?}: {shown}");
    }
}

#[test]
fn init_gives_the_program_what_it_has_without() {
    let home = TestHome::with_busybox();
    let script = "grep -E '^(Sig(Blk|Ign|Cgt)|ShdPnd|Cap|NoNewPrivs|Seccomp:)' /proc/self/status; ls /proc/self/fd; \
                  env | sort; pwd; umask; ulimit -n";
    let without = ["run", "--rm", "--network=none", "--hostname=h", "busybox"];
    let without = home.pod(without.into_iter().chain(["sh", "-c", script]));
    let with = below(&home, &["--hostname=h"], script);
    assert_eq!(with.ok(), without.ok());
}

#[test]
fn init_reaps_orphans() {
    let home = TestHome::with_busybox();
    // The inner shells end at once; what they leave behind becomes a child of pid 1.
    let script = "for i in 1 2 3 4 5; do sh -c 'sleep 0.1 & exit'; done; sleep 1; \
                  for p in /proc/[0-9]*; do grep -H '^State:.*Z' $p/status; done; \
                  sh -c 'sleep 100 & exit'; until grep -qs '^sleep' /proc/[0-9]*/comm; do :; done; echo left";
    assert_eq!(below(&home, &[], script).ok(), "left");
}

#[test]
fn init_answers_with_the_programs_status() {
    let home = TestHome::with_busybox();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill -15 $$", 143),
        ("kill -11 $$", 139),
    ] {
        assert_eq!(below(&home, &[], script).code, code, "{script}");
    }
    for (words, code, says) in [
        (["/no/such/program"].as_slice(), 127, "no such file"),
        (&["nosuchprogram"], 127, "nosuchprogram"),
        (&["/opt/plain"], 126, "permission denied"),
        (&["/etc"], 126, "/etc"),
    ] {
        let fixed = ["run", "--rm", "--init", "--network=none", "busybox"];
        let done = home.pod(fixed.iter().chain(words).copied());
        assert_eq!(done.code, code, "{done}");
        assert!(done.stderr.to_lowercase().contains(says), "{done}");
    }
    let script = "echo '#!/no/interpreter' >/tmp/x; chmod 755 /tmp/x; exec /tmp/x";
    assert_eq!(below(&home, &[], script).code, 127);
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn init_passes_signals_on() {
    let home = TestHome::with_busybox();
    let script = "trap 'echo got usr1' USR1; trap 'echo got term; exit 9' TERM; echo ready; \
                  while :; do sleep 0.1; done";
    let running = home.spawn([
        "run",
        "--rm",
        "--init",
        "--network=none",
        "--name=s",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    running.wait_for("ready");
    home.pod(["kill", "-s", "USR1", "s"]).ok();
    running.wait_for("got usr1");
    running.signal(Signal::SIGTERM);
    let done = running.wait();
    assert_eq!(done.code, 9, "{done}");
    assert_eq!(done.stdout, "ready\ngot usr1\ngot term\n");
}

#[test]
fn init_ends_at_once_when_stopped() {
    let home = TestHome::with_busybox();
    // As pid 1 this program would ignore SIGTERM and be killed after ten seconds.
    let words = [
        "run",
        "-d",
        "--init",
        "--network=none",
        "--name=s",
        "busybox",
    ];
    home.pod(words.into_iter().chain(["sleep", "1000"])).ok();
    assert_eq!(home.inspect("s", "{{.HostConfig.Init}}"), "true");
    assert_eq!(home.pod(["exec", "s", "sh", "-c", "exit 3"]).code, 3);
    let begun = Instant::now();
    home.pod(["stop", "s"]).ok();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(home.inspect("s", "{{.State.ExitCode}}"), "143");
    // A second life of the same container.
    home.pod(["start", "s"]).ok();
    home.pod(["kill", "-s", "INT", "s"]).ok();
    assert_eq!(home.pod(["wait", "s"]).ok(), "130");
}

#[test]
fn init_leaves_the_terminal_to_the_program() {
    let home = TestHome::with_busybox();
    let mut terminal = home.terminal([
        "run",
        "--rm",
        "-it",
        "--init",
        "--network=none",
        "busybox",
        "sh",
    ]);
    terminal.wait_for("# ");
    // A job is in the foreground before its program begins, so its first word says that it is.
    terminal.send("tty; sh -c 'echo in front; exec sleep 1000'\r");
    terminal.wait_for("/dev/pts/0\r\nin front\r\n");
    terminal.send("\x03");
    terminal.wait_for("^C");
    terminal.send("echo code $?; exit 4\r");
    terminal.wait_for("\ncode 130");
    let done = terminal.wait();
    assert_eq!(done.code, 4, "{done}");
    assert!(!done.stdout.contains("job control turned off"), "{done}");
}

#[test]
fn init_takes_standard_input_and_needs_a_pid_namespace_of_its_own() {
    let home = TestHome::with_busybox();
    let cat = [
        "run",
        "--rm",
        "-i",
        "--init",
        "--network=none",
        "busybox",
        "cat",
    ];
    assert_eq!(home.pod_with_input(cat, "to and fro\n").ok(), "to and fro");
    let done = home.pod(["run", "--init", "--pid=host", "busybox", "true"]);
    assert_eq!(done.code, 125, "{done}");
    assert!(
        done.stderr.contains("PID namespace isn't private"),
        "{done}"
    );
}
