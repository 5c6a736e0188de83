//! The receiving side: what comes over the wire into a tree.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, fstat, linkat, openat2};
use rustix::io::Errno;

use super::place::{Placer, attributes, worded};
use super::resolve::{Root, Spot};
use super::wire::{Message, Meta, Wire};
use super::{Manner, Named};
use crate::error::{Error, Kind, Result, Tried};
use crate::storage::pack::walk::Descent;

/// Takes what is sent to where `named.path` leads, by the rules of `podman cp`:
///
/// | sent | the path is | then |
/// | --- | --- | --- |
/// | directory | a directory | it comes in there, or what is in it |
/// | directory | missing, in a directory | it is made of that name |
/// | directory | anything else | refused |
/// | file | a directory | it comes in there |
/// | file | missing, or no directory | it gets that name |
///
/// `manner` is asked once it is known that something comes. `link_at_end`: a link that leads to nothing is replaced,
/// not followed.
pub fn receive(
    wire: &Wire,
    root: &Root,
    named: &Named,
    replace_link: bool,
    manner: impl FnOnce(&Root) -> Result<Manner>,
) -> Result<()> {
    let (top, _) = wire.receive()?;
    let Message::Top {
        directory,
        contents,
        name,
    } = top
    else {
        return Err(nonsense());
    };
    let spot = root
        .resolve(named.path.as_bytes(), !replace_link)
        .map_err(|errno| named.not_found(errno))?;
    let placer = Placer::new(manner(root)?);
    match (directory, spot) {
        (true, Spot::Other { .. }) => Err(Error::usage(
            "destination must be a directory when copying a directory",
        )),
        (true, Spot::Directory { dir, stat, .. }) if contents => {
            wire.tell_target(&stat)?;
            Receiver::new(placer, wire, dir, shown(named, c""), None)?.run()
        }
        (true, Spot::Directory { dir, .. }) => {
            directory_at(wire, placer, &dir, &name, &shown(named, &name))
        }
        (true, Spot::Missing { dir, name }) => {
            directory_at(wire, placer, &dir, &name, &shown(named, c""))
        }
        (false, Spot::Directory { dir, .. }) => {
            lone(wire, placer, &dir, &name, &shown(named, &name))
        }
        (false, Spot::Other { dir, name, .. } | Spot::Missing { dir, name }) => {
            lone(wire, placer, &dir, &name, &shown(named, c""))
        }
    }
}

/// Refuses a path that is no directory: a tar can go nowhere else.
pub fn check_directory(root: &Root, named: &Named) -> Result<()> {
    match root.resolve(named.path.as_bytes(), true) {
        Ok(Spot::Directory { .. }) => Ok(()),
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Err(Error::usage(
            "destination must be a directory when copying from stdin",
        )),
        Err(errno) => Err(named.not_found(errno)),
    }
}

fn directory_at(
    wire: &Wire,
    placer: Placer,
    dir: &OwnedFd,
    name: &CStr,
    shown: &str,
) -> Result<()> {
    let made = placer.directory(dir.as_fd(), name);
    let made = made.map_err(|errno| worded(errno, shown))?;
    let stat = fstat(&made).tried(|| format!("look at {shown:?}"))?;
    wire.tell_target(&stat)?;
    Receiver::new(placer, wire, made, shown.to_owned(), Some(()))?.run()
}

/// Takes one file.
fn lone(wire: &Wire, mut placer: Placer, dir: &OwnedFd, name: &CStr, shown: &str) -> Result<()> {
    let tried = |errno| worded(errno, shown);
    match wire.receive()? {
        (Message::File { meta, .. }, Some(from)) => {
            put_file(&mut placer, dir, name, &meta, &from).map_err(tried)?;
        }
        (Message::Fifo { meta, .. }, None) => {
            placer.fifo(dir.as_fd(), name, &meta).map_err(tried)?;
        }
        _ => return Err(nonsense()),
    }
    match wire.receive()?.0 {
        Message::End => Ok(()),
        _ => Err(nonsense()),
    }
}

fn put_file(
    placer: &mut Placer,
    dir: impl AsFd,
    name: &CStr,
    meta: &Meta,
    from: &OwnedFd,
) -> Result<(), Errno> {
    let stat = fstat(from)?;
    let to = placer.file(dir.as_fd(), name, Some(&stat))?;
    placer.content.copy(from.as_fd(), to.as_fd(), &stat)?;
    placer.finish(to.as_fd(), meta, &attributes(from))
}

struct Receiver<'a> {
    wire: &'a Wire,
    placer: Placer,
    /// A second handle on the uppermost directory.
    top: OwnedFd,
    down: Descent,
    /// From the uppermost directory down to where we are.
    path: Vec<u8>,
    /// What every directory on the way, the uppermost one first, gets at its end. `None` for one that stays as it is.
    ends: Vec<Option<(Meta, OwnedFd)>>,
    /// The first name of files that have several.
    links: HashMap<u32, Vec<u8>>,
    shown: String,
    /// The uppermost directory gets what the sender's has.
    dressed: bool,
}

impl<'a> Receiver<'a> {
    fn new(
        placer: Placer,
        wire: &'a Wire,
        dir: OwnedFd,
        shown: String,
        dressed: Option<()>,
    ) -> Result<Self> {
        let tried = || format!("look at {shown:?}");
        let stat = fstat(&dir).tried(tried)?;
        Ok(Self {
            wire,
            placer,
            top: dir.try_clone().tried(tried)?,
            down: Descent::new(dir, &stat),
            path: Vec::new(),
            ends: Vec::new(),
            links: HashMap::new(),
            shown,
            dressed: dressed.is_some(),
        })
    }

    fn run(mut self) -> Result<()> {
        loop {
            let (message, fd) = self.wire.receive()?;
            let name = match &message {
                Message::File { name, .. }
                | Message::Enter { name, .. }
                | Message::Link { name, .. }
                | Message::Fifo { name, .. } => name.clone(),
                _ => CString::default(),
            };
            let done = match (message, fd) {
                (Message::Enter { meta, .. }, Some(from)) => self.enter(&name, meta, from),
                (Message::Leave, None) => self.leave(),
                (Message::File { meta, number, .. }, Some(from)) => {
                    self.file(&name, &meta, number, &from)
                }
                (Message::Link { meta, target, .. }, None) => {
                    self.placer.link(self.down.top(), &name, &target, &meta)
                }
                (Message::Fifo { meta, .. }, None) => {
                    self.placer.fifo(self.down.top(), &name, &meta)
                }
                (Message::End, None) => return Ok(()),
                _ => return Err(nonsense()),
            };
            done.map_err(|errno| worded(errno, &self.shown_at(&name)))?;
        }
    }

    fn enter(&mut self, name: &CStr, meta: Meta, from: OwnedFd) -> Result<(), Errno> {
        if self.ends.is_empty() {
            self.ends.push(self.dressed.then_some((meta, from)));
            return Ok(());
        }
        let made = self.placer.directory(self.down.top(), name)?;
        let stat = fstat(&made)?;
        self.down.down(made, &stat);
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(name.to_bytes());
        self.ends.push(Some((meta, from)));
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Errno> {
        if let Some(Some((meta, from))) = self.ends.pop() {
            let attributes = attributes(&from);
            self.placer.finish(self.down.top(), &meta, &attributes)?;
        }
        if self.ends.is_empty() {
            return Ok(());
        }
        self.down.up()?;
        let up = self.path.iter().rposition(|byte| *byte == b'/');
        self.path.truncate(up.unwrap_or(0));
        Ok(())
    }

    fn file(&mut self, name: &CStr, meta: &Meta, number: u32, from: &OwnedFd) -> Result<(), Errno> {
        if number != 0 && self.links.contains_key(&number) && self.link_again(name, number)? {
            return Ok(());
        }
        let dir = self.down.top();
        put_file(&mut self.placer, dir, name, meta, from)?;
        if number != 0 {
            let mut path = self.path.clone();
            path.push(b'/');
            path.extend_from_slice(name.to_bytes());
            self.links.insert(number, path);
        }
        Ok(())
    }

    /// Gives the copy of an earlier name this name, too. `false`: it is not there any more, or can have no more names.
    fn link_again(&mut self, name: &CStr, number: u32) -> Result<bool, Errno> {
        let Some(first) = self.links.get(&number) else {
            return Ok(false);
        };
        let (parent, first) = match first.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&first[..at], &first[at + 1..]),
            None => (&b""[..], &first[..]),
        };
        let parent = match parent {
            b"" => b".",
            parent => parent,
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let parent = OsStr::from_bytes(parent);
        let Ok(dir) = openat2(&self.top, parent, flags, Mode::empty(), beneath) else {
            return Ok(false);
        };
        let top = self.down.top();
        let linked = self.placer.make(top, name, || {
            linkat(&dir, first, top, name, AtFlags::empty())
        });
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::NOENT | Errno::MLINK | Errno::PERM | Errno::XDEV) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    fn shown_at(&self, name: &CStr) -> String {
        let mut shown = self.shown.clone();
        for part in [&self.path[..], name.to_bytes()] {
            if !part.is_empty() {
                if !shown.ends_with('/') {
                    shown.push('/');
                }
                shown.push_str(&String::from_utf8_lossy(part));
            }
        }
        shown
    }
}

fn shown(named: &Named, name: &CStr) -> String {
    match name.is_empty() {
        true => named.path.clone(),
        false => format!(
            "{}/{}",
            named.path.trim_end_matches('/'),
            name.to_string_lossy()
        ),
    }
}

fn nonsense() -> Error {
    Error::new(
        Kind::System,
        "copy: the other side sent what nobody asked for",
    )
}
