//! `load`: images from an archive or a directory, whichever of Podman's formats it has.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::container::events::{Action, Event};
use crate::error::{Error, Result, Tried};
use crate::image::Loaded;

#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    /// Read the archive or directory from here instead of standard input
    #[arg(short, long, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Print the names only
    #[arg(short, long)]
    quiet: bool,
    /// Takes none
    #[arg(value_name = "WORD", hide = true)]
    words: Vec<String>,
}

pub fn run(args: &LoadArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if !args.words.is_empty() {
        return Err(Error::usage(format!(
            "accepts at most 0 arg(s), received {}",
            args.words.len()
        ))
        .into());
    }
    let images = ctx.images()?;
    let mut progress = progress::renderer(args.quiet);
    let loaded = match &args.input {
        Some(path) => images.load_path(path, &mut *progress)?,
        None => images.load_file(stdin()?, &mut *progress)?,
    };
    let path = args.input.as_deref().unwrap_or(Path::new("-"));
    let event = |loaded: &Loaded| {
        let path = path.to_string_lossy();
        Event::image(Action::LoadFromArchive, &loaded.image.id, &path)
    };
    let events: Vec<Event> = loaded.iter().map(event).collect();
    ctx.containers()?.emit_all(&events);
    for loaded in loaded {
        if loaded.names.is_empty() {
            out.line(&format!("Loaded image: sha256:{}", loaded.image.id))?;
        }
        for name in loaded.names {
            out.line(&format!("Loaded image: {name}"))?;
        }
    }
    Ok(Status::SUCCESS)
}

/// Standard input as a file of its own, so that one that can be sought in is.
fn stdin() -> Result<File> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Error::usage(
            "cannot read from terminal, use command-line redirection or the --input flag",
        ));
    }
    let copy = stdin.as_fd().try_clone_to_owned();
    Ok(File::from(copy.tried(|| "read standard input")?))
}
