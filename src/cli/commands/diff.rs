//! `diff`: what a container or an image changed, or what differs between two of them.

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::{Printer, json};
use crate::container::Container;
use crate::error::{Error, Kind, Result};
use crate::image::Image;
use crate::storage::pack::{self, Change, ChangeKind, Tree};
use crate::userns::mode::{self, UsernsMode};

/// Places that are the engine's in every container, as Podman leaves them out.
const OF_THE_ENGINE: [&str; 12] = [
    "/dev",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/mtab",
    "/etc/resolv.conf",
    "/proc",
    "/run",
    "/run/.containerenv",
    "/run/notify",
    "/run/podman-init",
    "/run/secrets",
    "/sys",
];

#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    /// Print "json" instead of lines
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Look at the container created last
    #[arg(short, long)]
    latest: bool,
    /// A container or an image, and what to compare it with
    #[arg(value_name = "NAME [NAME]")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub struct ContainerDiffArgs {
    #[command(flatten)]
    args: DiffArgs,
}

#[derive(Debug, clap::Args)]
pub struct ImageDiffArgs {
    /// Print "json" instead of lines
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// An image, and what to compare it with
    #[arg(value_name = "IMAGE [IMAGE]")]
    names: Vec<String>,
}

/// `--format json`
#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deleted: Vec<&'a str>,
}

/// Which kinds of names a command takes.
#[derive(Debug, Clone, Copy)]
struct Takes {
    containers: bool,
    images: bool,
}

pub fn run(args: &DiffArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let takes = Takes {
        containers: true,
        images: true,
    };
    of_containers(args, takes, "pod diff", ctx, out)
}

pub fn run_container(args: &ContainerDiffArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let takes = Takes {
        containers: true,
        images: false,
    };
    of_containers(&args.args, takes, "pod container diff", ctx, out)
}

pub fn run_image(args: &ImageDiffArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let takes = Takes {
        containers: false,
        images: true,
    };
    let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
    check_count(names.len())?;
    let sides = names
        .iter()
        .map(|name| find(name, takes, ctx))
        .collect::<Result<Vec<_>>>()?;
    print(&sides, args.format.as_deref(), ctx, out)
}

fn of_containers(
    args: &DiffArgs,
    takes: Takes,
    command: &str,
    ctx: &Context,
    out: &mut Printer,
) -> Outcome {
    let sides = match (args.latest, args.names.as_slice()) {
        (true, []) => vec![Side::Container(Box::new(ctx.containers()?.latest()?))],
        (true, _) => {
            let text = "--latest and containers cannot be used together";
            return Err(Error::usage(text).into());
        }
        (false, []) => {
            let text = format!("\"{command}\" requires a name, id, or the \"--latest\" flag");
            return Err(Error::usage(text).into());
        }
        (false, names) => {
            check_count(names.len())?;
            names
                .iter()
                .map(|name| find(name, takes, ctx))
                .collect::<Result<_>>()?
        }
    };
    print(&sides, args.format.as_deref(), ctx, out)
}

fn check_count(count: usize) -> Result<()> {
    match count {
        1 | 2 => Ok(()),
        count => Err(Error::usage(format!(
            "accepts between 1 and 2 arg(s), received {count}"
        ))),
    }
}

/// What a name means.
enum Side {
    Container(Box<Container>),
    Image(Box<Image>),
}

fn find(name: &str, takes: Takes, ctx: &Context) -> Result<Side> {
    let name = name.strip_prefix('/').unwrap_or(name);
    let found = |result: Result<Side>| match result {
        Ok(side) => Ok(Some(side)),
        Err(err) if matches!(err.kind(), Kind::NotFound | Kind::Usage) => Ok(None),
        Err(err) => Err(err),
    };
    let image = match takes.images {
        true => found(
            ctx.images()?
                .find(name)
                .map(|image| Side::Image(Box::new(image))),
        )?,
        false => None,
    };
    let (by_id, by_name) = match image {
        Some(Side::Image(image)) if image.id.starts_with(name) => (Some(Side::Image(image)), None),
        image => (None, image),
    };
    if let Some(side) = by_name {
        return Ok(side);
    }
    let container = match takes.containers {
        true => found(
            ctx.containers()?
                .find(name)
                .map(|container| Side::Container(Box::new(container))),
        )?,
        false => None,
    };
    // A container called "c" is meant rather than an image whose id begins so.
    if let Some(side) = container.or(by_id) {
        return Ok(side);
    }
    let what = match (takes.containers, takes.images) {
        (true, true) => "layer not known",
        (true, false) => "container not known",
        _ => "image not known",
    };
    Err(Error::new(
        Kind::NotFound,
        format!("{name} not found: {what}"),
    ))
}

impl Side {
    fn tree(&self, ctx: &Context) -> Result<Tree> {
        match self {
            Self::Container(container) => Ok(container.tree()),
            Self::Image(image) => Ok(Tree {
                upper: None,
                layers: ctx.store()?.lower_dirs(&image.layers),
                ids: host_maps(ctx)?,
            }),
        }
    }

    /// Against what it was made from.
    fn changes(&self, ctx: &Context) -> Result<Vec<Change>> {
        match self {
            Self::Container(container) => container.changes(),
            Self::Image(image) => {
                let layers = ctx.store()?.lower_dirs(&image.layers);
                match layers.split_first() {
                    Some((top, below)) => pack::changes_of(&host_maps(ctx)?, top, below),
                    None => Ok(Vec::new()),
                }
            }
        }
    }
}

fn host_maps(ctx: &Context) -> Result<crate::userns::map::IdMaps> {
    let me = ctx.identity()?;
    mode::maps(&UsernsMode::Host, me.uid.as_raw(), me.gid.as_raw(), || {
        me.name()
    })
}

fn print(sides: &[Side], format: Option<&str>, ctx: &Context, out: &mut Printer) -> Outcome {
    if !matches!(format, None | Some("" | "json")) {
        return Err(Error::usage("only supported value for '--format' is 'json'").into());
    }
    let mut changes = match sides {
        [one] => one.changes(ctx)?,
        [to, from, ..] => {
            pack::changes_between(&host_maps(ctx)?, &from.tree(ctx)?, &to.tree(ctx)?)?
        }
        [] => Vec::new(),
    };
    changes.retain(|change| !OF_THE_ENGINE.contains(&change.path.as_str()));
    if format == Some("json") {
        let of_kind = |kind| -> Vec<&str> {
            let those = changes.iter().filter(|change| change.kind == kind);
            those.map(|change| change.path.as_str()).collect()
        };
        let report = Report {
            changed: of_kind(ChangeKind::Changed),
            added: of_kind(ChangeKind::Added),
            deleted: of_kind(ChangeKind::Deleted),
        };
        out.line(&json::pretty(&report, json::INSPECT)?)?;
        return Ok(Status::SUCCESS);
    }
    for change in changes {
        let letter = match change.kind {
            ChangeKind::Changed => 'C',
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
        };
        out.line(&format!("{letter} {}", change.path))?;
    }
    Ok(Status::SUCCESS)
}
