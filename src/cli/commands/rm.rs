//! `rm`: remove containers.

use std::path::PathBuf;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::{Selected, Selection};
use crate::container::{Container, RemoveOptions};
use crate::error::{Failures, Kind, Result};

use super::stop::grace;

#[derive(Debug, clap::Args)]
pub struct RmArgs {
    /// Remove all containers
    #[arg(short, long)]
    all: bool,
    /// Remove running containers too; a missing one is no failure
    #[arg(short, long)]
    force: bool,
    /// Pass over containers that do not exist
    #[arg(short, long)]
    ignore: bool,
    /// Remove the container created last
    #[arg(short, long)]
    latest: bool,
    /// With --force: seconds to wait before the kill, -1 for ever (default 10)
    #[arg(short, long, value_name = "SECONDS", value_parser = value::integer)]
    time: Option<i64>,
    /// Remove the container's anonymous volumes too
    #[arg(short, long)]
    volumes: bool,
    /// File with a container's id (can be repeated)
    #[arg(long, value_name = "FILE")]
    cidfile: Vec<PathBuf>,
    /// Remove containers that fit (can be repeated)
    #[arg(long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Remove the containers that need its namespaces first
    #[arg(long)]
    depend: bool,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &RmArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let selection = Selection {
        names: &args.names,
        cidfiles: &args.cidfile,
        latest: args.latest,
        all: args.all,
        filters: &args.filter,
    };
    let options = RemoveOptions {
        force: args.force,
        volumes: args.volumes,
        grace: args.time.map(grace),
    };
    if args.time.is_some() && !args.force {
        return Err(crate::error::Error::usage(
            "--force option must be specified to use the --time option",
        )
        .into());
    }
    let missing_is_fine = args.force || args.ignore;
    let mut failures = Failures::default();
    // Removed with an earlier one.
    let mut shown: Vec<String> = Vec::new();
    for Selected { typed, found } in selection.find(ctx)? {
        let mut also = Vec::new();
        // As Podman: with all of them no order is asked for.
        let removed = found.and_then(|container| match args.depend || args.all {
            true => remove_all(&container, &options, &mut also),
            false => container.remove(&options),
        });
        for id in also {
            out.line(&id)?;
            shown.push(id);
        }
        match removed {
            Ok(()) if shown.contains(&typed) => {}
            Ok(()) => out.line(&typed)?,
            Err(err) if missing_is_fine && err.kind() == Kind::NotFound => {}
            Err(err) => failures.push(err),
        }
    }
    exit::removal(failures)
}

/// Removes what needs `container`, then itself. `also`: ids of the others.
fn remove_all(
    container: &Container,
    options: &RemoveOptions,
    also: &mut Vec<String>,
) -> Result<()> {
    for other in container.dependents()? {
        remove_all(&other, options, also)?;
        also.push(other.id().to_owned());
    }
    container.remove(options)
}
