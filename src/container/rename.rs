//! `rename`: a new name for a container, running or not.
//!
//! The new name's link is taken first, then the record says it, then the old link goes. A name counts only when the
//! record agrees, so a rename that was killed has either happened or not; a link left over is freed by who
//! wants it, or goes with the container.

use std::fs::remove_file;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;

use crate::error::{Error, Kind, Result};
use crate::state::{self, Durable};
use crate::storage::Store;

use super::engine::Container;
use super::events::{Action, Event};
use super::names;

/// In the container's directory: a rename is under way, or was killed, and there may be a link too many.
pub(super) const RENAMING: &str = "renaming";

impl Container {
    /// Gives the container another name; its own one is fine. `Kind::InUse`: another container has it.
    pub fn rename(&self, to: &str) -> Result<()> {
        names::check(to)?;
        let engine = &self.engine;
        let id = &self.record.id;
        let held = || {
            let text = format!(
                "renaming container {id}: name {to} already in use, cannot rename container {id}: container already exists"
            );
            Error::new(Kind::InUse, text)
        };
        let other = engine.id_of_name(to)?.filter(|holder| holder != id);
        if other.is_some() && !engine.free_stale_name(to)? {
            return Err(held());
        }
        let store = Store::open(&engine.dirs)?;
        let lock = store.lock_structure()?; // one rename at a time
        let Some(mut record) = engine.load_record(id)? else {
            return Err(super::engine::no_such(&self.record.name));
        };
        if record.name == to {
            return Ok(());
        }
        let mark = engine.dir(id).join(RENAMING);
        match symlink(to, &mark) {
            Err(err) if err.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io(&err, format!("write {}", mark.display())));
            }
            _ => {}
        }
        let link = engine.name_link(to);
        match symlink(id, &link) {
            Ok(()) => {}
            // Left by a rename of this very container that was killed.
            Err(err)
                if err.kind() == ErrorKind::AlreadyExists
                    && engine.id_of_name(to)?.as_ref() == Some(id) => {}
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {
                let _ = remove_file(&mark);
                return Err(held());
            }
            Err(err) => return Err(Error::io(&err, format!("write {}", link.display()))),
        }
        let old = std::mem::replace(&mut record.name, to.to_owned());
        let path = engine.dir(id).join("config.json");
        if let Err(err) = state::save(&path, &record, Durable::Yes) {
            // The failure to save is the one to report.
            if engine.release_name(to, id).is_ok() {
                let _ = remove_file(&mark);
            }
            return Err(err);
        }
        engine.release_name(&old, id)?;
        let _ = remove_file(&mark); // it costs the removal a look, no more
        drop(lock);
        engine.emit(&Event::container(Action::Rename, &record));
        Ok(())
    }
}
