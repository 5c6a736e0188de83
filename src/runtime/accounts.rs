//! Runs in: init, before exec. Users and groups that the container's `/etc/passwd` and `/etc/group` shall know.
//!
//! An entry is appended where the file has neither its name nor its id (as Podman does, so that `useradd` still
//! works); the files are opened beneath the root and are the container's own by then.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use serde::{Deserialize, Serialize};

use super::step::{At, Failed, Step};
use super::user::{self, Who};

/// One line to add.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    pub file: AccountFile,
    /// Nothing is added where the file has this name or this id.
    pub name: String,
    pub id: u32,
    /// Without the newline.
    pub line: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountFile {
    Passwd,
    Group,
}

impl AccountFile {
    pub(super) fn path(self) -> &'static CStr {
        match self {
            Self::Passwd => c"etc/passwd",
            Self::Group => c"etc/group",
        }
    }

    fn step(self) -> Step {
        match self {
            Self::Passwd => Step::Passwd,
            Self::Group => Step::Group,
        }
    }
}

/// An entry as bytes, ready to be written.
#[derive(Debug)]
pub(super) struct AccountStep {
    pub(super) file: AccountFile,
    name: Who,
    id: Who,
    /// With newlines before and after.
    line: Vec<u8>,
}

impl AccountStep {
    pub(super) fn new(entry: &AccountEntry) -> Self {
        Self {
            file: entry.file,
            name: Who::Name(entry.name.clone().into_bytes()),
            id: Who::Id(entry.id),
            line: format!("\n{}\n", entry.line).into_bytes(),
        }
    }
}

/// Appends what is missing. `buffer` holds one file at a time.
pub(super) fn add(
    steps: &[AccountStep],
    root: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(), Failed> {
    for account in steps {
        let step = account.file.step();
        let len = user::read(root, account.file.path(), buffer, step)?;
        let text = &buffer[..len];
        if user::knows(text, &account.name) || user::knows(text, &account.id) {
            continue;
        }
        let flags = OFlags::WRONLY
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::CLOEXEC
            | OFlags::NONBLOCK
            | OFlags::NOCTTY;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mode = Mode::from_raw_mode(0o644);
        let file = match openat2(root, account.file.path(), flags, mode, resolve) {
            Ok(file) => file,
            // An image without /etc: nobody there reads the file.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => continue,
            Err(errno) => return Err(errno).at(step, 2),
        };
        let found = fstat(&file).at(step, 2)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(Failed::new(step, 1, Errno::EINVAL));
        }
        let ends_line = text.last().is_none_or(|last| *last == b'\n');
        let line = &account.line[usize::from(ends_line)..];
        let written = rustix::io::write(&file, line).at(step, 2)?;
        if written != line.len() {
            return Err(Failed::new(step, 2, Errno::ENOSPC));
        }
    }
    Ok(())
}
