//! `system prune`: remove whatever nothing uses.

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::{Printer, human};
use crate::cli::usage;
use crate::container::events::{Action, Event};
use crate::error::{Error, Failures, Result};

use super::container_prune::{self, check_prune_filters};
use super::image_prune::{self, confirmed};
use super::volume_prune;

#[derive(Debug, clap::Args)]
pub struct SystemPruneArgs {
    /// Remove all images that no container uses, not just those without a name
    #[arg(short, long)]
    all: bool,
    /// Also remove what killed builds left: there is none yet
    #[arg(long)]
    build: bool,
    /// Also remove containers of other programs: there are none in this store
    #[arg(long)]
    external: bool,
    /// Remove only what matches (can be repeated): label, label!, until
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Remove the volumes that no container uses too
    #[arg(long)]
    volumes: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

pub fn run(args: &SystemPruneArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "system prune")?;
    check_prune_filters(&args.filter)?;
    if args.volumes && args.filter.iter().any(|text| text.starts_with("until=")) {
        return Err(Error::usage("the until filter cannot be used with --volumes").into());
    }
    if !args.force && !confirmed(&warning(args), out)? {
        return Ok(Status::SUCCESS);
    }
    let mut failures = Failures::default();
    let mut freed = 0;
    let containers = container_prune::prune(&args.filter, ctx, &mut failures)?;
    freed += told("Containers", containers, out)?;
    if args.volumes {
        let unused = volume_prune::unused(&args.filter, ctx, &mut failures)?;
        let volumes = volume_prune::remove(unused, ctx, &mut failures)?;
        freed += told("Volumes", volumes, out)?;
    }
    let images = image_prune::prune(args.all, &args.filter, ctx, &mut failures)?;
    let ids = images.ids.iter().map(|id| (id.hex(), 0)).collect();
    freed += told("Images", ids, out)? + images.bytes;
    ctx.containers()?.emit(&Event::system(Action::Prune));
    out.line(&format!("Total reclaimed space: {}", human::size(freed, 4)))?;
    out.flush()?;
    exit::all(failures)
}

fn warning(args: &SystemPruneArgs) -> String {
    let mut text = "WARNING! This command removes:\n\t- all stopped containers\n".to_owned();
    if args.volumes {
        text += "\t- all volumes not used by at least one container\n";
    }
    text += match args.all {
        true => "\t- all images without at least one container associated with them\n",
        false => "\t- all dangling images\n",
    };
    text + "\n"
}

/// Lists what was removed, if anything, and adds up its bytes.
fn told(what: &str, removed: Vec<(String, u64)>, out: &mut Printer) -> Result<u64> {
    if !removed.is_empty() {
        out.line(&format!("Deleted {what}"))?;
    }
    let mut bytes = 0;
    for (name, size) in removed {
        out.line(&name)?;
        bytes += size;
    }
    Ok(bytes)
}
