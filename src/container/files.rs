//! The small files a container finds in `/etc` and `/run`, generated into its runtime directory and mounted from there.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Result, Tried};
use crate::net::hosts;
use crate::net::resolv::{self, Resolv};
use crate::net::{NetStatus, NetworkMode};

use super::engine::Containers;
use super::record::Record;

/// Writes them, all before the container is born: what its network will be like is known.
pub(super) fn prepare(engine: &Containers, record: &Record, status: &NetStatus) -> Result<()> {
    let dir = engine.run_dir(&record.id);
    let request = &record.request;
    // Containers that share a network share these two.
    if !matches!(record.network, NetworkMode::Container { .. }) {
        let names = hosts::Names {
            added: &request.add_host,
            own: &[&record.hostname, &record.name],
            base: None,
        };
        write(&dir.join("hosts"), hosts::file(names, status)?.as_bytes())?;
        let host = match record.network {
            NetworkMode::None => Resolv::default(), // no server could be reached
            _ => Resolv::of_host(),
        };
        let servers = if status.dns.is_empty() {
            &host.servers
        } else {
            &status.dns
        };
        let asked = resolv::Asked {
            servers: &request.dns,
            search: &request.dns_search,
            options: &request.dns_option,
        };
        write(
            &dir.join("resolv.conf"),
            resolv::file(&host, servers, asked).as_bytes(),
        )?;
    }
    write(
        &dir.join("hostname"),
        format!("{}\n", record.hostname).as_bytes(),
    )?;
    write(&dir.join(".containerenv"), b"")
}

/// 0644: users in the container other than root read them too. Written anew at each start, in place.
fn write(path: &Path, text: &[u8]) -> Result<()> {
    let tried = || format!("write {}", path.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(path)
        .tried(tried)?;
    file.write_all(text).tried(tried)
}
