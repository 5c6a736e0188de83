//! Which helper programs there are, and what they can do.
//!
//! Asking pasta costs as much as a quarter of starting it, so the answer is remembered in the runtime directory (gone
//! at the next boot) until the program's file changes.
//!
//!     $RUNROOT/pasta.json    Features of the pasta in use

use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::state::{self, Durable};

/// What the pasta at `program` can do, and how to start it fastest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features {
    version: u32,
    program: PathBuf,
    stamp: Stamp,
    /// The build for this processor, which pasta would execute next itself.
    pub best: PathBuf,
    /// `--map-guest-addr`: an address that leads to the host's own (passt of 2024-08).
    pub map_guest_addr: bool,
}

/// Changes whenever a package manager replaces the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    changed: i64,
}

/// Raised when [`Features`] learns to ask for something new.
const VERSION: u32 = 1;

impl Features {
    /// Features of `program`, remembered in `run`; asks the program when it is a new one.
    pub fn of(program: &Path, run: &Path) -> Option<Self> {
        let stamp = stamp(program)?;
        let record = run.join("pasta.json");
        let known = state::load::<Self>(&record).ok().flatten();
        if let Some(known) = known
            && (known.version, known.stamp) == (VERSION, stamp)
            && known.program == program
        {
            return Some(known);
        }
        let help = help_of(program)?;
        let found = Self {
            version: VERSION,
            program: program.to_owned(),
            stamp,
            best: best_build(program),
            map_guest_addr: offers(&help, "--map-guest-addr"),
        };
        let _ = state::save(&record, &found, Durable::No); // not remembered: asked again next time
        Some(found)
    }
}

#[cfg(test)]
impl Features {
    pub fn for_test(map_guest_addr: bool) -> Self {
        Self {
            version: VERSION,
            program: PathBuf::new(),
            stamp: Stamp {
                dev: 0,
                ino: 0,
                size: 0,
                changed: 0,
            },
            best: PathBuf::from("/usr/bin/pasta"),
            map_guest_addr,
        }
    }
}

fn stamp(program: &Path) -> Option<Stamp> {
    let meta = program.metadata().ok()?;
    Some(Stamp {
        dev: meta.dev(),
        ino: meta.ino(),
        size: meta.size(),
        changed: meta.ctime(),
    })
}

/// Text of `--help`, wherever this version prints it.
fn help_of(program: &Path) -> Option<String> {
    let done = Command::new(program)
        .arg("--help")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let mut text = done.stdout;
    text.write_all(&done.stderr).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn offers(help: &str, option: &str) -> bool {
    help.split_ascii_whitespace()
        .any(|word| word.trim_end_matches(',') == option)
}

/// `pasta.avx2` beside `pasta`, where the processor has AVX2: saves an exec.
fn best_build(program: &Path) -> PathBuf {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2")
        && let Some(name) = program.file_name()
    {
        let mut name = name.to_owned();
        name.push(".avx2");
        let best = program.with_file_name(name);
        if is_program(&best) {
            return best;
        }
    }
    program.to_owned()
}

/// First executable file called `name` in `dirs` (containers.conf's `helper_binaries_dir`), on PATH, then in the usual
/// places of system programs.
pub fn find(name: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path);
    dirs.iter()
        .cloned()
        .chain(path)
        .filter(|dir| dir.is_absolute())
        .chain(
            [
                "/usr/bin",
                "/usr/local/bin",
                "/usr/sbin",
                "/usr/libexec/podman",
            ]
            .map(PathBuf::from),
        )
        .map(|dir| dir.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_whole_words_of_the_help() {
        let help = "  -a, --address ADDR\n  --map-guest-addr ADDR\tMap\n";
        assert!(offers(help, "--map-guest-addr"));
        assert!(offers(help, "-a"));
        assert!(!offers(help, "--map-guest"));
    }

    #[test]
    fn programs_are_found_in_the_named_places_and_on_the_path() {
        assert_eq!(find("no-such-program-at-all", &[]), None);
        assert!(find("sh", &[]).is_some());
        let dirs = ["relative", "/nowhere", "/proc/self"].map(PathBuf::from);
        assert_eq!(find("exe", &dirs), Some("/proc/self/exe".into()));
    }
}
