//! `kill -9` of anything at any time: what is listed stays true, and `rm -f` works.

use nix::sys::signal::Signal;

use crate::support::{TestHome, process};

fn idle(home: &TestHome, flags: &[&str]) -> String {
    let fixed = ["run", "-d", "--name=c"];
    home.pod(
        fixed
            .iter()
            .chain(flags)
            .copied()
            .chain(["busybox", "sleep", "1000"]),
    )
    .ok()
}

/// `ps -a` says the container exited; `rm` removes it without force.
#[track_caller]
fn assert_dead_and_removable(home: &TestHome) {
    let status = home
        .pod(["ps", "-a", "--format", "{{.State}} {{.Status}}"])
        .ok();
    assert!(status.starts_with("exited Exited ("), "{status}");
    assert_eq!(home.pod(["ps", "-q"]).ok(), "");
    home.pod(["rm", "-f", "-t", "0", "c"]).ok();
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn of_the_containers_first_process() {
    let home = TestHome::with_busybox();
    idle(&home, &["--network=none"]);
    process::kill_pid(home.pid_of("c"));
    assert_eq!(home.pod(["wait", "c"]).ok(), "137");
    assert_eq!(home.inspect("c", "{{.State.ExitCode}}"), "137");
    assert_dead_and_removable(&home);
}

#[test]
fn of_the_monitor() {
    let home = TestHome::with_busybox();
    idle(&home, &["--network=none"]);
    let monitor: i32 = home.inspect("c", "{{.State.ConmonPid}}").parse().unwrap();
    let init = home.pid_of("c");
    process::kill_pid(monitor);
    process::wait_gone(monitor);
    // Nobody watches the container any more: it either died with its monitor or is told as still running, and goes
    // with `rm -f`.
    let state = home.inspect("c", "{{.State.Status}}");
    let alive = std::path::Path::new(&format!("/proc/{init}/exe")).exists();
    assert_eq!(state == "running", alive, "ps says {state}");
    home.pod(["rm", "-f", "-t", "0", "c"]).ok();
    process::wait_gone(init);
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn of_monitor_and_first_process() {
    let home = TestHome::with_busybox();
    idle(&home, &["--network=none"]);
    let monitor: i32 = home.inspect("c", "{{.State.ConmonPid}}").parse().unwrap();
    let init = home.pid_of("c");
    process::kill_pid(monitor);
    process::kill_pid(init);
    process::wait_gone(monitor);
    process::wait_gone(init);
    assert_dead_and_removable(&home);
}

#[test]
fn of_pasta() {
    let home = TestHome::with_busybox();
    idle(&home, &[]);
    let (pid, _) = process::descendants()
        .into_iter()
        .find(|(_, c)| c.contains("pasta"))
        .expect("pasta runs");
    process::kill_pid(pid);
    process::wait_gone(pid);
    assert_eq!(home.inspect("c", "{{.State.Status}}"), "running");
    assert_eq!(home.pod(["exec", "c", "echo", "alive"]).ok(), "alive");
    home.pod(["stop", "-t", "0", "c"]).ok();
    assert_dead_and_removable(&home);
}

#[test]
fn of_the_client_in_the_foreground() {
    let home = TestHome::with_busybox();
    let run = home.spawn([
        "run",
        "--name=c",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "echo up; sleep 1000",
    ]);
    run.wait_for("up");
    run.signal(Signal::SIGKILL);
    run.wait();
    assert_eq!(home.pod(["ps", "--format", "{{.State}}"]).ok(), "running");
    home.pod(["stop", "-t", "0", "c"]).ok();
    assert_dead_and_removable(&home);
}

#[test]
fn of_a_pull_at_any_point_leaves_a_store_the_next_one_finishes() {
    let rounds = if std::env::var_os("POD_TEST_FULL").is_some() {
        60
    } else {
        12
    };
    let home = TestHome::with_registry();
    home.pod(["images"]).ok();
    for round in 0..rounds {
        let pull = home.spawn(["pull", "layers"]);
        // Later and later: the delay is counted in blobs the client has told about, not in time.
        if round % 3 != 0 {
            pull.wait_for_err("Trying to pull");
        }
        for _ in 0..round * 2000 {
            std::thread::yield_now();
        }
        pull.signal(Signal::SIGKILL);
        let done = pull.wait();
        let whole = home.pod(["image", "exists", "layers"]).code == 0;
        if whole {
            home.pod(["run", "--rm", "--network=none", "layers", "true"])
                .ok();
            home.pod(["rmi", "-f", "layers"]).ok();
        } else {
            // Killed between the image's record and its name: whole, and without a name.
            for id in home.pod(["images", "-aq"]).ok().lines() {
                home.pod(["run", "--rm", "--network=none", id, "true"]).ok();
                home.pod(["rmi", id]).ok();
            }
            drop(done);
        }
    }
    assert_eq!(
        home.pod([
            "run",
            "--rm",
            "-q",
            "--network=none",
            "layers",
            "cat",
            "a/two"
        ])
        .ok(),
        "2"
    );
}

#[test]
fn of_a_start_at_any_point_leaves_something_rm_can_remove() {
    let rounds = if std::env::var_os("POD_TEST_FULL").is_some() {
        200
    } else {
        30
    };
    let home = TestHome::with_busybox();
    for round in 0..rounds {
        let run = home.spawn([
            "run",
            "--name=c",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ]);
        for _ in 0..round * 300 {
            std::thread::yield_now();
        }
        run.signal(Signal::SIGKILL);
        run.wait();
        let state = home
            .pod(["ps", "-a", "--format", "{{.Names}} {{.State}}"])
            .ok();
        assert!(
            state.is_empty() || state.starts_with("c "),
            "round {round}: {state}"
        );
        home.pod(["rm", "-f", "-t", "0", "--ignore", "c"]).ok();
        assert_eq!(home.pod(["ps", "-aq"]).ok(), "", "round {round}");
    }
}

#[test]
fn a_hundred_containers_from_eight_shells_run_and_vanish() {
    let home = TestHome::with_busybox();
    let script = "for n in $(seq $COUNT); do $POD run --rm --network=none busybox echo ran || echo failed: $?; done";
    let shells: Vec<_> = (0..8)
        .map(|n| {
            let count = if n < 4 { 13 } else { 12 };
            home.spawn_sh(&script.replace("$COUNT", &count.to_string()))
        })
        .collect();
    let mut lines = Vec::new();
    for shell in shells {
        let done = shell.wait().code(0);
        assert_eq!(done.stderr, "", "{done}");
        lines.extend(done.stdout.lines().map(str::to_owned));
    }
    assert_eq!(lines, vec!["ran"; 100]);
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn a_hundred_detached_containers_started_at_once() {
    let home = TestHome::with_busybox();
    let script = "for n in $(seq 12); do $POD run -d --network=none busybox sleep 1000 || echo failed: $?; done";
    let shells: Vec<_> = (0..8).map(|_| home.spawn_sh(script)).collect();
    for shell in shells {
        shell.wait().ok();
    }
    assert_eq!(home.pod(["ps", "-q"]).ok().lines().count(), 96);
    home.pod(["rm", "-f", "-a", "-t", "0"]).ok();
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn a_removed_runtime_directory() {
    let home = TestHome::with_busybox();
    idle(&home, &["--network=none"]);
    // As logind does at logout.
    process::tool(["rm", "-rf", &home.path("run").display().to_string()]);
    home.mkdir("run");
    assert_eq!(
        home.pod(["ps", "--format", "{{.Names}} {{.State}}"]).ok(),
        "c running"
    );
    home.pod(["rm", "-f", "-t", "0", "c"]).ok();
}
