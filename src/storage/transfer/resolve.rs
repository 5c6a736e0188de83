//! A path of a command line: resolved beneath a root, by descriptors, as the kernel would do it there.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, readlinkat,
    statat,
};
use rustix::io::Errno;

/// As the kernel's own limit of links followed for one name.
const MAX_LINKS: usize = 40;
/// How often a name that changes under our hands is looked at again.
const TRIES: usize = 16;

/// Where paths begin, and what they never leave.
#[derive(Debug)]
pub enum Root {
    /// This process's own, where links lead wherever they lead.
    Host,
    Within(OwnedFd),
}

/// Where a path leads.
#[derive(Debug)]
pub(super) enum Spot {
    /// A directory. The name it has when it is no `.`, `..` or `/`.
    Directory {
        dir: OwnedFd,
        stat: Stat,
        name: Option<CString>,
    },
    /// Something else, which is no link.
    Other {
        dir: OwnedFd,
        name: CString,
        stat: Stat,
    },
    /// Nothing, in a directory that exists.
    Missing { dir: OwnedFd, name: CString },
}

impl Root {
    /// Resolves `path`, which is not empty. `follow_missing`: a link that leads to nothing names what it leads to.
    pub(super) fn resolve(&self, path: &[u8], follow_missing: bool) -> Result<Spot, Errno> {
        for _ in 0..TRIES {
            match self.try_resolve(path, follow_missing) {
                Err(Errno::AGAIN) => {} // somebody swaps names meanwhile
                done => return done,
            }
        }
        Err(Errno::AGAIN)
    }

    fn try_resolve(&self, path: &[u8], follow_missing: bool) -> Result<Spot, Errno> {
        let mut path = path.to_vec();
        let mut first: Option<(OwnedFd, CString)> = None;
        for _ in 0..MAX_LINKS {
            let must_be_dir = path.ends_with(b"/");
            while path.len() > 1 && path.ends_with(b"/") {
                path.pop();
            }
            let (parent, name) = match path.iter().rposition(|byte| *byte == b'/') {
                Some(0) => (&b"/"[..], &path[1..]),
                Some(at) => (&path[..at], &path[at + 1..]),
                None => (&b"."[..], &path[..]),
            };
            if matches!(name, b"" | b"." | b"..") {
                let dir = self.open(&path, DIRECTORY)?;
                let stat = fstat(&dir)?;
                return Ok(Spot::Directory {
                    dir,
                    stat,
                    name: None,
                });
            }
            let name = CString::new(name).map_err(|_| Errno::NOENT)?;
            let dir = match self.open(parent, OFlags::PATH | OFlags::DIRECTORY) {
                // A link whose target has no directory is itself what is there.
                Err(Errno::NOENT | Errno::NOTDIR) if first.is_some() && !follow_missing => {
                    return missing(first.take().ok_or(Errno::NOENT)?, must_be_dir);
                }
                dir => dir?,
            };
            let stat = match statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => {
                    let spot = match first.take() {
                        Some(link) if !follow_missing => link,
                        _ => (dir, name),
                    };
                    return missing(spot, must_be_dir);
                }
                stat => stat?,
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let dir = match openat(&dir, &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
                    {
                        Err(Errno::LOOP | Errno::NOTDIR | Errno::NOENT) => {
                            return Err(Errno::AGAIN);
                        }
                        dir => dir?,
                    };
                    let stat = fstat(&dir)?;
                    return Ok(Spot::Directory {
                        dir,
                        stat,
                        name: Some(name),
                    });
                }
                FileType::Symlink => {
                    let target = match readlinkat(&dir, &name, Vec::new()) {
                        Err(Errno::INVAL | Errno::NOENT) => return Err(Errno::AGAIN),
                        target => target?.into_bytes(),
                    };
                    let mut next = match target.first() {
                        Some(b'/') => target,
                        _ => [parent, b"/", &target].concat(),
                    };
                    if must_be_dir {
                        next.push(b'/');
                    }
                    if first.is_none() {
                        first = Some((dir, name));
                    }
                    path = next;
                }
                _ if must_be_dir => return Err(Errno::NOTDIR),
                _ => return Ok(Spot::Other { dir, name, stat }),
            }
        }
        Err(Errno::LOOP)
    }

    fn open(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let name = OsStr::from_bytes(path);
        match self {
            Self::Host => openat(CWD, name, flags, Mode::empty()),
            Self::Within(root) => {
                let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
                openat2(root.as_fd(), name, flags, Mode::empty(), resolve)
            }
        }
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

fn missing((dir, name): (OwnedFd, CString), must_be_dir: bool) -> Result<Spot, Errno> {
    match must_be_dir {
        true => Err(Errno::NOENT),
        false => Ok(Spot::Missing { dir, name }),
    }
}
