//! Throw-away layers above a directory (`-v …:O`), an image (`--mount type=image`) or a root (`--rootfs DIR:O`).
//!
//!     containers/<id>/overlays/<n>/upper, work
//!
//! Made anew at each start, so that what a killed container left is never seen again, and removed with the container.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Gid, Uid};

use crate::error::{Result, Tried};
use crate::rootless::worker::{self, WorkerOpts};
use crate::storage::Store;

use super::create::make_open_dir;
use super::engine::{Containers, make_dir};
use super::record::Record;
use super::request::{MountRequest, OverlayDirs};

impl Containers {
    /// The layer of the mount on `target`.
    pub(super) fn overlay_dirs(&self, record: &Record, target: &str) -> OverlayDirs {
        let number = targets(record).position(|known| known == target);
        let dir = self
            .overlays(record)
            .join(number.unwrap_or_default().to_string());
        OverlayDirs {
            upper: dir.join("upper"),
            work: dir.join("work"),
        }
    }

    fn overlays(&self, record: &Record) -> PathBuf {
        self.dir(&record.id).join("overlays")
    }

    /// Empties the layers, or makes them. The container's lock is held, and it does not run.
    pub(super) fn renew_overlays(&self, record: &Record) -> Result<()> {
        if targets(record).next().is_none() {
            return Ok(());
        }
        let all = self.overlays(record);
        Store::at(&self.dirs.store)?.remove_tree(&all)?;
        make_dir(&all)?;
        let lowers: Vec<(String, PathBuf)> = self.lowers(record)?;
        for target in targets(record) {
            let dirs = self.overlay_dirs(record, target);
            if let Some(parent) = dirs.upper.parent() {
                make_dir(parent)?;
            }
            for dir in [&dirs.upper, &dirs.work] {
                make_open_dir(dir)?;
            }
            if let Some((_, lower)) = lowers.iter().find(|(at, _)| at == target) {
                look_alike(record, lower, &dirs.upper)?;
            }
        }
        Ok(())
    }

    /// Directories of which the merged one shows owner and mode.
    fn lowers(&self, record: &Record) -> Result<Vec<(String, PathBuf)>> {
        let mut lowers = Vec::new();
        for mount in &record.request.mounts {
            if let MountRequest::Bind { source, target, .. } = mount {
                lowers.push((target.clone(), source.clone()));
            }
        }
        for volume in &record.volumes {
            lowers.push((volume.target.clone(), self.volumes().source(&volume.name)?));
        }
        Ok(lowers)
    }
}

/// Targets whose mount has a layer of the container's own, in order.
fn targets(record: &Record) -> impl Iterator<Item = &str> {
    let of_mounts = record.request.mounts.iter().filter(|mount| match mount {
        MountRequest::Bind { options, .. } => options.overlay && options.overlay_dirs.is_none(),
        MountRequest::Image { .. } => true,
        _ => false,
    });
    let of_volumes = record
        .volumes
        .iter()
        .filter(|volume| volume.options.overlay);
    let volumes = of_volumes.map(|volume| volume.target.as_str());
    of_mounts.map(MountRequest::target).chain(volumes)
}

/// An overlay's root shows its upper directory's owner and mode.
pub(super) fn look_alike(record: &Record, lower: &Path, upper: &Path) -> Result<()> {
    let tried = || format!("make {} like {}", upper.display(), lower.display());
    let like = fs::metadata(lower).tried(tried)?;
    let mode = fs::Permissions::from_mode(like.mode() & 0o7777);
    fs::set_permissions(upper, mode.clone()).tried(tried)?;
    let own = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let inside = |map: &[crate::userns::map::Extent], id: u32| {
        let extent = map
            .iter()
            .find(|e| (e.outside..e.outside.saturating_add(e.count)).contains(&id))?;
        Some(extent.inside + (id - extent.outside))
    };
    let ids = (
        inside(&record.ids.uids, like.uid()),
        inside(&record.ids.gids, like.gid()),
    );
    match ids {
        (Some(uid), Some(gid)) if (like.uid(), like.gid()) != own => {
            worker::run(&record.ids, WorkerOpts { mounts: false }, || {
                rustix::fs::chown(upper, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
                    .tried(tried)?;
                rustix::fs::chmodat(
                    CWD,
                    upper,
                    rustix::fs::Mode::from_raw_mode(like.mode() & 0o7777),
                    rustix::fs::AtFlags::empty(),
                )
                .tried(tried)
            })
        }
        // It belongs to nobody inside: the layer is the container root's.
        _ => Ok(()),
    }
}
