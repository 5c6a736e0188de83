//! `wait`: block until containers reach a condition, and print their exit statuses.

use std::time::Duration;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::select::{Selected, Selection};
use crate::container::WaitCondition;
use crate::error::{Error, Failures, Kind, Result};

use crate::cli::args::later::{Later, refused};

#[derive(Debug, clap::Args)]
pub struct WaitArgs {
    /// What to wait for: created, running, paused, stopped, exited, … (can be repeated)
    #[arg(long, value_name = "CONDITION", value_delimiter = ',')]
    condition: Vec<String>,
    /// Print -1 for containers that do not exist
    #[arg(long)]
    ignore: bool,
    /// Time between two looks: changes are seen at once, so it has no effect
    #[arg(short, long, value_name = "DURATION", value_parser = interval, hide = true)]
    interval: Option<Duration>,
    /// Wait for the container created last
    #[arg(short, long)]
    latest: bool,
    #[command(flatten)]
    _later: WaitLater,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

refused! {
    /// What Podman's `wait` has beside.
    WaitLater, &[Later::switch("exit-first-match")]
}

/// A duration, or a number of milliseconds.
fn interval(text: &str) -> std::result::Result<Duration, String> {
    match text.parse() {
        Ok(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        Err(_) => value::duration(text),
    }
}

pub fn run(args: &WaitArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.is_empty() && !args.latest {
        return Err(
            Error::usage("\"pod wait\" requires a name, id, or the \"--latest\" flag").into(),
        );
    }
    let conditions = args
        .condition
        .iter()
        .map(|text| condition(text))
        .collect::<Result<Vec<_>>>()?;
    let selection = Selection {
        names: &args.names,
        latest: args.latest,
        ..Selection::default()
    };
    let mut failures = Failures::default();
    for Selected { found, .. } in selection.find(ctx)? {
        match found.and_then(|container| container.wait(&conditions)) {
            Ok(code) => out.line(&code.to_string())?,
            Err(err) if args.ignore && err.kind() == Kind::NotFound => out.line("-1")?,
            Err(err) => failures.push(err),
        }
        out.flush()?;
    }
    exit::all(failures)
}

fn condition(text: &str) -> Result<WaitCondition> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "configured" => WaitCondition::Configured,
        "created" => WaitCondition::Created,
        "initialized" => WaitCondition::Initialized,
        "running" => WaitCondition::Running,
        "paused" => WaitCondition::Paused,
        "stopping" => WaitCondition::Stopping,
        "restarting" => WaitCondition::Restarting,
        "stopped" => WaitCondition::Stopped,
        "exited" => WaitCondition::Exited,
        "removing" => WaitCondition::Removing,
        "healthy" => WaitCondition::Healthy,
        "unhealthy" => WaitCondition::Unhealthy,
        _ => {
            return Err(Error::usage(format!(
                "unknown container state: {text}: invalid argument"
            )));
        }
    })
}
