//! Where the store and the runtime state live.
//!
//!     store   --root, else storage.conf's graphroot (given by the caller), else $XDG_DATA_HOME/pod
//!     run     --runroot, else storage.conf's runroot, else the first of
//!             $XDG_RUNTIME_DIR/pod    where that directory is ours and 0700, as the XDG specification wants it
//!             /run/user/UID/pod       likewise: what logind makes, for su, cron and ssh without PAM
//!             /tmp/pod-run-UID        made here, 0700; refused when somebody else made it first
//!
//! Both are private whatever the umask. The runtime directory exists once [`Dirs`] does; the store is made by the
//! first command that opens it.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::unistd::{Uid, mkdir};

use crate::error::{Error, Kind, Result, Tried};

use super::identity::{self, Identity};

/// The two directories of one invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// Images, layers, containers: survives a reboot. May not exist yet.
    pub store: PathBuf,
    /// Images and layers: the same, or what `--imagestore` names.
    pub images: PathBuf,
    /// Read-only stores below that one.
    pub below: Vec<PathBuf>,
    /// Locks, sockets, generated files: node-local, exists, 0700, ours.
    pub run: PathBuf,
}

impl Dirs {
    /// Chooses both directories and makes the runtime one.
    ///
    /// `root` and `runroot` come from the command line or storage.conf; relative ones count from the working
    /// directory.
    pub fn resolve(me: &Identity, root: Option<&Path>, runroot: Option<&Path>) -> Result<Self> {
        let store = match root {
            Some(path) => absolute(path)?,
            None => data_home(me)?.join("pod"),
        };
        let run = match runroot {
            Some(path) => absolute(path)?,
            None => default_run(me.uid)?,
        };
        make_private(&run, me.uid)?;
        Ok(Self {
            images: store.clone(),
            below: Vec::new(),
            store,
            run,
        })
    }

    /// Puts images into a place of their own, above the store that held them; and read-only stores below both.
    pub fn with_images(mut self, images: Option<&Path>, below: &[PathBuf]) -> Result<Self> {
        if let Some(images) = images {
            self.images = absolute(images)?;
        }
        if self.images != self.store && self.store.join("version").is_symlink() {
            self.below.push(self.store.clone());
        }
        self.below.extend_from_slice(below);
        Ok(self)
    }
}

/// `$XDG_DATA_HOME`, else `~/.local/share`.
pub fn data_home(me: &Identity) -> Result<PathBuf> {
    xdg(me, ::dirs::data_dir, ".local/share")
}

/// `$XDG_CONFIG_HOME`, else `~/.config`: the `<user>` of Podman's configuration files.
pub fn config_home(me: &Identity) -> Result<PathBuf> {
    xdg(me, ::dirs::config_dir, ".config")
}

/// The crate `dirs` asks the C library where HOME is not set, so it is used only where it is.
fn xdg(me: &Identity, of_env: fn() -> Option<PathBuf>, below_home: &str) -> Result<PathBuf> {
    if identity::home_from_env().is_some()
        && let Some(dir) = of_env()
    {
        return Ok(dir);
    }
    Ok(me.home()?.join(below_home))
}

/// The directory that XDG_RUNTIME_DIR names, where it can be trusted: ours, no link, nobody else may look in.
pub fn xdg_runtime_dir(uid: Uid) -> Option<PathBuf> {
    let dir = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?);
    (dir.is_absolute() && is_private(&dir, uid)).then_some(dir)
}

fn default_run(uid: Uid) -> Result<PathBuf> {
    if let Some(dir) = xdg_runtime_dir(uid) {
        return Ok(dir.join("pod"));
    }
    let logind = PathBuf::from(format!("/run/user/{uid}"));
    if is_private(&logind, uid) {
        return Ok(logind.join("pod"));
    }
    Ok(PathBuf::from(format!("/tmp/pod-run-{uid}")))
}

/// Tells whether `dir` is a directory of `uid`'s that nobody else may look in.
pub fn is_private(dir: &Path, uid: Uid) -> bool {
    open_dir(dir)
        .and_then(fstat_of)
        .is_ok_and(|stat| stat.st_uid == uid.as_raw() && stat.st_mode & 0o777 == 0o700)
}

/// Makes `dir`, 0700 whatever the umask, and whichever parents are missing; an existing one must be ours.
///
/// The last component is never followed if it is a link. A directory of ours with wider bits is narrowed.
pub fn make_private(dir: &Path, owner: Uid) -> Result<()> {
    let tried = || format!("make the private directory {}", dir.display());
    match mkdir(dir, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(Errno::ENOENT) => {
            if let Some(parent) = dir.parent() {
                make_parents(parent).tried(tried)?;
            }
            match mkdir(dir, Mode::S_IRWXU) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(Error::os(errno, tried())),
            }
        }
        Err(errno) => return Err(Error::os(errno, tried())),
    }
    let fd = open_dir(dir).map_err(|errno| match errno {
        Errno::ELOOP | Errno::ENOTDIR => not_ours(dir, "is a link or no directory"),
        _ => Error::os(errno, tried()),
    })?;
    let stat = fstat(fd.as_fd()).tried(tried)?;
    if stat.st_uid != owner.as_raw() {
        return Err(not_ours(dir, &format!("belongs to uid {}", stat.st_uid)));
    }
    if stat.st_mode & 0o7777 != 0o700 {
        narrow(&fd).tried(tried)?;
    }
    Ok(())
}

/// Through `/proc`, because fchmod(2) refuses a handle opened with `O_PATH`.
fn narrow(dir: &OwnedFd) -> std::io::Result<()> {
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Missing parents, 0700 too: a store's parent gives nothing away.
fn make_parents(dir: &Path) -> Result<(), Errno> {
    match mkdir(dir, Mode::S_IRWXU) {
        Ok(()) => {
            let fd = open_dir(dir)?;
            if fstat(fd.as_fd())?.st_mode & 0o777 != 0o700 {
                narrow(&fd).map_err(|err| Errno::from_raw(err.raw_os_error().unwrap_or(0)))?;
            }
            Ok(())
        }
        Err(Errno::EEXIST) => Ok(()),
        Err(Errno::ENOENT) => {
            make_parents(dir.parent().ok_or(Errno::ENOENT)?)?;
            make_parents(dir)
        }
        Err(errno) => Err(errno),
    }
}

fn not_ours(dir: &Path, why: &str) -> Error {
    Error::new(
        Kind::System,
        format!("use the directory {}: it {why}, so it cannot be trusted", dir.display()),
    )
    .hint("remove it, or set XDG_RUNTIME_DIR or --runroot (--root for the store) to a directory of yours")
}

/// A handle that works on directories without read permission too.
fn open_dir(dir: &Path) -> Result<OwnedFd, Errno> {
    open(
        dir,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
}

fn fstat_of(fd: OwnedFd) -> Result<FileStat, Errno> {
    fstat(fd.as_fd())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Error::usage("use the directory \"\": the path is empty"));
    }
    std::path::absolute(path).tried(|| format!("find the working directory for {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};

    use nix::unistd::getuid;

    use super::*;

    /// A directory that nobody else uses, gone on drop.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("pod-dirs-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&dir);
            std::fs::DirBuilder::new()
                .mode(0o755)
                .create(&dir)
                .expect("make a scratch directory");
            Self(dir)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).expect("stat").mode() & 0o7777
    }

    #[test]
    fn private_directories_are_0700_with_their_new_parents() {
        let scratch = Scratch::new("parents");
        let dir = scratch.0.join("a/b/c");
        make_private(&dir, getuid()).expect("make");
        for made in ["a", "a/b", "a/b/c"] {
            assert_eq!(mode(&scratch.0.join(made)), 0o700, "{made}");
        }
        assert_eq!(mode(&scratch.0), 0o755);
    }

    #[test]
    fn wide_bits_are_narrowed() {
        let scratch = Scratch::new("wide");
        let dir = scratch.0.join("run");
        std::fs::create_dir(&dir).expect("mkdir");
        for bits in [0o777, 0o000] {
            std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(bits)).expect("chmod");
            make_private(&dir, getuid()).expect("take it");
            assert_eq!(mode(&dir), 0o700);
        }
    }

    #[test]
    fn links_files_and_foreign_directories_are_refused() {
        let scratch = Scratch::new("links");
        let (target, link, file) = (
            scratch.0.join("t"),
            scratch.0.join("l"),
            scratch.0.join("f"),
        );
        std::fs::create_dir(&target).expect("mkdir");
        symlink(&target, &link).expect("symlink");
        std::fs::write(&file, "").expect("write");
        for path in [&link, &file] {
            let err = make_private(path, getuid()).expect_err("no directory");
            assert_eq!(
                err.to_string(),
                format!(
                    "use the directory {}: it is a link or no directory, so it cannot be trusted",
                    path.display()
                )
            );
            assert!(err.remedy().is_some());
        }
        let err = make_private(&target, Uid::from_raw(4242)).expect_err("another owner");
        assert!(
            err.to_string()
                .contains(&format!("belongs to uid {}", getuid())),
            "{err}"
        );
    }
}
