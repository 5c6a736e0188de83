//! `start`: start containers again.

use std::io::{stderr, stdin, stdout};
use std::os::fd::AsFd;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::select::{Selected, Selection};
use crate::container::record::Status as State;
use crate::container::{AttachOptions, RunOutcome, StartOptions, Streams, Terminal};
use crate::error::{Error, Failures};

#[derive(Debug, clap::Args)]
pub struct StartArgs {
    /// Start all containers that do not run
    #[arg(long)]
    all: bool,
    /// Connect stdout and stderr, and end with the container's exit status
    #[arg(short, long)]
    attach: bool,
    /// Connect stdin too
    #[arg(short, long)]
    interactive: bool,
    /// Start the container created last
    #[arg(short, long)]
    latest: bool,
    /// Start containers that do not run and fit (can be repeated)
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Keys that leave the container running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Pass signals on to the container (default: true with --attach)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    sig_proxy: Option<bool>,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &StartArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.is_empty() && !args.latest && !args.all && args.filter.is_empty() {
        return Err(Error::usage("start requires at least one argument").into());
    }
    let attached = args.attach || args.interactive;
    if attached && (args.names.len() > 1 || args.all) {
        return Err(Error::usage("you cannot start and attach multiple containers at once").into());
    }
    if !attached && args.sig_proxy == Some(true) {
        return Err(
            Error::usage("you cannot use sig-proxy without --attach: invalid argument").into(),
        );
    }
    let selection = Selection {
        names: &args.names,
        latest: args.latest,
        all: args.all,
        filters: &args.filter,
        ..Selection::default()
    };
    let by_filter = args.all || !args.filter.is_empty();
    let mut failures = Failures::default();
    for Selected { typed, found } in selection.find(ctx)? {
        let Some(container) = failures.keep(found) else {
            continue;
        };
        if by_filter && !matches!(container.state.status, State::Created | State::Exited) {
            continue;
        }
        if attached {
            return attach(&container, args);
        }
        match container.start(&StartOptions { attach: None }) {
            Ok(_) => out.line(&typed)?,
            Err(err) => failures.push(err.context(format!("unable to start container {typed:?}"))),
        }
    }
    exit::all(failures)
}

fn attach(container: &crate::container::Container, args: &StartArgs) -> Outcome {
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    let options = StartOptions {
        attach: Some(AttachOptions {
            terminal: Terminal {
                stdin: stdin.as_fd(),
                stdout: stdout.as_fd(),
                stderr: stderr.as_fd(),
            },
            streams: Streams {
                stdin: args.interactive,
                ..Streams::OUTPUT
            },
            detach_keys: args.detach_keys.as_deref(),
            sig_proxy: args.sig_proxy.unwrap_or(true),
        }),
    };
    Ok(match container.start(&options)? {
        RunOutcome::Detached => Status::SUCCESS,
        RunOutcome::Exited(code) => Status::of_container(code),
    })
}
