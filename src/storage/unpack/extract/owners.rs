//! Owners of members: given to the files, or kept as metadata where only one id is mapped.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Gid, Stat, Uid, chownat, fchown};

use super::super::Owners;
use super::super::tar::Member;
use super::super::tree::Place;
use super::words::Worded;
use crate::error::{Error, Result, Tried};

pub(super) struct Ownership {
    how: Owners,
    /// `owners`, made with the first line.
    path: PathBuf,
    file: Option<BufWriter<File>>,
    /// Owner of a file that this process makes.
    me: (u32, u32),
}

impl Ownership {
    pub(super) fn new(how: Owners, path: PathBuf, me: (u32, u32)) -> Self {
        Self {
            how,
            path,
            file: None,
            me,
        }
    }

    pub(super) fn are_recorded(&self) -> bool {
        self.how == Owners::Record
    }

    /// A new file is the member's owner's already, as far as the file system is concerned.
    pub(super) fn is_plain(&self, member: &Member) -> bool {
        self.are_recorded() || (member.uid, member.gid) == self.me
    }

    /// Owner of a file, directory or root that is open; `found` is what it has now.
    pub(super) fn of_found(
        &mut self,
        path: &[u8],
        fd: BorrowedFd<'_>,
        member: &Member,
        found: &Stat,
    ) -> Result<(), Worded> {
        match self.how {
            Owners::Record => self.record(path, member),
            Owners::Apply if (found.st_uid, found.st_gid) == (member.uid, member.gid) => Ok(()),
            Owners::Apply => chown_fd(fd, member),
        }
    }

    /// Owner of a file that was just made.
    pub(super) fn of_new(
        &mut self,
        path: &[u8],
        fd: BorrowedFd<'_>,
        member: &Member,
    ) -> Result<(), Worded> {
        match self.how {
            Owners::Record => self.record(path, member),
            Owners::Apply if self.me == (member.uid, member.gid) => Ok(()),
            Owners::Apply => chown_fd(fd, member),
        }
    }

    /// As [`Self::of_new`], of what cannot be opened.
    pub(super) fn of_new_at(
        &mut self,
        path: &[u8],
        place: &Place,
        member: &Member,
    ) -> Result<(), Worded> {
        match self.how {
            Owners::Record => self.record(path, member),
            Owners::Apply if self.me == (member.uid, member.gid) => Ok(()),
            Owners::Apply => chownat(
                place.dir(),
                &place.name,
                Some(Uid::from_raw(member.uid)),
                Some(Gid::from_raw(member.gid)),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .map_err(|errno| Worded::Owner(errno, member.uid, member.gid)),
        }
    }

    pub(super) fn record(&mut self, path: &[u8], member: &Member) -> Result<(), Worded> {
        if (member.uid, member.gid) == (0, 0) {
            return Ok(());
        }
        let mut write = || {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(BufWriter::new(File::create(&self.path)?)),
            };
            write!(file, "{} {} ", member.uid, member.gid)?;
            file.write_all(path)?;
            file.write_all(&[0])
        };
        write().map_err(|err: std::io::Error| {
            Worded::Whole(Error::io(
                &err,
                format!("write \"{}\"", self.path.display()),
            ))
        })
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        match self.file.take() {
            Some(mut file) => file.flush().tried(|| "write the layer's owners"),
            None => Ok(()),
        }
    }
}

fn chown_fd(fd: BorrowedFd<'_>, member: &Member) -> Result<(), Worded> {
    let (uid, gid) = (Uid::from_raw(member.uid), Gid::from_raw(member.gid));
    fchown(fd, Some(uid), Some(gid)).map_err(|errno| Worded::Owner(errno, member.uid, member.gid))
}
