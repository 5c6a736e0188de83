//! The small files a container finds in `/etc` and `/run`, generated into its runtime directory and mounted from there.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{Result, Tried};
use crate::net::{NetStatus, NetworkMode};

use super::engine::Containers;
use super::record::Record;

/// Writes them; what a container without network needs is written too, as Podman does.
pub(super) fn prepare(engine: &Containers, record: &Record, _status: &NetStatus) -> Result<()> {
    let dir = engine.run_dir(&record.id);
    if !matches!(record.network, NetworkMode::Container { .. }) {
        write(
            &dir.join("hosts"),
            b"127.0.0.1\tlocalhost localhost.localdomain\n::1\tlocalhost localhost.localdomain\n",
        )?;
        write(&dir.join("resolv.conf"), b"")?;
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
