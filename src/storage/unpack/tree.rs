//! The tree under construction: every name is resolved beneath its root, by descriptor.
//!
//! A parent directory is found with `openat2(2)` and RESOLVE_IN_ROOT, so a link in the layer (absolute, with `..`,
//! or through other links) leads to where it would lead inside the container, never out of the tree. What is then
//! done happens with single names in that directory, which are never followed.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, mkdirat, openat, openat2, readlinkat,
    statat, unlinkat,
};
use rustix::io::Errno;

use crate::storage::remove;

/// Directories kept open: archives come in order, so nearly all members are in one of the last few.
const CACHE: usize = 24;
/// As the kernel's own limit of links followed for one name.
const MAX_LINKS: usize = 40;

pub(in crate::storage) struct Tree {
    root: Rc<OwnedFd>,
    /// Most recently used last.
    cache: Vec<(Vec<u8>, Rc<OwnedFd>)>,
    /// Directories made because a member's parents were not in the archive.
    pub(in crate::storage) implied: u64,
}

/// A place in the tree: the directory, and the one name in it.
pub(in crate::storage) struct Place {
    pub(in crate::storage) dir: Rc<OwnedFd>,
    pub(in crate::storage) name: CString,
}

impl Place {
    pub(in crate::storage) fn dir(&self) -> BorrowedFd<'_> {
        (*self.dir).as_fd()
    }

    /// What is there now, itself and not what it links to.
    pub(in crate::storage) fn stat(&self) -> Result<Stat, Errno> {
        statat(self.dir(), &self.name, AtFlags::SYMLINK_NOFOLLOW)
    }
}

impl Tree {
    pub(in crate::storage) fn open(root: &Path) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self {
            root: Rc::new(openat(CWD, root, flags, Mode::empty())?),
            cache: Vec::new(),
            implied: 0,
        })
    }

    /// Of a directory that is open already.
    pub(in crate::storage) fn of(root: OwnedFd) -> Self {
        Self {
            root: Rc::new(root),
            cache: Vec::new(),
            implied: 0,
        }
    }

    pub(in crate::storage) fn root(&self) -> BorrowedFd<'_> {
        (*self.root).as_fd()
    }

    /// Finds the directory of `path` (clean, see [`clean`]), making it if it is missing, and splits off the last name.
    pub(in crate::storage) fn place(&mut self, path: &[u8]) -> Result<Place, Errno> {
        let (dir, name) = split(path);
        Ok(Place {
            dir: self.dir(dir)?,
            name: CString::new(name).map_err(|_| Errno::INVAL)?,
        })
    }

    /// As [`Tree::place`], but makes nothing.
    pub(in crate::storage) fn existing(&mut self, path: &[u8]) -> Result<Place, Errno> {
        let (dir, name) = split(path);
        let dir = match self.cached(dir) {
            Some(dir) => dir,
            None => self.find(dir)?,
        };
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        Ok(Place { dir, name })
    }

    /// Forgets open directories: something was replaced, so a name may lead elsewhere now.
    pub(in crate::storage) fn forget(&mut self) {
        self.cache.clear();
    }

    /// Removes whatever is at `place`, a directory with all that is in it.
    pub(in crate::storage) fn clear(&mut self, place: &Place) -> Result<(), Errno> {
        self.forget();
        match unlinkat(place.dir(), &place.name, AtFlags::empty()) {
            Err(Errno::ISDIR) => remove::remove_dir_at(place.dir(), &place.name),
            Err(Errno::NOENT) => Ok(()),
            done => done,
        }
    }

    /// A directory for use with `*at` calls; made with its parents if it is missing.
    pub(in crate::storage) fn dir(&mut self, path: &[u8]) -> Result<Rc<OwnedFd>, Errno> {
        if let Some(dir) = self.cached(path) {
            return Ok(dir);
        }
        let found = match self.find(path) {
            Err(Errno::NOENT) => {
                // Also for a link whose target is yet to come: then the target is made.
                let made = self.walk(path)?;
                Rc::new(made)
            }
            found => found?,
        };
        self.remember(path, &found);
        Ok(found)
    }

    fn cached(&mut self, path: &[u8]) -> Option<Rc<OwnedFd>> {
        if path.is_empty() {
            return Some(self.root.clone());
        }
        let at = self.cache.iter().rposition(|(known, _)| known == path)?;
        if at + 1 < self.cache.len() {
            let entry = self.cache.remove(at);
            self.cache.push(entry);
        }
        self.cache.last().map(|(_, dir)| dir.clone())
    }

    fn remember(&mut self, path: &[u8], dir: &Rc<OwnedFd>) {
        if self.cache.len() == CACHE {
            self.cache.remove(0);
        }
        self.cache.push((path.to_vec(), dir.clone()));
    }

    fn find(&self, path: &[u8]) -> Result<Rc<OwnedFd>, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let path = OsStr::from_bytes(path);
        loop {
            match openat2(&*self.root, path, flags, Mode::empty(), resolve) {
                // A rename somewhere on the system went on meanwhile, and the kernel could not be sure of "..".
                Err(Errno::AGAIN) => {}
                // Before Linux 5.6, or under an old seccomp filter: the walk gives the same, step by step.
                Err(Errno::NOSYS) => return Err(Errno::NOENT),
                found => return found.map(Rc::new),
            }
        }
    }

    /// Walks down name by name, making what is missing; links are resolved here, beneath the root.
    fn walk(&mut self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut todo: Vec<Vec<u8>> = names(path).rev().map(<[u8]>::to_vec).collect();
        let mut at = open_child(self.root(), c".")?;
        let mut depth = 0_usize;
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                // All steps so far went through real directories, so ".." is where it seems to be.
                if depth > 0 {
                    at = open_child(at.as_fd(), c"..")?;
                    depth -= 1;
                }
                continue;
            }
            let name = CString::new(name).map_err(|_| Errno::INVAL)?;
            match open_child(at.as_fd(), &name) {
                Ok(child) => {
                    at = child;
                    depth += 1;
                }
                Err(Errno::NOENT) => {
                    mkdirat(&at, &name, Mode::from_raw_mode(0o755))?;
                    self.implied += 1;
                    at = open_child(at.as_fd(), &name)?;
                    depth += 1;
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    let target = match readlinkat(&at, &name, Vec::new()) {
                        Err(Errno::INVAL) => return Err(Errno::NOTDIR),
                        target => target?,
                    };
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    let target = target.to_bytes();
                    if target.first() == Some(&b'/') {
                        at = open_child(self.root(), c".")?;
                        depth = 0;
                    }
                    todo.extend(names(target).rev().map(<[u8]>::to_vec));
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(at)
    }
}

fn open_child(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// A member's name without leading `/`, `.` and inner `..` (as Go's `path.Clean`); empty is the root itself.
///
/// `None` for a name that leads out of the root: no honest archive has one, and Podman refuses it too.
pub(in crate::storage) fn clean(path: &[u8]) -> Option<Vec<u8>> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in names(path) {
        match name {
            b".." => {
                kept.pop()?;
            }
            name => kept.push(name),
        }
    }
    Some(kept.join(&b'/'))
}

/// Tells whether this is overlay's mark for a removed file: a character device 0:0.
pub(in crate::storage) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_or_refused() {
        let cases: [(&str, Option<&str>); 12] = [
            ("a/b", Some("a/b")),
            ("./a/b/", Some("a/b")),
            ("/etc/x", Some("etc/x")),
            ("//a///b", Some("a/b")),
            ("./", Some("")),
            (".", Some("")),
            ("/", Some("")),
            ("a/../b", Some("b")),
            ("a/..", Some("")),
            ("..", None),
            ("../x", None),
            ("a/../../x", None),
        ];
        for (path, want) in cases {
            let got = clean(path.as_bytes());
            assert_eq!(got.as_deref(), want.map(str::as_bytes), "{path}");
        }
    }
}
