//! The document `pod inspect CONTAINER` prints: Podman's keys and types, filled from record and state.
//!
//! Keys whose subject does not exist here (cgroup limits, health checks, pods) carry what Podman prints where nothing
//! was asked for.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::net::{NetworkMode, PortMapping, Protocol};

use super::engine::Container;
use super::options::Sizes;
use super::record::{Record, State};
use super::request::{
    LogDriver, MountOptions, MountRequest, NamespaceMode, SecurityOpt, UsernsMode,
};
use super::signal;
use super::spec::capability_names;

/// What Go prints for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Serialises to one element of `inspect`'s array.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectContainer {
    pub id: String,
    pub created: String,
    pub path: String,
    pub args: Vec<String>,
    pub state: InspectState,
    pub image: String,
    pub image_digest: String,
    pub image_name: String,
    pub rootfs: String,
    pub pod: String,
    pub resolv_conf_path: String,
    pub hostname_path: String,
    pub hosts_path: String,
    pub static_dir: String,
    #[serde(rename = "OCIConfigPath")]
    pub oci_config_path: String,
    #[serde(rename = "OCIRuntime")]
    pub oci_runtime: String,
    pub conmon_pid_file: String,
    pub pid_file: String,
    pub name: String,
    pub restart_count: i32,
    pub driver: String,
    pub mount_label: String,
    pub process_label: String,
    #[serde(rename = "AppArmorProfile")]
    pub app_armor_profile: String,
    pub effective_caps: Vec<&'static str>,
    pub bounding_caps: Vec<&'static str>,
    #[serde(rename = "ExecIDs")]
    pub exec_ids: Vec<String>,
    pub graph_driver: GraphDriver,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_rw: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_root_fs: Option<u64>,
    pub mounts: Vec<InspectMount>,
    pub dependencies: Vec<String>,
    pub network_settings: NetworkSettings,
    pub namespace: String,
    pub is_infra: bool,
    pub is_service: bool,
    pub kube_exit_code_propagation: String,
    #[serde(rename = "lockNumber")]
    pub lock_number: u32,
    pub config: InspectConfig,
    pub host_config: Value,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectState {
    pub oci_version: String,
    pub status: String,
    pub running: bool,
    pub paused: bool,
    pub restarting: bool,
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    pub dead: bool,
    pub pid: i32,
    pub conmon_pid: i32,
    pub exit_code: i32,
    pub error: String,
    pub started_at: String,
    pub finished_at: String,
    pub cgroup_path: String,
    pub checkpointed_at: String,
    pub restored_at: String,
    pub stopped_by_user: bool,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GraphDriver {
    pub name: String,
    pub data: BTreeMap<&'static str, String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectMount {
    #[serde(rename = "Type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    pub source: String,
    pub destination: String,
    pub driver: String,
    pub mode: String,
    pub options: Vec<String>,
    #[serde(rename = "RW")]
    pub rw: bool,
    pub propagation: String,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkSettings {
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    pub gateway: String,
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    pub ip_prefix_len: u8,
    #[serde(rename = "IPv6Gateway")]
    pub ipv6_gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub global_ipv6_prefix_len: u8,
    pub mac_address: String,
    pub bridge: String,
    #[serde(rename = "SandboxID")]
    pub sandbox_id: String,
    pub hairpin_mode: bool,
    #[serde(rename = "LinkLocalIPv6Address")]
    pub link_local_ipv6_address: String,
    #[serde(rename = "LinkLocalIPv6PrefixLen")]
    pub link_local_ipv6_prefix_len: u8,
    pub ports: BTreeMap<String, Option<Vec<HostPort>>>,
    pub sandbox_key: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HostPort {
    pub host_ip: String,
    pub host_port: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectConfig {
    pub hostname: String,
    pub domainname: String,
    pub user: String,
    pub attach_stdin: bool,
    pub attach_stdout: bool,
    pub attach_stderr: bool,
    pub tty: bool,
    pub open_stdin: bool,
    pub stdin_once: bool,
    pub env: Vec<String>,
    pub cmd: Vec<String>,
    pub image: String,
    pub volumes: Option<BTreeMap<String, Value>>,
    pub working_dir: String,
    pub entrypoint: Option<Vec<String>>,
    pub on_build: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub stop_signal: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    pub create_command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    pub umask: String,
    pub timeout: u32,
    pub stop_timeout: u32,
    pub passwd: bool,
    #[serde(rename = "sdNotifyMode")]
    pub sd_notify_mode: String,
}

impl Container {
    /// With `size`, the writable layer is measured.
    pub fn inspect(&self, size: bool) -> Result<InspectContainer> {
        let sizes = match size {
            true => Some(self.sizes()?),
            false => None,
        };
        Ok(self.document(sizes))
    }

    fn document(&self, sizes: Option<Sizes>) -> InspectContainer {
        let Record {
            id,
            name,
            created,
            request,
            image,
            process,
            dependencies,
            ..
        } = &self.record;
        let run_dir = self.run_dir();
        let file = |name: &str| run_dir.join(name).to_string_lossy().into_owned();
        let caps = capability_names(&self.record);
        let is_root = matches!(
            process.user.split(':').next(),
            Some("" | "0" | "root") | None
        );
        InspectContainer {
            id: id.clone(),
            created: created.clone(),
            path: process.args.first().cloned().unwrap_or_default(),
            args: process.args.iter().skip(1).cloned().collect(),
            state: state(&self.state),
            image: image.as_ref().map(|i| i.id.clone()).unwrap_or_default(),
            image_digest: image.as_ref().map(|i| i.digest.clone()).unwrap_or_default(),
            image_name: image.as_ref().map(|i| i.name.clone()).unwrap_or_default(),
            rootfs: request
                .rootfs
                .as_ref()
                .map(|r| r.display().to_string())
                .unwrap_or_default(),
            pod: String::new(),
            resolv_conf_path: file("resolv.conf"),
            hostname_path: file("hostname"),
            hosts_path: file("hosts"),
            static_dir: self.dir().display().to_string(),
            oci_config_path: String::new(),
            oci_runtime: "pod".to_owned(),
            conmon_pid_file: String::new(),
            pid_file: request
                .pidfile
                .as_ref()
                .map(|p| p.display().to_string())
                .unwrap_or_default(),
            name: name.clone(),
            restart_count: 0,
            driver: "overlay".to_owned(),
            mount_label: String::new(),
            process_label: String::new(),
            app_armor_profile: String::new(),
            effective_caps: if is_root { caps.clone() } else { Vec::new() },
            bounding_caps: caps,
            exec_ids: Vec::new(),
            graph_driver: self.graph_driver(),
            size_rw: sizes.map(|s| s.rw),
            size_root_fs: sizes.map(|s| s.root_fs),
            mounts: self.inspect_mounts(),
            dependencies: dependencies.clone(),
            network_settings: network_settings(&self.record, &self.state),
            namespace: String::new(),
            is_infra: false,
            is_service: false,
            kube_exit_code_propagation: "invalid".to_owned(),
            lock_number: 0,
            config: config(&self.record),
            host_config: self.host_config(),
        }
    }

    fn graph_driver(&self) -> GraphDriver {
        let mut data = BTreeMap::new();
        if self.record.request.rootfs.is_none() {
            let store = &self.engine.dirs.store;
            let lower: Vec<String> = self
                .record
                .layers
                .iter()
                .map(|l| store.join(l).display().to_string())
                .collect();
            data.insert("LowerDir", lower.join(":"));
            data.insert("UpperDir", self.dir().join("upper").display().to_string());
            data.insert("WorkDir", self.dir().join("work").display().to_string());
            if self.state.pid > 0 {
                // Mounted in the container's own mount namespace only.
                data.insert("MergedDir", format!("/proc/{}/root", self.state.pid));
            }
        }
        GraphDriver {
            name: "overlay".to_owned(),
            data,
        }
    }

    fn inspect_mounts(&self) -> Vec<InspectMount> {
        let mut mounts = Vec::new();
        for (place, target) in &self.record.volumes {
            mounts.push(InspectMount {
                kind: "volume",
                name: self.volume_name(place),
                source: self.dir().join(place).display().to_string(),
                destination: target.clone(),
                driver: "local".to_owned(),
                mode: String::new(),
                options: vec!["nosuid".to_owned(), "nodev".to_owned(), "rbind".to_owned()],
                rw: true,
                propagation: "rprivate".to_owned(),
            });
        }
        for asked in &self.record.request.mounts {
            // As Podman: tmpfs is in HostConfig.Tmpfs only.
            if let MountRequest::Bind {
                source,
                target,
                options,
            } = asked
            {
                mounts.push(InspectMount {
                    kind: "bind",
                    name: String::new(),
                    source: source.display().to_string(),
                    destination: target.clone(),
                    driver: String::new(),
                    mode: String::new(),
                    options: mount_words(options),
                    rw: !options.read_only,
                    propagation: options
                        .propagation
                        .clone()
                        .unwrap_or_else(|| "rprivate".to_owned()),
                });
            }
        }
        mounts
    }

    fn host_config(&self) -> Value {
        let Record { request, .. } = &self.record;
        let binds: Vec<String> = request.mounts.iter().filter_map(bind_text).collect();
        let tmpfs: BTreeMap<&str, String> = request
            .mounts
            .iter()
            .filter_map(|mount| match mount {
                MountRequest::Tmpfs {
                    target,
                    data,
                    options,
                } => {
                    let mut words = mount_words(options);
                    words.retain(|w| w != "rbind");
                    words.extend(data.iter().cloned());
                    Some((target.as_str(), words.join(",")))
                }
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
            LogDriver::K8sFile => self.log_path().display().to_string(),
            LogDriver::None | LogDriver::Passthrough => String::new(),
        };
        let devices: Vec<Value> = request
            .devices
            .iter()
            .map(|d| json!({"PathOnHost": d.source, "PathInContainer": d.target, "CgroupPermissions": d.permissions}))
            .collect();
        let security: Vec<String> = request.security_opt.iter().map(security_word).collect();
        let mut config = json!({
            "Binds": binds,
            "CgroupManager": "none",
            "CgroupMode": namespace_word(&request.cgroupns),
            "ContainerIDFile": request.cidfile.as_ref().map(|p| p.display().to_string()).unwrap_or_default(),
            "LogConfig": {
                "Type": log_driver(request.log.driver),
                "Config": null,
                "Path": log_path,
                "Tag": request.log.tag.clone().unwrap_or_default(),
                "Size": request.log.max_size.map_or_else(|| "0B".to_owned(), |n| format!("{n}B")),
            },
            "NetworkMode": network_word(&self.record.network),
            "PortBindings": port_bindings(&self.record.ports),
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "AutoRemove": request.auto_remove,
            "AutoRemoveImage": false,
            "Annotations": request.annotations,
            "VolumeDriver": "",
            "VolumesFrom": null,
            "CapAdd": request.cap_add,
            "CapDrop": request.cap_drop,
            "Dns": request.dns,
            "DnsOptions": request.dns_option,
            "DnsSearch": request.dns_search,
        });
        let rest = json!({
            "ExtraHosts": extra_hosts,
            "HostsFile": "",
            "GroupAdd": request.group_add,
            "IpcMode": namespace_word(&request.ipc),
            "Cgroup": "",
            "Cgroups": "default",
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
        for part in [rest, no_limits()] {
            if let (Value::Object(config), Value::Object(part)) = (&mut config, part) {
                config.extend(part);
            }
        }
        config
    }
}

/// Limits need a controller; a container that asks for one is refused until there is one to use.
fn no_limits() -> Value {
    json!({
        "CpuShares": 0,
        "Memory": 0,
        "NanoCpus": 0,
        "CgroupParent": "",
        "BlkioWeight": 0,
        "BlkioWeightDevice": null,
        "BlkioDeviceReadBps": null,
        "BlkioDeviceWriteBps": null,
        "BlkioDeviceReadIOps": null,
        "BlkioDeviceWriteIOps": null,
        "CpuPeriod": 0,
        "CpuQuota": 0,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": "",
        "CpusetMems": "",
        "DiskQuota": 0,
        "KernelMemory": 0,
        "MemoryReservation": 0,
        "MemorySwap": 0,
        "MemorySwappiness": 0,
        "OomKillDisable": false,
        "PidsLimit": 0,
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
        "CgroupConf": null,
    })
}

fn state(state: &State) -> InspectState {
    InspectState {
        oci_version: "1.2.0".to_owned(),
        status: state.status.word().to_owned(),
        running: state.status.word() == "running",
        paused: state.status.word() == "paused",
        restarting: false,
        oom_killed: state.oom_killed,
        dead: false,
        pid: state.pid,
        conmon_pid: if state.is_alive() {
            state.monitor_pid
        } else {
            0
        },
        exit_code: state.exit_code,
        error: state.error.clone(),
        started_at: state.started_at.clone().unwrap_or_else(|| NEVER.to_owned()),
        finished_at: state
            .finished_at
            .clone()
            .unwrap_or_else(|| NEVER.to_owned()),
        cgroup_path: String::new(),
        checkpointed_at: NEVER.to_owned(),
        restored_at: NEVER.to_owned(),
        stopped_by_user: state.stopped_by_user,
    }
}

fn config(record: &Record) -> InspectConfig {
    let Record {
        request, process, ..
    } = record;
    let volumes: BTreeMap<String, Value> = record
        .image_volumes
        .iter()
        .map(|v| (v.clone(), json!({})))
        .collect();
    let ports = record
        .exposed
        .iter()
        .map(|&(port, protocol)| (port_key(port, protocol), json!({})))
        .collect();
    InspectConfig {
        hostname: record.hostname.clone(),
        domainname: String::new(),
        user: process.user.clone(),
        attach_stdin: false,
        attach_stdout: false,
        attach_stderr: false,
        tty: request.tty,
        open_stdin: request.interactive,
        stdin_once: false,
        env: process.env.clone(),
        cmd: process.cmd.clone(),
        image: record
            .image
            .as_ref()
            .map(|i| i.name.clone())
            .unwrap_or_default(),
        volumes: (!volumes.is_empty()).then_some(volumes),
        working_dir: process.cwd.clone(),
        entrypoint: (!process.entrypoint.is_empty()).then(|| process.entrypoint.clone()),
        on_build: None,
        labels: record.labels.clone(),
        annotations: request.annotations.clone(),
        stop_signal: signal::name(record.stop_signal),
        exposed_ports: ports,
        create_command: request.create_command.clone(),
        timezone: request.timezone.clone(),
        umask: format!("{:04o}", request.umask.unwrap_or(0o022)),
        timeout: request.timeout.unwrap_or(0),
        stop_timeout: record.stop_timeout,
        passwd: true,
        sd_notify_mode: "container".to_owned(),
    }
}

fn network_settings(record: &Record, state: &State) -> NetworkSettings {
    let mut ports: BTreeMap<String, Option<Vec<HostPort>>> = record
        .exposed
        .iter()
        .map(|&(port, protocol)| (port_key(port, protocol), None))
        .collect();
    for (key, hosts) in port_bindings(&record.ports) {
        ports.insert(key, Some(hosts));
    }
    let mut settings = NetworkSettings {
        ports,
        ..NetworkSettings::default()
    };
    if state.pid > 0 {
        settings.sandbox_key = format!("/proc/{}/ns/net", state.pid);
        settings.gateway = state
            .net
            .gateway
            .map(|ip| ip.to_string())
            .unwrap_or_default();
        for address in &state.net.addresses {
            let text = address.to_string();
            match address.is_ipv4() {
                true if settings.ip_address.is_empty() => settings.ip_address = text,
                false if settings.global_ipv6_address.is_empty() => {
                    settings.global_ipv6_address = text
                }
                _ => {}
            }
        }
    }
    settings
}

/// `80/tcp` → where it is reached; a range is one key a port.
fn port_bindings(ports: &[PortMapping]) -> BTreeMap<String, Vec<HostPort>> {
    let mut bindings: BTreeMap<String, Vec<HostPort>> = BTreeMap::new();
    for mapping in ports {
        for offset in 0..mapping.count {
            let key = port_key(
                mapping.container_port.saturating_add(offset),
                mapping.protocol,
            );
            bindings.entry(key).or_default().push(HostPort {
                host_ip: mapping
                    .host_ip
                    .map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string()),
                host_port: mapping.host_port.saturating_add(offset).to_string(),
            });
        }
    }
    bindings
}

fn port_key(port: u16, protocol: Protocol) -> String {
    let protocol = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    };
    format!("{port}/{protocol}")
}

fn mount_words(options: &MountOptions) -> Vec<String> {
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

fn bind_text(mount: &MountRequest) -> Option<String> {
    let MountRequest::Bind {
        source,
        target,
        options,
    } = mount
    else {
        return None;
    };
    let mut words = vec![if options.read_only { "ro" } else { "rw" }.to_owned()];
    words.push(
        options
            .propagation
            .clone()
            .unwrap_or_else(|| "rprivate".to_owned()),
    );
    words.extend(mount_words(options));
    Some(format!("{}:{target}:{}", source.display(), words.join(",")))
}

/// As `--log-driver` spells it.
pub fn log_driver(driver: LogDriver) -> &'static str {
    match driver {
        LogDriver::K8sFile => "k8s-file",
        LogDriver::None => "none",
        LogDriver::Passthrough => "passthrough",
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_is_one_key_a_port() {
        let mapping = PortMapping {
            host_ip: None,
            host_port: 9000,
            container_port: 80,
            count: 2,
            protocol: Protocol::Udp,
        };
        let got = port_bindings(&[mapping]);
        let keys: Vec<_> = got.keys().map(String::as_str).collect();
        assert_eq!(keys, ["80/udp", "81/udp"]);
        assert_eq!(got["81/udp"][0].host_port, "9001");
        assert_eq!(got["81/udp"][0].host_ip, "0.0.0.0");
    }
}
