//! Writing an archive of files, member after member.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::target::Target;
use crate::error::{Error, Kind, Result, Tried};
use crate::storage::Store;
use crate::storage::pack::header::{BLOCK, Header, end};

/// Copied at once.
const STEP: usize = 1 << 20;
/// Buffers on their way from the reading to the writing side.
const IN_FLIGHT: usize = 4;
/// The largest size in a plain header.
const OCTAL_MAX: u64 = 0o77_777_777_777;

/// A tar of regular files, all owned by root and of 1970, as `podman save` writes it.
#[derive(Debug)]
pub struct ArchiveWriter {
    target: Target,
    position: u64,
    store: Store,
}

impl ArchiveWriter {
    pub fn new(target: Target, store: &Store) -> Self {
        Self {
            target,
            position: 0,
            store: store.clone(),
        }
    }

    pub fn directory(&mut self, name: &str) -> Result<()> {
        self.header(name, b'5', 0o755, 0)
    }

    /// Adds a small file.
    pub fn document(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.file(name, Some(content.len() as u64), &mut &*content)
    }

    /// Adds a file. Without its size the target must be one that can be sought in, or the content is kept for a
    /// while.
    pub fn file(&mut self, name: &str, size: Option<u64>, content: &mut dyn Read) -> Result<()> {
        match size {
            Some(size) => {
                self.header(name, b'0', 0o444, size)?;
                let written = self.content(name, content)?;
                if written != size {
                    let text =
                        format!("write \"{name}\": it has {written} bytes instead of {size}");
                    return Err(Error::new(Kind::Corrupt, text));
                }
                Ok(())
            }
            None if self.target.can_seek() => {
                let at = self.position;
                self.header(name, b'0', 0o444, 0)?;
                let size = self.content(name, content)?;
                let header = sized(name, size);
                self.target
                    .file()
                    .write_all_at(&header, at)
                    .tried(|| format!("write \"{name}\""))
            }
            None => {
                let kept = self.store.keep(content)?;
                self.file(name, Some(kept.size), &mut kept.reader())
            }
        }
    }

    /// Ends the archive, which now appears.
    pub fn finish(mut self) -> Result<()> {
        let mut last = Vec::new();
        end(&mut last);
        self.write("the end", &last)?;
        self.target.appear()
    }

    fn header(&mut self, name: &str, kind: u8, mode: u32, size: u64) -> Result<()> {
        let mut bytes = Vec::with_capacity(BLOCK);
        header(name, kind, mode, size).write(&mut bytes);
        self.write(name, &bytes)
    }

    fn content(&mut self, name: &str, content: &mut dyn Read) -> Result<u64> {
        let written = pump(content, self.target.file()).tried(|| format!("write \"{name}\""))?;
        self.position += written;
        let padding = written.next_multiple_of(BLOCK as u64) - written;
        self.write(name, &vec![0; usize::try_from(padding).unwrap_or_default()])?;
        Ok(written)
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.position += bytes.len() as u64;
        self.target
            .file()
            .write_all(bytes)
            .tried(|| format!("write \"{name}\""))
    }
}

fn header(name: &str, kind: u8, mode: u32, size: u64) -> Header<'_> {
    Header {
        path: name.as_bytes(),
        kind,
        link: b"",
        mode,
        uid: 0,
        gid: 0,
        size,
        mtime: (0, 0),
        device: (0, 0),
        xattrs: &[],
    }
}

/// The one block of a file whose size is known afterwards; beyond 8 GiB in GNU's way, as there is no room for more.
fn sized(name: &str, size: u64) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK);
    header(name, b'0', 0o444, size.min(OCTAL_MAX)).write(&mut block);
    if size > OCTAL_MAX {
        block[124..136].fill(0);
        block[124] = 0x80;
        block[128..136].copy_from_slice(&size.to_be_bytes());
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}

/// Copies all of `from`, reading (and whatever that means: inflating, hashing) while it writes. Returns the bytes.
pub fn pump(from: &mut dyn Read, to: &File) -> io::Result<u64> {
    let mut first = vec![0; STEP];
    let got = fill(from, &mut first)?;
    if got < STEP {
        let mut to = to;
        to.write_all(&first[..got])?;
        return Ok(got as u64);
    }
    let (full, todo) = sync_channel::<(Vec<u8>, usize)>(IN_FLIGHT);
    let (done, used) = sync_channel::<Vec<u8>>(IN_FLIGHT + 2);
    thread::scope(|scope| {
        let writer = scope.spawn(move || -> io::Result<()> {
            let mut to = to;
            for (buffer, len) in todo {
                to.write_all(&buffer[..len])?;
                let _ = done.try_send(buffer); // the other side needs no more
            }
            Ok(())
        });
        let mut written = 0;
        let (mut buffer, mut len) = (first, got);
        let read = loop {
            written += len as u64;
            if full.send((buffer, len)).is_err() {
                break Ok(()); // the writer has the failure
            }
            buffer = used.try_recv().unwrap_or_else(|_| vec![0; STEP]);
            match fill(from, &mut buffer) {
                Ok(0) => break Ok(()),
                Ok(got) => len = got,
                Err(err) => break Err(err),
            }
        };
        drop(full);
        let wrote = writer
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writing thread panicked")));
        wrote?;
        read.map(|()| written)
    })
}

/// Reads until the buffer is full or the end.
fn fill(from: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < buffer.len() {
        match from.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(got) => len += got,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_beyond_eight_gib_fit_into_one_header() {
        for size in [0, 1, OCTAL_MAX, OCTAL_MAX + 1, 1 << 40] {
            let block = sized("x", size);
            assert_eq!(block.len(), BLOCK);
            let header: &[u8; 512] = block.as_slice().try_into().unwrap();
            let header = tar_core::Header::from_bytes(header);
            assert_eq!(header.entry_size().unwrap(), size);
            header.verify_checksum().unwrap();
        }
    }

    #[test]
    fn a_pump_moves_everything() {
        let dir = crate::state::tests::TestDir::new();
        for len in [0, 1, STEP - 1, STEP, STEP + 1, 5 * STEP + 7] {
            let content: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
            let path = dir.join("x");
            let file = File::create(&path).unwrap();
            assert_eq!(pump(&mut content.as_slice(), &file).unwrap(), len as u64);
            assert!(std::fs::read(&path).unwrap() == content, "{len}");
        }
    }
}
