//! Where tars go: into a hash, on a thread of its own, or to a file.

use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use rustix::io::Errno;

use super::tar::{BUFFER, Sink};
use crate::error::{Error, Kind, Result, Tried};
use crate::state::digest::{Algorithm, Digest, Hasher};

/// Buffers on their way to the hashing thread.
const AHEAD: usize = 4;

/// Hashes what is written while the next part is read.
pub(in crate::storage) struct Hashing {
    full: Option<SyncSender<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<Digest>>,
    digest: Option<Digest>,
}

impl Hashing {
    pub(in crate::storage) fn new() -> Self {
        let (full, todo) = sync_channel::<Vec<u8>>(AHEAD);
        let (done, empty): (Sender<Vec<u8>>, _) = channel();
        let thread = std::thread::spawn(move || {
            let mut hasher = Hasher::new(Algorithm::Sha256);
            for mut bytes in todo {
                hasher.update(&bytes);
                bytes.clear();
                let _ = done.send(bytes); // the other side may need no more buffers
            }
            hasher.finish()
        });
        Self {
            full: Some(full),
            empty,
            thread: Some(thread),
            digest: None,
        }
    }

    pub(in crate::storage) fn digest(&self) -> Result<Digest> {
        self.digest.ok_or_else(stopped)
    }
}

fn stopped() -> Error {
    Error::new(Kind::System, "hash a layer: the thread stopped")
}

impl Sink for Hashing {
    fn take(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let full = self.full.as_ref().ok_or_else(stopped)?;
        full.send(bytes).map_err(|_| stopped())?;
        Ok(self
            .empty
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(BUFFER)))
    }

    fn finish(&mut self) -> Result<()> {
        drop(self.full.take());
        let thread = self.thread.take().ok_or_else(stopped)?;
        self.digest = Some(thread.join().map_err(|_| stopped())?);
        Ok(())
    }
}

/// Writes to a file or pipe.
pub(in crate::storage) struct ToFile {
    file: OwnedFd,
}

impl ToFile {
    pub(in crate::storage) fn new(file: OwnedFd) -> Self {
        Self { file }
    }
}

impl Sink for ToFile {
    fn take(&mut self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match rustix::io::write(&self.file, rest) {
                Err(Errno::INTR) => {}
                done => rest = &rest[done.tried(|| "write the archive")?..],
            }
        }
        bytes.clear();
        Ok(bytes)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}
