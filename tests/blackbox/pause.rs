//! Cgroups of containers and what stands on them: `pause`, `unpause`, the end of everything in them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::support::{Lane, TestHome, lane};

/// Counts without end, a line each time around.
const COUNT: &str = "i=0; while :; do i=$((i+1)); echo $i >/count; done";

/// A detached busybox without network; the lane's cgroup is its own.
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

fn group_of(home: &TestHome, name: &str) -> PathBuf {
    let path = home.inspect(name, "{{.State.CgroupPath}}");
    assert!(path.starts_with('/'), "{path}");
    PathBuf::from(format!("/sys/fs/cgroup{path}"))
}

fn status(home: &TestHome, name: &str) -> String {
    home.inspect(
        name,
        "{{.State.Status}} {{.State.Running}} {{.State.Paused}}",
    )
}

/// Pids of the group, as the host counts.
fn procs(group: &Path) -> Vec<i32> {
    let text = fs::read_to_string(group.join("container/cgroup.procs")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn without_a_cgroup_nothing_is_paused() {
    if lane() == Lane::Cgroup2 {
        return; // the other tests of this file
    }
    let home = TestHome::with_busybox();
    let id = start(&home, "c", "sleep 1000");
    assert_eq!(home.inspect("c", "{{.State.CgroupPath}}"), "");
    let done = home.pod(["pause", "c"]).code(125);
    let want =
        format!("Error: pause container {id}: it has no cgroup of its own that could be frozen");
    assert!(done.stderr.starts_with(&want), "{done}");
    assert!(
        done.stderr
            .contains("systemd-run --user --scope -p Delegate=yes pod"),
        "{done}"
    );
    assert_eq!(status(&home, "c"), "running true false");
    assert_eq!(
        home.pod(["unpause", "c"]).code(125).stderr,
        format!("Error: {id:?} is not paused, can't unpause: container state improper\n")
    );
    home.pod(["rm", "-ft0", "c"]).ok();
}

#[test]
fn states_that_cannot_be_paused() {
    let home = TestHome::with_busybox();
    home.pod(["create", "--name=c", "--network=none", "busybox", "true"])
        .ok();
    assert_eq!(
        home.pod(["pause", "c"]).code(125).stderr,
        "Error: \"created\" is not running, can't pause: container state improper\n"
    );
    assert_eq!(
        home.pod(["pause", "nosuch"]).code(125).stderr,
        "Error: no container with name or ID \"nosuch\" found: no such container\n"
    );
    assert_eq!(
        home.pod(["unpause"]).code(125).stderr,
        "Error: you must provide at least one name or id\n"
    );
    assert_eq!(home.pod(["pause", "--all"]).ok(), "");
}

#[test]
fn paused_means_that_nothing_runs() {
    if lane() != Lane::Cgroup2 {
        return; // no cgroup to freeze, see above
    }
    let home = TestHome::with_busybox();
    let id = start(&home, "c", COUNT);
    start(&home, "other", "sleep 1000");
    let group = group_of(&home, "c");
    assert!(group.ends_with(format!("pod-{id}")), "{}", group.display());
    assert_eq!(home.pod(["pause", "c"]).ok(), "c");
    let events = fs::read_to_string(group.join("cgroup.events")).unwrap();
    assert!(events.contains("frozen 1"), "{events}");
    assert_eq!(status(&home, "c"), "paused false true");
    assert_eq!(
        home.pod([
            "ps",
            "-a",
            "--filter=status=paused",
            "--format={{.Names}} {{.Status}} {{.State}}"
        ])
        .ok(),
        "c Paused paused"
    );
    assert_eq!(
        home.pod(["ps", "--filter=status=running", "--format={{.Names}}"])
            .ok(),
        "other"
    );
    for (args, code, text) in [
        (
            vec!["pause", "c"],
            125,
            format!("{id:?} is already paused: container state improper"),
        ),
        (
            vec!["exec", "c", "true"],
            255,
            "can only create exec sessions on running containers: container state improper"
                .to_owned(),
        ),
        (
            vec!["stop", "-t0", "c"],
            125,
            format!(
                "container {id} is running or paused, refusing to clean up: container state improper"
            ),
        ),
        (
            vec!["restart", "-t0", "c"],
            125,
            "unable to restart a container in a paused or unknown state: container state improper"
                .to_owned(),
        ),
        (
            vec!["rm", "c"],
            2,
            format!(
                "cannot remove container {id} as it is paused - running or paused containers cannot be removed without force: container state improper"
            ),
        ),
    ] {
        let done = home.pod(args).code(code);
        assert!(done.stderr.starts_with(&format!("Error: {text}")), "{done}");
    }
    assert_eq!(home.pod(["container", "prune", "-f"]).ok(), "");
    assert_eq!(home.pod(["unpause", "--all"]).ok(), id);
    assert_eq!(status(&home, "c"), "running true false");
    home.pod(["exec", "c", "true"]).ok();
    // A signal sent meanwhile arrives when it goes on.
    home.pod(["pause", "--filter=name=c"]).ok();
    home.pod(["kill", "-s", "KILL", "c"]).ok();
    assert_eq!(
        home.inspect("c", "{{.State.Status}} {{.State.ExitCode}}"),
        "exited 137"
    );
    assert!(!group.exists());
    home.pod(["rm", "-ft0", "other"]).ok();
}

#[test]
fn a_group_holds_every_process_and_is_the_root_inside() {
    if lane() != Lane::Cgroup2 {
        return;
    }
    let home = TestHome::with_busybox();
    start(&home, "c", "trap 'exit 3' TERM; sleep 1000 & wait");
    let group = group_of(&home, "c");
    home.pod(["exec", "-d", "c", "sleep", "1001"]).ok();
    let shown = home.pod(["exec", "c", "cat", "/proc/self/cgroup"]).ok();
    assert_eq!(shown.lines().last(), Some("0::/"), "{shown}");
    let inside = home
        .pod(["exec", "c", "cat", "/sys/fs/cgroup/cgroup.procs"])
        .ok();
    assert!(inside.lines().count() >= 3, "{inside}");
    let commands: Vec<String> = procs(&group)
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).ok())
        .map(|text| text.replace('\0', " "))
        .collect();
    assert!(
        commands.iter().any(|c| c.contains("sleep 1001")),
        "{commands:?}"
    );
    // With the host's namespace the path is the host's.
    let shown = home
        .pod([
            "run",
            "--rm",
            "--network=none",
            "--cgroupns=host",
            "busybox",
            "cat",
            "/proc/self/cgroup",
        ])
        .ok();
    assert!(
        shown.contains("/pod-") && shown.ends_with("/container"),
        "{shown}"
    );
    home.pod(["stop", "c"]).ok();
    assert_eq!(home.inspect("c", "{{.State.ExitCode}}"), "3");
    assert!(!group.exists(), "{}", group.display());
    // Again, with a group of its own name.
    home.pod(["start", "c"]).ok();
    assert_eq!(group_of(&home, "c"), group);
    home.pod(["rm", "-f", "-t0", "c"]).ok();
    assert!(!group.exists());
}

#[test]
fn a_paused_container_is_removed_by_force() {
    if lane() != Lane::Cgroup2 {
        return;
    }
    let home = TestHome::with_busybox();
    start(&home, "c", "trap '' TERM; sleep 1000 & wait");
    let group = group_of(&home, "c");
    home.pod(["pause", "-l"]).ok();
    home.pod(["rm", "-f", "-t5", "c"]).ok();
    assert!(!group.exists());
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn a_killed_monitor_leaves_no_group() {
    if lane() != Lane::Cgroup2 {
        return;
    }
    let home = TestHome::with_busybox();
    start(&home, "c", "sleep 1000");
    let group = group_of(&home, "c");
    home.pod(["pause", "c"]).ok();
    let monitor: i32 = home.inspect("c", "{{.State.ConmonPid}}").parse().unwrap();
    let handle = pidfd_open(
        rustix::process::Pid::from_raw(monitor).unwrap(),
        PidfdFlags::empty(),
    );
    kill(Pid::from_raw(monitor), Signal::SIGKILL).unwrap();
    poll(&mut [PollFd::new(&handle.unwrap(), PollFlags::IN)], None).unwrap();
    // The container lives on without it, paused.
    assert_eq!(status(&home, "c"), "paused false true");
    home.pod(["unpause", "c"]).ok();
    home.pod(["kill", "c"]).ok();
    assert_eq!(home.inspect("c", "{{.State.Status}}"), "exited");
    assert!(!group.exists());
    home.pod(["start", "c"]).ok();
    home.pod(["rm", "-ft0", "c"]).ok();
    assert!(!group.exists());
}

#[test]
fn processes_beyond_the_first_end_with_it() {
    if lane() != Lane::Cgroup2 {
        return;
    }
    let home = TestHome::with_busybox();
    // In the host's pid namespace nothing but the group ties them to the container.
    let id = home
        .pod([
            "run",
            "-d",
            "--network=none",
            "--pid=host",
            "busybox",
            "sh",
            "-c",
            "sleep 1234 & exec sleep 1000",
        ])
        .ok();
    let group = group_of(&home, &id);
    let pids = procs(&group);
    home.pod(["kill", &id]).ok();
    assert!(!group.exists());
    for pid in pids {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }
    home.pod(["rm", &id]).ok();
}

#[test]
fn commit_freezes_and_thaws() {
    if lane() != Lane::Cgroup2 {
        return;
    }
    let home = TestHome::with_busybox();
    start(&home, "c", COUNT);
    home.pod(["commit", "-q", "c", "localhost/a"]).ok();
    home.pod(["commit", "-q", "--pause", "c", "localhost/b"])
        .ok();
    home.pod(["commit", "-q", "--pause=false", "c", "localhost/b"])
        .ok();
    assert_eq!(status(&home, "c"), "running true false");
    // Paused before: it stays so.
    home.pod(["pause", "c"]).ok();
    home.pod(["commit", "-q", "c", "localhost/a"]).ok();
    assert_eq!(status(&home, "c"), "paused false true");
    home.pod(["rm", "-ft0", "c"]).ok();
    home.pod(["rmi", "-a", "-f"]).ok();
}
