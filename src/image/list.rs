//! What is in the store: the data behind `images` and `image inspect`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::record::{ImageRecord, TagRecord, names_of};
use super::reference::Reference;
use super::{Images, Platform};
use crate::error::{Error, Kind, Result};
use crate::storage::Digest;

/// One image, from its records alone.
#[derive(Debug, Clone)]
pub struct Summary {
    pub id: Digest,
    /// Manifest digest.
    pub digest: Digest,
    /// Full names with a tag, sorted; the image is dangling when there is none.
    pub names: Vec<Reference>,
    /// Repositories it was pulled from by digest only.
    pub untagged: Vec<String>,
    /// `repository@digest`, for every repository and digest it is known by.
    pub repo_digests: Vec<String>,
    /// RFC 3339; may be empty.
    pub created: String,
    /// Bytes of the unpacked layers.
    pub size: u64,
    pub platform: Platform,
    /// Names it has or had, latest first.
    pub history: Vec<String>,
    /// Media type of the manifest.
    pub manifest_type: String,
    /// An index led to it.
    pub of_index: bool,
    /// It is in a store below only: it can be used, not changed.
    pub read_only: bool,
}

impl Images<'_> {
    /// All images, in no order.
    pub fn list(&self) -> Result<Vec<Summary>> {
        let tags = self.all_tags()?;
        let names = names_of(&tags);
        let none = Vec::new();
        Ok(self
            .all_images()?
            .iter()
            .map(|record| self.summarize(record, names.get(&record.id).unwrap_or(&none)))
            .collect())
    }

    /// One image by name or id, with all its names.
    pub fn summary(&self, text: &str) -> Result<Summary> {
        let found = self.locate(text)?;
        let record = self
            .load_image(&found.id)?
            .ok_or_else(|| super::lookup::unknown(text))?;
        let tags = self.all_tags()?;
        let none = Vec::new();
        Ok(self.summarize(&record, names_of(&tags).get(&record.id).unwrap_or(&none)))
    }

    /// The image's config as it is stored, with the keys that no schema knows.
    pub fn config_json(&self, id: &Digest) -> Result<Value> {
        self.json(id, "config")
    }

    /// The image's manifest as it is stored.
    pub fn manifest_json(&self, digest: &Digest) -> Result<Value> {
        self.json(digest, "manifest")
    }

    /// Layer trees, uppermost first, as absolute paths.
    pub fn layer_paths(&self, id: &Digest) -> Result<Vec<std::path::PathBuf>> {
        let record = self
            .load_image(id)?
            .ok_or_else(|| super::lookup::unknown(&id.hex()))?;
        let root = self.store.root();
        Ok(record
            .layers
            .iter()
            .rev()
            .map(|layer| root.join(self.store.layer_dir(layer)))
            .collect())
    }

    /// `diff_ids`, lowest first.
    pub fn diff_ids(&self, id: &Digest) -> Result<Vec<String>> {
        let record = self
            .load_image(id)?
            .ok_or_else(|| super::lookup::unknown(&id.hex()))?;
        Ok(record.diff_ids.iter().map(ToString::to_string).collect())
    }

    fn summarize(&self, record: &ImageRecord, tags: &[&TagRecord]) -> Summary {
        Summary {
            read_only: self.is_read_only(&record.id),
            ..summary(record, tags)
        }
    }

    fn json(&self, digest: &Digest, what: &str) -> Result<Value> {
        let bytes = self.store.read_blob(digest, None)?;
        serde_json::from_slice(&bytes)
            .map_err(|err| Error::new(Kind::Corrupt, format!("read the {what} {digest}: {err}")))
    }
}

fn summary(record: &ImageRecord, tags: &[&TagRecord]) -> Summary {
    let mut names = Vec::new();
    let mut untagged = Vec::new();
    let mut repo_digests: BTreeMap<String, ()> = BTreeMap::new();
    for tag in tags {
        let repository = tag.reference.name();
        match tag.reference.digest() {
            None => names.push(tag.reference.clone()),
            Some(_) => untagged.push(repository.clone()),
        }
        for digest in record.digests() {
            repo_digests.insert(format!("{repository}@{digest}"), ());
        }
        repo_digests.insert(format!("{repository}@{}", tag.digest), ());
    }
    Summary {
        id: record.id,
        digest: record.digest(),
        names,
        untagged,
        repo_digests: repo_digests.into_keys().collect(),
        created: record.created.clone(),
        size: record.size,
        platform: Platform {
            os: record.os.clone(),
            architecture: record.architecture.clone(),
            variant: record.variant.clone(),
        },
        history: record.history.clone(),
        manifest_type: record
            .manifest()
            .map_or(String::new(), |manifest| manifest.media_type.clone()),
        of_index: record
            .manifest()
            .is_some_and(|manifest| !manifest.indexes.is_empty()),
        read_only: false,
    }
}
