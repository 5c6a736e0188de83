//! Push of manifest lists: their images, from the store or from the registries that have them, then the list.

use std::fs::File;
use std::io::{Seek, Write};

use super::convert::Format;
use super::dest::{Blob, Destination, Form};
use super::index::{ListEntry, ListRecord};
use super::outgoing::{From, Outbound, OutgoingOptions};
use super::push::PushOptions;
use super::record::ImageRecord;
use super::reference::{DOCKER_HUB, Name, Reference};
use super::transport::Transport;
use super::{AccessOptions, Event, Images, Progress};
use crate::error::{Error, Kind, Result, Tried};
use crate::registry::event::BlobKind;
use crate::registry::{BlobJob, BlobSink, Client, Document, Layer, Remote};
use crate::state::digest::Hasher;
use crate::storage::Digest;

impl Images<'_> {
    /// Sends a manifest list, with `all` its images first. Returns the digest of the list as it was sent.
    pub fn push_list(
        &self,
        source: &str,
        destination: Option<&str>,
        options: &PushOptions,
        progress: &mut dyn Progress,
    ) -> Result<Digest> {
        let record = self.list_record(source).map_err(|err| {
            err.context(format!("retrieving local image from image name {source}"))
        })?;
        let list = record.list.unwrap_or_default();
        match self.where_to(source, destination)? {
            Transport::Registry(name) => {
                let name: Name = name.parse()?;
                let name = name.qualify(DOCKER_HUB).pinned();
                let mut to = self.registry_destination(&name, &options.access)?;
                self.send_list(&list, &mut to, &name, options, progress)
            }
            Transport::DockerArchive(..) => Err(Error::usage(format!(
                "push \"{source}\": docker-archive: cannot hold a manifest list"
            ))
            .hint("use oci-archive:, oci: or dir:")),
            Transport::ContainersStorage(_) => Err(Error::usage(format!(
                "push \"{source}\": podman's store is only read"
            ))),
            other => {
                let form = match other {
                    Transport::Dir(_) => Form::Preserved,
                    _ => Form::Compressed,
                };
                let name = self.locate(source)?.name;
                let name = match name {
                    Some(name) => name,
                    None => "localhost/list".parse()?,
                };
                let mut to = self.destination(&other, form)?;
                self.send_list(&list, &mut *to, &name, options, progress)
            }
        }
    }

    fn send_list(
        &self,
        list: &ListRecord,
        to: &mut dyn Destination,
        name: &Reference,
        options: &PushOptions,
        progress: &mut dyn Progress,
    ) -> Result<Digest> {
        let step = |progress: &mut dyn Progress, text: &str| progress.event(&Event::Step { text });
        step(progress, "Getting image list signatures");
        let mut sent = list.clone();
        if options.all {
            let count = sent.entries.len();
            step(
                progress,
                &format!("Copying {count} of {count} images in list"),
            );
            for (at, entry) in sent.entries.iter_mut().enumerate() {
                let text = format!("Copying image {} ({}/{count})", entry.digest, at + 1);
                step(progress, &text);
                let manifest = self.send_member(entry, to, options, progress)?;
                entry.digest = manifest.digest;
                entry.size = manifest.bytes.len() as u64;
                entry.media_type = manifest.media_type;
            }
        }
        step(progress, "Writing manifest list to image destination");
        let format = options.outgoing.format.unwrap_or(Format::Oci);
        let document = sent.document(format)?;
        to.put_manifest(&document, Some(name))?;
        to.finish()?;
        Ok(document.digest)
    }

    fn send_member(
        &self,
        entry: &ListEntry,
        to: &mut dyn Destination,
        options: &PushOptions,
        progress: &mut dyn Progress,
    ) -> Result<Document> {
        if let Some(record) = self.image_with(&entry.digest)? {
            let outgoing = self.outgoing_whole(&record, to, options, progress)?;
            return self.send(&outgoing, to, None, progress);
        }
        let Some(place) = &entry.place else {
            let text = format!("the image {} of the list is not in the store", entry.digest);
            return Err(
                Error::new(Kind::NotFound, text).hint("pull it, or remove it from the list")
            );
        };
        let OutgoingOptions {
            format,
            force,
            compression,
            ..
        } = options.outgoing;
        let reformed = format.is_some_and(|format| format != Format::of(&entry.media_type));
        if reformed || (force && compression.is_some()) {
            let text = format!("convert the image {} of {place} on its way", entry.digest);
            return Err(
                Error::new(Kind::Unsupported, format!("{text}: it is not in the store"))
                    .hint("pull it first"),
            );
        }
        self.relay(place, entry, to, &options.access, progress)
    }

    /// The image that has the manifest, with that one in front.
    fn image_with(&self, digest: &Digest) -> Result<Option<ImageRecord>> {
        for mut record in self.all_images()? {
            let manifests = &mut record.manifests;
            let at = manifests
                .iter()
                .position(|manifest| manifest.digest == *digest);
            if let Some(at) = at
                && record.list.is_none()
            {
                manifests.swap(0, at);
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Copies an image from a registry as it is; what the destination has is not fetched.
    fn relay(
        &self,
        place: &str,
        entry: &ListEntry,
        to: &mut dyn Destination,
        options: &AccessOptions,
        progress: &mut dyn Progress,
    ) -> Result<Document> {
        let reference = place.parse::<Reference>()?.at(entry.digest);
        let client = self.client(options)?;
        let want = entry.platform.of_image();
        let remote = self.find_remote(&client, &reference, &want, options, progress)?;
        progress.event(&Event::GettingSource);
        to.expect_at(place);
        let config = Blob {
            digest: remote.config_digest,
            size: Some(remote.config.len() as u64),
            media_type: "application/vnd.oci.image.config.v1+json".to_owned(),
            kind: BlobKind::Config,
        };
        let mut blobs: Vec<Blob> = Vec::new();
        for layer in &remote.layers {
            let blob = Blob {
                digest: *layer.digest.digest(),
                size: Some(layer.size),
                media_type: layer.media_type.clone(),
                kind: BlobKind::Layer,
            };
            if !blobs.contains(&blob) {
                blobs.push(blob);
            }
        }
        blobs.push(config);
        let there = to.has_blobs(&blobs, &[], progress)?;
        let missing: Vec<&Blob> = blobs
            .iter()
            .zip(&there)
            .filter_map(|(blob, there)| (!there).then_some(blob))
            .collect();
        let fetched = self.fetch(&client, &remote, &missing, progress)?;
        let outbound = missing
            .into_iter()
            .zip(fetched)
            .map(|(blob, file)| Outbound {
                blob: blob.clone(),
                from: match file {
                    Some(file) => From::File(file),
                    None => From::Memory(&remote.config),
                },
                change: None,
            })
            .collect();
        to.put_blobs(outbound, progress)?;
        progress.event(&Event::WritingManifest);
        to.put_manifest(&remote.manifest, None)?;
        Ok(remote.manifest)
    }

    /// Fetches layers into files without names; the config is at hand already.
    fn fetch(
        &self,
        client: &Client,
        remote: &Remote,
        wanted: &[&Blob],
        progress: &mut dyn Progress,
    ) -> Result<Vec<Option<File>>> {
        let mut files = Vec::with_capacity(wanted.len());
        let mut jobs: Vec<BlobJob<'_>> = Vec::new();
        for blob in wanted {
            let layer = remote
                .layers
                .iter()
                .find(|layer| *layer.digest.digest() == blob.digest);
            let Some(layer) = layer.filter(|_| blob.kind == BlobKind::Layer) else {
                files.push(None);
                continue;
            };
            let file = self.store.scratch()?;
            let tried = || format!("fetch blob {}", blob.digest);
            jobs.push(BlobJob {
                layer: layer.clone(),
                sink: Box::new(Sink {
                    file: file.try_clone().tried(tried)?,
                    layer: layer.clone(),
                    hash: Some(blob.digest.hasher()),
                    have: 0,
                }),
            });
            files.push(Some(file));
        }
        if !jobs.is_empty() {
            client.fetch_blobs(&remote.source, jobs, progress)?;
        }
        for file in files.iter_mut().flatten() {
            file.rewind().tried(|| "read what was fetched")?;
        }
        Ok(files)
    }
}

/// Lets the registry's engine write a blob into a file that has no name.
struct Sink {
    file: File,
    layer: Layer,
    hash: Option<Hasher>,
    have: u64,
}

impl BlobSink for Sink {
    fn have(&self) -> u64 {
        self.have
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let tried = || format!("fetch blob {}", self.layer.digest);
        self.file.write_all(bytes).tried(tried)?;
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.have += bytes.len() as u64;
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let got = self.hash.take().map(Hasher::finish);
        if self.have == self.layer.size && got.as_ref() == Some(self.layer.digest.digest()) {
            return Ok(());
        }
        let text = format!(
            "fetch blob {}: it has {} bytes",
            self.layer.digest, self.have
        );
        Err(Error::new(
            Kind::Corrupt,
            format!("{text} of another digest or size"),
        ))
    }
}
