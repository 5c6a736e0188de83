//! `rmi`: names and images go, and whatever only they needed.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, removal};
use crate::cli::output::Printer;
use crate::container::events::{Action, Event};
use crate::container::options::RemoveOptions as RemoveContainer;
use crate::container::record::Record;
use crate::container::request::MountRequest;
use crate::error::{Error, Failures, Kind, Result};
use crate::image::{InUse, Removal, RemoveOptions};
use crate::storage::Digest;

/// How often `-f` removes the containers that others made meanwhile.
const ROUNDS: usize = 5;

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
    /// Keep parents without a name
    #[arg(long)]
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
    let options = RemoveOptions {
        force: args.force,
        ignore: args.ignore || args.force,
        no_prune: args.no_prune,
    };
    let users = || users(ctx);
    let mut done = Vec::new();
    let mut failures = Failures::default();
    for round in 1..=ROUNDS {
        if args.force {
            remove_users(args, ctx, &mut failures)?;
        }
        let mut now = Failures::default();
        done.extend(match args.all {
            true => images.remove_all(options, &users, &mut now)?,
            false => images.remove(&args.names, options, &users, &mut now)?,
        });
        let now = now.into_vec();
        let again = args.force && round < ROUNDS && now.iter().any(|err| err.kind() == Kind::InUse);
        for err in now {
            if !(again && err.kind() == Kind::InUse) {
                failures.push(err);
            }
        }
        if !again {
            break;
        }
    }
    ctx.containers()?.emit_all(&events(&done));
    show(&done, out)?;
    removal(failures)
}

/// What happened to each image and name.
fn events(done: &[Removal]) -> Vec<Event> {
    let event = |step: &Removal| match step {
        Removal::Untagged { name, id } => Event::image(Action::Untag, id, name),
        Removal::Deleted(id) => Event::image(Action::Remove, id, ""),
    };
    done.iter().map(event).collect()
}

/// Prints names first, then ids, as Podman does.
pub fn show(done: &[Removal], out: &mut Printer) -> Result<()> {
    for step in done {
        if let Removal::Untagged { name, .. } = step {
            out.line(&format!("Untagged: {name}"))?;
        }
    }
    for step in done {
        if let Removal::Deleted(id) = step {
            out.line(&format!("Deleted: {id}"))?;
        }
    }
    out.flush()
}

/// Every container of the store. One that cannot be read might use anything, so it stops the removal.
pub fn users(ctx: &Context) -> Result<Vec<InUse>> {
    let (containers, unreadable) = ctx.containers()?.list()?;
    if let Some(err) = unreadable.into_iter().next() {
        return Err(err.hint("remove this container with pod rm -f, then try again"));
    }
    let elsewhere = ctx.containers()?.elsewhere(&ctx.store()?.users()?)?;
    Ok(containers
        .into_iter()
        .map(|container| container.record)
        .chain(elsewhere)
        .flat_map(uses)
        .collect())
}

/// The image it was made from, and those it mounts.
fn uses(record: Record) -> Vec<InUse> {
    let of_mount = |mount: &MountRequest| match mount {
        MountRequest::Image { id, layers, .. } => Some(InUse {
            container: record.id.clone(),
            image: id.clone(),
            layers: layers.clone(),
        }),
        _ => None,
    };
    let mut uses: Vec<InUse> = record.request.mounts.iter().filter_map(of_mount).collect();
    uses.insert(
        0,
        InUse {
            container: record.id,
            image: record.image.map_or(String::new(), |image| image.id),
            layers: record.layers,
        },
    );
    uses
}

/// `-f`: removes the containers of images that will lose their last name.
fn remove_users(args: &RmiArgs, ctx: &Context, failures: &mut Failures) -> Result<()> {
    let images = ctx.images()?;
    let mut going: Vec<Digest> = Vec::new();
    if args.all {
        going.extend(images.list()?.iter().map(|image| image.id));
    }
    for target in &args.names {
        let Ok(summary) = images.summary(target) else {
            continue; // the removal itself says what is wrong with it
        };
        let id = summary.id.hex();
        let by_id = id.starts_with(target.trim_start_matches("sha256:"));
        if by_id || summary.all_names().count() < 2 {
            going.push(summary.id); // else only the name goes
        }
    }
    if going.is_empty() {
        return Ok(());
    }
    let going: Vec<String> = going.iter().map(Digest::hex).collect();
    let options = RemoveContainer {
        force: true,
        ..RemoveContainer::default()
    };
    for container in ctx.containers()?.list()?.0 {
        let image = container.record.image.as_ref();
        if image.is_some_and(|image| going.contains(&image.id)) {
            match container.remove(&options) {
                Err(err) if err.kind() == Kind::NotFound => {} // somebody else was faster
                done => drop(failures.keep(done)),
            }
        }
    }
    Ok(())
}
