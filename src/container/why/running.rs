//! How a container does that has not ended.

use std::fs;

use super::super::engine::Container;
use super::super::liveness::open_process;
use super::super::record::Status;
use super::{Cause, Why};

pub fn tell(container: &Container, why: &mut Why) {
    let state = &container.state;
    let since = why.started_at.clone();
    if state.is_elsewhere() {
        why.cause = Cause::Elsewhere;
        why.explanation = format!("it runs on another machine, {}, since {since}.", state.host);
        why.remedy = format!("log in to {} and ask there", state.host);
        return;
    }
    why.cause = match state.status {
        Status::Paused => Cause::Paused,
        _ => Cause::Running,
    };
    why.explanation = match state.status {
        Status::Initialized => "it is being started.".to_owned(),
        Status::Paused => format!("it is paused; its process {} began at {since}.", state.pid),
        Status::Stopping => format!(
            "it is being stopped; its process {} began at {since}.",
            state.pid
        ),
        _ => format!("it runs: process {} began at {since}.", state.pid),
    };
    if state.status == Status::Paused {
        "pod unpause lets it go on".clone_into(&mut why.remedy);
    }
    for (what, remedy) in complaints(container) {
        why.cause = Cause::Impaired;
        why.explanation += &format!(" {what}.");
        if why.remedy.is_empty() {
            remedy.clone_into(&mut why.remedy);
        }
    }
}

/// What is wrong with it, and what to do.
fn complaints(container: &Container) -> Vec<(String, &'static str)> {
    let state = &container.state;
    let mut found = Vec::new();
    if state.open_monitor().is_none() && state.status != Status::Initialized {
        let what = "Its monitor was killed: nothing is logged any more, nobody records its end or runs its restart policy and health checks";
        found.push((what.to_owned(), "restart it: pod restart CONTAINER"));
    }
    let helper_is_gone =
        state.helper_pid != 0 && open_process(state.helper_pid, state.helper_start).is_none();
    if helper_is_gone {
        let what = format!(
            "Its network helper (process {}) has ended, so it has no way out and no published port",
            state.helper_pid
        );
        found.push((what, "restart it: pod restart CONTAINER"));
    }
    found.extend(of_process(state.pid).map(|(what, remedy)| (capital(&what), remedy)));
    found
}

/// What `/proc/PID/status` says of a first process that cannot go on (proc_pid_status(5)), and what to do.
pub fn of_process(pid: i32) -> Option<(String, &'static str)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(':')?.split_whitespace().next()
    };
    let tracer = field("TracerPid").filter(|&pid| pid != "0");
    Some(match (field("State")?, tracer) {
        ("T", _) => (
            "its first process is stopped by a signal (SIGSTOP)".to_owned(),
            "pod kill -s CONT CONTAINER lets it go on",
        ),
        ("t", Some(tracer)) => (
            format!("its first process is held by a debugger (process {tracer})"),
            "let the debugger go on, or end it",
        ),
        ("Z", _) => (
            "its first thread has ended, and others live on".to_owned(),
            "pod stop ends them",
        ),
        ("D", _) => (
            "its first process waits in the kernel, for a disk or a file server".to_owned(),
            "look at /proc/PID/stack as root",
        ),
        _ => return None,
    })
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(rest).collect()
}
