//! Unpacking layers: a compressed blob that may still be growing becomes a tree in overlay's `userxattr` form.
//!
//! Runs in: worker (or any process that may chown as it needs).

mod feed;

use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{DiffId, LayerDigest};

pub use feed::{FeedReader, FeedWriter, feed};

/// One layer to unpack, made before the fork.
#[derive(Debug)]
pub struct LayerUnpack {
    /// How failures name the layer.
    pub layer: LayerDigest,
    /// The compressed blob, opened for reading; may still be growing.
    pub blob: File,
    pub feed: FeedReader,
    /// The staged layer's directory (`StagedLayer::dir`).
    pub into: PathBuf,
    /// What the tar must hash to.
    pub want: DiffId,
}

/// What to do with the owners in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owners {
    /// Give them to the files: the process maps them.
    Apply,
    /// There is one id only: keep them as metadata beside the tree.
    Record,
}

/// A layer that was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpacked {
    /// Sum of the regular files, bytes.
    pub size: u64,
    /// Entries of the tar.
    pub entries: u64,
}
