//! How much a tree takes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Result, Tried};
use crate::rootless::identity::Identity;
use crate::rootless::worker::{self, WorkerOpts};
use crate::userns::mode::{self, UsernsMode};

/// Bytes of the regular files below `tree`, 0 when there is none. For a process with one thread only: it may fork.
pub fn tree_bytes(tree: &Path) -> Result<u64> {
    match tree_size(tree) {
        // Some directory belongs to a subordinate id: only its root can look inside.
        Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
            let me = Identity::current()?;
            let (uid, gid) = (me.uid.as_raw(), me.gid.as_raw());
            let maps = mode::maps(&UsernsMode::default(), uid, gid, || me.name())?;
            worker::run(&maps, WorkerOpts { mounts: false }, || measured(tree))
        }
        _ => measured(tree),
    }
}

fn measured(tree: &Path) -> Result<u64> {
    match tree_size(tree) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(0),
        size => size.tried(|| format!("measure {}", tree.display())),
    }
}

fn tree_size(dir: &Path) -> std::io::Result<u64> {
    let mut size = 0;
    let mut left = vec![dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            // Of the entry itself: a link in a hostile tree leads nowhere.
            let found = match entry.metadata() {
                Ok(found) => found,
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => continue, // somebody works there
                Err(err) => return Err(err),
            };
            if found.is_dir() {
                left.push(entry.path());
            } else if found.is_file() {
                size += found.size();
            }
        }
    }
    Ok(size)
}
