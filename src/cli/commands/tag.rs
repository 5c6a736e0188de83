//! `tag`: one more name, or several, for an image.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub struct TagArgs {
    /// The image, then its new names
    #[arg(value_name = "IMAGE TARGET")]
    names: Vec<String>,
}

pub fn run(args: &TagArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let [source, targets @ ..] = args.names.as_slice() else {
        return Err(Error::usage("requires at least 2 arg(s), only received 0").into());
    };
    if targets.is_empty() {
        return Err(Error::usage("requires at least 2 arg(s), only received 1").into());
    }
    let images = ctx.images()?;
    for target in targets {
        images.tag(source, target)?;
    }
    Ok(Status::SUCCESS)
}
