//! `load`: every image of an archive or directory, whichever format that has.

use std::fs::File;
use std::path::Path;

use super::Opened;
use super::dir::DirImage;
use super::docker::DockerArchive;
use super::layout::Layout;
use crate::config::policy::Place;
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
        let files = match path.is_dir() {
            true => FileSet::of_directory(path),
            false => super::open(path).and_then(|file| self.archive(file)),
        };
        files
            .and_then(|files| self.load(&files, Some(path), progress))
            .map_err(|err| err.context(format!("load \"{}\"", path.display())))
    }

    /// Loads all images of an archive that comes through a pipe, or lies in a file.
    pub fn load_file(&self, file: File, progress: &mut dyn Progress) -> Result<Vec<Loaded>> {
        self.archive(file)
            .and_then(|files| self.load(&files, None, progress))
            .map_err(|err| err.context("load standard input"))
    }

    fn archive(&self, file: File) -> Result<FileSet> {
        self.store.open_archive(file).map_err(no_image)
    }

    fn load(
        &self,
        files: &FileSet,
        path: Option<&Path>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<Loaded>> {
        let opened = detect(files)?;
        let directory = path.filter(|path| path.is_dir());
        let scheme = opened.scheme(directory.is_some());
        let place = match path {
            Some(path) => Place::path(scheme, path, None),
            None => Place::whole(scheme, "/dev/stdin"),
        };
        self.check_policy(&place, None)?;
        let shown = path.map_or("the archive".into(), |path| path.display().to_string());
        let platform = PlatformRequest::default();
        let mut loaded = Vec::new();
        for (index, names) in opened.images(directory).into_iter().enumerate() {
            let (source, incoming) = opened.image(files, index, &platform.resolve(), &shown)?;
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
    match (files.read("manifest.json", MAX_DOCUMENT)?, why) {
        (Some(bytes), _) if bytes.trim_ascii_start().starts_with(b"{") => {
            DirImage::read(files).map(Opened::Dir)
        }
        (None, Some(why)) => Err(why),
        _ => DockerArchive::read(files).map(Opened::Docker),
    }
    .map_err(no_image)
}

/// Words that something is no image, as far as that is what `err` says.
fn no_image(err: Error) -> Error {
    if err.kind() != Kind::Corrupt {
        return err;
    }
    Error::new(
        Kind::Corrupt,
        format!(
            "payload does not match any of the supported image formats (oci-archive, docker-archive, oci-dir, docker-dir): {err}"
        ),
    )
}
