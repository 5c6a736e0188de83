//! User namespaces: which ids the inside has, and who writes the maps.
//!
//! | file | what it knows |
//! | --- | --- |
//! | `map` | extents and both maps of a namespace |
//! | `subid` | the ranges of `/etc/subuid` and `/etc/subgid` |
//! | `mode` | `--userns`: from ranges to maps, and when only one id is left |
//! | `write` | writing the maps, by `newuidmap`/`newgidmap` or directly |

pub mod map;
pub mod mode;
pub mod subid;
pub mod write;
