//! The same transports for writing: destinations of `save` and `push`.
//!
//! Whatever is written appears when it is whole: an archive by its name in [`Destination::finish`], a directory by
//! its `index.json` or `manifest.json`, which is replaced last.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use super::write_dir::DirDestination;
use super::write_layout::LayoutDestination;
use crate::error::{Error, Kind, Result};
use crate::image::Images;
use crate::image::dest::{Blob, Destination, Form, Needs};
use crate::image::outgoing::Format;
use crate::image::reference::Reference;
use crate::image::transport::{Pick, Transport};
use crate::registry::Document;
use crate::registry::event::BlobKind;
use crate::storage::Digest;
use crate::storage::archive::{ArchiveWriter, Target};

impl Images<'_> {
    /// The destination that a transport other than `docker://` names. `form`: how it wants layers, unless it is a
    /// Docker archive, which has plain tars only.
    pub fn destination(&self, transport: &Transport, form: Form) -> Result<Box<dyn Destination>> {
        let place = transport.to_string();
        Ok(match transport {
            Transport::DockerArchive(path, pick) => {
                refuse_existing(path)?;
                let writer = ArchiveWriter::new(Target::create(path)?, self.store);
                Box::new(DockerDestination::new(place, writer, named(pick)?))
            }
            Transport::OciArchive(path, pick) => {
                let writer = ArchiveWriter::new(Target::create(path)?, self.store);
                Box::new(LayoutDestination::archive(
                    place,
                    writer,
                    form,
                    name_of(pick)?,
                )?)
            }
            Transport::OciDir(path, pick) => Box::new(LayoutDestination::directory(
                place,
                path,
                form,
                name_of(pick)?,
            )?),
            Transport::Dir(path) => Box::new(DirDestination::create(place, path, form)?),
            Transport::Registry(_) | Transport::ContainersStorage(_) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("write to {place}: this is no file"),
                ));
            }
        })
    }

    /// A Docker archive of images by their own names.
    pub(super) fn docker_archive(&self, target: Target, place: String) -> Box<dyn Destination> {
        let writer = ArchiveWriter::new(target, self.store);
        Box::new(DockerDestination::new(place, writer, None))
    }

    /// An OCI archive of images by their own names.
    pub(super) fn oci_archive(
        &self,
        target: Target,
        place: String,
        form: Form,
    ) -> Result<Box<dyn Destination>> {
        let writer = ArchiveWriter::new(target, self.store);
        let naming = Naming::ByReference;
        Ok(Box::new(LayoutDestination::archive(
            place, writer, form, naming,
        )?))
    }
}

/// As Podman: what is there is not an archive to add to, and not one to lose.
pub(super) fn refuse_existing(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() > 0 => Err(Error::new(
            Kind::InUse,
            "docker-archive doesn't support modifying existing images",
        )
        .hint(format!("remove \"{}\" first", path.display()))),
        _ => Ok(()),
    }
}

/// What an entry of an index is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Naming {
    /// As the image that is put.
    ByReference,
    /// As the transport says, whatever the image is called.
    Fixed(Option<String>),
}

fn name_of(pick: &Option<Pick>) -> Result<Naming> {
    match pick {
        None => Ok(Naming::Fixed(None)),
        Some(Pick::Name(name)) => Ok(Naming::Fixed(Some(name.clone()))),
        Some(Pick::Index(index)) => Err(Error::usage(format!(
            "cannot use source index @{index} for a destination"
        ))),
    }
}

fn named(pick: &Option<Pick>) -> Result<Option<Reference>> {
    match name_of(pick)? {
        Naming::Fixed(Some(name)) => super::docker_name(&name).map(Some),
        _ => Ok(None),
    }
}

/// What destinations read of a manifest that they are given.
#[derive(Debug, Deserialize)]
pub(super) struct Outline {
    config: Option<Part>,
    layers: Option<Vec<Part>>,
    manifests: Option<Vec<Part>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Part {
    digest: Digest,
}

impl Outline {
    pub(super) fn of(manifest: &Document) -> Result<Self> {
        serde_json::from_slice(&manifest.bytes).map_err(|err| {
            let text = format!("read the manifest {}: {err}", manifest.digest);
            Error::new(Kind::Corrupt, text)
        })
    }

    /// Manifests of an index.
    pub(super) fn manifests(&self) -> impl Iterator<Item = &Digest> {
        self.manifests.iter().flatten().map(|part| &part.digest)
    }

    /// Config and layers.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Digest> {
        let layers = self.layers.iter().flatten();
        self.config.iter().chain(layers).map(|part| &part.digest)
    }
}

/// `docker-archive:`
struct DockerDestination {
    place: String,
    writer: Option<ArchiveWriter>,
    /// Where the transport names the image.
    name: Option<Reference>,
    written: Vec<Digest>,
    items: Vec<Item>,
}

struct Item {
    config: Digest,
    tags: Vec<String>,
    layers: Vec<Digest>,
}

impl DockerDestination {
    fn new(place: String, writer: ArchiveWriter, name: Option<Reference>) -> Self {
        Self {
            place,
            writer: Some(writer),
            name,
            written: Vec::new(),
            items: Vec::new(),
        }
    }

    fn writer(&mut self) -> Result<&mut ArchiveWriter> {
        self.writer
            .as_mut()
            .ok_or_else(|| Error::new(Kind::System, "write an archive: it is finished already"))
    }
}

fn layer_name(digest: &Digest) -> String {
    format!("{}.tar", digest.hex())
}

fn config_name(digest: &Digest) -> String {
    format!("{}.json", digest.hex())
}

impl Destination for DockerDestination {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn needs(&self) -> Needs {
        Needs {
            layers: Form::Plain,
            format: Some(Format::V2s2),
        }
    }

    fn has_blob(&mut self, blob: &Blob) -> Result<bool> {
        Ok(self.written.contains(&blob.digest))
    }

    fn put_blob(&mut self, blob: &Blob, bytes: &mut dyn Read) -> Result<()> {
        let name = match blob.kind {
            BlobKind::Layer => layer_name(&blob.digest),
            BlobKind::Config => config_name(&blob.digest),
        };
        self.writer()?.file(&name, blob.size, bytes)?;
        self.written.push(blob.digest);
        Ok(())
    }

    fn put_manifest(&mut self, manifest: &Document, name: Option<&Reference>) -> Result<()> {
        let outline = Outline::of(manifest)?;
        let Some(config) = &outline.config else {
            return Err(Error::new(
                Kind::Unsupported,
                "docker-archive doesn't support manifest lists",
            )
            .hint("save the images one by one, or as an OCI archive"));
        };
        let name = self.name.as_ref().or(name);
        let tag = name
            .filter(|name| name.tag().is_some())
            .map(Reference::to_string);
        let known = self
            .items
            .iter_mut()
            .find(|item| item.config == config.digest);
        match known {
            Some(item) => item.tags.extend(tag.filter(|tag| !item.tags.contains(tag))),
            None => self.items.push(Item {
                config: config.digest,
                tags: tag.into_iter().collect(),
                layers: outline
                    .layers
                    .iter()
                    .flatten()
                    .map(|part| part.digest)
                    .collect(),
            }),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let items: Vec<Value> = self
            .items
            .iter()
            .map(|item| {
                json!({
                    "Config": config_name(&item.config),
                    "RepoTags": item.tags,
                    "Layers": item.layers.iter().map(layer_name).collect::<Vec<_>>(),
                })
            })
            .collect();
        let Some(mut writer) = self.writer.take() else {
            return Ok(());
        };
        writer.document("manifest.json", Value::from(items).to_string().as_bytes())?;
        writer.finish()
    }
}

/// Manifests that were put without a name: part of an index that follows, or an image without a name.
#[derive(Debug, Default)]
pub(super) struct Unnamed(Vec<(Digest, String, u64)>);

impl Unnamed {
    pub(super) fn push(&mut self, manifest: &Document) {
        let size = manifest.bytes.len() as u64;
        self.0
            .push((manifest.digest, manifest.media_type.clone(), size));
    }

    /// Takes out those that `index` lists.
    pub(super) fn claim(&mut self, index: &Outline) {
        self.0
            .retain(|(digest, ..)| !index.manifests().any(|listed| listed == digest));
    }

    pub(super) fn take(&mut self) -> Vec<(Digest, String, u64)> {
        std::mem::take(&mut self.0)
    }
}

/// A directory, made if it is missing.
pub(super) fn make_directory(path: &Path) -> Result<PathBuf> {
    use crate::error::Tried;
    std::fs::create_dir_all(path).tried(|| format!("create directory \"{}\"", path.display()))?;
    Ok(path.to_path_buf())
}
