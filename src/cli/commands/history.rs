//! `history`: how an image was made, latest step first.

use std::sync::Arc;
use std::time::SystemTime;

use gotmpl::Value;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::template::{self, Fields, Format, Rows};
use crate::cli::output::{Printer, human, json};
use crate::cli::usage;
use crate::error::Result;
use crate::image::HistoryRow;

/// Longest text of `CREATED BY`.
const CUT: usize = 45;

#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    /// Go template, or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show times as ages (default true)
    #[arg(short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    human: Option<bool>,
    /// Show IDs and commands in full
    #[arg(long, alias = "notruncate")]
    no_trunc: bool,
    /// Show IDs only
    #[arg(short, long)]
    quiet: bool,
    /// Image, by name, digest or id
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "history",
    of: "images.historyReporter",
    maps: &[],
    headers: &[
        ("CreatedBy", "CREATED BY"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
    ],
};

const TABLE: &str = "table {{.ID}}\t{{.Created}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

/// `--format json`: the key `created` twice, as Podman has it.
#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    created: String,
    #[serde(rename = "CreatedBy", skip_serializing_if = "str::is_empty")]
    created_by: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    size: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: &'a str,
    #[serde(rename = "Created")]
    created_short: String,
}

pub fn run(args: &HistoryArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let name = usage::exactly_one(&args.names)?;
    let format = match args.format.as_deref() {
        Some(text) => Some(Format::parse(text, FIELDS)?),
        None => None,
    };
    let rows = ctx.images()?.history_of(name)?;
    let template = match format {
        Some(Format::Json) => {
            let documents: Vec<Document<'_>> = rows.iter().map(document).collect();
            out.line(&json::compact(&documents)?)?;
            return Ok(Status::SUCCESS);
        }
        _ if args.quiet => {
            for row in &rows {
                out.line(&shown_id(row, args.no_trunc))?;
            }
            return Ok(Status::SUCCESS);
        }
        Some(Format::Rows(template)) => template,
        None => Rows::parse(TABLE, FIELDS)?,
    };
    let rows = rows
        .iter()
        .map(|row| template::row(&document(row), fields(row, args)))
        .collect::<Result<Vec<_>>>()?;
    out.text(&template.render(&rows, true)?)?;
    Ok(Status::SUCCESS)
}

fn document(row: &HistoryRow) -> Document<'_> {
    Document {
        id: &row.id,
        created: time_of(row).map_or_else(zero_time, |time| time.to_string()),
        created_by: &row.created_by,
        tags: &row.tags,
        size: row.size,
        comment: &row.comment,
        created_short: seconds(row),
    }
}

fn fields(row: &HistoryRow, args: &HistoryArgs) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::String(Arc::from(text));
    let created = match (args.human.unwrap_or(true), time_of(row)) {
        (true, Some(time)) => human::ago(time.into(), SystemTime::now()),
        (true, None) => "N/A".to_owned(),
        (false, _) => seconds(row),
    };
    let command = match args.no_trunc || row.created_by.chars().count() <= CUT {
        true => row.created_by.clone(),
        false => row.created_by.chars().take(CUT - 3).collect::<String>() + "...",
    };
    let tags = row.tags.iter().map(|tag| text(tag)).collect::<Vec<_>>();
    vec![
        ("ID", text(&shown_id(row, args.no_trunc))),
        ("Created", text(&created)),
        ("CreatedSince", text(&created)),
        ("CreatedAt", text(&seconds(row))),
        ("CreatedBy", text(&command)),
        ("Size", text(&human::size(row.size, 3))),
        ("Comment", text(&row.comment)),
        ("Tags", Value::List(tags.into())),
    ]
}

fn shown_id(row: &HistoryRow, whole: bool) -> String {
    match whole || row.id.len() < 12 || !row.id.is_ascii() {
        true => row.id.clone(),
        false => row.id[..12].to_owned(),
    }
}

fn time_of(row: &HistoryRow) -> Option<Timestamp> {
    human::time_of(row.created.as_deref()?)
}

fn seconds(row: &HistoryRow) -> String {
    time_of(row).map_or_else(zero_time, |time| {
        time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    })
}

/// Go's time that was never set.
fn zero_time() -> String {
    "0001-01-01T00:00:00Z".to_owned()
}
