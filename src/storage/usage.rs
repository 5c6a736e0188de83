//! What the store takes, by its own records: no tree is walked.

use std::collections::BTreeMap;
use std::fs;

use super::{ChainId, Digest, LayerMeta, Store};
use crate::error::{Error, Result, Tried};

/// Everything stored, and its size in bytes.
#[derive(Debug, Default, Clone)]
pub struct Contents {
    pub blobs: BTreeMap<Digest, u64>,
    /// Sums of the regular files.
    pub layers: BTreeMap<ChainId, u64>,
    /// Parts of blobs that a pull will go on with, or a later command sweeps.
    pub staging: u64,
}

impl Contents {
    pub fn total(&self) -> u64 {
        let blobs: u64 = self.blobs.values().sum();
        let layers: u64 = self.layers.values().sum();
        blobs + layers + self.staging
    }
}

impl Store {
    /// Lists blobs and layers, whoever needs them.
    pub fn contents(&self) -> Result<Contents> {
        let mut contents = Contents::default();
        for algorithm in names(&self.root.join("blobs"))? {
            let dir = self.root.join("blobs").join(&algorithm);
            for hex in names(&dir)? {
                if let Ok(digest) = format!("{algorithm}:{hex}").parse::<Digest>() {
                    contents
                        .blobs
                        .insert(digest, self.blob_size(&digest).unwrap_or_default());
                }
            }
        }
        for hex in names(&self.root.join("layers"))? {
            let Ok(digest) = Digest::from_sha256_hex(&hex) else {
                continue;
            };
            let id = ChainId::from(digest);
            // A damaged record hides one size, not the others.
            let meta: Option<LayerMeta> = self.layer_meta(&id).unwrap_or_default();
            contents.layers.insert(id, meta.map_or(0, |meta| meta.size));
        }
        for name in names(&self.staging_dir())? {
            let found = fs::symlink_metadata(self.staging_dir().join(name));
            contents.staging += found
                .ok()
                .filter(fs::Metadata::is_file)
                .map_or(0, |found| found.len());
        }
        Ok(contents)
    }
}

fn names(dir: &std::path::Path) -> Result<Vec<String>> {
    let tried = || format!("list \"{}\"", dir.display());
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(Error::io(&err, tried())),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.tried(tried)?.file_name().into_string().ok());
    }
    Ok(names)
}
