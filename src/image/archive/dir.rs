//! `dir:`: `manifest.json` and the blobs beside it, named by the hex digits of their digests (containers-transports(5)).

use super::document;
use super::source::{FileSource, checked_document};
use crate::error::{Error, Kind, Result};
use crate::image::Platform;
use crate::image::source::{Document, Incoming};
use crate::registry::manifest::{self, Parsed};
use crate::state::digest::Algorithm;
use crate::storage::Digest;
use crate::storage::archive::FileSet;

const MANIFEST: &str = "manifest.json";

#[derive(Debug)]
pub(super) struct DirImage {
    document: Document,
    parsed: Parsed,
}

impl DirImage {
    pub(super) fn read(files: &FileSet) -> Result<Self> {
        let bytes = document(files, MANIFEST)?;
        let (document, parsed) = parse(bytes)?;
        Ok(Self { document, parsed })
    }

    pub(super) fn image(
        &self,
        files: &FileSet,
        want: &Platform,
        place: &str,
    ) -> Result<(FileSource, Incoming)> {
        let (index, document, image) = match &self.parsed {
            Parsed::Image(image) => (None, self.document.clone(), image.clone()),
            Parsed::Index(entries) => {
                let entry = manifest::choose(entries, want)?;
                let name = format!("{}.{MANIFEST}", blob(&entry.digest));
                let bytes = checked_document(files, &name, &entry.digest, Some(entry.size))?;
                match parse(bytes)? {
                    (document, Parsed::Image(image)) => {
                        (Some(self.document.clone()), document, image)
                    }
                    (document, Parsed::Index(_)) => {
                        let text = format!(
                            "refuse the manifest {}: an index inside an index",
                            document.digest
                        );
                        return Err(Error::new(Kind::Corrupt, text));
                    }
                }
            }
        };
        let config = checked_document(
            files,
            &blob(&image.config.digest),
            &image.config.digest,
            Some(image.config.size),
        )?;
        let mut source = FileSource::new(place);
        for layer in &image.layers {
            let digest = layer.digest.digest();
            if let Some(part) = files.find(&blob(digest))? {
                source.add(*digest, part);
            }
        }
        Ok((
            source,
            Incoming {
                index,
                manifest: document,
                config,
                config_digest: image.config.digest,
                layers: image.layers,
            },
        ))
    }
}

fn parse(bytes: Vec<u8>) -> Result<(Document, Parsed)> {
    let (media_type, parsed) = manifest::parse(&bytes, "")?;
    let document = Document {
        digest: Digest::sha256_of(&bytes),
        media_type,
        bytes,
    };
    Ok((document, parsed))
}

/// Version 1.1 of the layout knows sha256 alone, version 1.2 puts another algorithm in front.
pub(super) fn blob(digest: &Digest) -> String {
    match digest.algorithm() {
        Algorithm::Sha256 => digest.hex(),
        other => format!("{}-{}", other.name(), digest.hex()),
    }
}
