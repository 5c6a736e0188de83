//! `docker-archive:`: `manifest.json` lists images; each has a config and one tar a layer, named by it.
//!
//! The archive has no manifest of the kind a registry has, so one is made: always the same for the same bytes.
//! A layer that is compressed inside the archive (kaniko, crane and others write such) is kept as it is.

use std::io::Read;

use serde::Deserialize;
use serde_json::json;

use super::source::FileSource;
use super::{docker_name, document, missing};
use crate::error::{Error, Kind, Result, Tried};
use crate::image::reference::Reference;
use crate::image::source::{Document, Incoming, Layer};
use crate::image::transport::Pick;
use crate::registry::{MAX_DOCUMENT, check_depth};
use crate::state::digest::{Algorithm, Hasher};
use crate::storage::archive::{Compression, FileSet, Part};
use crate::storage::{Digest, LayerDigest};

const MANIFEST: &str = "manifest.json";
const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG_TYPE: &str = "application/vnd.docker.container.image.v1+json";
const LAYER_TYPE: &str = "application/vnd.docker.image.rootfs.diff.tar";

#[derive(Debug)]
pub(super) struct DockerArchive {
    items: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    repo_tags: Option<Vec<String>>,
    /// `null` in an image without layers.
    layers: Option<Vec<String>>,
}

/// What the made manifest needs of the config.
#[derive(Deserialize)]
struct Config {
    rootfs: Option<RootFs>,
}

#[derive(Deserialize)]
struct RootFs {
    diff_ids: Option<Vec<String>>,
}

impl DockerArchive {
    pub(super) fn read(files: &FileSet) -> Result<Self> {
        let bytes = files.read(MANIFEST, MAX_DOCUMENT)?.ok_or_else(|| {
            match files.find("repositories") {
                Ok(Some(_)) => Error::new(
                    Kind::Unsupported,
                    "this is an archive of a Docker of before 2016 (1.9 or older), without \"manifest.json\"",
                )
                .hint("load it into a current Docker and save it again"),
                _ => missing(MANIFEST),
            }
        })?;
        check_depth(&bytes)?;
        let items: Vec<Item> = serde_json::from_slice(&bytes)
            .map_err(|err| Error::new(Kind::Corrupt, format!("read \"{MANIFEST}\": {err}")))?;
        if items.is_empty() {
            return Err(Error::new(
                Kind::Corrupt,
                format!("its \"{MANIFEST}\" lists no image"),
            ));
        }
        Ok(Self { items })
    }

    pub(super) fn images(&self) -> Vec<Vec<Reference>> {
        self.items
            .iter()
            .map(|item| {
                let tags = item.repo_tags.iter().flatten();
                // What is no name (Docker writes `<none>:<none>`) is none.
                let mut names: Vec<Reference> =
                    tags.filter_map(|tag| docker_name(tag).ok()).collect();
                names.dedup();
                names
            })
            .collect()
    }

    pub(super) fn pick(&self, pick: Option<&Pick>) -> Result<usize> {
        let unknown = |text: String| Err(Error::new(Kind::NotFound, text));
        match pick {
            None if self.items.len() == 1 => Ok(0),
            None => Err(Error::usage(format!(
                "unexpected tarball manifest.json: expected 1 item, got {}",
                self.items.len()
            ))
            .hint("name one behind the path, or use \"pod load\" for all")),
            Some(Pick::Index(index)) if *index < self.items.len() => Ok(*index),
            Some(Pick::Index(index)) => unknown(format!(
                "invalid source index @{index}, only {} manifest items available",
                self.items.len()
            )),
            Some(Pick::Name(name)) => {
                let wanted = docker_name(name)?;
                match self
                    .images()
                    .iter()
                    .position(|names| names.contains(&wanted))
                {
                    Some(index) => Ok(index),
                    None => unknown(format!("tag \"{wanted}\" not found")),
                }
            }
        }
    }

    pub(super) fn image(
        &self,
        files: &FileSet,
        index: usize,
        place: &str,
    ) -> Result<(FileSource, Incoming)> {
        let item = &self.items[index];
        let config = document(files, &item.config)?;
        check_depth(&config)?;
        let config_digest = Digest::sha256_of(&config);
        let parsed: Config = serde_json::from_slice(&config).map_err(|err| {
            Error::new(
                Kind::Corrupt,
                format!("read the config \"{}\": {err}", item.config),
            )
        })?;
        let diff_ids = parsed
            .rootfs
            .and_then(|rootfs| rootfs.diff_ids)
            .unwrap_or_default();
        let names = item.layers.as_deref().unwrap_or_default();
        if diff_ids.len() != names.len() {
            return Err(Error::new(
                Kind::Corrupt,
                format!(
                    "its config names {} layers, \"{MANIFEST}\" {}",
                    diff_ids.len(),
                    names.len()
                ),
            ));
        }
        let mut source = FileSource::new(place);
        let mut layers = Vec::new();
        for (name, diff_id) in names.iter().zip(&diff_ids) {
            let part = files.find(name)?.ok_or_else(|| missing(name))?;
            let layer = describe(&part, diff_id)
                .map_err(|err| err.context(format!("read layer \"{name}\"")))?;
            source.add(*layer.digest.digest(), part);
            layers.push(layer);
        }
        let manifest = manifest(&config_digest, config.len(), &layers);
        Ok((
            source,
            Incoming {
                index: None,
                manifest,
                config,
                config_digest,
                layers,
            },
        ))
    }
}

/// A plain tar is named by its diff id, which the intake checks; a compressed one must be hashed first.
fn describe(part: &Part, diff_id: &str) -> Result<Layer> {
    let mut head = [0; 6];
    let got = part.read_at(&mut head, 0).tried(|| "read its beginning")?;
    let (digest, suffix) = match Compression::sniff(&head[..got]) {
        Compression::None => (diff_id.parse()?, ""),
        Compression::Gzip => (hash(part)?, ".gzip"),
        Compression::Zstd => (hash(part)?, ".zstd"),
        other @ (Compression::Xz | Compression::Bzip2) => {
            let text = format!("layers compressed with {other:?} are not supported").to_lowercase();
            return Err(Error::new(Kind::Unsupported, text));
        }
    };
    Ok(Layer {
        digest: LayerDigest::from(digest),
        size: part.size,
        media_type: format!("{LAYER_TYPE}{suffix}"),
    })
}

fn hash(part: &Part) -> Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut reader = part.reader();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer).tried(|| "read it")? {
            0 => return Ok(hasher.finish()),
            got => hasher.update(&buffer[..got]),
        }
    }
}

/// A manifest for an image that has none, always the same one.
pub(in crate::image) fn manifest(
    config: &Digest,
    config_size: usize,
    layers: &[Layer],
) -> Document {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| {
            json!({
                "mediaType": layer.media_type,
                "size": layer.size,
                "digest": layer.digest.to_string(),
            })
        })
        .collect();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "size": config_size,
            "digest": config.to_string(),
        },
        "layers": layers,
    });
    let bytes = manifest.to_string().into_bytes();
    Document {
        digest: Digest::sha256_of(&bytes),
        media_type: MANIFEST_TYPE.to_owned(),
        bytes,
    }
}
