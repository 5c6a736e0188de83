//! `volume export`, `volume import`, and `volume mount` inside unshare.

use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::Printer;
use crate::error::{Error, Failures, Kind, Result, Tried};
use crate::storage::transfer::PassedOver;
use crate::volume::Volume;

use super::export::create;
use super::mount::check_inside;

#[derive(Debug, clap::Args)]
pub struct VolumeExportArgs {
    /// File to write to (default: stdout, which must not be a terminal)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The volume
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct VolumeImportArgs {
    /// The volume, then a tar, plain or compressed; - or none for stdin
    #[arg(value_name = "VOLUME")]
    operands: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct VolumeMountArgs {
    /// Volumes, by name
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

pub fn run_export(args: &VolumeExportArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let [name] = args.names.as_slice() else {
        return Err(
            Error::usage(format!("accepts 1 arg(s), received {}", args.names.len())).into(),
        );
    };
    let path = value::given(&args.output).filter(|path| path.as_path() != Path::new("/dev/stdout"));
    if path.is_none() && std::io::stdout().is_terminal() {
        let text = "refusing to export to terminal. Use -o flag or redirect";
        return Err(Error::usage(text).into());
    }
    let volume = find(ctx, name)?;
    let containers = ctx.containers()?;
    let maps = containers.host_maps()?;
    let passed = match &path {
        None => {
            let stdout = std::io::stdout().as_fd().try_clone_to_owned();
            let stdout = stdout.tried(|| "use stdout")?;
            containers.volumes().export(&volume, &maps, stdout)?
        }
        Some(path) => {
            let (file, fresh) = create(path)?;
            // Half an archive is worse than none.
            let done = containers.volumes().export(&volume, &maps, file);
            done.inspect_err(|_| {
                if fresh {
                    let _ = std::fs::remove_file(path);
                }
            })?
        }
    };
    warn(ctx, &passed);
    Ok(Status::SUCCESS)
}

pub fn run_import(args: &VolumeImportArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let (name, source) = match args.operands.as_slice() {
        [name] => (name, "-"),
        [name, source] => (name, source.as_str()),
        [] => return Err(Error::usage("requires at least 1 arg(s), only received 0").into()),
        more => {
            let text = format!("accepts between 1 and 2 arg(s), received {}", more.len());
            return Err(Error::usage(text).into());
        }
    };
    let volume = find(ctx, name)?;
    let file = match source {
        "-" => File::from(
            std::io::stdin()
                .as_fd()
                .try_clone_to_owned()
                .tried(|| "use stdin")?,
        ),
        path => File::open(path).tried(|| format!("open {path}"))?,
    };
    let containers = ctx.containers()?;
    let maps = containers.host_maps()?;
    let passed = containers.volumes().import(&volume, &maps, file)?;
    warn(ctx, &passed);
    Ok(Status::SUCCESS)
}

/// A volume is a directory, so it is "mounted" all the time: what counts is that its owners can be seen.
pub fn run_mount(args: &VolumeMountArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let [name] = args.names.as_slice() else {
        return Err(
            Error::usage(format!("accepts 1 arg(s), received {}", args.names.len())).into(),
        );
    };
    check_inside("pod volume mount")?;
    let volume = find(ctx, name)?;
    out.line(&volume.source().to_string_lossy())?;
    Ok(Status::SUCCESS)
}

pub fn run_unmount(args: &VolumeMountArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.is_empty() {
        return Err(Error::usage("requires at least 1 arg(s), only received 0").into());
    }
    check_inside("pod volume unmount")?;
    let mut failures = Failures::default();
    for name in &args.names {
        if let Some(volume) = failures.keep(find(ctx, name)) {
            out.line(volume.name())?;
        }
    }
    exit::all(failures)
}

/// By its whole name, as Podman: these commands take no beginning of one.
fn find(ctx: &Context, name: &str) -> Result<Volume> {
    let found = ctx.containers()?.volumes().get(name)?;
    found.ok_or_else(|| Error::new(Kind::NotFound, format!("no such volume {name}")))
}

fn warn(ctx: &Context, passed: &PassedOver) {
    if let Some(text) = passed.warning() {
        ctx.warn(&text);
    }
}
