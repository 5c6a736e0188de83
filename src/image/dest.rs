//! Where an image goes: a registry, an archive, a directory.
//!
//! [`Images::send`](super::Images::send) drives it, in this order: `has_blobs` for everything, `put_blobs` for what is
//! missing (layers lowest first, then the config), `put_manifest`, and, after the last image, `finish`. Whatever goes
//! wrong before `finish` must leave nothing under the destination's name.

use std::io::Read;

use super::blob::LayerRef;
use super::convert::Format;
use super::outgoing::{Outbound, Sent};
use super::reference::Reference;
use super::{Event, Progress};
use crate::error::Result;
use crate::registry::Document;
use crate::registry::event::BlobKind;
use crate::storage::Digest;

/// A blob on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    /// Bytes; `None` where they are known only when they were read (a layer that is inflated on the way).
    pub size: Option<u64>,
    pub media_type: String,
    pub kind: BlobKind,
}

/// In what form a destination wants the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Preserved,
    /// Plain ones are compressed, others stay as they are.
    Compressed,
    /// As plain tars, named by their diff ids.
    Plain,
}

/// What a destination can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    pub layers: Form,
    /// The only format it can hold, if there is but one.
    pub format: Option<Format>,
}

/// Takes images.
pub trait Destination {
    /// What messages call it: `quay.io/a/b`, `oci-archive:/x.tar`.
    fn place(&self) -> String;

    fn needs(&self) -> Needs;

    /// Tells whether the blob is there, so that it need not be sent.
    fn has_blob(&mut self, blob: &Blob) -> Result<bool>;

    /// As [`Destination::has_blob`], of several at once. `layers`: the layers that the blobs belong to, or are made of.
    fn has_blobs(
        &mut self,
        blobs: &[Blob],
        _layers: &[&LayerRef],
        progress: &mut dyn Progress,
    ) -> Result<Vec<bool>> {
        let mut there = Vec::with_capacity(blobs.len());
        for blob in blobs {
            let has = self.has_blob(blob)?;
            if has {
                progress.event(&Event::BlobPresent {
                    digest: &blob.digest,
                    kind: blob.kind,
                });
            }
            there.push(has);
        }
        Ok(there)
    }

    /// What follows may be found at `place`, a `registry/repository`.
    fn expect_at(&mut self, _place: &str) {}

    /// Tells whether it is worth remembering what was sent there.
    fn remembers(&self) -> bool {
        false
    }

    /// Takes all of `bytes`, which ends with success only if size and digest were right.
    fn put_blob(&mut self, blob: &Blob, bytes: &mut dyn Read) -> Result<()>;

    /// Takes several blobs and tells what each came to, in order. One that can take more than one at a time does so.
    fn put_blobs(
        &mut self,
        blobs: Vec<Outbound<'_>>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Sent>> {
        let mut all = Vec::with_capacity(blobs.len());
        for outbound in blobs {
            let mut open = outbound.open()?;
            let blob = open.blob().clone();
            progress.event(&Event::BlobStarted {
                digest: &blob.digest,
                kind: blob.kind,
                size: blob.size.unwrap_or_default(),
                have: 0,
            });
            self.put_blob(&blob, &mut open)?;
            progress.event(&Event::BlobSent {
                digest: &blob.digest,
                kind: blob.kind,
            });
            all.push(open.sent()?);
        }
        Ok(all)
    }

    /// Takes the manifest, or an index whose manifests it took before. `name`: how it is called there; `None`: it is
    /// one of an index that follows.
    fn put_manifest(&mut self, manifest: &Document, name: Option<&Reference>) -> Result<()>;

    /// Everything was given: makes it visible.
    fn finish(&mut self) -> Result<()>;
}
