//! A tree becomes a tar. Runs in: worker.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::{Stat, fgetxattr, flistxattr};
use rustix::io::Errno;

use super::header::{BLOCK, Header, end};
use super::owners::Owners;
use super::walk::{Found, Visit, What, failed};
use super::{Left, Packed};
use crate::error::Result;

/// Bytes handed on at a time, and what buffers hold: a header more.
const CHUNK: usize = 512 << 10;
pub(in crate::storage) const BUFFER: usize = CHUNK + 64 * BLOCK;
/// What an xattr may hold (`XATTR_SIZE_MAX`).
const XATTR_MAX: usize = 64 << 10;

const OPAQUE: &std::ffi::CStr = c"user.overlay.opaque";

/// Names and values.
pub(in crate::storage) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Where the bytes of a tar go.
pub(in crate::storage) trait Sink {
    /// Takes the bytes and gives back an empty buffer, which may be the same.
    fn take(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// Nothing follows.
    fn finish(&mut self) -> Result<()>;
}

/// What overlay's marks for removed names become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) enum Marks {
    /// `.wh.NAME` and `.wh..wh..opq` (image-spec `layer.md`, Whiteouts).
    Whiteouts,
    /// Nothing: the tree stands alone.
    Dropped,
}

/// Writes every name of a walk.
pub(in crate::storage) struct TarWriter<'a> {
    sink: &'a mut dyn Sink,
    owners: Owners,
    marks: Marks,
    /// What the root is called in the tar; empty: what is in it stands alone. `None`: a layer.
    called: Option<Vec<u8>>,
    /// Names directly in the root that stay out.
    excluded: &'static [&'static [u8]],
    buffer: Vec<u8>,
    /// First name of files that have several.
    links: HashMap<(u64, u64), Vec<u8>>,
    written: u64,
    done: Packed,
}

impl<'a> TarWriter<'a> {
    pub(in crate::storage) fn new(sink: &'a mut dyn Sink, owners: Owners, marks: Marks) -> Self {
        Self {
            sink,
            owners,
            marks,
            called: None,
            excluded: &[],
            buffer: Vec::with_capacity(BUFFER),
            links: HashMap::new(),
            written: 0,
            done: Packed::default(),
        }
    }

    /// Puts everything below the directory `name`, less `excluded`.
    pub(in crate::storage) fn called(
        mut self,
        name: &[u8],
        excluded: &'static [&'static [u8]],
    ) -> Self {
        self.called = Some(name.to_vec());
        self.excluded = excluded;
        self
    }

    /// A name of the tree as the tar has it.
    fn path_of(&self, path: &[u8]) -> Vec<u8> {
        match self.called.as_deref() {
            None | Some(b"") => path.to_vec(),
            Some(name) if path.is_empty() => name.to_vec(),
            Some(name) => [name, b"/", path].concat(),
        }
    }

    /// A file that stands alone.
    pub(in crate::storage) fn lone_file(
        &mut self,
        name: &[u8],
        file: &OwnedFd,
        stat: &Stat,
        owner: (u32, u32),
    ) -> Result<()> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let xattrs = xattrs(file.as_fd(), name)?;
        self.header(&Header {
            path: name,
            kind: b'0',
            link: b"",
            mode: stat.st_mode,
            uid: owner.0,
            gid: owner.1,
            size,
            mtime: mtime(stat),
            device: (0, 0),
            xattrs: &xattrs,
        })?;
        self.content(file, size, name)
    }

    pub(in crate::storage) fn finish(mut self) -> Result<Packed> {
        end(&mut self.buffer);
        self.hand_on()?;
        self.sink.finish()?;
        self.done.tar_size = self.written;
        Ok(self.done)
    }

    fn hand_on(&mut self) -> Result<()> {
        self.written += self.buffer.len() as u64;
        self.buffer = self.sink.take(std::mem::take(&mut self.buffer))?;
        Ok(())
    }

    fn header(&mut self, header: &Header<'_>) -> Result<()> {
        header.write(&mut self.buffer);
        self.done.entries += 1;
        if self.buffer.len() >= CHUNK {
            self.hand_on()?;
        }
        Ok(())
    }

    /// Exactly `size` bytes of `file`, and the padding: a file that became shorter meanwhile goes on with zeros.
    fn content(&mut self, file: &OwnedFd, size: u64, path: &[u8]) -> Result<()> {
        let mut left = size;
        while left > 0 {
            let start = self.buffer.len();
            let got = match rustix::io::read(file, spare_capacity(&mut self.buffer)) {
                Err(Errno::INTR) => continue,
                got => got.map_err(|errno| failed("read", path, errno))?,
            };
            let room = usize::try_from(left).unwrap_or(usize::MAX);
            match got {
                0 => {
                    let zeros = self.buffer.capacity() - start;
                    self.buffer.resize(start + zeros.min(room), 0);
                }
                // It grew since it was looked at: the header has said how long it is.
                got => self.buffer.truncate(start + got.min(room)),
            }
            left -= (self.buffer.len() - start) as u64;
            if self.buffer.len() >= CHUNK {
                self.hand_on()?;
            }
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        self.buffer.resize(self.buffer.len() + padding as usize, 0);
        self.done.size += size;
        Ok(())
    }

    fn mark(&mut self, path: &[u8]) -> Result<()> {
        self.header(&Header {
            path,
            kind: b'0',
            link: b"",
            mode: 0o600,
            uid: 0,
            gid: 0,
            size: 0,
            mtime: (0, 0),
            device: (0, 0),
            xattrs: &[],
        })
    }

    fn directory(&mut self, found: &Found<'_>, dir: BorrowedFd<'_>) -> Result<()> {
        let (uid, gid) = self.owners.of(found, &found.stat)?;
        let xattrs = self.owners.attributes(dir, found.path)?;
        let usual = match self.called.as_deref() {
            Some(name) => name.is_empty(),
            None => (found.stat.st_mode & 0o7777, uid, gid) == (0o755, 0, 0) && xattrs.is_empty(),
        };
        // Of the root only what is not as everybody makes it: its times are those of a mount, not of an image.
        if !found.path.is_empty() || !usual {
            let mut path = match self.path_of(found.path) {
                path if path.is_empty() => b".".to_vec(),
                path => path,
            };
            path.push(b'/');
            let mtime = match found.path {
                b"" if self.called.is_none() => (0, 0),
                _ => mtime(&found.stat),
            };
            self.header(&Header {
                path: &path,
                kind: b'5',
                link: b"",
                mode: found.stat.st_mode,
                uid,
                gid,
                size: 0,
                mtime,
                device: (0, 0),
                xattrs: &xattrs,
            })?;
        }
        if self.marks == Marks::Whiteouts && !found.path.is_empty() && is_opaque(dir, found.path)? {
            self.mark(&[found.path, b"/.wh..wh..opq"].concat())?;
        }
        Ok(())
    }

    fn file(&mut self, found: &Found<'_>) -> Result<()> {
        let Some((file, stat)) = found.open()? else {
            return Ok(()); // gone since the directory was listed
        };
        if self.is_link(found, &stat)? {
            return Ok(());
        }
        let (uid, gid) = self.owners.of(found, &stat)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let xattrs = self.owners.attributes(file.as_fd(), found.path)?;
        self.header(&Header {
            path: &self.path_of(found.path),
            kind: b'0',
            link: b"",
            mode: stat.st_mode,
            uid,
            gid,
            size,
            mtime: mtime(&stat),
            device: (0, 0),
            xattrs: &xattrs,
        })?;
        self.content(&file, size, found.path)
    }

    /// Writes a further name of a file that is in the tar already.
    fn is_link(&mut self, found: &Found<'_>, stat: &Stat) -> Result<bool> {
        if stat.st_nlink < 2 {
            return Ok(false);
        }
        let key = (stat.st_dev, stat.st_ino);
        let Some(first) = self.links.get(&key).cloned() else {
            self.links.insert(key, found.path.to_vec());
            return Ok(false);
        };
        let (uid, gid) = self.owners.of(found, stat)?;
        self.header(&Header {
            path: &self.path_of(found.path),
            kind: b'1',
            link: &self.path_of(&first),
            mode: stat.st_mode,
            uid,
            gid,
            size: 0,
            mtime: mtime(stat),
            device: (0, 0),
            xattrs: &[],
        })?;
        Ok(true)
    }

    fn special(&mut self, found: &Found<'_>, kind: u8, link: &[u8]) -> Result<()> {
        if self.is_link(found, &found.stat)? {
            return Ok(());
        }
        let (uid, gid) = self.owners.of(found, &found.stat)?;
        let device = match kind {
            b'3' | b'4' => (
                rustix::fs::major(found.stat.st_rdev),
                rustix::fs::minor(found.stat.st_rdev),
            ),
            _ => (0, 0),
        };
        self.header(&Header {
            path: &self.path_of(found.path),
            kind,
            link,
            mode: found.stat.st_mode,
            uid,
            gid,
            size: 0,
            mtime: mtime(&found.stat),
            device,
            xattrs: &[],
        })
    }
}

impl Visit for TarWriter<'_> {
    fn skips(&mut self, path: &[u8]) -> bool {
        self.excluded.contains(&path)
    }

    fn enter(&mut self, found: &Found<'_>) -> Result<()> {
        match &found.what {
            What::Directory(dir) => self.directory(found, *dir),
            What::File => self.file(found),
            What::Symlink(target) => self.special(found, b'2', target.to_bytes()),
            What::Fifo => self.special(found, b'6', b""),
            What::Device(rustix::fs::FileType::BlockDevice) => self.special(found, b'4', b""),
            What::Device(_) => self.special(found, b'3', b""),
            What::Whiteout if self.marks == Marks::Dropped => Ok(()),
            What::Whiteout => {
                let (dir, name) = match found.path.iter().rposition(|byte| *byte == b'/') {
                    Some(at) => found.path.split_at(at + 1),
                    None => (&[][..], found.path),
                };
                self.mark(&[dir, b".wh.", name].concat())
            }
            What::Socket => {
                self.done.left.add(Left::Socket, found.path);
                Ok(())
            }
        }
    }
}

pub(in crate::storage) fn mtime(stat: &Stat) -> (i64, u32) {
    (
        stat.st_mtime,
        u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
    )
}

pub(in crate::storage) fn is_opaque(dir: BorrowedFd<'_>, path: &[u8]) -> Result<bool> {
    let mut value = [0u8; 8];
    match fgetxattr(dir, OPAQUE, &mut value[..]) {
        Ok(len) => Ok(&value[..len] == b"y"),
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(false),
        Err(errno) => Err(failed("read the attributes of", path, errno)),
    }
}

/// The attributes that travel with an image: `user.*` but overlay's own, and capabilities. Sorted by name.
pub(in crate::storage) fn xattrs(file: BorrowedFd<'_>, path: &[u8]) -> Result<Attributes> {
    let tried = |errno| failed("read the attributes of", path, errno);
    let mut list = vec![0u8; 1024];
    let len = loop {
        match flistxattr(file, &mut list[..]) {
            Ok(0) => return Ok(Vec::new()),
            Ok(len) => break len,
            Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
            Err(Errno::RANGE) if list.len() < XATTR_MAX => list.resize(XATTR_MAX, 0),
            Err(errno) => return Err(tried(errno)),
        }
    };
    let mut names: Vec<&[u8]> = list[..len]
        .split(|byte| *byte == 0)
        .filter(|name| is_kept(name))
        .collect();
    names.sort_unstable();
    let mut found = Vec::with_capacity(names.len());
    let mut value = Vec::new();
    for name in names {
        value.resize(XATTR_MAX, 0);
        match fgetxattr(file, name, &mut value[..]) {
            Ok(len) => found.push((name.to_vec(), value[..len].to_vec())),
            // Taken away meanwhile, or a capability for the root of a namespace that is not ours.
            Err(Errno::NODATA | Errno::OVERFLOW | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(tried(errno)),
        }
    }
    Ok(found)
}

pub(in crate::storage) fn is_kept(xattr: &[u8]) -> bool {
    xattr == b"security.capability"
        || (xattr.starts_with(b"user.") && !xattr.starts_with(b"user.overlay."))
}
