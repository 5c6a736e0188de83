//! Accounts at registries: who is logged in where. Touches no store.

use std::path::Path;

use crate::config::auth::{AuthFiles, Change, Credentials, Stored};
use crate::config::registries::Registries;
use crate::error::{Error, Kind, Result};
use crate::rootless::identity::Identity;

use super::reference::{Name, is_registry};
use super::{AccessOptions, access};

/// What a login is stored under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `quay.io`, `quay.io/team`
    pub name: String,
    /// `quay.io`
    pub registry: String,
}

impl Key {
    /// A registry as typed: a URL counts as its host; a repository may follow the host.
    pub fn parse(text: &str) -> Result<Self> {
        let url = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let name = match url {
            Some(rest) => rest.split('/').next().unwrap_or(rest),
            None => text.trim_end_matches('/'),
        };
        let registry = name.split('/').next().unwrap_or(name);
        if !is_registry(registry) {
            let text = format!("log in to {text:?}: not a registry, want HOST[:PORT][/REPOSITORY]");
            return Err(Error::usage(text));
        }
        if name != registry {
            let parsed: Name = name.parse()?;
            if parsed.tag().is_some() || parsed.digest().is_some() {
                let text = format!("reference {name:?} contains tag or digest");
                return Err(Error::usage(text));
            }
        }
        Ok(Self {
            name: name.into(),
            registry: registry.into(),
        })
    }

    /// The first registry that short names are looked for at.
    pub fn default(me: &Identity) -> Result<Self> {
        let registries = Registries::load(me)?;
        let first = registries.search().first().ok_or_else(|| {
            Error::usage("no registries found in registries.conf, a registry must be provided")
        })?;
        Self::parse(first)
    }

    fn repository(&self) -> &str {
        self.name
            .strip_prefix(self.registry.as_str())
            .and_then(|rest| rest.strip_prefix('/'))
            .unwrap_or_default()
    }
}

/// Where a login is stored: `authfile`, else the usual file, or the program registries.conf puts before it.
pub fn stored(me: &Identity, authfile: Option<&Path>) -> Result<Stored> {
    let helpers = Registries::load(me)?;
    Ok(Stored::locate(me, authfile)?.with_helpers(helpers.credential_helpers()))
}

/// The logins of one user.
#[derive(Debug, Clone, Copy)]
pub struct Accounts<'a> {
    me: &'a Identity,
    access: &'a AccessOptions,
    /// Where logins are written.
    stored: &'a Stored,
}

impl<'a> Accounts<'a> {
    pub fn new(me: &'a Identity, access: &'a AccessOptions, stored: &'a Stored) -> Self {
        Self { me, access, stored }
    }

    /// What would be sent to the registry of `key` now.
    pub fn find(&self, key: &Key) -> Result<Option<Credentials>> {
        // An auth file that a login is to make need not exist yet.
        let authfile = self.access.authfile.as_deref().filter(|path| path.exists());
        let files = match (authfile, &self.access.authfile) {
            (None, Some(_)) => return Ok(None),
            _ => AuthFiles::locate(self.me, authfile),
        };
        let registries = Registries::load(self.me)?;
        files
            .find_with(
                registries.credential_helpers(),
                &key.registry,
                key.repository(),
            )
            .map_err(|err| err.context("get credentials"))
    }

    /// Asks the registry whether it takes them. It may well be one that asks nobody.
    pub fn are_valid(&self, key: &Key, credentials: &Credentials) -> Result<bool> {
        let registries = Registries::load(self.me)?;
        let mut endpoint = registries.itself(&key.registry, key.repository())?;
        endpoint.repository = String::new();
        access::verify(&mut endpoint, self.access);
        let client = access::client(self.me, self.access)?;
        match client.check_login(&endpoint, Some(credentials.clone())) {
            Ok(()) => Ok(true),
            Err(err) if err.kind() == Kind::Unauthorized => Ok(false),
            Err(err) => Err(err.context(format!("authenticating creds for {:?}", key.name))),
        }
    }

    pub fn remember(&self, key: &Key, user: &str, password: &str) -> Result<()> {
        self.stored.set(&key.name, user, password)
    }

    pub fn forget(&self, key: &Key) -> Result<Change> {
        self.stored
            .remove(&key.name)
            .map_err(|err| err.context(format!("logging out of {:?}", key.name)))
    }

    pub fn forget_all(&self) -> Result<()> {
        self.stored.remove_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_registries_or_parts_of_them() {
        for (text, want) in [
            ("quay.io", Some(("quay.io", "quay.io"))),
            ("https://quay.io/v2/", Some(("quay.io", "quay.io"))),
            (
                "http://127.0.0.1:5000",
                Some(("127.0.0.1:5000", "127.0.0.1:5000")),
            ),
            ("quay.io/", Some(("quay.io", "quay.io"))),
            ("quay.io/team/app", Some(("quay.io/team/app", "quay.io"))),
            ("localhost", Some(("localhost", "localhost"))),
            ("quay.io/team:1", None),
            ("quay.io/Team", None),
            ("", None),
            ("a b", None),
            ("https://", None),
        ] {
            let got = Key::parse(text).ok();
            let got = got
                .as_ref()
                .map(|key| (key.name.as_str(), key.registry.as_str()));
            assert_eq!(got, want, "{text}");
        }
    }
}
