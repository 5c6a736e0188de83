//! What a running container uses: from the files of its cgroup; where a controller is not there, and for a container
//! without a cgroup, from `/proc` of its processes.
//!
//! | figure | with the controller | else |
//! | --- | --- | --- |
//! | processor | `cpu.stat` (needs none) | times of the processes and of their children that were waited for |
//! | memory | `memory.current` | proportional share of the processes (`Pss` of `smaps_rollup`): no page cache |
//! | limit | the lowest `memory.max`, the host's memory | the host's memory |
//! | tasks | `pids.current` | threads of the processes |
//! | block devices | `io.stat` | unknown |
//! | network | `/proc/PID/net/dev` of the container, less `lo` | unknown with the host's network |

use std::fs;
use std::time::{Duration, SystemTime};

use crate::cgroup::Group;
use crate::error::Result;
use crate::net::NetworkMode;

use super::clock;
use super::engine::Container;
use super::record::Status;
use super::request::NamespaceMode;

/// One look; all zero for a container that does not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Nanoseconds of processor time, and those of them spent in the kernel.
    pub cpu: u64,
    pub cpu_system: u64,
    /// Bytes.
    pub memory: u64,
    pub memory_limit: u64,
    pub tasks: u64,
    /// Bytes received and sent; `None`: unknown.
    pub network: Option<(u64, u64)>,
    /// Bytes read and written; `None`: unknown.
    pub block: Option<(u64, u64)>,
    /// Since the start.
    pub up: Duration,
}

impl Container {
    /// Looks now.
    pub fn usage(&self) -> Result<Usage> {
        let mut me = self.clone();
        let here = me.refresh()? && !me.state.is_elsewhere();
        let runs = matches!(me.state.status, Status::Running | Status::Paused);
        let init = me.state.open_init(); // held while we look: the pid stays this process's
        let (true, true, Some(_alive)) = (here, runs, init) else {
            return Ok(Usage::default());
        };
        let start = me.state.started_at.as_deref().and_then(clock::parse);
        let mut usage = Usage {
            up: start
                .and_then(|start| SystemTime::now().duration_since(start).ok())
                .unwrap_or_default(),
            memory_limit: host_memory(),
            network: me.traffic(),
            ..Usage::default()
        };
        match me.cgroup() {
            Some(group) => of_group(&group, &mut usage),
            None => of_processes(&me.members(), &mut usage),
        }
        Ok(usage)
    }

    fn traffic(&self) -> Option<(u64, u64)> {
        if matches!(self.record.network, NetworkMode::Host) {
            return None;
        }
        let text = fs::read_to_string(format!("/proc/{}/net/dev", self.state.pid)).ok()?;
        Some(sum_traffic(&text))
    }

    /// The processes of a container without a cgroup: all of its pid namespace, or what descends from its first process
    /// where that namespace is not its own.
    fn members(&self) -> Vec<i32> {
        let init = self.state.pid;
        let all: Vec<i32> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        if self.record.pid_mode == NamespaceMode::Private {
            let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
            let ours = space(init);
            return all
                .into_iter()
                .filter(|&pid| ours.is_some() && space(pid) == ours)
                .collect();
        }
        let parents: Vec<(i32, i32)> = all
            .into_iter()
            .filter_map(|pid| Some((pid, Times::of(pid)?.parent)))
            .collect();
        let mut found = vec![init];
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            next += 1;
            let children = parents.iter().filter(|(_, of)| *of == parent);
            found.extend(children.map(|(pid, _)| *pid));
        }
        found
    }
}

fn of_group(group: &Group, usage: &mut Usage) {
    let cpu = group.read("cpu.stat").unwrap_or_default();
    let micros = |key: &str| number_of(&cpu, key).saturating_mul(1000);
    usage.cpu = micros("usage_usec");
    usage.cpu_system = micros("system_usec");
    usage.block = group.read("io.stat").map(|text| sum_io(&text));
    let number = |file: &str| group.read(file)?.trim().parse::<u64>().ok();
    let (memory, tasks) = (number("memory.current"), number("pids.current"));
    let limits = group.path().ancestors().map_while(|dir| {
        fs::read_to_string(dir.join("memory.max")).ok() // the root has none
    });
    for limit in limits.filter_map(|text| text.trim().parse().ok()) {
        usage.memory_limit = usage.memory_limit.min(limit);
    }
    if let (Some(memory), Some(tasks)) = (memory, tasks) {
        (usage.memory, usage.tasks) = (memory, tasks);
        return;
    }
    let mut seen = Usage::default();
    of_processes(&group.processes(), &mut seen);
    usage.memory = memory.unwrap_or(seen.memory);
    usage.tasks = tasks.unwrap_or(seen.tasks);
}

fn of_processes(pids: &[i32], usage: &mut Usage) {
    let tick = 1_000_000_000 / clock_ticks();
    for &pid in pids {
        let Some(times) = Times::of(pid) else {
            continue; // it ended meanwhile
        };
        usage.cpu += (times.user + times.system) * tick;
        usage.cpu_system += times.system * tick;
        usage.tasks += times.threads;
        usage.memory += memory_of(pid);
    }
}

/// Of `/proc/PID/stat` (proc_pid_stat(5)), in clock ticks.
#[derive(Debug, PartialEq, Eq)]
struct Times {
    parent: i32,
    user: u64,
    system: u64,
    threads: u64,
}

impl Times {
    fn of(pid: i32) -> Option<Self> {
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(stat: &str) -> Option<Self> {
        // The program's name, in parentheses, may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            user: number(11)? + number(13)?,
            system: number(12)? + number(14)?,
            threads: number(17)?,
        })
    }
}

fn memory_of(pid: i32) -> u64 {
    let kib = |file: &str, key: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    let kib = kib("smaps_rollup", "Pss:").or_else(|| kib("status", "VmRSS:"));
    kib.unwrap_or(0) * 1024
}

fn host_memory() -> u64 {
    nix::sys::sysinfo::sysinfo().map_or(0, |info| info.ram_total())
}

fn clock_ticks() -> u64 {
    rustix::param::clock_ticks_per_second().max(1)
}

fn number_of(text: &str, key: &str) -> u64 {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// `8:0 rbytes=1 wbytes=2 rios=…`, a line a device.
fn sum_io(text: &str) -> (u64, u64) {
    let sum = |key: &str| {
        text.split_ascii_whitespace()
            .filter_map(|word| word.strip_prefix(key)?.parse::<u64>().ok())
            .sum()
    };
    (sum("rbytes="), sum("wbytes="))
}

/// Bytes received and sent by all interfaces but `lo` (proc_pid_net(5), dev).
fn sum_traffic(text: &str) -> (u64, u64) {
    let (mut received, mut sent) = (0u64, 0u64);
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(':') else {
            continue;
        };
        let fields: Vec<u64> = rest
            .split_ascii_whitespace()
            .filter_map(|field| field.parse().ok())
            .collect();
        if let (true, [rx, ..], Some(tx)) = (name.trim() != "lo", &fields[..], fields.get(8)) {
            received += rx;
            sent += tx;
        }
    }
    (received, sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_behind_a_hostile_name() {
        let stat = "7 (a) b (c) S 3 7 7 0 -1 0 1 2 3 4 10 20 30 40 20 0 5 0 99 1 2";
        let want = Times {
            parent: 3,
            user: 40,
            system: 60,
            threads: 5,
        };
        assert_eq!(Times::parse(stat), Some(want));
        assert_eq!(Times::parse("7 (x"), None);
    }

    #[test]
    fn counters_are_summed() {
        let io = "8:0 rbytes=10 wbytes=1 rios=5 wios=5 dbytes=0 dios=0\n8:16 rbytes=5 wbytes=2 rios=1 wios=1\n";
        assert_eq!(sum_io(io), (15, 3));
        let dev = "Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  tap0: 100 1 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n";
        assert_eq!(sum_traffic(dev), (100, 50));
        assert_eq!(number_of("usage_usec 5\nuser_usec 3\n", "usage_usec"), 5);
    }

    #[test]
    fn a_directory_that_plays_a_group() {
        let dir = std::env::temp_dir().join(format!("pod-usage-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a scratch directory");
        for (file, text) in [
            ("cpu.stat", "usage_usec 7\nsystem_usec 2\n"),
            ("memory.current", "4096\n"),
            ("memory.max", "8192\n"),
            ("pids.current", "3\n"),
            ("io.stat", "8:0 rbytes=1 wbytes=2\n"),
        ] {
            fs::write(dir.join(file), text).expect("own directory");
        }
        let mut usage = Usage {
            memory_limit: 1 << 40,
            ..Usage::default()
        };
        of_group(&Group::at(&dir), &mut usage);
        let want = Usage {
            cpu: 7000,
            cpu_system: 2000,
            memory: 4096,
            memory_limit: 8192,
            tasks: 3,
            block: Some((1, 2)),
            ..Usage::default()
        };
        assert_eq!(usage, want);
        fs::remove_dir_all(&dir).expect("own directory");
    }
}
