//! `volume prune`: remove the volumes that no container uses.

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::cli::volume_filter::{Filters, used};
use crate::error::{Failures, Kind};

use super::image_prune::{check_filters, confirmed};

#[derive(Debug, clap::Args)]
pub struct VolumePruneArgs {
    /// Remove only what matches (can be repeated): anonymous, label, until, and the other filters of `volume ls`
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

pub fn run(args: &VolumePruneArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "volume prune")?;
    check_filters(&args.filter)?;
    let containers = ctx.containers()?;
    let volumes = containers.volumes();
    let filters = Filters::parse(&args.filter, ctx)?;
    let used = used(ctx)?;
    let (mut unused, broken) = volumes.list()?;
    unused.retain(|volume| !used.contains(volume.name()) && filters.admit(volume));
    if !args.force {
        if unused.is_empty() {
            out.line("No dangling volumes found")?;
            return Ok(Status::SUCCESS);
        }
        let names: String = unused
            .iter()
            .map(|volume| format!("{}\n", volume.name()))
            .collect();
        let warning = format!(
            "WARNING! This will remove all volumes not used by at least one container. The following volumes will be removed:\n{names}"
        );
        if !confirmed(&warning, out)? {
            return Ok(Status::SUCCESS);
        }
    }
    let mut failures = Failures::default();
    broken.into_iter().for_each(|err| failures.push(err));
    for volume in unused {
        let name = volume.name();
        match volumes.remove(name, &|| containers.volume_users(name)) {
            Ok(()) => out.line(name)?,
            // Somebody began to use it, or was faster.
            Err(err) if matches!(err.kind(), Kind::InUse | Kind::NotFound) => {}
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}
