//! Runs in: init, before exec. A new tmpfs takes over what the image has at its place (`tmpcopyup`).
//!
//! System calls only, on descriptors; nothing is followed. The files are the image's: what is no directory, regular
//! file or link stays behind.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid, chownat, fchmod,
    fchown, fstat, futimens, mkdirat, openat, readlinkat_raw, sendfile, statat, symlinkat,
};
use rustix::io::Errno;

/// Each level takes some of the stack, and nobody nests data this deep.
const MAX_DEPTH: usize = 64;
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// What the root of the new file system takes over beside the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keep {
    /// The user has given a mode.
    pub(super) mode: bool,
    /// The user has given an owner.
    pub(super) owner: bool,
    /// One id is mapped: nothing can have another owner.
    pub(super) single: bool,
}

/// Copies owner and mode of `place`, and with `files` all that is in it, to the root of the file system `to`.
pub(super) fn take_over(
    place: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    files: bool,
    keep: Keep,
) -> Result<(), Errno> {
    let to = openat(to, c".", DIRECTORY, Mode::empty())?;
    let stat = match files {
        true => {
            let from = openat(place, c".", DIRECTORY, Mode::empty())?;
            copy_dir(from.as_fd(), to.as_fd(), keep.single, 0)?;
            fstat(&from)?
        }
        false => fstat(place)?,
    };
    if !keep.owner {
        owned(fchown(&to, uid(&stat), gid(&stat)), keep.single)?;
    }
    if !keep.mode {
        fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    }
    Ok(())
}

fn copy_dir(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    single: bool,
    depth: usize,
) -> Result<(), Errno> {
    if depth > MAX_DEPTH {
        return Err(Errno::NAMETOOLONG);
    }
    let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(from, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let stat = match statat(from, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue, // a whiteout, or gone
            stat => stat?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                mkdirat(to, name, Mode::RWXU)?;
                let below = openat(from, name, DIRECTORY, Mode::empty())?;
                let copy = openat(to, name, DIRECTORY, Mode::empty())?;
                copy_dir(below.as_fd(), copy.as_fd(), single, depth + 1)?;
                finish(copy.as_fd(), &stat, single)?;
            }
            FileType::RegularFile => copy_file(from, to, name, &stat, single)?,
            FileType::Symlink => copy_link(from, to, name, &stat, single)?,
            _ => {}
        }
    }
    Ok(())
}

fn copy_file(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    stat: &Stat,
    single: bool,
) -> Result<(), Errno> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let source = openat(
        from,
        name,
        OFlags::RDONLY | OFlags::NONBLOCK | flags,
        Mode::empty(),
    )?;
    let created = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | flags;
    let copy: OwnedFd = openat(to, name, created, Mode::RUSR | Mode::WUSR)?;
    while sendfile(&copy, &source, None, 1 << 20)? > 0 {}
    finish(copy.as_fd(), stat, single)
}

fn copy_link(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    stat: &Stat,
    single: bool,
) -> Result<(), Errno> {
    let mut text = [0u8; 4097];
    let len = readlinkat_raw(from, name, &mut text[..4096])?;
    text[len] = 0;
    let text = CStr::from_bytes_until_nul(&text[..=len]).map_err(|_| Errno::INVAL)?;
    symlinkat(text, to, name)?;
    let owner = chownat(to, name, uid(stat), gid(stat), AtFlags::SYMLINK_NOFOLLOW);
    owned(owner, single)
}

fn finish(to: BorrowedFd<'_>, stat: &Stat, single: bool) -> Result<(), Errno> {
    owned(fchown(to, uid(stat), gid(stat)), single)?;
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let time = |secs, nanos| Timespec {
        tv_sec: secs,
        tv_nsec: nanos,
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as _),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as _),
    };
    futimens(to, &times)
}

/// With one id only, everything belongs to it.
fn owned(done: Result<(), Errno>, single: bool) -> Result<(), Errno> {
    match done {
        Err(Errno::PERM | Errno::INVAL) if single => Ok(()),
        done => done,
    }
}

fn uid(stat: &Stat) -> Option<Uid> {
    Some(Uid::from_raw(stat.st_uid))
}

fn gid(stat: &Stat) -> Option<Gid> {
    Some(Gid::from_raw(stat.st_gid))
}
