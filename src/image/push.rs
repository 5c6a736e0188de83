//! Push: which image goes where, and how it gets into a registry.
//!
//! | step | process | what |
//! | --- | --- | --- |
//! | 1 | cli, tokio | what is there already, or can be mounted; the runtime is gone again |
//! | 2 | cli, worker | the layers that are missing are opened |
//! | 3 | cli, tokio and threads | they are compressed, where they must be, and sent while they grow |
//! | 4 | cli, tokio | the manifest |

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};
use std::thread;

use super::blob::LayerRef;
use super::convert::{compress_into, inflated};
use super::dest::{Blob, Destination, Form, Needs};
use super::outgoing::{Change, From, Outbound, Outgoing, OutgoingOptions, Sent};
use super::record::ImageRecord;
use super::reference::{DOCKER_HUB, Name, Reference};
use super::transport::{self, Transport};
use super::{AccessOptions, Images, Progress, access, lookup};
use crate::config::registries::Registries;
use crate::error::{Error, Kind, Result, Tried};
use crate::registry::{Client, Content, ContentWriter, Document, Sought, Target, UploadJob, Whole};
use crate::storage::Digest;
use crate::storage::compress::Compression;

/// What to push, and how.
#[derive(Debug, Clone, Default)]
pub struct PushOptions {
    pub outgoing: OutgoingOptions,
    pub access: AccessOptions,
    /// Of a manifest list, all images and the list itself.
    pub all: bool,
}

impl Images<'_> {
    /// Sends an image, and returns the digest of the manifest as it was sent.
    ///
    /// `destination`: `None` is the name the image was found by. May fork: for a process with one thread only.
    pub fn push(
        &self,
        source: &str,
        destination: Option<&str>,
        options: &PushOptions,
        progress: &mut dyn Progress,
    ) -> Result<Digest> {
        let source = source.strip_prefix("containers-storage:").unwrap_or(source);
        let found = self.locate(source)?;
        let missing = || lookup::unknown(source).hint("its record is missing: pull it again");
        let record = self.load_image(&found.id)?.ok_or_else(missing)?;
        let record = match record.is_list() {
            true if options.all => {
                return self.push_list(source, destination, options, progress);
            }
            true => match self.instance_here(source, &record) {
                // Podman does so too: without an image for this host the list itself is meant.
                Err(err) if err.kind() == Kind::NotFound => {
                    let options = PushOptions {
                        all: true,
                        ..options.clone()
                    };
                    return self.push_list(source, destination, &options, progress);
                }
                found => found?,
            },
            false => record,
        };
        let destination = self.where_to(source, destination)?;
        match destination {
            Transport::Registry(ref name) => {
                let name: Name = name.parse()?;
                let name = name.qualify(DOCKER_HUB).pinned();
                let mut to = self.registry_destination(&name, &options.access)?;
                self.push_to(&record, &mut to, Some(&name), options, progress)
            }
            Transport::ContainersStorage(_) => Err(Error::usage(format!(
                "push \"{source}\": {destination} is not written to: podman's store is only read"
            ))),
            other => {
                let form = match other {
                    Transport::Dir(_) => Form::Preserved,
                    _ => Form::Compressed,
                };
                let mut to = self.destination(&other, form)?;
                self.push_to(&record, &mut *to, found.name.as_ref(), options, progress)
            }
        }
    }

    /// Where an image goes: as the user says, else to the name it was found by, or the only one it has.
    pub(super) fn where_to(&self, source: &str, destination: Option<&str>) -> Result<Transport> {
        if let Some(given) = destination {
            return transport::parse(given);
        }
        let found = self.locate(source)?;
        let names = self.names(&found.id)?;
        match (found.name, names.as_slice()) {
            (Some(name), _) => Ok(Transport::Registry(name.to_string())),
            (None, [name]) => Ok(Transport::Registry(name.clone())),
            (None, _) => {
                let text = format!("push \"{source}\": an image ID says not where to");
                Err(Error::usage(text).hint("give a destination after the ID"))
            }
        }
    }

    fn push_to(
        &self,
        record: &ImageRecord,
        to: &mut dyn Destination,
        name: Option<&Reference>,
        options: &PushOptions,
        progress: &mut dyn Progress,
    ) -> Result<Digest> {
        let outgoing = self.outgoing_whole(record, to, options, progress)?;
        let manifest = self.send(&outgoing, to, name, progress)?;
        to.finish()?;
        Ok(manifest.digest)
    }

    /// A repository as the destination of images. Asks the registry nothing yet.
    pub(super) fn registry_destination(
        &self,
        name: &Reference,
        options: &AccessOptions,
    ) -> Result<RegistryDestination<'_>> {
        let registries = Registries::load(self.identity)?;
        let endpoint = access::push_endpoint(&registries, name, options)?;
        let credentials = self.credentials(&registries, &endpoint, options)?;
        let client = self.client(options)?;
        Ok(RegistryDestination {
            images: self,
            target: client.target(&endpoint, credentials),
            registry: endpoint.registry,
            client,
            expected: Vec::new(),
        })
    }

    /// Repositories of a registry that should have a blob, by all that is known of its image's layers.
    fn elsewhere(&self, registry: &str, layers: &[&LayerRef]) -> HashMap<Digest, Vec<String>> {
        let mut known: HashMap<Digest, Vec<String>> = HashMap::new();
        let mut add = |blob: Digest, place: &str| {
            let within = place
                .strip_prefix(registry)
                .and_then(|rest| rest.strip_prefix('/'));
            if let Some(repository) = within {
                let places = known.entry(blob).or_default();
                if !places.iter().any(|known| known == repository) {
                    places.push(repository.to_owned());
                }
            }
        };
        for layer in layers {
            for (blob, places) in self.sent_as(&layer.diff_id) {
                places.iter().for_each(|place| add(blob, place));
            }
        }
        // Names are where an image came from, or at least where it may have come from.
        let wanted: BTreeSet<Digest> = layers.iter().map(|layer| *layer.digest.digest()).collect();
        for record in self.all_images().unwrap_or_default() {
            let places: Vec<String> = record
                .history
                .iter()
                .filter_map(|name| name.parse::<Reference>().ok())
                .map(|name| name.name())
                .collect();
            for layer in record
                .manifests
                .iter()
                .flat_map(|manifest| &manifest.layers)
            {
                if wanted.contains(layer.digest()) {
                    places.iter().for_each(|place| add(*layer.digest(), place));
                }
            }
        }
        known
    }
}

/// A repository at a registry.
pub(super) struct RegistryDestination<'a> {
    images: &'a Images<'a>,
    client: Client,
    target: Target,
    registry: String,
    /// Repositories there that should have what is sent.
    expected: Vec<String>,
}

impl Destination for RegistryDestination<'_> {
    fn place(&self) -> String {
        self.target.place()
    }

    fn needs(&self) -> Needs {
        Needs {
            layers: Form::Compressed,
            format: None,
        }
    }

    fn remembers(&self) -> bool {
        true
    }

    fn expect_at(&mut self, place: &str) {
        let within = place.strip_prefix(&self.registry);
        if let Some(repository) = within.and_then(|rest| rest.strip_prefix('/')) {
            self.expected = vec![repository.to_owned()];
        }
    }

    fn has_blob(&mut self, blob: &Blob) -> Result<bool> {
        let there = self.has_blobs(std::slice::from_ref(blob), &[], &mut super::Silent)?;
        Ok(there.first().copied().unwrap_or_default())
    }

    fn has_blobs(
        &mut self,
        blobs: &[Blob],
        layers: &[&LayerRef],
        progress: &mut dyn Progress,
    ) -> Result<Vec<bool>> {
        let mut elsewhere = self.images.elsewhere(&self.registry, layers);
        let sought: Vec<Sought> = blobs
            .iter()
            .map(|blob| Sought {
                digest: blob.digest,
                kind: blob.kind,
                elsewhere: {
                    let known = elsewhere.remove(&blob.digest).unwrap_or_default();
                    self.expected.iter().cloned().chain(known).collect()
                },
            })
            .collect();
        self.client.seek_blobs(&self.target, &sought, progress)
    }

    fn put_blob(&mut self, blob: &Blob, bytes: &mut dyn Read) -> Result<()> {
        let tried = || format!("send blob {}", blob.digest);
        let (mut writer, content) = Content::growing(self.images.store.scratch()?);
        io::copy(bytes, &mut writer).map_err(|err| Error::io(&err, tried()))?;
        writer.finish();
        let job = UploadJob {
            label: blob.digest,
            kind: blob.kind,
            size: blob.size.unwrap_or_default(),
            content,
        };
        let mut silent = super::Silent;
        self.client
            .upload_blobs(&self.target, &[job], &mut silent)?;
        Ok(())
    }

    fn put_blobs(
        &mut self,
        blobs: Vec<Outbound<'_>>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Sent>> {
        let mut jobs = Vec::with_capacity(blobs.len());
        let mut making = Vec::new();
        // Everything is opened before the first thread: opening may fork.
        for outbound in blobs {
            let (content, size) = open(&outbound, &mut making)?;
            jobs.push(UploadJob {
                label: outbound.blob.digest,
                kind: outbound.blob.kind,
                size,
                content,
            });
        }
        let sent = thread::scope(|scope| {
            let maker = scope.spawn(|| {
                for made in making {
                    // Whoever sends it learns of a failure by the content.
                    if made.make().is_err() {
                        break;
                    }
                }
            });
            let sent = self.client.upload_blobs(&self.target, &jobs, progress);
            drop(jobs); // after a failure nobody reads any more: the maker ends
            drop(maker);
            sent
        })?;
        let sent = sent.into_iter();
        Ok(sent
            .map(|Whole { digest, size }| Sent { digest, size })
            .collect())
    }

    fn put_manifest(&mut self, manifest: &Document, name: Option<&Reference>) -> Result<()> {
        let selector = match name {
            Some(name) => name.selector(),
            None => manifest.digest.to_string(),
        };
        if let Some(digest) = name.and_then(Reference::digest)
            && *digest != manifest.digest
        {
            let text = format!(
                "push to {digest} in {}: the image's manifest has digest {}",
                self.place(),
                manifest.digest
            );
            return Err(Error::usage(text));
        }
        let mut silent = super::Silent;
        self.client
            .put_manifest(&self.target, manifest, &selector, &mut silent)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(()) // the manifest has made it visible
    }
}

/// A layer that is made while it is sent.
struct Making<'a> {
    layer: LayerRef,
    from: Box<dyn Read + Send + 'a>,
    writer: ContentWriter,
    how: Option<(Compression, Option<i32>)>,
}

impl Making<'_> {
    fn make(self) -> Result<()> {
        match self.how {
            Some((how, level)) => compress_into(&self.layer, self.from, self.writer, how, level),
            None => super::convert::copy_into(&self.layer, self.from, self.writer),
        }?;
        Ok(())
    }
}

/// Opens what is sent. What must be made of something else first comes into `making`.
fn open<'a>(outbound: &Outbound<'a>, making: &mut Vec<Making<'a>>) -> Result<(Content, u64)> {
    let (images, layer) = match &outbound.from {
        From::Memory(bytes) => return Ok((Content::memory(bytes), bytes.len() as u64)),
        From::File(file) => {
            let whole = Whole {
                digest: outbound.blob.digest,
                size: outbound.blob.size.unwrap_or_default(),
            };
            let file = file
                .try_clone()
                .tried(|| format!("send blob {}", whole.digest))?;
            return Ok((Content::file(file, whole), whole.size));
        }
        From::Layer(images, layer) => (*images, layer),
    };
    let how = match outbound.change {
        None => {
            let digest = *layer.digest.digest();
            if let Some(size) = images.store.blob_size(&digest) {
                let file = images.store.open_blob(&digest)?;
                return Ok((Content::file(file, Whole { digest, size }), size));
            }
            None
        }
        Some(Change::Inflate) => None,
        Some(Change::Compress(how, level)) => Some((how, level)),
    };
    let from = inflated(images.open_layer(layer)?, layer)?;
    let (writer, content) = Content::growing(images.store.scratch()?);
    making.push(Making {
        layer: layer.clone(),
        from,
        writer,
        how,
    });
    Ok((content, 0))
}

impl Outgoing {
    /// Layers by what they are in the store.
    pub(super) fn refs(&self) -> Vec<&LayerRef> {
        self.layers.iter().map(|layer| &layer.layer).collect()
    }
}
