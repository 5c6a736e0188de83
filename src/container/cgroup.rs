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

use crate::cgroup::{Group, Limits, Tree};
use crate::error::{Error, Kind, Result, Tried};
use crate::state::Lock;

use super::engine::Container;
use super::record::{Record, Status};
use super::request::{CgroupsMode, CreateRequest};

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
    let request = &record.request;
    check(request)?;
    let tree = match request.cgroups {
        CgroupsMode::Disabled => None,
        CgroupsMode::Split => Some(split()?),
        CgroupsMode::Enabled | CgroupsMode::NoConmon => Tree::find(),
    };
    let Some(tree) = tree else {
        return Ok(None);
    };
    sweep(run_dir);
    let (above, made_above) = match &request.cgroup_parent {
        Some(parent) => parent_of(&tree, parent)?,
        None => (tree.path().to_owned(), 0),
    };
    let of = CgroupOf {
        path: above.join(format!("pod-{}", record.id)),
        made_above,
    };
    mark(run_dir, &of)?;
    let group = of.group();
    let made = prepare(&tree, &above, &request.limits, &group).and_then(|()| group.open_leaf());
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

/// The groups from `tree` down to the container's, and its limits.
fn prepare(tree: &Tree, above: &Path, limits: &Limits, group: &Group) -> Result<()> {
    if above == tree.path() {
        group.make()?;
        return limits.apply(tree, group);
    }
    let _ = tree.enable_all(); // what is missing in the end is told by the limit that needs it
    let below = above.strip_prefix(tree.path()).unwrap_or(Path::new(""));
    let mut path = tree.path().to_owned();
    for part in below.components() {
        path.push(part);
        Group::at(&path).make_plain()?;
        if path != above
            && let Some(between) = Tree::at_path(&path)
        {
            let _ = between.enable_all();
        }
    }
    let parent = Tree::at_path(above).ok_or_else(|| {
        Error::new(
            Kind::Unsupported,
            format!(
                "use --cgroup-parent: {} may not be written to",
                above.display()
            ),
        )
    })?;
    group.make()?;
    limits.apply(&parent, group)
}

/// Refuses limits that contradict each other.
pub(super) fn check_limits(request: &CreateRequest) -> Result<()> {
    request.limits.check()
}

/// Refuses what this host or the other flags cannot give. Looks at nothing where no limit was asked for.
pub(super) fn check(request: &CreateRequest) -> Result<()> {
    check_limits(request)?;
    if request.cgroups == CgroupsMode::Disabled {
        if request.cgroup_parent.is_some() {
            return Err(Error::usage(
                "cannot set --cgroup-parent with --cgroups=disabled: a container without a cgroup has no parent",
            ));
        }
        return request
            .limits
            .check_against(None)
            .map_err(|err| Error::usage(format!("{err}: --cgroups=disabled")));
    }
    if request.cgroup_parent.is_none() && request.limits.asks_nothing() {
        return Ok(());
    }
    let tree = match request.cgroups {
        CgroupsMode::Split => Tree::own(),
        _ => Tree::find(),
    };
    if tree.is_none() && request.cgroup_parent.is_some() {
        return Err(crate::cgroup::no_tree("cgroup-parent"));
    }
    match request.cgroups {
        // What is in the way moves aside when it starts.
        CgroupsMode::Split => Ok(()),
        _ => request.limits.check_against(tree.as_ref()),
    }
}

/// The group of this process, from which it and its parent, the cli, move into one of their own where that is needed
/// to have controllers below.
fn split() -> Result<Tree> {
    let tree = Tree::own().ok_or_else(|| crate::cgroup::no_tree("cgroups=split"))?;
    let ids = [
        std::process::id().cast_signed(),
        rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get()),
    ];
    tree.step_aside(&ids)?;
    Tree::at_path(tree.path()).ok_or_else(|| crate::cgroup::no_tree("cgroups=split"))
}

/// `--cgroup-parent` as a path, and how many of its groups are still to be made. Absolute: below the mount; else below
/// the groups of this user.
fn parent_of(tree: &Tree, parent: &str) -> Result<(PathBuf, usize)> {
    let path = match parent.strip_prefix('/') {
        Some(below) => Path::new(crate::cgroup::MOUNT).join(below),
        None => tree.path().join(parent),
    };
    if !path.starts_with(tree.path()) && Tree::at_path(&path).is_none() {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "use --cgroup-parent {parent}: {} may not be written to",
                path.display()
            ),
        )
        .hint(format!(
            "groups can be made below {}",
            tree.path().display()
        )));
    }
    let missing = path.ancestors().take_while(|dir| !dir.exists()).count();
    Ok((path, missing))
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
