//! Events: one line of JSON for each thing that happened, with the keys of Podman's file backend.
//!
//!     $RUNROOT/events/log     appended to by whoever does something: commands and monitors, many at once
//!     $RUNROOT/events/log.1   the one before it (`file.rs`)
//!
//! Runs in: cli, and monitor. An event is written after what it tells of. One that cannot be written is lost and
//! nothing else: a full runtime directory must not keep a container from ending.

mod file;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::config;
use crate::error::{Error, Kind, Result};
use crate::rootless::dirs::Dirs;

use super::clock;
use super::engine::{Container, Containers};
use super::record::Record;

pub use file::Appender;
pub use read::Query;

/// Bytes of the file that are enough, unless containers.conf says otherwise (Podman's default too).
const MAX_SIZE: u64 = 1_000_000;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $(#[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: &'static [$name] = &[$(Self::$variant,)+];

            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            pub fn of_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

words! {
    /// What happened. Podman's words.
    Action {
        Attach = "attach",
        AutoUpdate = "auto-update",
        Build = "build",
        Checkpoint = "checkpoint",
        Cleanup = "cleanup",
        Commit = "commit",
        Connect = "connect",
        Copy = "copy",
        Create = "create",
        Died = "died",
        Disconnect = "disconnect",
        Exec = "exec",
        ExecDied = "exec_died",
        Export = "export",
        HealthStatus = "health_status",
        History = "history",
        Import = "import",
        Init = "init",
        Kill = "kill",
        LoadFromArchive = "loadfromarchive",
        LogRotation = "log-rotation",
        Mount = "mount",
        Pause = "pause",
        Prune = "prune",
        Pull = "pull",
        PullError = "pull-error",
        Push = "push",
        Refresh = "refresh",
        Remove = "remove",
        Rename = "rename",
        Renumber = "renumber",
        Restart = "restart",
        Restore = "restore",
        Rotate = "rotate",
        Save = "save",
        Start = "start",
        Stop = "stop",
        Sync = "sync",
        Tag = "tag",
        Unmount = "unmount",
        Unpause = "unpause",
        Untag = "untag",
        Update = "update",
    }
}

words! {
    /// To what.
    Type {
        Container = "container",
        Image = "image",
        Network = "network",
        Pod = "pod",
        System = "system",
        Volume = "volume",
        Machine = "machine",
        Secret = "secret",
        Artifact = "artifact",
    }
}

/// One event, as the file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    #[serde(rename = "ContainerExitCode", skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(rename = "ID", default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    #[serde(rename = "Image", default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    #[serde(rename = "Name", default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network: String,
    #[serde(rename = "Status")]
    pub action: Action,
    /// RFC 3339 with nanoseconds.
    #[serde(rename = "Time")]
    pub time: String,
    #[serde(rename = "Type")]
    pub kind: Type,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub health_status: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub health_log: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub health_failing_streak: u32,
    #[serde(rename = "Error", default, skip_serializing_if = "String::is_empty")]
    pub error: String,
    #[serde(rename = "PodID", default, skip_serializing_if = "String::is_empty")]
    pub pod_id: String,
    /// A container's labels, and what belongs to the action.
    #[serde(rename = "Attributes", default)]
    pub attributes: Option<BTreeMap<String, String>>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Event {
    fn new(kind: Type, action: Action) -> Self {
        Self {
            exit_code: None,
            id: String::new(),
            image: String::new(),
            name: String::new(),
            network: String::new(),
            action,
            time: clock::rfc3339(SystemTime::now(), 0),
            kind,
            health_status: String::new(),
            health_log: String::new(),
            health_failing_streak: 0,
            error: String::new(),
            pod_id: String::new(),
            attributes: None,
        }
    }

    /// Something that happens to a container now.
    pub fn container(action: Action, record: &Record) -> Self {
        Self {
            id: record.id.clone(),
            image: record
                .image
                .as_ref()
                .map(|image| image.name.clone())
                .unwrap_or_default(),
            name: record.name.clone(),
            attributes: Some(record.labels.clone()),
            ..Self::new(Type::Container, action)
        }
    }

    /// Something that happens to an image; `name` as the user knows it, `id` without `sha256:`.
    pub fn image(action: Action, id: &str, name: &str) -> Self {
        Self {
            id: id.trim_start_matches("sha256:").to_owned(),
            name: name.to_owned(),
            ..Self::new(Type::Image, action)
        }
    }

    pub fn volume(action: Action, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::new(Type::Volume, action)
        }
    }

    pub fn secret(action: Action, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::new(Type::Secret, action)
        }
    }

    pub fn system(action: Action) -> Self {
        Self::new(Type::System, action)
    }

    pub fn exit_code(mut self, code: i32) -> Self {
        self.exit_code = Some(code);
        self
    }

    pub fn attribute(mut self, key: &str, value: impl Into<String>) -> Self {
        self.attributes
            .get_or_insert_default()
            .insert(key.to_owned(), value.into());
        self
    }

    pub fn error(mut self, text: &str) -> Self {
        text.clone_into(&mut self.error);
        self
    }

    /// Of a `health_status` event.
    pub fn health(mut self, status: &str, failing_streak: u32, log: &str) -> Self {
        status.clone_into(&mut self.health_status);
        self.health_failing_streak = failing_streak;
        log.clone_into(&mut self.health_log);
        self
    }
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    None,
    File { path: PathBuf, max_size: u64 },
}

/// A backend that is found out when the first event comes, unless [`Containers::with_events`] has told it.
#[derive(Debug, Clone, Default)]
pub(super) struct Events {
    backend: Arc<OnceLock<Backend>>,
}

impl Backend {
    /// `flag`: `--events-backend`, which goes before containers.conf.
    pub fn choose(
        flag: Option<&str>,
        config: &config::containers::Containers,
        dirs: &Dirs,
    ) -> Result<Self> {
        let (word, source) = match flag {
            Some(word) => (word, "--events-backend"),
            None => (
                config.events_logger.as_deref().unwrap_or("file"),
                "events_logger of containers.conf",
            ),
        };
        match word {
            "none" => Ok(Self::None),
            "" | "file" => Ok(Self::File {
                path: match &config.events_logfile_path {
                    Some(path) => path.clone(),
                    None => dirs.run.join("events/log"),
                },
                max_size: config
                    .events_logfile_max_size
                    .filter(|&size| size > 0)
                    .unwrap_or(MAX_SIZE),
            }),
            "journald" => Err(Error::new(
                Kind::Unsupported,
                format!("use {source}: journald is not available in this version of pod"),
            )
            .hint("use file or none")),
            other => Err(Error::usage(format!(
                "use {source}: unknown events logger type: {other}"
            ))),
        }
    }
}

impl Containers {
    /// Settles where events go; without this containers.conf is read when the first one comes.
    pub fn with_events(self, backend: Backend) -> Self {
        let _ = self.events.backend.set(backend); // the first answer holds
        self
    }

    /// Writes one event. See the module's header for failures.
    pub fn emit(&self, event: &Event) {
        self.emit_all(std::slice::from_ref(event));
    }

    /// Writes several events at once, for one that does not keep the file open.
    pub fn emit_all(&self, events: &[Event]) {
        if !events.is_empty()
            && let Some(mut log) = self.event_log()
        {
            log.keep(); // it may be full
            log.append(events);
        }
    }

    /// The file, to write to more than once; `None`: no events are kept.
    pub(super) fn event_log(&self) -> Option<Appender> {
        match self.backend() {
            Backend::None => None,
            Backend::File { path, max_size } => Appender::open(path, *max_size),
        }
    }

    pub(super) fn backend(&self) -> &Backend {
        self.events.backend.get_or_init(|| {
            config::containers::Containers::load(&self.me)
                .and_then(|config| Backend::choose(None, &config, &self.dirs))
                .unwrap_or(Backend::None)
        })
    }
}

impl Container {
    /// Writes an event of this container.
    pub fn emit(&self, action: Action) {
        self.engine.emit(&Event::container(action, &self.record));
    }
}
