//! Control groups, version 2: the part of the tree that is ours, one group a container, and what its files say.
//!
//!     <ours>/pod-<id>/             limits, freezer, counters; no process
//!     <ours>/pod-<id>/container/   every process of the container; what it sees as the root of its cgroup namespace
//!
//! Two levels, so that limits stay out of reach of a container that mounts its cgroups writable. Knows no container and
//! no configuration; prints nothing. A host without cgroup v2, or without a part of it that this user may write to, has
//! no groups for us: [`Tree::find`] answers `None` at the price of one to three system calls.

mod group;
mod limits;
mod tree;

pub use group::Group;
pub use limits::{DEFAULT_PERIOD, DEFAULT_PIDS, DeviceKind, DeviceLimit, Limits, quota_of_cpus};
pub use tree::{Controller, NO_TREE_REMEDY, Tree, no_tree};

/// Where cgroup v2 is mounted on every host that has it alone.
pub const MOUNT: &str = "/sys/fs/cgroup";
