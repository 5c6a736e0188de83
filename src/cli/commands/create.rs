//! `create`: make a container and do not start it.

use std::path::PathBuf;

use crate::cli::args::create::CreateArgs;
use crate::cli::args::{defaults, request};
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::container::cdi;
use crate::container::events::{Action, Event};
use crate::container::request::{CreateRequest, MountRequest};
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
    look_up(ctx, &mut request)?;
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

/// The images that are mounted and the edits of CDI devices, as they are now.
fn look_up(ctx: &Context, request: &mut CreateRequest) -> Result<()> {
    for mount in &mut request.mounts {
        let MountRequest::Image {
            image, id, layers, ..
        } = mount
        else {
            continue;
        };
        let found = ctx.images()?.find(image)?;
        (*id, *layers) = (found.id, found.layers);
    }
    if request.cdi_devices.is_empty() {
        return Ok(());
    }
    let (given, config) = (&ctx.globals.cdi_spec_dir, &ctx.config()?.cdi_spec_dirs);
    let dirs = match (given.is_empty(), config.is_empty()) {
        (false, _) => given.clone(),
        (true, false) => config.clone(),
        (true, true) => cdi::DEFAULT_DIRS.map(PathBuf::from).to_vec(),
    };
    request.cdi = Some(cdi::resolve(&dirs, &request.cdi_devices)?);
    Ok(())
}
