//! registries.conf version 2 (containers-registries.conf(5)): where images come from.
//!
//!     $CONTAINERS_REGISTRIES_CONF, else the first of
//!       $XDG_CONFIG_HOME/containers/registries.conf, /etc/containers/registries.conf,
//!       /usr/share/containers/registries.conf
//!     then over it, each in the order of the file names:
//!       /etc/containers/registries.conf.d/*.conf, $XDG_CONFIG_HOME/containers/registries.conf.d/*.conf
//!     and the aliases of $XDG_CACHE_HOME/containers/short-name-aliases.conf below all of them
//!
//! A drop-in replaces the lists it sets, the `[[registry]]` of the same prefix, and single aliases.
//!
//! Where nothing says `unqualified-search-registries`, a short name means Docker Hub, as Docker has it, and the pull
//! says so. Podman refuses there; an explicit empty list makes this refuse too.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::dirs;
use crate::rootless::identity::Identity;
use crate::state::{Durable, Lock, replace};

/// The merged configuration.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    /// `None`: no file says anything.
    search: Option<Vec<String>>,
    mode: ShortNameMode,
    registries: Vec<Registry>,
    /// Short name to `registry/repository`.
    aliases: BTreeMap<String, String>,
    /// Programs that are asked for credentials, in this order; empty: only the auth files.
    helpers: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShortNameMode {
    Enforcing,
    #[default]
    Permissive,
    Disabled,
}

/// One `[[registry]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Registry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<Mirror>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Mirror {
    location: String,
    insecure: bool,
    pull_from_mirror: Option<PullFrom>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PullFrom {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

/// One file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<String>,
    credential_helpers: Option<Vec<String>>,
    registry: Vec<Registry>,
    aliases: BTreeMap<String, String>,
    /// The table of version 1 of the format.
    registries: Option<toml::Table>,
}

/// Where a short name may lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShortName {
    /// An alias names the repository.
    Alias(String),
    /// These registries are asked in turn; the configuration says so.
    Search(Vec<String>),
    /// Nothing is configured: Docker Hub.
    Default,
    /// Several registries: the user chooses. Where there is no terminal they are asked in turn, but for `enforced`.
    Ask {
        registries: Vec<String>,
        enforced: bool,
    },
}

/// One place that can serve an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `host[:port]`
    pub registry: String,
    pub repository: String,
    /// TLS certificates are not checked, plain HTTP is allowed.
    pub insecure: bool,
    pub is_mirror: bool,
}

impl Registries {
    pub fn load(me: &Identity) -> Result<Self> {
        let user = dirs::config_home(me).ok().map(|dir| dir.join("containers"));
        let mut merged = Self::default();
        if let Some(path) = chosen_aliases(me)
            && let Some(text) = read(&path)?
        {
            merged.merge(parse(&text, &path)?, &path)?;
        }
        let explicit =
            std::env::var_os("CONTAINERS_REGISTRIES_CONF").filter(|path| !path.is_empty());
        match explicit {
            Some(path) => {
                let path = PathBuf::from(path);
                let text = std::fs::read_to_string(&path).tried(|| reading(&path))?;
                merged.merge(parse(&text, &path)?, &path)?;
            }
            None => {
                let system = ["/etc/containers", "/usr/share/containers"].map(PathBuf::from);
                for dir in user.iter().chain(&system) {
                    let path = dir.join("registries.conf");
                    if let Some(text) = read(&path)? {
                        merged.merge(parse(&text, &path)?, &path)?;
                        break;
                    }
                }
            }
        }
        for dir in std::iter::once(&PathBuf::from("/etc/containers")).chain(&user) {
            for path in drop_ins(&dir.join("registries.conf.d"))? {
                if let Some(text) = read(&path)? {
                    merged.merge(parse(&text, &path)?, &path)?;
                }
            }
        }
        Ok(merged)
    }

    fn merge(&mut self, file: File, path: &Path) -> Result<()> {
        let refuse =
            |why: String| Err(Error::new(Kind::Usage, format!("{}: {why}", reading(path))));
        if file.registries.is_some() {
            return refuse(
                "version 1 of the format is not supported; write [[registry]] tables".into(),
            );
        }
        if let Some(search) = file.unqualified_search_registries {
            self.search = Some(search);
        }
        if let Some(helpers) = file.credential_helpers {
            self.helpers = helpers;
        }
        self.mode = match file.short_name_mode.as_deref() {
            None | Some("") => self.mode,
            Some("enforcing") => ShortNameMode::Enforcing,
            Some("permissive") => ShortNameMode::Permissive,
            Some("disabled") => ShortNameMode::Disabled,
            Some(other) => return refuse(format!("short-name-mode \"{other}\" is not known")),
        };
        for mut registry in file.registry {
            if registry.prefix.is_empty() {
                registry.prefix = registry.location.clone();
            }
            if registry.prefix.is_empty() {
                return refuse("a [[registry]] has neither prefix nor location".into());
            }
            if registry
                .mirror
                .iter()
                .any(|mirror| mirror.location.is_empty())
            {
                return refuse(format!("a mirror of {} has no location", registry.prefix));
            }
            for text in [&mut registry.prefix, &mut registry.location] {
                *text = text.trim_end_matches('/').to_owned();
                if text.contains("://") {
                    return refuse(format!("\"{text}\" is a URL; want HOST[:PORT][/PATH]"));
                }
            }
            let (host, path) = registry
                .prefix
                .split_once('/')
                .unwrap_or((&registry.prefix, ""));
            if host.contains('*')
                && !(host.starts_with("*.") && path.is_empty() && !host[1..].contains(['*', ':']))
            {
                return refuse(format!(
                    "wildcarded prefix should be in the format: *.example.com. Current prefix \"{}\" is incorrectly formatted",
                    registry.prefix
                ));
            }
            if path.contains([':', '@']) {
                return refuse(format!(
                    "the prefix \"{}\" has a tag or a digest, which this version of pod cannot match",
                    registry.prefix
                ));
            }
            let both = registry
                .mirror
                .iter()
                .find(|mirror| registry.mirror_by_digest_only && mirror.pull_from_mirror.is_some());
            if let Some(mirror) = both {
                return refuse(format!(
                    "cannot set mirror usage mirror-by-digest-only for the registry ({}) and pull-from-mirror for per-mirror ({}) at the same time",
                    registry.prefix, mirror.location
                ));
            }
            self.registries
                .retain(|known| known.prefix != registry.prefix);
            self.registries.push(registry);
        }
        for (name, target) in file.aliases {
            match target.is_empty() {
                true => self.aliases.remove(&name), // an empty value takes an alias back
                false => self.aliases.insert(name, target),
            };
        }
        Ok(())
    }

    /// `credential-helpers`: programs, and [`crate::config::auth::FILES`] for the auth files.
    pub fn credential_helpers(&self) -> &[String] {
        &self.helpers
    }

    /// Registries that are searched: as for short names Docker Hub where no file says anything.
    pub fn searched(&self) -> Vec<String> {
        match &self.search {
            Some(search) => search.clone(),
            None => vec!["docker.io".to_owned()],
        }
    }

    /// Registries that are asked for short names, as the files say; none: Docker Hub.
    pub fn search(&self) -> &[String] {
        self.search.as_deref().unwrap_or_default()
    }

    /// What a name without registry may mean. `repository` is as typed, without tag.
    pub fn short_name(&self, repository: &str) -> Result<ShortName> {
        if self.mode != ShortNameMode::Disabled
            && let Some(target) = self.aliases.get(repository)
        {
            return Ok(ShortName::Alias(target.clone()));
        }
        match self.search.as_deref() {
            None => Ok(ShortName::Default),
            Some([]) => Err(Error::new(
                Kind::Usage,
                format!(
                    "short-name \"{repository}\" did not resolve to an alias and no unqualified-search registries are defined"
                ),
            )
            .hint("give the full name, such as docker.io/library/NAME, or set unqualified-search-registries in registries.conf")),
            Some([one]) => Ok(ShortName::Search(vec![one.clone()])),
            Some(many) if self.mode == ShortNameMode::Disabled => {
                Ok(ShortName::Search(many.to_vec()))
            }
            Some(many) => Ok(ShortName::Ask {
                registries: many.to_vec(),
                enforced: self.mode == ShortNameMode::Enforcing,
            }),
        }
    }

    /// The registry itself, with neither mirrors nor another location: where images are pushed, who is logged in to.
    ///
    /// Fails for a blocked registry.
    pub fn itself(&self, registry: &str, repository: &str) -> Result<Endpoint> {
        let found = self.entry(registry, repository)?;
        Ok(Endpoint {
            registry: registry.into(),
            repository: repository.into(),
            insecure: found.is_some_and(|found| found.insecure),
            is_mirror: false,
        })
    }

    /// The `[[registry]]` of the longest prefix that fits. Fails for a blocked one.
    fn entry(&self, registry: &str, repository: &str) -> Result<Option<&Registry>> {
        let name = match repository {
            "" => registry.to_owned(),
            repository => format!("{registry}/{repository}"),
        };
        let found = self
            .registries
            .iter()
            .filter(|known| known.matches(registry, &name))
            .max_by_key(|known| known.prefix.len());
        if let Some(found) = found
            && found.blocked
        {
            let text = format!("registry {} is blocked in registries.conf", found.prefix);
            return Err(Error::new(Kind::Registry, text)
                .hint("ask whoever wrote registries.conf for another source"));
        }
        Ok(found)
    }

    /// Where to ask for `registry/repository`: mirrors in their order, the registry itself last.
    ///
    /// `by_digest`: the reference has a digest. Fails for a blocked registry.
    pub fn endpoints(
        &self,
        registry: &str,
        repository: &str,
        by_digest: bool,
    ) -> Result<Vec<Endpoint>> {
        let Some(found) = self.entry(registry, repository)? else {
            return Ok(vec![self.itself(registry, repository)?]);
        };
        let name = format!("{registry}/{repository}");
        let mut endpoints = Vec::new();
        for mirror in &found.mirror {
            let fits = match mirror.pull_from_mirror.unwrap_or_default() {
                PullFrom::All => by_digest || !found.mirror_by_digest_only,
                PullFrom::DigestOnly => by_digest,
                PullFrom::TagOnly => !by_digest,
            };
            if fits {
                endpoints.push(found.rewrite(&name, &mirror.location, mirror.insecure, true)?);
            }
        }
        endpoints.push(found.rewrite(&name, &found.location, found.insecure, false)?);
        Ok(endpoints)
    }
}

impl Registry {
    fn matches(&self, registry: &str, name: &str) -> bool {
        if let Some(domain) = self.prefix.strip_prefix("*.") {
            let host = registry.split(':').next().unwrap_or(registry);
            return host
                .strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'));
        }
        name.strip_prefix(self.prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Puts `location` in the place of the prefix. An empty one (only with `*.`) changes nothing.
    fn rewrite(
        &self,
        name: &str,
        location: &str,
        insecure: bool,
        is_mirror: bool,
    ) -> Result<Endpoint> {
        let prefix = match self.prefix.starts_with("*.") {
            true => name.split('/').next().unwrap_or(name),
            false => self.prefix.as_str(),
        };
        let location = match location.is_empty() {
            true => prefix,
            false => location,
        };
        let place = format!(
            "{location}{}",
            name.strip_prefix(prefix).unwrap_or_default()
        );
        let Some((registry, repository)) = place.split_once('/') else {
            return Err(Error::new(
                Kind::Usage,
                format!("registries.conf leads {name} to \"{place}\", which names no repository"),
            ));
        };
        Ok(Endpoint {
            registry: registry.into(),
            repository: repository.into(),
            insecure,
            is_mirror,
        })
    }
}

fn parse(text: &str, path: &Path) -> Result<File> {
    toml::from_str(text).map_err(|err| {
        let why = err.message().lines().next().unwrap_or_default().to_owned();
        let line = err
            .span()
            .map(|span| text[..span.start.min(text.len())].lines().count().max(1));
        let place = line.map_or(String::new(), |line| format!(" line {line}"));
        Error::new(Kind::Usage, format!("{}{place}: {why}", reading(path)))
    })
}

fn reading(path: &Path) -> String {
    format!("read configuration \"{}\"", path.display())
}

fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(err) => Err(Error::io(&err, reading(path))),
    }
}

fn drop_ins(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(err) => return Err(Error::io(&err, reading(dir))),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.tried(|| reading(dir))?.path();
        if path.extension().is_some_and(|kind| kind == "conf") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Writes down that the user chose `target` (`registry/repository`) for `short`, so that it is not asked again.
///
/// The file is Podman's too, and locked as it locks it.
pub fn remember_alias(me: &Identity, short: &str, target: &str) -> Result<()> {
    #[derive(Default, Deserialize, Serialize)]
    #[serde(default)]
    struct Chosen {
        aliases: BTreeMap<String, String>,
    }
    let Some(path) = chosen_aliases(me) else {
        return Ok(());
    };
    let tried = || format!("write the alias of \"{short}\" to \"{}\"", path.display());
    let parent = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).tried(tried)?;
    let _lock = Lock::exclusive(&path.with_extension("conf.lock"))?;
    let mut chosen = Chosen::default();
    if let Some(text) = read(&path)? {
        chosen = toml::from_str(&text)
            .map_err(|err| Error::new(Kind::Corrupt, format!("{}: {}", tried(), err.message())))?;
    }
    chosen.aliases.insert(short.to_owned(), target.to_owned());
    let text = toml::to_string(&chosen)
        .map_err(|err| Error::new(Kind::System, format!("{}: {err}", tried())))?;
    replace(&path, text.as_bytes(), Durable::No, tried)
}

fn chosen_aliases(me: &Identity) -> Option<PathBuf> {
    Some(cache_home(me)?.join("containers/short-name-aliases.conf"))
}

fn cache_home(me: &Identity) -> Option<PathBuf> {
    match std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        Some(dir) if dir.is_absolute() => Some(dir),
        _ => Some(me.home().ok()?.join(".cache")),
    }
}
