//! The tree of a container that does not run, as it would see it: layers, volumes and binds in one place.
//!
//! Runs in: worker. The mounts live in its own mount namespace and vanish with it.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::error::{Result, Tried};
use crate::storage::pack::{Writable, mount_on, open_merged};
use crate::storage::unpack::tree::Tree;
use crate::sys::mount::{mount_attr, mount_setattr};

/// A host's file or directory at a path of the container.
#[derive(Debug, Clone)]
pub struct Bound {
    pub source: PathBuf,
    /// Absolute, clean.
    pub target: String,
    pub read_only: bool,
}

/// What the tree is made of.
#[derive(Debug, Clone)]
pub struct Assembly {
    /// Directories, uppermost first; where there is `writable`, without its upper one.
    pub layers: Vec<PathBuf>,
    pub writable: Option<Writable>,
    /// A directory in place of layers.
    pub directory: Option<PathBuf>,
    pub bound: Vec<Bound>,
    /// A directory of ours to mount on.
    pub place: PathBuf,
}

impl Assembly {
    /// Mounts it all and opens its root.
    pub fn open(&self) -> Result<OwnedFd> {
        let plain = self.bound.is_empty();
        if let (Some(directory), true) = (&self.directory, plain) {
            return open_dir(directory);
        }
        let layers: Vec<&Path> = self.layers.iter().map(PathBuf::as_path).collect();
        if plain && self.writable.is_none() {
            return open_merged(&layers);
        }
        let mut bound = Vec::new();
        for one in &self.bound {
            let tried = || format!("use {:?} for {}", one.source, one.target);
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_RECURSIVE;
            let tree = open_tree(CWD, &one.source, flags).tried(tried)?;
            if one.read_only {
                read_only(&tree).tried(tried)?;
            }
            bound.push((one, tree));
        }
        match &self.directory {
            Some(directory) => mount::<_, _, str, str>(
                Some(directory),
                &self.place,
                None,
                MsFlags::MS_BIND | MsFlags::MS_REC,
                None,
            )
            .tried(|| format!("bind {directory:?}"))?,
            None => self.mount_layers(layers, &bound)?,
        }
        let root = open_dir(&self.place)?;
        // A mount hides what was mounted below it before: outer ones come first.
        bound.sort_by_key(|(one, _)| one.target.matches('/').count());
        for (one, tree) in &bound {
            attach(&root, one, tree)
                .tried(|| format!("mount {:?} on {}", one.source, one.target))?;
        }
        Ok(root)
    }

    /// The lowest layer has the mount points, so that none need be made in the container's own.
    fn mount_layers<'a>(
        &'a self,
        mut layers: Vec<&'a Path>,
        bound: &[(&Bound, OwnedFd)],
    ) -> Result<()> {
        if bound.is_empty() {
            return mount_on(&layers, self.writable.as_ref(), &self.place);
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let tried = || "make mount points";
        mount(
            Some("tmpfs"),
            &self.place,
            Some("tmpfs"),
            flags,
            Some("mode=755"),
        )
        .tried(tried)?;
        for (one, tree) in bound {
            let point = self.place.join(one.target.trim_start_matches('/'));
            match is_directory(tree).tried(tried)? {
                true => fs::create_dir_all(&point).tried(tried)?,
                false => {
                    fs::create_dir_all(point.parent().unwrap_or(&self.place)).tried(tried)?;
                    drop(fs::File::create(&point).tried(tried)?);
                }
            }
        }
        layers.push(&self.place);
        mount_on(&layers, self.writable.as_ref(), &self.place)
    }
}

fn attach(root: &OwnedFd, one: &Bound, tree: &OwnedFd) -> Result<(), Errno> {
    let target = one.target.trim_start_matches('/');
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let find = || openat2(root, target, flags, Mode::empty(), resolve);
    let point = match find() {
        // Below another mount, or where a link leads: as the container's start would.
        Err(Errno::NOENT) if is_directory(tree)? => {
            drop(Tree::of(root.try_clone().map_err(|_| Errno::MFILE)?).dir(target.as_bytes())?);
            find()?
        }
        point => point?,
    };
    let empty = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, c"", &point, c"", empty)
}

fn is_directory(file: &OwnedFd) -> Result<bool, Errno> {
    Ok(FileType::from_raw_mode(fstat(file)?.st_mode) == FileType::Directory)
}

fn read_only(tree: &OwnedFd) -> Result<(), nix::errno::Errno> {
    use std::os::fd::AsFd;
    let attr = mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    mount_setattr(tree.as_fd(), c"", flags, &attr)
}

fn open_dir(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).tried(|| format!("open {path:?}"))
}
