//! `images`: what is in the store, newest first, one row a name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use gotmpl::Value;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::image_filter::{Facts, Filters, is_dangling, is_intermediate};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, human, json, table::Table};
use crate::error::{Error, Result};
use crate::image::reference::Reference;
use crate::image::{Family, Images, Summary};

#[derive(Debug, clap::Args)]
pub struct ImagesArgs {
    /// Show intermediate images too: without a name, and others are made from them
    #[arg(short, long)]
    all: bool,
    /// Show manifest digests
    #[arg(long)]
    digests: bool,
    /// Show only what matches (can be repeated; != turns it round): after, before, containers, dangling, digest, id,
    /// intermediate, label, manifest, readonly, reference, since, until
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
    #[arg(long, value_name = "KEY", default_value = "created", value_parser = Sort::parse)]
    sort: Sort,
    /// Name, with * and ? for parts of it
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "images",
    of: "images.imageReporter",
    maps: &["Labels"],
    headers: &[
        ("ID", "IMAGE ID"),
        ("ReadOnly", "R/O"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedTime", "CREATED TIME"),
    ],
};

#[derive(Debug, Clone, Copy)]
enum Sort {
    Created,
    Id,
    Repository,
    Size,
    Tag,
}

impl Sort {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "created" => Self::Created,
            "id" => Self::Id,
            "repository" => Self::Repository,
            "size" => Self::Size,
            "tag" => Self::Tag,
            _ => {
                return Err(format!(
                    "{text:?} is not a valid value.  Choose from: \"created, id, repository, size, tag\""
                ));
            }
        })
    }
}

/// One image under one name.
struct Row {
    image: Arc<Shown>,
    repository: String,
    tag: String,
}

/// An image and what only some outputs ask of it.
struct Shown {
    of: Summary,
    created: Option<Timestamp>,
    details: Details,
}

#[derive(Default)]
struct Details {
    labels: BTreeMap<String, String>,
    containers: u64,
    dangling: bool,
    parent: String,
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
    #[serde(skip_serializing_if = "is_zero")]
    virtual_size: u64,
    labels: Option<BTreeMap<String, String>>,
    containers: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dangling: bool,
    digest: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
    created: i64,
    created_at: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

pub fn run(args: &ImagesArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let name = match args.names.as_slice() {
        [] => None,
        [_] if !args.filter.is_empty() => {
            return Err(Error::usage("cannot specify an image and a filter(s)").into());
        }
        [name] => Some(name),
        names => {
            return Err(Error::usage(format!(
                "accepts at most 1 arg(s), received {}",
                names.len()
            ))
            .into());
        }
    };
    let format = args
        .format
        .as_deref()
        .map(|text| Format::parse(text, FIELDS))
        .transpose()?;
    let images = ctx.images()?;
    let mut filters = Filters::parse(&args.filter, &images)?;
    if let Some(name) = name {
        filters.reference(name, &images);
    }
    let all = args.all || args.filter.iter().any(|text| text == "intermediate=true");
    let rows = rows(&images, &filters, all, format.is_some(), ctx)?;
    let rows = sorted(rows, args.sort);
    match format {
        Some(Format::Json) => {
            let documents: Vec<Document> = rows.iter().map(Row::document).collect();
            out.line(&json::pretty(&documents, json::IMAGES)?)?;
        }
        _ if args.quiet => quiet(&rows, args.no_trunc, out)?,
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

fn rows(
    images: &Images<'_>,
    filters: &Filters,
    all: bool,
    detailed: bool,
    ctx: &Context,
) -> Result<Vec<Row>> {
    let list = images.list()?;
    let family = Family::new(*images, &list);
    let facts = Facts::new(ctx)?;
    let mut rows = Vec::new();
    for image in list {
        if !all && is_intermediate(&image, &family) {
            continue;
        }
        let Some(image) = filters.admit(image, &family, &facts)? else {
            continue;
        };
        let details = match detailed {
            true => Details {
                labels: facts.labels(&image)?,
                containers: facts.containers(&image.id)?,
                dangling: is_dangling(&image, &family),
                parent: family
                    .parent(&image.id)
                    .map_or(String::new(), |id| id.hex()),
            },
            false => Details::default(),
        };
        let image = Arc::new(Shown {
            created: human::time_of(&image.created),
            of: image,
            details,
        });
        rows.extend(Row::of(&image));
    }
    Ok(rows)
}

fn sorted(mut rows: Vec<Row>, sort: Sort) -> Vec<Row> {
    rows.sort_by(|a, b| {
        let by_key = match sort {
            Sort::Created => b.image.created.cmp(&a.image.created),
            Sort::Id => a.image.of.id.cmp(&b.image.of.id),
            Sort::Repository => a.repository.cmp(&b.repository),
            Sort::Size => a.image.of.size.cmp(&b.image.of.size),
            Sort::Tag => a.tag.cmp(&b.tag),
        };
        by_key
            .then_with(|| a.repository.cmp(&b.repository))
            .then_with(|| a.tag.cmp(&b.tag))
            .then_with(|| a.image.of.id.cmp(&b.image.of.id))
    });
    rows
}

/// IDs, each once.
fn quiet(rows: &[Row], whole: bool, out: &mut Printer) -> Result<()> {
    let mut seen = BTreeSet::new();
    for row in rows {
        if seen.insert(row.image.of.id) {
            out.line(&row.shown_id(whole))?;
        }
    }
    Ok(())
}

fn table(rows: &[Row], args: &ImagesArgs) -> String {
    let read_only = rows.iter().any(|row| row.image.of.read_only);
    let columns = |cells: [String; 8]| {
        let shown = [
            true,
            true,
            args.digests,
            true,
            true,
            true,
            args.history,
            read_only,
        ];
        let cells = cells.into_iter().zip(shown);
        cells
            .filter(|(_, shown)| *shown)
            .map(|(cell, _)| cell)
            .collect::<Vec<_>>()
    };
    let mut table = Table::new();
    if !args.noheading {
        let heads = [
            "REPOSITORY",
            "TAG",
            "DIGEST",
            "IMAGE ID",
            "CREATED",
            "SIZE",
            "HISTORY",
            "R/O",
        ];
        table.row(columns(heads.map(str::to_owned)));
    }
    for row in rows {
        let image = &row.image.of;
        let history = match image.history.is_empty() {
            true => "<none>".to_owned(),
            false => image.history.join(", "),
        };
        table.row(columns([
            row.repository.clone(),
            row.tag.clone(),
            image.digest.to_string(),
            row.shown_id(args.no_trunc),
            row.since(),
            row.shown_size(),
            history,
            image.read_only.to_string(),
        ]));
    }
    table.render()
}

impl Row {
    /// The rows of an image: one a tag; without any tag one for the names by digest, or one without a name.
    fn of(image: &Arc<Shown>) -> Vec<Row> {
        let row = |repository: String, tag: &str| Row {
            image: Arc::clone(image),
            repository,
            tag: tag.to_owned(),
        };
        let tagged = |name: &Reference| row(name.name(), name.tag().unwrap_or("<none>"));
        match (image.of.names.as_slice(), image.of.pinned.first()) {
            ([], Some(pinned)) => vec![row(pinned.name(), "<none>")],
            ([], None) => vec![row("<none>".to_owned(), "<none>")],
            (names, _) => names.iter().map(tagged).collect(),
        }
    }

    fn since(&self) -> String {
        match self.image.created {
            Some(time) => human::ago(time.into(), SystemTime::now()),
            None => "N/A".to_owned(),
        }
    }

    fn shown_id(&self, whole: bool) -> String {
        let hex = self.image.of.id.hex();
        match whole {
            true => format!("sha256:{hex}"),
            false => hex[..12].to_owned(),
        }
    }

    /// `1.99 MB`: with a blank, unlike every other size.
    fn shown_size(&self) -> String {
        let text = human::size(self.image.of.size, 3);
        match text.find(|c: char| c.is_ascii_alphabetic()) {
            Some(at) => format!("{} {}", &text[..at], &text[at..]),
            None => text,
        }
    }

    fn document(&self) -> Document {
        let Shown {
            of,
            created,
            details,
        } = &*self.image;
        Document {
            id: of.id.hex(),
            parent_id: details.parent.clone(),
            repo_tags: None,
            repo_digests: of.repo_digests.clone(),
            size: of.size,
            shared_size: 0,
            virtual_size: of.size,
            labels: (!details.labels.is_empty()).then(|| details.labels.clone()),
            containers: details.containers,
            read_only: of.read_only,
            dangling: details.dangling,
            digest: of.digest.to_string(),
            history: of.history.clone(),
            names: of.all_names().map(ToString::to_string).collect(),
            created: created.map_or(0, Timestamp::as_second),
            created_at: created.map_or(String::new(), |time| {
                time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
            }),
        }
    }

    /// What templates know besides the document, or in another form.
    fn fields(&self, whole: bool) -> Vec<(&'static str, Value)> {
        let text = |text: &str| Value::String(Arc::from(text));
        let Shown {
            of,
            created,
            details,
        } = &*self.image;
        let names: Vec<Value> = of.all_names().map(|name| text(&name.to_string())).collect();
        let created_at = created.map_or("N/A".to_owned(), |time| {
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
            ("VirtualSize", Value::Int(of.size as i64)),
            ("History", text(&of.history.join(", "))),
            ("Names", Value::List(names.clone().into())),
            ("RepoTags", Value::List(names.into())),
            (
                "Labels",
                gotmpl::to_value(&details.labels).unwrap_or(Value::Nil),
            ),
            ("Dangling", Value::Bool(details.dangling)),
            ("IsDangling", Value::Bool(details.dangling)),
            ("ReadOnly", Value::Bool(of.read_only)),
            ("IsReadOnly", Value::Bool(of.read_only)),
            ("IsManifestList", Value::Bool(of.is_list)),
            ("Arch", text(&of.platform.architecture)),
            ("Os", text(&of.platform.os)),
        ]
    }
}
