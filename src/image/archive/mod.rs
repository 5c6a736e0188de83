//! Images in files: the transports `docker-archive:`, `oci-archive:`, `oci:` and `dir:`.
//!
//! | file | what |
//! | --- | --- |
//! | `docker` | `manifest.json` beside configs and layer tars, as `docker save` and `podman save` write it |
//! | `layout` | OCI image layout (image-spec `image-layout.md`), in a tar or a directory |
//! | `dir` | one manifest and its blobs side by side, as `skopeo copy … dir:` writes it |
//! | `source` | hands the blobs of one image to the intake |
//! | `load` | `pod load`: whatever of these it is |
//! | `write` `write_layout` `write_dir` | the same as destinations |
//! | `save` | `pod save` |
//!
//! All of it is hostile: names go through [`FileSet`], documents are small and checked against the digests that name
//! them, layers are checked while they are copied.

mod dir;
mod docker;
mod layout;
mod load;
mod save;
mod source;
mod write;
mod write_dir;
mod write_layout;

use std::fs::File;
use std::path::Path;

use super::reference::{DOCKER_HUB, LOCALHOST, Name, Reference};
use super::source::Incoming;
use super::transport::{Pick, Transport};
use super::{Image, Images, Platform, Progress, PullOptions, Wanted};
use crate::config::policy::Place;
use crate::error::{Error, Kind, Result, Tried};
use crate::registry::MAX_DOCUMENT;
use crate::storage::archive::FileSet;

pub(in crate::image) use docker::manifest as docker_manifest;
pub use load::Loaded;
pub use save::{SaveFormat, SaveOptions, SaveTo};
use source::FileSource;

/// What is found in an archive or directory.
enum Opened {
    Docker(docker::DockerArchive),
    Layout(layout::Layout),
    Dir(dir::DirImage),
}

impl Opened {
    /// The transport that reads it.
    fn scheme(&self, directory: bool) -> &'static str {
        match self {
            Self::Docker(_) => "docker-archive",
            Self::Layout(_) if directory => "oci",
            Self::Layout(_) => "oci-archive",
            Self::Dir(_) => "dir",
        }
    }

    /// The images in it, with the names they bring along. `directory`: where it lies, unless that is an archive.
    fn images(&self, directory: Option<&Path>) -> Vec<Vec<Reference>> {
        match self {
            Self::Docker(archive) => archive.images(),
            Self::Layout(layout) => layout.images(directory),
            Self::Dir(_) => vec![Vec::new()],
        }
    }

    /// One image by its place in [`Opened::images`].
    fn image(
        &self,
        files: &FileSet,
        index: usize,
        want: &Platform,
        place: &str,
    ) -> Result<(FileSource, Incoming)> {
        match self {
            Self::Docker(archive) => archive.image(files, index, place),
            Self::Layout(layout) => layout.image(files, index, want, place),
            Self::Dir(dir) => dir.image(files, want, place),
        }
    }

    /// The place of the image that was asked for.
    fn pick(&self, pick: Option<&Pick>) -> Result<usize> {
        match self {
            Self::Docker(archive) => archive.pick(pick),
            Self::Layout(layout) => layout.pick(pick),
            Self::Dir(_) => Ok(0),
        }
    }
}

impl Images<'_> {
    /// Reads an image from where a transport other than `docker://` says, and gives it the names it has there.
    pub(super) fn pull_files(
        &self,
        transport: &Transport,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let place = transport.to_string();
        if let Some((path, pick)) = transport.path() {
            let tag = pick.map(ToString::to_string);
            self.check_policy(
                &Place::path(transport.scheme(), path, tag.as_deref()),
                options.signature_policy.as_deref(),
            )?;
        }
        let (files, pick) = match transport {
            Transport::DockerArchive(path, pick) | Transport::OciArchive(path, pick) => {
                let files = open(path).and_then(|file| self.store.open_archive(file));
                (files, pick.as_ref())
            }
            Transport::OciDir(path, pick) => (FileSet::of_directory(path), pick.as_ref()),
            Transport::Dir(path) => (FileSet::of_directory(path), None),
            Transport::ContainersStorage(text) => {
                return self.pull_podman(text, options, progress);
            }
            Transport::Registry(_) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "pull \"{place}\": transport {}: is not available in this version of pod",
                        transport.scheme()
                    ),
                ));
            }
        };
        let files = files.map_err(|err| err.context(format!("pull {place}")))?;
        let pulled = (|| {
            let opened = match transport {
                Transport::DockerArchive(..) => {
                    Opened::Docker(docker::DockerArchive::read(&files)?)
                }
                Transport::Dir(_) => Opened::Dir(dir::DirImage::read(&files)?),
                _ => Opened::Layout(layout::Layout::read(&files)?),
            };
            let index = opened.pick(pick)?;
            let directory = match transport {
                Transport::OciDir(path, _) => Some(path.as_path()),
                _ => None,
            };
            let mut names = opened.images(directory).swap_remove(index);
            if let (Transport::DockerArchive(..), Some(Pick::Name(name))) = (transport, pick) {
                names = vec![docker_name(name)?];
            }
            let want = options.platform.resolve();
            let (source, incoming) = opened.image(&files, index, &want, &place)?;
            let wanted = Wanted {
                names: &names,
                platform: &options.platform,
            };
            self.take_in(&source, &incoming, &wanted, progress)
        })();
        pulled.map_err(|err| err.context(format!("pull {place}")))
    }
}

/// Opens an archive; a FIFO is waited for, as by any reader.
fn open(path: &Path) -> Result<File> {
    File::open(path).tried(|| format!("open \"{}\"", path.display()))
}

/// A small file of the archive, which must be there.
fn document(files: &FileSet, name: &str) -> Result<Vec<u8>> {
    files.read(name, MAX_DOCUMENT)?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Error {
    Error::new(Kind::Corrupt, format!("it has no \"{name}\""))
}

/// A name in Podman's way for what is only here: `localhost/NAME` unless it has a registry.
fn local_name(text: &str) -> Result<Reference> {
    Ok(text.parse::<Name>()?.qualify(LOCALHOST))
}

/// Docker's rules: `nginx` is Docker Hub's.
fn docker_name(text: &str) -> Result<Reference> {
    Ok(text.parse::<Name>()?.qualify(DOCKER_HUB))
}
