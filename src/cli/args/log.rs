//! `--log-driver` and `--log-opt`.

use crate::container::request::{LogDriver, LogRequest};
use crate::container::{check_journal, is_field};
use crate::error::{Error, Result};

use super::value;

/// Log files kept at most.
const MOST_FILES: u32 = 1000;

pub(super) fn request(driver: Option<&str>, options: &[String]) -> Result<LogRequest> {
    let mut log = LogRequest {
        driver: self::driver(driver.unwrap_or_default())?,
        ..LogRequest::default()
    };
    for option in options {
        let invalid = || Error::usage(format!("invalid log option {option:?}"));
        let (key, value) = option.split_once('=').ok_or_else(invalid)?;
        match key {
            "path" => {
                let path = std::path::absolute(value)
                    .map_err(|err| Error::io(&err, format!("find log file {value:?}")))?;
                log.path = Some(path);
            }
            "max-size" => {
                log.max_size = Some(value::bytes(value).map_err(Error::usage)?).filter(|n| *n > 0);
            }
            "max-file" => {
                let files = value.parse().ok().filter(|n| (1..=MOST_FILES).contains(n));
                log.max_files = Some(files.ok_or_else(|| {
                    let wanted = format!("want a number from 1 to {MOST_FILES}");
                    Error::usage(format!("invalid log option {option:?}: {wanted}"))
                })?);
            }
            "tag" => log.tag = Some(value.to_owned()),
            "label" => {
                let (name, value) = value.split_once('=').ok_or_else(invalid)?;
                if !is_field(name) {
                    let wanted = "a field of the journal has capitals, digits and underscores";
                    return Err(invalid().hint(wanted));
                }
                log.labels.push((name.to_owned(), value.to_owned()));
            }
            _ => return Err(invalid()),
        }
    }
    Ok(log)
}

/// Options that the chosen driver could not keep are refused.
pub(super) fn conflicts(log: &LogRequest, tty: bool) -> Result<()> {
    let driver = log.driver;
    let asks = [
        (
            "label",
            !log.labels.is_empty() && driver != LogDriver::Journald,
        ),
        ("max-file", log.max_files.is_some() && !driver.is_file()),
        ("path", log.path.is_some() && !driver.is_file()),
    ];
    if let Some((name, _)) = asks.into_iter().find(|&(_, asked)| asked) {
        return Err(Error::usage(format!(
            "log option {name} cannot be used with --log-driver {}",
            driver.word()
        )));
    }
    if log.max_files.is_some() && log.max_size.is_none() {
        return Err(Error::usage("log option max-file needs max-size"));
    }
    if tty && driver.is_passthrough() {
        return Err(Error::usage(format!(
            "--log-driver {} cannot be used with --tty",
            driver.word()
        )));
    }
    match driver {
        LogDriver::Journald => check_journal(),
        _ => Ok(()),
    }
}

/// `--log-driver`; an empty word is the default.
pub(super) fn driver(text: &str) -> Result<LogDriver> {
    if text.is_empty() {
        return Ok(LogDriver::default());
    }
    let mut drivers = LogDriver::ALL.into_iter();
    drivers
        .find(|driver| driver.word() == text)
        .ok_or_else(|| Error::usage(format!("invalid log driver {text:?}: invalid argument")))
}
