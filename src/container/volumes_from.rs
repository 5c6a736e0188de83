//! `--volumes-from CONTAINER[:OPTIONS]`: the binds and volumes of other containers, at the same places.

use crate::error::{Error, Result};

use super::engine::Containers;
use super::merge::clean_target;
use super::record::VolumeMount;
use super::request::{CreateRequest, MountOptions, MountRequest};

impl Containers {
    /// Adds the binds to the request and returns the volumes. What the user mounts at a place goes before, and a later
    /// container before an earlier one.
    pub(super) fn volumes_from(&self, request: &mut CreateRequest) -> Result<Vec<VolumeMount>> {
        let own: Vec<Option<String>> = request
            .mounts
            .iter()
            .map(|mount| clean_target(mount.target()))
            .collect();
        let taken = |target: &str| own.iter().any(|own| own.as_deref() == Some(target));
        let mut binds: Vec<MountRequest> = Vec::new();
        let mut volumes: Vec<VolumeMount> = Vec::new();
        for text in &request.volumes_from {
            let (name, options) = text.split_once(':').unwrap_or((text, ""));
            let options = Options::read(options)?;
            let of = self.find(name).map_err(|err| {
                err.context(format!("looking up container {name:?} for volumes-from"))
            })?;
            for mount in &of.record.request.mounts {
                if !matches!(mount, MountRequest::Bind { .. }) || taken(mount.target()) {
                    continue;
                }
                let mut mount = mount.clone();
                binds.retain(|known| known.target() != mount.target());
                volumes.retain(|known| known.target != mount.target());
                mount
                    .options_mut()
                    .into_iter()
                    .for_each(|to| options.apply(to));
                binds.push(mount);
            }
            for volume in &of.record.volumes {
                if taken(&volume.target) {
                    continue;
                }
                let mut volume = volume.clone();
                binds.retain(|known| known.target() != volume.target);
                volumes.retain(|known| known.target != volume.target);
                options.apply(&mut volume.options);
                volumes.push(volume);
            }
        }
        request.mounts.extend(binds);
        Ok(volumes)
    }
}

/// `ro`, `rw` and `z`.
#[derive(Debug, Default)]
struct Options {
    read_only: Option<bool>,
    label: bool,
}

impl Options {
    fn read(text: &str) -> Result<Options> {
        let mut read = Options::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word {
                "z" if read.label => {
                    return Err(Error::usage(
                        "cannot set :z more than once in mount options",
                    ));
                }
                "z" => read.label = true,
                "ro" | "rw" if read.read_only.is_some() => {
                    return Err(Error::usage("cannot set ro or rw options more than once"));
                }
                "ro" | "rw" => read.read_only = Some(word == "ro"),
                other => {
                    return Err(Error::usage(format!(
                        "invalid option {other:?} specified - volumes from another container can only use z,ro,rw options"
                    )));
                }
            }
        }
        Ok(read)
    }

    fn apply(&self, to: &mut MountOptions) {
        if let Some(read_only) = self.read_only {
            to.read_only = read_only;
        }
        if self.label {
            to.relabel = Some('z');
        }
    }
}
