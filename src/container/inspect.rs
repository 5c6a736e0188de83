//! The document `pod inspect CONTAINER` prints: Podman's keys and types, filled from record and state.
//!
//! Keys whose subject does not exist here (cgroup limits, health checks, pods) carry what Podman prints where nothing
//! was asked for.

mod document;
mod host_config;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::error::Result;
use crate::net::{PortMapping, Protocol};
use crate::volume;

use super::engine::Container;
use super::health::Startup;
use super::options::Sizes;
use super::record::{Record, State, Status, VolumeMount};
use super::request::{MountRequest, SecretTarget};
use super::signal;
use super::spec::capability_names;
pub use document::{
    GraphDriver, HostPort, InspectConfig, InspectContainer, InspectMount, InspectSecret,
    InspectState, NetworkSettings,
};
pub use host_config::network_word;
use host_config::{mount_words, propagation};

/// What Go prints for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

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
            state: InspectState {
                health: self.health(),
                ..state(&self.state)
            },
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
            conmon_pid_file: request
                .monitor_pidfile
                .as_ref()
                .map(|p| p.display().to_string())
                .unwrap_or_default(),
            pid_file: request
                .pidfile
                .as_ref()
                .map(|p| p.display().to_string())
                .unwrap_or_default(),
            name: name.clone(),
            restart_count: self.state.restart_count.cast_signed(),
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
            config: InspectConfig {
                secrets: self.inspect_secrets(),
                ..config(&self.record)
            },
            host_config: self.host_config(),
            use_image_hosts: request.no_hosts,
            use_image_hostname: request.no_hostname,
        }
    }

    /// Those that are files, as Podman; one that was removed has no id.
    fn inspect_secrets(&self) -> Vec<InspectSecret> {
        let known = match self.record.request.secrets.is_empty() {
            true => Vec::new(),
            false => self.engine.secrets().list().unwrap_or_default(),
        };
        let id = |name: &str| {
            let mut known = known.iter();
            let found = known.find(|secret| secret.name == name || secret.id == name);
            found.map(|secret| secret.id.clone()).unwrap_or_default()
        };
        let secrets = self.record.request.secrets.iter();
        secrets
            .filter_map(|secret| match &secret.to {
                SecretTarget::Env(_) => None,
                SecretTarget::File { uid, gid, mode, .. } => Some(InspectSecret {
                    name: secret.name.clone(),
                    id: id(&secret.name),
                    uid: *uid,
                    gid: *gid,
                    mode: *mode,
                }),
            })
            .collect()
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
        let volumes = self.engine.volumes();
        for mounted in &self.record.volumes {
            let VolumeMount {
                name,
                target,
                options,
                ..
            } = mounted;
            let volume = volumes.get(name).unwrap_or_default(); // a damaged one has no place to show
            let source = volume.map(|volume| volume.source().display().to_string());
            mounts.push(InspectMount {
                kind: "volume",
                name: name.clone(),
                source: source.unwrap_or_default(),
                destination: target.clone(),
                driver: volume::DRIVER.to_owned(),
                mode: options.relabel.map(String::from).unwrap_or_default(),
                options: mount_words(options),
                rw: !options.read_only,
                propagation: propagation(options),
            });
        }
        for asked in &self.record.request.mounts {
            // As Podman: tmpfs is in HostConfig.Tmpfs only.
            let (kind, source, options) = match asked {
                MountRequest::Bind {
                    source, options, ..
                } => ("bind", source.display().to_string(), options),
                MountRequest::Image { image, options, .. } => ("image", image.clone(), options),
                MountRequest::Ramfs { options, .. } => ("ramfs", String::new(), options),
                _ => continue,
            };
            let bind = kind == "bind";
            mounts.push(InspectMount {
                kind,
                name: String::new(),
                source,
                destination: asked.target().to_owned(),
                driver: String::new(),
                mode: options.relabel.map(String::from).unwrap_or_default(),
                options: if bind {
                    mount_words(options)
                } else {
                    Vec::new()
                },
                rw: !options.read_only,
                propagation: if bind {
                    propagation(options)
                } else {
                    String::new()
                },
            });
        }
        mounts
    }
}

fn state(state: &State) -> InspectState {
    InspectState {
        oci_version: "1.2.0".to_owned(),
        status: state.status.word().to_owned(),
        running: state.status.word() == "running",
        paused: state.status.word() == "paused",
        restarting: state.status == Status::Restarting,
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
        cgroup_path: state
            .cgroup
            .as_ref()
            .map(|of| of.group().name())
            .unwrap_or_default(),
        checkpointed_at: NEVER.to_owned(),
        restored_at: NEVER.to_owned(),
        health: None,
        stopped_by_user: state.stopped_by_user,
    }
}

fn config(record: &Record) -> InspectConfig {
    let Record {
        request, process, ..
    } = record;
    let health = record.health.as_deref();
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
        secrets: Vec::new(),
        healthcheck: health.map(|health| health.to_docker()),
        healthcheck_on_failure_action: health.map(|health| health.on_failure.word()),
        health_log_destination: health.map(|health| health.log.to_string()),
        health_max_log_count: health.map(|health| health.max_log_count),
        health_max_log_size: health.map(|health| health.max_log_size),
        startup_health_check: health
            .and_then(|health| health.startup.as_ref())
            .map(Startup::to_docker),
        umask: format!("{:04o}", request.umask.unwrap_or(0o022)),
        timeout: request.timeout.unwrap_or(0),
        stop_timeout: record.stop_timeout,
        passwd: !request.no_passwd,
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
