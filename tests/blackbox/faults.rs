//! Every command that writes to the store, killed or refused by the kernel at one system call after the other.
//!
//! strace delivers SIGKILL, or an errno, at the n-th call of those that change anything, of every process and thread of
//! the command. Whatever happens: listings work, what has a name is whole, what was there before is there, the same
//! command succeeds when nothing is in its way, and a removal leaves no garbage.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::faults::{self, CHANGES, Traced, spread};
use crate::support::fsck::{Fsck, Trees};
use crate::support::registry::Registry;
use crate::support::{Done, Running, TestHome, process};

/// Of these the ones that a full disk or quota may refuse.
const TAKES_SPACE: &str = "write,pwrite64,writev,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,symlink,symlinkat,\
fsync,fdatasync,syncfs,ftruncate,fallocate,fsetxattr,setxattr,mknodat,copy_file_range,sendfile";

/// One command of the campaign.
struct Operation {
    words: Vec<String>,
    /// Makes what the command needs; `pod` command lines.
    before: Vec<Vec<String>>,
    /// Names and images it made, for `rmi`.
    makes: &'static [&'static str],
    /// A file that it writes.
    file: Option<PathBuf>,
    /// What the repeated command may say when the killed one was done already.
    done_already: &'static str,
}

impl Operation {
    fn of(words: &[&str]) -> Self {
        Self {
            words: words.iter().map(|&word| word.to_owned()).collect(),
            before: Vec::new(),
            makes: &[],
            file: None,
            done_already: "\0",
        }
    }

    fn before(mut self, words: &[&str]) -> Self {
        self.before
            .push(words.iter().map(|&word| word.to_owned()).collect());
        self
    }

    fn makes(mut self, names: &'static [&'static str]) -> Self {
        self.makes = names;
        self
    }

    fn already(mut self, says: &'static str) -> Self {
        self.done_already = says;
        self
    }
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// SIGKILL at the n-th call.
    Kill(u32),
    /// SIGKILL after so many turns of the scheduler.
    KillLater(u32),
    /// This errno at the n-th call.
    Once(&'static str, u32),
    /// This errno at the n-th call and all that follow.
    Since(&'static str, u32),
}

struct Campaign {
    home: TestHome,
    trees: Trees,
    tried: u32,
    lost: Vec<String>,
}

impl Campaign {
    /// A store with `busybox`, which must survive everything, and what the trees of the images in use look like.
    fn new() -> Self {
        let home = TestHome::with_registry();
        let model = home.path("model").display().to_string();
        for image in ["busybox", "layers"] {
            home.pod(["--root", &model, "pull", "-q", image]).ok();
        }
        let mut trees = Trees::default();
        trees.learn(&home.path("model"));
        home.pod(["pull", "-q", "busybox"]).ok();
        Self {
            home,
            trees,
            tried: 0,
            lost: Vec::new(),
        }
    }

    fn fsck(&self) -> Fsck {
        Fsck::new(&self.home.path("home/.local/share/pod"), &self.trees)
    }

    /// How many of `calls` the busiest thread of the command makes.
    fn count(&self, operation: &Operation, calls: &str) -> u32 {
        self.prepare(operation);
        let count = faults::count_calls(&self.home, Traced::All, calls, &operation.words);
        self.undo(operation);
        count
    }

    fn prepare(&self, operation: &Operation) {
        for words in &operation.before {
            self.home.pod(words.iter().cloned()).ok();
        }
    }

    fn undo(&self, operation: &Operation) {
        if let Some(file) = &operation.file {
            let _ = fs::remove_file(file);
        }
        for name in operation.makes {
            self.home.pod(["rmi", "-f", name]).ok();
        }
    }

    fn suffer(&self, operation: &Operation, fault: Fault) -> Done {
        let (calls, what) = match fault {
            Fault::KillLater(turns) => {
                let running = self.home.spawn(operation.words.iter().cloned());
                for _ in 0..turns {
                    std::thread::yield_now();
                }
                running.signal(Signal::SIGKILL);
                return running.wait();
            }
            Fault::Kill(n) => (CHANGES, format!("signal=KILL:when={n}")),
            Fault::Once(errno, n) => (TAKES_SPACE, format!("error={errno}:when={n}")),
            Fault::Since(errno, n) => (TAKES_SPACE, format!("error={errno}:when={n}+")),
        };
        let options = faults::inject(calls, &what);
        let command = faults::strace(&self.home, Traced::All, &options, &operation.words);
        Running::start(command, false).wait()
    }

    /// One fault and all that must hold after it.
    fn try_one(&mut self, operation: &Operation, fault: Fault) {
        self.tried += 1;
        self.prepare(operation);
        let done = self.suffer(operation, fault);
        let mut wrong = Vec::new();
        let list = self.home.pod(["images", "-a", "--digests"]);
        if list.code != 0 || !list.stderr.is_empty() {
            wrong.push(format!("images: {list}"));
        }
        wrong.extend(self.fsck().faults());
        let old = self
            .home
            .pod(["image", "inspect", "--format", "{{.Id}}", "busybox"]);
        if old.code != 0 {
            wrong.push(format!("busybox is lost: {old}"));
        }
        if let Some(file) = &operation.file
            && file.exists()
            && process::run(["tar", "-tf", &file.display().to_string()]).code != 0
        {
            wrong.push(format!("{} is there and not whole", file.display()));
        }
        let again = self.home.pod(operation.words.iter().cloned());
        if again.code != 0 && !again.stderr.contains(operation.done_already) {
            wrong.push(format!("again: {again}"));
        }
        wrong.extend(
            self.fsck()
                .faults()
                .into_iter()
                .map(|f| format!("after all: {f}")),
        );
        self.undo(operation);
        // A removal that removes something sweeps and collects.
        self.home.pod(["pull", "-q", "configured"]).ok();
        self.home.pod(["rmi", "-f", "configured"]).ok();
        self.home.pod(["images"]).ok();
        wrong.extend(
            self.fsck()
                .garbage()
                .into_iter()
                .map(|g| format!("garbage: {g}")),
        );
        if let Some(file) = &operation.file {
            let dir = file.parent().unwrap();
            let left: Vec<_> = fs::read_dir(dir).unwrap().collect();
            if !left.is_empty() {
                wrong.push(format!("files beside the archive: {left:?}"));
            }
        }
        if !wrong.is_empty() {
            let words = operation.words.join(" ");
            let Done { code, stderr, .. } = done;
            self.lost.push(format!(
                "{words} with {fault:?}: {wrong:#?}\nit ended with {code}: {stderr}"
            ));
        }
    }

    /// Faults all over the command, few or many.
    fn run(&mut self, operation: &Operation) {
        let full = std::env::var_os("POD_TEST_FULL").is_some();
        let (kills, errors, random) = if full { (24, 10, 10) } else { (3, 2, 1) };
        let calls = self.count(operation, CHANGES);
        for n in spread(calls, kills) {
            self.try_one(operation, Fault::Kill(n));
        }
        for n in 0..random {
            self.try_one(operation, Fault::KillLater(n * 700 + 100));
        }
        let calls = self.count(operation, TAKES_SPACE);
        for n in spread(calls, errors) {
            self.try_one(operation, Fault::Since("ENOSPC", n));
            self.try_one(operation, Fault::Once("EDQUOT", n));
        }
    }

    fn end(self) {
        // What pushes remember is kept.
        let _ = fs::remove_dir_all(self.home.path("home/.local/share/pod/sent"));
        faults::report(self.tried, self.lost.len());
        let shown = self.lost.len().min(5);
        assert!(self.lost.is_empty(), "{}", self.lost[..shown].join("\n\n"));
    }
}

#[track_caller]
fn campaign(operation: impl FnOnce(&TestHome) -> Operation) {
    let mut campaign = Campaign::new();
    let operation = operation(&campaign.home);
    campaign.run(&operation);
    campaign.end();
}

#[test]
fn of_pull() {
    campaign(|_| Operation::of(&["pull", "-q", "layers"]).makes(&["layers"]));
}

#[test]
fn of_load() {
    campaign(|home| {
        let file = home.path("layers.tar").display().to_string();
        home.pod(["pull", "-q", "layers"]).ok();
        home.pod(["save", "-q", "-o", &file, "layers"]).ok();
        home.pod(["rmi", "layers"]).ok();
        Operation::of(&["load", "-q", "-i", &file]).makes(&["layers"])
    });
}

#[test]
fn of_import() {
    campaign(|home| {
        let tar = home.path("tree.tar").display().to_string();
        let script = format!(
            "mkdir tree; echo x > tree/file; ln -s file tree/link; tar -C tree -cf {tar} ."
        );
        home.sh(&script).ok();
        Operation::of(&["import", "-q", &tar, "localhost/tree"]).makes(&["localhost/tree"])
    });
}

#[test]
fn of_commit() {
    campaign(|home| {
        home.pod([
            "run",
            "--name=c",
            "--network=none",
            "busybox",
            "sh",
            "-c",
            "echo x > etc/made; rm etc/group",
        ])
        .ok();
        Operation::of(&["commit", "-q", "c", "localhost/made"]).makes(&["localhost/made"])
    });
}

#[test]
fn of_save() {
    campaign(|home| {
        let file = home.mkdir("saved").join("busybox.tar");
        let shown = file.display().to_string();
        let mut operation = Operation::of(&["save", "-q", "-o", &shown, "busybox"]);
        operation.file = Some(file);
        operation.already("docker-archive doesn't support modifying existing images")
    });
}

#[test]
fn of_push() {
    let registry = Registry::start();
    campaign(|_| {
        let to = format!("{}/pushed:latest", registry.address());
        Operation::of(&["push", "-q", "--tls-verify=false", "busybox", &to])
    });
}

#[test]
fn of_rmi() {
    campaign(|_| {
        Operation::of(&["rmi", "layers"])
            .before(&["pull", "-q", "layers"])
            .already("image not known")
    });
}

#[test]
fn of_tag() {
    campaign(|_| Operation::of(&["tag", "busybox", "localhost/more"]).makes(&["localhost/more"]));
}

#[test]
fn of_untag() {
    campaign(|_| {
        Operation::of(&["untag", "busybox", "localhost/less"])
            .before(&["tag", "busybox", "localhost/less"])
            .already("tag not known")
    });
}

#[test]
fn of_manifest_create() {
    campaign(|_| {
        Operation::of(&["manifest", "create", "localhost/list", "busybox"])
            .makes(&["localhost/list"])
            .already("that name is already in use")
    });
}

/// A store on a small tmpfs, which only the commands of this test see.
struct SmallDisk {
    campaign: Campaign,
    holder: Running,
    store: PathBuf,
}

impl SmallDisk {
    fn new() -> Self {
        let mut campaign = Campaign::new();
        let store = campaign.home.mkdir("home/.local/share/pod");
        let script = format!(
            "set -e; mount --make-rprivate /; \
             mount -t tmpfs -o size=64m,mode=700,uid={},gid={} tmpfs {}; echo ready; exec sleep infinity",
            campaign.home.user.uid,
            campaign.home.user.gid,
            store.display()
        );
        campaign.home.pod(["rmi", "-af"]).ok();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]);
        let holder = Running::start(command, false);
        holder.wait_for("ready");
        let pid = holder.pid().to_string();
        campaign.home = campaign.home.behind(["nsenter", "-t", &pid, "-m"]);
        campaign.home.pod(["pull", "-q", "busybox"]).ok();
        Self {
            store: PathBuf::from(format!("/proc/{pid}/root{}", store.display())),
            campaign,
            holder,
        }
    }

    /// 4 KiB blocks and inodes that are in use.
    fn used(&self) -> (u64, u64) {
        let found = nix::sys::statvfs::statvfs(&self.store).unwrap();
        (
            (found.blocks() - found.blocks_free()) * found.fragment_size() / 4096,
            found.files() - found.files_free(),
        )
    }

    fn resize(&self, blocks: u64, inodes: u64) {
        let pid = self.holder.pid().to_string();
        let options = format!("remount,size={},nr_inodes={inodes}", blocks * 4096);
        let place = self
            .campaign
            .home
            .path("home/.local/share/pod")
            .display()
            .to_string();
        process::run(["nsenter", "-t", &pid, "-m", "mount", "-o", &options, &place]).code(0);
    }

    /// The command with less and less room, by bytes and by inodes.
    fn run(&mut self, operation: &Operation) {
        let steps = if std::env::var_os("POD_TEST_FULL").is_some() {
            16
        } else {
            4
        };
        let home = &self.campaign.home;
        let before = self.used();
        home.pod(operation.words.iter().cloned()).ok();
        let after = self.used();
        for name in operation.makes {
            home.pod(["rmi", "-f", name]).ok();
        }
        let mut refused = 0;
        for step in 0..steps {
            let part = |from: u64, to: u64| from + (to - from) * step / steps;
            for (blocks, inodes) in [
                (part(before.0, after.0), 100_000),
                (16384, part(before.1, after.1)),
            ] {
                self.resize(blocks, inodes);
                self.campaign.tried += 1;
                let home = &self.campaign.home;
                let done = home.pod(operation.words.iter().cloned());
                let mut wrong = Vec::new();
                if done.code != 0 {
                    refused += 1;
                    if !done.stderr.to_lowercase().contains("no space left") {
                        wrong.push("the message says nothing of space".to_owned());
                    }
                }
                let list = home.pod(["images", "-a"]);
                if list.code != 0 || !list.stdout.contains("busybox") {
                    wrong.push(format!("images: {list}"));
                }
                let fsck = Fsck::new(&self.store, &self.campaign.trees);
                wrong.extend(fsck.faults());
                self.resize(16384, 100_000);
                let again = home.pod(operation.words.iter().cloned());
                if again.code != 0 {
                    wrong.push(format!("again: {again}"));
                }
                wrong.extend(fsck.faults());
                for name in operation.makes {
                    home.pod(["rmi", "-f", name]).ok();
                }
                home.pod(["images"]).ok();
                wrong.extend(fsck.garbage());
                if !wrong.is_empty() {
                    let words = operation.words.join(" ");
                    let text = format!(
                        "{words} with {blocks} blocks, {inodes} inodes: {wrong:#?}\nit was {done}"
                    );
                    self.campaign.lost.push(text);
                }
            }
        }
        assert!(refused > 0, "there was room for everything");
    }

    fn end(mut self) {
        self.campaign.home.pod(["rm", "-f", "-a", "-t", "0"]).ok();
        self.campaign.home.pod(["rmi", "-af"]).ok();
        self.holder.stop();
        self.campaign.end();
    }
}

#[test]
fn of_a_full_disk() {
    let mut disk = SmallDisk::new();
    disk.run(&Operation::of(&["pull", "-q", "layers"]).makes(&["layers"]));
    let file = disk.campaign.home.path("layers.tar").display().to_string();
    disk.campaign.home.pod(["pull", "-q", "layers"]).ok();
    disk.campaign
        .home
        .pod(["save", "-q", "-o", &file, "layers"])
        .ok();
    disk.campaign.home.pod(["rmi", "layers"]).ok();
    disk.run(&Operation::of(&["load", "-q", "-i", &file]).makes(&["layers"]));
    let script =
        "head -c 3000000 /dev/urandom > made; mkdir d; for n in $(seq 50); do echo $n > d/$n; done";
    let run = [
        "run",
        "--name=c",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ];
    disk.campaign.home.pod(run).ok();
    disk.run(&Operation::of(&["commit", "-q", "c", "localhost/made"]).makes(&["localhost/made"]));
    disk.end();
}
