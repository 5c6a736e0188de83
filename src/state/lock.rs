//! Locks that die with their holder.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::error::{Error, Result, Tried};

/// An open-file-description lock on a file of its own (`fcntl(2)`, "Open file description locks").
///
/// It belongs to the descriptor, not to the process: a forked child holds it too, and it ends when the last of
/// them closes it or dies. Close-on-exec.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Waits for the lock and takes it alone; makes the file (0600) if need be.
    pub fn exclusive(path: &Path) -> Result<Lock> {
        Self::take(path, libc::F_WRLCK as i16, true)
            .tried(|| format!("lock \"{}\"", path.display()))?
            .ok_or_else(|| Error::os(Errno::EAGAIN, format!("lock \"{}\"", path.display())))
    }

    /// Waits for the lock and takes it together with other readers.
    pub fn shared(path: &Path) -> Result<Lock> {
        Self::take(path, libc::F_RDLCK as i16, true)
            .tried(|| format!("lock \"{}\" for reading", path.display()))?
            .ok_or_else(|| Error::os(Errno::EAGAIN, format!("lock \"{}\"", path.display())))
    }

    /// Takes the lock alone, or returns `None` when somebody holds it.
    pub fn try_exclusive(path: &Path) -> Result<Option<Lock>> {
        Self::take(path, libc::F_WRLCK as i16, false)
            .tried(|| format!("lock \"{}\"", path.display()))
    }

    /// As [`Lock::try_exclusive`], but never makes the file: `None` also when there is none.
    pub fn try_existing(path: &Path) -> Result<Option<Lock>> {
        let tried = || format!("lock \"{}\"", path.display());
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match options.custom_flags(libc::O_NOFOLLOW).open(path) {
            Ok(file) => Ok(Self::try_on(file).tried(tried)?.ok()),
            Err(err) if err.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(err) => Err(Error::io(&err, tried())),
        }
    }

    /// Waits for the lock and takes it together with other readers, needing no right to write; never makes the
    /// file: `None` when there is none.
    pub fn read_existing(path: &Path) -> Result<Option<Lock>> {
        let tried = || format!("lock \"{}\" for reading", path.display());
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW);
        let file = match options.open(path) {
            Ok(file) => file,
            Err(err) if err.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            Err(err) => return Err(Error::io(&err, tried())),
        };
        let request = whole_file(libc::F_RDLCK as i16);
        loop {
            match fcntl(&file, FcntlArg::F_OFD_SETLKW(&request)) {
                Ok(_) => return Ok(Some(Lock { file })),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Error::os(errno, tried())),
            }
        }
    }

    /// Waits until nobody else holds the lock on `file`; it is free again afterwards.
    pub fn wait_on(file: &File) -> Result<(), Errno> {
        let request = whole_file(libc::F_WRLCK as i16);
        loop {
            match fcntl(file, FcntlArg::F_OFD_SETLKW(&request)) {
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        fcntl(
            file,
            FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK as i16)),
        )?;
        Ok(())
    }

    /// Tells whether somebody else holds the lock, without taking it. A file that is not there is not held.
    pub fn is_held(path: &Path) -> Result<bool> {
        let tried = || format!("test the lock \"{}\"", path.display());
        match File::open(path) {
            Ok(file) => Self::is_held_at(file.as_fd()).tried(tried),
            Err(err) if err.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(err) => Err(Error::io(&err, tried())),
        }
    }

    /// As [`Lock::is_held`], of a file that is open already.
    pub fn is_held_at(file: BorrowedFd<'_>) -> Result<bool, Errno> {
        let mut found = whole_file(libc::F_WRLCK as i16);
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
        Ok(found.l_type != libc::F_UNLCK as i16)
    }

    /// Locks `file` itself, which stays readable and writable through the lock.
    pub fn try_on(file: File) -> Result<Result<Lock, File>, Errno> {
        match fcntl(
            &file,
            FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK as i16)),
        ) {
            Ok(_) => Ok(Ok(Lock { file })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(Err(file)),
            Err(errno) => Err(errno),
        }
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.file
    }

    fn take(path: &Path, kind: i16, wait: bool) -> Result<Option<Lock>, Errno> {
        loop {
            let file = open(path)?;
            let request = whole_file(kind);
            let arg = match wait {
                true => FcntlArg::F_OFD_SETLKW(&request),
                false => FcntlArg::F_OFD_SETLK(&request),
            };
            match fcntl(&file, arg) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN | Errno::EACCES) if !wait => return Ok(None),
                Err(errno) => return Err(errno),
            }
            // Whoever held it may have removed the file: then this lock guards nothing, and a new file does.
            if file.metadata().map_err(|err| errno_of(&err))?.nlink() > 0 {
                return Ok(Some(Lock { file }));
            }
        }
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(path: &Path) -> Result<File, Errno> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|err| errno_of(&err))
}

fn errno_of(err: &std::io::Error) -> Errno {
    Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO))
}

fn whole_file(kind: i16) -> libc::flock {
    libc::flock {
        l_type: kind,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0, // must be 0 for the OFD commands
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use nix::fcntl::{F_GETFD, FdFlag};

    use super::*;
    use crate::state::tests::TestDir;

    #[test]
    fn one_holder_at_a_time() {
        let dir = TestDir::new();
        let path = dir.join("lock");
        assert!(!Lock::is_held(&path).unwrap());
        let held = Lock::exclusive(&path).unwrap();
        assert!(Lock::is_held(&path).unwrap());
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(held);
        assert!(!Lock::is_held(&path).unwrap());
        assert!(Lock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn readers_share_and_keep_a_writer_out() {
        let dir = TestDir::new();
        let path = dir.join("lock");
        let first = Lock::shared(&path).unwrap();
        let second = Lock::shared(&path).unwrap();
        drop(first);
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(second);
        assert!(Lock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_is_private_and_ends_at_exec() {
        let dir = TestDir::new();
        let path = dir.join("lock");
        let held = Lock::exclusive(&path).unwrap();
        let flags = FdFlag::from_bits_retain(fcntl(&held, F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC));
        assert_eq!(held.file().metadata().unwrap().mode() & 0o077, 0);
    }

    #[test]
    fn a_waiter_notices_that_the_file_was_removed() {
        let dir = TestDir::new();
        let path = dir.join("lock");
        let held = Lock::exclusive(&path).unwrap();
        let waiter = {
            let path = path.clone();
            std::thread::spawn(move || Lock::exclusive(&path).unwrap())
        };
        std::fs::remove_file(&path).unwrap();
        drop(held);
        let got = waiter.join().unwrap();
        let named = std::fs::metadata(&path).unwrap();
        assert_eq!(got.file().metadata().unwrap().ino(), named.ino());
    }
}
