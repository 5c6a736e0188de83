//! Arithmetic of id maps (`user_namespaces(7)`): extents of `inside`, `outside`, `count`.

use serde::{Deserialize, Serialize};

/// One line of `/proc/PID/uid_map` or `gid_map`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    pub inside: u32,
    pub outside: u32,
    pub count: u32,
}

/// Both maps of a user namespace, and whether writing them needs `newuidmap`/`newgidmap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    pub uids: Vec<Extent>,
    pub gids: Vec<Extent>,
    pub writer: MapWriter,
}

/// Who may write the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MapWriter {
    /// Subordinate ranges: `newuidmap` and `newgidmap`, run at the same time.
    Helpers,
    /// A single id, or an identity map below a namespace we own: a plain write, `setgroups` denied first if needed.
    Direct,
}

impl IdMaps {
    /// Root is the caller and nobody else exists: needs no range and no helper.
    pub fn own_id() -> Self {
        let (uid, gid) = super::inside::own_ids();
        let one = |outside| {
            vec![Extent {
                inside: 0,
                outside,
                count: 1,
            }]
        };
        Self {
            uids: one(uid),
            gids: one(gid),
            writer: MapWriter::Direct,
        }
    }

    /// Tells whether only one uid exists inside: owners must then be kept as metadata.
    pub fn is_single(&self) -> bool {
        self.uids.iter().map(|e| u64::from(e.count)).sum::<u64>() == 1
    }
}
