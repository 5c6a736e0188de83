//! The first half of `create`: everything is checked and decided here, and nothing is made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;

use crate::config;
use crate::error::{Error, Kind, Result};
use crate::image::Image;
use crate::net::{self, NetPlan, NetworkMode, PortMapping, Protocol, Surroundings};
use crate::userns;

use super::clock;
use super::engine::Containers;
use super::health::{self, HealthRequest};
use super::merge::{self, Merged, clean_target};
use super::names;
use super::record::{ImageOf, Record, VERSION, VolumeMount};
use super::request::{
    CreateRequest, ImageVolumes, MountOptions, MountRequest, NamespaceMode, SecurityOpt,
};
use super::spec;

/// Podman's, where neither user nor image say otherwise. Seconds.
const STOP_TIMEOUT: u32 = 10;

/// A container that could be made.
pub(super) struct Draft {
    pub record: Record,
    /// For another generated name, should this one be taken.
    pub seed: u64,
    /// `run`: the ports are checked and chosen, the network can be started.
    pub network: Option<NetPlan>,
}

impl Containers {
    /// Decides on a container. `will_start`: its ports must be free now.
    pub(super) fn draft(
        &self,
        mut request: CreateRequest,
        image: Option<&Image>,
        will_start: bool,
    ) -> Result<Draft> {
        let (id, seed) = names::new_id()?;
        let name = match &request.name {
            Some(name) => {
                names::check(name)?;
                self.check_name_free(name, request.replace)?;
                name.clone()
            }
            None => names::generate(seed),
        };
        check_cidfile(&request)?;
        let dependencies = self.resolve_joins(&mut request)?;
        let hostname = self.hostname(&request, &id)?;
        let config = image.and_then(|image| image.config.config().as_ref());
        let host = match (request.env_host, request.http_proxy.unwrap_or(true)) {
            (true, _) => host_env(),
            (false, true) => config::proxy::container_env(),
            (false, false) => Vec::new(),
        };
        let merged = merge::merge(&request, config, &hostname, &host)?;
        let from_others = self.volumes_from(&mut request)?;
        check_mounts(&request)?;
        self.check_secrets(&request)?;
        check_options(&request, image)?;
        super::cgroup::check(&request)?;
        let mut image_volumes = uncovered_volumes(&request, &merged);
        image_volumes.retain(|target| from_others.iter().all(|volume| volume.target != *target));
        let mut volumes = volume_mounts(&request, &image_volumes)?;
        volumes.extend(from_others);
        let ids = userns::mode::maps(
            &request.userns,
            self.me.uid.as_raw(),
            self.me.gid.as_raw(),
            || self.me.name(),
        )?;
        let network = request.network.clone().unwrap_or(NetworkMode::Pasta {
            options: Vec::new(),
        });
        let mut ports = request.publish.clone();
        if request.publish_all {
            publish_exposed(&mut ports, &merged);
        }
        if !ports.is_empty()
            && matches!(
                network,
                NetworkMode::Container { .. } | NetworkMode::Path { .. }
            )
        {
            return Err(Error::usage(
                "published or exposed ports must be defined by the owner of the network namespace that is joined",
            ));
        }
        let plan = match will_start || ports.iter().any(|port| port.host_port == 0) {
            true => Some(self.prepare_network(&network, &mut ports, &request.helpers)?),
            false => None,
        };
        let Merged {
            mut process,
            labels,
            exposed,
            stop_signal,
            ..
        } = merged;
        for entry in request.cdi.iter().flat_map(|cdi| &cdi.env) {
            let name = entry.split('=').next().unwrap_or_default();
            process
                .env
                .retain(|known| known.split('=').next() != Some(name));
            process.env.push(entry.clone());
        }
        let none = HealthRequest::default();
        let health = health::decide(
            request.health.as_deref().unwrap_or(&none),
            image.and_then(|image| image.healthcheck.as_ref()),
        )?;
        let mut record = Record {
            accounts: Vec::new(),
            version: VERSION,
            id,
            name,
            created: clock::now(),
            image: image.map(|image| ImageOf {
                id: image.id.clone(),
                name: image_name(image, &request.image),
                digest: image.digest.clone(),
            }),
            layers: image.map(|image| image.layers.clone()).unwrap_or_default(),
            process,
            ids,
            network,
            ports,
            exposed,
            labels,
            hostname,
            stop_signal,
            stop_timeout: request.stop_timeout.unwrap_or(STOP_TIMEOUT),
            health: health.map(Box::new),
            volumes,
            image_volumes,
            dependencies,
            pid_mode: request.pid.clone(),
            request,
        };
        record.accounts = self.accounts(&record)?;
        spec::check(&record)?;
        Ok(Draft {
            record,
            seed,
            network: plan.filter(|_| will_start),
        })
    }

    /// [`net::prepare`], where the containers of this store are the possible holders of a busy port.
    pub(super) fn prepare_network(
        &self,
        network: &NetworkMode,
        ports: &mut Vec<PortMapping>,
        helpers: &[PathBuf],
    ) -> Result<NetPlan> {
        let holder = |port: u16, protocol: Protocol| {
            let (all, _) = self.list().ok()?;
            let mut all = all.iter().filter(|container| container.state.is_alive());
            let found = all.find(|container| {
                let mut ports = container.record.ports.iter();
                ports.any(|p| p.protocol == protocol && p.host_ports().contains(&port))
            })?;
            Some(format!("container {:?}", found.record.name))
        };
        let surroundings = Surroundings {
            run: &self.dirs.run,
            helpers,
            holder: Some(&holder),
        };
        net::prepare(network, ports, &surroundings)
    }

    /// A name that a container has is refused, unless `--replace`.
    pub(super) fn check_name_free(&self, name: &str, replace: bool) -> Result<()> {
        match self.id_of_name(name)? {
            Some(id) if !replace && self.load_record(&id)?.is_some() => Err(name_taken(name, &id)),
            _ => Ok(()),
        }
    }

    /// Turns names in `container:NAME` into full ids; the containers joined must run when this one starts.
    fn resolve_joins(&self, request: &mut CreateRequest) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        let CreateRequest {
            pid,
            ipc,
            uts,
            cgroupns,
            network,
            ..
        } = request;
        for mode in [pid, ipc, uts, cgroupns] {
            if let NamespaceMode::Container(of) = mode {
                *of = self.find(of)?.record.id;
                ids.push(of.clone());
            }
        }
        if let Some(NetworkMode::Container { id }) = network {
            *id = self.find(id)?.record.id;
            ids.push(id.clone());
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn hostname(&self, request: &CreateRequest, id: &str) -> Result<String> {
        match (&request.hostname, &request.uts) {
            (Some(_), NamespaceMode::Host) => Err(Error::usage(
                "cannot set hostname when running in the host UTS namespace: invalid configuration",
            )),
            (Some(name), _) => {
                let fits =
                    !name.is_empty() && name.len() <= 64 && !name.contains(['\0', '/', '\n']);
                match fits {
                    true => Ok(name.clone()),
                    false => Err(Error::usage(format!(
                        "hostname {name:?}: not a host name of 64 bytes at most"
                    ))),
                }
            }
            (None, NamespaceMode::Host) => Ok(rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned()),
            (None, NamespaceMode::Container(of)) => Ok(self.find(of)?.record.hostname),
            // Podman: with the host's network the host's name is kept.
            (None, _) if request.network == Some(NetworkMode::Host) => Ok(rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned()),
            (None, _) => Ok(id[..12].to_owned()),
        }
    }
}

/// All variables of this process that are text (`--env-host`).
fn host_env() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

pub(super) fn name_taken(name: &str, id: &str) -> Error {
    Error::new(
        Kind::InUse,
        format!(
            "creating container storage: the container name {name:?} is already in use by {id}. You have to remove \
             that container to be able to reuse that name: that name is already in use, or use --replace to instruct \
             Podman to do so."
        ),
    )
}

fn check_cidfile(request: &CreateRequest) -> Result<()> {
    match &request.cidfile {
        Some(path) if std::fs::symlink_metadata(path).is_ok() => Err(Error::new(
            Kind::InUse,
            format!(
                "container id file exists. Ensure another container is not using it or delete {}",
                path.display()
            ),
        )),
        _ => Ok(()),
    }
}

/// The name the user knows the image by: the one that was typed, when the image has it.
fn image_name(image: &Image, typed: &str) -> String {
    let tagged = format!("{typed}:latest");
    let matches = |name: &&String| {
        [typed, &tagged]
            .iter()
            .any(|t| *name == t || name.ends_with(&format!("/{t}")))
    };
    let name = image
        .names
        .iter()
        .find(matches)
        .or_else(|| image.names.first());
    name.cloned().unwrap_or_else(|| image.id.clone())
}

fn check_mounts(request: &CreateRequest) -> Result<()> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for mount in &request.mounts {
        match mount {
            MountRequest::Bind {
                source, options, ..
            } => check_bind(source, options)?,
            MountRequest::Volume {
                name: Some(name), ..
            } => crate::volume::check_name(name)?,
            _ => {}
        }
        let target = mount.target();
        let clean = clean_target(target).ok_or_else(|| match target.starts_with('/') {
            true => Error::usage("invalid container path \"/\", must not be the root directory"),
            false => Error::usage(format!(
                "invalid container path {target:?}, must be an absolute path"
            )),
        })?;
        if let Some(twice) = seen.replace(clean) {
            return Err(Error::usage(format!(
                "{twice}: duplicate mount destination"
            )));
        }
    }
    Ok(())
}

fn check_bind(source: &Path, options: &MountOptions) -> Result<()> {
    if options.no_dereference && std::fs::symlink_metadata(source).is_ok_and(|m| m.is_symlink()) {
        return Ok(());
    }
    let flags = check_source(source)?;
    // The kernel locks what the host has set (mount_namespaces(7)).
    let locked = [
        (options.nosuid, StatVfsMountFlags::NOSUID, "suid"),
        (options.nodev, StatVfsMountFlags::NODEV, "dev"),
        (options.noexec, StatVfsMountFlags::NOEXEC, "exec"),
    ];
    for (asked, flag, word) in locked {
        if asked == Some(false) && flags.contains(flag) {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "mount {}: option {word:?}: the host mounts it with \"no{word}\", which a user namespace cannot undo",
                    source.display()
                ),
            ));
        }
    }
    let overlay_needs = |path: &Path, what: &str| match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::os(
            nix::errno::Errno::ENOTDIR,
            format!("use {} as {what} of an overlay", path.display()),
        )),
        Err(err) => Err(Error::io(
            &err,
            format!("use {} as {what} of an overlay", path.display()),
        )),
    };
    if options.overlay {
        overlay_needs(source, "the lower directory")?;
    }
    if let Some(dirs) = &options.overlay_dirs {
        overlay_needs(&dirs.upper, "upperdir")?;
        overlay_needs(&dirs.work, "workdir")?;
    }
    Ok(())
}

/// The volumes that were asked for, then those of the image; anonymous ones get their names here.
fn volume_mounts(request: &CreateRequest, of_image: &[String]) -> Result<Vec<VolumeMount>> {
    let mut volumes = Vec::new();
    for mount in &request.mounts {
        let MountRequest::Volume {
            name,
            target,
            options,
            copy,
        } = mount
        else {
            continue;
        };
        volumes.push(VolumeMount {
            name: match name {
                Some(name) => name.clone(),
                None => names::new_id()?.0,
            },
            target: clean_target(target).unwrap_or_else(|| target.clone()),
            options: options.clone(),
            anonymous: name.is_none(),
            copy: *copy,
        });
    }
    if request.image_volumes == ImageVolumes::Anonymous {
        for target in of_image {
            volumes.push(VolumeMount {
                name: names::new_id()?.0,
                target: target.clone(),
                options: MountOptions::default(),
                anonymous: true,
                copy: true,
            });
        }
    }
    Ok(volumes)
}

fn check_source(source: &Path) -> Result<StatVfsMountFlags> {
    match rustix::fs::statvfs(source) {
        Ok(found) => Ok(found.f_flag),
        Err(rustix::io::Errno::NOENT) => Err(Error::new(
            Kind::NotFound,
            format!("statfs {}: no such file or directory", source.display()),
        )
        .with_kind(Kind::System)),
        Err(errno) => Err(Error::os(
            nix::errno::Errno::from_raw(errno.raw_os_error()),
            format!("statfs {}", source.display()),
        )),
    }
}

/// What can be told to fail before anything is made.
fn check_options(request: &CreateRequest, image: Option<&Image>) -> Result<()> {
    let unsupported = |what: &str| {
        Err(Error::new(
            Kind::Unsupported,
            format!("{what}: not in this version"),
        ))
    };
    if request.init && request.pid != NamespaceMode::Private {
        return Err(Error::usage(
            "cannot add init binary as PID 1 (PID namespace isn't private)",
        ));
    }
    for opt in &request.security_opt {
        match opt {
            SecurityOpt::SeccompProfile(path) => {
                if let Err(err) = std::fs::metadata(path) {
                    return Err(Error::io(
                        &err,
                        format!("opening seccomp profile {}", path.display()),
                    ));
                }
            }
            SecurityOpt::Apparmor(profile) if profile != "unconfined" => {
                return unsupported(&format!("apparmor profile {profile:?}"));
            }
            _ => {}
        }
    }
    if let Some(image) = image {
        let os = image.config.os().to_string();
        if os != "linux" {
            return Err(Error::new(
                Kind::Unsupported,
                format!("run image {}: it is made for {os}, not for linux", image.id),
            ));
        }
    }
    if let Some(rootfs) = &request.rootfs {
        let found = std::fs::metadata(rootfs)
            .map_err(|err| Error::io(&err, format!("statfs {}", rootfs.display())))?;
        if !found.is_dir() {
            return Err(Error::os(
                nix::errno::Errno::ENOTDIR,
                format!("use {} as rootfs", rootfs.display()),
            ));
        }
    }
    Ok(())
}

/// The image's `VOLUME`s that the user mounts nothing on.
fn uncovered_volumes(request: &CreateRequest, merged: &Merged) -> Vec<String> {
    let covered = |target: &String| {
        request
            .mounts
            .iter()
            .any(|mount| clean_target(mount.target()).as_ref() == Some(target))
    };
    merged
        .volumes
        .iter()
        .filter(|target| !covered(target))
        .cloned()
        .collect()
}

/// `-P`: every exposed port that `-p` does not publish gets a free one.
fn publish_exposed(ports: &mut Vec<PortMapping>, merged: &Merged) {
    for &(container_port, protocol) in &merged.exposed {
        let published = ports.iter().any(|p| {
            p.protocol == protocol
                && (p.container_port..=p.container_port.saturating_add(p.count - 1))
                    .contains(&container_port)
        });
        if !published {
            ports.push(PortMapping {
                host_ip: None,
                host_port: 0,
                container_port,
                count: 1,
                protocol,
            });
        }
    }
}
