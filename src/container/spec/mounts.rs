//! The mounts of a container: Podman's, the generated files, devices, and what the user asks for.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;

use super::super::engine::Containers;
use super::super::merge::clean_target;
use super::super::record::Record;
use super::super::request::{ImageVolumes, MountOptions, MountRequest, NamespaceMode};
use super::shares_network;
use crate::error::{Error, Kind, Result};
use crate::net::NetworkMode;
use crate::runtime::spec::{SHM_BYTES, Shared, default_mounts, mount};

impl Containers {
    /// Podman's mounts, the generated files, and what the user asks for.
    pub(super) fn mounts(&self, record: &Record) -> Result<Vec<Mount>> {
        let request = &record.request;
        let shared = Shared {
            pid: request.pid == NamespaceMode::Host,
            ipc: request.ipc == NamespaceMode::Host,
            net: shares_network(record),
            cgroup: request.cgroupns == NamespaceMode::Host,
        };
        let shm = match &request.ipc {
            NamespaceMode::None | NamespaceMode::Container(_) => None,
            _ => Some(request.shm_size.unwrap_or(SHM_BYTES)),
        };
        let mut defaults = default_mounts(shared, shm, &record.ids);
        if request.privileged {
            defaults.iter_mut().for_each(make_writable);
        }
        let mut own = self.files(record);
        if request.read_only && request.read_only_tmpfs.unwrap_or(true) {
            for target in ["/run", "/tmp", "/var/tmp"] {
                own.push(mount(
                    target,
                    "tmpfs",
                    "tmpfs",
                    &["rw", "rprivate", "nosuid", "nodev", "mode=1777"],
                ));
            }
        }
        if request.image_volumes == ImageVolumes::Tmpfs {
            for target in &record.image_volumes {
                own.push(mount(
                    target,
                    "tmpfs",
                    "tmpfs",
                    &["rprivate", "nosuid", "nodev", "noexec"],
                ));
            }
        }
        for device in devices(record) {
            let options = [
                "bind",
                "rprivate",
                "nosuid",
                "noexec",
                if device.writable { "rw" } else { "ro" },
            ];
            own.push(mount(
                &text(&device.target)?,
                "bind",
                &text(&device.source)?,
                &options,
            ));
        }
        if let Some(zone) = timezone(request.timezone.as_deref())? {
            own.push(mount(
                "/etc/localtime",
                "bind",
                &text(&zone)?,
                &["bind", "ro", "rprivate", "nosuid", "nodev"],
            ));
        }
        for volume in &record.volumes {
            let asked = MountRequest::Bind {
                source: self.volumes().source(&volume.name)?,
                target: volume.target.clone(),
                options: volume.options.clone(),
            };
            own.push(user_mount(&asked)?);
        }
        for asked in &request.mounts {
            if matches!(asked, MountRequest::Volume { .. }) {
                continue; // among the record's volumes
            }
            let asked = user_mount(asked)?;
            own.retain(|m| m.destination() != asked.destination());
            own.push(asked);
        }
        // A mount hides what was mounted below it before: outer ones come first.
        own.sort_by_key(|m| m.destination().components().count());
        defaults.retain(|m| !own.iter().any(|o| o.destination() == m.destination()));
        defaults.extend(own);
        Ok(defaults)
    }

    /// The generated files; the starter writes them into the runtime directory.
    fn files(&self, record: &Record) -> Vec<Mount> {
        let request = &record.request;
        // Containers that share a network share its names too.
        let of_network = match &record.network {
            NetworkMode::Container { id } => self.run_dir(id),
            _ => self.run_dir(&record.id),
        };
        let own = self.run_dir(&record.id);
        let wanted = [
            ("/etc/hosts", of_network.join("hosts"), !request.no_hosts),
            ("/etc/resolv.conf", of_network.join("resolv.conf"), true),
            ("/etc/hostname", own.join("hostname"), !request.no_hostname),
            ("/run/.containerenv", own.join(".containerenv"), true),
        ];
        let options = ["bind", "rprivate", "nosuid", "noexec", "nodev"];
        wanted
            .iter()
            .filter(|(_, _, wanted)| *wanted)
            .map(|(target, source, _)| mount(target, "bind", &source.to_string_lossy(), &options))
            .collect()
    }
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::usage(format!("mount {}: the path is not UTF-8", path.display())))
}

fn user_mount(asked: &MountRequest) -> Result<Mount> {
    let target = |target: &str| {
        clean_target(target)
            .ok_or_else(|| Error::usage(format!("invalid container path {target:?}")))
    };
    Ok(match asked {
        MountRequest::Bind {
            source,
            target: to,
            options,
        } => {
            let kind = if options.non_recursive {
                "bind"
            } else {
                "rbind"
            };
            let mut words = vec![kind.to_owned()];
            words.push(
                options
                    .propagation
                    .clone()
                    .unwrap_or_else(|| "rprivate".to_owned()),
            );
            words.extend(attributes(options, [true, true, false]));
            mount(&target(to)?, "bind", &text(source)?, &refs(&words))
        }
        MountRequest::Tmpfs {
            target: to,
            data,
            options,
        } => {
            let mut words = vec![
                options
                    .propagation
                    .clone()
                    .unwrap_or_else(|| "rprivate".to_owned()),
            ];
            words.extend(attributes(options, [true, true, false]));
            words.extend(data.iter().cloned());
            mount(&target(to)?, "tmpfs", "tmpfs", &refs(&words))
        }
        MountRequest::Volume { .. } => {
            return Err(Error::new(
                Kind::System,
                "mount a volume without its directory",
            ));
        }
        MountRequest::Devpts { target: to, data } => {
            let mut words = vec![
                "nosuid".to_owned(),
                "noexec".to_owned(),
                "newinstance".to_owned(),
            ];
            words.extend(data.iter().cloned());
            mount(&target(to)?, "devpts", "devpts", &refs(&words))
        }
    })
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// `defaults`: nosuid, nodev, noexec where the user says nothing.
fn attributes(options: &MountOptions, defaults: [bool; 3]) -> Vec<String> {
    let mut words = vec![if options.read_only { "ro" } else { "rw" }];
    let flags = [
        (options.nosuid, "nosuid", "suid"),
        (options.nodev, "nodev", "dev"),
        (options.noexec, "noexec", "exec"),
    ];
    for ((asked, on, off), default) in flags.into_iter().zip(defaults) {
        match asked {
            Some(true) => words.push(on),
            Some(false) => words.push(off),
            None if default => words.push(on),
            None => {}
        }
    }
    words.into_iter().map(str::to_owned).collect()
}

fn make_writable(mount: &mut Mount) {
    if let Some(mut options) = mount.options().clone() {
        options.retain(|o| o != "ro");
        mount.set_options(Some(options));
    }
}

struct Device {
    source: PathBuf,
    target: PathBuf,
    writable: bool,
}

/// `--device`, and with `--privileged` every device of the host this user may use. Rootless: bound, not made.
fn devices(record: &Record) -> Vec<Device> {
    let asked = record.request.devices.iter().map(|d| Device {
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

/// `--tz`: the host's zone file to show as `/etc/localtime`.
pub(super) fn timezone(asked: Option<&str>) -> Result<Option<PathBuf>> {
    let Some(zone) = asked else { return Ok(None) };
    let bad = |why: &str| Error::usage(format!("timezone {zone:?}: {why}"));
    let path = match zone {
        "local" => PathBuf::from("/etc/localtime"),
        _ if zone.starts_with('/') || zone.split('/').any(|part| part == "..") => {
            return Err(bad("not the name of a zone"));
        }
        _ => Path::new("/usr/share/zoneinfo").join(zone),
    };
    match path.canonicalize() {
        Ok(path) if path.is_file() => Ok(Some(path)),
        _ => Err(bad("unknown on this host").hint("install tzdata")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_says_beats_the_default() {
        let options = MountOptions {
            nosuid: Some(false),
            noexec: Some(true),
            read_only: true,
            ..Default::default()
        };
        assert_eq!(
            attributes(&options, [true, true, false]),
            ["ro", "suid", "nodev", "noexec"]
        );
    }
}
