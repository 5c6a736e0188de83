//! `pod`: a rootless, daemonless container engine. `ARCHITECTURE.md` is the map.
//!
//! A module imports only what stands before it in this list (`tests/layers.rs` checks):
//! `error` `sys` < `state` `userns` < `rootless` < `config` < `storage` `registry` `net` < `image` `runtime` <
//! `secret` `volume` < `container` < `cli`.

pub mod cgroup;
pub mod cli;
pub mod config;
pub mod container;
pub mod error;
pub mod image;
pub mod net;
pub mod registry;
pub mod rootless;
pub mod runtime;
pub mod secret;
pub mod state;
pub mod storage;
pub mod sys;
pub mod userns;
pub mod volume;
