//! `create`: make a container and do not start it.

use crate::cli::args::create::CreateArgs;
use crate::cli::args::{defaults, request};
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::container::events::{Action, Event};
use crate::container::request::CreateRequest;
use crate::error::{Error, Result};
use crate::image::{Image, PullPolicy};

#[derive(Debug, clap::Args)]
pub struct CreateCommandArgs {
    #[command(flatten)]
    create: CreateArgs,
}

pub fn run(args: &CreateCommandArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let (request, image) = prepare(&args.create, ctx)?;
    let container = ctx.containers()?.create(request, image.as_ref())?;
    out.line(container.id())?;
    Ok(Status::SUCCESS)
}

/// The request, and its image: fetched if need be, and absent with `--rootfs`.
pub fn prepare(args: &CreateArgs, ctx: &Context) -> Result<(CreateRequest, Option<Image>)> {
    let Some((name, command)) = args.words.split_first() else {
        return Err(Error::usage("requires at least 1 arg(s), only received 0"));
    };
    // Everything the user wrote is judged before anything is fetched.
    let find = |name: &str| Ok(ctx.containers()?.find(name)?.id().to_owned());
    let mut request = request::request(args, name, command, &find)?;
    defaults::apply(ctx.config()?, args, &mut request, &find)?;
    request.create_command = ctx.command_line();
    let policy = match args.pull.as_deref() {
        Some(text) => text.parse()?,
        None => match ctx.config()?.pull_policy.as_deref() {
            Some(text) => text
                .parse()
                .map_err(|err: Error| err.context("use pull_policy of containers.conf"))?,
            None => PullPolicy::Missing,
        },
    };
    let mut options = args.registry.options(&args.platform)?;
    defaults::pull(ctx.config()?, &mut options)?;
    if args.rootfs {
        return Ok((request, None));
    }
    let image =
        ctx.images()?
            .ensure(name, policy, &options, &mut *progress::renderer(args.quiet))?;
    if image.pulled {
        let pulled = Event::image(Action::Pull, &image.id, name);
        ctx.containers()?.emit(&pulled);
    }
    Ok((request, Some(image)))
}
