//! The containers of one store, and one container of it: where their files are, and how they are found.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::dirs::Dirs;
use crate::rootless::identity::Identity;
use crate::state::{self, Folder};

use super::events::Events;
use super::record::{Record, State, VERSION};

/// All containers of a store. Making one touches nothing.
#[derive(Debug, Clone)]
pub struct Containers {
    // Shared: every container holds a copy of this, and there may be thousands.
    pub(super) dirs: Arc<Dirs>,
    pub(super) me: Arc<Identity>,
    pub(super) events: Events,
}

/// One container as it was when it was looked up; methods look again where it matters.
#[derive(Debug, Clone)]
pub struct Container {
    pub record: Record,
    /// Settled: a container said to run here did run when it was read.
    pub state: State,
    pub(super) engine: Containers,
}

impl Containers {
    pub fn new(dirs: &Dirs, me: &Identity) -> Self {
        Self {
            dirs: Arc::new(dirs.clone()),
            me: Arc::new(me.clone()),
            events: Events::default(),
        }
    }

    /// By exact name, full id, or unique prefix of an id.
    pub fn find(&self, name_or_id: &str) -> Result<Container> {
        let id = self.resolve(name_or_id)?;
        self.open(&id)?
            // A rename that was killed leaves a link with a name that the record does not have.
            .filter(|found| found.record.name == name_or_id || id.starts_with(name_or_id))
            .ok_or_else(|| no_such(name_or_id))
    }

    /// Tells whether `find` would succeed.
    pub fn exists(&self, name_or_id: &str) -> Result<bool> {
        match self.find(name_or_id) {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == Kind::NotFound => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// Oldest first. A container that cannot be read is reported beside those that can.
    pub fn list(&self) -> Result<(Vec<Container>, Vec<Error>)> {
        let mut found = Vec::new();
        let mut failures = Vec::new();
        let Some(mut folder) = Folder::open(&self.dirs.store.join("containers"))? else {
            return Ok((Vec::new(), failures));
        };
        for id in self.ids()? {
            match self.open_in(&id, &mut folder) {
                Ok(Some(container)) => found.push(Some(container)),
                Ok(None) => self.sweep(&id),
                Err(err) => failures.push(err),
            }
        }
        // A container is large: its place is found first, and it is moved once.
        let mut order: Vec<usize> = (0..found.len()).collect();
        let age = |at: &usize| {
            found[*at]
                .as_ref()
                .map(|c| (&c.record.created, &c.record.id))
        };
        order.sort_by(|a, b| age(a).cmp(&age(b)));
        let sorted = order.into_iter().filter_map(|at| found[at].take());
        Ok((sorted.collect(), failures))
    }

    /// Records of the containers in other stores that use images of ours. Nothing of theirs is touched.
    pub fn elsewhere(&self, stores: &[PathBuf]) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        for store in stores.iter().filter(|store| **store != self.dirs.store) {
            let mut dirs = Dirs::clone(&self.dirs);
            dirs.store.clone_from(store);
            let other = Containers::new(&dirs, &self.me);
            for id in other.ids()? {
                records.extend(other.load_record(&id)?);
            }
        }
        Ok(records)
    }

    /// The one created last.
    pub fn latest(&self) -> Result<Container> {
        let (mut found, mut failures) = self.list()?;
        match (found.pop(), failures.pop()) {
            (Some(last), _) => Ok(last),
            (None, Some(err)) => Err(err),
            (None, None) => Err(Error::new(
                Kind::NotFound,
                "no containers found: no such container",
            )),
        }
    }

    /// Reads one container and settles its state; `None`: it does not exist (any more), or only half.
    pub(super) fn open(&self, id: &str) -> Result<Option<Container>> {
        let Some(record) = self.load_record(id)? else {
            return Ok(None);
        };
        let state = self.load_state(id)?;
        self.settled(record, state)
    }

    /// As [`Containers::open`], with the directory of all containers open.
    fn open_in(&self, id: &str, folder: &mut Folder) -> Result<Option<Container>> {
        let Some(record) = known(folder.load(&format!("{id}/config.json"))?)? else {
            return Ok(None);
        };
        let state = folder.load(&format!("{id}/state.json"))?;
        self.settled(record, state.unwrap_or_default())
    }

    fn settled(&self, record: Record, state: State) -> Result<Option<Container>> {
        let mut container = Container {
            record,
            state,
            engine: self.clone(),
        };
        match container.settle()? {
            true => Ok(Some(container)),
            false => Ok(None),
        }
    }

    pub(super) fn load_record(&self, id: &str) -> Result<Option<Record>> {
        known(state::load(&self.dir(id).join("config.json"))?)
    }

    /// What was written last, not settled; a container never started has no file.
    pub(super) fn load_state(&self, id: &str) -> Result<State> {
        Ok(state::load(&self.dir(id).join("state.json"))?.unwrap_or_default())
    }

    fn resolve(&self, name_or_id: &str) -> Result<String> {
        if super::names::check(name_or_id).is_err() {
            return Err(no_such(name_or_id));
        }
        if let Some(id) = self.id_of_name(name_or_id)? {
            return Ok(id);
        }
        if !name_or_id
            .bytes()
            .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            || name_or_id.len() > 64
        {
            return Err(no_such(name_or_id));
        }
        if name_or_id.len() == 64 {
            return Ok(name_or_id.to_owned());
        }
        let mut matching = self
            .ids()?
            .into_iter()
            .filter(|id| id.starts_with(name_or_id));
        match (matching.next(), matching.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(no_such(name_or_id)),
            (Some(_), Some(_)) => Err(Error::new(
                Kind::InUse,
                format!("more than one result for container name or ID {name_or_id:?}: container already exists"),
            )
            .hint("give more digits of the ID")),
        }
    }

    /// What the name's link says; the container may not exist.
    pub(super) fn id_of_name(&self, name: &str) -> Result<Option<String>> {
        let link = self.name_link(name);
        match std::fs::read_link(&link) {
            Ok(target) => Ok(target.to_str().filter(|t| is_id(t)).map(str::to_owned)),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(Error::io(
                &err,
                format!("read the container name {}", link.display()),
            )),
        }
    }

    pub(super) fn ids(&self) -> Result<Vec<String>> {
        let dir = self.dirs.store.join("containers");
        let tried = || format!("list containers in {}", dir.display());
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(Error::io(&err, tried())),
        };
        let mut ids = Vec::new();
        for entry in entries {
            if let Ok(name) = entry.tried(tried)?.file_name().into_string()
                && is_id(&name)
            {
                ids.push(name);
            }
        }
        Ok(ids)
    }

    /// `containers/<id>` of the store.
    pub(super) fn dir(&self, id: &str) -> PathBuf {
        let mut path = self.dirs.store.join("containers");
        path.push(id);
        path
    }

    /// `$RUNROOT/<id>`
    pub(super) fn run_dir(&self, id: &str) -> PathBuf {
        self.dirs.run.join(id)
    }

    /// Where the k8s-file log of a container is.
    pub(super) fn log_path(&self, record: &Record) -> PathBuf {
        let log = &record.request.log;
        match (&log.path, &log.dir) {
            (Some(path), _) => path.clone(),
            (None, Some(dir)) => dir.join(format!("{}.log", record.id)),
            (None, None) => self.dir(&record.id).join("ctr.log"),
        }
    }

    pub(super) fn name_link(&self, name: &str) -> PathBuf {
        let mut path = self.dirs.store.join("containers/names");
        path.push(name);
        path
    }

    pub(super) fn lock_path(&self, id: &str) -> PathBuf {
        self.run_dir(id).join("lock")
    }
}

impl Container {
    pub fn id(&self) -> &str {
        &self.record.id
    }

    pub fn name(&self) -> &str {
        &self.record.name
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.engine.dir(&self.record.id)
    }

    pub(super) fn run_dir(&self) -> PathBuf {
        self.engine.run_dir(&self.record.id)
    }

    /// Where the k8s-file log is.
    pub fn log_path(&self) -> PathBuf {
        self.engine.log_path(&self.record)
    }

    /// Reads the state again; `false`: the container is gone.
    pub(super) fn refresh(&mut self) -> Result<bool> {
        match self.engine.open(&self.record.id)? {
            Some(now) => {
                *self = now;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Refuses a record of a version to come.
fn known(record: Option<Record>) -> Result<Option<Record>> {
    match record {
        Some(Record { id, version, .. }) if version > VERSION => Err(Error::new(
            Kind::Unsupported,
            format!(
                "read container {id}: its record has version {version}, this program knows {VERSION}"
            ),
        )
        .hint("use the newer pod that made it")),
        record => Ok(record),
    }
}

pub(super) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Podman's words, which scripts match.
pub(super) fn no_such(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no container with name or ID {name:?} found: no such container"),
    )
}

/// Makes the directory `path`, 0700; an existing one is fine.
pub(super) fn make_dir(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => std::fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(path)
            .tried(|| format!("make directory {}", path.display())),
        Err(err) => Err(Error::io(
            &err,
            format!("make directory {}", path.display()),
        )),
    }
}
