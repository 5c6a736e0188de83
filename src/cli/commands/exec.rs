//! `exec`: run a process in a running container.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::cli::args::env::{self, ProcessEnv};
use crate::cli::args::later::{Later, refused};
use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Failed, Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::select;
use crate::container::{ExecOutcome, ExecRequest, Terminal, detach};
use crate::error::{Error, Kind};

/// The container is there and does not run.
const NOT_RUNNING: u8 = 255;

#[derive(Debug, clap::Args)]
pub struct ExecArgs {
    /// Leave the process running, and print the session's id
    #[arg(short, long)]
    detach: bool,
    /// Keys that leave the process running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<String>,
    /// Variable: NAME=VALUE, NAME (the host's value) or PREFIX* (can be repeated)
    #[arg(short, long, value_name = "VARIABLE")]
    env: Vec<String>,
    /// File with a variable on each line (can be repeated)
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    env_file: Vec<PathBuf>,
    /// Connect stdin
    #[arg(short, long)]
    interactive: bool,
    /// Run in the container created last
    #[arg(short, long)]
    latest: bool,
    /// Pass descriptors 3 to 3+N-1 on
    #[arg(long, value_name = "N", value_parser = value::unsigned32)]
    preserve_fds: Option<u32>,
    /// All capabilities, no filter of system calls
    #[arg(long)]
    privileged: bool,
    /// Give the process a terminal
    #[arg(short, long)]
    tty: bool,
    /// User and group, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// No session is recorded: there never is one
    #[arg(long, hide = true)]
    no_session: bool,
    /// File with the container's id, in place of a name
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    #[command(flatten)]
    _later: ExecLater,
    /// Container, by name or id (none with --latest), then the command to run, with its arguments
    // One argument, since only the last can take all that follows.
    #[arg(
        value_name = "CONTAINER COMMAND",
        trailing_var_arg = true,
        help_heading = "Arguments"
    )]
    words: Vec<String>,
}

refused! {
    /// What Podman's `exec` has beside.
    ExecLater, &[Later::value("preserve-fd")]
}

pub fn run(args: &ExecArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let of_file = match (&args.cidfile, args.latest) {
        (Some(_), true) => {
            return Err(Error::usage("--cidfile and --latest cannot be used together").into());
        }
        (Some(file), false) => Some(select::read_cidfile(file)?),
        (None, _) => None,
    };
    // With --latest or --cidfile the first word already belongs to the command.
    let (name, command) = match (args.words.split_first(), args.latest) {
        _ if of_file.is_some() => (of_file.as_deref(), args.words.as_slice()),
        (_, true) => (None, args.words.as_slice()),
        (Some((name, command)), false) => (Some(name.as_str()), command),
        (None, false) => {
            return Err(Error::usage(
                "exec requires the name or ID of a container or the --latest flag",
            )
            .into());
        }
    };
    let env = env::variables(&args.env_file, &args.env, &ProcessEnv)?;
    if let Some(keys) = &args.detach_keys {
        detach::parse_keys(keys)?;
    }
    let container = select::one(ctx, name, args.latest, "exec")?;
    if command.is_empty() {
        return Err(Error::usage(
            "must provide a non-empty command to start an exec session: invalid argument",
        )
        .into());
    }
    let (stdin, stdout, stderr) = (stdin(), stdout(), stderr());
    if args.tty && args.interactive && !args.detach && !stdin.is_terminal() {
        ctx.warn(
            "The input device is not a TTY. The --tty and --interactive flags might not work properly",
        );
    }
    let request = ExecRequest {
        command: command.to_vec(),
        env,
        workdir: args.workdir.clone(),
        user: args.user.clone(),
        privileged: args.privileged,
        tty: args.tty,
        interactive: args.interactive,
        detach: args.detach,
        detach_keys: args.detach_keys.clone(),
        preserve_fds: args.preserve_fds.unwrap_or(0),
    };
    let terminal = Terminal {
        stdin: stdin.as_fd(),
        stdout: stdout.as_fd(),
        stderr: stderr.as_fd(),
    };
    match container.exec(&request, terminal) {
        Ok(ExecOutcome::Detached(id)) => {
            out.line(&id)?;
            Ok(Status::SUCCESS)
        }
        Ok(ExecOutcome::Exited(code)) => Ok(Status::of_container(code)),
        Err(err) if err.kind() == Kind::State => Err(Failed::with_status(err, NOT_RUNNING)),
        Err(err) => Err(err.into()),
    }
}
