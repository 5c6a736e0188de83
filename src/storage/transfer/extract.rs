//! A tar becomes files of a tree, by names that stay beneath its root.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Mode, ftruncate, linkat, openat};
use rustix::io::Errno;

use super::place::{Placer, chosen, worded};
use super::wire::Meta;
use super::{Manner, PassedOver};
use crate::error::{Error, Kind, Result, Tried};
use crate::storage::archive::decoder;
use crate::storage::archive::input::ByteInput;
use crate::storage::pack::copy::DIR;
use crate::storage::pack::tar::Attributes;
use crate::storage::unpack::tar::{Input, Member, MemberKind, TarReader};
use crate::storage::unpack::tree::{Tree, clean};

/// An archive that begins as one: plain, or compressed with gzip, bzip2, xz or zstd.
pub struct Archive {
    reader: TarReader<ByteInput>,
    next: Option<Member>,
}

impl Archive {
    /// Reads the first member. Fails where there is nothing, or no tar.
    pub fn open(file: File) -> Result<Self> {
        let (stream, _) = decoder(file)?;
        let mut reader = TarReader::over(ByteInput::of_stream(stream));
        let next = reader.next();
        reader.input().failure()?;
        let next = next?;
        let input = reader.input();
        if next.is_none() && input.position() == 0 && input.window().is_empty() {
            return Err(Error::new(Kind::Corrupt, "read the archive: it is empty"));
        }
        Ok(Self { reader, next })
    }

    fn advance(&mut self) -> Result<()> {
        let next = self.reader.next();
        self.reader.input().failure()?; // a stream that broke reads like one that ended
        self.next = next?;
        Ok(())
    }
}

/// Extracts `archive` into the directory `below` of `root`, which is resolved in `root` as links in the archive are.
pub fn extract(
    mut archive: Archive,
    root: OwnedFd,
    below: &str,
    manner: Manner,
) -> Result<PassedOver> {
    let mut extractor = Extractor {
        tree: Tree::of(root),
        below: below.as_bytes().to_vec(),
        placer: Placer::new(manner),
        directories: BTreeMap::new(),
        passed: PassedOver::default(),
    };
    while let Some(member) = archive.next.take() {
        extractor.add(&member, &mut archive.reader)?;
        archive.advance()?;
    }
    extractor.finish()
}

struct Extractor {
    tree: Tree,
    below: Vec<u8>,
    placer: Placer,
    /// What a directory gets when nothing will be put into it any more.
    directories: BTreeMap<Vec<u8>, (Meta, Attributes)>,
    passed: PassedOver,
}

impl Extractor {
    fn add(&mut self, member: &Member, reader: &mut TarReader<ByteInput>) -> Result<()> {
        let path = self.path_of(&member.path)?;
        let shown = || String::from_utf8_lossy(&path).into_owned();
        if path == self.below || path.is_empty() {
            return Ok(()); // the directory itself, which is there
        }
        let meta = Meta {
            mode: member.mode & 0o7777,
            uid: member.uid,
            gid: member.gid,
            mtime: member.mtime,
        };
        if member.kind == MemberKind::Device {
            self.passed.devices += 1;
            self.passed.first.get_or_insert_with(shown);
            return Ok(());
        }
        let linked = match &member.kind {
            MemberKind::HardLink(target) => Some(self.path_of(target)?),
            _ => None,
        };
        let tried = |errno| worded(errno, &shown());
        let place = self.tree.place(&path).map_err(tried)?;
        let (dir, name) = (place.dir(), place.name.as_c_str());
        match &member.kind {
            MemberKind::Directory => {
                drop(self.placer.directory(dir, name).map_err(tried)?);
                let attributes = chosen(&member.xattrs);
                self.directories.insert(path.clone(), (meta, attributes));
            }
            MemberKind::Symlink(target) => {
                let target = CString::new(target.as_slice()).map_err(|_| tried(Errno::INVAL))?;
                self.placer.link(dir, name, &target, &meta).map_err(tried)?;
                self.tree.forget();
            }
            MemberKind::Fifo => self.placer.fifo(dir, name, &meta).map_err(tried)?,
            MemberKind::HardLink(_) => {
                let first = self.tree.existing(linked.as_deref().unwrap_or_default());
                let first = first.map_err(tried)?;
                let flags = AtFlags::empty();
                self.placer
                    .make(dir, name, || {
                        linkat(first.dir(), &first.name, dir, name, flags)
                    })
                    .map_err(tried)?;
            }
            MemberKind::File => {
                let file = self.placer.file(dir, name, None).map_err(tried)?;
                write(&file, &[(0, member.size)], reader)?;
                let attributes = chosen(&member.xattrs);
                let done = self.placer.finish(file.as_fd(), &meta, &attributes);
                done.map_err(tried)?;
            }
            MemberKind::Sparse { ranges, size } => {
                let file = self.placer.file(dir, name, None).map_err(tried)?;
                write(&file, ranges, reader)?;
                ftruncate(&file, *size).map_err(tried)?;
                let attributes = chosen(&member.xattrs);
                let done = self.placer.finish(file.as_fd(), &meta, &attributes);
                done.map_err(tried)?;
            }
            MemberKind::Device => {}
        }
        Ok(())
    }

    /// From the tree's root.
    fn path_of(&self, path: &[u8]) -> Result<Vec<u8>> {
        let Some(path) = clean(path) else {
            let shown = String::from_utf8_lossy(path).into_owned();
            return Err(Error::new(
                Kind::Corrupt,
                format!("refuse the archive: {shown:?} leads out of it"),
            ));
        };
        Ok(match (self.below.is_empty(), path.is_empty()) {
            (true, _) => path,
            (false, true) => self.below.clone(),
            (false, false) => [&self.below[..], b"/", &path].concat(),
        })
    }

    fn finish(mut self) -> Result<PassedOver> {
        for (path, (meta, attributes)) in std::mem::take(&mut self.directories).into_iter().rev() {
            let finished = self.tree.existing(&path).and_then(|place| {
                let name = OsStr::from_bytes(place.name.to_bytes());
                match openat(place.dir(), name, DIR, Mode::empty()) {
                    // A later member took its place, or somebody else did.
                    Err(Errno::NOTDIR | Errno::LOOP | Errno::NOENT) => Ok(()),
                    dir => self.placer.finish(dir?.as_fd(), &meta, &attributes),
                }
            });
            finished.map_err(|errno| worded(errno, &String::from_utf8_lossy(&path)))?;
        }
        Ok(self.passed)
    }
}

fn write(file: &OwnedFd, ranges: &[(u64, u64)], reader: &mut TarReader<ByteInput>) -> Result<()> {
    for &(start, length) in ranges {
        let mut at = start;
        while at < start + length {
            let bytes = reader.content(start + length - at)?;
            let mut rest = bytes;
            if rest.is_empty() {
                return Err(Error::new(Kind::Corrupt, "read the archive: it is cut off"));
            }
            while !rest.is_empty() {
                match rustix::io::pwrite(file, rest, at) {
                    Err(Errno::INTR) => {}
                    done => {
                        let done = done.tried(|| "write a file of the archive")?;
                        at += done as u64;
                        rest = &rest[done..];
                    }
                }
            }
        }
    }
    Ok(())
}
