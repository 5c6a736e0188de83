//! How the process that fetches a blob tells the one that unpacks it how far the file is valid.
//!
//! A pipe carries 8-byte little-endian messages: the number of valid bytes so far, with the top bit set once the
//! blob is complete *and its digest was checked*. End-of-file without that is a failure of the fetching side, so a
//! killed fetcher ends the unpacker too.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::StopWatch;
use crate::error::{Error, Kind, Result, Tried};

const COMPLETE: u64 = 1 << 63;

/// The fetching end.
#[derive(Debug)]
pub struct FeedWriter {
    pipe: PipeWriter,
}

/// The unpacking end.
#[derive(Debug)]
pub struct FeedReader {
    pipe: PipeReader,
    valid: u64,
    complete: bool,
    /// The writer's descriptor, which a forked worker inherits and must close to ever see end-of-file.
    writer: RawFd,
    made_by: u32,
}

/// Makes both ends of a feed.
pub fn feed() -> Result<(FeedWriter, FeedReader)> {
    let (reader, writer) = std::io::pipe().tried(|| "make a pipe for an unpacker")?;
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).tried(|| "set up the unpacker's pipe")?;
    let raw = writer.as_raw_fd();
    let reader = FeedReader {
        pipe: reader,
        valid: 0,
        complete: false,
        writer: raw,
        made_by: std::process::id(),
    };
    Ok((FeedWriter { pipe: writer }, reader))
}

impl FeedWriter {
    /// Says that the first `bytes` bytes of the file are there. Never blocks: a full pipe drops the message, and a
    /// later one says more.
    pub fn valid(&mut self, bytes: u64) -> Result<()> {
        match self.pipe.write_all(&bytes.to_le_bytes()) {
            Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            done => done.tried(|| "feed the unpacker"),
        }
    }

    /// Says that the file has all its `bytes` bytes and the right digest. May wait for the unpacker to read.
    pub fn complete(mut self, bytes: u64) -> Result<()> {
        fcntl(&self.pipe, FcntlArg::F_SETFL(OFlag::empty())).tried(|| "feed the unpacker")?;
        self.pipe
            .write_all(&(bytes | COMPLETE).to_le_bytes())
            .tried(|| "feed the unpacker")
    }

    /// Says that the blob will not come: what was unpacked of it is worthless. Dropping the feed says the same.
    pub fn failed(self) {}
}

impl FeedReader {
    /// A feed for a blob that is in the store already.
    pub fn of_complete(bytes: u64) -> Result<FeedReader> {
        let (writer, reader) = feed()?;
        writer.complete(bytes)?;
        Ok(reader)
    }

    /// Called in a forked worker: closes the inherited copy of the writer, which would hide the end of the file.
    pub(super) fn after_fork(&mut self) {
        if self.made_by == std::process::id() {
            return;
        }
        self.made_by = std::process::id();
        // The writer may have been closed before the fork and its number reused. Both ends of a pipe are one inode.
        if inode(self.writer) == inode(self.pipe.as_raw_fd()) {
            let _ = nix::unistd::close(self.writer); // it is a pipe: nothing is lost by closing
        }
    }

    pub(super) fn valid(&self) -> u64 {
        self.valid
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Waits until more than `known` bytes are valid, or the blob is complete. `BrokenPipe` when it will never be,
    /// or when another layer has failed.
    pub(super) fn wait_beyond(&mut self, known: u64, watch: &StopWatch) -> std::io::Result<()> {
        let mut buffer = [0; 512];
        while self.valid <= known && !self.complete {
            watch.wait_for(self.pipe.as_fd())?;
            let got = self.pipe.read(&mut buffer)?;
            if got == 0 {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            // Writes of 8 bytes are atomic and this reads multiples of 8, so no message is ever split.
            for message in buffer[..got].chunks_exact(8) {
                let number = u64::from_le_bytes(message.try_into().unwrap_or_default());
                self.complete |= number & COMPLETE != 0;
                self.valid = self.valid.max(number & !COMPLETE);
            }
        }
        Ok(())
    }

    /// Waits for the word that the blob is complete and was checked.
    pub(super) fn wait_complete(&mut self, watch: &StopWatch) -> Result<()> {
        while !self.complete {
            self.wait_beyond(u64::MAX, watch).map_err(|_| gave_up())?;
        }
        Ok(())
    }
}

fn inode(fd: RawFd) -> Option<(u64, u64)> {
    let found = std::fs::metadata(format!("/proc/self/fd/{fd}")).ok()?;
    Some((found.dev(), found.ino()))
}

/// The failure of an unpacker whose fetcher gave up or died; the fetcher knows the cause.
pub(super) fn gave_up() -> Error {
    Error::new(Kind::System, "unpack a layer: its download did not finish")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_tells_how_far_the_file_is_valid() {
        let (mut writer, mut reader) = feed().unwrap();
        let (_stop, watch) = super::super::stop().unwrap();
        writer.valid(10).unwrap();
        writer.valid(30).unwrap();
        reader.wait_beyond(0, &watch).unwrap();
        assert!(reader.valid() >= 10);
        writer.complete(40).unwrap();
        reader.wait_complete(&watch).unwrap();
        assert_eq!((reader.valid(), reader.is_complete()), (40, true));
    }

    #[test]
    fn a_feed_that_ends_early_is_a_failure() {
        let (mut writer, mut reader) = feed().unwrap();
        let (_stop, watch) = super::super::stop().unwrap();
        writer.valid(10).unwrap();
        writer.failed();
        reader.wait_beyond(0, &watch).unwrap();
        assert!(reader.wait_beyond(10, &watch).is_err());
        assert!(reader.wait_complete(&watch).is_err());
    }

    #[test]
    fn a_full_pipe_does_not_block_the_fetcher() {
        let (mut writer, mut reader) = feed().unwrap();
        let (_stop, watch) = super::super::stop().unwrap();
        for n in 0..100_000 {
            writer.valid(n).unwrap();
        }
        let finisher = std::thread::spawn(move || writer.complete(100_000).unwrap());
        reader.wait_complete(&watch).unwrap();
        finisher.join().unwrap();
        assert_eq!(reader.valid(), 100_000);
    }
}
