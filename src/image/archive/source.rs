//! The blobs of one image, as parts of files.

use std::collections::BTreeMap;

use crate::error::{Error, Kind, Result, Tried};
use crate::image::source::{BlobJob, ImageSource};
use crate::image::{BlobKind, Event, Progress};
use crate::registry::MAX_DOCUMENT;
use crate::storage::Digest;
use crate::storage::archive::{FileSet, Part};

/// Copied at once.
const STEP: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct FileSource {
    place: String,
    blobs: BTreeMap<Digest, Part>,
}

impl FileSource {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            blobs: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, digest: Digest, part: Part) {
        self.blobs.insert(digest, part);
    }
}

impl ImageSource for FileSource {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn fetch_blobs(&self, jobs: Vec<BlobJob<'_>>, progress: &mut dyn Progress) -> Result<()> {
        let mut buffer = vec![0; STEP];
        for mut job in jobs {
            let digest = *job.layer.digest.digest();
            let missing = || {
                let text = format!("read blob {digest} in {}: it is not there", self.place);
                Error::new(Kind::Corrupt, text)
            };
            let part = self.blobs.get(&digest).ok_or_else(missing)?;
            if part.size != job.layer.size {
                let text = format!(
                    "read blob {digest} in {}: it has {} bytes instead of {}",
                    self.place, part.size, job.layer.size
                );
                return Err(Error::new(Kind::Corrupt, text));
            }
            progress.event(&Event::BlobStarted {
                digest: &digest,
                kind: BlobKind::Layer,
                size: part.size,
                have: job.sink.have(),
            });
            loop {
                let read = part.read_at(&mut buffer, job.sink.have());
                let got = read.tried(|| format!("read blob {digest} in {}", self.place))?;
                if got == 0 {
                    break;
                }
                job.sink.write(&buffer[..got])?;
                progress.event(&Event::BlobProgress {
                    digest: &digest,
                    done: job.sink.have(),
                });
            }
            job.sink.finish()?;
            progress.event(&Event::BlobFetched {
                digest: &digest,
                kind: BlobKind::Layer,
            });
        }
        Ok(())
    }
}

/// A document named by its digest, checked.
pub(super) fn checked_document(
    files: &FileSet,
    name: &str,
    digest: &Digest,
    size: Option<u64>,
) -> Result<Vec<u8>> {
    let bytes = files
        .read(name, MAX_DOCUMENT)?
        .ok_or_else(|| super::missing(name))?;
    check(&bytes, digest, size)?;
    Ok(bytes)
}

fn check(bytes: &[u8], digest: &Digest, size: Option<u64>) -> Result<()> {
    if let Some(want) = size
        && want != bytes.len() as u64
    {
        let text = format!("{digest} has {} bytes instead of {want}", bytes.len());
        return Err(Error::new(Kind::Corrupt, text));
    }
    let got = digest.hasher().chain(bytes).finish();
    if got != *digest {
        let text = format!("the content of {digest} has digest {got}");
        return Err(Error::new(Kind::Corrupt, text));
    }
    Ok(())
}
