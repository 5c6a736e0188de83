//! Sets of files by name: a directory, or an archive of files (an image in a tar, not a layer).
//!
//! An archive that is a plain regular file is read where it lies: one pass over its headers, then any member in any
//! order. What cannot be sought in (a pipe, a compressed file) is read once and its members are kept in a file
//! without a name in `staging`, which vanishes with the process. Names never reach the file system: a member is
//! found in a table, links between members are followed in that table, and a directory is opened beneath itself.

mod decode;
pub(super) mod input;
mod spool;
mod target;
mod write;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::Store;
use super::unpack::tar::{MemberKind, TarReader};
use super::unpack::tree::clean;
use crate::error::{Error, Kind, Result, Tried};

pub use decode::{Compression, decoder, layer_bytes};
use input::ByteInput;
pub use target::{Fresh, Target};
pub use write::{ArchiveWriter, pump};

/// Members and bytes of names: more is no image's.
const MAX_MEMBERS: usize = 100_000;
const MAX_NAMES: usize = 16 << 20;
/// Links that lead to links.
const MAX_LINKS: usize = 8;

/// A file, or the part of one that is a member of an archive.
#[derive(Debug, Clone)]
pub struct Part {
    pub file: Arc<File>,
    pub offset: u64,
    pub size: u64,
}

impl Part {
    /// Reads at `at` from the part's beginning; 0 at its end.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let left = self.size.saturating_sub(at);
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        match self.file.read_at(&mut buffer[..most], self.offset + at)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()), // somebody shortened the file
            got => Ok(got),
        }
    }

    /// The part as a stream.
    pub fn reader(&self) -> PartReader {
        PartReader {
            part: self.clone(),
            at: 0,
        }
    }
}

/// Reads a [`Part`] from its beginning.
#[derive(Debug)]
pub struct PartReader {
    part: Part,
    at: u64,
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.part.read_at(buffer, self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

/// Files by name. Nothing of them is checked yet.
#[derive(Debug)]
pub struct FileSet {
    from: From,
}

#[derive(Debug)]
enum From {
    Directory(OwnedFd),
    Archive {
        file: Arc<File>,
        members: HashMap<Vec<u8>, Member>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    File {
        offset: u64,
        size: u64,
    },
    /// The name it means, cleaned.
    Link(Vec<u8>),
    /// Two members have this name: two readers would see different ones.
    Twice,
    Other,
}

impl FileSet {
    /// The files of a directory.
    pub fn of_directory(path: &Path) -> Result<Self> {
        let tried = || format!("open \"{}\"", path.display());
        let dir = File::open(path).tried(tried)?;
        if !dir.metadata().tried(tried)?.is_dir() {
            return Err(Error::os(nix::errno::Errno::ENOTDIR, tried()));
        }
        Ok(Self {
            from: From::Directory(dir.into()),
        })
    }

    /// The regular file of that name; `None` when there is none.
    pub fn find(&self, name: &str) -> Result<Option<Part>> {
        match &self.from {
            From::Directory(dir) => find_beneath(dir, name),
            From::Archive { file, members } => find_member(file, members, name),
        }
    }

    /// The content of a small file, at most `most` bytes.
    pub fn read(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let Some(part) = self.find(name)? else {
            return Ok(None);
        };
        if part.size > most {
            return Err(refuse(format!(
                "\"{name}\" has {} bytes, more than {most}",
                part.size
            )));
        }
        let mut content = Vec::with_capacity(usize::try_from(part.size).unwrap_or_default());
        part.reader()
            .read_to_end(&mut content)
            .tried(|| format!("read \"{name}\""))?;
        Ok(Some(content))
    }
}

impl Store {
    /// Lists the members of an archive, compressed or not, from a file or a pipe.
    pub fn open_archive(&self, file: File) -> Result<FileSet> {
        let found = file.metadata().tried(|| "look at the archive")?;
        let mut head = [0; 6];
        if found.is_file() {
            let got = read_head(&file, &mut head)?;
            if Compression::sniff(&head[..got]) == Compression::None {
                let input =
                    ByteInput::of_file(file.try_clone().tried(|| "open the archive")?, found.len());
                let members = list(input, None)?;
                return Ok(FileSet {
                    from: From::Archive {
                        file: Arc::new(file),
                        members,
                    },
                });
            }
        }
        let mut spool = self.spool()?;
        let (stream, compressed) = decoder(file)?;
        let input = ByteInput::of_stream(stream);
        let members = list(input, Some((&mut spool, &compressed)))?;
        Ok(FileSet {
            from: From::Archive {
                file: Arc::new(spool.into_file()),
                members,
            },
        })
    }
}

fn read_head(file: &File, head: &mut [u8]) -> Result<usize> {
    let mut got = 0;
    while got < head.len() {
        match file.read_at(&mut head[got..], got as u64) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(Error::io(&err, "read the archive")),
        }
    }
    Ok(got)
}

/// Lists the members; with a spool their contents go there.
fn list(
    input: ByteInput,
    mut spool: Option<(&mut spool::Spool, &decode::Counter)>,
) -> Result<HashMap<Vec<u8>, Member>> {
    let mut reader = TarReader::over(input);
    let mut members = HashMap::new();
    let mut names = 0;
    loop {
        let next = reader.next();
        reader.input().failure()?; // what could not be read explains why the archive seemed to end
        let Some(member) = next? else {
            return Ok(members);
        };
        let name = name_of(&member.path)?;
        names += name.len();
        if members.len() >= MAX_MEMBERS || names > MAX_NAMES {
            return Err(refuse("it has more members than an image has".to_owned()));
        }
        let entry = match member.kind {
            MemberKind::File => {
                let offset = match &mut spool {
                    None => {
                        let offset = reader.input().position();
                        if !reader.input().holds(member.size) {
                            return Err(refuse("it ends in the middle of a member".to_owned()));
                        }
                        offset
                    }
                    Some((spool, compressed)) => {
                        let offset = spool.len();
                        loop {
                            let bytes = reader.content(spool::STEP)?;
                            if bytes.is_empty() {
                                break;
                            }
                            spool.append(bytes, compressed.count())?;
                        }
                        offset
                    }
                };
                Member::File {
                    offset,
                    size: member.size,
                }
            }
            MemberKind::Symlink(target) => match link_target(&name, &target) {
                Some(target) => Member::Link(target),
                None => Member::Other, // leads out of the archive: nothing to be found there
            },
            MemberKind::HardLink(target) => Member::Link(name_of(&target)?),
            MemberKind::Directory => continue,
            _ => Member::Other,
        };
        members
            .entry(name)
            .and_modify(|known| *known = Member::Twice)
            .or_insert(entry);
    }
}

fn name_of(path: &[u8]) -> Result<Vec<u8>> {
    clean(path).ok_or_else(|| {
        let name = String::from_utf8_lossy(path).into_owned();
        refuse(format!("its member \"{name}\" leads out of it"))
    })
}

/// What a symbolic link of the archive means, as if the archive were unpacked alone.
fn link_target(name: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    if target.starts_with(b"/") {
        return None;
    }
    let parent = name.iter().rposition(|byte| *byte == b'/');
    let mut path = name[..parent.map_or(0, |at| at + 1)].to_vec();
    path.extend_from_slice(target);
    clean(&path)
}

fn find_member(
    file: &Arc<File>,
    members: &HashMap<Vec<u8>, Member>,
    name: &str,
) -> Result<Option<Part>> {
    let mut wanted = match clean(name.as_bytes()) {
        Some(wanted) => wanted,
        None => return Ok(None),
    };
    for _ in 0..=MAX_LINKS {
        match members.get(&wanted) {
            None => return Ok(None),
            Some(Member::File { offset, size }) => {
                return Ok(Some(Part {
                    file: file.clone(),
                    offset: *offset,
                    size: *size,
                }));
            }
            Some(Member::Link(target)) => wanted.clone_from(target),
            Some(Member::Twice) => {
                return Err(refuse(format!("it has two members named \"{name}\"")));
            }
            Some(Member::Other) => {
                return Err(refuse(format!("its member \"{name}\" is no regular file")));
            }
        }
    }
    Err(refuse(format!(
        "its member \"{name}\" is a circle of links"
    )))
}

fn find_beneath(dir: &OwnedFd, name: &str) -> Result<Option<Part>> {
    let tried = || format!("open \"{name}\"");
    // Not blocking: a FIFO of that name must not hold us.
    let opened = openat2(
        dir,
        name,
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
    );
    let file = match opened {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(None),
        Err(err) => return Err(Error::io(&err.into(), tried())),
    };
    let found = file.metadata().tried(tried)?;
    if !found.is_file() {
        return Err(refuse(format!("\"{name}\" is no regular file")));
    }
    Ok(Some(Part {
        size: found.len(),
        offset: 0,
        file: Arc::new(file),
    }))
}

fn refuse(why: String) -> Error {
    Error::new(Kind::Corrupt, format!("refuse the archive: {why}"))
}
