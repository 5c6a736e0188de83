//! Read-only stores below ours: another `pod`'s, or Podman's own (`podman`). Nothing here writes, locks or repairs.
//!
//! A layer serves as it is, without a copy, where its files belong to us: then this user made it, with this user's
//! subordinate ids. Files of another user and of that user's ids are nobody's in our user namespace: the kernel
//! refuses to copy them up (`EOVERFLOW`), so a container could not write into any of their directories. Such a layer
//! is therefore not "here" for [`Store::has_layer`], but its blob is, which is unpacked, and thereby verified,
//! without a download.
//!
//! What another user owns may change or lie at any time: documents are checked against their digests at every read,
//! files are opened without following links and read up to a limit.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::podman::PodmanStore;
use super::{ChainId, Digest, LayerMeta, Store, VERSION};
use crate::error::{Error, Kind, Result, Tried};

/// Largest record that is read from a store of somebody else.
const MAX_RECORD: u64 = 4 * 1024 * 1024;

/// Most records that are read from one.
const MAX_RECORDS: usize = 100_000;

/// One store below ours.
#[derive(Debug)]
pub struct Below {
    root: PathBuf,
    form: Form,
    /// Blobs that turned out to be something else.
    distrusted: Mutex<HashSet<Digest>>,
}

#[derive(Debug)]
enum Form {
    Pod,
    Podman(PodmanStore),
}

impl Below {
    /// The stores in a directory that the configuration names: its own files, Podman's, or `DIR/pod` where
    /// `graphroot = DIR` put ours. `Err` says why there is none.
    fn find(dir: &Path, own: &Path, found: &mut Vec<Arc<Below>>) -> Result<()> {
        let before = found.len();
        let tried = || format!("use the additional image store \"{}\"", dir.display());
        fs::metadata(dir).tried(tried)?;
        for root in [dir.to_path_buf(), dir.join("pod")] {
            if let Ok(version) = fs::read_link(root.join("version")) {
                let version = version.to_str().and_then(|text| text.parse::<u32>().ok());
                if version != Some(VERSION) {
                    return Err(Error::new(
                        Kind::Unsupported,
                        format!("{}: its layout version is not {VERSION}", tried()),
                    ));
                }
                if is_same(&root, own) {
                    return Ok(());
                }
                found.push(Below::new(root, Form::Pod));
            }
        }
        for podman in PodmanStore::all(dir) {
            found.push(Below::new(dir.to_path_buf(), Form::Podman(podman)));
        }
        match found.len() > before {
            true => Ok(()),
            false => Err(Error::new(
                Kind::NotFound,
                format!("{}: there is no store in it", tried()),
            )),
        }
    }

    fn new(root: PathBuf, form: Form) -> Arc<Below> {
        Arc::new(Below {
            root,
            form,
            distrusted: Mutex::default(),
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Podman's form, if it is one.
    pub fn podman(&self) -> Option<&PodmanStore> {
        match &self.form {
            Form::Pod => None,
            Form::Podman(podman) => Some(podman),
        }
    }

    /// A record of a `pod` store (`images/x.json`), whole; `None` when there is none or it is no plain small file.
    pub fn read_record(&self, name: &Path) -> Option<Vec<u8>> {
        match &self.form {
            Form::Pod => read_small(&self.root.join(name), MAX_RECORD).ok(),
            Form::Podman(_) => None,
        }
    }

    /// Names of the records in a directory of a `pod` store.
    pub fn record_names(&self, dir: &str) -> Vec<String> {
        if self.podman().is_some() {
            return Vec::new();
        }
        fs::read_dir(self.root.join(dir))
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".json") && !crate::state::is_temporary(name))
            .take(MAX_RECORDS)
            .collect()
    }

    /// A layer's tree that overlay can use as it is.
    fn tree(&self, id: &ChainId) -> Option<PathBuf> {
        match &self.form {
            Form::Pod => {
                let layers = self.root.join("layers");
                let home = layers.join(id.digest().hex());
                let tree = home.join("tree");
                let all_ours = [&layers, &home, &tree].into_iter().all(|dir| is_ours(dir));
                all_ours.then_some(tree)
            }
            Form::Podman(podman) => podman.mountable(id).filter(|tree| is_ours(tree)),
        }
    }

    fn meta(&self, id: &ChainId) -> Option<LayerMeta> {
        match &self.form {
            Form::Pod => {
                let name = format!("layers/{}/meta.json", id.digest().hex());
                serde_json::from_slice(&self.read_record(Path::new(&name))?).ok()
            }
            Form::Podman(podman) => podman.layer(id).map(|layer| LayerMeta {
                version: 1,
                diff_id: layer.diff_id,
                parent: layer.parent,
                blob: None,
                size: layer.size,
                entries: 0,
                single_id: false,
                tar: None,
                tar_size: None,
            }),
        }
    }

    fn open_blob(&self, digest: &Digest) -> Option<File> {
        if self
            .distrusted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(digest)
        {
            return None;
        }
        let path = match &self.form {
            Form::Pod => {
                let mut path = self.root.join("blobs");
                path.push(digest.algorithm().name());
                path.push(digest.hex());
                path
            }
            Form::Podman(podman) => podman.document(digest)?,
        };
        open_plain(&path).ok()
    }
}

impl Store {
    /// Puts the read-only stores in `dirs` below this one. One that is missing or no store is a problem to be told,
    /// not a failure.
    #[must_use]
    pub fn above(mut self, dirs: &[PathBuf]) -> Store {
        for dir in dirs {
            if let Err(err) = Below::find(dir, &self.root, &mut self.below) {
                self.note(format!("{err}, ignoring it"));
            }
        }
        self
    }

    /// The read-only stores below this one, in the order in which they are asked.
    pub fn below(&self) -> &[Arc<Below>] {
        &self.below
    }

    /// Keeps a message about a store below for whoever talks to the user.
    pub fn note(&self, text: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&text) {
            notes.push(text);
        }
    }

    /// Takes the messages that were kept.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A store below said it had this blob, and it was something else: it is not asked for it again.
    pub fn distrust(&self, digest: &Digest) {
        for below in &self.below {
            if below.open_blob(digest).is_some() {
                self.note(format!(
                    "blob {digest} of the additional image store \"{}\" is damaged, ignoring it",
                    below.root.display()
                ));
                let mut all = below
                    .distrusted
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                all.insert(*digest);
            }
        }
    }

    pub(super) fn tree_below(&self, id: &ChainId) -> Option<PathBuf> {
        self.below.iter().find_map(|below| below.tree(id))
    }

    pub(super) fn meta_below(&self, id: &ChainId) -> Option<LayerMeta> {
        let from = self.below.iter().find(|below| below.tree(id).is_some())?;
        from.meta(id)
    }

    pub(super) fn open_blob_below(&self, digest: &Digest) -> Option<File> {
        self.below.iter().find_map(|below| below.open_blob(digest))
    }
}

/// A directory, no link, that belongs to us.
fn is_ours(path: &Path) -> bool {
    let me = nix::unistd::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == me)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

/// Opens a regular file of somebody else's: no link is followed, and a pipe does not make us wait.
pub(super) fn open_plain(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Reads such a file whole, up to `limit` bytes.
pub(super) fn read_small(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_plain(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}
