//! The life of one container: record, create, start, monitor, stop, remove.
//!
//! Runs in: cli, except `monitor/` (the monitor, forked by [`Container::start`] and [`Containers::run`]).
//! Nothing here prints, reads argv or exits: `cli` hands in its three descriptors ([`Terminal`]) where a container's
//! output has to reach the user. Files on disk are drawn in [`record`].

mod accounts;
mod attach;
pub mod cdi;
pub mod cgroup;
mod client;
pub mod clock;
pub mod commit;
pub mod copy;
mod create;
pub mod detach;
pub mod device;
mod draft;
pub mod end;
mod engine;
mod env_merge;
pub mod events;
mod exec;
mod files;
pub mod health;
pub mod inspect;
mod liveness;
mod logs;
mod look;
mod merge;
mod monitor;
pub mod names;
pub mod options;
mod overlays;
mod ownership;
mod pause;
mod pending;
pub mod policy;
mod protocol;
pub mod record;
mod remove;
mod rename;
pub mod request;
mod restart;
mod secrets;
pub mod signal;
mod spec;
mod start;
mod stats;
mod stop;
mod top;
mod update;
mod volumes;
mod volumes_from;
mod wait;
mod watch;
pub mod why;

pub use engine::{Container, Containers};
pub use inspect::InspectContainer;
pub use logs::logs;
pub use monitor::journal::{check as check_journal, is_field};
pub use options::{
    AttachOptions, ExecOutcome, ExecRequest, KillOptions, LogOptions, RemoveOptions, RunOutcome,
    Sizes, StartOptions, StopOptions, StopReport, Streams, Terminal, WaitCondition,
};
pub use stats::Usage;
pub use top::Process;
pub use update::UpdateOptions;
