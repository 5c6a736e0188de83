//! The last lines a container wrote, and what loaders and shells say in them.

use std::cell::RefCell;
use std::io::{self, Write};

use super::super::engine::Container;
use super::super::options::LogOptions;

/// A container may write one line without end.
const LONGEST: usize = 2000;
const MOST: usize = 256 * 1024;

/// Empty where the log cannot be read.
pub fn last(container: &Container, lines: u64) -> Vec<String> {
    if lines == 0 {
        return Vec::new();
    }
    let options = LogOptions {
        tail: Some(lines),
        ..LogOptions::default()
    };
    let text = RefCell::new(Vec::new());
    let (mut out, mut err) = (End(&text), End(&text));
    let _ = container.logs(&options, &mut out, &mut err); // a log that is not kept has no lines
    let text = text.into_inner();
    let text = String::from_utf8_lossy(&text);
    let cut = |line: &str| match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    };
    let mut found: Vec<String> = text
        .lines()
        .map(|line| cut(line.trim_end_matches('\r')))
        .collect();
    found.drain(
        ..found
            .len()
            .saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX)),
    );
    found
}

/// Keeps the end of what is written, in the order of both streams.
struct End<'a>(&'a RefCell<Vec<u8>>);

impl Write for End<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.borrow_mut();
        text.extend_from_slice(bytes);
        let over = text.len().saturating_sub(MOST);
        text.drain(..over);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The library that a loader says it misses: of glibc (`dl-load.c`), then of musl (`dynlink.c`).
pub fn missing_library(lines: &[String]) -> Option<&str> {
    lines.iter().rev().find_map(|line| {
        let glibc = line
            .split_once("error while loading shared libraries: ")
            .filter(|(_, rest)| rest.contains("cannot open shared object file"))
            .and_then(|(_, rest)| rest.split_once(": "));
        let musl = line
            .split_once("Error loading shared library ")
            .and_then(|(_, rest)| rest.split_once(": "));
        glibc.or(musl).map(|(library, _)| library)
    })
}

/// ``version `GLIBC_2.38' not found``, or a symbol that musl does not have.
pub fn wrong_library_version(lines: &[String]) -> Option<&str> {
    let says = |line: &&String| {
        (line.contains("version `") && line.contains("' not found"))
            || line.starts_with("Error relocating ")
    };
    lines.iter().rev().find(says).map(String::as_str)
}

/// The word that a shell could not find.
pub fn missing_command(lines: &[String]) -> Option<&str> {
    lines.iter().rev().find_map(|line| {
        let rest = line
            .strip_suffix(": not found")
            .or_else(|| line.strip_suffix(": command not found"))?;
        let word = rest.rsplit(": ").next()?.trim();
        (!word.is_empty() && !word.contains(' ')).then_some(word)
    })
}

/// Words in the last lines that have a well-known remedy.
pub fn known_complaint(lines: &[String]) -> Option<(&str, &'static str)> {
    const KNOWN: [(&str, &str); 7] = [
        (
            "address already in use",
            "something else listens there: with --network host it is a program of the host, else one of the container itself",
        ),
        (
            "read-only file system",
            "give the program a place to write: --tmpfs, -v, or leave --read-only out",
        ),
        (
            "no space left on device",
            "free space where the store is (pod info shows it), or raise the size of the tmpfs",
        ),
        (
            "too many open files",
            "raise it with --ulimit nofile=SOFT:HARD",
        ),
        (
            "exec format error",
            "the program is of another processor: pull the image for this one with --platform",
        ),
        (
            "permission denied",
            "look at owner and mode of what it wanted: files of bind mounts belong to you, which is root inside; -v with :U changes the owner",
        ),
        (
            "operation not permitted",
            "it may want a capability (--cap-add) or a system call that the seccomp profile refuses",
        ),
    ];
    lines.iter().rev().find_map(|line| {
        let lower = line.to_lowercase();
        let (_, remedy) = KNOWN.iter().find(|(words, _)| lower.contains(words))?;
        Some((line.as_str(), *remedy))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_loaders_and_shells_say() {
        let glibc = "x: error while loading shared libraries: libz.so.1: cannot open shared object file: No such file or directory";
        let musl =
            "Error loading shared library libz.so.1: No such file or directory (needed by /bin/x)";
        for text in [glibc, musl] {
            assert_eq!(missing_library(&lines(text)), Some("libz.so.1"), "{text}");
        }
        assert_eq!(missing_library(&lines("fine")), None);
        for text in [
            "sh: nosuch: not found",
            "/bin/sh: 1: nosuch: not found",
            "bash: line 1: nosuch: command not found",
        ] {
            assert_eq!(missing_command(&lines(text)), Some("nosuch"), "{text}");
        }
        assert_eq!(missing_command(&lines("HTTP 404: not found here")), None);
        let version = "x: /lib/libc.so.6: version `GLIBC_2.38' not found (required by x)";
        assert!(wrong_library_version(&lines(version)).is_some());
        assert!(known_complaint(&lines("bind: Address already in use")).is_some());
        assert!(known_complaint(&lines("all is well")).is_none());
    }
}
