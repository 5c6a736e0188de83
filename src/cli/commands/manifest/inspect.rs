//! `manifest inspect`, `exists`, `rm`.

use crate::cli::args::later::{Later, refused};
use crate::cli::commands::rmi;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status, removal};
use crate::cli::output::{Printer, json};
use crate::error::{Error, Failures, Kind};
use crate::image::{RemoveOptions, Silent};

use super::{ReachArgs, at_least, exactly};

#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    _refused: InspectRefused,
    /// A list here, or anything at a registry
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Docker's; there is no more to show.
const INSPECT_REFUSED: &[Later] = &[Later::harmless("verbose").short('v')];

refused! {
    /// Podman's other flags of `manifest inspect`.
    InspectRefused, INSPECT_REFUSED
}

#[derive(Debug, clap::Args)]
pub struct ExistsArgs {
    /// The list
    #[arg(value_name = "LIST")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct RmArgs {
    /// A missing list is no error
    #[arg(short, long)]
    ignore: bool,
    /// Lists
    #[arg(value_name = "LIST")]
    names: Vec<String>,
}

pub fn run_inspect(args: &InspectArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let [name] = args.names.as_slice() else {
        return Err(exactly(1, args.names.len()).into());
    };
    let access = args.reach.access(ctx)?;
    let document = ctx.images()?.inspect_list(name, &access, &mut Silent)?;
    out.line(&json::indented(&document.bytes))?;
    Ok(Status::SUCCESS)
}

pub fn run_exists(args: &ExistsArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let [name] = args.names.as_slice() else {
        return Err(exactly(1, args.names.len()).into());
    };
    match ctx.images()?.list_exists(name)? {
        true => Ok(Status::SUCCESS),
        false => Ok(Status::ABSENT),
    }
}

pub fn run_rm(args: &RmArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.is_empty() {
        return Err(at_least(1, 0).into());
    }
    let images = ctx.images()?;
    let mut failures = Failures::default();
    let mut lists = Vec::new();
    for name in &args.names {
        match images.list_exists(name) {
            Ok(true) => lists.push(name.clone()),
            Ok(false) if args.ignore => {}
            Ok(false) => {
                let text = format!("{name}: image not known");
                failures.push(Error::new(Kind::NotFound, text));
            }
            Err(err) => return Err(err.into()), // an image's name: nothing of it is removed here
        }
    }
    let options = RemoveOptions {
        ignore: args.ignore,
        ..RemoveOptions::default()
    };
    let done = images.remove(&lists, options, &|| rmi::users(ctx), &mut failures)?;
    rmi::show(&done, out)?;
    removal(failures)
}
