//! `system import-podman`: images from Podman's own store of this user, which is only read.

use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, all};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::error::Failures;

#[derive(Debug, clap::Args)]
pub struct ImportPodmanArgs {
    /// Podman's graph root, where it is not the usual one
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// Print the names only
    #[arg(short, long)]
    quiet: bool,
    /// Images, by name or ID; all of them if none is given
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

pub fn run(args: &ImportPodmanArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let images = ctx.images()?;
    let root = match &args.from {
        Some(root) => root.clone(),
        None => images.podman_root()?,
    };
    let mut progress = progress::renderer(args.quiet);
    let mut failures = Failures::default();
    images.import_podman(&root, &args.names, &mut *progress, &mut |imported| {
        let Some(imported) = failures.keep(imported) else {
            return Ok(());
        };
        if imported.names.is_empty() {
            out.line(&format!("Imported image: sha256:{}", imported.image.id))?;
        }
        for name in &imported.names {
            out.line(&format!("Imported image: {name}"))?;
        }
        out.flush()
    })?;
    all(failures)
}
