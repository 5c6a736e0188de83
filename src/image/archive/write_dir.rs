//! `dir:` as a destination: one image, in place of the one that was there (containers-transports(5)).

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::dir::blob;
use super::write::{Outline, Unnamed, make_directory};
use super::write_layout::replace;
use crate::error::{Error, Kind, Result, Tried};
use crate::image::dest::{Blob, Destination, Form, Needs};
use crate::image::reference::Reference;
use crate::registry::Document;
use crate::storage::archive::{Fresh, pump};

const VERSION: &str = "Directory Transport Version: 1.1\n";
/// With digests other than sha256.
const VERSION_12: &str = "Directory Transport Version: 1.2\n";

pub(super) struct DirDestination {
    place: String,
    dir: PathBuf,
    form: Form,
    /// What belongs to the image.
    files: BTreeSet<String>,
    manifest: Option<Document>,
    unnamed: Unnamed,
    held: Vec<Document>,
}

impl DirDestination {
    pub(super) fn create(place: String, path: &Path, form: Form) -> Result<Self> {
        let dir = make_directory(path)?;
        let tried = || format!("list \"{}\"", dir.display());
        let is_empty = fs::read_dir(&dir).tried(tried)?.next().is_none();
        let version = fs::read_to_string(dir.join("version")).unwrap_or_default();
        if !is_empty && !version.starts_with("Directory Transport Version: ") {
            return Err(Error::new(
                Kind::InUse,
                format!(
                    "write to \"{}\": not a containers image directory, don't want to overwrite important data",
                    dir.display()
                ),
            ));
        }
        Ok(Self {
            place,
            dir,
            form,
            files: BTreeSet::new(),
            manifest: None,
            unnamed: Unnamed::default(),
            held: Vec::new(),
        })
    }

    /// Takes away what an image that was here before left.
    fn tidy(&self) -> Result<()> {
        let tried = || format!("list \"{}\"", self.dir.display());
        for entry in fs::read_dir(&self.dir).tried(tried)? {
            let name = entry.tried(tried)?.file_name();
            let Some(name) = name.to_str() else { continue };
            let stem = name.strip_suffix(".manifest.json").unwrap_or(name);
            let ours =
                stem.len() >= 64 && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if ours && !self.files.contains(name) {
                let path = self.dir.join(name);
                fs::remove_file(&path).tried(|| format!("remove \"{}\"", path.display()))?;
            }
        }
        Ok(())
    }
}

impl Destination for DirDestination {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn needs(&self) -> Needs {
        Needs {
            layers: self.form,
            format: None,
        }
    }

    fn has_blob(&mut self, wanted: &Blob) -> Result<bool> {
        let found = fs::symlink_metadata(self.dir.join(blob(&wanted.digest)));
        Ok(found.is_ok_and(|found| {
            found.is_file() && wanted.size.is_some_and(|size| size == found.len())
        }))
    }

    fn put_blob(&mut self, put: &Blob, bytes: &mut dyn Read) -> Result<()> {
        let tried = || format!("write blob {} into \"{}\"", put.digest, self.dir.display());
        let fresh = Fresh::new(&self.dir).tried(tried)?;
        pump(bytes, fresh.file()).tried(tried)?;
        fresh.appear(&self.dir.join(blob(&put.digest))).tried(tried)
    }

    fn put_manifest(&mut self, manifest: &Document, name: Option<&Reference>) -> Result<()> {
        let outline = Outline::of(manifest)?;
        self.files.extend(outline.blobs().map(blob));
        match name {
            Some(_) => {
                self.unnamed.claim(&outline);
                self.manifest = Some(manifest.clone());
            }
            None => {
                self.unnamed.push(manifest);
                self.held.push(manifest.clone());
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let unclaimed = self.unnamed.take();
        if self.manifest.is_none()
            && let [(digest, ..)] = unclaimed.as_slice()
        {
            let at = self.held.iter().position(|held| held.digest == *digest);
            self.manifest = at.map(|at| self.held.swap_remove(at));
        }
        let Some(manifest) = self.manifest.take() else {
            return Err(Error::new(
                Kind::Unsupported,
                "a directory holds one image: it was given none, or several",
            ));
        };
        for instance in &self.held {
            let name = format!("{}.manifest.json", blob(&instance.digest));
            replace(&self.dir.join(&name), &instance.bytes)?;
            self.files.insert(name);
        }
        let version = match self.files.iter().any(|name| name.starts_with("sha512-")) {
            true => VERSION_12,
            false => VERSION,
        };
        replace(&self.dir.join("version"), version.as_bytes())?;
        replace(&self.dir.join("manifest.json"), &manifest.bytes)?;
        self.tidy()
    }
}
