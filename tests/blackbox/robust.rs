//! Many containers, many commands at once, processes that resist, and hosts that change under the store.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Done, Running, TestHome, process};

fn is_full() -> bool {
    std::env::var_os("POD_TEST_FULL").is_some()
}

fn store(home: &TestHome) -> std::path::PathBuf {
    home.path("home/.local/share/pod/containers")
}

fn idle(home: &TestHome, name: &str) -> i32 {
    let flag = format!("--name={name}");
    home.pod([
        "run",
        "-d",
        &flag,
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    home.pid_of(name)
}

/// Changes a container's state behind pod's back.
fn edit(home: &TestHome, name: &str, file: &str, change: impl FnOnce(&mut Value)) {
    let id = fs::read_link(store(home).join("names").join(name)).unwrap();
    let path = store(home).join(id).join(file);
    let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    fs::write(&path, value.to_string()).unwrap();
}

#[test]
fn a_thousand_stopped_containers() {
    let home = TestHome::with_busybox();
    let id = home
        .pod([
            "create",
            "--name=model",
            "--network=none",
            "busybox",
            "true",
        ])
        .ok();
    let dir = store(&home);
    let model = fs::read_to_string(dir.join(&id).join("config.json")).unwrap();
    let owner = fs::read_link(dir.join(&id).join("owner")).unwrap();
    for n in 0..999 {
        let other = format!("{n:064x}");
        let own = dir.join(&other);
        fs::create_dir(&own).unwrap();
        symlink(&owner, own.join("owner")).unwrap();
        let text = model
            .replace(&id, &other)
            .replace("\"model\"", &format!("\"many-{n}\""));
        fs::write(own.join("config.json"), text).unwrap();
        symlink(&other, dir.join(format!("names/many-{n}"))).unwrap();
        for name in ["upper", "work"] {
            fs::create_dir(own.join(name)).unwrap();
            home.give(&own.join(name));
        }
        home.give(&own.join("config.json"));
        home.give(&own);
    }
    assert_eq!(home.pod(["ps", "-aq"]).ok().lines().count(), 1000);
    assert_eq!(
        home.inspect("many-500", "{{.Name}} {{.State.Status}}"),
        "many-500 created"
    );
    home.pod(["start", "-a", "many-500"]).ok();
    home.pod(["rm", "many-500"]).ok();
    let removed = home.pod(["rm", "--all"]).ok();
    assert_eq!(removed.lines().count(), 999);
    assert_eq!(fs::read_dir(dir.join("names")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn many_that_run_at_once() {
    let each = if is_full() { 50 } else { 10 };
    let home = TestHome::with_busybox();
    let script = format!(
        "for n in $(seq {each}); do $POD run -d --network=none busybox sleep 1000 || echo failed: $?; done"
    );
    let shells: Vec<_> = (0..4).map(|_| home.spawn_sh(&script)).collect();
    for shell in shells {
        let done = shell.wait().code(0);
        assert!(
            !done.stdout.contains("failed") && done.stderr.is_empty(),
            "{done}"
        );
    }
    let running = home.pod(["ps", "-q"]).ok();
    assert_eq!(running.lines().count(), 4 * each);
    let one = running.lines().next().unwrap().to_owned();
    assert_eq!(home.pod(["exec", &one, "echo", "alive"]).ok(), "alive");
    home.pod(["stop", "--all", "-t", "0"]).ok();
    assert_eq!(home.pod(["ps", "-q"]).ok(), "");
    assert_eq!(
        home.pod(["ps", "-aq", "--filter", "status=exited"])
            .ok()
            .lines()
            .count(),
        4 * each
    );
}

/// Runs the command many times at once.
fn at_once(home: &TestHome, times: usize, words: &[&str]) -> Vec<Done> {
    let running: Vec<Running> = (0..times)
        .map(|_| home.spawn(words.iter().copied()))
        .collect();
    running.into_iter().map(Running::wait).collect()
}

#[test]
fn the_same_command_fifty_times_at_once() {
    let home = TestHome::with_busybox();
    let times = if is_full() { 50 } else { 20 };
    let wins = |done: &[Done]| done.iter().filter(|done| done.code == 0).count();

    let made = at_once(
        &home,
        times,
        &[
            "create",
            "--name=same",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ],
    );
    assert_eq!(wins(&made), 1, "one creates");
    for lost in made.iter().filter(|done| done.code != 0) {
        assert_eq!(lost.code, 125, "{lost}");
        assert!(
            lost.stderr
                .contains("the container name \"same\" is already in use"),
            "{lost}"
        );
    }
    assert_eq!(home.pod(["ps", "-aq"]).ok().lines().count(), 1);

    let started = at_once(&home, times, &["start", "same"]);
    assert_eq!(
        wins(&started),
        times,
        "to start what runs is fine: {}",
        started[0]
    );
    let monitors = process::descendants()
        .values()
        .filter(|c| c.contains("pod start"))
        .count();
    assert_eq!(monitors, 1, "one monitor");

    let stopped = at_once(&home, times, &["stop", "-t", "0", "same"]);
    for done in &stopped {
        assert_eq!((done.code, done.stdout.as_str()), (0, "same\n"), "{done}");
    }
    assert_eq!(
        home.inspect("same", "{{.State.Status}} {{.State.ExitCode}}"),
        "exited 137"
    );

    let renamed = at_once(&home, times, &["rename", "same", "other"]);
    assert!(wins(&renamed) >= 1);
    for lost in renamed.iter().filter(|done| done.code != 0) {
        assert!(
            lost.stderr.contains("no such container") || lost.stderr.contains("already in use"),
            "{lost}"
        );
    }
    assert_eq!(
        home.pod(["ps", "-a", "--format", "{{.Names}}"]).ok(),
        "other"
    );

    let removed = at_once(&home, times, &["rm", "other"]);
    assert!(wins(&removed) >= 1);
    for lost in removed.iter().filter(|done| done.code != 0) {
        assert_eq!(lost.code, 1, "{lost}");
        assert!(lost.stderr.contains("no such container"), "{lost}");
    }

    let ran = at_once(
        &home,
        times,
        &[
            "run",
            "-d",
            "--name=same",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ],
    );
    assert_eq!(wins(&ran), 1, "one runs");
    let replaced = at_once(
        &home,
        6,
        &[
            "run",
            "-d",
            "--replace",
            "--name=same",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ],
    );
    assert!(wins(&replaced) >= 1, "{}", replaced[0]);
    for lost in replaced.iter().filter(|done| done.code != 0) {
        assert!(
            lost.stderr.contains("already in use") || lost.stderr.contains("no such container"),
            "{lost}"
        );
    }
    assert_eq!(home.pod(["ps", "--format", "{{.Names}}"]).ok(), "same");
    home.pod(["rm", "-f", "-t", "0", "same"]).ok();
}

#[test]
fn different_commands_on_one_container_at_once() {
    let home = TestHome::with_busybox();
    for round in 0..if is_full() { 10 } else { 3 } {
        home.pod([
            "create",
            "--name=it",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
        let words: [&[&str]; 6] = [
            &["start", "it"],
            &["stop", "-t", "0", "it"],
            &["restart", "-t", "0", "it"],
            &["kill", "it"],
            &["rm", "-f", "-t", "0", "it"],
            &["exec", "it", "true"],
        ];
        let running: Vec<Running> = (0..3)
            .flat_map(|_| words)
            .map(|words| home.spawn(words.iter().copied()))
            .collect();
        for command in running {
            let done = command.wait();
            let lower = done.stderr.to_lowercase();
            let known = [
                "no such container",
                "container state improper",
                "is not running",
                "another command works on it",
                "was removed",
                "ended it early",
            ];
            assert!(
                done.code == 0 || done.code == 137 || known.iter().any(|text| lower.contains(text)),
                "round {round}: {done}"
            );
        }
        home.pod(["rm", "-f", "-t", "0", "--ignore", "it"]).ok();
        assert_eq!(home.pod(["ps", "-aq"]).ok(), "", "round {round}");
    }
}

#[test]
fn a_flood_of_output_and_a_reader_that_stopped_reading() {
    let home = TestHome::with_busybox();
    // In the foreground, its pipe full; in the background, followed by somebody who sleeps.
    let script = "$POD run --name=front --network=none --log-driver=none busybox yes | { read _; echo up >&2; exec sleep 1000; }";
    let front = home.spawn_sh(script);
    front.wait_for_err("up");
    home.pod([
        "run",
        "-d",
        "--name=back",
        "--network=none",
        "--log-opt",
        "max-size=1mb",
        "busybox",
        "yes",
    ])
    .ok();
    let logs = home.spawn_sh("$POD logs -f back | { read _; echo up >&2; exec sleep 1000; }");
    logs.wait_for_err("up");
    let attached =
        home.spawn_sh("$POD attach --no-stdin back | { read _; echo up >&2; exec sleep 1000; }");
    attached.wait_for_err("up");
    for name in ["front", "back"] {
        let init = home.pid_of(name);
        assert_eq!(home.pod(["stop", "-t", "0", name]).ok(), name);
        process::wait_gone(init);
        assert_eq!(home.inspect(name, "{{.State.Status}}"), "exited");
        home.pod(["rm", name]).ok();
    }
    for mut shell in [front, logs, attached] {
        for pid in process::below(shell.pid()) {
            process::kill_pid(pid);
        }
        shell.stop();
    }
}

#[test]
fn a_first_process_that_ignores_or_is_stopped_or_traced() {
    let home = TestHome::with_busybox();
    let init = idle(&home, "deaf");
    let done = home.pod(["stop", "-t", "1", "deaf"]).code(0);
    assert!(done.stderr.contains("resorting to SIGKILL"), "{done}");
    process::wait_gone(init);

    let init = idle(&home, "frozen");
    kill(Pid::from_raw(init), Signal::SIGSTOP).unwrap();
    assert_eq!(home.inspect("frozen", "{{.State.Status}}"), "running");
    home.pod(["stop", "-t", "1", "frozen"]).ok();
    process::wait_gone(init);
    assert_eq!(home.inspect("frozen", "{{.State.ExitCode}}"), "137");

    let init = idle(&home, "traced");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-p", &init.to_string()]);
    let mut tracer = Running::start(strace, false);
    tracer.wait_for_err("attached");
    let told = home.pod(["why", "--format", "{{.State}}", "traced"]).ok();
    assert_eq!(told, "running");
    if is_full() {
        // One that does not let go: `stop` waits ten seconds, and says who it is.
        tracer.signal(Signal::SIGSTOP);
        let done = home.pod(["stop", "-t", "0", "traced"]).code(125);
        let says = format!("held by a debugger (process {})", tracer.pid());
        assert!(done.stderr.contains(&says), "{done}");
        assert_eq!(home.pod(["ps", "--format", "{{.Names}}"]).ok(), "traced");
        tracer.signal(Signal::SIGCONT);
    }
    home.pod(["stop", "-t", "0", "traced"]).ok();
    assert_eq!(home.pod(["ps", "--format", "{{.Names}}"]).ok(), "");
    tracer.stop();
}

/// The first thread ends, another lives: the leader is a zombie.
const HALF_DEAD: &str = "
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>
static void *live(void *x) { for (;;) pause(); return x; }
int main(void) {
    pthread_t thread;
    pthread_create(&thread, 0, live, 0);
    printf(\"up\\n\");
    fflush(stdout);
    syscall(SYS_exit, 0);
}
";

#[test]
fn a_first_process_whose_first_thread_ended() {
    let home = TestHome::with_busybox();
    let source = home.write("half.c", HALF_DEAD);
    let program = home.path("half");
    process::tool([
        "cc",
        "-static",
        "-pthread",
        "-o",
        &program.display().to_string(),
        &source.display().to_string(),
    ]);
    let bind = format!("{}:/half:ro", program.display());
    home.pod([
        "run",
        "-d",
        "--name=half",
        "--network=none",
        "-v",
        &bind,
        "busybox",
        "/half",
    ])
    .ok();
    let logs = home.spawn(["logs", "-f", "half"]);
    logs.wait_for("up");
    assert_eq!(home.inspect("half", "{{.State.Status}}"), "running");
    let told = home.pod(["why", "half"]).ok();
    assert!(told.contains("first thread has ended"), "{told}");
    let init = home.pid_of("half");
    home.pod(["stop", "-t", "0", "half"]).ok();
    process::wait_gone(init);
    assert_eq!(logs.wait().code, 0);
    assert_eq!(
        home.inspect("half", "{{.State.Status}} {{.State.ExitCode}}"),
        "exited 137"
    );
}

/// Another boot: another boot id, an empty runtime directory, and nothing runs.
#[track_caller]
fn reboot(home: TestHome, processes: &[i32]) -> TestHome {
    for &pid in processes {
        process::kill_pid(pid);
        process::wait_gone(pid);
    }
    process::tool(["rm", "-rf", &home.path("run").display().to_string()]);
    home.mkdir("run");
    let other = home.write("boot_id", "11111111-2222-3333-4444-555555555555\n");
    let script = format!(
        "mount --make-rprivate /; mount --bind {} /proc/sys/kernel/random/boot_id; exec \"$@\"",
        other.display()
    );
    home.behind(["unshare", "--mount", "sh", "-c", &script, "sh"])
}

#[test]
fn a_machine_that_was_started_again() {
    let home = TestHome::with_busybox();
    let init = idle(&home, "it");
    home.pod([
        "run",
        "-d",
        "--rm",
        "--name=fleeting",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    home.pod([
        "run",
        "--name=kept",
        "--network=none",
        "-v",
        "data:/data",
        "busybox",
        "sh",
        "-c",
        "echo x > /data/file; exit 4",
    ])
    .code(4);
    let others =
        ["it", "fleeting"].map(|name| home.inspect(name, "{{.State.ConmonPid}}").parse().unwrap());
    let fleeting = home.pid_of("fleeting");
    let home = reboot(home, &[others[0], others[1], init, fleeting]);
    let mut list: Vec<String> = home
        .pod(["ps", "-a", "--format", "{{.Names}} {{.State}}"])
        .ok()
        .lines()
        .map(str::to_owned)
        .collect();
    list.sort();
    assert_eq!(
        list,
        ["it exited", "kept exited"],
        "what was run with --rm is gone"
    );
    assert_eq!(home.inspect("kept", "{{.State.ExitCode}}"), "4");
    let told = home.pod(["why", "--format", "{{.Cause}}", "it"]).ok();
    assert_eq!(told, "reboot");
    // The kernel gives no new /proc where a part of it is covered.
    let home = home.behind(Vec::<String>::new());
    home.pod(["start", "it"]).ok();
    assert_eq!(home.pod(["exec", "it", "echo", "again"]).ok(), "again");
    home.pod(["rm", "-f", "-t", "0", "-a"]).ok();
    assert_eq!(
        home.pod([
            "run",
            "--rm",
            "--network=none",
            "-v",
            "data:/data",
            "busybox",
            "cat",
            "/data/file"
        ])
        .ok(),
        "x"
    );
    home.pod(["volume", "rm", "data"]).ok();
}

#[test]
fn numbers_of_processes_that_others_have_now() {
    let mut home = TestHome::with_busybox();
    let mut innocent = Running::start(home.user_command("sleep".as_ref(), ["1000"]), false);
    let pid = innocent.pid();
    for same_boot in [true, false] {
        let init = idle(&home, "it");
        let monitor: i32 = home.inspect("it", "{{.State.ConmonPid}}").parse().unwrap();
        process::kill_pid(monitor);
        process::kill_pid(init);
        process::wait_gone(monitor);
        process::wait_gone(init);
        edit(&home, "it", "state.json", |state| {
            for field in ["pid", "monitor_pid", "helper_pid"] {
                state[field] = pid.into();
            }
            state["helper_start"] = 1.into();
            if !same_boot {
                // The very process, by number and start, but of another boot.
                let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                let start: u64 = stat
                    .rsplit_once(')')
                    .unwrap()
                    .1
                    .split_whitespace()
                    .nth(19)
                    .unwrap()
                    .parse()
                    .unwrap();
                for field in ["pid_start", "monitor_start", "helper_start"] {
                    state[field] = start.into();
                }
                state["boot_id"] = "another".into();
            }
        });
        assert_eq!(home.pod(["ps", "-q"]).ok(), "");
        assert_eq!(
            home.inspect("it", "{{.State.Status}} {{.State.Pid}}"),
            "exited 0"
        );
        home.pod(["stop", "-t", "0", "it"]).ok();
        home.pod(["rm", "-f", "-t", "0", "it"]).ok();
        assert!(innocent.is_running(), "same boot: {same_boot}");
        home = home.behind(Vec::<String>::new());
    }
    innocent.stop();
}

#[test]
fn clocks_that_jump() {
    let home = TestHome::with_busybox();
    for year in ["1971", "2190"] {
        let init = idle(&home, "it");
        home.pod(["create", "--name=made", "--network=none", "busybox", "true"])
            .ok();
        let then = format!("{year}-02-03T04:05:06.000000007Z");
        for name in ["it", "made"] {
            edit(&home, name, "config.json", |record| {
                record["created"] = then.as_str().into()
            });
        }
        edit(&home, "it", "state.json", |state| {
            state["started_at"] = then.as_str().into()
        });
        for words in [
            &["ps", "-a"][..],
            &["ps", "-a", "--format", "json"],
            &["inspect", "it", "made"],
            &["why", "it"],
            &["logs", "--since=1h", "--until=1h", "it"],
            &["exec", "it", "true"],
            &["container", "prune", "-f", "--filter", "until=1h"],
            &["stop", "-t", "0", "it"],
            &["start", "it"],
            &["restart", "-t", "0", "it"],
        ] {
            let done = home.pod(words.iter().copied()).code(0);
            assert!(!done.stderr.contains("panicked"), "{done}");
        }
        process::wait_gone(init);
        home.pod(["rm", "-f", "-t", "0", "-a"]).ok();
    }
}
