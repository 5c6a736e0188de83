//! Appending to the events' file, and its rotation.
//!
//! One `write(2)` with `O_APPEND` for each batch of lines: the kernel puts those of several writers behind each other.
//! Whoever finds the file full renames it to `<name>.1`, under a lock on the file itself, so that two who find it full
//! at once do not rename the new one too. A writer that has the old file open still writes to it, and readers read both.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::container::engine::make_dir;
use crate::state::Lock;

use super::Event;

/// The events' file, open to append to it.
#[derive(Debug)]
pub struct Appender {
    file: File,
    path: PathBuf,
    /// Half of what is kept, and the size at which the file is put aside.
    half: u64,
    /// The file is looked at before it is written to: it may be full, or have been put aside since it was opened.
    aged: bool,
}

/// Name of the file that was put aside.
pub(super) fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

impl Appender {
    pub(super) fn open(path: &Path, max_size: u64) -> Option<Self> {
        Some(Self {
            file: open(path)?,
            path: path.to_path_buf(),
            half: max_size / 2,
            aged: false,
        })
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// From now on each [`Appender::append`] looks at the file first.
    pub fn keep(&mut self) {
        self.aged = true;
    }

    /// Appends `events`, each one line.
    pub fn append(&mut self, events: &[Event]) {
        let mut text = Vec::with_capacity(512 * events.len());
        for event in events {
            if serde_json::to_writer(&mut text, event).is_ok() {
                text.push(b'\n');
            }
        }
        if text.is_empty() {
            return;
        }
        if self.aged {
            self.renew();
        }
        // A write that was cut short (a full disk) leaves a torn line: the next begins on its own.
        match self.file.write(&text) {
            Ok(n) if n < text.len() => drop(self.file.write(b"\n")),
            _ => {}
        }
    }

    /// Puts a full file aside, and opens the new one if ours is gone.
    fn renew(&mut self) {
        let Ok(meta) = self.file.metadata() else {
            return;
        };
        if meta.nlink() > 0 && meta.size() >= self.half {
            self.put_aside(meta.ino());
        } else if meta.nlink() > 0 {
            return;
        }
        if let Some(file) = open(&self.path) {
            self.file = file;
        }
    }

    fn put_aside(&self, ino: u64) {
        let Ok(Ok(Ok(_lock))) = self.file.try_clone().map(Lock::try_on) else {
            return; // somebody else does it
        };
        if fs::metadata(&self.path).is_ok_and(|now| now.ino() == ino) {
            let _ = fs::rename(&self.path, aside(&self.path)); // tried again with the next event
        }
    }
}

fn open(path: &Path) -> Option<File> {
    let mut options = OpenOptions::new();
    options
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW);
    match options.open(path) {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            make_dir(path.parent()?).ok()?;
            options.open(path).ok()
        }
        opened => opened.ok(),
    }
}
