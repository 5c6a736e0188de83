//! Runs in: init, before exec. Names of the container, resolved beneath its root and made where they are missing.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat2, readlinkat_raw};
use rustix::io::Errno;

const IN_ROOT: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);
const PATH_MAX: usize = 4096;
/// The kernel's own limit of links in one path.
const MAX_LINKS: u32 = 40;

/// What a missing target is made as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    Nothing,
    Directory,
    File,
}

/// Opens `path` below `root` as a place (`O_PATH`), making it and the directories above it where they are missing.
///
/// Links are followed, and none of them leads out of `root`. No allocation.
pub(super) fn open(root: BorrowedFd<'_>, path: &CStr, make: Make) -> Result<OwnedFd, Errno> {
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if make == Make::Directory {
        flags |= OFlags::DIRECTORY;
    }
    match openat2(root, path, flags, Mode::empty(), IN_ROOT) {
        Err(Errno::NOENT) if make != Make::Nothing => build(root, path, make == Make::Directory),
        done => done,
    }
}

/// Opens a directory that is there.
pub(super) fn open_directory(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
    openat2(root, path, flags, Mode::empty(), IN_ROOT)
}

/// Opens a directory of ours by name, refusing every link on the way: for places that the image must not redirect.
pub(super) fn open_plain(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(root, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT) => {
            build(root, path, true)?;
            openat2(root, path, flags, Mode::empty(), resolve)
        }
        done => done,
    }
}

/// Makes a symbolic link of `text` at `path`, unless that link is there already.
pub(super) fn link(root: BorrowedFd<'_>, path: &CStr, text: &CStr) -> Result<(), Errno> {
    let bytes = path.to_bytes();
    let cut = bytes.iter().rposition(|b| *b == b'/');
    let (above, name) = match cut {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (&b""[..], bytes),
    };
    let mut directory = Text::default();
    directory.set(if above.is_empty() { b"." } else { above })?;
    let mut last = Text::default();
    last.set(name)?;
    let parent = open(root, directory.c_str(), Make::Directory)?;
    match rustix::fs::symlinkat(text, &parent, last.c_str()) {
        Err(Errno::EXIST) => {
            let mut there = [0u8; PATH_MAX];
            match readlinkat_raw(&parent, last.c_str(), &mut there[..]) {
                Ok(len) if there[..len] == *text.to_bytes() => Ok(()),
                _ => Err(Errno::EXIST),
            }
        }
        done => done,
    }
}

/// Walks `path` name by name: what is resolved so far holds no link, so a missing name is made in the directory it
/// belongs to, also behind a dangling link.
fn build(root: BorrowedFd<'_>, path: &CStr, directory: bool) -> Result<OwnedFd, Errno> {
    let mut done = Text::default(); // resolved, without links
    let mut rest = Text::default(); // still to come
    rest.set(path.to_bytes())?;
    let mut links = 0;
    loop {
        let Some((name, last)) = rest.take_name()? else {
            return open_done(root, &done, directory);
        };
        match name.bytes() {
            b"" | b"." => continue,
            b".." => {
                done.pop();
                continue;
            }
            _ => {}
        }
        let parent = open_done(root, &done, true)?;
        let nofollow = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let here = match openat2(
            &parent,
            name.c_str(),
            nofollow,
            Mode::empty(),
            ResolveFlags::BENEATH,
        ) {
            Err(Errno::NOENT) => None,
            found => Some(found?),
        };
        match here {
            None if last && !directory => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
                return openat2(
                    &parent,
                    name.c_str(),
                    flags,
                    Mode::from_raw_mode(0o644),
                    resolve,
                );
            }
            None => match mkdirat(&parent, name.c_str(), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            },
            Some(here) => {
                let mut target = [0u8; PATH_MAX];
                // An empty name reads the link that `here` itself is; ENOENT says it is none.
                match readlinkat_raw(&here, c"", &mut target[..]) {
                    Ok(len) if len > 0 => {
                        links += 1;
                        if links > MAX_LINKS {
                            return Err(Errno::LOOP);
                        }
                        let target = &target[..len];
                        if target.first() == Some(&b'/') {
                            done = Text::default();
                        }
                        rest.prepend(target)?;
                        continue;
                    }
                    _ => {}
                }
            }
        }
        done.push(name.bytes())?;
    }
}

fn open_done(root: BorrowedFd<'_>, done: &Text, directory: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OFlags::PATH | OFlags::CLOEXEC;
    if directory {
        flags |= OFlags::DIRECTORY;
    }
    let path = if done.len == 0 { c"." } else { done.c_str() };
    openat2(root.as_fd(), path, flags, Mode::empty(), IN_ROOT)
}

/// A path in a buffer of fixed size, always ended by a nul.
struct Text {
    bytes: [u8; PATH_MAX + 1],
    len: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            bytes: [0; PATH_MAX + 1],
            len: 0,
        }
    }
}

impl Text {
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes[..=self.len]).unwrap_or(c"")
    }

    fn set(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.len() > PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.bytes[bytes.len()] = 0;
        self.len = bytes.len();
        Ok(())
    }

    fn push(&mut self, name: &[u8]) -> Result<(), Errno> {
        let slash = usize::from(self.len > 0);
        if self.len + slash + name.len() > PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        if slash == 1 {
            self.bytes[self.len] = b'/';
        }
        let at = self.len + slash;
        self.bytes[at..at + name.len()].copy_from_slice(name);
        self.len = at + name.len();
        self.bytes[self.len] = 0;
        Ok(())
    }

    fn pop(&mut self) {
        self.len = self.bytes().iter().rposition(|b| *b == b'/').unwrap_or(0);
        self.bytes[self.len] = 0;
    }

    fn prepend(&mut self, front: &[u8]) -> Result<(), Errno> {
        let mut joined = Text::default();
        joined.set(front)?;
        if self.len > 0 {
            joined.push(self.bytes())?;
        }
        *self = joined;
        Ok(())
    }

    /// Takes the first name off, and tells whether it was the last.
    fn take_name(&mut self) -> Result<Option<(Text, bool)>, Errno> {
        if self.len == 0 {
            return Ok(None);
        }
        let end = self
            .bytes()
            .iter()
            .position(|b| *b == b'/')
            .unwrap_or(self.len);
        let mut name = Text::default();
        name.set(&self.bytes[..end])?;
        let skip = (end + 1).min(self.len);
        let left = self.len - skip;
        self.bytes.copy_within(skip..self.len, 0);
        self.len = left;
        self.bytes[left] = 0;
        Ok(Some((name, left == 0)))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::state::tests::TestDir;

    #[test]
    fn missing_targets_are_made_beneath_the_root() {
        let dir = TestDir::new();
        let root = dir.join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::create_dir_all(root.join("real/deep")).unwrap();
        symlink("/real", root.join("abs")).unwrap();
        symlink(
            "../../../../../run/resolve/stub.conf",
            root.join("etc/resolv.conf"),
        )
        .unwrap();
        symlink(dir.path(), root.join("out")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let fd = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let make = |path: &CStr, make| open(fd.as_fd(), path, make).map(drop);

        make(c"a/b/../c", Make::Directory).unwrap();
        assert!(root.join("a/c").is_dir());
        make(c"abs/deep/x", Make::File).unwrap();
        assert!(root.join("real/deep/x").is_file());
        // A dangling link, as most images have it: what it names is made.
        make(c"etc/resolv.conf", Make::File).unwrap();
        assert!(root.join("run/resolve/stub.conf").is_file());
        // A link to a path of the host means that path inside.
        make(c"out/file", Make::File).unwrap();
        assert!(!dir.path().join("file").exists());
        assert!(
            root.join(dir.path().strip_prefix("/").unwrap())
                .join("file")
                .is_file()
        );
        assert_eq!(make(c"loop/x", Make::File), Err(Errno::LOOP));
        assert_eq!(make(c"nosuch", Make::Nothing), Err(Errno::NOENT));
        assert_eq!(open_plain(fd.as_fd(), c"abs").map(drop), Err(Errno::LOOP));
    }
}
