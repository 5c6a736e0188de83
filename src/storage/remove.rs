//! Removing trees, whoever owns the files in them.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::Store;
use crate::error::{Error, Result};
use crate::rootless::identity::Identity;
use crate::rootless::worker::{self, WorkerOpts};
use crate::userns::mode::{self, UsernsMode};

/// Directories held open at once. Deeper ones are moved up to the top first, so that depth costs no descriptors.
const MAX_OPEN: usize = 64;

impl Store {
    /// Removes a tree in the store, also one whose files belong to subordinate ids.
    ///
    /// It is renamed into `staging` first: a process killed meanwhile leaves it to the next sweep.
    pub fn remove_tree(&self, path: &Path) -> Result<()> {
        if std::fs::symlink_metadata(path)
            .is_err_and(|err| err.raw_os_error() == Some(libc::ENOENT))
        {
            return Ok(());
        }
        let trash = self.trash(path)?;
        let done = self.remove_trash(&trash, None);
        self.tidy_staging();
        done
    }

    /// Removes an item of `staging`; at `until` it stops and leaves the rest to a later sweep.
    ///
    /// Tries with our own rights first: that needs no helper, and is enough for all that we own. The other way
    /// forks: for a process with one thread only.
    pub(super) fn remove_trash(&self, path: &Path, until: Option<Instant>) -> Result<()> {
        match remove_here(path, until) {
            Err(err)
                if matches!(
                    err.errno(),
                    Some(nix::errno::Errno::EACCES | nix::errno::Errno::EPERM)
                ) => {}
            done => return done,
        }
        let me = Identity::current()?;
        // Whatever namespace made these files: all subordinate ids are mapped in the default one.
        let maps = mode::maps(
            &UsernsMode::default(),
            me.uid.as_raw(),
            me.gid.as_raw(),
            || me.name(),
        )?;
        let path = path.to_path_buf();
        worker::run(&maps, WorkerOpts { mounts: false }, move || {
            remove_here(&path, until)
        })
    }
}

/// Removes a tree with the rights of this process. What is gone already is no failure.
fn remove_here(path: &Path, until: Option<Instant>) -> Result<()> {
    let failed = |errno: Errno| {
        let errno = nix::errno::Errno::from_raw(errno.raw_os_error());
        Error::os(errno, format!("remove \"{}\"", path.display()))
    };
    match unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(failed(errno)),
    }
    match open_dir(CWD, path) {
        Ok(top) => match empty_dir(top, until).map_err(failed)? {
            Emptied::Wholly => {}
            Emptied::InPart => return Ok(()),
        },
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(failed(errno)),
    }
    match unlinkat(CWD, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(failed(errno)),
    }
}

/// As [`remove_here`], of a directory in another one.
pub(super) fn remove_dir_at(at: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    empty_dir(open_dir(at, name)?, None)?;
    gone(unlinkat(at, name, AtFlags::REMOVEDIR))
}

/// One directory on the way down: its entries still to be looked at, and its name in the one above.
struct Level {
    dir: OwnedFd,
    entries: Dir,
    name: CString,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emptied {
    Wholly,
    InPart,
}

fn empty_dir(top: OwnedFd, until: Option<Instant>) -> Result<Emptied, Errno> {
    let late = || until.is_some_and(|until| Instant::now() > until);
    let mut moved = 0_u64;
    loop {
        let before = moved;
        if empty_once(&top, &mut moved, &late)? == Emptied::InPart {
            return Ok(Emptied::InPart);
        }
        if moved == before {
            return Ok(Emptied::Wholly);
        }
    }
}

/// Removes what is in `top`, but moves deep directories up to it, counting them: another round must remove those.
fn empty_once(top: &OwnedFd, moved: &mut u64, late: &dyn Fn() -> bool) -> Result<Emptied, Errno> {
    let mut levels = vec![Level {
        dir: open_dir(top.as_fd(), c".")?,
        entries: Dir::read_from(top)?,
        name: c".".into(),
    }];
    while !levels.is_empty() {
        let depth = levels.len();
        let Some(level) = levels.last_mut() else {
            break;
        };
        if late() {
            return Ok(Emptied::InPart);
        }
        let Some(entry) = level.entries.read() else {
            let done = levels.pop();
            if let (Some(done), Some(above)) = (done, levels.last()) {
                gone(unlinkat(&above.dir, &done.name, AtFlags::REMOVEDIR))?;
            }
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if entry.file_type() != FileType::Directory {
            match unlinkat(&level.dir, name, AtFlags::empty()) {
                Err(Errno::ISDIR) => {} // a file system that does not tell types
                other => {
                    gone(other)?;
                    continue;
                }
            }
        }
        match unlinkat(&level.dir, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            other => {
                gone(other)?;
                continue;
            }
        }
        let name = name.to_owned();
        if depth >= MAX_OPEN {
            move_up(level.dir.as_fd(), &name, top.as_fd(), moved)?;
            continue;
        }
        let child = match open_dir(level.dir.as_fd(), &name) {
            Ok(child) => child,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno),
        };
        let entries = Dir::read_from(&child)?;
        levels.push(Level {
            dir: child,
            entries,
            name,
        });
    }
    Ok(Emptied::Wholly)
}

/// Gives a deep directory a free name in `top`.
fn move_up(
    from: BorrowedFd<'_>,
    name: &CStr,
    top: BorrowedFd<'_>,
    moved: &mut u64,
) -> Result<(), Errno> {
    loop {
        *moved += 1;
        let to = format!(".pod-removing-{moved}");
        match renameat(from, name, top, to) {
            // Taken by an earlier removal that did not come to its end, or by the tree itself.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            done => return gone(done),
        }
    }
}

/// Opens a directory, giving its owner (us, or root of our namespace) the rights to empty it.
fn open_dir(at: BorrowedFd<'_>, name: impl rustix::path::Arg + Copy) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(at, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(at, name, Mode::RWXU, AtFlags::empty())?;
            openat(at, name, flags, Mode::empty())
        }
        Ok(dir) => {
            let mode = rustix::fs::fstat(&dir)?.st_mode & 0o777;
            if mode & 0o300 != 0o300 && !rustix::process::geteuid().is_root() {
                rustix::fs::fchmod(&dir, Mode::RWXU)?;
            }
            Ok(dir)
        }
        Err(errno) => Err(errno),
    }
}

fn gone(done: Result<(), Errno>) -> Result<(), Errno> {
    match done {
        Err(Errno::NOENT) => Ok(()),
        done => done,
    }
}
