//! The built binary as its users see it: one file a subject. Shared parts are in `tests/support`.
// Every test binary of the package shares `support`; a panic is how a test fails.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod archive;
mod bad_input;
mod bare;
mod commit;
mod completion;
mod config;
mod cp;
mod crash;
mod create_flags;
mod devices;
mod doors;
mod environment;
mod events;
mod exec;
mod faults;
mod health;
mod image_config;
mod images;
mod init;
mod inspect_schema;
mod kills;
mod lifecycle;
mod limits;
mod login;
mod logs;
mod manifest;
mod mounts;
mod narrow;
mod net;
mod pause;
mod pull;
mod push;
mod registry;
mod rename;
mod restart;
mod robust;
mod run;
mod secret;
mod security;
mod spellings;
mod static_link;
mod stores;
mod unshare;
mod volume;
mod volume_archive;
mod why;
