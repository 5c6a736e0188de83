//! `--filter`, and names with wildcards. The same key twice is OR, different keys AND, labels AND.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;

use super::{Row, boolean};
use crate::cli::args::value;
use crate::error::{Error, Result};
use crate::image::{Images, Summary};

#[derive(Debug, Default)]
pub(super) struct Filters {
    references: Vec<String>,
    excluded: Vec<String>,
    ids: Vec<String>,
    labels: Vec<String>,
    without_labels: Vec<String>,
    dangling: Option<bool>,
    containers: Option<bool>,
    /// Nothing here is read-only, intermediate, or a manifest list: `true` shows nothing.
    never: Vec<bool>,
    /// Created after one of these.
    since: Vec<Timestamp>,
    /// Created before one of these.
    before: Vec<Timestamp>,
}

impl Filters {
    pub(super) fn parse(texts: &[String], images: &Images<'_>) -> Result<Self> {
        let mut filters = Self::default();
        for text in texts {
            let (key, wanted) = text.split_once('=').ok_or_else(|| {
                Error::usage(format!(
                    "invalid image filter \"{text}\": must be in the format \"filter=value\""
                ))
            })?;
            let wanted = wanted.to_owned();
            let created = || -> Result<Timestamp> {
                let found = images.summary(&wanted).map_err(|err| {
                    err.context(format!(
                        "could not find local image for filter \"{key}\"=\"{wanted}\""
                    ))
                })?;
                Ok(found.created.parse().unwrap_or(Timestamp::UNIX_EPOCH))
            };
            match key {
                "reference" => filters.references.push(wanted),
                "reference!" => filters.excluded.push(wanted),
                "id" => filters.ids.push(wanted),
                "label" => filters.labels.push(wanted),
                "label!" => filters.without_labels.push(wanted),
                "dangling" => filters.dangling = Some(boolean(key, &wanted)?),
                "dangling!" => filters.dangling = Some(!boolean(key, &wanted)?),
                "containers" => filters.containers = Some(boolean(key, &wanted)?),
                "readonly" | "intermediate" | "manifest" => {
                    filters.never.push(boolean(key, &wanted)?)
                }
                "since" | "after" => filters.since.push(created()?),
                "before" => filters.before.push(created()?),
                "until" => filters.before.push(until(&wanted)?),
                other => {
                    return Err(Error::usage(format!(
                        "unsupported image filter \"{other}\""
                    )));
                }
            }
        }
        Ok(filters)
    }

    /// Names given as operands are references too.
    pub(super) fn references(&mut self, names: &[String]) {
        self.references.extend_from_slice(names);
    }

    pub(super) fn needs_labels(&self) -> bool {
        !self.labels.is_empty() || !self.without_labels.is_empty()
    }

    pub(super) fn needs_containers(&self) -> bool {
        self.containers.is_some()
    }

    /// The rows of an image that pass: one a name.
    pub(super) fn rows(
        &self,
        image: Summary,
        labels: BTreeMap<String, String>,
        containers: u64,
    ) -> Vec<Row> {
        if !self.passes(&image, &labels, containers) {
            return Vec::new();
        }
        let row = |repository: &str, tag: &str| Row {
            image: image.clone(),
            repository: repository.into(),
            tag: tag.into(),
            labels: labels.clone(),
            containers,
        };
        let mut rows = Vec::new();
        for name in &image.names {
            let (repository, tag) = (name.name(), name.tag().unwrap_or("<none>"));
            if self.names(&repository, tag, &image) {
                rows.push(row(&repository, tag));
            }
        }
        for repository in &image.untagged {
            let tagged = image.names.iter().any(|name| name.name() == *repository);
            if !tagged && self.names(repository, "<none>", &image) {
                rows.push(row(repository, "<none>"));
            }
        }
        if image.names.is_empty()
            && image.untagged.is_empty()
            && self.names("<none>", "<none>", &image)
        {
            rows.push(row("<none>", "<none>"));
        }
        rows
    }

    fn names(&self, repository: &str, tag: &str, image: &Summary) -> bool {
        let is = |pattern: &String| is_reference(pattern, repository, tag, image);
        (self.references.is_empty() || self.references.iter().any(is))
            && !self.excluded.iter().any(is)
    }

    fn passes(&self, image: &Summary, labels: &BTreeMap<String, String>, containers: u64) -> bool {
        let created: Timestamp = image.created.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let hex = image.id.hex();
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.dangling
            .is_none_or(|wanted| wanted == image.names.is_empty())
            && self
                .containers
                .is_none_or(|wanted| wanted == (containers > 0))
            && !self.never.contains(&true)
            && (self.ids.is_empty()
                || self
                    .ids
                    .iter()
                    .any(|id| hex.starts_with(id.trim_start_matches("sha256:"))))
            && self.labels.iter().all(has)
            && !self.without_labels.iter().any(has)
            && (self.since.is_empty() || self.since.iter().any(|time| created > *time))
            && (self.before.is_empty() || self.before.iter().any(|time| created < *time))
    }
}

/// A time stamp, or how long ago.
fn until(text: &str) -> Result<Timestamp> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).map_err(|_| bad_time(text));
    }
    let ago = value::duration(text).map_err(|_| bad_time(text))?;
    let time = SystemTime::now()
        .checked_sub(ago)
        .ok_or_else(|| bad_time(text))?;
    Timestamp::try_from(time).map_err(|_| bad_time(text))
}

fn bad_time(text: &str) -> Error {
    Error::usage(format!("unable to parse time \"{text}\""))
        .hint("want RFC 3339, Unix seconds, or a duration such as 24h")
}

/// The pattern may leave out leading parts of the repository, and the tag.
fn is_reference(pattern: &str, repository: &str, tag: &str, image: &Summary) -> bool {
    if let Some((name, digest)) = pattern.split_once('@') {
        return image.repo_digests.iter().any(|known| {
            known
                .strip_suffix(digest)
                .is_some_and(|rest| rest.trim_end_matches('@').ends_with(name))
        });
    }
    let with_tag = format!("{repository}:{tag}");
    [repository, with_tag.as_str()].into_iter().any(|whole| {
        std::iter::once(whole)
            .chain(whole.match_indices('/').map(|(at, _)| &whole[at + 1..]))
            .any(|part| glob(pattern.as_bytes(), part.as_bytes()))
    })
}

/// Go's `path.Match` without classes: `*` and `?` do not cross a slash.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            glob(&pattern[1..], text)
                || text
                    .first()
                    .is_some_and(|byte| *byte != b'/' && glob(pattern, &text[1..]))
        }
        (Some(b'?'), Some(byte)) => *byte != b'/' && glob(&pattern[1..], &text[1..]),
        (Some(want), Some(byte)) => want == byte && glob(&pattern[1..], &text[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_names_as_podman_does() {
        let cases = [
            ("nginx", "docker.io/library/nginx", true),
            ("library/nginx", "docker.io/library/nginx", true),
            ("nginx:latest", "docker.io/library/nginx", true),
            ("nginx:1", "docker.io/library/nginx", false),
            ("ngin*", "docker.io/library/nginx", true),
            ("docker.io/*", "docker.io/library/nginx", false),
            ("docker.io/*/*", "docker.io/library/nginx", true),
            ("*:latest", "docker.io/library/nginx", true),
            ("ginx", "docker.io/library/nginx", false),
            ("n?inx", "docker.io/library/nginx", true),
        ];
        for (pattern, repository, want) in cases {
            let whole = format!("{repository}:latest");
            let got = [repository, whole.as_str()].into_iter().any(|whole| {
                std::iter::once(whole)
                    .chain(whole.match_indices('/').map(|(at, _)| &whole[at + 1..]))
                    .any(|part| glob(pattern.as_bytes(), part.as_bytes()))
            });
            assert_eq!(got, want, "{pattern}");
        }
    }

    #[test]
    fn times_are_stamps_or_spans() {
        assert!(until("2026-01-01T00:00:00Z").is_ok());
        assert!(until("1700000000").is_ok());
        assert!(until("24h").is_ok());
        assert!(until("yesterday").is_err());
    }
}
