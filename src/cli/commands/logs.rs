//! `logs`: what containers wrote, raw.

use std::io::{Write, stderr};

use crate::cli::args::later::{Later, refused};
use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::filter::moment;
use crate::cli::output::Printer;
use crate::cli::select::{Selected, Selection};
use crate::container::LogOptions;
use crate::error::{Error, Failures, Result};

#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    /// Go on until the container ends
    #[arg(short, long)]
    follow: bool,
    /// Show the log of the container created last
    #[arg(short, long)]
    latest: bool,
    /// Put the container's name before each line
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
    #[command(flatten)]
    _later: LogsLater,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

refused! {
    /// What Podman's `logs` has beside.
    LogsLater, &[Later::switch("color")]
}

pub fn run(args: &LogsArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.containers.is_empty() && !args.latest {
        return Err(Error::usage("specify at least one container name or ID to log").into());
    }
    if args.follow && args.containers.len() > 1 {
        return Err(Error::usage(
            "--follow of several containers is not available in this version of pod",
        )
        .into());
    }
    let options = LogOptions {
        follow: args.follow,
        tail: u64::try_from(args.tail).ok(),
        since: args.since.as_deref().map(moment).transpose()?,
        until: args.until.as_deref().map(moment).transpose()?,
        timestamps: args.timestamps,
    };
    let selection = Selection {
        names: &args.containers,
        latest: args.latest,
        ..Selection::default()
    };
    let mut failures = Failures::default();
    for Selected { found, .. } in selection.find(ctx)? {
        let Some(container) = failures.keep(found) else {
            continue;
        };
        let result = if args.names {
            let name = container.name().to_owned();
            let mut stdout = Prefixed::new(out.sink()?, &name);
            let mut errors = Prefixed::new(stderr(), &name);
            container.logs(&options, &mut stdout, &mut errors)
        } else {
            container.logs(&options, out.sink()?, &mut stderr())
        };
        failures.keep(quiet_end(result));
    }
    exit::all(failures)
}

/// Whoever reads our output went away: `logs | head`.
fn quiet_end(result: Result<()>) -> Result<()> {
    result.map_err(|err| match err.errno() {
        Some(nix::errno::Errno::EPIPE) => exit::broken_pipe(),
        _ => err,
    })
}

/// Puts a name before each line.
struct Prefixed<W> {
    inner: W,
    prefix: String,
    at_start: bool,
}

impl<W: Write> Prefixed<W> {
    fn new(inner: W, name: &str) -> Self {
        Self {
            inner,
            prefix: format!("{name} "),
            at_start: true,
        }
    }
}

impl<W: Write> Write for Prefixed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut text = Vec::with_capacity(bytes.len() + self.prefix.len());
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.at_start {
                text.extend_from_slice(self.prefix.as_bytes());
            }
            text.extend_from_slice(line);
            self.at_start = line.ends_with(b"\n");
        }
        self.inner.write_all(&text)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_the_name_once() {
        let mut text = Vec::new();
        let mut out = Prefixed::new(&mut text, "web");
        for piece in ["a", "b\nc\n", "\n"] {
            out.write_all(piece.as_bytes()).expect("memory");
        }
        assert_eq!(String::from_utf8_lossy(&text), "web ab\nweb c\nweb \n");
    }
}
