//! From compressed blob to chunks of tar: one thread a layer reads the growing file, inflates and hashes.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use flate2::bufread::MultiGzDecoder;

use super::feed::FeedReader;
use super::{Limits, StopWatch};
use crate::error::{Error, Kind, Result};
use crate::state::digest::{Algorithm, DiffId, Hasher};

/// Bytes of tar handed over at once: large against the cost of a hand-over, small against the cache.
const CHUNK: usize = 256 * 1024;
/// Room before the data of a chunk, where the reader puts the rest of the one before to keep headers in one piece.
pub(super) const HEADROOM: usize = 8 * 1024;
/// Chunks on their way between the two threads.
const IN_FLIGHT: usize = 4;
/// Bytes read from the blob at once.
const READ: usize = 128 * 1024;

/// Part of the tar: `buffer[start..end]`.
pub(super) struct Chunk {
    pub buffer: Vec<u8>,
    pub start: usize,
    pub end: usize,
}

/// The extracting thread's end.
pub(in crate::storage) struct Chunks {
    full: Receiver<Chunk>,
    used: SyncSender<Vec<u8>>,
}

impl Chunks {
    /// The next chunk; `None` at the end, which may be an early one: the other thread knows.
    pub(super) fn next(&mut self) -> Option<Chunk> {
        self.full.recv().ok()
    }

    /// Gives a buffer back to be filled again.
    pub(super) fn reuse(&mut self, buffer: Vec<u8>) {
        let _ = self.used.try_send(buffer); // the other thread has ended, or has enough
    }
}

/// The inflating thread's end.
pub(super) struct ChunkSink {
    full: SyncSender<Chunk>,
    used: Receiver<Vec<u8>>,
}

pub(super) fn chunks() -> (ChunkSink, Chunks) {
    let (send_full, full) = sync_channel(IN_FLIGHT);
    let (used, get_used) = sync_channel(IN_FLIGHT + 2);
    let sink = ChunkSink {
        full: send_full,
        used: get_used,
    };
    (sink, Chunks { full, used })
}

/// Inflates the whole blob into `sink` and tells the digest and the size of the tar; then waits for the word that its digest was right and compares the hash of
/// the tar. An extractor that has given up ends it early, with nothing: the extractor has the failure.
pub(super) fn inflate(
    blob: File,
    feed: FeedReader,
    want: Option<DiffId>,
    limits: &Limits,
    watch: &StopWatch,
    sink: ChunkSink,
) -> Result<Option<(DiffId, u64)>> {
    let mut blob = BlobReader::new(blob, feed, watch);
    let format = Format::sniff(blob.peek(6).map_err(|err| failed(&err))?)?;
    let mut decoder = match format {
        Format::Plain => Decoder::Plain(blob),
        Format::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(blob))),
        Format::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(blob);
            Decoder::Zstd(decoder.map_err(|err| failed(&err))?)
        }
    };
    let algorithm = want.map_or(Algorithm::Sha256, |want| want.digest().algorithm());
    let mut hash = Hasher::new(algorithm);
    let mut produced = 0_u64;
    loop {
        let mut buffer = sink.used.try_recv().unwrap_or_default();
        buffer.resize(HEADROOM + CHUNK, 0);
        let mut end = HEADROOM;
        while end < buffer.len() {
            match decoder.read(&mut buffer[end..]) {
                Ok(0) => break,
                Ok(got) => end += got,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(failed(&err)),
            }
        }
        if end == HEADROOM {
            break;
        }
        hash.update(&buffer[HEADROOM..end]);
        produced += (end - HEADROOM) as u64;
        limits.check_ratio(decoder.blob().position, produced)?;
        let start = HEADROOM;
        if sink.full.send(Chunk { buffer, start, end }).is_err() {
            return Ok(None);
        }
    }
    decoder.into_blob().feed.wait_complete(watch)?;
    let got = DiffId::from(hash.finish());
    match want {
        Some(want) if got != want => {
            let text = format!("the unpacked content has digest {got} instead of {want}");
            Err(Error::new(Kind::Corrupt, text))
        }
        _ => Ok(Some((got, produced))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Plain,
    Gzip,
    Zstd,
}

impl Format {
    /// From the first bytes: what a media type says is not always so, and Podman goes by the bytes too.
    fn sniff(head: &[u8]) -> Result<Self> {
        let unknown = |name| {
            let text = format!("layers compressed with {name} are not supported");
            Err(Error::new(Kind::Unsupported, text))
        };
        match head {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Self::Zstd),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd), // a skippable frame comes first
            [b'B', b'Z', b'h', ..] => unknown("bzip2"),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => unknown("xz"),
            _ => Ok(Self::Plain),
        }
    }
}

enum Decoder<'a> {
    Plain(BlobReader<'a>),
    Gzip(Box<MultiGzDecoder<BlobReader<'a>>>),
    Zstd(zstd::stream::read::Decoder<'static, BlobReader<'a>>),
}

impl<'a> Decoder<'a> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(blob) => blob.read(buffer),
            Decoder::Gzip(gzip) => gzip.read(buffer),
            Decoder::Zstd(zstd) => zstd.read(buffer),
        }
    }

    fn blob(&self) -> &BlobReader<'a> {
        match self {
            Decoder::Plain(blob) => blob,
            Decoder::Gzip(gzip) => gzip.get_ref(),
            Decoder::Zstd(zstd) => zstd.get_ref(),
        }
    }

    fn into_blob(self) -> BlobReader<'a> {
        match self {
            Decoder::Plain(blob) => blob,
            Decoder::Gzip(gzip) => gzip.into_inner(),
            Decoder::Zstd(zstd) => zstd.finish(),
        }
    }
}

/// Reads the blob as far as it is valid, and waits for more.
struct BlobReader<'a> {
    file: File,
    feed: FeedReader,
    watch: &'a StopWatch,
    /// Bytes read from the file.
    position: u64,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<'a> BlobReader<'a> {
    fn new(file: File, feed: FeedReader, watch: &'a StopWatch) -> Self {
        Self {
            file,
            feed,
            watch,
            position: 0,
            buffer: vec![0; READ].into_boxed_slice(),
            start: 0,
            end: 0,
        }
    }

    /// The first bytes, `want` of them unless the blob is shorter. Only before anything was read.
    fn peek(&mut self, want: usize) -> io::Result<&[u8]> {
        while self.end < want && self.more()? > 0 {}
        Ok(&self.buffer[..self.end.min(want)])
    }

    /// Reads on behind what is buffered; 0 at the end of the blob.
    fn more(&mut self) -> io::Result<usize> {
        if self.position == self.feed.valid() && !self.feed.is_complete() {
            self.feed.wait_beyond(self.position, self.watch)?;
        }
        let valid = self.feed.valid() - self.position.min(self.feed.valid());
        let room = &mut self.buffer[self.end..];
        let want = room.len().min(usize::try_from(valid).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        let got = self.file.read_at(&mut room[..want], self.position)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += got as u64;
        self.end += got;
        Ok(got)
    }
}

impl BufRead for BlobReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, amount: usize) {
        self.start += amount;
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let got = from.len().min(into.len());
        into[..got].copy_from_slice(&from[..got]);
        self.consume(got);
        Ok(got)
    }
}

fn failed(err: &io::Error) -> Error {
    match err.kind() {
        io::ErrorKind::BrokenPipe => super::feed::gave_up(),
        io::ErrorKind::UnexpectedEof => Error::new(
            Kind::Corrupt,
            "the compressed data ends in the middle".to_string(),
        ),
        _ if err.raw_os_error().is_some() => Error::io(err, "read the blob"),
        _ => Error::new(
            Kind::Corrupt,
            format!("the compressed data is damaged: {err}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_compression() {
        let cases: [(&[u8], Option<Format>); 8] = [
            (b"\x1f\x8b\x08\0\0\0", Some(Format::Gzip)),
            (b"\x28\xb5\x2f\xfd\0\0", Some(Format::Zstd)),
            (b"\x50\x2a\x4d\x18\0\0", Some(Format::Zstd)),
            (b"./\0\0\0\0", Some(Format::Plain)),
            (b"\0\0\0\0\0\0", Some(Format::Plain)),
            (b"", Some(Format::Plain)),
            (b"BZh91A", None),
            (b"\xfd7zXZ\0", None),
        ];
        for (head, want) in cases {
            assert_eq!(Format::sniff(head).ok(), want, "{head:?}");
        }
    }
}
