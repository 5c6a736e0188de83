//! The command line: parse, typed request, engine call, rendering, exit status.
//!
//! Runs in: cli. The only part of the program that prints, reads argv or decides the exit status; it makes no mount
//! and no process itself.
//!
//! A command is one file: its arguments (`clap::Args`, a plain `bool` field is a Go-style switch, see [`args`]) and
//! `pub fn run(args: &XArgs, ctx: &Context, out: &mut Printer) -> Outcome`. It becomes known by one line in
//! [`commands::COMMANDS`]; help, completions and manual pages follow from that table. Only the command that was
//! asked for is built: a `clap::Command` for each would cost every start.

mod args;
mod commands;
mod complete;
mod context;
mod event_filter;
mod exit;
mod filter;
mod glob;
mod help;
mod image_filter;
mod output;
mod progress;
mod prompt;
mod select;
mod usage;
mod volume_filter;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::ArgMatches;

use crate::sys;

use commands::{COMMANDS, Entry, Group};
use context::Context;
use exit::{Failed, Outcome, Status};
use output::Printer;

/// Runs one command line and returns the exit status of the process.
pub fn run(argv: Vec<OsString>) -> ExitCode {
    sys::memory::grow_in_large_steps();
    let mut out = Printer::stdout();
    let outcome = dispatch(argv, &mut out);
    let flushed = out.flush();
    exit::finish(outcome.and_then(|status| {
        flushed?;
        Ok(status)
    }))
}

fn dispatch(argv: Vec<OsString>, out: &mut Printer) -> Outcome {
    let line = usage::words(&argv)?;
    let (globals, rest) = args::global::split(&line)?;
    let Some(first) = rest.first() else {
        help::overview(out)?;
        out.flush()?;
        return Err(usage::missing_command("pod").into());
    };
    match first.as_str() {
        "-v" | "--version" => {
            out.line(&format!("pod version {}", env!("CARGO_PKG_VERSION")))?;
            return Ok(Status::SUCCESS);
        }
        "--help" | "-h" => {
            help::overview(out)?;
            return Ok(Status::SUCCESS);
        }
        "help" => return help::of_words(&rest[1..], out),
        "__complete" => return complete::run(&rest[1..], out),
        word if word.starts_with('-') => return Err(usage::unknown_flag(word, "pod")),
        _ => {}
    }
    let (entry, path, rest) = match commands::lookup(rest) {
        commands::Lookup::Found { entry, path, rest } => (entry, path, rest),
        commands::Lookup::Group(name, rest) => return group(name, rest, out),
        commands::Lookup::Unknown(err) => return Err(err),
    };
    invoke(entry, &path, globals, rest, &line, out)
}

/// A parent (`pod container`) without a command: its help, and a failure unless help was asked for.
fn group(name: &str, rest: &[String], out: &mut Printer) -> Outcome {
    help::group(name, out)?;
    if rest.iter().any(|word| word == "--help" || word == "-h") {
        return Ok(Status::SUCCESS);
    }
    out.flush()?;
    Err(usage::missing_command(&format!("pod {name}")).into())
}

fn invoke(
    entry: &Entry,
    path: &str,
    globals: &[String],
    rest: &[String],
    line: &[String],
    out: &mut Printer,
) -> Outcome {
    let mut command = commands::build(entry, path);
    // The globals stand before the command in argv; one parser reads both places.
    let words = globals.iter().chain(rest);
    let mut matches: ArgMatches = match command.try_get_matches_from_mut(words) {
        Ok(matches) => matches,
        Err(err) if err.kind() == clap::error::ErrorKind::DisplayHelp => {
            out.text(&help::of_entry(entry, path))?;
            return Ok(Status::SUCCESS);
        }
        Err(err) => return Err(usage::explain(&err, &command, path, rest)),
    };
    let globals = args::global::take(&mut matches)?;
    let ctx = Context::new(globals, line.to_vec());
    let outcome = (entry.run)(&mut matches, &ctx, out);
    ctx.warn_of_stores();
    outcome
}

/// Reads a command's arguments; what a group of flags refuses comes back as the error.
fn parsed<A: clap::FromArgMatches>(matches: &mut ArgMatches) -> Result<A, Failed> {
    A::from_arg_matches_mut(matches).map_err(|err| usage::refused(&err))
}

/// Every command as clap knows it, for completions and manual pages.
pub fn definitions() -> clap::Command {
    let mut all = clap::Command::new("pod")
        .about("Run containers and manage images, without privileges and without a daemon")
        .disable_help_subcommand(true);
    for entry in COMMANDS.iter().filter(|entry| entry.group != Group::Hidden) {
        all = commands::attach(all, entry);
    }
    all
}

/// The commands that have a manual page, by their first name (`run`, `container exists`).
pub fn pages() -> impl Iterator<Item = &'static str> {
    COMMANDS
        .iter()
        .filter(|entry| entry.group != Group::Hidden)
        .map(|entry| entry.paths[0])
}
