//! A volume's files as a tar, and a tar's files into a volume.
//!
//! Runs in: cli, and a worker that holds the user's ids, because containers own the files.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::worker::{self, WorkerOpts};
use crate::state::Lock;
use crate::storage::transfer::{self, Archive, Manner, Ownership, PassedOver, Source};
use crate::userns::map::IdMaps;

use super::{Volume, Volumes, no_such};

const PLAIN: WorkerOpts = WorkerOpts { mounts: false };

impl Volumes {
    /// Writes everything in the volume to `to`, owners as `maps` have them.
    pub fn export(&self, volume: &Volume, maps: &IdMaps, to: OwnedFd) -> Result<PassedOver> {
        let written = worker::run(maps, PLAIN, || {
            transfer::write_tar(Source::contents_of(open(volume)?), None, to)
        });
        written.map_err(|err| err.context(format!("export volume {}", volume.name())))
    }

    /// Extracts a tar over what is in the volume. One that is cut short leaves what came before, as any tar does.
    ///
    /// Nobody fills the volume from an image meanwhile, nor afterwards, once it holds something.
    pub fn import(&self, volume: &Volume, maps: &IdMaps, from: File) -> Result<PassedOver> {
        let name = volume.name();
        let _lock = Lock::exclusive(&self.home(name).join("lock"))?;
        if self.load(name)?.is_none() {
            return Err(no_such(name));
        }
        let manner = Manner {
            ownership: Ownership::Same,
            overwrite: true,
            single_id: maps.is_single(),
        };
        let read = worker::run(maps, PLAIN, || {
            let archive = Archive::open(from).map_err(|err| match err.kind() {
                Kind::Corrupt => Error::new(Kind::Corrupt, format!("no tar archive: {err}")),
                _ => err,
            })?;
            transfer::extract(archive, open(volume)?, "", manner)
        });
        read.map_err(|err| err.context(format!("import into volume {name}")))
    }
}

/// Runs in: worker.
fn open(volume: &Volume) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, volume.source(), flags, Mode::empty())
        .tried(|| format!("open {}", volume.source().display()))
}
