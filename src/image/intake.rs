//! Intake: the one way into the store for an image, wherever its bytes come from.
//!
//! | step | process | what |
//! | --- | --- | --- |
//! | 1 | cli | config and manifest are held against each other; what is here already is pinned |
//! | 2 | cli, worker | rounds (`round`): what is missing is claimed, fetched, unpacked, flushed and named |
//! | 3 | cli | documents, the image's record and, last, its names |
//!
//! Killed at any point it leaves only staging, and a later intake goes on with the partial blobs.

use oci_spec::image::ImageConfiguration;

use super::manage::remember_name;
use super::record::{ImageRecord, ManifestRecord, TagRecord, VERSION};
use super::reference::Reference;
use super::source::{ImageSource, Incoming};
use super::{Event, Healthcheck, Image, Images, Platform, PlatformRequest, Progress};
use crate::error::{Error, Kind, Result};
use crate::registry::check_depth;
use crate::registry::event::BlobKind;
use crate::storage::{ChainId, DiffId, Digest, LayerDigest};

/// What the user asked for, beside the image itself.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The names it gets; none leaves it reachable by its id only.
    pub names: &'a [Reference],
    /// What it must be for, where the user insists.
    pub platform: &'a PlatformRequest,
}

/// What the config of an image promises, checked.
pub(super) struct Plan {
    pub(super) id: Digest,
    pub(super) config: ImageConfiguration,
    pub(super) diff_ids: Vec<DiffId>,
    pub(super) chain: Vec<ChainId>,
}

impl Images<'_> {
    /// Brings an image into the store: layers that are missing, then its record, then its names.
    ///
    /// For a process with one thread only: it forks the worker that unpacks.
    pub fn take_in(
        &self,
        source: &dyn ImageSource,
        incoming: &Incoming,
        wanted: &Wanted<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let plan = check_config(incoming, wanted.platform)?;
        let layers: Vec<LayerDigest> = incoming.layers.iter().map(|layer| layer.digest).collect();
        let blobs: Vec<Digest> = layers.iter().map(|layer| *layer.digest()).collect();
        // From here on a collector spares what is here of the image.
        let lock = self.store.lock_structure()?;
        let pin = self.store.pin(&lock, &blobs, &plan.chain)?;
        drop(lock);
        self.bring_layers(source, incoming, &plan, progress)?;
        progress.event(&Event::BlobFetched {
            digest: &plan.id,
            kind: BlobKind::Config,
        });
        progress.event(&Event::WritingManifest);
        let image = self.record(wanted.names, incoming, &plan, layers)?;
        drop(pin);
        Ok(image)
    }

    /// Writes the documents, the image's record and, last, its names.
    fn record(
        &self,
        names: &[Reference],
        incoming: &Incoming,
        plan: &Plan,
        layers: Vec<LayerDigest>,
    ) -> Result<Image> {
        let mut size = 0;
        for id in &plan.chain {
            let meta = self.store.layer_meta(id)?.ok_or_else(|| {
                Error::new(
                    Kind::Corrupt,
                    format!("layer {id} vanished while it was pulled"),
                )
            })?;
            size += meta.size;
        }
        let lock = self.store.lock_structure()?;
        self.store.put_blob(&lock, &plan.id, &incoming.config)?;
        self.store
            .put_blob(&lock, &incoming.manifest.digest, &incoming.manifest.bytes)?;
        if let Some(index) = &incoming.index {
            self.store.put_blob(&lock, &index.digest, &index.bytes)?;
        }
        let old = self.load_own_image(&plan.id).unwrap_or_default(); // a damaged record is replaced
        let mut record = old.clone().unwrap_or_else(|| new_record(plan));
        record.size = size;
        record.manifests = merge_manifests(&record.manifests, incoming, layers);
        for name in names {
            remember_name(&mut record, name);
        }
        if old.as_ref() != Some(&record) {
            self.save_image(&record)?;
        }
        let digest = incoming
            .index
            .as_ref()
            .map_or(incoming.manifest.digest, |index| index.digest);
        for name in names {
            let tag = TagRecord {
                version: VERSION,
                reference: name.clone(),
                id: plan.id,
                digest,
            };
            if self.load_own_tag(name).unwrap_or_default().as_ref() != Some(&tag) {
                self.save_tag(&tag)?;
            }
        }
        Ok(Image {
            id: plan.id.hex(),
            digest: record.digest().to_string(),
            names: names.iter().map(Reference::to_string).collect(),
            config: plan.config.clone(),
            healthcheck: record
                .manifests
                .first()
                .and_then(|manifest| Healthcheck::of(&incoming.config, &manifest.media_type)),
            layers: plan
                .chain
                .iter()
                .rev()
                .map(|id| self.store.layer_dir(id))
                .collect(),
            size,
            pulled: false,
        })
    }
}

/// Reads the config and checks it against the manifest, and against the platform where the user named one.
///
/// An image that comes for one platform only is pulled even if that is another one; [`Images::ensure`] warns.
fn check_config(incoming: &Incoming, platform: &PlatformRequest) -> Result<Plan> {
    let refuse = |why: String| {
        Error::new(
            Kind::Corrupt,
            format!("refuse the image config {}: {why}", incoming.config_digest),
        )
    };
    check_depth(&incoming.config)?;
    let config: ImageConfiguration =
        serde_json::from_slice(&incoming.config).map_err(|err| refuse(err.to_string()))?;
    let diff_ids = config
        .rootfs()
        .diff_ids()
        .iter()
        .map(|id| id.parse())
        .collect::<Result<Vec<DiffId>>>()?;
    if diff_ids.len() != incoming.layers.len() {
        return Err(refuse(format!(
            "it names {} layers, the manifest {}",
            diff_ids.len(),
            incoming.layers.len()
        )));
    }
    let (have, want) = (platform_of(&config), platform.resolve());
    let says_nothing = have.os.is_empty() && have.architecture.is_empty();
    if !platform.is_empty() && !says_nothing && want.distance(&have).is_none() {
        let err = Error::new(
            Kind::Unsupported,
            format!("the image is for {have}, and {want} is wanted"),
        );
        return Err(err.hint(format!("if that is meant, give --platform {have}")));
    }
    if incoming.config_digest.algorithm() != crate::state::digest::Algorithm::Sha256 {
        return Err(Error::new(
            Kind::Unsupported,
            "image configs named by another digest than sha256 are not supported",
        ));
    }
    Ok(Plan {
        id: incoming.config_digest,
        chain: ChainId::of_all(&diff_ids),
        config,
        diff_ids,
    })
}

pub(super) fn platform_of(config: &ImageConfiguration) -> Platform {
    Platform {
        os: config.os().to_string(),
        architecture: config.architecture().to_string(),
        variant: config
            .variant()
            .clone()
            .filter(|variant| !variant.is_empty()),
    }
}

fn new_record(plan: &Plan) -> ImageRecord {
    let platform = platform_of(&plan.config);
    ImageRecord {
        version: VERSION,
        id: plan.id,
        created: plan.config.created().clone().unwrap_or_default(),
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant,
        size: 0,
        diff_ids: plan.diff_ids.clone(),
        layers: plan.chain.clone(),
        manifests: Vec::new(),
        history: Vec::new(),
        list: None,
    }
}

/// Puts the manifest in front, keeping the indexes through which it was reached before.
fn merge_manifests(
    known: &[ManifestRecord],
    incoming: &Incoming,
    layers: Vec<LayerDigest>,
) -> Vec<ManifestRecord> {
    let digest = incoming.manifest.digest;
    let mut indexes: Vec<Digest> = incoming.index.iter().map(|index| index.digest).collect();
    let old = known.iter().find(|manifest| manifest.digest == digest);
    for index in old.iter().flat_map(|manifest| &manifest.indexes) {
        if !indexes.contains(index) {
            indexes.push(*index);
        }
    }
    let mut manifests = vec![ManifestRecord {
        digest,
        media_type: incoming.manifest.media_type.clone(),
        layers,
        indexes,
    }];
    manifests.extend(
        known
            .iter()
            .filter(|manifest| manifest.digest != digest)
            .cloned(),
    );
    manifests
}
