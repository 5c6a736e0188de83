//! `completion` (hidden): prints a shell's completion script, which asks `__complete` ([`crate::cli::complete`]).

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::error::Error;

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
