//! `search`: what registries have.

use std::path::PathBuf;

use gotmpl::Value;
use serde::Serialize;

use crate::cli::args::{defaults, registry, value};
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status, all};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, json, table::Table};
use crate::cli::usage;
use crate::error::{Error, Result};
use crate::image::AccessOptions;
use crate::image::search::{self, Found};

/// Results of a registry unless `--limit` says otherwise.
const LIMIT: u64 = 25;
/// Characters of a description that a table shows.
const DESCRIPTION: usize = 44;

#[derive(Debug, clap::Args)]
pub struct SearchArgs {
    /// File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin
    #[arg(long, value_name = "PATH")]
    authfile: Option<PathBuf>,
    /// Directory of certificates (*.crt, *.cert, *.key) for the registry
    #[arg(long, value_name = "DIR")]
    cert_dir: Option<PathBuf>,
    /// Show stars and whether images are official or automated, as Docker does
    #[arg(long)]
    compatible: bool,
    /// Credentials for the registry
    #[arg(long, value_name = "USER:PASSWORD")]
    creds: Option<String>,
    /// Show only what matches (can be repeated): stars=N, is-official, is-automated
    #[arg(short, long, value_name = "KEY=VALUE", value_delimiter = ',')]
    filter: Vec<String>,
    /// Go template, or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Results of each registry (default: 25)
    #[arg(long, value_name = "NUMBER", value_parser = value::integer)]
    limit: Option<i64>,
    /// List the tags of one repository
    #[arg(long)]
    list_tags: bool,
    /// Show descriptions in full
    #[arg(long)]
    no_trunc: bool,
    /// Require HTTPS and check certificates (default: what registries.conf says, else true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = value::boolean)]
    tls_verify: Option<bool>,
    /// Word to search for, behind a registry if only that is meant
    #[arg(value_name = "TERM")]
    term: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "search",
    of: "entities.ImageSearchReport",
    maps: &[],
    headers: &[],
};

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    index: String,
    name: String,
    description: String,
    stars: i64,
    official: String,
    automated: String,
    tag: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tags<'a> {
    name: &'a str,
    tags: &'a [String],
}

pub fn run(args: &SearchArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let term = usage::exactly_one(&args.term)?;
    let format = args
        .format
        .as_deref()
        .map(|text| Format::parse(text, FIELDS))
        .transpose()?;
    let filters = Filters::parse(&args.filter)?;
    if args.list_tags && !args.filter.is_empty() {
        return Err(Error::usage("filters are not applicable to list tags result").into());
    }
    let mut access = AccessOptions {
        credentials: registry::credentials(args.creds.as_deref())?,
        authfile: value::given(&args.authfile),
        cert_dir: value::given(&args.cert_dir),
        tls_verify: args.tls_verify,
        ..AccessOptions::default()
    };
    defaults::access(ctx.config()?, &mut access)?;
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.filter(|limit| *limit > 0);
    let me = ctx.identity()?;
    if args.list_tags {
        let (name, mut tags) = search::tags(me, term, &access)?;
        tags.truncate(limit.unwrap_or(LIMIT as usize));
        return list_tags(&name, &tags, format, out);
    }
    let (results, failures) = search::search(me, term, limit.unwrap_or(LIMIT as usize), &access)?;
    let rows: Vec<Row> = results
        .iter()
        .flat_map(|results| results.found.iter().map(|found| (&results.registry, found)))
        .filter(|(_, found)| filters.fit(found))
        .map(|(registry, found)| Row::of(registry, found, args.no_trunc))
        .collect();
    match format {
        // As in Podman nothing found is nothing printed.
        _ if rows.is_empty() => {}
        Some(Format::Json) => out.line(&json::pretty(&rows, json::IMAGES)?)?,
        Some(Format::Rows(template)) => out.text(&template.render(&values(&rows)?, true)?)?,
        None => out.text(&table(&rows, args.compatible))?,
    }
    out.flush()?;
    all(failures)
}

fn list_tags(name: &str, tags: &[String], format: Option<Format>, out: &mut Printer) -> Outcome {
    let row = |tag: &String| Row {
        name: name.to_owned(),
        tag: tag.clone(),
        ..Row::default()
    };
    match format {
        _ if tags.is_empty() => {}
        Some(Format::Json) => {
            out.line(&json::pretty(&[Tags { name, tags }], json::IMAGES)?)?;
        }
        Some(Format::Rows(template)) => {
            let rows: Vec<Row> = tags.iter().map(row).collect();
            out.text(&template.render(&values(&rows)?, true)?)?;
        }
        None => {
            let mut table = Table::new();
            table.row(["NAME", "TAG"]);
            tags.iter().for_each(|tag| table.row([name, tag]));
            out.text(&table.render())?;
        }
    }
    Ok(Status::SUCCESS)
}

fn values(rows: &[Row]) -> Result<Vec<Value>> {
    rows.iter()
        .map(|row| template::row(row, Vec::new()))
        .collect()
}

fn table(rows: &[Row], compatible: bool) -> String {
    let mut table = Table::new();
    match compatible {
        true => table.row(["NAME", "DESCRIPTION", "STARS", "OFFICIAL", "AUTOMATED"]),
        false => table.row(["NAME", "DESCRIPTION"]),
    }
    for row in rows {
        let mut cells = vec![row.name.clone(), row.description.clone()];
        if compatible {
            cells.extend([
                row.stars.to_string(),
                row.official.clone(),
                row.automated.clone(),
            ]);
        }
        table.row(cells);
    }
    table.render()
}

impl Row {
    fn of(registry: &str, found: &Found, whole: bool) -> Self {
        let ok = |yes| if yes { "[OK]" } else { "" }.to_owned();
        let mut description = found.description.replace(['\n', '\t'], " ");
        if !whole && description.chars().count() > DESCRIPTION {
            description = description.chars().take(DESCRIPTION).collect();
            description.push_str("...");
        }
        let host = registry.split('/').next().unwrap_or(registry);
        let library = match host == "docker.io" && !found.name.contains('/') {
            true => "library/",
            false => "",
        };
        Self {
            index: host.to_owned(),
            name: format!("{host}/{library}{}", found.name),
            description,
            stars: found.stars,
            official: ok(found.official),
            automated: ok(found.automated),
            tag: String::new(),
        }
    }
}

/// `--filter`
#[derive(Debug, Default)]
struct Filters {
    stars: i64,
    official: Option<bool>,
    automated: Option<bool>,
}

impl Filters {
    fn parse(texts: &[String]) -> Result<Self> {
        let mut filters = Self::default();
        for text in texts {
            let (key, given) = match text.split_once('=') {
                Some((key, given)) => (key, Some(given)),
                None => (text.as_str(), None),
            };
            let boolean = || match given {
                None => Ok(true),
                Some(word) => value::boolean(word).map_err(|why| {
                    Error::usage(format!("incorrect value type for {key} filter: {why}"))
                }),
            };
            match key {
                "stars" => {
                    let word = given.unwrap_or_default();
                    filters.stars = word.parse().map_err(|_| {
                        Error::usage(format!(
                            "incorrect value type for stars filter: strconv.Atoi: parsing {word:?}: invalid syntax"
                        ))
                    })?;
                }
                "is-official" => filters.official = Some(boolean()?),
                "is-automated" => filters.automated = Some(boolean()?),
                _ => return Err(Error::usage(format!("invalid filter type {text:?}"))),
            }
        }
        Ok(filters)
    }

    fn fit(&self, found: &Found) -> bool {
        found.stars >= self.stars
            && self.official.is_none_or(|want| want == found.official)
            && self.automated.is_none_or(|want| want == found.automated)
    }
}
