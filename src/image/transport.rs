//! Transports: `docker://NAME`, `oci-archive:FILE:TAG` and their kin (containers-transports(5)).

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// A place that images are read from and written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// `docker://NAME`, or a bare name; the name is not parsed yet.
    Registry(String),
    /// `docker-archive:FILE[:NAME|:@INDEX]`: what `docker save` writes.
    DockerArchive(PathBuf, Option<Pick>),
    /// `oci-archive:FILE[:NAME|:@INDEX]`: an OCI layout in a tar.
    OciArchive(PathBuf, Option<Pick>),
    /// `oci:DIRECTORY[:NAME|:@INDEX]`: an OCI layout (image-spec `image-layout.md`).
    OciDir(PathBuf, Option<Pick>),
    /// `dir:DIRECTORY`: manifest and blobs as files side by side.
    Dir(PathBuf),
    /// `containers-storage:[…]NAME`: Podman's own store; the rest is not parsed yet.
    ContainersStorage(String),
}

/// Which image of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    Name(String),
    Index(usize),
}

impl Transport {
    /// The word before the colon.
    pub fn scheme(&self) -> &'static str {
        match self {
            Self::Registry(_) => "docker",
            Self::DockerArchive(..) => "docker-archive",
            Self::OciArchive(..) => "oci-archive",
            Self::OciDir(..) => "oci",
            Self::Dir(_) => "dir",
            Self::ContainersStorage(_) => "containers-storage",
        }
    }

    /// The file or directory, and what stands behind it, where there is one.
    pub fn path(&self) -> Option<(&Path, Option<&Pick>)> {
        match self {
            Self::Registry(_) | Self::ContainersStorage(_) => None,
            Self::Dir(path) => Some((path, None)),
            Self::DockerArchive(path, pick)
            | Self::OciArchive(path, pick)
            | Self::OciDir(path, pick) => Some((path, pick.as_ref())),
        }
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "@{index}"),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.path()) {
            (Self::ContainersStorage(rest), _) => write!(f, "containers-storage:{rest}"),
            (Self::Registry(name), _) => write!(f, "docker://{name}"),
            (_, None) => f.write_str(self.scheme()),
            (_, Some((path, None))) => write!(f, "{}:{}", self.scheme(), path.display()),
            (_, Some((path, Some(pick)))) => {
                write!(f, "{}:{}:{pick}", self.scheme(), path.display())
            }
        }
    }
}

/// Reads what `pull`, `push` and `run` take for an image. What has no transport's prefix is a registry's name, as it
/// is in Podman; an image named `oci` or `dir` needs its registry in front when it has a tag.
pub fn parse(text: &str) -> Result<Transport> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Ok(Transport::Registry(text.to_owned()));
    };
    let needs_path = |path: &str| match path.is_empty() {
        true => Err(Error::usage(format!(
            "parse image \"{text}\": transport {scheme}: needs a path"
        ))),
        false => Ok(PathBuf::from(path)),
    };
    let with_pick = || -> Result<(PathBuf, Option<Pick>)> {
        match rest.split_once(':') {
            None | Some((_, "")) => Ok((needs_path(rest.trim_end_matches(':'))?, None)),
            Some((path, pick)) => Ok((needs_path(path)?, Some(parse_pick(text, pick)?))),
        }
    };
    Ok(match scheme {
        "docker" if rest.starts_with("//") => Transport::Registry(rest[2..].to_owned()),
        "docker-archive" => {
            let (path, pick) = with_pick()?;
            Transport::DockerArchive(path, pick)
        }
        "oci-archive" => {
            let (path, pick) = with_pick()?;
            Transport::OciArchive(path, pick)
        }
        "oci" => {
            let (path, pick) = with_pick()?;
            Transport::OciDir(path, pick)
        }
        "dir" => Transport::Dir(needs_path(rest)?),
        "containers-storage" => Transport::ContainersStorage(rest.to_owned()),
        "docker-daemon" | "ostree" | "sif" | "tarball" => {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "image \"{text}\": transport {scheme}: is not available in this version of pod"
                ),
            ));
        }
        _ => Transport::Registry(text.to_owned()),
    })
}

fn parse_pick(text: &str, pick: &str) -> Result<Pick> {
    match pick.strip_prefix('@') {
        None => Ok(Pick::Name(pick.to_owned())),
        Some(index) if index.bytes().all(|b| b.is_ascii_digit()) => {
            index.parse().map(Pick::Index).map_err(|_| {
                Error::usage(format!(
                    "parse image \"{text}\": source index {index}: not a number"
                ))
            })
        }
        Some(index) => Err(Error::usage(format!(
            "parse image \"{text}\": invalid source index @{index}: not a number"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_told_apart() {
        let name = |text: &str| Some(Pick::Name(text.to_owned()));
        let cases = [
            ("nginx", Transport::Registry("nginx".into())),
            ("nginx:1", Transport::Registry("nginx:1".into())),
            ("a.io:50/x:1", Transport::Registry("a.io:50/x:1".into())),
            ("docker://a.io/x", Transport::Registry("a.io/x".into())),
            (
                "docker-archive:/x.tar",
                Transport::DockerArchive("/x.tar".into(), None),
            ),
            (
                "docker-archive:x.tar:a.io:5/b:c",
                Transport::DockerArchive("x.tar".into(), name("a.io:5/b:c")),
            ),
            (
                "docker-archive:x.tar:@2",
                Transport::DockerArchive("x.tar".into(), Some(Pick::Index(2))),
            ),
            ("oci-archive:x:", Transport::OciArchive("x".into(), None)),
            ("oci:d:v1", Transport::OciDir("d".into(), name("v1"))),
            ("dir:/a:b", Transport::Dir("/a:b".into())),
            (
                "containers-storage:x",
                Transport::ContainersStorage("x".into()),
            ),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text).unwrap(), want, "{text}");
        }
        for bad in [
            "oci:",
            "dir:",
            "docker-archive::x",
            "oci:d:@x",
            "oci:d:@",
            "docker-daemon:x",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
