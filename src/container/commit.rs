//! What becomes of a container's tree: an image, an archive, a list of changes.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::error::{Error, Kind, Result};
use crate::image::Images;
use crate::image::change::{self, Change};
use crate::image::commit::{CommitRequest, Committed, Format};
use crate::image::reference::Reference;
use crate::storage::Digest;
use crate::storage::pack::{self, Packed, Tree, Writable};
use crate::userns::map::IdMaps;
use crate::userns::mode;

use super::clock;
use super::engine::{Container, Containers};
use super::events::Action;
use super::record::Record;
use super::request::{MountRequest, UsernsMode};

/// `commit`
#[derive(Debug, Clone)]
pub struct CommitOptions {
    /// `None`: the image has its id only.
    pub name: Option<Reference>,
    pub author: Option<String>,
    pub message: Option<String>,
    pub changes: Vec<Change>,
    pub format: Format,
    pub squash: bool,
    /// Targets of the user's volumes become volumes of the image.
    pub include_volumes: bool,
    /// Freeze the container's processes meanwhile; `None`: where it has a group of its own.
    pub pause: Option<bool>,
}

impl Container {
    /// Makes an image of the container as it is now, running or not.
    pub fn commit(&self, images: &Images<'_>, options: &CommitOptions) -> Result<Committed> {
        let record = &self.record;
        if record.request.rootfs.is_some() {
            return Err(Error::new(
                Kind::Unsupported,
                "cannot commit a container that uses an exploded rootfs",
            ));
        }
        if options.message.is_some() && options.format == Format::Oci {
            return Err(Error::usage(
                "messages are only compatible with the docker image format (-f docker)",
            ));
        }
        let _frozen = match options.pause {
            Some(true) => self.freeze_for_now()?,
            None if self.is_freezable() => self.freeze_for_now()?,
            Some(false) | None => None,
        };
        let base = match &record.image {
            Some(image) => Some((Digest::from_sha256_hex(&image.id)?, image.name.as_str())),
            None => None,
        };
        let below = match &base {
            Some((id, _)) => images.config_document(id)?,
            None => Map::new(),
        };
        let mut settings = match below.get("config") {
            Some(Value::Object(config)) => config.clone(),
            _ => Map::new(),
        };
        self.settle_config(&mut settings, options);
        let tree = self.tree();
        let created = clock::now();
        let request = CommitRequest {
            tree: &tree,
            base,
            squash: options.squash,
            settings,
            author: options.author.as_deref(),
            message: options.message.as_deref(),
            format: options.format,
            created: &created,
            name: options.name.as_ref(),
        };
        let committed = images.commit(&request, &|| self.still_there())?;
        self.emit(Action::Commit);
        Ok(committed)
    }

    /// Writes the container's whole tree to `to`, a tar.
    pub fn export(&self, to: OwnedFd) -> Result<Packed> {
        let packed = pack::export(&self.host_maps()?, &self.tree(), to)?;
        self.still_there()?;
        self.emit(Action::Export);
        Ok(packed)
    }

    /// What the container changed in its image, in the order of a walk.
    pub fn changes(&self) -> Result<Vec<pack::Change>> {
        let tree = self.tree();
        match &tree.upper {
            Some(upper) => pack::changes_of(&self.host_maps()?, upper, &tree.layers),
            None => Ok(Vec::new()),
        }
    }

    /// What the container sees, less its mounts.
    pub fn tree(&self) -> Tree {
        let record = &self.record;
        let (upper, layers) = match &record.request.rootfs {
            Some(dir) if record.has_upper() => (self.dir().join("upper"), vec![dir.clone()]),
            Some(dir) => (dir.clone(), Vec::new()),
            None => {
                let store = &self.engine.dirs.store;
                let layers = record.layers.iter().map(|layer| store.join(layer));
                (self.dir().join("upper"), layers.collect::<Vec<PathBuf>>())
            }
        };
        Tree {
            upper: Some(upper),
            layers,
            ids: record.ids.clone(),
        }
    }

    /// Where a mount of the tree can write to; `None` while the container does so itself, or has a directory for a tree.
    pub fn writable(&self) -> Option<Writable> {
        let free = self.record.has_upper() && !self.state.is_alive();
        free.then(|| Writable {
            upper: self.dir().join("upper"),
            work: self.dir().join("work"),
        })
    }

    /// The ids that the store's layers have.
    pub fn host_maps(&self) -> Result<IdMaps> {
        self.engine.host_maps()
    }
}

impl Containers {
    /// The ids that the store's layers have, and volumes that no container has given others.
    pub fn host_maps(&self) -> Result<IdMaps> {
        let me = &self.me;
        mode::maps(&UsernsMode::Host, me.uid.as_raw(), me.gid.as_raw(), || {
            me.name()
        })
    }
}

impl Container {
    /// A removal takes the record away before it touches the tree: with the record there, the tree was whole.
    fn still_there(&self) -> Result<()> {
        match self.engine.load_record(&self.record.id)? {
            Some(_) => Ok(()),
            None => Err(Error::new(
                Kind::NotFound,
                format!("container {} was removed meanwhile", self.record.id),
            )),
        }
    }

    /// The image's settings as the container has them, then what the user changes.
    fn settle_config(&self, config: &mut Map<String, Value>, options: &CommitOptions) {
        let record = &self.record;
        let process = &record.process;
        config.insert("Entrypoint".into(), json!(process.entrypoint));
        config.insert("Cmd".into(), json!(process.cmd));
        let given = |name: &str| record.request.env.iter().any(|(known, _)| known == name);
        let of_image = |config: &Map<String, Value>, name: &str| {
            let lines = config.get("Env").and_then(Value::as_array);
            let mut names = lines
                .into_iter()
                .flatten()
                .filter_map(|line| line.as_str()?.split('=').next());
            names.any(|known| known == name)
        };
        for line in &process.env {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            // The host's: set anew for every container.
            let is_hosts = name == "HOSTNAME" || name.to_ascii_lowercase().ends_with("_proxy");
            if !is_hosts || given(name) || of_image(config, name) {
                change::set_env(config, name, value);
            }
        }
        if !process.user.is_empty() {
            config.insert("User".into(), json!(process.user));
        }
        config.insert("WorkingDir".into(), json!(process.cwd));
        for (name, value) in &record.labels {
            change::object(config, "Labels").insert(name.clone(), json!(value));
        }
        let ports = exposed(record);
        if !ports.is_empty() {
            change::add_keys(config, "ExposedPorts", &ports);
        }
        if options.include_volumes {
            let targets: Vec<String> = record.request.mounts.iter().filter_map(target).collect();
            if !targets.is_empty() {
                change::add_keys(config, "Volumes", &targets);
            }
        }
        config.retain(|key, value| {
            let empty = value.as_array().is_some_and(Vec::is_empty);
            !(empty && (key == "Entrypoint" || key == "Cmd"))
        });
        change::apply(config, &options.changes);
    }
}

fn exposed(record: &Record) -> Vec<String> {
    let published = record.ports.iter().flat_map(|port| {
        let last = port
            .container_port
            .saturating_add(port.count.saturating_sub(1));
        (port.container_port..=last).map(|number| (number, port.protocol))
    });
    let mut ports: Vec<String> = published
        .chain(record.exposed.iter().copied())
        .map(|(port, protocol)| format!("{port}/{protocol}"))
        .collect();
    ports.sort();
    ports.dedup();
    ports
}

fn target(mount: &MountRequest) -> Option<String> {
    match mount {
        MountRequest::Bind { target, .. } => Some(target.clone()),
        _ => None,
    }
}
