//! `attach`: join the stdio of a running container.

use std::io::{stderr, stdin, stdout};
use std::os::fd::AsFd;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::select;
use crate::container::record::Status as State;
use crate::container::{AttachOptions, RunOutcome, Streams, Terminal};
use crate::error::{Error, Kind};

#[derive(Debug, clap::Args)]
pub struct AttachArgs {
    /// Keys that leave the container running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Join the container created last
    #[arg(short, long)]
    latest: bool,
    /// Do not connect stdin
    #[arg(long)]
    no_stdin: bool,
    /// Pass signals on to the container (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    sig_proxy: Option<bool>,
    /// Container, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &AttachArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    if args.names.len() > 1 {
        return Err(Error::usage("attach can only be used on one container").into());
    }
    let name = args.names.first().map(String::as_str);
    let container = select::one(ctx, name, args.latest, "attach")?;
    if container.state.status != State::Running {
        return Err(Error::new(Kind::State, "you can only attach to running containers").into());
    }
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    let options = AttachOptions {
        terminal: Terminal {
            stdin: stdin.as_fd(),
            stdout: stdout.as_fd(),
            stderr: stderr.as_fd(),
        },
        streams: Streams {
            stdin: !args.no_stdin && container.record.request.interactive,
            ..Streams::OUTPUT
        },
        detach_keys: args.detach_keys.as_deref(),
        sig_proxy: args.sig_proxy.unwrap_or(true),
    };
    Ok(match container.attach(&options)? {
        RunOutcome::Detached => Status::SUCCESS,
        RunOutcome::Exited(code) => Status::of_container(code),
    })
}
