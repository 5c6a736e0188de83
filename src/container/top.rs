//! `top`: the processes of a running container, read from the host's `/proc` alone: nothing of the container is run.
//!
//! A process belongs to the container if it is in the pid namespace of its first process. What it calls itself, and
//! what its files say of names, are the container's words.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

use crate::error::{Error, Kind, Result};
use crate::runtime::caps::CapSet;
use crate::userns::map::Extent;

use super::engine::Container;
use super::record::Status;

/// Longest passwd or group file that is read.
const FILE_LIMIT: u64 = 1 << 20;

/// One process (proc(5)). Ids and pids are those of the container, `host_*` those of this machine.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: i32,
    pub host_pid: i32,
    /// 0: its parent is not in the container.
    pub parent: i32,
    pub group_leader: i32,
    /// One letter.
    pub state: char,
    pub nice: i32,
    /// `pts/0`; empty: none.
    pub terminal: String,
    /// Clock ticks in user and kernel mode.
    pub cpu_ticks: u64,
    /// Clock ticks since boot.
    pub start_ticks: u64,
    /// KiB.
    pub virtual_size: u64,
    pub resident: u64,
    pub name: String,
    pub args: Vec<String>,
    /// Real and effective.
    pub uid: [u32; 2],
    pub gid: [u32; 2],
    pub host_uid: u32,
    pub host_gid: u32,
    pub groups: Vec<u32>,
    pub host_groups: Vec<u32>,
    /// 0 disabled, 1 strict, 2 filter.
    pub seccomp: u8,
    pub inheritable: CapSet,
    pub permitted: CapSet,
    pub effective: CapSet,
    pub bounding: CapSet,
    pub ambient: CapSet,
}

impl Container {
    /// Its processes, first the one with the lowest pid. `Kind::State`: it does not run.
    pub fn processes(&self) -> Result<Vec<Process>> {
        let running = matches!(self.state.status, Status::Running | Status::Paused);
        let init = self.state.open_init().filter(|_| running);
        let Some(_alive) = init else {
            return Err(Error::new(
                Kind::State,
                "top can only be used on running containers",
            ));
        };
        let space = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let ours = space(self.state.pid);
        let mut found: Vec<(Process, i32)> = numbers()
            .filter(|&pid| ours.is_some() && space(pid) == ours)
            .filter_map(|pid| self.read(pid)) // None: it ended meanwhile
            .collect();
        let parents: Vec<(i32, i32)> = found.iter().map(|(p, _)| (p.host_pid, p.pid)).collect();
        for (process, host_parent) in &mut found {
            let parent = parents.iter().find(|(host, _)| host == host_parent);
            process.parent = parent.map_or(0, |(_, inside)| *inside);
        }
        let mut found: Vec<Process> = found.into_iter().map(|(process, _)| process).collect();
        found.sort_by_key(|process| process.pid);
        Ok(found)
    }

    /// A file of the running container, `etc/passwd`: empty when there is none that may be read. Links in it lead
    /// nowhere outside.
    pub fn text_of(&self, path: &str) -> String {
        let open = || -> Option<fs::File> {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = PathBuf::from(format!("/proc/{}/root", self.state.pid));
            let root: OwnedFd = openat(CWD, root, flags, Mode::empty()).ok()?;
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            let file = fs::File::from(openat2(root, path, flags, Mode::empty(), resolve).ok()?);
            file.metadata().ok()?.is_file().then_some(file)
        };
        let mut text = Vec::new();
        if let Some(file) = open() {
            let _ = file.take(FILE_LIMIT).read_to_end(&mut text); // what was read is good enough for names
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads one process, and the pid of its parent on the host.
    fn read(&self, host_pid: i32) -> Option<(Process, i32)> {
        let file = |name: &str| fs::read(format!("/proc/{host_pid}/{name}")).ok();
        let stat = String::from_utf8_lossy(&file("stat")?).into_owned();
        // The program's name, in parentheses, may hold anything.
        let (head, rest) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|f| f.parse::<i64>().ok());
        let status = String::from_utf8_lossy(&file("status")?).into_owned();
        let values = |key: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let words = line.unwrap_or_default().split_ascii_whitespace();
            words.filter_map(|word| word.parse().ok()).collect()
        };
        let caps = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let mask = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
            CapSet::from_mask(mask.unwrap_or(0))
        };
        let last = |key: &str| values(key).last().map_or(0, |&id| id.cast_signed());
        let (uids, gids, host_groups) = (values("Uid:"), values("Gid:"), values("Groups:"));
        let ids = &self.record.ids;
        let pair = |map: &[Extent], ids: &[u32]| -> Option<[u32; 2]> {
            Some([inside(map, *ids.first()?), inside(map, *ids.get(1)?)])
        };
        let args = file("cmdline").unwrap_or_default();
        let words = args.split(|&b| b == 0).filter(|word| !word.is_empty());
        let process = Process {
            pid: last("NSpid:"),
            host_pid,
            parent: 0,
            group_leader: last("NSpgid:"),
            state: fields.first()?.chars().next()?,
            nice: i32::try_from(number(16)?).ok()?,
            terminal: terminal(number(4)?),
            cpu_ticks: (number(11)? + number(12)?).unsigned_abs(),
            start_ticks: number(19)?.unsigned_abs(),
            virtual_size: values("VmSize:").first().copied().unwrap_or(0).into(),
            resident: values("VmRSS:").first().copied().unwrap_or(0).into(),
            name,
            args: words
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect(),
            uid: pair(&ids.uids, &uids)?,
            gid: pair(&ids.gids, &gids)?,
            host_uid: *uids.get(1)?,
            host_gid: *gids.get(1)?,
            groups: host_groups
                .iter()
                .map(|&id| inside(&ids.gids, id))
                .collect(),
            host_groups,
            seccomp: values("Seccomp:").first().map_or(0, |&mode| mode as u8),
            inheritable: caps("CapInh:"),
            permitted: caps("CapPrm:"),
            effective: caps("CapEff:"),
            bounding: caps("CapBnd:"),
            ambient: caps("CapAmb:"),
        };
        Some((process, i32::try_from(number(1)?).ok()?))
    }
}

/// All pids of this machine.
fn numbers() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// An id as the container has it; one that is not mapped shows as the overflow id (user_namespaces(7)).
fn inside(map: &[Extent], id: u32) -> u32 {
    map.iter()
        .find(|extent| (extent.outside..extent.outside.saturating_add(extent.count)).contains(&id))
        .map_or(65534, |extent| extent.inside + (id - extent.outside))
}

/// Field 7 of proc_pid_stat(5): minor in bits 31-20 and 7-0, major in 15-8.
fn terminal(number: i64) -> String {
    let (major, minor) = (
        (number >> 8) & 0xff,
        (number & 0xff) | ((number >> 12) & 0xfff00),
    );
    match major {
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 => format!("tty{minor}"),
        5 if minor == 1 => "console".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals() {
        assert_eq!(terminal(0), "");
        assert_eq!(terminal(0x8803), "pts/3");
        assert_eq!(terminal(0x0401), "tty1");
        assert_eq!(terminal(0x0010_8800), "pts/256");
    }

    #[test]
    fn ids_are_the_containers() {
        let extent = |inside, outside, count| Extent {
            inside,
            outside,
            count,
        };
        let map = [extent(0, 1000, 1), extent(1, 100_000, 65536)];
        assert_eq!(inside(&map, 1000), 0);
        assert_eq!(inside(&map, 100_032), 33);
        assert_eq!(inside(&map, 7), 65534);
    }
}
