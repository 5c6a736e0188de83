//! `--filter KEY=VALUE` of container commands. One key twice is OR, different keys are AND, labels always AND.

use std::time::{Duration, SystemTime};

use regex_lite::Regex;

use crate::container::record::Status;
use crate::container::{Container, clock};
use crate::error::{Error, Kind, Result};

use super::args::{mounts, value};
use super::context::Context;

/// All `--filter` values of a command line.
#[derive(Debug, Default)]
pub struct Filters(Vec<Group>);

/// The values of one key.
#[derive(Debug)]
struct Group {
    /// All must fit (labels), or any.
    all: bool,
    tests: Vec<Test>,
}

#[derive(Debug)]
enum Test {
    Id(String),
    Name(Regex),
    Label {
        name: String,
        value: Option<String>,
        wanted: bool,
    },
    Status(&'static str),
    Exited(i32),
    /// Image name or id.
    Ancestor(String),
    /// Created before or after.
    Before(SystemTime),
    Since(SystemTime),
    Volume(String),
    Network(String),
    Command(String),
    /// Of a container without checks: `none`.
    Health(String),
    RestartPolicy(String),
    /// Would be started after a boot, or not.
    OnBoot(bool),
    /// What no container here has: a pod.
    Never,
}

impl Filters {
    /// `key=value` texts. `before`, `since` and `ancestor` look containers up.
    pub fn parse(texts: &[String], ctx: &Context) -> Result<Self> {
        let created = |name: &str| -> Result<SystemTime> {
            let container = ctx.containers()?.find(name)?;
            created_at(&container)
        };
        Self::parse_with(texts, &created)
    }

    fn parse_with(texts: &[String], created: &dyn Fn(&str) -> Result<SystemTime>) -> Result<Self> {
        let mut groups: Vec<(String, Group)> = Vec::new();
        for text in texts {
            let (key, value) = split(text)?;
            let test = test(key, value, created)?;
            let of_key = groups.iter().position(|(known, _)| known == key);
            match of_key {
                Some(at) => groups[at].1.tests.push(test),
                None => {
                    let all = key.starts_with("label");
                    groups.push((
                        key.to_owned(),
                        Group {
                            all,
                            tests: vec![test],
                        },
                    ));
                }
            }
        }
        Ok(Self(groups.into_iter().map(|(_, group)| group).collect()))
    }

    pub fn admit(&self, container: &Container) -> bool {
        self.0.iter().all(|group| {
            let mut tests = group.tests.iter();
            if group.all {
                tests.all(|test| test.fits(container))
            } else {
                tests.any(|test| test.fits(container))
            }
        })
    }

    /// Tells whether a filter speaks of states, so that a list must not hide those that do not run.
    pub fn names_states(&self) -> bool {
        self.0
            .iter()
            .flat_map(|group| &group.tests)
            .any(|test| matches!(test, Test::Status(_) | Test::Exited(_)))
    }
}

fn split(text: &str) -> Result<(&str, &str)> {
    match text.split_once('=') {
        Some(("label!", value)) => Ok(("label!", value)),
        Some(pair) => Ok(pair),
        None => Err(Error::usage(format!("invalid filter {text:?}"))),
    }
}

fn test(key: &str, value: &str, created: &dyn Fn(&str) -> Result<SystemTime>) -> Result<Test> {
    Ok(match key {
        "id" => Test::Id(value.trim_start_matches('^').to_owned()),
        "name" => Test::Name(Regex::new(value).map_err(|err| {
            let why = err.to_string();
            let why = why
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ");
            Error::usage(format!(
                "filter name={value:?}: it is no regular expression: {why}"
            ))
        })?),
        "label" | "label!" => {
            let (name, of) = match value.split_once('=') {
                Some((name, of)) => (name, Some(of.to_owned())),
                None => (value, None),
            };
            Test::Label {
                name: name.to_owned(),
                value: of,
                wanted: key == "label",
            }
        }
        "status" => Test::Status(status(value)?),
        "exited" => Test::Exited(
            value::integer(value)
                .ok()
                .and_then(|n| i32::try_from(n).ok())
                .ok_or_else(|| Error::usage(format!("exited code out of range {value:?}")))?,
        ),
        "ancestor" => Test::Ancestor(value.to_owned()),
        "before" => Test::Before(created(value)?),
        "since" => Test::Since(created(value)?),
        "until" => Test::Before(moment(value)?),
        "volume" => Test::Volume(value.to_owned()),
        "network" => Test::Network(value.to_owned()),
        "command" => Test::Command(value.to_owned()),
        "pod" => Test::Never,
        "health" => Test::Health(value.to_owned()),
        "restart-policy" => Test::RestartPolicy(value.to_owned()),
        "should-start-on-boot" => match value {
            "true" | "false" => Test::OnBoot(value == "true"),
            _ => {
                return Err(Error::usage(format!(
                    "invalid argument {value:?} for the should-start-on-boot filter: want true or false"
                )));
            }
        },
        _ => return Err(Error::usage(format!("{key} is an invalid filter"))),
    })
}

fn status(text: &str) -> Result<&'static str> {
    const KNOWN: [&str; 10] = [
        "created",
        "exited",
        "paused",
        "running",
        "stopped",
        "stopping",
        "restarting",
        "removing",
        "initialized",
        "unknown",
    ];
    match text {
        "configured" => Ok("created"),
        _ => KNOWN
            .iter()
            .find(|known| **known == text)
            .copied()
            .ok_or_else(|| {
                Error::usage(format!("unknown container state: {text}: invalid argument"))
            }),
    }
}

/// A point in time: RFC 3339, a date, a Unix time, or how long ago.
pub fn moment(text: &str) -> Result<SystemTime> {
    moment_from(text, |duration| SystemTime::now().checked_sub(duration))
}

/// As [`moment`], but a duration is how long from now (`--until` of `logs` and `events`).
pub fn moment_ahead(text: &str) -> Result<SystemTime> {
    moment_from(text, |duration| SystemTime::now().checked_add(duration))
}

fn moment_from(text: &str, away: impl Fn(Duration) -> Option<SystemTime>) -> Result<SystemTime> {
    let parsed = clock::parse(text)
        .or_else(|| {
            let date: jiff::civil::Date = text.parse().ok()?;
            date.to_zoned(jiff::tz::TimeZone::system())
                .ok()
                .map(SystemTime::from)
        })
        .or_else(|| {
            let time: jiff::civil::DateTime = text.parse().ok()?;
            time.to_zoned(jiff::tz::TimeZone::system())
                .ok()
                .map(SystemTime::from)
        })
        .or_else(|| {
            let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
            let seconds: u64 = seconds.parse().ok()?;
            let nanos: u64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
            Some(SystemTime::UNIX_EPOCH + std::time::Duration::new(seconds, nanos as u32))
        })
        .or_else(|| away(value::duration(text).ok()?));
    parsed.ok_or_else(|| {
        Error::new(
            Kind::Usage,
            format!("failed to parse {text:?} as a time or a duration"),
        )
    })
}

/// When a container was made.
pub fn created_at(container: &Container) -> Result<SystemTime> {
    clock::parse(&container.record.created).ok_or_else(|| {
        Error::new(
            Kind::Corrupt,
            format!(
                "container {}: its creation time is unreadable",
                container.id()
            ),
        )
    })
}

/// Podman's word for a container's state.
pub fn state_word(status: Status) -> &'static str {
    match status {
        Status::Created => "created",
        Status::Initialized => "initialized",
        Status::Running => "running",
        Status::Paused => "paused",
        Status::Stopping => "stopping",
        Status::Restarting => "restarting",
        Status::Exited => "exited",
    }
}

impl Test {
    fn fits(&self, container: &Container) -> bool {
        let record = &container.record;
        match self {
            Self::Id(prefix) => record.id.starts_with(prefix.as_str()),
            Self::Name(pattern) => pattern.is_match(&record.name),
            Self::Label {
                name,
                value,
                wanted,
            } => {
                let found = record.labels.get(name);
                let fits = match value {
                    Some(value) => found == Some(value),
                    None => found.is_some(),
                };
                fits == *wanted
            }
            Self::Status(word) => {
                let state = state_word(container.state.status);
                state == *word || (*word == "stopped" && state == "exited")
            }
            Self::Exited(code) => {
                container.state.status == Status::Exited && container.state.exit_code == *code
            }
            Self::Ancestor(image) => record.image.as_ref().is_some_and(|of| {
                let untagged = of
                    .name
                    .rsplit_once(':')
                    .map_or(of.name.as_str(), |(name, _)| name);
                of.id.starts_with(image.trim_start_matches("sha256:"))
                    || of.name == *image
                    || untagged == image
                    || ends_in(&of.name, image)
                    || ends_in(untagged, image)
            }),
            Self::Before(time) => created_at(container).is_ok_and(|made| made < *time),
            Self::Since(time) => created_at(container).is_ok_and(|made| made > *time),
            Self::Volume(wanted) => {
                let (source, target) = match wanted.split_once(':') {
                    Some((source, target)) => (source, Some(target)),
                    None => (wanted.as_str(), None),
                };
                let of_volumes = record
                    .volumes
                    .iter()
                    .map(|v| (v.target.as_str(), Some(v.name.as_str())));
                let asked = record
                    .request
                    .mounts
                    .iter()
                    .map(|mount| (mount.target(), mounts::source(mount)));
                asked.chain(of_volumes).any(|(at, from)| match target {
                    Some(target) => from == Some(source) && at == target,
                    None => from == Some(source) || at == source,
                })
            }
            Self::Network(name) => super::output::network_word(&record.network) == name,
            Self::Command(word) => record.process.args.first() == Some(word),
            Self::Health(word) => match container.health() {
                Some(results) => results.status.word() == word,
                None => matches!(word.as_str(), "none" | ""),
            },
            Self::RestartPolicy(word) => record.request.restart.word() == word,
            Self::OnBoot(wanted) => container.starts_on_boot() == *wanted,
            Self::Never => false,
        }
    }
}

/// Tells whether `name` is `…/end`.
fn ends_in(name: &str, end: &str) -> bool {
    name.strip_suffix(end)
        .is_some_and(|before| before.ends_with('/'))
}

#[cfg(test)]
mod tests {

    use super::*;

    fn parse(texts: &[&str]) -> Result<Filters> {
        let texts: Vec<String> = texts.iter().map(|text| text.to_string()).collect();
        Filters::parse_with(&texts, &|_| Ok(SystemTime::UNIX_EPOCH))
    }

    #[test]
    fn groups() {
        let filters = parse(&["name=a", "name=b", "label=x", "label=y=1", "status=running"]);
        let filters = filters.expect("known keys");
        let sizes: Vec<(bool, usize)> = filters.0.iter().map(|g| (g.all, g.tests.len())).collect();
        assert_eq!(sizes, [(false, 2), (true, 2), (false, 1)]);
        assert!(filters.names_states());
    }

    #[test]
    fn bad_filters() {
        for (text, want) in [
            ("foo=bar", "foo is an invalid filter"),
            ("foo", "invalid filter \"foo\""),
            (
                "status=nope",
                "unknown container state: nope: invalid argument",
            ),
            ("exited=x", "exited code out of range \"x\""),
        ] {
            assert_eq!(parse(&[text]).expect_err(text).to_string(), want);
        }
        assert!(parse(&["name=["]).is_err());
    }

    #[test]
    fn moments() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(moment("1970-01-01T00:01:00Z").expect("RFC 3339"), at(60));
        assert_eq!(moment("60").expect("Unix time"), at(60));
        assert_eq!(
            moment("60.5").expect("fraction"),
            at(60) + Duration::from_millis(500)
        );
        let hour_ago = SystemTime::now()
            - moment("1h")
                .expect("ago")
                .duration_since(at(0))
                .expect("past");
        assert!(hour_ago.duration_since(at(0)).expect("past") < Duration::from_secs(3700));
        assert!(moment("2026-11-21").is_ok() && moment("nope").is_err());
    }

    #[test]
    fn image_names_fit_by_their_end() {
        assert!(ends_in("docker.io/library/nginx", "nginx"));
        assert!(!ends_in("docker.io/library/nginx", "inx"));
        assert!(!ends_in("nginx", "nginx"));
    }
}
