//! `save`: images into an archive or a directory.

use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use super::write::{Naming, refuse_existing};
use super::write_dir::DirDestination;
use super::write_layout::LayoutDestination;
use crate::error::{Error, Result};
use crate::image::dest::{Destination, Form};
use crate::image::outgoing::{Format, OutgoingOptions};
use crate::image::record::ImageRecord;
use crate::image::reference::Reference;
use crate::image::{Images, Progress};
use crate::storage::archive::Target;

/// `--format`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SaveFormat {
    #[default]
    DockerArchive,
    OciArchive,
    OciDir,
    DockerDir,
}

impl SaveFormat {
    pub fn is_directory(self) -> bool {
        matches!(self, Self::OciDir | Self::DockerDir)
    }
}

impl FromStr for SaveFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "docker-archive" | "" => Ok(Self::DockerArchive),
            "oci-archive" => Ok(Self::OciArchive),
            "oci-dir" => Ok(Self::OciDir),
            "docker-dir" => Ok(Self::DockerDir),
            _ => Err(Error::usage(
                "format value must be one of oci-dir oci-archive docker-dir docker-archive",
            )),
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SaveOptions {
    pub format: SaveFormat,
    /// Plain layers of a Docker directory are compressed.
    pub compress: bool,
    /// Plain layers of an OCI image stay so.
    pub uncompressed: bool,
    /// Every word is an image; else those behind the first are more names of it.
    pub many: bool,
}

#[derive(Debug)]
pub enum SaveTo {
    Path(PathBuf),
    /// Standard output.
    Stream(File),
}

impl Images<'_> {
    /// Writes images to where `to` says, which shows them when all is written.
    ///
    /// For a process with one thread only.
    pub fn save(
        &self,
        words: &[String],
        to: SaveTo,
        options: SaveOptions,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let images = self.chosen(words, options.many)?;
        let mut out = self.saving(to, options)?;
        let outgoing = OutgoingOptions {
            format: match options.format {
                SaveFormat::DockerArchive | SaveFormat::DockerDir => Some(Format::V2s2),
                SaveFormat::OciArchive | SaveFormat::OciDir => Some(Format::Oci),
            },
            ..OutgoingOptions::default()
        };
        for (record, names) in &images {
            let image = self.outgoing(record, &outgoing, &out.needs())?;
            let manifest = self.send(&image, &mut *out, names.first(), progress)?;
            for name in names.iter().skip(1) {
                out.put_manifest(&manifest, Some(name))?;
            }
        }
        out.finish()
    }

    /// What is to be saved, with the names it gets: an image that is named by its id has none.
    fn chosen(&self, words: &[String], many: bool) -> Result<Vec<(ImageRecord, Vec<Reference>)>> {
        let mut images: Vec<(ImageRecord, Vec<Reference>)> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            if at > 0 && !many {
                let name = super::local_name(word)?;
                if let Some((_, names)) = images.last_mut() {
                    names.push(name);
                }
                continue;
            }
            let found = self.locate(word)?;
            let record = self
                .load_image(&found.id)?
                .ok_or_else(|| crate::image::lookup::unknown(word))?;
            let name = found.name.filter(|name| name.tag().is_some());
            match images.iter_mut().find(|(known, _)| known.id == record.id) {
                Some((_, names)) => names.extend(name),
                None => images.push((record, name.into_iter().collect())),
            }
        }
        Ok(images)
    }

    fn saving(&self, to: SaveTo, options: SaveOptions) -> Result<Box<dyn Destination>> {
        let oci = match options.uncompressed {
            true => Form::Preserved,
            false => Form::Compressed,
        };
        let path = match to {
            SaveTo::Path(path) => path,
            SaveTo::Stream(_) if options.format.is_directory() => {
                return Err(Error::usage(
                    "a directory cannot be written to standard output: name it with --output",
                ));
            }
            SaveTo::Stream(file) => {
                let place = "standard output".to_owned();
                let target = Target::Stream(file);
                return match options.format {
                    SaveFormat::OciArchive => self.oci_archive(target, place, oci),
                    _ => Ok(self.docker_archive(target, place)),
                };
            }
        };
        let place = path.display().to_string();
        Ok(match options.format {
            SaveFormat::DockerArchive => {
                refuse_existing(&path)?;
                self.docker_archive(Target::create(&path)?, place)
            }
            SaveFormat::OciArchive => self.oci_archive(Target::create(&path)?, place, oci)?,
            SaveFormat::OciDir => Box::new(LayoutDestination::directory(
                place,
                &path,
                oci,
                Naming::ByReference,
            )?),
            SaveFormat::DockerDir => {
                let form = match options.compress {
                    true => Form::Compressed,
                    false => Form::Preserved,
                };
                Box::new(DirDestination::create(place, &path, form)?)
            }
        })
    }
}
