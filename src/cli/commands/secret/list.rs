//! `secret ls`: the secrets, by name.

use std::time::SystemTime;

use regex_lite::Regex;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::template::{self, Fields, Format, Rows};
use crate::cli::output::{Printer, human, json};
use crate::cli::usage;
use crate::container::clock;
use crate::error::{Error, Result};
use crate::secret::{DRIVER, Secret};

use super::secrets;

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Show only what matches, name=REGEX or id=REGEX (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Go template, or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Leave out the column headings
    #[arg(short, long)]
    noheading: bool,
    /// Show ids only
    #[arg(short, long)]
    quiet: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

const TABLE: &str = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.CreatedAt}}\t{{.UpdatedAt}}";
const FIELDS: Fields = Fields {
    command: "ls",
    of: "entities.SecretListReport",
    maps: &[],
    headers: &[("CreatedAt", "CREATED"), ("UpdatedAt", "UPDATED")],
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    driver: &'static str,
    created_at: String,
    updated_at: String,
}

pub fn run_list(args: &ListArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "secret ls")?;
    let format = match (&args.format, args.quiet) {
        (Some(text), _) => Format::parse(text, FIELDS)?,
        (None, true) => Format::Rows(Rows::parse("{{.ID}}", FIELDS)?),
        (None, false) => Format::Rows(Rows::parse(TABLE, FIELDS)?),
    };
    let filters = Filters::parse(&args.filter)?;
    let now = SystemTime::now();
    let ago = |text: &str| clock::parse(text).map_or(String::new(), |time| human::ago(time, now));
    let rows: Vec<Row> = secrets(ctx)?
        .list()?
        .into_iter()
        .filter(|secret| filters.admit(secret))
        .map(|secret| Row {
            created_at: ago(&secret.created),
            updated_at: ago(&secret.updated),
            id: secret.id,
            name: secret.name,
            driver: DRIVER,
        })
        .collect();
    match format {
        Format::Json => out.line(&json::pretty(&rows, json::IMAGES)?)?,
        Format::Rows(template) => {
            let values = rows
                .iter()
                .map(|row| template::row(row, Vec::new()))
                .collect::<Result<Vec<_>>>()?;
            out.text(&template.render(&values, !args.noheading)?)?;
        }
    }
    Ok(Status::SUCCESS)
}

/// One key twice is OR, different keys are AND.
#[derive(Debug, Default)]
struct Filters {
    names: Vec<Regex>,
    ids: Vec<Regex>,
}

impl Filters {
    fn parse(texts: &[String]) -> Result<Self> {
        let mut filters = Self::default();
        for text in texts {
            let Some((key, value)) = text.split_once('=') else {
                return Err(Error::usage(format!("invalid filter {text:?}")));
            };
            let list = match key.to_ascii_lowercase().as_str() {
                "name" => &mut filters.names,
                "id" => &mut filters.ids,
                _ => return Err(Error::usage(format!("invalid filter {key:?}"))),
            };
            list.push(Regex::new(value).map_err(|_| {
                Error::usage(format!(
                    "filter {key}={value:?}: it is no regular expression"
                ))
            })?);
        }
        Ok(filters)
    }

    fn admit(&self, secret: &Secret) -> bool {
        let any = |tests: &[Regex], text: &str| {
            tests.is_empty() || tests.iter().any(|test| test.is_match(text))
        };
        any(&self.names, &secret.name) && any(&self.ids, &secret.id)
    }
}
