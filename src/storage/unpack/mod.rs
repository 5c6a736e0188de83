//! Unpacking layers: a compressed blob that may still be growing becomes a tree in overlay's `userxattr` form.
//!
//! Runs in: worker (or any process that may chown as it needs).
//!
//! Two threads a layer, several layers at once: `inflate` reads the blob, inflates it and hashes the tar, `tar`
//! parses members from the chunks, `extract` turns each into files by way of `tree`, which resolves every name
//! beneath the layer's root through descriptors. Nothing here follows a link out of that root, and nothing here
//! gives a layer its name: until the blob's digest and the tar's are right, the tree lies in `staging`.

mod extract;
mod feed;
mod inflate;
pub(in crate::storage) mod tar;
#[cfg(test)]
mod tests;
pub(in crate::storage) mod tree;

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};

use super::publish::explain_full;
use super::{DiffId, LayerDigest};
use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::worker::{self, WorkerHandle, WorkerOpts};
use crate::userns::map::IdMaps;

pub use feed::{FeedReader, FeedWriter, feed};

/// One layer to unpack, made before the fork.
#[derive(Debug)]
pub struct LayerUnpack {
    /// How failures name the layer; `None` while it has no name.
    pub layer: Option<LayerDigest>,
    /// The compressed blob, opened for reading; may still be growing.
    pub blob: File,
    pub feed: FeedReader,
    /// The staged layer's directory (`StagedLayer::dir`).
    pub into: PathBuf,
    /// What the tar must hash to; `None` where nobody promised anything.
    pub want: Option<DiffId>,
}

/// What to do with the owners in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owners {
    /// Give them to the files: the process maps them.
    Apply,
    /// There is one id only: keep them as metadata beside the tree.
    Record,
}

/// What a layer may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of tar for one byte of blob, beyond `ratio_from` bytes. Real layers stay below 20; gzip ends at 1032.
    pub max_ratio: u64,
    pub ratio_from: u64,
    /// Bytes of the file system that are left free, so that removing things still works.
    pub reserve: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_ratio: 400,
            ratio_from: 4 << 30,
            reserve: 16 << 20,
        }
    }
}

impl Limits {
    /// The defaults, with the ratio raised by `POD_MAX_UNPACK_RATIO` where somebody has such layers.
    pub fn from_env() -> Self {
        let mut limits = Self::default();
        let raised = std::env::var("POD_MAX_UNPACK_RATIO").ok();
        if let Some(ratio) = raised.and_then(|text| text.parse().ok()) {
            limits.max_ratio = ratio;
        }
        limits
    }

    pub(super) fn check_ratio(&self, compressed: u64, produced: u64) -> Result<()> {
        if produced <= self.ratio_from || produced / self.max_ratio <= compressed {
            return Ok(());
        }
        let text = format!(
            "{compressed} compressed bytes have become {produced}: more than {} times as much",
            self.max_ratio
        );
        Err(Error::new(Kind::Corrupt, text)
            .hint("if you trust the image, set POD_MAX_UNPACK_RATIO to a greater number"))
    }
}

/// A layer that was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Sum of the regular files, bytes.
    pub size: u64,
    /// Entries of the tar.
    pub entries: u64,
    pub diff_id: DiffId,
    /// Bytes of the tar.
    pub tar_size: u64,
}

/// Starts a worker that unpacks `layers` with the ids of `maps`; then their blobs may be fetched, also with threads.
///
/// For a process with one thread only.
pub fn start(maps: &IdMaps, layers: Vec<LayerUnpack>) -> Result<WorkerHandle<Vec<Unpacked>>> {
    let owners = match maps.is_single() {
        true => Owners::Record,
        false => Owners::Apply,
    };
    let limits = Limits::from_env();
    worker::start(maps, WorkerOpts { mounts: false }, move || {
        unpack_layers(layers, owners, &limits)
    })
}

/// Unpacks all layers, several at once, and returns in their order. The first failure stops the others.
///
/// On return every blob was complete and of the right digest (its feed said so), and every tar of the wanted one.
pub fn unpack_layers(
    mut layers: Vec<LayerUnpack>,
    owners: Owners,
    limits: &Limits,
) -> Result<Vec<Unpacked>> {
    for layer in &mut layers {
        layer.feed.after_fork();
    }
    let (stop, watch) = stop()?;
    let count = layers.len();
    let todo: Vec<Mutex<Option<LayerUnpack>>> = layers
        .into_iter()
        .map(|layer| Mutex::new(Some(layer)))
        .collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Unpacked>>> = Mutex::new(vec![None; count]);
    let failure: Mutex<Option<Error>> = Mutex::new(None);

    let work = || {
        while !watch.is_stopped() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(layer) = todo.get(index).and_then(|slot| lock(slot).take()) else {
                return;
            };
            let name = layer.layer;
            match unpack_one(layer, owners, limits, &watch) {
                Ok(unpacked) => lock(&done)[index] = Some(unpacked),
                Err(err) => {
                    // Only the first one is a cause; the others were stopped by it.
                    let tried = match name {
                        Some(name) => format!("unpack layer {name}"),
                        None => "unpack the archive".to_owned(),
                    };
                    lock(&failure).get_or_insert(err.context(tried));
                    stop.stop();
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..parallel(count) {
            scope.spawn(work);
        }
        work();
    });
    if let Some(err) = lock(&failure).take() {
        return Err(err);
    }
    Ok(lock(&done).drain(..).flatten().collect())
}

/// More layers at once than processors: some wait for their download while others are unpacked.
fn parallel(layers: usize) -> usize {
    let cpus = thread::available_parallelism().map_or(2, usize::from);
    layers.min(2 * cpus.clamp(2, 8))
}

fn unpack_one(
    layer: LayerUnpack,
    owners: Owners,
    limits: &Limits,
    watch: &StopWatch,
) -> Result<Unpacked> {
    let place = layer.into.clone();
    let (sink, chunks) = inflate::chunks();
    let (inflated, extracted) = thread::scope(|scope| {
        let LayerUnpack {
            blob, feed, want, ..
        } = layer;
        let inflating =
            scope.spawn(move || inflate::inflate(blob, feed, want, limits, watch, sink));
        let extracted = extract::extract(chunks, &layer.into, owners, limits, watch);
        let inflated = inflating
            .join()
            .unwrap_or_else(|_| Err(Error::new(Kind::System, "the inflating thread panicked")));
        (inflated, extracted)
    });
    // Damaged compressed data makes the tar end early: then the inflating side has the cause. An extractor that
    // gives up makes the inflating side return quietly.
    let inflated = inflated?;
    let extracted = extracted.map_err(|err| explain_full(&place, err))?;
    let (diff_id, tar_size) = inflated.ok_or_else(feed::gave_up)?;
    Ok(Unpacked {
        size: extracted.size,
        entries: extracted.entries,
        diff_id,
        tar_size,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Tells all threads to stop, also those that wait for a download.
struct Stop {
    pipe: Mutex<Option<PipeWriter>>,
    stopped: Arc<AtomicBool>,
}

impl Stop {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        lock(&self.pipe).take();
    }
}

/// The other end of a [`Stop`].
struct StopWatch {
    pipe: PipeReader,
    stopped: Arc<AtomicBool>,
}

fn stop() -> Result<(Stop, StopWatch)> {
    let (reader, writer) = std::io::pipe().tried(|| "make a pipe to stop unpackers")?;
    let stopped = Arc::new(AtomicBool::new(false));
    let stop = Stop {
        pipe: Mutex::new(Some(writer)),
        stopped: stopped.clone(),
    };
    let watch = StopWatch {
        pipe: reader,
        stopped,
    };
    Ok((stop, watch))
}

impl StopWatch {
    /// Waits until `other` has something to read; `BrokenPipe` when told to stop.
    fn wait_for(&self, other: BorrowedFd<'_>) -> std::io::Result<()> {
        loop {
            let mut fds = [
                PollFd::new(other, PollFlags::POLLIN),
                PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(nix::errno::Errno::EINTR) => continue,
                other => other?,
            };
            if fds[1].any().unwrap_or(false) {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            if fds[0].any().unwrap_or(false) {
                return Ok(());
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
