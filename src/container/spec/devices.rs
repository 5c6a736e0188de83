//! Devices of the host in a container. A user namespace makes no device nodes: they are bound.

use std::path::{Path, PathBuf};

use super::super::record::Record;

pub(super) struct Device {
    pub source: PathBuf,
    pub target: PathBuf,
    pub writable: bool,
}

/// `--device`, and with `--privileged` every device of the host this user may use. Rootless: bound, not made.
pub(super) fn devices(record: &Record) -> Vec<Device> {
    let of_specs = record.request.cdi.iter().flat_map(|cdi| &cdi.devices);
    let asked = record
        .request
        .devices
        .iter()
        .chain(of_specs)
        .map(|d| Device {
            source: d.source.clone(),
            target: d.target.clone(),
            writable: d.permissions.is_empty() || d.permissions.contains('w'),
        });
    let mut all: Vec<Device> = asked.collect();
    if record.request.privileged {
        let mut found = Vec::new();
        host_devices(Path::new("/dev"), 0, &mut found);
        let new = found
            .into_iter()
            .filter(|path| !all.iter().any(|d| d.target == *path));
        let new: Vec<Device> = new
            .map(|path| Device {
                source: path.clone(),
                target: path,
                writable: true,
            })
            .collect();
        all.extend(new);
    }
    all
}

/// As Podman: everything but what a container has of its own.
fn host_devices(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    use std::os::unix::fs::FileTypeExt;
    const OWN: [&str; 15] = [
        "pts",
        "shm",
        "fd",
        "mqueue",
        ".lxc",
        ".lxd-mounts",
        ".udev",
        "console",
        "tty",
        "ptmx",
        "null",
        "zero",
        "full",
        "random",
        "urandom",
    ];
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if depth == 0 && OWN.iter().any(|own| name == *own) {
            continue;
        }
        if kind.is_dir() && depth < 2 {
            host_devices(&entry.path(), depth + 1, found);
        } else if (kind.is_char_device() || kind.is_block_device())
            && rustix::fs::access(entry.path(), rustix::fs::Access::READ_OK).is_ok()
        {
            found.push(entry.path());
        }
    }
}
