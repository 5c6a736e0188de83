//! `create`: claims a name and a directory, fills it, and writes the record last.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use crate::error::{Error, Kind, Result, Tried};
use crate::image::Image;
use crate::state::{self, Durable, Lock};
use crate::storage::Store;

use super::draft::{Draft, name_taken};
use super::engine::{Container, Containers, make_dir};
use super::events::{Action, Event};
use super::liveness::machine_id;
use super::names;
use super::options::RemoveOptions;
use super::overlays::look_alike;
use super::record::{Record, State};
use super::request::{CreateRequest, MountRequest};

/// How many generated names are tried; with thousands of combinations one is free long before.
const NAME_TRIES: u64 = 1000;

/// A container in the making: name and directory are taken, the record is not written. Undone on drop.
pub(super) struct Claim<'a> {
    engine: &'a Containers,
    id: String,
    name: Option<String>,
    /// `None`: committed.
    lock: Option<Lock>,
    cidfile: Option<std::path::PathBuf>,
    /// Anonymous volumes were made for it.
    volumes: bool,
}

impl Containers {
    /// Makes a container and does not start it. `image` is `None` with `--rootfs`.
    pub fn create(&self, request: CreateRequest, image: Option<&Image>) -> Result<Container> {
        let mut draft = self.draft(request, image, false)?;
        let mut claim = self.claim(&mut draft)?;
        claim.publish(&draft.record, Durable::Yes)?;
        drop(claim.commit());
        self.emit(&Event::container(Action::Create, &draft.record));
        Ok(Container {
            record: draft.record,
            state: State::default(),
            engine: self.clone(),
        })
    }

    /// Takes id, directory and name, and makes what the record will point at. The lock of the container is held.
    pub(super) fn claim(&self, draft: &mut Draft) -> Result<Claim<'_>> {
        let Record { id, name, .. } = &draft.record;
        if draft.record.request.replace
            && let Some(other) = self.id_of_name(name)?
        {
            self.replace(&other)?;
        }
        let run_dir = self.run_dir(id);
        make_dir(&run_dir)?;
        let mut claim = Claim {
            engine: self,
            id: id.clone(),
            name: None,
            lock: Some(Lock::exclusive(&self.lock_path(id))?),
            cidfile: None,
            volumes: false,
        };
        let dir = self.dir(id);
        make_owned_dir(&dir)?;
        if draft.record.has_upper() {
            for name in ["upper", "work"] {
                make_open_dir(&dir.join(name))?;
            }
        }
        if let (Some(lower), true) = (&draft.record.request.rootfs, draft.record.has_upper()) {
            look_alike(&draft.record, lower, &dir.join("upper"))?;
        }
        claim.take_name(draft)?;
        let record = &draft.record;
        for needed in &record.dependencies {
            let mark = self.dir(needed).join(format!("needed-by-{}", record.id));
            symlink(&record.name, &mark).tried(|| format!("write {}", mark.display()))?;
        }
        claim.volumes = record.volumes.iter().any(|volume| volume.anonymous);
        self.make_volumes(record)?;
        if let Some(path) = &record.request.cidfile {
            write_new(path, record.id.as_bytes())?;
            claim.cidfile = Some(path.clone());
        }
        Ok(claim)
    }

    fn replace(&self, id: &str) -> Result<()> {
        let Some(old) = self.open(id)? else {
            return Ok(());
        };
        old.remove(&RemoveOptions {
            force: true,
            volumes: false,
            grace: None,
        })
    }
}

impl Claim<'_> {
    fn take_name(&mut self, draft: &mut Draft) -> Result<()> {
        let chosen = draft.record.request.name.is_some();
        for attempt in 1..=NAME_TRIES {
            let name = draft.record.name.clone();
            let link = self.engine.name_link(&name);
            match symlink(&self.id, &link) {
                Ok(()) => {
                    self.name = Some(name);
                    return Ok(());
                }
                Err(err) if err.kind() == ErrorKind::NotFound => {
                    make_dir(&self.engine.name_link(""))?
                }
                Err(err) if err.kind() == ErrorKind::AlreadyExists => {
                    if self.engine.free_stale_name(&name)? {
                        continue;
                    }
                    if chosen {
                        let owner = self.engine.id_of_name(&name)?.unwrap_or_default();
                        return Err(name_taken(&name, &owner));
                    }
                    draft.record.name =
                        names::generate(draft.seed.wrapping_add(attempt.wrapping_mul(7919)));
                }
                Err(err) => return Err(Error::io(&err, format!("write {}", link.display()))),
            }
        }
        Err(Error::new(
            Kind::InUse,
            "find a free name: all that were tried are in use",
        )
        .hint("give one with --name"))
    }

    /// Writes the record: from now on the container exists.
    pub(super) fn publish(&mut self, record: &Record, durable: Durable) -> Result<()> {
        let store = Store::open(&self.engine.dirs)?;
        // The image must not be collected between our look at it and the record that keeps it.
        let _keep = store.lock_references()?;
        if self.engine.dirs.images != self.engine.dirs.store {
            store.remember_user(&self.engine.dirs.store)?;
        }
        let mounted = record
            .request
            .mounts
            .iter()
            .filter_map(|mount| match mount {
                MountRequest::Image { layers, .. } => Some(layers),
                _ => None,
            });
        for layer in record.layers.iter().chain(mounted.flatten()) {
            let layer = self.engine.dirs.store.join(layer);
            rustix::fs::access(&layer, rustix::fs::Access::EXISTS)
                .tried(|| format!("use layer {}", layer.display()))
                .map_err(|err| err.hint("the image was removed meanwhile, or the additional image store that has it is not there: pull it again"))?;
        }
        self.engine.check_volumes(record)?;
        state::save(
            &self.engine.dir(&self.id).join("config.json"),
            record,
            durable,
        )
    }

    /// Keeps the container; its lock is the caller's.
    pub(super) fn commit(mut self) -> Option<Lock> {
        self.lock.take()
    }

    /// The lock, to hand a copy of it to a monitor.
    pub(super) fn lock(&self) -> Option<&Lock> {
        self.lock.as_ref()
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            if let Some(path) = &self.cidfile {
                let _ = fs::remove_file(path);
            }
            // The failure that brought us here is the one to report; a sweep finds what stays.
            let _ = self
                .engine
                .remove_files(&self.id, self.name.as_deref(), lock);
            if self.volumes {
                let _ = self.engine.volumes().remove_of(&self.id);
            }
        }
    }
}

impl Containers {
    /// Frees a name whose container was never finished, half removed, or half renamed; `true`: try again.
    ///
    /// Takes the structure lock where a rename may be under way.
    pub(super) fn free_stale_name(&self, name: &str) -> Result<bool> {
        let Some(id) = self.id_of_name(name)? else {
            return Ok(true); // gone meanwhile
        };
        if let Some(record) = self.load_record(&id)? {
            if record.name == name {
                return Ok(false);
            }
            let _no_rename = Store::open(&self.dirs)?.lock_structure()?;
            let renamed = self.load_record(&id)?.is_some_and(|now| now.name == name);
            if !renamed {
                self.release_name(name, &id)?;
            }
            return Ok(!renamed);
        }
        if Lock::is_held(&self.lock_path(&id))? {
            return Ok(false);
        }
        if fs::symlink_metadata(self.dir(&id)).is_ok() {
            self.sweep(&id);
        } else {
            self.release_name(name, &id)?;
        }
        Ok(self.id_of_name(name)?.is_none_or(|now| now != id))
    }
}

/// Makes `containers/<id>`. While it is empty a listing on another machine may take it for a leftover: then once more.
fn make_owned_dir(dir: &Path) -> Result<()> {
    let mut tries = 0;
    loop {
        make_dir(dir)?;
        match symlink(machine_id(), dir.join("owner")) {
            Err(err) if err.kind() == ErrorKind::NotFound && tries < 5 => tries += 1,
            made => return made.tried(|| format!("write to {}", dir.display())),
        }
    }
}

/// A directory that becomes part of the container's tree: 0755 whatever the umask, else only root could enter it.
pub(super) fn make_open_dir(path: &Path) -> Result<()> {
    make_dir(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .tried(|| format!("set mode of {}", path.display()))
}

fn write_new(path: &Path, text: &[u8]) -> Result<()> {
    let tried = || format!("write container id file {}", path.display());
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(path)
        .tried(tried)?;
    file.write_all(text).tried(tried)
}
