//! `export`: a container's whole tree as a tar.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::error::{Error, Result, Tried};

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// File to write to (default: stdout, which must not be a terminal)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The container
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &ExportArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let [name] = args.names.as_slice() else {
        return Err(
            Error::usage(format!("accepts 1 arg(s), received {}", args.names.len())).into(),
        );
    };
    let path = value::given(&args.output);
    if path.is_none() && std::io::stdout().is_terminal() {
        return Err(Error::usage("refusing to export to terminal. Use -o flag or redirect").into());
    }
    let name = name.strip_prefix('/').unwrap_or(name);
    let container = ctx.containers()?.find(name)?;
    let packed = match &path {
        None => {
            let stdout = std::io::stdout().as_fd().try_clone_to_owned();
            container.export(stdout.tried(|| "use stdout")?)?
        }
        Some(path) => {
            let (file, fresh) = create(path)?;
            // Half an archive is worse than none; what is no file of its own, a pipe or a device, stays.
            container.export(file).inspect_err(|_| {
                if fresh {
                    let _ = std::fs::remove_file(path);
                }
            })?
        }
    };
    if let Some(text) = packed.left.warning() {
        ctx.warn(&text);
    }
    Ok(Status::SUCCESS)
}

/// The file, and whether it is a regular one.
pub(super) fn create(path: &Path) -> Result<(OwnedFd, bool)> {
    let tried = || format!("write \"{}\"", path.display());
    let file = File::create(path).tried(tried)?;
    let regular = file.metadata().tried(tried)?.is_file();
    Ok((file.into(), regular))
}
