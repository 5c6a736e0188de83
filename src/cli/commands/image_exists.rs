//! `image exists`: 0 present, 1 absent, 125 cannot tell.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;

#[derive(Debug, clap::Args)]
pub struct ImageExistsArgs {
    /// Image, by name, digest or id
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

pub fn run(args: &ImageExistsArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let name = usage::exactly_one(&args.names)?;
    Ok(if ctx.images()?.exists(name)? {
        Status::SUCCESS
    } else {
        Status::ABSENT
    })
}
