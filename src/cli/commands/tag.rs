//! `tag` and `untag`: names of images.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::container::events::{Action, Event};

#[derive(Debug, clap::Args)]
pub struct TagArgs {
    /// The image, then its new names
    #[arg(value_name = "IMAGE TARGET")]
    names: Vec<String>,
}

pub fn run(args: &TagArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    usage::at_least(2, &args.names)?;
    let id = ctx.images()?.tag(&args.names[0], &args.names[1..])?;
    let tagged = |name: &String| Event::image(Action::Tag, &id.hex(), name);
    let events: Vec<Event> = args.names[1..].iter().map(tagged).collect();
    ctx.containers()?.emit_all(&events);
    Ok(Status::SUCCESS)
}

#[derive(Debug, clap::Args)]
pub struct UntagArgs {
    /// The image, then the names it loses; without names it loses all
    #[arg(value_name = "IMAGE NAME")]
    names: Vec<String>,
}

pub fn run_untag(args: &UntagArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    usage::at_least(1, &args.names)?;
    let (id, names) = ctx.images()?.untag(&args.names[0], &args.names[1..])?;
    let untagged = |name| Event::image(Action::Untag, &id.hex(), &format!("{name}"));
    let events: Vec<Event> = names.iter().map(untagged).collect();
    ctx.containers()?.emit_all(&events);
    Ok(Status::SUCCESS)
}
