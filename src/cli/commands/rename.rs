//! `rename`: give a container another name.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::error::Error;

#[derive(Debug, clap::Args)]
pub struct RenameArgs {
    /// The container, by name or id, and its new name
    #[arg(value_name = "CONTAINER NAME")]
    words: Vec<String>,
}

pub fn run(args: &RenameArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let [container, name] = &args.words[..] else {
        let text = format!("accepts 2 arg(s), received {}", args.words.len());
        return Err(Error::usage(text).into());
    };
    ctx.containers()?.find(container)?.rename(name)?;
    Ok(Status::SUCCESS)
}
