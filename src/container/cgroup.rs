//! The cgroup of one container: made before its first process, gone after its last.
//!
//!     $RUNROOT/<id>/cgroup    link to `N:/sys/fs/cgroup/…/pod-<id>`: made before the group, removed after it; N groups
//!                             above it were made for it, too
//!     $RUNROOT/<id>/paused    there while it is paused by the user: for whoever watches the directory
//!     $RUNROOT/<id>/freezing  lock of a command that freezes it for a moment
//!
//! Whether a container is paused is written nowhere: its `cgroup.freeze` says so.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cgroup::{Group, Tree};
use crate::error::{Result, Tried};
use crate::state::Lock;

use super::engine::Container;
use super::record::{Record, Status};

const MARK: &str = "cgroup";
pub(super) const PAUSED: &str = "paused";
pub(super) const FREEZING: &str = "freezing";

/// The group of a running container, as its state has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupOf {
    pub path: PathBuf,
    /// How many groups above it were made for it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub made_above: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl CgroupOf {
    pub fn group(&self) -> Group {
        Group::at(&self.path)
    }
}

/// A group that goes again unless it is kept.
#[derive(Debug)]
pub(super) struct Made {
    pub of: CgroupOf,
    /// To be born in.
    pub leaf: OwnedFd,
    run_dir: PathBuf,
    kept: bool,
}

impl Made {
    pub(super) fn keep(mut self) -> CgroupOf {
        self.kept = true;
        self.of.clone()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.kept {
            release(&self.run_dir, &self.of);
        }
    }
}

/// Makes the group a container starts in; `None`: it stays in that of its starter.
pub(super) fn make(record: &Record, run_dir: &Path) -> Result<Option<Made>> {
    let Some(tree) = Tree::find() else {
        return Ok(None);
    };
    sweep(run_dir);
    let of = CgroupOf {
        path: tree.path().join(format!("pod-{}", record.id)),
        made_above: 0,
    };
    mark(run_dir, &of)?;
    let group = of.group();
    let made = group.make().and_then(|()| group.open_leaf());
    match made {
        Ok(leaf) => Ok(Some(Made {
            of,
            leaf,
            run_dir: run_dir.to_owned(),
            kept: false,
        })),
        Err(err) => {
            release(run_dir, &of);
            Err(err)
        }
    }
}

/// Before the group itself, so that no kill leaves a group nobody knows of.
fn mark(run_dir: &Path, of: &CgroupOf) -> Result<()> {
    let mark = run_dir.join(MARK);
    symlink(format!("{}:{}", of.made_above, of.path.display()), &mark)
        .tried(|| format!("write {}", mark.display()))
}

/// Ends what is left in a container's group and removes it. Silent: the mark stays for the next try.
pub(super) fn release(run_dir: &Path, of: &CgroupOf) {
    if of.group().remove(of.made_above).is_ok() {
        let _ = fs::remove_file(run_dir.join(MARK));
    }
    let _ = fs::remove_file(run_dir.join(PAUSED));
}

/// [`release`] of whatever a killed monitor left.
pub(super) fn sweep(run_dir: &Path) {
    let Ok(target) = fs::read_link(run_dir.join(MARK)) else {
        return;
    };
    if let Some(of) = target.to_str().and_then(parse_mark) {
        release(run_dir, &of);
    }
}

fn parse_mark(text: &str) -> Option<CgroupOf> {
    let (above, path) = text.split_once(':')?;
    Some(CgroupOf {
        path: path.into(),
        made_above: above.parse().ok()?,
    })
}

impl Container {
    /// Its group, when it runs on this machine and has one.
    pub fn cgroup(&self) -> Option<Group> {
        let here = self.state.is_alive() && !self.state.is_elsewhere();
        let of = self.state.cgroup.as_ref().filter(|_| here)?;
        Some(of.group())
    }

    /// Makes `state.status` say `Paused` where the group is frozen. A freeze whose command was killed is undone.
    pub(super) fn look_frozen(&mut self) {
        let Some(group) = self
            .cgroup()
            .filter(|group| self.state.status == Status::Running && group.is_frozen())
        else {
            return;
        };
        let freezing = self.run_dir().join(FREEZING);
        if let Ok(Some(lock)) = Lock::try_existing(&freezing) {
            let _ = fs::remove_file(&freezing);
            if group.thaw().is_ok() {
                drop(lock);
                return;
            }
        }
        self.state.status = Status::Paused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_back() {
        let of = CgroupOf {
            path: "/sys/fs/cgroup/a:b/pod-1".into(),
            made_above: 2,
        };
        let text = format!("{}:{}", of.made_above, of.path.display());
        assert_eq!(parse_mark(&text), Some(of));
        assert_eq!(parse_mark("x"), None);
    }
}
