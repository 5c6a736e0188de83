//! The flags that limit what a container uses: `run`, `create` and `update` have them all.

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use clap::Args;

use crate::cgroup::{DEFAULT_PERIOD, DeviceKind, DeviceLimit, Limits, quota_of_cpus};
use crate::error::{Error, Kind, Result};

use super::value;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Resource options")]
pub struct LimitArgs {
    /// Memory the container may use, such as 512m
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<String>,
    /// Memory and swap together, -1 for no limit of swap (default: twice --memory)
    #[arg(long, value_name = "SIZE")]
    memory_swap: Option<String>,
    /// Memory that is kept for the container when memory runs out
    #[arg(long, value_name = "SIZE")]
    memory_reservation: Option<String>,
    #[arg(long, value_name = "PERCENT", value_parser = value::integer, hide = true)]
    memory_swappiness: Option<i64>,
    /// Processors it may keep busy, such as 1.5
    #[arg(long, value_name = "N", value_parser = value::float)]
    cpus: Option<f64>,
    /// Microseconds in which --cpu-quota is counted (default 100000)
    #[arg(long, value_name = "MICROSECONDS", value_parser = value::unsigned)]
    cpu_period: Option<u64>,
    /// Microseconds of processor time in each period
    #[arg(long, value_name = "MICROSECONDS", value_parser = value::integer)]
    cpu_quota: Option<i64>,
    /// Share of the processors when they are all busy (default 1024)
    #[arg(short = 'c', long, value_name = "N", value_parser = value::unsigned)]
    cpu_shares: Option<u64>,
    /// Processors it may run on, such as 0-2,7
    #[arg(long, value_name = "CPUS")]
    cpuset_cpus: Option<String>,
    /// Memory nodes it may use
    #[arg(long, value_name = "NODES")]
    cpuset_mems: Option<String>,
    #[arg(long, value_name = "MICROSECONDS", value_parser = value::unsigned, hide = true)]
    cpu_rt_period: Option<u64>,
    #[arg(long, value_name = "MICROSECONDS", value_parser = value::integer, hide = true)]
    cpu_rt_runtime: Option<i64>,
    /// Processes and threads it may have, -1 for no limit (default 2048)
    #[arg(long, value_name = "N", value_parser = value::integer)]
    pids_limit: Option<i64>,
    /// Share of block devices when they are busy, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<String>,
    /// The same for one device (can be repeated)
    #[arg(long, value_name = "DEVICE:WEIGHT", value_delimiter = ',')]
    blkio_weight_device: Vec<String>,
    /// Bytes a second that are read from a device (can be repeated)
    #[arg(long, value_name = "DEVICE:RATE", value_delimiter = ',')]
    device_read_bps: Vec<String>,
    /// Reads a second from a device (can be repeated)
    #[arg(long, value_name = "DEVICE:RATE", value_delimiter = ',')]
    device_read_iops: Vec<String>,
    /// Bytes a second that are written to a device (can be repeated)
    #[arg(long, value_name = "DEVICE:RATE", value_delimiter = ',')]
    device_write_bps: Vec<String>,
    /// Writes a second to a device (can be repeated)
    #[arg(long, value_name = "DEVICE:RATE", value_delimiter = ',')]
    device_write_iops: Vec<String>,
}

impl LimitArgs {
    /// The values, checked one by one and against each other.
    pub fn limits(&self) -> Result<Limits> {
        self.refuse_version_1()?;
        let (period, quota) = self.processor()?;
        let limits = Limits {
            memory: size(&self.memory, "memory")?,
            memory_swap: match self.memory_swap.as_deref() {
                Some("-1") => Some(-1),
                _ => size(&self.memory_swap, "memory")?
                    .map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            },
            memory_reservation: size(&self.memory_reservation, "memory")?,
            cpu_period: period,
            cpu_quota: quota,
            cpu_shares: self.cpu_shares.filter(|shares| *shares > 0),
            cpuset_cpus: set(&self.cpuset_cpus, "cpus")?,
            cpuset_mems: set(&self.cpuset_mems, "mems")?,
            pids: self.pids_limit,
            blkio_weight: self.weight()?,
            devices: self.devices()?,
            ..Limits::default()
        };
        Ok(limits)
    }

    fn refuse_version_1(&self) -> Result<()> {
        let only = |flag: &str| {
            Err(Error::new(
                Kind::Unsupported,
                format!("use --{flag}: only cgroup version 1 has it, which needs root"),
            ))
        };
        match self.memory_swappiness {
            None | Some(-1) => {}
            Some(0..=100) => return only("memory-swappiness"),
            Some(other) => {
                return Err(Error::usage(format!(
                    "invalid value: {other}, valid memory swappiness range is 0-100"
                )));
            }
        }
        if self.cpu_rt_period.is_some_and(|n| n > 0) {
            return only("cpu-rt-period");
        }
        if self.cpu_rt_runtime.is_some_and(|n| n != 0) {
            return only("cpu-rt-runtime");
        }
        Ok(())
    }

    fn processor(&self) -> Result<(Option<u64>, Option<i64>)> {
        let period = self.cpu_period.filter(|period| *period > 0);
        let quota = self.cpu_quota.filter(|quota| *quota != 0);
        let Some(cpus) = self.cpus.filter(|cpus| *cpus != 0.0) else {
            return Ok((period, quota));
        };
        let together = |flag: &str| {
            Err(Error::usage(format!(
                "--{flag} and --cpus cannot be set together"
            )))
        };
        if period.is_some() {
            return together("cpu-period");
        }
        if quota.is_some() {
            return together("cpu-quota");
        }
        let quota = if cpus > 0.0 {
            quota_of_cpus(cpus).max(1000)
        } else {
            -1
        };
        Ok((Some(DEFAULT_PERIOD), Some(quota)))
    }

    fn weight(&self) -> Result<Option<u16>> {
        let Some(text) = self.blkio_weight.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let weight = value::unsigned(text)
            .map_err(|why| Error::usage(format!("invalid value for blkio-weight: {why}")))?;
        match weight {
            0 => Ok(None),
            10..=1000 => Ok(Some(weight as u16)),
            _ => Err(Error::usage("range of blkio weight is from 10 to 1000")),
        }
    }

    fn devices(&self) -> Result<Vec<DeviceLimit>> {
        use DeviceKind::{ReadBps, ReadIops, Weight, WriteBps, WriteIops};
        let mut all = Vec::new();
        for (kind, texts) in [
            (Weight, &self.blkio_weight_device),
            (ReadBps, &self.device_read_bps),
            (WriteBps, &self.device_write_bps),
            (ReadIops, &self.device_read_iops),
            (WriteIops, &self.device_write_iops),
        ] {
            for text in texts {
                all.push(device(kind, text)?);
            }
        }
        Ok(all)
    }
}

/// `--cgroup-conf FILE=VALUE`
pub fn conf(texts: &[String], limits: &mut Limits) -> Result<()> {
    for text in texts {
        let Some((file, value)) = text.split_once('=') else {
            return Err(Error::usage("--cgroup-conf must be formatted KEY=VALUE"));
        };
        let is_file = file.contains('.') && !file.contains(['/', '\0']) && !file.starts_with('.');
        if !is_file
            || matches!(
                file,
                "cgroup.procs"
                    | "cgroup.threads"
                    | "cgroup.kill"
                    | "cgroup.type"
                    | "cgroup.subtree_control"
                    | "cgroup.freeze"
            )
        {
            return Err(Error::usage(format!(
                "--cgroup-conf {file:?}: not a file of a cgroup that holds a setting"
            )));
        }
        limits.conf.insert(file.to_owned(), value.to_owned());
    }
    Ok(())
}

fn size(text: &Option<String>, what: &str) -> Result<Option<u64>> {
    match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => value::bytes(text)
            .map(Some)
            .map_err(|why| Error::usage(format!("invalid value for {what}: {why}"))),
    }
}

/// A list of numbers and ranges.
fn set(text: &Option<String>, what: &str) -> Result<Option<String>> {
    let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let fits = text.split(',').all(|part| match part.split_once('-') {
        Some((from, to)) => number(from) && number(to),
        None => number(part),
    });
    match fits {
        true => Ok(Some(text.to_owned())),
        false => Err(Error::usage(format!(
            "invalid value {text} for cpuset {what}"
        ))),
    }
}

/// `/dev/sda:VALUE`
fn device(kind: DeviceKind, text: &str) -> Result<DeviceLimit> {
    let bad = || Error::usage(format!("bad format: {text}"));
    let (path, number) = text
        .split_once(':')
        .filter(|(path, _)| !path.is_empty())
        .ok_or_else(bad)?;
    if number.contains(':') {
        return Err(bad());
    }
    if !path.starts_with("/dev/") {
        return Err(Error::usage(format!("bad format for device path: {text}")));
    }
    let rate = |unit: &str, more: &str| {
        Error::usage(format!(
            "invalid rate for device: {text}. The correct format is <device-path>:<number>{unit}. Number must be a \
             positive integer{more}"
        ))
    };
    let value = match kind {
        DeviceKind::Weight => value::unsigned(number)
            .ok()
            .filter(|weight| *weight == 0 || (10..=1000).contains(weight))
            .ok_or_else(|| Error::usage(format!("invalid weight for device: {text}")))?,
        DeviceKind::ReadBps | DeviceKind::WriteBps => value::bytes(number)
            .map_err(|_| rate("[<unit>]", ". Unit is optional and can be kb, mb, or gb"))?,
        DeviceKind::ReadIops | DeviceKind::WriteIops => {
            value::unsigned(number).map_err(|_| rate("", ""))?
        }
    };
    let found = std::fs::metadata(path).map_err(|err| {
        Error::io(
            &err,
            format!("failed to inspect '{path}' in --{}", kind.flag()),
        )
    })?;
    if !found.file_type().is_block_device() {
        return Err(Error::usage(format!(
            "{path} in --{}: not a block device",
            kind.flag()
        )));
    }
    Ok(DeviceLimit {
        path: path.to_owned(),
        major: rustix::fs::major(found.rdev()),
        minor: rustix::fs::minor(found.rdev()),
        kind,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(args: LimitArgs) -> std::result::Result<Limits, String> {
        args.limits().map_err(|err| err.to_string())
    }

    #[test]
    fn processors_are_a_quota() {
        let got = limits(LimitArgs {
            cpus: Some(0.5),
            ..LimitArgs::default()
        })
        .expect("valid");
        assert_eq!(
            (got.cpu_period, got.cpu_quota),
            (Some(100_000), Some(50_000))
        );
        let both = LimitArgs {
            cpus: Some(1.0),
            cpu_quota: Some(5000),
            ..LimitArgs::default()
        };
        assert_eq!(
            limits(both),
            Err("--cpu-quota and --cpus cannot be set together".to_owned())
        );
    }

    #[test]
    fn devices_are_named_with_a_value() {
        for (text, want) in [
            ("/dev/null", "bad format: /dev/null"),
            ("null:1m", "bad format for device path: null:1m"),
            (
                "/dev/null:x",
                "invalid rate for device: /dev/null:x. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb",
            ),
            (
                "/dev/null:1m",
                "/dev/null in --device-read-bps: not a block device",
            ),
        ] {
            assert_eq!(
                device(DeviceKind::ReadBps, text)
                    .expect_err(text)
                    .to_string(),
                want
            );
        }
        let err = device(DeviceKind::Weight, "/dev/null:5").expect_err("too small");
        assert_eq!(err.to_string(), "invalid weight for device: /dev/null:5");
    }

    #[test]
    fn sets_of_numbers() {
        for (text, good) in [
            ("0", true),
            ("0-3,7", true),
            ("x", false),
            ("1-", false),
            ("", true),
        ] {
            assert_eq!(set(&Some(text.to_owned()), "cpus").is_ok(), good, "{text}");
        }
    }

    #[test]
    fn settings_are_files() {
        let mut all = Limits::default();
        conf(&["memory.high=5".to_owned()], &mut all).expect("valid");
        assert_eq!(all.conf["memory.high"], "5");
        for bad in ["a", "a=b", "../x.y=1", "cgroup.procs=1"] {
            assert!(conf(&[bad.to_owned()], &mut all).is_err(), "{bad}");
        }
    }
}
