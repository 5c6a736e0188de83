//! `--userns`: from a user's subordinate ranges to the maps of a container.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::sys::statvfs::{FsFlags, statvfs};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

use super::inside::{self, Around};
use super::map::{Extent, IdMaps, MapWriter};
use super::subid::{self, Range};

/// `--userns`, parsed once at the edge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum UsernsMode {
    /// The user is root inside, subordinate ids follow.
    #[default]
    Host,
    /// The user keeps the own id inside (`keep-id[:uid=,gid=]`).
    KeepId { uid: Option<u32>, gid: Option<u32> },
    /// The user's own id does not exist inside.
    Nomap,
}

/// Maps, and why there is only one id where that was not what the mode asked for.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub maps: IdMaps,
    /// Set when there is no range, so that the maps have a single id: that lack, with its remedy.
    pub single_because: Option<Error>,
}

/// The maps for a user: `name` is asked only when `/etc/subuid` exists.
pub fn maps(
    mode: &UsernsMode,
    uid: u32,
    gid: u32,
    name: impl FnOnce() -> String,
) -> Result<IdMaps> {
    choose(mode, uid, gid, name).map(|chosen| chosen.maps)
}

/// As [`maps`], and tells why there is a single id only, for `info` and debug logs.
pub fn choose(
    mode: &UsernsMode,
    uid: u32,
    gid: u32,
    name: impl FnOnce() -> String,
) -> Result<Chosen> {
    if let Some(around) = inside::around() {
        return inside(mode, around);
    }
    let mut login = String::new();
    let found = subid::ranges(uid, || {
        login = name();
        login.clone()
    })?;
    if let Some((uids, gids)) = found {
        // A user who has ranges has images unpacked with them: one id alone would not read those.
        check_helpers()?;
        return Ok(Chosen {
            maps: with_ranges(mode, uid, gid, &uids, &gids),
            single_because: None,
        });
    }
    let remedy = format!(
        "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {}",
        if login.is_empty() { "USER" } else { &login }
    );
    let maps = single(mode, uid, gid).ok_or_else(|| {
        let text = "--userns=nomap needs subordinate ids, and there is only your own id";
        Error::new(Kind::Unsupported, text).hint(&remedy)
    })?;
    let text =
        format!("find subordinate ids of uid {uid}: no range in /etc/subuid and /etc/subgid");
    Ok(Chosen {
        maps,
        single_because: Some(Error::new(Kind::Unsupported, text).hint(remedy)),
    })
}

/// Inside `unshare` there are the ids that its namespace has, and no program is needed to map them.
fn inside(mode: &UsernsMode, around: &Around) -> Result<Chosen> {
    let (uid, gid) = around.own();
    if let Some((uids, gids)) = around.ranges() {
        return Ok(Chosen {
            maps: with_ranges(mode, uid, gid, &uids, &gids),
            single_because: None,
        });
    }
    let lack = || {
        Error::new(
            Kind::Unsupported,
            "find subordinate ids: this namespace has one id",
        )
    };
    Ok(Chosen {
        maps: single(mode, uid, gid).ok_or_else(lack)?,
        single_because: Some(lack()),
    })
}

/// The one id a user has without any range: root inside, or the own number with keep-id.
fn single(mode: &UsernsMode, uid: u32, gid: u32) -> Option<IdMaps> {
    let (inside_uid, inside_gid) = match mode {
        UsernsMode::Host => (0, 0),
        UsernsMode::KeepId { uid: u, gid: g } => (u.unwrap_or(uid), g.unwrap_or(gid)),
        UsernsMode::Nomap => return None,
    };
    Some(IdMaps {
        uids: vec![extent(inside_uid, uid, 1)],
        gids: vec![extent(inside_gid, gid, 1)],
        writer: MapWriter::Direct,
    })
}

/// Maps with subordinate ranges, laid out as Podman does.
fn with_ranges(mode: &UsernsMode, uid: u32, gid: u32, uids: &[Range], gids: &[Range]) -> IdMaps {
    let (uids, gids) = match mode {
        UsernsMode::Host => (root_is(uid, uids), root_is(gid, gids)),
        UsernsMode::KeepId { uid: u, gid: g } => (
            keep(u.unwrap_or(uid), uid, uids),
            keep(g.unwrap_or(gid), gid, gids),
        ),
        UsernsMode::Nomap => (slice(uids, 0, u32::MAX, 0), slice(gids, 0, u32::MAX, 0)),
    };
    IdMaps {
        uids,
        gids,
        writer: MapWriter::Helpers,
    }
}

fn extent(inside: u32, outside: u32, count: u32) -> Extent {
    Extent {
        inside,
        outside,
        count,
    }
}

/// 0 is `own`, then all of the ranges from 1 on.
fn root_is(own: u32, ranges: &[Range]) -> Vec<Extent> {
    let mut map = vec![extent(0, own, 1)];
    map.extend(slice(ranges, 0, u32::MAX, 1));
    map
}

/// `inside` is `own`; subordinate ids fill the numbers below it and go on above it.
fn keep(inside: u32, own: u32, ranges: &[Range]) -> Vec<Extent> {
    let total = ranges
        .iter()
        .fold(0u32, |sum, range| sum.saturating_add(range.count));
    let below = inside.min(total);
    let mut map = slice(ranges, 0, below, 0);
    map.push(extent(inside, own, 1));
    if total > below {
        map.extend(slice(ranges, below, total - below, inside + 1));
    }
    map
}

/// The ids number `skip` to `skip + take` of `ranges`, as extents from `inside` on.
fn slice(ranges: &[Range], skip: u32, take: u32, inside: u32) -> Vec<Extent> {
    let (mut skip, mut take, mut inside) = (skip, take, inside);
    let mut map = Vec::new();
    for range in ranges {
        let jump = skip.min(range.count);
        skip -= jump;
        let count = (range.count - jump).min(take).min(u32::MAX - inside);
        if count > 0 {
            map.push(extent(inside, range.start + jump, count));
            inside += count;
            take -= count;
        }
    }
    map
}

/// Where a helper is, looked up as a shell would, and in the usual places for users with a bare `PATH`.
pub(super) fn find_helper(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .chain(["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::new(
                Kind::Unsupported,
                format!("find \"{name}\": no such program on PATH"),
            )
            .hint("install the package that has it (uidmap, shadow-utils)")
        })
}

/// Tells what keeps `newuidmap` and `newgidmap` from writing maps, with the remedy.
pub fn check_helpers() -> Result<()> {
    for name in ["newuidmap", "newgidmap"] {
        let path = find_helper(name)?;
        let found = std::fs::metadata(&path)
            .map_err(|err| Error::io(&err, format!("look at \"{}\"", path.display())))?;
        let setuid = found.mode() & libc::S_ISUID != 0 && found.uid() == 0;
        let nosuid = statvfs(&path).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_NOSUID));
        if nosuid || !(setuid || has_file_caps(&path)) {
            let why = if nosuid {
                "lies on a file system mounted nosuid"
            } else {
                "is neither setuid root nor marked with capabilities"
            };
            return Err(Error::new(
                Kind::Unsupported,
                format!("use \"{}\": it {why}", path.display()),
            )
            .hint(format!("as root: chmod u+s {}", path.display())));
        }
    }
    Ok(())
}

fn has_file_caps(path: &std::path::Path) -> bool {
    let mut value = [0u8; 64];
    rustix::fs::getxattr(path, c"security.capability", &mut value[..]).is_ok_and(|len| len > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u32, count: u32) -> Range {
        Range { start, count }
    }

    #[test]
    fn maps_are_laid_out_as_podman_does() {
        let one = [range(100_000, 65_536)];
        let two = [range(100_000, 600), range(500_000, 1000)];
        let keep_id = UsernsMode::KeepId {
            uid: None,
            gid: None,
        };
        let as_200 = UsernsMode::KeepId {
            uid: Some(200),
            gid: Some(0),
        };
        type Map = Vec<(u32, u32, u32)>;
        let table: [(&UsernsMode, &[Range], Map); 7] = [
            (
                &UsernsMode::Host,
                &one,
                vec![(0, 1000, 1), (1, 100_000, 65_536)],
            ),
            (
                &UsernsMode::Host,
                &two,
                vec![(0, 1000, 1), (1, 100_000, 600), (601, 500_000, 1000)],
            ),
            (
                &keep_id,
                &one,
                vec![(0, 100_000, 1000), (1000, 1000, 1), (1001, 101_000, 64_536)],
            ),
            (
                &keep_id,
                &two,
                vec![
                    (0, 100_000, 600),
                    (600, 500_000, 400),
                    (1000, 1000, 1),
                    (1001, 500_400, 600),
                ],
            ),
            (&keep_id, &[range(7, 10)], vec![(0, 7, 10), (1000, 1000, 1)]),
            (
                &as_200,
                &one,
                vec![(0, 100_000, 200), (200, 1000, 1), (201, 100_200, 65_336)],
            ),
            (
                &UsernsMode::Nomap,
                &two,
                vec![(0, 100_000, 600), (600, 500_000, 1000)],
            ),
        ];
        for (mode, ranges, want) in table {
            let maps = with_ranges(mode, 1000, 1000, ranges, ranges);
            let got: Map = maps
                .uids
                .iter()
                .map(|e| (e.inside, e.outside, e.count))
                .collect();
            assert_eq!(got, want, "{mode:?} {ranges:?}");
        }
    }

    #[test]
    fn one_id_is_root_or_itself() {
        let maps = single(&UsernsMode::Host, 1000, 100).expect("host has one");
        assert_eq!(
            (maps.uids[0], maps.gids[0]),
            (extent(0, 1000, 1), extent(0, 100, 1))
        );
        assert!(maps.is_single());
        let keep_id = UsernsMode::KeepId {
            uid: None,
            gid: None,
        };
        let maps = single(&keep_id, 1000, 100).expect("keep-id has one");
        assert_eq!(maps.uids[0], extent(1000, 1000, 1));
        assert!(single(&UsernsMode::Nomap, 1000, 100).is_none());
    }
}
