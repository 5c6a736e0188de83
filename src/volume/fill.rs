//! The first use of a volume: it is filled from the image once, and gets its owner.
//!
//! Runs in: cli, and a worker that holds the container's ids, because the files belong to them. The worker sees the
//! image as the container would: its layers mounted as one tree, read-only, in its own mount namespace. The image's
//! paths are resolved beneath that tree, and nothing in it is followed or executed.
//!
//! The files arrive in `fill`, which replaces the empty `_data` by one rename: a volume is empty or whole, and who
//! dies before the record says so leaves a volume that is not empty, which is never filled.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
    chownat, fchmod, fchown, fstat, futimens, mkdirat, openat, openat2, readlinkat, statat,
    symlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Result, Tried};
use crate::rootless::worker::{self, WorkerOpts};

use super::{Volume, Volumes, make_dir};
use crate::state::{self, Durable, Lock};
use crate::storage::Store;
use crate::storage::pack::open_merged;
use crate::userns::map::IdMaps;

/// Directories nested deeper than this are no data anybody keeps in an image.
const MAX_DEPTH: usize = 128;

/// What volumes are filled from.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Trees relative to the store, uppermost first.
    pub layers: &'a [PathBuf],
    pub ids: &'a IdMaps,
    /// Uid and gid in the container that own a volume whose mount point the image does not have.
    pub owner: (u32, u32),
}

/// A volume that a container is about to use.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub volume: Volume,
    /// Where the container mounts it: absolute, clean.
    pub target: String,
    /// `false`: `nocopy`.
    pub copy: bool,
}

/// A volume on its way, as the worker has it.
struct Filling<'a> {
    home: OwnedFd,
    fill: OwnedFd,
    wanted: &'a Wanted,
}

impl Volumes {
    /// Fills the volumes nobody has used yet. Two containers that begin at the same time fill a volume once.
    pub fn fill(&self, wanted: &[Wanted], image: &Image<'_>) -> Result<()> {
        let mut wanted: Vec<&Wanted> = wanted
            .iter()
            .filter(|wanted| wanted.volume.record.fresh && wanted.volume.is_own_directory())
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        // One order for everybody who locks several.
        wanted.sort_by_key(|wanted| wanted.volume.name().to_owned());
        wanted.dedup_by_key(|wanted| wanted.volume.name().to_owned());
        let mut locks = Vec::with_capacity(wanted.len());
        let mut filling = Vec::new();
        for &wanted in &wanted {
            let home = self.home(wanted.volume.name());
            locks.push(Lock::exclusive(&home.join("lock"))?);
            let fresh = self
                .load(wanted.volume.name())?
                .is_some_and(|record| record.fresh);
            if fresh && is_empty(&wanted.volume.data)? {
                filling.push(self.begin(&home, wanted)?);
            }
        }
        if !filling.is_empty() {
            self.fill_all(&filling, image)?;
        }
        for wanted in &wanted {
            let mut record = match self.load(wanted.volume.name())? {
                Some(record) if record.fresh => record,
                _ => continue,
            };
            record.fresh = false;
            let durable = match record.anonymous {
                true => Durable::No,
                false => Durable::Yes,
            };
            let path = self.home(&record.name).join("volume.json");
            state::save(&path, &record, durable)?;
        }
        drop(locks);
        Ok(())
    }

    fn begin<'a>(&self, home: &Path, wanted: &'a Wanted) -> Result<Filling<'a>> {
        let fill = home.join("fill");
        Store::at(&self.store)?.remove_tree(&fill)?; // of who was killed
        let tried = || format!("make {}", fill.display());
        make_dir(&fill, 0o755).tried(tried)?;
        Ok(Filling {
            home: open_dir(CWD, home).tried(tried)?,
            fill: open_dir(CWD, &fill).tried(tried)?,
            wanted,
        })
    }

    fn fill_all(&self, filling: &[Filling<'_>], image: &Image<'_>) -> Result<()> {
        let single = image.ids.is_single();
        let layers: Vec<PathBuf> = image
            .layers
            .iter()
            .map(|layer| self.store.join(layer))
            .collect();
        let layers: Vec<&Path> = layers.iter().map(PathBuf::as_path).collect();
        worker::run(image.ids, WorkerOpts { mounts: true }, || {
            let root = match &layers[..] {
                [] => None,
                layers => Some(open_merged(layers)?),
            };
            for one in filling {
                let fail =
                    |err: Error| err.context(format!("fill the volume on {}", one.wanted.target));
                let (uid, gid) = image.owner;
                let owner = fchown(
                    &one.fill,
                    Some(Uid::from_raw(uid)),
                    Some(Gid::from_raw(gid)),
                );
                owned(owner, single)
                    .tried(|| "give it its owner")
                    .map_err(fail)?;
                if let (Some(root), true) = (&root, one.wanted.copy) {
                    copy_up(root, &one.wanted.target, &one.fill, single).map_err(fail)?;
                }
                let (uid, gid) = one.wanted.volume.owner();
                if uid.or(gid).is_some() {
                    fchown(&one.fill, uid.map(Uid::from_raw), gid.map(Gid::from_raw))
                        .tried(|| "give it the owner it was made with")
                        .map_err(|err| {
                            err.hint(
                                "that id is not mapped in this container: it needs subordinate ids",
                            )
                        })
                        .map_err(fail)?;
                }
                // Named volumes are data somebody keeps; an anonymous one can be made again.
                if !one.wanted.volume.record.anonymous {
                    rustix::fs::syncfs(&one.fill)
                        .tried(|| "flush it")
                        .map_err(fail)?;
                }
                rustix::fs::renameat(&one.home, c"fill", &one.home, c"_data")
                    .tried(|| "put it in place")
                    .map_err(fail)?;
            }
            Ok(())
        })
    }
}

fn is_empty(dir: &Path) -> Result<bool> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        // Its owner made it private: somebody has used it.
        Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => Ok(false),
        Err(err) => Err(Error::io(&err, format!("look into {}", dir.display()))),
    }
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
