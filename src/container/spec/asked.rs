//! One mount of the user, an image or a CDI device as an entry of the OCI spec.
//!
//! Beside runc's and crun's words the options say `subpath=` (what of a bind's or overlay's tree is mounted), `chown` (a
//! tmpfs belongs to the container's user) and `lowerdir=` once a layer; `runtime::mounts` reads them.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;

use super::super::engine::Containers;
use super::super::merge::clean_target;
use super::super::record::{Record, VolumeMount};
use super::super::request::{CdiMount, MountOptions, MountRequest, OverlayDirs};
use crate::error::{Error, Kind, Result};
use crate::runtime::spec::mount;
use crate::volume::Backing;

/// nosuid, nodev, noexec where the user says nothing.
const DEFAULTS: [bool; 3] = [true, true, false];

impl Containers {
    pub(super) fn asked_mount(&self, record: &Record, asked: &MountRequest) -> Result<Mount> {
        let to = clean_target(asked.target())
            .ok_or_else(|| Error::usage(format!("invalid container path {:?}", asked.target())))?;
        Ok(match asked {
            MountRequest::Bind {
                source, options, ..
            } => {
                if options.no_dereference
                    && let Ok(link) = std::fs::read_link(source)
                {
                    return Ok(mount(&to, "link", &text(&link)?, &[]));
                }
                self.tree(record, &to, source, options)?
            }
            MountRequest::Tmpfs { data, options, .. } => memory("tmpfs", &to, data, options),
            MountRequest::Ramfs { data, options, .. } => memory("ramfs", &to, data, options),
            MountRequest::Volume { .. } => {
                return Err(Error::new(
                    Kind::System,
                    "mount a volume without its directory",
                ));
            }
            MountRequest::Devpts { data, .. } => {
                let mut words = words(&["nosuid", "noexec", "newinstance"]);
                words.extend(data.iter().cloned());
                mount(&to, "devpts", "devpts", &refs(&words))
            }
            MountRequest::Image {
                layers, options, ..
            } => {
                let layers: Vec<PathBuf> = layers.iter().map(|l| self.dirs.store.join(l)).collect();
                let dirs = self.overlay_dirs(record, asked.target());
                overlay(&to, &layers, &dirs, options)?
            }
        })
    }

    /// A volume: a directory of the store or of the host, or a file system in memory.
    pub(super) fn volume_mount(&self, record: &Record, mounted: &VolumeMount) -> Result<Mount> {
        let to = &mounted.target;
        let mut options = mounted.options.clone();
        let (backing, words) = match self.volumes().get(&mounted.name)? {
            Some(volume) => volume.backing()?,
            None => (
                Backing::Dir(self.volumes().source(&mounted.name)?),
                Vec::new(),
            ),
        };
        for word in &words {
            match word.as_str() {
                "ro" => options.read_only = true,
                "nosuid" => options.nosuid = options.nosuid.or(Some(true)),
                "nodev" => options.nodev = options.nodev.or(Some(true)),
                "noexec" => options.noexec = options.noexec.or(Some(true)),
                _ => {}
            }
        }
        match backing {
            Backing::Dir(source) => self.tree(record, to, &source, &options),
            Backing::Tmpfs(data) => {
                self.check_unshared(record, &mounted.name)?;
                options.no_copy_up = !mounted.copy;
                Ok(memory("tmpfs", to, &data, &options))
            }
        }
    }

    /// Memory belongs to the mount namespace of one container: no other can be given it.
    fn check_unshared(&self, record: &Record, volume: &str) -> Result<()> {
        for id in self.volume_users(volume)? {
            let other = self.open(&id)?.filter(|_| id != record.id);
            if other.is_some_and(|other| other.state.is_alive()) {
                return Err(Error::new(
                    Kind::InUse,
                    format!("mount volume {volume}: it is in memory, and container {id} runs with it"),
                )
                .hint("rootless containers cannot share a tmpfs: stop that one, or use a volume on disk"));
            }
        }
        Ok(())
    }

    /// A directory or file of the host, or an overlay above it.
    fn tree(
        &self,
        record: &Record,
        to: &str,
        source: &Path,
        options: &MountOptions,
    ) -> Result<Mount> {
        if options.overlay {
            let dirs = match &options.overlay_dirs {
                Some(dirs) => dirs.clone(),
                None => self.overlay_dirs(record, to),
            };
            return overlay(to, &[source.to_owned()], &dirs, options);
        }
        let mut all = words(&[match options.non_recursive {
            true => "bind",
            false => "rbind",
        }]);
        all.push(propagation(options));
        all.extend(attributes(options, DEFAULTS));
        all.extend(options.subpath.iter().map(|path| format!("subpath={path}")));
        Ok(mount(to, "bind", &text(source)?, &refs(&all)))
    }
}

fn overlay(
    to: &str,
    lower: &[PathBuf],
    dirs: &OverlayDirs,
    options: &MountOptions,
) -> Result<Mount> {
    let mut words = attributes(options, DEFAULTS);
    words.push(propagation(options));
    for dir in lower {
        words.push(format!("lowerdir={}", text(dir)?));
    }
    words.push(format!("upperdir={}", text(&dirs.upper)?));
    words.push(format!("workdir={}", text(&dirs.work)?));
    words.extend(options.subpath.iter().map(|path| format!("subpath={path}")));
    Ok(mount(to, "overlay", "overlay", &refs(&words)))
}

fn memory(kind: &str, to: &str, data: &[String], options: &MountOptions) -> Mount {
    let mut words = vec![propagation(options)];
    words.extend(attributes(options, DEFAULTS));
    if !options.no_copy_up {
        words.push("tmpcopyup".to_owned());
    }
    if options.chown {
        words.push("chown".to_owned());
    }
    words.extend(data.iter().cloned());
    mount(to, kind, kind, &refs(&words))
}

/// A mount of a CDI spec.
pub(super) fn cdi_mount(asked: &CdiMount) -> Result<Mount> {
    let to = clean_target(&asked.target)
        .ok_or_else(|| Error::usage(format!("invalid container path {:?}", asked.target)))?;
    let kind = asked.kind.as_deref().unwrap_or("bind");
    let mut all = match kind {
        "bind" if !asked.options.iter().any(|o| o == "bind" || o == "rbind") => words(&["rbind"]),
        _ => Vec::new(),
    };
    all.extend(asked.options.iter().cloned());
    Ok(mount(&to, kind, &text(&asked.source)?, &refs(&all)))
}

pub(super) fn text(path: &Path) -> Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Error::usage(format!("mount {}: the path is not UTF-8", path.display())))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn propagation(options: &MountOptions) -> String {
    let asked = options.propagation.clone();
    asked.unwrap_or_else(|| "rprivate".to_owned())
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
