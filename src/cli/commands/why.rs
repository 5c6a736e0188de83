//! `why`: how a container ended, who or what ended it, and what to do.

use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, json};
use crate::cli::select;
use crate::container::why::Why;
use crate::error::{Result, Tried};

#[derive(Debug, clap::Args)]
pub struct WhyArgs {
    /// Print with a Go template; "json" for JSON
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Look at the container created last
    #[arg(short, long)]
    latest: bool,
    /// How many of the last lines it wrote are shown
    #[arg(
        long,
        value_name = "LINES",
        default_value_t = 10,
        hide_default_value = true
    )]
    tail: u64,
    /// The container, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "why",
    of: "container.Why",
    maps: &[],
    headers: &[],
};

pub fn run(args: &WhyArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let name = match args.names.as_slice() {
        [] => None,
        [name] => Some(name.as_str()),
        _ => {
            let text = format!("accepts 1 arg(s), received {}", args.names.len());
            return Err(crate::error::Error::usage(text).into());
        }
    };
    let format = args
        .format
        .as_deref()
        .filter(|text| !text.is_empty())
        .map(|text| Format::parse(text, FIELDS))
        .transpose()?;
    let container = select::one(ctx, name, args.latest, "why")?;
    let why = container.why(args.tail)?;
    match format {
        None => print(&why, out)?,
        Some(Format::Json) => out.line(&json::pretty(&why, json::PS)?)?,
        Some(Format::Rows(rows)) => out.text(&rows.render(&[row(&why)?], true)?)?,
    }
    Ok(Status::SUCCESS)
}

fn row(why: &Why) -> Result<gotmpl::Value> {
    let document: Value = serde_json::to_value(why)
        .map_err(std::io::Error::other)
        .tried(|| format!("describe container {}", why.name))?;
    template::row(&document, Vec::new())
}

fn print(why: &Why, out: &mut Printer) -> Result<()> {
    let id = why.id.get(..12).unwrap_or(&why.id);
    out.line(&format!(
        "{} ({id}) is {}: {}",
        why.name, why.state, why.explanation
    ))?;
    if !why.log.is_empty() {
        out.line("Its last lines:")?;
        for line in &why.log {
            out.line(&format!("  {line}"))?;
        }
    }
    if !why.remedy.is_empty() {
        out.line(&format!("Remedy: {}", why.remedy))?;
    }
    Ok(())
}
