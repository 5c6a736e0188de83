//! `run`: create and start, in the foreground or detached.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::fd::AsFd;

use crate::cli::args::create::CreateArgs;
use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::container::{AttachOptions, RunOutcome, StartOptions, Streams, Terminal};
use crate::error::{Error, Result};

use super::create;

#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Return as soon as the container runs, and print its id
    #[arg(short, long)]
    detach: bool,
    /// Pass signals on to the container (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    sig_proxy: Option<bool>,
    #[command(flatten)]
    create: CreateArgs,
}

pub fn run(args: &RunArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let streams = streams(&args.create.attach, args.create.interactive)?;
    if args.detach && !args.create.attach.is_empty() {
        return Err(
            Error::usage("the --attach and --detach options cannot be used together").into(),
        );
    }
    let (request, image) = create::prepare(&args.create, ctx)?;
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    if !args.detach && request.tty && request.interactive && !stdin.is_terminal() {
        ctx.warn(
            "The input device is not a TTY. The --tty and --interactive flags might not work properly",
        );
    }
    let detach_keys = request.detach_keys.clone();
    let options = StartOptions {
        attach: (!args.detach).then(|| AttachOptions {
            terminal: Terminal {
                stdin: stdin.as_fd(),
                stdout: stdout.as_fd(),
                stderr: stderr.as_fd(),
            },
            streams,
            detach_keys: detach_keys.as_deref(),
            sig_proxy: args.sig_proxy.unwrap_or(true),
        }),
    };
    let (id, outcome) = ctx.containers()?.run(request, image.as_ref(), &options)?;
    match outcome {
        RunOutcome::Detached if args.detach => {
            out.line(&id)?;
            Ok(Status::SUCCESS)
        }
        RunOutcome::Detached => Ok(Status::SUCCESS),
        RunOutcome::Exited(code) => Ok(Status::of_container(code)),
    }
}

/// The streams that `-a` and `-i` connect.
fn streams(attach: &[String], interactive: bool) -> Result<Streams> {
    if attach.is_empty() {
        return Ok(Streams {
            stdin: interactive,
            ..Streams::OUTPUT
        });
    }
    let mut streams = Streams {
        stdin: interactive,
        stdout: false,
        stderr: false,
    };
    for name in attach {
        match name.to_ascii_lowercase().as_str() {
            "stdin" => streams.stdin = true,
            "stdout" => streams.stdout = true,
            "stderr" => streams.stderr = true,
            _ => {
                return Err(Error::usage(format!(
                    "invalid stream {name:?} for --attach - must be one of stdin, stdout, or stderr"
                )));
            }
        }
    }
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attached_streams() {
        let of = |names: &[&str], interactive| {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            streams(&names, interactive)
                .map(|s| (s.stdin, s.stdout, s.stderr))
                .ok()
        };
        assert_eq!(of(&[], false), Some((false, true, true)));
        assert_eq!(of(&[], true), Some((true, true, true)));
        assert_eq!(of(&["STDERR"], false), Some((false, false, true)));
        assert_eq!(of(&["stdin", "stdout"], false), Some((true, true, false)));
        assert_eq!(of(&["nope"], false), None);
    }
}
