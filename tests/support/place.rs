//! A mount namespace of a test's own, where directories of a home lie on small or read-only file systems.

use std::path::PathBuf;
use std::process::Command;

use super::process::{self, Running};
use super::{Done, TestHome};

/// Lives as long as its holder, a process in the namespace.
pub struct Place {
    holder: Running,
}

impl Place {
    /// Runs `script` as root in a new mount namespace and takes `home` there.
    #[track_caller]
    pub fn new(home: TestHome, script: &str) -> (Self, TestHome) {
        let script =
            format!("set -e; mount --make-rprivate /; {script}; echo ready; exec sleep infinity");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        let holder = Running::start(command, false);
        holder.wait_for("ready");
        let pid = holder.pid().to_string();
        let home = home.behind(["nsenter", "-t", &pid, "-m"]);
        (Self { holder }, home)
    }

    /// A namespace where each of `dirs`, which are below the home, is a tmpfs of 64 MiB.
    #[track_caller]
    pub fn with_tmpfs(home: TestHome, dirs: &[&str]) -> (Self, TestHome) {
        let mut script = String::from(":");
        for dir in dirs {
            let path = home.mkdir(dir);
            let (uid, gid) = (home.user.uid, home.user.gid);
            let options = format!("size=64m,mode=700,uid={uid},gid={gid}");
            script += &format!("; mount -t tmpfs -o {options} tmpfs {}", path.display());
        }
        Self::new(home, &script)
    }

    /// Runs a command in the namespace, as root.
    #[track_caller]
    pub fn root(&self, words: &[&str]) -> Done {
        let pid = self.holder.pid().to_string();
        let enter = ["nsenter", "-t", &pid, "-m"];
        process::run(enter.iter().chain(words).copied())
    }

    #[track_caller]
    pub fn remount(&self, dir: &std::path::Path, options: &str) {
        let options = format!("remount,{options}");
        self.root(&["mount", "-o", &options, &dir.display().to_string()])
            .ok();
    }

    /// `path` as the namespace has it.
    pub fn path(&self, path: &std::path::Path) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/root{}",
            self.holder.pid(),
            path.display()
        ))
    }

    /// Leaves `dir`, a tmpfs, no room for another byte, or for another name.
    #[track_caller]
    pub fn fill(&self, dir: &std::path::Path, what: Full) {
        let found = nix::sys::statvfs::statvfs(&self.path(dir)).unwrap();
        let used = (found.blocks() - found.blocks_free()) * found.fragment_size();
        let names = found.files() - found.files_free();
        match what {
            Full::Bytes => self.remount(dir, &format!("size={}", used.max(4096))),
            Full::Names => self.remount(dir, &format!("nr_inodes={names}")),
        }
    }

    #[track_caller]
    pub fn empty(&self, dir: &std::path::Path) {
        self.remount(dir, "size=64m,nr_inodes=100000");
    }

    pub fn end(mut self) {
        self.holder.stop();
    }
}

/// What a file system has no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    Bytes,
    Names,
}
