//! Layers that are here in another compression than a manifest says.
//!
//! A layer is never fetched a second time, so an image whose layers came with another image may have a manifest of
//! blobs that were never here. What leaves the store then names the blobs that are.

use serde_json::{Value, json};

use super::Images;
use super::blob::LayerRef;
use super::record::ImageRecord;
use crate::error::{Error, Kind, Result};
use crate::storage::archive::{Compression, Part};
use crate::storage::{Digest, LayerDigest};

impl Images<'_> {
    /// The manifest with every layer that cannot be had replaced by the blob that its tree was unpacked from; the
    /// same bytes where all are at hand.
    pub(super) fn with_layers_at_hand(
        &self,
        record: &ImageRecord,
        manifest: Vec<u8>,
    ) -> Result<Vec<u8>> {
        let damaged = |why: String| {
            let id = record.id.hex();
            Error::new(
                Kind::Corrupt,
                format!("read the manifest of image {id}: {why}"),
            )
        };
        let mut value: Value =
            serde_json::from_slice(&manifest).map_err(|err| damaged(err.to_string()))?;
        let docker = value["mediaType"]
            .as_str()
            .is_some_and(|kind| kind.contains("docker"));
        let Some(layers) = value["layers"].as_array_mut() else {
            return Ok(manifest); // an image of nothing, or damaged: whoever reads it says so
        };
        let mut changed = false;
        let known = record.diff_ids.iter().zip(&record.layers);
        for (layer, (diff_id, chain)) in layers.iter_mut().zip(known) {
            let Some(digest) = layer["digest"].as_str() else {
                continue;
            };
            let wanted = LayerRef {
                digest: LayerDigest::from(digest.parse::<Digest>()?),
                diff_id: *diff_id,
                chain: *chain,
            };
            if self.layer_blob_size(&wanted)?.is_some() {
                continue;
            }
            let meta = self.store.layer_meta(chain)?;
            let plain = meta.as_ref().and_then(|meta| meta.tar);
            let digest = match (meta.and_then(|meta| meta.blob), plain) {
                (Some(blob), _) => *blob.digest(),
                (None, Some(_)) => *diff_id.digest(), // written again from the tree
                (None, None) => continue,             // sending it names what is missing
            };
            let here = LayerRef {
                digest: LayerDigest::from(digest),
                ..wanted
            };
            let Some(size) = self.layer_blob_size(&here)? else {
                continue;
            };
            let compression = match digest == *diff_id.digest() {
                true => Compression::None,
                false => self.compression(&digest)?,
            };
            *layer = json!({
                "mediaType": layer_type(docker, compression),
                "digest": digest.to_string(),
                "size": size,
            });
            changed = true;
        }
        match changed {
            true => serde_json::to_vec(&value).map_err(|err| damaged(err.to_string())),
            false => Ok(manifest),
        }
    }

    fn compression(&self, digest: &Digest) -> Result<Compression> {
        use crate::error::Tried;
        let part = Part {
            file: std::sync::Arc::new(self.store.open_blob(digest)?),
            offset: 0,
            size: u64::MAX,
        };
        let mut head = [0; 6];
        let got = part.read_at(&mut head, 0);
        let got = got.tried(|| format!("read blob {digest}"))?;
        Ok(Compression::sniff(&head[..got]))
    }
}

fn layer_type(docker: bool, compression: Compression) -> String {
    let (base, mark) = match docker {
        true => ("application/vnd.docker.image.rootfs.diff.tar", '.'),
        false => ("application/vnd.oci.image.layer.v1.tar", '+'),
    };
    match compression {
        Compression::Gzip => format!("{base}{mark}gzip"),
        Compression::Zstd => format!("{base}{mark}zstd"),
        _ => base.to_owned(),
    }
}
