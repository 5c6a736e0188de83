//! `save`: images into an archive or a directory.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::container::events::{Action, Event};
use crate::error::{Error, Tried};
use crate::image::{SaveFormat, SaveOptions, SaveTo};

#[derive(Debug, clap::Args)]
pub struct SaveArgs {
    /// Compress plain layers (with --format docker-dir)
    #[arg(long)]
    compress: bool,
    /// docker-archive, oci-archive, oci-dir or docker-dir
    #[arg(long, value_name = "FORMAT", default_value = "docker-archive")]
    format: String,
    /// Save several images: every word is an image, not one more name
    #[arg(short, long)]
    multi_image_archive: bool,
    /// Write to this file or directory instead of standard output
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// Leave plain layers of an OCI image as they are
    #[arg(long)]
    uncompressed: bool,
    /// The image, and more names for it
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
}

pub fn run(args: &SaveArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.images.is_empty() {
        return Err(Error::usage("need at least 1 argument").into());
    }
    let format: SaveFormat = args.format.parse()?;
    if args.compress && format != SaveFormat::DockerDir {
        return Err(
            Error::usage("--compress can only be set when --format is 'docker-dir'").into(),
        );
    }
    if args.multi_image_archive && args.images.len() > 1 && format == SaveFormat::DockerDir {
        return Err(Error::usage("a docker-dir holds one image, not several").into());
    }
    let to = match &args.output {
        Some(path) if path.to_str().is_some_and(|path| path.contains(':')) => {
            return Err(Error::usage(format!(
                "invalid filename (should not contain ':') \"{}\"",
                path.display()
            ))
            .into());
        }
        Some(path) => SaveTo::Path(path.clone()),
        None if io::stdout().is_terminal() => {
            return Err(
                Error::usage("refusing to save to terminal. Use -o flag or redirect").into(),
            );
        }
        None => {
            out.flush()?;
            let copy = io::stdout().as_fd().try_clone_to_owned();
            SaveTo::Stream(File::from(copy.tried(|| "write standard output")?))
        }
    };
    let options = SaveOptions {
        format,
        compress: args.compress,
        uncompressed: args.uncompressed,
        many: args.multi_image_archive,
    };
    let mut progress = progress::renderer(args.quiet);
    let images = ctx.images()?;
    images.save(&args.images, to, options, &mut *progress)?;
    let path = args.output.as_deref().unwrap_or(Path::new("-"));
    let saved = |name: &String| {
        let id = images.summary(name).map(|image| image.id.hex());
        Event::image(
            Action::Save,
            &id.unwrap_or_default(),
            &path.to_string_lossy(),
        )
    };
    let events: Vec<Event> = args.images.iter().map(saved).collect();
    ctx.containers()?.emit_all(&events);
    Ok(Status::SUCCESS)
}
