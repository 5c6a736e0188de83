//! What the kernel's log says of a process that its out-of-memory killer ended (`/dev/kmsg`, where this user may read it).

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

/// Clock ticks a second in `/proc/PID/stat` (`USER_HZ`).
const TICKS: u64 = 100;

/// Tells whether the kernel killed process `pid`, which began `start` clock ticks after boot, for want of memory.
pub fn killed_for_memory(pid: i32, start: u64) -> bool {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/kmsg");
    let Ok(mut log) = opened else { return false };
    let mut entry = [0u8; 8192];
    // One entry a read; EPIPE says that some were overwritten meanwhile, EAGAIN that there are no more.
    loop {
        match log.read(&mut entry) {
            Ok(0) => return false,
            Ok(len) => {
                if is_kill(&String::from_utf8_lossy(&entry[..len]), pid, start) {
                    return true;
                }
            }
            Err(err) if err.raw_os_error() == Some(libc::EPIPE) => {}
            Err(_) => return false,
        }
    }
}

/// `6,1234,5678901,-;Memory cgroup out of memory: Killed process 42 (name) total-vm:…`: the third field is the time since
/// boot in microseconds.
fn is_kill(entry: &str, pid: i32, start: u64) -> bool {
    let Some((head, text)) = entry.split_once(';') else {
        return false;
    };
    let time: u64 = head
        .split(',')
        .nth(2)
        .and_then(|t| t.parse().ok())
        .unwrap_or(0);
    // A process that had the number before is no evidence.
    pid > 0
        && time / (1_000_000 / TICKS) >= start
        && text.lines().next().is_some_and(|line| {
            line.contains("ut of memory") && line.contains(&format!("Killed process {pid} ("))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_kernel() {
        let of_group =
            "3,907,90000000,-;Memory cgroup out of memory: Killed process 42 (tail) total-vm:1kB\n";
        let of_all = "3,907,90000000,-;Out of memory: Killed process 42 (tail) total-vm:1kB\n";
        let table = [
            (of_group, 42, 8000, true),
            (of_all, 42, 8000, true),
            (of_all, 4, 8000, false),
            (of_all, 42, 9001, false),
            ("3,907,90000000,-;eth0: Killed process 42 (", 42, 0, false),
            ("nonsense", 42, 0, false),
            (of_all, 0, 0, false),
        ];
        for (entry, pid, start, want) in table {
            assert_eq!(is_kill(entry, pid, start), want, "{entry} {pid} {start}");
        }
    }
}
