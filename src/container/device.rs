//! Device nodes of the host, judged before they are bound.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

use super::request::DeviceRequest;

/// Refuses what is no device node.
pub fn check(source: &Path) -> Result<()> {
    match fs::metadata(source) {
        Ok(found) if is_device(found.file_type()) => Ok(()),
        Ok(_) => Err(Error::usage(format!(
            "{} is not a valid device: not a device node",
            source.display()
        ))),
        Err(err) => Err(Error::io(&err, format!("stat {}", source.display()))),
    }
}

/// The device, or every device of a directory. The letters of `asked` must hold, see [`check_letters`].
pub fn expand(asked: &DeviceRequest) -> Result<Vec<DeviceRequest>> {
    let is_dir = fs::metadata(&asked.source).is_ok_and(|found| found.is_dir());
    let mut all = Vec::new();
    match is_dir {
        false => {
            check(&asked.source)?;
            all.push(asked.clone());
        }
        true => {
            walk(&asked.source, asked, &mut all, 0);
            if all.is_empty() {
                return Err(Error::usage(format!(
                    "no devices found in {}",
                    asked.source.display()
                )));
            }
        }
    }
    all.iter().try_for_each(check_letters)?;
    Ok(all)
}

fn walk(dir: &Path, asked: &DeviceRequest, all: &mut Vec<DeviceRequest>, depth: usize) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(found) = fs::symlink_metadata(&path) else {
            continue;
        };
        if found.is_dir() && depth < 8 {
            walk(&path, asked, all, depth + 1);
        } else if is_device(found.file_type())
            && let Ok(below) = path.strip_prefix(&asked.source)
        {
            all.push(DeviceRequest {
                target: asked.target.join(below),
                source: path,
                permissions: asked.permissions.clone(),
            });
        }
    }
}

fn is_device(kind: fs::FileType) -> bool {
    kind.is_char_device() || kind.is_block_device()
}

/// A bound node lets the container do what its caller may do, and a read-only mount does not change that: letters
/// that take something away can be kept only where the caller has not got it. Making nodes (`m`) is impossible anyway.
fn check_letters(device: &DeviceRequest) -> Result<()> {
    use rustix::fs::Access;
    for (letter, access, verb) in [
        ('r', Access::READ_OK, "reading"),
        ('w', Access::WRITE_OK, "writing"),
    ] {
        if !device.permissions.contains(letter)
            && rustix::fs::access(&device.source, access).is_ok()
        {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "device {}: permissions {:?}: {verb} cannot be kept from the container without a device cgroup, \
                     which only root of this host has",
                    device.source.display(),
                    device.permissions
                ),
            )
            .hint("use rwm, or have the node's owner and mode changed"));
        }
    }
    Ok(())
}
