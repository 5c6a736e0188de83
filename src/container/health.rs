//! Health checks: what is checked, decided at create; and what came out, written by the monitor.
//!
//!     $RUNROOT/<id>/health.json       status and log of a run, replaced by rename after each check
//!     containers/<id>/health.json     the same, of the last run that is over
//!     DIR/<id>-healthcheck.log        the same for the user, with `--health-log-destination DIR`
//!
//! The rules are Podman's (`podman-run(1)`, `libpod/healthcheck.go`), the form of a check is Docker's (`HEALTHCHECK`).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Kind, Result};
use crate::image::Healthcheck;
use crate::state;

use super::client::Connection;
use super::engine::{Container, Containers};
use super::protocol::{FrameKind, Wants};
use super::record::{Record, Status};
use super::watch::connect_attach;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;
pub const MAX_LOG_COUNT: u32 = 5;
pub const MAX_LOG_SIZE: u32 = 500;

/// The flags, as far as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthRequest {
    /// Docker's form; `["NONE"]`: `--no-healthcheck`.
    pub test: Option<Vec<String>>,
    pub interval: Option<Duration>,
    pub timeout: Option<Duration>,
    pub start_period: Option<Duration>,
    pub retries: Option<u32>,
    pub startup: Option<Startup>,
    pub on_failure: OnFailure,
    pub log: LogTo,
    pub max_log_count: Option<u32>,
    pub max_log_size: Option<u32>,
}

/// Everything about the checks of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `CMD` and words, or `CMD-SHELL` and a line, or words alone.
    pub test: Vec<String>,
    /// Zero: only when somebody asks (`--health-interval disable`).
    pub interval: Duration,
    pub timeout: Duration,
    /// Failures so early do not count.
    pub start_period: Duration,
    /// So many failures in a row make it unhealthy.
    pub retries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<Startup>,
    #[serde(default)]
    pub on_failure: OnFailure,
    #[serde(default)]
    pub log: LogTo,
    /// Zero: as many as there is room for.
    pub max_log_count: u32,
    /// Bytes of a check's output; zero: as many as there is room for.
    pub max_log_size: u32,
}

/// `--health-startup-cmd`: what has to pass before the other check begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Startup {
    pub test: Vec<String>,
    pub interval: Duration,
    pub timeout: Duration,
    /// So many failures restart the container; zero: none do.
    pub retries: u32,
    /// So many successes in a row are enough; zero means one.
    pub successes: u32,
}

/// `--health-on-failure`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    #[default]
    None,
    Kill,
    Restart,
    Stop,
}

impl OnFailure {
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Stop => "stop",
        }
    }
}

/// `--health-log-destination`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "to", content = "path")]
pub enum LogTo {
    #[default]
    Local,
    Directory(PathBuf),
    /// As `Local`, and the output of each check goes into its event.
    Events,
}

impl fmt::Display for LogTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Directory(dir) => dir.display().fmt(f),
            Self::Events => f.write_str("events_logger"),
        }
    }
}

/// Status and log, as Podman writes and `inspect` shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Results {
    pub status: HealthStatus,
    pub failing_streak: u32,
    /// Oldest first; nothing is Go's `null`.
    #[serde(serialize_with = "none_if_empty", deserialize_with = "empty_if_none")]
    pub log: Vec<Entry>,
}

/// One check that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Entry {
    /// RFC 3339.
    pub start: String,
    pub end: String,
    /// 0, 1 for any failure, -1 where the time ran out.
    pub exit_code: i32,
    pub output: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    #[default]
    Starting,
    Healthy,
    Unhealthy,
}

impl HealthStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

fn none_if_empty<S: serde::Serializer>(
    log: &[Entry],
    to: S,
) -> std::result::Result<S::Ok, S::Error> {
    match log {
        [] => to.serialize_none(),
        some => some.serialize(to),
    }
}

fn empty_if_none<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> std::result::Result<Vec<Entry>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Puts flags and the image's check together; `None`: nothing is checked.
pub fn decide(request: &HealthRequest, image: Option<&Healthcheck>) -> Result<Option<Health>> {
    let image = image.filter(|_| request.test.is_none());
    let test = request.test.as_ref().or(image.map(|image| &image.test));
    let Some(test) = test.filter(|test| command(test).is_some()) else {
        if request.startup.is_some() {
            return Err(Error::usage(
                "cannot set a startup healthcheck when there is no regular healthcheck",
            ));
        }
        if request.on_failure != OnFailure::None {
            return Err(Error::usage(format!(
                "cannot set on-failure action to {} without a health check",
                request.on_failure.word()
            )));
        }
        return Ok(None);
    };
    let of_image = |get: fn(&Healthcheck) -> i64| {
        let nanos = image.map(get).and_then(|nanos| u64::try_from(nanos).ok());
        nanos.filter(|&nanos| nanos > 0).map(Duration::from_nanos)
    };
    let retries = image.and_then(|image| u32::try_from(image.retries).ok());
    Ok(Some(Health {
        test: test.clone(),
        interval: request
            .interval
            .or(of_image(|image| image.interval))
            .unwrap_or(INTERVAL),
        timeout: request
            .timeout
            .or(of_image(|image| image.timeout))
            .unwrap_or(TIMEOUT),
        start_period: request
            .start_period
            .or(of_image(|image| image.start_period))
            .unwrap_or_default(),
        retries: request
            .retries
            .or(retries.filter(|&retries| retries > 0))
            .unwrap_or(RETRIES),
        startup: request.startup.clone(),
        on_failure: request.on_failure,
        log: request.log.clone(),
        max_log_count: request.max_log_count.unwrap_or(MAX_LOG_COUNT),
        max_log_size: request.max_log_size.unwrap_or(MAX_LOG_SIZE),
    }))
}

/// The words to execute for a check in Docker's form; `None`: there is nothing to check.
pub fn command(test: &[String]) -> Option<Vec<String>> {
    let words = match test {
        [] => return None,
        [first, ..] if first == "NONE" || first.is_empty() => return None,
        [first, words @ ..] if first == "CMD" => words.to_vec(),
        [first, line @ ..] if first == "CMD-SHELL" => {
            let line = line.join(" ");
            vec!["/bin/sh".to_owned(), "-c".to_owned(), line]
        }
        words => words.to_vec(),
    };
    words
        .first()
        .is_some_and(|word| !word.is_empty())
        .then_some(words)
}

/// Reads `--health-cmd`: a JSON list of words, or a shell line; `none` for no check.
pub fn parse_test(text: &str) -> Result<Vec<String>> {
    let list = serde_json::from_str::<Vec<String>>(text).ok();
    let is = |word: &str, want: &str| word.eq_ignore_ascii_case(want);
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let test: Vec<String> = match list {
        Some(words) => match words.as_slice() {
            [] => {
                return Err(Error::usage(
                    "must define a healthcheck command for all healthchecks",
                ));
            }
            [first, ..] if is(first, "NONE") => owned(&["NONE"]),
            [first, ..] if is(first, "CMD") || is(first, "CMD-SHELL") => {
                let mut words = words.clone();
                words[0].make_ascii_uppercase();
                words
            }
            [line] => owned(&["CMD-SHELL", line]),
            _ => std::iter::once("CMD".to_owned()).chain(words).collect(),
        },
        None => match text.split_once(' ') {
            _ if is(text, "NONE") => owned(&["NONE"]),
            Some((first, rest)) if is(first, "CMD") => std::iter::once("CMD")
                .chain(rest.split_ascii_whitespace())
                .map(str::to_owned)
                .collect(),
            Some((first, rest)) if is(first, "CMD-SHELL") => owned(&["CMD-SHELL", rest]),
            _ => owned(&["CMD-SHELL", text]),
        },
    };
    Ok(test)
}

/// Docker's names and nanoseconds; what is zero is left out.
fn docker(test: &[String], numbers: &[(&str, u128)]) -> Value {
    let mut map = serde_json::Map::new();
    map.insert("Test".to_owned(), test.into());
    for &(name, number) in numbers.iter().filter(|(_, number)| *number > 0) {
        map.insert(
            name.to_owned(),
            u64::try_from(number).unwrap_or(u64::MAX).into(),
        );
    }
    Value::Object(map)
}

impl Startup {
    pub fn to_docker(&self) -> Value {
        docker(
            &self.test,
            &[
                ("Interval", self.interval.as_nanos()),
                ("Timeout", self.timeout.as_nanos()),
                ("Retries", self.retries.into()),
                ("Successes", self.successes.into()),
            ],
        )
    }
}

impl Health {
    /// As `inspect` shows it.
    pub fn to_docker(&self) -> Value {
        docker(
            &self.test,
            &[
                ("StartPeriod", self.start_period.as_nanos()),
                ("Interval", self.interval.as_nanos()),
                ("Timeout", self.timeout.as_nanos()),
                ("Retries", self.retries.into()),
            ],
        )
    }

    /// It may run the program again by itself.
    pub fn may_restart(&self) -> bool {
        self.on_failure == OnFailure::Restart
            || self
                .startup
                .as_ref()
                .is_some_and(|startup| startup.retries > 0)
    }
}

impl Record {
    /// Its monitor may begin another run by itself.
    pub(super) fn may_run_again(&self) -> bool {
        !self.request.restart.is_no()
            || self
                .health
                .as_ref()
                .is_some_and(|health| health.may_restart())
    }
}

impl Containers {
    /// Where the monitor writes results while the container runs.
    pub(super) fn health_path(&self, record: &Record) -> PathBuf {
        self.run_dir(&record.id).join("health.json")
    }

    /// Where they are kept when the container does not run.
    pub(super) fn kept_health_path(&self, record: &Record) -> PathBuf {
        self.dir(&record.id).join("health.json")
    }
}

impl Container {
    /// What the checks have found; `None`: there are none. A container that was never started is starting.
    pub fn health(&self) -> Option<Results> {
        let record = &self.record;
        record.health.as_ref()?;
        let read = |path: PathBuf| state::load::<Results>(&path).ok().flatten();
        read(self.engine.health_path(record))
            .or_else(|| read(self.engine.kept_health_path(record)))
            .or_else(|| Some(Results::default()))
    }

    /// Has its monitor make a check now; what was found, where that is not `healthy`.
    ///
    /// A failing check before the regular ones is `Starting`. One whose time ran out is an error.
    pub fn check_health(&self) -> Result<Option<HealthStatus>> {
        let mut me = self.clone();
        let id = &self.record.id;
        if !me.refresh()? || me.state.status != Status::Running {
            return Err(Error::new(
                Kind::State,
                format!("container {id} is not running"),
            ));
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("check"));
        }
        let Some(health) = &me.record.health else {
            return Err(Error::new(
                Kind::State,
                format!("container {id} has no defined healthcheck"),
            ));
        };
        let over = || {
            Error::new(
                Kind::State,
                format!("check container {id}: its monitor is gone"),
            )
        };
        let sock = connect_attach(&me.run_dir())?.ok_or_else(over)?;
        let mut connection = Connection::new(sock);
        connection.send(FrameKind::Hello, &[Wants::default().to_byte()])?;
        connection.send(FrameKind::Check, &[])?;
        loop {
            let frame = connection.receive()?.ok_or_else(over)?;
            match (frame.kind, frame.payload.first()) {
                (FrameKind::Checked, Some(0)) => return Ok(None),
                (FrameKind::Checked, Some(1)) => return Ok(Some(HealthStatus::Unhealthy)),
                (FrameKind::Checked, Some(2)) => return Ok(Some(HealthStatus::Starting)),
                (FrameKind::Checked, _) => {
                    return Err(Error::new(
                        Kind::State,
                        format!(
                            "healthcheck command exceeded timeout of {}",
                            go_duration(health.timeout)
                        ),
                    ));
                }
                (FrameKind::Exit, _) => {
                    return Err(Error::new(
                        Kind::State,
                        format!("container {id} is not running"),
                    ));
                }
                _ => {}
            }
        }
    }

    /// The word in brackets of a running container's status.
    pub fn health_word(&self) -> Option<&'static str> {
        let runs = matches!(self.state.status, Status::Running | Status::Stopping);
        let results = self.health().filter(|_| runs)?;
        Some(results.status.word())
    }
}

/// As Go prints a `time.Duration` of whole seconds, or of milliseconds.
fn go_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if time.subsec_nanos() > 0 {
        return format!("{}s", time.as_secs_f64());
    }
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn checks_read_as_podman_reads_them() {
        let table: [(&str, &[&str], Option<&[&str]>); 9] = [
            (
                "echo a b",
                &["CMD-SHELL", "echo a b"],
                Some(&["/bin/sh", "-c", "echo a b"]),
            ),
            (
                "true",
                &["CMD-SHELL", "true"],
                Some(&["/bin/sh", "-c", "true"]),
            ),
            (
                r#"["echo","a b"]"#,
                &["CMD", "echo", "a b"],
                Some(&["echo", "a b"]),
            ),
            (
                r#"["echo a"]"#,
                &["CMD-SHELL", "echo a"],
                Some(&["/bin/sh", "-c", "echo a"]),
            ),
            (
                "CMD echo a b",
                &["CMD", "echo", "a", "b"],
                Some(&["echo", "a", "b"]),
            ),
            (
                r#"["CMD-SHELL","echo a; b"]"#,
                &["CMD-SHELL", "echo a; b"],
                Some(&["/bin/sh", "-c", "echo a; b"]),
            ),
            ("none", &["NONE"], None),
            (r#"["NONE"]"#, &["NONE"], None),
            (
                "cmd-shell x y",
                &["CMD-SHELL", "x y"],
                Some(&["/bin/sh", "-c", "x y"]),
            ),
        ];
        for (text, test, want) in table {
            let got = parse_test(text).unwrap();
            assert_eq!(got, words(test), "{text}");
            assert_eq!(command(&got), want.map(words), "{text}");
        }
        assert!(parse_test("[]").is_err());
        assert_eq!(command(&words(&["CMD"])), None);
    }

    #[test]
    fn flags_go_before_the_image() {
        let image = Healthcheck {
            test: words(&["CMD", "curl"]),
            interval: 5_000_000_000,
            retries: 7,
            ..Healthcheck::default()
        };
        let mut request = HealthRequest {
            interval: Some(Duration::from_secs(1)),
            ..HealthRequest::default()
        };
        let health = decide(&request, Some(&image)).unwrap().unwrap();
        assert_eq!(
            (health.interval, health.timeout),
            (Duration::from_secs(1), TIMEOUT)
        );
        assert_eq!((health.retries, health.test), (7, image.test.clone()));
        request.test = Some(words(&["CMD-SHELL", "x"]));
        let health = decide(&request, Some(&image)).unwrap().unwrap();
        assert_eq!((health.retries, health.test.len()), (RETRIES, 2));
        request.test = Some(words(&["NONE"]));
        assert_eq!(decide(&request, Some(&image)).unwrap(), None);
        request.on_failure = OnFailure::Kill;
        let refused = decide(&request, Some(&image)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "cannot set on-failure action to kill without a health check"
        );
    }

    #[test]
    fn an_empty_log_is_null() {
        let text = serde_json::to_string(&Results::default()).unwrap();
        assert_eq!(
            text,
            r#"{"Status":"starting","FailingStreak":0,"Log":null}"#
        );
        assert_eq!(
            serde_json::from_str::<Results>(&text).unwrap(),
            Results::default()
        );
    }
}
