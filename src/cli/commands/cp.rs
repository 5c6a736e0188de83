//! `cp`: copy files into, out of and between containers.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::container::Container;
use crate::container::copy::{CopyOptions, Side, copy};
use crate::error::{Error, Result, Tried};

#[derive(Debug, clap::Args)]
pub struct CpArgs {
    /// Give what comes into a container to its user; =false keeps the owners (default true)
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    archive: Option<bool>,
    /// Let directories replace what is none, and the other way round
    #[arg(long)]
    overwrite: bool,
    /// Say nothing of what is left out
    #[arg(short, long)]
    quiet: bool,
    /// Source, then destination: a path of this host, CONTAINER:PATH, or - for a tar
    #[arg(value_name = "SOURCE DESTINATION")]
    paths: Vec<String>,
}

/// What one operand names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operand<'a> {
    container: Option<&'a str>,
    path: &'a str,
}

impl<'a> Operand<'a> {
    /// As Podman: what begins with a dot or a slash is a path of this host, whatever colons are in it.
    fn parse(text: &'a str) -> Self {
        match text.split_once(':') {
            Some((container, path)) if !text.starts_with(['.', '/']) => Self {
                container: Some(container),
                path,
            },
            _ => Self {
                container: None,
                path: text,
            },
        }
    }

    fn is_stream(&self) -> bool {
        self.container.is_none() && self.path == "-"
    }
}

pub fn run(args: &CpArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let [source, target] = args.paths.as_slice() else {
        return Err(
            Error::usage(format!("accepts 2 arg(s), received {}", args.paths.len())).into(),
        );
    };
    let (from, to) = (Operand::parse(source), Operand::parse(target));
    if from.path.is_empty() || to.path.is_empty() {
        return Err(Error::usage(format!(
            "invalid arguments {source:?}, {target:?}: you must specify paths"
        ))
        .into());
    }
    if from.container.unwrap_or_default().is_empty() && to.container.unwrap_or_default().is_empty()
    {
        return Err(Error::usage(format!(
            "invalid arguments {source:?}, {target:?}: you must use one container"
        ))
        .into());
    }
    let options = CopyOptions {
        archive: args.archive.unwrap_or(true),
        overwrite: args.overwrite,
    };
    let source = container_of(ctx, from)?;
    let target = container_of(ctx, to)?;
    let passed = match (&source, &target) {
        (Some(container), None) if to.is_stream() => {
            let stdout = std::io::stdout();
            if stdout.is_terminal() {
                return Err(Error::usage("refusing to copy to a terminal: redirect stdout").into());
            }
            let stdout = stdout.as_fd().try_clone_to_owned();
            container.copy_to_tar(from.path, stdout.tried(|| "use stdout")?)?
        }
        (None, Some(container)) if from.is_stream() => {
            let stdin = std::io::stdin().as_fd().try_clone_to_owned();
            let stdin = File::from(stdin.tried(|| "use stdin")?);
            container.copy_from_tar(to.path, stdin, options)?
        }
        _ => copy(side(&source, from), side(&target, to), options)?,
    };
    if let Some(text) = passed.warning().filter(|_| !args.quiet) {
        ctx.warn(&text);
    }
    Ok(Status::SUCCESS)
}

fn container_of(ctx: &Context, operand: Operand<'_>) -> Result<Option<Container>> {
    let Some(name) = operand.container else {
        return Ok(None);
    };
    if name.is_empty() {
        return Err(Error::usage("name or ID cannot be empty"));
    }
    let found = ctx.containers()?.find(name);
    found.map(Some).map_err(|err| match err.kind() {
        crate::error::Kind::NotFound => {
            Error::new(err.kind(), format!("container {name:?} does not exist"))
        }
        _ => err,
    })
}

fn side<'a>(container: &'a Option<Container>, operand: Operand<'a>) -> Side<'a> {
    match container {
        Some(container) => Side::Container(container, operand.path),
        None => Side::Host(operand.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_told_apart() {
        let table = [
            ("c:/x", Some("c"), "/x"),
            ("c:", Some("c"), ""),
            ("c:a:b", Some("c"), "a:b"),
            (":x", Some(""), "x"),
            ("./c:x", None, "./c:x"),
            ("/c:x", None, "/c:x"),
            ("x", None, "x"),
            ("-", None, "-"),
        ];
        for (text, container, path) in table {
            assert_eq!(Operand::parse(text), Operand { container, path }, "{text}");
        }
    }
}
