//! The mounts of a container: Podman's, the generated files, devices, and what the user asks for.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;

use super::super::engine::Containers;
use super::super::record::Record;
use super::super::request::{ImageVolumes, MountRequest, NamespaceMode};
use super::asked::{cdi_mount, text};
use super::devices::devices;
use super::shares_network;
use crate::error::{Error, Result};
use crate::net::NetworkMode;
use crate::runtime::spec::{SHM_BYTES, Shared, default_mounts, mount};

/// Where `--init-path`'s program is inside, as in Podman.
pub(in super::super) const INIT_PATH: &str = "/run/podman-init";

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
                    &["rw", "rprivate", "nosuid", "nodev", "tmpcopyup"],
                ));
            }
        } else if request.read_only {
            let mut devices = defaults.iter_mut().filter(|mount| {
                let at = mount.destination();
                at == Path::new("/dev") || at == Path::new("/dev/shm")
            });
            devices.by_ref().for_each(make_read_only);
        }
        if request.image_volumes == ImageVolumes::Tmpfs {
            for target in &record.image_volumes {
                own.push(mount(
                    target,
                    "tmpfs",
                    "tmpfs",
                    &["rprivate", "nosuid", "nodev", "noexec", "tmpcopyup"],
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
            own.push(self.volume_mount(record, volume)?);
        }
        for asked in &request.mounts {
            if matches!(asked, MountRequest::Volume { .. }) {
                continue; // among the record's volumes
            }
            let asked = self.asked_mount(record, asked)?;
            own.retain(|m| m.destination() != asked.destination());
            own.push(asked);
        }
        for asked in request.cdi.iter().flat_map(|cdi| &cdi.mounts) {
            let asked = cdi_mount(asked)?;
            own.retain(|m| m.destination() != asked.destination());
            own.push(asked);
        }
        if let Some(program) = request.init_path.as_ref().filter(|_| request.init) {
            let options = ["bind", "ro", "rprivate", "nosuid", "nodev"];
            own.push(mount(INIT_PATH, "bind", &text(program)?, &options));
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

fn make_read_only(mount: &mut Mount) {
    let mut options = mount.options().clone().unwrap_or_default();
    options.push("ro".to_owned());
    mount.set_options(Some(options));
}

fn make_writable(mount: &mut Mount) {
    if let Some(mut options) = mount.options().clone() {
        options.retain(|o| o != "ro");
        mount.set_options(Some(options));
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
