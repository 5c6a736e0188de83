//! Making and changing manifest lists.

use super::index::{EntryChange, ListEntry, ListPlatform, ListRecord, entries_of, is_index};
use super::lookup::unknown;
use super::manage::remember_name;
use super::record::{ImageRecord, ManifestRecord, TagRecord, VERSION};
use super::reference::{LOCALHOST, Name, Reference};
use super::{AccessOptions, Images, Platform, Progress, access, resolve};
use crate::config::registries::Registries;
use crate::error::{Error, Kind, Result};
use crate::image::convert::Format;
use crate::registry::{Document, Seen};
use crate::storage::{Digest, WriteLock};

/// `manifest create` and `manifest add`.
#[derive(Debug, Clone, Default)]
pub struct AddOptions {
    /// Of an index every image, not only this host's.
    pub all: bool,
    /// `create`: a list of that name is added to.
    pub amend: bool,
    pub change: EntryChange,
    pub access: AccessOptions,
}

impl Images<'_> {
    /// Makes a list with some images. Returns its id.
    pub fn create_list(
        &self,
        name: &str,
        images: &[String],
        options: &AddOptions,
        progress: &mut dyn Progress,
    ) -> Result<Digest> {
        let parsed: Name = name.parse()?;
        if parsed.digest().is_some() {
            let text =
                format!("create manifest list \"{name}\": a name with a digest is not possible");
            return Err(Error::usage(text));
        }
        let reference = parsed.qualify(LOCALHOST);
        if let Some(tag) = self.load_tag(&reference)? {
            if !options.amend {
                let text = format!(
                    "creating image to hold manifest list: image name \"{reference}\" is already associated with \
                     image \"{}\": that name is already in use",
                    tag.id.hex()
                );
                return Err(Error::new(Kind::InUse, text));
            }
            return self.add_to_list(&reference.to_string(), images, options, progress);
        }
        let entries = self.entries(images, options, progress)?;
        let mut list = ListRecord {
            annotations: options.change.annotations.clone(),
            entries: Vec::new(),
        };
        entries.into_iter().for_each(|entry| list.add(entry));
        let mut record = ImageRecord {
            version: VERSION,
            id: fresh_id()?,
            created: jiff::Timestamp::now().to_string(),
            os: String::new(),
            architecture: String::new(),
            variant: None,
            size: 0,
            diff_ids: Vec::new(),
            layers: Vec::new(),
            manifests: Vec::new(),
            history: Vec::new(),
            list: Some(list),
        };
        remember_name(&mut record, &reference);
        let lock = self.store.lock_structure()?;
        if self.load_tag(&reference)?.is_some() {
            let text = format!("image name \"{reference}\": that name is already in use");
            return Err(Error::new(Kind::InUse, text));
        }
        self.save_list(&lock, &mut record)?;
        self.save_tag(&TagRecord {
            version: VERSION,
            reference,
            id: record.id,
            digest: record.digest(),
        })?;
        Ok(record.id)
    }

    /// Puts images into a list. Returns the list's id.
    pub fn add_to_list(
        &self,
        list: &str,
        images: &[String],
        options: &AddOptions,
        progress: &mut dyn Progress,
    ) -> Result<Digest> {
        self.list_record(list)?;
        let mut entries = self.entries(images, options, progress)?;
        for entry in &mut entries {
            options.change.apply(entry);
        }
        self.change_list(list, |list| {
            entries.into_iter().for_each(|entry| list.add(entry));
            Ok(())
        })
    }

    /// Changes what a list says of an image, or, without one, of itself. Returns the list's id.
    pub fn annotate_list(
        &self,
        list: &str,
        image: Option<&str>,
        change: &EntryChange,
    ) -> Result<Digest> {
        let digest = image.map(|image| self.member(list, image)).transpose()?;
        self.change_list(list, |record| {
            let Some(digest) = digest else {
                record.annotations.extend(change.annotations.clone());
                return Ok(());
            };
            let entries = record.entries.iter_mut();
            let mut found = entries.filter(|entry| entry.digest == digest).peekable();
            if found.peek().is_none() {
                return Err(no_member(
                    &format!("annotating manifest list {list}"),
                    &digest,
                ));
            }
            found.for_each(|entry| change.apply(entry));
            Ok(())
        })
    }

    /// Takes an image out of a list. Returns the list's id.
    pub fn remove_from_list(&self, list: &str, image: &str) -> Result<Digest> {
        let tried = format!("removing from manifest list {list}");
        let digest = self.member(list, image).map_err(|err| match err.kind() {
            Kind::NotFound => err,
            _ => err.context(&tried),
        })?;
        self.change_list(list, |record| {
            let before = record.entries.len();
            record.entries.retain(|entry| entry.digest != digest);
            match record.entries.len() == before {
                true => Err(no_member(&tried, &digest)),
                false => Ok(()),
            }
        })
    }

    /// Tells whether the name is one of a list; that of an image is an error.
    pub fn list_exists(&self, name: &str) -> Result<bool> {
        match self.list_record(name) {
            Ok(_) => Ok(true),
            Err(err) if err.kind() == Kind::NotFound => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// The bytes of a list here, or of what a registry has under the name.
    pub fn inspect_list(
        &self,
        name: &str,
        options: &AccessOptions,
        progress: &mut dyn Progress,
    ) -> Result<Document> {
        match self.list_record(name) {
            Ok(record) => record.list.unwrap_or_default().document(Format::Oci),
            Err(err) if matches!(err.kind(), Kind::NotFound | Kind::State) => {
                let name = name.strip_prefix("docker://").unwrap_or(name);
                Ok(self.seen(name, options, progress)?.1.document)
            }
            Err(err) => Err(err),
        }
    }

    /// The record of a list.
    pub(super) fn list_record(&self, name: &str) -> Result<ImageRecord> {
        let found = self.locate(name)?;
        let record = self.load_image(&found.id)?.ok_or_else(|| unknown(name))?;
        match record.is_list() {
            true => Ok(record),
            false => Err(Error::new(
                Kind::State,
                format!("{name}: image is not a manifest list"),
            )),
        }
    }

    fn change_list(
        &self,
        name: &str,
        change: impl FnOnce(&mut ListRecord) -> Result<()>,
    ) -> Result<Digest> {
        let lock = self.store.lock_structure()?;
        let mut record = self.list_record(name)?;
        change(record.list.get_or_insert_default())?;
        self.save_list(&lock, &mut record)?;
        for mut tag in self.own_tags()? {
            if tag.id == record.id {
                tag.digest = record.digest();
                self.save_tag(&tag)?;
            }
        }
        Ok(record.id)
    }

    /// Writes the list's bytes, then its record.
    fn save_list(&self, lock: &WriteLock, record: &mut ImageRecord) -> Result<()> {
        let document = record
            .list
            .clone()
            .unwrap_or_default()
            .document(Format::Oci)?;
        self.store
            .put_blob(lock, &document.digest, &document.bytes)?;
        record.size = document.bytes.len() as u64;
        record.manifests = vec![ManifestRecord {
            digest: document.digest,
            media_type: document.media_type,
            layers: Vec::new(),
            indexes: Vec::new(),
        }];
        self.save_image(record)
    }

    /// The digest that `image` means within a list: itself one, or a name of an image that is in it.
    fn member(&self, list: &str, image: &str) -> Result<Digest> {
        if let Ok(digest) = image.parse() {
            return Ok(digest);
        }
        let record = self.list_record(list)?;
        let instances = record.instances();
        let found = self.locate(image).ok();
        let found = found.and_then(|found| self.load_image(&found.id).ok().flatten());
        let digest =
            found.and_then(|image| image.digests().find(|d| instances.contains(d)).copied());
        digest.ok_or_else(|| {
            Error::usage(format!(
                "invalid image digest \"{image}\": invalid checksum digest format"
            ))
        })
    }

    fn entries(
        &self,
        images: &[String],
        options: &AddOptions,
        progress: &mut dyn Progress,
    ) -> Result<Vec<ListEntry>> {
        let mut entries = Vec::new();
        for image in images {
            entries.extend(self.entries_for(image, options, progress)?);
        }
        Ok(entries)
    }

    /// What an image comes to in a list: from the store, else from its registry.
    fn entries_for(
        &self,
        image: &str,
        options: &AddOptions,
        progress: &mut dyn Progress,
    ) -> Result<Vec<ListEntry>> {
        if let Some(name) = image.strip_prefix("docker://") {
            return self.remote_entries(name, options, progress);
        }
        let (name, only_here) = match image.strip_prefix("containers-storage:") {
            Some(name) => (name, true),
            None => (image, false),
        };
        match self.locate(name) {
            Ok(found) => {
                let record = self.load_image(&found.id)?.ok_or_else(|| unknown(name))?;
                self.local_entries(name, record, options.all)
            }
            Err(err) if err.kind() == Kind::NotFound && !only_here => {
                let from_registry = self.remote_entries(name, options, progress);
                from_registry.map_err(|err| match name.contains('/') {
                    true => err,
                    false => {
                        err.hint("no image of that name is in the store, so a registry was asked")
                    }
                })
            }
            Err(err) => Err(err),
        }
    }

    fn local_entries(&self, name: &str, record: ImageRecord, all: bool) -> Result<Vec<ListEntry>> {
        let record = match &record.list {
            Some(list) if all => return Ok(list.entries.clone()),
            Some(_) => self.instance_here(name, &record)?,
            None => record,
        };
        let manifest = record.manifest().ok_or_else(|| unknown(name))?;
        let config = self.config_json(&record.id)?;
        Ok(vec![ListEntry {
            digest: manifest.digest,
            size: self.store.blob_size(&manifest.digest).unwrap_or_default(),
            media_type: manifest.media_type.clone(),
            platform: platform_in(&config),
            annotations: Default::default(),
            place: None,
        }])
    }

    fn remote_entries(
        &self,
        name: &str,
        options: &AddOptions,
        progress: &mut dyn Progress,
    ) -> Result<Vec<ListEntry>> {
        let (reference, seen) = self.seen(name, &options.access, progress)?;
        let place = reference.name();
        let document = seen.document;
        if !is_index(&document) {
            let config = seen.config.unwrap_or_default();
            let config = serde_json::from_slice(&config).unwrap_or_default();
            return Ok(vec![ListEntry {
                digest: document.digest,
                size: document.bytes.len() as u64,
                media_type: document.media_type,
                platform: platform_in(&config),
                annotations: Default::default(),
                place: Some(place),
            }]);
        }
        let entries = entries_of(&document, &place)?;
        if options.all {
            return Ok(entries);
        }
        let mut want = Platform::host();
        if let Some(architecture) = &options.change.architecture {
            want.architecture.clone_from(architecture);
            want.variant.clone_from(&options.change.variant);
        }
        if let Some(os) = &options.change.os {
            want.os.clone_from(os);
        }
        let distance = |entry: &ListEntry| want.distance(&entry.platform.of_image());
        let best = entries
            .into_iter()
            .filter_map(|entry| Some((distance(&entry)?, entry)))
            .min_by_key(|(distance, _)| *distance);
        match best {
            Some((_, entry)) => Ok(vec![entry]),
            None => Err(Error::new(
                Kind::NotFound,
                format!("{name}: no image of the index is for {want}"),
            )
            .hint("add all of them with --all")),
        }
    }

    /// What a registry has under a name, as it is.
    fn seen(
        &self,
        text: &str,
        options: &AccessOptions,
        progress: &mut dyn Progress,
    ) -> Result<(Reference, Seen)> {
        let name: Name = text.parse()?;
        let registries = Registries::load(self.identity)?;
        let (candidates, _) = resolve::candidates(&registries, &name)?;
        let client = self.client(options)?;
        let mut failed = None;
        for reference in candidates {
            let reference = reference.pinned();
            for endpoint in access::endpoints(&registries, &reference, options)? {
                let credentials = self.credentials(&registries, &endpoint, options)?;
                match client.look(&endpoint, credentials, &reference.selector(), progress) {
                    Ok(seen) => return Ok((reference, seen)),
                    Err(err) => failed = Some(err),
                }
            }
        }
        Err(failed.unwrap_or_else(|| unknown(text)))
    }
}

/// What a config says of its platform.
fn platform_in(config: &serde_json::Value) -> ListPlatform {
    let text = |key: &str| {
        let value = config.get(key).and_then(|value| value.as_str());
        value.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let host = Platform::host();
    let os_features = config.get("os.features").and_then(|value| value.as_array());
    ListPlatform {
        architecture: text("architecture").unwrap_or(host.architecture),
        os: text("os").unwrap_or(host.os),
        os_version: text("os.version"),
        os_features: os_features
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
        variant: text("variant"),
        features: Vec::new(),
    }
}

fn no_member(tried: &str, digest: &Digest) -> Error {
    Error::usage(format!(
        "{tried}: no instance matching digest \"{digest}\" found in manifest list"
    ))
}

/// An id that no other list or image has: a list changes, so it cannot be named by what it holds.
fn fresh_id() -> Result<Digest> {
    let mut bytes = [0_u8; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        filled += rustix::rand::getrandom(&mut bytes[filled..], flags)
            .map_err(|err| Error::io(&err.into(), "make an id"))?;
    }
    Ok(Digest::sha256_of(&bytes))
}
