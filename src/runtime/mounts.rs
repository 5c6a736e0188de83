//! Mounts of an OCI spec as prepared steps (runtime-spec `config.md`, mounts).
//!
//! A name in the container stays text relative to its root: only the kernel resolves it, beneath the root.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use oci_spec::runtime::Mount;

use crate::error::{Error, Kind, Result};

use super::files;
use super::plan::Rootfs;
use super::rootfs::RootPlan;

pub(super) const ATTR_RDONLY: u64 = 0x1;
pub(super) const ATTR_NOSUID: u64 = 0x2;
pub(super) const ATTR_NODEV: u64 = 0x4;
pub(super) const ATTR_NOEXEC: u64 = 0x8;
pub(super) const ATTR_ATIME: u64 = 0x70;
pub(super) const ATTR_NOATIME: u64 = 0x10;
pub(super) const ATTR_STRICTATIME: u64 = 0x20;
pub(super) const ATTR_NODIRATIME: u64 = 0x80;
pub(super) const ATTR_NOSYMFOLLOW: u64 = 0x0020_0000;

/// One mount, ready to be made by system calls alone.
#[derive(Debug)]
pub(super) struct MountStep {
    pub(super) source: Source,
    /// Relative to the container's root, without `..`.
    pub(super) target: CString,
    pub(super) attr_set: u64,
    pub(super) attr_clear: u64,
    /// The attributes hold for mounts below a bind's source too.
    pub(super) attr_recursive: bool,
    /// `MS_PRIVATE` and its like, for binds.
    pub(super) propagation: u64,
    /// It holds for mounts below a bind's source too.
    pub(super) propagation_recursive: bool,
    /// What is mounted of a bind's or an overlay's tree: a path below its root, resolved there.
    pub(super) subpath: Option<CString>,
    /// A new file system takes over what the image has at its place; see `copy_up`.
    pub(super) copy_up: bool,
    /// It takes over that place's owner and mode, as far as the user gives none.
    pub(super) like_place: bool,
    pub(super) mode_given: bool,
    pub(super) owner_given: bool,
    /// It belongs to the container's user.
    pub(super) of_user: bool,
    /// Read-only, once everything is in it.
    pub(super) late_read_only: bool,
    /// A lack is passed over: what the host cannot give here Podman's users do without too.
    pub(super) optional: bool,
    pub(super) role: Role,
    /// The detached mount, once made. Filled in by init.
    pub(super) fd: Option<OwnedFd>,
}

#[derive(Debug)]
pub(super) enum Source {
    /// A new file system with its parameters (`fsconfig(2)`).
    New {
        kind: CString,
        parameters: Vec<(CString, Option<CString>)>,
        /// It looks at mapped ids when it is made.
        needs_maps: bool,
    },
    Bind {
        path: CString,
        recursive: bool,
    },
    /// Directories below a writable one.
    Overlay(RootPlan),
    /// No mount at all: a symbolic link of this text.
    Link(CString),
}

/// Places that later steps refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Proc,
    Dev,
    Devpts,
    Sys,
    /// Secrets are written into it.
    Secrets,
    Other,
}

/// Reads the mounts of a spec, in order.
pub(super) fn compile(mounts: &[Mount]) -> Result<Vec<MountStep>> {
    mounts.iter().map(step).collect()
}

fn step(mount: &Mount) -> Result<MountStep> {
    let shown = mount.destination().display();
    let target = inside(mount.destination())?;
    let kind = mount.typ().as_deref().unwrap_or("none");
    let mut options = Options::default();
    for option in mount.options().iter().flatten() {
        options.read(option, &shown.to_string())?;
    }
    let bind = kind == "bind" || options.bind.is_some();
    let role = match (target.as_bytes(), kind) {
        (b"proc", _) => Role::Proc,
        (b"sys", _) => Role::Sys,
        (b"dev", "tmpfs") => Role::Dev,
        (b"dev/pts", "devpts") => Role::Devpts,
        (b"run/secrets", "tmpfs")
            if mount.source().as_deref() == Some(Path::new(files::SOURCE)) =>
        {
            Role::Secrets
        }
        _ => Role::Other,
    };
    refuse_over_proc(&target, mount, bind)?;
    let subpath = match kind {
        "bind" | "overlay" => options.take("subpath=").pop(),
        _ => None,
    };
    let of_source = || {
        let path = mount.source().as_ref();
        path.ok_or_else(|| Error::usage(format!("mount on \"{shown}\": it needs a source")))
    };
    let new = !bind && !matches!(kind, "overlay" | "link");
    let copy_up = std::mem::take(&mut options.copy_up) && new;
    let given = |key: &str| options.data.iter().any(|word| word.starts_with(key));
    let (mode_given, owner_given) = (given("mode="), given("uid=") || given("gid="));
    let source = if kind == "link" {
        Source::Link(c_string(of_source()?.as_os_str().as_bytes())?)
    } else if kind == "overlay" {
        Source::Overlay(options.overlay(&shown.to_string())?)
    } else if bind {
        let path = mount
            .source()
            .as_ref()
            .ok_or_else(|| Error::usage(format!("mount on \"{shown}\": a bind needs a source")))?;
        Source::Bind {
            path: c_string(path.as_os_str().as_bytes())?,
            recursive: options.bind.unwrap_or(true),
        }
    } else {
        let kind = match kind {
            // A cgroup namespace shows the one hierarchy of version 2.
            "cgroup" => "cgroup2",
            "tmpfs" | "ramfs" | "proc" | "sysfs" | "devpts" | "mqueue" | "cgroup2" => kind,
            other => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "mount \"{other}\" on \"{shown}\": a user namespace cannot mount this kind"
                    ),
                ));
            }
        };
        Source::New {
            needs_maps: matches!(kind, "tmpfs" | "ramfs" | "devpts"),
            kind: c_string(kind.as_bytes())?,
            parameters: options.parameters()?,
        }
    };
    // What is made in /dev has no place of an image below it.
    let like_place = matches!(kind, "tmpfs" | "ramfs")
        && role == Role::Other
        && !target.as_bytes().starts_with(b"dev");
    let written = copy_up || like_place || role == Role::Dev || options.of_user;
    let late_read_only = new && written && options.set & ATTR_RDONLY != 0;
    if late_read_only {
        options.set &= !ATTR_RDONLY;
    }
    Ok(MountStep {
        optional: matches!(kind, "cgroup" | "cgroup2" | "mqueue"),
        source,
        target,
        attr_set: options.set,
        attr_clear: options.clear,
        attr_recursive: bind && options.bind.unwrap_or(true),
        propagation: options.propagation.map_or(libc::MS_PRIVATE, |(how, _)| how),
        propagation_recursive: options.propagation.is_none_or(|(_, all)| all),
        subpath: subpath.map(|path| inside(path.as_ref())).transpose()?,
        copy_up,
        like_place,
        mode_given,
        owner_given,
        of_user: options.of_user && new,
        late_read_only,
        role,
        fd: None,
    })
}

/// A path of the container as text relative to its root; `..` is taken back here, never by the kernel.
pub(super) fn inside(path: &Path) -> Result<CString> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => parts.push(name.as_bytes()),
            Component::ParentDir => {
                parts.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    match parts.is_empty() {
        true => Ok(c".".to_owned()),
        false => c_string(&parts.join(&b'/')),
    }
}

pub(super) fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| {
        Error::usage(format!(
            "{:?}: contains a nul byte",
            String::from_utf8_lossy(bytes)
        ))
    })
}

/// What may be bound below `/proc`: files that fake a smaller machine, as with the other runtimes. Anything else
/// there could redirect what we write to `/proc` or forge what programs trust.
const OVER_PROC: [&[u8]; 10] = [
    b"proc/cpuinfo",
    b"proc/diskstats",
    b"proc/loadavg",
    b"proc/meminfo",
    b"proc/net/dev",
    b"proc/slabinfo",
    b"proc/stat",
    b"proc/swaps",
    b"proc/sys/kernel/ns_last_pid",
    b"proc/uptime",
];

fn refuse_over_proc(target: &CString, mount: &Mount, bind: bool) -> Result<()> {
    let target = target.as_bytes();
    let of_host = bind && mount.source().as_deref() == Some(Path::new("/proc"));
    let fine = match target {
        b"proc" => of_host || mount.typ().as_deref() == Some("proc"),
        _ if target.starts_with(b"proc/") => OVER_PROC.contains(&target),
        _ => true,
    };
    match fine {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Usage,
            format!(
                "mount on {:?}: cannot be mounted because it is inside /proc",
                mount.destination().display().to_string()
            ),
        )),
    }
}

#[derive(Debug, Default)]
struct Options {
    set: u64,
    clear: u64,
    /// `MS_PRIVATE` and its like; whether also for what is mounted below.
    propagation: Option<(u64, bool)>,
    /// `Some(recursive)` once `bind` or `rbind` is named.
    bind: Option<bool>,
    copy_up: bool,
    of_user: bool,
    data: Vec<String>,
}

impl Options {
    fn read(&mut self, option: &str, target: &str) -> Result<()> {
        match option {
            "bind" => self.bind = Some(false),
            "rbind" => self.bind = Some(true),
            "defaults" | "rw" | "rrw" | "async" | "relatime" | "rrelatime" | "norelatime" => {}
            "private" | "rprivate" => self.propagate(libc::MS_PRIVATE, option),
            "slave" | "rslave" => self.propagate(libc::MS_SLAVE, option),
            "shared" | "rshared" => self.propagate(libc::MS_SHARED, option),
            "unbindable" | "runbindable" => self.propagate(libc::MS_UNBINDABLE, option),
            "ro" | "rro" => self.set_flag(ATTR_RDONLY),
            "nosuid" | "rnosuid" => self.set_flag(ATTR_NOSUID),
            "nodev" | "rnodev" => self.set_flag(ATTR_NODEV),
            "noexec" | "rnoexec" => self.set_flag(ATTR_NOEXEC),
            "nodiratime" | "rnodiratime" => self.set_flag(ATTR_NODIRATIME),
            "nosymfollow" | "rnosymfollow" => self.set_flag(ATTR_NOSYMFOLLOW),
            "noatime" | "rnoatime" => self.set_atime(ATTR_NOATIME),
            "strictatime" | "rstrictatime" => self.set_atime(ATTR_STRICTATIME),
            "suid" | "rsuid" => self.clear_flag(ATTR_NOSUID),
            "dev" | "rdev" => self.clear_flag(ATTR_NODEV),
            "exec" | "rexec" => self.clear_flag(ATTR_NOEXEC),
            "diratime" | "rdiratime" => self.clear_flag(ATTR_NODIRATIME),
            "symfollow" | "rsymfollow" => self.clear_flag(ATTR_NOSYMFOLLOW),
            "tmpcopyup" => self.copy_up = true,
            // Ours: it belongs to the container's user, whom only init knows.
            "chown" => self.of_user = true,
            "idmap" | "ridmap" | "sync" | "dirsync" | "mand" | "remount" => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("mount on \"{target}\": option \"{option}\" is not supported"),
                ));
            }
            data => self.data.push(data.to_owned()),
        }
        Ok(())
    }

    fn propagate(&mut self, how: u64, word: &str) {
        self.propagation = Some((how, word.starts_with('r')));
    }

    /// The values of the data words that begin with `key`, which no file system reads.
    fn take(&mut self, key: &str) -> Vec<String> {
        let (taken, rest) = std::mem::take(&mut self.data)
            .into_iter()
            .partition(|word: &String| word.starts_with(key));
        self.data = rest;
        let value = |word: String| word[key.len()..].to_owned();
        Vec::into_iter(taken).map(value).collect()
    }

    /// `lowerdir=` once a layer, uppermost first, `upperdir=` and `workdir=`: paths as they are.
    fn overlay(&mut self, target: &str) -> Result<RootPlan> {
        let lower = self.take("lowerdir=");
        let (upper, work) = (self.take("upperdir=").pop(), self.take("workdir=").pop());
        match (upper, work) {
            (Some(upper), Some(work)) if !lower.is_empty() => RootPlan::compile(&Rootfs::Overlay {
                lower: lower.into_iter().map(Into::into).collect(),
                upper: upper.into(),
                work: work.into(),
                volatile: false,
            }),
            _ => Err(Error::usage(format!(
                "mount on \"{target}\": an overlay needs lowerdir, upperdir and workdir"
            ))),
        }
    }

    fn set_flag(&mut self, flag: u64) {
        self.set |= flag;
        self.clear &= !flag;
    }

    /// An attribute is taken away only from a file system of our own: the kernel locks those of a bind's source.
    fn clear_flag(&mut self, flag: u64) {
        self.set &= !flag;
    }

    fn set_atime(&mut self, mode: u64) {
        self.set = self.set & !ATTR_ATIME | mode;
        self.clear |= ATTR_ATIME;
    }

    fn parameters(&self) -> Result<Vec<(CString, Option<CString>)>> {
        self.data
            .iter()
            .map(|parameter| {
                Ok(match parameter.split_once('=') {
                    Some((key, value)) => {
                        (c_string(key.as_bytes())?, Some(c_string(value.as_bytes())?))
                    }
                    None => (c_string(parameter.as_bytes())?, None),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::spec::mount;

    #[test]
    fn names_stay_below_the_root() {
        let table = [
            ("/", "."),
            ("/dev/shm", "dev/shm"),
            ("//a/./b/", "a/b"),
            ("/a/../../b", "b"),
            ("rel/x", "rel/x"),
        ];
        for (path, want) in table {
            assert_eq!(
                inside(Path::new(path)).unwrap().to_str(),
                Ok(want),
                "{path}"
            );
        }
    }

    #[test]
    fn options_become_attributes_and_parameters() {
        let step = step(&mount(
            "/dev/shm",
            "tmpfs",
            "shm",
            &[
                "nosuid",
                "ro",
                "mode=1777",
                "size=64k",
                "noswap",
                "strictatime",
            ],
        ))
        .unwrap();
        assert_eq!(step.attr_set, ATTR_NOSUID | ATTR_RDONLY | ATTR_STRICTATIME);
        let Source::New { parameters, .. } = step.source else {
            panic!("a new file system");
        };
        let keys: Vec<_> = parameters
            .iter()
            .map(|(k, _)| k.to_str().unwrap())
            .collect();
        assert_eq!(keys, ["mode", "size", "noswap"]);
    }

    #[test]
    fn nothing_hides_proc() {
        let table = [
            ("/proc", "proc", "proc", true),
            ("/proc", "bind", "/proc", true),
            ("/proc", "bind", "/tmp", false),
            ("/proc/../proc", "tmpfs", "tmpfs", false),
            ("/proc/self", "bind", "/tmp", false),
            ("/proc/uptime", "bind", "/tmp/uptime", true),
            ("/procx", "bind", "/tmp", true),
        ];
        for (target, kind, source, fine) in table {
            let got = step(&mount(target, kind, source, &[]));
            assert_eq!(got.is_ok(), fine, "{target} {kind} {source}");
        }
    }
}
