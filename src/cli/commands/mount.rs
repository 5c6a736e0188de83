//! `mount` and `unmount` of containers and images, inside `unshare`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::{Printer, json};
use crate::cli::select::{Selected, Selection};
use crate::container::Container;
use crate::error::{Error, Failures, Kind, Result};
use crate::storage::mounted::{MountOf, Mounts};
use crate::userns::inside;

#[derive(Debug, clap::Args)]
pub struct MountArgs {
    /// Mount all containers
    #[arg(short, long)]
    all: bool,
    /// Print "json" instead of lines
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Mount the container created last
    #[arg(short, long)]
    latest: bool,
    /// Show whole ids
    #[arg(long, alias = "notruncate")]
    no_trunc: bool,
    /// Containers, by name or id; none lists what is mounted
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct UnmountArgs {
    /// Unmount all containers
    #[arg(short, long)]
    all: bool,
    /// Also what is in use, as soon as it is not
    #[arg(short, long)]
    force: bool,
    /// Unmount the container created last
    #[arg(short, long)]
    latest: bool,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct ImageMountArgs {
    /// Mount all images
    #[arg(short, long)]
    all: bool,
    /// Print "json" instead of lines
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Images, by name or id; none lists what is mounted
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct ImageUnmountArgs {
    /// Unmount all images
    #[arg(short, long)]
    all: bool,
    /// Also what is in use, as soon as it is not
    #[arg(short, long)]
    force: bool,
    /// Images, by name or id
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

pub fn run(args: &MountArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    check_format(args.format.as_deref())?;
    check_inside("pod mount")?;
    let mounts = Mounts::new(ctx.dirs()?, MountOf::Container);
    if !args.all && !args.latest && args.names.is_empty() {
        return list_containers(args, &mounts, ctx, out);
    }
    let selection = Selection {
        names: &args.names,
        latest: args.latest,
        all: args.all,
        ..Selection::default()
    };
    let mut failures = Failures::default();
    for Selected { found, .. } in selection.find(ctx)? {
        let mounted = found.and_then(|container| {
            if container.state.is_alive() {
                ctx.warn(&format!(
                    "container {} is running: mounting its files as they are now, for reading only",
                    container.id()
                ));
            }
            mount_container(&container, &mounts)
        });
        if let Some(place) = failures.keep(mounted) {
            out.line(&place.to_string_lossy())?;
        }
    }
    out.flush()?;
    exit::all(failures)
}

fn mount_container(container: &Container, mounts: &Mounts) -> Result<PathBuf> {
    let tree = container.tree();
    let writable = container.writable();
    let layers: Vec<PathBuf> = match (&writable, tree.upper) {
        (None, Some(upper)) => std::iter::once(upper).chain(tree.layers).collect(),
        _ => tree.layers,
    };
    mounts.mount(container.id(), &layers, writable.as_ref())
}

#[derive(Serialize)]
struct MountRow {
    id: String,
    #[serde(rename = "Names")]
    names: Vec<String>,
    #[serde(rename = "Repositories", skip_serializing_if = "Option::is_none")]
    repositories: Option<Vec<String>>,
    mountpoint: String,
}

fn list_containers(args: &MountArgs, mounts: &Mounts, ctx: &Context, out: &mut Printer) -> Outcome {
    let mut rows = Vec::new();
    for (id, place) in mounts.list()? {
        let Ok(container) = ctx.containers()?.find(&id) else {
            continue; // removed with its mount in place
        };
        rows.push(MountRow {
            id,
            names: vec![container.name().to_owned()],
            repositories: None,
            mountpoint: text(&place),
        });
    }
    let shown = |row: &MountRow| match args.no_trunc {
        true => row.id.clone(),
        false => row.id.chars().take(12).collect(),
    };
    print(&rows, args.format.as_deref(), shown, out)
}

pub fn run_unmount(args: &UnmountArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if !args.all && !args.latest && args.names.is_empty() {
        return Err(Error::usage("you must provide at least one name or id").into());
    }
    let selection = Selection {
        names: &args.names,
        latest: args.latest,
        all: args.all,
        ..Selection::default()
    };
    let found = selection.find(ctx)?;
    check_inside_if_found(&found, "pod unmount")?;
    let mounts = Mounts::new(ctx.dirs()?, MountOf::Container);
    let mut failures = Failures::default();
    for Selected { found, .. } in found {
        let done = found.and_then(|container| {
            let id = container.id().to_owned();
            match (mounts.is_mounted(&id)?, args.all) {
                (false, true) => Ok(None),
                (false, false) => Err(Error::new(
                    Kind::State,
                    format!("unmount container {id}: it is not mounted here"),
                )),
                (true, _) => mounts.unmount(&id, args.force).map(|()| Some(id)),
            }
        });
        if let Some(Some(id)) = failures.keep(done) {
            out.line(&id)?;
        }
    }
    out.flush()?;
    exit::all(failures)
}

fn check_inside_if_found(found: &[Selected], command: &str) -> Result<()> {
    match found.iter().any(|selected| selected.found.is_ok()) {
        true => check_inside(command),
        false => Ok(()), // that none of them exists says more
    }
}

pub fn run_image(args: &ImageMountArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    check_format(args.format.as_deref())?;
    if args.all && !args.names.is_empty() {
        let text = "when using the --all switch, you may not pass any image names or IDs";
        return Err(Error::usage(text).into());
    }
    let images = ctx.images()?;
    let chosen = match args.all {
        true => images.list()?.iter().map(|image| image.id.hex()).collect(),
        false => args.names.clone(),
    };
    let wanted = chosen
        .iter()
        .map(|name| images.find(name))
        .collect::<Result<Vec<_>>>()?;
    check_inside("pod image mount")?;
    let mounts = Mounts::new(ctx.dirs()?, MountOf::Image);
    let mut ids = Vec::new();
    for image in &wanted {
        let layers = ctx.store()?.lower_dirs(&image.layers);
        ids.push((image.id.clone(), mounts.mount(&image.id, &layers, None)?));
    }
    if let ([(_, place)], None | Some(""), false) =
        (ids.as_slice(), args.format.as_deref(), args.all)
        && args.names.len() == 1
    {
        out.line(&place.to_string_lossy())?;
        return Ok(Status::SUCCESS);
    }
    if chosen.is_empty() && !args.all {
        ids = mounts.list()?;
    }
    let mut rows = Vec::new();
    for (id, place) in ids {
        let Ok(image) = images.find(&id) else {
            continue; // removed with its mount in place
        };
        rows.push(MountRow {
            id,
            names: image.names.first().cloned().into_iter().collect(),
            repositories: Some(image.names),
            mountpoint: text(&place),
        });
    }
    let shown = |row: &MountRow| {
        let mut names = row.repositories.iter().flatten();
        names.next().cloned().unwrap_or_else(|| row.id.clone())
    };
    print(&rows, args.format.as_deref(), shown, out)
}

pub fn run_image_unmount(args: &ImageUnmountArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.all && !args.names.is_empty() {
        let text = "when using the --all switch, you may not pass any image names or IDs";
        return Err(Error::usage(text).into());
    }
    if !args.all && args.names.is_empty() {
        return Err(Error::usage("image name or ID must be specified").into());
    }
    let images = ctx.images()?;
    let mut failures = Failures::default();
    let mounts = Mounts::new(ctx.dirs()?, MountOf::Image);
    let mut ids: Vec<String> = Vec::new();
    for name in &args.names {
        if let Some(image) = failures.keep(images.find(name)) {
            ids.push(image.id);
        }
    }
    if args.all || !ids.is_empty() {
        check_inside("pod image unmount")?;
    }
    if args.all {
        ids = mounts.list()?.into_iter().map(|(id, _)| id).collect();
    }
    for id in ids {
        let done = match mounts.is_mounted(&id)? {
            true => mounts.unmount(&id, args.force),
            false => Err(Error::new(
                Kind::State,
                format!("unmount image {id}: it is not mounted here"),
            )),
        };
        if failures.keep(done).is_some() {
            out.line(&id)?;
        }
    }
    out.flush()?;
    exit::all(failures)
}

/// A mount would belong to a namespace that ends with this very command.
pub(super) fn check_inside(command: &str) -> Result<()> {
    match inside::around() {
        Some(_) => Ok(()),
        None => Err(Error::new(
            Kind::Unsupported,
            format!(
                "cannot run command {command:?} in rootless mode, must execute `pod unshare` first"
            ),
        )),
    }
}

fn check_format(format: Option<&str>) -> Result<()> {
    match format {
        None | Some("" | "json") => Ok(()),
        Some(other) => Err(Error::usage(format!(
            "unknown --format argument: {other:?}"
        ))),
    }
}

fn print(
    rows: &[MountRow],
    format: Option<&str>,
    shown: impl Fn(&MountRow) -> String,
    out: &mut Printer,
) -> Outcome {
    if format == Some("json") {
        out.line(&json::pretty(&rows, " ")?)?;
        return Ok(Status::SUCCESS);
    }
    let shown: Vec<String> = rows.iter().map(shown).collect();
    let width = shown.iter().map(|id| id.chars().count()).max().unwrap_or(0);
    for (id, row) in shown.iter().zip(rows) {
        out.line(&format!("{id:width$}  {}", row.mountpoint))?;
    }
    Ok(Status::SUCCESS)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
