//! Secrets: small files that containers are given at their start, by name.
//!
//!     secrets/index.json   Index: every secret's name, times and labels; what it does not name does not exist
//!     secrets/<id>         the secret itself, 0600; never changed, a replaced secret gets another id
//!     secrets/lock         held by who changes any of these
//!
//! Data is flushed before the index names it, and unlinked after the index has forgotten it: a file that the index
//! does not know is what a killed command left, and goes with the next change. Nothing here reaches a container's
//! record, its layer or its log.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, Tried};
use crate::state::{self, Durable, Lock};

pub const VERSION: u32 = 1;
/// The only driver there is: a file of the store.
pub const DRIVER: &str = "file";
/// One byte more than the largest secret (Podman's limit).
pub const LIMIT: usize = 512_000;

const ID_LEN: usize = 25;
const INDEX: &str = "index.json";
const LOCK: &str = "lock";

/// The secrets of one store. Making one touches nothing.
#[derive(Debug, Clone)]
pub struct Secrets {
    dir: PathBuf,
}

/// What is known of a secret, the secret itself aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// 25 hex digits.
    pub id: String,
    pub name: String,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    /// When `--replace` last changed it.
    pub updated: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `--driver-opts`, as given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    version: u32,
    secrets: Vec<Secret>,
}

/// What a new secret shall be like.
#[derive(Debug, Clone, Default)]
pub struct NewSecret {
    pub labels: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
    pub if_taken: IfTaken,
}

/// What happens when the name is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IfTaken {
    #[default]
    Fail,
    Replace,
    /// The one there is stays.
    Keep,
}

impl Secrets {
    /// `store`: the root of the store.
    pub fn new(store: &Path) -> Self {
        Self {
            dir: store.join("secrets"),
        }
    }

    /// Where the secrets lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stores `data` under `name` and returns the id. `Kind::InUse`: the name is taken.
    pub fn create(&self, name: &str, data: &[u8], new: NewSecret, now: String) -> Result<String> {
        check_name(name)?;
        if data.is_empty() || data.len() >= LIMIT {
            return Err(Error::usage(format!(
                "secret data must be larger than 0 and less than {LIMIT} bytes"
            )));
        }
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let known = |secret: &Secret| secret.name == name || secret.id == name;
        let old = index.secrets.iter().position(known);
        let created = match (old, new.if_taken) {
            (None, _) => now.clone(),
            (Some(at), IfTaken::Keep) => return Ok(index.secrets[at].id.clone()),
            (Some(at), IfTaken::Replace) => index.secrets.remove(at).created,
            (Some(_), IfTaken::Fail) => {
                return Err(Error::new(
                    Kind::InUse,
                    format!("{name}: secret name in use"),
                ));
            }
        };
        let id = new_id()?;
        self.write_data(&id, data)?;
        index.secrets.push(Secret {
            id: id.clone(),
            name: name.to_owned(),
            created,
            updated: now,
            labels: new.labels,
            options: new.options,
        });
        self.save(index)?;
        Ok(id)
    }

    /// By name.
    pub fn list(&self) -> Result<Vec<Secret>> {
        let mut all = self.index()?.secrets;
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// By id, name, or the beginning of an id that no other has.
    pub fn find(&self, name_or_id: &str) -> Result<Secret> {
        find(self.index()?.secrets, name_or_id)
    }

    /// A secret with its data.
    pub fn read(&self, name_or_id: &str) -> Result<(Secret, Vec<u8>)> {
        // A replacement between the two reads is seen as a missing file: look again.
        for _ in 0..8 {
            let secret = self.find(name_or_id)?;
            match fs::read(self.dir.join(&secret.id)) {
                Ok(data) => return Ok((secret, data)),
                Err(err) if err.kind() == ErrorKind::NotFound => {}
                Err(err) => return Err(Error::io(&err, format!("read secret {name_or_id:?}"))),
            }
        }
        Err(Error::new(
            Kind::Corrupt,
            format!("read secret {name_or_id:?}: its data is missing"),
        ))
    }

    /// Removes a secret and returns its id. Containers that use it fail at their next start.
    pub fn remove(&self, name_or_id: &str) -> Result<String> {
        if !self.dir.exists() {
            return Err(no_such(name_or_id));
        }
        let _lock = self.lock()?;
        let mut index = self.index()?;
        let id = find(index.secrets.clone(), name_or_id)?.id;
        index.secrets.retain(|secret| secret.id != id);
        self.save(index)?;
        Ok(id)
    }

    fn lock(&self) -> Result<Lock> {
        match fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
        {
            Err(err) if err.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io(
                    &err,
                    format!("make directory {}", self.dir.display()),
                ));
            }
            _ => {}
        }
        Lock::exclusive(&self.dir.join(LOCK))
    }

    fn index(&self) -> Result<Index> {
        let index: Index = state::load(&self.dir.join(INDEX))?.unwrap_or_default();
        match index.version > VERSION {
            true => Err(Error::new(
                Kind::Unsupported,
                format!(
                    "read secrets in {}: version {}, this program knows {VERSION}",
                    self.dir.display(),
                    index.version
                ),
            )
            .hint("use the newer pod that made them")),
            false => Ok(index),
        }
    }

    fn write_data(&self, id: &str, data: &[u8]) -> Result<()> {
        let tried = || format!("write secret in {}", self.dir.display());
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.dir.join(id))
            .tried(tried)?;
        file.write_all(data)
            .and_then(|()| file.sync_data())
            .tried(tried)
    }

    /// Replaces the index, then removes the data it does not name. The caller holds the lock.
    fn save(&self, mut index: Index) -> Result<()> {
        index.version = VERSION;
        let path = self.dir.join(INDEX);
        match index.secrets.is_empty() {
            // A store without secrets holds what one holds that never had any.
            true => fs::remove_file(&path).tried(|| format!("remove {}", path.display()))?,
            false => state::save(&path, &index, Durable::Yes)?,
        }
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let known = name == INDEX || name == LOCK || {
                let mut secrets = index.secrets.iter();
                secrets.any(|secret| name == secret.id.as_str())
            };
            if !known {
                fs::remove_file(entry.path())
                    .tried(|| format!("remove {}", entry.path().display()))?;
            }
        }
        Ok(())
    }
}

fn find(secrets: Vec<Secret>, name_or_id: &str) -> Result<Secret> {
    let exact = |secret: &&Secret| secret.id == name_or_id || secret.name == name_or_id;
    if let Some(secret) = secrets.iter().find(exact) {
        return Ok(secret.clone());
    }
    let mut matching = secrets
        .into_iter()
        .filter(|secret| !name_or_id.is_empty() && secret.id.starts_with(name_or_id));
    match (matching.next(), matching.next()) {
        (Some(secret), None) => Ok(secret),
        (Some(_), Some(_)) => Err(Error::new(
            Kind::InUse,
            format!("more than one result secret with prefix {name_or_id}: secret is ambiguous"),
        )),
        _ => Err(no_such(name_or_id)),
    }
}

/// Podman's words, which scripts match.
fn no_such(name: &str) -> Error {
    Error::new(
        Kind::NotFound,
        format!("no secret with name or id {name:?}: no such secret"),
    )
}

/// Podman's rule: a name is never a path here, so all else goes.
pub fn check_name(name: &str) -> Result<()> {
    match name.is_empty() || name.len() > 253 || name.contains([',', '/', '=', '\0']) {
        true => Err(Error::usage(format!(
            "secret name {name:?} can not include '=', '/', ',', or the '\\0' (NULL) and be between 1 and 253 \
             characters: invalid secret name"
        ))),
        false => Ok(()),
    }
}

fn new_id() -> Result<String> {
    let mut bytes = [0u8; ID_LEN.div_ceil(2)];
    let mut random = fs::File::open("/dev/urandom").tried(|| "open /dev/urandom")?;
    random
        .read_exact(&mut bytes)
        .tried(|| "read /dev/urandom")?;
    let mut id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    id.truncate(ID_LEN);
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "..", "my.key_1", "with space", &"x".repeat(253)] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
        for name in ["", "a/b", "a,b", "a=b", "a\0", &"x".repeat(254)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn ids_are_25_digits() {
        let id = new_id().expect("random");
        assert!(id.len() == 25 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_ne!(id, new_id().expect("random"));
    }

    #[test]
    fn found_by_name_id_or_beginning_of_an_id() {
        let secret = |id: &str, name: &str| Secret {
            id: id.to_owned(),
            name: name.to_owned(),
            created: String::new(),
            updated: String::new(),
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        };
        let all = || vec![secret("abc1", "x"), secret("abd2", "abc"), secret("f", "y")];
        for (text, want) in [
            ("x", Some("abc1")),
            ("abc", Some("abd2")),
            ("abd", Some("abd2")),
            ("ab", None),
            ("", None),
            ("z", None),
        ] {
            let got = find(all(), text).ok();
            assert_eq!(got.as_ref().map(|s| s.id.as_str()), want, "{text:?}");
        }
    }
}
