//! Puts a child's failure into words: what was tried, on which object, the kernel's answer, the remedy.

use std::path::Path;

use nix::errno::Errno;

use crate::error::{Error, Kind};

use super::init::InitPlan;
use super::mounts::Source;
use super::process::ProcessPlan;
use super::step::{Failed, Step};
use super::user::Who;

/// A failure of init.
pub(super) fn of_launch(plan: &InitPlan, failed: Failed) -> Error {
    let index = usize::from(failed.index);
    let tried = |what: String| Error::os(failed.errno, what);
    match failed.step {
        Step::Secret => {
            let file = plan.secrets.get(index);
            let shown = file.map_or_else(String::new, |file| file.shown());
            let err = tried(format!("make the secret \"{shown}\""));
            match failed.errno {
                Errno::EINVAL => err.hint("its uid and gid have to be ids that the container has"),
                _ => err,
            }
        }
        Step::CgroupNamespace => tried("make a cgroup namespace".to_owned()),
        Step::Loopback => tried("bring the loopback interface up".to_owned()),
        Step::Hostname => tried(format!(
            "set the host name {:?}",
            String::from_utf8_lossy(plan.hostname.as_deref().unwrap_or_default())
        )),
        Step::Domainname => tried("set the NIS domain name".to_owned()),
        Step::Overlay => overlay(plan, failed.errno),
        Step::OverlayLower => tried(format!("use layer \"{}\"", plan.root.layer(index))),
        Step::OverlayUpper => {
            let err = tried(format!(
                "use \"{}\" as the writable layer",
                plan.root.writable(index)
            ));
            match failed.errno {
                Errno::EINVAL => err.hint("overlay needs a local file system with extended attributes (user.*); NFS and another overlay have none: choose another --root"),
                _ => err,
            }
        }
        Step::RootDir => tried(format!(
            "open the root file system \"{}\"",
            plan.root.writable(0)
        )),
        Step::MountSource => match &plan.mounts[index].source {
            Source::Bind { path, .. } if plan.mounts[index].subpath.is_some() => {
                let part = plan.mounts[index].subpath.as_deref().unwrap_or_default();
                tried(format!(
                    "open subpath \"{}\" of \"{}\"",
                    part.to_string_lossy(),
                    path.to_string_lossy()
                ))
            }
            Source::Bind { path, recursive } => {
                let err = tried(format!("open bind source \"{}\"", path.to_string_lossy()));
                match failed.errno {
                    Errno::EINVAL if !recursive => {
                        err.hint("something is mounted below it: use rbind")
                    }
                    _ => err,
                }
            }
            Source::Overlay(overlay) => match (&plan.mounts[index].subpath, failed.errno) {
                (Some(part), errno @ (Errno::ENOENT | Errno::ENOTDIR)) => Error::os(
                    errno,
                    format!(
                        "open subpath \"{}\" of the image for \"{}\"",
                        part.to_string_lossy(),
                        target(plan, index)
                    ),
                ),
                (_, errno) => Error::os(
                    errno,
                    format!("mount an overlay on \"{}\"", target(plan, index)),
                )
                .hint(format!(
                    "its writable layer is \"{}\": overlay needs a local file system there, and directories that do not overlap",
                    overlay.writable(0)
                )),
            },
            Source::New { .. } | Source::Link(_) => {
                tried(format!("look at the mount of \"{}\"", target(plan, index)))
            }
        },
        Step::MountTarget => {
            let err = tried(format!(
                "make the mount point \"{}\" in the container",
                target(plan, index)
            ));
            match failed.errno {
                Errno::ELOOP => err.hint("the image has a symbolic link there"),
                Errno::EROFS => {
                    err.hint("it does not exist and cannot be made on a read-only file system")
                }
                _ => err,
            }
        }
        Step::Mount => mount(plan, index, failed.errno),
        Step::CopyUp => {
            let err = tried(format!(
                "copy the image's files to the tmpfs on \"{}\"",
                target(plan, index)
            ));
            match failed.errno {
                Errno::ENOSPC => err.hint("give it a larger size, or the option notmpcopyup"),
                _ => err.hint("with the option notmpcopyup it begins empty"),
            }
        }
        Step::MountOwner => tried(format!(
            "give \"{}\" to the container's user",
            target(plan, index)
        )),
        Step::Device => tried(format!("bind the device \"{}\"", device(plan, index))),
        Step::DeviceIdentity => Error::new(
            Kind::Unsupported,
            format!(
                "bind the device \"{0}\": the host's \"{0}\" is another device, or none",
                device(plan, index)
            ),
        )
        .hint("the host's /dev is damaged; as root: see systemd-tmpfiles --create, or mknod"),
        Step::DeviceLink => tried("fill /dev of the container".to_owned()),
        Step::GiveUpGroups => tried("give up the supplementary groups".to_owned()),
        Step::BecomeRoot => tried("become root of the container".to_owned()),
        Step::Keyring => {
            let err = tried("make a session keyring".to_owned());
            match failed.errno {
                Errno::EDQUOT => err.hint("this user has too many keys; see kernel.keys.maxkeys"),
                _ => err,
            }
        }
        Step::AttachRoot | Step::PivotRoot | Step::DetachOldRoot => {
            tried("enter the container's root file system".to_owned())
        }
        Step::ReadOnlyRoot => tried("make the root file system read-only".to_owned()),
        Step::ReadOnlyPath => tried(format!(
            "make \"{}\" read-only",
            plan.read_only_paths[index].shown
        )),
        Step::MaskedPath => tried(format!("mask \"{}\"", plan.masked_paths[index].shown)),
        Step::Sysctl => {
            let name = plan
                .sysctls
                .get(index)
                .map(|(path, _)| path.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            let name = name.trim_start_matches("sys/").replace('/', ".");
            let err = tried(format!("set sysctl \"{name}\""));
            match failed.errno {
                Errno::EACCES | Errno::EPERM | Errno::ENOENT => {
                    err.hint("only sysctls of the container's own namespaces can be set")
                }
                _ => err,
            }
        }
        Step::Terminal => tried("make a terminal in the container".to_owned()),
        Step::Console => tried("make /dev/console of the container".to_owned()),
        _ => of_process(&plan.process, failed),
    }
}

/// A failure of a process that is inside already, or on its way in.
pub(super) fn of_process(plan: &ProcessPlan, failed: Failed) -> Error {
    let index = usize::from(failed.index);
    let tried = |what: &str| Error::os(failed.errno, what);
    let program = plan.program();
    match failed.step {
        Step::Message => Error::new(Kind::System, "start a process in the container: the other side is gone"),
        Step::Session => tried("make a session for the container"),
        Step::Passwd | Step::Group => {
            let file = if failed.step == Step::Passwd { "/etc/passwd" } else { "/etc/group" };
            match (failed.errno, failed.index) {
                (Errno::EINVAL, 1) => Error::new(Kind::Corrupt, format!("read \"{file}\" of the container: not a regular file")),
                (_, 2) => tried(&format!("add a line to \"{file}\" of the container")),
                _ => tried(&format!("read \"{file}\" of the container")),
            }
        }
        Step::UnknownUser => {
            let user = plan.lookup.text.split(':').next().unwrap_or_default();
            Error::new(Kind::NotExecutable, format!("unable to find user {user}: no matching entries in passwd file"))
        }
        Step::UnknownGroup => {
            let extra = index.checked_sub(1).and_then(|at| plan.lookup.extra.get(at));
            let group = match extra.or(plan.lookup.group.as_ref()) {
                Some(Who::Name(name)) => String::from_utf8_lossy(name).into_owned(),
                Some(Who::Id(id)) => id.to_string(),
                None => String::new(),
            };
            Error::new(Kind::NotExecutable, format!("unable to find group {group}: no matching entries in group file"))
        }
        Step::TooManyGroups => Error::new(Kind::Unsupported, "set the supplementary groups: too many of them"),
        Step::SetGroups => not_mapped(failed.errno, "set the supplementary groups"),
        Step::SetGid => not_mapped(failed.errno, "set the group of the process"),
        Step::SetUid => not_mapped(failed.errno, "set the user of the process"),
        Step::Rlimit => {
            let (resource, soft, hard) = plan.rlimit_at(index).unwrap_or_default();
            let err = tried(&format!("set {} to {soft}:{hard}", rlimit_name(resource)));
            match failed.errno {
                Errno::EPERM => err.hint("it is above your own hard limit, see ulimit -H -a"),
                _ => err,
            }
        }
        Step::Cwd => {
            let shown = cwd(plan);
            match failed.errno {
                Errno::ENOENT => Error::new(
                    Kind::NotExecutable,
                    format!("workdir {shown:?} does not exist in the container"),
                ),
                Errno::ELOOP => Error::new(
                    Kind::Unsupported,
                    format!("change to workdir {shown:?}: it leads through a link of /proc, or a loop of links"),
                ),
                _ => tried(&format!("change to workdir {shown:?}")),
            }
        }
        Step::CwdOutside => Error::new(
            Kind::Unsupported,
            format!("change to workdir {:?}: it lies outside of the container", cwd(plan)),
        ),
        Step::Stdio => tried("connect stdin, stdout and stderr"),
        Step::CloseDescriptors => tried("close inherited descriptors").hint("needs Linux 5.11 or newer"),
        Step::Signals => tried("give signals their default action"),
        Step::Bounding | Step::Capabilities => tried("set the capabilities of the process"),
        Step::NoNewPrivileges => tried("set no_new_privs"),
        Step::Personality => tried("set the personality of the process"),
        Step::Umask => tried("set the umask"),
        Step::Dumpable => tried("shield the starting process"),
        Step::Init => tried("run the init of the container").hint("a seccomp profile of your own has to allow execveat"),
        Step::FindProgram | Step::ProgramIsDirectory | Step::ProgramIsPod | Step::Exec => {
            no_program(plan, &program, failed)
        }
        Step::Seccomp => tried("load the seccomp filter").hint("the kernel needs CONFIG_SECCOMP_FILTER; --security-opt seccomp=unconfined does without"),
        Step::JoinNamespaces => match failed.errno {
            Errno::ESRCH => Error::new(Kind::State, "join the namespaces of the container: it is not running"),
            _ => tried("join the namespaces of the container"),
        },
        Step::Clone => tried("make a process in the container"),
        _ => tried("start a process in the container"),
    }
}

/// Podman's wording of what `run` and `exec` answer with 126 and 127.
fn no_program(plan: &ProcessPlan, program: &str, failed: Failed) -> Error {
    let missing = |what: String| {
        Error::new(
            Kind::CommandNotFound,
            format!(
                "{what}: no such file or directory: OCI runtime attempted to invoke a command that was not found"
            ),
        )
    };
    let refused = |what: String| {
        Error::new(
            Kind::NotExecutable,
            format!("{what}: OCI permission denied"),
        )
    };
    match (failed.step, failed.errno) {
        (Step::FindProgram, Errno::ENOENT | Errno::ENOTDIR) if plan.searched() => {
            missing(format!("executable file {program:?} not found in $PATH"))
        }
        (Step::FindProgram, Errno::ENOENT | Errno::ENOTDIR) => {
            missing(format!("executable file {program:?} not found"))
        }
        (Step::ProgramIsDirectory, _) => refused(format!("exec {program:?}: is a directory")),
        (Step::ProgramIsPod, _) => refused(format!(
            "exec {program:?}: it leads to the container engine itself"
        )),
        // The file is there, so what it names is not.
        (Step::Exec, Errno::ENOENT) => missing(format!(
            "exec {program:?}: its interpreter or library loader is missing"
        )),
        (Step::Exec, Errno::ENOEXEC) => refused(format!("exec {program:?}: exec format error")),
        (_, errno) => refused(format!("exec {program:?}: {}", errno.desc())),
    }
}

fn overlay(plan: &InitPlan, errno: Errno) -> Error {
    let err = Error::os(
        errno,
        format!(
            "mount overlay of {} layers on \"{}\"",
            plan.root.layers(),
            plan.root.writable(0)
        ),
    );
    match errno {
        Errno::EPERM => err.hint("overlay inside a user namespace needs Linux 5.11 or newer"),
        Errno::ENODEV => err.hint("the kernel has no overlay file system; as root: modprobe overlay"),
        // overlayfs answers ELOOP for directories that overlap, not only for symlink loops.
        Errno::ELOOP => err.hint("a layer directory lies inside another one"),
        Errno::EINVAL => err.hint("the file system of the store may lack extended attributes (user.*), or the writable layer was not closed cleanly: remove the container"),
        _ => err,
    }
}

fn mount(plan: &InitPlan, index: usize, errno: Errno) -> Error {
    let step = &plan.mounts[index];
    let shown = target(plan, index);
    match &step.source {
        Source::Bind { path, .. } => {
            let err = Error::os(
                errno,
                format!("mount \"{}\" on \"{shown}\"", path.to_string_lossy()),
            );
            match errno {
                Errno::ENOTDIR => err.hint("one of the two is a directory and the other a file"),
                Errno::EPERM => {
                    err.hint("the host locks a mount option that this mount takes away")
                }
                _ => err,
            }
        }
        Source::Overlay(_) | Source::Link(_) => {
            Error::os(errno, format!("mount an overlay on \"{shown}\""))
        }
        Source::New { kind, .. } => {
            let kind = kind.to_string_lossy();
            let err = Error::os(errno, format!("mount {kind} on \"{shown}\""));
            match (errno, kind.as_ref()) {
                (Errno::EPERM, "proc") => err.hint("the host's own /proc is partly hidden here, which the kernel extends to containers; with --pid host it is shared instead"),
                (Errno::EPERM, "sysfs") => err.hint("needs a network namespace of its own, and a host whose /sys is not hidden"),
                (Errno::EINVAL, "tmpfs") => err.hint("an option of the mount is unknown or malformed"),
                (Errno::ENODEV, _) => err.hint("the kernel lacks this file system"),
                _ => err,
            }
        }
    }
}

fn not_mapped(errno: Errno, tried: &str) -> Error {
    let err = Error::os(errno, tried);
    match errno {
        Errno::EINVAL => err.hint("the id has no mapping in the container's user namespace; see /etc/subuid and /etc/subgid"),
        _ => err,
    }
}

fn target(plan: &InitPlan, index: usize) -> String {
    format!("/{}", plan.mounts[index].target.to_string_lossy())
}

fn device(plan: &InitPlan, index: usize) -> String {
    plan.devices[index].source.to_string_lossy().into_owned()
}

fn cwd(plan: &ProcessPlan) -> String {
    let inside = plan.cwd().to_string_lossy();
    Path::new("/")
        .join(if inside == "." { "" } else { &*inside })
        .display()
        .to_string()
}

fn rlimit_name(resource: u32) -> &'static str {
    match resource {
        libc::RLIMIT_CPU => "RLIMIT_CPU",
        libc::RLIMIT_FSIZE => "RLIMIT_FSIZE",
        libc::RLIMIT_DATA => "RLIMIT_DATA",
        libc::RLIMIT_STACK => "RLIMIT_STACK",
        libc::RLIMIT_CORE => "RLIMIT_CORE",
        libc::RLIMIT_RSS => "RLIMIT_RSS",
        libc::RLIMIT_NPROC => "RLIMIT_NPROC",
        libc::RLIMIT_NOFILE => "RLIMIT_NOFILE",
        libc::RLIMIT_MEMLOCK => "RLIMIT_MEMLOCK",
        libc::RLIMIT_AS => "RLIMIT_AS",
        libc::RLIMIT_LOCKS => "RLIMIT_LOCKS",
        libc::RLIMIT_SIGPENDING => "RLIMIT_SIGPENDING",
        libc::RLIMIT_MSGQUEUE => "RLIMIT_MSGQUEUE",
        libc::RLIMIT_NICE => "RLIMIT_NICE",
        libc::RLIMIT_RTPRIO => "RLIMIT_RTPRIO",
        libc::RLIMIT_RTTIME => "RLIMIT_RTTIME",
        _ => "a limit",
    }
}
