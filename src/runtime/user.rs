//! Runs in: init, before exec. `--user` and `--group-add` looked up in the container's own files (passwd(5), group(5)).
//!
//! The files belong to the image: they are opened beneath the root, must be regular and of a sane size, and are read
//! into memory that was set aside before the fork.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};

use crate::error::{Error, Kind, Result};

use super::step::{At, Failed, Step};

/// More than any real passwd or group file has; an image that wants more is refused.
pub(super) const FILE_LIMIT: usize = 1 << 20;
/// Supplementary groups of one process.
pub(super) const MAX_GROUPS: usize = 256;

/// A user or group as typed: digits are an id, anything else a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Who {
    Id(u32),
    Name(Vec<u8>),
}

impl Who {
    /// Refuses digits that do not fit an id: they must never wrap round to 0 (root).
    fn parse(text: &str, what: &str, whole: &str) -> Result<Who> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits {
            return Ok(Who::Name(text.as_bytes().to_vec()));
        }
        // The kernel takes the last number for "leave as it is".
        match text.parse::<u32>() {
            Ok(id) if id < i32::MAX as u32 => Ok(Who::Id(id)),
            _ => Err(Error::new(
                Kind::Usage,
                format!(
                    "{what} {text:?} of user {whole:?}: uids and gids must be in range 0-2147483647"
                ),
            )),
        }
    }
}

/// What to look up, parsed before the fork.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    /// As typed, for messages.
    pub(super) text: String,
    pub(super) user: Who,
    pub(super) group: Option<Who>,
    pub(super) extra: Vec<Who>,
}

impl Lookup {
    /// Reads `name[:group]`; empty is root.
    pub(super) fn parse(text: &str, extra: &[String]) -> Result<Lookup> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        if text.bytes().any(|b| b == b'\n' || b == 0) || group.is_some_and(|g| g.contains(':')) {
            return Err(Error::usage(format!(
                "user {text:?}: not of the form name[:group]"
            )));
        }
        let user = if user.is_empty() { "0" } else { user };
        let group = group.filter(|group| !group.is_empty());
        Ok(Lookup {
            text: text.to_owned(),
            user: Who::parse(user, "uid", text)?,
            group: group
                .map(|group| Who::parse(group, "gid", text))
                .transpose()?,
            extra: extra
                .iter()
                .map(|group| Who::parse(group, "gid", group))
                .collect::<Result<_>>()?,
        })
    }
}

/// Ids of a process, and its home directory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups, `count` of them.
    groups: [u32; MAX_GROUPS],
    count: usize,
    home: [u8; 1024],
    home_len: usize,
}

impl Found {
    pub(super) fn groups(&self) -> &[u32] {
        &self.groups[..self.count]
    }

    /// `/` when the files tell none.
    pub(super) fn home(&self) -> &[u8] {
        match self.home_len {
            0 => b"/",
            len => &self.home[..len],
        }
    }

    fn add_group(&mut self, gid: u32) -> Result<(), Failed> {
        if self.groups().contains(&gid) {
            return Ok(());
        }
        let slot = self.groups.get_mut(self.count);
        *slot.ok_or(Failed::new(Step::TooManyGroups, 0, Errno::EINVAL))? = gid;
        self.count += 1;
        Ok(())
    }
}

/// Uid and gid of `text` (`name[:group]`; empty is root) beneath `root`.
pub fn ids(root: BorrowedFd<'_>, text: &str) -> Result<(u32, u32)> {
    let lookup = Lookup::parse(text, &[])?;
    match (&lookup.user, &lookup.group) {
        (Who::Id(uid), Some(Who::Id(gid))) => return Ok((*uid, *gid)),
        (Who::Id(0), None) => return Ok((0, 0)),
        _ => {}
    }
    let mut buffer = vec![0; FILE_LIMIT];
    match find(root, &lookup, &mut buffer) {
        Ok(found) => Ok((found.uid, found.gid)),
        Err(failed) => Err(Error::os(
            failed.errno,
            format!("find user {text:?} in the container"),
        )),
    }
}

/// Looks `lookup` up beneath `root`. No allocation: `buffer` holds one file at a time.
pub(super) fn find(
    root: BorrowedFd<'_>,
    lookup: &Lookup,
    buffer: &mut [u8],
) -> Result<Found, Failed> {
    let passwd = read(root, c"etc/passwd", buffer, Step::Passwd)?;
    let mut found = find_entry(&buffer[..passwd], lookup)?;
    let user_name = {
        // The name outlives the buffer's next use.
        let entry = entry_of(&buffer[..passwd], &lookup.user);
        let mut name = [0u8; 256];
        let len = entry.map_or(0, |entry| entry.name.len()).min(name.len());
        if let Some(entry) = entry {
            name[..len].copy_from_slice(&entry.name[..len]);
        }
        (name, len)
    };
    let needs_groups = lookup.group.is_none()
        || matches!(lookup.group, Some(Who::Name(_)))
        || lookup.extra.iter().any(|who| matches!(who, Who::Name(_)));
    let group = match needs_groups {
        true => read(root, c"etc/group", buffer, Step::Group)?,
        false => 0,
    };
    find_groups(
        &buffer[..group],
        lookup,
        &user_name.0[..user_name.1],
        &mut found,
    )?;
    Ok(found)
}

/// The user's ids and home by passwd(5) alone.
fn find_entry(passwd: &[u8], lookup: &Lookup) -> Result<Found, Failed> {
    let entry = entry_of(passwd, &lookup.user);
    let (uid, gid) = match (&lookup.user, entry) {
        (_, Some(entry)) => (entry.uid, entry.gid),
        (Who::Id(uid), None) => (*uid, 0),
        (Who::Name(_), None) => return Err(Failed::new(Step::UnknownUser, 0, Errno::ENOENT)),
    };
    let mut found = Found {
        uid,
        gid,
        groups: [0; MAX_GROUPS],
        count: 0,
        home: [0; 1024],
        home_len: 0,
    };
    if let Some(home) = entry.map(|entry| entry.home)
        && home.first() == Some(&b'/')
        && home.len() < found.home.len()
    {
        found.home[..home.len()].copy_from_slice(home);
        found.home_len = home.len();
    }
    Ok(found)
}

/// The group, and with no group named the supplementary groups that list the user; then `--group-add`.
fn find_groups(
    group: &[u8],
    lookup: &Lookup,
    user: &[u8],
    found: &mut Found,
) -> Result<(), Failed> {
    match &lookup.group {
        Some(Who::Id(gid)) => found.gid = *gid,
        Some(Who::Name(name)) => {
            found.gid =
                gid_of(group, name).ok_or(Failed::new(Step::UnknownGroup, 0, Errno::ENOENT))?;
        }
        None => {}
    }
    // The group itself counts among the supplementary ones: it must not be possible to shed it, where a file denies
    // it access (CVE-2022-2989).
    found.add_group(found.gid)?;
    match &lookup.group {
        None if !user.is_empty() => {
            for (_, gid, members) in groups(group) {
                if members.split(|b| *b == b',').any(|member| member == user) {
                    found.add_group(gid)?;
                }
            }
        }
        _ => {}
    }
    for (index, who) in lookup.extra.iter().enumerate() {
        let gid = match who {
            Who::Id(gid) => *gid,
            Who::Name(name) => gid_of(group, name).ok_or(Failed::new(
                Step::UnknownGroup,
                index + 1,
                Errno::ENOENT,
            ))?,
        };
        found.add_group(gid)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

fn entry_of<'a>(passwd: &'a [u8], user: &Who) -> Option<Entry<'a>> {
    passwd.split(|b| *b == b'\n').find_map(|line| {
        let mut fields = line.split(|b| *b == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        let home = fields.nth(1)?;
        let wanted = match user {
            Who::Id(id) => *id == uid,
            Who::Name(wanted) => wanted == name,
        };
        wanted.then_some(Entry {
            name,
            uid,
            gid,
            home,
        })
    })
}

/// Tells whether a line of passwd(5) or group(5) has this name, or this id.
pub(super) fn knows(text: &[u8], who: &Who) -> bool {
    text.split(|b| *b == b'\n').any(|line| {
        let mut fields = line.split(|b| *b == b':');
        let name = fields.next().unwrap_or_default();
        match who {
            Who::Name(wanted) => !name.is_empty() && wanted == name,
            Who::Id(id) => fields.nth(1).and_then(number) == Some(*id),
        }
    })
}

fn groups(text: &[u8]) -> impl Iterator<Item = (&[u8], u32, &[u8])> {
    text.split(|b| *b == b'\n').filter_map(|line| {
        let mut fields = line.split(|b| *b == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid = number(fields.nth(1)?)?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn gid_of(text: &[u8], name: &[u8]) -> Option<u32> {
    groups(text)
        .find(|(found, ..)| *found == name)
        .map(|(_, gid, _)| gid)
}

/// Digits that fit an id.
fn number(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|id| *id < i32::MAX as u32)
}

/// Reads a whole regular file into `buffer`; a missing one is empty.
pub(super) fn read(
    root: BorrowedFd<'_>,
    path: &CStr,
    buffer: &mut [u8],
    step: Step,
) -> Result<usize, Failed> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let file = match openat2(root, path, flags, Mode::empty(), resolve) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(0),
        Err(errno) => return Err(errno).at(step, 0),
    };
    let found = fstat(&file).at(step, 0)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return Err(Failed::new(step, 1, Errno::EINVAL));
    }
    let mut len = 0;
    while let Some(space) = buffer.get_mut(len..).filter(|space| !space.is_empty()) {
        match rustix::io::read(&file, space) {
            Ok(0) => return Ok(len),
            Ok(got) => len += got,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno).at(step, 0),
        }
    }
    Err(Failed::new(step, 0, Errno::EFBIG))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] =
        b"root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www:/var/www:/sbin/nologin\n\
        big:x:4294967296:0::/:\nbroken\n:x:5:5::/:\napp:x:1000:100::relative:/bin/sh\n";
    const GROUP: &[u8] = b"root:x:0:\ntty:x:5:root,app\nwww-data:x:33:\nwheel:x:10:root\nbad\nhuge:x:4294967296:root\n";

    fn run(user: &str, extra: &[&str]) -> Result<(u32, u32, Vec<u32>, String), Step> {
        let extra: Vec<_> = extra.iter().map(|g| (*g).to_owned()).collect();
        let lookup = Lookup::parse(user, &extra).map_err(|_| Step::Session)?;
        let mut found = find_entry(PASSWD, &lookup).map_err(|f| f.step)?;
        let name = entry_of(PASSWD, &lookup.user).map_or(&b""[..], |e| e.name);
        find_groups(GROUP, &lookup, name, &mut found).map_err(|f| f.step)?;
        let home = String::from_utf8(found.home().to_vec()).unwrap();
        Ok((found.uid, found.gid, found.groups().to_vec(), home))
    }

    #[test]
    fn users_are_looked_up_as_podman_does() {
        let ok =
            |uid, gid, groups: &[u32], home: &str| Ok((uid, gid, groups.to_vec(), home.to_owned()));
        let table = [
            ("", &[][..], ok(0, 0, &[0, 5, 10], "/root")),
            ("root", &[], ok(0, 0, &[0, 5, 10], "/root")),
            ("www-data", &[], ok(33, 33, &[33], "/var/www")),
            ("33", &[], ok(33, 33, &[33], "/var/www")),
            ("33:7", &[], ok(33, 7, &[7], "/var/www")),
            ("app", &[], ok(1000, 100, &[100, 5], "/")),
            ("app:wheel", &[], ok(1000, 10, &[10], "/")),
            ("777", &[], ok(777, 0, &[0], "/")),
            (
                "777:tty",
                &["wheel", "3", "3"],
                ok(777, 5, &[5, 10, 3], "/"),
            ),
            (":7", &[], ok(0, 7, &[7], "/root")),
            ("nosuch", &[], Err(Step::UnknownUser)),
            ("big", &[], Err(Step::UnknownUser)),
            ("app:nosuch", &[], Err(Step::UnknownGroup)),
            ("app", &["nosuch"], Err(Step::UnknownGroup)),
            ("app:huge", &[], Err(Step::UnknownGroup)),
            ("4294967296", &[], Err(Step::Session)),
            ("4294967295", &[], Err(Step::Session)),
            ("1:4294967296", &[], Err(Step::Session)),
            ("a:b:c", &[], Err(Step::Session)),
            ("a\nb", &[], Err(Step::Session)),
        ];
        for (user, extra, want) in table {
            assert_eq!(run(user, extra), want, "{user:?} {extra:?}");
        }
    }
}
