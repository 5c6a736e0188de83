//! `push`: an image to a registry, an archive or a directory. Everything it says goes to stderr.

use crate::cli::args::defaults;
use crate::cli::args::later::{Later, refused};
use crate::cli::args::outgoing::{self, OutgoingArgs};
use crate::cli::args::registry::RegistryArgs;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::container::events::{Action, Event};
use crate::error::Error;
use crate::image::PushOptions;

#[derive(Debug, clap::Args)]
pub struct PushArgs {
    /// Also push the images of a manifest list, not only this host's
    #[arg(long)]
    all: bool,
    /// Say nothing but what went wrong
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    outgoing: OutgoingArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    _refused: RefusedArgs,
    /// The image, then where it goes: a name, or docker://, docker-archive:, oci-archive:, oci: or dir:
    #[arg(value_name = "IMAGE [DESTINATION]")]
    names: Vec<String>,
}

const REFUSED: &[Later] = outgoing::REFUSED;

refused! {
    /// Podman's other flags of `push`.
    RefusedArgs, REFUSED
}

pub fn run(args: &PushArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let (source, destination) = match args.names.as_slice() {
        [source] => (source, None),
        [source, destination] => (source, Some(destination.as_str())),
        other => {
            let text = format!("accepts between 1 and 2 arg(s), received {}", other.len());
            return Err(Error::usage(text).into());
        }
    };
    let config = ctx.config()?;
    let mut options = PushOptions {
        outgoing: args.outgoing.options(config)?,
        access: args.registry.access()?,
        all: args.all,
    };
    defaults::access(config, &mut options.access)?;
    let mut progress = progress::renderer(args.quiet);
    let digest = ctx
        .images()?
        .push(source, destination, &options, &mut *progress)?;
    drop(progress);
    let id = ctx.images()?.summary(source).map(|image| image.id.hex());
    let to = destination.unwrap_or(source);
    ctx.containers()?
        .emit(&Event::image(Action::Push, &id.unwrap_or_default(), to));
    args.outgoing.write_digest(&digest)?;
    Ok(Status::SUCCESS)
}
