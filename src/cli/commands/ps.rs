//! `ps`: list containers.

mod row;

use std::time::{Duration, SystemTime};

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::filter::Filters;
use crate::cli::output::Printer;
use crate::cli::output::json;
use crate::cli::output::table::Table;
use crate::cli::output::template::{Fields, Format};
use crate::cli::usage;
use crate::container::Container;
use crate::container::record::Status as State;
use crate::error::{Error, Result};

use row::{Row, Show};

#[derive(Debug, clap::Args)]
pub struct PsArgs {
    /// Show all containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Show only containers that fit: KEY=VALUE (can be repeated)
    #[arg(short, long, value_name = "FILTER")]
    filter: Vec<String>,
    /// Print with a Go template; "json" for JSON, "table ..." for columns
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show the N containers created last, whatever their state
    #[arg(short = 'n', long, value_name = "N", value_parser = value::integer)]
    last: Option<i64>,
    /// Show the container created last, whatever its state
    #[arg(short, long)]
    latest: bool,
    /// Do not shorten ids and commands
    #[arg(long, alias = "notruncate")]
    no_trunc: bool,
    /// Leave the header out
    #[arg(long, visible_alias = "noheadings")]
    noheading: bool,
    /// Show namespaces
    #[arg(long, alias = "namespace")]
    ns: bool,
    /// Show the pod of each container
    #[arg(short, long)]
    pod: bool,
    /// Print ids only
    #[arg(short, long)]
    quiet: bool,
    /// Show the size of each container's files
    #[arg(short, long)]
    size: bool,
    /// Sort by command, created, id, image, names, runningfor, size or status
    #[arg(long, value_name = "KEY", value_parser = sort_key)]
    sort: Option<SortKey>,
    /// Show again every SECONDS
    #[arg(short, long, value_name = "SECONDS", value_parser = value::unsigned32)]
    watch: Option<u32>,
    /// States are always looked at: no effect
    #[arg(long, hide = true)]
    sync: bool,
    /// Containers in the store that are not ours: there are none
    #[arg(long, alias = "storage", hide = true)]
    external: bool,
    #[arg(hide = true)]
    operands: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SortKey {
    Command,
    Created,
    Id,
    Image,
    Names,
    Size,
    Status,
}

fn sort_key(text: &str) -> std::result::Result<SortKey, String> {
    Ok(match text {
        "command" => SortKey::Command,
        "created" | "runningfor" => SortKey::Created,
        "id" => SortKey::Id,
        "image" => SortKey::Image,
        "names" => SortKey::Names,
        "size" => SortKey::Size,
        "status" => SortKey::Status,
        _ => {
            return Err(format!(
                "{text:?} is not a valid value.  Choose from: \
                 \"command, created, id, image, names, runningfor, size, status\""
            ));
        }
    })
}

const FIELDS: Fields = Fields {
    command: "ps",
    of: "containers.psReporter",
    maps: &["Labels", "ExposedPorts"],
    headers: &[
        ("ID", "CONTAINER ID"),
        ("CreatedHuman", "CREATED"),
        ("CIDFile", "CIDFILE"),
        ("Pod", "POD ID"),
        ("PodName", "PODNAME"),
        ("CGROUPNS", "CGROUPNS"),
        ("IPC", "IPC"),
        ("MNT", "MNT"),
        ("NET", "NET"),
        ("PIDNS", "PIDNS"),
        ("USERNS", "USERNS"),
        ("UTS", "UTS"),
    ],
};

pub fn run(args: &PsArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "ps")?;
    let conflict = match () {
        () if args.last.is_some_and(|n| n >= 0) && args.latest => {
            Some("last and latest are mutually exclusive")
        }
        () if args.quiet && (args.size || args.ns) => {
            Some("quiet conflicts with size and namespace")
        }
        () if args.size && args.ns => Some("size and namespace options conflict"),
        () if args.watch.is_some_and(|n| n > 0) && args.latest => {
            Some("the watch and latest flags cannot be used together")
        }
        () => None,
    };
    if let Some(text) = conflict {
        return Err(Error::usage(text).into());
    }
    let format = match &args.format {
        // As Podman: namespaces by either name.
        Some(text) => Some(Format::parse(&text.replace(".Namespaces.", "."), FIELDS)?),
        None => None,
    };
    loop {
        let text = show(args, format.as_ref(), ctx)?;
        let Some(seconds) = args.watch.filter(|n| *n > 0) else {
            out.text(&text)?;
            return Ok(Status::SUCCESS);
        };
        if out.is_terminal() {
            out.raw(b"\x1b[H\x1b[2J")?;
        }
        out.text(&text)?;
        out.flush()?;
        std::thread::sleep(Duration::from_secs(u64::from(seconds.max(1))));
    }
}

fn show(args: &PsArgs, format: Option<&Format>, ctx: &Context) -> Result<String> {
    let (containers, failures) = chosen(args, ctx)?;
    for err in failures {
        ctx.warn(&format!("{err}, ignoring this container"));
    }
    if args.quiet && format.is_none() {
        let shown = |c: &Container| match args.no_trunc {
            true => c.id().to_owned(),
            false => c.id()[..12].to_owned(),
        };
        return Ok(containers.iter().map(|c| shown(c) + "\n").collect());
    }
    let show = Show {
        now: SystemTime::now(),
        full: args.no_trunc,
        size: args.size || args.sort == Some(SortKey::Size),
        namespaces: args.ns || format.is_some(),
    };
    let mut rows = containers
        .iter()
        .map(|container| Row::new(container, &show))
        .collect::<Result<Vec<_>>>()?;
    if let Some(key) = args.sort {
        sort(&mut rows, key);
    }
    match format {
        None => Ok(table(args, &rows).render()),
        Some(Format::Json) => Ok(json::pretty(&rows, json::PS)? + "\n"),
        Some(Format::Rows(template)) => {
            let values = rows
                .iter()
                .map(|row| row.value(&show))
                .collect::<Result<Vec<_>>>()?;
            template.render(&values, !args.noheading)
        }
    }
}

/// The containers that are shown, and those that cannot be read.
fn chosen(args: &PsArgs, ctx: &Context) -> Result<(Vec<Container>, Vec<Error>)> {
    let filters = Filters::parse(&args.filter, ctx)?;
    let (mut containers, failures) = ctx.containers()?.list()?;
    let any_state =
        args.all || args.latest || args.last.is_some_and(|n| n > 0) || filters.names_states();
    containers.retain(|container| (any_state || is_shown(container)) && filters.admit(container));
    let last = match (args.latest, args.last) {
        (true, _) => Some(1),
        (false, Some(n)) => usize::try_from(n).ok().filter(|n| *n > 0),
        (false, None) => None,
    };
    if let Some(last) = last {
        containers.drain(..containers.len().saturating_sub(last));
    }
    Ok((containers, failures))
}

/// Those that have processes; unlike Podman's `ps` the paused ones too.
fn is_shown(container: &Container) -> bool {
    !matches!(container.state.status, State::Created | State::Exited)
}

fn sort(rows: &mut [Row], key: SortKey) {
    match key {
        SortKey::Command => rows.sort_by_key(|a| a.command_text()),
        SortKey::Created => rows.sort_by_key(|row| row.created),
        SortKey::Id => rows.sort_by(|a, b| a.id.cmp(&b.id)),
        SortKey::Image => rows.sort_by(|a, b| a.image.cmp(&b.image)),
        SortKey::Names => rows.sort_by(|a, b| a.names.cmp(&b.names)),
        SortKey::Size => rows.sort_by_key(|row| row.size.map_or(0, |size| size.root_fs_size)),
        SortKey::Status => rows.sort_by(|a, b| a.state.cmp(b.state)),
    }
}

fn table(args: &PsArgs, rows: &[Row]) -> Table {
    let mut table = Table::new();
    if args.ns {
        if !args.noheading {
            table.row([
                "CONTAINER ID",
                "NAMES",
                "PID",
                "CGROUPNS",
                "IPC",
                "MNT",
                "NET",
                "PIDNS",
                "USERNS",
                "UTS",
            ]);
        }
        for row in rows {
            let ns = |kind| row.namespaces.get(kind).cloned().unwrap_or_default();
            table.row([
                row.short_id(args.no_trunc),
                row.names.join(","),
                row.pid.to_string(),
                ns("Cgroup"),
                ns("IPC"),
                ns("MNT"),
                ns("NET"),
                ns("PIDNS"),
                ns("User"),
                ns("UTS"),
            ]);
        }
        return table;
    }
    let mut header = vec![
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ];
    if args.pod {
        header.extend(["POD ID", "PODNAME"]);
    }
    if args.size {
        header.push("SIZE");
    }
    if !args.noheading {
        table.row(header);
    }
    for row in rows {
        let mut cells = vec![
            row.short_id(args.no_trunc),
            row.image.clone(),
            row.short_command(args.no_trunc),
            row.created_at.clone(),
            row.status.clone(),
            row.port_column.clone(),
            row.names.join(","),
        ];
        if args.pod {
            cells.extend([String::new(), String::new()]);
        }
        if args.size {
            cells.push(row.size_text());
        }
        table.row(cells);
    }
    table
}
