//! Runs in: monitor. Ends a process and everything below it.

use std::fs;

use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};

/// Who forks faster than it can be listed so often is stopped first and cannot go on for ever; this is for a bug.
const ROUNDS: u32 = 64;

/// Kills `root`, a child of ours that is not reaped and leads a process group, and all its descendants.
///
/// It is stopped first, so that it makes no more and its orphans stay below it where it is a subreaper. Without
/// `CONFIG_PROC_CHILDREN` only its group is found.
pub fn kill(root: i32) {
    let Some(pid) = Pid::from_raw(root) else {
        return;
    };
    let _ = kill_process(pid, Signal::STOP); // all failures here: it has ended
    for _ in 0..ROUNDS {
        let found = descendants(root);
        if found.is_empty() {
            break;
        }
        for (parent, child) in found {
            end(parent, child);
        }
    }
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = kill_process(pid, Signal::KILL);
}

/// Living processes below `root` with their parents.
fn descendants(root: i32) -> Vec<(i32, i32)> {
    let mut found: Vec<(i32, i32)> = Vec::new();
    let mut next = 0;
    let mut parent = root;
    loop {
        for child in children(parent) {
            if stat(child).is_some_and(|(state, of)| of == parent && !matches!(state, 'Z' | 'X')) {
                found.push((parent, child));
            }
        }
        let Some(&(_, child)) = found.get(next) else {
            return found;
        };
        parent = child;
        next += 1;
    }
}

/// Of all threads.
fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(
            text.split_ascii_whitespace()
                .filter_map(|pid| pid.parse::<i32>().ok()),
        );
    }
    children
}

/// State and parent (`/proc/PID/stat`, fields 3 and 4).
fn stat(pid: i32) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?; // the name may hold anything
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// Kills `child` if it is `parent`'s still: its number may have come to mean another process.
fn end(parent: i32, child: i32) {
    let handle = Pid::from_raw(child).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    if let Some(handle) = handle
        && stat(child).is_some_and(|(_, of)| of == parent)
    {
        let _ = pidfd_send_signal(handle, Signal::KILL);
    }
}
