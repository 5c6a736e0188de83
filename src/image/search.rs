//! `search`: which images and tags registries offer. Touches no store.

use super::reference::{DOCKER_HUB, Name, is_registry};
use super::{AccessOptions, access};
use crate::config::registries::{Endpoint, Registries};
use crate::error::{Error, Failures, Result};
use crate::registry::event::Silent;
use crate::rootless::identity::Identity;

pub use crate::registry::Found;

/// Results of one registry.
#[derive(Debug, Clone)]
pub struct Results {
    pub registry: String,
    pub found: Vec<Found>,
}

/// Looks for `term` at the registry it begins with, else at all that short names are looked for at. `limit` is each
/// registry's. What could not be asked is among the failures.
pub fn search(
    me: &Identity,
    term: &str,
    limit: usize,
    access: &AccessOptions,
) -> Result<(Vec<Results>, Failures)> {
    let configured = Registries::load(me)?;
    let (registries, term) = match term.split_once('/') {
        Some((first, rest)) if names_a_registry(first) => (vec![first.to_owned()], rest),
        _ => (configured.searched(), term),
    };
    let mut failures = Failures::default();
    let mut all = Vec::new();
    if registries.is_empty() {
        let text = format!("search for \"{term}\": no unqualified-search registries are defined");
        return Err(Error::usage(text)
            .hint("put a registry before the term, or set unqualified-search-registries in registries.conf"));
    }
    for registry in registries {
        let asked = ask(me, &configured, &registry, term, limit, access)
            .map_err(|err| err.context(format!("couldn't search registry \"{registry}\"")));
        if let Some(found) = failures.keep(asked) {
            all.push(Results { registry, found });
        }
    }
    Ok((all, failures))
}

fn ask(
    me: &Identity,
    configured: &Registries,
    registry: &str,
    term: &str,
    limit: usize,
    access: &AccessOptions,
) -> Result<Vec<Found>> {
    // A search entry may carry a path (`quay.io/team`): its repositories begin with it.
    let (host, below) = registry.split_once('/').unwrap_or((registry, ""));
    if !is_registry(host) {
        return Err(Error::usage("not a registry"));
    }
    let endpoint = endpoint(configured, host, "", access)?;
    let credentials = access::credentials(me, configured, &endpoint, access)?;
    let client = access::client(me, access)?;
    let mut found = client.search(&endpoint, credentials, term, limit)?;
    found.retain(|found| {
        let rest = found.name.strip_prefix(below);
        rest.is_some_and(|rest| below.is_empty() || rest.starts_with('/'))
    });
    Ok(found)
}

/// The tags of one repository, and its full name.
pub fn tags(me: &Identity, term: &str, access: &AccessOptions) -> Result<(String, Vec<String>)> {
    let name: Name = term.parse()?;
    let reference = name.qualify(DOCKER_HUB);
    let registries = Registries::load(me)?;
    let endpoint = endpoint(
        &registries,
        reference.registry(),
        reference.repository(),
        access,
    )?;
    let credentials = access::credentials(me, &registries, &endpoint, access)?;
    let client = access::client(me, access)?;
    let tags = client.tags(&endpoint, credentials, &mut Silent)?;
    Ok((reference.name(), tags))
}

fn endpoint(
    registries: &Registries,
    registry: &str,
    repository: &str,
    access: &AccessOptions,
) -> Result<Endpoint> {
    let mut endpoint = registries.itself(registry, repository)?;
    access::verify(&mut endpoint, access);
    Ok(endpoint)
}

/// As in image names: what cannot be a part of a repository on Docker Hub.
fn names_a_registry(word: &str) -> bool {
    word == "localhost" || word.contains(['.', ':'])
}
