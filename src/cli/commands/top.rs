//! `top`: the processes of a running container, with the columns of Podman's descriptors.

mod columns;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::{Printer, table::Table};
use crate::cli::select;
use crate::error::{Error, Kind, Result};

use columns::{Column, Facts};

#[derive(Debug, clap::Args)]
pub struct TopArgs {
    /// Show the container created last
    #[arg(short, long)]
    latest: bool,
    /// Container, by name or id, and the columns: args, capamb, capbnd, capeff, capinh, capprm, comm, etime, group, groups,
    /// hgroup, hgroups, hpid, huser, label, nice, pcpu, pgid, pid, ppid, rgroup, rss, ruser, seccomp, state, stime, time,
    /// tty, user, vsz
    #[arg(
        value_name = "CONTAINER [COLUMN...]",
        allow_hyphen_values = true,
        trailing_var_arg = true
    )]
    words: Vec<String>,
}

/// Podman's, where none are asked for.
const DEFAULT: [&str; 8] = [
    "user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args",
];

pub fn run(args: &TopArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let (name, columns) = match (&args.words[..], args.latest) {
        (words, true) => (None, words),
        ([name, columns @ ..], false) => (Some(name.as_str()), columns),
        ([], false) => (None, &[][..]),
    };
    let columns = parse(columns)?;
    let container = select::one(ctx, name, args.latest, "top")?;
    let processes = container.processes()?;
    let facts = Facts::gather(&container);
    let mut table = Table::new();
    table.row(columns.iter().map(|column| column.heading));
    for process in &processes {
        table.row(columns.iter().map(|column| (column.cell)(process, &facts)));
    }
    out.text(&table.render())?;
    Ok(Status::SUCCESS)
}

/// Names and `%x` codes of columns, several in one word with commas.
fn parse(words: &[String]) -> Result<Vec<&'static Column>> {
    if let Some(flag) = words.iter().find(|word| word.starts_with('-')) {
        return Err(Error::new(
            Kind::Unsupported,
            format!("top {flag}: options of ps(1) are not available in this version of pod"),
        )
        .hint(
            "name columns, such as pid,comm,hpid, or run the image's own: pod exec CONTAINER ps",
        ));
    }
    let names = words.iter().flat_map(|word| word.split(','));
    let mut columns = names.map(find).collect::<Result<Vec<_>>>()?;
    if columns.is_empty() {
        columns = DEFAULT.into_iter().map(find).collect::<Result<_>>()?;
    }
    Ok(columns)
}

fn find(name: &str) -> Result<&'static Column> {
    let fits =
        |column: &&Column| column.name == name || (!column.code.is_empty() && column.code == name);
    columns::ALL.iter().find(fits).ok_or_else(|| {
        let names: Vec<&str> = columns::ALL.iter().map(|column| column.name).collect();
        Error::usage(format!(
            "unknown descriptor {name:?}: want any of {}",
            names.join(",")
        ))
    })
}
