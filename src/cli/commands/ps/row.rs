//! One container as `ps` shows it: Podman's JSON keys and template fields.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use gotmpl::Value;
use serde::Serialize;

use crate::cli::filter::{created_at, state_word};
use crate::cli::output::{human, network_word, template};
use crate::container::record::{Record, Status};
use crate::container::request::MountRequest;
use crate::container::{Container, clock};
use crate::error::Result;
use crate::net::{NetworkMode, ports};

/// Go's zero time as a Unix time: what has not happened.
const NEVER: i64 = -62_135_596_800;

/// What the command line wants to see.
#[derive(Debug)]
pub struct Show {
    pub now: SystemTime,
    /// `--no-trunc`
    pub full: bool,
    /// Walk each container's files.
    pub size: bool,
    pub namespaces: bool,
}

/// One element of `ps --format json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Row {
    auto_remove: bool,
    command: Vec<String>,
    pub created_at: String,
    #[serde(rename = "CIDFile")]
    cidfile: String,
    exited: bool,
    exited_at: i64,
    exit_code: i32,
    exposed_ports: Option<BTreeMap<String, Vec<String>>>,
    pub id: String,
    pub image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    is_infra: bool,
    labels: Option<BTreeMap<String, String>>,
    mounts: Vec<String>,
    pub names: Vec<String>,
    pub namespaces: BTreeMap<&'static str, String>,
    networks: Vec<String>,
    pub pid: i32,
    pod: String,
    pod_name: String,
    ports: Option<Vec<Port>>,
    restarts: u32,
    pub size: Option<Size>,
    started_at: i64,
    pub state: &'static str,
    pub status: String,
    pub created: i64,
    #[serde(skip)]
    pub port_column: String,
    #[serde(skip)]
    user: String,
    #[serde(skip)]
    created_time: SystemTime,
}

#[derive(Debug, Serialize)]
struct Port {
    host_ip: String,
    container_port: u16,
    host_port: u16,
    range: u16,
    protocol: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Size {
    #[serde(rename = "rootFsSize")]
    pub root_fs_size: u64,
    #[serde(rename = "rwSize")]
    rw_size: u64,
}

impl Row {
    pub fn new(container: &Container, show: &Show) -> Result<Self> {
        let (record, state) = (&container.record, &container.state);
        let created_time = created_at(container)?;
        let running = matches!(
            state.status,
            Status::Running | Status::Paused | Status::Stopping
        );
        let size = match show.size {
            true => {
                let sizes = container.sizes()?;
                Some(Size {
                    root_fs_size: sizes.root_fs,
                    rw_size: sizes.rw,
                })
            }
            false => None,
        };
        let image = record.image.as_ref();
        Ok(Self {
            auto_remove: record.request.auto_remove,
            command: record.process.args.clone(),
            created_at: human::ago(created_time, show.now),
            cidfile: record
                .request
                .cidfile
                .as_ref()
                .map_or_else(String::new, |path| path.display().to_string()),
            exited: state.status == Status::Exited,
            exited_at: unix(state.finished_at.as_deref()),
            exit_code: state.exit_code,
            exposed_ports: exposed(container),
            id: record.id.clone(),
            image: image.map_or_else(String::new, |image| image.name.clone()),
            image_id: image.map_or_else(String::new, |image| image.id.clone()),
            is_infra: false,
            labels: (!record.labels.is_empty()).then(|| record.labels.clone()),
            mounts: mount_targets(record),
            names: vec![record.name.clone()],
            namespaces: if show.namespaces {
                namespaces(container)
            } else {
                BTreeMap::new()
            },
            networks: networks(&record.network),
            pid: if running { state.pid } else { 0 },
            pod: String::new(),
            pod_name: String::new(),
            ports: port_list(container),
            restarts: state.restart_count,
            size,
            started_at: unix(state.started_at.as_deref()),
            state: state_word(state.status),
            status: status(container, show.now),
            created: seconds(created_time),
            port_column: ports::column(&record.ports, &record.exposed),
            user: record.process.user.clone(),
            created_time,
        })
    }

    pub fn short_id(&self, full: bool) -> String {
        if full {
            self.id.clone()
        } else {
            short(&self.id)
        }
    }

    pub fn command_text(&self) -> String {
        self.command.join(" ")
    }

    /// Cut to Podman's 17 characters and three dots.
    pub fn short_command(&self, full: bool) -> String {
        let text = self.command_text();
        // A command may hold anything; a list has one line a container.
        let text = text.replace(['\n', '\t', '\r'], " ");
        match text.char_indices().nth(17) {
            Some((end, _)) if !full => format!("{}...", &text[..end]),
            _ => text,
        }
    }

    /// `11.2kB (virtual 8.1MB)`
    pub fn size_text(&self) -> String {
        self.size.map_or_else(String::new, |size| {
            format!(
                "{} (virtual {})",
                human::size(size.rw_size, 3),
                human::size(size.root_fs_size, 3)
            )
        })
    }

    /// The row as templates see it.
    pub fn value(&self, show: &Show) -> Result<Value> {
        let text = |text: &str| Value::String(Arc::from(text));
        let ns = |kind| text(self.namespaces.get(kind).map_or("", String::as_str));
        // As Go prints a time.Time.
        let created = jiff::Timestamp::try_from(self.created_time)
            .map(|time| time.strftime("%Y-%m-%d %H:%M:%S.%9f +0000 UTC").to_string())
            .unwrap_or_default();
        let map = |map: &Option<BTreeMap<String, String>>| {
            let map = map.iter().flatten();
            Value::Map(Arc::new(
                map.map(|(k, v)| (Arc::from(k.as_str()), text(v))).collect(),
            ))
        };
        template::row(
            self,
            vec![
                ("ID", text(&self.short_id(show.full))),
                (
                    "ImageID",
                    text(&if show.full {
                        self.image_id.clone()
                    } else {
                        short(&self.image_id)
                    }),
                ),
                ("Command", text(&self.short_command(show.full))),
                ("Created", text(&created)),
                ("CreatedAt", text(&created)),
                ("CreatedHuman", text(&self.created_at)),
                ("RunningFor", text(&self.created_at)),
                ("Names", text(&self.names.join(","))),
                ("Networks", text(&self.networks.join(","))),
                ("Mounts", text(&self.mounts.join(","))),
                ("Ports", text(&self.port_column)),
                ("Labels", map(&self.labels)),
                ("Size", text(&self.size_text())),
                ("Status", text(&self.status)),
                ("User", text(&self.user)),
                ("CGROUPNS", ns("Cgroup")),
                ("Cgroup", ns("Cgroup")),
                ("IPC", ns("IPC")),
                ("MNT", ns("MNT")),
                ("NET", ns("NET")),
                ("PIDNS", ns("PIDNS")),
                ("USERNS", ns("User")),
                ("UTS", ns("UTS")),
            ],
        )
    }
}

fn short(id: &str) -> String {
    id.get(..12).unwrap_or(id).to_owned()
}

fn unix(time: Option<&str>) -> i64 {
    time.and_then(clock::parse).map_or(NEVER, seconds)
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(NEVER, |since| since.as_secs() as i64)
}

fn status(container: &Container, now: SystemTime) -> String {
    let state = &container.state;
    let since = |time: Option<&str>| time.and_then(clock::parse);
    match state.status {
        Status::Running => match since(state.started_at.as_deref()) {
            Some(start) => {
                let up = human::duration(now.duration_since(start).unwrap_or_default());
                match container.health_word() {
                    Some(health) => format!("Up {up} ({health})"),
                    None => format!("Up {up}"),
                }
            }
            None => "Up".to_owned(),
        },
        Status::Exited => match since(state.finished_at.as_deref()) {
            Some(end) => format!("Exited ({}) {}", state.exit_code, human::ago(end, now)),
            None => format!("Exited ({})", state.exit_code),
        },
        Status::Created => "Created".to_owned(),
        Status::Initialized => "Initialized".to_owned(),
        Status::Paused => "Paused".to_owned(),
        Status::Stopping => "Stopping".to_owned(),
        Status::Restarting => match since(state.finished_at.as_deref()) {
            Some(end) => format!("Restarting ({}) {}", state.exit_code, human::ago(end, now)),
            None => format!("Restarting ({})", state.exit_code),
        },
    }
}

/// Podman's keys of namespaces.
/// A volume that was asked for is in both lists.
fn mount_targets(record: &Record) -> Vec<String> {
    let of_volumes = record.volumes.iter().map(|volume| volume.target.clone());
    let others = record
        .request
        .mounts
        .iter()
        .filter(|mount| !matches!(mount, MountRequest::Volume { .. }));
    let others = others.map(|mount| mount.target().to_owned());
    others.chain(of_volumes).collect()
}

fn namespaces(container: &Container) -> BTreeMap<&'static str, String> {
    container
        .namespaces()
        .into_iter()
        .map(|(kind, number)| {
            let key = match kind {
                "cgroup" => "Cgroup",
                "ipc" => "IPC",
                "mnt" => "MNT",
                "net" => "NET",
                "pid" => "PIDNS",
                "user" => "User",
                _ => "UTS",
            };
            (key, number)
        })
        .collect()
}

fn networks(mode: &NetworkMode) -> Vec<String> {
    match mode {
        NetworkMode::Pasta { .. } | NetworkMode::Slirp4netns { .. } => {
            vec![network_word(mode).to_owned()]
        }
        _ => Vec::new(),
    }
}

fn exposed(container: &Container) -> Option<BTreeMap<String, Vec<String>>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (port, protocol) in &container.record.exposed {
        all.entry(port.to_string())
            .or_default()
            .push(protocol.to_string());
    }
    (!all.is_empty()).then_some(all)
}

fn port_list(container: &Container) -> Option<Vec<Port>> {
    let list: Vec<Port> = container
        .record
        .ports
        .iter()
        .map(|port| Port {
            host_ip: port.host_ip.map_or_else(String::new, |ip| ip.to_string()),
            container_port: port.container_port,
            host_port: port.host_port,
            range: port.count,
            protocol: port.protocol.to_string(),
        })
        .collect();
    (!list.is_empty()).then_some(list)
}
