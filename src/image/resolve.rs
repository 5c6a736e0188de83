//! Short names: what a pull of `nginx` fetches.

use super::Progress;
use super::reference::{DOCKER_HUB, Name, Reference};
use crate::config::registries::{Registries, ShortName};
use crate::error::{Error, Result};

/// Full names to try in order, and why a short name leads there (`None` for a full one).
pub(super) fn candidates(
    registries: &Registries,
    name: &Name,
) -> Result<(Vec<Reference>, Option<String>)> {
    if !name.is_short() {
        return Ok((vec![name.qualify(DOCKER_HUB)], None));
    }
    match registries.short_name(name.repository())? {
        ShortName::Alias(target) => {
            let alias: Name = target.parse().map_err(|err: Error| {
                err.context(format!(
                    "resolve the alias \"{}\" of registries.conf",
                    name.repository()
                ))
            })?;
            if alias.is_short() || alias.tag().is_some() || alias.digest().is_some() {
                return Err(Error::usage(format!(
                    "resolve the alias \"{}\" of registries.conf: \"{target}\" is not REGISTRY/REPOSITORY",
                    name.repository()
                )));
            }
            let why = format!(
                "Resolved \"{}\" as an alias (registries.conf)",
                name.repository()
            );
            Ok((vec![name.with_alias(&alias)], Some(why)))
        }
        ShortName::Search(registries) => Ok((qualify(name, &registries)?, Some(searching(name)))),
        ShortName::Default => {
            let why = format!(
                "Resolving \"{}\" using Docker Hub (no unqualified-search-registries in registries.conf)",
                name.repository()
            );
            Ok((vec![name.qualify(DOCKER_HUB)], Some(why)))
        }
        ShortName::Ask {
            registries,
            enforced: false,
        } => Ok((qualify(name, &registries)?, Some(searching(name)))),
        ShortName::Ask { registries, .. } => {
            let names = shown(&qualify(name, &registries)?);
            Err(Error::usage(format!(
                "short-name resolution enforced but several registries may have \"{}\": {}",
                name.repository(),
                names.join(", ")
            ))
            .hint("give one of these names, or an alias in registries.conf"))
        }
    }
}

/// Lets the user choose where several registries may have a short name (containers-registries.conf(5), short-name-mode).
/// `None`: there is no choice, or nobody to make it.
pub(super) fn choose(
    registries: &Registries,
    name: &Name,
    progress: &mut dyn Progress,
) -> Result<Option<Reference>> {
    if !name.is_short() {
        return Ok(None);
    }
    let ShortName::Ask { registries, .. } = registries.short_name(name.repository())? else {
        return Ok(None);
    };
    let mut names = qualify(name, &registries)?;
    let chosen = progress.choose(&shown(&names))?;
    Ok(chosen
        .filter(|number| *number < names.len())
        .map(|number| names.swap_remove(number)))
}

fn searching(name: &Name) -> String {
    format!(
        "Resolving \"{}\" using unqualified-search registries (registries.conf)",
        name.repository()
    )
}

fn shown(names: &[Reference]) -> Vec<String> {
    names.iter().map(Reference::to_string).collect()
}

fn qualify(name: &Name, registries: &[String]) -> Result<Vec<Reference>> {
    registries
        .iter()
        // A search entry may carry a path (`quay.io/team`), so the whole is parsed again.
        .map(|registry| {
            let full: Name = format!("{}/{name}", registry.trim_end_matches('/'))
                .parse()
                .map_err(|err: Error| {
                    err.context("use unqualified-search-registries of registries.conf")
                })?;
            Ok(full.qualify(DOCKER_HUB))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_docker_hubs_when_nothing_is_configured() {
        let (names, why) = candidates(&Registries::default(), &"nginx:1".parse().unwrap()).unwrap();
        assert_eq!(names[0].to_string(), "docker.io/library/nginx:1");
        assert!(why.unwrap().contains("Docker Hub"));
        let (names, why) = candidates(&Registries::default(), &"q.io/a".parse().unwrap()).unwrap();
        assert_eq!(
            (names[0].to_string().as_str(), why),
            ("q.io/a:latest", None)
        );
    }
}
