//! Every command of a container's life, killed at one system call after the other and at any instant.
//!
//! strace delivers SIGKILL at the n-th call that changes something, in the command or in whatever it forks; a second kind
//! of fault kills the command, its monitor, or everything at a moment. Whatever happens: the next command tells the
//! truth, containers and volumes that were there before are there, no process runs that no container explains, and what
//! is left goes with `rm` to the last file.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::faults::{self, CHANGES, Traced, spread};
use crate::support::{Done, Lane, Running, Snapshot, TestHome, lane, process};

/// Beside the changes: births, messages, signals and locks.
const MORE: &str = ",clone3,clone,execve,pidfd_send_signal,kill,sendto,sendmsg,socketpair,bind,connect,fcntl,unshare,setns,\
fsopen,fsmount,move_mount,mount,umount2";

/// How long a process on its way out may take.
const GRACE: Duration = Duration::from_secs(10);

/// One command of the campaign. Its container is `it` (a name that begins no id); what it makes beside that is in [`Kills::tidy`].
struct Case {
    words: Vec<String>,
    /// `pod` command lines that make what it needs.
    before: Vec<Vec<String>>,
    traced: Traced,
    /// What else must hold after the fault; an empty text: nothing is wrong.
    check: fn(&TestHome) -> String,
}

fn case(words: &[&str]) -> Case {
    Case {
        words: owned(words),
        before: Vec::new(),
        traced: Traced::All,
        check: |_| String::new(),
    }
}

impl Case {
    fn before(mut self, words: &[&str]) -> Self {
        self.before.push(owned(words));
        self
    }

    /// Its container runs on: only the command itself can be traced.
    fn runs_on(mut self) -> Self {
        self.traced = Traced::First;
        self
    }

    fn check(mut self, check: fn(&TestHome) -> String) -> Self {
        self.check = check;
        self
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// SIGKILL at the n-th call of each process that strace holds.
    Call(u32),
    /// SIGKILL after this time.
    Later(Victim, Duration),
}

#[derive(Debug, Clone, Copy)]
enum Victim {
    Command,
    /// What it forked: monitor, worker, the container.
    Others,
    Everything,
}

struct Kills {
    home: TestHome,
    /// With the two containers that must survive everything.
    clean: Snapshot,
    /// Processes of the one that runs.
    witness: BTreeSet<i32>,
    tried: u32,
    lost: Vec<String>,
}

impl Kills {
    fn new() -> Self {
        let home = TestHome::with_busybox();
        home.pod(["pull", "-q", "volume"]).ok();
        let script = "echo kept > /file; echo kept > /data/file";
        home.pod([
            "run",
            "--name=kept",
            "--network=none",
            "-v",
            "kept:/data",
            "busybox",
            "sh",
            "-c",
            script,
        ])
        .ok();
        home.pod([
            "run",
            "-d",
            "--name=witness",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
        let clean = home.snapshot();
        let witness = process::descendants().into_keys().collect();
        Self {
            home,
            clean,
            witness,
            tried: 0,
            lost: Vec::new(),
        }
    }

    fn suffer(&self, case: &Case, fault: Fault) -> Done {
        match fault {
            Fault::Call(n) => {
                let calls = format!("{CHANGES}{MORE}");
                let options = faults::inject(&calls, &format!("signal=KILL:when={n}"));
                let command = faults::strace(&self.home, case.traced, &options, &case.words);
                Running::start(command, false).wait()
            }
            Fault::Later(victim, after) => {
                let before = process::descendants();
                let running = self.home.spawn(case.words.iter().cloned());
                let start = Instant::now();
                while start.elapsed() < after {
                    std::thread::yield_now();
                }
                if matches!(victim, Victim::Command | Victim::Everything) {
                    running.signal(Signal::SIGKILL);
                }
                if matches!(victim, Victim::Others | Victim::Everything) {
                    let below = process::below(running.pid());
                    let others = process::descendants().into_keys().chain(below);
                    others
                        .filter(|pid| !before.contains_key(pid))
                        .for_each(process::kill_pid);
                }
                running.wait()
            }
        }
    }

    /// One fault and all that must hold after it.
    fn try_one(&mut self, case: &Case, fault: Fault) {
        self.tried += 1;
        for words in &case.before {
            self.home.pod(words.iter().cloned()).ok();
        }
        let done = self.suffer(case, fault);
        let mut wrong = self.truth();
        wrong.extend(Some((case.check)(&self.home)).filter(|text| !text.is_empty()));
        wrong.extend(self.tidy());
        if !wrong.is_empty() {
            self.lost.push(format!(
                "{} with {fault:?}: {wrong:#?}\nit ended so: {done}",
                case.words.join(" ")
            ));
        }
    }

    /// What listings say is so.
    fn truth(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let format = "{{.Names}} {{.State}} {{.ID}}";
        let list = self
            .home
            .pod(["ps", "-a", "--no-trunc", "--format", format]);
        if list.code != 0 || !list.stderr.is_empty() {
            wrong.push(format!("ps fails: {list}"));
        }
        for want in ["kept exited ", "witness running "] {
            if !list.stdout.lines().any(|line| line.starts_with(want)) {
                wrong.push(format!("no {want:?} in {list}"));
            }
        }
        let deadline = Instant::now() + GRACE;
        while let Some(strays) = self.strays() {
            if Instant::now() >= deadline {
                wrong.push(strays);
                break;
            }
            std::thread::yield_now();
        }
        wrong
    }

    /// Processes that no running container explains, and containers that run without one.
    fn strays(&self) -> Option<String> {
        let format = "{{.Name}} {{.State.Status}} {{.State.Pid}} {{.State.ConmonPid}}";
        let ids = self.home.pod(["ps", "-aq"]);
        let words = ["inspect", "--type=container", "--format", format];
        let all = self.home.pod(
            words
                .into_iter()
                .map(str::to_owned)
                .chain(ids.stdout.lines().map(str::to_owned)),
        );
        if all.code != 0 {
            // One that was being removed may be gone meanwhile.
            return Some(format!("inspect fails: {all}"));
        }
        let mut explained = self.witness.clone();
        for line in all.stdout.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let (Some(state), Some(pid), Some(monitor)) =
                (fields.get(1), fields.get(2), fields.get(3))
            else {
                return Some(format!("inspect says {line:?}"));
            };
            if !matches!(
                *state,
                "running" | "paused" | "stopping" | "initialized" | "restarting"
            ) {
                continue;
            }
            let pids = [pid, monitor].map(|text| text.parse::<i32>().unwrap_or(0));
            if *state == "running" && !process::is_alive(pids[0]) {
                return Some(format!("said to run: {line}"));
            }
            for pid in pids {
                explained.insert(pid);
                explained.extend(process::below(pid));
            }
            // A network helper belongs to the container whose monitor is there.
            let helpers = process::descendants()
                .into_iter()
                .filter(|(_, command)| command.contains("pasta"));
            explained.extend(helpers.map(|(pid, _)| pid));
        }
        let strays: Vec<String> = process::descendants()
            .into_iter()
            .filter(|(pid, _)| !explained.contains(pid))
            .map(|(pid, command)| format!("{pid} {command}"))
            .collect();
        (!strays.is_empty()).then(|| format!("strays: {strays:?} beside {}", all.stdout))
    }

    /// Removes what the case made; nothing else may be left, and nothing else be gone.
    fn tidy(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let _ = std::fs::remove_dir_all(self.home.path("home/copies"));
        let names = ["it", "new"];
        for args in [
            ["rm", "-f", "-v", "-t", "0", "--ignore"]
                .iter()
                .chain(&names)
                .copied()
                .collect::<Vec<_>>(),
            vec!["volume", "rm", "-f", "v"],
            vec!["rmi", "-f", "localhost/made"],
        ] {
            let done = self.home.pod(args.iter().copied());
            let absent =
                done.stderr.contains("no such volume") || done.stderr.contains("image not known");
            if done.code != 0 && !absent {
                wrong.push(format!("clean-up: {done}"));
            }
        }
        let untagged = self.home.pod(["images", "-q", "--filter", "dangling=true"]);
        for id in untagged.stdout.lines() {
            self.home.pod(["rmi", "-f", id]);
        }
        let anonymous = self.home.pod(["volume", "ls", "-q"]);
        for name in anonymous.stdout.lines().filter(|name| *name != "kept") {
            wrong.push(format!("volume {name} is left"));
            self.home.pod(["volume", "rm", "-f", name]);
        }
        let deadline = Instant::now() + GRACE;
        while process::descendants()
            .into_keys()
            .any(|pid| !self.witness.contains(&pid))
        {
            if Instant::now() >= deadline {
                wrong.push(format!("processes are left: {:?}", process::descendants()));
                break;
            }
            std::thread::yield_now();
        }
        let mut now = self.home.snapshot();
        if now.files != self.clean.files {
            // The next removal of an image collects what no image uses.
            self.home.pod(["pull", "-q", "configured"]).ok();
            self.home.pod(["rmi", "-f", "configured"]).ok();
            now = self.home.snapshot();
        }
        let dirs = self.directories();
        if dirs != 3 {
            wrong.push(format!("{dirs} directories of containers are left"));
        }
        if now != self.clean {
            let files: Vec<_> = now.files.symmetric_difference(&self.clean.files).collect();
            if !files.is_empty() {
                wrong.push(format!("files: {files:#?}"));
            }
            if now.containers != self.clean.containers
                || now.images != self.clean.images
                || now.mounts != self.clean.mounts
            {
                wrong.push(format!(
                    "{:?} {:?} {:?}",
                    now.containers, now.images, now.mounts
                ));
            }
        }
        wrong
    }

    /// Of `kept`, of `witness`, and that of the names.
    fn directories(&self) -> usize {
        let dir = self.home.path("home/.local/share/pod/containers");
        std::fs::read_dir(dir).unwrap().count()
    }

    /// How long the command takes.
    fn measure(&self, case: &Case) -> Duration {
        for words in &case.before {
            self.home.pod(words.iter().cloned()).ok();
        }
        let start = Instant::now();
        self.home.pod(case.words.iter().cloned()).ok();
        let took = start.elapsed();
        assert_eq!(
            self.tidy(),
            Vec::<String>::new(),
            "after {:?} without a fault",
            case.words
        );
        took
    }

    fn run(&mut self, case: &Case) {
        let full = std::env::var_os("POD_TEST_FULL").is_some();
        let (calls, moments) = if full { (14, 3) } else { (2, 1) };
        let took = self.measure(case);
        for words in &case.before {
            self.home.pod(words.iter().cloned()).ok();
        }
        let most = faults::count_calls(
            &self.home,
            case.traced,
            &format!("{CHANGES}{MORE}"),
            &case.words,
        );
        self.tidy();
        // In CI other calls at each run: over time all of them.
        let offset = if full {
            0
        } else {
            std::process::id() % most.max(1)
        };
        for n in spread(most, calls) {
            let n = 1 + (n - 1 + offset) % most.max(1);
            self.try_one(case, Fault::Call(n));
        }
        let victims = [Victim::Command, Victim::Others, Victim::Everything];
        for round in 0..moments {
            for (index, victim) in (0..).zip(victims) {
                if !full && index != std::process::id() % 3 {
                    continue;
                }
                let part = (round * 3 + index + 1) * 997 % 1000;
                self.try_one(case, Fault::Later(victim, took * part / 1000));
            }
        }
    }

    fn end(self) {
        let file = self.home.pod(["export", "kept"]);
        assert!(
            file.stdout.contains("kept"),
            "the file of the container that was there before"
        );
        let script = "cat /data/file";
        let data = self.home.pod([
            "run",
            "--rm",
            "--network=none",
            "-v",
            "kept:/data",
            "busybox",
            "sh",
            "-c",
            script,
        ]);
        assert_eq!(data.ok(), "kept");
        self.home.pod(["exec", "witness", "true"]).ok();
        self.home
            .pod(["rm", "-f", "-t", "0", "kept", "witness"])
            .ok();
        self.home.pod(["volume", "rm", "kept"]).ok();
        faults::report(self.tried, self.lost.len());
        let shown = self.lost.len().min(5);
        assert!(self.lost.is_empty(), "{}", self.lost[..shown].join("\n\n"));
    }
}

#[track_caller]
fn campaign(cases: &[Case]) {
    let mut kills = Kills::new();
    for case in cases {
        kills.run(case);
    }
    kills.end();
}

const IDLE: [&str; 6] = [
    "run",
    "-d",
    "--name=it",
    "--network=none",
    "busybox",
    "sleep",
];

fn idle() -> Vec<&'static str> {
    IDLE.into_iter().chain(["1000"]).collect()
}

/// The volume `v` is filled once, whole: at the latest by the next container that mounts it.
fn volume_is_whole(home: &TestHome) -> String {
    home.pod(["rm", "-f", "-t", "0", "--ignore", "it"]);
    let script = "cd /etc; md5sum passwd group; ls -A";
    let there = home.pod([
        "run",
        "--rm",
        "--network=none",
        "-v",
        "v:/etc",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    let image = home.pod([
        "run",
        "--rm",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    let names = |done: &Done| -> BTreeSet<String> {
        // What the engine mounts there leaves a file in the volume.
        let own = ["hosts", "hostname", "resolv.conf", "mtab"];
        done.stdout
            .lines()
            .filter(|line| !own.contains(line))
            .map(str::to_owned)
            .collect()
    };
    match names(&there) == names(&image) && there.code == 0 {
        true => String::new(),
        false => format!("the volume: {there}\nthe image: {image}"),
    }
}

#[test]
fn of_run() {
    campaign(&[
        case(&["run", "--name=it", "--network=none", "busybox", "true"]),
        case(&idle()).runs_on(),
        case(&[
            "run",
            "--rm",
            "--name=it",
            "--network=none",
            "busybox",
            "true",
        ]),
    ]);
}

#[test]
fn of_run_with_a_network() {
    campaign(&[case(&["run", "-d", "--name=it", "busybox", "sleep", "1000"]).runs_on()]);
}

#[test]
fn of_create_and_start() {
    campaign(&[
        case(&["create", "--name=it", "--network=none", "busybox", "true"]),
        case(&["create", "--name=it", "--network=none", "volume", "true"]),
        case(&["start", "-a", "it"]).before(&[
            "create",
            "--name=it",
            "--network=none",
            "busybox",
            "true",
        ]),
        case(&["start", "it"])
            .before(&[
                "create",
                "--name=it",
                "--network=none",
                "busybox",
                "sleep",
                "1000",
            ])
            .runs_on(),
    ]);
}

#[test]
fn of_the_filling_of_a_volume() {
    campaign(&[
        case(&[
            "run",
            "--name=it",
            "--network=none",
            "-v",
            "v:/etc",
            "busybox",
            "true",
        ])
        .check(volume_is_whole),
        case(&[
            "create",
            "--name=it",
            "--network=none",
            "-v",
            "v:/etc",
            "busybox",
            "true",
        ])
        .check(volume_is_whole),
    ]);
}

#[test]
fn of_stop_kill_and_restart() {
    campaign(&[
        case(&["stop", "-t", "0", "it"]).before(&idle()),
        case(&["kill", "it"]).before(&idle()),
        case(&["restart", "-t", "0", "it"])
            .before(&idle())
            .runs_on(),
    ]);
}

#[test]
fn of_rm() {
    campaign(&[
        case(&["rm", "it"]).before(&["create", "--name=it", "--network=none", "busybox", "true"]),
        case(&["rm", "-f", "-t", "0", "it"]).before(&idle()),
        case(&["rm", "-v", "it"]).before(&["run", "--name=it", "--network=none", "volume", "true"]),
    ]);
}

#[test]
fn of_rename() {
    campaign(&[case(&["rename", "it", "new"])
        .before(&["create", "--name=it", "--network=none", "busybox", "true"])
        .check(|home| {
            let exist = ["it", "new"].map(|name| home.pod(["container", "exists", name]).code == 0);
            match exist[0] != exist[1] {
                true => String::new(),
                false => format!("it and new exist: {exist:?}"),
            }
        })]);
}

#[test]
fn of_commit() {
    let made = [
        "run",
        "--name=it",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "echo x > etc/made; rm etc/group",
    ];
    campaign(&[case(&["commit", "-q", "it", "localhost/made"])
        .before(&made)
        .check(|home| {
            if home.pod(["container", "exists", "it"]).code != 0 {
                return "the container is gone".to_owned();
            }
            if home.pod(["image", "exists", "localhost/made"]).code != 0 {
                return String::new();
            }
            let look = home.pod([
                "run",
                "--rm",
                "--network=none",
                "localhost/made",
                "sh",
                "-c",
                "cat /etc/made; ls /etc/group",
            ]);
            match look.stdout == "x\n" {
                true => String::new(),
                false => format!("the image: {look}"),
            }
        })]);
}

#[test]
fn of_exec() {
    campaign(&[
        case(&["exec", "it", "true"]).before(&idle()),
        case(&["exec", "-d", "it", "true"]).before(&idle()),
    ]);
}

/// Some files and links that every Debian has.
const SOURCE: &str = "/usr/share/common-licenses";

#[test]
fn of_cp() {
    // Into a container, which runs or not, and out of it: what is there is whole once the command was repeated.
    let into = format!("{SOURCE}/.");
    let whole = |home: &TestHome| {
        let again = home.pod(["cp", &format!("{SOURCE}/."), "it:/tmp"]);
        let out = home.path("tmp/out");
        let back = home.pod(["cp", "it:/tmp/.", &out.display().to_string()]);
        let same = process::run(["diff", "-r", SOURCE, &out.display().to_string()]);
        let _ = std::fs::remove_dir_all(&out);
        match (again.code, back.code, same.code) {
            (0, 0, 0) => String::new(),
            _ => format!("{again}\n{back}\n{same}"),
        }
    };
    let create = [
        "create",
        "--name=it",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ];
    campaign(&[
        case(&["cp", &into, "it:/tmp"]).before(&create).check(whole),
        case(&["cp", &into, "it:/tmp"]).before(&idle()).check(whole),
        case(&["cp", "it:/etc/.", "copies"]).before(&create),
    ]);
}

#[test]
fn of_pause_and_unpause() {
    if lane() != Lane::Cgroup2 {
        return; // elsewhere it is refused, see `pause.rs`
    }
    campaign(&[
        case(&["pause", "it"]).before(&idle()),
        case(&["unpause", "it"])
            .before(&idle())
            .before(&["pause", "it"]),
        case(&["rm", "-f", "-t", "0", "it"])
            .before(&idle())
            .before(&["pause", "it"]),
    ]);
}
