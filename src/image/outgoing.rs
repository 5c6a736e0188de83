//! An image as it leaves the store.
//!
//! An image that is not converted keeps manifest, config and layers bit for bit. One that is converted keeps its
//! config, hence its id; layers change their compression, and a new manifest is made of the old one.

use std::io::{self, Read};

use serde::Deserialize;
use serde_json::{Value, json};

use super::blob::LayerRef;
use super::dest::{Blob, Destination, Form, Needs};
use super::record::ImageRecord;
use super::reference::Reference;
use super::{Event, Images, Progress};
use crate::error::{Error, Kind, Result};
use crate::registry::Document;
use crate::registry::event::BlobKind;
use crate::state::digest::Hasher;
use crate::storage::{Digest, LayerDigest};

/// `--format` of push and save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Oci,
    /// Docker's image manifest version 2, schema 2.
    V2s2,
}

/// `--compression-format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
}

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
    stored: Document,
    format: Format,
}

/// One layer and what happens to it.
#[derive(Debug, Clone)]
pub struct OutgoingLayer {
    pub layer: LayerRef,
    pub blob: Blob,
}

/// What was sent in place of an [`Outbound`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    pub media_type: String,
}

/// A blob that is to be sent, not opened yet.
pub struct Outbound<'a> {
    pub blob: Blob,
    from: From<'a>,
}

enum From<'a> {
    Memory(&'a [u8]),
    Layer(&'a Images<'a>, LayerRef),
}

/// An open blob: reads its bytes, and fails at the end if they were not those of its digest.
pub struct OpenBlob<'a> {
    blob: Blob,
    from: Box<dyn Read + Send + 'a>,
    hash: Option<Hasher>,
    passed: u64,
}

impl<'a> Outbound<'a> {
    /// Opens the blob. May fork: for a process with one thread only.
    pub fn open(self) -> Result<OpenBlob<'a>> {
        let from: Box<dyn Read + Send + 'a> = match self.from {
            From::Memory(bytes) => Box::new(bytes),
            From::Layer(images, layer) => Box::new(images.open_layer(&layer)?),
        };
        Ok(OpenBlob {
            hash: Some(self.blob.digest.hasher()),
            blob: self.blob,
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
            media_type: self.blob.media_type,
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
        let format = match manifest.media_type.as_str() {
            V2S2 => Format::V2s2,
            _ => Format::Oci,
        };
        let wanted = needs.format.or(options.format).unwrap_or(format);
        let plain = needs.layers == Form::Plain;
        if options.compression.is_some() && !plain {
            return Err(Error::new(
                Kind::Unsupported,
                "compressing layers is not available in this version of pod",
            ));
        }
        let layers = stored
            .layers
            .iter()
            .zip(record.diff_ids.iter().zip(&record.layers))
            .map(|(layer, (diff_id, chain))| {
                let from = LayerRef {
                    digest: LayerDigest::from(layer.digest),
                    diff_id: *diff_id,
                    chain: *chain,
                };
                OutgoingLayer {
                    layer: from,
                    blob: Blob {
                        digest: layer.digest,
                        size: Some(layer.size),
                        media_type: layer.media_type.clone(),
                        kind: BlobKind::Layer,
                    },
                }
            })
            .collect();
        Ok(Outgoing {
            id,
            config: self.store.read_blob(&id, None)?,
            layers,
            stored: Document {
                digest: manifest.digest,
                media_type: manifest.media_type.clone(),
                bytes,
            },
            format: wanted,
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
        let config = Blob {
            digest: outgoing.id,
            size: Some(outgoing.config.len() as u64),
            media_type: outgoing.config_type(),
            kind: BlobKind::Config,
        };
        let mut missing: Vec<Outbound<'_>> = Vec::new();
        let mut sent: Vec<Sent> = Vec::new();
        for layer in &outgoing.layers {
            sent.push(Sent {
                digest: layer.blob.digest,
                size: layer.blob.size.unwrap_or_default(),
                media_type: layer.blob.media_type.clone(),
            });
            if missing.iter().any(|known| known.blob == layer.blob) {
                continue; // the same layer twice in one image
            }
            if to.has_blob(&layer.blob)? {
                progress.event(&Event::BlobPresent {
                    digest: &layer.blob.digest,
                    kind: BlobKind::Layer,
                });
                continue;
            }
            missing.push(Outbound {
                blob: layer.blob.clone(),
                from: From::Layer(self, layer.layer.clone()),
            });
        }
        if !to.has_blob(&config)? {
            missing.push(Outbound {
                blob: config,
                from: From::Memory(&outgoing.config),
            });
        }
        to.put_blobs(missing, progress)?;
        progress.event(&Event::WritingManifest);
        let manifest = outgoing.manifest(&sent)?;
        to.put_manifest(&manifest, name)?;
        Ok(manifest)
    }
}

const V2S2: &str = "application/vnd.docker.distribution.manifest.v2+json";
const V2S2_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Outgoing {
    fn config_type(&self) -> String {
        match self.format {
            Format::Oci => OCI_CONFIG,
            Format::V2s2 => V2S2_CONFIG,
        }
        .to_owned()
    }

    /// The manifest of what was sent: the stored bytes where nothing changed.
    fn manifest(&self, sent: &[Sent]) -> Result<Document> {
        let unchanged = self.layers.iter().zip(sent).all(|(layer, sent)| {
            *layer.layer.digest.digest() == sent.digest && layer.blob.media_type == sent.media_type
        });
        let own = match self.format {
            Format::Oci => OCI,
            Format::V2s2 => V2S2,
        };
        if unchanged && self.stored.media_type == own {
            return Ok(self.stored.clone());
        }
        let mut value: Value = serde_json::from_slice(&self.stored.bytes).map_err(|err| {
            let text = format!("read the manifest {}: {err}", self.stored.digest);
            Error::new(Kind::Corrupt, text)
        })?;
        value["mediaType"] = json!(own);
        value["config"]["mediaType"] = json!(self.config_type());
        value["layers"] = sent
            .iter()
            .map(|sent| json!({"mediaType": sent.media_type, "digest": sent.digest, "size": sent.size}))
            .collect();
        let bytes = serde_json::to_vec(&value)
            .map_err(|err| Error::new(Kind::System, format!("write a manifest: {err}")))?;
        Ok(Document {
            digest: Digest::sha256_of(&bytes),
            media_type: own.to_owned(),
            bytes,
        })
    }
}
