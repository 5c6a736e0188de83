//! Images from Podman's own store: `containers-storage:` and `system import-podman`. That store is only read.
//!
//! Podman does not keep the blobs that it pulled, only what they unpacked to and what the tars had besides: a layer
//! comes as the plain tar of its diff id, exact to the byte, and the image with a manifest that says so. Its config,
//! and so its id, is the same.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::archive::docker_manifest;
use super::reference::{DOCKER_HUB, LOCALHOST, Name, Reference};
use super::source::{BlobJob, ImageSource, Incoming, Layer};
use super::{BlobKind, Event, Image, Images, PlatformRequest, Progress, PullOptions, Wanted};
use crate::config::policy::Place;
use crate::config::storage::Storage;
use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::dirs;
use crate::storage::{ChainId, Digest, LayerDigest, PodmanImage, PodmanStore, tar_split};
use crate::userns::map::IdMaps;

/// Docker's word for a layer that is not compressed.
const PLAIN_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";

/// One image in Podman's store.
struct PodmanSource<'a> {
    store: &'a PodmanStore,
    chain: Vec<ChainId>,
    maps: IdMaps,
    place: String,
}

/// An image that came from Podman.
#[derive(Debug)]
pub struct Imported {
    pub image: Image,
    pub names: Vec<String>,
}

impl Images<'_> {
    /// Where Podman keeps its store for this user: what storage.conf says, else the usual place.
    pub fn podman_root(&self) -> Result<PathBuf> {
        match Storage::load(self.identity)?.podman {
            Some(root) => Ok(root),
            None => Ok(dirs::data_home(self.identity)?.join("containers/storage")),
        }
    }

    /// `pull containers-storage:[[DRIVER@]GRAPHROOT[+RUNROOT]]IMAGE`
    pub(super) fn pull_podman(
        &self,
        text: &str,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let shown = format!("containers-storage:{text}");
        self.check_policy(
            &Place::whole("containers-storage", text),
            options.signature_policy.as_deref(),
        )?;
        let mut pull = || {
            let (driver, root, name) = parse(text)?;
            let root = match root {
                Some(root) => root,
                None => self.podman_root()?,
            };
            let stores = open(&root, driver.as_deref())?;
            let mut found = None;
            for store in &stores {
                if let Some((image, name)) = find(store, &name)? {
                    found = Some((store, image, name));
                    break;
                }
            }
            let (store, image, name) = found.ok_or_else(|| {
                let text = format!("{name}: image not known in \"{}\"", root.display());
                Error::new(Kind::NotFound, text)
            })?;
            let names: Vec<Reference> = name.into_iter().collect();
            progress.event(&Event::Trying { from: &shown });
            self.take_podman(store, image, &names, &options.platform, progress)
        };
        pull().map_err(|err| err.context(format!("pull {shown}")))
    }

    /// Takes in images of Podman's store with all their names; all images where none are named.
    ///
    /// `each` gets what came of every one of them.
    pub fn import_podman(
        &self,
        root: &Path,
        wanted: &[String],
        progress: &mut dyn Progress,
        each: &mut dyn FnMut(Result<Imported>) -> Result<()>,
    ) -> Result<()> {
        self.check_policy(&Place::whole("containers-storage", ""), None)?;
        let stores = open(root, None)?;
        let mut targets: Vec<(&PodmanStore, &PodmanImage)> = Vec::new();
        for name in wanted {
            let mut found = None;
            for store in &stores {
                found = found.or(find(store, name)?.map(|(image, _)| (store, image)));
            }
            match found {
                Some(target) => targets.push(target),
                None => each(Err(Error::new(
                    Kind::NotFound,
                    format!("{name}: image not known in \"{}\"", root.display()),
                )))?,
            }
        }
        if wanted.is_empty() {
            for store in &stores {
                targets.extend(store.images()?.iter().map(|image| (store, image)));
            }
        }
        for (store, image) in targets {
            let names: Vec<Reference> =
                references(image).filter(|n| n.digest().is_none()).collect();
            let taken =
                self.take_podman(store, image, &names, &PlatformRequest::default(), progress);
            each(
                taken
                    .map(|image| Imported {
                        image,
                        names: names.iter().map(Reference::to_string).collect(),
                    })
                    .map_err(|err| err.context(format!("import image {}", shown(image)))),
            )?;
        }
        Ok(())
    }

    /// Brings one image of Podman's store into ours.
    pub(super) fn take_podman(
        &self,
        store: &PodmanStore,
        image: &PodmanImage,
        names: &[Reference],
        platform: &PlatformRequest,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let _lock = store.lock_layers();
        let (source, incoming) = self.podman_source(store, image)?;
        let wanted = Wanted { names, platform };
        self.take_in(&source, &incoming, &wanted, progress)
    }

    fn podman_source<'s>(
        &self,
        store: &'s PodmanStore,
        image: &PodmanImage,
    ) -> Result<(PodmanSource<'s>, Incoming)> {
        let id = Digest::from_sha256_hex(&image.id)?;
        let config = store.read_document(&id)?;
        let chain = super::below::chain_of_config(&config)?;
        let layers = chain
            .iter()
            .map(|layer| {
                let found = store.layer(layer).ok_or_else(|| {
                    let text = format!("layer {layer} is not in Podman's store");
                    Error::new(Kind::Corrupt, text)
                })?;
                Ok(Layer {
                    digest: LayerDigest::from(*found.diff_id.digest()),
                    media_type: PLAIN_LAYER.to_owned(),
                    size: found.size,
                })
            })
            .collect::<Result<Vec<Layer>>>()?;
        let incoming = Incoming {
            index: None,
            manifest: docker_manifest(&id, config.len(), &layers),
            config,
            config_digest: id,
            layers,
        };
        let source = PodmanSource {
            store,
            chain,
            maps: self.maps()?,
            place: format!("containers-storage:[{}]", store.root().display()),
        };
        Ok((source, incoming))
    }
}

impl ImageSource for PodmanSource<'_> {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn fetch_blobs(&self, jobs: Vec<BlobJob<'_>>, progress: &mut dyn Progress) -> Result<()> {
        let mut buffer = vec![0; 1 << 20];
        for mut job in jobs {
            let digest = *job.layer.digest.digest();
            let layer = self
                .chain
                .iter()
                .filter_map(|chain| self.store.layer(chain))
                .find(|layer| *layer.diff_id.digest() == digest)
                .ok_or_else(|| Error::new(Kind::Corrupt, format!("layer {digest} vanished")))?;
            progress.event(&Event::BlobStarted {
                digest: &digest,
                kind: BlobKind::Layer,
                size: job.layer.size,
                have: job.sink.have(),
            });
            let (mut pipe, writer) = std::io::pipe().tried(|| "make a pipe for a layer")?;
            let worker = tar_split::rebuild(
                &self.maps,
                self.store.tree(layer),
                self.store.tar_split(layer),
                writer.into(),
            )?;
            let mut skip = job.sink.have();
            loop {
                let got = pipe.read(&mut buffer).tried(|| "read a layer")?;
                if got == 0 {
                    break;
                }
                // What an earlier try left is there already.
                let known = usize::try_from(skip).unwrap_or(usize::MAX).min(got);
                skip -= known as u64;
                if known < got {
                    job.sink.write(&buffer[known..got])?;
                    progress.event(&Event::BlobProgress {
                        digest: &digest,
                        done: job.sink.have(),
                    });
                }
            }
            worker.finish()?;
            job.sink.finish()?;
            progress.event(&Event::BlobFetched {
                digest: &digest,
                kind: BlobKind::Layer,
            });
        }
        Ok(())
    }
}

fn open(root: &Path, driver: Option<&str>) -> Result<Vec<PodmanStore>> {
    let mut stores = PodmanStore::all(root);
    if let Some(driver) = driver {
        if !matches!(driver, "overlay" | "overlay2" | "vfs") {
            let text = format!("read Podman's store: the driver \"{driver}\" is not supported");
            return Err(Error::new(Kind::Unsupported, text));
        }
        stores.retain(|store| driver.starts_with(store.driver()));
    }
    match stores.is_empty() {
        true => Err(Error::new(
            Kind::NotFound,
            format!("\"{}\" has no images of Podman's", root.display()),
        )),
        false => Ok(stores),
    }
}

/// `[DRIVER@ROOT+RUN:OPTIONS]NAME`: driver, root and name.
fn parse(text: &str) -> Result<(Option<String>, Option<PathBuf>, String)> {
    let Some(rest) = text.strip_prefix('[') else {
        return Ok((None, None, named(text)?));
    };
    let (store, name) = rest
        .split_once(']')
        .ok_or_else(|| Error::usage("the store's specification has no \"]\""))?;
    let (driver, places) = match store.split_once('@') {
        Some((driver, places)) => (Some(driver.to_owned()), places),
        None => (None, store),
    };
    let root = places.split(['+', ':']).next().unwrap_or_default();
    if !Path::new(root).is_absolute() {
        let text = format!("the path \"{root}\" of the store is not absolute");
        return Err(Error::usage(text));
    }
    let driver = driver.filter(|driver| !driver.is_empty());
    Ok((driver, Some(root.into()), named(name)?))
}

fn named(name: &str) -> Result<String> {
    match name.is_empty() {
        true => Err(Error::usage("the image's name is missing")),
        false => Ok(name.to_owned()),
    }
}

/// By full name, by the name Podman gives to what is local, by a name that ends so, or by id (`@ID` too).
fn find<'s>(
    store: &'s PodmanStore,
    text: &str,
) -> Result<Option<(&'s PodmanImage, Option<Reference>)>> {
    let images = store.images()?;
    if let Ok(name) = text.parse::<Name>() {
        let mut candidates = vec![name.qualify(DOCKER_HUB).pinned()];
        if name.is_short() {
            candidates.insert(0, name.qualify(LOCALHOST).pinned());
        }
        for candidate in candidates {
            let has = |image: &&PodmanImage| references(image).any(|name| name == candidate);
            if let Some(image) = images.iter().find(has) {
                return Ok(Some((image, Some(candidate))));
            }
        }
        if name.is_short() {
            let wanted = name.qualify(LOCALHOST).pinned();
            let end = wanted.to_string();
            let end = end.strip_prefix(LOCALHOST).unwrap_or(&end); // with the slash
            let ends = |name: &Reference| name.to_string().ends_with(end);
            let mut matches = images
                .iter()
                .filter_map(|image| Some((image, references(image).find(ends)?)));
            match (matches.next(), matches.next()) {
                (Some((image, name)), None) => return Ok(Some((image, Some(name)))),
                (Some((_, one)), Some((_, other))) => {
                    let text = format!("find image \"{text}\": {one} and {other} end in it");
                    return Err(Error::usage(text).hint("give the full name"));
                }
                _ => {}
            }
        }
    }
    let id = text.strip_prefix('@').unwrap_or(text);
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    let mut matches = images.iter().filter(|image| image.id.starts_with(id));
    match (matches.next(), matches.next()) {
        (Some(image), None) if id.len() >= 3 => Ok(Some((image, None))),
        _ => Ok(None),
    }
}

fn references(image: &PodmanImage) -> impl Iterator<Item = Reference> {
    image
        .names
        .iter()
        .flatten()
        .filter_map(|name| name.parse().ok())
}

fn shown(image: &PodmanImage) -> String {
    match image.names.iter().flatten().next() {
        Some(name) => format!("{name} of Podman's store"),
        None => format!("{} of Podman's store", &image.id[..12]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_may_be_named() {
        let some = |text: &str| Some(text.to_owned());
        let root = |text: &str| Some(PathBuf::from(text));
        for (text, want) in [
            ("x:1", (None, None, "x:1".to_owned())),
            ("[/a]x", (None, root("/a"), "x".into())),
            ("[vfs@/a+/b]x", (some("vfs"), root("/a"), "x".into())),
            (
                "[overlay@/a+/b:o=1]@ab",
                (some("overlay"), root("/a"), "@ab".into()),
            ),
        ] {
            assert_eq!(parse(text).unwrap(), want, "{text}");
        }
        for bad in ["", "[/a", "[/a]", "[a]x", "[overlay@]x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
