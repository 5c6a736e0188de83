//! Mount options that `-v`, `--mount` and `--tmpfs` share.

use crate::container::request::MountOptions;
use crate::error::{Error, Kind, Result};

/// Sets `flag` if it is one that every kind of mount takes; tells whether it was.
pub fn common(flag: &str, options: &mut MountOptions) -> bool {
    match flag {
        "ro" | "readonly" => options.read_only = true,
        "rw" => options.read_only = false,
        "nosuid" => options.nosuid = Some(true),
        "suid" => options.nosuid = Some(false),
        "nodev" => options.nodev = Some(true),
        "dev" => options.nodev = Some(false),
        "noexec" => options.noexec = Some(true),
        "exec" => options.noexec = Some(false),
        "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" | "unbindable"
        | "runbindable" => options.propagation = Some(flag.to_owned()),
        "U" => options.chown = true,
        _ => return false,
    }
    true
}

/// Options after the second colon of `-v`.
pub fn of_volume(flags: &str, options: &mut MountOptions) -> Result<()> {
    let flags: Vec<&str> = flags.split(',').filter(|flag| !flag.is_empty()).collect();
    for (group, names) in GROUPS {
        let given: Vec<&str> = flags
            .iter()
            .copied()
            .filter(|f| names.contains(f))
            .collect();
        if given.len() > 1 {
            return Err(Error::usage(format!(
                "invalid options \"{}\", can only specify 1 {group} option",
                given.join(", ")
            )));
        }
    }
    for flag in flags {
        match flag {
            "z" | "Z" => options.relabel = flag.chars().next(),
            "O" => options.overlay = true,
            "bind" => options.non_recursive = true,
            "rbind" => options.non_recursive = false,
            // How volumes are filled, see `volume`: of no meaning for a directory of the host.
            "copy" | "nocopy" => {}
            flag if flag == "idmap" || flag.starts_with("idmap=") => return Err(later(flag)),
            flag if flag.starts_with("upperdir=") || flag.starts_with("workdir=") => {
                return Err(later(flag));
            }
            flag if common(flag, options) => {}
            flag => return Err(Error::usage(format!("invalid option type {flag:?}"))),
        }
    }
    Ok(())
}

/// Options of which one alone makes sense, with Podman's words for them.
const GROUPS: [(&str, &[&str]); 7] = [
    ("'rw' or 'ro'", &["rw", "ro"]),
    ("'z' or 'Z'", &["z", "Z"]),
    (
        "'[r]shared', '[r]private', '[r]slave' or '[r]unbindable'",
        &[
            "shared",
            "rshared",
            "private",
            "rprivate",
            "slave",
            "rslave",
            "unbindable",
            "runbindable",
        ],
    ),
    ("'exec' or 'noexec'", &["exec", "noexec"]),
    ("'dev' or 'nodev'", &["dev", "nodev"]),
    ("'suid' or 'nosuid'", &["suid", "nosuid"]),
    ("'[r]bind'", &["bind", "rbind"]),
];

/// One option of `--tmpfs`; what the kernel's tmpfs reads goes to `data`.
pub fn of_tmpfs(flag: &str, options: &mut MountOptions, data: &mut Vec<String>) -> Result<()> {
    match flag.split_once('=') {
        Some((
            "size" | "mode" | "uid" | "gid" | "nr_inodes" | "nr_blocks" | "huge" | "mpol",
            _,
        )) => {
            data.push(flag.to_owned());
        }
        // Nothing is copied up: saying so changes nothing.
        None if flag == "notmpcopyup" => {}
        None if flag == "tmpcopyup" => return Err(later(flag)),
        None if matches!(flag, "noatime" | "atime" | "relatime" | "sync" | "async") => {
            return Err(later(flag));
        }
        None if common(flag, options) => {}
        _ => {
            return Err(Error::usage(format!(
                "unknown mount option {flag:?}: invalid mount option"
            )));
        }
    }
    Ok(())
}

/// A known option that nobody implements yet.
pub fn later(flag: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!("mount option {flag:?} is not available in this version of pod"),
    )
}
