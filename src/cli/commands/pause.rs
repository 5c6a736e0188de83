//! `pause` and `unpause`: freeze containers and let them go on.

use crate::cli::args::chosen::Chosen;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::Selected;
use crate::container::Container;
use crate::container::record::Status;
use crate::error::{Failures, Result};

#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    #[command(flatten)]
    chosen: Chosen,
}

pub fn run(args: &PauseArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    each(&args.chosen, Status::Running, Container::pause, ctx, out)
}

pub fn run_unpause(args: &PauseArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    each(&args.chosen, Status::Paused, Container::unpause, ctx, out)
}

/// `from`: the state of those that `--all` and `--filter` mean.
fn each(
    chosen: &Chosen,
    from: Status,
    change: fn(&Container) -> Result<()>,
    ctx: &Context,
    out: &mut Printer,
) -> Outcome {
    let by_state = chosen.by_state();
    let mut failures = Failures::default();
    for Selected { typed, found } in chosen.selection().find(ctx)? {
        let Some(container) = failures.keep(found) else {
            continue;
        };
        if by_state && container.state.status != from {
            continue;
        }
        match change(&container) {
            Ok(()) => out.line(&typed)?,
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}
