//! `volume create --opt`: `type=`, `device=` and `o=` as mount(8) has them, as far as a rootless container can mount it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// What stands behind a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backing {
    Dir(PathBuf),
    /// A file system in memory, empty at each start; the words tmpfs(5) reads.
    Tmpfs(Vec<String>),
}

/// The options, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub tmpfs: bool,
    /// Of a bind: a directory of the host.
    pub device: Option<PathBuf>,
    /// For the mount: `ro`, `nosuid` and their like.
    pub words: Vec<String>,
    /// For tmpfs: `size=64m`.
    pub data: Vec<String>,
    /// Owner of a new directory, as ids of the container.
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

impl Options {
    pub fn read(options: &BTreeMap<String, String>) -> Result<Options> {
        let mut read = Options::default();
        let get = |key: &str| {
            options
                .get(key)
                .map(String::as_str)
                .filter(|v| !v.is_empty())
        };
        let kind = get("type");
        let words: Vec<&str> = get("o").unwrap_or_default().split(',').collect();
        let words = || words.iter().copied().filter(|word| !word.is_empty());
        let bind =
            matches!(kind, Some("none" | "bind")) || words().any(|w| matches!(w, "bind" | "rbind"));
        read.tmpfs = kind == Some("tmpfs");
        if let Some(key) = options
            .keys()
            .find(|key| !matches!(key.as_str(), "type" | "device" | "o"))
        {
            return Err(refused(&format!("{key}={}", options[key]))
                .hint("the options of the local driver are type, device and o"));
        }
        match kind {
            None | Some("none" | "bind" | "tmpfs") => {}
            Some(other) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("volume option type={other}: only root of this host can mount it"),
                )
                .hint("have it mounted, and use type=none, o=bind and device=/PATH"));
            }
        }
        for word in words() {
            read.word(word, bind)?;
        }
        match (get("device"), bind) {
            (Some(device), true) => read.device = Some(directory(device)?),
            (None, true) => {
                return Err(Error::usage(
                    "volume options \"type\" and \"o\" need \"device\": invalid argument",
                ));
            }
            (Some(device), false) if !read.tmpfs => {
                return Err(refused(&format!("device={device}")).hint(
                    "a directory of this host: --opt type=none --opt o=bind --opt device=/PATH",
                ));
            }
            _ => {}
        }
        Ok(read)
    }

    fn word(&mut self, word: &str, bind: bool) -> Result<()> {
        let number = |text: &str| {
            text.parse::<u32>()
                .ok()
                .filter(|id| *id < i32::MAX as u32)
                .ok_or_else(|| {
                    Error::usage(format!(
                        "volume option o={word}: not an id: invalid argument"
                    ))
                })
        };
        match word.split_once('=') {
            None if matches!(word, "bind" | "rbind") && bind => {}
            None if matches!(
                word,
                "rw" | "suid" | "dev" | "exec" | "defaults" | "noquota"
            ) => {}
            None if matches!(word, "ro" | "nosuid" | "nodev" | "noexec") => {
                self.words.push(word.to_owned());
            }
            Some(("size" | "mode" | "nr_inodes" | "nr_blocks" | "huge" | "mpol", _))
                if self.tmpfs =>
            {
                self.data.push(word.to_owned());
            }
            Some(("uid", id)) => self.uid = Some(number(id)?),
            Some(("gid", id)) => self.gid = Some(number(id)?),
            Some(("size" | "inodes", _)) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("volume option o={word}: a limit needs a project quota, which only root of this host can set"),
                )
                .hint("a volume in memory has a size: --opt type=tmpfs --opt device=tmpfs --opt o=size=64m"));
            }
            _ => return Err(refused(&format!("o={word}"))),
        }
        Ok(())
    }
}

fn refused(what: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!("volume option {what} is not available in this version of pod"),
    )
}

fn directory(device: &str) -> Result<PathBuf> {
    let tried = || format!("use {device} as a volume");
    if !Path::new(device).is_absolute() {
        return Err(Error::usage(format!("{}: not an absolute path", tried())));
    }
    match fs::metadata(device) {
        Ok(found) if found.is_dir() => Ok(PathBuf::from(device)),
        Ok(_) => Err(Error::os(nix::errno::Errno::ENOTDIR, tried())),
        Err(err) => Err(Error::io(&err, tried())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> Result<Options> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Options::read(&pairs.iter().map(owned).collect())
    }

    #[test]
    fn what_can_be_mounted() {
        assert_eq!(options(&[]).unwrap(), Options::default());
        let bind = options(&[("type", "none"), ("o", "bind,ro"), ("device", "/tmp")]).unwrap();
        assert_eq!(
            (bind.device, bind.words),
            (Some("/tmp".into()), vec!["ro".to_owned()])
        );
        let tmpfs = options(&[
            ("type", "tmpfs"),
            ("device", "tmpfs"),
            ("o", "size=1m,uid=7,nodev"),
        ])
        .unwrap();
        assert!(tmpfs.tmpfs);
        assert_eq!(
            (tmpfs.data, tmpfs.uid),
            (vec!["size=1m".to_owned()], Some(7))
        );
        assert_eq!(options(&[("o", "uid=5,gid=6")]).unwrap().gid, Some(6));
    }

    #[test]
    fn what_cannot() {
        for bad in [
            &[("type", "ext4"), ("device", "/dev/sda")][..],
            &[("o", "bind")],
            &[("o", "size=1g")],
            &[("o", "uid=x")],
            &[("device", "relative")],
            &[("o", "bind"), ("device", "relative")],
            &[("o", "bind"), ("device", "/nosuch")],
            &[("o", "bind"), ("device", "/etc/passwd")],
            &[("size", "1m")],
        ] {
            assert!(options(bad).is_err(), "{bad:?}");
        }
    }
}
