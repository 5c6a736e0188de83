//! The container's root: prepared before the fork, mounted by system calls alone.

use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, open};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, mount, open_tree,
    unmount,
};

use crate::error::{Error, Kind, Result};

use super::mounts::c_string;
use super::plan::Rootfs;
use super::step::{At, Failed, Step};

/// A value of `fsconfig(2)` has at most 255 bytes.
const VALUE_LIMIT: usize = 255;
/// `mount(2)` takes a page of options.
const OPTIONS_LIMIT: usize = 4095;

/// See [`Rootfs`].
#[derive(Debug)]
pub(super) enum RootPlan {
    /// Layers one by one (`lowerdir+`, Linux 6.7): any number of them, any path.
    Layers {
        lower: Vec<Place>,
        upper: Place,
        work: Place,
        volatile: bool,
    },
    /// One string of options for `mount(2)`, for older kernels; mounted over the work directory's parent.
    Options {
        options: CString,
        /// The same tree without a writable layer.
        read_only: CString,
        over: CString,
    },
    Dir(CString),
}

/// A path that fits `fsconfig(2)`: long ones are named from their parent directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    directory: Option<CString>,
    name: CString,
}

impl Place {
    fn of(path: &Path) -> Result<Place> {
        let bytes = path.as_os_str().as_bytes();
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if bytes.len() > VALUE_LIMIT => Ok(Place {
                directory: Some(c_string(parent.as_os_str().as_bytes())?),
                name: c_string(name.as_bytes())?,
            }),
            _ => Ok(Place {
                directory: None,
                name: c_string(bytes)?,
            }),
        }
    }
}

impl RootPlan {
    pub(super) fn compile(rootfs: &Rootfs) -> Result<RootPlan> {
        Self::compile_for(rootfs, has_layer_parameters())
    }

    fn compile_for(rootfs: &Rootfs, layer_parameters: bool) -> Result<RootPlan> {
        match rootfs {
            Rootfs::Dir(path) => Ok(RootPlan::Dir(c_string(path.as_os_str().as_bytes())?)),
            Rootfs::Overlay {
                lower,
                upper,
                work,
                volatile,
            } if layer_parameters => Ok(RootPlan::Layers {
                lower: lower
                    .iter()
                    .map(|path| Place::of(path))
                    .collect::<Result<_>>()?,
                upper: Place::of(upper)?,
                work: Place::of(work)?,
                volatile: *volatile,
            }),
            Rootfs::Overlay {
                lower,
                upper,
                work,
                volatile,
            } => {
                let below = lower
                    .iter()
                    .map(|path| escaped(path, &[',', ':', '\\']))
                    .collect::<Result<Vec<_>>>()?
                    .join(":");
                let above = escaped(upper, &[',', ':', '\\'])?;
                let read_only = format!("userxattr,lowerdir={above}:{below}");
                let mut options = format!("userxattr,lowerdir={below}");
                if *volatile {
                    options.push_str(",volatile");
                }
                for (key, path) in [("upperdir", upper), ("workdir", work)] {
                    let _ = write!(options, ",{key}={}", escaped(path, &[',', '\\'])?); // a String takes everything
                }
                if options.len() > OPTIONS_LIMIT {
                    return Err(Error::new(
                        Kind::Unsupported,
                        format!(
                            "mount {} layers: their paths are longer than a page",
                            lower.len()
                        ),
                    )
                    .hint("Linux 6.7 or newer has no such limit; or use a shorter --root"));
                }
                Ok(RootPlan::Options {
                    options: c_string(options.as_bytes())?,
                    read_only: c_string(read_only.as_bytes())?,
                    over: c_string(work.as_os_str().as_bytes())?,
                })
            }
        }
    }

    /// Mounts the root, not yet attached except with [`RootPlan::Options`], and opens it. Runs in: init.
    pub(super) fn mount(&self) -> Result<OwnedFd, Failed> {
        match self {
            RootPlan::Dir(path) => {
                let flags = OpenTreeFlags::OPEN_TREE_CLONE
                    | OpenTreeFlags::OPEN_TREE_CLOEXEC
                    | OpenTreeFlags::AT_RECURSIVE;
                open_tree(CWD, path.as_c_str(), flags).at(Step::RootDir, 0)
            }
            RootPlan::Layers {
                lower,
                upper,
                work,
                volatile,
            } => {
                let fs = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Overlay, 0)?;
                fsconfig_set_flag(&fs, c"userxattr").at(Step::Overlay, 1)?;
                if *volatile {
                    fsconfig_set_flag(&fs, c"volatile").at(Step::Overlay, 2)?;
                }
                for (index, place) in lower.iter().enumerate() {
                    set_place(&fs, c"lowerdir+", place).at(Step::OverlayLower, index)?;
                }
                set_place(&fs, c"upperdir", upper).at(Step::OverlayUpper, 0)?;
                set_place(&fs, c"workdir", work).at(Step::OverlayUpper, 1)?;
                fsconfig_create(&fs).at(Step::Overlay, 3)?;
                fsmount(
                    &fs,
                    FsMountFlags::FSMOUNT_CLOEXEC,
                    MountAttrFlags::MOUNT_ATTR_NODEV,
                )
                .at(Step::Overlay, 4)
            }
            RootPlan::Options { options, over, .. } => {
                let flags = MountFlags::NODEV;
                mount(
                    c"overlay",
                    over.as_c_str(),
                    c"overlay",
                    flags,
                    options.as_c_str(),
                )
                .at(Step::Overlay, 5)?;
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                open(over.as_c_str(), flags, Mode::empty()).at(Step::Overlay, 6)
            }
        }
    }

    /// The same tree for reading only, not attached. Runs in: init, before its ids are mapped: then a writable overlay
    /// cannot be mounted, because its work directory lets nobody in but by privilege over a mapped id.
    pub(super) fn open_for_reading(&self) -> Result<OwnedFd, Failed> {
        match self {
            RootPlan::Dir(_) => self.mount(),
            RootPlan::Layers { lower, upper, .. } => {
                let fs = fsopen(c"overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(Step::Overlay, 7)?;
                fsconfig_set_flag(&fs, c"userxattr").at(Step::Overlay, 8)?;
                set_place(&fs, c"lowerdir+", upper).at(Step::OverlayUpper, 0)?;
                for (index, place) in lower.iter().enumerate() {
                    set_place(&fs, c"lowerdir+", place).at(Step::OverlayLower, index)?;
                }
                fsconfig_create(&fs).at(Step::Overlay, 9)?;
                fsmount(
                    &fs,
                    FsMountFlags::FSMOUNT_CLOEXEC,
                    MountAttrFlags::MOUNT_ATTR_NODEV,
                )
                .at(Step::Overlay, 10)
            }
            RootPlan::Options {
                read_only, over, ..
            } => {
                let flags = MountFlags::NODEV;
                mount(
                    c"overlay",
                    over.as_c_str(),
                    c"overlay",
                    flags,
                    read_only.as_c_str(),
                )
                .at(Step::Overlay, 11)?;
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let root = open(over.as_c_str(), flags, Mode::empty()).at(Step::Overlay, 12)?;
                unmount(over.as_c_str(), UnmountFlags::DETACH).at(Step::Overlay, 13)?;
                Ok(root)
            }
        }
    }

    /// Already in its place in the tree, and only to be entered.
    pub(super) fn is_attached(&self) -> bool {
        matches!(self, RootPlan::Options { .. })
    }

    pub(super) fn layer(&self, index: usize) -> String {
        match self {
            RootPlan::Layers { lower, .. } => lower.get(index).map(shown),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// `upper` and `work`, by number.
    pub(super) fn writable(&self, index: usize) -> String {
        match self {
            RootPlan::Layers { upper, work, .. } => shown(if index == 0 { upper } else { work }),
            RootPlan::Options { over, .. } => over.to_string_lossy().into_owned(),
            RootPlan::Dir(path) => path.to_string_lossy().into_owned(),
        }
    }

    pub(super) fn layers(&self) -> usize {
        match self {
            RootPlan::Layers { lower, .. } => lower.len(),
            _ => 1,
        }
    }
}

fn shown(place: &Place) -> String {
    let name = place.name.to_string_lossy();
    match &place.directory {
        Some(directory) => format!("{}/{name}", directory.to_string_lossy()),
        None => name.into_owned(),
    }
}

fn set_place(fs: &OwnedFd, key: &CStr, place: &Place) -> rustix::io::Result<()> {
    if let Some(directory) = &place.directory {
        rustix::process::chdir(directory.as_c_str())?;
    }
    fsconfig_set_string(fs, key, place.name.as_c_str())
}

/// Linux 6.7 or newer.
fn has_layer_parameters() -> bool {
    let uname = rustix::system::uname();
    let mut numbers = uname
        .release()
        .to_str()
        .unwrap_or_default()
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 7)
}

fn escaped(path: &Path, special: &[char]) -> Result<String> {
    let text = path.to_str().ok_or_else(|| {
        Error::new(
            Kind::Unsupported,
            format!("mount an overlay of \"{}\": not UTF-8", path.display()),
        )
    })?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn overlay(lower: &[&str]) -> Rootfs {
        Rootfs::Overlay {
            lower: lower.iter().map(PathBuf::from).collect(),
            upper: "/c/upper".into(),
            work: "/c/work".into(),
            volatile: true,
        }
    }

    #[test]
    fn older_kernels_get_one_string() {
        let plan = RootPlan::compile_for(&overlay(&["/l/a:b", "/l/c,d"]), false).unwrap();
        let RootPlan::Options { options, .. } = plan else {
            panic!("a string of options");
        };
        assert_eq!(
            options.to_str(),
            Ok("userxattr,lowerdir=/l/a\\:b:/l/c\\,d,volatile,upperdir=/c/upper,workdir=/c/work")
        );
        let long = "/l".repeat(3000);
        let err = RootPlan::compile_for(&overlay(&[&long]), false).unwrap_err();
        assert_eq!(err.kind(), Kind::Unsupported);
    }

    #[test]
    fn long_paths_are_named_from_their_directory() {
        let long = format!("/{}/tree", "d".repeat(300));
        let place = Place::of(Path::new(&long)).unwrap();
        assert_eq!(place.name.to_str(), Ok("tree"));
        assert_eq!(shown(&place), long);
        let place = Place::of(Path::new("/l/a/tree")).unwrap();
        assert_eq!(
            (place.directory, place.name.to_str()),
            (None, Ok("/l/a/tree"))
        );
    }
}
