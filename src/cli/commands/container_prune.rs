//! `container prune`: remove the containers that do not run.

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::filter::Filters;
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::container::RemoveOptions;
use crate::container::record::Status as State;
use crate::error::{Error, Failures, Kind, Result};

use super::image_prune::{check_filters, confirmed};

#[derive(Debug, clap::Args)]
pub struct ContainerPruneArgs {
    /// Remove only what matches (can be repeated): label, label!, until
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

pub fn run(args: &ContainerPruneArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "container prune")?;
    check_prune_filters(&args.filter)?;
    if !args.force
        && !confirmed(
            "WARNING! This will remove all non running containers.\n",
            out,
        )?
    {
        return Ok(Status::SUCCESS);
    }
    let mut failures = Failures::default();
    for (id, _) in prune(&args.filter, ctx, &mut failures)? {
        out.line(&id)?;
    }
    exit::all(failures)
}

/// What `container prune` and `system prune` can choose by.
pub fn check_prune_filters(filters: &[String]) -> Result<()> {
    check_filters(filters)?;
    for text in filters {
        let key = text.split('=').next().unwrap_or_default();
        if !matches!(key, "label" | "label!" | "until") {
            return Err(Error::usage(format!("{key} is an invalid filter")));
        }
    }
    Ok(())
}

/// Removes the containers that do not run; returns ids, and bytes of what they had written.
pub fn prune(
    filters: &[String],
    ctx: &Context,
    failures: &mut Failures,
) -> Result<Vec<(String, u64)>> {
    let filters = Filters::parse(filters, ctx)?;
    let mut removed = Vec::new();
    let (found, broken) = ctx.containers()?.list()?;
    broken.into_iter().for_each(|err| failures.push(err));
    for container in found {
        let ended = matches!(container.state.status, State::Created | State::Exited);
        if !ended || !filters.admit(&container) {
            continue;
        }
        let bytes = container.sizes().map_or(0, |sizes| sizes.rw);
        match container.remove(&RemoveOptions::default()) {
            Ok(()) => removed.push((container.record.id, bytes)),
            Err(err) if err.kind() == Kind::InUse => {} // started meanwhile, or another one needs it
            Err(err) => failures.push(err),
        }
    }
    Ok(removed)
}
