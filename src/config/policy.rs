//! policy.json (containers-policy.json(5)): which images may come in.
//!
//!     --signature-policy                          alone, when given
//!     $XDG_CONFIG_HOME/containers/policy.json     else
//!     /etc/containers/policy.json
//!
//! `insecureAcceptAnything` and `reject` are honoured. Signatures cannot be verified by this version: what `signedBy`
//! or `sigstoreSigned` cover is refused, never taken unverified. As in Podman a file that has unknown, doubled or
//! malformed parts is an error. Where there is no file everything is accepted; Podman refuses to pull then.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};

use crate::config::files;
use crate::error::{Error, Kind, Result};
use crate::rootless::dirs;
use crate::rootless::identity::Identity;

/// The policy in force.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    path: PathBuf,
    /// `None`: there is no file.
    file: Option<File>,
}

/// An image's place, as policies name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    transport: &'static str,
    /// As messages show it: `docker://quay.io/a/b:tag`.
    shown: String,
    /// Most specific first.
    scopes: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Requirements,
    #[serde(default)]
    transports: Unique<Unique<Requirements>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<Requirement>")]
struct Requirements(Vec<Requirement>);

impl TryFrom<Vec<Requirement>> for Requirements {
    type Error = &'static str;

    fn try_from(list: Vec<Requirement>) -> Result<Self, &'static str> {
        match list.is_empty() {
            true => Err("a list of policy requirements must not be empty"),
            false => Ok(Self(list)),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Requirement {
    InsecureAcceptAnything {},
    Reject {},
    #[serde(rename_all = "camelCase")]
    SignedBy {
        #[serde(rename = "keyType")]
        _key_type: String,
        #[serde(rename = "keyPath")]
        _key_path: Option<String>,
        #[serde(rename = "keyPaths")]
        _key_paths: Option<Vec<String>>,
        #[serde(rename = "keyData")]
        _key_data: Option<String>,
        #[serde(rename = "signedIdentity")]
        _signed_identity: Option<IgnoredAny>,
    },
    SignedBaseLayer {
        #[serde(rename = "baseLayerIdentity")]
        _base_layer_identity: Option<IgnoredAny>,
    },
    SigstoreSigned {
        #[serde(rename = "keyPath")]
        _key_path: Option<String>,
        #[serde(rename = "keyPaths")]
        _key_paths: Option<Vec<String>>,
        #[serde(rename = "keyData")]
        _key_data: Option<String>,
        #[serde(rename = "keyDatas")]
        _key_datas: Option<Vec<String>>,
        #[serde(rename = "fulcio")]
        _fulcio: Option<IgnoredAny>,
        #[serde(rename = "pki")]
        _pki: Option<IgnoredAny>,
        #[serde(rename = "rekorPublicKeyPath")]
        _rekor_path: Option<String>,
        #[serde(rename = "rekorPublicKeyPaths")]
        _rekor_paths: Option<Vec<String>>,
        #[serde(rename = "rekorPublicKeyData")]
        _rekor_data: Option<String>,
        #[serde(rename = "rekorPublicKeyDatas")]
        _rekor_datas: Option<Vec<String>>,
        #[serde(rename = "signedIdentity")]
        _signed_identity: Option<IgnoredAny>,
    },
}

/// An object none of whose keys comes twice.
#[derive(Debug, Clone)]
struct Unique<T>(BTreeMap<String, T>);

impl<T> Default for Unique<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = BTreeMap<String, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, T>()? {
                    if all.contains_key(&key) {
                        let why = format!("the key {key:?} comes twice");
                        return Err(de::Error::custom(why));
                    }
                    all.insert(key, value);
                }
                Ok(all)
            }
        }
        from.deserialize_map(Read(std::marker::PhantomData))
            .map(Self)
    }
}

impl Policy {
    /// `explicit`: the command line's `--signature-policy`, which must exist.
    pub fn load(me: &Identity, explicit: Option<&Path>) -> Result<Self> {
        if let Some(path) = explicit {
            return Self::parse(&files::must_read(path)?, path);
        }
        let user = dirs::config_home(me).ok().map(|dir| dir.join("containers"));
        for dir in user.into_iter().chain([PathBuf::from("/etc/containers")]) {
            let path = dir.join("policy.json");
            if let Some(text) = files::read(&path)? {
                return Self::parse(&text, &path);
            }
        }
        Ok(Self::default())
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let wrong = |why: String| {
            let text = format!("read the policy \"{}\": {why}", path.display());
            Error::new(Kind::Corrupt, text).hint(
                "containers-policy.json(5) has its form; nothing is pulled while it is broken",
            )
        };
        let file: File = serde_json::from_str(text).map_err(|err| wrong(err.to_string()))?;
        for (transport, scopes) in &file.transports.0 {
            let bad = scopes.0.keys().find(|scope| !is_scope(transport, scope));
            if let Some(scope) = bad {
                return Err(wrong(format!(
                    "transport {transport:?} has no scope {scope:?}"
                )));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            file: Some(file),
        })
    }

    /// Fails unless an image may be taken from `place`.
    pub fn check(&self, place: &Place) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let of_transport = file.transports.0.get(place.transport);
        let found = of_transport.and_then(|scopes| {
            let names = place.scopes.iter().map(String::as_str).chain([""]);
            names.into_iter().find_map(|scope| scopes.0.get(scope))
        });
        for requirement in &found.unwrap_or(&file.default).0 {
            let (why, hint) = match requirement {
                Requirement::InsecureAcceptAnything {} => continue,
                Requirement::Reject {} => (
                    format!("Running image {} is rejected by policy.", place.shown),
                    "which images are accepted is written in",
                ),
                other => (
                    format!(
                        "the policy wants {} verified by {}, which this version of pod cannot do",
                        place.shown,
                        other.name()
                    ),
                    "another source, or another requirement for it, must be named in",
                ),
            };
            let text = format!("Source image rejected: {why}");
            let hint = format!("{hint} \"{}\"", self.path.display());
            return Err(Error::new(Kind::Unsupported, text).hint(hint));
        }
        Ok(())
    }
}

impl Requirement {
    fn name(&self) -> &'static str {
        match self {
            Self::InsecureAcceptAnything {} => "insecureAcceptAnything",
            Self::Reject {} => "reject",
            Self::SignedBy { .. } => "signedBy",
            Self::SignedBaseLayer { .. } => "signedBaseLayer",
            Self::SigstoreSigned { .. } => "sigstoreSigned",
        }
    }
}

impl Place {
    /// An image in a registry. `name`: `quay.io/a/b`; `selector`: `:tag` or `@sha256:…`.
    pub fn docker(name: &str, selector: &str) -> Self {
        let mut scopes = vec![format!("{name}{selector}")];
        let mut rest = name;
        scopes.push(rest.to_owned());
        while let Some((parent, _)) = rest.rsplit_once('/') {
            rest = parent;
            scopes.push(rest.to_owned());
        }
        // The wildcards of the host, which know no port.
        let mut host = rest.split(':').next().unwrap_or(rest);
        while let Some((_, domain)) = host.split_once('.') {
            host = domain;
            scopes.push(format!("*.{domain}"));
        }
        Self {
            transport: "docker",
            shown: format!("docker://{name}{selector}"),
            scopes,
        }
    }

    /// An image in a file or a directory, made absolute and free of links here. `transport` is its prefix without
    /// the colon (`oci`, `dir`, `oci-archive`, `docker-archive`), `tag` what follows the path.
    pub fn path(transport: &'static str, path: &Path, tag: Option<&str>) -> Self {
        let real = path
            .canonicalize()
            .or_else(|_| std::path::absolute(path))
            .unwrap_or_else(|_| path.to_owned());
        let mut scopes = Vec::new();
        // The whole of an archive of Docker's form is one scope: its own default.
        if transport != "docker-archive" {
            scopes.extend(tag.map(|tag| format!("{}:{tag}", real.display())));
            let parents = real.ancestors().filter(|dir| dir.parent().is_some());
            scopes.extend(parents.map(|dir| dir.display().to_string()));
        }
        let tag = tag.map_or(String::new(), |tag| format!(":{tag}"));
        Self {
            transport,
            shown: format!("{transport}:{}{tag}", path.display()),
            scopes,
        }
    }

    /// An image of a transport that knows no scopes but its default (`containers-storage`).
    pub fn whole(transport: &'static str, rest: &str) -> Self {
        Self {
            transport,
            shown: format!("{transport}:{rest}"),
            scopes: Vec::new(),
        }
    }
}

/// Paths must be absolute and plain; what other transports mean by a scope is theirs.
fn is_scope(transport: &str, scope: &str) -> bool {
    match transport {
        _ if scope.is_empty() => true,
        "dir" | "oci" | "oci-archive" => {
            let parts = scope.strip_prefix('/').unwrap_or_default().split('/');
            scope.starts_with('/')
                && parts
                    .into_iter()
                    .all(|part| !matches!(part, "" | "." | ".."))
        }
        "docker-archive" | "docker-daemon" | "tarball" => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Result<Policy> {
        Policy::parse(text, Path::new("/x/policy.json"))
    }

    const FILE: &str = r#"{
        "default": [{"type": "reject"}],
        "transports": {
            "docker": {
                "quay.io": [{"type": "insecureAcceptAnything"}],
                "quay.io/team": [{"type": "reject"}],
                "quay.io/team/app": [{"type": "insecureAcceptAnything"}],
                "quay.io/team/app:bad": [{"type": "reject"}],
                "quay.io/both": [{"type": "insecureAcceptAnything"}, {"type": "reject"}],
                "*.example.com": [{"type": "insecureAcceptAnything"}],
                "gpg.io": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}],
                "sig.io": [{"type": "sigstoreSigned", "keyPath": "/k", "signedIdentity": {"type": "matchRepository"}}]
            },
            "dir": {"": [{"type": "insecureAcceptAnything"}]},
            "oci": {"/pod-tests/images": [{"type": "insecureAcceptAnything"}],
                    "/pod-tests/images/a:bad": [{"type": "reject"}]},
            "docker-archive": {"": [{"type": "insecureAcceptAnything"}]}
        }
    }"#;

    #[test]
    fn the_most_specific_scope_decides() {
        let policy = policy(FILE).unwrap();
        let cases = [
            (
                "other.io/a",
                ":1",
                Some("docker://other.io/a:1 is rejected by policy"),
            ),
            ("quay.io/a", ":1", None),
            ("quay.io/team/x", ":1", Some("rejected")),
            ("quay.io/teamster", ":1", None),
            ("quay.io/team/app", ":1", None),
            ("quay.io/team/app", ":bad", Some("rejected")),
            ("quay.io/team/app/deeper", ":bad", None),
            ("quay.io/both", ":1", Some("rejected")),
            ("quay.io:5000/a", ":1", Some("rejected")),
            ("r.example.com/a", ":1", None),
            ("a.b.example.com:5000/a", ":1", None),
            ("example.com/a", ":1", Some("rejected")),
            ("gpg.io/a", "@sha256:0", Some("verified by signedBy")),
            ("sig.io/a", ":1", Some("verified by sigstoreSigned")),
        ];
        for (name, selector, want) in cases {
            let place = Place::docker(name, selector);
            match (policy.check(&place), want) {
                (Ok(()), None) => {}
                (Err(err), Some(want)) => assert!(err.to_string().contains(want), "{name}: {err}"),
                (got, _) => panic!("{name}{selector}: {got:?}"),
            }
        }
    }

    #[test]
    fn paths_have_scopes_too() {
        let policy = policy(FILE).unwrap();
        let cases = [
            ("dir", "/pod-tests/x", None, true),
            ("oci", "/pod-tests/images/a", Some("ok"), true),
            ("oci", "/pod-tests/images/a", Some("bad"), false),
            ("oci", "/pod-tests/imagesque", None, false),
            ("oci-archive", "/pod-tests/images/a", None, false),
            ("docker-archive", "/pod-tests/a.tar", None, true),
        ];
        for (transport, path, tag, want) in cases {
            let place = Place::path(transport, Path::new(path), tag);
            assert_eq!(policy.check(&place).is_ok(), want, "{place:?}");
        }
    }

    #[test]
    fn a_broken_file_is_refused() {
        let accept = r#"[{"type":"insecureAcceptAnything"}]"#;
        let cases = [
            ("".to_owned(), "EOF"),
            ("{}".to_owned(), "missing field `default`"),
            (r#"{"default": []}"#.to_owned(), "must not be empty"),
            (
                r#"{"default": [{"type":"perhaps"}]}"#.to_owned(),
                "unknown variant",
            ),
            (
                r#"{"default": [{"type":"reject","x":1}]}"#.to_owned(),
                "unknown field `x`",
            ),
            (
                format!(r#"{{"default": {accept}, "x": 1}}"#),
                "unknown field `x`",
            ),
            (
                format!(r#"{{"default": {accept}, "default": {accept}}}"#),
                "duplicate field",
            ),
            (
                format!(
                    r#"{{"default": {accept}, "transports": {{"docker": {{"a": {accept}, "a": {accept}}}}}}}"#
                ),
                "comes twice",
            ),
            (
                format!(r#"{{"default": {accept}, "transports": {{"dir": {{"x/y": {accept}}}}}}}"#),
                "has no scope",
            ),
            (
                format!(r#"{{"default": {accept}, "transports": {{"oci": {{"/": {accept}}}}}}}"#),
                "has no scope",
            ),
        ];
        for (text, want) in cases {
            let err = policy(&text).unwrap_err().to_string();
            assert!(err.contains(want), "{text}: {err}");
            assert!(err.contains("/x/policy.json"), "{err}");
        }
    }

    #[test]
    fn without_a_file_everything_is_accepted() {
        let place = Place::docker("quay.io/a", ":1");
        assert!(Policy::default().check(&place).is_ok());
    }
}
