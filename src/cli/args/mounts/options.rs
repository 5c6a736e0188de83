//! Mount options that `-v`, `--mount` and `--tmpfs` share.

use crate::container::request::{MountOptions, OverlayDirs};
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
    let mut dirs = (None, None);
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
    for &flag in &flags {
        match flag {
            "z" | "Z" => options.relabel = flag.chars().next(),
            "O" => options.overlay = true,
            "bind" => options.non_recursive = true,
            "rbind" => options.non_recursive = false,
            // How volumes are filled, see `volume`: of no meaning for a directory of the host.
            "copy" | "nocopy" => {}
            flag if flag == "idmap" || flag.starts_with("idmap=") => return Err(no_idmap(flag)),
            flag if flag.starts_with("upperdir=") => dirs.0 = Some(&flag["upperdir=".len()..]),
            flag if flag.starts_with("workdir=") => dirs.1 = Some(&flag["workdir=".len()..]),
            flag if common(flag, options) => {}
            flag => return Err(Error::usage(format!("invalid option type {flag:?}"))),
        }
    }
    options.overlay_dirs = match dirs {
        (None, None) => None,
        (Some(upper), Some(work)) => Some(OverlayDirs {
            upper: super::host_path(upper)?,
            work: super::host_path(work)?,
        }),
        _ => return Err(Error::usage("must specify both `upperdir` and `workdir`")),
    };
    let with_overlay = |flag: &&str| {
        matches!(*flag, "O" | "U" | "z" | "Z")
            || flag.starts_with("upperdir=")
            || flag.starts_with("workdir=")
    };
    match options.overlay {
        true if !flags.iter().all(with_overlay) => {
            Err(Error::usage("can't use 'O' with other options"))
        }
        false if options.overlay_dirs.is_some() => Err(Error::usage(
            "upperdir and workdir are options of an overlay: use them with 'O'",
        )),
        _ => Ok(()),
    }
}

/// Options of which one alone makes sense, with Podman's words for them.
const GROUPS: [(&str, &[&str]); 8] = [
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
    ("'copy' or 'nocopy'", &["copy", "nocopy"]),
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
        None if flag == "notmpcopyup" => options.no_copy_up = true,
        None if flag == "tmpcopyup" => options.no_copy_up = false,
        None if matches!(
            flag,
            "noswap" | "noatime" | "relatime" | "strictatime" | "nodiratime" | "diratime" | "async"
        ) =>
        {
            data.push(flag.to_owned());
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

/// `idmap`, which no plain user can have.
pub fn no_idmap(flag: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!(
            "mount option {flag:?}: the kernel lets only the owner of a file system map its ids (mount_setattr(2)), \
             which is root of this host and not a rootless container"
        ),
    )
    .hint("--userns=keep-id shows your files as yours inside; the option U gives them to the container's user")
}

/// `z` and `Z` ask for a label, which means something only where SELinux is on.
pub fn check_label(options: &MountOptions) -> Result<()> {
    match options.relabel {
        Some(label) if std::path::Path::new("/sys/fs/selinux/enforce").exists() => Err(Error::new(
            Kind::Unsupported,
            format!(
                "mount option {:?}: this version sets no SELinux labels",
                label.to_string()
            ),
        )
        .hint("leave it out, and use chcon -t container_file_t on the directory")),
        _ => Ok(()),
    }
}
