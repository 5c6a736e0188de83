//! Which image of an index fits (image-spec `image-index.md`, platform).

use std::fmt;

use crate::error::{Error, Result};

/// A platform in the image-spec's words (Go's GOOS and GOARCH).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
}

/// `--platform`, `--os`, `--arch`, `--variant`: what the user insists on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlatformRequest {
    pub os: Option<String>,
    pub architecture: Option<String>,
    pub variant: Option<String>,
}

impl PlatformRequest {
    /// Parses `--platform`: `OS/ARCH[/VARIANT]`, `OS`, or an architecture alone.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let word = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        if parts.len() > 3 || !parts.iter().all(word) {
            return Err(Error::usage(format!(
                "parse platform \"{text}\": want OS/ARCH or OS/ARCH/VARIANT"
            )));
        }
        let own = |part: Option<&&str>| part.map(|part| part.to_string());
        Ok(match parts.len() {
            1 if parts[0] == "linux" => Self {
                os: own(parts.first()),
                ..Self::default()
            },
            1 => Self {
                architecture: own(parts.first()),
                ..Self::default()
            },
            _ => Self {
                os: own(parts.first()),
                architecture: own(parts.get(1)),
                variant: own(parts.get(2)),
            },
        })
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The platform to look for: what was asked for, else this host's.
    pub fn resolve(&self) -> Platform {
        let host = Platform::host();
        let architecture = self.architecture.as_deref().map(normal_architecture);
        let variant = match (&self.variant, &architecture) {
            (Some(variant), _) => Some(variant.clone()),
            (None, Some((_, variant))) if variant.is_some() => variant.map(str::to_owned),
            (None, Some((name, _))) if *name != host.architecture => default_variant(name),
            (None, _) => host.variant,
        };
        Platform {
            os: self.os.clone().unwrap_or(host.os),
            architecture: architecture.map_or(host.architecture, |(name, _)| name.to_owned()),
            variant,
        }
    }
}

impl Platform {
    /// The machine this binary runs on.
    pub fn host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "x86" => "386",
            "aarch64" => "arm64",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            "loongarch64" => "loong64",
            other => other,
        };
        Self {
            os: "linux".into(),
            architecture: architecture.into(),
            variant: default_variant(architecture),
        }
    }

    /// How well an image for `other` runs here: `None` not at all, else the smaller the better.
    pub fn distance(&self, other: &Platform) -> Option<u32> {
        let (architecture, implied) = normal_architecture(&other.architecture);
        if self.os != other.os || self.architecture != architecture {
            return None;
        }
        let theirs = other.variant.as_deref().or(implied);
        match (self.variant.as_deref(), theirs) {
            (mine, theirs) if mine == theirs => Some(0),
            // No variant is the oldest machine of the family.
            (Some(mine), Some(theirs)) => {
                let (mine, theirs) = (version(mine)?, version(theirs)?);
                (theirs < mine).then(|| mine - theirs)
            }
            (Some(_), None) => Some(100),
            (None, Some(theirs)) => {
                (Some(theirs) == default_variant(architecture).as_deref()).then_some(1)
            }
            (None, None) => Some(0),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// Names that `uname` and other tools use, in Go's words, with the variant they imply.
fn normal_architecture(name: &str) -> (&str, Option<&'static str>) {
    match name {
        "x86_64" | "x86-64" => ("amd64", None),
        "i386" | "i686" | "x86" => ("386", None),
        "aarch64" => ("arm64", None),
        "armhf" | "armv7l" => ("arm", Some("v7")),
        "armel" | "armv6l" => ("arm", Some("v6")),
        other => (other, None),
    }
}

fn default_variant(architecture: &str) -> Option<String> {
    match architecture {
        "arm64" => Some("v8".into()),
        "arm" => Some("v7".into()),
        _ => None,
    }
}

fn version(variant: &str) -> Option<u32> {
    variant.strip_prefix('v')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let parts: Vec<&str> = text.split('/').collect();
        Platform {
            os: parts[0].into(),
            architecture: parts[1].into(),
            variant: parts.get(2).map(|part| part.to_string()),
        }
    }

    #[test]
    fn images_for_the_same_family_fit() {
        let cases = [
            ("linux/amd64", "linux/amd64", Some(0)),
            ("linux/amd64", "linux/x86_64", Some(0)),
            ("linux/amd64", "linux/386", None),
            ("linux/amd64", "windows/amd64", None),
            ("linux/amd64", "linux/amd64/v3", None),
            ("linux/arm64/v8", "linux/arm64", Some(100)),
            ("linux/arm64/v8", "linux/arm64/v8", Some(0)),
            ("linux/arm64", "linux/arm64/v8", Some(1)),
            ("linux/arm/v7", "linux/arm/v6", Some(1)),
            ("linux/arm/v7", "linux/arm/v5", Some(2)),
            ("linux/arm/v6", "linux/arm/v7", None),
            ("linux/arm/v7", "linux/armhf", Some(0)),
        ];
        for (mine, theirs, want) in cases {
            assert_eq!(
                platform(mine).distance(&platform(theirs)),
                want,
                "{mine} {theirs}"
            );
        }
    }

    #[test]
    fn requests_are_parsed() {
        let cases = [
            ("linux/arm64", Some("linux/arm64/v8")),
            ("linux/arm/v6", Some("linux/arm/v6")),
            ("arm64", Some("linux/arm64/v8")),
            ("linux/aarch64", Some("linux/arm64/v8")),
            ("linux/armhf", Some("linux/arm/v7")),
            ("", None),
            ("linux/", None),
            ("a/b/c/d", None),
            ("linux/a\nb", None),
        ];
        for (text, want) in cases {
            let got = PlatformRequest::parse(text).ok();
            assert_eq!(
                got.map(|r| r.resolve().to_string()).as_deref(),
                want,
                "{text}"
            );
        }
        assert_eq!(PlatformRequest::default().resolve(), Platform::host());
    }
}
