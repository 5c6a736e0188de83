//! From one form of an image to another: compression, media types, manifests.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};

use serde_json::{Value, json};

use super::Images;
use super::blob::LayerRef;
use super::dest::Blob;
use super::outgoing::{Change, Outgoing, OutgoingLayer, Sent};
use crate::error::{Error, Kind, Result, Tried};
use crate::registry::event::BlobKind;
use crate::registry::{Content, ContentWriter, Document, Whole};
use crate::state::digest::Hasher;
use crate::storage::compress::{Compression, compress, inflate};
use crate::storage::{DiffId, Digest};

/// `--format` of push and save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Oci,
    /// Docker's image manifest version 2, schema 2.
    V2s2,
}

const V2S2: &str = "application/vnd.docker.distribution.manifest.v2+json";
const V2S2_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

impl Format {
    /// From the media type of a manifest.
    pub fn of(media_type: &str) -> Self {
        match media_type {
            V2S2 => Self::V2s2,
            _ => Self::Oci,
        }
    }

    fn manifest_type(self) -> &'static str {
        match self {
            Self::Oci => OCI,
            Self::V2s2 => V2S2,
        }
    }

    fn config_type(self) -> &'static str {
        match self {
            Self::Oci => OCI_CONFIG,
            Self::V2s2 => V2S2_CONFIG,
        }
    }

    pub(super) fn media_type(self, compression: Option<Compression>) -> &'static str {
        match (self, compression) {
            (Self::Oci, None) => "application/vnd.oci.image.layer.v1.tar",
            (Self::Oci, Some(Compression::Gzip)) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Self::Oci, Some(Compression::Zstd)) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Self::V2s2, None) => "application/vnd.docker.image.rootfs.diff.tar",
            // There is no type for zstd: whoever chose the format has seen to it that there is no such layer.
            (Self::V2s2, Some(_)) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        }
    }
}

/// What the media type of a layer says of its compression.
pub(super) fn compression_of(media_type: &str) -> Option<Compression> {
    if media_type.ends_with("gzip") {
        Some(Compression::Gzip)
    } else if media_type.ends_with("zstd") {
        Some(Compression::Zstd)
    } else {
        None
    }
}

impl Outgoing {
    pub(super) fn config_blob(&self) -> Blob {
        Blob {
            digest: self.id,
            size: Some(self.config.len() as u64),
            media_type: self.format.config_type().to_owned(),
            kind: BlobKind::Config,
        }
    }

    /// Media type of a layer as it is sent.
    pub(super) fn layer_type(&self, layer: &OutgoingLayer) -> String {
        let stored = &layer.stored.media_type;
        let compression = match layer.change {
            None if Format::of(&self.stored.media_type) == self.format => return stored.clone(),
            None => compression_of(stored),
            Some(Change::Inflate) => None,
            Some(Change::Compress(how, _)) => Some(how),
        };
        self.format.media_type(compression).to_owned()
    }

    /// The manifest of what was sent: the stored bytes where nothing changed.
    pub(super) fn manifest(&self, sent: &[Sent]) -> Result<Document> {
        let own = self.format.manifest_type();
        let kind = |layer: &OutgoingLayer, sent: &Sent| match layer.original.digest == sent.digest {
            true if layer.lost => layer.original.media_type.clone(),
            _ => self.layer_type(layer),
        };
        let same = |(layer, sent): (&OutgoingLayer, &Sent)| {
            layer.original.digest == sent.digest && layer.original.media_type == kind(layer, sent)
        };
        if self.stored.media_type == own && self.layers.iter().zip(sent).all(same) {
            return Ok(self.stored.clone());
        }
        let mut value: Value = serde_json::from_slice(&self.stored.bytes).map_err(|err| {
            let text = format!("read the manifest {}: {err}", self.stored.digest);
            Error::new(Kind::Corrupt, text)
        })?;
        let layers = self
            .layers
            .iter()
            .zip(sent)
            .enumerate()
            .map(|(at, (layer, sent))| {
                let mut made = json!({
                    "mediaType": kind(layer, sent),
                    "digest": sent.digest,
                    "size": sent.size,
                });
                let annotations = &value["layers"][at]["annotations"];
                if self.format == Format::Oci && annotations.is_object() {
                    made["annotations"] = annotations.clone();
                }
                made
            });
        let layers: Value = layers.collect();
        let annotations = value["annotations"].take();
        let mut made = json!({
            "schemaVersion": 2,
            "mediaType": own,
            "config": {
                "mediaType": self.format.config_type(),
                "digest": self.id,
                "size": self.config.len(),
            },
            "layers": layers,
        });
        // Docker's format has none.
        if self.format == Format::Oci && annotations.is_object() {
            made["annotations"] = annotations;
        }
        let bytes = serde_json::to_vec(&made)
            .map_err(|err| Error::new(Kind::System, format!("write a manifest: {err}")))?;
        Ok(Document {
            digest: Digest::sha256_of(&bytes),
            media_type: own.to_owned(),
            bytes,
        })
    }
}

/// The layer as a plain tar; fails at its end unless that has the diff id.
pub(super) fn inflated<'a>(
    from: impl Read + Send + 'a,
    layer: &LayerRef,
) -> Result<Box<dyn Read + Send + 'a>> {
    let tried = || format!("read layer {}", layer.digest);
    let from = BufReader::with_capacity(128 * 1024, from);
    let plain = inflate(from).tried(tried)?;
    Ok(Box::new(Checked {
        hash: Some(layer.diff_id.digest().hasher()),
        want: layer.diff_id,
        from: plain,
    }))
}

/// Fails at the end if the bytes were not those of the diff id.
struct Checked<R> {
    from: R,
    hash: Option<Hasher>,
    want: DiffId,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        if got > 0 {
            if let Some(hash) = &mut self.hash {
                hash.update(&buffer[..got]);
            }
        } else if !buffer.is_empty()
            && let Some(got) = self.hash.take().map(Hasher::finish)
            && got != *self.want.digest()
        {
            let text = format!("the stored layer {} is damaged: it has {got}", self.want);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(got)
    }
}

impl Images<'_> {
    /// The layer compressed, in a file without a name.
    pub(super) fn compressed(
        &self,
        layer: &LayerRef,
        how: Compression,
        level: Option<i32>,
    ) -> Result<(Whole, File)> {
        let from = inflated(self.open_layer(layer)?, layer)?;
        let mut file = self.store.scratch()?;
        let again = file.try_clone().tried(|| "compress a layer")?;
        let (writer, _content) = Content::growing(again);
        let whole = compress_into(layer, from, writer, how, level)?;
        file.rewind().tried(|| "compress a layer")?;
        Ok((whole, file))
    }
}

/// Compresses a layer; whoever reads the content meanwhile is told of a failure.
pub(super) fn compress_into(
    layer: &LayerRef,
    mut from: impl Read,
    writer: ContentWriter,
    how: Compression,
    level: Option<i32>,
) -> Result<Whole> {
    let mut writer = io::BufWriter::with_capacity(256 * 1024, writer);
    let done = compress(&mut from, &mut writer, how, level).and_then(|_| writer.flush());
    let (writer, _) = writer.into_parts();
    match done {
        Ok(()) => Ok(writer.finish()),
        Err(err) => {
            let err = explain(&err, layer);
            writer.fail(err.clone());
            Err(err)
        }
    }
}

/// As [`compress_into`], without compressing.
pub(super) fn copy_into(
    layer: &LayerRef,
    mut from: impl Read,
    mut writer: ContentWriter,
) -> Result<Whole> {
    match io::copy(&mut from, &mut writer) {
        Ok(_) => Ok(writer.finish()),
        Err(err) => {
            let err = explain(&err, layer);
            writer.fail(err.clone());
            Err(err)
        }
    }
}

fn explain(err: &io::Error, layer: &LayerRef) -> Error {
    let tried = format!("compress layer {}", layer.digest);
    match err.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            Error::new(Kind::Corrupt, format!("{tried}: {err}"))
                .hint("remove the image and pull it again")
        }
        _ => Error::io(err, tried),
    }
}
