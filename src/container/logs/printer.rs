//! From entries to what the user sees: prefixes, colours, times, and what lies between `--since` and `--until`.

use std::io::{ErrorKind, Write};
use std::time::SystemTime;

use crate::error::{Error, Result};

use super::super::clock;
use super::super::monitor::log::Stream;
use super::super::options::LogOptions;
use super::file::Entry;

/// Bytes that are worth a write.
const BATCH: usize = 128 * 1024;

/// Podman's colours, of one container after the other.
const COLOURS: [&str; 7] = ["37", "31", "33", "34", "35", "36", "32"];

/// What ends a reading early.
pub enum Stop {
    Failed(Error),
    ReaderGone,
}

impl From<Error> for Stop {
    fn from(err: Error) -> Self {
        Self::Failed(err)
    }
}

/// How the lines of one container look.
#[derive(Debug, Default)]
pub struct Look {
    prefix: String,
    suffix: &'static str,
    /// The time that was read last: the lines of one batch have the same.
    seen: (Vec<u8>, Option<SystemTime>),
}

impl Look {
    /// `name`: what stands before each line, if anything.
    pub fn new(index: usize, name: Option<&str>, colours: bool) -> Self {
        let name = name.map(|name| format!("{name} ")).unwrap_or_default();
        let (prefix, suffix) = match colours {
            true => (
                format!("\x1b[{}m{name}", COLOURS[index % COLOURS.len()]),
                "\x1b[0m",
            ),
            false => (name, ""),
        };
        Self {
            prefix,
            suffix,
            seen: Default::default(),
        }
    }

    /// When an entry was written; `None`: nobody can tell.
    pub fn time(&mut self, entry: &Entry<'_>) -> Option<SystemTime> {
        if self.seen.0 != entry.time {
            self.seen.0.clear();
            self.seen.0.extend_from_slice(entry.time);
            let text = std::str::from_utf8(entry.time).ok();
            self.seen.1 = text.and_then(clock::parse);
        }
        self.seen.1
    }
}

pub struct Printer<'a> {
    options: LogOptions,
    looks: Vec<Look>,
    outs: [&'a mut dyn Write; 2],
    buffers: [Vec<u8>; 2],
    /// The container whose line is not at its end, for each stream.
    inside: [Option<usize>; 2],
    /// Lines are printed as they are.
    plain: bool,
}

impl<'a> Printer<'a> {
    pub fn new(
        options: LogOptions,
        looks: Vec<Look>,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
    ) -> Self {
        let bare = |look: &Look| look.prefix.is_empty() && look.suffix.is_empty();
        Self {
            options,
            plain: looks.len() == 1
                && looks.iter().all(bare)
                && !options.timestamps
                && options.since.is_none()
                && options.until.is_none(),
            looks,
            outs: [out, err],
            buffers: [Vec::new(), Vec::new()],
            inside: [None; 2],
        }
    }

    /// When an entry of container `source` was written.
    pub fn time(&mut self, source: usize, entry: &Entry<'_>) -> Option<SystemTime> {
        self.looks[source].time(entry)
    }

    /// Prints one entry; `false`: it is later than `--until`, and so is what follows.
    pub fn entry(&mut self, source: usize, entry: &Entry<'_>) -> Result<bool, Stop> {
        let index = usize::from(entry.stream == Stream::Stderr);
        if !self.buffers[1 - index].is_empty() {
            self.flush()?; // both may be the same terminal: keep the order
        }
        if !self.plain {
            let LogOptions { since, until, .. } = self.options;
            if since.is_some() || until.is_some() {
                let time = self.looks[source].time(entry);
                if since.is_some_and(|since| time.is_none_or(|t| t < since)) {
                    return Ok(true);
                }
                if until.is_some_and(|until| time.is_some_and(|t| t > until)) {
                    return Ok(false);
                }
            }
            self.decorated(source, index, entry);
        } else if entry.full {
            self.buffers[index].extend_from_slice(entry.text);
        } else {
            let text = &entry.text[..entry.text.len().saturating_sub(1)];
            self.buffers[index].extend_from_slice(text);
        }
        if self.buffers[index].len() >= BATCH {
            self.flush()?;
        }
        Ok(true)
    }

    fn decorated(&mut self, source: usize, index: usize, entry: &Entry<'_>) {
        let buffer = &mut self.buffers[index];
        let look = &self.looks[source];
        let goes_on = self.inside[index] == Some(source);
        if self.inside[index].is_some() && !goes_on {
            buffer.push(b'\n'); // another container has begun a line
        }
        if !goes_on || !look.suffix.is_empty() {
            buffer.extend_from_slice(look.prefix.as_bytes());
        }
        if self.options.timestamps && !goes_on {
            match entry.time.strip_suffix(b"+00:00") {
                Some(time) => {
                    buffer.extend_from_slice(time);
                    buffer.push(b'Z');
                }
                None => buffer.extend_from_slice(entry.time),
            }
            buffer.push(b' ');
        }
        let text = entry.text.strip_suffix(b"\n").unwrap_or(entry.text);
        buffer.extend_from_slice(text);
        buffer.extend_from_slice(look.suffix.as_bytes());
        if entry.full {
            buffer.push(b'\n');
        }
        self.inside[index] = (!entry.full).then_some(source);
    }

    pub fn flush(&mut self) -> Result<(), Stop> {
        for (buffer, to) in self.buffers.iter_mut().zip(&mut self.outs) {
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

#[cfg(test)]
mod tests {
    use super::super::file::parse_entry;
    use super::*;

    fn print(options: LogOptions, looks: Vec<Look>, lines: &[(usize, &str)]) -> [String; 2] {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printer = Printer::new(options, looks, &mut out, &mut err);
        for (source, line) in lines {
            let entry = parse_entry(line.as_bytes()).expect("an entry");
            assert!(printer.entry(*source, &entry).is_ok());
        }
        assert!(printer.flush().is_ok());
        [out, err].map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn partial_entries_become_one_line_and_streams_keep_apart() {
        let lines = [
            (0, "T1 stdout P a\n"),
            (0, "T2 stderr F e\n"),
            (0, "T3 stdout F b\n"),
            (0, "T4+00:00 stdout F c\n"),
        ];
        let times = LogOptions {
            timestamps: true,
            ..LogOptions::default()
        };
        let [out, err] = print(times, vec![Look::new(0, None, false)], &lines);
        assert_eq!((out.as_str(), err.as_str()), ("T1 ab\nT4Z c\n", "T2 e\n"));
        let plain = vec![Look::new(0, None, false)];
        assert_eq!(print(LogOptions::default(), plain, &lines)[0], "ab\nc\n");
    }

    #[test]
    fn lines_of_several_containers_keep_apart() {
        let looks = || {
            vec![
                Look::new(0, Some("a"), false),
                Look::new(1, Some("b"), true),
            ]
        };
        let lines = [
            (0, "T stdout P x\n"),
            (1, "T stdout F y\n"),
            (0, "T stdout F z\n"),
        ];
        let [out, _] = print(LogOptions::default(), looks(), &lines);
        assert_eq!(out, "a x\n\x1b[31mb y\x1b[0m\na z\n");
    }
}
