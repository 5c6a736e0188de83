//! Files that appear whole or not at all: without a name while they are written, so a killed process leaves nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, linkat};

use crate::error::{Result, Tried};
use crate::storage::staging::unique_name;

/// A file of a directory that has no name yet.
#[derive(Debug)]
pub struct Fresh {
    file: File,
    /// Where the file system has no nameless files; removed on drop.
    temporary: Option<PathBuf>,
}

impl Fresh {
    /// Makes a file in `dir`, with the permissions that the umask leaves.
    pub fn new(dir: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o666);
        match options.clone().custom_flags(libc::O_TMPFILE).open(dir) {
            Ok(file) => Ok(Self {
                file,
                temporary: None,
            }),
            // NFS, FUSE, and kernels of old.
            Err(err)
                if matches!(
                    err.raw_os_error(),
                    Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)
                ) =>
            {
                let path = dir.join(format!(".pod-{}.tmp", unique_name()));
                Ok(Self {
                    file: options.create_new(true).open(&path)?,
                    temporary: Some(path),
                })
            }
            Err(err) => Err(err),
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Gives it its name, in place of whatever has that.
    pub fn appear(mut self, path: &Path) -> io::Result<()> {
        let from = match self.temporary.take() {
            Some(temporary) => temporary,
            None => match self.link(path) {
                Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                    // A link cannot replace a name, a rename can.
                    let dir = path.parent().unwrap_or(Path::new("."));
                    let temporary = dir.join(format!(".pod-{}.tmp", unique_name()));
                    self.link(&temporary)?;
                    temporary
                }
                done => return done,
            },
        };
        fs::rename(&from, path).inspect_err(|_| {
            let _ = fs::remove_file(&from); // the rename's failure is reported
        })
    }

    fn link(&self, path: &Path) -> io::Result<()> {
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary); // gone already where it got its name
        }
    }
}

/// Where an archive is written.
#[derive(Debug)]
pub enum Target {
    /// A regular file, which can be sought in.
    File { fresh: Fresh, path: PathBuf },
    /// A pipe, a terminal, a device, or standard output, whatever that is.
    Stream(File),
}

impl Target {
    /// The file that will be `path`; something there that is no regular file is written to as it is.
    pub fn create(path: &Path) -> Result<Self> {
        let tried = || format!("create \"{}\"", path.display());
        // Through a link the file it names is replaced, not the link.
        let path = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(_) => path.to_path_buf(),
        };
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                return Err(crate::error::Error::os(nix::errno::Errno::EISDIR, tried()));
            }
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(&path).tried(tried)?;
                return Ok(Self::Stream(file));
            }
            _ => {}
        }
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let fresh = Fresh::new(dir).tried(tried)?;
        Ok(Self::File { fresh, path })
    }

    pub fn file(&self) -> &File {
        match self {
            Self::File { fresh, .. } => fresh.file(),
            Self::Stream(file) => file,
        }
    }

    pub fn can_seek(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// All was written: the file gets its name.
    pub fn appear(self) -> Result<()> {
        match self {
            Self::File { fresh, path } => fresh
                .appear(&path)
                .tried(|| format!("create \"{}\"", path.display())),
            Self::Stream(_) => Ok(()),
        }
    }
}

impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file().as_fd()
    }
}
