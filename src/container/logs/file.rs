//! The files of one k8s-file log, read as one: oldest first, across rotation.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, Tried};

use super::super::monitor::log::{Stream, rotated};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;
/// What stands before the text in every line that a monitor of ours writes.
const HEAD: usize = "2026-11-21T01:41:02.631261702+00:00 stdout F ".len();
/// How often a set of files is looked at again when a rotation comes between.
const TRIES: usize = 20;

/// One entry of the file, cut into its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    pub time: &'a [u8],
    pub stream: Stream,
    /// Ends a line of the container.
    pub full: bool,
    /// With the newline.
    pub text: &'a [u8],
}

/// `line` with its newline; `None`: not a log entry (a torn line after a power cut).
pub fn parse_entry(line: &[u8]) -> Option<Entry<'_>> {
    if let Some(entry) = parse_ours(line) {
        return Some(entry);
    }
    let mut parts = line.splitn(4, |&b| b == b' ');
    let time = parts.next().filter(|time| time.is_ascii())?;
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

/// The same, where every part is at its usual place.
fn parse_ours(line: &[u8]) -> Option<Entry<'_>> {
    let (head, text) = line.split_at_checked(HEAD)?;
    let stream = match &head[35..43] {
        b" stdout " => Stream::Stdout,
        b" stderr " => Stream::Stderr,
        _ => return None,
    };
    let full = match &head[43..] {
        b"F " => true,
        b"P " => false,
        _ => return None,
    };
    Some(Entry {
        time: &head[..35],
        stream,
        full,
        text,
    })
}

/// One file, read in large pieces.
#[derive(Debug)]
struct Part {
    file: File,
    ino: u64,
    /// Offset in the file of the buffer's end.
    offset: u64,
    buffer: Vec<u8>,
    /// What of the buffer is not consumed.
    left: Range<usize>,
}

impl Part {
    /// The next whole line, with its newline, as a range of the buffer.
    fn line(&mut self) -> std::io::Result<Option<Range<usize>>> {
        let mut searched = 0;
        loop {
            let rest = &self.buffer[self.left.clone()];
            if let Some(at) = memchr::memchr(b'\n', &rest[searched..]) {
                let start = self.left.start;
                let end = start + searched + at + 1;
                self.left.start = end;
                return Ok(Some(start..end));
            }
            searched = rest.len();
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads more behind what is left; `false`: there is no more now.
    fn fill(&mut self) -> std::io::Result<bool> {
        self.buffer.copy_within(self.left.clone(), 0);
        self.left = 0..self.left.len();
        if self.buffer.len() < self.left.end + CHUNK {
            self.buffer.resize(self.left.end + CHUNK, 0);
        }
        loop {
            match self
                .file
                .read_at(&mut self.buffer[self.left.end..], self.offset)
            {
                Ok(n) => {
                    self.left.end += n;
                    self.offset += n as u64;
                    return Ok(n > 0);
                }
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
    }
}

/// The log of one container, at some place in it.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    /// Those not read to their end, oldest first.
    parts: Vec<Part>,
    /// The file that was read last, once there is none in `parts`.
    last: Option<u64>,
}

impl LogReader {
    /// At the beginning, or where the last `tail` lines begin.
    pub fn open(path: &Path, tail: Option<u64>) -> Result<Self> {
        let mut reader = Self {
            path: path.to_path_buf(),
            parts: files(path)?,
            last: None,
        };
        if let Some(tail) = tail {
            let tried = || reader.tried();
            let (part, offset) = tail_start(&reader.parts, tail).tried(tried)?;
            reader.parts.drain(..part);
            if let Some(first) = reader.parts.first_mut() {
                first.offset = offset;
            }
        }
        Ok(reader)
    }

    fn tried(&self) -> String {
        format!("read log file {}", self.path.display())
    }

    /// The next entry, which comes again.
    pub fn peek(&mut self) -> Result<Option<Entry<'_>>> {
        let Some(line) = self.next_line()? else {
            return Ok(None);
        };
        let part = &mut self.parts[0];
        part.left.start = line.start;
        Ok(parse_entry(&part.buffer[line]))
    }

    /// The next entry that is whole; `None`: there is none now.
    pub fn next(&mut self) -> Result<Option<Entry<'_>>> {
        let line = self.next_line()?;
        Ok(line.and_then(|line| parse_entry(&self.parts[0].buffer[line])))
    }

    /// Where the next entry is in the first part's buffer.
    fn next_line(&mut self) -> Result<Option<Range<usize>>> {
        loop {
            let path = &self.path;
            let more = self.parts.len() > 1;
            let Some(part) = self.parts.first_mut() else {
                return Ok(None);
            };
            let tried = || format!("read log file {}", path.display());
            match part.line().tried(tried)? {
                Some(line) if parse_entry(&part.buffer[line.clone()]).is_some() => {
                    return Ok(Some(line));
                }
                Some(_) => {} // torn
                None if more => {
                    self.last = Some(part.ino);
                    self.parts.remove(0);
                }
                None => return Ok(None),
            }
        }
    }

    /// Finds the files that were begun since the last look.
    pub fn look(&mut self) -> Result<()> {
        let newest = self.parts.last().map(|part| part.ino).or(self.last);
        let current = std::fs::metadata(&self.path).map(|meta| meta.ino()).ok();
        if current == newest || current.is_none() {
            return Ok(());
        }
        let mut now = files(&self.path)?;
        if let Some(at) = now.iter().position(|part| Some(part.ino) == newest) {
            now.drain(..=at);
        }
        self.parts.append(&mut now);
        Ok(())
    }
}

/// All files of the log, oldest first. None is missing between two of them.
fn files(path: &Path) -> Result<Vec<Part>> {
    for _ in 0..TRIES {
        let mut parts: Vec<Part> = Vec::new();
        // Newest first: a rotation meanwhile shows as a file that comes twice.
        let mut number = 0;
        let mut torn = false;
        loop {
            let path = rotated(path, number);
            let tried = || format!("read log file {}", path.display());
            let file = match File::open(&path) {
                Ok(file) => file,
                // The current file is absent for a moment while it is rotated.
                Err(err) if err.kind() == ErrorKind::NotFound && number == 0 => {
                    number += 1;
                    continue;
                }
                Err(err) if err.kind() == ErrorKind::NotFound => break,
                Err(err) => return Err(Error::io(&err, tried())),
            };
            let ino = file.metadata().tried(tried)?.ino();
            torn |= parts.iter().any(|part| part.ino == ino);
            parts.push(Part {
                file,
                ino,
                offset: 0,
                buffer: Vec::new(),
                left: 0..0,
            });
            number += 1;
        }
        if !torn {
            parts.reverse();
            return Ok(parts);
        }
    }
    Ok(Vec::new()) // rotated faster than it can be opened: what follows is found by the next look
}

/// Where the last `tail` lines begin: index of the file and offset in it.
fn tail_start(parts: &[Part], tail: u64) -> std::io::Result<(usize, u64)> {
    let Some(last) = parts.len().checked_sub(1) else {
        return Ok((0, 0));
    };
    let mut start = (last, whole_end(&parts[last].file)?);
    let mut found = 0;
    if tail == 0 {
        return Ok(start);
    }
    for (index, part) in parts.iter().enumerate().rev() {
        let mut end = whole_end(&part.file)?;
        let mut block = Vec::new();
        while end > 0 {
            let from = end.saturating_sub(CHUNK as u64 / 4);
            block.resize(usize::try_from(end - from).unwrap_or(0), 0);
            part.file.read_exact_at(&mut block, from)?;
            // Lines that begin in this block, from its end; the first may begin before it.
            let mut stop = block.len();
            while stop > 0 {
                let begin = memchr::memrchr(b'\n', &block[..stop - 1]).map(|at| at + 1);
                let begin = match begin {
                    Some(begin) => begin,
                    None if from == 0 => 0,
                    None => break,
                };
                let ends_line = parse_entry(&block[begin..stop]).is_none_or(|entry| entry.full);
                if ends_line && start != (last, whole_end(&parts[last].file)?) {
                    found += 1; // what comes behind this entry begins a line
                    if found == tail {
                        return Ok(start);
                    }
                }
                start = (index, from + begin as u64);
                stop = begin;
            }
            if stop == block.len() {
                return Ok(start); // one line longer than any a monitor writes: not ours
            }
            end = from + stop as u64;
        }
    }
    Ok(start)
}

/// Where the last whole line ends.
fn whole_end(file: &File) -> std::io::Result<u64> {
    let len = file.metadata()?.len();
    let mut end = len;
    let mut block = vec![0; 4096];
    while end > 0 {
        let from = end.saturating_sub(block.len() as u64);
        let size = usize::try_from(end - from).unwrap_or(0);
        file.read_exact_at(&mut block[..size], from)?;
        if let Some(at) = memchr::memrchr(b'\n', &block[..size]) {
            return Ok(from + at as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let entry = parse_entry(b"T stdout F a b \n").expect("an entry");
        assert_eq!(
            (entry.time, entry.full, entry.text),
            (&b"T"[..], true, &b"a b \n"[..])
        );
        let entry = parse_entry(b"T stderr P \n").expect("an entry");
        assert_eq!(
            (entry.stream, entry.full, entry.text),
            (Stream::Stderr, false, &b"\n"[..])
        );
        let ours = b"2026-11-21T01:41:02.631261702+00:00 stderr P x y\n";
        let entry = parse_entry(ours).expect("an entry");
        assert_eq!((entry.time, entry.text), (&ours[..35], &b"x y\n"[..]));
        for bad in [
            &b""[..],
            b"\n",
            b"T stdout F",
            b"T stdin F x",
            b"T stdout X y",
            b"\xff stdout F x",
            b"2026-11-21T01:41:02.631261702+00:00 stdout",
        ] {
            assert_eq!(parse_entry(bad), None);
        }
    }

    fn parts(texts: &[&str]) -> Vec<Part> {
        let make = |text: &&str| {
            let fd =
                rustix::fs::memfd_create("log", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd");
            let file = File::from(fd);
            file.write_all_at(text.as_bytes(), 0).expect("write");
            Part {
                ino: 0,
                file,
                offset: 0,
                buffer: Vec::new(),
                left: 0..0,
            }
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
            assert_eq!(tail_start(&parts(&[A, B]), tail).ok(), Some(want), "{tail}");
        }
        assert_eq!(tail_start(&[], 3).ok(), Some((0, 0)));
        // What is not whole yet does not count.
        let torn = parts(&["T stdout F 1\nT stdout F 2\nT std"]);
        assert_eq!(tail_start(&torn, 1).ok(), Some((0, 13)));
    }

    #[test]
    fn the_last_lines_of_many() {
        let text: String = (0..20_000)
            .map(|n| format!("T stdout F {n:06}\n"))
            .collect();
        let line = text.len() as u64 / 20_000;
        for tail in [1, 10, 4000, 15_000, 20_000] {
            let want = (0, (20_000 - tail) * line);
            assert_eq!(
                tail_start(&parts(&[&text]), tail).ok(),
                Some(want),
                "{tail}"
            );
        }
    }
}
