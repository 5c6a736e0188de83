//! `image prune`: removes images that have no name, or with `-a` all that no container uses.

use std::io::BufRead;

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::image_filter::{Facts, Filters, is_dangling};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::container::events::{Action, Event};
use crate::error::{Error, Failures, Kind, Result, Tried};
use crate::image::{Family, Pruned, Summary};
use crate::storage::Digest;

use super::rmi;

#[derive(Debug, clap::Args)]
pub struct ImagePruneArgs {
    /// Remove all images that no container uses, not just those without a name
    #[arg(short, long)]
    all: bool,
    /// Also remove what builds keep for later ones: there is none yet
    #[arg(long)]
    build_cache: bool,
    /// Also remove images that only containers of other programs use: there are none in this store
    #[arg(long)]
    external: bool,
    /// Remove only what matches (can be repeated): label, until, and the other filters of images
    #[arg(long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

pub fn run(args: &ImagePruneArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "image prune")?;
    if !args.force {
        let what = match args.all {
            true => "all images without at least one container associated with them",
            false => "all dangling images",
        };
        if !confirmed(&format!("WARNING! This command removes {what}.\n"), out)? {
            return Ok(Status::SUCCESS);
        }
    }
    check_filters(&args.filter)?;
    let mut failures = Failures::default();
    for id in prune(args.all, &args.filter, ctx, &mut failures)?.ids {
        out.line(&id.hex())?;
    }
    out.flush()?;
    exit::all(failures)
}

/// Removes what nobody uses; with `all` even what has a name.
pub fn prune(
    all: bool,
    filters: &[String],
    ctx: &Context,
    failures: &mut Failures,
) -> Result<Pruned> {
    let images = ctx.images()?;
    let dangling = !all && !filters.iter().any(|text| text.starts_with("dangling="));
    let filters = Filters::parse(filters, &images)?;
    let facts = Facts::new(ctx)?;
    let choice = |image: &Summary, family: &Family<'_>| -> Result<bool> {
        Ok((!dangling || is_dangling(image, family))
            && filters.admit(image.clone(), family, &facts)?.is_some())
    };
    let pruned = images.prune(&choice, &|| rmi::users(ctx), failures)?;
    let removed = |id: &Digest| Event::image(Action::Remove, &id.hex(), "");
    let events: Vec<Event> = pruned.ids.iter().map(removed).collect();
    ctx.containers()?.emit_all(&events);
    Ok(pruned)
}

/// Filters of `prune` must have an `=`, which is said in words of their own.
pub fn check_filters(filters: &[String]) -> Result<()> {
    match filters.iter().find(|text| !text.contains('=')) {
        Some(text) => Err(Error::usage(format!(
            "filter input must be in the form of filter=value: {text} is invalid"
        ))),
        None => Ok(()),
    }
}

/// Says what will happen and reads the answer from stdin; only y, Y, yes … is one.
pub fn confirmed(warning: &str, out: &mut Printer) -> Result<bool> {
    out.text(warning)?;
    out.text("Are you sure you want to continue? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .tried(|| "read the answer from stdin")?;
    if !answer.ends_with('\n') {
        return Err(Error::new(Kind::Usage, "EOF").hint("answer y, or give --force"));
    }
    Ok(answer.starts_with(['y', 'Y']))
}
