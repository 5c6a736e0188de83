//! Credentials for registries, where Podman and Docker keep them.
//!
//!     --authfile                                  alone, when given
//!     $REGISTRY_AUTH_FILE                         alone, when set
//!     $XDG_RUNTIME_DIR/containers/auth.json       then, first entry that fits; logins are written here (`edit`), or
//!     $XDG_CONFIG_HOME/containers/auth.json         to this one where there is no runtime directory
//!     $DOCKER_CONFIG or ~/.docker, config.json
//!     ~/.dockercfg                                the old form: the hosts at the top level
//!
//! An entry may name a registry, or a registry and the beginning of a repository; the longest that fits wins
//! (containers-auth.json(5)). `credHelpers` and `credsStore` name programs, `docker-credential-NAME`, that are run
//! with `get`. A secret is never printed: `Debug` of [`Credentials`] hides it.

mod base64;
mod edit;
mod helper;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::rootless::dirs;
use crate::rootless::identity::Identity;

pub use edit::{Change, Stored};

/// The name of the auth files among the `credential-helpers` of registries.conf.
pub const FILES: &str = "containers-auth.json";

/// What is sent to a registry, or to its token server.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    Basic {
        user: String,
        password: String,
    },
    /// An OAuth2 refresh token (`identitytoken`), exchanged for an access token by POST.
    Identity {
        token: String,
    },
    /// A bearer token that is sent as it is (`registrytoken`).
    Bearer {
        token: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => write!(f, "Basic({user}, hidden)"),
            Self::Identity { .. } => f.write_str("Identity(hidden)"),
            Self::Bearer { .. } => f.write_str("Bearer(hidden)"),
        }
    }
}

impl Credentials {
    /// Parses `--creds USER[:PASSWORD]`. Without a password the caller has to ask for one.
    pub fn parse(text: &str) -> Result<Self> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, password),
            None => (text, ""),
        };
        if user.is_empty() {
            return Err(Error::usage("parse credentials: the user name is empty")
                .hint("want USER:PASSWORD"));
        }
        Ok(Self::Basic {
            user: user.into(),
            password: password.into(),
        })
    }
}

/// One file, in the form of auth.json; `.dockercfg` is read into the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AuthFile {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// base64 of `user:password`
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry(hidden)")
    }
}

/// Where to look, decided once a command.
#[derive(Debug, Clone)]
pub struct AuthFiles {
    /// (path, must exist)
    paths: Vec<(PathBuf, bool)>,
}

impl AuthFiles {
    /// `authfile`: the command line's `--authfile`.
    pub fn locate(me: &Identity, authfile: Option<&Path>) -> Self {
        if let Some(path) = authfile {
            return Self {
                paths: vec![(path.to_path_buf(), true)],
            };
        }
        if let Some(path) = non_empty_env("REGISTRY_AUTH_FILE") {
            return Self {
                paths: vec![(path, false)],
            };
        }
        let mut paths = Vec::new();
        if let Some(dir) = runtime_dir(me) {
            paths.push((dir.join("containers/auth.json"), false));
        }
        if let Ok(dir) = dirs::config_home(me) {
            paths.push((dir.join("containers/auth.json"), false));
        }
        match non_empty_env("DOCKER_CONFIG") {
            Some(dir) => paths.push((dir.join("config.json"), false)),
            None => paths.extend(
                me.home()
                    .ok()
                    .map(|home| (home.join(".docker/config.json"), false)),
            ),
        }
        paths.extend(me.home().ok().map(|home| (home.join(".dockercfg"), false)));
        Self { paths }
    }

    /// The one file, where the caller or the environment names one.
    fn only(&self) -> Option<&Path> {
        match self.paths.as_slice() {
            [(path, _)] => Some(path),
            _ => None,
        }
    }

    /// As [`AuthFiles::find`], asking `helpers` (registries.conf's `credential-helpers`) in their order.
    pub fn find_with(
        &self,
        helpers: &[String],
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credentials>> {
        if helpers.is_empty() {
            return self.find(registry, repository);
        }
        for name in helpers {
            let found = match name.as_str() {
                FILES => self.find(registry, repository)?,
                program => helper::get(program, registry)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Credentials for `registry/repository`, the first that fit in the files' order; `None` is anonymous.
    pub fn find(&self, registry: &str, repository: &str) -> Result<Option<Credentials>> {
        for (path, required) in &self.paths {
            let text = match std::fs::read_to_string(path) {
                Ok(text) => text,
                Err(err) if err.kind() == std::io::ErrorKind::NotFound && !required => continue,
                Err(err) => {
                    let tried = format!("read credentials \"{}\"", path.display());
                    return Err(Error::io(&err, tried));
                }
            };
            let legacy = path.file_name().is_some_and(|name| name == ".dockercfg");
            let file = parse(&text, legacy).map_err(|why| {
                // serde's message can quote the file, and the file is secret: only the place is told.
                Error::new(
                    Kind::Corrupt,
                    format!(
                        "read credentials \"{}\": malformed at {why}",
                        path.display()
                    ),
                )
            })?;
            if let Some(found) = file.find(registry, repository, helper::get)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// `$XDG_RUNTIME_DIR`, or what logind makes; `None` where there is neither (a batch job).
fn runtime_dir(me: &Identity) -> Option<PathBuf> {
    non_empty_env("XDG_RUNTIME_DIR").or_else(|| {
        let logind = PathBuf::from(format!("/run/user/{}", me.uid));
        dirs::is_private(&logind, me.uid).then_some(logind)
    })
}

fn non_empty_env(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn parse(text: &str, legacy: bool) -> Result<AuthFile, String> {
    if text.trim().is_empty() {
        return Ok(AuthFile::default());
    }
    let place = |err: serde_json::Error| format!("line {}, column {}", err.line(), err.column());
    if legacy {
        let auths = serde_json::from_str(text).map_err(place)?;
        return Ok(AuthFile {
            auths,
            ..AuthFile::default()
        });
    }
    serde_json::from_str(text).map_err(place)
}

impl AuthFile {
    fn find(
        &self,
        registry: &str,
        repository: &str,
        helper: impl Fn(&str, &str) -> Result<Option<Credentials>>,
    ) -> Result<Option<Credentials>> {
        if let Some((server, name)) = self
            .cred_helpers
            .iter()
            .find(|(server, _)| same_host(server, registry))
        {
            return helper(name, server);
        }
        for key in keys(registry, repository) {
            if let Some(found) = self.auths.get(&key).and_then(Entry::credentials) {
                return Ok(Some(found));
            }
        }
        // Docker writes URLs; only the host of such a key counts.
        let by_url = self
            .auths
            .iter()
            .filter(|(key, _)| key.contains("://"))
            .find(|(key, _)| same_host(key, registry))
            .and_then(|(_, entry)| entry.credentials());
        if by_url.is_some() {
            return Ok(by_url);
        }
        if self.creds_store.is_empty() {
            return Ok(None);
        }
        helper(&self.creds_store, edit::server_of(registry))
    }
}

/// The keys that fit, longest first: `host/a/b`, `host/a`, `host`, and Docker Hub's other names.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = format!("{registry}/{repository}");
    loop {
        keys.push(path.clone());
        match path.rfind('/') {
            Some(at) => path.truncate(at),
            None => break,
        }
    }
    if registry == "docker.io" {
        keys.extend([
            "index.docker.io".to_owned(),
            "registry-1.docker.io".to_owned(),
        ]);
    }
    keys
}

/// Compares a key such as `https://index.docker.io/v1/` with a registry.
fn same_host(key: &str, registry: &str) -> bool {
    let bare = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    let host = bare.split('/').next().unwrap_or(bare);
    let docker = |host: &str| {
        matches!(
            host,
            "docker.io" | "index.docker.io" | "registry-1.docker.io"
        )
    };
    host == registry || (docker(host) && docker(registry))
}

impl Entry {
    fn credentials(&self) -> Option<Credentials> {
        if !self.identitytoken.is_empty() {
            return Some(Credentials::Identity {
                token: self.identitytoken.clone(),
            });
        }
        if !self.registrytoken.is_empty() {
            return Some(Credentials::Bearer {
                token: self.registrytoken.clone(),
            });
        }
        if !self.auth.is_empty() {
            let decoded = base64::decode(self.auth.trim())?;
            let text = String::from_utf8(decoded).ok()?;
            let (user, password) = text.split_once(':')?;
            return Some(Credentials::Basic {
                user: user.into(),
                // Docker once padded with zero bytes.
                password: password.trim_end_matches('\0').into(),
            });
        }
        (!self.username.is_empty()).then(|| Credentials::Basic {
            user: self.username.clone(),
            password: self.password.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Basic {
            user: user.into(),
            password: password.into(),
        })
    }

    #[test]
    fn the_longest_key_wins() {
        // YTox = a:1, Yjoy = b:2, Yzoz = c:3, ZDo0 = d:4
        let file = parse(
            r#"{"auths": {
                "r.io": {"auth": "YTox"}, "r.io/team": {"auth": "Yjoy"}, "r.io/team/app": {"auth": "Yzoz"},
                "https://index.docker.io/v1/": {"auth": "ZDo0"},
                "id.io": {"identitytoken": "t"}, "raw.io": {"registrytoken": "r"},
                "plain.io": {"username": "u", "password": "p"}, "bad.io": {"auth": "!!"}, "empty.io": {}
            }}"#,
            false,
        )
        .unwrap();
        let none = |_: &str, _: &str| Ok(None);
        let cases = [
            ("r.io", "other", basic("a", "1")),
            ("r.io", "team/x", basic("b", "2")),
            ("r.io", "team/app", basic("c", "3")),
            ("r.io", "team/app/deeper", basic("c", "3")),
            ("r.io", "teamster", basic("a", "1")),
            ("docker.io", "library/nginx", basic("d", "4")),
            (
                "id.io",
                "a",
                Some(Credentials::Identity { token: "t".into() }),
            ),
            (
                "raw.io",
                "a",
                Some(Credentials::Bearer { token: "r".into() }),
            ),
            ("plain.io", "a", basic("u", "p")),
            ("bad.io", "a", None),
            ("empty.io", "a", None),
            ("r.io:5000", "team", None),
        ];
        for (registry, repository, want) in cases {
            let got = file.find(registry, repository, none).unwrap();
            assert_eq!(got, want, "{registry}/{repository}");
        }
    }

    #[test]
    fn helpers_are_asked_where_the_file_says() {
        let file = parse(
            r#"{"credHelpers": {"gcr.io": "gcloud"}, "credsStore": "desktop", "auths": {"a.io": {"auth": "YTox"}}}"#,
            false,
        )
        .unwrap();
        let helper = |name: &str, server: &str| Ok(basic(name, server));
        let cases = [
            ("gcr.io", basic("gcloud", "gcr.io")),
            ("a.io", basic("a", "1")),
            ("docker.io", basic("desktop", "https://index.docker.io/v1/")),
            ("b.io", basic("desktop", "b.io")),
        ];
        for (registry, want) in cases {
            assert_eq!(
                file.find(registry, "x", helper).unwrap(),
                want,
                "{registry}"
            );
        }
    }

    #[test]
    fn the_old_docker_form_is_read() {
        let file = parse(r#"{"https://r.io/v1/": {"auth": "YTox"}}"#, true).unwrap();
        assert_eq!(
            file.find("r.io", "x", |_, _| Ok(None)).unwrap(),
            basic("a", "1")
        );
    }

    #[test]
    fn a_malformed_file_gives_nothing_away() {
        let why = parse(r#"{"auths": {"r.io": {"auth": "c2VjcmV0" x}}}"#, false).unwrap_err();
        assert_eq!(why, "line 1, column 40");
        assert_eq!(
            format!("{:?}", basic("u", "secret").unwrap()),
            "Basic(u, hidden)"
        );
    }
}
