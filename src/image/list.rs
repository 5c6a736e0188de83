//! What is in the store: the data behind `images` and `image inspect`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::record::{ImageRecord, TagRecord, names_of};
use super::reference::Reference;
use super::{Images, Platform};
use crate::error::{Error, Kind, Result};
use crate::storage::{ChainId, DiffId, Digest};

/// One image, from its records alone.
#[derive(Debug, Clone)]
pub struct Summary {
    pub id: Digest,
    /// Manifest digest.
    pub digest: Digest,
    /// Every digest of a manifest or index it is known by.
    pub digests: Vec<Digest>,
    /// Full names with a tag, sorted.
    pub names: Vec<Reference>,
    /// Names by digest only (`pull NAME@sha256:…`), sorted.
    pub pinned: Vec<Reference>,
    /// `repository@digest`, for every repository and digest it is known by, sorted.
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
    /// Lowest first.
    pub layers: Vec<ChainId>,
    /// Lowest first.
    pub diff_ids: Vec<DiffId>,
    /// It is in a store below only: it can be used, not changed.
    pub read_only: bool,
    /// It is a manifest list made here: no config, no layers.
    pub is_list: bool,
    /// Manifests of the images in such a list.
    pub instances: Vec<Digest>,
}

impl Summary {
    /// Names with a tag, then those by digest.
    pub fn all_names(&self) -> impl Iterator<Item = &Reference> {
        self.names.iter().chain(&self.pinned)
    }

    pub fn has_names(&self) -> bool {
        self.all_names().next().is_some()
    }
}

impl Images<'_> {
    /// All images, in no order.
    pub fn list(&self) -> Result<Vec<Summary>> {
        let tags = self.all_tags()?;
        let names = names_of(&tags);
        Ok(self
            .all_images()?
            .iter()
            .map(|record| self.summarize(record, &names))
            .collect())
    }

    /// One image by name or id, with all its names.
    pub fn summary(&self, text: &str) -> Result<Summary> {
        let found = self.locate(text)?;
        let record = self
            .load_image(&found.id)?
            .ok_or_else(|| super::lookup::unknown(text))?;
        let tags = self.all_tags()?;
        Ok(self.summarize(&record, &names_of(&tags)))
    }

    /// As [`Images::summary`], but for the name of a manifest list the image that is for this host.
    pub fn image_summary(&self, text: &str) -> Result<Summary> {
        let found = self.summary(text)?;
        match found.is_list {
            false => Ok(found),
            true => self.summary(&self.find(text)?.id),
        }
    }

    /// The id of the image a name, digest or beginning of an id means.
    pub fn id_of(&self, text: &str) -> Result<Digest> {
        Ok(self.locate(text)?.id)
    }

    /// The image's config as it is stored, with the keys that no schema knows.
    pub fn config_json(&self, id: &Digest) -> Result<Value> {
        self.json(id, "config")
    }

    /// The image's manifest as it is stored.
    pub fn manifest_json(&self, digest: &Digest) -> Result<Value> {
        self.json(digest, "manifest")
    }

    /// Layer trees of an image, uppermost first, as absolute paths.
    pub fn layer_paths(&self, image: &Summary) -> Vec<std::path::PathBuf> {
        let root = self.store.root();
        let paths = image.layers.iter().rev();
        paths
            .map(|layer| root.join(self.store.layer_dir(layer)))
            .collect()
    }

    pub(super) fn summarize(
        &self,
        record: &ImageRecord,
        names: &BTreeMap<Digest, Vec<&TagRecord>>,
    ) -> Summary {
        Summary {
            read_only: self.is_read_only(&record.id),
            ..summary(record, names.get(&record.id).map_or(&[], Vec::as_slice))
        }
    }

    fn json(&self, digest: &Digest, what: &str) -> Result<Value> {
        let bytes = self.store.read_blob(digest, None)?;
        serde_json::from_slice(&bytes)
            .map_err(|err| Error::new(Kind::Corrupt, format!("read the {what} {digest}: {err}")))
    }
}

fn summary(record: &ImageRecord, tags: &[&TagRecord]) -> Summary {
    let digests: BTreeSet<Digest> = record.digests().copied().collect();
    let mut names = Vec::new();
    let mut pinned = Vec::new();
    let mut repo_digests = BTreeSet::new();
    for tag in tags {
        let repository = tag.reference.name();
        for digest in digests.iter().chain([&tag.digest]) {
            repo_digests.insert(format!("{repository}@{digest}"));
        }
        match tag.reference.digest() {
            None => names.push(tag.reference.clone()),
            Some(_) => pinned.push(tag.reference.clone()),
        }
    }
    Summary {
        id: record.id,
        digest: record.digest(),
        digests: digests.into_iter().collect(),
        names,
        pinned,
        repo_digests: repo_digests.into_iter().collect(),
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
        layers: record.layers.clone(),
        diff_ids: record.diff_ids.clone(),
        read_only: false,
        is_list: record.is_list(),
        instances: record.instances(),
    }
}
