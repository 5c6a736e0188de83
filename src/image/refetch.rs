//! Blobs that were never fetched.
//!
//! A pull takes a layer that is here already from another image, though its blob be compressed otherwise. When such an
//! image is pushed to a registry that lacks the blob, it is fetched after all from where the image came from: only so
//! does the image keep its digest.

use super::dest::{Blob, Destination};
use super::outgoing::Outgoing;
use super::push::PushOptions;
use super::record::ImageRecord;
use super::reference::Reference;
use super::{AccessOptions, Event, Images, Platform, Progress, access};
use crate::config::registries::Registries;
use crate::error::{Error, Kind, Result};
use crate::registry::{BlobJob, BlobSink, Client, Remote};
use crate::storage::{Digest, ReadyBlob, Stage, StagedBlob};

impl Images<'_> {
    /// As [`Images::outgoing`], after the blobs that the destination lacks were fetched.
    pub(super) fn outgoing_whole(
        &self,
        record: &ImageRecord,
        to: &mut dyn Destination,
        options: &PushOptions,
        progress: &mut dyn Progress,
    ) -> Result<Outgoing> {
        let outgoing = self.outgoing(record, &options.outgoing, &to.needs())?;
        progress.event(&Event::GettingSource);
        let lost: Vec<Blob> = outgoing
            .layers
            .iter()
            .filter(|layer| layer.lost)
            .map(|layer| layer.original.clone())
            .collect();
        if lost.is_empty() {
            return Ok(outgoing);
        }
        let there = to.has_blobs(&lost, &outgoing.refs(), &mut super::Silent)?;
        let missing: Vec<Digest> = lost
            .iter()
            .zip(&there)
            .filter_map(|(blob, there)| (!there).then_some(blob.digest))
            .collect();
        if missing.is_empty() || !self.refetch(record, &missing, &options.access, progress)? {
            return Ok(outgoing);
        }
        self.outgoing(record, &options.outgoing, &to.needs())
    }

    /// Fetches blobs of an image from one of the places it came from, into the store. `false`: none has them.
    fn refetch(
        &self,
        record: &ImageRecord,
        wanted: &[Digest],
        options: &AccessOptions,
        progress: &mut dyn Progress,
    ) -> Result<bool> {
        let Some(manifest) = record.manifest() else {
            return Ok(false);
        };
        // `--creds`, `--tls-verify` and certificates are for the destination.
        let options = AccessOptions {
            credentials: None,
            cert_dir: None,
            tls_verify: None,
            ..options.clone()
        };
        let client = self.client(&options)?;
        let names = record
            .history
            .iter()
            .filter_map(|name| name.parse::<Reference>().ok());
        for name in names {
            let place = name.at(manifest.digest);
            let want = Platform::host();
            let found = self.find_remote(&client, &place, &want, &options, progress);
            if let Ok(remote) = found
                && remote.config_digest == record.id
                && self
                    .fetch_into_store(&client, &remote, wanted, progress)
                    .is_ok()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fetch_into_store(
        &self,
        client: &Client,
        remote: &Remote,
        wanted: &[Digest],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let mut sinks: Vec<Sink> = Vec::new();
        for layer in &remote.layers {
            let digest = *layer.digest.digest();
            let known = |sink: &Sink| *sink.layer.digest.digest() == digest;
            if !wanted.contains(&digest) || sinks.iter().any(known) {
                continue;
            }
            if let Stage::Ours(staged) = self.store.try_stage_blob(&digest, Some(layer.size))? {
                sinks.push(Sink {
                    layer: layer.clone(),
                    staged: Some(staged),
                    ready: None,
                });
            }
        }
        let jobs = sinks
            .iter_mut()
            .map(|sink| BlobJob {
                layer: sink.layer.clone(),
                sink: Box::new(sink),
            })
            .collect();
        client.fetch_blobs(&remote.source, jobs, progress)?;
        self.store.sync()?;
        let lock = self.store.lock_structure()?;
        let ready = sinks.into_iter().filter_map(|sink| sink.ready).collect();
        self.store.publish(&lock, ready, Vec::new())
    }

    /// What a registry has under a name, resolved to one image.
    pub(super) fn find_remote(
        &self,
        client: &Client,
        reference: &Reference,
        want: &Platform,
        options: &AccessOptions,
        progress: &mut dyn Progress,
    ) -> Result<Remote> {
        let registries = Registries::load(self.identity)?;
        let known = |digest: &Digest| self.store.read_blob(digest, None).ok();
        let mut failed = Error::new(Kind::Registry, "no registry to ask");
        for endpoint in access::endpoints(&registries, reference, options)? {
            let credentials = self.credentials(&registries, &endpoint, options)?;
            let selector = reference.selector();
            match client.resolve(&endpoint, credentials, &selector, want, &known, progress) {
                Ok(remote) => return Ok(remote),
                Err(err) => failed = err,
            }
        }
        Err(failed)
    }
}

/// Lets the registry's engine write a blob into staging.
struct Sink {
    layer: crate::registry::Layer,
    staged: Option<StagedBlob>,
    ready: Option<ReadyBlob>,
}

impl BlobSink for &mut Sink {
    fn have(&self) -> u64 {
        match (&self.staged, &self.ready) {
            (Some(staged), _) => staged.len(),
            (None, Some(ready)) => ready.size(),
            (None, None) => 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.staged {
            Some(staged) => staged.append(bytes),
            None => Err(Error::new(
                Kind::System,
                "write a blob: it is complete already",
            )),
        }
    }

    fn finish(&mut self) -> Result<()> {
        let staged = self.staged.take();
        self.ready = match staged {
            Some(staged) => Some(staged.finish(Some(self.layer.size))?),
            None => self.ready.take(),
        };
        Ok(())
    }
}
