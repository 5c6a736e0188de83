//! `stats`: what containers use, once or again and again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gotmpl::Value;
use serde::Serialize;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::table::Table;
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, human, json};
use crate::container::record::Status as State;
use crate::container::{Container, Usage};
use crate::error::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct StatsArgs {
    /// Show all containers, not only those that run
    #[arg(short, long)]
    all: bool,
    /// Print with a Go template; "json" for JSON, "table ..." for columns
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Seconds between two looks
    #[arg(short, long, value_name = "SECONDS", value_parser = value::integer, default_value = "5")]
    interval: i64,
    /// Show the container created last
    #[arg(short, long)]
    latest: bool,
    /// Do not clear the screen between two looks
    #[arg(long)]
    no_reset: bool,
    /// Look once
    #[arg(long)]
    no_stream: bool,
    /// Do not shorten ids
    #[arg(long)]
    no_trunc: bool,
    /// Containers, by name or id (default: all that run)
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "stats",
    of: "containers.containerStats",
    maps: &["Network"],
    headers: &[
        ("ID", "ID"),
        ("CPUPerc", "CPU %"),
        ("AVGCPU", "AVG CPU %"),
        ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemUsageBytes", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"),
        ("NetIO", "NET IO"),
        ("BlockIO", "BLOCK IO"),
        ("PIDS", "PIDS"),
        ("UpTime", "CPU TIME"),
        ("Up", "CPU TIME"),
    ],
};

const INDENT: &str = " ";

pub fn run(args: &StatsArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let given = [args.all, args.latest, !args.names.is_empty()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        return Err(Error::usage("--all, --latest and containers cannot be used together").into());
    }
    let interval = u64::try_from(args.interval).ok().filter(|n| *n > 0);
    let Some(interval) = interval.map(Duration::from_secs) else {
        let text = "invalid interval, must be a positive number greater zero";
        return Err(Error::usage(text).into());
    };
    let format = match &args.format {
        Some(text) => Some(Format::parse(text, FIELDS)?),
        None => None,
    };
    let mut before: BTreeMap<String, Look> = BTreeMap::new();
    loop {
        let mut rows = Vec::new();
        for container in chosen(args, ctx)? {
            let look = Look {
                at: Instant::now(),
                usage: container.usage()?,
            };
            rows.push(Row::new(
                &container,
                &look,
                before.get(container.id()),
                args.no_trunc,
            ));
            before.insert(container.id().to_owned(), look);
        }
        let text = render(&rows, format.as_ref())?;
        if out.is_terminal() && !args.no_stream && !args.no_reset {
            out.raw(b"\x1b[H\x1b[2J")?;
        }
        out.text(&text)?;
        if args.no_stream {
            return Ok(Status::SUCCESS);
        }
        out.flush()?;
        std::thread::sleep(interval);
    }
}

fn chosen(args: &StatsArgs, ctx: &Context) -> Result<Vec<Container>> {
    let containers = ctx.containers()?;
    if args.latest {
        return Ok(vec![containers.latest()?]);
    }
    if args.names.is_empty() {
        let (mut found, failures) = containers.list()?;
        for err in failures {
            ctx.warn(&format!("{err}, ignoring this container"));
        }
        let up = |status| matches!(status, State::Running | State::Paused);
        found.retain(|container| args.all || up(container.state.status));
        return Ok(found);
    }
    let find = |name: &String| {
        containers.find(name).map_err(|err| {
            err.context(format!(
                "unable to get list of containers: unable to look up container {name}"
            ))
        })
    };
    args.names.iter().map(find).collect()
}

struct Look {
    at: Instant,
    usage: Usage,
}

/// One container as JSON and templates have it: all texts.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    name: String,
    cpu_time: String,
    cpu_percent: String,
    avg_cpu: String,
    mem_usage: String,
    mem_percent: String,
    net_io: String,
    block_io: String,
    pids: String,
    #[serde(skip)]
    raw: Raw,
}

#[derive(Debug)]
struct Raw {
    usage: Usage,
    cpu: f64,
    average: f64,
    memory: f64,
    binary: String,
    full_id: String,
}

impl Row {
    fn new(container: &Container, look: &Look, before: Option<&Look>, full: bool) -> Self {
        let usage = look.usage.clone();
        let share = |cpu: u64, time: Duration| match time.as_nanos() {
            0 => 0.0,
            time => cpu as f64 * 100.0 / time as f64,
        };
        let average = share(usage.cpu, usage.up);
        let cpu = match before {
            // One that was started again has used less than before.
            Some(last) if last.usage.cpu <= usage.cpu => {
                share(usage.cpu - last.usage.cpu, look.at - last.at)
            }
            _ => average,
        };
        let memory = match usage.memory_limit {
            0 => 0.0,
            limit => usage.memory as f64 * 100.0 / limit as f64,
        };
        let pair = |pair: Option<(u64, u64)>| match pair {
            Some((a, b)) => format!("{} / {}", human::size(a, 4), human::size(b, 4)),
            None if usage.up.is_zero() => "0B / 0B".to_owned(),
            None => "-- / --".to_owned(),
        };
        let id = container.id();
        Self {
            id: if full { id } else { &id[..12] }.to_owned(),
            name: container.name().to_owned(),
            cpu_time: go_duration(usage.cpu),
            cpu_percent: format!("{cpu:.2}%"),
            avg_cpu: format!("{average:.2}%"),
            mem_usage: pair(Some((usage.memory, usage.memory_limit))),
            mem_percent: format!("{memory:.2}%"),
            net_io: pair(usage.network),
            block_io: pair(usage.block),
            pids: usage.tasks.to_string(),
            raw: Raw {
                binary: format!("{} / {}", binary(usage.memory), binary(usage.memory_limit)),
                cpu,
                average,
                memory,
                full_id: id.to_owned(),
                usage,
            },
        }
    }

    fn value(&self) -> Result<Value> {
        let text = |text: &str| Value::String(Arc::from(text));
        let (usage, up) = (&self.raw.usage, text(&self.cpu_time));
        let (read, written) = usage.block.unwrap_or_default();
        let (received, sent) = usage.network.unwrap_or_default();
        let network = BTreeMap::from([
            (Arc::from("RxBytes"), Value::Uint(received)),
            (Arc::from("TxBytes"), Value::Uint(sent)),
        ]);
        template::row(
            self,
            vec![
                ("ID", text(&self.id)),
                ("ContainerID", text(&self.raw.full_id)),
                ("Name", text(&self.name)),
                ("CPUPerc", text(&self.cpu_percent)),
                ("CPU", Value::Float(self.raw.cpu)),
                ("AVGCPU", text(&self.avg_cpu)),
                ("AvgCPU", Value::Float(self.raw.average)),
                ("CPUNano", Value::Uint(usage.cpu)),
                ("CPUSystemNano", Value::Uint(usage.cpu_system)),
                ("SystemNano", Value::Uint(now())),
                ("PerCPU", Value::Nil),
                ("MemUsage", text(&self.mem_usage)),
                ("MemUsageBytes", text(&self.raw.binary)),
                ("MemLimit", Value::Uint(usage.memory_limit)),
                ("MemPerc", text(&self.mem_percent)),
                ("NetIO", text(&self.net_io)),
                ("Network", Value::Map(Arc::new(network))),
                ("BlockIO", text(&self.block_io)),
                ("BlockInput", Value::Uint(read)),
                ("BlockOutput", Value::Uint(written)),
                ("PIDS", text(&self.pids)),
                ("PIDs", Value::Uint(usage.tasks)),
                ("Duration", Value::Uint(usage.cpu)),
                ("UpTime", up.clone()),
                ("Up", up),
                ("Mem", Value::Float(self.raw.memory)),
            ],
        )
    }
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

fn render(rows: &[Row], format: Option<&Format>) -> Result<String> {
    match format {
        Some(Format::Json) => Ok(json::pretty(&rows, INDENT)? + "\n"),
        Some(Format::Rows(template)) => {
            let values = rows.iter().map(Row::value).collect::<Result<Vec<_>>>()?;
            template.render(&values, true)
        }
        None => {
            let mut table = Table::new();
            table.row([
                "ID",
                "NAME",
                "CPU %",
                "MEM USAGE / LIMIT",
                "MEM %",
                "NET IO",
                "BLOCK IO",
                "PIDS",
                "CPU TIME",
                "AVG CPU %",
            ]);
            for row in rows {
                table.row([
                    &row.id,
                    &row.name,
                    &row.cpu_percent,
                    &row.mem_usage,
                    &row.mem_percent,
                    &row.net_io,
                    &row.block_io,
                    &row.pids,
                    &row.cpu_time,
                    &row.avg_cpu,
                ]);
            }
            Ok(table.render())
        }
    }
}

/// Four significant digits, powers of 1024.
fn binary(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = match value {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{}", UNITS[unit])
}

/// As Go prints a `time.Duration`: `1h2m3.5s`, `28.47503ms`, `0s`.
fn go_duration(nanos: u64) -> String {
    let fraction = |value: u64, unit: u64| {
        let text = format!(
            "{}.{:0width$}",
            value / unit,
            value % unit,
            width = unit.ilog10() as usize
        );
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match nanos {
        0 => "0s".to_owned(),
        n if n < 1_000 => format!("{n}ns"),
        n if n < 1_000_000 => fraction(n, 1_000) + "µs",
        n if n < 1_000_000_000 => fraction(n, 1_000_000) + "ms",
        n => {
            let minutes = n / 60_000_000_000;
            let seconds = fraction(n % 60_000_000_000, 1_000_000_000) + "s";
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_as_go_prints_them() {
        for (nanos, want) in [
            (0, "0s"),
            (5, "5ns"),
            (1_500, "1.5µs"),
            (28_475_030, "28.47503ms"),
            (1_000_000_000, "1s"),
            (90_500_000_000, "1m30.5s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(go_duration(nanos), want);
        }
        for (bytes, want) in [
            (0, "0B"),
            (1023, "1023B"),
            (1_069_547, "1.02MiB"),
            (25_276_000_000, "23.54GiB"),
        ] {
            assert_eq!(binary(bytes), want);
        }
    }
}
