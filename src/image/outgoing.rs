//! An image as it leaves the store.
//!
//! An image that is not converted keeps manifest, config and layers bit for bit. One that is converted keeps its
//! config, hence its id; layers change their compression, and a new manifest is made of the old one (`convert`).

use std::fs::File;
use std::io::{self, Read};

use serde::Deserialize;

use super::blob::LayerRef;
use super::convert;
use super::dest::{Blob, Destination, Form, Needs};
use super::record::ImageRecord;
use super::reference::Reference;
use super::{Event, Images, Progress};
use crate::error::{Error, Kind, Result};
use crate::registry::event::BlobKind;
use crate::registry::{Document, Whole};
use crate::state::digest::Hasher;
use crate::storage::compress::Compression;
use crate::storage::{Digest, LayerDigest};

pub use super::convert::Format;

/// What the user wants changed on the way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutgoingOptions {
    /// `None`: as it is, or as it must be.
    pub format: Option<Format>,
    /// `None`: gzip, where there must be one.
    pub compression: Option<Compression>,
    /// `None`: the algorithm's own default.
    pub level: Option<i32>,
    /// Layers of another compression are converted too.
    pub force: bool,
}

/// An image, ready to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub id: Digest,
    pub config: Vec<u8>,
    /// Lowest first.
    pub layers: Vec<OutgoingLayer>,
    pub(super) stored: Document,
    pub(super) format: Format,
}

/// One layer and what happens to it.
#[derive(Debug, Clone)]
pub struct OutgoingLayer {
    pub layer: LayerRef,
    /// The blob that is here.
    pub(super) stored: Blob,
    /// As the stored manifest has it.
    pub(super) original: Blob,
    /// `None`: it goes as it is.
    pub(super) change: Option<Change>,
    /// It should go as it is, but its blob was never fetched: another image has the same layer, compressed otherwise.
    pub(super) lost: bool,
}

/// What is done to a layer on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Inflate,
    Compress(Compression, Option<i32>),
}

/// What was sent in place of an [`Outbound`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// A blob that is to be sent, not opened yet.
pub struct Outbound<'a> {
    /// Of a layer that is compressed on the way: what it is made of.
    pub blob: Blob,
    pub(super) from: From<'a>,
    pub(super) change: Option<Change>,
}

/// Where the bytes are.
pub(super) enum From<'a> {
    Memory(&'a [u8]),
    Layer(&'a Images<'a>, LayerRef),
    /// From its beginning.
    File(File),
}

/// An open blob: reads its bytes, and fails at the end if they were not those of its digest.
pub struct OpenBlob<'a> {
    blob: Blob,
    from: Box<dyn Read + Send + 'a>,
    hash: Option<Hasher>,
    passed: u64,
}

impl<'a> Outbound<'a> {
    /// Opens the blob; one that must be compressed is compressed now, into a file without a name.
    ///
    /// May fork: for a process with one thread only.
    pub fn open(self) -> Result<OpenBlob<'a>> {
        let (blob, from) = match (self.from, self.change) {
            (From::Memory(bytes), _) => (self.blob, Box::new(bytes) as Box<dyn Read + Send>),
            (From::File(file), _) => (self.blob, Box::new(file) as Box<dyn Read + Send>),
            (From::Layer(images, layer), None) => {
                let from = images.open_layer(&layer)?;
                (self.blob, Box::new(from) as Box<dyn Read + Send>)
            }
            (From::Layer(images, layer), Some(Change::Inflate)) => {
                let from = convert::inflated(images.open_layer(&layer)?, &layer)?;
                let blob = Blob {
                    digest: *layer.diff_id.digest(),
                    size: None,
                    ..self.blob
                };
                (blob, from)
            }
            (From::Layer(images, layer), Some(Change::Compress(how, level))) => {
                let (whole, file) = images.compressed(&layer, how, level)?;
                let blob = Blob {
                    digest: whole.digest,
                    size: Some(whole.size),
                    ..self.blob
                };
                (blob, Box::new(file) as Box<dyn Read + Send>)
            }
        };
        Ok(OpenBlob {
            hash: Some(blob.digest.hasher()),
            blob,
            from,
            passed: 0,
        })
    }
}

impl OpenBlob<'_> {
    pub fn blob(&self) -> &Blob {
        &self.blob
    }

    /// What was read; an error unless all was.
    pub fn sent(self) -> Result<Sent> {
        if self.hash.is_some() {
            let text = format!("send blob {}: it was not taken whole", self.blob.digest);
            return Err(Error::new(Kind::System, text));
        }
        Ok(Sent {
            digest: self.blob.digest,
            size: self.passed,
        })
    }
}

impl Read for OpenBlob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        if got > 0 {
            self.passed += got as u64;
            if let Some(hash) = &mut self.hash {
                hash.update(&buffer[..got]);
            }
            return Ok(got);
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(hash) = self.hash.take() {
            let digest = hash.finish();
            let size = self.blob.size.unwrap_or(self.passed);
            if digest != self.blob.digest || size != self.passed {
                let text = format!(
                    "the stored blob {} is damaged: it has {} bytes of digest {digest}",
                    self.blob.digest, self.passed
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(0)
    }
}

/// As far as a manifest is read here; it was checked when it came.
#[derive(Deserialize)]
struct Stored {
    config: StoredDescriptor,
    layers: Vec<StoredDescriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredDescriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl Images<'_> {
    /// Prepares an image for a destination that needs `needs`.
    pub fn outgoing(
        &self,
        record: &ImageRecord,
        options: &OutgoingOptions,
        needs: &Needs,
    ) -> Result<Outgoing> {
        let id = record.id;
        let manifest = record.manifest().ok_or_else(|| {
            let text = format!("send image {}: it has no manifest", id.hex());
            Error::new(Kind::Corrupt, text)
        })?;
        let bytes = self.store.read_blob(&manifest.digest, None)?;
        let damaged = |why: String| {
            let text = format!("read the manifest {}: {why}", manifest.digest);
            Error::new(Kind::Corrupt, text)
        };
        let stored: Stored =
            serde_json::from_slice(&bytes).map_err(|err| damaged(err.to_string()))?;
        if stored.layers.len() != record.diff_ids.len() || stored.config.digest != id {
            return Err(damaged("it does not fit the image's record".into()));
        }
        let own = Format::of(&manifest.media_type);
        let mut layers: Vec<OutgoingLayer> = Vec::with_capacity(stored.layers.len());
        let known = record.diff_ids.iter().zip(&record.layers);
        for (layer, (diff_id, chain)) in stored.layers.into_iter().zip(known) {
            let mut from = LayerRef {
                digest: LayerDigest::from(layer.digest),
                diff_id: *diff_id,
                chain: *chain,
            };
            let original = Blob {
                digest: layer.digest,
                size: Some(layer.size),
                media_type: layer.media_type,
                kind: BlobKind::Layer,
            };
            let mut stored = original.clone();
            // The layer was here already when the image came, in another compression: then that is what there is.
            if let Some((kept, compression)) = self.kept_instead(&from)? {
                from.digest = kept;
                stored.digest = *kept.digest();
                stored.size = self.layer_blob_size(&from)?;
                let has_name = compression != Some(Compression::Zstd);
                let format = if has_name { own } else { Format::Oci };
                stored.media_type = format.media_type(compression).to_owned();
            }
            let asked = change(
                convert::compression_of(&original.media_type),
                options,
                needs,
            );
            layers.push(OutgoingLayer {
                change: change(convert::compression_of(&stored.media_type), options, needs),
                lost: stored != original && asked.is_none(),
                layer: from,
                stored,
                original,
            });
        }
        let format = choose_format(own, &mut layers, options, needs)?;
        Ok(Outgoing {
            id,
            config: self.store.read_blob(&id, None)?,
            layers,
            stored: Document {
                digest: Digest::sha256_of(&bytes),
                media_type: manifest.media_type.clone(),
                bytes,
            },
            format,
        })
    }

    /// Sends everything that is missing at the destination, then the manifest; returns the manifest as it was sent.
    ///
    /// Does not call [`Destination::finish`]. May fork: for a process with one thread only.
    pub fn send(
        &self,
        outgoing: &Outgoing,
        to: &mut dyn Destination,
        name: Option<&Reference>,
        progress: &mut dyn Progress,
    ) -> Result<Document> {
        // The same layer may be there twice: each is looked for and sent once.
        let mut distinct: Vec<&OutgoingLayer> = Vec::new();
        for layer in &outgoing.layers {
            if !distinct
                .iter()
                .any(|known| known.stored.digest == layer.stored.digest)
            {
                distinct.push(layer);
            }
        }
        let mut sent: Vec<Option<Sent>> = vec![None; distinct.len()];
        let mut sought: Vec<Blob> = Vec::new();
        let mut of: Vec<usize> = Vec::new();
        for (at, layer) in distinct.iter().enumerate() {
            for blob in self.may_be_there(layer, outgoing) {
                sought.push(blob);
                of.push(at);
            }
        }
        let config = outgoing.config_blob();
        sought.push(config.clone());
        let there = to.has_blobs(&sought, &outgoing.refs(), progress)?;
        for ((at, blob), there) in of.iter().zip(&sought).zip(&there) {
            if *there && sent[*at].is_none() {
                sent[*at] = Some(Sent {
                    digest: blob.digest,
                    size: blob.size.unwrap_or_default(),
                });
            }
        }
        let mut missing: Vec<Outbound<'_>> = Vec::new();
        let mut waiting: Vec<usize> = Vec::new();
        for (at, layer) in distinct.iter().enumerate() {
            if sent[at].is_none() {
                if layer.lost {
                    let text = format!(
                        "the blob {} of image {} is not in the store: its layer is sent in another compression, and the \
                         digest of the manifest changes",
                        layer.original.digest,
                        outgoing.id.hex()
                    );
                    progress.event(&Event::Warning { text: &text });
                }
                missing.push(Outbound {
                    blob: Blob {
                        media_type: outgoing.layer_type(layer),
                        ..layer.stored.clone()
                    },
                    from: From::Layer(self, layer.layer.clone()),
                    change: layer.change,
                });
                waiting.push(at);
            }
        }
        if !there.last().copied().unwrap_or_default() {
            missing.push(Outbound {
                blob: config,
                from: From::Memory(&outgoing.config),
                change: None,
            });
        }
        if !missing.is_empty() {
            let came = to.put_blobs(missing, progress)?;
            for (at, came) in waiting.into_iter().zip(came) {
                sent[at] = Some(came);
            }
        }
        let sent: Vec<Sent> = outgoing
            .layers
            .iter()
            .filter_map(|layer| {
                let same = |known: &OutgoingLayer| known.stored.digest == layer.stored.digest;
                sent[distinct.iter().position(|known| same(known))?].clone()
            })
            .collect();
        progress.event(&Event::WritingManifest);
        let manifest = outgoing.manifest(&sent)?;
        to.put_manifest(&manifest, name)?;
        if to.remembers() {
            self.remember_sent(outgoing, &sent, &to.place());
        }
        Ok(manifest)
    }

    /// The blobs, one of which makes sending the layer unnecessary.
    fn may_be_there(&self, layer: &OutgoingLayer, outgoing: &Outgoing) -> Vec<Blob> {
        let media_type = outgoing.layer_type(layer);
        let original = layer.lost.then(|| layer.original.clone());
        let blobs = match layer.change {
            None => vec![Blob {
                media_type,
                ..layer.stored.clone()
            }],
            Some(Change::Inflate) => vec![Blob {
                digest: *layer.layer.diff_id.digest(),
                size: None,
                media_type,
                kind: BlobKind::Layer,
            }],
            Some(Change::Compress(how, level)) => self
                .compressed_before(&layer.layer.diff_id, how, level)
                .into_iter()
                .map(|Whole { digest, size }| Blob {
                    digest,
                    size: Some(size),
                    media_type: media_type.clone(),
                    kind: BlobKind::Layer,
                })
                .collect(),
        };
        original.into_iter().chain(blobs).collect()
    }
}

/// What a layer of compression `is` must go through.
fn change(is: Option<Compression>, options: &OutgoingOptions, needs: &Needs) -> Option<Change> {
    let wanted = options.compression.unwrap_or(Compression::Gzip);
    let compress = Some(Change::Compress(wanted, options.level));
    match (needs.layers, is) {
        (Form::Plain, Some(_)) => Some(Change::Inflate),
        (Form::Plain, None) => None,
        (_, Some(is)) if options.force && options.compression.is_some() => match is == wanted {
            true => None,
            false => compress,
        },
        (_, Some(_)) => None,
        (Form::Compressed, None) => compress,
        (Form::Preserved, None) => options.compression.and(compress),
    }
}

/// Decides the format. Docker's has no name for zstd: such layers become gzip, unless zstd is what was asked for.
fn choose_format(
    own: Format,
    layers: &mut [OutgoingLayer],
    options: &OutgoingOptions,
    needs: &Needs,
) -> Result<Format> {
    let zstd = |layer: &OutgoingLayer| match layer.change {
        None => convert::compression_of(&layer.stored.media_type) == Some(Compression::Zstd),
        Some(Change::Compress(how, _)) => how == Compression::Zstd,
        Some(Change::Inflate) => false,
    };
    let insisted = needs.format.or(options.format);
    if !layers.iter().any(zstd) {
        return Ok(insisted.unwrap_or(own));
    }
    if insisted != Some(Format::V2s2) {
        return Ok(Format::Oci);
    }
    if options.compression == Some(Compression::Zstd) {
        return Err(Error::usage(
            "compression using zstd is not possible with manifest type v2s2: use --format oci",
        ));
    }
    for layer in layers.iter_mut().filter(|layer| zstd(layer)) {
        layer.change = Some(Change::Compress(Compression::Gzip, options.level));
    }
    Ok(Format::V2s2)
}
