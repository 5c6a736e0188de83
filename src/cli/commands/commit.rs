//! `commit`: an image of a container as it is now.

use std::path::PathBuf;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::container::commit::CommitOptions;
use crate::error::{Error, Result, Tried};
use crate::image::change::Change;
use crate::image::commit::Format;
use crate::image::reference::{LOCALHOST, Name, Reference};

#[derive(Debug, clap::Args)]
pub struct CommitArgs {
    /// Who made the image
    #[arg(short, long, value_name = "AUTHOR")]
    author: Option<String>,
    /// Instruction that changes the image's settings: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER,
    /// VOLUME or WORKDIR with its value (can be repeated)
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Format of manifest and settings: oci or docker
    #[arg(short, long, value_name = "FORMAT", default_value = "oci")]
    format: String,
    /// File to write the image's id to
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    /// Make the container's volumes volumes of the image
    #[arg(long)]
    include_volumes: bool,
    /// Comment of the image, with --format docker
    #[arg(short, long, value_name = "MESSAGE")]
    message: Option<String>,
    /// Freeze the container meanwhile (default true where it has a cgroup of its own)
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    pause: Option<bool>,
    /// Say nothing but the image's id
    #[arg(short, long)]
    quiet: bool,
    /// Make one layer of the container and its image
    #[arg(short, long)]
    squash: bool,
    /// The container, and the image's name
    #[arg(value_name = "CONTAINER [IMAGE]")]
    names: Vec<String>,
}

pub fn run(args: &CommitArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let (container, name) = match args.names.as_slice() {
        [container] => (container, None),
        [container, name] => (container, Some(reference(name)?)),
        other => {
            return Err(Error::usage(format!(
                "accepts between 1 and 2 arg(s), received {}",
                other.len()
            ))
            .into());
        }
    };
    let options = CommitOptions {
        name,
        author: args.author.clone().filter(|author| !author.is_empty()),
        message: args.message.clone().filter(|text| !text.is_empty()),
        changes: args
            .change
            .iter()
            .map(|text| text.parse())
            .collect::<Result<Vec<Change>>>()?,
        format: format(&args.format)?,
        squash: args.squash,
        include_volumes: args.include_volumes,
        pause: args.pause,
    };
    let container = container.strip_prefix('/').unwrap_or(container);
    let container = ctx.containers()?.find(container)?;
    let committed = container.commit(&ctx.images()?, &options)?;
    if let Some(text) = committed.left.warning() {
        ctx.warn(&text);
    }
    let id = &committed.image.id;
    if let Some(path) = &args.iidfile {
        std::fs::write(path, id).tried(|| format!("write image ID to {}", path.display()))?;
    }
    out.line(id)?;
    Ok(Status::SUCCESS)
}

fn reference(text: &str) -> Result<Reference> {
    let name: Name = text.parse()?;
    match name.digest() {
        None => Ok(name.qualify(LOCALHOST)),
        Some(_) => Err(Error::usage(format!(
            "name the image \"{text}\": a digest cannot be chosen"
        ))),
    }
}

fn format(text: &str) -> Result<Format> {
    match text {
        "oci" => Ok(Format::Oci),
        "docker" => Ok(Format::V2s2),
        other => Err(Error::usage(format!("unrecognized image format {other:?}"))),
    }
}
