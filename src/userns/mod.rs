//! User namespaces: which ids the inside has, and who writes the maps.
//!
//! | file | what it knows |
//! | --- | --- |
//! | `map` | extents and both maps of a namespace |
//! | `subid` | the ranges of `/etc/subuid` and `/etc/subgid` |
//! | `mode` | `--userns`: from ranges to maps, and when only one id is left |
//! | `inside` | that we are in the namespace of `unshare`, and what ids mean there |
//! | `write` | writing the maps, by `newuidmap`/`newgidmap` or directly |

pub mod inside;
pub mod map;
pub mod mode;
pub mod subid;
pub mod write;
