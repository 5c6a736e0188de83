//! Giving and taking names.

use super::Images;
use super::lookup::unknown;
use super::record::{ImageRecord, TagRecord, VERSION};
use super::reference::{LOCALHOST, Name, Reference};
use super::remove::unlink;
use crate::error::{Error, Kind, Result};
use crate::storage::{Digest, WriteLock};

impl Images<'_> {
    /// Gives an image more names; a bare one is `localhost/NAME:latest`. None is given when one of them is malformed.
    /// Returns the image's id.
    pub fn tag(&self, source: &str, targets: &[String]) -> Result<Digest> {
        let references = targets
            .iter()
            .map(|target| normalize(target))
            .collect::<Result<Vec<_>>>()?;
        let lock = self.store.lock_structure()?;
        let found = self.locate(source)?;
        let mut record = self.load_image(&found.id)?.ok_or_else(|| unknown(source))?;
        if self.is_read_only(&record.id) {
            self.copy_documents(&lock, &record)?;
        }
        for reference in &references {
            remember_name(&mut record, reference);
        }
        self.save_image(&record)?;
        for reference in references {
            self.save_tag(&TagRecord {
                version: VERSION,
                reference,
                id: record.id,
                digest: record.digest(),
            })?;
        }
        Ok(record.id)
    }

    /// Takes names from an image, all of them when `targets` is empty. The image stays, even without a name.
    /// Returns its id and the names.
    pub fn untag(&self, source: &str, targets: &[String]) -> Result<(Digest, Vec<Reference>)> {
        let _lock = self.store.lock_structure()?;
        let id = self.locate(source)?.id;
        if self.is_read_only(&id) {
            return Err(Error::new(
                Kind::Unsupported,
                format!("cannot untag read-only image \"{}\"", id.hex()),
            ));
        }
        let mut tags = self.own_tags()?;
        tags.retain(|tag| tag.id == id);
        if targets.is_empty() {
            let names: Vec<Reference> = tags.into_iter().map(|tag| tag.reference).collect();
            names.iter().try_for_each(|name| self.drop_name(name))?;
            return Ok((id, names));
        }
        let mut dropped = Vec::new();
        for target in targets {
            let reference = full_name(target, "untag")?;
            if !tags.iter().any(|tag| tag.reference == reference) {
                return Err(Error::new(
                    Kind::Usage,
                    format!("{reference}: tag not known"),
                ));
            }
            self.drop_name(&reference)?;
            dropped.push(reference);
        }
        Ok((id, dropped))
    }

    /// Names that this store gave, not those of stores below.
    pub(super) fn own_tags(&self) -> Result<Vec<TagRecord>> {
        let mut tags = self.all_tags()?;
        if !self.store.below().is_empty() {
            tags.retain(|tag| self.tag_path(&tag.reference).is_file());
        }
        Ok(tags)
    }

    /// Brings config and manifests of an image in a store below into this one: small, and enough to name it here.
    fn copy_documents(&self, lock: &WriteLock, record: &ImageRecord) -> Result<()> {
        for digest in std::iter::once(&record.id).chain(record.digests()) {
            let content = self.store.read_blob(digest, None)?;
            self.store.put_blob(lock, digest, &content)?;
        }
        Ok(())
    }

    pub(super) fn drop_name(&self, reference: &Reference) -> Result<()> {
        unlink(&self.tag_path(reference))
    }
}

/// The full name that a new name means.
fn normalize(target: &str) -> Result<Reference> {
    let reference = full_name(target, "tag")?;
    match reference.digest() {
        Some(_) => Err(Error::usage(format!(
            "{target}: tag by digest not supported"
        ))),
        None => Ok(reference),
    }
}

fn full_name(target: &str, action: &str) -> Result<Reference> {
    if target.starts_with("sha256:") {
        return Err(Error::usage(format!(
            "{target}: {action} by digest not supported"
        )));
    }
    let name: Name = target
        .parse()
        .map_err(|err: Error| err.context(format!("normalizing name {target:?}")))?;
    Ok(name.qualify(LOCALHOST).pinned())
}

/// Puts a name in front of the history.
pub(super) fn remember_name(record: &mut ImageRecord, reference: &Reference) {
    let name = reference.to_string();
    record.history.retain(|known| *known != name);
    record.history.insert(0, name);
    record.history.truncate(20);
}
