//! Trees that commands inside `unshare` have mounted: `$RUNROOT/mounts/<kind>-<id>`.
//!
//! A mount belongs to the namespace of the `unshare` it was made in. The kernel's own list says what is mounted, so
//! nothing is recorded and nothing is left when that namespace ends but an empty directory.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::make_private;
use super::pack::{Writable, mount_on};
use crate::error::{Error, Result, Tried};
use crate::rootless::dirs::Dirs;

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountOf {
    Image,
    Container,
}

impl MountOf {
    fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Container => "container",
        }
    }
}

/// The mounts of one kind in this namespace.
#[derive(Debug)]
pub struct Mounts {
    dir: PathBuf,
    kind: MountOf,
}

impl Mounts {
    pub fn new(dirs: &Dirs, kind: MountOf) -> Self {
        Self {
            dir: dirs.run.join("mounts"),
            kind,
        }
    }

    /// Where `id` is or would be mounted.
    pub fn place(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{}-{id}", self.kind.word()))
    }

    /// Ids of what is mounted, and where; in the order of the mounts.
    pub fn list(&self) -> Result<Vec<(String, PathBuf)>> {
        let table = "/proc/self/mountinfo";
        let text = fs::read(table).tried(|| format!("read {table}"))?;
        let prefix = format!("{}-", self.kind.word());
        Ok(mount_points(&text)
            .filter(|place| place.parent() == Some(&self.dir))
            .filter_map(|place| {
                let name = place.file_name()?.to_str()?;
                Some((name.strip_prefix(&prefix)?.to_owned(), place))
            })
            .collect())
    }

    pub fn is_mounted(&self, id: &str) -> Result<bool> {
        Ok(self.list()?.iter().any(|(known, _)| known == id))
    }

    /// Mounts the layers of `id`, uppermost first; where it is mounted already, that stays.
    pub fn mount(
        &self,
        id: &str,
        layers: &[PathBuf],
        writable: Option<&Writable>,
    ) -> Result<PathBuf> {
        let place = self.place(id);
        if self.is_mounted(id)? {
            return Ok(place);
        }
        for dir in [&self.dir, &place] {
            make_private(dir).tried(|| format!("make directory \"{}\"", dir.display()))?;
        }
        let layers: Vec<&Path> = layers.iter().map(PathBuf::as_path).collect();
        match mount_on(&layers, writable, &place) {
            Ok(()) => Ok(place),
            Err(err) => {
                let _ = fs::remove_dir(&place); // the failure itself is reported
                Err(err)
            }
        }
    }

    /// Takes the mount of `id` away; `force`: also one that is in use, as soon as it is not.
    pub fn unmount(&self, id: &str, force: bool) -> Result<()> {
        let place = self.place(id);
        let flags = match force {
            true => MntFlags::MNT_DETACH,
            false => MntFlags::empty(),
        };
        umount2(&place, flags).map_err(|errno| {
            let err = Error::os(errno, format!("unmount \"{}\"", place.display()));
            match errno {
                nix::errno::Errno::EBUSY => {
                    err.hint("something in it is in use: leave it, or give --force")
                }
                _ => err,
            }
        })?;
        let _ = fs::remove_dir(&place); // an empty directory does no harm
        Ok(())
    }
}

/// The fifth field of each line (proc_pid_mountinfo(5)), its octal escapes undone.
fn mount_points(text: &[u8]) -> impl Iterator<Item = PathBuf> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let field = line.split(|byte| *byte == b' ').nth(4)?;
        let mut path = Vec::with_capacity(field.len());
        let mut rest = field;
        while let Some((&byte, tail)) = rest.split_first() {
            let digits = tail.get(..3).filter(|_| byte == b'\\');
            let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                Some(escaped) => {
                    path.push(escaped);
                    rest = &tail[3..];
                }
                None => {
                    path.push(byte);
                    rest = tail;
                }
            }
        }
        Some(PathBuf::from(OsString::from_vec(path)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read() {
        let text = b"36 35 98:0 / /mnt/a\\040b rw - ext4 /dev/x rw\n37 35 0:5 / /plain rw - tmpfs x rw\n\nbad\n";
        let got: Vec<PathBuf> = mount_points(text).collect();
        assert_eq!(got, [PathBuf::from("/mnt/a b"), PathBuf::from("/plain")]);
    }
}
