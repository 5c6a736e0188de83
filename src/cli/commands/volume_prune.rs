//! `volume prune`: remove the volumes that no container uses.

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::cli::volume_filter::{Filters, used};
use crate::container::events::{Action, Event};
use crate::error::{Failures, Kind, Result};
use crate::storage::tree_bytes;
use crate::volume::Volume;

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
    let mut failures = Failures::default();
    let unused = unused(&args.filter, ctx, &mut failures)?;
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
    for (name, _) in remove(unused, ctx, &mut failures)? {
        out.line(&name)?;
    }
    exit::all(failures)
}

/// The volumes that no container uses.
pub fn unused(filters: &[String], ctx: &Context, failures: &mut Failures) -> Result<Vec<Volume>> {
    let filters = Filters::parse(filters, ctx)?;
    let used = used(ctx)?;
    let (mut unused, broken) = ctx.containers()?.volumes().list()?;
    broken.into_iter().for_each(|err| failures.push(err));
    unused.retain(|volume| !used.contains(volume.name()) && filters.admit(volume));
    Ok(unused)
}

/// Removes them; returns names and bytes.
pub fn remove(
    unused: Vec<Volume>,
    ctx: &Context,
    failures: &mut Failures,
) -> Result<Vec<(String, u64)>> {
    let containers = ctx.containers()?;
    let volumes = containers.volumes();
    let mut removed = Vec::new();
    for volume in unused {
        let name = volume.record.name;
        let bytes = tree_bytes(&volume.data).unwrap_or_default();
        match volumes.remove(&name, &|| containers.volume_users(&name)) {
            Ok(()) => {
                containers.emit(&Event::volume(Action::Remove, &name));
                removed.push((name, bytes));
            }
            // Somebody began to use it, or was faster.
            Err(err) if matches!(err.kind(), Kind::InUse | Kind::NotFound) => {}
            Err(err) => failures.push(err),
        }
    }
    Ok(removed)
}
