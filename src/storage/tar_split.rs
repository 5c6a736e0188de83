//! The tar of a layer in Podman's store, exactly as it once came: tar-split's data hold all of it but the files'
//! content, which is in the layer's directory.
//!
//! Runs in: worker, which can read what belongs to subordinate ids.
//!
//! A line of JSON is one entry, in the order of the tar: a segment (type 2) is bytes of headers and padding, a file
//! (type 1) stands for the content of the regular file of that name.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::MultiGzDecoder;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use serde::Deserialize;

use super::below::open_plain;
use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::worker::{self, WorkerHandle, WorkerOpts};
use crate::userns::map::IdMaps;

/// Longest line: a segment is a few headers, of which an extended one may be long.
const MAX_LINE: u64 = 32 * 1024 * 1024;

const FILE: u8 = 1;
const SEGMENT: u8 = 2;

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: u8,
    #[serde(default)]
    name: String,
    /// base64 of a name that is no UTF-8.
    #[serde(default)]
    name_raw: Option<String>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    payload: Option<String>,
}

/// Starts a worker that writes the tar of a layer into `to`; its result is the number of bytes.
///
/// For a process with one thread only.
pub fn rebuild(
    maps: &IdMaps,
    tree: PathBuf,
    split: PathBuf,
    to: OwnedFd,
) -> Result<WorkerHandle<u64>> {
    worker::start(maps, WorkerOpts { mounts: false }, move || {
        let mut to = File::from(to);
        let done = write_tar(&tree, &split, &mut to);
        done.map_err(|err| err.context(format!("read layer \"{}\"", tree.display())))
    })
}

fn write_tar(tree: &Path, split: &Path, to: &mut dyn Write) -> Result<u64> {
    let root = openat(
        CWD,
        tree,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(std::io::Error::from)
    .tried(|| "open it")?;
    let split_file = open_plain(split).map_err(|err| {
        Error::io(&err, format!("open \"{}\"", split.display()))
            .hint("without it the layer's bytes are lost: use podman save and pod load")
    })?;
    let mut lines = BufReader::new(MultiGzDecoder::new(BufReader::new(split_file)));
    let mut line = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    let mut written = 0;
    let damaged = |why: &str| Error::new(Kind::Corrupt, format!("\"{}\": {why}", split.display()));
    loop {
        line.clear();
        let got = (&mut lines).take(MAX_LINE).read_until(b'\n', &mut line);
        match got.tried(|| format!("read \"{}\"", split.display()))? {
            0 => return Ok(written),
            got if got as u64 == MAX_LINE => return Err(damaged("a line is too long")),
            _ => {}
        }
        let entry: Entry =
            serde_json::from_slice(&line).map_err(|err| damaged(&err.to_string()))?;
        match entry.kind {
            SEGMENT => {
                let bytes = BASE64_STANDARD
                    .decode(entry.payload.unwrap_or_default())
                    .map_err(|err| damaged(&err.to_string()))?;
                to.write_all(&bytes).tried(|| "write its tar")?;
                written += bytes.len() as u64;
            }
            FILE if entry.size > 0 => {
                let name = match entry.name_raw {
                    Some(raw) => BASE64_STANDARD
                        .decode(raw)
                        .map_err(|err| damaged(&err.to_string()))?,
                    None => entry.name.into_bytes(),
                };
                copy(&root, &name, entry.size, to, &mut buffer).map_err(|err| {
                    err.context(format!("copy \"{}\"", String::from_utf8_lossy(&name)))
                })?;
                written += entry.size;
            }
            FILE => {}
            other => return Err(damaged(&format!("an entry of type {other}"))),
        }
    }
}

/// Copies one file's content, beneath the layer's root whatever its name is.
fn copy(
    root: &OwnedFd,
    name: &[u8],
    size: u64,
    to: &mut dyn Write,
    buffer: &mut [u8],
) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = openat2(root.as_fd(), name, flags, Mode::empty(), resolve)
        .map_err(std::io::Error::from)
        .tried(|| "open it")?;
    let file = File::from(file);
    let found = file.metadata().tried(|| "look at it")?;
    if !found.is_file() || found.len() != size {
        let text = format!("it has {} bytes instead of {size}", found.len());
        return Err(Error::new(Kind::Corrupt, text));
    }
    let mut left = size;
    let mut file = file;
    while left > 0 {
        let want = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let got = file.read(&mut buffer[..want]).tried(|| "read it")?;
        if got == 0 {
            return Err(Error::new(Kind::Corrupt, "it was cut short meanwhile"));
        }
        to.write_all(&buffer[..got]).tried(|| "write its tar")?;
        left -= got as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::state::tests::TestDir;

    fn split_of(dir: &TestDir, lines: &str) -> PathBuf {
        let path = dir.join("x.tar-split.gz");
        let file = File::create(&path).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        gzip.write_all(lines.as_bytes()).unwrap();
        gzip.finish().unwrap();
        path
    }

    #[test]
    fn a_tar_is_put_together_again() {
        let dir = TestDir::new();
        let tree = dir.join("diff");
        fs::create_dir_all(tree.join("a")).unwrap();
        fs::write(tree.join("a/b"), "content").unwrap();
        let lines = "{\"type\":2,\"payload\":\"aGVhZA==\",\"position\":0}\n\
            {\"type\":1,\"name\":\"./a/b\",\"size\":7,\"payload\":\"AAAAAAAAAAA=\",\"position\":1}\n\
            {\"type\":1,\"name_raw\":\"YS9i\",\"size\":7}\n\
            {\"type\":1,\"name\":\"a/\",\"payload\":null}\n\
            {\"type\":2,\"payload\":\"dGFpbA==\"}\n";
        let mut out = Vec::new();
        let split = split_of(&dir, lines);
        assert_eq!(write_tar(&tree, &split, &mut out).unwrap(), 22);
        assert_eq!(out, b"headcontentcontenttail");
    }

    #[test]
    fn what_lies_outside_or_is_no_file_is_refused() {
        let dir = TestDir::new();
        let tree = dir.join("diff");
        fs::create_dir_all(tree.join("dir")).unwrap();
        fs::write(dir.join("secret"), "secret!").unwrap();
        fs::write(tree.join("short"), "x").unwrap();
        std::os::unix::fs::symlink(dir.join("secret"), tree.join("link")).unwrap();
        std::os::unix::fs::symlink("/", tree.join("up")).unwrap();
        for name in ["../secret", "link", "up/etc/passwd", "dir", "short", "none"] {
            let line = format!("{{\"type\":1,\"name\":\"{name}\",\"size\":7}}\n");
            let split = split_of(&dir, &line);
            let mut out = Vec::new();
            assert!(write_tar(&tree, &split, &mut out).is_err(), "{name}");
            assert!(out.is_empty(), "{name}");
        }
        for lines in ["{", "{\"type\":3}\n", "{\"type\":2,\"payload\":\"*\"}\n"] {
            let split = split_of(&dir, lines);
            assert!(
                write_tar(&tree, &split, &mut Vec::new()).is_err(),
                "{lines}"
            );
        }
    }
}
