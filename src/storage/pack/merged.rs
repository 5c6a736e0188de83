//! Several layers as the one tree that a container sees, for reading. Runs in: worker with a mount namespace.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

use crate::error::{Error, Kind, Result, Tried};

/// Opens the tree of `dirs`, uppermost first. Where there is one only it is that directory, marks and all.
pub(super) fn open(dirs: &[&Path]) -> Result<OwnedFd> {
    if let [only] = dirs {
        return open_dir(only);
    }
    let tried = || format!("mount overlay of {} layers", dirs.len());
    match by_layer(dirs) {
        // Linux before 6.7 takes all layers as one string.
        Err(Errno::INVAL | Errno::NOSYS) => at_once(dirs),
        done => done.tried(tried),
    }
}

pub(super) fn open_dir(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).tried(|| format!("open \"{}\"", path.display()))
}

fn by_layer(dirs: &[&Path]) -> Result<OwnedFd, Errno> {
    let overlay = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_flag(&overlay, c"userxattr")?;
    for dir in dirs {
        // A value has at most 255 bytes: longer paths are named from their directory.
        let (parent, name) = match (dir.parent(), dir.file_name()) {
            (Some(parent), Some(name)) if dir.as_os_str().len() > 255 => (Some(parent), name),
            _ => (None, dir.as_os_str()),
        };
        if let Some(parent) = parent {
            rustix::process::chdir(parent)?;
        }
        fsconfig_set_string(&overlay, c"lowerdir+", name.as_bytes())?;
    }
    fsconfig_create(&overlay)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mounted = fsmount(&overlay, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    openat(
        &mounted,
        c".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// By mount(2), over the lowest directory, which is found before it is covered.
fn at_once(dirs: &[&Path]) -> Result<OwnedFd> {
    let tried = || format!("mount overlay of {} layers", dirs.len());
    let Some(lowest) = dirs.last() else {
        return Err(Error::new(Kind::System, "mount overlay of no layer"));
    };
    // Relative names, so that a page of options holds many. `layers/<id>/tree` is three levels below the root.
    let root = lowest.ancestors().nth(3).unwrap_or(lowest);
    std::env::set_current_dir(root).tried(|| format!("enter \"{}\"", root.display()))?;
    let names: Vec<String> = dirs
        .iter()
        .map(|dir| {
            let name = dir.strip_prefix(root).unwrap_or(dir).to_string_lossy();
            name.replace('\\', "\\\\")
                .replace(':', "\\:")
                .replace(',', "\\,")
        })
        .collect();
    let options = format!("userxattr,lowerdir={}", names.join(":"));
    if options.len() > 4095 {
        return Err(Error::new(
            Kind::Unsupported,
            format!("{}: more than a page of options", tried()),
        )
        .hint("Linux 6.7 or newer has no such limit"));
    }
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(
        Some("overlay"),
        *lowest,
        Some("overlay"),
        flags,
        Some(options.as_str()),
    )
    .tried(tried)?;
    let root = open_dir(lowest)?;
    umount2(*lowest, MntFlags::MNT_DETACH).tried(tried)?;
    Ok(root)
}
