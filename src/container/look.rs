//! What `ps` and `inspect` ask beside the record: sizes and namespaces. Changes nothing.

use std::collections::BTreeMap;
use std::fs;

use crate::error::Result;
use crate::state;
use crate::storage::{LayerMeta, tree_bytes};

use super::engine::Container;
use super::options::Sizes;

impl Container {
    /// Bytes of the regular files in the writable layer, and of those of the image with it.
    pub fn sizes(&self) -> Result<Sizes> {
        let rw = tree_bytes(&self.dir().join("upper"))?;
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
