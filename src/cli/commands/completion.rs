//! `completion` (hidden): prints a shell's completion script. `__complete` (hidden): names for those scripts.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::error::{Error, Result};

const BASH: &str = include_str!("../../../completions/pod.bash");
const ZSH: &str = include_str!("../../../completions/_pod");
const FISH: &str = include_str!("../../../completions/pod.fish");

#[derive(Debug, clap::Args)]
pub struct CompletionArgs {
    /// bash, zsh or fish
    #[arg(value_name = "SHELL")]
    shell: Vec<String>,
}

pub fn run(args: &CompletionArgs, _ctx: &Context, out: &mut Printer) -> Outcome {
    let script = match usage::exactly_one(&args.shell)?.as_str() {
        "bash" => BASH,
        "zsh" => ZSH,
        "fish" => FISH,
        other => {
            return Err(Error::usage(format!(
                "no completion for shell {other:?}: want bash, zsh or fish"
            ))
            .into());
        }
    };
    out.raw(script.as_bytes())?;
    Ok(Status::SUCCESS)
}

#[derive(Debug, clap::Args)]
pub struct NamesArgs {
    /// containers or images
    #[arg(value_name = "KIND")]
    kind: Vec<String>,
}

/// Prints one name a line; what cannot be read is left out, a completion has nobody to tell.
pub fn run_names(args: &NamesArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let names = match usage::exactly_one(&args.kind)?.as_str() {
        "containers" => containers(ctx)?,
        "images" => images(ctx)?,
        other => return Err(Error::usage(format!("no names of kind {other:?}")).into()),
    };
    for name in names {
        out.line(&name)?;
    }
    Ok(Status::SUCCESS)
}

fn containers(ctx: &Context) -> Result<Vec<String>> {
    let (containers, _) = ctx.containers()?.list()?;
    Ok(containers.iter().map(|c| c.name().to_owned()).collect())
}

fn images(ctx: &Context) -> Result<Vec<String>> {
    let images = ctx.images()?.list()?;
    Ok(images
        .iter()
        .flat_map(|image| image.names.iter().map(ToString::to_string))
        .collect())
}
