//! `manifest create`, `add`, `annotate`, `remove`: each prints the list's id.

use std::collections::BTreeMap;

use crate::cli::args::later::{Later, refused};
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::error::{Error, Result};
use crate::image::index::EntryChange;
use crate::image::{AddOptions, Silent};

use super::{ReachArgs, at_least, exactly};

#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Add every image of an index, not only this host's
    #[arg(long)]
    all: bool,
    /// Add to a list of that name, if there is one
    #[arg(short, long)]
    amend: bool,
    /// Annotation of the list (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    #[command(flatten)]
    reach: ReachArgs,
    /// The list, then images that it begins with
    #[arg(value_name = "LIST [IMAGE...]")]
    names: Vec<String>,
}

/// What can be said of an image in a list.
#[derive(Debug, clap::Args)]
pub struct EntryArgs {
    /// Annotation (can be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Architecture
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Features of the processor; only Docker's format keeps them
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    features: Vec<String>,
    /// Operating system
    #[arg(long, value_name = "OS")]
    os: Option<String>,
    /// Features of the operating system
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    os_features: Vec<String>,
    /// Version of the operating system
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// Variant of the architecture
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Add every image of an index, not only this host's
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    entry: EntryArgs,
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    _refused: AddRefused,
    /// The list, then images: names, docker://NAME, or containers-storage:NAME
    #[arg(value_name = "LIST IMAGE...")]
    names: Vec<String>,
}

const ADD_REFUSED: &[Later] = &[
    Later::switch("artifact"),
    Later::value("artifact-type"),
    Later::value("artifact-config"),
    Later::value("artifact-config-type"),
    Later::value("artifact-layer-type"),
    Later::switch("artifact-exclude-titles"),
    Later::value("artifact-subject"),
];

refused! {
    /// Podman's flags for artifacts.
    AddRefused, ADD_REFUSED
}

#[derive(Debug, clap::Args)]
pub struct AnnotateArgs {
    /// Annotate the list itself
    #[arg(long)]
    index: bool,
    #[command(flatten)]
    entry: EntryArgs,
    #[command(flatten)]
    _refused: AnnotateRefused,
    /// The list, then the image in it, by digest or name
    #[arg(value_name = "LIST IMAGE")]
    names: Vec<String>,
}

const ANNOTATE_REFUSED: &[Later] = &[Later::value("subject")];

refused! {
    /// Podman's other flags of `manifest annotate`.
    AnnotateRefused, ANNOTATE_REFUSED
}

#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    /// The list, then the image in it, by digest or name
    #[arg(value_name = "LIST IMAGE")]
    names: Vec<String>,
}

pub fn run_create(args: &CreateArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let [list, images @ ..] = args.names.as_slice() else {
        return Err(at_least(1, 0).into());
    };
    let options = AddOptions {
        all: args.all,
        amend: args.amend,
        change: EntryChange {
            annotations: annotations(&args.annotation)?,
            ..EntryChange::default()
        },
        access: args.reach.access(ctx)?,
    };
    let id = ctx
        .images()?
        .create_list(list, images, &options, &mut Silent)?;
    out.line(&id.hex())?;
    Ok(Status::SUCCESS)
}

pub fn run_add(args: &AddArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let [list, images @ ..] = args.names.as_slice() else {
        return Err(at_least(2, 0).into());
    };
    if images.is_empty() {
        return Err(at_least(2, 1).into());
    }
    let options = AddOptions {
        all: args.all,
        amend: false,
        change: args.entry.change()?,
        access: args.reach.access(ctx)?,
    };
    let id = ctx
        .images()?
        .add_to_list(list, images, &options, &mut Silent)?;
    out.line(&id.hex())?;
    Ok(Status::SUCCESS)
}

pub fn run_annotate(args: &AnnotateArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let (list, image) = match (args.names.as_slice(), args.index) {
        ([list, image], false) => (list, Some(image.as_str())),
        ([list], true) => (list, None),
        (names, true) => return Err(exactly(1, names.len()).into()),
        (names, false) => return Err(exactly(2, names.len()).into()),
    };
    let change = args.entry.change()?;
    let only_noted = EntryChange {
        annotations: change.annotations.clone(),
        ..EntryChange::default()
    };
    if args.index && change != only_noted {
        let text = "--index takes annotations only: an index has no platform";
        return Err(Error::usage(text).into());
    }
    let id = ctx.images()?.annotate_list(list, image, &change)?;
    out.line(&id.hex())?;
    Ok(Status::SUCCESS)
}

pub fn run_remove(args: &RemoveArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let [list, image] = args.names.as_slice() else {
        return Err(exactly(2, args.names.len()).into());
    };
    let id = ctx.images()?.remove_from_list(list, image)?;
    out.line(&id.hex())?;
    Ok(Status::SUCCESS)
}

impl EntryArgs {
    fn change(&self) -> Result<EntryChange> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(EntryChange {
            annotations: annotations(&self.annotation)?,
            architecture: given(&self.arch),
            os: given(&self.os),
            variant: given(&self.variant),
            os_version: given(&self.os_version),
            os_features: self.os_features.clone(),
            features: self.features.clone(),
        })
    }
}

fn annotations(given: &[String]) -> Result<BTreeMap<String, String>> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Error::usage(format!(
                "no value given for annotation \"{text}\""
            ))),
        })
        .collect()
}
