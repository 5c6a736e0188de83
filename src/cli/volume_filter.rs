//! `--filter` of volume commands. One key twice is OR, different keys are AND, labels always AND.

use std::collections::BTreeSet;
use std::time::SystemTime;

use regex_lite::Regex;

use crate::container::clock;
use crate::error::{Error, Result};
use crate::volume::{DRIVER, Volume};

use super::args::value;
use super::context::Context;
use super::filter::moment;

/// All `--filter` values of a command line, and which volumes are in use if one asks.
#[derive(Debug, Default)]
pub struct Filters {
    /// Key and its tests.
    groups: Vec<(String, Vec<Test>)>,
    used: BTreeSet<String>,
}

#[derive(Debug)]
enum Test {
    Anonymous(bool),
    Dangling(bool),
    Driver(String),
    Label { text: String, wanted: bool },
    Name(Regex),
    Option(String),
    Scope(String),
    After(SystemTime),
    Before(SystemTime),
}

impl Filters {
    pub fn parse(texts: &[String], ctx: &Context) -> Result<Self> {
        let mut filters = Self::default();
        for text in texts {
            let (key, value) = match text.split_once('=') {
                Some(pair) => pair,
                None => {
                    return Err(Error::usage(format!(
                        "{text:?} is an invalid volume filter"
                    )));
                }
            };
            let test = test(key, value)?;
            if matches!(test, Test::Dangling(_)) && filters.used.is_empty() {
                filters.used = used(ctx)?;
            }
            match filters.groups.iter_mut().find(|(known, _)| known == key) {
                Some((_, tests)) => tests.push(test),
                None => filters.groups.push((key.to_owned(), vec![test])),
            }
        }
        Ok(filters)
    }

    pub fn admit(&self, volume: &Volume) -> bool {
        self.groups.iter().all(|(key, tests)| {
            let mut tests = tests.iter();
            match key.starts_with("label") {
                true => tests.all(|test| self.fits(test, volume)),
                false => tests.any(|test| self.fits(test, volume)),
            }
        })
    }

    fn fits(&self, test: &Test, volume: &Volume) -> bool {
        let record = &volume.record;
        let has = |map: &std::collections::BTreeMap<String, String>, text: &str| match text
            .split_once('=')
        {
            Some((name, value)) => map.get(name).is_some_and(|known| known == value),
            None => map.contains_key(text),
        };
        let created = || clock::parse(&record.created);
        match test {
            Test::Anonymous(wanted) => record.anonymous == *wanted,
            Test::Dangling(wanted) => self.used.contains(&record.name) != *wanted,
            Test::Driver(name) => name == DRIVER,
            Test::Label { text, wanted } => has(&record.labels, text) == *wanted,
            Test::Name(name) => name.is_match(&record.name),
            Test::Option(text) => has(&record.options, text),
            Test::Scope(scope) => scope == DRIVER,
            Test::After(time) => created().is_some_and(|made| made > *time),
            Test::Before(time) => created().is_some_and(|made| made < *time),
        }
    }
}

fn test(key: &str, text: &str) -> Result<Test> {
    let truth = || {
        value::boolean(text).map_err(|_| {
            Error::usage(format!(
                "{text:?} is not a valid value for the {key:?} filter - must be true or false"
            ))
        })
    };
    Ok(match key {
        "anonymous" => Test::Anonymous(truth()?),
        "dangling" => Test::Dangling(truth()?),
        "driver" => Test::Driver(text.to_owned()),
        "label" | "label!" => Test::Label {
            text: text.to_owned(),
            wanted: key == "label",
        },
        "name" => Test::Name(Regex::new(text).map_err(|_| {
            Error::usage(format!("filter name={text:?}: it is no regular expression"))
        })?),
        "opt" => Test::Option(text.to_owned()),
        "scope" => Test::Scope(text.to_owned()),
        "after" | "since" => Test::After(moment(text)?),
        "until" => Test::Before(moment(text)?),
        _ => return Err(Error::usage(format!("{key:?} is an invalid volume filter"))),
    })
}

/// Names of the volumes that containers mount.
pub fn used(ctx: &Context) -> Result<BTreeSet<String>> {
    let (containers, failures) = ctx.containers()?.list()?;
    // One that cannot be read may use any volume.
    if let Some(err) = failures.into_iter().next() {
        return Err(err);
    }
    let mounted = containers.into_iter().flat_map(|one| one.record.volumes);
    Ok(mounted.map(|volume| volume.name).collect())
}
