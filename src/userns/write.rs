//! Writing the maps of a new user namespace (`user_namespaces(7)`).

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::error::{Error, Kind, Result, Tried};

use super::inside;
use super::map::{Extent, IdMaps, MapWriter};
use super::mode::{check_helpers, find_helper};

/// Helper programs at work on the maps of one process. Dropping it ends and reaps them.
#[derive(Debug)]
pub struct MapsPending {
    helpers: Vec<Helper>,
}

#[derive(Debug)]
struct Helper {
    child: Child,
    command: String,
    done: bool,
}

/// Starts writing both maps of `pid`, which has a new user namespace and is dumpable.
///
/// `newuidmap` and `newgidmap` run at the same time; direct maps are written when this returns.
pub fn start(pid: Pid, maps: &IdMaps) -> Result<MapsPending> {
    if let Some(around) = inside::around() {
        // The setuid helpers are not the host's root here, and root of this namespace may map its ids itself.
        let local = around.translate(maps).ok_or_else(|| {
            let text = "map ids inside unshare: its namespace lacks some of them";
            Error::new(Kind::Unsupported, text).hint("do it outside of unshare")
        })?;
        write_directly(pid, &local)?;
        return Ok(MapsPending {
            helpers: Vec::new(),
        });
    }
    match maps.writer {
        MapWriter::Direct => {
            write_directly(pid, maps)?;
            Ok(MapsPending {
                helpers: Vec::new(),
            })
        }
        MapWriter::Helpers => {
            let mut pending = MapsPending {
                helpers: Vec::with_capacity(2),
            };
            for (name, map) in [("newuidmap", &maps.uids), ("newgidmap", &maps.gids)] {
                pending.helpers.push(spawn(name, pid, map)?);
            }
            Ok(pending)
        }
    }
}

impl MapsPending {
    /// Waits until both maps are there.
    pub fn wait(mut self) -> Result<()> {
        self.helpers.iter_mut().try_for_each(Helper::wait)
    }
}

impl Helper {
    fn wait(&mut self) -> Result<()> {
        self.done = true;
        let status = self
            .child
            .wait()
            .tried(|| format!("wait for {}", self.command))?;
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            let _ = pipe.read_to_string(&mut said); // only to say more
        }
        let said = said.trim().replace('\n', "; ");
        let err = Error::new(
            Kind::System,
            format!("run {}: {status}: {said}", self.command),
        );
        Err(match check_helpers() {
            Err(lack) => err.hint(lack.to_string()),
            Ok(()) => err.hint(
                "compare /etc/subuid and /etc/subgid with the ids the container was made with",
            ),
        })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.child.kill(); // setuid programs refuse it; they end by themselves
            let _ = self.child.wait();
        }
    }
}

fn spawn(name: &str, pid: Pid, map: &[Extent]) -> Result<Helper> {
    let path = find_helper(name)?;
    let mut command = Command::new(&path);
    let mut shown = format!("{} {pid}", path.display());
    command.arg(pid.to_string());
    for extent in map {
        for number in [extent.inside, extent.outside, extent.count] {
            command.arg(number.to_string());
            let _ = write!(shown, " {number}"); // a String takes everything
        }
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .tried(|| format!("run {shown}"))?;
    Ok(Helper {
        child,
        command: shown,
        done: false,
    })
}

/// Maps every id of `maps` to itself: for a namespace below one that has those ids, by a process that holds
/// `CAP_SETUID` and `CAP_SETGID` there. One line for each extent, as the kernel wants no range across two of them.
pub fn identity(pid: Pid, maps: &IdMaps) -> Result<()> {
    let same = |map: &[Extent]| -> Vec<Extent> {
        map.iter()
            .map(|e| Extent {
                outside: e.inside,
                ..*e
            })
            .collect()
    };
    put(pid, "uid_map", &lines(&same(&maps.uids)))?;
    put(pid, "gid_map", &lines(&same(&maps.gids)))
}

fn write_directly(pid: Pid, maps: &IdMaps) -> Result<()> {
    // Without privilege over the parent namespace the kernel takes a gid map only once setgroups(2) is given up.
    if maps.is_single() {
        put(pid, "setgroups", "deny")?;
    }
    put(pid, "uid_map", &lines(&maps.uids))?;
    put(pid, "gid_map", &lines(&maps.gids))
}

fn lines(map: &[Extent]) -> String {
    map.iter()
        .map(|e| format!("{} {} {}\n", e.inside, e.outside, e.count))
        .collect()
}

/// One write, as the kernel asks for maps.
fn put(pid: Pid, file: &str, text: &str) -> Result<()> {
    let path = format!("/proc/{pid}/{file}");
    OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|err| {
            let denied = err.raw_os_error() == Some(Errno::EPERM as i32);
            let err = Error::io(&err, format!("write {:?} to {path}", text.trim_end()));
            match denied {
                true => err.hint("this host may restrict user namespaces (kernel.apparmor_restrict_unprivileged_userns)"),
                false => err,
            }
        })
}
