//! The flags of health checks: how to find out whether a container works.

use std::time::Duration;

use clap::Args;

use crate::container::health::{HealthRequest, LogTo, OnFailure, Startup, parse_test};
use crate::error::{Error, Result};

use super::value;

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Health check options")]
pub struct HealthArgs {
    /// Command that checks the container: a shell line, a JSON list of words, or none
    #[arg(long, value_name = "COMMAND")]
    health_cmd: Option<String>,
    /// Time between two checks, or "disable" (default 30s)
    #[arg(long, value_name = "DURATION")]
    health_interval: Option<String>,
    /// Failures in a row that make it unhealthy (default 3)
    #[arg(long, value_name = "N", value_parser = value::unsigned32)]
    health_retries: Option<u32>,
    /// Time a check may take (default 30s)
    #[arg(long, value_name = "DURATION")]
    health_timeout: Option<String>,
    /// Time after the start in which failures do not count (default 0s)
    #[arg(long, value_name = "DURATION")]
    health_start_period: Option<String>,
    /// Command that has to succeed before the checks begin
    #[arg(long, value_name = "COMMAND")]
    health_startup_cmd: Option<String>,
    /// Time between two of those (default 30s)
    #[arg(long, value_name = "DURATION")]
    health_startup_interval: Option<String>,
    /// Failures of it that restart the container (default 0: none do)
    #[arg(long, value_name = "N", value_parser = value::unsigned32)]
    health_startup_retries: Option<u32>,
    /// Successes in a row that are enough (default 0: one is)
    #[arg(long, value_name = "N", value_parser = value::unsigned32)]
    health_startup_success: Option<u32>,
    /// Time it may take (default 30s)
    #[arg(long, value_name = "DURATION")]
    health_startup_timeout: Option<String>,
    /// What happens to an unhealthy container: none, kill, restart, stop
    #[arg(long, value_name = "ACTION")]
    health_on_failure: Option<String>,
    /// Where results are written: local, a directory, or events_logger
    #[arg(long, value_name = "DESTINATION")]
    health_log_destination: Option<String>,
    /// Results that are kept, 0 for as many as there is room for (default 5)
    #[arg(long, value_name = "N", value_parser = value::unsigned32)]
    health_max_log_count: Option<u32>,
    /// Bytes of output that are kept of a check, 0 for as many as there is room for (default 500)
    #[arg(long, value_name = "N", value_parser = value::unsigned32)]
    health_max_log_size: Option<u32>,
    /// Do not check, whatever the image says
    #[arg(long)]
    no_healthcheck: bool,
}

impl HealthArgs {
    /// `None`: nothing was asked for.
    pub fn request(&self) -> Result<Option<HealthRequest>> {
        if self.no_healthcheck && self.health_cmd.is_some() {
            return Err(Error::usage(
                "cannot specify both --no-healthcheck and --health-cmd",
            ));
        }
        if self.no_healthcheck && self.health_startup_cmd.is_some() {
            return Err(Error::usage(
                "cannot specify both --no-healthcheck and --health-startup-cmd",
            ));
        }
        let given = |text: &Option<String>| {
            text.as_deref()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let request = HealthRequest {
            test: match (self.no_healthcheck, given(&self.health_cmd)) {
                (true, _) => Some(vec!["NONE".to_owned()]),
                (false, Some(text)) => Some(parse_test(&text)?),
                (false, None) => None,
            },
            interval: interval(&self.health_interval)?,
            timeout: timeout(&self.health_timeout)?,
            start_period: duration("start-period", &self.health_start_period)?,
            retries: match self.health_retries {
                Some(0) => {
                    return Err(Error::usage("healthcheck-retries must be greater than 0"));
                }
                given => given,
            },
            startup: self.startup()?,
            on_failure: match self.health_on_failure.as_deref() {
                None | Some("" | "none") => OnFailure::None,
                Some("kill") => OnFailure::Kill,
                Some("restart") => OnFailure::Restart,
                Some("stop") => OnFailure::Stop,
                Some(other) => {
                    return Err(Error::usage(format!(
                        "invalid on-failure action {other:?} for health check: supported actions are none,kill,restart,stop"
                    )));
                }
            },
            log: match self.health_log_destination.as_deref() {
                None | Some("" | "local") => LogTo::Local,
                Some("events_logger") => LogTo::Events,
                Some(dir) => directory(dir)?,
            },
            max_log_count: self.health_max_log_count,
            max_log_size: self.health_max_log_size,
        };
        Ok(Some(request).filter(|request| *request != HealthRequest::default()))
    }

    fn startup(&self) -> Result<Option<Startup>> {
        const DEFAULT: Duration = Duration::from_secs(30);
        let Some(text) = self
            .health_startup_cmd
            .as_deref()
            .filter(|text| !text.is_empty())
        else {
            return Ok(None);
        };
        Ok(Some(Startup {
            test: parse_test(text)?,
            interval: interval(&self.health_startup_interval)?.unwrap_or(DEFAULT),
            timeout: timeout(&self.health_startup_timeout)?.unwrap_or(DEFAULT),
            retries: self.health_startup_retries.unwrap_or(0),
            successes: self.health_startup_success.unwrap_or(0),
        }))
    }
}

fn duration(name: &str, text: &Option<String>) -> Result<Option<Duration>> {
    let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.starts_with('-') && value::duration(&text[1..]).is_ok() {
        return Err(Error::usage(format!(
            "healthcheck-{name} must be 0 seconds or greater"
        )));
    }
    value::duration(text)
        .map(Some)
        .map_err(|why| Error::usage(format!("invalid healthcheck-{name}: {why}")))
}

fn interval(text: &Option<String>) -> Result<Option<Duration>> {
    match text.as_deref() {
        Some("disable") => Ok(Some(Duration::ZERO)),
        _ => duration("interval", text),
    }
}

fn timeout(text: &Option<String>) -> Result<Option<Duration>> {
    match duration("timeout", text)? {
        Some(Duration::ZERO) => Err(Error::usage(
            "healthcheck-timeout must be at least 1 second",
        )),
        given => Ok(given),
    }
}

fn directory(text: &str) -> Result<LogTo> {
    let dir = std::path::absolute(text)
        .map_err(|err| Error::io(&err, format!("find the log directory {text:?}")))?;
    match std::fs::metadata(&dir) {
        Ok(found) if found.is_dir() => Ok(LogTo::Directory(dir)),
        Ok(_) => Err(Error::usage(format!(
            "HealthCheck Log '{text}' destination must be directory"
        ))),
        Err(_) => Err(Error::usage(format!(
            "HealthCheck Log '{text}' destination error: stat {}: no such file or directory",
            dir.display()
        ))),
    }
}
