//! Names, contents, owners and modes into directories that are held open.
//!
//! Somebody may change the tree meanwhile: no name is followed, and what is there is looked at through descriptors.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chmodat,
    chownat, fchmod, fchown, fsetxattr, fstat, ftruncate, futimens, mkdirat, mknodat, openat,
    statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::Manner;
use super::wire::Meta;
use crate::storage::pack::Content;
use crate::storage::pack::copy::DIR;
use crate::storage::pack::tar::{Attributes, is_kept, xattrs};
use crate::storage::remove::remove_dir_at;

/// How often a name that somebody else makes anew is cleared again.
const TRIES: usize = 16;

pub(super) struct Placer {
    manner: Manner,
    pub(super) content: Content,
}

impl Placer {
    pub(super) fn new(manner: Manner) -> Self {
        Self {
            manner,
            content: Content::default(),
        }
    }

    /// An empty regular file to write to. What was there is replaced; a mount point, which cannot be, is emptied.
    pub(super) fn file(
        &self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        source: Option<&Stat>,
    ) -> Result<OwnedFd, Errno> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let create = flags | OFlags::CREATE | OFlags::EXCL;
        for _ in 0..TRIES {
            match openat(dir, name, create, Mode::RUSR | Mode::WUSR) {
                Err(Errno::EXIST) => {}
                opened => return opened,
            }
            match self.clear(dir, name, source) {
                Err(Errno::BUSY) => {
                    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
                    let file = openat(dir, name, flags, Mode::empty())?;
                    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
                        return Err(Errno::BUSY);
                    }
                    ftruncate(&file, 0)?;
                    return Ok(file);
                }
                cleared => cleared?,
            }
        }
        Err(Errno::AGAIN)
    }

    /// A directory, open: the one that is there, or a new one, which nobody else can enter yet.
    pub(super) fn directory(&self, dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
        for _ in 0..TRIES {
            match mkdirat(dir, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            match openat(dir, name, DIR, Mode::empty()) {
                Err(Errno::NOTDIR | Errno::LOOP) if self.manner.overwrite => {
                    match unlinkat(dir, name, AtFlags::empty()) {
                        Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                        Err(errno) => return Err(errno),
                    }
                }
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(Errno::NOTDIR),
                Err(Errno::NOENT) => {} // removed again meanwhile
                opened => return opened,
            }
        }
        Err(Errno::AGAIN)
    }

    pub(super) fn link(
        &self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        target: &CStr,
        meta: &Meta,
    ) -> Result<(), Errno> {
        self.make(dir, name, || symlinkat(target, dir, name))?;
        self.finish_name(dir, name, meta, true)
    }

    pub(super) fn fifo(&self, dir: BorrowedFd<'_>, name: &CStr, meta: &Meta) -> Result<(), Errno> {
        self.make(dir, name, || {
            mknodat(dir, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
        })?;
        self.finish_name(dir, name, meta, false)
    }

    /// Calls `make` until nothing is in its way.
    pub(super) fn make(
        &self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        mut make: impl FnMut() -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        for _ in 0..TRIES {
            match make() {
                Err(Errno::EXIST) => self.clear(dir, name, None)?,
                made => return made,
            }
        }
        Err(Errno::AGAIN)
    }

    fn clear(&self, dir: BorrowedFd<'_>, name: &CStr, source: Option<&Stat>) -> Result<(), Errno> {
        let there = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            there => there?,
        };
        if source.is_some_and(|s| (s.st_dev, s.st_ino) == (there.st_dev, there.st_ino)) {
            return Err(Errno::DEADLK); // onto itself, see `worded`
        }
        let removed = match FileType::from_raw_mode(there.st_mode) {
            FileType::Directory if self.manner.overwrite => remove_dir_at(dir, name),
            FileType::Directory => return Err(Errno::ISDIR),
            _ => unlinkat(dir, name, AtFlags::empty()),
        };
        match removed {
            Err(Errno::NOENT) => Ok(()),
            removed => removed,
        }
    }

    /// Owner, mode, attributes and times of what is open: each step undoes some of what a later one sets.
    pub(super) fn finish(
        &self,
        to: BorrowedFd<'_>,
        meta: &Meta,
        attributes: &Attributes,
    ) -> Result<(), Errno> {
        if let Some((uid, gid)) = self.manner.ownership.of(meta.uid, meta.gid) {
            self.owned(fchown(
                to,
                Some(Uid::from_raw(uid)),
                Some(Gid::from_raw(gid)),
            ))?;
        }
        fchmod(to, Mode::from_raw_mode(meta.mode & 0o7777))?;
        for (name, value) in attributes {
            match fsetxattr(to, name.as_slice(), value, XattrFlags::empty()) {
                // Capabilities only root gives, and not every file system keeps what users say.
                Err(Errno::PERM | Errno::OPNOTSUPP) => {}
                set => set?,
            }
        }
        futimens(to, &times(meta))
    }

    fn finish_name(
        &self,
        dir: BorrowedFd<'_>,
        name: &CStr,
        meta: &Meta,
        link: bool,
    ) -> Result<(), Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((uid, gid)) = self.manner.ownership.of(meta.uid, meta.gid) {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            self.owned(chownat(dir, name, Some(uid), Some(gid), flags))?;
        }
        if !link {
            self.chmod_fifo(dir, name, meta)?;
        }
        utimensat(dir, name, &times(meta), flags)
    }

    /// By a handle: the name may have become a link that leads elsewhere.
    fn chmod_fifo(&self, dir: BorrowedFd<'_>, name: &CStr, meta: &Meta) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(meta.mode & 0o7777);
        // fchmodat2(2), Linux 6.6; without it the FIFO is opened, which waits for nobody when it is opened both ways.
        match chmodat(dir, name, mode, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            done => return done,
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fifo = openat(dir, name, flags, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&fifo)?.st_mode) {
            FileType::Fifo => fchmod(fifo, mode),
            _ => Err(Errno::AGAIN),
        }
    }

    /// With one id only, everything belongs to it.
    fn owned(&self, done: Result<(), Errno>) -> Result<(), Errno> {
        match done {
            Err(Errno::PERM | Errno::INVAL) if self.manner.single_id => Ok(()),
            done => done,
        }
    }
}

fn times(meta: &Meta) -> Timestamps {
    let time = Timespec {
        tv_sec: meta.mtime.0,
        tv_nsec: i64::from(meta.mtime.1),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// The attributes of an open file that travel.
pub(super) fn attributes(file: &OwnedFd) -> Attributes {
    xattrs(file.as_fd(), b"").unwrap_or_default() // of a file system that has none to tell
}

/// Those of an archive's member that may be set.
pub(super) fn chosen(attributes: &Attributes) -> Attributes {
    let kept = attributes.iter().filter(|(name, _)| is_kept(name));
    kept.cloned().collect()
}

/// The failure of putting something at `path`, in the user's terms.
pub(super) fn worded(errno: Errno, path: &str) -> crate::error::Error {
    use crate::error::{Error, Kind};
    let text = match errno {
        Errno::ISDIR => format!("cannot overwrite directory {path:?} with non-directory"),
        Errno::NOTDIR => format!("cannot overwrite non-directory {path:?} with directory"),
        Errno::DEADLK => {
            return Error::new(Kind::State, format!("{path:?} is the file that is copied"));
        }
        errno => {
            let errno = nix::errno::Errno::from_raw(errno.raw_os_error());
            return Error::os(errno, format!("write {path:?}"));
        }
    };
    Error::new(Kind::State, text).hint("--overwrite replaces one by the other")
}
