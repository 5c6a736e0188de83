//! Commit: a new image of an old one and a tree on top of it.
//!
//! The tree becomes a layer in staging, is flushed and named; then config, manifest, record and name are written as of
//! any image that comes in. Killed at any point it leaves staging, or a layer that nothing refers to.

use serde_json::{Map, Value, json};

use super::intake::Wanted;
use super::reference::Reference;
use super::source::{BlobJob, Document, ImageSource, Incoming, Layer};
use super::{Image, Images, PlatformRequest, Progress, Silent, change};
use crate::error::{Error, Kind, Result};
use crate::registry::platform::Platform;
use crate::storage::pack::{self, Leftovers, Part, Tree};
use crate::storage::{ChainId, DiffId, Digest, LayerDigest, LayerMeta, TarForm};

pub use super::outgoing::Format;

/// What is to be committed.
#[derive(Debug)]
pub struct CommitRequest<'a> {
    pub tree: &'a Tree,
    /// The image below the tree, and what history calls it.
    pub base: Option<(Digest, &'a str)>,
    /// One layer for everything.
    pub squash: bool,
    /// The image's `config` object (image-spec `config.md`, Docker's keys).
    pub settings: Map<String, Value>,
    pub author: Option<&'a str>,
    /// Docker's `comment`; an OCI image has no place for it.
    pub message: Option<&'a str>,
    pub format: Format,
    /// RFC 3339.
    pub created: &'a str,
    pub name: Option<&'a Reference>,
}

/// A new image, and what it could not hold.
#[derive(Debug)]
pub struct Committed {
    pub image: Image,
    pub left: Leftovers,
}

/// The image that a commit begins with.
#[derive(Debug, Default)]
struct Base {
    document: Map<String, Value>,
    diff_ids: Vec<DiffId>,
    layers: Vec<Layer>,
}

impl Images<'_> {
    /// The config of an image as it is stored, with what the OCI specification does not know.
    pub fn config_document(&self, id: &Digest) -> Result<Map<String, Value>> {
        let bytes = self.store.read_blob(id, None)?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(document)) => Ok(document),
            _ => Err(Error::new(
                Kind::Corrupt,
                format!("read the config of image {}: not an object", id.hex()),
            )),
        }
    }

    /// Makes the image. `still_there` is asked once the tree was copied: whether its owner still exists.
    ///
    /// For a process with one thread only.
    pub fn commit(
        &self,
        request: &CommitRequest<'_>,
        still_there: &dyn Fn() -> Result<()>,
    ) -> Result<Committed> {
        let base = match (request.base, request.squash) {
            (Some((id, _)), false) => self.base(&id, request.format)?,
            (Some((id, _)), true) => Base {
                document: self.config_document(&id)?,
                ..Base::default()
            },
            (None, _) => Base::default(),
        };
        let maps = self.maps()?;
        let staged = self.store.stage_new_layer()?;
        let part = match request.squash {
            true => Part::Merged,
            false => Part::Upper,
        };
        let copied = pack::copy_layer(&maps, request.tree, part, &staged.dir())?;
        still_there()?;
        let mut diff_ids = base.diff_ids.clone();
        diff_ids.push(copied.diff_id);
        let chain = ChainId::of_all(&diff_ids);
        let parent = chain.iter().rev().nth(1).copied();
        let Some(id) = chain.last() else {
            return Err(Error::new(Kind::System, "commit no layer"));
        };
        let blobs: Vec<Digest> = base.layers.iter().map(|l| *l.digest.digest()).collect();
        let lock = self.store.lock_structure()?;
        let pin = self.store.pin(&lock, &blobs, &chain)?;
        drop(lock);
        if let Some(staged) = staged.named(id) {
            staged.describe(&LayerMeta {
                version: 1,
                diff_id: copied.diff_id,
                parent,
                blob: None,
                size: copied.packed.size,
                entries: copied.packed.entries,
                single_id: maps.is_single(),
                tar: Some(TarForm {
                    writer: pack::WRITER,
                    size: copied.packed.tar_size,
                }),
                tar_size: Some(copied.packed.tar_size),
            })?;
            self.store.sync()?;
            let lock = self.store.lock_structure()?;
            self.store.publish(&lock, Vec::new(), vec![staged])?;
        }
        let mut layers = base.layers.clone();
        layers.push(Layer {
            digest: LayerDigest::from(*copied.diff_id.digest()),
            size: copied.packed.tar_size,
            media_type: request.format.layer_type(Packing::Plain)?.to_owned(),
        });
        let incoming = incoming(request, base.document, &diff_ids, layers)?;
        let image = self.take_in(
            &Nowhere,
            &incoming,
            &Wanted {
                names: request.name.map(std::slice::from_ref).unwrap_or_default(),
                platform: &PlatformRequest::default(),
            },
            &mut Silent,
        )?;
        drop(pin);
        Ok(Committed {
            image,
            left: copied.packed.left,
        })
    }

    fn base(&self, id: &Digest, format: Format) -> Result<Base> {
        let damaged = |why: &str| {
            Error::new(
                Kind::Corrupt,
                format!("commit upon image {}: {why}", id.hex()),
            )
            .hint("pull it again")
        };
        let record = self
            .load_image(id)?
            .ok_or_else(|| damaged("it is not in the store any more"))?;
        let manifest = record.manifest().ok_or_else(|| damaged("no manifest"))?;
        let bytes = self.store.read_blob(&manifest.digest, None)?;
        let manifest: Value =
            serde_json::from_slice(&bytes).map_err(|err| damaged(&err.to_string()))?;
        let described = manifest["layers"].as_array().map_or(&[][..], Vec::as_slice);
        if described.len() != record.diff_ids.len() {
            return Err(damaged("its manifest does not fit its record"));
        }
        let layers = described
            .iter()
            .map(|layer| {
                let text = |key: &str| {
                    layer[key]
                        .as_str()
                        .ok_or_else(|| damaged("a layer lacks its digest"))
                };
                Ok(Layer {
                    digest: text("digest")?.parse()?,
                    size: layer["size"]
                        .as_u64()
                        .ok_or_else(|| damaged("a layer lacks its size"))?,
                    media_type: format
                        .layer_type(Packing::of(text("mediaType")?)?)?
                        .to_owned(),
                })
            })
            .collect::<Result<_>>()?;
        Ok(Base {
            document: self.config_document(id)?,
            diff_ids: record.diff_ids,
            layers,
        })
    }
}

/// How a layer is compressed, whatever the manifest calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    fn of(media_type: &str) -> Result<Self> {
        match media_type.rsplit(['.', '+']).next() {
            Some("tar") => Ok(Self::Plain),
            Some("gzip") => Ok(Self::Gzip),
            Some("zstd") => Ok(Self::Zstd),
            _ => Err(Error::new(
                Kind::Unsupported,
                format!("commit upon a layer of type \"{media_type}\": it is not known"),
            )),
        }
    }
}

impl Format {
    fn layer_type(self, packing: Packing) -> Result<&'static str> {
        Ok(match (self, packing) {
            (Self::Oci, Packing::Plain) => "application/vnd.oci.image.layer.v1.tar",
            (Self::Oci, Packing::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Self::Oci, Packing::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Self::V2s2, Packing::Plain) => "application/vnd.docker.image.rootfs.diff.tar",
            (Self::V2s2, Packing::Gzip) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            (Self::V2s2, Packing::Zstd) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    "commit in Docker's format: the image below has a zstd layer, which that format does not know",
                )
                .hint("use --format oci, or --squash"));
            }
        })
    }

    /// Media types of manifest and config.
    fn types(self) -> (&'static str, &'static str) {
        match self {
            Self::Oci => (
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.config.v1+json",
            ),
            Self::V2s2 => (
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.container.image.v1+json",
            ),
        }
    }
}

/// Config and manifest of the new image.
fn incoming(
    request: &CommitRequest<'_>,
    mut document: Map<String, Value>,
    diff_ids: &[DiffId],
    layers: Vec<Layer>,
) -> Result<Incoming> {
    // What Docker tells of the container an image was made from is of the old image.
    for old in [
        "id",
        "parent",
        "container",
        "container_config",
        "docker_version",
        "comment",
    ] {
        document.remove(old);
    }
    let host = Platform::host();
    document
        .entry("architecture")
        .or_insert_with(|| json!(host.architecture));
    document.entry("os").or_insert_with(|| json!(host.os));
    let mut entry = Map::new();
    entry.insert("created".into(), json!(request.created));
    entry.insert("created_by".into(), json!("/bin/sh"));
    if let Some(author) = request.author {
        document.insert("author".into(), json!(author));
        entry.insert("author".into(), json!(author));
    }
    if let Some((_, name)) = request.base {
        entry.insert("comment".into(), json!(format!("FROM {name}")));
    }
    if let Some(message) = request.message {
        document.insert("comment".into(), json!(message));
        entry.insert("comment".into(), json!(message));
    }
    let mut history = match (document.remove("history"), request.squash) {
        (Some(Value::Array(history)), false) => history,
        _ => Vec::new(),
    };
    history.push(Value::Object(entry));
    document.insert("created".into(), json!(request.created));
    document.insert("config".into(), Value::Object(request.settings.clone()));
    document.insert("history".into(), Value::Array(history));
    let rootfs = change::object(&mut document, "rootfs");
    rootfs.insert("type".into(), json!("layers"));
    rootfs.insert("diff_ids".into(), json!(diff_ids));
    let config = encode(&Value::Object(document))?;
    let config_digest = Digest::sha256_of(&config);
    let (media_type, config_type) = request.format.types();
    let described: Vec<Value> = layers
        .iter()
        .map(|layer| {
            json!({"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size})
        })
        .collect();
    let bytes = encode(&json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": {"mediaType": config_type, "digest": config_digest, "size": config.len()},
        "layers": described,
    }))?;
    Ok(Incoming {
        index: None,
        manifest: Document {
            digest: Digest::sha256_of(&bytes),
            media_type: media_type.to_owned(),
            bytes,
        },
        config,
        config_digest,
        layers,
    })
}

fn encode(value: &Value) -> Result<Vec<u8>> {
    let bytes = serde_json::to_vec(value)
        .map_err(|err| Error::new(Kind::System, format!("write an image's config: {err}")))?;
    match bytes.len() as u64 <= crate::registry::MAX_DOCUMENT {
        true => Ok(bytes),
        false => Err(Error::usage(
            "commit: the image's config is larger than 4 MiB",
        )),
    }
}

/// All layers of a commit are in the store already.
pub(super) struct Nowhere;

impl ImageSource for Nowhere {
    fn place(&self) -> String {
        "the store".to_owned()
    }

    fn fetch_blobs(&self, jobs: Vec<BlobJob<'_>>, _: &mut dyn Progress) -> Result<()> {
        match jobs.first() {
            None => Ok(()),
            Some(job) => Err(Error::new(
                Kind::Corrupt,
                format!("layer {} is not in the store", job.layer.digest),
            )
            .hint("pull the image again")),
        }
    }
}
