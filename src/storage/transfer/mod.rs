//! Files from one tree to another: between this host, containers and volumes, and from and to tars.
//!
//! Runs in: cli for the host's side, a worker for each side whose files have a container's ids. Each side has the
//! rights its files need and no others, so nobody opens a name for somebody else: the sender walks its tree and hands
//! over names, metadata and open files ([`wire`]), the receiver makes names in directories that it holds open. No
//! name is ever followed but by [`resolve`], which stays beneath a root.
//!
//! | file | what it does |
//! | --- | --- |
//! | `resolve` | a path of the command line to a directory and a name in it |
//! | `wire` | what sender and receiver tell each other |
//! | `send` | a tree to the wire, or to a tar |
//! | `receive` | the wire to a tree |
//! | `place` | names, contents, owners and modes into a directory |
//! | `extract` | a tar to a tree |
//! | `assemble` | the tree of a container that does not run |

mod assemble;
mod extract;
mod place;
mod receive;
mod resolve;
mod send;
mod wire;

pub use assemble::{Assembly, Bound};
pub use extract::{Archive, extract};
pub use receive::{check_directory, receive};
pub use resolve::Root;
pub use send::{Source, send, write_tar};
pub use wire::{Wire, pair};

use serde::{Deserialize, Serialize};

use crate::userns::map::{Extent, IdMaps};

/// What ids without a number on the other side become.
const OVERFLOW: u32 = 65534;

/// Who owns what is made.
#[derive(Debug, Clone)]
pub enum Ownership {
    /// Whoever makes it.
    Maker,
    One(u32, u32),
    /// As the sender has it.
    Same,
    /// As the sender has it, who sees the host's ids; the receiver's are those of a container.
    Inside(IdMaps),
}

impl Ownership {
    fn of(&self, uid: u32, gid: u32) -> Option<(u32, u32)> {
        match self {
            Self::Maker => None,
            Self::One(uid, gid) => Some((*uid, *gid)),
            Self::Same => Some((uid, gid)),
            Self::Inside(maps) => Some((inside(&maps.uids, uid), inside(&maps.gids, gid))),
        }
    }
}

fn inside(map: &[Extent], id: u32) -> u32 {
    let found = map.iter().find_map(|extent| {
        let offset = id.checked_sub(extent.outside)?;
        (offset < extent.count).then(|| extent.inside + offset)
    });
    found.unwrap_or(OVERFLOW)
}

/// How a receiver treats what it gets and what is there.
#[derive(Debug, Clone)]
pub struct Manner {
    pub ownership: Ownership,
    /// A directory may replace what is none, and the other way round.
    pub overwrite: bool,
    /// There is one id only: who cannot own a file does not.
    pub single_id: bool,
}

/// One side's path as its user knows it, for messages.
#[derive(Debug, Clone)]
pub struct Named {
    pub path: String,
    /// `on the host`, `on container NAME`
    pub place: String,
}

impl Named {
    fn not_found(&self, errno: rustix::io::Errno) -> crate::error::Error {
        use crate::error::{Error, Kind};
        let why = match errno {
            rustix::io::Errno::NOENT => "no such file or directory".to_owned(),
            errno => nix::errno::Errno::from_raw(errno.raw_os_error())
                .desc()
                .to_lowercase(),
        };
        Error::new(
            Kind::System,
            format!("{:?} could not be found {}: {why}", self.path, self.place),
        )
    }
}

/// What was passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    pub sockets: u64,
    pub devices: u64,
    /// The first one, to show.
    pub first: Option<String>,
}

impl PassedOver {
    /// One sentence, where there is something to say.
    pub fn warning(&self) -> Option<String> {
        let first = self.first.as_deref()?;
        let what = match (self.sockets, self.devices) {
            (sockets, 0) => format!("{sockets} sockets"),
            (0, devices) => format!("{devices} devices"),
            (sockets, devices) => format!("{sockets} sockets and {devices} devices"),
        };
        Some(format!("leaving out {what}, such as \"{first}\""))
    }
}
