//! containers.conf, storage.conf, registries.conf, policy.json and the proxy variables, read where Podman reads them.

pub mod auth;
pub mod containers;
mod files;
pub mod policy;
pub mod proxy;
pub mod registries;
pub mod storage;
mod table;
