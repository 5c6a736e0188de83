//! `--restart`: a container runs again by its monitor, until somebody wants its end.

use nix::sys::signal::Signal;

use crate::support::{TestHome, process};

/// A detached container under a policy that runs `sh -c SCRIPT`; `/data` is kept from one run to the next.
#[track_caller]
fn start(home: &TestHome, name: &str, policy: &str, script: &str) {
    let restart = format!("--restart={policy}");
    home.pod([
        "run",
        "-d",
        "--name",
        name,
        &restart,
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ])
    .ok();
}

/// Waits until the log has `lines` lines.
#[track_caller]
fn await_line(home: &TestHome, name: &str, line: &str) {
    let mut logs = home.spawn(["logs", "-f", name]);
    logs.wait_for(line);
    logs.stop();
}

/// Prints `run N`, counting its own runs.
const COUNT: &str = "echo x >> /n; echo run $(wc -l < /n)";

#[test]
fn on_failure_runs_again_as_often_as_it_may() {
    let home = TestHome::with_busybox();
    start(&home, "c", "on-failure:2", &format!("{COUNT}; exit 3"));
    assert_eq!(home.pod(["wait", "c"]).ok(), "3");
    assert_eq!(home.pod(["logs", "c"]).ok(), "run 1\nrun 2\nrun 3");
    let shown = "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}} {{.HostConfig.RestartPolicy.Name}} \
                 {{.HostConfig.RestartPolicy.MaximumRetryCount}}";
    assert_eq!(home.inspect("c", shown), "2 exited 3 on-failure 2");
    assert_eq!(
        home.pod(["ps", "-a", "--format", "{{.Restarts}}"]).ok(),
        "2"
    );
    // A user's start begins to count anew.
    home.pod(["start", "c"]).ok();
    assert_eq!(home.pod(["wait", "c"]).ok(), "3");
    assert_eq!(home.inspect("c", "{{.RestartCount}}"), "2");
    // Success is the end.
    start(
        &home,
        "d",
        "on-failure",
        &format!("{COUNT}; [ -s /two ] && exit 0; echo 1 > /two; exit 1"),
    );
    assert_eq!(home.pod(["wait", "d"]).ok(), "0");
    assert_eq!(home.inspect("d", "{{.RestartCount}}"), "1");
}

#[test]
fn the_foreground_sees_the_first_run() {
    let home = TestHome::with_busybox();
    let script = format!("{COUNT}; exit 4");
    let done = home.pod([
        "run",
        "--name=c",
        "--restart=on-failure:1",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        &script,
    ]);
    assert_eq!(done.code(4).stdout, "run 1\n");
    assert_eq!(home.pod(["wait", "c"]).ok(), "4");
    assert_eq!(home.pod(["logs", "c"]).ok(), "run 1\nrun 2");
}

#[test]
fn between_two_runs_a_container_is_restarting_and_can_be_ended() {
    let home = TestHome::with_busybox();
    // Four failures in, the pause is 1.6 s: there is time to look.
    for (name, end) in [
        ("s", &["stop", "-t=5", "s"][..]),
        ("k", &["kill", "k"]),
        ("r", &["rm", "-f", "r"]),
    ] {
        start(&home, name, "always", &format!("{COUNT}; exit 7"));
        await_line(&home, name, "run 5");
        home.pod(["wait", "--condition=restarting", name]);
        let ps = home.pod(["ps", "--format", "{{.State}} {{.Status}}"]).ok();
        assert!(ps.starts_with("restarting Restarting (7) "), "{ps}");
        assert_eq!(
            home.inspect(
                name,
                "{{.State.Restarting}} {{.State.Status}} {{.State.Pid}}"
            ),
            "true restarting 0"
        );
        let exec = home.pod(["exec", name, "true"]).code(255);
        assert!(exec.stderr.contains("container state improper"), "{exec}");
        home.pod(["rm", name]).code(2);
        home.pod(end.iter().copied()).ok();
        if name != "r" {
            assert_eq!(
                home.inspect(name, "{{.State.Status}} {{.State.ExitCode}}"),
                "exited 7"
            );
            home.pod(["rm", name]).ok();
        }
    }
}

#[test]
fn a_command_ends_a_running_one_for_good() {
    let home = TestHome::with_busybox();
    const IDLE: &str = "trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done";
    for (name, end, code) in [
        ("a", &["stop", "a"][..], "0"),
        ("b", &["kill", "b"], "137"),
        ("c", &["kill", "-s=TERM", "c"], "0"),
    ] {
        start(&home, name, "unless-stopped", IDLE);
        await_line(&home, name, "ready");
        home.pod(end.iter().copied()).ok();
        assert_eq!(home.pod(["wait", name]).ok(), code);
        assert_eq!(
            home.inspect(
                name,
                "{{.State.Status}} {{.RestartCount}} {{.State.StoppedByUser}}"
            ),
            "exited 0 true"
        );
    }
    // Any other signal is the container's own affair.
    start(
        &home,
        "d",
        "always",
        "trap 'exit 5' HUP; echo ready; while :; do sleep 1000 & wait; done",
    );
    await_line(&home, "d", "ready");
    let old = home.pid_of("d");
    home.pod(["kill", "-s=HUP", "d"]).ok();
    process::wait_gone(old);
    home.pod(["wait", "--condition=running", "d"]).ok();
    assert_ne!(home.pid_of("d"), old);
    home.pod(["rm", "-f", "-t=0", "d"]).ok();
}

#[test]
fn a_killed_monitor_restarts_nothing_and_the_next_command_says_so() {
    let home = TestHome::with_busybox();
    start(&home, "c", "always", &format!("{COUNT}; exit 7"));
    await_line(&home, "c", "run 5");
    home.pod(["wait", "--condition=restarting", "c"]);
    let monitor: i32 = home
        .inspect("c", "{{.State.ConmonPid}}")
        .parse()
        .expect("a pid");
    process::kill_pid(monitor);
    process::wait_gone(monitor);
    assert_eq!(
        home.inspect(
            "c",
            "{{.State.Status}} {{.State.Restarting}} {{.State.Error}}"
        ),
        "exited false monitor died"
    );
    home.pod(["start", "c"]).ok();
    assert_eq!(home.inspect("c", "{{.RestartCount}}").len(), 1);
    home.pod(["rm", "-f", "-t=0", "c"]).ok();
}

#[test]
fn policies_are_found_and_wrong_ones_refused() {
    let home = TestHome::with_busybox();
    let create = |name: &str, policy: &str| {
        let restart = format!("--restart={policy}");
        home.pod([
            "create",
            "--name",
            name,
            &restart,
            "--network=none",
            "busybox",
            "true",
        ])
    };
    for (name, policy) in [
        ("a", "always"),
        ("n", "no"),
        ("o", "on-failure:3"),
        ("u", "unless-stopped"),
    ] {
        create(name, policy).ok();
    }
    let names = |filter: &str| {
        let listed = home
            .pod(["ps", "-a", "--filter", filter, "--format", "{{.Names}}"])
            .ok();
        listed.lines().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("restart-policy=always"), "a");
    assert_eq!(names("restart-policy=on-failure"), "o");
    assert_eq!(names("restart-policy=no"), "n");
    assert_eq!(names("should-start-on-boot=true"), "a u");
    assert_eq!(names("should-start-on-boot=false"), "n o");
    assert_eq!(
        home.pod(["start", "--all", "--filter", "restart-policy=always"])
            .ok()
            .len(),
        64
    );
    home.pod(["rm", "-f", "-t=0", "a"]).ok();
    for (policy, want) in [
        (
            "foo",
            "\"foo\" is not a valid restart policy: invalid argument",
        ),
        (
            "always:3",
            "restart policy retries can only be specified with on-failure restart policy",
        ),
        (
            "on-failure:-1",
            "must specify restart policy retry count as a number greater than 0",
        ),
        (
            "on-failure:1:2",
            "invalid restart policy: may specify retries at most once",
        ),
    ] {
        let refused = create("x", policy).code(125);
        assert!(refused.stderr.contains(want), "{refused}");
    }
    let refused = home
        .pod(["run", "--rm", "--restart=always", "busybox", "true"])
        .code(125);
    assert_eq!(
        refused.stderr,
        "Error: the --rm option conflicts with --restart, when the restartPolicy is not \"\" and \"no\"\n"
    );
}

#[test]
fn a_stopped_monitor_does_not_keep_its_container() {
    let home = TestHome::with_busybox();
    start(
        &home,
        "c",
        "always",
        "trap '' TERM; echo ready; while :; do sleep 1000 & wait; done",
    );
    await_line(&home, "c", "ready");
    let monitor: i32 = home
        .inspect("c", "{{.State.ConmonPid}}")
        .parse()
        .expect("a pid");
    let pid = nix::unistd::Pid::from_raw(monitor);
    let init = home.pid_of("c");
    nix::sys::signal::kill(pid, Signal::SIGSTOP).expect("stop the monitor");
    let stop = home.spawn(["stop", "-t=0", "c"]);
    process::wait_gone(init);
    nix::sys::signal::kill(pid, Signal::SIGCONT).expect("let it go on");
    stop.wait().ok();
    assert_eq!(
        home.inspect("c", "{{.State.Status}} {{.RestartCount}}"),
        "exited 0"
    );
}
