//! The sending side: what a path names, over the wire or as a tar.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::resolve::{Root, Spot};
use super::wire::{Message, Meta, Wire};
use super::{Named, PassedOver};
use crate::error::{Error, Kind, Result, Tried};
use crate::storage::pack::owners::{Owners, Shift};
use crate::storage::pack::sink::ToFile;
use crate::storage::pack::tar::{Marks, TarWriter};
use crate::storage::pack::walk::{Found, Visit, What, walk};

/// What `/` of a container has from the kernel: no part of a copy of all of it.
const OF_KERNEL: &[&[u8]] = &[b"dev", b"proc", b"sys"];

/// What a path names, open.
#[derive(Debug)]
pub struct Source {
    what: Opened,
    /// What the copy is called where its receiver does not say.
    name: CString,
    /// The directory's contents are meant, and where they go is a directory, too.
    contents: bool,
    excluded: &'static [&'static [u8]],
}

#[derive(Debug)]
enum Opened {
    Directory(OwnedFd),
    File(OwnedFd, Stat),
    Fifo(Stat),
}

impl Source {
    /// Opens what `named.path` leads to. `typed_name`: the copy is called as its link is, not as what that leads to.
    pub fn open(root: &Root, named: &Named, typed_name: bool) -> Result<Self> {
        let path = named.path.as_bytes();
        let not_found = |errno| named.not_found(errno);
        let spot = root.resolve(path, true).map_err(not_found)?;
        let last = path.split(|b| *b == b'/').rfind(|part| !part.is_empty());
        let typed = last.filter(|part| typed_name && !matches!(*part, b"." | b".."));
        let called = |name: CString| match typed.map(CString::new) {
            Some(Ok(typed)) => typed,
            _ => name,
        };
        match spot {
            Spot::Missing { .. } => Err(not_found(Errno::NOENT)),
            Spot::Directory { dir, name, .. } => {
                let contents = name.is_none();
                let is_root = matches!(root, Root::Within(_)) && last.is_none();
                Ok(Self {
                    what: Opened::Directory(dir),
                    name: called(name.unwrap_or_default()),
                    contents,
                    excluded: if is_root { OF_KERNEL } else { &[] },
                })
            }
            Spot::Other { dir, name, stat } => Ok(Self {
                what: open_other(&dir, &name, &stat, named)?,
                name: called(name),
                contents: false,
                excluded: &[],
            }),
        }
    }

    /// What is in the directory `dir`.
    pub fn contents_of(dir: OwnedFd) -> Self {
        Self {
            what: Opened::Directory(dir),
            name: CString::default(),
            contents: true,
            excluded: &[],
        }
    }
}

fn open_other(dir: &OwnedFd, name: &CString, stat: &Stat, named: &Named) -> Result<Opened> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Fifo {
        return Ok(Opened::Fifo(*stat));
    }
    // Opening a device may do something by itself.
    if kind == FileType::RegularFile {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = openat(dir, name, flags, Mode::empty())
            .and_then(|file| fstat(&file).map(|stat| (file, stat)));
        let (file, stat) =
            opened.tried(|| format!("copy {:?} {}: open it", named.path, named.place))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            return Ok(Opened::File(file, stat));
        }
    }
    Err(Error::new(
        Kind::Unsupported,
        format!(
            "copy {:?} {}: it is a device or a socket, which only its own host has",
            named.path, named.place
        ),
    ))
}

/// Opens what `named` says and sends it; what fails is told to the receiver as well.
pub fn send(wire: &Wire, root: &Root, named: &Named, typed_name: bool) -> Result<PassedOver> {
    let sent = Source::open(root, named, typed_name).and_then(|source| send_source(wire, source));
    if let Err(err) = &sent {
        let _ = wire.send(&Message::Failed(err.clone()), None); // a receiver that is gone wants no reason
    }
    sent
}

fn send_source(wire: &Wire, source: Source) -> Result<PassedOver> {
    let mut sender = Sender {
        wire,
        numbers: HashMap::new(),
        passed: PassedOver::default(),
        excluded: source.excluded,
        target: None,
        into_itself: None,
    };
    let top = Message::Top {
        directory: matches!(source.what, Opened::Directory(_)),
        contents: source.contents,
        name: source.name.clone(),
    };
    let sent = sender.tell(&top, None).and_then(|()| {
        match source.what {
            Opened::Directory(dir) => {
                sender.target = wire.hear_target()?;
                walk(dir, &mut sender)?;
            }
            Opened::File(file, stat) => sender.file(c"".into(), &file, &stat)?,
            Opened::Fifo(stat) => {
                let (name, meta) = (c"".into(), Meta::of(&stat));
                sender.tell(&Message::Fifo { name, meta }, None)?;
            }
        }
        sender.tell(&Message::End, None)
    });
    match (sent, sender.into_itself) {
        (Err(err), _) if err.errno() == Some(nix::errno::Errno::EPIPE) => Ok(sender.passed), // the receiver knows
        (Err(err), _) => Err(err),
        (Ok(()), Some(path)) => Err(Error::new(
            Kind::State,
            format!("cannot copy a directory into itself: left out \"{path}\""),
        )),
        (Ok(()), None) => Ok(sender.passed),
    }
}

/// Writes what `named` says as a tar, all of it owned by `owner`, or as it is.
pub fn write_tar(source: Source, owner: Option<(u32, u32)>, to: OwnedFd) -> Result<PassedOver> {
    let owners = match owner {
        Some((uid, gid)) => Owners::One(uid, gid),
        None => Owners::Files(Shift::none()),
    };
    let mut sink = ToFile::new(to);
    let name = match source.contents {
        true => CString::default(),
        false => source.name,
    };
    let mut writer =
        TarWriter::new(&mut sink, owners, Marks::Dropped).called(name.as_bytes(), source.excluded);
    match source.what {
        Opened::Directory(dir) => walk(dir, &mut writer)?,
        Opened::File(file, stat) => {
            let owner = owner.unwrap_or((stat.st_uid, stat.st_gid));
            writer.lone_file(name.as_bytes(), &file, &stat, owner)?;
        }
        Opened::Fifo(_) => {
            let text = "write a FIFO as an archive: copy it to a file instead";
            return Err(Error::new(Kind::Unsupported, text));
        }
    }
    let left = writer.finish()?.left;
    Ok(PassedOver {
        sockets: left.sockets,
        devices: left.devices,
        first: left.first,
    })
}

struct Sender<'a> {
    wire: &'a Wire,
    /// Numbers of files that have several names.
    numbers: HashMap<(u64, u64), u32>,
    passed: PassedOver,
    excluded: &'static [&'static [u8]],
    /// The directory that receives, where it might lie in what is sent.
    target: Option<(u64, u64)>,
    into_itself: Option<String>,
}

impl Sender<'_> {
    fn tell(&self, message: &Message, fd: Option<BorrowedFd<'_>>) -> Result<()> {
        self.wire.send(message, fd).tried(|| "copy")
    }

    fn file(&mut self, name: CString, file: &OwnedFd, stat: &Stat) -> Result<()> {
        let number = match stat.st_nlink {
            0 | 1 => 0,
            _ => {
                let next = u32::try_from(self.numbers.len() + 1).unwrap_or(0);
                let key = (stat.st_dev, stat.st_ino);
                *self.numbers.entry(key).or_insert(next)
            }
        };
        let meta = Meta::of(stat);
        self.tell(&Message::File { name, meta, number }, Some(file.as_fd()))
    }

    fn pass_over(&mut self, path: &[u8], socket: bool) {
        match socket {
            true => self.passed.sockets += 1,
            false => self.passed.devices += 1,
        }
        if self.passed.first.is_none() {
            self.passed.first = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
}

fn last(path: &[u8]) -> CString {
    CString::new(crate::storage::pack::copy::last(path)).unwrap_or_default() // a name has no NUL
}

impl Visit for Sender<'_> {
    fn skips(&mut self, path: &[u8]) -> bool {
        self.excluded.contains(&path)
    }

    fn enter(&mut self, found: &Found<'_>) -> Result<()> {
        let name = last(found.path);
        let meta = Meta::of(&found.stat);
        match &found.what {
            What::Directory(dir) => self.tell(&Message::Enter { name, meta }, Some(*dir)),
            What::File => match found.open()? {
                Some((file, stat)) => self.file(name, &file, &stat),
                None => Ok(()), // gone since the directory was listed
            },
            What::Symlink(target) => {
                let target = target.clone();
                self.tell(&Message::Link { name, meta, target }, None)
            }
            What::Fifo => self.tell(&Message::Fifo { name, meta }, None),
            What::Socket => {
                self.pass_over(found.path, true);
                Ok(())
            }
            What::Device(_) | What::Whiteout => {
                self.pass_over(found.path, false);
                Ok(())
            }
        }
    }

    fn prunes(&mut self, found: &Found<'_>) -> bool {
        let is_target = self.target == Some((found.stat.st_dev, found.stat.st_ino));
        if is_target {
            self.into_itself = Some(String::from_utf8_lossy(found.path).into_owned());
        }
        is_target
    }

    fn leave(&mut self, _directory: &Found<'_>) -> Result<()> {
        self.tell(&Message::Leave, None)
    }
}
