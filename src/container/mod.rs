//! The life of one container: record, create, start, monitor, stop, remove.
//!
//! Runs in: cli, except `monitor/` (the monitor, forked by [`Container::start`] and [`Containers::run`]).
//! Nothing here prints, reads argv or exits: `cli` hands in its three descriptors ([`Terminal`]) where a container's
//! output has to reach the user. Files on disk are drawn in [`record`].

pub mod clock;
pub mod detach;
mod engine;
pub mod inspect;
mod merge;
mod monitor;
pub mod names;
pub mod options;
mod protocol;
pub mod record;
pub mod request;
pub mod signal;

pub use engine::{Container, Containers};
pub use options::{
    AttachOptions, ExecOutcome, ExecRequest, KillOptions, LogOptions, RemoveOptions, RunOutcome,
    Sizes, StartOptions, StopOptions, StopReport, Streams, Terminal, WaitCondition,
};
