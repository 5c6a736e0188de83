//! A tree becomes a layer: the same names, owners and contents, in overlay's form. Runs in: worker.
//!
//! | in the tree             | in the layer                                                       |
//! | ----------------------- | ------------------------------------------------------------------ |
//! | content                 | copied by the kernel, shared where the file system can; holes stay |
//! | one file, several names | hard links                                                         |
//! | whiteouts, opaque marks | the same, or nothing where the tree stands alone                   |
//! | owners, one id only     | a line in `owners`, as unpacking writes it                         |
//! | sockets, devices        | nothing: they are told                                             |

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags,
    chmodat, chownat, fchmod, fchown, fsetxattr, fstat, fstatvfs, futimens, linkat, mkdirat,
    mknodat, openat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::content::{BUFFER, Content};
use super::owners::Owners;
use super::tar::{Attributes, Marks, is_opaque, mtime};
use super::walk::{Descent, Found, Visit, What, failed, open_dir};
use super::{Left, Leftovers};
use crate::error::{Error, Kind, Result, Tried};
use crate::storage::unpack::Limits;

pub(super) struct Copier {
    /// The new tree, and where in it we are.
    root: OwnedFd,
    down: Descent,
    owners: Owners,
    owners_path: PathBuf,
    owners_file: Option<BufWriter<File>>,
    marks: Marks,
    /// First name of files that have several.
    links: HashMap<(u64, u64), Vec<u8>>,
    content: Content,
    reserve: u64,
    left: Leftovers,
}

impl Copier {
    /// `into`: the staged layer, whose directory `tree` is empty.
    pub(super) fn new(into: &Path, owners: Owners, marks: Marks) -> Result<Self> {
        let tree = into.join("tree");
        let tried = || format!("open \"{}\"", tree.display());
        let open = || {
            openat(
                CWD,
                &tree,
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                Mode::empty(),
            )
        };
        let root = open().tried(tried)?;
        let stat = fstat(&root).tried(tried)?;
        Ok(Self {
            down: Descent::new(open().tried(tried)?, &stat),
            root,
            owners,
            owners_path: into.join("owners"),
            owners_file: None,
            marks,
            links: HashMap::new(),
            content: Content::default(),
            reserve: Limits::default().reserve,
            left: Leftovers::default(),
        })
    }

    pub(super) fn finish(mut self) -> Result<Leftovers> {
        if let Some(owners) = &mut self.owners_file {
            owners.flush().tried(|| "write the layer's owners")?;
        }
        Ok(self.left)
    }

    fn directory(&mut self, found: &Found<'_>) -> Result<()> {
        if found.path.is_empty() {
            return Ok(());
        }
        let name = last(found.path);
        let made = mkdirat(self.down.top(), name, Mode::RWXU)
            .and_then(|()| openat(self.down.top(), name, DIR, Mode::empty()))
            .and_then(|dir| fstat(&dir).map(|stat| (dir, stat)));
        let (dir, stat) = made.map_err(|errno| failed("copy", found.path, errno))?;
        self.down.down(dir, &stat);
        Ok(())
    }

    /// What waits until nothing is put into the directory any more.
    fn finish_directory(&mut self, found: &Found<'_>, from: BorrowedFd<'_>) -> Result<()> {
        let tried = |errno| failed("copy", found.path, errno);
        let (uid, gid) = self.owners.of(found, &found.stat)?;
        let xattrs = self.owners.attributes(from, found.path)?;
        let opaque = self.marks == Marks::Whiteouts && is_opaque(from, found.path)?;
        let to = open_dir(self.down.top(), c".").map_err(tried)?;
        self.finish_file(found, to.as_fd(), &found.stat, (uid, gid), &xattrs)?;
        if opaque && !found.path.is_empty() {
            fsetxattr(&to, c"user.overlay.opaque", b"y", XattrFlags::empty()).map_err(tried)?;
        }
        if !found.path.is_empty() {
            self.down.up().map_err(tried)?;
        }
        Ok(())
    }

    /// Owner, mode, attributes and times of what is open: each step undoes some of what a later one sets.
    fn finish_file(
        &mut self,
        found: &Found<'_>,
        to: BorrowedFd<'_>,
        stat: &Stat,
        owner: (u32, u32),
        xattrs: &Attributes,
    ) -> Result<()> {
        let tried = |errno| failed("copy", found.path, errno);
        if self.owners.are_kept() {
            self.record(found.path, owner)?;
        } else {
            let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
            fchown(to, Some(uid), Some(gid))
                .map_err(|errno| failed("give an owner to", found.path, errno))?;
        }
        fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777)).map_err(tried)?;
        for (name, value) in xattrs {
            fsetxattr(to, name.as_slice(), value, XattrFlags::empty()).map_err(|errno| {
                failed(
                    "set an extended attribute of the copy of",
                    found.path,
                    errno,
                )
            })?;
        }
        futimens(to, &times(stat)).map_err(tried)
    }

    fn file(&mut self, found: &Found<'_>) -> Result<()> {
        let Some((from, stat)) = found.open()? else {
            return Ok(()); // gone since the directory was listed
        };
        let key = (stat.st_dev, stat.st_ino);
        if stat.st_nlink > 1 && self.link(found, key)? {
            return Ok(());
        }
        let tried = |errno| failed("copy", found.path, errno);
        let owner = self.owners.of(found, &stat)?;
        let xattrs = self.owners.attributes(from.as_fd(), found.path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = openat(
            self.down.top(),
            last(found.path),
            flags,
            Mode::RUSR | Mode::WUSR,
        )
        .map_err(tried)?;
        self.content(&from, &to, &stat, found.path)?;
        self.finish_file(found, to.as_fd(), &stat, owner, &xattrs)?;
        if stat.st_nlink > 1 {
            self.links.insert(key, found.path.to_vec());
        }
        Ok(())
    }

    /// Gives the copy of an earlier name this name, too. `false`: there is none, or it can have no more names.
    fn link(&mut self, found: &Found<'_>, key: (u64, u64)) -> Result<bool> {
        let Some(first) = self.links.get(&key) else {
            return Ok(false);
        };
        // The new tree is ours alone and no link lies on the way in it.
        match linkat(
            &self.root,
            first.as_slice(),
            self.down.top(),
            last(found.path),
            AtFlags::empty(),
        ) {
            Ok(()) => Ok(true),
            Err(Errno::NAMETOOLONG | Errno::MLINK) => Ok(false),
            Err(errno) => Err(failed("copy the link", found.path, errno)),
        }
    }

    fn content(&mut self, from: &OwnedFd, to: &OwnedFd, stat: &Stat, path: &[u8]) -> Result<()> {
        if stat.st_size > BUFFER as i64 {
            self.check_space(to, path)?;
        }
        self.content
            .copy(from.as_fd(), to.as_fd(), stat)
            .map_err(|errno| failed("copy", path, errno))
    }

    /// A disk that is full to the last byte is hard to free again: stop a little earlier.
    fn check_space(&self, file: &OwnedFd, path: &[u8]) -> Result<()> {
        let Ok(found) = fstatvfs(file) else {
            return Ok(());
        };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        match found.f_blocks == 0 || free >= self.reserve {
            true => Ok(()),
            false => Err(failed("copy", path, Errno::NOSPC)),
        }
    }

    /// What cannot be opened: made by `make`, then given what it needs by name.
    fn special(
        &mut self,
        found: &Found<'_>,
        make: impl FnOnce(BorrowedFd<'_>, &[u8]) -> Result<(), Errno>,
    ) -> Result<()> {
        let key = (found.stat.st_dev, found.stat.st_ino);
        if found.stat.st_nlink > 1 && self.link(found, key)? {
            return Ok(());
        }
        let tried = |errno| failed("copy", found.path, errno);
        let owner = self.owners.of(found, &found.stat)?;
        let name = last(found.path);
        make(self.down.top(), name).map_err(tried)?;
        if self.owners.are_kept() {
            self.record(found.path, owner)?;
        } else {
            let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            chownat(self.down.top(), name, Some(uid), Some(gid), flags).map_err(tried)?;
        }
        let dir = self.down.top();
        if !matches!(found.what, What::Symlink(_)) {
            // The tree is ours alone, so the name is what was just made.
            let mode = Mode::from_raw_mode(found.stat.st_mode & 0o7777);
            chmodat(dir, name, mode, AtFlags::empty()).map_err(tried)?;
        }
        utimensat(dir, name, &times(&found.stat), AtFlags::SYMLINK_NOFOLLOW).map_err(tried)?;
        if found.stat.st_nlink > 1 {
            self.links.insert(key, found.path.to_vec());
        }
        Ok(())
    }

    fn record(&mut self, path: &[u8], (uid, gid): (u32, u32)) -> Result<()> {
        if (uid, gid) == (0, 0) {
            return Ok(());
        }
        let path = if path.is_empty() { b"." } else { path };
        let mut write = || {
            let file = match &mut self.owners_file {
                Some(file) => file,
                none => none.insert(BufWriter::new(File::create(&self.owners_path)?)),
            };
            write!(file, "{uid} {gid} ")?;
            file.write_all(path)?;
            file.write_all(&[0])
        };
        write().tried(|| format!("write \"{}\"", self.owners_path.display()))
    }
}

impl Visit for Copier {
    fn enter(&mut self, found: &Found<'_>) -> Result<()> {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        match &found.what {
            What::Directory(_) => self.directory(found),
            What::File => self.file(found),
            What::Symlink(target) => self.special(found, |dir, name| {
                symlinkat(target, dir, OsStr::from_bytes(name))
            }),
            What::Fifo => self.special(found, |dir, name| {
                mknodat(dir, OsStr::from_bytes(name), FileType::Fifo, Mode::RUSR, 0)
            }),
            What::Whiteout if self.marks == Marks::Dropped => Ok(()),
            What::Whiteout => mknodat(
                self.down.top(),
                last(found.path),
                FileType::CharacterDevice,
                Mode::empty(),
                0,
            )
            .map_err(|errno| failed("copy the removal of", found.path, errno)),
            What::Socket => {
                self.left.add(Left::Socket, found.path);
                Ok(())
            }
            What::Device(_) => {
                self.left.add(Left::Device, found.path);
                Ok(())
            }
        }
    }

    fn leave(&mut self, directory: &Found<'_>) -> Result<()> {
        match directory.what {
            What::Directory(from) => self.finish_directory(directory, from),
            _ => Err(Error::new(Kind::System, "leave what is no directory")),
        }
    }
}

pub(in crate::storage) const DIR: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

pub(in crate::storage) fn last(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

pub(in crate::storage) fn times(stat: &Stat) -> Timestamps {
    let (seconds, nanos) = mtime(stat);
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: i64::from(nanos),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
