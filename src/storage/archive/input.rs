//! An archive as the tar reader wants it: from a file, where contents are skipped without reading, or from a stream.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use crate::error::{Error, Kind, Result};
use crate::storage::unpack::tar::Input;

/// Read at once where only headers are wanted.
const HEADERS: usize = 4 * 1024;
/// Read at once where everything is.
const STREAM: usize = 256 * 1024;

enum From {
    /// The file, its length, and where to read next.
    File(File, u64, u64),
    Stream(Box<dyn Read + Send>),
}

pub(in crate::storage) struct ByteInput {
    from: From,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of the window's beginning.
    position: u64,
    failure: Option<io::Error>,
}

impl ByteInput {
    pub(super) fn of_file(file: File, len: u64) -> Self {
        Self::new(From::File(file, len, 0), HEADERS)
    }

    pub(in crate::storage) fn of_stream(stream: Box<dyn Read + Send>) -> Self {
        Self::new(From::Stream(stream), STREAM)
    }

    fn new(from: From, at_once: usize) -> Self {
        Self {
            from,
            buffer: vec![0; at_once],
            start: 0,
            end: 0,
            position: 0,
            failure: None,
        }
    }

    /// Bytes from the archive's beginning to the window's.
    pub(in crate::storage) fn position(&self) -> u64 {
        self.position
    }

    /// Tells whether the file has so many more bytes.
    pub(super) fn holds(&self, bytes: u64) -> bool {
        match &self.from {
            From::File(_, len, _) => self
                .position
                .checked_add(bytes)
                .is_some_and(|end| end <= *len),
            From::Stream(_) => true,
        }
    }

    /// Why reading stopped, unless it was the archive's end.
    pub(in crate::storage) fn failure(&self) -> Result<()> {
        let Some(err) = &self.failure else {
            return Ok(());
        };
        Err(match err.kind() {
            _ if err.raw_os_error().is_some() => Error::io(err, "read the archive"),
            io::ErrorKind::UnexpectedEof => Error::new(
                Kind::Corrupt,
                "read the archive: the compressed data ends in the middle",
            ),
            _ => Error::new(
                Kind::Corrupt,
                format!("read the archive: the compressed data is damaged: {err}"),
            ),
        })
    }

    fn read(&mut self) -> io::Result<usize> {
        let room = &mut self.buffer[self.end..];
        loop {
            let got = match &mut self.from {
                From::File(file, _, at) => file.read_at(room, *at),
                From::Stream(stream) => stream.read(room),
            };
            match got {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                got => return got,
            }
        }
    }
}

impl Input for ByteInput {
    fn fill(&mut self, want: usize) -> bool {
        while self.end - self.start < want {
            if self.failure.is_some() {
                return false;
            }
            if self.start > 0 && self.buffer.len() - self.start < want.max(HEADERS) {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if self.buffer.len() < want {
                self.buffer.resize(want, 0);
            }
            if self.start == self.end {
                (self.start, self.end) = (0, 0);
            }
            match self.read() {
                Ok(0) => return false,
                Ok(got) => {
                    self.end += got;
                    if let From::File(_, _, at) = &mut self.from {
                        *at += got as u64;
                    }
                }
                Err(err) => {
                    self.failure = Some(err);
                    return false;
                }
            }
        }
        true
    }

    fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn advance(&mut self, len: usize) {
        self.start += len;
        self.position += len as u64;
    }

    fn take(&mut self, len: usize) -> &[u8] {
        let start = self.start;
        self.advance(len);
        &self.buffer[start..start + len]
    }

    fn skip(&mut self, len: u64) -> u64 {
        let here = (self.end - self.start) as u64;
        if len <= here {
            self.advance(usize::try_from(len).unwrap_or(usize::MAX));
            return 0;
        }
        match &mut self.from {
            From::File(_, end, at) => {
                let target = self.position.saturating_add(len);
                let missing = target.saturating_sub(*end);
                self.position = target - missing;
                *at = self.position;
                (self.start, self.end) = (0, 0);
                missing
            }
            From::Stream(_) => {
                let mut left = len;
                while left > 0 && self.fill(1) {
                    let window = self.end - self.start;
                    let step = window.min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.advance(step);
                    left -= step as u64;
                }
                left
            }
        }
    }
}
