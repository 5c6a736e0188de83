//! A sorted walk of a tree that somebody may be changing meanwhile.
//!
//! Every name is looked up in a directory that is held open, and never followed: a container that swaps a directory
//! for a link shows what it has there, never what the link names. What vanishes on the way is passed over.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// Directories held open at once; those above them are found again by `..`.
const MAX_OPEN: usize = 64;
/// How often a name that changes its type under our hands is looked at again.
const TRIES: usize = 16;

/// One name on the way.
pub(in crate::storage) struct Found<'a> {
    /// From the root, without a leading slash; empty for the root itself.
    pub path: &'a [u8],
    pub what: What<'a>,
    pub stat: Stat,
    at: Option<(BorrowedFd<'a>, &'a CStr)>,
}

/// What is there.
pub(in crate::storage) enum What<'a> {
    Directory(BorrowedFd<'a>),
    /// Opened on demand, see [`Found::open`].
    File,
    Symlink(CString),
    Fifo,
    Device(FileType),
    /// Overlay's mark for a removed name.
    Whiteout,
    Socket,
}

/// Told of every name, a directory before what is in it and again after that.
pub(in crate::storage) trait Visit {
    fn enter(&mut self, found: &Found<'_>) -> Result<()>;

    /// Tells whether a name, and all below it, is passed over without a look.
    fn skips(&mut self, _path: &[u8]) -> bool {
        false
    }

    /// Tells whether a directory, and all in it, is passed over.
    fn prunes(&mut self, _directory: &Found<'_>) -> bool {
        false
    }

    fn leave(&mut self, _directory: &Found<'_>) -> Result<()> {
        Ok(())
    }
}

impl Found<'_> {
    /// Opens a regular file and looks at it again; `None` when it is none any more.
    pub(in crate::storage) fn open(&self) -> Result<Option<(OwnedFd, Stat)>> {
        let Some((dir, name)) = self.at else {
            return Ok(None);
        };
        // A name that became a FIFO meanwhile must not make us wait, nor a terminal ours.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat(dir, name, flags, Mode::empty())
            .and_then(|file| fstat(&file).map(|stat| (file, stat)));
        match opened {
            Ok((file, stat)) if is(&stat, FileType::RegularFile) => Ok(Some((file, stat))),
            Ok(_) => Ok(None),
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO | Errno::NODEV | Errno::NOTDIR) => {
                Ok(None)
            }
            Err(errno) => Err(failed("open", self.path, errno)),
        }
    }
}

/// Walks everything below `root`, the names of a directory in the order of their bytes.
pub(in crate::storage) fn walk(root: OwnedFd, visit: &mut dyn Visit) -> Result<()> {
    let stat = fstat(&root).map_err(|errno| failed("look at", b"", errno))?;
    let mut down = Descent::new(root, &stat);
    visit.enter(&Found {
        path: b"",
        what: What::Directory(down.top()),
        stat,
        at: None,
    })?;
    let mut path: Vec<u8> = Vec::new();
    let mut levels = vec![Level {
        names: names(down.top(), &path)?,
        path_len: 0,
        stat,
    }];
    while let Some(level) = levels.last_mut() {
        path.truncate(level.path_len);
        let Some(name) = level.names.pop() else {
            let done = Found {
                path: &path,
                what: What::Directory(down.top()),
                stat: level.stat,
                at: None,
            };
            visit.leave(&done)?;
            levels.pop();
            if !levels.is_empty() {
                down.up()
                    .map_err(|errno| failed("find the way back from", &path, errno))?;
            }
            continue;
        };
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.to_bytes());
        if visit.skips(&path) {
            continue;
        }
        let Some(seen) = look(down.top(), &name, &path)? else {
            continue;
        };
        match seen {
            Seen::Directory(fd, stat) => {
                let found = Found {
                    path: &path,
                    what: What::Directory(fd.as_fd()),
                    stat,
                    at: None,
                };
                if visit.prunes(&found) {
                    continue;
                }
                let inside = names(fd.as_fd(), &path)?;
                visit.enter(&found)?;
                down.down(fd, &stat);
                levels.push(Level {
                    names: inside,
                    path_len: path.len(),
                    stat,
                });
            }
            Seen::Other(what, stat) => visit.enter(&Found {
                path: &path,
                what,
                stat,
                at: Some((down.top(), &name)),
            })?,
        }
    }
    Ok(())
}

struct Level {
    /// Last one first.
    names: Vec<CString>,
    path_len: usize,
    stat: Stat,
}

enum Seen {
    Directory(OwnedFd, Stat),
    Other(What<'static>, Stat),
}

fn look(dir: BorrowedFd<'_>, name: &CStr, path: &[u8]) -> Result<Option<Seen>> {
    for _ in 0..TRIES {
        let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed("look at", path, errno)),
        };
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => match open_dir(dir, name) {
                Ok(fd) => {
                    let stat = fstat(&fd).map_err(|errno| failed("look at", path, errno))?;
                    return Ok(Some(Seen::Directory(fd, stat)));
                }
                Err(Errno::NOTDIR | Errno::LOOP | Errno::NOENT) => continue,
                Err(errno) => return Err(failed("open", path, errno)),
            },
            FileType::Symlink => match readlinkat(dir, name, Vec::new()) {
                Ok(target) => What::Symlink(target),
                Err(Errno::INVAL | Errno::NOENT) => continue,
                Err(errno) => return Err(failed("read the link", path, errno)),
            },
            FileType::RegularFile => What::File,
            FileType::Fifo => What::Fifo,
            FileType::CharacterDevice if stat.st_rdev == 0 => What::Whiteout,
            kind @ (FileType::CharacterDevice | FileType::BlockDevice) => What::Device(kind),
            _ => What::Socket,
        };
        return Ok(Some(Seen::Other(what, stat)));
    }
    Err(failed("look at", path, Errno::AGAIN))
}

/// The names in a directory, the last one first.
fn names(dir: BorrowedFd<'_>, path: &[u8]) -> Result<Vec<CString>> {
    let tried = |errno| failed("list", path, errno);
    let mut names = Vec::new();
    for entry in Dir::read_from(dir).map_err(tried)? {
        let entry = entry.map_err(tried)?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

/// Open directories from a root down to where we are.
pub(in crate::storage) struct Descent {
    levels: Vec<Open>,
}

struct Open {
    /// `None`: closed for want of descriptors, found again by `..`.
    fd: Option<OwnedFd>,
    identity: (u64, u64),
}

impl Descent {
    pub(in crate::storage) fn new(root: OwnedFd, stat: &Stat) -> Self {
        Self {
            levels: vec![Open {
                fd: Some(root),
                identity: identity(stat),
            }],
        }
    }

    pub(in crate::storage) fn top(&self) -> BorrowedFd<'_> {
        let top = self.levels.last().and_then(|level| level.fd.as_ref());
        top.expect("the root is never left, and the uppermost directory is always open")
            .as_fd()
    }

    pub(in crate::storage) fn down(&mut self, fd: OwnedFd, stat: &Stat) {
        self.levels.push(Open {
            fd: Some(fd),
            identity: identity(stat),
        });
        if let Some(far) = self.levels.len().checked_sub(MAX_OPEN + 1) {
            self.levels[far].fd = None;
        }
    }

    /// Leaves the uppermost directory. `ESTALE`: somebody moved it, so its parent is another one now.
    pub(in crate::storage) fn up(&mut self) -> Result<(), Errno> {
        let left = self.levels.pop();
        let Some(top) = self.levels.last_mut() else {
            return Ok(());
        };
        if let (None, Some(Open { fd: Some(left), .. })) = (&top.fd, left) {
            let fd = open_dir(left.as_fd(), c"..")?;
            if identity(&fstat(&fd)?) != top.identity {
                return Err(Errno::STALE);
            }
            top.fd = Some(fd);
        }
        Ok(())
    }
}

fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

pub(in crate::storage) fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

pub(in crate::storage) fn open_dir(at: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// Words the failure of a call on a name of the tree.
pub(in crate::storage) fn failed(step: &str, path: &[u8], errno: Errno) -> Error {
    let shown = match path {
        b"" => "/".into(),
        path => String::from_utf8_lossy(path),
    };
    let shown: String = shown.chars().take(200).collect();
    Error::os(
        nix::errno::Errno::from_raw(errno.raw_os_error()),
        format!("{step} \"{shown}\""),
    )
}
