//! Subordinate ids of a user (`subuid(5)`, `subgid(5)`).

use std::path::Path;

use crate::error::{Error, Result};

const SUBUID: &str = "/etc/subuid";
const SUBGID: &str = "/etc/subgid";

/// A run of subordinate ids, as the administrator gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: u32,
    pub count: u32,
}

/// The subordinate uids and gids of a user; `None` when there are none of one of the two kinds.
///
/// `name` is asked only when one of the files exists: finding a name may cost a process.
pub fn ranges(uid: u32, name: impl FnOnce() -> String) -> Result<Option<(Vec<Range>, Vec<Range>)>> {
    let Some(uids) = read(SUBUID)? else {
        return Ok(None);
    };
    let Some(gids) = read(SUBGID)? else {
        return Ok(None);
    };
    let name = name();
    let uids = parse(&uids, &name, uid);
    let gids = parse(&gids, &name, uid);
    Ok((!uids.is_empty() && !gids.is_empty()).then_some((uids, gids)))
}

/// Entries of one user, by name or by uid in digits, in the order of the file. What is not an entry, is empty or
/// does not fit 32 bits is passed over, as `newuidmap` does.
pub fn parse(text: &str, name: &str, uid: u32) -> Vec<Range> {
    let digits = uid.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let owner = fields.next()?;
            let start: u32 = fields.next()?.parse().ok()?;
            let count: u32 = fields.next()?.parse().ok()?;
            let mine = !owner.is_empty() && (owner == name || owner == digits);
            let fits = count > 0
                && start
                    .checked_add(count - 1)
                    .is_some_and(|last| last < u32::MAX);
            (mine && fits && fields.next().is_none()).then_some(Range { start, count })
        })
        .collect()
}

fn read(path: &str) -> Result<Option<String>> {
    match std::fs::read(Path::new(path)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(Error::io(&err, format!("read \"{path}\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_and_by_uid() {
        let text = "alice:100000:65536\nbob:165536:65536\n1000:300000:1000\n\
                    # alice:1:1\nalice:0:0\nalice:x:5\nalice:1\nalice:4294967295:2\nalice:5:6:7\n:9:9\n";
        let range = |start, count| Range { start, count };
        let table: [(&str, u32, Vec<Range>); 4] = [
            (
                "alice",
                1000,
                vec![range(100_000, 65_536), range(300_000, 1000)],
            ),
            ("bob", 1001, vec![range(165_536, 65_536)]),
            ("eve", 1002, vec![]),
            ("", 1002, vec![]),
        ];
        for (name, uid, want) in table {
            assert_eq!(parse(text, name, uid), want, "{name} {uid}");
        }
    }
}
