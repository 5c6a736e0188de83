//! `container prune`: remove the containers that do not run.

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::filter::Filters;
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::container::RemoveOptions;
use crate::container::record::Status as State;
use crate::error::{Error, Failures, Kind};

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
    check_filters(&args.filter)?;
    for text in &args.filter {
        let key = text.split('=').next().unwrap_or_default();
        if !matches!(key, "label" | "label!" | "until") {
            return Err(Error::usage(format!("{key} is an invalid filter")).into());
        }
    }
    let filters = Filters::parse(&args.filter, ctx)?;
    if !args.force
        && !confirmed(
            "WARNING! This will remove all non running containers.\n",
            out,
        )?
    {
        return Ok(Status::SUCCESS);
    }
    let mut failures = Failures::default();
    let (found, broken) = ctx.containers()?.list()?;
    broken.into_iter().for_each(|err| failures.push(err));
    for container in found {
        let ended = matches!(container.state.status, State::Created | State::Exited);
        if !ended || !filters.admit(&container) {
            continue;
        }
        match container.remove(&RemoveOptions::default()) {
            Ok(()) => out.line(container.id())?,
            Err(err) if err.kind() == Kind::InUse => {} // started meanwhile, or another one needs it
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}
