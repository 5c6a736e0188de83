//! The exact bytes of a layer's blob, wherever they are.

use std::fs::File;
use std::io::{self, Read};

use super::Images;
use crate::error::Result;
use crate::storage::{ChainId, DiffId, LayerDigest};

/// One layer as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerRef {
    /// What the manifest says: the digest of the blob as it travels.
    pub digest: LayerDigest,
    pub diff_id: DiffId,
    /// The unpacked layer in the store.
    pub chain: ChainId,
}

/// A layer's blob, read from its beginning.
#[derive(Debug)]
pub struct LayerBlob {
    size: u64,
    from: File,
}

impl LayerBlob {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for LayerBlob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer)
    }
}

impl Images<'_> {
    /// Opens the blob of a layer: its file in the store.
    ///
    /// May fork: for a process with one thread only.
    pub fn open_layer(&self, layer: &LayerRef) -> Result<LayerBlob> {
        let digest = layer.digest.digest();
        let from = self.store.open_blob(digest)?;
        let size = self.store.blob_size(digest).unwrap_or_default();
        Ok(LayerBlob { size, from })
    }
}
