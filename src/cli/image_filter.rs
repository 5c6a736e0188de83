//! `--filter` of image commands. Every one must fit, but of `reference` filters any; `key!=value` turns one round.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::image::reference::{Name, Reference};
use crate::image::{Family, Images, Summary};
use crate::storage::Digest;

use super::args::value;
use super::context::Context;
use super::filter::moment;
use super::glob;

/// All `--filter` values of a command line.
#[derive(Debug, Default)]
pub struct Filters {
    tests: Vec<Test>,
    wanted: Vec<Pattern>,
    unwanted: Vec<Pattern>,
}

#[derive(Debug)]
struct Test {
    kind: Kind,
    negated: bool,
}

#[derive(Debug)]
enum Kind {
    After(Timestamp),
    Before(Timestamp),
    /// Used by containers or not; `None`: by nothing but containers that are not ours, of which there are none.
    Containers(Option<bool>),
    Dangling(bool),
    Id(String),
    Digest(String),
    Intermediate(bool),
    /// `KEY` or `KEY=VALUE`
    Label(String),
    Manifest(bool),
    ReadOnly(bool),
}

/// A `reference` filter.
#[derive(Debug)]
struct Pattern {
    text: String,
    /// The image it names, taken as a name.
    image: Option<Digest>,
    /// It is a full name, which shows just the names it means.
    full: Option<Reference>,
}

/// What filters and columns ask about an image beside its summary, each looked up when first asked for.
pub struct Facts<'a> {
    ctx: &'a Context,
    images: Images<'a>,
    counts: OnceCell<BTreeMap<String, u64>>,
}

impl<'a> Facts<'a> {
    pub fn new(ctx: &'a Context) -> Result<Self> {
        Ok(Self {
            ctx,
            images: ctx.images()?,
            counts: OnceCell::new(),
        })
    }

    /// Labels of the image's config.
    pub fn labels(&self, image: &Summary) -> Result<BTreeMap<String, String>> {
        if image.is_list {
            return Ok(BTreeMap::new());
        }
        let config = self.images.config_json(&image.id)?;
        let labels = config.pointer("/config/Labels");
        Ok(labels
            .and_then(|labels| serde_json::from_value(labels.clone()).ok())
            .unwrap_or_default())
    }

    /// How many containers use the image.
    pub fn containers(&self, id: &Digest) -> Result<u64> {
        let counts = match self.counts.get() {
            Some(counts) => counts,
            None => {
                let mut counts: BTreeMap<String, u64> = BTreeMap::new();
                for container in self.ctx.containers()?.list()?.0 {
                    if let Some(image) = container.record.image {
                        *counts.entry(image.id).or_default() += 1;
                    }
                }
                self.counts.get_or_init(|| counts)
            }
        };
        Ok(counts.get(&id.hex()).copied().unwrap_or_default())
    }
}

/// An image without a name that nothing is made from and no manifest list names.
pub fn is_dangling(image: &Summary, family: &Family<'_>) -> bool {
    !image.has_names() && family.children(&image.id).is_empty() && !family.is_listed(image)
}

/// An image without a name that another one is made from.
pub fn is_intermediate(image: &Summary, family: &Family<'_>) -> bool {
    !image.has_names() && !family.children(&image.id).is_empty()
}

impl Filters {
    /// `key=value` and `key!=value` texts. `after`, `before` and `reference` look images up.
    pub fn parse(texts: &[String], images: &Images<'_>) -> Result<Self> {
        let mut filters = Self::default();
        let mut given: BTreeMap<&str, &str> = BTreeMap::new();
        for text in texts {
            let (key, value, negated) = split(text)?;
            let once = matches!(
                key,
                "containers" | "dangling" | "intermediate" | "readonly" | "manifest"
            );
            if once && *given.entry(key).or_insert(value) != value {
                return Err(Error::usage(format!(
                    "specifying {key:?} filter more than once with different values is not supported"
                )));
            }
            let flag = || boolean(key, value);
            let kind = match key {
                "after" | "since" => Kind::After(created(key, value, images)?),
                "before" => Kind::Before(created(key, value, images)?),
                "until" => Kind::Before(until(value)?),
                "containers" => Kind::Containers(match value {
                    "true" => Some(true),
                    "false" => Some(false),
                    "external" => None,
                    _ => {
                        return Err(Error::usage(format!(
                            "unsupported value {value:?} for containers filter"
                        )));
                    }
                }),
                "dangling" => Kind::Dangling(flag()?),
                "intermediate" => Kind::Intermediate(flag()?),
                "manifest" => Kind::Manifest(flag()?),
                "readonly" => Kind::ReadOnly(flag()?),
                "id" => Kind::Id(value.to_owned()),
                "digest" if value.starts_with("sha256:") => Kind::Digest(value.to_owned()),
                "digest" => {
                    return Err(Error::usage(format!(
                        "invalid value {value:?} for digest filter"
                    )));
                }
                "label" => Kind::Label(value.to_owned()),
                "reference" => {
                    let pattern = Pattern::new(value, images);
                    match negated {
                        true => filters.unwanted.push(pattern),
                        false => filters.wanted.push(pattern),
                    }
                    continue;
                }
                _ => return Err(invalid(key)),
            };
            filters.tests.push(Test { kind, negated });
        }
        Ok(filters)
    }

    /// A name given as operand is a reference filter.
    pub fn reference(&mut self, name: &str, images: &Images<'_>) {
        self.wanted.push(Pattern::new(name, images));
    }

    /// Tells whether the image passes; of one that was asked for by a full name, which of its names are meant.
    pub fn admit(
        &self,
        mut image: Summary,
        family: &Family<'_>,
        facts: &Facts<'_>,
    ) -> Result<Option<Summary>> {
        for test in &self.tests {
            if test.kind.fits(&image, family, facts)? == test.negated {
                return Ok(None);
            }
        }
        if self.unwanted.iter().any(|pattern| pattern.fits(&image)) {
            return Ok(None);
        }
        if self.wanted.is_empty() {
            return Ok(Some(image));
        }
        if !self.wanted.iter().any(|pattern| pattern.fits(&image)) {
            return Ok(None);
        }
        if let ([pattern], []) = (self.wanted.as_slice(), self.unwanted.as_slice())
            && let Some(full) = &pattern.full
        {
            let meant = |name: &Reference| match full.digest() {
                Some(_) => name.name() == full.name(),
                None => name == full,
            };
            image.names.retain(meant);
            image.pinned.retain(meant);
        }
        Ok(Some(image))
    }
}

impl Kind {
    fn fits(&self, image: &Summary, family: &Family<'_>, facts: &Facts<'_>) -> Result<bool> {
        let created = || -> Timestamp { image.created.parse().unwrap_or(Timestamp::UNIX_EPOCH) };
        Ok(match self {
            Self::After(time) => created() > *time,
            Self::Before(time) => created() < *time,
            Self::Containers(None) => facts.containers(&image.id)? == 0,
            Self::Containers(Some(used)) => (facts.containers(&image.id)? > 0) == *used,
            Self::Dangling(wanted) => is_dangling(image, family) == *wanted,
            Self::Id(prefix) => image.id.hex().starts_with(prefix),
            Self::Digest(prefix) => image
                .digests
                .iter()
                .any(|digest| digest.to_string().starts_with(prefix)),
            Self::Intermediate(wanted) => is_intermediate(image, family) == *wanted,
            Self::Label(wanted) => has_label(&facts.labels(image)?, wanted),
            Self::Manifest(wanted) => image.is_list == *wanted,
            Self::ReadOnly(wanted) => image.read_only == *wanted,
        })
    }
}

impl Pattern {
    fn new(text: &str, images: &Images<'_>) -> Self {
        let full = text
            .parse::<Name>()
            .ok()
            .filter(|name| !name.is_short() && (name.tag().is_some() || name.digest().is_some()));
        Self {
            image: images.id_of(text).ok(),
            full: full.map(|name| name.qualify("").pinned()),
            text: text.to_owned(),
        }
    }

    fn fits(&self, image: &Summary) -> bool {
        self.image == Some(image.id) || image.all_names().any(|name| self.fits_name(name))
    }

    /// The whole name, or without registry, or without path; each with and without tag or digest.
    fn fits_name(&self, name: &Reference) -> bool {
        let whole = name.to_string();
        let repository = name.name();
        let suffix = &whole[repository.len()..];
        let path = name.repository();
        let last = path.rsplit('/').next().unwrap_or(path);
        let fits = |candidate: &str| glob::matches(&self.text, candidate);
        [repository.as_str(), path, last]
            .iter()
            .any(|candidate| fits(candidate) || fits(&format!("{candidate}{suffix}")))
    }
}

fn split(text: &str) -> Result<(&str, &str, bool)> {
    if let Some((key, value)) = text.split_once("!=") {
        return Ok((key, value, true));
    }
    let (key, value) = text.split_once('=').ok_or_else(|| invalid(text))?;
    Ok((key, value, false))
}

fn invalid(key: &str) -> Error {
    Error::usage(format!(
        "invalid image filter {key:?}: must be in the format \"filter=value or filter!=value\""
    ))
}

fn created(key: &str, name: &str, images: &Images<'_>) -> Result<Timestamp> {
    let image = images.summary(name).map_err(|err| {
        err.context(format!(
            "could not find local image for filter {key:?}={name:?}"
        ))
    })?;
    Ok(image.created.parse().unwrap_or(Timestamp::UNIX_EPOCH))
}

/// A point in time, or how long ago.
fn until(text: &str) -> Result<Timestamp> {
    let bad = || {
        Error::usage(format!(
            "failed to parse value as time or duration: {text:?}"
        ))
    };
    let time: SystemTime = moment(text).map_err(|_| bad())?;
    Timestamp::try_from(time).map_err(|_| bad())
}

/// Go's `ParseBool`, for filters.
fn boolean(key: &str, text: &str) -> Result<bool> {
    value::boolean(text).map_err(|why| {
        Error::usage(format!(
            "non-boolean value \"{text}\" for {key} filter: {why}"
        ))
    })
}

/// `KEY` or `KEY=VALUE`; a key with `*` stands for every key it is found in.
fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    let (key, value) = wanted.split_once('=').unwrap_or((wanted, ""));
    labels.iter().any(|(name, found)| {
        let named = name == key
            || (key.contains('*')
                && glob::matches(
                    &format!("*{}*", key.replace('/', "|")),
                    &name.replace('/', "|"),
                ));
        named && (value.is_empty() || found == value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern {
            text: text.to_owned(),
            image: None,
            full: None,
        }
    }

    #[test]
    fn references_match_as_podman_does() {
        let name: Reference = "docker.io/library/nginx:1.25".parse().expect("a name");
        for (text, want) in [
            ("nginx", true),
            ("library/nginx", true),
            ("nginx:1.25", true),
            ("nginx:1", false),
            ("ngin*", true),
            ("nginx:*", true),
            ("docker.io/*", false),
            ("docker.io/*/*", true),
            ("docker.io/library/nginx", true),
            ("*:1.25", true),
            ("*/*:1.2[0-9]", true),
            ("ginx", false),
            ("n?inx", true),
            ("", false),
        ] {
            assert_eq!(pattern(text).fits_name(&name), want, "{text}");
        }
    }

    #[test]
    fn labels_match_by_key_value_and_star() {
        let labels: BTreeMap<String, String> = [("a", "1"), ("org.x/y", "z")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into();
        for (wanted, want) in [
            ("a", true),
            ("a=", true),
            ("a=1", true),
            ("a=2", false),
            ("b", false),
            ("org.*", true),
            ("x/*", true),
            ("*y=z", true),
            ("*y=q", false),
        ] {
            assert_eq!(has_label(&labels, wanted), want, "{wanted}");
        }
    }

    #[test]
    fn filters_split_at_the_first_operator() {
        assert_eq!(split("a=b=c").expect("a filter"), ("a", "b=c", false));
        assert_eq!(
            split("label!=k=v").expect("a filter"),
            ("label", "k=v", true)
        );
        assert_eq!(
            split("x").expect_err("no operator").to_string(),
            "invalid image filter \"x\": must be in the format \"filter=value or filter!=value\""
        );
    }

    #[test]
    fn times_are_stamps_or_spans() {
        for text in ["2026-01-01T00:00:00Z", "1700000000", "24h", "2026-01-01"] {
            assert!(until(text).is_ok(), "{text}");
        }
        assert_eq!(
            until("yesterday").expect_err("no time").to_string(),
            "failed to parse value as time or duration: \"yesterday\""
        );
    }
}
