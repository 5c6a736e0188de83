//! Rounds of an intake: what is missing is claimed, fetched and unpacked at the same time, flushed, named.
//!
//! | step | process | what |
//! | --- | --- | --- |
//! | 1 | cli | what is missing is claimed: layers and blobs in staging, each under its lock |
//! | 2 | worker, forked now | unpacks all missing layers while their blobs grow |
//! | 3 | cli, then with threads as the source likes | the source writes blobs into staging, the worker hears how far each is |
//! | 4 | cli | one `syncfs`, then blobs and layers get their names |
//!
//! What another process is fetching is waited for, after everything of our own was published: two intakes never
//! wait for each other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::intake::Plan;
use super::source::{ImageSource, Incoming};
use super::{Event, Images, Progress};
use crate::error::{Error, Kind, Result};
use crate::registry::event::BlobKind;
use crate::registry::{BlobJob, BlobSink, Layer};
use crate::storage::unpack::{self, FeedReader, FeedWriter, LayerUnpack, feed};
use crate::storage::{
    DiffId, Digest, LayerMeta, ReadyBlob, Stage, StagedBlob, StagedLayer, Waiter,
};
use crate::userns::mode::{self, UsernsMode};

/// A smaller part of a blob is fetched anew rather than kept after a failure.
const WORTH_KEEPING: u64 = 4 * 1024 * 1024;

impl Images<'_> {
    /// Sees to it that every layer is in the store.
    pub(super) fn bring_layers(
        &self,
        source: &dyn ImageSource,
        incoming: &Incoming,
        plan: &Plan,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let mut may_restart = true;
        let mut told = vec![false; plan.chain.len()];
        loop {
            let mut round = Round::default();
            let waiter = self.claim(incoming, plan, &mut round, &mut told, progress)?;
            if !round.units.is_empty() {
                let resumed = round.arrivals.iter().any(|arrival| arrival.resumed);
                let borrowed = std::mem::take(&mut round.borrowed);
                match self.run_round(source, incoming, plan, round, progress) {
                    // A partial file from before a power cut may hold anything. It is gone now: once more.
                    Err(err) if err.kind() == Kind::Corrupt && resumed && may_restart => {
                        may_restart = false;
                        continue;
                    }
                    // A store below lied, or its disk did: without these blobs of it, once more.
                    Err(err) if err.kind() == Kind::Corrupt && !borrowed.is_empty() => {
                        borrowed.iter().for_each(|blob| self.store.distrust(blob));
                        continue;
                    }
                    done => done?,
                }
            }
            match waiter {
                Some(waiter) => waiter.wait()?, // then look again what is missing
                None => return Ok(()),
            }
        }
    }

    /// Claims what is missing and free. Returns how to wait for what others are making.
    fn claim(
        &self,
        incoming: &Incoming,
        plan: &Plan,
        round: &mut Round,
        told: &mut [bool],
        progress: &mut dyn Progress,
    ) -> Result<Option<Waiter>> {
        let mut busy = None;
        let mut by_blob: BTreeMap<Digest, usize> = BTreeMap::new();
        for (index, layer) in incoming.layers.iter().enumerate() {
            let id = &plan.chain[index];
            let staged = match self.store.stage_layer(id)? {
                Stage::Ours(staged) => staged,
                Stage::Present => {
                    if !std::mem::replace(&mut told[index], true) {
                        progress.event(&Event::BlobPresent {
                            digest: layer.digest.digest(),
                            kind: BlobKind::Layer,
                        });
                    }
                    continue;
                }
                Stage::Busy(waiter) => {
                    busy = Some(waiter);
                    continue;
                }
            };
            let digest = *layer.digest.digest();
            let source = match by_blob.get(&digest) {
                Some(arrival) => Bytes::Arriving(*arrival),
                None => match self.store.try_stage_blob(&digest, Some(layer.size))? {
                    Stage::Present => {
                        if !self.store.has_own_blob(&digest) {
                            round.borrowed.push(digest);
                        }
                        Bytes::Here
                    }
                    Stage::Ours(staged) => {
                        by_blob.insert(digest, round.arrivals.len());
                        round.arrivals.push(Arrival {
                            layer: layer.clone(),
                            resumed: !staged.is_empty(),
                            have: staged.len(),
                            staged: Some(staged),
                            ready: None,
                            feeds: Vec::new(),
                            unpacker_gone: false,
                        });
                        Bytes::Arriving(round.arrivals.len() - 1)
                    }
                    Stage::Busy(waiter) => {
                        busy = Some(waiter);
                        continue; // the claim on the layer is given back
                    }
                },
            };
            told[index] = true;
            round.add(self, layer, plan.diff_ids[index], source)?;
            round.layers.push((index, staged));
            let into = round
                .layers
                .last()
                .map(|(_, staged)| staged.dir())
                .unwrap_or_default();
            if let Some(unit) = round.units.last_mut() {
                unit.into = into;
            }
        }
        Ok(busy)
    }

    /// Fetches and unpacks what was claimed, and names it.
    fn run_round(
        &self,
        source: &dyn ImageSource,
        incoming: &Incoming,
        plan: &Plan,
        round: Round,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let Round {
            arrivals,
            units,
            layers,
            ..
        } = round;
        // A lower bound: the trees come on top, and are watched while they grow.
        let missing = arrivals
            .iter()
            .map(|arrival| arrival.layer.size.saturating_sub(arrival.have))
            .fold(0, u64::saturating_add);
        if let Err(err) = self.store.check_room(missing) {
            let claimed = arrivals.into_iter().filter_map(|arrival| arrival.staged);
            claimed
                .filter(|staged| staged.len() < WORTH_KEEPING)
                .for_each(StagedBlob::discard);
            return Err(err);
        }
        let me = self.identity;
        let maps = mode::maps(&UsernsMode::Host, me.uid.as_raw(), me.gid.as_raw(), || {
            me.name().to_owned()
        })?;
        let worker = unpack::start(&maps, units)?;
        let arrivals: Vec<RefCell<Arrival>> = arrivals.into_iter().map(RefCell::new).collect();
        let jobs = arrivals
            .iter()
            .map(|arrival| BlobJob {
                layer: arrival.borrow().layer.clone(),
                sink: Box::new(Sink(arrival)),
            })
            .collect();
        let fetched = source.fetch_blobs(jobs, progress);
        let mut arrivals: Vec<Arrival> = arrivals.into_iter().map(RefCell::into_inner).collect();
        let unpacker_gone = arrivals.iter().any(|arrival| arrival.unpacker_gone);
        arrivals
            .iter_mut()
            .for_each(|arrival| arrival.feeds.clear());
        let outcome = match fetched {
            Ok(()) => worker.finish(),
            // The unpacker gave up first and knows why.
            Err(err) if unpacker_gone => Err(worker.finish().err().unwrap_or(err)),
            Err(err) => {
                drop(worker);
                Err(err)
            }
        };
        let unpacked = match outcome {
            Ok(unpacked) => unpacked,
            Err(err) => {
                // What is worth it is kept for a later try; on a full disk it would be in the way of whatever comes.
                let full = err.kind() == Kind::NoSpace;
                // What was found here may be the cause: it would fail again for ever.
                let corrupt = err.kind() == Kind::Corrupt;
                for arrival in arrivals {
                    let suspect = corrupt && arrival.resumed;
                    let worthless = |len: u64| full || suspect || len < WORTH_KEEPING;
                    match (arrival.staged, arrival.ready) {
                        (Some(staged), _) if worthless(staged.len()) => staged.discard(),
                        (_, Some(ready)) if worthless(ready.size()) => ready.discard(),
                        _ => {}
                    }
                }
                return Err(err);
            }
        };
        for ((index, staged), unpacked) in layers.iter().zip(&unpacked) {
            staged.describe(&LayerMeta {
                version: 1,
                diff_id: plan.diff_ids[*index],
                parent: index.checked_sub(1).map(|below| plan.chain[below]),
                blob: Some(incoming.layers[*index].digest),
                size: unpacked.size,
                entries: unpacked.entries,
                single_id: maps.is_single(),
                tar: None,
                tar_size: Some(unpacked.tar_size),
            })?;
            progress.event(&Event::LayerUnpacked {
                digest: incoming.layers[*index].digest.digest(),
            });
        }
        let documents = self.stage_documents(incoming)?;
        self.store.sync()?;
        let ready = arrivals
            .into_iter()
            .filter_map(|arrival| arrival.ready)
            .chain(documents)
            .collect();
        let staged = layers.into_iter().map(|(_, staged)| staged).collect();
        let lock = self.store.lock_structure()?;
        self.store.publish(&lock, ready, staged)
    }

    /// Config, manifest and index, to be flushed and named with the layers. Those that somebody else makes at this
    /// moment are left to the end of the intake.
    fn stage_documents(&self, incoming: &Incoming) -> Result<Vec<ReadyBlob>> {
        let mut documents = vec![
            (&incoming.config_digest, &incoming.config),
            (&incoming.manifest.digest, &incoming.manifest.bytes),
        ];
        documents.extend(
            incoming
                .index
                .iter()
                .map(|index| (&index.digest, &index.bytes)),
        );
        let mut ready = Vec::with_capacity(documents.len());
        for (digest, bytes) in documents {
            let size = bytes.len() as u64;
            if let Stage::Ours(mut staged) = self.store.try_stage_blob(digest, Some(size))? {
                if !staged.is_empty() {
                    staged.restart()?;
                }
                staged.append(bytes)?;
                ready.push(staged.finish(Some(size))?);
            }
        }
        Ok(ready)
    }
}

/// What one round works on.
#[derive(Default)]
struct Round {
    arrivals: Vec<Arrival>,
    /// In the order of `layers`.
    units: Vec<LayerUnpack>,
    layers: Vec<(usize, StagedLayer)>,
    /// Blobs that are read from a store below ours.
    borrowed: Vec<Digest>,
}

/// Where the bytes of a layer come from.
enum Bytes {
    Here,
    Arriving(usize),
}

impl Round {
    fn add(&mut self, images: &Images<'_>, layer: &Layer, want: DiffId, from: Bytes) -> Result<()> {
        let (blob, reader) = match from {
            Bytes::Here => {
                let blob = images.store.open_blob(layer.digest.digest())?;
                (blob, FeedReader::of_complete(layer.size)?)
            }
            Bytes::Arriving(index) => {
                let arrival = &mut self.arrivals[index];
                let (writer, reader) = feed()?;
                arrival.feeds.push(writer);
                let staged = arrival.staged.as_ref().ok_or_else(|| {
                    Error::new(Kind::System, "unpack a layer: its blob was claimed twice")
                })?;
                (staged.reader()?, reader)
            }
        };
        self.units.push(LayerUnpack {
            layer: Some(layer.digest),
            blob,
            feed: reader,
            into: PathBuf::new(), // the caller knows the staged layer
            want: Some(want),
        });
        Ok(())
    }
}

/// One blob on its way.
struct Arrival {
    layer: Layer,
    resumed: bool,
    have: u64,
    staged: Option<StagedBlob>,
    ready: Option<ReadyBlob>,
    /// One for every layer of the image that consists of this blob.
    feeds: Vec<FeedWriter>,
    unpacker_gone: bool,
}

/// Lets the source write a blob into staging.
struct Sink<'a>(&'a RefCell<Arrival>);

impl BlobSink for Sink<'_> {
    fn have(&self) -> u64 {
        self.0.borrow().have
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let arrival = &mut *self.0.borrow_mut();
        let staged = arrival.staged.as_mut().ok_or_else(finished)?;
        staged.append(bytes)?;
        arrival.have = staged.len();
        for feed in &mut arrival.feeds {
            if let Err(err) = feed.valid(arrival.have) {
                arrival.unpacker_gone = true;
                return Err(err);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let arrival = &mut *self.0.borrow_mut();
        let staged = arrival.staged.take().ok_or_else(finished)?;
        let ready = staged.finish(Some(arrival.layer.size))?;
        let size = ready.size();
        arrival.ready = Some(ready); // known before anything fails, so that it is removed then
        for feed in arrival.feeds.drain(..) {
            if let Err(err) = feed.complete(size) {
                arrival.unpacker_gone = true;
                return Err(err);
            }
        }
        Ok(())
    }
}

fn finished() -> Error {
    Error::new(Kind::System, "write a blob: it is complete already")
}
