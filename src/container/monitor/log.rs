//! Runs in: monitor. The k8s-file log: one line of the container is one line of the file.
//!
//!     2026-11-21T01:41:02.631261702+00:00 stdout F text      a whole line
//!     2026-11-21T01:41:02.631261702+00:00 stdout P text      the beginning of one; the rest follows
//!
//! A file that reaches its size is renamed to `<name>.1` (replacing the one before) and a new one is begun, so a
//! reader that follows sees either the old file's end or the new file's beginning, never a gap.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::container::clock;
use crate::error::{Result, Tried};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Name of the file that holds what was rotated away.
pub fn rotated(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

/// Cuts output into log lines. Pure: appends to a buffer.
#[derive(Debug, Default)]
pub struct Lines {
    /// Offset of local time, seconds.
    pub offset: i32,
}

impl Lines {
    /// Appends `data` as log lines to `out`; a last line without newline is marked `P`.
    pub fn format(&self, stream: Stream, data: &[u8], now: SystemTime, out: &mut Vec<u8>) {
        let mut head = clock::log_time(now, self.offset).into_bytes();
        head.push(b' ');
        head.extend_from_slice(stream.word().as_bytes());
        head.push(b' ');
        for piece in data.split_inclusive(|&b| b == b'\n') {
            out.extend_from_slice(&head);
            match piece.split_last() {
                Some((b'\n', line)) => {
                    out.extend_from_slice(b"F ");
                    out.extend_from_slice(line);
                }
                _ => {
                    out.extend_from_slice(b"P ");
                    out.extend_from_slice(piece);
                }
            }
            out.push(b'\n');
        }
    }
}

/// The open log file of one container.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
    size: u64,
    max_size: Option<u64>,
    lines: Lines,
    buffer: Vec<u8>,
}

/// A formatted piece is written when it reaches this size, so short lines do not blow up the monitor's memory.
const FLUSH: usize = 64 * 1024;
/// Bytes of output formatted at once: 1-byte lines grow to about fifty bytes each.
const PIECE: usize = 4 * 1024;

impl LogFile {
    /// Opens (creates, mode 0600) the log to append to it.
    pub fn open(path: &Path, max_size: Option<u64>) -> Result<Self> {
        let file = open(path).tried(|| format!("open log file {path:?}"))?;
        let size = file
            .metadata()
            .tried(|| format!("stat log file {path:?}"))?
            .len();
        Ok(Self {
            file,
            path: path.to_path_buf(),
            size,
            max_size,
            lines: Lines {
                offset: clock::local_offset(),
            },
            buffer: Vec::new(),
        })
    }

    /// Number of the descriptor.
    pub fn number(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Logs what the container wrote. A full disk costs log lines, never the container.
    pub fn write(&mut self, stream: Stream, data: &[u8]) {
        let now = SystemTime::now();
        let mut rest = data;
        while !rest.is_empty() {
            // Cut behind a line where there is one, else inside a long one: it is partial then, and goes on.
            let piece = &rest[..rest.len().min(PIECE)];
            let len = piece
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or(piece.len(), |at| at + 1);
            self.lines
                .format(stream, &rest[..len], now, &mut self.buffer);
            rest = &rest[len..];
            if self.buffer.len() >= FLUSH {
                self.flush();
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        let limit = self.max_size.unwrap_or(u64::MAX);
        if self.size > 0 && self.size + self.buffer.len() as u64 > limit {
            self.rotate();
        }
        // A failing write is passed over: there is nobody to tell, and the container must go on.
        if self.file.write_all(&self.buffer).is_ok() {
            self.size += self.buffer.len() as u64;
        }
        self.buffer.clear();
        if self.buffer.capacity() > 2 * FLUSH {
            self.buffer.shrink_to(FLUSH);
        }
    }

    fn rotate(&mut self) {
        if std::fs::rename(&self.path, rotated(&self.path)).is_ok()
            && let Ok(file) = open(&self.path)
        {
            self.file = file;
            self.size = 0;
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn format(data: &[u8]) -> String {
        let mut out = Vec::new();
        Lines { offset: 0 }.format(
            Stream::Stderr,
            data,
            UNIX_EPOCH + Duration::from_secs(1),
            &mut out,
        );
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn whole_and_partial_lines() {
        const HEAD: &str = "1970-01-01T00:00:01.000000000+00:00 stderr";
        assert_eq!(format(b""), "");
        assert_eq!(format(b"a\n"), format!("{HEAD} F a\n"));
        assert_eq!(format(b"\n"), format!("{HEAD} F \n"));
        assert_eq!(format(b"a\nb"), format!("{HEAD} F a\n{HEAD} P b\n"));
    }

    #[test]
    fn rotation_keeps_one_file_and_never_cuts_a_line() {
        let dir = std::env::temp_dir().join(format!("pod-log-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("make directory");
        let path = dir.join("ctr.log");
        let mut log = LogFile::open(&path, Some(200)).expect("open log");
        for n in 0..10 {
            log.write(Stream::Stdout, format!("line {n}\n").as_bytes());
        }
        let new = std::fs::read_to_string(&path).expect("read log");
        let old = std::fs::read_to_string(rotated(&path)).expect("read rotated log");
        assert!(
            new.ends_with("line 9\n") && new.len() <= 200 && old.len() <= 200,
            "{old}{new}"
        );
        let numbers: Vec<&str> = old
            .lines()
            .chain(new.lines())
            .filter_map(|l| l.rsplit(' ').next())
            .collect();
        assert!(
            numbers.len() >= 4 && numbers.windows(2).all(|w| w[0] < w[1]),
            "{numbers:?}"
        );
        std::fs::remove_dir_all(&dir).expect("remove directory");
    }
}
