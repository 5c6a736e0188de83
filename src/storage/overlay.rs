//! Native overlay: what the runtime needs to mount layers, and whether this store's file system can serve it.
//!
//!     <root>/overlay.json    what the last try showed, and on which kernel and file system
//!
//! Whether it works depends on the kernel (5.11 for overlay in a user namespace) and on the file system (extended
//! attributes, file types in directories, no network). So it is tried once, as it will be used, and tried again when
//! either has changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::statvfs;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::worker::{self, WorkerOpts};
use crate::state::{Durable, load, save};
use crate::userns::map::IdMaps;

const VERSION: u32 = 1;

/// What a try showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Probe {
    version: u32,
    kernel: String,
    device: u64,
    fs_id: u64,
    /// Why it does not work here; `None` where it does.
    lack: Option<Lack>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lack {
    message: String,
    remedy: Option<String>,
}

impl Store {
    /// Absolute directories of layers that a record names relative to the store, in the same order.
    pub fn lower_dirs(&self, layers: &[PathBuf]) -> Vec<PathBuf> {
        layers.iter().map(|layer| self.root.join(layer)).collect()
    }

    /// Fails where layers cannot be mounted by the kernel's overlay; three system calls once it has been tried.
    ///
    /// The first call forks: for a process with one thread only.
    pub fn check_overlay(&self) -> Result<()> {
        let path = self.root.join("overlay.json");
        let now = self.probe_of_this_place()?;
        let known = load::<Probe>(&path).unwrap_or_default(); // a torn record is tried again
        if let Some(known) = known
            && (known.version, &known.kernel) == (now.version, &now.kernel)
            && (known.device, known.fs_id) == (now.device, now.fs_id)
        {
            return self.verdict(&known);
        }
        let lack = self.try_overlay()?.err().map(|err| Lack {
            message: err.to_string(),
            remedy: err.remedy().map(str::to_string),
        });
        let probe = Probe { lack, ..now };
        save(&path, &probe, Durable::No)?;
        self.verdict(&probe)
    }

    fn verdict(&self, probe: &Probe) -> Result<()> {
        let Some(lack) = &probe.lack else {
            return Ok(());
        };
        let err = Error::new(Kind::Unsupported, lack.message.clone());
        Err(match &lack.remedy {
            Some(remedy) => err.hint(remedy.clone()),
            None => err,
        })
    }

    fn probe_of_this_place(&self) -> Result<Probe> {
        let tried = || format!("look at store \"{}\"", self.root.display());
        let kernel = nix::sys::utsname::uname().tried(|| "read the kernel's release")?;
        let found = statvfs(&self.root).tried(tried)?;
        Ok(Probe {
            version: VERSION,
            kernel: kernel.release().to_string_lossy().into_owned(),
            // A bind mount or a moved store changes the one, another file system on the same device the other.
            device: fs::metadata(&self.root).tried(tried)?.dev(),
            fs_id: found.filesystem_id(),
            lack: None,
        })
    }

    /// The outer failure is of the try itself, the inner one of overlay.
    fn try_overlay(&self) -> Result<Result<()>> {
        let place = self.in_staging(
            || "try overlay in the store",
            |staging| {
                let place = staging.join(format!("{}.trash", super::staging::unique_name()));
                fs::create_dir(&place)?;
                for name in ["lower", "upper", "work", "merged"] {
                    fs::create_dir(place.join(name))?;
                }
                fs::write(place.join("lower/old"), "old")?;
                Ok(place)
            },
        )?;
        let inside = place.clone();
        let root = self.root.clone();
        let tried = worker::run(&IdMaps::own_id(), WorkerOpts { mounts: true }, move || {
            Ok(mount_and_use(&inside)
                .map_err(|errno| word(errno, &root))
                .err()
                .map(|err| (err.to_string(), err.remedy().map(str::to_string))))
        });
        let removed = self.remove_trash(&place, None);
        self.tidy_staging();
        let tried = tried?;
        removed?;
        Ok(match tried {
            None => Ok(()),
            Some((message, remedy)) => {
                let err = Error::new(Kind::Unsupported, message);
                Err(match remedy {
                    Some(remedy) => err.hint(remedy),
                    None => err,
                })
            }
        })
    }
}

/// Runs in: worker. Relative names, so that no character of the store's path means anything to overlay.
fn mount_and_use(place: &Path) -> Result<(), Errno> {
    let io = |err: std::io::Error| Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO));
    nix::unistd::chdir(place)?;
    mount(
        Some("overlay"),
        "merged",
        Some("overlay"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some("lowerdir=lower,upperdir=upper,workdir=work,userxattr"),
    )?;
    // What fails only in use: whiteouts, copying up, and a directory that hides one below.
    let used = (|| {
        fs::write("merged/old", "new")?;
        fs::remove_file("merged/old")?;
        fs::create_dir("merged/old")?;
        fs::write("merged/old/file", "x")?;
        fs::rename("merged/old/file", "merged/moved")
    })();
    umount2("merged", MntFlags::MNT_DETACH)?;
    used.map_err(io)
}

fn word(errno: Errno, root: &Path) -> Error {
    let tried = format!("mount overlay in store \"{}\"", root.display());
    let err = Error::os(errno, tried).with_kind(Kind::Unsupported);
    match errno {
        Errno::EPERM => err.hint("overlay inside a user namespace needs Linux 5.11 or newer"),
        Errno::ENODEV => err.hint("the kernel has no overlay: as root, modprobe overlay"),
        Errno::EINVAL | Errno::EOPNOTSUPP => err.hint(
            "its file system cannot hold overlay's upper directory (NFS, another overlay, no xattrs): \
             use --root on a local disk",
        ),
        _ => err,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::state::tests::TestDir;

    #[test]
    fn overlay_is_tried_once() {
        let dir = TestDir::new();
        let store = Store::at(&dir.join("store")).unwrap();
        let first = store.check_overlay().map_err(|err| err.to_string());
        let record = dir.join("store/overlay.json");
        let written = fs::metadata(&record).unwrap().ino();
        let second = store.check_overlay().map_err(|err| err.to_string());
        assert_eq!(first, second);
        assert_eq!(
            fs::metadata(&record).unwrap().ino(),
            written,
            "not written again"
        );
        assert!(!dir.join("store/staging").exists(), "nothing is left");

        let mut probe: Probe = load(&record).unwrap().unwrap();
        probe.kernel = "2.6.32".into();
        probe.lack = Some(Lack {
            message: "too old".into(),
            remedy: None,
        });
        save(&record, &probe, Durable::No).unwrap();
        assert_eq!(store.check_overlay().map_err(|err| err.to_string()), first);
        let probe: Probe = load(&record).unwrap().unwrap();
        assert_ne!(probe.kernel, "2.6.32", "another kernel: tried again");
    }
}
