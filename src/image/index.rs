//! Manifest lists that are made here, `pod manifest`.
//!
//! A list is an image record without config and layers: its names are images' names. What its entries say is kept in
//! the record, and the index made of it as a blob, so that the digest of the list is that of its bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Platform;
use crate::storage::Digest;

/// What makes a record one of a manifest list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRecord {
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub entries: Vec<ListEntry>,
}

/// One image of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// Of the image's manifest.
    pub digest: Digest,
    /// Bytes of the manifest.
    pub size: u64,
    pub media_type: String,
    pub platform: ListPlatform,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// `registry/repository` that has the image, where it is not in the store.
    pub place: Option<String>,
}

/// Platform of an entry (image-spec `image-index.md`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlatform {
    pub architecture: String,
    pub os: String,
    pub variant: Option<String>,
    pub os_version: Option<String>,
    #[serde(default)]
    pub os_features: Vec<String>,
    /// Of the processor; reserved, and only Docker's lists have it.
    #[serde(default)]
    pub features: Vec<String>,
}

impl ListPlatform {
    /// As far as it decides which image runs where.
    pub fn of_image(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone().filter(|variant| !variant.is_empty()),
        }
    }
}
