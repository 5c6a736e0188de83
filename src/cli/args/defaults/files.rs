//! Mounts and devices.

use crate::config::containers::Containers;
use crate::container::request::{CreateRequest, MountRequest};
use crate::error::{Error, Result};

use super::super::create::CreateArgs;
use super::super::{mounts, security, value};
use super::{given, of};

pub(super) fn apply(
    config: &Containers,
    args: &CreateArgs,
    request: &mut CreateRequest,
) -> Result<()> {
    request.read_only = args.files.read_only.or(config.read_only) == Some(true);
    if let (None, Some(size)) = (request.shm_size, given(&config.shm_size)) {
        let size = value::bytes(size).map_err(Error::usage);
        request.shm_size = Some(size.map_err(of("shm_size"))?);
    }
    for text in &config.devices {
        let device = security::device(text).map_err(of("devices"))?;
        if request
            .devices
            .iter()
            .all(|own| own.target != device.target)
        {
            request.devices.push(device);
        }
    }
    // The flags' mounts take the place of those of the file; two of the file on one place are an error.
    let own = std::mem::take(&mut request.mounts);
    let volumes = kept(&config.volumes, mounts::volume, &own).map_err(of("volumes"))?;
    let long = kept(&config.mounts, mounts::mount, &own).map_err(of("mounts"))?;
    let defaults: Vec<_> = volumes.into_iter().chain(long).collect();
    mounts::check(&defaults).map_err(of("volumes and mounts"))?;
    request.mounts = defaults.into_iter().chain(own).collect();
    Ok(())
}

fn kept(
    texts: &[String],
    read: fn(&str) -> Result<MountRequest>,
    own: &[MountRequest],
) -> Result<Vec<MountRequest>> {
    let mut all = Vec::new();
    for text in texts {
        let mount = read(text)?;
        let target = mounts::target(&mount);
        if own.iter().all(|own| mounts::target(own) != target) {
            all.push(mount);
        }
    }
    Ok(all)
}
