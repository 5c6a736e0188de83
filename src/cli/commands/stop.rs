//! `stop`: ask containers to end, and kill those that do not in time.

use std::time::Duration;

use crate::cli::args::chosen::Chosen;
use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::Selected;
use crate::container::record::Status;
use crate::container::{Container, StopOptions, StopReport};
use crate::error::{Error, Failures, Kind, Result};

#[derive(Debug, clap::Args)]
pub struct StopArgs {
    /// Pass over containers that do not exist
    #[arg(short, long)]
    ignore: bool,
    /// Seconds to wait before the kill, -1 for ever (default: the container's own, 10)
    #[arg(short, long, value_name = "SECONDS", value_parser = value::integer)]
    time: Option<i64>,
    #[command(flatten)]
    chosen: Chosen,
}

pub fn run(args: &StopArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let options = StopOptions {
        command: None,
        grace: args.time.map(grace),
    };
    let by_filter = args.chosen.by_state();
    let mut failures = Failures::default();
    let mut chosen = Vec::new();
    for Selected { typed, found } in args.chosen.selection().find(ctx)? {
        match found {
            Err(err) if args.ignore && err.kind() == Kind::NotFound => {}
            Err(err) => failures.push(err),
            Ok(container) if by_filter && !is_up(&container) => {}
            Ok(container) => chosen.push((typed, container)),
        }
    }
    let stop = |container: &Container| container.stop(&options);
    for ((typed, _), result) in chosen.iter().zip(at_once(&chosen, &stop)) {
        match result {
            Ok(report) => {
                if let Some(warning) = report.warning {
                    ctx.warn(&warning);
                }
                out.line(typed)?;
            }
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}

/// Does it to all at the same time: the graces of several would add up otherwise.
pub fn at_once(
    chosen: &[(String, Container)],
    stop: &(dyn Fn(&Container) -> Result<StopReport> + Sync),
) -> Vec<Result<StopReport>> {
    if let [(_, only)] = chosen {
        return vec![stop(only)];
    }
    std::thread::scope(|scope| {
        let stops: Vec<_> = chosen
            .iter()
            .map(|(_, container)| scope.spawn(move || stop(container)))
            .collect();
        let joined = stops.into_iter().map(|stop| {
            stop.join()
                .unwrap_or_else(|_| Err(Error::new(Kind::System, "stop a container: it panicked")))
        });
        joined.collect()
    })
}

pub fn is_up(container: &Container) -> bool {
    matches!(
        container.state.status,
        Status::Running
            | Status::Paused
            | Status::Stopping
            | Status::Initialized
            | Status::Restarting
    )
}

/// A negative time waits for ever.
pub fn grace(seconds: i64) -> Duration {
    u64::try_from(seconds).map_or(Duration::MAX, Duration::from_secs)
}
