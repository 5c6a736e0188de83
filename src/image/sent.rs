//! What was sent where, so that the same layer is neither compressed nor sent again.
//!
//!     sent/<diff-id hex>.json       SentRecord: the blobs a layer was sent as, and which repositories have them
//!
//! Only a help: a record that is missing, damaged or wrong costs an upload.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Images;
use super::outgoing::{Change, Outgoing, Sent};
use crate::registry::Whole;
use crate::state::{Durable, load, save};
use crate::storage::compress::Compression;
use crate::storage::{DiffId, Digest};

const VERSION: u32 = 1;
/// Repositories remembered for a blob, the latest first.
const PLACES: usize = 8;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct SentRecord {
    version: u32,
    blobs: Vec<SentBlob>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SentBlob {
    digest: Digest,
    size: u64,
    /// How it was made here: `gzip-5`; `None`: it came so.
    made: Option<String>,
    /// `registry/repository`
    places: Vec<String>,
}

impl Images<'_> {
    fn sent_path(&self, layer: &DiffId) -> PathBuf {
        let mut path = self.store.root().join("sent");
        path.push(format!("{}.json", layer.digest().hex()));
        path
    }

    fn sent_record(&self, layer: &DiffId) -> SentRecord {
        load(&self.sent_path(layer))
            .unwrap_or_default()
            .unwrap_or_default()
    }

    /// What compressing the layer came to before.
    pub(super) fn compressed_before(
        &self,
        layer: &DiffId,
        how: Compression,
        level: Option<i32>,
    ) -> Option<Whole> {
        let made = made(how, level);
        let known = self.sent_record(layer).blobs.into_iter();
        let mut known = known.filter(|blob| blob.made.as_ref() == Some(&made));
        known.next().map(|blob| Whole {
            digest: blob.digest,
            size: blob.size,
        })
    }

    /// The blobs a layer was sent as, and the repositories that have them: `registry/repository`.
    pub(super) fn sent_as(&self, layer: &DiffId) -> Vec<(Digest, Vec<String>)> {
        let known = self.sent_record(layer).blobs.into_iter();
        known.map(|blob| (blob.digest, blob.places)).collect()
    }

    /// Keeps in mind what was sent, and where it is now.
    pub(super) fn remember_sent(&self, outgoing: &Outgoing, sent: &[Sent], place: &str) {
        for (layer, sent) in outgoing.layers.iter().zip(sent) {
            let made = match layer.change {
                _ if [layer.stored.digest, layer.original.digest].contains(&sent.digest) => None,
                Some(Change::Compress(how, level)) => Some(made(how, level)),
                _ => continue,
            };
            let diff_id = &layer.layer.diff_id;
            let mut record = self.sent_record(diff_id);
            record.version = VERSION;
            let old = record
                .blobs
                .iter()
                .position(|blob| blob.digest == sent.digest);
            let mut blob = match old {
                Some(at) => record.blobs.remove(at),
                None => SentBlob {
                    digest: sent.digest,
                    size: sent.size,
                    made: None,
                    places: Vec::new(),
                },
            };
            if old.is_some() && blob.places.first().is_some_and(|known| known == place) {
                continue; // nothing is new
            }
            blob.made = made.or(blob.made);
            blob.places.retain(|known| known != place);
            blob.places.insert(0, place.to_owned());
            blob.places.truncate(PLACES);
            record.blobs.insert(0, blob);
            let path = self.sent_path(diff_id);
            let dir = path.parent().unwrap_or(self.store.root());
            // As said above: without it the next push takes longer.
            let _ = fs::create_dir(dir);
            let _ = save(&path, &record, Durable::No);
        }
    }

    /// Forgets the layers of images that are gone.
    pub(super) fn forget_sent(&self) {
        let dir = self.store.root().join("sent");
        let Ok(entries) = fs::read_dir(&dir) else {
            return;
        };
        let Ok(images) = self.all_images() else {
            return;
        };
        let known: HashSet<PathBuf> = images
            .iter()
            .flat_map(|image| &image.diff_ids)
            .map(|layer| self.sent_path(layer))
            .collect();
        for entry in entries.flatten() {
            if !known.contains(&entry.path()) {
                let _ = fs::remove_file(entry.path()); // one more to pass over next time
            }
        }
        let _ = fs::remove_dir(dir); // ENOTEMPTY is the usual answer
    }
}

fn made(how: Compression, level: Option<i32>) -> String {
    format!("{}-{}", how.name(), level.unwrap_or(how.default_level()))
}
