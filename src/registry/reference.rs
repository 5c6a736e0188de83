//! Names of images, checked before a path or a URL is made of them.
//!
//! Grammar: distribution's `reference` package, `[registry/]repository[:tag][@digest]`. What a user types is a
//! [`Name`]; it may lack the registry. A [`Reference`] has all parts, by Docker Hub's rules or by registries.conf.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::state::digest::Digest;

/// The registry of names that name none, as Docker has it.
pub const DOCKER_HUB: &str = "docker.io";
/// The registry of images that were made here and never came from anywhere.
pub const LOCALHOST: &str = "localhost";
const LATEST: &str = "latest";

/// distribution's limit for registry and repository together.
const NAME_MAX: usize = 255;
const TAG_MAX: usize = 128;

/// An image name as typed: the registry may be missing ("short name").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    registry: Option<String>,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A full image name: `docker.io/library/nginx:latest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Name {
    pub fn is_short(&self) -> bool {
        self.registry.is_none()
    }

    pub fn registry(&self) -> Option<&str> {
        self.registry.as_deref()
    }

    pub fn repository(&self) -> &str {
        &self.repository
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The full name: the own registry, or `registry` where there is none. No tag and no digest mean `:latest`.
    pub fn qualify(&self, registry: &str) -> Reference {
        let registry = self.registry.as_deref().unwrap_or(registry);
        let mut reference = Reference::new(registry, &self.repository);
        reference.tag = self.tag.clone();
        reference.digest = self.digest;
        if reference.tag.is_none() && reference.digest.is_none() {
            reference.tag = Some(LATEST.into());
        }
        reference
    }

    /// The full name where an alias of registries.conf replaces registry and repository.
    pub fn with_alias(&self, target: &Name) -> Reference {
        let mut reference = target.qualify(DOCKER_HUB);
        reference.tag = self.tag.clone();
        reference.digest = self.digest;
        if reference.tag.is_none() && reference.digest.is_none() {
            reference.tag = Some(LATEST.into());
        }
        reference
    }
}

impl Reference {
    /// Docker Hub's own images live under `library/`, and its old host name is an alias.
    fn new(registry: &str, repository: &str) -> Self {
        let registry = match registry {
            "index.docker.io" => DOCKER_HUB,
            other => other,
        };
        let repository = match registry == DOCKER_HUB && !repository.contains('/') {
            true => format!("library/{repository}"),
            false => repository.into(),
        };
        Self {
            registry: registry.into(),
            repository,
            tag: None,
            digest: None,
        }
    }

    pub fn registry(&self) -> &str {
        &self.registry
    }

    pub fn repository(&self) -> &str {
        &self.repository
    }

    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// `registry/repository`, what `images` prints as REPOSITORY.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository at one exact manifest.
    pub fn at(&self, digest: Digest) -> Reference {
        Reference {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The name that is kept: where both are given the digest decides, and the tag says nothing (as in Podman).
    pub fn pinned(mut self) -> Reference {
        if self.digest.is_some() {
            self.tag = None;
        }
        self
    }

    /// The tag, or the digest, as the last part of a manifest's URL.
    pub fn selector(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => LATEST.into(),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        suffix(f, self.tag.as_deref(), self.digest.as_ref())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        f.write_str(&self.repository)?;
        suffix(f, self.tag.as_deref(), self.digest.as_ref())
    }
}

fn suffix(f: &mut fmt::Formatter<'_>, tag: Option<&str>, digest: Option<&Digest>) -> fmt::Result {
    if let Some(tag) = tag {
        write!(f, ":{tag}")?;
    }
    if let Some(digest) = digest {
        write!(f, "@{digest}")?;
    }
    Ok(())
}

/// Docker Hub's rules: `nginx` is `docker.io/library/nginx:latest`.
impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(text.parse::<Name>()?.qualify(DOCKER_HUB))
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: &str| {
            let shown: String = text.chars().take(300).collect();
            Error::usage(format!("parse image name \"{shown}\": {why}"))
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => match digest.parse::<Digest>() {
                Ok(digest) => (rest, Some(digest)),
                Err(_) => {
                    return Err(invalid(
                        "invalid reference format: not a sha256 or sha512 digest",
                    ));
                }
            },
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(invalid("invalid reference format: malformed tag"));
        }
        let (registry, repository) = split_registry(path);
        if let Some(registry) = registry
            && !is_registry(registry)
        {
            return Err(invalid("invalid reference format: malformed registry host"));
        }
        if repository.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(invalid(
                "invalid reference format: repository name must be lowercase",
            ));
        }
        if path.len() > NAME_MAX {
            return Err(invalid(
                "repository name must not be more than 255 characters",
            ));
        }
        if !repository.split('/').all(is_component) {
            return Err(invalid("invalid reference format"));
        }
        // 64 hex digits are an id; as a repository name they would never be found again.
        if registry.is_none() && is_full_id(repository) && tag.is_none() && digest.is_none() {
            return Err(invalid(
                "invalid reference format: this is an image ID, not a name",
            ));
        }
        Ok(Self {
            registry: registry.map(str::to_owned),
            repository: repository.into(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

/// The first component is a registry when it cannot be a part of Docker Hub's repositories.
fn split_registry(path: &str) -> (Option<&str>, &str) {
    match path.split_once('/') {
        Some((first, rest))
            if first == LOCALHOST
                || first.contains(['.', ':'])
                || first.chars().any(|c| c.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, path),
    }
}

/// `host`, `host:port`, `1.2.3.4:port` or `[v6]:port`.
pub fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(v6) => {
            let Some((address, port)) = v6.split_once(']') else {
                return false;
            };
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            (
                "v6",
                port.strip_prefix(':').or(port.is_empty().then_some("0")),
            )
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("0")),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(label)
        && port.is_some_and(|port| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
        })
}

/// A repository within a registry, as it may stand in a URL.
pub(super) fn is_repository(text: &str) -> bool {
    text.len() <= NAME_MAX && text.split('/').all(is_component)
}

/// Lower case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn is_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else {
        return false;
    };
    if !alphanumeric(first) || !alphanumeric(last) {
        return false;
    }
    text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|join| matches!(join, "" | "." | "_" | "__") || join.bytes().all(|b| b == b'-'))
}

pub(super) fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=TAG_MAX).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_full_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use oci_spec::distribution::Reference as Oracle;

    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_become_full_by_docker_hubs_rules() {
        let at = format!("@sha256:{HEX}");
        let cases = [
            (
                "nginx".to_owned(),
                "docker.io/library/nginx:latest".to_owned(),
            ),
            ("nginx:1.25".into(), "docker.io/library/nginx:1.25".into()),
            ("me/app".into(), "docker.io/me/app:latest".into()),
            (
                "docker.io/nginx".into(),
                "docker.io/library/nginx:latest".into(),
            ),
            (
                "index.docker.io/nginx".into(),
                "docker.io/library/nginx:latest".into(),
            ),
            ("localhost/app".into(), "localhost/app:latest".into()),
            (
                "localhost:5000/app".into(),
                "localhost:5000/app:latest".into(),
            ),
            ("127.0.0.1:5000/a/b:c".into(), "127.0.0.1:5000/a/b:c".into()),
            (
                "quay.io/a/b-c__d.e".into(),
                "quay.io/a/b-c__d.e:latest".into(),
            ),
            (format!("nginx{at}"), format!("docker.io/library/nginx{at}")),
            (
                format!("nginx:1{at}"),
                format!("docker.io/library/nginx:1{at}"),
            ),
        ];
        for (text, want) in cases {
            let got: Reference = text.parse().unwrap();
            assert_eq!(got.to_string(), want, "{text}");
            let oracle: Oracle = text.parse().unwrap();
            assert_eq!(oracle.whole(), want, "{text}");
        }
        let v6: Reference = "[::1]:5000/app".parse().unwrap();
        assert_eq!((v6.registry(), v6.repository()), ("[::1]:5000", "app"));
    }

    #[test]
    fn malformed_names_are_refused_before_a_path_is_made() {
        let long = "a".repeat(256);
        let tag = format!("a:{}", "t".repeat(129));
        let bad = [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "../a",
            "a/../b",
            "a/..",
            "A",
            "docker.io/A",
            "a:",
            "a:b:c",
            "a b",
            "a\n",
            "a\0b",
            "é",
            "a@",
            "a@sha256:12",
            "a@md5:d41d8cd98f00b204e9800998ecf8427e",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a._b",
            "_a",
            "a:.b",
            "a:-b",
            "x..y/a",
            "x.y:port/a",
            "x.y:99999/a",
            "http://x/a",
            "docker://x/a",
            "[::1/a",
            "[x]:5/a",
            &long,
            &tag,
            HEX,
        ];
        for text in bad {
            let err = text.parse::<Name>().expect_err(text);
            assert_eq!(err.kind(), crate::error::Kind::Usage, "{text:?}");
        }
    }

    #[test]
    fn whatever_the_oracle_refuses_is_refused_here() {
        // A small alphabet gives all the joins and edges.
        let alphabet = ["a", "B", "0", ".", "_", "-", "/", ":", "@"];
        for n in 0..alphabet.len().pow(5) {
            let mut rest = n;
            let text: String = (0..5)
                .map(|_| {
                    let part = alphabet[rest % alphabet.len()];
                    rest /= alphabet.len();
                    part
                })
                .collect();
            let mine = text.parse::<Reference>().is_ok();
            let oracle = text.parse::<Oracle>().is_ok();
            // A port beyond 65535 is the one thing this parser is stricter about; five characters cannot say one.
            if mine && !oracle {
                panic!("{text}: accepted here, refused by oci-spec");
            }
        }
    }

    #[test]
    fn the_digest_wins_over_the_tag() {
        let both: Reference = format!("nginx:1@sha256:{HEX}").parse().unwrap();
        assert_eq!(both.selector(), format!("sha256:{HEX}"));
        assert_eq!(
            both.pinned().to_string(),
            format!("docker.io/library/nginx@sha256:{HEX}")
        );
    }
}
