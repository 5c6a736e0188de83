//! What may be limited, and what that is in the files of cgroup v2.
//!
//! Values are kept as Podman's flags give them (those of cgroup v1) and converted when they are written, by the rules of
//! crun (its manual page, cgroup v2) and runc 1.3.2 for shares.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

use super::group::Group;
use super::tree::{Controller, Tree, enable, listed, no_tree, write};

/// What the processes of a container may have where nobody says otherwise, if the controller is there (Podman's).
pub const DEFAULT_PIDS: i64 = 2048;

/// Microseconds; the kernel's default.
pub const DEFAULT_PERIOD: u64 = 100_000;

/// `None`, empty: not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Bytes of memory and swap together; -1: no limit of swap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<i64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u64>,
    /// Microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_period: Option<u64>,
    /// Microseconds in each period; negative: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_cpus: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_mems: Option<String>,
    /// 0 and below: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<i64>,
    /// `pids_limit` of containers.conf: holds where the controller is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_pids: Option<i64>,
    /// 10 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_weight: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceLimit>,
    /// `--cgroup-conf`: files and what is written to them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub conf: BTreeMap<String, String>,
}

/// A limit of one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLimit {
    pub path: String,
    pub major: u32,
    pub minor: u32,
    pub kind: DeviceKind,
    pub value: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    Weight,
    ReadBps,
    WriteBps,
    ReadIops,
    WriteIops,
}

impl DeviceKind {
    pub fn flag(self) -> &'static str {
        match self {
            Self::Weight => "blkio-weight-device",
            Self::ReadBps => "device-read-bps",
            Self::WriteBps => "device-write-bps",
            Self::ReadIops => "device-read-iops",
            Self::WriteIops => "device-write-iops",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Weight => "",
            Self::ReadBps => "rbps",
            Self::WriteBps => "wbps",
            Self::ReadIops => "riops",
            Self::WriteIops => "wiops",
        }
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    /// Which flag asked for it.
    flag: String,
    controller: Option<Controller>,
    file: String,
    value: String,
    /// It follows from another limit or is a default: left out where there is no such file.
    optional: bool,
}

impl Limits {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Lays what `with` says over this (`update`).
    pub fn change(&mut self, with: &Limits) {
        fn over<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
            if new.is_some() {
                old.clone_from(new);
            }
        }
        over(&mut self.memory, &with.memory);
        over(&mut self.memory_swap, &with.memory_swap);
        over(&mut self.memory_reservation, &with.memory_reservation);
        over(&mut self.cpu_period, &with.cpu_period);
        over(&mut self.cpu_quota, &with.cpu_quota);
        over(&mut self.cpu_shares, &with.cpu_shares);
        over(&mut self.cpuset_cpus, &with.cpuset_cpus);
        over(&mut self.cpuset_mems, &with.cpuset_mems);
        over(&mut self.pids, &with.pids);
        over(&mut self.blkio_weight, &with.blkio_weight);
        for new in &with.devices {
            let same = |old: &DeviceLimit| {
                (old.major, old.minor, old.kind) == (new.major, new.minor, new.kind)
            };
            self.devices.retain(|old| !same(old));
            self.devices.push(new.clone());
        }
        self.conf.extend(with.conf.clone());
    }

    /// Refuses what contradicts itself, in Podman's words.
    pub fn check(&self) -> Result<()> {
        let memory = self.memory.unwrap_or(0);
        if let Some(swap) = self.memory_swap.filter(|swap| *swap > 0) {
            if memory == 0 {
                return Err(Error::usage(
                    "you should always set a memory limit when using a memoryswap limit, see usage",
                ));
            }
            if swap.unsigned_abs() < memory {
                return Err(Error::usage(
                    "minimum memoryswap limit should be larger than memory limit, see usage",
                ));
            }
        }
        if memory > 0 && self.memory_reservation.is_some_and(|low| low > memory) {
            return Err(Error::usage(
                "minimum memory limit cannot be less than memory reservation limit, see usage",
            ));
        }
        if self
            .cpu_period
            .is_some_and(|p| !(1_000..=1_000_000).contains(&p))
        {
            return Err(Error::usage(
                "CPU cfs period cannot be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
            ));
        }
        if self
            .cpu_quota
            .is_some_and(|quota| (1..1_000).contains(&quota))
        {
            return Err(Error::usage(
                "CPU cfs quota cannot be less than 1ms (i.e. 1000)",
            ));
        }
        Ok(())
    }

    /// Only defaults hold.
    pub fn asks_nothing(&self) -> bool {
        self.settings().iter().all(|setting| setting.optional)
    }

    /// Refuses what groups below `tree` cannot have.
    pub fn check_against(&self, tree: Option<&Tree>) -> Result<()> {
        let settings = self.settings();
        let mut asked = settings
            .iter()
            .filter(|setting| !setting.optional)
            .peekable();
        let Some(first) = asked.peek() else {
            return Ok(());
        };
        let Some(tree) = tree else {
            return Err(no_tree(&first.flag));
        };
        let there = tree.controllers();
        for setting in asked {
            if let Some(controller) = setting.controller
                && !there.contains(&controller)
            {
                return Err(tree.lacks(controller, &setting.flag));
            }
        }
        Ok(())
    }

    /// Gives `group` below `tree` its controllers and limits. What is a default only is left out where it cannot be.
    pub fn apply(&self, tree: &Tree, group: &Group) -> Result<()> {
        self.check_against(Some(tree))?;
        let settings = self.settings();
        let there = tree.controllers();
        let asked: Vec<Controller> = settings
            .iter()
            .filter(|setting| !setting.optional)
            .filter_map(|setting| setting.controller)
            .collect();
        tree.enable(&asked)?;
        // For counters and defaults: whatever there is but cpuset, which costs scheduling and counts nothing.
        let rest = |c: &Controller| *c != Controller::Cpuset && !asked.contains(c);
        let rest: Vec<Controller> = there.into_iter().filter(rest).collect();
        let _ = tree.enable(&rest); // none of them is needed
        enable(
            group.path(),
            &listed(&group.path().join("cgroup.controllers")),
        )?;
        for dir in [group.path().to_owned(), group.leaf()] {
            for setting in &settings {
                let (file, value) = setting.concrete(&dir);
                match write(&file, &value) {
                    Ok(()) => {}
                    Err(err) if setting.optional && err.kind() == std::io::ErrorKind::NotFound => {}
                    Err(err) => return Err(setting.failed(&err, &file)),
                }
            }
        }
        Ok(())
    }

    fn settings(&self) -> Vec<Setting> {
        use Controller::{Cpu, Cpuset, Io, Memory, Pids};
        let mut all = Vec::new();
        let mut add = |flag: &str, controller, file: &str, value: String, optional| {
            all.push(Setting {
                flag: flag.to_owned(),
                controller: Some(controller),
                file: file.to_owned(),
                value,
                optional,
            });
        };
        if let Some(bytes) = self.memory {
            // 0 lifts a limit: there is none where there is no controller.
            add("memory", Memory, "memory.max", max_or(bytes), bytes == 0);
        }
        if let Some((value, asked)) = self.swap() {
            add("memory-swap", Memory, "memory.swap.max", value, !asked);
        }
        if let Some(bytes) = self.memory_reservation {
            add(
                "memory-reservation",
                Memory,
                "memory.low",
                bytes.to_string(),
                false,
            );
        }
        if let Some(shares) = self.cpu_shares.filter(|shares| *shares > 0) {
            add(
                "cpu-shares",
                Cpu,
                "cpu.weight",
                weight_of_shares(shares).to_string(),
                false,
            );
        }
        if self.cpu_quota.is_some() || self.cpu_period.is_some() {
            let quota = match self.cpu_quota {
                Some(quota) if quota > 0 => quota.to_string(),
                _ => "max".to_owned(),
            };
            let period = self.cpu_period.unwrap_or(DEFAULT_PERIOD);
            let flag = if self.cpu_quota.is_some() {
                "cpus or --cpu-quota"
            } else {
                "cpu-period"
            };
            add(flag, Cpu, "cpu.max", format!("{quota} {period}"), false);
        }
        if let Some(cpus) = &self.cpuset_cpus {
            add("cpuset-cpus", Cpuset, "cpuset.cpus", cpus.clone(), false);
        }
        if let Some(mems) = &self.cpuset_mems {
            add("cpuset-mems", Cpuset, "cpuset.mems", mems.clone(), false);
        }
        let asked = self.pids.is_some_and(|pids| pids > 0);
        let pids = self.pids.or(self.default_pids).unwrap_or(DEFAULT_PIDS);
        let value = u64::try_from(pids).map_or_else(|_| "max".to_owned(), max_or);
        add("pids-limit", Pids, "pids.max", value, !asked);
        if let Some(weight) = self.blkio_weight {
            add("blkio-weight", Io, IO_WEIGHT, weight.to_string(), false);
        }
        for (device, keys) in self.rates() {
            let flag = keys[0].kind.flag();
            let keys: Vec<String> = keys
                .iter()
                .map(|limit| format!("{}={}", limit.kind.key(), max_or(limit.value)))
                .collect();
            add(
                flag,
                Io,
                "io.max",
                format!("{device} {}", keys.join(" ")),
                false,
            );
        }
        for limit in self.devices.iter().filter(|l| l.kind == DeviceKind::Weight) {
            let value = format!("{}:{} {}", limit.major, limit.minor, limit.value);
            add(limit.kind.flag(), Io, IO_WEIGHT, value, false);
        }
        all.extend(self.conf.iter().map(|(file, value)| {
            Setting {
                flag: format!("cgroup-conf {file}"),
                controller: Controller::ALL
                    .into_iter()
                    .find(|c| file.split('.').next() == Some(c.name())),
                file: file.clone(),
                value: value.clone(),
                optional: false,
            }
        }));
        all
    }

    /// `memory.swap.max`, and whether it was asked for: version 2 counts swap alone, the flag counts it with memory. As
    /// much swap as memory, where only memory is given.
    fn swap(&self) -> Option<(String, bool)> {
        let memory = self.memory.filter(|memory| *memory > 0);
        match (self.memory_swap.filter(|swap| *swap != 0), memory) {
            (Some(-1), _) => Some(("max".to_owned(), true)),
            (Some(swap), memory) => {
                let swap = swap.unsigned_abs().saturating_sub(memory.unwrap_or(0));
                Some((swap.to_string(), true))
            }
            (None, Some(memory)) => Some((memory.to_string(), false)),
            (None, None) => None,
        }
    }

    /// Limits of throughput, together for each device.
    fn rates(&self) -> Vec<(String, Vec<&DeviceLimit>)> {
        let mut all: Vec<(String, Vec<&DeviceLimit>)> = Vec::new();
        for limit in self.devices.iter().filter(|l| l.kind != DeviceKind::Weight) {
            let device = format!("{}:{}", limit.major, limit.minor);
            match all.iter_mut().find(|(known, _)| *known == device) {
                Some((_, list)) => list.push(limit),
                None => all.push((device, vec![limit])),
            }
        }
        all
    }
}

/// Stands for `io.bfq.weight` or `io.weight`, whichever is there.
const IO_WEIGHT: &str = "io.weight";

impl Setting {
    /// The file in the group `dir`, and what is written to it.
    fn concrete(&self, dir: &Path) -> (PathBuf, String) {
        let file = dir.join(&self.file);
        if self.file != IO_WEIGHT {
            return (file, self.value.clone());
        }
        // The scheduler's own weights go from 1 to 1000, as the flag's do.
        let bfq = dir.join("io.bfq.weight");
        if bfq.exists() {
            return (bfq, self.value.clone());
        }
        let (device, weight) = match self.value.rsplit_once(' ') {
            Some((device, weight)) => (format!("{device} "), weight),
            None => (String::new(), self.value.as_str()),
        };
        let weight: u64 = weight.parse().unwrap_or(100);
        (file, format!("{device}{}", io_weight(weight)))
    }

    fn failed(&self, err: &std::io::Error, file: &Path) -> Error {
        let tried = format!(
            "use --{}: write {} to {}",
            self.flag,
            self.value,
            file.display()
        );
        let failed = Error::io(err, tried);
        match (err.kind(), self.file.as_str()) {
            (std::io::ErrorKind::NotFound, "memory.swap.max") => failed
                .with_kind(Kind::Unsupported)
                .hint("this kernel counts no swap: it needs CONFIG_SWAP and no swapaccount=0"),
            (std::io::ErrorKind::NotFound, IO_WEIGHT) => failed
                .with_kind(Kind::Unsupported)
                .hint("this kernel has neither the scheduler bfq nor the cost model (CONFIG_BLK_CGROUP_IOCOST)"),
            (std::io::ErrorKind::NotFound, _) => failed.with_kind(Kind::Unsupported),
            _ => failed,
        }
    }
}

fn max_or(value: u64) -> String {
    match value {
        0 => "max".to_owned(),
        value => value.to_string(),
    }
}

/// From 2–262144 with 1024 in the middle of things to 1–10000 with 100 there, as runc since 1.3.2 and crun since 1.23
/// do: a quadratic function of the logarithm.
pub fn weight_of_shares(shares: u64) -> u64 {
    if shares <= 2 {
        return 1;
    }
    if shares >= 262_144 {
        return 10_000;
    }
    let l = (shares as f64).log2();
    let exponent = (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0;
    10f64.powf(exponent).ceil() as u64
}

/// `--cpus` as a quota of the default period.
pub fn quota_of_cpus(cpus: f64) -> i64 {
    (cpus * DEFAULT_PERIOD as f64) as i64
}

/// From 10–1000 to 1–10000.
fn io_weight(weight: u64) -> u64 {
    1 + weight.saturating_sub(10) * 9999 / 990
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limits: &Limits) -> Vec<(String, String)> {
        let dir = Path::new("/nosuch");
        let settings = limits.settings();
        let concrete = settings.iter().map(|setting| setting.concrete(dir));
        concrete
            .map(|(file, value)| {
                (
                    file.file_name().unwrap().to_str().unwrap().to_owned(),
                    value,
                )
            })
            .filter(|(file, _)| file != "pids.max")
            .collect()
    }

    #[test]
    fn shares_become_weights() {
        for (shares, want) in [
            (0, 1),
            (2, 1),
            (512, 59),
            (1024, 100),
            (2048, 174),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ] {
            assert_eq!(weight_of_shares(shares), want, "{shares}");
        }
    }

    #[test]
    fn flags_become_files() {
        let none = Limits::default();
        let disk = |kind, value| DeviceLimit {
            path: "/dev/sda".to_owned(),
            major: 8,
            minor: 0,
            kind,
            value,
        };
        let table: [(Limits, &[(&str, &str)]); 12] = [
            (
                Limits {
                    memory: Some(64 << 20),
                    ..none.clone()
                },
                &[("memory.max", "67108864"), ("memory.swap.max", "67108864")],
            ),
            (
                Limits {
                    memory: Some(10),
                    memory_swap: Some(30),
                    ..none.clone()
                },
                &[("memory.max", "10"), ("memory.swap.max", "20")],
            ),
            (
                Limits {
                    memory: Some(10),
                    memory_swap: Some(10),
                    ..none.clone()
                },
                &[("memory.max", "10"), ("memory.swap.max", "0")],
            ),
            (
                Limits {
                    memory: Some(10),
                    memory_swap: Some(-1),
                    ..none.clone()
                },
                &[("memory.max", "10"), ("memory.swap.max", "max")],
            ),
            (
                Limits {
                    memory: Some(0),
                    ..none.clone()
                },
                &[("memory.max", "max")],
            ),
            (
                Limits {
                    memory_reservation: Some(5),
                    ..none.clone()
                },
                &[("memory.low", "5")],
            ),
            (
                Limits {
                    cpu_quota: Some(quota_of_cpus(1.5)),
                    cpu_period: Some(DEFAULT_PERIOD),
                    ..none.clone()
                },
                &[("cpu.max", "150000 100000")],
            ),
            (
                Limits {
                    cpu_quota: Some(-1),
                    ..none.clone()
                },
                &[("cpu.max", "max 100000")],
            ),
            (
                Limits {
                    cpu_period: Some(5000),
                    ..none.clone()
                },
                &[("cpu.max", "max 5000")],
            ),
            (
                Limits {
                    blkio_weight: Some(1000),
                    ..none.clone()
                },
                &[("io.weight", "10000")],
            ),
            (
                Limits {
                    devices: vec![
                        disk(DeviceKind::ReadBps, 1024),
                        disk(DeviceKind::Weight, 10),
                        disk(DeviceKind::WriteIops, 5),
                    ],
                    ..none.clone()
                },
                &[("io.max", "8:0 rbps=1024 wiops=5"), ("io.weight", "8:0 1")],
            ),
            (
                Limits {
                    cpuset_cpus: Some("0-1".to_owned()),
                    cpu_shares: Some(1024),
                    ..none.clone()
                },
                &[("cpu.weight", "100"), ("cpuset.cpus", "0-1")],
            ),
        ];
        for (limits, want) in table {
            let want: Vec<_> = want
                .iter()
                .map(|(f, v)| ((*f).to_owned(), (*v).to_owned()))
                .collect();
            assert_eq!(written(&limits), want, "{limits:?}");
        }
    }

    #[test]
    fn processes_are_limited_by_default() {
        let value = |limits: &Limits| {
            let settings = limits.settings();
            let found = settings.iter().find(|s| s.file == "pids.max").unwrap();
            (found.value.clone(), found.optional)
        };
        for (pids, default_pids, want) in [
            (None, None, ("2048", true)),
            (None, Some(7), ("7", true)),
            (None, Some(0), ("max", true)),
            (Some(5), Some(7), ("5", false)),
            (Some(-1), None, ("max", true)),
            (Some(0), None, ("max", true)),
        ] {
            let limits = Limits {
                pids,
                default_pids,
                ..Limits::default()
            };
            assert_eq!(value(&limits), (want.0.to_owned(), want.1), "{limits:?}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let limits = |memory, swap, low| Limits {
            memory,
            memory_swap: swap,
            memory_reservation: low,
            ..Limits::default()
        };
        assert!(limits(None, Some(1), None).check().is_err());
        assert!(limits(Some(10), Some(5), None).check().is_err());
        assert!(limits(Some(10), None, Some(20)).check().is_err());
        assert!(limits(Some(10), Some(-1), Some(10)).check().is_ok());
        let period = Limits {
            cpu_period: Some(5),
            ..Limits::default()
        };
        assert!(period.check().is_err());
        let no_tree = limits(Some(10), None, None)
            .check_against(None)
            .expect_err("no tree");
        assert_eq!(
            no_tree.to_string(),
            "use --memory: this process has no cgroup (version 2) that may be written to"
        );
        assert!(Limits::default().check_against(None).is_ok());
    }

    #[test]
    fn an_update_lays_over() {
        let disk = |value| DeviceLimit {
            path: "/dev/a".to_owned(),
            major: 1,
            minor: 2,
            kind: DeviceKind::ReadBps,
            value,
        };
        let mut all = Limits {
            memory: Some(1),
            pids: Some(2),
            devices: vec![disk(1)],
            ..Limits::default()
        };
        all.change(&Limits {
            memory: Some(5),
            devices: vec![disk(9)],
            ..Limits::default()
        });
        assert_eq!(
            all,
            Limits {
                memory: Some(5),
                pids: Some(2),
                devices: vec![disk(9)],
                ..Limits::default()
            }
        );
    }
}
