//! `rm`: remove containers.

use std::path::PathBuf;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::{Selected, Selection};
use crate::container::RemoveOptions;
use crate::error::{Failures, Kind};

use crate::cli::args::later::{Later, refused};

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
    #[command(flatten)]
    _later: RmLater,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

refused! {
    /// What Podman's `rm` has beside.
    RmLater, &[Later::switch("depend")]
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
    for Selected { typed, found } in selection.find(ctx)? {
        let removed = found.and_then(|container| container.remove(&options));
        match removed {
            Ok(()) => out.line(&typed)?,
            Err(err) if missing_is_fine && err.kind() == Kind::NotFound => {}
            Err(err) => failures.push(err),
        }
    }
    exit::removal(failures)
}
