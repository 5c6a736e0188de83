//! All volumes, and what dead commands left of some.

use std::fs;
use std::io::ErrorKind;

use crate::error::{Error, Failures, Result, Tried};
use crate::storage::Store;

use super::{Volume, Volumes, check_name};

impl Volumes {
    /// By name. A volume that cannot be read is reported beside those that can.
    pub fn list(&self) -> Result<(Vec<Volume>, Vec<Error>)> {
        let mut found = Vec::new();
        let mut failures = Failures::default();
        for name in self.names()? {
            match self.get(&name) {
                Ok(Some(volume)) if self.is_garbage(&volume) => {
                    // Whoever was killed while the container was made or removed.
                    let _ = self.remove(&name, &|| Ok(Vec::new()));
                }
                Ok(Some(volume)) => found.push(volume),
                Ok(None) => self.sweep(&name),
                Err(err) => failures.push(err),
            }
        }
        Ok((found, failures.into_vec()))
    }

    /// Removes the anonymous volumes that go with this container: those it was made with, less those kept.
    pub fn remove_of(&self, container: &str) -> Result<()> {
        let mut failures = Failures::default();
        for name in self.names()? {
            let Ok(Some(volume)) = self.get(&name) else {
                continue;
            };
            if volume.record.container.as_deref() == Some(container) {
                failures.keep(self.remove(&name, &|| Ok(Vec::new())));
            }
        }
        failures.into_vec().into_iter().next().map_or(Ok(()), Err)
    }

    /// Names of directories, sorted; what stands in them may be half made.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let dir = self.store.join("volumes");
        let tried = || format!("list volumes in {}", dir.display());
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(Error::io(&err, tried())),
        };
        let mut names = Vec::new();
        for entry in entries {
            if let Ok(name) = entry.tried(tried)?.file_name().into_string()
                && check_name(&name).is_ok()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// It goes with a container that has no directory: such a one neither exists nor is being made.
    fn is_garbage(&self, volume: &Volume) -> bool {
        let home = |id: &String| self.store.join("containers").join(id);
        let container = volume.record.container.as_ref();
        container.is_some_and(|id| {
            fs::symlink_metadata(home(id)).is_err_and(|err| err.kind() == ErrorKind::NotFound)
        })
    }

    /// A creation holds the lock until its record is written: without one, nobody works on it.
    fn sweep(&self, name: &str) {
        let removed = Store::at(&self.store).and_then(|store| {
            let _lock = store.lock_structure()?;
            match self.load(name)? {
                None => store.remove_tree(&self.home(name)),
                Some(_) => Ok(()),
            }
        });
        drop(removed); // a listing must not fail because something cannot be swept
    }
}
