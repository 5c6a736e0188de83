//! Hosts that give too little: a full store or runtime directory, by bytes and by names, a read-only one, one that went
//! away, too few descriptors or processes.

use std::path::PathBuf;

use crate::support::place::{Full, Place};
use crate::support::{Done, TestHome, process};

/// The command did its work, or said in one line that there is no room, and that was all.
#[track_caller]
fn done_or_says(done: &Done, words: &[&str]) {
    if done.code == 0 {
        return;
    }
    let lower = done.stderr.to_lowercase();
    assert!(words.iter().any(|word| lower.contains(word)), "{done}");
    assert!(!lower.contains("panicked"), "{done}");
    assert!(
        done.signal.is_none() && done.code >= 125 || done.code <= 2,
        "{done}"
    );
}

const NO_ROOM: [&str; 1] = ["no space left on device"];

struct Cramped {
    place: Place,
    home: TestHome,
    dir: PathBuf,
}

impl Cramped {
    fn new(dir: &str) -> Self {
        let home = TestHome::with_registry();
        let path = home.mkdir(dir);
        let (place, home) = Place::with_tmpfs(home, &[dir]);
        home.pod(["pull", "-q", "busybox"]).ok();
        Self {
            place,
            home,
            dir: path,
        }
    }

    /// Runs `words` with no room, then with room; what was there before is there.
    #[track_caller]
    fn try_one(&self, words: &[&str], before: &[&[&str]], what: Full, must: bool) {
        let home = &self.home;
        for words in before {
            home.pod(words.iter().copied()).ok();
        }
        self.place.fill(&self.dir, what);
        let done = home.pod(words.iter().copied());
        done_or_says(&done, &NO_ROOM);
        assert!(!must || done.code == 0, "{what:?}: {done}");
        let list = home.pod(["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
        assert_eq!(
            (list.code, list.stderr.as_str()),
            (0, ""),
            "{what:?}: {words:?}: {list}"
        );
        self.place.empty(&self.dir);
        let again = home.pod(words.iter().copied());
        let settled = [
            "already in use",
            "no such container",
            "can only kill running",
        ];
        assert!(
            again.code == 0 || settled.iter().any(|text| again.stderr.contains(text)),
            "{what:?}: {again}"
        );
        home.pod(["rm", "-f", "-t", "0", "--ignore", "it", "new"])
            .ok();
        assert_eq!(home.pod(["ps", "-aq"]).ok(), "", "{what:?}: {words:?}");
    }

    /// Every command of a container's life.
    fn try_all(&self) {
        let create: &[&str] = &[
            "create",
            "--name=it",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ];
        let run: &[&str] = &[
            "run",
            "-d",
            "--name=it",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ];
        for what in [Full::Bytes, Full::Names] {
            self.try_one(create, &[], what, false);
            self.try_one(run, &[], what, false);
            self.try_one(&["start", "it"], &[create], what, false);
            self.try_one(&["rename", "it", "new"], &[create], what, false);
            self.try_one(&["restart", "-t", "0", "it"], &[run], what, false);
            self.try_one(&["exec", "it", "true"], &[run], what, false);
            self.try_one(&["logs", "it"], &[run], what, true);
            self.try_one(&["why", "it"], &[run], what, true);
            // What ends or frees something works without room.
            self.try_one(&["stop", "-t", "0", "it"], &[run], what, true);
            self.try_one(&["kill", "it"], &[run], what, true);
            self.try_one(&["rm", "it"], &[create], what, true);
            self.try_one(&["rm", "-f", "-t", "0", "it"], &[run], what, true);
        }
    }

    fn end(self) {
        self.home.pod(["rmi", "-af"]).ok();
        self.place.end();
    }
}

#[test]
fn a_full_store() {
    let cramped = Cramped::new("home/.local/share/pod");
    cramped.try_all();
    // The exit status survives: what the disk has no room for is written over the old record.
    let home = &cramped.home;
    home.pod([
        "run",
        "-d",
        "--name=it",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "trap 'exit 7' TERM; while :; do sleep 0.01; done",
    ])
    .ok();
    home.pod(["exec", "it", "true"]).ok();
    for what in [Full::Bytes, Full::Names] {
        cramped.place.fill(&cramped.dir, what);
        home.pod(["stop", "it"]).ok();
        assert_eq!(
            home.inspect("it", "{{.State.ExitCode}} {{.State.Status}}"),
            "7 exited"
        );
        cramped.place.empty(&cramped.dir);
        home.pod(["start", "it"]).ok();
    }
    home.pod(["rm", "-f", "-t", "0", "it"]).ok();
    cramped.end();
}

#[test]
fn a_full_runtime_directory() {
    let cramped = Cramped::new("run");
    cramped.try_all();
    cramped.end();
}

#[test]
fn a_home_that_is_read_only() {
    let home = TestHome::with_registry();
    let dir = home.path("home");
    let (place, home) = Place::with_tmpfs(home, &["home/.local"]);
    let store = dir.join(".local");
    home.pod(["pull", "-q", "busybox"]).ok();
    let idle = |name: &str| {
        let name = format!("--name={name}");
        home.pod([
            "run",
            "-d",
            &name,
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    };
    home.pod(["create", "--name=made", "--network=none", "busybox", "true"])
        .ok();
    idle("first");
    idle("second");
    // The monitors keep their logs open for writing; whatever opens a file from now on is refused.
    let script = format!(
        "mount --bind {0} {0} && mount -o remount,ro,bind {0}",
        store.display()
    );
    place.root(&["sh", "-c", &script]).ok();
    let says = ["read-only file system"];
    for words in [
        &["create", "--name=new", "--network=none", "busybox", "true"][..],
        &["run", "--rm", "--network=none", "busybox", "true"],
        &["start", "made"],
        &["rename", "made", "new"],
        &["rm", "made"],
        &["commit", "-q", "made", "localhost/made"],
        &["volume", "create", "new"],
    ] {
        let done = home.pod(words.iter().copied());
        assert_ne!(done.code, 0, "{done}");
        done_or_says(&done, &says);
    }
    for words in [
        &["ps", "-a"][..],
        &["inspect", "made"],
        &["logs", "first"],
        &["why", "made"],
        &["images"],
        &["exec", "first", "true"],
        &["top", "first"],
        &["stop", "-t", "0", "first"],
        &["kill", "second"],
    ] {
        home.pod(words.iter().copied()).ok();
    }
    let states = home
        .pod(["ps", "-a", "--format", "{{.Names}} {{.State}}"])
        .ok();
    let mut states: Vec<_> = states.lines().collect();
    states.sort_unstable();
    assert_eq!(states, ["first exited", "made created", "second exited"]);
    let script = format!("umount {}", store.display());
    place.root(&["sh", "-c", &script]).ok();
    home.pod(["rm", "-f", "-t", "0", "-a"]).ok();
    home.pod(["rmi", "-af"]).ok();
    place.end();
}

#[test]
fn a_runtime_directory_that_cannot_be_written() {
    let home = TestHome::with_busybox();
    let run = home.path("run");
    let script = format!(
        "mount --bind {0} {0}; mount -o remount,ro,bind {0}; mount -t tmpfs -o mode=755 tmpfs /run/user",
        run.display()
    );
    let (place, home) = Place::new(home, &script);
    let uid = home.user.uid;
    // Nothing is left but a directory in /tmp, which is ours alone.
    let done = home.pod(["run", "--rm", "--network=none", "busybox", "echo", "ran"]);
    done_or_says(&done, &["read-only file system"]);
    if done.code == 0 {
        assert_eq!(done.stdout, "ran\n");
    }
    let _ = std::fs::remove_dir_all(format!("/tmp/pod-run-{uid}"));
    place.end();
}

#[test]
fn a_runtime_directory_that_went_away_with_the_logout() {
    let home = TestHome::with_busybox();
    let run = home.path("run");
    let idle = || {
        home.pod([
            "run",
            "-d",
            "--name=it",
            "--network=none",
            "busybox",
            "sh",
            "-c",
            "echo up; sleep 1000",
        ])
        .ok();
        home.pod(["wait", "--condition=running", "it"]).ok();
        process::tool(["rm", "-rf", &run.display().to_string()]);
        home.mkdir("run");
    };
    for (words, code) in [
        (&["exec", "it", "true"][..], 0),
        (&["logs", "it"], 0),
        (&["inspect", "it"], 0),
        (&["why", "it"], 0),
        (&["top", "it"], 0),
        (&["kill", "it"], 0),
        (&["stop", "-t", "0", "it"], 0),
        (&["rm", "-f", "-t", "0", "it"], 0),
        (&["restart", "-t", "0", "it"], 0),
        (&["rm", "it"], 2),
    ] {
        idle();
        let init = home.pid_of("it");
        let done = home.pod(words.iter().copied()).code(code);
        assert!(!done.stderr.contains("panicked"), "{done}");
        if ["kill", "stop", "restart"].contains(&words[0]) || words.len() > 3 {
            process::wait_gone(init);
        }
        home.pod(["rm", "-f", "-t", "0", "--ignore", "it"]).ok();
        process::wait_gone(init);
    }
}

#[test]
fn too_few_descriptors_or_processes() {
    let mut home = TestHome::with_busybox();
    home.pod(["create", "--name=it", "--network=none", "busybox", "true"])
        .ok();
    for limit in [
        "--nofile=3",
        "--nofile=4",
        "--nofile=6",
        "--nofile=9",
        "--nofile=14",
        "--nofile=24",
        "--nproc=1",
        "--as=60000000",
    ] {
        home = home.behind(["prlimit", limit]);
        for words in [
            &["ps", "-a"][..],
            &["create", "--name=new", "--network=none", "busybox", "true"],
            &["run", "--rm", "--network=none", "busybox", "true"],
            &["start", "-a", "it"],
            &["commit", "-q", "it", "localhost/made"],
            &["rm", "-f", "new"],
        ] {
            let done = home.pod(words.iter().copied());
            let says = [
                "too many open files",
                "too many processes",
                "cannot allocate memory",
                "no such container",
                "memory",
            ];
            let loader = done.stderr.contains("error while loading")
                || done.stderr.contains("setpriv: failed to execute");
            if !loader {
                done_or_says(&done, &says);
            }
        }
        home = home.behind(Vec::<String>::new());
        assert_eq!(home.inspect("it", "{{.Name}}"), "it", "{limit}");
        home.pod(["rm", "-f", "--ignore", "new"]).ok();
        home.pod(["rmi", "-f", "localhost/made"]);
        assert_eq!(home.pod(["ps", "-aq"]).ok().lines().count(), 1, "{limit}");
    }
}
