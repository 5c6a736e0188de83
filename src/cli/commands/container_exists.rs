//! `container exists`: 0 present, 1 absent, 125 cannot tell.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;

#[derive(Debug, clap::Args)]
pub struct ContainerExistsArgs {
    /// Also look at containers of other tools: there are none in this store
    #[arg(long, hide = true)]
    external: bool,
    /// Container, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &ContainerExistsArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let name = usage::exactly_one(&args.names)?;
    Ok(if ctx.containers()?.exists(name)? {
        Status::SUCCESS
    } else {
        Status::ABSENT
    })
}
