//! What a whole archive may be compressed with: told by its first bytes, never by its name.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::error::{Result, Tried};

/// Read at once.
const READ: usize = 256 * 1024;
/// What one xz stream may make us keep: `xz -9` needs 65 MiB, an honest image nothing beyond.
const XZ_MEMORY_KIB: u32 = 96 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Compression {
    /// From the first six bytes.
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd, // a skippable frame comes first
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// Bytes that were read from the compressed side so far.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted {
    file: File,
    counter: Counter,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        self.counter.0.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

/// The content of a file or pipe, decompressed, and how much of the compressed side was read.
pub fn decoder(file: File) -> Result<(Box<dyn Read + Send>, Counter)> {
    let counter = Counter::default();
    let counted = Counted {
        file,
        counter: counter.clone(),
    };
    // A pipe may hand out its first bytes one by one.
    let mut head = Vec::with_capacity(6);
    let mut counted = counted;
    let tried = || "read the archive";
    (&mut counted).take(6).read_to_end(&mut head).tried(tried)?;
    let compression = Compression::sniff(&head);
    let input = BufReader::with_capacity(READ, io::Cursor::new(head).chain(counted));
    Ok((open(compression, input).tried(tried)?, counter))
}

/// The bytes of a layer in a file or pipe: as they are, unless they are compressed as no layer may be. Tells whether
/// they are a plain tar.
pub fn layer_bytes(file: File) -> Result<(Box<dyn Read + Send>, bool)> {
    let mut head = Vec::with_capacity(6);
    let tried = || "read the archive";
    (&file).take(6).read_to_end(&mut head).tried(tried)?;
    let compression = Compression::sniff(&head);
    let input = io::Cursor::new(head).chain(file);
    Ok(match compression {
        Compression::None => (Box::new(input), true),
        Compression::Gzip | Compression::Zstd => (Box::new(input), false),
        Compression::Xz | Compression::Bzip2 => {
            let input = BufReader::with_capacity(READ, input);
            (open(compression, input).tried(tried)?, true)
        }
    })
}

fn open(
    compression: Compression,
    input: impl BufRead + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    Ok(match compression {
        Compression::None => Box::new(input),
        Compression::Gzip => Box::new(MultiGzDecoder::new(input)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
        Compression::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(
            input,
            true,
            XZ_MEMORY_KIB,
        )),
        Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
    })
}
