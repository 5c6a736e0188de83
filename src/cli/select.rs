//! Which containers a command works on: names, `--all`, `--latest`, `--cidfile`, `--filter`.

use std::path::PathBuf;

use crate::container::Container;
use crate::error::{Error, Kind, Result};

use super::context::Context;
use super::filter::Filters;

/// What a command line says about its containers.
#[derive(Debug, Default)]
pub struct Selection<'a> {
    pub names: &'a [String],
    pub cidfiles: &'a [PathBuf],
    pub latest: bool,
    pub all: bool,
    pub filters: &'a [String],
}

/// A container as it was named on the command line, which is what commands print.
#[derive(Debug)]
pub struct Selected {
    pub typed: String,
    pub found: Result<Container>,
}

impl Selection<'_> {
    /// The containers, in the order they were named. A name that nothing has is a failure of its own.
    pub fn find(&self, ctx: &Context) -> Result<Vec<Selected>> {
        self.check()?;
        let containers = ctx.containers()?;
        if self.all || !self.filters.is_empty() {
            let filters = Filters::parse(self.filters, ctx)?;
            let (found, failures) = containers.list()?;
            let mut selected: Vec<Selected> = found
                .into_iter()
                .filter(|container| filters.admit(container))
                .map(|container| Selected {
                    typed: container.id().to_owned(),
                    found: Ok(container),
                })
                .collect();
            selected.extend(failures.into_iter().map(|err| Selected {
                typed: String::new(),
                found: Err(err),
            }));
            return Ok(selected);
        }
        if self.latest {
            let container = containers.latest()?;
            return Ok(vec![Selected {
                typed: container.id().to_owned(),
                found: Ok(container),
            }]);
        }
        let mut names = Vec::new();
        for file in self.cidfiles {
            names.push(read_cidfile(file)?);
        }
        names.extend(self.names.iter().cloned());
        Ok(names
            .into_iter()
            .map(|typed| {
                let found = containers.find(&typed);
                Selected { typed, found }
            })
            .collect())
    }

    fn check(&self) -> Result<()> {
        let named = !self.names.is_empty() || !self.cidfiles.is_empty();
        let text = match (named, self.all, self.latest) {
            (true, true, _) => "no arguments are needed with -a",
            (true, _, true) => "no arguments are needed with --latest",
            (_, true, true) => "--all and --latest cannot be used together",
            (true, ..) if !self.filters.is_empty() => "--filter takes no container names",
            (false, false, false) if self.filters.is_empty() => {
                "you must provide at least one name or id"
            }
            _ => return Ok(()),
        };
        Err(Error::usage(text))
    }
}

/// The one container of a command that takes one: by name, or the latest.
pub fn one(ctx: &Context, name: Option<&str>, latest: bool, command: &str) -> Result<Container> {
    match (name, latest) {
        (Some(name), false) => ctx.containers()?.find(name),
        (None, true) => ctx.containers()?.latest(),
        (Some(_), true) => Err(Error::usage(
            "--latest and containers cannot be used together",
        )),
        (None, false) => Err(Error::usage(format!(
            "\"pod {command}\" requires a name, id, or the \"--latest\" flag"
        ))),
    }
}

/// The container's id that `--cidfile` of a creation wrote.
pub fn read_cidfile(file: &PathBuf) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|err| Error::io(&err, format!("reading CIDFile: open {}", file.display())))?;
    match text.split_whitespace().next() {
        Some(id) => Ok(id.to_owned()),
        None => Err(Error::new(
            Kind::Usage,
            format!("reading CIDFile: {} is empty", file.display()),
        )),
    }
}
