//! What is kept of images.
//!
//!     images/<id hex>.json          ImageRecord: written once the blobs and layers have their names
//!     tags/<escaped name>.json      TagRecord: one full name, written last, so that a name always works
//!     blobs/sha256/<id hex>         the image's config, exact bytes
//!
//! The file name of a tag is the full reference with `/` written as `+`, which no reference contains; one too long
//! for a file name ends in its sha256 instead.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use oci_spec::image::ImageConfiguration;
use serde::{Deserialize, Serialize};

use super::index::ListRecord;
use super::reference::Reference;
use super::{Healthcheck, Image, Images};
use crate::error::{Error, Kind, Result, Tried};
use crate::state::{Durable, is_temporary, load, save};
use crate::storage::{ChainId, DiffId, Digest, LayerDigest};

pub const VERSION: u32 = 1;
/// Longest file name that is readable text; NAME_MAX less room for `.json` and the temporary's affixes.
const READABLE_MAX: usize = 200;

/// An image: its config, its layers, and every manifest it was seen with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    pub version: u32,
    /// Digest of the config blob.
    pub id: Digest,
    /// RFC 3339, from the config; empty when that says nothing.
    pub created: String,
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
    /// Sum of the unpacked layers, bytes.
    pub size: u64,
    /// Lowest first.
    pub diff_ids: Vec<DiffId>,
    /// Lowest first.
    pub layers: Vec<ChainId>,
    /// The one pulled last first.
    pub manifests: Vec<ManifestRecord>,
    /// Names the image once had, latest first (`images`' History).
    #[serde(default)]
    pub history: Vec<String>,
    /// It is no image but a list of some, made here: it has no config and no layers, and its id names no blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListRecord>,
}

/// One manifest of an image; the same config may come compressed in more than one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    pub digest: Digest,
    pub media_type: String,
    /// Lowest first, as the manifest lists them.
    pub layers: Vec<LayerDigest>,
    /// Indexes through which it was reached.
    #[serde(default)]
    pub indexes: Vec<Digest>,
}

/// One name of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    pub version: u32,
    pub reference: Reference,
    /// Digest of the config: the image's record is `images/<hex>.json`.
    pub id: Digest,
    /// What the registry answered for the name: an index or a manifest.
    pub digest: Digest,
}

impl ImageRecord {
    /// The manifest pulled last; `None` for an image that never had one.
    pub fn manifest(&self) -> Option<&ManifestRecord> {
        self.manifests.first()
    }

    /// A manifest list made here.
    pub fn is_list(&self) -> bool {
        self.list.is_some()
    }

    /// Manifests of the images in a local manifest list; none of an image.
    pub fn instances(&self) -> Vec<Digest> {
        let entries = self.list.iter().flat_map(|list| &list.entries);
        entries.map(|entry| entry.digest).collect()
    }

    /// Digest shown as the image's.
    pub fn digest(&self) -> Digest {
        self.manifest().map_or(self.id, |manifest| manifest.digest)
    }

    /// All digests by which `name@digest` finds the image.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.manifests
            .iter()
            .flat_map(|manifest| std::iter::once(&manifest.digest).chain(&manifest.indexes))
    }

    /// All blobs the image needs.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        let layers = self
            .manifests
            .iter()
            .flat_map(|m| m.layers.iter().map(|layer| *layer.digest()));
        std::iter::once(self.id)
            .chain(self.digests().copied().collect::<Vec<_>>())
            .chain(self.instances())
            .chain(layers)
    }
}

impl Images<'_> {
    pub(super) fn image_path(&self, id: &Digest) -> PathBuf {
        let mut path = self.store.root().join("images");
        path.push(format!("{}.json", id.hex()));
        path
    }

    pub(super) fn tag_path(&self, reference: &Reference) -> PathBuf {
        let mut path = self.store.root().join("tags");
        path.push(tag_file(reference));
        path
    }

    /// An image of this store, or of one below it.
    pub(super) fn load_image(&self, id: &Digest) -> Result<Option<ImageRecord>> {
        Ok(self.load_own_image(id)?.or_else(|| self.image_below(id)))
    }

    pub(super) fn load_own_image(&self, id: &Digest) -> Result<Option<ImageRecord>> {
        load(&self.image_path(id))
    }

    /// A name in this store, or in one below it.
    pub(super) fn load_tag(&self, reference: &Reference) -> Result<Option<TagRecord>> {
        let own = self.load_own_tag(reference)?;
        Ok(own.or_else(|| self.tag_below(reference)))
    }

    pub(super) fn load_own_tag(&self, reference: &Reference) -> Result<Option<TagRecord>> {
        let found: Option<TagRecord> = load(&self.tag_path(reference))?;
        // Two long names with one hash do not exist; a file somebody copied does.
        Ok(found.filter(|tag| tag.reference == *reference))
    }

    pub(super) fn save_image(&self, record: &ImageRecord) -> Result<()> {
        save(&self.image_path(&record.id), record, Durable::Yes)
    }

    pub(super) fn save_tag(&self, record: &TagRecord) -> Result<()> {
        save(&self.tag_path(&record.reference), record, Durable::Yes)
    }

    /// All names, sorted. A damaged record is passed over: one bad file must not hide the others.
    pub(super) fn all_tags(&self) -> Result<Vec<TagRecord>> {
        let mut tags = records::<TagRecord>(&self.store.root().join("tags"))?;
        if !self.store.below().is_empty() {
            let own: HashSet<String> = tags.iter().map(|tag| tag.reference.to_string()).collect();
            let below = self.tags_below().into_iter();
            tags.extend(below.filter(|tag| !own.contains(&tag.reference.to_string())));
        }
        tags.sort_by(|a, b| a.reference.cmp(&b.reference));
        Ok(tags)
    }

    pub(super) fn all_images(&self) -> Result<Vec<ImageRecord>> {
        let mut images = records::<ImageRecord>(&self.store.root().join("images"))?;
        if !self.store.below().is_empty() {
            let own: HashSet<Digest> = images.iter().map(|image| image.id).collect();
            let below = self.images_below().into_iter();
            images.extend(below.filter(|image| !own.contains(&image.id)));
        }
        Ok(images)
    }

    /// The image of a record, with the names given.
    pub(super) fn assemble(&self, record: &ImageRecord, names: Vec<String>) -> Result<Image> {
        let bytes = self.store.read_blob(&record.id, None)?;
        let config: ImageConfiguration = serde_json::from_slice(&bytes).map_err(|err| {
            Error::new(
                Kind::Corrupt,
                format!("read the config of image {}: {err}", record.id.hex()),
            )
        })?;
        Ok(Image {
            id: record.id.hex(),
            digest: record.digest().to_string(),
            names,
            config,
            healthcheck: record
                .manifests
                .first()
                .and_then(|manifest| Healthcheck::of(&bytes, &manifest.media_type)),
            layers: record
                .layers
                .iter()
                .rev()
                .map(|layer| self.store.layer_dir(layer))
                .collect(),
            size: record.size,
            pulled: false,
        })
    }
}

/// Names by image.
pub(super) fn names_of(tags: &[TagRecord]) -> BTreeMap<Digest, Vec<&TagRecord>> {
    let mut names: BTreeMap<Digest, Vec<&TagRecord>> = BTreeMap::new();
    for tag in tags {
        names.entry(tag.id).or_default().push(tag);
    }
    names
}

pub(super) fn tag_file(reference: &Reference) -> String {
    let mut name = reference.to_string().replace('/', "+");
    if name.len() > READABLE_MAX {
        let hash = Digest::sha256_of(name.as_bytes()).hex();
        name.truncate(READABLE_MAX - hash.len() - 1);
        name = format!("{name}~{hash}"); // a character no reference has: it cannot be read as a name
    }
    format!("{name}.json")
}

fn records<T: serde::de::DeserializeOwned>(dir: &Path) -> Result<Vec<T>> {
    let tried = || format!("list \"{}\"", dir.display());
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => return Err(Error::io(&err, tried())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.tried(tried)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if is_temporary(name) || !name.ends_with(".json") {
            continue;
        }
        match load(&entry.path()) {
            Ok(record) => found.extend(record),
            Err(err) if err.kind() == Kind::Corrupt => {} // named by whoever asks for this very object
            Err(err) => return Err(err),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_of_tags_are_readable_and_never_too_long() {
        let short: Reference = "nginx".parse().unwrap();
        assert_eq!(tag_file(&short), "docker.io+library+nginx:latest.json");
        let long: Reference = format!(
            "{}/x:{}",
            "a/".repeat(110).trim_end_matches('/'),
            "t".repeat(128)
        )
        .parse()
        .unwrap();
        let other: Reference = format!(
            "{}/y:{}",
            "a/".repeat(110).trim_end_matches('/'),
            "t".repeat(128)
        )
        .parse()
        .unwrap();
        assert!(tag_file(&long).len() <= 210);
        assert_ne!(tag_file(&long), tag_file(&other));
    }
}
