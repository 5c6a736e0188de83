//! `oci-archive:` and `oci:`: an OCI image layout (image-spec `image-layout.md`).

use std::path::Path;

use oci_client::manifest::OciImageIndex;

use super::source::{FileSource, checked_document};
use super::{document, local_name, missing};
use crate::error::{Error, Kind, Result};
use crate::image::Platform;
use crate::image::reference::{LOCALHOST, Name, Reference};
use crate::image::source::{Document, Incoming};
use crate::image::transport::Pick;
use crate::registry::check_depth;
use crate::registry::manifest::{self, Entry, Parsed};
use crate::storage::Digest;
use crate::storage::archive::FileSet;

const INDEX: &str = "index.json";
const LAYOUT: &str = "oci-layout";
/// image-spec `annotations.md`
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name, where `docker save` writes only the tag into the other.
const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// The manifests of one image for several platforms are one level below an index.
const MAX_NESTED: usize = 3;

/// What an index lists.
#[derive(Debug)]
pub(super) struct Layout {
    items: Vec<Item>,
}

/// One image: its manifest or index, or several manifests without a name of which the platform chooses.
#[derive(Debug)]
struct Item {
    /// As annotated; `latest`, `a.io/b:c`.
    names: Vec<String>,
    entries: Vec<Descriptor>,
}

#[derive(Debug, Clone)]
struct Descriptor {
    digest: Digest,
    size: u64,
    media_type: String,
    platform: Option<Platform>,
}

impl Layout {
    pub(super) fn read(files: &FileSet) -> Result<Self> {
        if files.find(LAYOUT)?.is_none() {
            return Err(missing(LAYOUT));
        }
        let bytes = document(files, INDEX)?;
        check_depth(&bytes)?;
        let index: OciImageIndex = serde_json::from_slice(&bytes)
            .map_err(|err| Error::new(Kind::Corrupt, format!("read \"{INDEX}\": {err}")))?;
        let mut items: Vec<Item> = Vec::new();
        let mut unnamed: Vec<Descriptor> = Vec::new();
        for entry in &index.manifests {
            let size = u64::try_from(entry.size).map_err(|_| {
                Error::new(
                    Kind::Corrupt,
                    format!("the size of an entry of \"{INDEX}\" is negative"),
                )
            })?;
            let descriptor = Descriptor {
                digest: entry.digest.parse()?,
                size,
                media_type: entry.media_type.clone(),
                platform: entry.platform.as_ref().map(|platform| Platform {
                    os: platform.os.to_string(),
                    architecture: platform.architecture.to_string(),
                    variant: platform.variant.clone(),
                }),
            };
            let annotation = |key: &str| {
                let annotations = entry.annotations.as_ref()?;
                annotations.get(key).filter(|text| !text.is_empty())
            };
            let name = annotation(CONTAINERD_NAME).or_else(|| annotation(REF_NAME));
            match name {
                None => unnamed.push(descriptor),
                Some(name) => {
                    let same = items
                        .iter_mut()
                        .find(|item| item.entries[0].digest == descriptor.digest);
                    match same {
                        Some(item) => item.names.push(name.clone()),
                        None => items.push(Item {
                            names: vec![name.clone()],
                            entries: vec![descriptor],
                        }),
                    }
                }
            }
        }
        // Attestations and the like are listed for a platform that nobody has.
        unnamed.retain(|entry| entry.platform.as_ref().is_none_or(|p| p.os != "unknown"));
        let one_image = unnamed.iter().all(|entry| entry.platform.is_some());
        if one_image && !unnamed.is_empty() {
            items.push(Item {
                names: Vec::new(),
                entries: unnamed,
            });
        } else {
            items.extend(unnamed.into_iter().map(|entry| Item {
                names: Vec::new(),
                entries: vec![entry],
            }));
        }
        if items.is_empty() {
            return Err(Error::new(
                Kind::Corrupt,
                format!("its \"{INDEX}\" lists no image"),
            ));
        }
        Ok(Self { items })
    }

    /// In a directory only a full name counts, and the path stands in for it, as in Podman (`localhost/PATH`).
    pub(super) fn images(&self, directory: Option<&Path>) -> Vec<Vec<Reference>> {
        let full = |name: &Name| directory.is_none() || !name.is_short();
        let by_path = |path: &Path| local_name(path.to_str()?.trim_matches('/')).ok();
        self.items
            .iter()
            .map(|item| {
                let names = item.names.iter().filter_map(|name| name.parse().ok());
                let mut names: Vec<Reference> = names
                    .filter(full)
                    .map(|name| name.qualify(LOCALHOST))
                    .collect();
                if names.is_empty() && self.items.len() == 1 {
                    names.extend(directory.and_then(by_path));
                }
                names
            })
            .collect()
    }

    pub(super) fn pick(&self, pick: Option<&Pick>) -> Result<usize> {
        let unknown = |text: String| Err(Error::new(Kind::NotFound, text));
        match pick {
            None if self.items.len() == 1 => Ok(0),
            None => Err(
                Error::usage("more than one image in oci, choose an image").hint(format!(
                    "name one behind the path: {}",
                    self.all_names().join(", ")
                )),
            ),
            Some(Pick::Index(index)) if *index < self.items.len() => Ok(*index),
            Some(Pick::Index(index)) => unknown(format!(
                "index {index} is too large, only {} entries available",
                self.items.len()
            )),
            Some(Pick::Name(name)) => {
                match self.items.iter().position(|item| item.names.contains(name)) {
                    Some(index) => Ok(index),
                    None => unknown(format!("no descriptor found for reference \"{name}\"")),
                }
            }
        }
    }

    fn all_names(&self) -> Vec<&str> {
        let names = self.items.iter().flat_map(|item| &item.names);
        names.map(String::as_str).collect()
    }

    pub(super) fn image(
        &self,
        files: &FileSet,
        index: usize,
        want: &Platform,
        place: &str,
    ) -> Result<(FileSource, Incoming)> {
        let item = &self.items[index];
        let first = match item.entries.as_slice() {
            [only] => only.clone(),
            several => choose(several, want)?,
        };
        let (mut document, mut parsed) = read_document(files, &first)?;
        let mut through = None;
        for _ in 0..MAX_NESTED {
            let Parsed::Index(entries) = parsed else {
                break;
            };
            let entry = manifest::choose(&entries, want)?;
            through.get_or_insert(document);
            (document, parsed) = read_document(
                files,
                &Descriptor {
                    digest: entry.digest,
                    size: entry.size,
                    media_type: String::new(),
                    platform: None,
                },
            )?;
        }
        let Parsed::Image(image) = parsed else {
            return Err(Error::new(
                Kind::Corrupt,
                format!(
                    "refuse the manifest {}: indexes inside indexes",
                    document.digest
                ),
            ));
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
                source.add(*digest, part); // one that is missing may be here already
            }
        }
        Ok((
            source,
            Incoming {
                index: through,
                manifest: document,
                config,
                config_digest: image.config.digest,
                layers: image.layers,
            },
        ))
    }
}

fn choose(entries: &[Descriptor], want: &Platform) -> Result<Descriptor> {
    let as_index: Vec<Entry> = entries
        .iter()
        .map(|entry| Entry {
            digest: entry.digest,
            size: entry.size,
            platform: entry.platform.clone(),
        })
        .collect();
    let chosen = manifest::choose(&as_index, want)?;
    let found = entries.iter().find(|entry| entry.digest == chosen.digest);
    Ok(found.unwrap_or(&entries[0]).clone())
}

fn read_document(files: &FileSet, descriptor: &Descriptor) -> Result<(Document, Parsed)> {
    let digest = descriptor.digest;
    let bytes = checked_document(files, &blob(&digest), &digest, Some(descriptor.size))?;
    let (media_type, parsed) = manifest::parse(&bytes, &descriptor.media_type)?;
    let document = Document {
        digest,
        media_type,
        bytes,
    };
    Ok((document, parsed))
}

/// `blobs/sha256/<hex>`
fn blob(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}
