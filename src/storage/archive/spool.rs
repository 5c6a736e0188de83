//! A file without a name in `staging`: keeps what came through a pipe until it is needed.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use nix::sys::statvfs::fstatvfs;

use super::Part;
use crate::error::{Error, Kind, Result, Tried};
use crate::storage::Store;
use crate::storage::staging::unique_name;
use crate::storage::unpack::Limits;

/// Written at once.
pub(super) const STEP: u64 = 256 * 1024;
/// Bytes written between two looks at the free space.
const LOOK_AFTER: u64 = 64 << 20;

pub(super) struct Spool {
    file: File,
    len: u64,
    unchecked: u64,
    limits: Limits,
    store: Store,
}

impl Store {
    /// Makes a file that nobody can open again and that vanishes when it is closed.
    pub(super) fn spool(&self) -> Result<Spool> {
        let file = self.in_staging(
            || "make a temporary file in the store",
            |staging| {
                let mut options = OpenOptions::new();
                options.read(true).write(true).mode(0o600);
                match options.clone().custom_flags(libc::O_TMPFILE).open(staging) {
                    Ok(file) => Ok(file),
                    // A file system without O_TMPFILE: NFS, FUSE.
                    Err(err) if err.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                        let path = staging.join(format!("{}.tmp", unique_name()));
                        let file = options.create_new(true).open(&path)?;
                        std::fs::remove_file(&path)?;
                        Ok(file)
                    }
                    Err(err) => Err(err),
                }
            },
        )?;
        self.tidy_staging();
        Ok(Spool {
            file,
            len: 0,
            unchecked: LOOK_AFTER,
            limits: Limits::from_env(),
            store: self.clone(),
        })
    }
}

impl Store {
    /// Keeps all of a stream, to read it later.
    pub(super) fn keep(&self, stream: &mut dyn Read) -> Result<Part> {
        let mut spool = self.spool()?;
        let mut buffer = vec![0; STEP as usize];
        loop {
            match stream
                .read(&mut buffer)
                .tried(|| "keep a file for a while")?
            {
                0 => break,
                got => spool.append(&buffer[..got], u64::MAX)?,
            }
        }
        Ok(Part {
            offset: 0,
            size: spool.len,
            file: Arc::new(spool.file),
        })
    }
}

impl Spool {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes; `compressed` is what they were made from so far.
    pub(super) fn append(&mut self, bytes: &[u8], compressed: u64) -> Result<()> {
        self.limits.check_ratio(compressed, self.len)?;
        self.unchecked += bytes.len() as u64;
        if self.unchecked >= LOOK_AFTER {
            self.unchecked = 0;
            self.check_space()?;
        }
        self.file
            .write_all(bytes)
            .map_err(|err| self.store.explain_full(&err, "keep the archive"))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }

    fn check_space(&self) -> Result<()> {
        let found = fstatvfs(&self.file).tried(|| "look at the free space")?;
        let free = found.blocks_available() * found.fragment_size();
        if free < LOOK_AFTER + self.limits.reserve {
            let text = format!("keep the archive: only {} MiB are left", free >> 20);
            return Err(Error::new(Kind::NoSpace, text)
                .hint("remove images with \"pod rmi\", or use another --root"));
        }
        Ok(())
    }
}
