//! `volume rm` and `volume exists`.

use std::time::Duration;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::container::RemoveOptions;
use crate::container::events::{Action, Event};
use crate::error::{Error, Failures, Kind, Result};

use super::stop::grace;

#[derive(Debug, clap::Args)]
pub struct VolumeRmArgs {
    /// Remove all volumes that no container uses
    #[arg(short, long)]
    all: bool,
    /// Remove the containers that use them too; a missing one is no failure
    #[arg(short, long)]
    force: bool,
    /// With --force: seconds to wait before running containers are killed, -1 for ever (default 10)
    #[arg(short, long, value_name = "SECONDS", value_parser = value::integer)]
    time: Option<i64>,
    /// Volumes, by name or the beginning of one
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

pub fn run(args: &VolumeRmArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.all != args.names.is_empty() {
        let text = match args.all {
            true => "--all and volume names cannot be used together",
            false => "choose at least one volume, or all",
        };
        return Err(Error::usage(text).into());
    }
    if args.time.is_some() && !args.force {
        return Err(
            Error::usage("--force option must be specified to use the --time option").into(),
        );
    }
    let mut failures = Failures::default();
    let names = match args.all {
        true => {
            let (found, broken) = ctx.containers()?.volumes().list()?;
            broken.into_iter().for_each(|err| failures.push(err));
            found.into_iter().map(|volume| volume.record.name).collect()
        }
        false => args.names.clone(),
    };
    for name in &names {
        match remove(name, args.force, args.time.map(grace), ctx) {
            Ok(removed) => out.line(&removed)?,
            Err(err) if args.force && err.kind() == Kind::NotFound => {}
            Err(err) => failures.push(err),
        }
    }
    exit::removal(failures)
}

/// Removes one volume and returns its name.
fn remove(name: &str, force: bool, grace: Option<Duration>, ctx: &Context) -> Result<String> {
    let containers = ctx.containers()?;
    let volume = containers.volumes().find(name)?;
    let name = volume.record.name;
    if force {
        for id in containers.volume_users(&name)? {
            containers.find(&id)?.remove(&RemoveOptions {
                force: true,
                volumes: false,
                grace,
            })?;
        }
    }
    containers
        .volumes()
        .remove(&name, &|| containers.volume_users(&name))?;
    containers.emit(&Event::volume(Action::Remove, &name));
    Ok(name)
}

#[derive(Debug, clap::Args)]
pub struct VolumeExistsArgs {
    /// Volume, by name
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

pub fn run_exists(args: &VolumeExistsArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let name = usage::exactly_one(&args.names)?;
    Ok(match ctx.containers()?.volumes().find(name) {
        Ok(_) => Status::SUCCESS,
        Err(err) if err.kind() == Kind::NotFound => Status::ABSENT,
        Err(err) => return Err(err.into()),
    })
}
