//! Finding the part of the tree that this user may change (cgroup-v2.rst, Delegation).

use std::fmt;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FsWord, access, statfs};

use crate::error::{Error, Kind, Result, Tried};

use super::MOUNT;

/// `CGROUP2_SUPER_MAGIC`, `<linux/magic.h>`.
const CGROUP2: FsWord = 0x6367_7270;

/// A controller that some limit needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    Cpu,
    Cpuset,
    Io,
    Memory,
    Pids,
}

impl Controller {
    pub const ALL: [Controller; 5] = [Self::Cpu, Self::Cpuset, Self::Io, Self::Memory, Self::Pids];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuset => "cpuset",
            Self::Io => "io",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A group below which this user may make groups and move its processes into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    path: PathBuf,
    /// It has processes of its own, so its groups get no controllers (the "no internal processes" rule).
    busy: bool,
}

impl Tree {
    /// The nearest group, from that of this process upwards, that may be written to and has no process of its own;
    /// else the nearest that may be written to. `None`: there is none.
    ///
    /// Nearest, so that limits of a service or a job above keep holding for its containers.
    pub fn find() -> Option<Tree> {
        let own = own_group()?;
        let mut nearest = None;
        for path in own.ancestors() {
            if !path.starts_with(MOUNT) || !is_ours(path) {
                break;
            }
            let tree = Tree::at(path);
            if !tree.busy {
                return Some(tree);
            }
            nearest = nearest.or(Some(tree));
        }
        nearest
    }

    /// The group of this process, when it may be written to (`--cgroups=split`).
    pub fn own() -> Option<Tree> {
        own_group()
            .filter(|path| is_ours(path))
            .map(|path| Tree::at(&path))
    }

    /// The group `path`, where it exists and may be written to.
    pub fn at_path(path: &Path) -> Option<Tree> {
        (is_mounted() && is_ours(path)).then(|| Tree::at(path))
    }

    fn at(path: &Path) -> Tree {
        Tree {
            path: path.to_owned(),
            busy: has_processes(path),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Controllers that groups below can have, or the reason why they cannot.
    pub fn controllers(&self) -> Vec<Controller> {
        match self.busy {
            // What is on already stays usable: the kernel refuses a process beside it, root of the tree excepted.
            true => listed(&self.path.join("cgroup.subtree_control")),
            false => listed(&self.path.join("cgroup.controllers")),
        }
    }

    /// Gives groups below every controller of `wanted`.
    pub fn enable(&self, wanted: &[Controller]) -> Result<()> {
        enable(&self.path, wanted).map_err(|err| match self.busy {
            true => err.hint(self.remedy()),
            false => err,
        })
    }

    /// Gives groups below all there is.
    pub fn enable_all(&self) -> Result<()> {
        self.enable(&self.controllers())
    }

    /// Moves processes of ours out of this group, so that groups below it can have its controllers. Without any
    /// controller there is no need.
    pub fn step_aside(&self, pids: &[i32]) -> Result<()> {
        if !self.busy || listed(&self.path.join("cgroup.controllers")).is_empty() {
            return Ok(());
        }
        let aside = self.path.join("supervisor");
        let _ = fs::create_dir(&aside); // another container's may be there
        let file = aside.join("cgroup.procs");
        for pid in pids {
            write(&file, &pid.to_string())
                .tried(|| format!("move process {pid} to {}", aside.display()))?;
        }
        Ok(())
    }

    /// Why `controller` cannot be had, and what to do.
    pub fn lacks(&self, controller: Controller, flag: &str) -> Error {
        lacking(controller, flag).hint(self.remedy_for(controller))
    }

    fn remedy_for(&self, controller: Controller) -> String {
        let here = listed(&self.path.join("cgroup.controllers"));
        match here.contains(&controller) && self.busy {
            true => self.remedy(),
            false => format!(
                "the cgroup {} was not given it: with systemd, root allows it by \"Delegate=cpu cpuset io memory pids\" \
                 in /etc/systemd/system/user@.service.d/delegate.conf",
                self.path.display()
            ),
        }
    }

    fn remedy(&self) -> String {
        format!(
            "the cgroup {0} has processes of its own, so groups below it get no controllers; move them down first: \
             mkdir {0}/shell && echo $$ >{0}/shell/cgroup.procs",
            self.path.display()
        )
    }
}

/// A limit that nothing here can keep.
pub(super) fn lacking(controller: Controller, flag: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!("use --{flag}: the cgroup controller \"{controller}\" is not available"),
    )
}

/// A limit where there is no group at all.
pub fn no_tree(flag: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!("use --{flag}: this process has no cgroup (version 2) that may be written to"),
    )
    .hint(NO_TREE_REMEDY)
}

/// What gives a user cgroups of its own.
pub const NO_TREE_REMEDY: &str = "with systemd and cgroup v2, run it below your own service manager: \
     systemd-run --user --scope -p Delegate=yes pod ...; a host with cgroup v1 needs systemd.unified_cgroup_hierarchy=1 \
     on its kernel command line";

/// Writes those of `wanted` that are not on to the `cgroup.subtree_control` of `path`.
pub(super) fn enable(path: &Path, wanted: &[Controller]) -> Result<()> {
    let file = path.join("cgroup.subtree_control");
    let on = listed(&file);
    let missing: Vec<String> = wanted
        .iter()
        .filter(|controller| !on.contains(controller))
        .map(|controller| format!("+{controller}"))
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => write(&file, &missing.join(" ")).tried(|| format!("write to {}", file.display())),
    }
}

/// The known controllers that a file names.
pub(super) fn listed(file: &Path) -> Vec<Controller> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    Controller::ALL
        .into_iter()
        .filter(|controller| words.contains(&controller.name()))
        .collect()
}

/// One write of the whole text; cgroup files are never made nor cut.
pub(super) fn write(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_CLOEXEC)
        .open(file)?;
    file.write_all(text.as_bytes())
}

fn is_mounted() -> bool {
    statfs(MOUNT).is_ok_and(|found| found.f_type == CGROUP2)
}

/// The group of this process, as a path below the mount.
fn own_group() -> Option<PathBuf> {
    if !is_mounted() {
        return None;
    }
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    parse_own(&text)
}

fn parse_own(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    // Outside of this cgroup namespace, or removed while we live in it.
    let odd = path.contains("/..") || path.ends_with(" (deleted)");
    let below = path.strip_prefix('/').filter(|_| !odd)?;
    Some(Path::new(MOUNT).join(below))
}

/// A process may be moved between groups by who may write to `cgroup.procs` of both and of what is above both.
fn is_ours(path: &Path) -> bool {
    access(path, Access::WRITE_OK).is_ok()
        && access(path.join("cgroup.procs"), Access::WRITE_OK).is_ok()
}

fn has_processes(path: &Path) -> bool {
    fs::read(path.join("cgroup.procs")).is_ok_and(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_groups() {
        for (text, want) in [
            ("0::/\n", Some("/sys/fs/cgroup/")),
            (
                "12:pids:/x\n0::/user.slice/a b\n",
                Some("/sys/fs/cgroup/user.slice/a b"),
            ),
            ("0::/../x\n", None),
            ("0::/x (deleted)\n", None),
            ("1:name=systemd:/\n", None),
        ] {
            assert_eq!(parse_own(text).as_deref(), want.map(Path::new), "{text}");
        }
    }
}
