//! containers.conf, storage.conf, registries.conf and the proxy variables, read where Podman reads them.

pub mod auth;
pub mod containers;
mod files;
pub mod proxy;
pub mod registries;
pub mod storage;
mod table;
