//! Images of the read-only stores below ours: their records, held against their configs before they are believed.
//!
//! The same image in our own store comes first, as does the same name. One that does not verify is passed over with
//! a note ([`Store::note`](crate::storage::Store::note)).

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::intake::platform_of;
use super::record::{ImageRecord, ManifestRecord, TagRecord, VERSION, tag_file};
use super::reference::Reference;
use super::source::{BlobJob, Document, ImageSource, Incoming, Layer};
use super::{Image, Images, PlatformRequest, Progress, Wanted};
use crate::error::{Error, Kind, Result};
use crate::registry::check_depth;
use crate::storage::{Below, ChainId, DiffId, Digest, LayerDigest, PodmanImage, PodmanStore};

impl Images<'_> {
    /// Tells whether an image is in a store below only: it can be used, not changed.
    pub fn is_read_only(&self, id: &Digest) -> bool {
        !self.store.below().is_empty() && !self.image_path(id).is_file()
    }

    pub(super) fn image_below(&self, id: &Digest) -> Option<ImageRecord> {
        let stores = self.store.below().iter();
        stores.filter_map(|below| self.image_of(below, id)).next()
    }

    pub(super) fn tag_below(&self, reference: &Reference) -> Option<TagRecord> {
        let stores = self.store.below().iter();
        stores
            .filter_map(|below| match below.podman() {
                Some(podman) => self
                    .podman_tags(podman)
                    .into_iter()
                    .find(|tag| tag.reference == *reference),
                None => self.pod_tag(below, &tag_file(reference)),
            })
            .find_map(|tag| {
                let image = self.load_image(&tag.id).ok().flatten()?;
                believed(tag, &image)
            })
    }

    /// All images of the stores below, each once.
    pub(super) fn images_below(&self) -> Vec<ImageRecord> {
        let mut known = HashSet::new();
        let mut all = Vec::new();
        for below in self.store.below() {
            let ids: Vec<Digest> = match below.podman() {
                Some(podman) => self.podman_ids(podman),
                None => below
                    .record_names("images")
                    .iter()
                    .filter_map(|name| Digest::from_sha256_hex(name.strip_suffix(".json")?).ok())
                    .collect(),
            };
            for id in ids {
                if !known.contains(&id)
                    && let Some(record) = self.image_of(below, &id)
                {
                    known.insert(id);
                    all.push(record);
                }
            }
        }
        all
    }

    /// All names in the stores below; the first store that has a name decides.
    pub(super) fn tags_below(&self) -> Vec<TagRecord> {
        let mut known = HashSet::new();
        let mut images: HashMap<Digest, Option<ImageRecord>> = HashMap::new();
        let mut all = Vec::new();
        for below in self.store.below() {
            let tags = match below.podman() {
                Some(podman) => self.podman_tags(podman),
                None => below
                    .record_names("tags")
                    .iter()
                    .filter_map(|name| self.pod_tag(below, name))
                    .collect(),
            };
            for tag in tags {
                let image = images
                    .entry(tag.id)
                    .or_insert_with(|| self.load_image(&tag.id).ok().flatten());
                let tag = image.as_ref().and_then(|image| believed(tag, image));
                all.extend(tag.filter(|tag| known.insert(tag.reference.to_string())));
            }
        }
        all
    }

    /// Sees to it that the layers of an image can be mounted: those of another user, or of a form that the kernel
    /// cannot mount, are unpacked into this store, and the image becomes one of this store.
    ///
    /// For a process with one thread only.
    pub(super) fn make_mountable(
        &self,
        image: Image,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        if self.store.below().is_empty() {
            return Ok(image);
        }
        let chain = ChainId::of_all(&diff_ids_of(&image.config)?);
        if chain.iter().all(|layer| self.store.has_layer(layer)) {
            return Ok(image);
        }
        let id = Digest::from_sha256_hex(&image.id)?;
        let names: Vec<Reference> = image
            .names
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        let any = PlatformRequest::default();
        for below in self.store.below() {
            let place = format!("additional image store \"{}\"", below.root().display());
            let said = format!("use image {} of the {place}", &image.id[..12]);
            if let Some(podman) = below.podman() {
                let images = podman.images().unwrap_or_default();
                if let Some(found) = images.iter().find(|found| found.id == image.id) {
                    let taken = self.take_podman(podman, found, &names, &any, progress);
                    return taken.map_err(|err| err.context(said));
                }
            } else if let Some(record) = self.image_of(below, &id) {
                let incoming = self.incoming_of(&record)?;
                let wanted = Wanted {
                    names: &names,
                    platform: &any,
                };
                let taken = self.take_in(&BelowSource(place), &incoming, &wanted, progress);
                return taken.map_err(|err| err.context(said));
            }
        }
        Ok(image)
    }

    /// An image that is in the stores, as if it came from elsewhere.
    fn incoming_of(&self, record: &ImageRecord) -> Result<Incoming> {
        #[derive(Deserialize)]
        struct Manifest {
            layers: Vec<LayerDescriptor>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct LayerDescriptor {
            media_type: String,
            digest: Digest,
            size: u64,
        }
        let lacks = || {
            let text = format!("image {} has no manifest", record.id.hex());
            Error::new(Kind::Corrupt, text)
        };
        let known = record.manifest().ok_or_else(lacks)?;
        let manifest: Manifest = self.parsed(&known.digest).ok_or_else(lacks)?;
        let layers = manifest.layers.into_iter().map(|layer| Layer {
            digest: LayerDigest::from(layer.digest),
            size: layer.size,
            media_type: layer.media_type,
        });
        Ok(Incoming {
            index: None,
            manifest: Document {
                digest: known.digest,
                media_type: known.media_type.clone(),
                bytes: self.store.read_blob(&known.digest, None)?,
            },
            config: self.store.read_blob(&record.id, None)?,
            config_digest: record.id,
            layers: layers.collect(),
        })
    }

    fn image_of(&self, below: &Below, id: &Digest) -> Option<ImageRecord> {
        let found = match below.podman() {
            Some(podman) => {
                let image = podman.images().ok()?.iter().find(|i| i.id == id.hex())?;
                self.podman_record(image, id)
            }
            None => {
                let name = PathBuf::from(format!("images/{}.json", id.hex()));
                let record = below.read_record(&name)?;
                self.pod_record(&record, id).transpose()?
            }
        };
        match found {
            Ok(record) => Some(record),
            Err(err) => {
                self.store.note(format!(
                    "image {} of the additional image store \"{}\": {err}, ignoring it",
                    &id.hex()[..12],
                    below.root().display()
                ));
                None
            }
        }
    }

    /// What the config says counts; the record may add what no config has. `None`: a manifest list, which is its
    /// owner's own affair.
    fn pod_record(&self, text: &[u8], id: &Digest) -> Result<Option<ImageRecord>> {
        let record: ImageRecord = serde_json::from_slice(text)
            .map_err(|err| Error::new(Kind::Corrupt, format!("read its record: {err}")))?;
        if record.version > VERSION {
            let text = format!("its record has version {}", record.version);
            return Err(Error::new(Kind::Unsupported, text));
        }
        if record.is_list() {
            return Ok(None);
        }
        let checked = self.record_of_config(id)?;
        if record.id != *id || record.layers != checked.layers {
            let text = "its record does not fit its config";
            return Err(Error::new(Kind::Corrupt, text));
        }
        let manifests = record.manifests.into_iter().filter_map(|known| {
            let mut manifest = self.manifest_record(&known.digest, id)?;
            let leads_here = |index: &Digest| self.index_names(index, &known.digest);
            manifest.indexes = known.indexes.into_iter().filter(leads_here).collect();
            Some(manifest)
        });
        Ok(Some(ImageRecord {
            size: record.size,
            manifests: manifests.collect(),
            history: record.history,
            ..checked
        }))
    }

    fn podman_record(&self, image: &PodmanImage, id: &Digest) -> Result<ImageRecord> {
        let checked = self.record_of_config(id)?;
        let sizes = checked.layers.iter().map(|layer| {
            let found = self.store.below().iter();
            found
                .filter_map(|below| below.podman()?.layer(layer))
                .map(|layer| layer.size)
                .next()
        });
        Ok(ImageRecord {
            size: sizes.map(Option::unwrap_or_default).sum(),
            manifests: image
                .manifests()
                .iter()
                .filter_map(|digest| self.manifest_record(digest, id))
                .collect(),
            history: image.names.clone().unwrap_or_default(),
            ..checked
        })
    }

    /// A record of what the config, whose digest is the image's id, says.
    fn record_of_config(&self, id: &Digest) -> Result<ImageRecord> {
        let bytes = self.store.read_blob(id, None)?;
        let config = parse_config(&bytes)?;
        let diff_ids = diff_ids_of(&config)?;
        let platform = platform_of(&config);
        Ok(ImageRecord {
            version: VERSION,
            id: *id,
            created: config.created().clone().unwrap_or_default(),
            os: platform.os,
            architecture: platform.architecture,
            variant: platform.variant,
            size: 0,
            layers: ChainId::of_all(&diff_ids),
            diff_ids,
            manifests: Vec::new(),
            history: Vec::new(),
            list: None,
        })
    }

    /// Of a manifest that is there, and is this image's: a digest by which the image is found is never somebody's word.
    fn manifest_record(&self, digest: &Digest, id: &Digest) -> Option<ManifestRecord> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Manifest {
            media_type: Option<String>,
            config: Descriptor,
            layers: Vec<Descriptor>,
        }
        const OCI: &str = "application/vnd.oci.image.manifest.v1+json"; // image-spec: the type may be left out
        let manifest: Manifest = self.parsed(digest)?;
        (manifest.config.digest == *id).then(|| ManifestRecord {
            digest: *digest,
            media_type: manifest.media_type.unwrap_or_else(|| OCI.to_owned()),
            layers: manifest
                .layers
                .iter()
                .map(|layer| LayerDigest::from(layer.digest))
                .collect(),
            indexes: Vec::new(),
        })
    }

    fn index_names(&self, index: &Digest, manifest: &Digest) -> bool {
        #[derive(Deserialize)]
        struct Index {
            manifests: Vec<Descriptor>,
        }
        self.parsed(index)
            .is_some_and(|index: Index| index.manifests.iter().any(|m| m.digest == *manifest))
    }

    fn parsed<T: serde::de::DeserializeOwned>(&self, digest: &Digest) -> Option<T> {
        let bytes = self.store.read_blob(digest, None).ok()?;
        check_depth(&bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn pod_tag(&self, below: &Below, file: &str) -> Option<TagRecord> {
        let text = below.read_record(&PathBuf::from(format!("tags/{file}")))?;
        let tag: TagRecord = serde_json::from_slice(&text).ok()?;
        (tag.version <= VERSION && tag_file(&tag.reference) == file).then_some(tag)
    }

    fn podman_ids(&self, podman: &PodmanStore) -> Vec<Digest> {
        self.podman_images(podman)
            .iter()
            .filter_map(|image| Digest::from_sha256_hex(&image.id).ok())
            .collect()
    }

    fn podman_tags(&self, podman: &PodmanStore) -> Vec<TagRecord> {
        let mut tags = Vec::new();
        for image in self.podman_images(podman) {
            let Ok(id) = Digest::from_sha256_hex(&image.id) else {
                continue;
            };
            let digest = image.manifests().first().copied().unwrap_or(id);
            for name in image.names.iter().flatten() {
                if let Ok(reference) = name.parse() {
                    tags.push(TagRecord {
                        version: VERSION,
                        reference,
                        id,
                        digest,
                    });
                }
            }
        }
        tags
    }

    fn podman_images<'b>(&self, podman: &'b PodmanStore) -> &'b [PodmanImage] {
        podman.images().unwrap_or_else(|err| {
            self.store.note(format!("{err}, ignoring its images"));
            &[]
        })
    }
}

/// The chain ids of the layers that a config names.
pub(super) fn chain_of_config(bytes: &[u8]) -> Result<Vec<ChainId>> {
    Ok(ChainId::of_all(&diff_ids_of(&parse_config(bytes)?)?))
}

fn parse_config(bytes: &[u8]) -> Result<ImageConfiguration> {
    check_depth(bytes)?;
    serde_json::from_slice(bytes)
        .map_err(|err| Error::new(Kind::Corrupt, format!("read its config: {err}")))
}

fn diff_ids_of(config: &ImageConfiguration) -> Result<Vec<DiffId>> {
    let ids = config.rootfs().diff_ids().iter();
    ids.map(|id| id.parse()).collect()
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

/// A name of somebody's, with no digest but one of the image's own.
fn believed(tag: TagRecord, image: &ImageRecord) -> Option<TagRecord> {
    let is_its_own = |digest: &Digest| image.digests().any(|known| known == digest);
    if tag
        .reference
        .digest()
        .is_some_and(|digest| !is_its_own(digest))
    {
        return None;
    }
    let digest = match is_its_own(&tag.digest) {
        true => tag.digest,
        false => image.digest(),
    };
    Some(TagRecord { digest, ..tag })
}

/// A store below as a source: what it has is here already, so nothing is ever fetched.
struct BelowSource(String);

impl ImageSource for BelowSource {
    fn place(&self) -> String {
        self.0.clone()
    }

    fn fetch_blobs(&self, jobs: Vec<BlobJob<'_>>, _progress: &mut dyn Progress) -> Result<()> {
        match jobs.first() {
            None => Ok(()),
            Some(job) => Err(Error::new(
                Kind::NotFound,
                format!(
                    "blob {} is not in the {}, or cannot be read",
                    job.layer.digest, self.0
                ),
            )
            .hint("pull the image from its registry")),
        }
    }
}
