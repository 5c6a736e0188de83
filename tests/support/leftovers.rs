//! What a command may leave behind: containers, images, processes, mounts and files, before and after.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::TestHome;
use super::process::{self, Done};

impl TestHome {
    /// All that may be left over: containers, images, processes, mounts, files.
    #[track_caller]
    pub fn snapshot(&self) -> Snapshot {
        let lines = |args: &[&str]| -> BTreeSet<String> {
            self.pod(args.iter().copied())
                .ok()
                .lines()
                .map(str::to_owned)
                .collect()
        };
        Snapshot {
            containers: lines(&["ps", "-aq", "--no-trunc"]),
            images: lines(&["images", "-aq", "--no-trunc"]),
            processes: process::descendants()
                .into_iter()
                .map(|(p, c)| format!("{p} {c}"))
                .collect(),
            mounts: mounts_below(&self.dir),
            files: files_below(&self.dir)
                .into_iter()
                .filter(|f| !is_kept_when_empty(f))
                .collect(),
        }
    }

    /// Asserts that a refused command changed none of the five.
    #[track_caller]
    pub fn assert_as_before(&self, before: &Snapshot, done: &Done) {
        for pid in process::descendants().keys() {
            if !before
                .processes
                .iter()
                .any(|p| p.starts_with(&format!("{pid} ")))
            {
                process::gone_within(*pid, Duration::from_secs(5));
            }
        }
        let after = self.snapshot();
        assert_eq!(
            before.containers, after.containers,
            "containers changed by\n{done}"
        );
        assert_eq!(before.images, after.images, "images changed by\n{done}");
        // One that was on its way out before may be gone now.
        let new: Vec<_> = after.processes.difference(&before.processes).collect();
        assert!(new.is_empty(), "processes left by\n{done}\n{new:#?}");
        assert_eq!(before.mounts, after.mounts, "mounts changed by\n{done}");
        let new: Vec<_> = after.files.difference(&before.files).collect();
        assert!(new.is_empty(), "files left by\n{done}\n{new:#?}");
        let lost: Vec<_> = before.files.difference(&after.files).collect();
        assert!(lost.is_empty(), "files removed by\n{done}\n{lost:#?}");
    }

    /// Runs a command that must be refused: status `code`, nothing on stdout, one line on stderr that contains all
    /// of `says`, and not a thing changed.
    #[track_caller]
    pub fn refuses<S: Into<String>>(
        &self,
        args: impl IntoIterator<Item = S>,
        code: i32,
        says: &[&str],
    ) -> Done {
        // Opens the store once: its empty directories are no leftover of the command.
        self.pod(["ps", "-aq"]).ok();
        let before = self.snapshot();
        let done = self.pod(args).code(code);
        assert_eq!(done.stdout, "", "{done}");
        let errors: Vec<_> = done
            .stderr
            .lines()
            .filter(|l| l.starts_with("Error: "))
            .collect();
        assert_eq!(errors.len(), 1, "one line of error:\n{done}");
        let told = [
            "Resolving \"",
            "Trying to pull ",
            "See 'pod ",
            "Try 'pod ",
            "Error: ",
        ];
        let odd = done
            .stderr
            .lines()
            .find(|l| !told.iter().any(|t| l.starts_with(t)));
        assert_eq!(odd, None, "one line of error:\n{done}");
        for text in says {
            assert!(
                errors[0].to_lowercase().contains(&text.to_lowercase()),
                "the error does not say {text:?}:\n{done}"
            );
        }
        let control = done.stderr.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "control bytes reach the terminal:\n{done}");
        self.assert_as_before(&before, &done);
        done
    }

    /// The five checks: after `rm` and `rmi` of everything no container, image, process, mount or file is left.
    pub(super) fn find_leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        if self.path("home/.local/share/pod/secrets").exists() {
            self.pod(["secret", "rm", "--all"]).ok();
        }
        if self.path("home/.local").exists() {
            for args in [
                ["rm", "--all", "--force", "--volumes", "--time=0"].as_slice(),
                &["rmi", "--all", "--force"],
            ] {
                let done = self.pod(args.iter().copied());
                if done.code != 0 || !done.stderr.is_empty() {
                    left.push(format!("clean-up failed: {done}"));
                }
            }
            for args in [["ps", "-aq"], ["images", "-aq"]] {
                let done = self.pod(args);
                if done.code != 0 || !done.stdout.is_empty() {
                    left.push(format!("still listed: {done}"));
                }
            }
        }
        // A network helper ends by itself when its namespace is gone; nobody waits for it but us.
        for (pid, command) in process::descendants() {
            if !process::gone_within(pid, Duration::from_secs(5)) {
                left.push(format!("process {pid}: {command}"));
            }
        }
        left.extend(
            mounts_below(&self.dir)
                .into_iter()
                .map(|m| format!("mount {m}")),
        );
        for place in ["home/.local/share/pod", "run/pod", "tmp"] {
            let files = files_below(&self.path(place)).into_iter();
            left.extend(
                files
                    .filter(|f| !is_kept_when_empty(f))
                    .map(|f| format!("file {f}")),
            );
        }
        left
    }
}

/// What [`TestHome::snapshot`] saw.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub containers: BTreeSet<String>,
    pub images: BTreeSet<String>,
    pub processes: BTreeSet<String>,
    pub mounts: BTreeSet<String>,
    pub files: BTreeSet<String>,
}

/// Files an empty store may keep: locks, the record of what the host can do, the version, mount points, events.
fn is_kept_when_empty(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let of_every_container = path.contains("/pod/mount-points/");
    // What happened is told after everything is gone, too.
    let events = path.contains("/run/pod/events");
    of_every_container
        || events
        || name.ends_with(".lock")
        || matches!(
            name,
            "lock" | "version" | "overlay.json" | "pasta.json" | "events.log" | "events.log.1"
        )
}

fn mounts_below(dir: &Path) -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    let points = table.lines().filter_map(|l| l.split(' ').nth(4));
    points
        .filter(|p| Path::new(p).starts_with(dir))
        .map(str::to_owned)
        .collect()
}

/// Everything but directories.
fn files_below(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                _ => drop(found.insert(entry.path().display().to_string())),
            }
        }
    }
    found
}
