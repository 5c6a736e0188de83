//! `logs`: reads a k8s-file log, follows it across rotation, and ends when the container has.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{Error, Kind, Result, Tried};

use super::clock;
use super::engine::Container;
use super::monitor::log::{Stream, rotated};
use super::options::LogOptions;
use super::request::LogDriver;
use super::watch::Watch;

/// One entry of the file, cut into its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry<'a> {
    time: &'a str,
    stream: Stream,
    /// Ends a line of the container.
    full: bool,
    text: &'a [u8],
}

/// `line` without its newline; `None`: not a log entry (a torn line after a power cut).
fn parse_entry(line: &[u8]) -> Option<Entry<'_>> {
    let mut parts = line.splitn(4, |&b| b == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let stream = match parts.next()? {
        b"stdout" => Stream::Stdout,
        b"stderr" => Stream::Stderr,
        _ => return None,
    };
    let full = match parts.next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    Some(Entry {
        time,
        stream,
        full,
        text: parts.next()?,
    })
}

impl Container {
    /// Writes the log: the container's stdout to `out`, its stderr to `err`. A reader that has gone is the end.
    pub fn logs(
        &self,
        options: &LogOptions,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> Result<()> {
        let driver = self.record.request.log.driver;
        if driver != LogDriver::K8sFile {
            let name = match driver {
                LogDriver::None => "none",
                _ => "passthrough",
            };
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "this container is using the '{name}' log driver, cannot read logs: this container is not logging output"
                ),
            ));
        }
        let path = self.log_path();
        let mut printer = Printer {
            options: *options,
            out,
            err,
            buffers: [Vec::new(), Vec::new()],
            inside_line: [false; 2],
            over: false,
        };
        match self.print(&path, &mut printer) {
            Err(Stop::Failed(err)) => Err(err),
            Err(Stop::ReaderGone) | Ok(()) => Ok(()),
        }
    }

    fn print(&self, path: &Path, printer: &mut Printer<'_>) -> Result<(), Stop> {
        // The watches come before the first look, so that nothing happens between them.
        let mut follow = match printer.options.follow {
            true => Some(self.follow(path)?),
            false => None,
        };
        let files = open_all(path)?;
        let skip = match printer.options.tail {
            Some(tail) => Some(tail_start(&files, tail)?),
            None => None,
        };
        let mut current = None;
        for (index, (file, _)) in files.into_iter().enumerate() {
            let mut reader = BufReader::with_capacity(128 * 1024, file);
            if let Some((first, offset)) = skip {
                if index < first {
                    continue;
                }
                if index == first {
                    reader
                        .seek(SeekFrom::Start(offset))
                        .tried(|| tried_read(path))?;
                }
            }
            printer.copy(&mut reader, path)?;
            current = Some(reader);
        }
        printer.flush()?;
        let Some(follow) = follow.as_mut() else {
            return Ok(());
        };
        loop {
            let over = follow.over || printer.over || !follow.wait(printer.options.until)?;
            if let Some(reader) = &mut current {
                printer.copy(reader, path)?;
            }
            if let Some(file) = newer(path, current.as_ref())? {
                let mut reader = BufReader::with_capacity(128 * 1024, file);
                printer.copy(&mut reader, path)?;
                current = Some(reader);
            }
            printer.flush()?;
            if over {
                return Ok(());
            }
        }
    }

    fn follow(&self, path: &Path) -> Result<Follow> {
        let tried = || format!("watch the log of container {}", self.record.id);
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).tried(tried)?;
        let dir = path.parent().unwrap_or(Path::new("/"));
        let events =
            AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_FROM;
        inotify.add_watch(dir, events).tried(tried)?;
        let watch = match self.state.is_alive() && !self.state.is_elsewhere() {
            true => self.watch()?,
            false => Watch::Over,
        };
        let over = matches!(watch, Watch::Over);
        Ok(Follow {
            inotify,
            watch,
            over,
        })
    }
}

fn tried_read(path: &Path) -> String {
    format!("read log file {}", path.display())
}

/// The rotated file, then the current one; those that exist.
fn open_all(path: &Path) -> Result<Vec<(File, PathBuf)>> {
    let mut files: Vec<(File, PathBuf)> = Vec::new();
    for path in [rotated(path), path.to_path_buf()] {
        match File::open(&path) {
            Ok(file) => files.push((file, path)),
            Err(err) if err.kind() == ErrorKind::NotFound => {}
            Err(err) => return Err(Error::io(&err, tried_read(&path))),
        }
    }
    Ok(files)
}

/// The file that has the log's name, if it is not the one we read.
fn newer(path: &Path, current: Option<&BufReader<File>>) -> Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(Error::io(&err, tried_read(path))),
    };
    let ino = |file: &File| {
        file.metadata()
            .map(|meta| meta.ino())
            .tried(|| tried_read(path))
    };
    match current {
        Some(reader) if ino(reader.get_ref())? == ino(&file)? => Ok(None),
        _ => Ok(Some(file)),
    }
}

/// Where the last `tail` lines begin: index of the file and offset in it.
fn tail_start(files: &[(File, PathBuf)], tail: u64) -> Result<(usize, u64)> {
    let mut starts: VecDeque<(usize, u64)> = VecDeque::new();
    let keep = usize::try_from(tail).unwrap_or(usize::MAX);
    let mut end = (files.len(), 0);
    let mut begins = true;
    for (index, (file, path)) in files.iter().enumerate() {
        let mut reader = BufReader::with_capacity(128 * 1024, file);
        let mut offset = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            let n = reader
                .read_until(b'\n', &mut line)
                .tried(|| tried_read(path))?;
            if n == 0 {
                break;
            }
            if begins {
                starts.push_back((index, offset));
                if starts.len() > keep {
                    starts.pop_front();
                }
            }
            offset += n as u64;
            begins = parse_entry(line.strip_suffix(b"\n").unwrap_or(&line)).is_none_or(|e| e.full);
        }
        end = (index, offset);
    }
    for (mut file, path) in files.iter().map(|(file, path)| (file, path)) {
        file.rewind().tried(|| tried_read(path))?;
    }
    Ok(starts.front().copied().unwrap_or(end))
}

/// What ends a reading early.
enum Stop {
    Failed(Error),
    ReaderGone,
}

impl From<Error> for Stop {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

struct Printer<'a> {
    options: LogOptions,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    buffers: [Vec<u8>; 2],
    /// The last entry of this stream was partial: the next goes on in the same line.
    inside_line: [bool; 2],
    /// An entry after `--until` was seen.
    over: bool,
}

impl Printer<'_> {
    /// Prints the whole entries that are there; an unfinished last one is left for later.
    fn copy(&mut self, reader: &mut BufReader<File>, path: &Path) -> Result<(), Stop> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let n = reader
                .read_until(b'\n', &mut line)
                .tried(|| tried_read(path))?;
            if line.last() != Some(&b'\n') {
                if n > 0 {
                    reader
                        .seek_relative(-(n as i64))
                        .tried(|| tried_read(path))?;
                }
                return Ok(());
            }
            line.pop();
            if let Some(entry) = parse_entry(&line) {
                self.entry(&entry)?;
            }
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), Stop> {
        let LogOptions { since, until, .. } = self.options;
        if since.is_some() || until.is_some() {
            let time = clock::parse(entry.time);
            if since.is_some_and(|since| time.is_none_or(|t| t < since)) {
                return Ok(());
            }
            if until.is_some_and(|until| time.is_some_and(|t| t > until)) {
                self.over = true;
                return Ok(());
            }
        }
        let index = usize::from(entry.stream == Stream::Stderr);
        if !self.buffers[1 - index].is_empty() {
            self.flush()?; // both may be the same terminal: keep the order
        }
        let buffer = &mut self.buffers[index];
        if self.options.timestamps && !self.inside_line[index] {
            buffer.extend_from_slice(entry.time.as_bytes());
            buffer.push(b' ');
        }
        buffer.extend_from_slice(entry.text);
        if entry.full {
            buffer.push(b'\n');
        }
        self.inside_line[index] = !entry.full;
        if buffer.len() >= 128 * 1024 {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let [out, err] = &mut self.buffers;
        for (buffer, to) in [(out, &mut *self.out), (err, &mut *self.err)] {
            if buffer.is_empty() {
                continue;
            }
            match to.write_all(buffer).and_then(|()| to.flush()) {
                Ok(()) => buffer.clear(),
                Err(err) if err.kind() == ErrorKind::BrokenPipe => return Err(Stop::ReaderGone),
                Err(err) => return Err(Error::io(&err, "write the log").into()),
            }
        }
        Ok(())
    }
}

struct Follow {
    inotify: Inotify,
    watch: Watch,
    over: bool,
}

impl Follow {
    /// Waits for the log to grow; `false`: the container is over, or `until` has come.
    fn wait(&mut self, until: Option<SystemTime>) -> Result<bool> {
        let tried = || "wait for the log";
        let left = match until.map(|until| until.duration_since(SystemTime::now())) {
            Some(Ok(left)) => Some(left + Duration::from_millis(1)),
            Some(Err(_)) => return Ok(false),
            None => None,
        };
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let watch = match &self.watch {
            Watch::Monitor(connection) => connection.as_fd(),
            Watch::Process(handle) => handle.as_fd(),
            Watch::Over => return Ok(false),
        };
        let mut fds = [
            PollFd::new(&self.inotify, PollFlags::IN),
            PollFd::from_borrowed_fd(watch, PollFlags::IN),
        ];
        loop {
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno).tried(tried),
            }
        }
        let over = !fds[1].revents().is_empty();
        match self.inotify.read_events() {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno).tried(tried),
        }
        // The monitor logs everything before it says that the container is over.
        Ok(!over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let entry = parse_entry(b"T stdout F a b ").expect("an entry");
        assert_eq!(
            (entry.time, entry.full, entry.text),
            ("T", true, &b"a b "[..])
        );
        let entry = parse_entry(b"T stderr P ").expect("an entry");
        assert_eq!(
            (entry.stream, entry.full, entry.text),
            (Stream::Stderr, false, &b""[..])
        );
        for bad in [
            &b""[..],
            b"T stdout F",
            b"T stdin F x",
            b"T stdout X y",
            b"\xff stdout F x",
        ] {
            assert_eq!(parse_entry(bad), None);
        }
    }

    fn files(texts: &[&str]) -> Vec<(File, PathBuf)> {
        let make = |text: &&str| {
            let path = PathBuf::from(format!("/proc/self/fd/{}", text.len()));
            let fd =
                rustix::fs::memfd_create("log", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd");
            let mut file = File::from(fd);
            file.write_all(text.as_bytes()).expect("write");
            file.rewind().expect("rewind");
            (file, path)
        };
        texts.iter().map(make).collect()
    }

    #[test]
    fn the_last_lines_begin_where_a_line_begins_also_in_the_rotated_file() {
        const A: &str = "T stdout F 1\nT stdout P 2\n"; // 13 bytes each
        const B: &str = "T stdout F 2\nT stdout F 3\n";
        let table = [
            (0, (1, 26)),
            (1, (1, 13)),
            (2, (0, 13)),
            (3, (0, 0)),
            (9, (0, 0)),
        ];
        for (tail, want) in table {
            assert_eq!(tail_start(&files(&[A, B]), tail).ok(), Some(want), "{tail}");
        }
        assert_eq!(tail_start(&[], 3).ok(), Some((0, 0)));
    }

    #[test]
    fn partial_entries_become_one_line_and_streams_keep_apart() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printer = Printer {
            options: LogOptions {
                timestamps: true,
                ..Default::default()
            },
            out: &mut out,
            err: &mut err,
            buffers: [Vec::new(), Vec::new()],
            inside_line: [false; 2],
            over: false,
        };
        let text = "T1 stdout P a\nT2 stderr F e\nT3 stdout F b\nT4 stdout F c\nT5 stdout F torn";
        let (file, path) = files(&[text]).remove(0);
        assert!(printer.copy(&mut BufReader::new(file), &path).is_ok());
        assert!(printer.flush().is_ok());
        assert_eq!(String::from_utf8_lossy(&out), "T1 ab\nT4 c\n");
        assert_eq!(String::from_utf8_lossy(&err), "T2 e\n");
    }
}
