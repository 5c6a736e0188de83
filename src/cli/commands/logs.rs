//! `logs`: what containers wrote, raw.

use std::io::stderr;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::filter::{moment, moment_ahead};
use crate::cli::output::Printer;
use crate::cli::select::Selection;
use crate::container::{LogOptions, logs};
use crate::error::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    /// Give each container's lines a colour
    #[arg(long)]
    color: bool,
    /// Go on until the containers end
    #[arg(short, long)]
    follow: bool,
    /// Show the log of the container created last
    #[arg(short, long)]
    latest: bool,
    /// Of several containers, put names before the lines, not ids
    #[arg(short, long)]
    names: bool,
    /// Show what was written after: a time, or how long ago (10m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show the last N lines, -1 for all
    #[arg(long, value_name = "N", value_parser = value::integer, default_value = "-1", hide_default_value = true)]
    tail: i64,
    /// Put the time before each line
    #[arg(short, long)]
    timestamps: bool,
    /// Show what was written before: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

pub fn run(args: &LogsArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.containers.is_empty() && !args.latest {
        return Err(Error::usage("specify at least one container name or ID to log").into());
    }
    let options = LogOptions {
        follow: args.follow,
        tail: u64::try_from(args.tail).ok(),
        since: args.since.as_deref().map(moment).transpose()?,
        until: args.until.as_deref().map(moment_ahead).transpose()?,
        timestamps: args.timestamps,
        names: args.names,
        colours: args.color,
    };
    let selection = Selection {
        names: &args.containers,
        latest: args.latest,
        ..Selection::default()
    };
    let containers = selection
        .find(ctx)?
        .into_iter()
        .map(|selected| selected.found)
        .collect::<Result<Vec<_>>>()?;
    quiet_end(logs(&containers, &options, out.sink()?, &mut stderr()))?;
    Ok(Status::SUCCESS)
}

/// Whoever reads our output went away: `logs | head`.
fn quiet_end(result: Result<()>) -> Result<()> {
    result.map_err(|err| match err.errno() {
        Some(nix::errno::Errno::EPIPE) => exit::broken_pipe(),
        _ => err,
    })
}
