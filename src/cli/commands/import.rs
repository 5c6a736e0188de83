//! `import`: an image of a file system in a tar.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::SystemTime;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::progress;
use crate::container::events::{Action, Event};
use crate::error::{Error, Result, Tried};
use crate::image::PlatformRequest;
use crate::image::change::Change;
use crate::image::import::ImportRequest;
use crate::image::reference::{LOCALHOST, Name, Reference};

#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Architecture of the image, instead of this host's
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Instruction that sets what the image runs: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER,
    /// VOLUME or WORKDIR with its value (can be repeated)
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Comment of the image
    #[arg(short, long, value_name = "MESSAGE")]
    message: Option<String>,
    /// Operating system of the image
    #[arg(long, value_name = "OS")]
    os: Option<String>,
    /// Print the image's ID only
    #[arg(short, long)]
    quiet: bool,
    /// Variant of the architecture
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
    /// The archive or its URL, `-` for standard input, and the image's name
    #[arg(value_name = "FILE [NAME]")]
    words: Vec<String>,
}

pub fn run(args: &ImportArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let (path, name) = match args.words.as_slice() {
        [path] => (path.as_str(), None),
        [path, name] => (path.as_str(), Some(reference(name)?)),
        [] => {
            return Err(Error::usage("need to give the path to the tarball").into());
        }
        _ => {
            return Err(Error::usage("too many arguments. Usage TARBALL [REFERENCE]").into());
        }
    };
    let changes = args
        .change
        .iter()
        .map(|text| text.parse())
        .collect::<Result<Vec<Change>>>()?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let platform = PlatformRequest {
        os: given(&args.os),
        architecture: given(&args.arch),
        variant: given(&args.variant),
    };
    let images = ctx.images()?;
    let file = match path.starts_with("http://") || path.starts_with("https://") {
        true => images.download(path)?,
        false => open(path)?,
    };
    let found = file.metadata().tried(|| format!("look at \"{path}\""))?;
    if found.is_dir() {
        return Err(Error::usage(format!(
            "import \"{path}\": it is a directory, not an archive"
        ))
        .into());
    }
    // The same archive is the same image, as with Podman.
    let written = match found.is_file() {
        true => found.modified().unwrap_or_else(|_| SystemTime::now()),
        false => SystemTime::now(),
    };
    let created = jiff::Timestamp::try_from(written)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string();
    let message = given(&args.message).unwrap_or_else(|| "imported from tarball".to_owned());
    let request = ImportRequest {
        changes: &changes,
        message: Some(&message),
        platform: &platform,
        name: name.as_ref(),
        created: &created,
    };
    let mut progress = progress::renderer(args.quiet);
    let image = images.import(file, &request, &mut *progress)?;
    let shown = name.as_ref().map(ToString::to_string).unwrap_or_default();
    let imported = Event::image(Action::Import, &image.id, &shown);
    ctx.containers()?.emit(&imported);
    out.line(&format!("sha256:{}", image.id))?;
    Ok(Status::SUCCESS)
}

fn open(path: &str) -> Result<File> {
    if path == "-" {
        let copy = io::stdin().as_fd().try_clone_to_owned();
        return Ok(File::from(copy.tried(|| "read standard input")?));
    }
    File::open(path).tried(|| format!("open \"{path}\""))
}

fn reference(text: &str) -> Result<Reference> {
    let name: Name = text.parse()?;
    if name.digest().is_some() {
        return Err(Error::usage(format!(
            "import as \"{text}\": a name with a digest is not possible"
        )));
    }
    Ok(name.qualify(LOCALHOST))
}
