//! Blobs: exact bytes under their digest, and the resumable files in which they arrive.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::staging::{Stage, Waiter, io_error, unique_name};
use super::{Digest, Store, WriteLock};
use crate::error::{Error, Kind, Result, Tried};
use crate::state::Lock;
use crate::state::digest::{Algorithm, Hasher};

/// Largest manifest or config that is read into memory.
pub const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;

impl Store {
    /// Where the blob is, or will be once it is published.
    pub fn path_of_blob(&self, digest: &Digest) -> PathBuf {
        let mut path = self.root.join("blobs");
        path.push(digest.algorithm().name());
        path.push(digest.hex());
        path
    }

    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.has_own_blob(digest) || self.open_blob_below(digest).is_some()
    }

    /// As [`Store::has_blob`], without the stores below.
    pub fn has_own_blob(&self, digest: &Digest) -> bool {
        fs::symlink_metadata(self.path_of_blob(digest)).is_ok_and(|found| found.is_file())
    }

    /// Size of a stored blob in bytes; `None` when it is not stored.
    pub fn blob_size(&self, digest: &Digest) -> Option<u64> {
        match fs::symlink_metadata(self.path_of_blob(digest)) {
            Ok(found) => found.is_file().then_some(found.len()),
            Err(_) => Some(self.open_blob_below(digest)?.metadata().ok()?.len()),
        }
    }

    /// Opens a stored blob for reading.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(self.path_of_blob(digest));
        match opened {
            Ok(file) => Ok(file),
            Err(err) if err.kind() == ErrorKind::NotFound => {
                self.open_blob_below(digest).ok_or_else(|| {
                    Error::new(Kind::NotFound, format!("blob {digest} is not in the store"))
                })
            }
            Err(err) => Err(Error::io(&err, format!("open blob {digest}"))),
        }
    }

    /// Reads a manifest or config whole: at most 4 MiB, and of the digest (and size, where known) it is named by.
    pub fn read_blob(&self, digest: &Digest, size: Option<u64>) -> Result<Vec<u8>> {
        let tried = || format!("read blob {digest}");
        let file = self.open_blob(digest)?;
        let found = file.metadata().tried(tried)?.len();
        if size.is_some_and(|want| want != found) {
            let want = size.unwrap_or_default();
            let text = format!("{}: it has {found} bytes instead of {want}", tried());
            return Err(Error::new(Kind::Corrupt, text));
        }
        let mut content = Vec::with_capacity(found.min(MAX_DOCUMENT) as usize);
        let mut limited = file.take(MAX_DOCUMENT + 1);
        limited.read_to_end(&mut content).tried(tried)?;
        if content.len() as u64 > MAX_DOCUMENT {
            let text = format!("{}: larger than {MAX_DOCUMENT} bytes", tried());
            return Err(Error::new(Kind::Corrupt, text));
        }
        let got = digest.hasher().chain(&content).finish();
        if got != *digest {
            let text = format!("{}: its content has digest {got}", tried());
            return Err(Error::new(Kind::Corrupt, text)
                .hint("remove the image and pull it again: the file was damaged"));
        }
        Ok(content)
    }

    /// Stores a small document (manifest, config) whose bytes are at hand, unless it is there already.
    ///
    /// Content and name are flushed, so a record may refer to it at once.
    pub fn put_blob(&self, _lock: &WriteLock, digest: &Digest, content: &[u8]) -> Result<()> {
        if self.has_own_blob(digest) {
            return Ok(());
        }
        let got = digest.hasher().chain(content).finish();
        if got != *digest {
            let text = format!("store blob {digest}: content has digest {got}");
            return Err(Error::new(Kind::Corrupt, text));
        }
        let tried = || format!("store blob {digest}");
        let path = self.path_of_blob(digest);
        self.in_staging(tried, |staging| {
            let part = staging.join(format!("{}.tmp", part_name(digest)));
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(&part)?;
            let done = file
                .write_all(content)
                .and_then(|()| file.sync_data())
                .and_then(|()| rename_into(&part, &path))
                .and_then(|()| File::open(path.parent().unwrap_or(&self.root))?.sync_all());
            if done.is_err() {
                let _ = fs::remove_file(&part); // the failure itself is reported
            }
            done
        })?;
        self.tidy_staging();
        Ok(())
    }

    /// Starts or resumes the arrival of a blob; waits while another process fetches it.
    ///
    /// Never call this while holding other staged items that are not published: two processes would wait for
    /// each other. [`Store::try_stage_blob`] is for that.
    pub fn stage_blob(&self, want: &Digest, size: Option<u64>) -> Result<Stage<StagedBlob>> {
        loop {
            match self.try_stage_blob(want, size)? {
                Stage::Busy(waiter) => waiter.wait()?,
                other => return Ok(other),
            }
        }
    }

    /// As [`Store::stage_blob`], but answers [`Stage::Busy`] instead of waiting.
    ///
    /// `size` is what the descriptor promises: a leftover longer than that is thrown away.
    pub fn try_stage_blob(&self, want: &Digest, size: Option<u64>) -> Result<Stage<StagedBlob>> {
        let tried = || format!("stage blob {want}");
        loop {
            if self.has_blob(want) {
                return Ok(Stage::Present);
            }
            let (file, path) = self.in_staging(tried, |staging| {
                let path = staging.join(format!("{}.part", part_name(want)));
                let file = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .mode(0o600)
                    .custom_flags(libc::O_NOFOLLOW)
                    .open(&path)?;
                Ok((file, path))
            })?;
            let lock = match Lock::try_on(file).tried(tried)? {
                Ok(lock) => lock,
                Err(_) => return Ok(Stage::Busy(Waiter::new(path))),
            };
            // The holder before us may have renamed this very file into place, or removed it.
            if !is_still_at(lock.file(), &path) {
                continue;
            }
            return StagedBlob::resume(self, *want, lock, path, size).map(Stage::Ours);
        }
    }
}

fn part_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().name(), digest.hex())
}

fn is_still_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    ours.ino() == named.ino() && ours.dev() == named.dev()
}

/// Renames, making the directory of a rarer algorithm first if it is missing.
pub(super) fn rename_into(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::rename(from, to) {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            if let Some(parent) = to.parent() {
                super::make_private(parent)?;
            }
            fs::rename(from, to)
        }
        done => done,
    }
}

/// A blob on its way into the store. Dropping it keeps what has arrived, for a later resume.
#[derive(Debug)]
pub struct StagedBlob {
    want: Digest,
    lock: Lock,
    path: PathBuf,
    store: Store,
    len: u64,
    hash: Hasher,
}

impl StagedBlob {
    fn resume(
        store: &Store,
        want: Digest,
        lock: Lock,
        path: PathBuf,
        size: Option<u64>,
    ) -> Result<Self> {
        let mut staged = Self {
            want,
            lock,
            path,
            store: store.clone(),
            len: 0,
            hash: want.hasher(),
        };
        let tried = || format!("resume blob {want}");
        let found = staged.lock.file().metadata().tried(tried)?.len();
        if size.is_some_and(|size| found > size) {
            staged.restart()?;
            return Ok(staged);
        }
        // The state of the hash is not kept: reading the file again runs at more than 1 GB/s.
        let mut buffer = vec![0; 256 * 1024];
        let mut file = staged.lock.file();
        while staged.len < found {
            let got = file.read(&mut buffer).tried(tried)?;
            if got == 0 {
                break;
            }
            staged.hash.update(&buffer[..got]);
            staged.len += got as u64;
        }
        Ok(staged)
    }

    pub fn digest(&self) -> &Digest {
        &self.want
    }

    /// Bytes that have arrived: where a resumed download goes on.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds what arrived next.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut file = self.lock.file();
        file.write_all(bytes).map_err(|err| {
            self.store
                .explain_full(&err, format!("write blob {}", self.want))
        })?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Forgets what has arrived: the server cannot resume, or the content was wrong.
    pub fn restart(&mut self) -> Result<()> {
        use std::io::Seek;
        let tried = || format!("empty the partial blob {}", self.want);
        let mut file = self.lock.file();
        file.set_len(0).tried(tried)?;
        file.rewind().tried(tried)?;
        self.len = 0;
        self.hash = self.want.hasher();
        Ok(())
    }

    /// A second descriptor with its own position, for whoever unpacks while the file grows.
    pub fn reader(&self) -> Result<File> {
        File::open(&self.path).tried(|| format!("open the partial blob {}", self.want))
    }

    /// Checks size and digest. Content that is wrong is removed at once.
    pub fn finish(self, size: Option<u64>) -> Result<ReadyBlob> {
        let got = self.hash.clone().finish();
        let wrong = if size.is_some_and(|want| want != self.len) {
            let want = size.unwrap_or_default();
            Some(format!("it has {} bytes instead of {want}", self.len))
        } else if got != self.want {
            Some(format!("content has digest {got}"))
        } else {
            None
        };
        match wrong {
            None => Ok(ReadyBlob {
                want: self.want,
                size: self.len,
                path: self.path,
                _lock: self.lock,
            }),
            Some(wrong) => {
                let err = Error::new(Kind::Corrupt, format!("store blob {}: {wrong}", self.want));
                self.discard();
                Err(err)
            }
        }
    }

    /// Removes what has arrived.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path); // a leftover is swept later
        drop(self.lock);
        self.store.tidy_staging();
    }
}

/// A blob whose digest shows when it is whole. Dropping it removes what there is of it.
#[derive(Debug)]
pub struct NewBlob {
    store: Store,
    path: PathBuf,
    /// `None`: it goes on as a [`ReadyBlob`].
    lock: Option<Lock>,
    len: u64,
    hash: Option<Hasher>,
}

impl Store {
    /// Begins a blob that nobody named yet. `hashed`: its digest is computed on the way, else somebody tells it.
    pub fn stage_new_blob(&self, hashed: bool) -> Result<NewBlob> {
        let (path, lock) = self.in_staging(
            || "stage a new blob",
            |staging| {
                let path = staging.join(format!("{}.tmp", unique_name()));
                let lock = Lock::exclusive(&path).map_err(io_error)?;
                Ok((path, lock))
            },
        )?;
        Ok(NewBlob {
            store: self.clone(),
            path,
            lock: Some(lock),
            len: 0,
            hash: hashed.then(|| Hasher::new(Algorithm::Sha256)),
        })
    }
}

impl NewBlob {
    /// Adds bytes, and says how many there are now.
    pub fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        if let Some(lock) = &self.lock {
            let mut file = lock.file();
            file.write_all(bytes)
                .map_err(|err| self.store.explain_full(&err, "write a blob"))?;
        }
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        }
        self.len += bytes.len() as u64;
        Ok(self.len)
    }

    /// A second descriptor with its own position, for whoever unpacks while the file grows.
    pub fn reader(&self) -> Result<File> {
        File::open(&self.path).tried(|| "open a new blob")
    }

    /// The blob with its name: the digest that was computed, else `told`. `None`: the store has it already.
    pub fn named(mut self, told: &Digest) -> Result<(Digest, Option<ReadyBlob>)> {
        let want = self.hash.take().map_or(*told, Hasher::finish);
        if self.store.has_own_blob(&want) {
            return Ok((want, None));
        }
        let lock = self
            .lock
            .take()
            .ok_or_else(|| Error::new(Kind::System, "name a blob: it was named before"))?;
        let ready = ReadyBlob {
            want,
            size: self.len,
            path: std::mem::take(&mut self.path),
            _lock: lock,
        };
        Ok((want, Some(ready)))
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if self.lock.is_some() {
            let _ = fs::remove_file(&self.path); // a leftover is swept later
            self.store.tidy_staging();
        }
    }
}

/// A blob whose content was checked and that only lacks its name. Dropping it keeps the file for a later resume.
#[derive(Debug)]
pub struct ReadyBlob {
    pub(super) want: Digest,
    pub(super) size: u64,
    pub(super) path: PathBuf,
    /// Held until the rename is done, so that nobody else fetches the same blob.
    _lock: Lock,
}

impl ReadyBlob {
    pub fn digest(&self) -> &Digest {
        &self.want
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Removes it.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path); // a leftover is swept later
    }
}
