//! Mounts and devices.

use crate::config::containers::Containers;
use crate::container::cdi;
use crate::container::request::{CreateRequest, MountRequest};
use crate::error::{Error, Result};

use super::super::create::CreateArgs;
use super::super::{mounts, request as flags, security, value};
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
        if cdi::is_name(text) {
            request.cdi_devices.push(text.clone());
            continue;
        }
        for device in security::device(text).map_err(of("devices"))? {
            let mut own = request.devices.iter();
            if own.all(|own| own.target != device.target) {
                request.devices.push(device);
            }
        }
    }
    if let (None, Some(path)) = (&args.files.init_path, given(&config.init_path)) {
        request.init_path = Some(flags::init_program(path).map_err(of("init_path"))?);
    }
    // The flags' mounts take the place of those of the file; two of the file on one place are an error.
    let own = std::mem::take(&mut request.mounts);
    let volume = |text: &str| Ok(vec![mounts::volume(text)?]);
    let volumes = kept(&config.volumes, volume, &own).map_err(of("volumes"))?;
    let long = kept(&config.mounts, mounts::mount, &own).map_err(of("mounts"))?;
    let defaults: Vec<_> = volumes.into_iter().chain(long).collect();
    mounts::check(&defaults).map_err(of("volumes and mounts"))?;
    request.mounts = defaults.into_iter().chain(own).collect();
    Ok(())
}

fn kept(
    texts: &[String],
    read: impl Fn(&str) -> Result<Vec<MountRequest>>,
    own: &[MountRequest],
) -> Result<Vec<MountRequest>> {
    let mut all = Vec::new();
    for text in texts {
        for mount in read(text)? {
            if own.iter().all(|own| own.target() != mount.target()) {
                all.push(mount);
            }
        }
    }
    Ok(all)
}
