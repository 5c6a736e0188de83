//! Faults at chosen system calls, by strace, and the count of what was tried.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;

use super::{Running, TestHome};

/// Calls that change something.
pub const CHANGES: &str = "write,pwrite64,writev,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,\
fsync,fdatasync,syncfs,ftruncate,fallocate,fchmod,fchmodat,chmod,fchown,fchownat,fsetxattr,setxattr,mknodat,utimensat,copy_file_range,sendfile";

/// Which processes of a command strace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traced {
    /// Also what it forks: it ends when all of them have.
    All,
    /// The command alone.
    First,
}

/// The command `pod WORDS` behind strace, which runs as root and lets setpriv turn into the user.
pub fn strace(home: &TestHome, traced: Traced, options: &[String], words: &[String]) -> Command {
    let plain = home.command(words.iter().cloned());
    let user = &home.user;
    let mut command = Command::new("strace");
    if traced == Traced::All {
        command.arg("-f");
    }
    command
        .arg("-qqq")
        .args(options)
        .arg("setpriv")
        .arg(format!("--reuid={}", user.uid))
        .arg(format!("--regid={}", user.gid))
        .arg("--clear-groups")
        .arg(plain.get_program())
        .args(plain.get_args())
        .env_clear()
        .envs(
            plain
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .current_dir(home.path("home"));
    command
}

/// How many of `calls` the busiest thread of the command makes.
pub fn count_calls(home: &TestHome, traced: Traced, calls: &str, words: &[String]) -> u32 {
    let log = home.path("tmp/calls");
    let options = [
        "-o".into(),
        log.display().to_string(),
        "-e".into(),
        format!("trace={calls}"),
    ];
    let done = Running::start(strace(home, traced, &options, words), false).wait();
    assert_eq!(done.code, 0, "{done}");
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let pid = match traced {
            Traced::All => line.split(' ').next().unwrap_or_default().to_owned(),
            Traced::First => String::new(),
        };
        *counts.entry(pid).or_default() += u32::from(!line.contains("resumed>"));
    }
    fs::remove_file(&log).unwrap();
    counts.values().copied().max().unwrap_or_default()
}

/// Options that do `what` (`signal=KILL:when=3`) at `calls`.
pub fn inject(calls: &str, what: &str) -> [String; 6] {
    [
        "-o".into(),
        "/dev/null".into(),
        "-e".into(),
        format!("trace={calls}"),
        "-e".into(),
        format!("inject={calls}:{what}"),
    ]
}

/// `wanted` numbers from 1 to `most`, evenly.
pub fn spread(most: u32, wanted: u32) -> Vec<u32> {
    let mut all: Vec<u32> = (0..wanted)
        .map(|n| 1 + n * most.saturating_sub(1) / wanted.saturating_sub(1).max(1))
        .collect();
    all.dedup();
    all
}

/// Says how many faults a test tried and in how many something was lost. `scripts/test` adds all of them up.
pub fn report(tried: u32, lost: usize) {
    let line = format!("{tried} faults tried, {lost} lost\n");
    // Not by a macro, whose output the test harness keeps to itself.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("POD_TEST_FAULTS") {
        let file = OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the list of faults is writable");
    }
}
