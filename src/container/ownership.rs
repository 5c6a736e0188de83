//! `-v …:U`: the source of a mount is given to the container's user before each start, as Podman does.
//!
//! Runs in: cli, and a worker that holds the container's ids. Everything is reached by descriptors, and no link is
//! followed: another container may change the tree meanwhile.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, open, openat};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::worker::{self, WorkerOpts};
use crate::runtime;
use crate::storage::pack::open_merged;

use super::engine::Containers;
use super::record::Record;
use super::request::MountRequest;

/// Directories nested deeper than this are no data anybody keeps.
const MAX_DEPTH: usize = 256;
/// Directories of the host that nobody means to give away.
const NEVER: [&str; 23] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/etc/passwd",
    "/etc/pki",
    "/etc/shadow",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/var",
    "/var/lib",
];

impl Containers {
    /// Gives the sources of the mounts that ask for it to the container's user. The container does not run.
    pub(super) fn give_sources(&self, record: &Record) -> Result<()> {
        let sources = self.given_sources(record)?;
        if sources.is_empty() {
            return Ok(());
        }
        let single = record.ids.is_single();
        let trees = self.trees(record);
        worker::run(&record.ids, WorkerOpts { mounts: true }, || {
            // The one id there is shows as the user's, whoever that is.
            let (uid, gid) = match single {
                true => (0, 0),
                false => user(&trees, &record.process.user)?,
            };
            for source in &sources {
                give(source, uid, gid).map_err(|err| {
                    let err = err.context(format!("chown {} to {uid}:{gid}", source.display()));
                    match single {
                        true => err.hint("one id is mapped: files of others stay theirs"),
                        false => err.hint("a file of an id that the container has not got stays as it is: use a copy, or leave the option U out"),
                    }
                })?;
            }
            Ok(())
        })
    }

    fn given_sources(&self, record: &Record) -> Result<Vec<PathBuf>> {
        let mut sources = Vec::new();
        for mount in &record.request.mounts {
            if let MountRequest::Bind {
                source, options, ..
            } = mount
                && options.chown
            {
                sources.push(source.clone());
            }
        }
        for volume in record.volumes.iter().filter(|volume| volume.options.chown) {
            sources.push(self.volumes().source(&volume.name)?);
        }
        for source in &sources {
            let real = source
                .canonicalize()
                .map_err(|err| Error::io(&err, format!("statfs {}", source.display())))?;
            if NEVER.iter().any(|never| real == Path::new(never)) {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "chowning host path {:?} is not allowed",
                        real.display().to_string()
                    ),
                ));
            }
        }
        Ok(sources)
    }

    /// Where the container's user is looked up, uppermost first.
    fn trees(&self, record: &Record) -> Vec<PathBuf> {
        match &record.request.rootfs {
            Some(dir) => vec![dir.clone()],
            None => {
                let layers = record
                    .layers
                    .iter()
                    .map(|layer| self.dirs.store.join(layer));
                [self.dir(&record.id).join("upper")]
                    .into_iter()
                    .chain(layers)
                    .collect()
            }
        }
    }
}

fn user(trees: &[PathBuf], text: &str) -> Result<(u32, u32)> {
    if text.is_empty() {
        return Ok((0, 0));
    }
    let trees: Vec<&Path> = trees.iter().map(PathBuf::as_path).collect();
    let root = open_merged(&trees)?;
    runtime::ids_of_user(root.as_fd(), text)
}

fn give(source: &Path, uid: u32, gid: u32) -> Result<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let top = open(source, flags, Mode::empty()).tried(|| "open it")?;
    give_one(top.as_fd(), uid, gid, 0)
}

fn give_one(at: BorrowedFd<'_>, uid: u32, gid: u32, depth: usize) -> Result<()> {
    let stat = fstat(at).tried(|| "look at it")?;
    if (stat.st_uid, stat.st_gid) != (uid, gid) {
        chownat(
            at,
            c"",
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
            AtFlags::EMPTY_PATH,
        )
        .tried(|| "change its owner")?;
    }
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(Error::new(
            Kind::Unsupported,
            format!("directories nested more than {MAX_DEPTH} deep"),
        ));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir: OwnedFd = openat(at, c".", flags, Mode::empty()).tried(|| "open a directory")?;
    for entry in Dir::read_from(&dir).tried(|| "read a directory")? {
        let entry = entry.tried(|| "read a directory")?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&dir, name, flags, Mode::empty()) {
            Ok(below) => give_one(below.as_fd(), uid, gid, depth + 1)
                .map_err(|err| err.context(name.to_string_lossy()))?,
            Err(Errno::NOENT) => {} // gone meanwhile
            Err(errno) => return Err(errno).tried(|| format!("open {}", name.to_string_lossy())),
        }
    }
    Ok(())
}
