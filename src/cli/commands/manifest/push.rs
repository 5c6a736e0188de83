//! `manifest push`: a list and its images.

use crate::cli::args::later::{Later, refused};
use crate::cli::args::outgoing::{self, OutgoingArgs};
use crate::cli::args::value;
use crate::cli::commands::rmi;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, all};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::error::{Error, Failures};
use crate::image::{PushOptions, RemoveOptions};

use super::ReachArgs;

#[derive(Debug, clap::Args)]
pub struct ManifestPushArgs {
    /// Push the images of the list too (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = value::boolean)]
    all: Option<bool>,
    /// Say nothing but what went wrong
    #[arg(short, long)]
    quiet: bool,
    /// Remove the list when it was pushed
    #[arg(long)]
    rm: bool,
    #[command(flatten)]
    outgoing: OutgoingArgs,
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    _refused: RefusedArgs,
    #[command(flatten)]
    _also_refused: AlsoRefused,
    /// The list, then where it goes
    #[arg(value_name = "LIST [DESTINATION]")]
    names: Vec<String>,
}

const REFUSED: &[Later] = outgoing::REFUSED;
const ALSO_REFUSED: &[Later] = &[Later::value("add-compression")];

refused! {
    /// Flags that `push` refuses too.
    RefusedArgs, REFUSED
}

refused! {
    /// Podman's other flags of `manifest push`.
    AlsoRefused, ALSO_REFUSED
}

pub fn run_push(args: &ManifestPushArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let (list, destination) = match args.names.as_slice() {
        [list] => (list, None),
        [list, destination] => (list, Some(destination.as_str())),
        other => {
            let text = format!("accepts between 1 and 2 arg(s), received {}", other.len());
            return Err(Error::usage(text).into());
        }
    };
    let options = PushOptions {
        outgoing: args.outgoing.options(ctx.config()?)?,
        access: args.reach.access(ctx)?,
        all: args.all.unwrap_or(true),
    };
    let images = ctx.images()?;
    let mut progress = progress::renderer(args.quiet);
    let digest = images.push_list(list, destination, &options, &mut *progress)?;
    drop(progress);
    args.outgoing.write_digest(&digest)?;
    let mut failures = Failures::default();
    if args.rm {
        let users = || rmi::users(ctx);
        images.remove(
            std::slice::from_ref(list),
            RemoveOptions::default(),
            &users,
            &mut failures,
        )?;
    }
    all(failures)
}
