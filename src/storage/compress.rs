//! Compresses a stream on all cores, in constant memory; and undoes it.
//!
//! The stream is cut into blocks that are compressed apart and written in order. Gzip: one member, whose blocks end on
//! a byte (a sync flush) and know the 32 KiB before them as dictionary, so that little is lost by the cuts (RFC 1951,
//! RFC 1952). Zstd: one frame a block, as frames may follow each other (RFC 8878, 3). The result depends on the input
//! and the level alone, not on how many threads there were.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use flate2::{Compress, Crc, FlushCompress, Status};

/// How a layer travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    Gzip,
    Zstd,
}

/// What deflate can look back.
const WINDOW: usize = 32 * 1024;
/// More threads than this only wait for the reader.
const MOST_THREADS: usize = 8;

impl Compression {
    /// Level where none is asked for, as Podman documents it.
    pub fn default_level(self) -> i32 {
        match self {
            Self::Gzip => 5,
            Self::Zstd => 3,
        }
    }

    /// Levels that can be asked for.
    pub fn levels(self) -> std::ops::RangeInclusive<i32> {
        match self {
            Self::Gzip => 1..=9,
            Self::Zstd => 1..=20,
        }
    }

    /// As `--compression-format` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn block(self) -> usize {
        match self {
            Self::Gzip => 512 * 1024,
            Self::Zstd => 4 * 1024 * 1024,
        }
    }
}

/// Undoes gzip or zstd; what is neither is passed on.
///
/// From the first bytes, not from a media type: that may be wrong, and the unpacker goes by the bytes too.
pub fn inflate<'a>(mut from: impl BufRead + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    Ok(match from.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(from)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Box::new(zstd::stream::read::Decoder::with_buffer(from)?)
        }
        _ => Box::new(from),
    })
}

struct Job {
    block: Vec<u8>,
    /// Gzip: what came before the block.
    before: Vec<u8>,
    last: bool,
    answer: SyncSender<io::Result<Done>>,
}

struct Done {
    bytes: Vec<u8>,
    crc: Crc,
}

/// Reads `from` to its end and writes it compressed to `to`; returns how many bytes were read.
///
/// Starts threads, which are gone when it returns.
pub fn compress(
    from: &mut dyn Read,
    to: &mut dyn Write,
    how: Compression,
    level: Option<i32>,
) -> io::Result<u64> {
    let level = level.unwrap_or(how.default_level());
    let threads = thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS));
    let (jobs, queue) = channel::<Job>();
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&queue, how, level));
        }
        cut(from, to, how, threads + 1, jobs)
        // `jobs` is dropped in there: the threads end.
    })
}

fn cut(
    from: &mut dyn Read,
    to: &mut dyn Write,
    how: Compression,
    in_flight: usize,
    jobs: Sender<Job>,
) -> io::Result<u64> {
    if how == Compression::Gzip {
        // No name, no time, an unknown system: the same layer always gives the same bytes.
        to.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])?;
    }
    let mut answers: VecDeque<Receiver<io::Result<Done>>> = VecDeque::new();
    let mut crc = Crc::new();
    let mut collect = |answer: Receiver<io::Result<Done>>| {
        let done = answer
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("a compressing thread ended")))?;
        crc.combine(&done.crc);
        to.write_all(&done.bytes)
    };
    let mut total = 0_u64;
    let mut before = Vec::new();
    loop {
        let mut block = Vec::with_capacity(how.block());
        let got = from.take(how.block() as u64).read_to_end(&mut block)?;
        let last = got < how.block();
        total += got as u64;
        if got == 0 && how == Compression::Zstd && total > 0 {
            break;
        }
        let (answer, wait) = sync_channel(1);
        let tail = match how {
            Compression::Gzip => block[got.saturating_sub(WINDOW)..].to_vec(),
            Compression::Zstd => Vec::new(),
        };
        let job = Job {
            block,
            before: std::mem::replace(&mut before, tail),
            last,
            answer,
        };
        // Cannot fail while this function holds the other end's threads alive; the answer tells otherwise.
        let _ = jobs.send(job);
        answers.push_back(wait);
        if answers.len() > in_flight
            && let Some(answer) = answers.pop_front()
        {
            collect(answer)?;
        }
        if last {
            break;
        }
    }
    for answer in answers {
        collect(answer)?;
    }
    if how == Compression::Gzip {
        to.write_all(&crc.sum().to_le_bytes())?;
        to.write_all(&(total as u32).to_le_bytes())?; // modulo 2^32, as RFC 1952 has it
    }
    Ok(total)
}

/// One compressing thread.
fn work(queue: &Mutex<Receiver<Job>>, how: Compression, level: i32) {
    let mut zstd = None;
    loop {
        let job = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return, // another thread panicked: its answer never comes, and the reader stops
        };
        let Ok(job) = job else { return };
        let done = match how {
            Compression::Gzip => deflate(&job, level),
            Compression::Zstd => frame(&job, &mut zstd, level),
        };
        let _ = job.answer.send(done); // the reader has given up
    }
}

fn deflate(job: &Job, level: i32) -> io::Result<Done> {
    let level = flate2::Compression::new(level.clamp(0, 9) as u32);
    // A new one each time: after a reset zlib-rs still finds matches by what it saw before, and the bytes would
    // depend on which thread got which block.
    let mut deflate = Compress::new(level, false);
    if !job.before.is_empty() {
        deflate
            .set_dictionary(&job.before)
            .map_err(io::Error::other)?;
    }
    let flush = match job.last {
        true => FlushCompress::Finish,
        false => FlushCompress::Sync,
    };
    let mut bytes = Vec::with_capacity(job.block.len() / 2 + 1024);
    let mut from = 0;
    loop {
        let before = deflate.total_in();
        let status = deflate
            .compress_vec(&job.block[from..], &mut bytes, flush)
            .map_err(io::Error::other)?;
        from += (deflate.total_in() - before) as usize;
        let room_left = bytes.len() < bytes.capacity();
        match status {
            Status::StreamEnd => break,
            _ if !job.last && from == job.block.len() && room_left => break,
            _ => bytes.reserve(bytes.len().max(1024) / 2),
        }
    }
    let mut crc = Crc::new();
    crc.update(&job.block);
    Ok(Done { bytes, crc })
}

fn frame(
    job: &Job,
    kept: &mut Option<zstd::bulk::Compressor<'static>>,
    level: i32,
) -> io::Result<Done> {
    let zstd = match kept {
        Some(zstd) => zstd,
        None => {
            let mut made = zstd::bulk::Compressor::new(level)?;
            made.include_checksum(true)?;
            kept.insert(made)
        }
    };
    Ok(Done {
        bytes: zstd.compress(&job.block)?,
        crc: Crc::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that neither repeat nor resist.
    fn content(len: usize) -> Vec<u8> {
        let mut state = 1_u32;
        (0..len)
            .map(|at| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                match at / 1000 % 3 {
                    0 => (state >> 24) as u8,
                    1 => b'a' + (state >> 30) as u8,
                    _ => 0,
                }
            })
            .collect()
    }

    #[test]
    fn what_was_compressed_is_read_back() {
        let lengths = [0, 1, 1000, 512 * 1024 - 1, 512 * 1024, 3_000_000, 9_000_000];
        for how in [Compression::Gzip, Compression::Zstd] {
            for len in lengths {
                let plain = content(len);
                let mut packed = Vec::new();
                let read = compress(&mut plain.as_slice(), &mut packed, how, None).unwrap();
                assert_eq!(read, len as u64);
                let mut back = Vec::new();
                match how {
                    // One member: what reads no more than the first gets all.
                    Compression::Gzip => flate2::read::GzDecoder::new(packed.as_slice())
                        .read_to_end(&mut back)
                        .unwrap(),
                    Compression::Zstd => zstd::stream::read::Decoder::new(packed.as_slice())
                        .unwrap()
                        .read_to_end(&mut back)
                        .unwrap(),
                };
                assert!(back == plain, "{how:?} {len}");
                let mut again = Vec::new();
                compress(&mut plain.as_slice(), &mut again, how, None).unwrap();
                assert!(again == packed, "{how:?} {len} is not the same twice");
            }
        }
    }

    #[test]
    fn cuts_cost_little() {
        let plain = content(4_000_000);
        let mut packed = Vec::new();
        compress(&mut plain.as_slice(), &mut packed, Compression::Gzip, None).unwrap();
        let mut whole = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
        whole.write_all(&plain).unwrap();
        let whole = whole.finish().unwrap();
        assert!(packed.len() < whole.len() * 101 / 100);
    }

    #[test]
    fn a_failing_reader_ends_it() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let plain = content(2_000_000);
        let mut from = plain.as_slice().chain(Broken);
        let failed = compress(&mut from, &mut Vec::new(), Compression::Gzip, None);
        assert_eq!(failed.unwrap_err().to_string(), "broken");
    }
}
