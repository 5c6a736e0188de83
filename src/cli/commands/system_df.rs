//! `system df`: what images, containers and volumes take, and what of it could go.

use std::sync::Arc;
use std::time::SystemTime;

use gotmpl::Value;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::filter::{created_at, state_word};
use crate::cli::image_filter::Facts;
use crate::cli::output::template::{self, Fields, Format, Rows};
use crate::cli::output::{Printer, human, json, table::Table};
use crate::cli::usage;
use crate::container::Container;
use crate::container::record::Status as State;
use crate::error::{Error, Result};
use crate::image::{ImageUsage, Usage};
use crate::storage::tree_bytes;

#[derive(Debug, clap::Args)]
pub struct SystemDfArgs {
    /// Go template, or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show each image, container and volume
    #[arg(short, long)]
    verbose: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "df",
    of: "*system.dfSummary",
    maps: &[],
    headers: &[],
};

const TABLE: &str = "table {{.Type}}\t{{.Total}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

/// One kind of object.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Total {
    r#type: &'static str,
    total: usize,
    active: usize,
    raw_size: u64,
    raw_reclaimable: u64,
    total_count: usize,
    size: String,
    reclaimable: String,
}

/// All that takes room.
struct Report {
    images: Usage,
    containers: Vec<(Container, u64)>,
    volumes: Vec<VolumeUse>,
}

struct VolumeUse {
    name: String,
    bytes: u64,
    /// Containers that mount it.
    links: usize,
}

pub fn run(args: &SystemDfArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "system df")?;
    if args.verbose && args.format.is_some() {
        return Err(Error::usage("cannot combine --format and --verbose flags").into());
    }
    let format = match args.format.as_deref() {
        Some(text) => Format::parse(text, FIELDS)?,
        None => Format::Rows(Rows::parse(TABLE, FIELDS)?),
    };
    let report = gather(ctx)?;
    let facts = Facts::new(ctx)?;
    if args.verbose {
        out.text(&details(&report, &facts)?)?;
        return Ok(Status::SUCCESS);
    }
    let totals = [
        images(&report.images, &facts)?,
        containers(&report.containers),
        volumes(&report.volumes),
    ];
    match format {
        Format::Json => out.line(&json::pretty(&totals, json::IMAGES)?)?,
        Format::Rows(template) => {
            let text = |text: &str| Value::String(Arc::from(text));
            let rows = totals
                .iter()
                .map(|total| template::row(total, vec![("Type", text(total.r#type))]))
                .collect::<Result<Vec<_>>>()?;
            out.text(&template.render(&rows, true)?)?;
        }
    }
    Ok(Status::SUCCESS)
}

fn gather(ctx: &Context) -> Result<Report> {
    let mut images = ctx.images()?.usage()?;
    images.images.sort_by(|a, b| {
        let key = |used: &ImageUsage| (human::time_of(&used.image.created), used.image.id);
        key(b).cmp(&key(a))
    });
    let mut containers = Vec::new();
    for container in ctx.containers()?.list()?.0 {
        let Ok(sizes) = container.sizes() else {
            continue; // it was removed meanwhile
        };
        containers.push((container, sizes.rw));
    }
    let mut volumes = Vec::new();
    for volume in ctx.containers()?.volumes().list()?.0 {
        let mounted = |one: &&(Container, u64)| {
            let volumes = &one.0.record.volumes;
            volumes.iter().any(|mounted| mounted.name == volume.name())
        };
        volumes.push(VolumeUse {
            bytes: tree_bytes(&volume.data)?,
            links: containers.iter().filter(mounted).count(),
            name: volume.record.name,
        });
    }
    Ok(Report {
        images,
        containers,
        volumes,
    })
}

impl Total {
    fn new(r#type: &'static str, total: usize, active: usize, size: u64, reclaimable: u64) -> Self {
        let percent = match size {
            0 => 0.0,
            size => (reclaimable as f64 / size as f64 * 100.0).round(),
        };
        Self {
            r#type,
            total,
            active,
            raw_size: size,
            raw_reclaimable: reclaimable,
            total_count: total,
            size: human::size(size, 4),
            reclaimable: format!("{} ({percent}%)", human::size(reclaimable, 4)),
        }
    }
}

/// As Podman counts: a row for each name, active once for each image.
fn images(usage: &Usage, facts: &Facts<'_>) -> Result<Total> {
    let mut active = Vec::new();
    let mut rows = 0;
    for used in &usage.images {
        rows += used.image.all_names().count().max(1);
        if facts.containers(&used.image.id)? > 0 {
            active.push(&used.image.id);
        }
    }
    let needed = usage.of(active.iter().copied());
    Ok(Total::new(
        "Images",
        rows,
        active.len(),
        usage.total,
        usage.total.saturating_sub(needed),
    ))
}

fn containers(containers: &[(Container, u64)]) -> Total {
    let runs = |container: &Container| container.state.status == State::Running;
    let idle = containers.iter().filter(|(container, _)| !runs(container));
    Total::new(
        "Containers",
        containers.len(),
        containers.iter().filter(|(one, _)| runs(one)).count(),
        containers.iter().map(|(_, size)| size).sum(),
        idle.map(|(_, size)| size).sum(),
    )
}

fn volumes(volumes: &[VolumeUse]) -> Total {
    let idle = volumes.iter().filter(|volume| volume.links == 0);
    Total::new(
        "Local Volumes",
        volumes.len(),
        volumes.iter().filter(|volume| volume.links > 0).count(),
        volumes.iter().map(|volume| volume.bytes).sum(),
        idle.map(|volume| volume.bytes).sum(),
    )
}

fn details(report: &Report, facts: &Facts<'_>) -> Result<String> {
    let now = SystemTime::now();
    let age = |time: Option<SystemTime>| match time {
        Some(time) => human::duration(now.duration_since(time).unwrap_or_default()),
        None => "N/A".to_owned(),
    };
    let size = |bytes: u64| human::size(bytes, 4);
    let mut table = Table::new();
    table.row([
        "REPOSITORY",
        "TAG",
        "IMAGE ID",
        "CREATED",
        "SIZE",
        "SHARED SIZE",
        "UNIQUE SIZE",
        "CONTAINERS",
    ]);
    for used in &report.images.images {
        let image = &used.image;
        for (repository, tag) in names(used) {
            table.row([
                repository,
                tag,
                image.id.hex()[..12].to_owned(),
                age(human::time_of(&image.created).map(SystemTime::from)),
                size(used.shared + used.unique),
                size(used.shared),
                size(used.unique),
                facts.containers(&image.id)?.to_string(),
            ]);
        }
    }
    let mut text = format!("Images space usage:\n\n{}", table.render());

    let mut table = Table::new();
    table.row([
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "LOCAL VOLUMES",
        "SIZE",
        "CREATED",
        "STATUS",
        "NAMES",
    ]);
    for (container, bytes) in &report.containers {
        let record = &container.record;
        let image = record.image.as_ref().map_or("", |image| &image.id);
        table.row([
            record.id[..12].to_owned(),
            image.get(..12).unwrap_or_default().to_owned(),
            record.process.args.join(" "),
            record.volumes.len().to_string(),
            size(*bytes),
            age(created_at(container).ok()),
            state_word(container.state.status).to_owned(),
            record.name.clone(),
        ]);
    }
    text += &format!("\nContainers space usage:\n\n{}", table.render());

    let mut table = Table::new();
    table.row(["VOLUME NAME", "LINKS", "SIZE"]);
    for volume in &report.volumes {
        table.row([
            volume.name.clone(),
            volume.links.to_string(),
            size(volume.bytes),
        ]);
    }
    text += &format!("\nLocal Volumes space usage:\n\n{}", table.render());
    Ok(text)
}

/// Repository and tag of each row.
fn names(used: &ImageUsage) -> Vec<(String, String)> {
    let none = || "<none>".to_owned();
    let names: Vec<_> = used
        .image
        .all_names()
        .map(|name| (name.name(), name.tag().map_or_else(none, str::to_owned)))
        .collect();
    match names.is_empty() {
        true => vec![(none(), none())],
        false => names,
    }
}
