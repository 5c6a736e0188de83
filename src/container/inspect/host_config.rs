//! `HostConfig`: the request in Podman's words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::engine::Container;
use super::super::record::Record;
use super::super::request::{
    BaseHosts, CgroupsMode, CreateRequest, LogDriver, MountOptions, MountRequest, NamespaceMode,
    SecurityOpt, UsernsMode,
};
use super::super::spec::capability_names;
use super::port_bindings;
use crate::cgroup::{DEFAULT_PIDS, DeviceKind};
use crate::net::NetworkMode;
use crate::runtime::caps::CapSet;

impl Container {
    /// `HostConfig`: what the container was asked to be.
    pub(super) fn host_config(&self) -> Value {
        let Record { request, .. } = &self.record;
        let volumes = self
            .record
            .volumes
            .iter()
            .map(|volume| bind_text(&volume.name, &volume.target, &volume.options));
        let mounts = request.mounts.iter().filter_map(|mount| match mount {
            MountRequest::Bind {
                source,
                target,
                options,
            } => Some(bind_text(&source.display().to_string(), target, options)),
            _ => None,
        });
        let binds: Vec<String> = volumes.chain(mounts).collect();
        let tmpfs: BTreeMap<&str, String> = request
            .mounts
            .iter()
            .filter_map(|mount| match mount {
                MountRequest::Tmpfs {
                    target,
                    data,
                    options,
                } => Some((target.as_str(), tmpfs_text(data, options))),
                _ => None,
            })
            .collect();
        let ulimits: Vec<Value> = request
            .ulimits
            .iter()
            .map(|l| {
                let name = format!("RLIMIT_{}", l.name.to_ascii_uppercase());
                json!({"Name": name, "Soft": l.soft.cast_signed(), "Hard": l.hard.cast_signed()})
            })
            .collect();
        let extra_hosts: Vec<String> = request
            .add_host
            .iter()
            .map(|(name, ip)| format!("{name}:{ip}"))
            .collect();
        let log_path = match request.log.driver {
            LogDriver::K8sFile | LogDriver::JsonFile => self.log_path().display().to_string(),
            _ => String::new(),
        };
        let devices: Vec<Value> = request
            .devices
            .iter()
            .chain(request.cdi.iter().flat_map(|cdi| &cdi.devices))
            .map(|d| json!({"PathOnHost": d.source, "PathInContainer": d.target, "CgroupPermissions": d.permissions}))
            .collect();
        let security: Vec<String> = request.security_opt.iter().map(security_word).collect();
        let (added, dropped) = capability_changes(&self.record);
        let mut config = json!({
            "Binds": binds,
            "CgroupManager": "cgroupfs",
            "CgroupMode": namespace_word(&request.cgroupns),
            "ContainerIDFile": request.cidfile.as_ref().map(|p| p.display().to_string()).unwrap_or_default(),
            "LogConfig": {
                "Type": request.log.driver.word(),
                "Config": null,
                "Path": log_path,
                "Tag": request.log.tag.clone().unwrap_or_default(),
                "Size": human_size(request.log.max_size.unwrap_or_default()),
            },
            "NetworkMode": network_word(&self.record.network),
            "PortBindings": port_bindings(&self.record.ports),
            "RestartPolicy": {"Name": request.restart.word(), "MaximumRetryCount": request.restart.tries()},
            "AutoRemove": request.auto_remove,
            "AutoRemoveImage": false,
            "Annotations": request.annotations,
            "VolumeDriver": "",
            "VolumesFrom": (!request.volumes_from.is_empty()).then_some(&request.volumes_from),
            "CapAdd": added,
            "CapDrop": dropped,
            "Dns": request.dns,
            "DnsOptions": request.dns_option,
            "DnsSearch": request.dns_search,
        });
        let rest = json!({
            "ExtraHosts": extra_hosts,
            "HostsFile": hosts_file(request.base_hosts.as_ref()),
            "GroupAdd": if request.keep_groups { vec!["keep-groups".to_owned()] } else { request.group_add.clone() },
            "IpcMode": namespace_word(&request.ipc),
            "Cgroup": "",
            "Cgroups": match request.cgroups {
                CgroupsMode::Enabled => "default",
                CgroupsMode::NoConmon => "no-conmon",
                CgroupsMode::Disabled => "disabled",
                CgroupsMode::Split => "split",
            },
            "Links": null,
            "OomScoreAdj": request.oom_score_adj.unwrap_or(0),
            "PidMode": namespace_word(&request.pid),
            "Privileged": request.privileged,
            "PublishAllPorts": request.publish_all,
            "ReadonlyRootfs": request.read_only,
            "SecurityOpt": security,
            "Tmpfs": tmpfs,
            "UTSMode": namespace_word(&request.uts),
            "UsernsMode": userns_word(&request.userns),
            "IDMappings": id_mappings(&self.record),
            "ShmSize": request.shm_size.unwrap_or(crate::runtime::spec::SHM_BYTES),
            "Runtime": "oci",
            "ConsoleSize": [0, 0],
            "Isolation": "",
            "Devices": devices,
            "Init": request.init,
            "Ulimits": ulimits,
        });
        let group = self.cgroup();
        let holds_pids = group.is_some_and(|group| group.read("pids.max").is_some());
        for part in [rest, limits(request, holds_pids)] {
            if let (Value::Object(config), Value::Object(part)) = (&mut config, part) {
                config.extend(part);
            }
        }
        config
    }
}

/// Limits as they were asked for.
fn limits(request: &CreateRequest, holds_pids: bool) -> Value {
    let limits = &request.limits;
    let rates = |kind| {
        let rates: Vec<Value> = limits
            .devices
            .iter()
            .filter(|limit| limit.kind == kind)
            .map(|limit| match kind {
                DeviceKind::Weight => json!({"Path": limit.path, "Weight": limit.value}),
                _ => json!({"Path": limit.path, "Rate": limit.value}),
            })
            .collect();
        (!rates.is_empty()).then_some(rates)
    };
    let memory = limits.memory.unwrap_or(0);
    let swap = match limits.memory_swap {
        None | Some(0) => (memory * 2).cast_signed(),
        Some(swap) => swap,
    };
    let (period, quota) = (
        limits.cpu_period.unwrap_or(0),
        limits.cpu_quota.unwrap_or(0),
    );
    let nano = match period > 0 && quota > 0 {
        true => quota.saturating_mul(1_000_000_000) / period.cast_signed(),
        false => 0,
    };
    let pids = match (limits.pids, holds_pids) {
        (Some(pids), _) => pids,
        (None, true) => limits.default_pids.unwrap_or(DEFAULT_PIDS),
        (None, false) => 0, // the default holds only where the controller is
    };
    let conf: Vec<String> = limits
        .conf
        .iter()
        .map(|(file, value)| format!("{file}={value}"))
        .collect();
    json!({
        "CpuShares": limits.cpu_shares.unwrap_or(0),
        "Memory": memory,
        "NanoCpus": nano,
        "CgroupParent": request.cgroup_parent.clone().unwrap_or_default(),
        "BlkioWeight": limits.blkio_weight.unwrap_or(0),
        "BlkioWeightDevice": rates(DeviceKind::Weight),
        "BlkioDeviceReadBps": rates(DeviceKind::ReadBps),
        "BlkioDeviceWriteBps": rates(DeviceKind::WriteBps),
        "BlkioDeviceReadIOps": rates(DeviceKind::ReadIops),
        "BlkioDeviceWriteIOps": rates(DeviceKind::WriteIops),
        "CpuPeriod": period,
        "CpuQuota": quota,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": limits.cpuset_cpus.clone().unwrap_or_default(),
        "CpusetMems": limits.cpuset_mems.clone().unwrap_or_default(),
        "DiskQuota": 0,
        "KernelMemory": 0,
        "MemoryReservation": limits.memory_reservation.unwrap_or(0),
        "MemorySwap": swap,
        "MemorySwappiness": 0,
        "OomKillDisable": false,
        "PidsLimit": pids,
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
        "CgroupConf": (!conf.is_empty()).then_some(conf),
    })
}

pub(super) fn mount_words(options: &MountOptions) -> Vec<String> {
    let flags = [
        (options.nosuid.unwrap_or(true), "nosuid"),
        (options.nodev.unwrap_or(true), "nodev"),
        (options.noexec.unwrap_or(false), "noexec"),
        (
            true,
            if options.non_recursive {
                "bind"
            } else {
                "rbind"
            },
        ),
    ];
    flags
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, word)| (*word).to_owned())
        .collect()
}

pub(super) fn propagation(options: &MountOptions) -> String {
    let asked = options.propagation.clone();
    asked.unwrap_or_else(|| "rprivate".to_owned())
}

fn bind_text(source: &str, target: &str, options: &MountOptions) -> String {
    let mut words = vec![if options.read_only { "ro" } else { "rw" }.to_owned()];
    words.push(propagation(options));
    words.extend(mount_words(options));
    words.extend(options.overlay.then(|| "O".to_owned()));
    format!("{source}:{target}:{}", words.join(","))
}

fn hosts_file(base: Option<&BaseHosts>) -> String {
    match base {
        None => String::new(),
        Some(BaseHosts::None) => "none".to_owned(),
        Some(BaseHosts::Image) => "image".to_owned(),
        Some(BaseHosts::File(path)) => path.display().to_string(),
    }
}

fn tmpfs_text(data: &[String], options: &MountOptions) -> String {
    let mut words = data.to_vec();
    words.push(if options.read_only { "ro" } else { "rw" }.to_owned());
    words.push(propagation(options));
    words.extend(
        mount_words(options)
            .into_iter()
            .filter(|word| word != "rbind"),
    );
    words.push(
        if options.no_copy_up {
            "notmpcopyup"
        } else {
            "tmpcopyup"
        }
        .to_owned(),
    );
    words.join(",")
}

/// What the container has beyond Podman's eleven, and which of them it has not.
fn capability_changes(record: &Record) -> (Vec<&'static str>, Vec<&'static str>) {
    if record.request.privileged {
        return (Vec::new(), Vec::new());
    }
    let (has, usual) = (capability_names(record), CapSet::DEFAULT.names());
    let without = |all: &[&'static str], some: &[&str]| -> Vec<&'static str> {
        let mut left = all.to_vec();
        left.retain(|name| !some.contains(name));
        left
    };
    (without(&has, &usual), without(&usual, &has))
}

/// As docker/go-units has it: four digits, decimal units.
fn human_size(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = match () {
        () if value >= 100.0 => 1,
        () if value >= 10.0 => 2,
        () => 3,
    };
    let text = format!("{value:.digits$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text.is_empty() { "0" } else { text };
    format!("{text}{}", units[unit])
}

/// As `--network` spells it.
pub fn network_word(mode: &NetworkMode) -> String {
    match mode {
        NetworkMode::Pasta { .. } => "pasta".to_owned(),
        NetworkMode::Slirp4netns { .. } => "slirp4netns".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::Path { path } => format!("ns:{}", path.display()),
        NetworkMode::Container { id } => format!("container:{id}"),
    }
}

fn namespace_word(mode: &NamespaceMode) -> String {
    match mode {
        NamespaceMode::Private => "private".to_owned(),
        NamespaceMode::Host => "host".to_owned(),
        NamespaceMode::Container(id) => format!("container:{id}"),
        NamespaceMode::Path(path) => format!("ns:{}", path.display()),
        NamespaceMode::None => "none".to_owned(),
    }
}

fn userns_word(mode: &UsernsMode) -> &'static str {
    match mode {
        UsernsMode::Host => "",
        UsernsMode::KeepId { .. } => "keep-id",
        UsernsMode::Nomap => "nomap",
    }
}

fn security_word(opt: &SecurityOpt) -> String {
    match opt {
        SecurityOpt::NoNewPrivileges => "no-new-privileges".to_owned(),
        SecurityOpt::SeccompUnconfined => "seccomp=unconfined".to_owned(),
        SecurityOpt::SeccompProfile(path) => format!("seccomp={}", path.display()),
        SecurityOpt::Mask(paths) => format!("mask={}", paths.join(":")),
        SecurityOpt::Unmask(paths) => format!("unmask={}", paths.join(":")),
        SecurityOpt::ProcOpts(options) => format!("proc-opts={}", options.join(",")),
        SecurityOpt::LabelDisable => "label=disable".to_owned(),
        SecurityOpt::Apparmor(profile) => format!("apparmor={profile}"),
    }
}

fn id_mappings(record: &Record) -> Value {
    let lines = |extents: &[crate::userns::map::Extent]| -> Vec<String> {
        extents
            .iter()
            .map(|e| format!("{}:{}:{}", e.inside, e.outside, e.count))
            .collect()
    };
    json!({"UidMap": lines(&record.ids.uids), "GidMap": lines(&record.ids.gids)})
}
