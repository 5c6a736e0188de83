//! `volume inspect`: all that is known of volumes, with Podman's keys.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, json};
use crate::error::{Error, Failures, Kind, Result};
use crate::volume::{DRIVER, Volume};

#[derive(Debug, clap::Args)]
pub struct VolumeInspectArgs {
    /// Inspect all volumes
    #[arg(short, long)]
    all: bool,
    /// Go template, or json
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Volumes, by name or the beginning of one
    #[arg(value_name = "VOLUME")]
    names: Vec<String>,
}

pub(super) const FIELDS: Fields = Fields {
    command: "inspect",
    of: "entities.VolumeInspectReport",
    maps: &["Labels", "Options", "Status"],
    headers: &[],
};

/// What `volume inspect` and `volume ls --format json` print.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    name: String,
    driver: &'static str,
    mountpoint: String,
    created_at: String,
    labels: BTreeMap<String, String>,
    scope: &'static str,
    options: BTreeMap<String, String>,
    #[serde(rename = "UID", skip_serializing_if = "Option::is_none")]
    uid: Option<u32>,
    #[serde(rename = "GID", skip_serializing_if = "Option::is_none")]
    gid: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    anonymous: bool,
    /// Containers that run with it.
    mount_count: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    needs_copy_up: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    needs_chown: bool,
    /// Podman's locks have numbers; these have none.
    lock_number: u32,
}

impl Document {
    /// `running`: volumes of running containers, one entry a mount.
    fn new(volume: Volume, running: &[String]) -> Self {
        let mountpoint = volume.source().display().to_string();
        let (uid, gid) = volume.owner();
        let record = volume.record;
        Self {
            uid: uid.filter(|id| *id > 0),
            gid: gid.filter(|id| *id > 0),
            mount_count: running.iter().filter(|name| **name == record.name).count(),
            driver: DRIVER,
            mountpoint,
            created_at: record.created,
            labels: record.labels,
            scope: DRIVER,
            options: record.options,
            anonymous: record.anonymous,
            needs_copy_up: record.fresh,
            needs_chown: record.fresh,
            lock_number: 0,
            name: record.name,
        }
    }
}

/// The document of one volume.
pub(super) fn document(name: &str, ctx: &Context) -> Result<serde_json::Value> {
    let volume = ctx.containers()?.volumes().find(name)?;
    let document = Document::new(volume, &running(ctx)?);
    serde_json::to_value(document)
        .map_err(|err| Error::new(Kind::System, format!("describe volume {name}: {err}")))
}

/// Volumes of running containers, one entry a mount.
fn running(ctx: &Context) -> Result<Vec<String>> {
    let (containers, _) = ctx.containers()?.list()?;
    let up = containers.into_iter().filter(super::stop::is_up);
    Ok(up
        .flat_map(|one| one.record.volumes)
        .map(|volume| volume.name)
        .collect())
}

pub fn run(args: &VolumeInspectArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.all != args.names.is_empty() {
        let text = match args.all {
            true => "--all and volume names cannot be used together",
            false => "provide one or more volume names or use --all",
        };
        return Err(Error::usage(text).into());
    }
    let format = match &args.format {
        Some(text) => Format::parse(text, FIELDS)?,
        None => Format::Json,
    };
    let volumes = ctx.containers()?.volumes();
    let mut failures = Failures::default();
    let found = match args.all {
        true => volumes.list()?.0,
        false => args
            .names
            .iter()
            .filter_map(|name| failures.keep(volumes.find(name)))
            .collect(),
    };
    show(found, &format, false, ctx, out)?;
    exit::all(failures)
}

/// Prints volumes in the format that was asked for.
pub fn show(
    volumes: Vec<Volume>,
    format: &Format,
    heading: bool,
    ctx: &Context,
    out: &mut Printer,
) -> Result<()> {
    let running = running(ctx)?;
    let found: Vec<Document> = volumes
        .into_iter()
        .map(|volume| Document::new(volume, &running))
        .collect();
    match format {
        Format::Json => out.line(&json::pretty(&found, json::INSPECT)?),
        Format::Rows(rows) => {
            let found = found
                .iter()
                .map(|one| template::row(one, Vec::new()))
                .collect::<Result<Vec<_>>>()?;
            out.text(&rows.render(&found, heading)?)
        }
    }
}
