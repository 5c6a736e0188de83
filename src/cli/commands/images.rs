//! `images`: what is in the store, newest first, one row a name.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use gotmpl::Value;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, human, json, table::Table};
use crate::error::{Error, Result};
use crate::image::{Images, Summary};

mod filter;

#[derive(Debug, clap::Args)]
pub struct ImagesArgs {
    /// Show all images (there are no intermediate ones here)
    #[arg(short, long)]
    all: bool,
    /// Show manifest digests
    #[arg(long)]
    digests: bool,
    /// Show only what matches (can be repeated): after, before, containers, dangling, id, intermediate, label,
    /// manifest, readonly, reference, since, until
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Go template, or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show the names an image had
    #[arg(long)]
    history: bool,
    /// Show IDs in full
    #[arg(long)]
    no_trunc: bool,
    /// Leave out the column headings
    #[arg(short, long)]
    noheading: bool,
    /// Show IDs only
    #[arg(short, long)]
    quiet: bool,
    /// Sort by created, id, repository, size or tag
    #[arg(long, value_name = "KEY", default_value = "created")]
    sort: String,
    /// Names, with * and ? for parts of them
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "images",
    of: "images.imageReporter",
    maps: &["Labels"],
    headers: &[
        ("ID", "IMAGE ID"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedTime", "CREATED TIME"),
    ],
};

/// One image under one name.
pub(super) struct Row {
    image: Summary,
    repository: String,
    tag: String,
    labels: BTreeMap<String, String>,
    containers: u64,
}

/// `--format json`
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    id: String,
    parent_id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Vec<String>,
    size: u64,
    shared_size: u64,
    virtual_size: u64,
    labels: Option<BTreeMap<String, String>>,
    containers: u64,
    names: Vec<String>,
    digest: String,
    history: Vec<String>,
    created: i64,
    created_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dangling: bool,
}

pub fn run(args: &ImagesArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let format = args
        .format
        .as_deref()
        .map(|text| Format::parse(text, FIELDS))
        .transpose()?;
    let images = ctx.images()?;
    let mut filters = filter::Filters::parse(&args.filter, &images)?;
    filters.references(&args.names);
    let order = order(&args.sort)?;
    let users = Users {
        ctx,
        counts: OnceCell::new(),
    };
    let needs_labels = format.is_some() || filters.needs_labels();
    let needs_containers = format.is_some() || filters.needs_containers();
    let mut rows = Vec::new();
    for image in images.list()? {
        let labels = match needs_labels {
            true => labels(&images, &image)?,
            false => BTreeMap::new(),
        };
        let containers = match needs_containers {
            true => users.of(&image.id.hex())?,
            false => 0,
        };
        rows.extend(filters.rows(image, labels, containers));
    }
    rows.sort_by(|a, b| order(a, b).then_with(|| a.name().cmp(&b.name())));
    if args.quiet && format.is_none() {
        return quiet(&rows, args.no_trunc, out);
    }
    match format {
        Some(Format::Json) => {
            let documents: Vec<Document> = rows.iter().map(Row::document).collect();
            out.line(&json::pretty(&documents, json::IMAGES)?)?;
        }
        Some(Format::Rows(template)) => {
            let rows = rows
                .iter()
                .map(|row| template::row(&row.document(), row.fields(args.no_trunc)))
                .collect::<Result<Vec<_>>>()?;
            out.text(&template.render(&rows, !args.noheading)?)?;
        }
        None => out.text(&table(&rows, args))?,
    }
    Ok(Status::SUCCESS)
}

/// IDs, each once.
fn quiet(rows: &[Row], whole: bool, out: &mut Printer) -> Outcome {
    let mut seen = std::collections::BTreeSet::new();
    for row in rows {
        if seen.insert(row.image.id) {
            out.line(&row.shown_id(whole))?;
        }
    }
    Ok(Status::SUCCESS)
}

fn table(rows: &[Row], args: &ImagesArgs) -> String {
    let mut table = Table::new();
    let columns = |repository: String,
                   tag: String,
                   digest: String,
                   id: String,
                   created: String,
                   size: String,
                   history: String| {
        let mut cells = vec![repository, tag];
        if args.digests {
            cells.push(digest);
        }
        cells.extend([id, created, size]);
        if args.history {
            cells.push(history);
        }
        cells
    };
    if !args.noheading {
        let heads = [
            "REPOSITORY",
            "TAG",
            "DIGEST",
            "IMAGE ID",
            "CREATED",
            "SIZE",
            "HISTORY",
        ];
        let [a, b, c, d, e, f, g] = heads.map(str::to_owned);
        table.row(columns(a, b, c, d, e, f, g));
    }
    for row in rows {
        table.row(columns(
            row.repository.clone(),
            row.tag.clone(),
            row.image.digest.to_string(),
            row.shown_id(args.no_trunc),
            row.since(),
            row.shown_size(),
            row.image.history.join(", "),
        ));
    }
    table.render()
}

impl Row {
    fn name(&self) -> (String, String) {
        (self.repository.clone(), self.tag.clone())
    }

    fn created(&self) -> Option<Timestamp> {
        self.image.created.parse().ok()
    }

    fn since(&self) -> String {
        match self.created() {
            Some(time) => human::ago(time.into(), SystemTime::now()),
            None => "N/A".to_owned(),
        }
    }

    fn shown_id(&self, whole: bool) -> String {
        let hex = self.image.id.hex();
        match whole {
            true => format!("sha256:{hex}"),
            false => hex[..12].to_owned(),
        }
    }

    /// `1.99 MB`: with a blank, unlike every other size.
    fn shown_size(&self) -> String {
        let text = human::size(self.image.size, 3);
        match text.find(|c: char| c.is_ascii_alphabetic()) {
            Some(at) => format!("{} {}", &text[..at], &text[at..]),
            None => text,
        }
    }

    fn document(&self) -> Document {
        let created = self.created();
        Document {
            id: self.image.id.hex(),
            parent_id: String::new(),
            repo_tags: None,
            repo_digests: self.image.repo_digests.clone(),
            size: self.image.size,
            shared_size: 0,
            virtual_size: self.image.size,
            labels: (!self.labels.is_empty()).then(|| self.labels.clone()),
            containers: self.containers,
            names: self.image.names.iter().map(ToString::to_string).collect(),
            digest: self.image.digest.to_string(),
            history: self.image.history.clone(),
            created: created.map_or(0, Timestamp::as_second),
            created_at: created.map_or(String::new(), |time| {
                time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
            }),
            dangling: self.image.names.is_empty(),
        }
    }

    /// What templates know besides the document.
    fn fields(&self, whole: bool) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::String(Arc::from(text));
        let list = |items: Vec<String>| {
            gotmpl::to_value(&items).unwrap_or_else(|_| Value::String(Arc::from("")))
        };
        let names: Vec<String> = self.image.names.iter().map(ToString::to_string).collect();
        let created_at = self.created().map_or("N/A".to_owned(), |time| {
            time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string()
        });
        vec![
            ("ID", text(&self.shown_id(whole))),
            ("Repository", text(&self.repository)),
            ("Tag", text(&self.tag)),
            ("Created", text(&self.since())),
            ("CreatedSince", text(&self.since())),
            ("CreatedAt", text(&created_at)),
            ("CreatedTime", text(&created_at)),
            ("Size", text(&self.shown_size())),
            ("History", text(&self.image.history.join(", "))),
            ("RepoTags", list(names)),
            ("Dangling", Value::Bool(self.image.names.is_empty())),
            ("IsDangling", Value::Bool(self.image.names.is_empty())),
            ("ReadOnly", Value::Bool(false)),
            ("IsReadOnly", Value::Bool(false)),
            ("IsManifestList", Value::Bool(false)),
            ("Arch", text(&self.image.platform.architecture)),
            ("Os", text(&self.image.platform.os)),
        ]
    }
}

fn labels(images: &Images<'_>, image: &Summary) -> Result<BTreeMap<String, String>> {
    let config = images.config_json(&image.id)?;
    let labels = config
        .pointer("/config/Labels")
        .cloned()
        .unwrap_or_default();
    Ok(serde_json::from_value(labels).unwrap_or_default())
}

type Order = fn(&Row, &Row) -> std::cmp::Ordering;

fn order(key: &str) -> Result<Order> {
    Ok(match key {
        "created" => |a, b| b.created().cmp(&a.created()),
        "id" => |a, b| a.image.id.cmp(&b.image.id),
        "repository" => |a, b| a.repository.cmp(&b.repository),
        "size" => |a, b| a.image.size.cmp(&b.image.size),
        "tag" => |a, b| a.tag.cmp(&b.tag),
        _ => {
            return Err(Error::usage(format!(
                "\"{key}\" is not a valid field for sorting. Choose from: created, id, repository, size, tag"
            )));
        }
    })
}

/// How many containers use an image; asked only when somebody wants to know.
struct Users<'a> {
    ctx: &'a Context,
    counts: OnceCell<BTreeMap<String, u64>>,
}

impl Users<'_> {
    fn of(&self, id: &str) -> Result<u64> {
        if let Some(counts) = self.counts.get() {
            return Ok(counts.get(id).copied().unwrap_or_default());
        }
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for container in self.ctx.containers()?.list()?.0 {
            if let Some(image) = container.record.image {
                *counts.entry(image.id).or_default() += 1;
            }
        }
        let counts = self.counts.get_or_init(|| counts);
        Ok(counts.get(id).copied().unwrap_or_default())
    }
}

/// Go's `ParseBool`, for filters.
fn boolean(key: &str, text: &str) -> Result<bool> {
    value::boolean(text).map_err(|why| {
        Error::usage(format!(
            "non-boolean value \"{text}\" for {key} filter: {why}"
        ))
    })
}
