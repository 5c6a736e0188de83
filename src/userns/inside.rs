//! Inside `unshare`: this process is root of a user namespace that maps the user's own ids, and so are the commands
//! that somebody types there.
//!
//! Records say ids as the host has them, whoever writes them: what is made inside works outside, and the other way
//! round. So the ids to map are those of the namespace we are in, and a map is translated when it is written.

use std::sync::OnceLock;

use super::map::{Extent, IdMaps};
use super::subid::Range;

/// Set by `unshare`, as Podman and Buildah do: the value is not read.
pub const MARK: &str = "_CONTAINERS_USERNS_CONFIGURED";

/// The namespace around us. `outside` of its extents are the host's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Around {
    uids: Vec<Extent>,
    gids: Vec<Extent>,
}

/// The namespace that `unshare` made, where we are in one.
pub fn around() -> Option<&'static Around> {
    static AROUND: OnceLock<Option<Around>> = OnceLock::new();
    AROUND
        .get_or_init(|| {
            if !nix::unistd::geteuid().is_root() || std::env::var_os(MARK).is_none() {
                return None;
            }
            let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}"));
            Around::parse(&read("uid_map").ok()?, &read("gid_map").ok()?)
        })
        .as_ref()
}

/// Uid and gid of the user as the host has them.
pub fn own_ids() -> (u32, u32) {
    match around() {
        Some(around) => around.own(),
        None => (
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getegid().as_raw(),
        ),
    }
}

impl Around {
    /// `None` for the host's own namespace, or one without a root.
    fn parse(uids: &str, gids: &str) -> Option<Self> {
        let around = Self {
            uids: lines(uids)?,
            gids: lines(gids)?,
        };
        let is_hosts = root_of(&around.uids)? == 0;
        (!is_hosts && root_of(&around.gids).is_some()).then_some(around)
    }

    /// Ids of the host that are root here.
    pub fn own(&self) -> (u32, u32) {
        let of = |map: &[Extent]| root_of(map).unwrap_or_default();
        (of(&self.uids), of(&self.gids))
    }

    /// All other ids, as `/etc/subuid` and `/etc/subgid` have them; `None` where there are none of one kind.
    pub fn ranges(&self) -> Option<(Vec<Range>, Vec<Range>)> {
        let (uids, gids) = (others(&self.uids), others(&self.gids));
        (!uids.is_empty() && !gids.is_empty()).then_some((uids, gids))
    }

    /// `maps` in the ids of this namespace. `None`: some id of it is not mapped here.
    pub fn translate(&self, maps: &IdMaps) -> Option<IdMaps> {
        Some(IdMaps {
            uids: translate(&self.uids, &maps.uids)?,
            gids: translate(&self.gids, &maps.gids)?,
            writer: maps.writer,
        })
    }
}

fn lines(text: &str) -> Option<Vec<Extent>> {
    let mut map = text
        .lines()
        .map(|line| {
            let mut numbers = line.split_ascii_whitespace().map(|word| word.parse().ok());
            Some(Extent {
                inside: numbers.next()??,
                outside: numbers.next()??,
                count: numbers.next()??,
            })
        })
        .collect::<Option<Vec<Extent>>>()?;
    map.sort_by_key(|extent| extent.inside);
    Some(map)
}

fn root_of(map: &[Extent]) -> Option<u32> {
    let root = map.iter().find(|extent| extent.inside == 0)?;
    Some(root.outside)
}

fn others(map: &[Extent]) -> Vec<Range> {
    map.iter()
        .map(|extent| match extent.inside {
            0 => Range {
                start: extent.outside.saturating_add(1),
                count: extent.count - 1,
            },
            _ => Range {
                start: extent.outside,
                count: extent.count,
            },
        })
        .filter(|range| range.count > 0)
        .collect()
}

/// Each extent in as many pieces as the kernel wants: one of `around` holds a whole piece.
fn translate(around: &[Extent], map: &[Extent]) -> Option<Vec<Extent>> {
    let mut found = Vec::with_capacity(map.len());
    for extent in map {
        let mut done = 0;
        while done < extent.count {
            let outside = extent.outside.checked_add(done)?;
            let (offset, room) = around.iter().find_map(|known| {
                let offset = outside.checked_sub(known.outside)?;
                (offset < known.count).then(|| (known.inside + offset, known.count - offset))
            })?;
            let count = room.min(extent.count - done);
            found.push(Extent {
                inside: extent.inside + done,
                outside: offset,
                count,
            });
            done += count;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(extents: &[(u32, u32, u32)]) -> Vec<Extent> {
        extents
            .iter()
            .map(|&(inside, outside, count)| Extent {
                inside,
                outside,
                count,
            })
            .collect()
    }

    #[test]
    fn namespaces_are_read() {
        let own = "         0       1000          1\n         1     100000      65536\n";
        let around = Around::parse(own, own).unwrap();
        assert_eq!(around.own(), (1000, 1000));
        let range = Range {
            start: 100_000,
            count: 65_536,
        };
        assert_eq!(around.ranges(), Some((vec![range], vec![range])));
        let one = Around::parse("0 1000 1", "0 100 1").unwrap();
        assert_eq!((one.own(), one.ranges()), ((1000, 100), None));
        for other in ["0 0 4294967295", "1000 1000 1", "", "x"] {
            assert_eq!(Around::parse(other, own), None, "{other:?}");
        }
    }

    #[test]
    fn maps_are_split_where_the_namespace_is() {
        let around = map(&[(0, 1000, 1), (1, 100_000, 1000), (1001, 500_000, 10)]);
        let cases = [
            (
                &[(0, 1000, 1), (1, 100_000, 1000)][..],
                Some(vec![(0, 0, 1), (1, 1, 1000)]),
            ),
            (&[(7, 100_500, 100)], Some(vec![(7, 501, 100)])),
            (&[(0, 100_999, 2)], None),
            (&[(0, 1, 1)], None),
        ];
        for (extents, want) in cases {
            let got = translate(&around, &map(extents));
            assert_eq!(got, want.map(|want| map(&want)), "{extents:?}");
        }
    }
}
