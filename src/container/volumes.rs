//! Anonymous volumes: a directory below the container for each `VOLUME` of its image, filled from the image once.
//!
//! Runs in: cli, and a worker that holds the container's ids, because the files belong to them. The worker sees the
//! image as the container would: its layers mounted as one tree, read-only, in its own mount namespace. The image's
//! paths are resolved beneath that tree, and nothing in it is followed or executed.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
    chownat, fchmod, fchown, fstat, futimens, mkdirat, openat, openat2, readlinkat, statat,
    symlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Result, Tried};
use crate::rootless::worker::{self, WorkerOpts};

use super::create::make_open_dir;
use super::engine::{Containers, make_dir};
use super::record::Record;

/// Directories nested deeper than this are no data anybody keeps in an image.
const MAX_DEPTH: usize = 128;

/// Makes and fills the anonymous volumes of a container that is being created.
pub(super) fn fill(engine: &Containers, record: &Record) -> Result<()> {
    if record.volumes.is_empty() {
        return Ok(());
    }
    let dir = engine.dir(&record.id);
    let mount_point = dir.join("volumes");
    make_dir(&mount_point)?;
    let mut targets = Vec::with_capacity(record.volumes.len());
    for (place, target) in &record.volumes {
        let path = dir.join(place);
        make_open_dir(&path)?;
        targets.push((
            open_dir(CWD, &path).tried(|| format!("open {}", path.display()))?,
            target,
        ));
    }
    if record.layers.is_empty() {
        return Ok(());
    }
    let single = record.ids.is_single();
    worker::run(&record.ids, WorkerOpts { mounts: true }, || {
        let root = mount_image(&engine.dirs.store, &record.layers, &mount_point)?;
        for (to, target) in &targets {
            copy_up(&root, target, to, single)
                .map_err(|err| err.context(format!("fill the volume on {target}")))?;
        }
        Ok(())
    })
}

/// The image's layers as one read-only tree.
fn mount_image(store: &Path, layers: &[std::path::PathBuf], mount_point: &Path) -> Result<OwnedFd> {
    if let [only] = layers {
        let path = store.join(only);
        return open_dir(CWD, &path).tried(|| format!("open layer {}", path.display()));
    }
    // Paths relative to the store: the options of mount(2) fit one page.
    std::env::set_current_dir(store).tried(|| format!("enter {}", store.display()))?;
    let names: Vec<String> = layers
        .iter()
        .map(|layer| escaped(&layer.to_string_lossy()))
        .collect();
    let options = format!("lowerdir={},userxattr", names.join(":"));
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let tried = || format!("mount {} layers on {}", layers.len(), mount_point.display());
    mount(
        Some("overlay"),
        mount_point,
        Some("overlay"),
        flags,
        Some(options.as_str()),
    )
    .tried(tried)?;
    open_dir(CWD, mount_point).tried(tried)
}

/// A path as an option of `mount(2)`: that of a layer in a store below is the user's choice.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if matches!(c, ',' | ':' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn copy_up(root: &OwnedFd, target: &str, to: &OwnedFd, single: bool) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let from = match openat2(
        root,
        target.trim_start_matches('/'),
        flags,
        Mode::empty(),
        resolve,
    ) {
        Ok(from) => from,
        // The image has no such directory: the volume starts empty.
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(errno) => return Err(errno).tried(|| "open it in the image"),
    };
    copy_dir(from.as_fd(), to.as_fd(), single, 0)
}

/// Copies what is in `from`, then gives `to` its owner and mode.
fn copy_dir(from: BorrowedFd<'_>, to: BorrowedFd<'_>, single: bool, depth: usize) -> Result<()> {
    let tried = || "copy a directory";
    if depth > MAX_DEPTH {
        return Err(Error::new(
            crate::error::Kind::Unsupported,
            format!("copy a directory: nested more than {MAX_DEPTH} deep"),
        ));
    }
    for entry in Dir::read_from(from).tried(tried)? {
        let entry = entry.tried(tried)?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        copy_entry(from, to, name, single, depth)
            .map_err(|err| err.context(name.to_string_lossy()))?;
    }
    let stat = fstat(from).tried(tried)?;
    finish(to, &stat, single)
}

fn copy_entry(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &CStr,
    single: bool,
    depth: usize,
) -> Result<()> {
    let tried = || "copy it";
    let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).tried(tried)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            mkdirat(to, name, Mode::RWXU).tried(tried)?;
            let (from, to) = (
                open_dir(from, name).tried(tried)?,
                open_dir(to, name).tried(tried)?,
            );
            copy_dir(from.as_fd(), to.as_fd(), single, depth + 1)
        }
        FileType::RegularFile => {
            let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let source = openat(
                from,
                name,
                OFlags::RDONLY | OFlags::NONBLOCK | flags,
                Mode::empty(),
            )
            .tried(tried)?;
            let created = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | flags;
            let copy = openat(to, name, created, Mode::RUSR | Mode::WUSR).tried(tried)?;
            let (mut source, mut copy) = (File::from(source), File::from(copy));
            std::io::copy(&mut source, &mut copy).tried(tried)?;
            finish(copy.as_fd(), &stat, single)
        }
        FileType::Symlink => {
            let text = readlinkat(from, name, Vec::new()).tried(tried)?;
            symlinkat(text, to, name).tried(tried)?;
            let owner = chownat(to, name, uid(&stat), gid(&stat), AtFlags::SYMLINK_NOFOLLOW);
            owned(owner, single).tried(tried)
        }
        // Sockets, pipes and devices mean nothing in a fresh volume.
        _ => Ok(()),
    }
}

fn finish(to: BorrowedFd<'_>, stat: &Stat, single: bool) -> Result<()> {
    let tried = || "set its owner and mode";
    owned(fchown(to, uid(stat), gid(stat)), single).tried(tried)?;
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777)).tried(tried)?;
    let time = |secs, nanos| Timespec {
        tv_sec: secs,
        tv_nsec: nanos,
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as _),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as _),
    };
    futimens(to, &times).tried(tried)
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

fn open_dir(at: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    openat(
        at,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}
