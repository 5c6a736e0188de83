//! Volumes: directories that outlive containers, by name.
//!
//!     volumes/<name>/volume.json   VolumeRecord: comes last in a creation, goes first in a removal
//!     volumes/<name>/_data         what containers see
//!     volumes/<name>/lock          held by who fills the volume
//!     volumes/<name>/fill          files of an image on their way into `_data`
//!
//! Names are given and taken under the store's structure lock, and a directory without a record is what a killed
//! command left: the next creation of that name, or the next listing, removes it. An anonymous volume names the
//! container it was made for until that container is removed without it; one whose container does not exist is
//! garbage.

mod archive;
mod fill;
mod list;
mod options;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, Tried};
use crate::state::{self, Durable};
use crate::storage::Store;

pub use fill::{Image, Wanted};
pub use options::{Backing, Options};

pub const VERSION: u32 = 1;
/// The only driver there is: a directory of the store.
pub const DRIVER: &str = "local";

/// The volumes of one store. Making one touches nothing.
#[derive(Debug, Clone)]
pub struct Volumes {
    store: PathBuf,
}

/// What is kept of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecord {
    pub version: u32,
    pub name: String,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `--opt`, as given.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Made for `-v /path` or an image's `VOLUME`, under a generated name.
    #[serde(default)]
    pub anonymous: bool,
    /// Full id of the container an anonymous volume goes with.
    #[serde(default)]
    pub container: Option<String>,
    /// `--uid` and `--gid`: ids in the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Nothing was mounted yet: the first container fills it from its image and gives it an owner.
    pub fresh: bool,
}

/// A volume that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub record: VolumeRecord,
    /// What containers see.
    pub data: PathBuf,
}

impl Volume {
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// The host's directory that `--opt o=bind --opt device=PATH` puts in the volume's place.
    pub fn source(&self) -> &Path {
        match self.record.options.get("device") {
            Some(device)
                if self
                    .record
                    .options
                    .get("type")
                    .is_none_or(|kind| kind != "tmpfs") =>
            {
                Path::new(device)
            }
            _ => &self.data,
        }
    }

    /// Its files are in the store; not in a directory of the host, nor in memory.
    fn is_own_directory(&self) -> bool {
        let in_memory = || {
            self.record
                .options
                .get("type")
                .is_some_and(|kind| kind == "tmpfs")
        };
        self.source() == self.data && !in_memory()
    }

    /// Where its files are, and words for the mount.
    pub fn backing(&self) -> Result<(Backing, Vec<String>)> {
        let named = |err: Error| err.context(format!("mount volume {}", self.name()));
        let mut options = Options::read(&self.record.options).map_err(named)?;
        if options.tmpfs {
            let (uid, gid) = self.owner();
            let owner = [("uid", uid), ("gid", gid)];
            let owner = owner
                .iter()
                .filter_map(|(key, id)| Some(format!("{key}={}", (*id)?)));
            options.data.extend(owner);
            return Ok((Backing::Tmpfs(options.data), options.words));
        }
        let dir = options.device.unwrap_or_else(|| self.data.clone());
        Ok((Backing::Dir(dir), options.words))
    }

    /// Uid and gid in the container that its directory shall have.
    pub fn owner(&self) -> (Option<u32>, Option<u32>) {
        let read = Options::read(&self.record.options).unwrap_or_default();
        let (uid, gid) = (self.record.uid, self.record.gid);
        (uid.or(read.uid), gid.or(read.gid))
    }
}

/// What a new volume shall be like.
#[derive(Debug, Clone, Default)]
pub struct NewVolume {
    pub labels: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// For an anonymous volume, the container it goes with.
    pub anonymous_of: Option<String>,
}

impl Volumes {
    /// `store`: the root of the store.
    pub fn new(store: &Path) -> Self {
        Self {
            store: store.to_path_buf(),
        }
    }

    /// Makes a volume. `Kind::InUse`: the name is taken.
    pub fn create(&self, name: &str, new: NewVolume, created: String) -> Result<Volume> {
        check_name(name)?;
        Options::read(&new.options)?;
        let store = Store::at(&self.store)?;
        let _lock = store.lock_structure()?;
        if self.load(name)?.is_some() {
            return Err(Error::new(
                Kind::InUse,
                format!("volume with name {name} already exists: volume already exists"),
            ));
        }
        let home = self.home(name);
        if fs::symlink_metadata(&home).is_ok() {
            store.remove_tree(&home)?; // of a killed command
        }
        let tried = || format!("make volume {name}");
        make_dir(&self.store.join("volumes"), 0o700).tried(tried)?;
        make_dir(&home, 0o700).tried(tried)?;
        make_dir(&home.join("_data"), 0o755).tried(tried)?;
        let record = VolumeRecord {
            version: VERSION,
            name: name.to_owned(),
            created,
            labels: new.labels,
            options: new.options,
            uid: new.uid,
            gid: new.gid,
            anonymous: new.anonymous_of.is_some(),
            container: new.anonymous_of,
            fresh: true,
        };
        state::save(&home.join("volume.json"), &record, Durable::Yes)?;
        Ok(self.volume(record))
    }

    /// The volume of exactly that name.
    pub fn get(&self, name: &str) -> Result<Option<Volume>> {
        if check_name(name).is_err() {
            return Ok(None);
        }
        Ok(self.load(name)?.map(|record| self.volume(record)))
    }

    /// The directory that containers see, or will see when the volume has been made.
    pub fn source(&self, name: &str) -> Result<PathBuf> {
        Ok(match self.get(name)? {
            Some(volume) => volume.source().to_path_buf(),
            None => self.home(name).join("_data"),
        })
    }

    /// By name, or by the beginning of one that no other has.
    pub fn find(&self, name: &str) -> Result<Volume> {
        if let Some(volume) = self.get(name)? {
            return Ok(volume);
        }
        let mut matching = self.names()?;
        matching.retain(|known| known.starts_with(name));
        match &matching[..] {
            [only] if !name.is_empty() => self.get(only)?.ok_or_else(|| no_such(name)),
            [_, _, ..] if !name.is_empty() => Err(Error::new(
                Kind::InUse,
                format!("more than one result for volume name {name}: volume already exists"),
            )),
            _ => Err(no_such(name)),
        }
    }

    /// Removes a volume that no container uses. `users`: full ids of containers with this volume, asked under the
    /// lock that new users need. `Kind::InUse`: there are some.
    pub fn remove(&self, name: &str, users: &dyn Fn() -> Result<Vec<String>>) -> Result<()> {
        let store = Store::at(&self.store)?;
        let lock = store.lock_structure()?;
        if self.load(name)?.is_none() {
            return Err(no_such(name));
        }
        let users = users()?;
        if !users.is_empty() {
            return Err(Error::new(
                Kind::InUse,
                format!(
                    "volume {name} is being used by the following container(s): {}: volume is being used",
                    users.join(", ")
                ),
            ));
        }
        self.unname(name)?;
        drop(lock); // unlinking takes long and needs no lock: without a record it is garbage already
        store.remove_tree(&self.home(name))
    }

    /// An anonymous volume becomes one that stays when its container goes.
    pub fn keep(&self, name: &str) -> Result<()> {
        let store = Store::at(&self.store)?;
        let _lock = store.lock_structure()?;
        match self.load(name)? {
            Some(mut record) if record.container.is_some() => {
                record.container = None;
                state::save(&self.home(name).join("volume.json"), &record, Durable::Yes)
            }
            _ => Ok(()),
        }
    }

    fn unname(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.home(name).join("volume.json")) {
            Err(err) if err.kind() != ErrorKind::NotFound => {
                Err(Error::io(&err, format!("remove volume {name}")))
            }
            _ => Ok(()),
        }
    }

    fn load(&self, name: &str) -> Result<Option<VolumeRecord>> {
        let record: Option<VolumeRecord> = state::load(&self.home(name).join("volume.json"))?;
        match record {
            Some(record) if record.version > VERSION => Err(Error::new(
                Kind::Unsupported,
                format!(
                    "read volume {name}: its record has version {}, this program knows {VERSION}",
                    record.version
                ),
            )
            .hint("use the newer pod that made it")),
            record => Ok(record),
        }
    }

    fn volume(&self, record: VolumeRecord) -> Volume {
        Volume {
            data: self.home(&record.name).join("_data"),
            record,
        }
    }

    /// `volumes/<name>` of the store.
    fn home(&self, name: &str) -> PathBuf {
        let mut path = self.store.join("volumes");
        path.push(name);
        path
    }
}

/// Podman's rule for names of volumes and containers, `[a-zA-Z0-9][a-zA-Z0-9_.-]*`; 255 bytes at most, the longest
/// file name.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    first && rest && name.len() <= 255
}

/// Refuses what is no name.
pub fn check_name(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "volume name {name:?}: names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument"
    )))
}

/// Podman's words.
fn no_such(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no volume with name {name:?} found: no such volume"),
    )
}

/// A directory of exactly this mode, whatever the umask is.
fn make_dir(path: &Path, mode: u32) -> std::io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
        Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(err) => Err(err),
    }
}
