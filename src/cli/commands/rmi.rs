//! `rmi`: names and images go, and whatever only they needed.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, removal};
use crate::cli::output::Printer;
use crate::container::options::RemoveOptions as RemoveContainer;
use crate::error::{Error, Failures, Result};
use crate::image::{InUse, Removal, RemoveOptions};

#[derive(Debug, clap::Args)]
pub struct RmiArgs {
    /// Remove all images
    #[arg(short, long)]
    all: bool,
    /// Also remove containers that use the image, and all names of an ID
    #[arg(short, long)]
    force: bool,
    /// A missing image is no error
    #[arg(short, long)]
    ignore: bool,
    /// Keep parents without a name: images here have no parents
    #[arg(long, hide = true)]
    no_prune: bool,
    /// Images, by name, digest or id
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

pub fn run(args: &RmiArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.all && !args.names.is_empty() {
        return Err(Error::usage(
            "when using the --all switch, you may not pass any images names or IDs",
        )
        .into());
    }
    if !args.all && args.names.is_empty() {
        return Err(Error::usage("image name or ID must be specified").into());
    }
    let images = ctx.images()?;
    let mut failures = Failures::default();
    let targets = match args.all {
        true => images
            .list()?
            .iter()
            .filter(|image| !image.read_only)
            .map(|image| image.id.hex())
            .collect(),
        false => args.names.clone(),
    };
    if args.force {
        remove_users(ctx, &targets, &mut failures)?;
    }
    let options = RemoveOptions {
        force: args.force || args.all,
        ignore: args.ignore,
    };
    let done = images.remove(&targets, options, &|| users(ctx), &mut failures)?;
    for step in done {
        match step {
            Removal::Untagged(name) => out.line(&format!("Untagged: {name}"))?,
            Removal::Deleted(id) => out.line(&format!("Deleted: {id}"))?,
        }
    }
    out.flush()?;
    removal(failures)
}

/// Every container of the store. One that cannot be read might use anything, so it stops the removal.
fn users(ctx: &Context) -> Result<Vec<InUse>> {
    let (containers, unreadable) = ctx.containers()?.list()?;
    if let Some(err) = unreadable.into_iter().next() {
        return Err(err.hint("remove this container with pod rm -f, then try again"));
    }
    Ok(containers
        .into_iter()
        .map(|container| InUse {
            container: container.record.id,
            image: container
                .record
                .image
                .map_or(String::new(), |image| image.id),
            layers: container.record.layers,
        })
        .collect())
}

/// `-f`: removes the containers of images that will lose their last name.
fn remove_users(ctx: &Context, targets: &[String], failures: &mut Failures) -> Result<()> {
    let images = ctx.images()?;
    let options = RemoveContainer {
        force: true,
        ..RemoveContainer::default()
    };
    for target in targets {
        let Ok(summary) = images.summary(target) else {
            continue; // the removal itself says what is wrong with it
        };
        let by_name = summary.id.hex() != *target && !summary.id.hex().starts_with(target.as_str());
        if by_name && summary.names.len() > 1 {
            continue; // only the name goes
        }
        let id = summary.id.hex();
        for container in ctx.containers()?.list()?.0 {
            if container
                .record
                .image
                .as_ref()
                .is_some_and(|image| image.id == id)
            {
                failures.keep(container.remove(&options));
            }
        }
    }
    Ok(())
}
