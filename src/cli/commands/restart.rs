//! `restart`: stop containers, and start them again.

use crate::cli::args::chosen::Chosen;
use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::Selected;
use crate::container::{Container, StartOptions, StopOptions};
use crate::error::Failures;

use super::stop::{at_once, grace, is_up};

#[derive(Debug, clap::Args)]
pub struct RestartArgs {
    /// Restart only those that run
    #[arg(long)]
    running: bool,
    /// Seconds to wait before the kill, -1 for ever (default: the container's own, 10)
    #[arg(short, long, value_name = "SECONDS", value_parser = value::integer)]
    time: Option<i64>,
    #[command(flatten)]
    chosen: Chosen,
}

pub fn run(args: &RestartArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let mut selection = args.chosen.selection();
    selection.all |= args.running;
    let options = StopOptions {
        command: Some("restart"),
        grace: args.time.map(grace),
    };
    let mut failures = Failures::default();
    let mut chosen: Vec<(String, Container)> = Vec::new();
    for Selected { typed, found } in selection.find(ctx)? {
        match failures.keep(found) {
            Some(container) if args.running && !is_up(&container) => {}
            Some(container) => chosen.push((typed, container)),
            None => {}
        }
    }
    let stop = |container: &Container| container.stop_to_restart(&options);
    let stopped = at_once(&chosen, &stop);
    // One after the other: each start forks, and a process with threads must not.
    for ((typed, container), stopped) in chosen.iter().zip(stopped) {
        let started = stopped.and_then(|report| {
            if let Some(warning) = report.warning {
                ctx.warn(&warning);
            }
            container.start(&StartOptions { attach: None })
        });
        match started {
            Ok(_) => out.line(typed)?,
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}
