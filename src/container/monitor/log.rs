//! Runs in: monitor. The k8s-file log: one line of the container is one line of the file.
//!
//!     2026-11-21T01:41:02.631261702+00:00 stdout F text      a whole line
//!     2026-11-21T01:41:02.631261702+00:00 stdout P text      the beginning of one; the rest follows
//!
//! A file that reaches its size is renamed to `<name>.1` (that to `<name>.2`, as many as are kept) and a new one is
//! begun, so a reader that follows sees either the old file's end or the new file's beginning, never a gap.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::container::clock;
use crate::error::{Result, Tried};

use super::journal::Journal;

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

/// Where a container's output is kept.
#[derive(Debug)]
pub enum Log {
    File(LogFile),
    Journal(Journal),
}

impl Log {
    pub fn write(&mut self, stream: Stream, data: &[u8]) {
        match self {
            Self::File(file) => file.write(stream, data),
            Self::Journal(journal) => journal.write(stream, data),
        }
    }

    /// Number of the descriptor.
    pub fn number(&self) -> i32 {
        match self {
            Self::File(file) => file.file.as_raw_fd(),
            Self::Journal(journal) => journal.number(),
        }
    }
}

/// Name of the file that was put aside `number` rotations ago; 0: the current one.
pub fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name.into()
}

/// What stands before each entry of one batch: `<time> stdout F `.
struct Head {
    full: Vec<u8>,
    partial: Vec<u8>,
}

impl Head {
    /// `offset` of local time, seconds.
    fn new(stream: Stream, now: SystemTime, offset: i32) -> Self {
        let of = |mark| {
            let time = clock::log_time(now, offset);
            format!("{time} {} {mark} ", stream.word()).into_bytes()
        };
        Self {
            full: of('F'),
            partial: of('P'),
        }
    }

    /// Appends the first line of `data` as one entry and returns the number of its bytes.
    fn entry(&self, data: &[u8], out: &mut Vec<u8>) -> usize {
        match memchr::memchr(b'\n', data) {
            Some(at) => {
                out.extend_from_slice(&self.full);
                out.extend_from_slice(&data[..=at]);
                at + 1
            }
            None => {
                out.extend_from_slice(&self.partial);
                out.extend_from_slice(data);
                out.push(b'\n');
                data.len()
            }
        }
    }
}

/// How large a log may become.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Bytes of one file; `None`: no limit.
    pub max_size: Option<u64>,
    /// Files, the current one among them; `None`: two.
    pub max_files: Option<u32>,
}

/// The open log file of one container.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
    size: u64,
    limits: Limits,
    /// Of local time, seconds.
    offset: i32,
    buffer: Vec<u8>,
    /// The file does not end where a line does: a write was cut short.
    torn: bool,
}

/// Entries are written together when they reach this size.
const FLUSH: usize = 64 * 1024;
/// What stays allocated between two batches.
const KEEP: usize = 8 * 1024;
/// An entry is no longer than that, so that a reader needs no more memory than it has.
const LONGEST: usize = 32 * 1024;

impl LogFile {
    /// Opens (creates, mode 0600) the log to append to it.
    pub fn open(path: &Path, limits: Limits) -> Result<Self> {
        let file = open(path).tried(|| format!("open log file {path:?}"))?;
        let size = file
            .metadata()
            .tried(|| format!("stat log file {path:?}"))?
            .len();
        Ok(Self {
            torn: size > 0 && ends_torn(path, size),
            file,
            path: path.to_path_buf(),
            size,
            limits,
            offset: clock::local_offset(),
            buffer: Vec::new(),
        })
    }

    /// Logs what the container wrote. A full disk costs log lines, never the container.
    pub fn write(&mut self, stream: Stream, data: &[u8]) {
        let head = Head::new(stream, SystemTime::now(), self.offset);
        let limit = self.limits.max_size.unwrap_or(u64::MAX);
        let batch = usize::try_from(limit).map_or(FLUSH, |limit| limit.min(FLUSH));
        let mut rest = data;
        self.buffer
            .reserve((data.len() * 2).min(batch + LONGEST + 64));
        while !rest.is_empty() {
            let before = self.buffer.len();
            let used = head.entry(&rest[..rest.len().min(LONGEST)], &mut self.buffer);
            rest = &rest[used..];
            let room = limit.saturating_sub(self.size).min(FLUSH as u64);
            if self.buffer.len() as u64 > room && before > 0 {
                self.flush(before);
            }
        }
        self.flush(self.buffer.len());
        if self.buffer.capacity() > KEEP && data.len() < KEEP / 2 {
            self.buffer = Vec::new();
        }
    }

    /// Writes the first `len` bytes of the buffer, whole entries, and keeps the rest.
    fn flush(&mut self, len: usize) {
        let limit = self.limits.max_size.unwrap_or(u64::MAX);
        if self.size > 0 && self.size + len as u64 > limit {
            self.rotate();
        }
        if std::mem::take(&mut self.torn) {
            self.torn = self.file.write(b"\n").is_err();
        }
        let mut written = 0;
        // A failing write is passed over: there is nobody to tell, and the container must go on.
        while written < len {
            match self.file.write(&self.buffer[written..len]) {
                Ok(n) if n > 0 => written += n,
                Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        self.torn |= written > 0 && written < len && self.buffer[written - 1] != b'\n';
        self.size += written as u64;
        self.buffer.drain(..len);
    }

    /// Puts the file aside. At each instant all files that are to be kept have a name.
    fn rotate(&mut self) {
        let aside = self.limits.max_files.unwrap_or(2).saturating_sub(1);
        if aside == 0 {
            let _ = std::fs::remove_file(&self.path);
        }
        for number in (0..aside).rev() {
            let from = rotated(&self.path, number);
            let _ = std::fs::rename(from, rotated(&self.path, number + 1)); // there may be none yet
        }
        if let Ok(file) = open(&self.path) {
            self.size = file.metadata().map_or(0, |meta| meta.len());
            self.file = file;
            self.torn = false;
        }
    }
}

/// What the last write of a killed monitor left, or one to a full disk.
fn ends_torn(path: &Path, size: u64) -> bool {
    let mut last = [0];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut last, size - 1))
        .is_ok_and(|()| last != *b"\n")
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
        let head = Head::new(Stream::Stderr, UNIX_EPOCH + Duration::from_secs(1), 0);
        let mut out = Vec::new();
        let mut rest = data;
        while !rest.is_empty() {
            rest = &rest[head.entry(rest, &mut out)..];
        }
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
    fn as_many_files_are_kept_as_asked_for_and_a_torn_line_is_ended() {
        let dir = std::env::temp_dir().join(format!("pod-logs-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("make directory");
        let path = dir.join("ctr.log");
        std::fs::write(&path, "T stdout F torn").expect("write");
        let limits = Limits {
            max_size: Some(60),
            max_files: Some(4),
        };
        let mut log = LogFile::open(&path, limits).expect("open log");
        for n in 0..9 {
            log.write(Stream::Stdout, format!("{n}\n").as_bytes());
        }
        let texts: Vec<String> = (0..5)
            .map(|n| std::fs::read_to_string(rotated(&path, n)).unwrap_or_default())
            .collect();
        let last = |text: &String| text.trim_end().chars().last();
        let ends: Vec<Option<char>> = texts.iter().map(last).collect();
        assert_eq!(ends, [Some('8'), Some('7'), Some('6'), Some('5'), None]);
        std::fs::write(&path, "T stdout F torn").expect("write");
        let mut log = LogFile::open(&path, Limits::default()).expect("open log");
        log.write(Stream::Stdout, b"next\n");
        let text = std::fs::read_to_string(&path).expect("read log");
        assert!(text.starts_with("T stdout F torn\n") && text.ends_with(" stdout F next\n"));
        std::fs::remove_dir_all(&dir).expect("remove directory");
    }

    #[test]
    fn rotation_keeps_one_file_and_never_cuts_a_line() {
        let dir = std::env::temp_dir().join(format!("pod-log-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("make directory");
        let path = dir.join("ctr.log");
        let limits = Limits {
            max_size: Some(200),
            max_files: None,
        };
        let mut log = LogFile::open(&path, limits).expect("open log");
        for n in 0..10 {
            log.write(Stream::Stdout, format!("line {n}\n").as_bytes());
        }
        let new = std::fs::read_to_string(&path).expect("read log");
        let old = std::fs::read_to_string(rotated(&path, 1)).expect("read rotated log");
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
