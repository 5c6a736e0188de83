//! `--security-opt`, `--ulimit`, `--device`, `--sysctl`, capabilities.

use std::path::{Path, PathBuf};

use crate::container::device;
use crate::container::request::{DeviceRequest, SecurityOpt, Ulimit};
use crate::error::{Error, Kind, Result};

use super::value;

/// One `--security-opt`; `None` when it asks for what happens anyway.
pub fn option(text: &str) -> Result<Option<SecurityOpt>> {
    if text == "no-new-privileges" {
        return Ok(Some(SecurityOpt::NoNewPrivileges));
    }
    let Some((name, rest)) = text.split_once('=').or_else(|| text.split_once(':')) else {
        return Err(Error::usage(format!("invalid --security-opt 1: {text:?}")));
    };
    Ok(Some(match name {
        "no-new-privileges" => {
            let on = value::boolean(rest)
                .map_err(|_| Error::usage(format!("invalid --security-opt 2: {text:?}")))?;
            return Ok(on.then_some(SecurityOpt::NoNewPrivileges));
        }
        "seccomp" if rest == "unconfined" => SecurityOpt::SeccompUnconfined,
        "seccomp" => {
            let path = std::path::absolute(rest)
                .map_err(|err| Error::io(&err, format!("find seccomp profile {rest:?}")))?;
            if let Err(err) = std::fs::metadata(&path) {
                return Err(Error::usage(format!(
                    "opening seccomp profile failed: open {rest}: {}",
                    reason(&err)
                )));
            }
            SecurityOpt::SeccompProfile(path)
        }
        "mask" => SecurityOpt::Mask(paths(rest)),
        "unmask" => SecurityOpt::Unmask(paths(rest)),
        "apparmor" if !Path::new("/sys/kernel/security/apparmor").exists() => return Ok(None),
        "apparmor" => SecurityOpt::Apparmor(rest.to_owned()),
        "label" if rest == "disable" => SecurityOpt::LabelDisable,
        "label" if !Path::new("/sys/fs/selinux/enforce").exists() => return Ok(None),
        "proc-opts" => SecurityOpt::ProcOpts(proc_options(rest)?),
        // Docker's way to say it.
        "systempaths" if rest == "unconfined" => SecurityOpt::Unmask(vec!["ALL".to_owned()]),
        "systempaths" => {
            return Err(Error::usage(format!(
                "invalid systempaths option {rest:?}, only `unconfined` is supported"
            )));
        }
        "label" => {
            return Err(Error::new(
                Kind::Unsupported,
                format!("--security-opt {name}={rest} is not available in this version of pod"),
            )
            .hint("labels of SELinux are not set; label=disable says so"));
        }
        _ => return Err(Error::usage(format!("invalid --security-opt 2: {text:?}"))),
    }))
}

/// What procfs takes (`Documentation/filesystems/proc.rst`, mount options).
fn proc_options(text: &str) -> Result<Vec<String>> {
    text.split(',')
        .filter(|option| !option.is_empty())
        .map(|option| match option.split_once('=') {
            Some(("hidepid" | "gid" | "subset", value)) if !value.is_empty() => {
                Ok(option.to_owned())
            }
            _ => Err(Error::usage(format!(
                "--security-opt proc-opts={text}: {option:?} is none of hidepid=, gid=, subset="
            ))),
        })
        .collect()
}

fn paths(text: &str) -> Vec<String> {
    text.split(':')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect()
}

fn reason(err: &std::io::Error) -> String {
    match err.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => err.to_string(),
    }
}

const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// All `--ulimit`: `host` stands for the limits of this process.
pub fn ulimits(texts: &[String]) -> Result<Vec<Ulimit>> {
    let mut limits: Vec<Ulimit> = Vec::new();
    for text in texts {
        let new = match text.as_str() {
            "host" => of_host(),
            text => vec![ulimit(text)?],
        };
        for limit in new {
            limits.retain(|known| known.name != limit.name);
            limits.push(limit);
        }
    }
    Ok(limits)
}

fn of_host() -> Vec<Ulimit> {
    use nix::sys::resource::{Resource as R, getrlimit};
    let kinds = [
        ("core", R::RLIMIT_CORE),
        ("cpu", R::RLIMIT_CPU),
        ("data", R::RLIMIT_DATA),
        ("fsize", R::RLIMIT_FSIZE),
        ("locks", R::RLIMIT_LOCKS),
        ("memlock", R::RLIMIT_MEMLOCK),
        ("msgqueue", R::RLIMIT_MSGQUEUE),
        ("nice", R::RLIMIT_NICE),
        ("nofile", R::RLIMIT_NOFILE),
        ("nproc", R::RLIMIT_NPROC),
        ("rss", R::RLIMIT_RSS),
        ("rtprio", R::RLIMIT_RTPRIO),
        ("rttime", R::RLIMIT_RTTIME),
        ("sigpending", R::RLIMIT_SIGPENDING),
        ("stack", R::RLIMIT_STACK),
    ];
    let limit = |(name, kind): (&str, R)| {
        let (soft, hard) = getrlimit(kind).ok()?;
        Some(Ulimit {
            name: name.to_owned(),
            soft,
            hard,
        })
    };
    kinds.into_iter().filter_map(limit).collect()
}

/// `NAME=SOFT[:HARD]`; `-1` is unlimited.
pub fn ulimit(text: &str) -> Result<Ulimit> {
    let bad = |why: String| {
        Error::usage(format!(
            "ulimit option {text:?} requires name=SOFT:HARD, failed to be parsed: {why}"
        ))
    };
    let Some((name, limits)) = text.split_once('=') else {
        return Err(bad(format!("invalid ulimit argument: {text}")));
    };
    let name = name.trim_start_matches("RLIMIT_").to_ascii_lowercase();
    if !ULIMITS.contains(&name.as_str()) {
        return Err(bad(format!("invalid ulimit type: {name}")));
    }
    let limit = |text: &str| match value::integer(text).map_err(bad)? {
        -1 => Ok(u64::MAX),
        n => u64::try_from(n).map_err(|_| bad(format!("invalid ulimit value: {n}"))),
    };
    let (soft, hard) = match limits.split_once(':') {
        Some((soft, hard)) => (limit(soft)?, limit(hard)?),
        None => (limit(limits)?, limit(limits)?),
    };
    if soft > hard {
        return Err(bad(format!(
            "ulimit soft limit must be less than or equal to hard limit: {limits}",
            limits = limits.replace(':', " > ")
        )));
    }
    Ok(Ulimit { name, soft, hard })
}

/// `HOST[:CONTAINER][:PERMISSIONS]`
pub fn device(text: &str) -> Result<Vec<DeviceRequest>> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, permissions) = match parts.as_slice() {
        [source] => (*source, *source, "rwm"),
        [source, second] if second.starts_with('/') => (*source, *second, "rwm"),
        [source, permissions] => (*source, *source, *permissions),
        [source, target, permissions] => (*source, *target, *permissions),
        _ => {
            return Err(Error::usage(format!(
                "invalid device specification: {text}"
            )));
        }
    };
    let known = |c: char| "rwm".contains(c);
    if permissions.is_empty() || !permissions.chars().all(known) {
        return Err(Error::usage(format!("invalid device mode: {permissions}")));
    }
    if !target.starts_with('/') {
        return Err(Error::usage(format!(
            "invalid container path {target:?}, must be an absolute path"
        )));
    }
    if let Err(err) = std::fs::metadata(source) {
        return Err(Error::usage(format!("stat {source}: {}", reason(&err))));
    }
    device::expand(&DeviceRequest {
        source: PathBuf::from(source),
        target: PathBuf::from(target),
        permissions: permissions.to_owned(),
    })
}

/// `NAME=VALUE` of a namespaced kernel parameter.
pub fn sysctl(text: &str) -> Result<(String, String)> {
    const ALLOWED: [&str; 9] = [
        "kernel.domainname",
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shm_rmid_forced",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
    ];
    let Some((name, value)) = text.split_once('=') else {
        return Err(Error::usage(format!(
            "{text} is invalid, sysctl values must be in the form of KEY=VALUE"
        )));
    };
    // Both spellings are one file; a `..` or an empty part would be another one.
    let name = name.trim().replace('/', ".");
    let sound = name.split('.').all(|part| !part.is_empty());
    let known = name.starts_with("net.") || name.starts_with("fs.mqueue.");
    if !sound || !(known || ALLOWED.contains(&name.as_str())) {
        return Err(Error::usage(format!("sysctl '{name}' is not allowed")));
    }
    Ok((name, value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn security_options() {
        use SecurityOpt::{Mask, NoNewPrivileges, SeccompUnconfined, Unmask};
        for (text, want) in [
            ("no-new-privileges", Some(NoNewPrivileges)),
            ("no-new-privileges:true", Some(NoNewPrivileges)),
            ("no-new-privileges=false", None),
            ("seccomp=unconfined", Some(SeccompUnconfined)),
            (
                "mask=/a:/b",
                Some(Mask(vec!["/a".to_owned(), "/b".to_owned()])),
            ),
            ("unmask=ALL", Some(Unmask(vec!["ALL".to_owned()]))),
        ] {
            assert_eq!(option(text).expect(text), want);
        }
        for (text, want) in [
            ("nope", "invalid --security-opt 1: \"nope\""),
            ("nope=1", "invalid --security-opt 2: \"nope=1\""),
            (
                "seccomp=/nosuch",
                "opening seccomp profile failed: open /nosuch: no such file or directory",
            ),
        ] {
            assert_eq!(option(text).expect_err(text).to_string(), want);
        }
    }

    #[test]
    fn ulimits() {
        let limit = |name: &str, soft, hard| Ulimit {
            name: name.to_owned(),
            soft,
            hard,
        };
        assert_eq!(
            ulimit("nofile=10:20").expect("valid"),
            limit("nofile", 10, 20)
        );
        assert_eq!(
            ulimit("core=-1").expect("valid"),
            limit("core", u64::MAX, u64::MAX)
        );
        for (text, want) in [
            ("nofile", "invalid ulimit argument: nofile"),
            (
                "nofile=x",
                "strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
            ("nope=1", "invalid ulimit type: nope"),
            (
                "nofile=5:3",
                "ulimit soft limit must be less than or equal to hard limit: 5 > 3",
            ),
        ] {
            let want = format!(
                "ulimit option {text:?} requires name=SOFT:HARD, failed to be parsed: {want}"
            );
            assert_eq!(ulimit(text).expect_err(text).to_string(), want);
        }
    }

    #[test]
    fn devices() {
        for (text, source, target, permissions) in [
            ("/dev/null", "/dev/null", "/dev/null", "rwm"),
            ("/dev/null:/dev/x", "/dev/null", "/dev/x", "rwm"),
            ("/dev/null:rw", "/dev/null", "/dev/null", "rw"),
            ("/dev/null:/dev/x:rwm", "/dev/null", "/dev/x", "rwm"),
        ] {
            let got = device(text).expect(text).remove(0);
            assert_eq!(got.source, Path::new(source));
            assert_eq!(got.target, Path::new(target));
            assert_eq!(got.permissions, permissions);
        }
        for (text, want) in [
            ("/dev/nope", "stat /dev/nope: no such file or directory"),
            ("/dev/null:/x:q", "invalid device mode: q"),
            (
                "/dev/null:/x:r:w",
                "invalid device specification: /dev/null:/x:r:w",
            ),
        ] {
            assert_eq!(device(text).expect_err(text).to_string(), want);
        }
    }

    #[test]
    fn sysctls() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            sysctl("net.ipv4.ip_forward=1").expect("net"),
            pair("net.ipv4.ip_forward", "1")
        );
        assert_eq!(
            sysctl("kernel/shmmax=5").expect("shm"),
            pair("kernel.shmmax", "5")
        );
        assert_eq!(
            sysctl("x").expect_err("no value").to_string(),
            "x is invalid, sysctl values must be in the form of KEY=VALUE"
        );
        for text in ["kernel.x=1", "net../x=1", "net.=1"] {
            assert!(sysctl(text).is_err(), "{text}");
        }
    }
}
