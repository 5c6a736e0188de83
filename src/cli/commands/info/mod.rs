//! `info`: the host, the store and the settings in force, with Podman's keys and true values.

mod host;
mod store;
pub mod tree;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, json};
use crate::cli::usage;
use crate::error::Result;

use super::version;
use tree::Node;

#[derive(Debug, clap::Args)]
pub struct InfoArgs {
    /// Go template, or json
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    #[arg(hide = true, value_name = "ARG")]
    rest: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "info",
    of: "*define.Info",
    maps: &["Store.GraphOptions", "Store.GraphStatus", "Registries"],
    headers: &[],
};

/// Indent of `info --format json`.
const INDENT: &str = "  ";

pub fn run(args: &InfoArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.rest, "info")?;
    let format = match args.format.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(Format::parse(text, FIELDS)?),
        None => None,
    };
    let document = document(ctx)?;
    match format {
        None => out.text(&document.yaml())?,
        Some(Format::Json) => out.line(&json::pretty(&document.json(), INDENT)?)?,
        Some(Format::Rows(rows)) => {
            let row = template::row(&document.go(), Vec::new())?;
            out.text(&rows.render(&[row], true)?)?;
        }
    }
    Ok(Status::SUCCESS)
}

fn document(ctx: &Context) -> Result<Node> {
    let list = |words: &[&str]| Node::List(words.iter().map(|&word| word.into()).collect());
    Ok(Node::Map(vec![
        ("Host", "host", host::describe(ctx)?),
        ("Store", "store", store::describe(ctx)?),
        ("Registries", "registries", registries(ctx)?),
        (
            "Plugins",
            "plugins",
            Node::Map(vec![
                ("Volume", "volume", list(&["local"])),
                ("Network", "network", list(&[])),
                ("Log", "log", list(&["k8s-file", "none", "passthrough"])),
                ("Authorization", "authorization", Node::Null),
            ]),
        ),
        ("Version", "version", version::fields()),
    ]))
}

/// Registries that are searched for short names.
fn registries(ctx: &Context) -> Result<Node> {
    let found = crate::config::registries::Registries::load(ctx.identity()?)?;
    let search = found
        .search()
        .iter()
        .map(|name| Node::from(name.as_str()))
        .collect();
    Ok(Node::Free(vec![("search".to_owned(), Node::List(search))]))
}
