//! What differs between trees, as `diff` tells it. Runs in: worker.
//!
//! Of a container, or of an image's uppermost layer, the directory it wrote says it all: what is in there and below,
//! too, was changed; what is only there was added. Any other two trees are walked and compared.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, openat2, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Tree;
use super::merged;
use super::tar::{Attributes, is_opaque, mtime, xattrs};
use super::walk::{Found, Visit, What, failed, is, walk};
use crate::error::Result;
use crate::rootless::worker::{self, WorkerOpts};
use crate::userns::map::IdMaps;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeKind {
    Changed,
    Added,
    Deleted,
}

/// One name that differs; the path begins with `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: ChangeKind,
    pub path: String,
}

/// What the directory `top` changes in the layers below it, uppermost first; the order is that of a walk.
///
/// For a process with one thread only.
pub fn changes_of(maps: &IdMaps, top: &Path, below: &[PathBuf]) -> Result<Vec<Change>> {
    worker::run(maps, WorkerOpts { mounts: false }, || {
        let below = below
            .iter()
            .map(|dir| merged::open_dir(dir))
            .collect::<Result<Vec<_>>>()?;
        let mut upper = Upper {
            below,
            told: HashSet::new(),
            changes: Vec::new(),
        };
        walk(merged::open_dir(top)?, &mut upper)?;
        Ok(upper.changes)
    })
}

/// What `to` has otherwise than `from`; sorted by path.
///
/// For a process with one thread only.
pub fn changes_between(maps: &IdMaps, from: &Tree, to: &Tree) -> Result<Vec<Change>> {
    worker::run(maps, WorkerOpts { mounts: true }, || {
        let list = |tree: &Tree| {
            let mut listing = Listing::default();
            let (root, _) = tree.open(super::Part::Merged)?;
            walk(root, &mut listing).map(|()| listing.0)
        };
        Ok(compare(&list(from)?, &list(to)?))
    })
}

struct Upper {
    /// Uppermost first.
    below: Vec<OwnedFd>,
    /// Directories that are in `changes`, or that were looked at and found the same.
    told: HashSet<Vec<u8>>,
    changes: Vec<Change>,
}

impl Upper {
    /// What the layers below show under a name.
    fn below(&self, path: &[u8]) -> Result<Option<Stat>, Errno> {
        for layer in &self.below {
            if let Some(stat) = stat_in(layer.as_fd(), path)? {
                return Ok((!is_whiteout(&stat)).then_some(stat));
            }
            // A directory on the way that was removed, or began anew, hides what is further below.
            let mut parent = path;
            while let Some(at) = parent.iter().rposition(|byte| *byte == b'/') {
                parent = &parent[..at];
                match stat_in(layer.as_fd(), parent)? {
                    Some(stat) if !is(&stat, FileType::Directory) => return Ok(None),
                    Some(_) if is_opaque_in(layer.as_fd(), parent)? => return Ok(None),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    fn tell(&mut self, kind: ChangeKind, path: &[u8]) {
        self.changes.push(Change {
            kind,
            path: format!("/{}", String::from_utf8_lossy(path)),
        });
    }

    /// Directories above something new or removed count as changed, whatever their times are.
    fn tell_parents(&mut self, path: &[u8]) {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (end, _) in ends {
            let parent = &path[..end];
            if self.told.insert(parent.to_vec()) {
                self.tell(ChangeKind::Changed, parent);
            }
        }
    }
}

impl Visit for Upper {
    fn enter(&mut self, found: &Found<'_>) -> Result<()> {
        if found.path.is_empty() {
            return Ok(());
        }
        let below = self
            .below(found.path)
            .map_err(|errno| failed("look below", found.path, errno))?;
        let kind = match (&found.what, &below) {
            (What::Whiteout, _) => ChangeKind::Deleted,
            // Removed and made again: what it held is gone.
            (What::Directory(dir), Some(_)) if is_opaque(*dir, found.path)? => ChangeKind::Deleted,
            (What::Directory(_), Some(old)) if is_same_directory(old, &found.stat) => return Ok(()),
            (_, Some(_)) => ChangeKind::Changed,
            (_, None) => ChangeKind::Added,
        };
        if matches!(found.what, What::Directory(_)) {
            self.told.insert(found.path.to_vec());
        }
        if kind != ChangeKind::Changed {
            self.tell_parents(found.path);
        }
        self.tell(kind, found.path);
        Ok(())
    }
}

/// Copied up only because of something in it.
fn is_same_directory(old: &Stat, new: &Stat) -> bool {
    is(old, FileType::Directory)
        && old.st_size == new.st_size
        && old.st_mode == new.st_mode
        && same_time(old, new)
}

/// Archives often have whole seconds.
fn same_time(old: &Stat, new: &Stat) -> bool {
    let (old, new) = (mtime(old), mtime(new));
    old.0 == new.0 && (old.1 == new.1 || old.1 == 0 || new.1 == 0)
}

fn is_whiteout(stat: &Stat) -> bool {
    is(stat, FileType::CharacterDevice) && stat.st_rdev == 0
}

const IN_TREE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

fn stat_in(tree: BorrowedFd<'_>, path: &[u8]) -> Result<Option<Stat>, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        return match openat2(tree, path, flags, Mode::empty(), IN_TREE) {
            Ok(found) => statat(&found, c"", AtFlags::EMPTY_PATH).map(Some),
            Err(Errno::AGAIN) => continue,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG) => Ok(None),
            Err(errno) => Err(errno),
        };
    }
}

fn is_opaque_in(tree: BorrowedFd<'_>, path: &[u8]) -> Result<bool, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat2(tree, path, flags, Mode::empty(), IN_TREE)?;
    is_opaque(dir.as_fd(), path).map_err(|_| Errno::IO)
}

/// Everything in a tree, as far as it is compared.
#[derive(Default)]
struct Listing(BTreeMap<Vec<u8>, Seen>);

struct Seen {
    stat: Stat,
    target: Option<Vec<u8>>,
    xattrs: Attributes,
}

impl Visit for Listing {
    fn enter(&mut self, found: &Found<'_>) -> Result<()> {
        let mut target = None;
        let mut attributes = Attributes::new();
        match &found.what {
            What::Directory(dir) => attributes = xattrs(*dir, found.path)?,
            What::File => match found.open()? {
                Some((file, _)) => attributes = xattrs(file.as_fd(), found.path)?,
                None => return Ok(()),
            },
            What::Symlink(to) => target = Some(to.to_bytes().to_vec()),
            What::Whiteout => return Ok(()),
            _ => {}
        }
        let seen = Seen {
            stat: found.stat,
            target,
            xattrs: attributes,
        };
        self.0.insert(found.path.to_vec(), seen);
        Ok(())
    }
}

fn differ(old: &Seen, new: &Seen) -> bool {
    let (a, b) = (&old.stat, &new.stat);
    (a.st_mode, a.st_uid, a.st_gid, a.st_rdev) != (b.st_mode, b.st_uid, b.st_gid, b.st_rdev)
        || (!is(a, FileType::Directory) && (a.st_size != b.st_size || !same_time(a, b)))
        || old.target != new.target
        || old.xattrs != new.xattrs
}

fn compare(old: &BTreeMap<Vec<u8>, Seen>, new: &BTreeMap<Vec<u8>, Seen>) -> Vec<Change> {
    let mut kinds: BTreeMap<&[u8], ChangeKind> = BTreeMap::new();
    for (path, seen) in new {
        match old.get(path) {
            None => drop(kinds.insert(path, ChangeKind::Added)),
            Some(known) if differ(known, seen) => {
                kinds.insert(path, ChangeKind::Changed);
            }
            Some(_) => {}
        }
    }
    for path in old.keys().filter(|path| !new.contains_key(*path)) {
        // Only the uppermost of what went with a directory.
        let parent = path.iter().rposition(|byte| *byte == b'/');
        let parent = parent.map_or(&[][..], |at| &path[..at]);
        let is_told = new
            .get(parent)
            .is_none_or(|seen| !is(&seen.stat, FileType::Directory));
        if !is_told {
            kinds.insert(path, ChangeKind::Deleted);
        }
    }
    for path in kinds.keys().copied().collect::<Vec<_>>() {
        for (end, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            kinds.entry(&path[..end]).or_insert(ChangeKind::Changed);
        }
    }
    kinds.remove(&[][..]);
    kinds
        .into_iter()
        .map(|(path, kind)| Change {
            kind,
            path: format!("/{}", String::from_utf8_lossy(path)),
        })
        .collect()
}
