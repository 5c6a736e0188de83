//! The exact bytes of a layer's blob: the file in the store; of a committed layer, its tree written again; of a plain
//! tar, the compressed blob that the layer was unpacked from, inflated.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use super::Images;
use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::worker::WorkerHandle;
use crate::state::digest::Hasher;
use crate::storage::archive;
use crate::storage::compress::Compression;
use crate::storage::pack::{self, Packed};
use crate::storage::{ChainId, DiffId, LayerDigest, TarForm};
use crate::userns::map::IdMaps;
use crate::userns::mode::{self, UsernsMode};

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
    from: From,
}

#[derive(Debug)]
enum From {
    File(File),
    Tree(Box<Writing>),
    Inflated(Inflated),
}

/// A compressed blob of the same layer. Whoever reads it to its end compares the digest.
struct Inflated(Box<dyn Read + Send>);

impl fmt::Debug for Inflated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inflated")
    }
}

/// A worker that writes the blob while it is read.
#[derive(Debug)]
struct Writing {
    pipe: File,
    want: LayerDigest,
    /// `None`: read to its end, and checked.
    hash: Option<Hasher>,
    worker: Option<WorkerHandle<Packed>>,
}

impl LayerBlob {
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for LayerBlob {
    /// The end comes only after the digest was found right.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.from {
            From::File(file) => file.read(buffer),
            From::Tree(writing) => writing.read(buffer),
            From::Inflated(Inflated(tar)) => tar.read(buffer),
        }
    }
}

impl Writing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.hash.is_none() {
            return Ok(0);
        }
        let got = self.pipe.read(buffer)?;
        if got > 0 {
            if let Some(hash) = &mut self.hash {
                hash.update(&buffer[..got]);
            }
            return Ok(got);
        }
        if let Some(worker) = self.worker.take() {
            worker.finish().map_err(io::Error::other)?;
        }
        let digest = self.hash.take().map(Hasher::finish);
        match digest == Some(*self.want.digest()) {
            true => Ok(0),
            false => Err(io::Error::other(Error::new(
                Kind::Corrupt,
                format!(
                    "read layer {}: its files were changed in the store",
                    self.want
                ),
            ))),
        }
    }
}

impl Images<'_> {
    /// Opens the blob of a layer.
    ///
    /// May fork: for a process with one thread only.
    pub fn open_layer(&self, layer: &LayerRef) -> Result<LayerBlob> {
        let digest = layer.digest.digest();
        if let Some(form) = self.unwritten(layer)? {
            let from = From::Tree(Box::new(self.write_again(layer, form)?));
            let size = form.size;
            return Ok(LayerBlob { size, from });
        }
        if let Some((other, size)) = self.packed_form(layer)? {
            let blob = self.store.open_blob(other.digest())?;
            let (tar, _) = archive::decoder(blob)?;
            let from = From::Inflated(Inflated(tar));
            return Ok(LayerBlob { size, from });
        }
        let from = self.store.open_blob(digest)?;
        let size = self.store.blob_size(digest).unwrap_or_default();
        Ok(LayerBlob {
            size,
            from: From::File(from),
        })
    }

    /// Bytes of a layer's blob, also of one that is not kept; `None`: it cannot be had here.
    pub fn layer_blob_size(&self, layer: &LayerRef) -> Result<Option<u64>> {
        match self.unwritten(layer)? {
            Some(form) => Ok(Some(form.size)),
            None => Ok(match self.packed_form(layer)? {
                Some((_, size)) => Some(size),
                None => self.store.blob_size(layer.digest.digest()),
            }),
        }
    }

    /// The blob that a plain tar can be inflated from where it is not kept itself, and the bytes of the tar.
    fn packed_form(&self, layer: &LayerRef) -> Result<Option<(LayerDigest, u64)>> {
        let is_plain = layer.digest.digest() == layer.diff_id.digest();
        if !is_plain || self.store.has_blob(layer.digest.digest()) {
            return Ok(None);
        }
        let Some(meta) = self.store.layer_meta(&layer.chain)? else {
            return Ok(None);
        };
        let kept = meta.blob.filter(|blob| self.store.has_blob(blob.digest()));
        Ok(kept.zip(meta.tar_size))
    }

    /// The blob that is kept of a layer, and its compression, where the one that is asked for cannot be had.
    pub(super) fn kept_instead(
        &self,
        layer: &LayerRef,
    ) -> Result<Option<(LayerDigest, Option<Compression>)>> {
        if self.layer_blob_size(layer)?.is_some() {
            return Ok(None);
        }
        let meta = self.store.layer_meta(&layer.chain)?;
        let kept = meta.as_ref().and_then(|meta| meta.blob);
        let Some(kept) = kept.filter(|kept| self.store.has_blob(kept.digest())) else {
            // No blob at all: the tree may have been made here, and its tar can be written again.
            let plain = meta.and_then(|meta| meta.tar);
            return Ok(plain.map(|_| (LayerDigest::from(*layer.diff_id.digest()), None)));
        };
        let mut head = [0; 4];
        let mut file = self.store.open_blob(kept.digest())?;
        let got = file.read(&mut head).tried(|| format!("read blob {kept}"))?;
        let compression = match &head[..got] {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Compression::Zstd),
            _ => None,
        };
        Ok(Some((kept, compression)))
    }

    /// How the blob must be written, where there is no file of it.
    fn unwritten(&self, layer: &LayerRef) -> Result<Option<TarForm>> {
        let is_plain = layer.digest.digest() == layer.diff_id.digest();
        if !is_plain || self.store.has_blob(layer.digest.digest()) {
            return Ok(None);
        }
        let meta = self.store.layer_meta(&layer.chain)?;
        Ok(meta.and_then(|meta| meta.tar))
    }

    fn write_again(&self, layer: &LayerRef, form: TarForm) -> Result<Writing> {
        let meta = self.store.layer_meta(&layer.chain)?;
        let single_id = meta.is_some_and(|meta| meta.single_id);
        let (reader, writer) = io::pipe().tried(|| "make a pipe for a layer")?;
        let home = self.store.root().join(self.store.layer_dir(&layer.chain));
        let home = home.parent().unwrap_or(&home);
        let worker = pack::layer_tar(&self.maps()?, home, single_id, form.writer, writer.into())?;
        Ok(Writing {
            pipe: File::from(OwnedFd::from(reader)),
            want: layer.digest,
            hash: Some(layer.digest.digest().hasher()),
            worker: Some(worker),
        })
    }

    /// The ids that layers are unpacked with.
    pub(super) fn maps(&self) -> Result<IdMaps> {
        let me = self.identity;
        mode::maps(&UsernsMode::Host, me.uid.as_raw(), me.gid.as_raw(), || {
            me.name()
        })
    }
}
