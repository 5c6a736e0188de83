//! Logins and logouts: changes of the auth file that leave everything else in it as it was.
//!
//! The file is 0600 and replaced by rename, under a lock on the file itself, so that logins at the same time all
//! stay. What `credHelpers` or `credsStore` name keeps the secret instead of the file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value};

use serde::Serialize;

use super::{AuthFiles, FILES, base64, helper, runtime_dir, same_host};
use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::dirs;
use crate::rootless::identity::Identity;
use crate::state::{Durable, Lock, replace};

/// The file that logins go to.
#[derive(Debug, Clone)]
pub struct Stored {
    path: PathBuf,
    /// `--compat-auth-file`: Docker's way of naming registries.
    docker: bool,
    /// The program of registries.conf's `credential-helpers` that comes before the file.
    helper: Option<String>,
}

/// What a logout came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Done,
    /// Nothing was stored under that key.
    Nothing,
}

impl Stored {
    /// `authfile`, else `$REGISTRY_AUTH_FILE`, else the first of the files that are searched and may be written.
    pub fn locate(me: &Identity, authfile: Option<&Path>) -> Result<Self> {
        let given = AuthFiles::locate(me, authfile);
        let path = match given.only() {
            Some(path) => path.to_owned(),
            None => match runtime_dir(me) {
                Some(dir) => dir.join("containers/auth.json"),
                None => dirs::config_home(me)?.join("containers/auth.json"),
            },
        };
        Ok(Self {
            path,
            docker: false,
            helper: None,
        })
    }

    /// A file of Docker's (`--compat-auth-file`).
    pub fn docker(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            docker: true,
            helper: None,
        }
    }

    /// Leaves secrets to the first of registries.conf's `credential-helpers`, unless that is the files.
    #[must_use]
    pub fn with_helpers(mut self, helpers: &[String]) -> Self {
        self.helper = helpers.first().filter(|name| *name != FILES).cloned();
        self
    }

    /// Where a login goes, for the user.
    pub fn shown(&self) -> String {
        match &self.helper {
            Some(program) => program.clone(),
            None => self.path.display().to_string(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stores user and password for `key`: a registry, or a registry and the beginning of a repository.
    pub fn set(&self, key: &str, user: &str, password: &str) -> Result<()> {
        if self.docker && key.contains('/') {
            let text = format!("log in to {key:?}: Docker's files know whole registries only");
            return Err(Error::usage(text));
        }
        if let Some(program) = &self.helper {
            no_namespace(key, program)?;
            return helper::store(program, key, user, password);
        }
        self.edit(true, |file| {
            let name = self.name(key);
            if let Some((server, program)) = helper_of(file, key) {
                no_namespace(key, &program)?;
                helper::store(&program, &server, user, password)?;
                return Ok(false);
            }
            let entry = match store_of(file) {
                Some(program) => {
                    no_namespace(key, &program)?;
                    helper::store(&program, server_of(key), user, password)?;
                    // An empty entry: that is how Docker remembers whom to ask the store for.
                    Value::Object(Map::new())
                }
                None => {
                    let secret = base64::encode(format!("{user}:{password}").as_bytes());
                    serde_json::json!({"auth": secret})
                }
            };
            auths(file)?.insert(name, entry);
            Ok(true)
        })
    }

    /// Forgets what is stored for `key`.
    pub fn remove(&self, key: &str) -> Result<Change> {
        let mut gone = match &self.helper {
            Some(program) => !key.contains('/') && helper::erase(program, key)?,
            None => false,
        };
        self.edit(false, |file| {
            let name = self.name(key);
            if let Some((server, program)) = helper_of(file, key) {
                gone |= !key.contains('/') && helper::erase(&program, &server)?;
            } else if let Some(program) = store_of(file) {
                gone |= !key.contains('/') && helper::erase(&program, server_of(key))?;
            }
            let Some(auths) = file.get_mut("auths").and_then(Value::as_object_mut) else {
                return Ok(false);
            };
            let before = auths.len();
            // Docker's files name registries by URL; a key with a repository is exact.
            auths.retain(|known, _| {
                let same = known.contains("://") && !key.contains('/') && same_host(known, key);
                *known != name && *known != key && !same
            });
            let changed = auths.len() != before;
            gone |= changed;
            Ok(changed)
        })?;
        Ok(match gone {
            true => Change::Done,
            false => Change::Nothing,
        })
    }

    /// Forgets all that the file and its helpers hold.
    pub fn remove_all(&self) -> Result<()> {
        if let Some(program) = &self.helper {
            for server in helper::list(program)? {
                helper::erase(program, &server)?;
            }
        }
        self.edit(false, |file| {
            let helpers = file.get("credHelpers").and_then(Value::as_object);
            for (server, program) in helpers.into_iter().flatten() {
                if let Some(program) = program.as_str() {
                    helper::erase(program, server)?;
                }
            }
            if let Some(program) = store_of(file) {
                for server in helper::list(&program)? {
                    helper::erase(&program, &server)?;
                }
            }
            if file.contains_key("auths") {
                *auths(file)? = Map::new();
            }
            Ok(true)
        })
    }

    fn name(&self, key: &str) -> String {
        match self.docker {
            true => server_of(key).to_owned(),
            false => key.to_owned(),
        }
    }

    /// Runs `change` on the file's content and writes it back where that says so. `make`: also without a file.
    fn edit(
        &self,
        make: bool,
        mut change: impl FnMut(&mut Map<String, Value>) -> Result<bool>,
    ) -> Result<()> {
        // A link stays one: what it points to is replaced.
        let path = self
            .path
            .canonicalize()
            .unwrap_or_else(|_| self.path.clone());
        let existed = path.exists();
        if !existed {
            if !make {
                return Ok(());
            }
            make_parents(&path)?;
        }
        let lock = Lock::exclusive(&path)?;
        let result = fs::read_to_string(&path)
            .tried(|| reading(&path))
            .and_then(|text| parse(&text, &path))
            .and_then(|mut file| match change(&mut file)? {
                true => write(&path, &file),
                false => Ok(()),
            });
        // Locking made the file: what was not written leaves none behind.
        if !existed && fs::metadata(&path).is_ok_and(|found| found.len() == 0) {
            let _ = fs::remove_file(&path);
        }
        drop(lock);
        result
    }
}

fn parse(text: &str, path: &Path) -> Result<Map<String, Value>> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|err| {
        // serde's message can quote the file, and the file is secret: only the place is told.
        let (line, column) = (err.line(), err.column());
        let text = format!(
            "{}: malformed at line {line}, column {column}",
            reading(path)
        );
        Error::new(Kind::Corrupt, text)
    })
}

fn reading(path: &Path) -> String {
    format!("read credentials \"{}\"", path.display())
}

fn auths(file: &mut Map<String, Value>) -> Result<&mut Map<String, Value>> {
    file.entry("auths")
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
        .ok_or_else(|| Error::new(Kind::Corrupt, "write credentials: \"auths\" is no object"))
}

/// The name the registry has in `credHelpers`, and the program.
fn helper_of(file: &Map<String, Value>, key: &str) -> Option<(String, String)> {
    let registry = key.split('/').next().unwrap_or(key);
    let helpers = file.get("credHelpers")?.as_object()?;
    let (server, name) = helpers
        .iter()
        .find(|(server, _)| same_host(server, registry))?;
    Some((server.clone(), name.as_str()?.to_owned()))
}

fn store_of(file: &Map<String, Value>) -> Option<String> {
    let name = file.get("credsStore")?.as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Docker Hub's name in helpers and Docker's files.
pub(super) fn server_of(registry: &str) -> &str {
    match registry {
        "docker.io" => "https://index.docker.io/v1/",
        other => other,
    }
}

fn no_namespace(key: &str, program: &str) -> Result<()> {
    match key.contains('/') {
        true => Err(Error::usage(format!(
            "log in to {key:?}: namespaced keys are not supported by credential helpers (docker-credential-{program})"
        ))),
        false => Ok(()),
    }
}

fn make_parents(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let parent = path.parent().unwrap_or(Path::new("/"));
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent);
    made.tried(|| format!("make the directory \"{}\"", parent.display()))
}

/// Replaces the file whole: 0600 from its birth on, laid out as Podman does.
fn write(path: &Path, file: &Map<String, Value>) -> Result<()> {
    let tried = || format!("write credentials \"{}\"", path.display());
    let mut text = Vec::new();
    let mut json = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"\t"));
    file.serialize(&mut json)
        .map_err(|err| Error::new(Kind::System, format!("{}: {err}", tried())))?;
    replace(path, &text, Durable::Yes, tried)
}
