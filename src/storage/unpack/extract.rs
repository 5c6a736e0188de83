//! Members of a layer become files, in overlay's rootless form.
//!
//! | in the archive          | in the tree                                                        |
//! | ----------------------- | ------------------------------------------------------------------ |
//! | `.wh.NAME`              | `NAME` as character device 0:0, which any user may make (Linux 5.8) |
//! | `.wh..wh..opq`          | `user.overlay.opaque=y` on the directory                           |
//! | devices                 | nothing: no user namespace may make them, and Podman skips them too |
//! | xattrs                  | `user.*` but never `user.overlay.*`; `security.capability`         |
//! | owners, one id only     | a line in `owners`: `UID GID PATH`, ended by NUL                   |
//!
//! A later member replaces an earlier one of its name, whatever both are; two directories become one. Whiteouts
//! are for the layers below (image-spec `layer.md`): beside one, a member of the same layer stays.

mod owners;
mod words;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, XattrFlags, fchmod, fsetxattr, fstat,
    fstatvfs, ftruncate, futimens, linkat, mkdirat, mknodat, openat, seek, symlinkat, utimensat,
};
use rustix::io::Errno;

use self::owners::Ownership;
use self::words::{Step, Worded, quoted, raw};
use super::inflate::Chunks;
use super::tar::{Member, MemberKind, TarReader};
use super::tree::{Place, Tree, clean, is_whiteout};
use super::{Limits, Owners, StopWatch};
use crate::error::{Error, Kind, Result, Tried};

/// Directories whose times (and some modes) wait for the end: more memory than this is no honest layer's.
const MAX_DEFERRED: usize = 256 << 20;
/// Bytes written between two looks at the free space.
const LOOK_AFTER: u64 = 64 << 20;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const OPAQUE_XATTR: &str = "user.overlay.opaque";

/// Extracts all members into `into/tree`.
pub(super) fn extract(
    chunks: Chunks,
    into: &Path,
    owners: Owners,
    limits: &Limits,
    watch: &StopWatch,
) -> Result<Extracted> {
    let mut reader = TarReader::new(chunks);
    let mut extractor = Extractor::new(into, owners, limits)?;
    while let Some(member) = reader.next()? {
        if watch.is_stopped() {
            return Err(Error::new(Kind::System, "stopped: another layer failed"));
        }
        extractor.add(&member, &mut reader)?;
    }
    reader.drain();
    extractor.finish()
}

/// What the members of a layer came to.
pub(super) struct Extracted {
    /// Sum of the regular files, bytes.
    pub(super) size: u64,
    pub(super) entries: u64,
}

struct Extractor<'a> {
    tree: Tree,
    limits: &'a Limits,
    owners: Ownership,
    umask: u32,
    deferred: BTreeMap<Vec<u8>, Deferred>,
    deferred_bytes: usize,
    unchecked: u64,
    done: Extracted,
}

/// What a directory gets when nothing will be put into it any more.
struct Deferred {
    mtime: (i64, u32),
    mode: Option<u32>,
}

impl<'a> Extractor<'a> {
    fn new(into: &Path, owners: Owners, limits: &'a Limits) -> Result<Self> {
        let root = into.join("tree");
        let tree = Tree::open(&root).tried(|| format!("open \"{}\"", root.display()))?;
        let gid = rustix::fs::statat(tree.root(), c"", AtFlags::EMPTY_PATH)
            .tried(|| "look at the layer's root")?
            .st_gid;
        Ok(Self {
            tree,
            limits,
            // The group of the root that was made for us tells of file systems that hand groups down.
            owners: Ownership::new(
                owners,
                into.join("owners"),
                (rustix::process::geteuid().as_raw(), gid),
            ),
            umask: current_umask(),
            deferred: BTreeMap::new(),
            deferred_bytes: 0,
            unchecked: LOOK_AFTER, // the first look comes with the first byte
            done: Extracted {
                size: 0,
                entries: 0,
            },
        })
    }

    fn add(&mut self, member: &Member, reader: &mut TarReader) -> Result<()> {
        self.done.entries += 1;
        let Some(path) = clean(&member.path) else {
            let text = format!(
                "refuse its archive: {} leads out of it",
                quoted(&member.path)
            );
            return Err(Error::new(Kind::Corrupt, text));
        };
        if path.is_empty() {
            return match member.kind {
                MemberKind::Directory => self.root(member),
                _ => Err(Error::new(
                    Kind::Corrupt,
                    "refuse its archive: its root is not a directory",
                )),
            };
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if name.starts_with(WHITEOUT) {
            return self.whiteout(&path, name);
        }
        let worded = |err: Worded| err.into_error(&path);
        match &member.kind {
            MemberKind::File => self.file(&path, member, reader, None),
            MemberKind::Sparse { ranges, size } => {
                self.file(&path, member, reader, Some((ranges, *size)))
            }
            MemberKind::Directory => self.directory(&path, member).map_err(worded),
            MemberKind::Symlink(target) => self.symlink(&path, target, member).map_err(worded),
            MemberKind::HardLink(target) => self.hard_link(&path, target),
            MemberKind::Fifo => self.fifo(&path, member).map_err(worded),
            MemberKind::Device => {
                let place = self.tree.place(&path).step("find the directory of");
                place.map(drop).map_err(worded) // the directory is made, as Podman does
            }
        }
    }

    fn root(&mut self, member: &Member) -> Result<()> {
        let done = (|| {
            let dir = open_dir(self.tree.root(), c".").step("open")?;
            let found = fstat(&dir).step("look at")?;
            self.owners.of_found(b".", dir.as_fd(), member, &found)?;
            self.xattrs(dir.as_fd(), member)?;
            // At once, not deferred: the staging directory around it is private, and we made it.
            fchmod(&dir, Mode::from_raw_mode(member.mode)).step("set the mode of")
        })();
        done.map_err(|err: Worded| err.into_error(b"."))?;
        self.defer(Vec::new(), member.mtime, None)
    }

    fn file(
        &mut self,
        path: &[u8],
        member: &Member,
        reader: &mut TarReader,
        sparse: Option<(&[(u64, u64)], u64)>,
    ) -> Result<()> {
        let worded = |err: Worded| err.into_error(path);
        let place = self
            .tree
            .place(path)
            .step("find the directory of")
            .map_err(worded)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(member.mode & 0o777);
        let make = || openat(place.dir(), &place.name, flags, mode);
        let file = match make() {
            Err(Errno::EXIST) => {
                self.replace(path, &place).map_err(worded)?;
                make()
            }
            made => made,
        };
        let file = file.step("create").map_err(worded)?;
        match sparse {
            None => self.copy(&file, member.size, reader, path)?,
            Some((ranges, size)) => {
                for (offset, length) in ranges {
                    seek(&file, rustix::fs::SeekFrom::Start(*offset))
                        .step("write")
                        .map_err(worded)?;
                    self.copy(&file, *length, reader, path)?;
                }
                ftruncate(&file, size).step("write").map_err(worded)?;
            }
        }
        self.owners
            .of_new(path, file.as_fd(), member)
            .map_err(worded)?;
        // What open could not set: bits that the umask or chown(2) takes away, and the special ones.
        let special = member.mode & 0o7000;
        if special != 0 || member.mode & 0o777 & self.umask != 0 {
            fchmod(&file, Mode::from_raw_mode(member.mode))
                .step("set the mode of")
                .map_err(worded)?;
        }
        self.xattrs(file.as_fd(), member).map_err(worded)?;
        futimens(&file, &times(member.mtime))
            .step("set the times of")
            .map_err(worded)
    }

    fn copy(
        &mut self,
        file: &OwnedFd,
        length: u64,
        reader: &mut TarReader,
        path: &[u8],
    ) -> Result<()> {
        let mut left = length;
        while left > 0 {
            let mut bytes = reader.content(left)?;
            left -= bytes.len() as u64;
            self.unchecked += bytes.len() as u64;
            self.done.size += bytes.len() as u64;
            while !bytes.is_empty() {
                let written = match rustix::io::write(file, bytes) {
                    Err(Errno::INTR) => continue,
                    written => written
                        .step("write")
                        .map_err(|err: Worded| err.into_error(path))?,
                };
                bytes = &bytes[written..];
            }
        }
        if self.unchecked > LOOK_AFTER {
            self.unchecked = 0;
            self.check_space(file.as_fd(), path)?;
        }
        Ok(())
    }

    /// A disk that is full to the last byte is hard to free again: stop a little earlier.
    fn check_space(&self, file: BorrowedFd<'_>, path: &[u8]) -> Result<()> {
        let Ok(found) = fstatvfs(file) else {
            return Ok(());
        };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if found.f_blocks == 0 || free >= self.limits.reserve {
            return Ok(());
        }
        let tried = format!("write {}", quoted(path));
        Err(Error::os(nix::errno::Errno::ENOSPC, tried))
    }

    fn directory(&mut self, path: &[u8], member: &Member) -> Result<(), Worded> {
        let place = self.tree.place(path).step("find the directory of")?;
        // Until the end the owner may write and search, and no setgid bit hands its group down to what comes below.
        let now = (member.mode & 0o1777) | 0o700;
        let make = || mkdirat(place.dir(), &place.name, Mode::from_raw_mode(now & 0o777));
        let mut fresh = true;
        match make() {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let found = place.stat().step("look at")?;
                if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                    fresh = false;
                } else {
                    self.replace(path, &place)?;
                    make().step("create")?;
                    if is_whiteout(&found) {
                        let dir = open_dir(place.dir(), &place.name).step("open")?;
                        set_opaque(dir.as_fd())?;
                    }
                }
            }
            Err(errno) => return Err(errno).step("create"),
        }
        if !fresh
            || !self.owners.is_plain(member)
            || now & (self.umask | 0o1000) != 0
            || !member.xattrs.is_empty()
        {
            let dir = open_dir(place.dir(), &place.name).step("open")?;
            let found = fstat(&dir).step("look at")?;
            self.owners.of_found(path, dir.as_fd(), member, &found)?;
            fchmod(&dir, Mode::from_raw_mode(now)).step("set the mode of")?;
            self.xattrs(dir.as_fd(), member)?;
        } else if self.owners.are_recorded() {
            self.owners.record(path, member)?;
        }
        let later = (now != member.mode).then_some(member.mode);
        self.defer(path.to_vec(), member.mtime, later)
            .map_err(Worded::Whole)
    }

    fn symlink(&mut self, path: &[u8], target: &[u8], member: &Member) -> Result<(), Worded> {
        use std::os::unix::ffi::OsStrExt;
        let place = self.tree.place(path).step("find the directory of")?;
        let target = std::ffi::OsStr::from_bytes(target);
        match symlinkat(target, place.dir(), &place.name) {
            Err(Errno::EXIST) => {
                self.replace(path, &place)?;
                symlinkat(target, place.dir(), &place.name).step("create")?;
            }
            made => made.step("create")?,
        }
        self.owners.of_new_at(path, &place, member)?;
        utimensat(
            place.dir(),
            &place.name,
            &times(member.mtime),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .step("set the times of")
    }

    fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let tried = || format!("link {} to {}", quoted(path), quoted(target));
        let missing = |errno: Errno| match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Error::new(
                Kind::Corrupt,
                format!("{}: the layer has no such file", tried()),
            ),
            errno => Error::os(raw(errno), tried()),
        };
        let Some(target) = clean(target).filter(|target| !target.is_empty()) else {
            let text = format!("refuse its archive: {} leads out of it", quoted(target));
            return Err(Error::new(Kind::Corrupt, text));
        };
        let from = self.tree.existing(&target).map_err(missing)?;
        let found = from.stat().map_err(missing)?;
        if is_whiteout(&found) {
            return Err(missing(Errno::NOENT));
        }
        let to = self.tree.place(path).map_err(missing)?;
        let link = || linkat(from.dir(), &from.name, to.dir(), &to.name, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) => {
                let there = to.stat().map_err(missing)?;
                if (there.st_dev, there.st_ino) == (found.st_dev, found.st_ino) {
                    return Ok(()); // itself, maybe under another name: removing it would lose the file
                }
                self.replace(path, &to)
                    .map_err(|err: Worded| err.into_error(path))?;
                link().map_err(missing)
            }
            // Linux before 5.17 words a link to a directory as EPERM, as is a link the kernel protects.
            done => done.map_err(missing),
        }
    }

    fn fifo(&mut self, path: &[u8], member: &Member) -> Result<(), Worded> {
        let place = self.tree.place(path).step("find the directory of")?;
        let mode = Mode::from_raw_mode(member.mode & 0o777);
        let make = || mknodat(place.dir(), &place.name, FileType::Fifo, mode, 0);
        match make() {
            Err(Errno::EXIST) => {
                self.replace(path, &place)?;
                make().step("create")?;
            }
            made => made.step("create")?,
        }
        self.owners.of_new_at(path, &place, member)?;
        if member.mode & (self.umask | 0o7000) != 0 {
            // By name: opening a FIFO would wait for its other end. It was made by the line above and nobody else
            // works in this tree, so the name is no link.
            rustix::fs::chmodat(
                place.dir(),
                &place.name,
                Mode::from_raw_mode(member.mode),
                AtFlags::empty(),
            )
            .step("set the mode of")?;
        }
        utimensat(
            place.dir(),
            &place.name,
            &times(member.mtime),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .step("set the times of")
    }

    fn whiteout(&mut self, path: &[u8], name: &[u8]) -> Result<()> {
        let worded = |err: Worded| err.into_error(path);
        let dir = &path[..path.len() - name.len()];
        let dir = dir.strip_suffix(b"/").unwrap_or(dir);
        if name == OPAQUE {
            let dir = self
                .tree
                .dir(dir)
                .step("find the directory of")
                .map_err(worded)?;
            let dir = open_dir((*dir).as_fd(), c".")
                .step("open")
                .map_err(worded)?;
            return set_opaque(dir.as_fd()).map_err(worded);
        }
        if name.starts_with(b".wh..wh.") {
            return Ok(()); // bookkeeping of aufs (`.wh..wh.plnk`, `.wh..wh.aufs`), as Podman
        }
        let hidden = &name[WHITEOUT.len()..];
        if hidden.is_empty() || hidden == b"." || hidden == b".." {
            let text = format!("refuse its archive: {} hides no name", quoted(path));
            return Err(Error::new(Kind::Corrupt, text));
        }
        let mut hidden_path = dir.to_vec();
        if !dir.is_empty() {
            hidden_path.push(b'/');
        }
        hidden_path.extend_from_slice(hidden);
        let place = self
            .tree
            .place(&hidden_path)
            .step("find the directory of")
            .map_err(worded)?;
        match mknodat(
            place.dir(),
            &place.name,
            FileType::CharacterDevice,
            Mode::empty(),
            0,
        ) {
            // Something of this layer is there and hides what is below; a directory must be told not to merge.
            Err(Errno::EXIST) => match open_dir(place.dir(), &place.name) {
                Ok(dir) => set_opaque(dir.as_fd()).map_err(worded),
                Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
                Err(errno) => Err(errno).step("open").map_err(worded),
            },
            made => made.step("mark as removed").map_err(worded),
        }
    }

    /// Makes room for a member whose name is taken.
    fn replace(&mut self, path: &[u8], place: &Place) -> Result<(), Worded> {
        self.tree.clear(place).step("replace")?;
        // Directories that went away with it get no times any more. `0` is the byte after `/`.
        let below = [path, b"/"].concat();
        let behind = [path, b"0"].concat();
        self.deferred.remove(path);
        let gone: Vec<Vec<u8>> = self
            .deferred
            .range(below..behind)
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.deferred.remove(&path);
        }
        Ok(())
    }

    fn xattrs(&mut self, fd: BorrowedFd<'_>, member: &Member) -> Result<(), Worded> {
        for (name, value) in &member.xattrs {
            if !is_kept(name) {
                continue;
            }
            match fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()) {
                Ok(()) => {}
                // A file system without them, or a capability that this namespace may not give: as Podman, the file
                // is kept without.
                Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                Err(errno) => return Err(errno).step("set an extended attribute of"),
            }
        }
        Ok(())
    }

    fn defer(&mut self, path: Vec<u8>, mtime: (i64, u32), mode: Option<u32>) -> Result<()> {
        let bytes = path.len() + 128;
        if self
            .deferred
            .insert(path, Deferred { mtime, mode })
            .is_none()
        {
            self.deferred_bytes += bytes;
        }
        if self.deferred_bytes > MAX_DEFERRED {
            let text = "refuse its archive: it has millions of directories";
            return Err(Error::new(Kind::Corrupt, text));
        }
        Ok(())
    }

    /// Gives directories their times and last modes, deepest first: a mode may shut out what lies below.
    fn finish(mut self) -> Result<Extracted> {
        self.tree.forget();
        let deferred = std::mem::take(&mut self.deferred);
        for (path, last) in deferred.into_iter().rev() {
            let worded = |err: Worded| err.into_error(&path);
            if path.is_empty() {
                let root = open_dir(self.tree.root(), c".")
                    .step("open")
                    .map_err(worded)?;
                futimens(&root, &times(last.mtime))
                    .step("set the times of")
                    .map_err(worded)?;
                continue;
            }
            match self.finish_directory(&path, &last) {
                // Replaced by way of a link, so the name leads nowhere now.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                done => done.step("set the times of").map_err(worded)?,
            }
        }
        self.owners.finish()?;
        Ok(self.done)
    }

    fn finish_directory(&mut self, path: &[u8], last: &Deferred) -> Result<(), Errno> {
        let place = self.tree.existing(path)?;
        if let Some(mode) = last.mode {
            let dir = open_dir(place.dir(), &place.name)?;
            fchmod(&dir, Mode::from_raw_mode(mode))?;
            return futimens(&dir, &times(last.mtime));
        }
        utimensat(
            place.dir(),
            &place.name,
            &times(last.mtime),
            AtFlags::SYMLINK_NOFOLLOW,
        )
    }
}

/// Overlay's own attributes in a foreign layer would let it redirect and hide what it likes.
fn is_kept(xattr: &[u8]) -> bool {
    xattr == b"security.capability"
        || (xattr.starts_with(b"user.") && !xattr.starts_with(b"user.overlay."))
}

fn set_opaque(dir: BorrowedFd<'_>) -> Result<(), Worded> {
    fsetxattr(dir, OPAQUE_XATTR, b"y", XattrFlags::empty()).map_err(|errno| {
        let err = Error::os(raw(errno), "mark a directory as opaque");
        Worded::Whole(match errno {
            Errno::OPNOTSUPP => err.with_kind(Kind::Unsupported).hint(
                "the store's file system has no user extended attributes: use another --root",
            ),
            _ => err,
        })
    })
}

fn open_dir(at: BorrowedFd<'_>, name: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

fn times(mtime: (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime.0,
        tv_nsec: i64::from(mtime.1),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Read, not set: another thread may be making files. All bits where it cannot be read: then modes are set twice.
fn current_umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok())
        .unwrap_or(0o777)
}
