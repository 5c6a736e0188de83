//! `rm`, and what `--rm` and sweeping share with it.
//!
//! The record goes first: what a kill interrupts is a directory without record, which the next listing sweeps. Each
//! step finds nothing to do where an earlier try has done it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Failures, Kind, Result};
use crate::state::Lock;
use crate::storage::Store;

use super::engine::{Container, Containers, is_id, make_dir};
use super::events::{Action, Event};
use super::monitor::log::rotated;
use super::options::{RemoveOptions, StopOptions};
use super::record::VolumeMount;
use super::rename::RENAMING;
use super::watch::wait_readable;

/// How long `rm` waits for another command on the same container.
const BUSY: Duration = Duration::from_secs(10);

/// What overlay leaves of a container that changed nothing; `incompat` is its mark of a volatile upper directory.
const UNCHANGED: [&str; 5] = [
    "work/work/incompat/volatile",
    "work/work/incompat",
    "work/work",
    "work",
    "upper",
];

impl Container {
    /// Running without `force`: `Kind::InUse`. A container somebody else removes meanwhile is removed.
    pub fn remove(&self, options: &RemoveOptions) -> Result<()> {
        let mut me = self.clone();
        let give_up = Instant::now() + BUSY;
        let mut news = None;
        loop {
            if !me.refresh()? {
                return Ok(());
            }
            me.check_dependents()?;
            if me.state.is_elsewhere() {
                return Err(me.elsewhere("remove"));
            }
            if me.state.is_alive() {
                if !options.force {
                    return Err(Error::new(
                        Kind::InUse,
                        format!(
                            "cannot remove container {} as it is {} - running or paused containers cannot be \
                             removed without force: container state improper",
                            me.record.id,
                            me.state.status.word(),
                        ),
                    ));
                }
                let grace = options.grace.unwrap_or_default();
                me.stop(&StopOptions {
                    grace: Some(grace),
                    command: Some("rm"),
                })?;
                if !me.refresh()? {
                    return Ok(());
                }
            }
            make_dir(&me.run_dir())?;
            let lock_path = me.engine.lock_path(&me.record.id);
            let mut ending = None;
            // Looked at before it is tried: giving up a try would be a change of its own.
            if !Lock::is_held(&lock_path)?
                && let Some(lock) = Lock::try_exclusive(&lock_path)?
            {
                if me.engine.load_record(&me.record.id)?.is_none() {
                    return me
                        .engine
                        .remove_files(&me.record.id, Some(&me.record.name), lock);
                }
                me.state = me.engine.load_state(&me.record.id)?;
                ending = me.state.open_init();
                if ending.is_none() {
                    me.await_copies()?;
                    me.remove_locked(lock, options.volumes)?;
                    me.emit(Action::Remove);
                    return Ok(());
                }
            }
            if Instant::now() >= give_up {
                return Err(Error::new(
                    Kind::InUse,
                    format!(
                        "remove container {}: another command works on it",
                        me.record.id
                    ),
                ));
            }
            // A monitor that tidies up, a start or another rm: its outcome shows soon. The lock itself is not waited
            // for, a start would keep it as long as the container runs.
            match (ending, &news) {
                (Some(init), _) => drop(wait_readable(&init, Some(give_up))?),
                // What has changed before the watch was there gives no event: one more look.
                (None, None) => news = Some(me.news()?),
                (None, Some(news)) => news.wait_for_lock(&lock_path, give_up)?,
            }
        }
    }

    /// Removes a container that does not run, under its lock.
    ///
    /// Its anonymous volumes go too with `volumes` and with `--rm`; else they stay, for nobody.
    pub(super) fn remove_locked(&self, lock: Lock, volumes: bool) -> Result<()> {
        let volumes = volumes || self.record.request.auto_remove;
        if !volumes {
            for volume in self.anonymous_volumes() {
                self.engine.volumes().keep(&volume.name)?;
            }
        }
        let forgotten = self.forget();
        let removed = self.engine.remove_rest(&self.record.id, lock);
        let emptied = match volumes {
            true => self.remove_volumes(),
            false => Ok(()),
        };
        forgotten.and(removed).and(emptied)
    }

    /// Removes what [`Containers::make_volumes`] made for it alone. After the container itself: it needs them no more.
    fn remove_volumes(&self) -> Result<()> {
        if self.anonymous_volumes().next().is_none() {
            return Ok(());
        }
        self.engine.volumes().remove_of(&self.record.id)?;
        // Those that came from another container go with their last user.
        for volume in self.anonymous_volumes() {
            let users = || self.engine.volume_users(&volume.name);
            let shared = self.engine.volumes().get(&volume.name)?;
            if shared.is_some_and(|volume| volume.record.anonymous)
                && let Err(err) = self.engine.volumes().remove(&volume.name, &users)
                && !matches!(err.kind(), Kind::InUse | Kind::NotFound)
            {
                return Err(err);
            }
        }
        let gone = self
            .anonymous_volumes()
            .map(|volume| Event::volume(Action::Remove, &volume.name));
        self.engine.emit_all(&gone.collect::<Vec<_>>());
        Ok(())
    }

    fn anonymous_volumes(&self) -> impl Iterator<Item = &VolumeMount> {
        self.record.volumes.iter().filter(|volume| volume.anonymous)
    }

    /// The part of a removal that others see: from here on there is no such container and its name is free.
    fn forget(&self) -> Result<()> {
        self.end_helper();
        for needed in &self.record.dependencies {
            let mark = self
                .engine
                .dir(needed)
                .join(format!("needed-by-{}", self.record.id));
            let _ = fs::remove_file(mark); // the other one may be gone
        }
        for path in [&self.record.request.cidfile, &self.record.request.pidfile]
            .into_iter()
            .flatten()
        {
            let _ = fs::remove_file(path); // the user may have removed it
        }
        let log = &self.record.request.log;
        if log.dir.is_some() && log.path.is_none() {
            for number in 0..log.max_files.unwrap_or(2) {
                let _ = fs::remove_file(rotated(&self.log_path(), number)); // as many as there are
            }
        }
        self.engine.forget(&self.record.id, Some(&self.record.name))
    }

    fn check_dependents(&self) -> Result<()> {
        match self.dependents()?.first() {
            None => Ok(()),
            Some(other) => Err(Error::new(
                Kind::InUse,
                format!(
                    "container {} has dependent containers which must be removed before it: {}: container already exists",
                    self.record.id, other.record.id
                ),
            )),
        }
    }

    /// The containers that join this one's namespaces.
    pub fn dependents(&self) -> Result<Vec<Container>> {
        let mut found = Vec::new();
        let entries = fs::read_dir(self.dir()).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|n| n.strip_prefix("needed-by-")) else {
                continue;
            };
            if is_id(id) {
                found.extend(self.engine.open(id)?);
            }
        }
        Ok(found)
    }

    pub(super) fn elsewhere(&self, tried: &str) -> Error {
        Error::new(
            Kind::State,
            format!(
                "{tried} container {}: it runs on another machine ({})",
                self.record.id, self.state.host
            ),
        )
        .hint(format!("log in to {} and try there", self.state.host))
    }
}

impl Containers {
    /// Removes everything a container has on disk. `name: None`: the record is gone, look for the name's link.
    pub(super) fn remove_files(&self, id: &str, name: Option<&str>, lock: Lock) -> Result<()> {
        let forgotten = self.forget(id, name);
        forgotten.and(self.remove_rest(id, lock))
    }

    fn forget(&self, id: &str, name: Option<&str>) -> Result<()> {
        let dir = self.dir(id);
        let removed = unlink(&dir.join("config.json"));
        // A rename that was killed has left a link more.
        let name = name.filter(|_| fs::symlink_metadata(dir.join(RENAMING)).is_err());
        match name.map(|name| self.release_name(name, id)) {
            Some(Ok(true)) => removed,
            Some(Err(err)) => removed.and(Err(err)),
            // The record is gone, or was renamed since the caller read it.
            None | Some(Ok(false)) => {
                self.release_names_of(id);
                removed
            }
        }
    }

    /// What a container without record still has. The lock is held until its own file is gone, so that whoever sees
    /// it free finds no record.
    pub(super) fn remove_rest(&self, id: &str, lock: Lock) -> Result<()> {
        let dir = self.dir(id);
        let mut failures = Failures::default();
        // First what no later command would look for: it finds what a kill leaves by the directory in the store.
        self.empty_run_dir(id);
        for name in ["state.json", "ctr.log", "ctr.log.1"] {
            failures.keep(unlink(&dir.join(name)));
        }
        // The usual container changed nothing: a few rmdirs are all. `owner` goes last, a sweep needs it.
        let empty = UNCHANGED.iter().all(|name| rmdir_closed(&dir.join(name)));
        let gone =
            empty && holds_only_owner(&dir) && unlink(&dir.join("owner")).is_ok() && rmdir(&dir);
        if !gone {
            failures.keep(Store::at(&self.dirs.store).and_then(|store| store.remove_tree(&dir)));
        }
        self.remove_run_dir(id);
        drop(lock);
        failures.into_vec().into_iter().next().map_or(Ok(()), Err)
    }

    /// All but the lock, which is held. What is left there is gone with the machine's next start; so are failures.
    fn empty_run_dir(&self, id: &str) {
        super::cgroup::sweep(&self.run_dir(id));
        let entries = fs::read_dir(self.run_dir(id))
            .into_iter()
            .flatten()
            .flatten();
        for entry in entries.filter(|entry| entry.file_name() != "lock") {
            let path = entry.path();
            let _ = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => fs::remove_dir_all(path),
                false => fs::remove_file(path),
            };
        }
    }

    fn remove_run_dir(&self, id: &str) {
        let run = self.run_dir(id);
        let _ = fs::remove_file(run.join("lock"));
        if !rmdir(&run) {
            let _ = fs::remove_dir_all(&run);
        }
    }

    /// Removes the name's link if it is this container's; tells whether it was.
    pub(super) fn release_name(&self, name: &str, id: &str) -> Result<bool> {
        let ours = self.id_of_name(name)?.is_some_and(|owner| owner == id);
        if ours {
            unlink(&self.name_link(name))?;
        }
        Ok(ours)
    }

    fn release_names_of(&self, id: &str) {
        let Ok(entries) = fs::read_dir(self.name_link("")) else {
            return;
        };
        for name in entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
        {
            let _ = self.release_name(&name, id); // swept again next time
        }
    }
}

fn holds_only_owner(dir: &Path) -> bool {
    fs::read_dir(dir)
        .is_ok_and(|entries| entries.flatten().all(|entry| entry.file_name() == "owner"))
}

fn unlink(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(()),
        Err(err) => Err(Error::io(&err, format!("remove {}", path.display()))),
    }
}

/// [`rmdir`], also below directories that overlay lets nobody into.
fn rmdir_closed(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Err(err) if err.kind() == ErrorKind::PermissionDenied => {
            let private = fs::Permissions::from_mode(0o700);
            let above: Vec<_> = path.ancestors().skip(1).take(2).collect();
            let opened = |dir: &&Path| fs::set_permissions(dir, private.clone()).is_ok();
            above.iter().rev().all(opened) && rmdir(path)
        }
        Err(err) => err.kind() == ErrorKind::NotFound,
        Ok(()) => true,
    }
}

/// `true`: it is gone.
fn rmdir(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        Err(err) => err.kind() == ErrorKind::NotFound,
    }
}
