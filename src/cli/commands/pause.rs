//! `pause` and `unpause`: freeze containers and let them go on.

use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::{Selected, Selection};
use crate::container::Container;
use crate::container::record::Status;
use crate::error::{Failures, Result};

#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// Pause all running containers
    #[arg(short, long)]
    all: bool,
    /// File with a container's id (can be repeated)
    #[arg(long, value_name = "FILE")]
    cidfile: Vec<PathBuf>,
    /// Pause running containers that fit (can be repeated)
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Pause the container created last
    #[arg(short, long)]
    latest: bool,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct UnpauseArgs {
    /// Let all paused containers go on
    #[arg(short, long)]
    all: bool,
    /// File with a container's id (can be repeated)
    #[arg(long, value_name = "FILE")]
    cidfile: Vec<PathBuf>,
    /// Let paused containers go on that fit (can be repeated)
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// The container created last
    #[arg(short, long)]
    latest: bool,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &PauseArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let selection = Selection {
        names: &args.names,
        cidfiles: &args.cidfile,
        latest: args.latest,
        all: args.all,
        filters: &args.filter,
    };
    each(&selection, Status::Running, Container::pause, ctx, out)
}

pub fn run_unpause(args: &UnpauseArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let selection = Selection {
        names: &args.names,
        cidfiles: &args.cidfile,
        latest: args.latest,
        all: args.all,
        filters: &args.filter,
    };
    each(&selection, Status::Paused, Container::unpause, ctx, out)
}

/// `from`: the state of those that `--all` and `--filter` mean.
fn each(
    selection: &Selection<'_>,
    from: Status,
    change: fn(&Container) -> Result<()>,
    ctx: &Context,
    out: &mut Printer,
) -> Outcome {
    let by_state = selection.all || !selection.filters.is_empty();
    let mut failures = Failures::default();
    for Selected { typed, found } in selection.find(ctx)? {
        let Some(container) = failures.keep(found) else {
            continue;
        };
        if by_state && container.state.status != from {
            continue;
        }
        match change(&container) {
            Ok(()) => out.line(&typed)?,
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}
