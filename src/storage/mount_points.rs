//! The lowest layer of a container: the empty files and directories that its own mounts cover.
//!
//! Without it each start makes what its image lacks in the writable layer, copying `/etc` and `/run` up for it, and
//! `--rm` takes all of that away again. What an image has at these places wins, as everything in a layer above does.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Store;
use super::staging::unique_name;
use crate::error::{Result, Tried};

const DIRECTORIES: &[&str] = &["dev", "etc", "proc", "run", "sys"];
const FILES: &[&str] = &[
    "etc/hosts",
    "etc/hostname",
    "etc/resolv.conf",
    "run/.containerenv",
];

impl Store {
    /// Where the layer is in the store at `root`.
    pub fn mount_points_of(root: &Path) -> PathBuf {
        root.join("mount-points")
    }

    /// Makes the layer unless it is there.
    pub fn make_mount_points(&self) -> Result<()> {
        let place = Self::mount_points_of(&self.root);
        if fs::symlink_metadata(&place).is_ok() {
            return Ok(());
        }
        let staged = self.in_staging(
            || "make mount points in the store",
            |staging| {
                let staged = staging.join(format!("{}.trash", unique_name()));
                fill(&staged).map(|()| staged)
            },
        )?;
        match fs::rename(&staged, &place) {
            // Another process was faster.
            Err(_) if fs::symlink_metadata(&place).is_ok() => self.remove_trash(&staged, None)?,
            done => done.tried(|| format!("make \"{}\"", place.display()))?,
        }
        self.tidy_staging();
        Ok(())
    }
}

/// Modes as in every image, whatever the umask.
fn fill(top: &Path) -> io::Result<()> {
    let directory = |path: &Path| {
        DirBuilder::new().mode(0o755).create(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))
    };
    directory(top)?;
    for name in DIRECTORIES {
        directory(&top.join(name))?;
    }
    for name in FILES {
        let file = fs::File::create_new(top.join(name))?;
        file.set_permissions(Permissions::from_mode(0o644))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::TestDir;

    #[test]
    fn mount_points_are_made_once() {
        let dir = TestDir::new();
        let store = Store::at(&dir.join("store")).unwrap();
        store.make_mount_points().unwrap();
        store.make_mount_points().unwrap();
        let place = Store::mount_points_of(store.root());
        for name in FILES {
            let found = fs::metadata(place.join(name)).unwrap();
            assert_eq!(
                (found.len(), found.permissions().mode() & 0o7777),
                (0, 0o644)
            );
        }
        assert!(!dir.join("store/staging").exists(), "nothing is left");
    }
}
