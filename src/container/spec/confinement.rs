//! What a container may do: capabilities, limits, kernel parameters, hidden paths and the seccomp filter.

use std::collections::HashMap;

use oci_spec::runtime::{
    LinuxCapabilities, LinuxCapabilitiesBuilder, PosixRlimit, PosixRlimitType,
};

use super::super::record::Record;
use super::super::request::{NamespaceMode, SecurityOpt};
use super::{built, shares_network};
use crate::error::{Error, Result};
use crate::net::NetworkMode;
use crate::runtime::caps::{CapSet, ProcessCaps};
use crate::runtime::seccomp::{self, Program};
use crate::runtime::spec::{
    default_rlimits, default_sysctls, hard_limit, masked_paths, readonly_paths, rlimit,
};

pub(super) fn bounding_set(record: &Record) -> Result<CapSet> {
    let request = &record.request;
    match request.privileged {
        true => CapSet::merge(CapSet::ALL, &Vec::<String>::new(), &request.cap_drop),
        false => {
            let base = match &request.default_capabilities {
                Some(names) => CapSet::parse(names)?,
                None => CapSet::DEFAULT,
            };
            CapSet::merge(base, &request.cap_add, &request.cap_drop)
        }
    }
}

pub(super) fn capabilities(bounding: CapSet) -> Result<LinuxCapabilities> {
    let caps = ProcessCaps::for_root(bounding);
    built(
        LinuxCapabilitiesBuilder::default()
            .bounding(caps.bounding.to_oci())
            .effective(caps.effective.to_oci())
            .permitted(caps.permitted.to_oci())
            .inheritable(caps.inheritable.to_oci())
            .ambient(caps.ambient.to_oci())
            .build(),
    )
}

pub(super) fn rlimits(record: &Record) -> Result<Vec<PosixRlimit>> {
    let mut limits = default_rlimits();
    for asked in &record.request.ulimits {
        let kind = rlimit_kind(&asked.name)
            .ok_or_else(|| Error::usage(format!("invalid ulimit type: {}", asked.name)))?;
        if asked.soft > asked.hard {
            return Err(Error::usage(format!(
                "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                asked.soft, asked.hard
            )));
        }
        limits.retain(|l| l.typ() != kind);
        // As Podman: no limit is the most that this user may have.
        let most = |limit| match limit {
            u64::MAX => hard_limit(kind),
            limit => limit,
        };
        limits.push(rlimit(kind, most(asked.soft), most(asked.hard)));
    }
    Ok(limits)
}

fn rlimit_kind(name: &str) -> Option<PosixRlimitType> {
    use PosixRlimitType as T;
    let name = name.to_ascii_lowercase();
    Some(match name.strip_prefix("rlimit_").unwrap_or(&name) {
        "as" => T::RlimitAs,
        "core" => T::RlimitCore,
        "cpu" => T::RlimitCpu,
        "data" => T::RlimitData,
        "fsize" => T::RlimitFsize,
        "locks" => T::RlimitLocks,
        "memlock" => T::RlimitMemlock,
        "msgqueue" => T::RlimitMsgqueue,
        "nice" => T::RlimitNice,
        "nofile" => T::RlimitNofile,
        "nproc" => T::RlimitNproc,
        "rss" => T::RlimitRss,
        "rtprio" => T::RlimitRtprio,
        "rttime" => T::RlimitRttime,
        "sigpending" => T::RlimitSigpending,
        "stack" => T::RlimitStack,
        _ => return None,
    })
}

/// Only what belongs to a namespace the container has of its own (`sysctl(8)` of anything else is the host's).
pub(super) fn sysctls(record: &Record) -> Result<HashMap<String, String>> {
    let request = &record.request;
    let own_net =
        !shares_network(record) && !matches!(record.network, NetworkMode::Container { .. });
    let mut all: HashMap<String, String> =
        default_sysctls(&record.ids, own_net).into_iter().collect();
    for (name, value) in &request.sysctls {
        let name = match name.contains('.') {
            true => name.clone(),
            false => name.replace('/', "."),
        };
        let clean = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/'));
        let (known, own, which) = match name.as_str() {
            n if n.starts_with("net.") => (true, own_net, "network"),
            n if n.starts_with("fs.mqueue.") => {
                (true, request.ipc == NamespaceMode::Private, "IPC")
            }
            "kernel.msgmax"
            | "kernel.msgmnb"
            | "kernel.msgmni"
            | "kernel.sem"
            | "kernel.shmall"
            | "kernel.shmmax"
            | "kernel.shmmni"
            | "kernel.shm_rmid_forced" => (true, request.ipc == NamespaceMode::Private, "IPC"),
            "kernel.domainname" | "kernel.hostname" => {
                (true, request.uts == NamespaceMode::Private, "UTS")
            }
            _ => (false, false, ""),
        };
        if !known || !clean || name.contains("..") {
            return Err(Error::usage(format!(
                "sysctl '{name}' is not allowed: it belongs to the whole host"
            )));
        }
        if !own {
            return Err(Error::usage(format!(
                "sysctl '{name}' is not allowed: the container has no {which} namespace of its own"
            )));
        }
        all.insert(name, value.clone());
    }
    Ok(all)
}

pub(super) fn masks(record: &Record) -> (Vec<String>, Vec<String>) {
    if record.request.privileged {
        return (Vec::new(), Vec::new());
    }
    let (mut masked, mut readonly) = (masked_paths(), readonly_paths());
    for opt in &record.request.security_opt {
        match opt {
            SecurityOpt::Mask(paths) => masked.extend(paths.iter().cloned()),
            SecurityOpt::Unmask(paths) if paths.iter().any(|p| p.eq_ignore_ascii_case("all")) => {
                masked.clear();
                readonly.clear();
            }
            SecurityOpt::Unmask(paths) => {
                let keep = |path: &String| !paths.iter().any(|pattern| unmasks(pattern, path));
                masked.retain(keep);
                readonly.retain(keep);
            }
            _ => {}
        }
    }
    (masked, readonly)
}

/// `/proc/acpi` itself, or `/proc/*`.
fn unmasks(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => path
            .strip_prefix(start)
            .is_some_and(|rest| !rest.contains('/')),
        None => pattern.trim_end_matches('/') == path,
    }
}

pub(super) fn filter(record: &Record, caps: CapSet) -> Result<Option<Program>> {
    let request = &record.request;
    let mut profile = None;
    let mut unconfined = request.privileged;
    for opt in &request.security_opt {
        match opt {
            SecurityOpt::SeccompUnconfined => unconfined = true,
            SecurityOpt::SeccompProfile(path) => {
                unconfined = false;
                profile = Some(seccomp::compile(&seccomp::load_profile(path, caps)?)?);
            }
            _ => {}
        }
    }
    let single = record.ids.is_single();
    let program = match (unconfined, profile) {
        (true, _) if single => return Ok(Some(seccomp::errno_filter())),
        (true, _) => return Ok(None),
        (false, Some(program)) => program,
        (false, None) => seccomp::default_profile(caps),
    };
    // Programs that drop ids must start where there is one id only.
    Ok(Some(if single {
        seccomp::with_errno_filter(&program)?
    } else {
        program
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmask_patterns() {
        let table = [
            ("/proc/acpi", "/proc/acpi", true),
            ("/proc/acpi/", "/proc/acpi", true),
            ("/proc/*", "/proc/acpi", true),
            ("/sys/*", "/sys/fs/selinux", false),
            ("/proc/a", "/proc/acpi", false),
        ];
        for (pattern, path, want) in table {
            assert_eq!(unmasks(pattern, path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn ulimit_names() {
        assert_eq!(rlimit_kind("nofile"), Some(PosixRlimitType::RlimitNofile));
        assert_eq!(
            rlimit_kind("RLIMIT_CORE"),
            Some(PosixRlimitType::RlimitCore)
        );
        assert_eq!(rlimit_kind("files"), None);
    }
}
