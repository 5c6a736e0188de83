//! From what the user typed to an image in the store.
//!
//! In this order: a full name (`quay.io/a/b:tag`, `name@sha256:…`), opened directly; for a short name
//! `localhost/NAME`, then any stored repository that ends in the name, where registries.conf decides between
//! several; then an id or the beginning of one. No tag means `:latest`.

use std::fs;
use std::io::ErrorKind;

use super::record::{ImageRecord, TagRecord};
use super::reference::{DOCKER_HUB, LOCALHOST, Name, Reference};
use super::{Image, Images, Platform};
use crate::config::registries::Registries;
use crate::error::{Error, Kind, Result, Tried};
use crate::storage::Digest;

/// An image that was found, and by which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: Digest,
    /// `None`: by id.
    pub(super) name: Option<Reference>,
}

impl Images<'_> {
    /// Finds an image by name, digest or id. `names` of the answer is the name it was found by, or all when found
    /// by id.
    pub fn find(&self, text: &str) -> Result<Image> {
        let found = self.locate(text)?;
        let Some(record) = self.load_image(&found.id)? else {
            // A name without its image: the record was damaged or removed behind our back.
            return Err(unknown(text).hint("its record is missing: pull it again"));
        };
        let record = match record.is_list() {
            true => self.instance_here(text, &record)?,
            false => record,
        };
        let names = match found.name {
            Some(name) => vec![name.to_string()],
            None => self.names(&record.id)?,
        };
        self.assemble(&record, names)
    }

    /// Of a local manifest list, the image for this host.
    pub(super) fn instance_here(&self, text: &str, list: &ImageRecord) -> Result<ImageRecord> {
        let host = Platform::host();
        let entries = list.list.iter().flat_map(|list| &list.entries);
        let best = entries
            .filter_map(|entry| Some((host.distance(&entry.platform.of_image())?, entry)))
            .min_by_key(|(distance, _)| *distance);
        let none = || {
            let text = format!("{text}: no image of this manifest list is for {host}");
            Error::new(Kind::NotFound, text)
        };
        let (_, entry) = best.ok_or_else(none)?;
        let images = self.all_images()?.into_iter();
        images
            .filter(|image| !image.is_list())
            .find(|image| image.digests().any(|digest| *digest == entry.digest))
            .ok_or_else(|| {
                let text = format!("{text}: the image {} of this manifest list", entry.digest);
                Error::new(Kind::NotFound, format!("{text} is not in the store")).hint("pull it")
            })
    }

    /// Tells whether the name means an image in the store.
    pub fn exists(&self, text: &str) -> Result<bool> {
        match self.locate(text) {
            Ok(_) => Ok(true),
            Err(err) if matches!(err.kind(), Kind::NotFound | Kind::Usage) => Ok(false),
            Err(err) => Err(err),
        }
    }

    pub(super) fn locate(&self, text: &str) -> Result<Found> {
        let by_id = |id| Found { id, name: None };
        if text.is_empty() {
            return Err(unknown(text));
        }
        if let Some(hex) = text.strip_prefix("sha256:") {
            return self
                .by_id_prefix(hex)?
                .map(by_id)
                .ok_or_else(|| unknown(text));
        }
        if let Ok(name) = text.parse::<Name>()
            && let Some(found) = self.by_name(&name)?
        {
            return Ok(found);
        }
        self.by_id_prefix(text)?
            .map(by_id)
            .ok_or_else(|| unknown(text))
    }

    fn by_name(&self, name: &Name) -> Result<Option<Found>> {
        if !name.is_short() {
            return self.by_reference(&name.qualify(DOCKER_HUB).pinned());
        }
        let local = self.by_reference(&name.qualify(LOCALHOST).pinned())?;
        if local.is_some() {
            return Ok(local);
        }
        let mut matches = self.ending_in(name)?;
        if matches.len() > 1 {
            matches = self.preferred(name, matches)?;
        }
        match matches.len() {
            0 => Ok(None),
            1 => self.by_reference(&matches[0]),
            _ => {
                let names: Vec<String> = matches.iter().map(Reference::to_string).collect();
                Err(Error::new(
                    Kind::Usage,
                    format!(
                        "find image \"{name}\": several names end in it: {}",
                        names.join(", ")
                    ),
                )
                .hint("give the full name"))
            }
        }
    }

    fn by_reference(&self, reference: &Reference) -> Result<Option<Found>> {
        let found = |tag: TagRecord| Found {
            id: tag.id,
            name: Some(tag.reference),
        };
        if let Some(tag) = self.load_tag(reference)? {
            return Ok(Some(found(tag)));
        }
        let Some(digest) = reference.digest() else {
            return Ok(None);
        };
        // Pulled by tag, asked for by digest: any name in that repository whose image has the digest.
        let name = reference.name();
        for tag in self.all_tags()? {
            if tag.reference.name() != name {
                continue;
            }
            let has_digest = tag.digest == *digest
                || self
                    .load_image(&tag.id)?
                    .is_some_and(|image| image.digests().any(|known| known == digest));
            if has_digest {
                return Ok(Some(Found {
                    id: tag.id,
                    name: Some(reference.clone()),
                }));
            }
        }
        Ok(None)
    }

    /// Stored names whose repository ends in the short name, by the names of the files alone.
    fn ending_in(&self, name: &Name) -> Result<Vec<Reference>> {
        let wanted = name.qualify(LOCALHOST).pinned();
        let suffix = format!("/{}", wanted.repository());
        let mut matches = Vec::new();
        for reference in self.tag_names()? {
            let repository = format!("/{}", reference.repository());
            if !repository.ends_with(&suffix) {
                continue;
            }
            match wanted.digest() {
                None if reference.tag() == wanted.tag() => matches.push(reference),
                Some(digest) => {
                    let asked = reference.at(*digest);
                    if !matches.contains(&asked) && self.by_reference(&asked)?.is_some() {
                        matches.push(asked);
                    }
                }
                None => {}
            }
        }
        matches.sort();
        Ok(matches)
    }

    /// Of several candidates the one that a pull of the same short name would fetch, if there is one.
    fn preferred(&self, name: &Name, matches: Vec<Reference>) -> Result<Vec<Reference>> {
        let registries = Registries::load(self.identity)?;
        // Names that a pull would refuse to guess can still be found by hand-written order below.
        let mut order =
            super::resolve::candidates(&registries, name).map_or(Vec::new(), |found| found.0);
        order.push(name.qualify(DOCKER_HUB));
        for candidate in order {
            let candidate = candidate.pinned();
            if matches.contains(&candidate) {
                return Ok(vec![candidate]);
            }
        }
        Ok(matches)
    }

    /// The full names in the store, from the directory alone; records are read only for names cut short.
    fn tag_names(&self) -> Result<Vec<Reference>> {
        let dir = self.store.root().join("tags");
        let tried = || format!("list \"{}\"", dir.display());
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(err) => return Err(Error::io(&err, tried())),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.tried(tried)?.file_name();
            let Some(name) = file.to_str().and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            match name.replace('+', "/").parse::<Name>() {
                Ok(name) if !name.is_short() => names.push(name.qualify(DOCKER_HUB)),
                _ => {
                    let record: Option<TagRecord> =
                        crate::state::load(&dir.join(&file)).unwrap_or_default();
                    names.extend(record.map(|tag| tag.reference));
                }
            }
        }
        for tag in self.tags_below() {
            if !names.contains(&tag.reference) {
                names.push(tag.reference);
            }
        }
        Ok(names)
    }

    fn by_id_prefix(&self, text: &str) -> Result<Option<Digest>> {
        let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.is_empty() || text.len() > 64 || !hex {
            return Ok(None);
        }
        if text.len() == 64 {
            let id = Digest::from_sha256_hex(text)?;
            let is_here = self.image_path(&id).exists() || self.image_below(&id).is_some();
            return Ok(is_here.then_some(id));
        }
        let dir = self.store.root().join("images");
        let tried = || format!("list \"{}\"", dir.display());
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(Error::io(&err, tried())),
        };
        let mut matches: Vec<Digest> = Vec::new();
        for entry in entries {
            let file = entry.tried(tried)?.file_name();
            let id = file.to_str().and_then(|name| name.strip_suffix(".json"));
            if let Some(id) = id
                && id.starts_with(text)
            {
                matches.extend(Digest::from_sha256_hex(id).ok());
            }
        }
        for image in self.images_below() {
            if image.id.hex().starts_with(text) && !matches.contains(&image.id) {
                matches.push(image.id);
            }
        }
        match matches.len() {
            0 => Ok(None),
            1 => Ok(matches.pop()),
            n => Err(Error::usage(format!(
                "find image \"{text}\": the ID is ambiguous, {n} images begin with it"
            ))
            .hint("give more digits")),
        }
    }

    /// All names of an image.
    pub(super) fn names(&self, id: &Digest) -> Result<Vec<String>> {
        let tags = self.all_tags()?;
        Ok(tags
            .into_iter()
            .filter(|tag| tag.id == *id)
            .map(|tag| tag.reference.to_string())
            .collect())
    }
}

/// Podman's words.
pub(super) fn unknown(text: &str) -> Error {
    Error::new(Kind::NotFound, format!("{text}: image not known"))
}
