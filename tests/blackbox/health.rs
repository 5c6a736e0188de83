//! Health checks: made by the container's monitor, seen by `ps`, `inspect`, `wait` and `healthcheck run`.

use crate::support::{TestHome, process};

const IDLE: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done";

/// A detached busybox with a check, that runs `sh -c SCRIPT`.
#[track_caller]
fn start(home: &TestHome, name: &str, flags: &[&str], script: &str) {
    let mut words = vec![
        "run",
        "-d",
        "--name",
        name,
        "--network=none",
        "--stop-timeout=2",
    ];
    words.extend(flags);
    words.extend(["busybox", "sh", "-c", script]);
    home.pod(words).ok();
}

fn status(home: &TestHome, name: &str) -> String {
    home.inspect(name, "{{.State.Health.Status}}")
}

#[test]
fn a_container_is_starting_healthy_and_unhealthy() {
    let home = TestHome::with_busybox();
    let check = "--health-cmd=echo looked; test -e /ok";
    start(
        &home,
        "c",
        &[
            check,
            "--health-interval=100ms",
            "--health-retries=2",
            "--health-start-period=1h",
        ],
        IDLE,
    );
    assert_eq!(status(&home, "c"), "starting");
    let ps = |filter: &str| {
        home.pod(["ps", "--filter", filter, "--format", "{{.Status}}"])
            .ok()
    };
    assert!(ps("health=starting").ends_with(" (starting)"));
    home.pod(["exec", "c", "touch", "/ok"]).ok();
    assert_eq!(home.pod(["wait", "--condition=healthy", "c"]).ok(), "-1");
    assert!(ps("health=healthy").ends_with(" (healthy)"));
    assert_eq!(ps("health=unhealthy"), "");
    let entry = "{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}";
    assert_eq!(home.inspect("c", entry), "1 looked");
    home.pod(["rm", "-f", "-t=0", "c"]).ok();

    start(
        &home,
        "u",
        &[
            "--health-cmd=exit 7",
            "--health-interval=50ms",
            "--health-retries=2",
        ],
        IDLE,
    );
    assert_eq!(home.pod(["wait", "--condition=unhealthy", "u"]).ok(), "-1");
    let streak: u32 = home
        .inspect("u", "{{.State.Health.FailingStreak}}")
        .parse()
        .unwrap();
    assert!(streak >= 2, "{streak}");
    // What was found outlives the container's run.
    home.pod(["stop", "u"]).ok();
    assert_eq!(status(&home, "u"), "unhealthy");
    let ps = home.pod(["ps", "-a", "--format", "{{.Status}}"]).ok();
    assert!(ps.starts_with("Exited (0)"), "{ps}");
    assert_eq!(home.pod(["rm", "u"]).ok(), "u");
}

#[test]
fn healthcheck_run_answers_as_podman_does() {
    let home = TestHome::with_busybox();
    let run = |name: &str| home.pod(["healthcheck", "run", name]);
    let never = "--health-interval=disable";
    start(
        &home,
        "good",
        &[r#"--health-cmd=["test","-d","/"]"#, never],
        IDLE,
    );
    let done = run("good").code(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    assert_eq!(status(&home, "good"), "healthy");
    start(&home, "bad", &["--health-cmd=exit 7", never], IDLE);
    assert_eq!(run("bad").code(1).stdout, "unhealthy\n");
    start(
        &home,
        "slow",
        &["--health-cmd=sleep 1000", never, "--health-timeout=100ms"],
        IDLE,
    );
    let slow = run("slow").code(125);
    assert_eq!(
        slow.stderr,
        "Error: healthcheck command exceeded timeout of 0.1s\n"
    );
    assert_eq!(
        home.inspect("slow", "{{(index .State.Health.Log 0).ExitCode}}"),
        "-1"
    );
    start(
        &home,
        "missing",
        &[r#"--health-cmd=["/nosuch"]"#, never],
        IDLE,
    );
    run("missing").code(1);
    let output = home.inspect("missing", "{{(index .State.Health.Log 0).Output}}");
    assert!(output.contains("/nosuch"), "{output}");
    start(&home, "none", &["--no-healthcheck"], IDLE);
    let none = run("none").code(125);
    assert!(
        none.stderr.ends_with(" has no defined healthcheck\n"),
        "{none}"
    );
    let none = home.pod(["wait", "--condition=healthy", "none"]).code(125);
    assert!(none.stderr.contains("has no healthcheck"), "{none}");
    home.pod(["stop", "good"]).ok();
    assert!(run("good").code(125).stderr.ends_with(" is not running\n"));
    let nosuch = run("nosuch").code(125);
    assert!(
        nosuch
            .stderr
            .starts_with("Error: unable to look up nosuch to perform a health check: ")
    );
    home.pod(["healthcheck", "run"]).code(125);
    home.pod(["rm", "-f", "-t=0", "good", "bad", "slow", "missing", "none"])
        .ok();
}

#[test]
fn a_check_runs_confined_as_exec_does() {
    let home = TestHome::with_busybox();
    let check = "--health-cmd=id -u; grep -E '^(Seccomp|NoNewPrivs|CapEff):' /proc/self/status; pwd; echo $X";
    start(
        &home,
        "c",
        &[
            check,
            "--health-interval=disable",
            "--user=1000",
            "--env=X=y",
            "--workdir=/tmp",
            "--cap-drop=all",
        ],
        IDLE,
    );
    home.pod(["healthcheck", "run", "c"]).code(0);
    let seen = home.inspect("c", "{{(index .State.Health.Log 0).Output}}");
    let line = check.strip_prefix("--health-cmd=").unwrap();
    assert_eq!(seen, home.pod(["exec", "c", "sh", "-c", line]).ok());
    assert!(
        seen.contains("Seccomp:\t2") && seen.contains("/tmp\ny"),
        "{seen}"
    );
    home.pod(["rm", "-f", "-t=0", "c"]).ok();
}

#[test]
fn an_unhealthy_container_is_stopped_killed_or_restarted() {
    let home = TestHome::with_busybox();
    let flags = |action| {
        [
            "--health-cmd=echo sick; exit 1",
            "--health-interval=50ms",
            "--health-retries=1",
            action,
        ]
    };
    start(&home, "s", &flags("--health-on-failure=stop"), IDLE);
    assert_eq!(home.pod(["wait", "s"]).ok(), "0");
    start(&home, "k", &flags("--health-on-failure=kill"), IDLE);
    assert_eq!(home.pod(["wait", "k"]).ok(), "137");
    assert_eq!(
        home.inspect("k", "{{.Config.HealthcheckOnFailureAction}}"),
        "kill"
    );
    // One that does not listen is killed when its time to stop is over.
    start(
        &home,
        "d",
        &[
            &flags("--health-on-failure=stop")[..],
            &["--stop-timeout=1"],
        ]
        .concat(),
        "trap '' TERM; while :; do sleep 1; done",
    );
    assert_eq!(home.pod(["wait", "d"]).ok(), "137");
    let script = format!("echo x >> /n; echo run $(wc -l < /n); {IDLE}");
    start(&home, "r", &flags("--health-on-failure=restart"), &script);
    let mut logs = home.spawn(["logs", "-f", "r"]);
    logs.wait_for("run 3");
    logs.stop();
    home.pod(["stop", "r"]).ok();
    assert_eq!(home.inspect("r", "{{.State.Status}}"), "exited");
    let count: u32 = home.inspect("r", "{{.RestartCount}}").parse().unwrap();
    assert!(count >= 2, "{count}");
    home.pod(["rm", "s", "k", "d", "r"]).ok();
}

#[test]
fn checks_before_the_regular_ones() {
    let home = TestHome::with_busybox();
    start(
        &home,
        "c",
        &[
            "--health-cmd=echo regular",
            "--health-interval=50ms",
            "--health-startup-cmd=echo startup; test -e /up",
            "--health-startup-interval=50ms",
            "--health-startup-success=2",
        ],
        IDLE,
    );
    assert_eq!(
        home.pod(["healthcheck", "run", "c"]).code(1).stdout,
        "starting\n"
    );
    assert_eq!(status(&home, "c"), "starting");
    home.pod(["exec", "c", "touch", "/up"]).ok();
    home.pod(["wait", "--condition=healthy", "c"]).ok();
    home.pod(["healthcheck", "run", "c"]).code(0);
    home.pod(["healthcheck", "run", "c"]).code(0);
    let log = home.inspect("c", "{{range .State.Health.Log}}{{.Output}}{{end}}");
    assert!(log.ends_with("regular"), "{log}");
    home.pod(["rm", "-f", "-t=0", "c"]).ok();
    // Too many failures start the container again.
    start(
        &home,
        "r",
        &[
            "--health-cmd=true",
            "--health-startup-cmd=false",
            "--health-startup-interval=50ms",
            "--health-startup-retries=2",
        ],
        &format!("echo x >> /n; echo run $(wc -l < /n); {IDLE}"),
    );
    let mut logs = home.spawn(["logs", "-f", "r"]);
    logs.wait_for("run 2");
    logs.stop();
    home.pod(["rm", "-f", "-t=0", "r"]).ok();
}

#[test]
fn a_check_that_misbehaves_costs_nothing_but_its_time() {
    let home = TestHome::with_busybox();
    // Never ends, floods its output, and has a daemon of its own session that holds the pipe.
    let check = "--health-cmd=setsid sh -c 'while :; do echo child; done' & (sleep 12345 &) ; yes";
    start(
        &home,
        "c",
        &[
            check,
            "--health-interval=disable",
            "--health-timeout=300ms",
            "--health-max-log-size=20",
        ],
        "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done",
    );
    let done = home.pod(["healthcheck", "run", "c"]).code(125);
    assert!(done.stderr.contains("exceeded timeout"), "{done}");
    let left = home.pod(["exec", "c", "ps", "-o", "args"]).ok();
    // In brackets: ended, and its parent has not looked.
    let living = left.lines().filter(|line| !line.starts_with('['));
    let left = living.collect::<Vec<_>>().join("\n");
    assert!(
        !left.contains("yes") && !left.contains("12345") && !left.contains("child"),
        "{left}"
    );
    let output = home.inspect("c", "{{(index .State.Health.Log 0).Output}}");
    assert!(output.len() <= 20, "{output}");
    home.pod(["stop", "-t=0", "c"]).ok();
    home.pod(["rm", "c"]).ok();
    // A daemon that outlives a good check is the container's affair, and keeps nobody waiting.
    start(
        &home,
        "d",
        &["--health-cmd=sleep 1000 &", "--health-interval=disable"],
        IDLE,
    );
    home.pod(["healthcheck", "run", "d"]).code(0);
    home.pod(["rm", "-f", "-t=0", "d"]).ok();
}

#[test]
fn results_are_kept_where_and_as_long_as_the_user_says() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("checks");
    let to = format!("--health-log-destination={}", dir.display());
    start(
        &home,
        "c",
        &[
            "--health-cmd=echo $RANDOM",
            "--health-interval=20ms",
            "--health-max-log-count=3",
            &to,
        ],
        IDLE,
    );
    let id = home.inspect("c", "{{.Id}}");
    home.pod(["wait", "--condition=healthy", "c"]).ok();
    for _ in 0..5 {
        home.pod(["healthcheck", "run", "c"]).code(0);
    }
    assert_eq!(home.inspect("c", "{{len .State.Health.Log}}"), "3");
    assert_eq!(
        home.inspect(
            "c",
            "{{.Config.HealthLogDestination}} {{.Config.HealthMaxLogCount}}"
        ),
        format!("{} 3", dir.display())
    );
    let file = dir.join(format!("{id}-healthcheck.log"));
    let text = std::fs::read_to_string(&file).expect("a log");
    assert!(
        text.starts_with(r#"{"Status":"healthy","FailingStreak":0,"Log":[{"Start":"#),
        "{text}"
    );
    let events = home.pod([
        "events",
        "--stream=false",
        "--filter=event=health_status",
        "--format=json",
    ]);
    if events.code == 0 {
        assert!(
            events.stdout.contains(r#""health_status":"healthy""#),
            "{events}"
        );
    }
    home.pod(["rm", "-f", "-t=0", "c"]).ok();
    std::fs::remove_file(file).expect("the user's own");
}

#[test]
fn wrong_flags_are_refused_in_podmans_words() {
    let home = TestHome::with_busybox();
    for (flags, want) in [
        (
            &["--health-cmd=x", "--health-interval=foo"][..],
            "invalid healthcheck-interval: time: invalid duration \"foo\"",
        ),
        (
            &["--health-cmd=x", "--health-retries=0"],
            "healthcheck-retries must be greater than 0",
        ),
        (
            &["--health-cmd=x", "--health-timeout=0"],
            "healthcheck-timeout must be at least 1 second",
        ),
        (
            &["--health-cmd=x", "--no-healthcheck"],
            "cannot specify both --no-healthcheck and --health-cmd",
        ),
        (
            &["--health-on-failure=kill"],
            "cannot set on-failure action to kill without a health check",
        ),
        (
            &["--health-cmd=x", "--health-on-failure=foo"],
            "invalid on-failure action \"foo\" for health check: supported actions are none,kill,restart,stop",
        ),
        (
            &["--health-startup-cmd=x"],
            "cannot set a startup healthcheck when there is no regular healthcheck",
        ),
    ] {
        let mut words = vec!["create", "--network=none"];
        words.extend(flags);
        words.extend(["busybox", "true"]);
        let refused = home.pod(words).code(125);
        assert_eq!(refused.stderr, format!("Error: {want}\n"));
    }
}

#[test]
fn a_killed_monitor_leaves_no_health_to_wait_for() {
    let home = TestHome::with_busybox();
    start(
        &home,
        "c",
        &["--health-cmd=sleep 1000", "--health-interval=1s"],
        IDLE,
    );
    let monitor: i32 = home
        .inspect("c", "{{.State.ConmonPid}}")
        .parse()
        .expect("a pid");
    process::kill_pid(monitor);
    process::wait_gone(monitor);
    let run = home.pod(["healthcheck", "run", "c"]).code(125);
    assert!(run.stderr.contains("its monitor is gone"), "{run}");
    home.pod(["rm", "-f", "-t=0", "c"]).ok();
}
