//! An OCI image layout as a destination (image-spec `image-layout.md`): a directory others may use at the same time,
//! or an archive.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use super::layout::REF_NAME;
use super::write::{Naming, Outline, Unnamed, make_directory};
use crate::error::{Error, Kind, Result, Tried};
use crate::image::dest::{Blob, Destination, Form, Needs};
use crate::image::outgoing::Format;
use crate::image::reference::Reference;
use crate::registry::{Document, MAX_DOCUMENT, check_depth};
use crate::storage::Digest;
use crate::storage::archive::{ArchiveWriter, Fresh, pump};

const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

pub(super) struct LayoutDestination {
    place: String,
    out: Out,
    form: Form,
    naming: Naming,
    /// In the archive so far; a directory answers for itself.
    written: Vec<Digest>,
    entries: Vec<Value>,
    unnamed: Unnamed,
}

enum Out {
    Directory(PathBuf),
    Archive(Option<ArchiveWriter>),
}

impl LayoutDestination {
    pub(super) fn directory(
        place: String,
        path: &Path,
        form: Form,
        naming: Naming,
    ) -> Result<Self> {
        let path = make_directory(path)?;
        make_directory(&path.join("blobs/sha256"))?;
        Ok(Self::new(place, Out::Directory(path), form, naming))
    }

    pub(super) fn archive(
        place: String,
        mut writer: ArchiveWriter,
        form: Form,
        naming: Naming,
    ) -> Result<Self> {
        writer.document("oci-layout", LAYOUT.as_bytes())?;
        writer.directory("blobs/")?;
        writer.directory("blobs/sha256/")?;
        Ok(Self::new(place, Out::Archive(Some(writer)), form, naming))
    }

    fn new(place: String, out: Out, form: Form, naming: Naming) -> Self {
        Self {
            place,
            out,
            form,
            naming,
            written: Vec::new(),
            entries: Vec::new(),
            unnamed: Unnamed::default(),
        }
    }

    fn add_blob(&mut self, digest: &Digest, size: Option<u64>, bytes: &mut dyn Read) -> Result<()> {
        match &mut self.out {
            Out::Directory(dir) => {
                let into = dir.join("blobs").join(digest.algorithm().name());
                let tried = || format!("write blob {digest} into \"{}\"", into.display());
                make_directory(&into)?;
                let fresh = Fresh::new(&into).tried(tried)?;
                pump(bytes, fresh.file()).tried(tried)?;
                fresh.appear(&into.join(digest.hex())).tried(tried)
            }
            Out::Archive(writer) => {
                let writer = writer.as_mut().ok_or_else(finished)?;
                let name = format!("blobs/{}/{}", digest.algorithm().name(), digest.hex());
                writer.file(&name, size, bytes)?;
                self.written.push(*digest);
                Ok(())
            }
        }
    }

    fn has(&self, digest: &Digest, size: Option<u64>) -> bool {
        match &self.out {
            Out::Archive(_) => self.written.contains(digest),
            Out::Directory(dir) => {
                let mut path = dir.join("blobs");
                path.push(digest.algorithm().name());
                path.push(digest.hex());
                fs::symlink_metadata(path).is_ok_and(|found| {
                    found.is_file() && size.is_some_and(|size| size == found.len())
                })
            }
        }
    }
}

impl Destination for LayoutDestination {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn needs(&self) -> Needs {
        Needs {
            layers: self.form,
            format: Some(Format::Oci),
        }
    }

    fn has_blob(&mut self, blob: &Blob) -> Result<bool> {
        Ok(self.has(&blob.digest, blob.size))
    }

    fn put_blob(&mut self, blob: &Blob, bytes: &mut dyn Read) -> Result<()> {
        // Also when another writer of the directory put it there meanwhile: the bytes must be taken.
        self.add_blob(&blob.digest, blob.size, bytes)
    }

    fn put_manifest(&mut self, manifest: &Document, name: Option<&Reference>) -> Result<()> {
        let size = manifest.bytes.len() as u64;
        if !self.has(&manifest.digest, Some(size)) {
            self.add_blob(&manifest.digest, Some(size), &mut manifest.bytes.as_slice())?;
        }
        let Some(name) = name else {
            self.unnamed.push(manifest);
            return Ok(());
        };
        self.unnamed.claim(&Outline::of(manifest)?);
        let name = match &self.naming {
            Naming::ByReference => Some(name.to_string()),
            Naming::Fixed(name) => name.clone(),
        };
        let entry = entry(
            &manifest.digest,
            &manifest.media_type,
            size,
            name.as_deref(),
        );
        add(&mut self.entries, entry);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let name = match &self.naming {
            Naming::Fixed(name) => name.clone(),
            Naming::ByReference => None,
        };
        for (digest, media_type, size) in self.unnamed.take() {
            let entry = entry(&digest, &media_type, size, name.as_deref());
            add(&mut self.entries, entry);
        }
        match &mut self.out {
            Out::Directory(dir) => merge(dir, &self.entries),
            Out::Archive(writer) => {
                let Some(mut writer) = writer.take() else {
                    return Ok(());
                };
                let index = json!({
                    "schemaVersion": 2,
                    "mediaType": INDEX_TYPE,
                    "manifests": self.entries,
                });
                writer.document("index.json", index.to_string().as_bytes())?;
                writer.finish()
            }
        }
    }
}

fn entry(digest: &Digest, media_type: &str, size: u64, name: Option<&str>) -> Value {
    let mut entry = json!({
        "mediaType": media_type,
        "digest": digest.to_string(),
        "size": size,
    });
    if let Some(name) = name {
        entry["annotations"] = json!({ REF_NAME: name });
    }
    entry
}

/// A name means one image, and an image without a name is listed once.
fn add(entries: &mut Vec<Value>, new: Value) {
    let name = |entry: &Value| entry["annotations"][REF_NAME].as_str().map(str::to_owned);
    let new_name = name(&new);
    entries.retain(|entry| match name(entry) {
        Some(name) => Some(name) != new_name,
        None => entry["digest"] != new["digest"],
    });
    entries.push(new);
}

/// Adds entries to the index of a directory, one writer at a time; those of others stay as they are.
fn merge(dir: &Path, entries: &[Value]) -> Result<()> {
    let path = dir.join("index.json");
    let tried = || format!("write \"{}\"", path.display());
    let lock = File::open(dir).tried(tried)?;
    flock(&lock, FlockOperation::LockExclusive).tried(tried)?;
    let mut index = match fs::read(&path) {
        Ok(bytes) => {
            if bytes.len() as u64 > MAX_DOCUMENT {
                return Err(not_an_index(&path, "it is too large"));
            }
            check_depth(&bytes)?;
            serde_json::from_slice(&bytes).map_err(|err| not_an_index(&path, &err.to_string()))?
        }
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => json!({
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [],
        }),
        Err(err) => return Err(Error::io(&err, format!("read \"{}\"", path.display()))),
    };
    let Some(listed) = index["manifests"].as_array_mut() else {
        return Err(not_an_index(&path, "it has no \"manifests\""));
    };
    for entry in entries {
        add(listed, entry.clone());
    }
    let layout = dir.join("oci-layout");
    if !layout.exists() {
        replace(&layout, LAYOUT.as_bytes())?;
    }
    replace(&path, index.to_string().as_bytes())
}

/// Writes a file anew, in place of what is there.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let tried = || format!("write \"{}\"", path.display());
    let dir = path.parent().unwrap_or(Path::new("."));
    let fresh = Fresh::new(dir).tried(tried)?;
    std::io::Write::write_all(&mut fresh.file(), content).tried(tried)?;
    fresh.appear(path).tried(tried)
}

fn not_an_index(path: &Path, why: &str) -> Error {
    Error::new(
        Kind::Corrupt,
        format!("read \"{}\": not an image index: {why}", path.display()),
    )
}

fn finished() -> Error {
    Error::new(Kind::System, "write an archive: it is finished already")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_listed_once() {
        let digest = |text: &str| Digest::sha256_of(text.as_bytes());
        let mut entries = Vec::new();
        for (content, name) in [
            ("a", Some("x")),
            ("b", Some("y")),
            ("b", Some("x")),
            ("c", None),
            ("c", None),
            ("b", None),
        ] {
            add(&mut entries, entry(&digest(content), "t", 1, name));
        }
        let found: Vec<(String, Option<&str>)> = entries
            .iter()
            .map(|entry| {
                let digest = entry["digest"].as_str().unwrap().to_owned();
                (digest, entry["annotations"][REF_NAME].as_str())
            })
            .collect();
        let want = [("b", Some("y")), ("b", Some("x")), ("c", None), ("b", None)];
        let want = want.map(|(content, name)| (digest(content).to_string(), name));
        assert_eq!(found, want);
    }
}
