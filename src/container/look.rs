//! What `ps` and `inspect` ask beside the record: sizes and namespaces. Changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Result, Tried};
use crate::rootless::worker::{self, WorkerOpts};
use crate::state;
use crate::storage::LayerMeta;

use super::engine::Container;
use super::options::Sizes;

impl Container {
    /// Bytes of the regular files in the writable layer, and of those of the image with it.
    pub fn sizes(&self) -> Result<Sizes> {
        let rw = self.measure(&self.dir().join("upper"))?;
        let mut root_fs = rw;
        for layer in &self.record.layers {
            let meta = self
                .engine
                .dirs
                .store
                .join(layer)
                .with_file_name("meta.json");
            let meta: Option<LayerMeta> = state::load(&meta)?;
            root_fs += meta.map_or(0, |meta| meta.size);
        }
        Ok(Sizes { rw, root_fs })
    }

    /// Anonymous volumes: the name that `inspect` shows, and bytes of the regular files.
    pub fn volume_sizes(&self) -> Result<Vec<(String, u64)>> {
        let volumes = self.record.volumes.iter();
        volumes
            .map(|(place, _)| {
                Ok((
                    self.volume_name(place),
                    self.measure(&self.dir().join(place))?,
                ))
            })
            .collect()
    }

    /// What an anonymous volume is called: the container's id and its number.
    pub(super) fn volume_name(&self, place: &Path) -> String {
        let number = place.file_name().unwrap_or_default();
        format!("{}-{}", self.record.id, number.to_string_lossy())
    }

    fn measure(&self, tree: &Path) -> Result<u64> {
        match tree_size(tree) {
            // Some directory belongs to a subordinate id: only root of the container can look inside.
            Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
                worker::run(&self.record.ids, WorkerOpts { mounts: false }, || {
                    measured(tree)
                })
            }
            _ => measured(tree),
        }
    }

    /// `cgroup`, `ipc`, `mnt`, `net`, `pid`, `user`, `uts` → inode number, for `ps --ns`; empty when it does not run.
    pub fn namespaces(&self) -> BTreeMap<&'static str, String> {
        const KINDS: [&str; 7] = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"];
        let handle = self.state.open_init(); // held while we look: the pid stays this process's
        let pid = self.state.pid;
        let number = |kind: &&'static str| {
            let link = fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()?;
            let digits = link
                .to_str()?
                .split_once('[')?
                .1
                .strip_suffix(']')?
                .to_owned();
            Some((*kind, digits))
        };
        match handle {
            Some(_) => KINDS.iter().filter_map(number).collect(),
            None => BTreeMap::new(),
        }
    }
}

fn measured(tree: &Path) -> Result<u64> {
    match tree_size(tree) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(0),
        size => size.tried(|| format!("measure {}", tree.display())),
    }
}

fn tree_size(dir: &Path) -> std::io::Result<u64> {
    let mut size = 0;
    let mut left = vec![dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            // Of the entry itself: a link in a hostile tree leads nowhere.
            let found = match entry.metadata() {
                Ok(found) => found,
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => continue, // the container lives
                Err(err) => return Err(err),
            };
            if found.is_dir() {
                left.push(entry.path());
            } else if found.is_file() {
                size += found.size();
            }
        }
    }
    Ok(size)
}
