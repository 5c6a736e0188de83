//! What a rootless container has when nobody says otherwise: mounts, masks, devices, limits, namespaces.
//!
//! The base is what Podman gives a rootless container; masks go further, see [`masked_paths`].

use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit};
use oci_spec::runtime::{
    LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Mount, MountBuilder, PosixRlimit,
    PosixRlimitBuilder, PosixRlimitType,
};

use crate::userns::map::IdMaps;

/// Podman's size of `/dev/shm`.
pub const SHM_BYTES: u64 = 65_536_000;

/// Which namespaces of the container are not its own, as far as its mounts depend on them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shared {
    /// `--pid host`: `/proc` is the host's.
    pub pid: bool,
    /// `--ipc host`: `/dev/shm` and `/dev/mqueue` are the host's.
    pub ipc: bool,
    /// `--network host` (and every network namespace that another user namespace owns): the kernel allows no new
    /// sysfs, so `/sys` is the host's.
    pub net: bool,
    /// `--cgroupns host`
    pub cgroup: bool,
}

/// The mounts below the root, in order. `shm_bytes` of `None`: no `/dev/shm` (`--ipc none`).
///
/// A mount of the user with the same destination replaces the one here.
pub fn default_mounts(shared: Shared, shm_bytes: Option<u64>, ids: &IdMaps) -> Vec<Mount> {
    let mut mounts = Vec::with_capacity(8);
    mounts.push(match shared.pid {
        false => mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        true => mount(
            "/proc",
            "bind",
            "/proc",
            &["rbind", "nosuid", "noexec", "nodev"],
        ),
    });
    let dev = ["nosuid", "noexec", "strictatime", "mode=755", "size=65536k"];
    mounts.push(mount("/dev", "tmpfs", "tmpfs", &dev));
    mounts.push(match shared.net {
        false => mount(
            "/sys",
            "sysfs",
            "sysfs",
            &["nosuid", "noexec", "nodev", "ro"],
        ),
        true => mount(
            "/sys",
            "bind",
            "/sys",
            &["rbind", "nosuid", "noexec", "nodev", "ro"],
        ),
    });
    let mut pts = vec![
        "nosuid",
        "noexec",
        "newinstance",
        "ptmxmode=0666",
        "mode=0620",
    ];
    // The group tty owns terminals, where the container has such a group.
    if ids
        .gids
        .iter()
        .any(|e| (e.inside..e.inside.saturating_add(e.count)).contains(&5))
    {
        pts.push("gid=5");
    }
    mounts.push(mount("/dev/pts", "devpts", "devpts", &pts));
    if !shared.ipc {
        mounts.push(mount(
            "/dev/mqueue",
            "mqueue",
            "mqueue",
            &["nosuid", "noexec", "nodev"],
        ));
    } else if Path::new("/dev/mqueue").exists() {
        mounts.push(mount(
            "/dev/mqueue",
            "bind",
            "/dev/mqueue",
            &["rbind", "nosuid", "noexec", "nodev"],
        ));
    }
    if shared.ipc && Path::new("/dev/shm").exists() {
        mounts.push(mount(
            "/dev/shm",
            "bind",
            "/dev/shm",
            &["rbind", "nosuid", "noexec", "nodev"],
        ));
    } else if let (false, Some(bytes)) = (shared.ipc, shm_bytes) {
        let size = format!("size={bytes}");
        mounts.push(mount(
            "/dev/shm",
            "tmpfs",
            "shm",
            &["nosuid", "noexec", "nodev", "mode=1777", &size],
        ));
    }
    if !shared.net {
        let cgroup = ["nosuid", "noexec", "nodev", "ro"];
        mounts.push(match shared.cgroup {
            false => mount("/sys/fs/cgroup", "cgroup", "cgroup", &cgroup),
            true => mount(
                "/sys/fs/cgroup",
                "bind",
                "/sys/fs/cgroup",
                &["rbind", "nosuid", "noexec", "nodev", "ro"],
            ),
        });
    }
    mounts
}

/// A mount of an OCI spec from its four parts.
pub fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    MountBuilder::default()
        .destination(destination)
        .typ(kind)
        .source(source)
        .options(options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
        .build()
        .expect("every part is given")
}

/// Paths that read as empty: Podman's list, and what else of the host can be read there and is no program's business.
pub fn masked_paths() -> Vec<String> {
    MASKED.iter().map(|path| (*path).to_owned()).collect()
}

/// Paths that cannot be written to (Podman's list).
pub fn readonly_paths() -> Vec<String> {
    READ_ONLY.iter().map(|path| (*path).to_owned()).collect()
}

const MASKED: [&str; 29] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/interrupts",
    "/proc/asound",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
    "/sys/dev/block",
    // Readable in a Podman container; each tells about the host's kernel, memory or disks.
    "/proc/kallsyms",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/config.gz",
    "/proc/modules",
    "/proc/diskstats",
    "/proc/partitions",
    "/proc/swaps",
    "/proc/key-users",
    "/sys/kernel/notes",
    "/sys/kernel/vmcoreinfo",
    "/sys/kernel/btf",
    "/sys/kernel/slab",
    "/sys/kernel/debug",
    "/sys/module",
];

const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Entries for the kinds in `own`, which are made new.
pub fn new_namespaces(own: &[LinuxNamespaceType]) -> Vec<LinuxNamespace> {
    own.iter().map(|kind| namespace(*kind, None)).collect()
}

/// A namespace of an OCI spec: made new, or joined by path.
pub fn namespace(kind: LinuxNamespaceType, path: Option<PathBuf>) -> LinuxNamespace {
    let builder = LinuxNamespaceBuilder::default().typ(kind);
    match path {
        Some(path) => builder.path(path),
        None => builder,
    }
    .build()
    .expect("the kind is given")
}

/// Podman's limits of a rootless container, cut to what this user may have: nofile 1048576, nproc 4194304, no core
/// files.
pub fn default_rlimits() -> Vec<PosixRlimit> {
    let cut = |resource, want: u64| getrlimit(resource).map_or(want, |(_, hard)| want.min(hard));
    let nofile = cut(Resource::RLIMIT_NOFILE, 1_048_576);
    let nproc = cut(Resource::RLIMIT_NPROC, 4_194_304);
    vec![
        rlimit(PosixRlimitType::RlimitNofile, nofile, nofile),
        rlimit(PosixRlimitType::RlimitNproc, nproc, nproc),
        rlimit(PosixRlimitType::RlimitCore, 0, 0),
    ]
}

/// The most that this process may have of something; `u64::MAX` is unlimited.
pub fn hard_limit(kind: PosixRlimitType) -> u64 {
    let limit = crate::sys::process::getrlimit(super::process::resource(kind));
    limit.map_or(u64::MAX, |(_, hard)| hard)
}

/// A limit of an OCI spec; `u64::MAX` is unlimited.
pub fn rlimit(kind: PosixRlimitType, soft: u64, hard: u64) -> PosixRlimit {
    PosixRlimitBuilder::default()
        .typ(kind)
        .soft(soft)
        .hard(hard)
        .build()
        .expect("every part is given")
}

/// Podman's default sysctls: ping without privilege for every group the container has.
///
/// None where group 0 is not mapped (the kernel refuses the write) and where the network is the host's.
pub fn default_sysctls(ids: &IdMaps, own_net: bool) -> Vec<(String, String)> {
    let last = ids.gids.iter().find(|e| e.inside == 0);
    match last {
        Some(_) if own_net => {
            // The range must lie in the map without a gap.
            let mut end = 0u32;
            let mut map = ids.gids.clone();
            map.sort_by_key(|e| e.inside);
            for extent in map {
                if extent.inside == end {
                    end = end.saturating_add(extent.count);
                }
            }
            vec![(
                "net.ipv4.ping_group_range".to_owned(),
                format!("0 {}", end - 1),
            )]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::userns::map::{Extent, MapWriter};

    fn maps(gids: &[(u32, u32)]) -> IdMaps {
        let map = |ids: &[(u32, u32)]| {
            ids.iter()
                .map(|(inside, count)| Extent {
                    inside: *inside,
                    outside: 1000 + inside,
                    count: *count,
                })
                .collect()
        };
        IdMaps {
            uids: map(&[(0, 1)]),
            gids: map(gids),
            writer: MapWriter::Direct,
        }
    }

    #[test]
    fn ping_is_opened_for_the_groups_that_exist() {
        type Row<'a> = (&'a [(u32, u32)], bool, Option<&'a str>);
        let table: [Row<'_>; 5] = [
            (&[(0, 1), (1, 65_536)], true, Some("0 65536")),
            (&[(0, 1)], true, Some("0 0")),
            (&[(1000, 1)], true, None),
            (&[(0, 1)], false, None),
            (&[(5, 9), (0, 2)], true, Some("0 1")),
        ];
        for (gids, own_net, want) in table {
            let got = default_sysctls(&maps(gids), own_net);
            assert_eq!(got.first().map(|(_, v)| v.as_str()), want, "{gids:?}");
        }
    }

    #[test]
    fn terminals_belong_to_group_5_only_where_it_exists() {
        let options = |gids: &[(u32, u32)]| {
            let mounts = default_mounts(Shared::default(), Some(SHM_BYTES), &maps(gids));
            let pts = mounts
                .into_iter()
                .find(|m| m.destination() == Path::new("/dev/pts"));
            pts.and_then(|m| m.options().clone()).unwrap_or_default()
        };
        assert!(options(&[(0, 1), (1, 10)]).contains(&"gid=5".to_owned()));
        assert!(!options(&[(0, 1)]).contains(&"gid=5".to_owned()));
    }
}
