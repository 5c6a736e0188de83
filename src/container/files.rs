//! The small files a container finds in `/etc` and `/run`, generated into its runtime directory and mounted from there.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};

use crate::error::{Result, Tried};
use crate::net::resolv::{self, Resolv};
use crate::net::{NetStatus, NetworkMode, hosts};

use super::engine::Containers;
use super::record::Record;
use super::request::BaseHosts;

/// Of an image's hosts file.
const HOSTS_LIMIT: u64 = 1 << 20;

/// Writes them; what a container without network needs is written too, as Podman does.
pub(super) fn prepare(engine: &Containers, record: &Record, status: &NetStatus) -> Result<()> {
    let dir = engine.run_dir(&record.id);
    if !matches!(record.network, NetworkMode::Container { .. }) {
        let request = &record.request;
        let base = match &request.base_hosts {
            // As Podman's default: names of the host's own file hold inside too.
            None => fs::read_to_string("/etc/hosts").unwrap_or_default(),
            Some(BaseHosts::None) => String::new(),
            Some(BaseHosts::File(path)) => fs::read_to_string(path)
                .tried(|| format!("read base hosts file {}", path.display()))?,
            Some(BaseHosts::Image) => image_hosts(engine, record)?,
        };
        let names = hosts::Names {
            added: &request.add_host,
            own: &[&record.hostname, &record.name],
            base: Some(&base),
        };
        write(&dir.join("hosts"), hosts::file(names, status)?.as_bytes())?;
        let asked = resolv::Asked {
            servers: &request.dns,
            search: &request.dns_search,
            options: &request.dns_option,
        };
        let text = resolv::file(&Resolv::of_host(), &status.dns, asked);
        write(&dir.join("resolv.conf"), text.as_bytes())?;
    }
    write(
        &dir.join("hostname"),
        format!("{}\n", record.hostname).as_bytes(),
    )?;
    write(&dir.join(".containerenv"), b"")
}

/// `/etc/hosts` of the image: that of its uppermost layer with one. A layer is hostile, and nothing in it is followed
/// out of it.
fn image_hosts(engine: &Containers, record: &Record) -> Result<String> {
    let layers = record
        .layers
        .iter()
        .map(|layer| engine.dirs.store.join(layer));
    for tree in layers.chain(record.request.rootfs.clone()) {
        let tried = || format!("read /etc/hosts of the image in {}", tree.display());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(&tree, flags, Mode::empty()).tried(tried)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&root, c"etc/hosts", flags, Mode::empty(), inside) {
            Ok(file) => {
                let file = fs::File::from(file);
                // A device node says that layers below have none.
                if !file.metadata().tried(tried)?.is_file() {
                    break;
                }
                let mut text = Vec::new();
                file.take(HOSTS_LIMIT).read_to_end(&mut text).tried(tried)?;
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            Err(rustix::io::Errno::NOENT) => {}
            Err(_) => break, // a whiteout, or no directory
        }
    }
    Ok(String::new())
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
