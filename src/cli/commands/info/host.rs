//! `info`, section host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::sysinfo::sysinfo;
use nix::sys::utsname::uname;

use crate::cli::context::Context;
use crate::cli::output::human;
use crate::error::{Result, Tried};
use crate::net::{helper, mode};
use crate::runtime::caps::CapSet;
use crate::userns;
use crate::userns::map::Extent;
use crate::userns::mode::UsernsMode;

use super::super::version;
use super::tree::Node;

pub fn describe(ctx: &Context) -> Result<Node> {
    let me = ctx.identity()?;
    let config = ctx.config()?;
    let helpers = &config.helper_binaries_dir;
    let system = uname().tried(|| "ask for the kernel's version")?;
    let word = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
    let memory = meminfo(&fs::read_to_string("/proc/meminfo").unwrap_or_default());
    let cgroup2 = Path::new("/sys/fs/cgroup/cgroup.controllers");
    let release = os_release(&fs::read_to_string("/etc/os-release").unwrap_or_default());
    let chosen = userns::mode::choose(&UsernsMode::Host, me.uid.as_raw(), me.gid.as_raw(), || {
        me.name()
    })?;
    let ids = Node::Map(vec![
        ("GIDMap", "gidmap", extents(&chosen.maps.gids)),
        ("UIDMap", "uidmap", extents(&chosen.maps.uids)),
    ]);
    let up = sysinfo()
        .map(|info| info.uptime())
        .unwrap_or(Duration::ZERO);
    let this = std::env::current_exe()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    Ok(Node::Map(vec![
        ("Arch", "arch", version::arch().into()),
        ("CgroupManager", "cgroupManager", "cgroupfs".into()),
        (
            "CgroupsVersion",
            "cgroupVersion",
            if cgroup2.exists() { "v2" } else { "v1" }.into(),
        ),
        // None is used by this version: limits are refused.
        (
            "CgroupControllers",
            "cgroupControllers",
            Node::List(Vec::new()),
        ),
        ("Conmon", "conmon", program("pod", &this, &pod_version())),
        (
            "CPUs",
            "cpus",
            Node::Int(std::thread::available_parallelism().map_or(1, |n| n.get() as i64)),
        ),
        ("DatabaseBackend", "databaseBackend", "none".into()),
        (
            "Distribution",
            "distribution",
            Node::Map(vec![
                ("Distribution", "distribution", release.0.into()),
                ("Version", "version", release.1.into()),
            ]),
        ),
        ("EventLogger", "eventLogger", "none".into()),
        ("Hostname", "hostname", word(system.nodename()).into()),
        ("IDMappings", "idMappings", ids),
        ("Kernel", "kernel", word(system.release()).into()),
        (
            "Linkmode",
            "linkmode",
            if cfg!(target_feature = "crt-static") {
                "static"
            } else {
                "dynamic"
            }
            .into(),
        ),
        (
            "LogDriver",
            "logDriver",
            config.log_driver.as_deref().unwrap_or("k8s-file").into(),
        ),
        ("MemFree", "memFree", Node::Int(memory.free)),
        ("MemTotal", "memTotal", Node::Int(memory.total)),
        ("NetworkBackend", "networkBackend", "none".into()),
        (
            "OCIRuntime",
            "ociRuntime",
            program("pod", &this, &pod_version()),
        ),
        ("OS", "os", "linux".into()),
        (
            "RemoteSocket",
            "remoteSocket",
            Node::Map(vec![
                ("Path", "path", "".into()),
                ("Exists", "exists", Node::Bool(false)),
            ]),
        ),
        (
            "RootlessNetworkCmd",
            "rootlessNetworkCmd",
            mode::default_command(config.default_rootless_network_cmd.as_deref(), helpers).into(),
        ),
        ("Pasta", "pasta", helper_program("pasta", helpers)),
        (
            "Slirp4NetNS",
            "slirp4netns",
            helper_program("slirp4netns", helpers),
        ),
        (
            "Security",
            "security",
            security(config.seccomp_profile.as_deref().map(Path::new)),
        ),
        ("ServiceIsRemote", "serviceIsRemote", Node::Bool(false)),
        ("SingleID", "singleId", Node::Bool(chosen.maps.is_single())),
        (
            "SingleIDReason",
            "singleIdReason",
            chosen
                .single_because
                .map_or_else(String::new, |err| err.to_string())
                .into(),
        ),
        ("SwapFree", "swapFree", Node::Int(memory.swap_free)),
        ("SwapTotal", "swapTotal", Node::Int(memory.swap_total)),
        ("Uptime", "uptime", human::duration(up).into()),
        ("Variant", "variant", "".into()),
    ]))
}

fn pod_version() -> String {
    format!("pod version {}", env!("CARGO_PKG_VERSION"))
}

fn program(name: &str, path: &str, version: &str) -> Node {
    Node::Map(vec![
        ("Name", "name", name.into()),
        ("Path", "path", path.into()),
        ("Version", "version", version.into()),
    ])
}

/// Where a network helper is; an empty path when it is not installed.
fn helper_program(name: &str, dirs: &[PathBuf]) -> Node {
    let path = helper::find(name, dirs)
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    Node::Map(vec![("Executable", "executable", path.into())])
}

fn security(profile: Option<&Path>) -> Node {
    let on = |path: &str| {
        fs::read_to_string(path).is_ok_and(|text| text.trim_start().starts_with(['Y', '1']))
    };
    Node::Map(vec![
        (
            "AppArmorEnabled",
            "apparmorEnabled",
            on("/sys/module/apparmor/parameters/enabled").into(),
        ),
        (
            "DefaultCapabilities",
            "capabilities",
            CapSet::DEFAULT.names().join(",").into(),
        ),
        ("Rootless", "rootless", Node::Bool(true)),
        (
            "SECCOMPEnabled",
            "seccompEnabled",
            Node::Bool(Path::new("/proc/sys/kernel/seccomp").exists()),
        ),
        (
            "SECCOMPProfilePath",
            "seccompProfilePath",
            profile
                .map_or_else(|| "builtin".to_owned(), |path| path.display().to_string())
                .into(),
        ),
        (
            "SELinuxEnabled",
            "selinuxEnabled",
            Path::new("/sys/fs/selinux/enforce").exists().into(),
        ),
    ])
}

fn extents(map: &[Extent]) -> Node {
    Node::List(
        map.iter()
            .map(|extent| {
                Node::Map(vec![
                    (
                        "ContainerID",
                        "container_id",
                        Node::Int(extent.inside.into()),
                    ),
                    ("HostID", "host_id", Node::Int(extent.outside.into())),
                    ("Size", "size", Node::Int(extent.count.into())),
                ])
            })
            .collect(),
    )
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Memory {
    total: i64,
    free: i64,
    swap_total: i64,
    swap_free: i64,
}

/// Bytes, from proc_meminfo(5).
fn meminfo(text: &str) -> Memory {
    let bytes = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .and_then(|rest| rest.split_ascii_whitespace().next()?.parse::<i64>().ok())
            .map_or(0, |kib| kib * 1024)
    };
    Memory {
        total: bytes("MemTotal"),
        free: bytes("MemFree"),
        swap_total: bytes("SwapTotal"),
        swap_free: bytes("SwapFree"),
    }
}

/// Identifier and version from os-release(5).
fn os_release(text: &str) -> (String, String) {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim_matches(['"', '\'']).to_owned())
            .unwrap_or_else(|| "unknown".to_owned())
    };
    (value("ID"), value("VERSION_ID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_files_are_read() {
        let memory = meminfo("MemTotal:       1000 kB\nMemFree:  5 kB\nSwapTotal: 0 kB\n");
        assert_eq!(
            memory,
            Memory {
                total: 1_024_000,
                free: 5120,
                swap_total: 0,
                swap_free: 0
            }
        );
        assert_eq!(
            os_release("ID=debian\nVERSION_ID=\"12\"\n"),
            ("debian".into(), "12".into())
        );
    }
}
