//! What this host lacks or forbids, each with the remedy.
//!
//! What only one part needs is worded there: subordinate ids and their helpers in `userns/mode`, the network's programs
//! and `/dev/net/tun` in `net`, overlay in `storage/overlay`. Here is what everything needs: a user without root's
//! rights, and user namespaces. Nothing is read before a call has failed.

use std::fs;

use nix::errno::Errno;
use nix::unistd::{geteuid, getuid};

use crate::error::{Error, Kind, Result};

/// Refuses to work as the host's root, and as a set-uid program.
///
/// The root of a container would be the host's user 0: files of `/proc/sys` and all of root's files would be its own.
/// Root of a user namespace (another container's root, say) is an ordinary user of the host and may go on.
pub fn refuse_root() -> Result<()> {
    if getuid() != geteuid() {
        return Err(Error::new(
            Kind::Unsupported,
            format!("start as uid {} with the rights of uid {}: pod is not made to be a set-uid program", getuid(), geteuid()),
        )
        .hint("as root: chmod u-s,g-s on the program"));
    }
    if !geteuid().is_root() {
        return Ok(());
    }
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if root_is_host_root(&map) {
        return Err(Error::new(
            Kind::Unsupported,
            "run as root: pod is for ordinary users, and the root of a container must not be the host's",
        )
        .hint("run it as another user, such as: runuser -u USER -- pod …"));
    }
    Ok(())
}

/// Tells from a `uid_map` whether uid 0 here is uid 0 of the host; when in doubt, it is.
fn root_is_host_root(map: &str) -> bool {
    let extents: Vec<Vec<u32>> = map
        .lines()
        .map(|line| {
            line.split_ascii_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect()
        })
        .collect();
    match extents
        .iter()
        .find(|extent| extent.first() == Some(&0))
        .map(Vec::as_slice)
    {
        Some([_, outside, _]) => *outside == 0,
        _ => true,
    }
}

/// The switches of a host that forbid user namespaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Switches {
    /// `user.max_user_namespaces`
    max: Option<u64>,
    /// `kernel.unprivileged_userns_clone`, Debian's and Arch's hardened kernels.
    clone: Option<u64>,
    /// `kernel.apparmor_restrict_unprivileged_userns`, Ubuntu from 23.10 on.
    apparmor: Option<u64>,
    /// Where our program is, for the AppArmor profile.
    program: String,
}

impl Switches {
    fn read() -> Self {
        let number = |name: &str| {
            fs::read_to_string(format!("/proc/sys/{name}"))
                .ok()?
                .trim()
                .parse()
                .ok()
        };
        Self {
            max: number("user/max_user_namespaces"),
            clone: number("kernel/unprivileged_userns_clone"),
            apparmor: number("kernel/apparmor_restrict_unprivileged_userns"),
            program: std::env::current_exe()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
        }
    }
}

/// Words the failure to make a user namespace, naming the switch that forbids it.
pub fn no_namespace(errno: Errno, tried: &str) -> Error {
    word(errno, tried, &Switches::read())
}

fn word(errno: Errno, tried: &str, switches: &Switches) -> Error {
    let err = Error::os(errno, tried);
    let remedy = match errno {
        Errno::ENOSPC | Errno::EUSERS if switches.max == Some(0) => {
            "user namespaces are off on this machine (user.max_user_namespaces=0); \
             ask for: sysctl -w user.max_user_namespaces=28633"
                .to_owned()
        }
        Errno::ENOSPC | Errno::EUSERS => {
            "too many user namespaces exist; see user.max_user_namespaces".to_owned()
        }
        Errno::EPERM | Errno::EACCES if switches.clone == Some(0) => {
            "user namespaces are off for users (kernel.unprivileged_userns_clone=0); \
             ask for: sysctl -w kernel.unprivileged_userns_clone=1"
                .to_owned()
        }
        Errno::EPERM | Errno::EACCES if switches.apparmor.is_some_and(|on| on != 0) => format!(
            "AppArmor keeps unknown programs from user namespaces \
             (kernel.apparmor_restrict_unprivileged_userns=1); ask for a file /etc/apparmor.d/pod with: \
             abi <abi/4.0>, profile pod {} flags=(unconfined) {{ userns, }}; then: apparmor_parser -r /etc/apparmor.d/pod",
            switches.program
        ),
        Errno::EPERM | Errno::EACCES => {
            "user namespaces are refused here: inside a chroot, or a container whose seccomp or LSM rules forbid them; \
             with Docker or Podman outside, start that one with --security-opt seccomp=unconfined"
                .to_owned()
        }
        Errno::EINVAL | Errno::ENOSYS => "this kernel has no user namespaces (CONFIG_USER_NS)".to_owned(),
        _ => return err,
    };
    err.with_kind(Kind::Unsupported).hint(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_a_user_namespace_is_an_ordinary_user() {
        for (map, host) in [
            ("         0          0 4294967295\n", true),
            (
                "         0       1000          1\n         1     100000      65536\n",
                false,
            ),
            ("      1000       1000          1\n", true),
            ("", true),
        ] {
            assert_eq!(root_is_host_root(map), host, "{map:?}");
        }
    }

    #[test]
    fn the_switch_that_forbids_namespaces_is_named() {
        let base = Switches {
            max: Some(100),
            program: "/usr/bin/pod".into(),
            ..Switches::default()
        };
        let table = [
            (
                Errno::ENOSPC,
                Switches {
                    max: Some(0),
                    ..base.clone()
                },
                "user.max_user_namespaces=0",
            ),
            (Errno::ENOSPC, base.clone(), "too many user namespaces"),
            (
                Errno::EPERM,
                Switches {
                    clone: Some(0),
                    ..base.clone()
                },
                "unprivileged_userns_clone=1",
            ),
            (
                Errno::EPERM,
                Switches {
                    apparmor: Some(1),
                    ..base.clone()
                },
                "profile pod /usr/bin/pod flags",
            ),
            (Errno::EPERM, base.clone(), "seccomp"),
            (Errno::EINVAL, base.clone(), "CONFIG_USER_NS"),
        ];
        for (errno, switches, want) in table {
            let err = word(errno, "make namespaces", &switches);
            assert_eq!(err.kind(), Kind::Unsupported);
            assert!(
                err.remedy().is_some_and(|hint| hint.contains(want)),
                "{err:?}"
            );
        }
        assert_eq!(word(Errno::ENOMEM, "make namespaces", &base).remedy(), None);
    }
}
