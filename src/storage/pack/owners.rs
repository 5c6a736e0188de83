//! Who owns a name of a tree: the ids of its file, or what is kept beside a layer where there was one id only.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fgetxattr, fstat, openat, openat2,
    statat,
};
use rustix::io::Errno;

use super::tar::{Attributes, xattrs};
use super::walk::{Found, failed};
use crate::error::{Error, Kind, Result, Tried};
use crate::userns::map::{Extent, IdMaps};

/// What ids without a number in the container are shown as, there and here.
const OVERFLOW: u32 = 65534;

pub(in crate::storage) enum Owners {
    Files(Shift),
    /// Written by a container of other maps: what it copied up has the ids of the layers, what it made its own.
    Shifted(Shift, OwnedFd),
    Kept(Kept),
    /// The same for all.
    One(u32, u32),
}

impl Owners {
    /// Of the files of layers, and of what the container `ids` wrote to `upper`.
    pub(in crate::storage) fn of_files(
        here: &IdMaps,
        ids: &IdMaps,
        upper: Option<&Path>,
    ) -> Result<Self> {
        let shift = Shift::between(here, ids);
        Ok(match (upper, &shift.maps) {
            (Some(upper), Some(_)) => Self::Shifted(shift, open_tree(upper)?),
            _ => Self::Files(Shift::none()),
        })
    }

    pub(in crate::storage) fn are_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    pub(in crate::storage) fn of(&self, found: &Found<'_>, stat: &Stat) -> Result<(u32, u32)> {
        match self {
            Self::Files(shift) => Ok(shift.apply(stat.st_uid, stat.st_gid)),
            Self::One(uid, gid) => Ok((*uid, *gid)),
            Self::Shifted(shift, upper) => is_own(upper.as_fd(), found.path, stat)
                .map(|own| match own {
                    true => shift.apply(stat.st_uid, stat.st_gid),
                    false => (stat.st_uid, stat.st_gid),
                })
                .map_err(|errno| failed("find the owner of", found.path, errno)),
            Self::Kept(kept) => kept
                .of(found.path, stat)
                .map_err(|errno| failed("find the owner of", found.path, errno)),
        }
    }
}

impl Owners {
    /// The attributes of a file that travel, see [`super::tar::xattrs`], as its owners' namespace sees them.
    pub(in crate::storage) fn attributes(
        &self,
        file: BorrowedFd<'_>,
        path: &[u8],
    ) -> Result<Attributes> {
        let mut found = xattrs(file, path)?;
        if let Self::Shifted(shift, _) = self
            && let Some((_, value)) = found
                .iter_mut()
                .find(|(name, _)| name == b"security.capability")
        {
            shift.capability(value);
        }
        Ok(found)
    }
}

/// From ids as this process sees them to those that a container with other maps sees.
#[derive(Debug, Clone)]
pub(in crate::storage) struct Shift {
    /// Here, and there. `None`: the same.
    maps: Option<(IdMaps, IdMaps)>,
}

impl Shift {
    pub(in crate::storage) fn none() -> Self {
        Self { maps: None }
    }

    pub(in crate::storage) fn between(here: &IdMaps, there: &IdMaps) -> Self {
        let same = here.uids == there.uids && here.gids == there.gids;
        Self {
            maps: (!same).then(|| (here.clone(), there.clone())),
        }
    }

    pub(in crate::storage) fn apply(&self, uid: u32, gid: u32) -> (u32, u32) {
        let Some((here, there)) = &self.maps else {
            return (uid, gid);
        };
        (
            moved(&here.uids, &there.uids, uid),
            moved(&here.gids, &there.gids, gid),
        )
    }
}

impl Shift {
    /// A capability that counts for the root of the other namespace only (`VFS_CAP_REVISION_3`) is one for the root of
    /// an image.
    fn capability(&self, value: &mut Vec<u8>) {
        let Some((words, root)) = value.split_last_chunk::<4>() else {
            return;
        };
        let is_third = value.len() == 24 && words[3] == 3;
        if is_third && self.apply(u32::from_le_bytes(*root), 0).0 == 0 {
            value.truncate(20);
            value[3] = 2;
        }
    }
}

fn moved(here: &[Extent], there: &[Extent], id: u32) -> u32 {
    let outside = here.iter().find_map(|extent| {
        let offset = id.checked_sub(extent.inside)?;
        (offset < extent.count).then(|| extent.outside + offset)
    });
    let inside = outside.and_then(|outside| {
        there.iter().find_map(|extent| {
            let offset = outside.checked_sub(extent.outside)?;
            (offset < extent.count).then(|| extent.inside + offset)
        })
    });
    inside.unwrap_or(OVERFLOW)
}

/// Owners recorded when layers were unpacked with one id (`layers/<id>/owners`).
pub(in crate::storage) struct Kept {
    /// Written by a container: what it copied up keeps its owner, what it made is root's.
    upper: Option<OwnedFd>,
    /// Uppermost first.
    layers: Vec<KeptLayer>,
}

struct KeptLayer {
    tree: OwnedFd,
    owners: HashMap<Vec<u8>, (u32, u32)>,
    /// Of files with several names, by inode: one of the names is recorded.
    inodes: HashMap<u64, (u32, u32)>,
}

const IN_TREE: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_XDEV);

impl Kept {
    /// `trees`: directories `layers/<id>/tree`, uppermost first.
    pub(in crate::storage) fn load<'a>(
        upper: Option<&Path>,
        trees: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Self> {
        let upper = upper.map(open_tree).transpose()?;
        let layers = trees.into_iter().map(KeptLayer::load);
        Ok(Self {
            upper,
            layers: layers.collect::<Result<_>>()?,
        })
    }

    fn of(&self, path: &[u8], stat: &Stat) -> Result<(u32, u32), Errno> {
        let linked = is_linked(stat);
        let known = self
            .layers
            .iter()
            .any(|layer| layer.owners.contains_key(path) || (linked && !layer.inodes.is_empty()));
        if !known {
            return Ok((0, 0));
        }
        let Some(upper) = &self.upper else {
            return self
                .below(path)
                .map(|found| found.map_or((0, 0), |(owner, _)| owner));
        };
        let Some(written) = stat_in(upper.as_fd(), path)? else {
            return self
                .below(path)
                .map(|found| found.map_or((0, 0), |(owner, _)| owner));
        };
        let Some((owner, lower)) = self.below(path)? else {
            return Ok((0, 0));
        };
        let same_kind =
            FileType::from_raw_mode(written.st_mode) == FileType::from_raw_mode(lower.st_mode);
        let copied = same_kind
            && match FileType::from_raw_mode(written.st_mode) {
                // The kernel marks what it copied up, but not a file that had several names.
                FileType::RegularFile => is_linked(&lower) || has_origin(upper.as_fd(), path)?,
                FileType::Directory => has_origin(upper.as_fd(), path)?,
                _ => true,
            };
        Ok(if copied { owner } else { (0, 0) })
    }

    /// Of the uppermost layer that has the name.
    fn below(&self, path: &[u8]) -> Result<Option<((u32, u32), Stat)>, Errno> {
        for layer in &self.layers {
            if let Some(stat) = stat_in(layer.tree.as_fd(), path)? {
                let by_inode = || layer.inodes.get(&stat.st_ino).filter(|_| is_linked(&stat));
                let owner = layer.owners.get(path).or_else(by_inode);
                return Ok(Some((owner.copied().unwrap_or((0, 0)), stat)));
            }
        }
        Ok(None)
    }
}

impl KeptLayer {
    fn load(tree: &Path) -> Result<Self> {
        let path = tree.with_file_name("owners");
        let text = match std::fs::read(&path) {
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.tried(|| format!("read \"{}\"", path.display()))?,
        };
        let owners = parse(&text).ok_or_else(|| {
            Error::new(
                Kind::Corrupt,
                format!("read \"{}\": not a list of owners", path.display()),
            )
            .hint("remove the image and pull it again: the file was damaged")
        })?;
        let tree = open_tree(tree)?;
        let mut inodes = HashMap::new();
        for (path, owner) in &owners {
            let found = stat_in(tree.as_fd(), path).tried(|| "look at a layer's files")?;
            if let Some(stat) = found.filter(is_linked) {
                inodes.insert(stat.st_ino, *owner);
            }
        }
        Ok(Self {
            tree,
            owners,
            inodes,
        })
    }
}

/// `UID GID PATH`, each ended by NUL.
fn parse(text: &[u8]) -> Option<HashMap<Vec<u8>, (u32, u32)>> {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u32>().ok();
    text.split(|byte| *byte == 0)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(3, |byte| *byte == b' ');
            let (uid, gid) = (number(parts.next()?)?, number(parts.next()?)?);
            let path = parts.next()?;
            let path = if path == b"." { &[] } else { path };
            Some((path.to_vec(), (uid, gid)))
        })
        .collect()
}

fn open_tree(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty()).tried(|| format!("open \"{}\"", path.display()))
}

/// Directories have several names by nature.
fn is_linked(stat: &Stat) -> bool {
    stat.st_nlink > 1 && FileType::from_raw_mode(stat.st_mode) != FileType::Directory
}

fn stat_in(tree: BorrowedFd<'_>, path: &[u8]) -> Result<Option<Stat>, Errno> {
    if path.is_empty() {
        return statat(tree, c"", AtFlags::EMPTY_PATH).map(Some);
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        return match openat2(tree, path, flags, Mode::empty(), IN_TREE) {
            Ok(found) => fstat(&found).map(Some),
            Err(Errno::AGAIN) => continue,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => Ok(None),
            Err(errno) => Err(errno),
        };
    }
}

/// Tells whether a container made the file itself, as far as the kernel's marks say.
fn is_own(upper: BorrowedFd<'_>, path: &[u8], stat: &Stat) -> Result<bool, Errno> {
    if path.is_empty() || stat_in(upper, path)?.is_none() {
        return Ok(false);
    }
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile | FileType::Directory => Ok(!has_origin(upper, path)?),
        _ => Ok(true),
    }
}

fn has_origin(upper: BorrowedFd<'_>, path: &[u8]) -> Result<bool, Errno> {
    if path.is_empty() {
        return Ok(true);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat2(upper, path, flags, Mode::empty(), IN_TREE) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::AGAIN) => {
            return Ok(false);
        }
        Err(errno) => return Err(errno),
    };
    let mut value = [0u8; 256];
    match fgetxattr(&file, c"user.overlay.origin", &mut value[..]) {
        Ok(_) => Ok(true),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::userns::map::MapWriter;

    #[test]
    fn lists_of_owners_are_read_whole_or_refused() {
        let got = parse(b"1 2 a/b\x003 4 with blank\x005 6 .\0").unwrap();
        assert_eq!(got.len(), 3);
        assert_eq!(got[&b"a/b"[..]], (1, 2));
        assert_eq!(got[&b"with blank"[..]], (3, 4));
        assert_eq!(got[&b""[..]], (5, 6), "the root");
        assert!(parse(b"").unwrap().is_empty());
        for bad in [&b"1 a\0"[..], b"x 1 a\0", b"1 2\0"] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn ids_move_from_one_map_to_another() {
        let map = |extents: &[(u32, u32, u32)]| IdMaps {
            uids: extents
                .iter()
                .map(|&(inside, outside, count)| Extent {
                    inside,
                    outside,
                    count,
                })
                .collect(),
            gids: vec![Extent {
                inside: 0,
                outside: 1000,
                count: 1,
            }],
            writer: MapWriter::Helpers,
        };
        let host = map(&[(0, 1000, 1), (1, 100_000, 65_536)]);
        let keep = map(&[(0, 100_000, 1000), (1000, 1000, 1), (1001, 101_000, 64_536)]);
        let shift = Shift::between(&host, &keep);
        for (uid, want) in [
            (0, 1000),
            (1, 0),
            (1000, 999),
            (1001, 1001),
            (70_000, OVERFLOW),
        ] {
            assert_eq!(shift.apply(uid, 0), (want, 0), "{uid}");
        }
        assert_eq!(Shift::between(&host, &host).apply(70_000, 9), (70_000, 9));
    }
}
