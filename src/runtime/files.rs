//! Runs in: init, before exec. Files whose text comes with the plan and lies on no disk: secrets.
//!
//! They are written into one file system in memory, mounted on [`SECRETS`]; those that belong elsewhere are bound
//! from there to their places, and their names here are taken away.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use oci_spec::runtime::Mount;
use rustix::fs::{AtFlags, Gid, Mode, Uid, fchmod, fchown, unlinkat};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

use crate::error::Result;
use crate::sys;
use crate::sys::mount::mount_attr;

use super::mounts::{ATTR_RDONLY, c_string, inside};
use super::plan::SecretFile;
use super::spec::mount;
use super::step::{At, Failed, Step};
use super::target::{self, Make};

/// Where secrets are, unless they name another place.
pub const SECRETS: &str = "/run/secrets";
/// What the mount's source says: tells it from a file system of the user's own.
pub(super) const SOURCE: &str = "secrets";

/// One file, ready to be made by system calls alone.
pub(super) struct FileStep {
    /// Relative to the file system in memory.
    name: CString,
    /// Where it is bound to, relative to the root; `None`: it stays where it is.
    place: Option<CString>,
    uid: u32,
    gid: u32,
    mode: u32,
    data: Vec<u8>,
    /// A copy of its mount, once made.
    bind: Option<OwnedFd>,
}

/// The file system that will hold `files`.
pub fn secrets_mount(files: &[SecretFile]) -> Mount {
    const PAGE: usize = 4096;
    let pages: usize = files.iter().map(|f| f.data.len().div_ceil(PAGE) + 2).sum();
    let size = format!("size={}", (pages + 16) * PAGE);
    let options = ["nosuid", "nodev", "noexec", "mode=0755", &size];
    mount(SECRETS, "tmpfs", SOURCE, &options)
}

pub(super) fn compile(files: Vec<SecretFile>) -> Result<Vec<FileStep>> {
    let mut steps = Vec::with_capacity(files.len());
    for (number, file) in files.into_iter().enumerate() {
        let target = Path::new(&file.target);
        let here = match target.strip_prefix(SECRETS) {
            Ok(rest) => Some(rest),
            Err(_) => (!target.is_absolute()).then_some(target),
        };
        steps.push(FileStep {
            name: match here {
                Some(path) => inside(path)?,
                None => c_string(format!(".{number}").as_bytes())?,
            },
            place: match here {
                Some(_) => None,
                None => Some(inside(target)?),
            },
            uid: file.uid,
            gid: file.gid,
            mode: file.mode,
            data: file.data,
            bind: None,
        });
    }
    Ok(steps)
}

/// Writes the files into `memory`, which is mounted. `owners`: ids other than the own one can be given.
pub(super) fn fill(
    steps: &mut [FileStep],
    memory: BorrowedFd<'_>,
    owners: bool,
) -> Result<(), Failed> {
    for (index, step) in steps.iter_mut().enumerate() {
        let file = target::open(memory, &step.name, Make::File).at(Step::Secret, index)?;
        let mut rest = &step.data[..];
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest).at(Step::Secret, index)?;
            rest = &rest[written..];
        }
        if owners {
            let (uid, gid) = (Uid::from_raw(step.uid), Gid::from_raw(step.gid));
            fchown(&file, Some(uid), Some(gid)).at(Step::Secret, index)?;
        }
        fchmod(&file, Mode::from_raw_mode(step.mode)).at(Step::Secret, index)?;
        if step.place.is_some() {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_EMPTY_PATH;
            let copy = open_tree(&file, c"", flags).at(Step::Secret, index)?;
            step.bind = Some(copy);
        }
    }
    Ok(())
}

/// Binds the files that belong outside of [`SECRETS`] to their places. Their names in `memory` go last: what has no
/// name any more cannot be mounted.
pub(super) fn bind(
    steps: &[FileStep],
    memory: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    read_only: bool,
) -> Result<(), Failed> {
    let onto =
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH.union(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH);
    for (index, step) in steps.iter().enumerate() {
        if let (Some(place), Some(copy)) = (&step.place, &step.bind) {
            let place = target::open(root, place, Make::File).at(Step::Secret, index)?;
            move_mount(copy.as_fd(), c"", place.as_fd(), c"", onto).at(Step::Secret, index)?;
            unlinkat(memory, &step.name, AtFlags::empty()).at(Step::Secret, index)?;
        }
    }
    if read_only {
        let attr = mount_attr {
            attr_set: ATTR_RDONLY,
            attr_clr: 0,
            propagation: 0,
            userns_fd: 0,
        };
        let mounts = steps.iter().filter_map(|step| step.bind.as_ref());
        for mount in mounts.map(AsFd::as_fd).chain([memory]) {
            sys::mount::mount_setattr(mount, c"", libc::AT_EMPTY_PATH, &attr)
                .at(Step::Secret, 0)?;
        }
    }
    Ok(())
}

impl std::fmt::Debug for FileStep {
    /// Everything but the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStep")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl FileStep {
    /// For messages: where it was to be.
    pub(super) fn shown(&self) -> String {
        match &self.place {
            Some(place) => format!("/{}", place.to_string_lossy()),
            None => format!("{SECRETS}/{}", self.name.to_string_lossy()),
        }
    }
}
