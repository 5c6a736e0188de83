//! Several layers as the one tree that a container sees. Runs in: worker, or a command inside `unshare`.
//!
//! The mount lives in the mount namespace of whoever makes it and vanishes with that.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use crate::error::{Error, Kind, Result, Tried};
use crate::sys::mount::{mount_attr, mount_setattr};

/// Nothing in the tree works as a device or takes other rights by being executed.
const SAFE: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);

/// Directories that take what is written.
#[derive(Debug, Clone)]
pub struct Writable {
    pub upper: PathBuf,
    pub work: PathBuf,
}

/// Opens the tree of `dirs`, uppermost first, for reading. Where there is one only it is that directory, marks and all.
pub fn open(dirs: &[&Path]) -> Result<OwnedFd> {
    if let [only] = dirs {
        return open_dir(only);
    }
    let Some(lowest) = dirs.last() else {
        return Err(Error::new(Kind::System, "open a tree of no layer"));
    };
    match by_layer(dirs, None) {
        Ok(mounted) => openat(
            &mounted,
            c".",
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .tried(|| "open the merged layers"),
        // Linux before 6.7 takes all layers as one string, and we need a place for them: it is covered in our own
        // namespace only.
        Err(Errno::INVAL | Errno::NOSYS) => {
            at_once(dirs, None, lowest)?;
            let root = open_dir(lowest)?;
            umount2(*lowest, MntFlags::MNT_DETACH).tried(|| "take a mount away")?;
            Ok(root)
        }
        Err(errno) => Err(failed(dirs, errno)),
    }
}

/// Mounts the tree of `dirs` on `place`; read-only unless there is somewhere to write to.
pub fn mount_on(dirs: &[&Path], writable: Option<&Writable>, place: &Path) -> Result<()> {
    let mounted = match (dirs, writable) {
        ([only], None) => read_only_bind(only).tried(|| format!("bind \"{}\"", only.display()))?,
        ([], None) => return Err(Error::new(Kind::Unsupported, "mount an image of no layer")),
        _ => match by_layer(dirs, writable) {
            Ok(mounted) => mounted,
            Err(Errno::INVAL | Errno::NOSYS) => return at_once(dirs, writable, place),
            Err(errno) => return Err(failed(dirs, errno)),
        },
    };
    move_mount(
        &mounted,
        c"",
        CWD,
        place,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
    .tried(|| format!("mount on \"{}\"", place.display()))
}

pub(super) fn open_dir(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).tried(|| format!("open \"{}\"", path.display()))
}

fn failed(dirs: &[&Path], errno: Errno) -> Error {
    Error::os(
        nix::errno::Errno::from_raw(errno.raw_os_error()),
        format!("mount overlay of {} layers", dirs.len()),
    )
}

/// Overlay takes no single layer without a writable one.
fn read_only_bind(dir: &Path) -> Result<OwnedFd, nix::errno::Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, dir, flags)
        .map_err(|errno| nix::errno::Errno::from_raw(errno.raw_os_error()))?;
    let attributes = SAFE | MountAttrFlags::MOUNT_ATTR_RDONLY;
    let attr = mount_attr {
        attr_set: u64::from(attributes.bits()),
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    mount_setattr(tree.as_fd(), c"", libc::AT_EMPTY_PATH, &attr)?;
    Ok(tree)
}

fn by_layer(dirs: &[&Path], writable: Option<&Writable>) -> Result<OwnedFd, Errno> {
    let overlay = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_flag(&overlay, c"userxattr")?;
    for dir in dirs {
        set_dir(overlay.as_fd(), c"lowerdir+", dir)?;
    }
    let mut attributes = SAFE;
    match writable {
        Some(writable) => {
            set_dir(overlay.as_fd(), c"upperdir", &writable.upper)?;
            set_dir(overlay.as_fd(), c"workdir", &writable.work)?;
        }
        None => attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY,
    }
    fsconfig_create(&overlay)?;
    fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

fn set_dir(overlay: BorrowedFd<'_>, key: &std::ffi::CStr, dir: &Path) -> Result<(), Errno> {
    // A value has at most 255 bytes: longer paths are named from their directory.
    let name = match (dir.parent(), dir.file_name()) {
        (Some(parent), Some(name)) if dir.as_os_str().len() > 255 => {
            rustix::process::chdir(parent)?;
            name
        }
        _ => dir.as_os_str(),
    };
    fsconfig_set_string(overlay, key, name.as_bytes())
}

/// By mount(2), all layers in one string.
fn at_once(dirs: &[&Path], writable: Option<&Writable>, place: &Path) -> Result<()> {
    let tried = || format!("mount overlay of {} layers", dirs.len());
    // Relative names, so that a page of options holds many. `layers/<id>/tree` is three levels below the root.
    let root = dirs.last().and_then(|lowest| lowest.ancestors().nth(3));
    let root = root.unwrap_or(Path::new("/"));
    std::env::set_current_dir(root).tried(|| format!("enter \"{}\"", root.display()))?;
    let name = |dir: &Path, special: &[char]| {
        let name = dir.strip_prefix(root).unwrap_or(dir).to_string_lossy();
        let mut escaped = String::with_capacity(name.len());
        for c in name.chars() {
            if special.contains(&c) {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        escaped
    };
    let lower: Vec<String> = dirs
        .iter()
        .map(|dir| name(dir, &[':', ',', '\\']))
        .collect();
    let mut options = format!("userxattr,lowerdir={}", lower.join(":"));
    let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    match writable {
        Some(writable) => {
            for (key, dir) in [("upperdir", &writable.upper), ("workdir", &writable.work)] {
                options.push_str(&format!(",{key}={}", name(dir, &[',', '\\'])));
            }
        }
        None => flags |= MsFlags::MS_RDONLY,
    }
    if options.len() > 4095 {
        return Err(Error::new(
            Kind::Unsupported,
            format!("{}: more than a page of options", tried()),
        )
        .hint("Linux 6.7 or newer has no such limit"));
    }
    mount(
        Some("overlay"),
        place,
        Some("overlay"),
        flags,
        Some(options.as_str()),
    )
    .tried(tried)
}
