//! `kill`: send a signal to running containers.

use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::{Selected, Selection};
use crate::container::{KillOptions, signal};
use crate::error::Failures;

use super::stop::is_up;

#[derive(Debug, clap::Args)]
pub struct KillArgs {
    /// Signal all running containers
    #[arg(short, long)]
    all: bool,
    /// Signal the container created last
    #[arg(short, long)]
    latest: bool,
    /// Signal to send, by name or number
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: String,
    /// File with a container's id (can be repeated)
    #[arg(long, value_name = "FILE")]
    cidfile: Vec<PathBuf>,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &KillArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let options = KillOptions {
        signal: signal::parse(&args.signal)?,
    };
    let selection = Selection {
        names: &args.names,
        cidfiles: &args.cidfile,
        latest: args.latest,
        all: args.all,
        ..Selection::default()
    };
    let mut failures = Failures::default();
    for Selected { typed, found } in selection.find(ctx)? {
        let Some(container) = failures.keep(found) else {
            continue;
        };
        if args.all && !is_up(&container) {
            continue;
        }
        match container.kill(&options) {
            Ok(()) => out.line(&typed)?,
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}
