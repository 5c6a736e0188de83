//! `pull`: images from a registry. The last line of each is its id; everything else goes to stderr.

use crate::cli::args::defaults;
use crate::cli::args::later::{Later, refused};
use crate::cli::args::registry::{PlatformArgs, RegistryArgs};
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, all};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::container::events::{Action, Event};
use crate::error::{Error, Failures};
use crate::image::PullPolicy;

#[derive(Debug, clap::Args)]
pub struct PullArgs {
    /// Pull every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Print the image ID only
    #[arg(short, long)]
    quiet: bool,
    /// When to ask the registry: always, missing, never, newer
    #[arg(long, value_name = "POLICY", default_value = "always")]
    policy: String,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    platform: PlatformArgs,
    /// Does nothing; Docker has it
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    #[command(flatten)]
    _refused: RefusedArgs,
    /// Images, by name, tag or digest
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

const REFUSED: &[Later] = &[Later::value("decryption-key")];

refused! {
    /// Podman's other flags of `pull`.
    RefusedArgs, REFUSED
}

pub fn run(args: &PullArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.is_empty() {
        return Err(Error::usage("requires at least 1 arg(s), only received 0").into());
    }
    let policy: PullPolicy = args.policy.parse()?;
    let mut options = args.registry.options(&args.platform)?;
    defaults::pull(ctx.config()?, &mut options)?;
    let images = ctx.images()?;
    let mut progress = progress::renderer(args.quiet);
    let mut failures = Failures::default();
    for name in &args.names {
        let wanted = match args.all_tags {
            true => failures.keep(images.remote_tags(name, &options, &mut *progress)),
            false => Some(vec![name.clone()]),
        };
        for name in wanted.unwrap_or_default() {
            let pulled = images.ensure(&name, policy, &options, &mut *progress);
            let event = match &pulled {
                Ok(image) => Event::image(Action::Pull, &image.id, &name),
                Err(err) => Event::image(Action::PullError, "", &name).error(&err.to_string()),
            };
            ctx.containers()?.emit(&event);
            if let Some(image) = failures.keep(pulled) {
                out.line(&image.id)?;
                out.flush()?;
            }
        }
    }
    all(failures)
}
