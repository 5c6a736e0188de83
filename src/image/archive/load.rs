//! `load`: every image of an archive or directory, whichever format that has.

use std::fs::File;
use std::path::Path;

use super::dir::DirImage;
use super::docker::DockerArchive;
use super::layout::Layout;
use super::{Opened, name_of_path};
use crate::error::{Error, Kind, Result};
use crate::image::{Image, Images, PlatformRequest, Progress, Wanted};
use crate::registry::MAX_DOCUMENT;
use crate::storage::archive::FileSet;

/// One image that was loaded.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub image: Image,
    /// The names that the archive gave it.
    pub names: Vec<String>,
}

impl Images<'_> {
    /// Loads all images of an archive or of a directory.
    pub fn load_path(&self, path: &Path, progress: &mut dyn Progress) -> Result<Vec<Loaded>> {
        let mut load = || {
            if !path.is_dir() {
                return self.load_archive(super::open(path)?, progress);
            }
            let files = FileSet::of_directory(path)?;
            let opened = detect(&files)?;
            let name = match opened {
                Opened::Dir(_) => name_of_path(path),
                _ => None,
            };
            self.load_all(&files, &opened, name, &path.display().to_string(), progress)
        };
        load().map_err(|err| err.context(format!("load \"{}\"", path.display())))
    }

    /// Loads all images of an archive that comes through a pipe, or lies in a file.
    pub fn load_file(&self, file: File, progress: &mut dyn Progress) -> Result<Vec<Loaded>> {
        self.load_archive(file, progress)
            .map_err(|err| err.context("load standard input"))
    }

    fn load_archive(&self, file: File, progress: &mut dyn Progress) -> Result<Vec<Loaded>> {
        let files = self
            .store
            .open_archive(file)
            .map_err(|err| match err.kind() {
                Kind::Corrupt => no_image(&err),
                _ => err,
            })?;
        let opened = detect(&files)?;
        self.load_all(&files, &opened, None, "the archive", progress)
    }

    fn load_all(
        &self,
        files: &FileSet,
        opened: &Opened,
        name: Option<crate::image::reference::Reference>,
        place: &str,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Loaded>> {
        let platform = PlatformRequest::default();
        let mut loaded = Vec::new();
        for (index, mut names) in opened.images().into_iter().enumerate() {
            names.extend(name.clone());
            let (source, incoming) = opened.image(files, index, &platform.resolve(), place)?;
            let wanted = Wanted {
                names: &names,
                platform: &platform,
            };
            let image = self.take_in(&source, &incoming, &wanted, progress)?;
            loaded.push(Loaded {
                image,
                names: names.iter().map(ToString::to_string).collect(),
            });
        }
        Ok(loaded)
    }
}

/// What it is, by the documents in it. Where there are an OCI index and Docker's list, as current Docker writes
/// them, the index says more.
fn detect(files: &FileSet) -> Result<Opened> {
    let mut why = None;
    if files.find("index.json")?.is_some() {
        match Layout::read(files) {
            Ok(layout) => return Ok(Opened::Layout(layout)),
            Err(err) => why = Some(err),
        }
    }
    match files.read("manifest.json", MAX_DOCUMENT)? {
        Some(bytes) if bytes.trim_ascii_start().starts_with(b"{") => {
            DirImage::read(files).map(Opened::Dir)
        }
        None if why.is_some() => Err(why.unwrap_or_else(|| Error::usage("no image"))),
        _ => DockerArchive::read(files)
            .map(Opened::Docker)
            .map_err(|err| match err.kind() {
                Kind::Corrupt => no_image(&err),
                _ => err,
            }),
    }
}

fn no_image(why: &Error) -> Error {
    Error::new(
        Kind::Corrupt,
        format!(
            "payload does not match any of the supported image formats (oci-archive, docker-archive, oci-dir, docker-dir): {why}"
        ),
    )
}
