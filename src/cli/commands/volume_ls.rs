//! `volume ls`: the volumes, by name.

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::output::template::{Fields, Format, Rows};
use crate::cli::usage;
use crate::cli::volume_filter::Filters;
use crate::error::{Error, Failures};

use super::volume_inspect::show;

#[derive(Debug, clap::Args)]
pub struct VolumeLsArgs {
    /// Show only what matches (can be repeated): after, anonymous, dangling, driver, label, name, opt, scope, since, until
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Go template, or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Leave out the column headings
    #[arg(short, long)]
    noheading: bool,
    /// Show names only
    #[arg(short, long)]
    quiet: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

const TABLE: &str = "table {{.Driver}}\t{{.Name}}";
const FIELDS: Fields = Fields {
    command: "volume ls",
    of: "entities.VolumeListReport",
    maps: &["Labels", "Options", "Status"],
    headers: &[("Name", "VOLUME NAME"), ("MountCount", "MOUNT COUNT")],
};

pub fn run(args: &VolumeLsArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "volume ls")?;
    if args.quiet && args.format.is_some() {
        return Err(Error::usage("quiet and format flags cannot be used together").into());
    }
    let format = match (args.quiet, args.format.as_deref()) {
        (true, _) => Format::Rows(Rows::parse("{{.Name}}", FIELDS)?),
        (false, Some(text)) => Format::parse(text, FIELDS)?,
        (false, None) => Format::Rows(Rows::parse(TABLE, FIELDS)?),
    };
    let filters = Filters::parse(&args.filter, ctx)?;
    let (mut found, broken) = ctx.containers()?.volumes().list()?;
    let mut failures = Failures::default();
    broken.into_iter().for_each(|err| failures.push(err));
    found.retain(|volume| filters.admit(volume));
    show(found, &format, !args.noheading && !args.quiet, ctx, out)?;
    exit::all(failures)
}
