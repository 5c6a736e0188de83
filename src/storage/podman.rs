//! Podman's own store, read only (containers/storage, drivers overlay and vfs).
//!
//!     <root>/<driver>-images/images.json        id, names, top layer of every image
//!     <root>/<driver>-images/<id>/<key>         its config (`sha256:<id>`) and manifests; odd keys as `=` and base64
//!     <root>/<driver>-layers/layers.json        id, parent, digest of every layer
//!     <root>/<driver>-layers/<id>.tar-split.gz  all of the layer's tar but the files' content
//!     <root>/overlay/<id>/diff                  the layer in overlay's form, owned by this user's subordinate ids
//!     <root>/overlay/.has-mount-program         `true`: layers are in fuse-overlayfs' form, which the kernel cannot mount
//!     <root>/vfs/dir/<id>                       with the driver vfs, the layer with all below it
//!
//! Podman replaces both JSON files by rename, so they are read without its locks.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::below::read_small;
use super::blobs::MAX_DOCUMENT;
use super::{ChainId, DiffId, Digest};
use crate::error::{Error, Kind, Result};
use crate::state::Lock;

/// Largest `images.json` or `layers.json` that is read.
const MAX_INDEX: u64 = 64 * 1024 * 1024;

/// Longest chain of layers: an image has at most 127, and a loop has no end.
const MAX_CHAIN: usize = 1024;

/// A store of Podman's.
#[derive(Debug)]
pub struct PodmanStore {
    root: PathBuf,
    driver: &'static str,
    index: OnceLock<Result<Index>>,
}

#[derive(Debug)]
struct Index {
    images: Vec<PodmanImage>,
    layers: HashMap<ChainId, PodmanLayer>,
    documents: HashMap<Digest, PathBuf>,
    fuse: bool,
}

/// An image as Podman's `images.json` has it.
#[derive(Debug, Clone, Deserialize)]
pub struct PodmanImage {
    /// 64 hex digits, sha256 of the config (but for images older than that).
    pub id: String,
    #[serde(default)]
    pub names: Option<Vec<String>>,
    /// Digest of the manifest.
    #[serde(default)]
    pub digest: Option<String>,
    #[serde(default, rename = "big-data-digests")]
    documents: HashMap<String, String>,
}

/// A layer of Podman's.
#[derive(Debug, Clone)]
pub struct PodmanLayer {
    id: String,
    pub diff_id: DiffId,
    pub parent: Option<ChainId>,
    /// Bytes of its tar.
    pub size: u64,
    /// Its files belong to other ids than the user's default ones.
    shifted: bool,
}

#[derive(Deserialize)]
struct RawLayer {
    id: String,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default, rename = "diff-digest")]
    diff_digest: Option<String>,
    #[serde(default, rename = "diff-size")]
    diff_size: u64,
    #[serde(default)]
    uidmap: Option<Vec<serde_json::Value>>,
    #[serde(default)]
    gidmap: Option<Vec<serde_json::Value>>,
}

impl PodmanStore {
    /// The stores in `root`, one for each driver that has images there.
    pub fn all(root: &Path) -> Vec<PodmanStore> {
        ["overlay", "vfs"]
            .into_iter()
            .filter(|driver| {
                let images = root.join(format!("{driver}-images/images.json"));
                fs::symlink_metadata(images).is_ok()
            })
            .map(|driver| PodmanStore {
                root: root.to_path_buf(),
                driver,
                index: OnceLock::new(),
            })
            .collect()
    }

    pub fn driver(&self) -> &'static str {
        self.driver
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// All its images.
    pub fn images(&self) -> Result<&[PodmanImage]> {
        Ok(&self.index()?.images)
    }

    pub fn layer(&self, id: &ChainId) -> Option<&PodmanLayer> {
        self.index().ok()?.layers.get(id)
    }

    /// The directory of a layer, where the kernel's overlay can use it as it is.
    pub(super) fn mountable(&self, id: &ChainId) -> Option<PathBuf> {
        let index = self.index().ok()?;
        let layer = index.layers.get(id)?;
        let fits = self.driver == "overlay" && !index.fuse && !layer.shifted;
        fits.then(|| self.tree(layer))
    }

    /// Where a layer's files are.
    pub fn tree(&self, layer: &PodmanLayer) -> PathBuf {
        match self.driver {
            "overlay" => self.root.join("overlay").join(&layer.id).join("diff"),
            driver => self.root.join(driver).join("dir").join(&layer.id),
        }
    }

    /// Where the rest of its tar is.
    pub fn tar_split(&self, layer: &PodmanLayer) -> PathBuf {
        let name = format!("{}-layers/{}.tar-split.gz", self.driver, layer.id);
        self.root.join(name)
    }

    /// Reads a config or manifest, of the digest that names it.
    pub fn read_document(&self, digest: &Digest) -> Result<Vec<u8>> {
        let tried = || format!("read {digest} in Podman's store");
        let path =
            self.index()?.documents.get(digest).ok_or_else(|| {
                Error::new(Kind::NotFound, format!("{}: it is not there", tried()))
            })?;
        let bytes = read_small(path, MAX_DOCUMENT).map_err(|err| Error::io(&err, tried()))?;
        let got = digest.hasher().chain(&bytes).finish();
        match got == *digest {
            true => Ok(bytes),
            false => Err(Error::new(
                Kind::Corrupt,
                format!("{}: its content has digest {got}", tried()),
            )),
        }
    }

    /// The file of a config or manifest.
    pub(super) fn document(&self, digest: &Digest) -> Option<PathBuf> {
        self.index().ok()?.documents.get(digest).cloned()
    }

    /// Keeps Podman from removing layers as long as it is held. `None` where its lock cannot be had: then what is
    /// removed meanwhile is noticed by its digest.
    pub fn lock_layers(&self) -> Option<Lock> {
        let path = self
            .root
            .join(format!("{}-layers/layers.lock", self.driver));
        Lock::read_existing(&path).ok().flatten()
    }

    fn index(&self) -> Result<&Index> {
        let index = self.index.get_or_init(|| self.read_index());
        index.as_ref().map_err(Clone::clone)
    }

    fn read_index(&self) -> Result<Index> {
        let images: Vec<PodmanImage> =
            self.read_json(&format!("{}-images/images.json", self.driver))?;
        let layers: Vec<RawLayer> =
            match self.read_json(&format!("{}-layers/layers.json", self.driver)) {
                Err(err) if err.errno() == Some(nix::errno::Errno::ENOENT) => Vec::new(),
                layers => layers?,
            };
        // An id becomes part of a path.
        let images: Vec<PodmanImage> = images.into_iter().filter(|i| is_id(&i.id)).collect();
        let mut documents = HashMap::new();
        for image in &images {
            let dir = self
                .root
                .join(format!("{}-images/{}", self.driver, image.id));
            for (key, digest) in &image.documents {
                let known = ["sha256:", "sha512:", "manifest"];
                if let Ok(digest) = digest.parse::<Digest>()
                    && known.iter().any(|prefix| key.starts_with(prefix))
                {
                    documents
                        .entry(digest)
                        .or_insert_with(|| dir.join(file_of(key)));
                }
            }
        }
        let program = read_small(&self.root.join("overlay/.has-mount-program"), 16);
        Ok(Index {
            images,
            layers: chains(layers),
            documents,
            fuse: program.is_ok_and(|text| text == b"true"),
        })
    }

    fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.root.join(name);
        let tried = || format!("read \"{}\" of Podman's store", path.display());
        let text = read_small(&path, MAX_INDEX).map_err(|err| Error::io(&err, tried()))?;
        serde_json::from_slice(&text)
            .map_err(|err| Error::new(Kind::Corrupt, format!("{}: {err}", tried())))
    }
}

impl PodmanImage {
    /// Digests of its manifests, the one it is known by first.
    pub fn manifests(&self) -> Vec<Digest> {
        let mut keys: Vec<&String> = self
            .documents
            .keys()
            .filter(|key| key.starts_with("manifest"))
            .collect();
        keys.sort();
        let by_key = keys.into_iter().filter_map(|key| self.documents.get(key));
        let mut all: Vec<Digest> = Vec::new();
        for digest in self.digest.iter().chain(by_key) {
            if let Ok(digest) = digest.parse()
                && !all.contains(&digest)
            {
                all.push(digest);
            }
        }
        all
    }
}

/// The layers by their chain ids, which Podman does not keep: they follow from parents and digests.
fn chains(raw: Vec<RawLayer>) -> HashMap<ChainId, PodmanLayer> {
    let by_id: HashMap<&str, &RawLayer> =
        raw.iter().map(|layer| (layer.id.as_str(), layer)).collect();
    let mut known: HashMap<&str, ChainId> = HashMap::new();
    let mut broken: HashSet<&str> = HashSet::new();
    let mut layers = HashMap::new();
    for layer in &raw {
        // Down to a layer whose chain id is known, or to the lowest.
        let mut path: Vec<&RawLayer> = Vec::new();
        let mut at = Some(layer);
        let mut below = None;
        let mut whole = true;
        while let Some(layer) = at {
            if let Some(chain) = known.get(layer.id.as_str()) {
                below = Some(*chain);
                break;
            }
            whole &= !broken.contains(layer.id.as_str()) && path.len() < MAX_CHAIN;
            if !whole {
                break;
            }
            path.push(layer);
            at = match layer.parent.as_deref() {
                None | Some("") => None,
                Some(parent) => {
                    let found = by_id.get(parent).copied();
                    whole &= found.is_some();
                    found
                }
            };
        }
        while let Some(layer) = path.pop() {
            let diff_id = layer.diff_digest.as_deref().and_then(|d| d.parse().ok());
            let (true, true, Some(diff_id)) = (whole, is_id(&layer.id), diff_id) else {
                whole = false;
                broken.insert(&layer.id);
                continue;
            };
            let chain = ChainId::on(below.as_ref(), &diff_id);
            known.insert(&layer.id, chain);
            let is_empty = |map: &Option<Vec<_>>| map.as_ref().is_none_or(Vec::is_empty);
            let found = PodmanLayer {
                id: layer.id.clone(),
                diff_id,
                parent: below,
                size: layer.diff_size,
                shifted: !is_empty(&layer.uidmap) || !is_empty(&layer.gidmap),
            };
            // Of several with the same content the one whose ids are the usual ones.
            let slot = layers.entry(chain).or_insert_with(|| found.clone());
            if slot.shifted && !found.shifted {
                *slot = found;
            }
            below = Some(chain);
        }
    }
    layers
}

/// `makeBigDataBaseName` of containers/storage: plain keys as they are, others encoded.
fn file_of(key: &str) -> String {
    let is_plain = |c: u8| matches!(c, b'.' | b'0'..=b'9' | b'a'..=b'z');
    match key.bytes().all(is_plain) {
        true => key.to_owned(),
        false => format!("={}", BASE64_STANDARD.encode(key)),
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_files() {
        for (key, want) in [
            ("manifest", "manifest"),
            ("sha256:ab", "=c2hhMjU2OmFi"),
            ("../../x", "=Li4vLi4veA=="),
        ] {
            assert_eq!(file_of(key), want);
        }
    }

    #[test]
    fn chain_ids_follow_from_parents() {
        let id = |n: u8| format!("{n:064x}");
        let diff = |n: u8| Digest::sha256_of(&[n]);
        let raw = |n: u8, parent: Option<u8>, digest: bool| RawLayer {
            id: id(n),
            parent: parent.map(id),
            diff_digest: digest.then(|| diff(n).to_string()),
            diff_size: 1,
            uidmap: None,
            gidmap: None,
        };
        let found = chains(vec![
            raw(3, Some(2), true),
            raw(2, Some(1), true),
            raw(1, None, true),
            raw(4, Some(4), true), // its own parent
            raw(5, Some(9), true), // whose parent is gone
            raw(6, None, false),   // never digested
            raw(7, Some(6), true),
        ]);
        let want = ChainId::of_all(&[1, 2, 3].map(|n| DiffId::from(diff(n))));
        assert_eq!(found.len(), 3);
        for (n, chain) in want.iter().enumerate() {
            let layer = &found[chain];
            assert_eq!(layer.id, id(n as u8 + 1));
            assert_eq!(layer.parent, n.checked_sub(1).map(|below| want[below]));
        }
    }
}
