//! `port`: published ports of a container.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::select;
use crate::container::Container;
use crate::error::{Error, Kind, Result};
use crate::net::{Protocol, ports};

use super::stop::is_up;

#[derive(Debug, clap::Args)]
pub struct PortArgs {
    /// Show the ports of all running containers
    #[arg(short, long)]
    all: bool,
    /// Show the ports of the container created last
    #[arg(short, long)]
    latest: bool,
    /// Container, by name or id, and a port of it
    #[arg(value_name = "CONTAINER [PORT[/PROTOCOL]]")]
    operands: Vec<String>,
}

pub fn run(args: &PortArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.all {
        if args.latest || !args.operands.is_empty() {
            return Err(Error::usage("no additional arguments can be used with --all").into());
        }
        let (containers, failures) = ctx.containers()?.list()?;
        for container in containers.iter().filter(|container| is_up(container)) {
            for (inside, outside) in ports::lines(&container.record.ports) {
                out.line(&format!("{}\t{inside} -> {outside}", &container.id()[..12]))?;
            }
        }
        return match failures.into_iter().next() {
            Some(err) => Err(err.into()),
            None => Ok(Status::SUCCESS),
        };
    }
    let (name, port) = match (args.latest, args.operands.as_slice()) {
        (true, []) => (None, None),
        (true, [port]) => (None, Some(port)),
        (false, [name]) => (Some(name.as_str()), None),
        (false, [name, port]) => (Some(name.as_str()), Some(port)),
        (false, []) => {
            return Err(Error::usage("you must supply a running container name or id").into());
        }
        _ => return Err(Error::usage("you can only name one container and one port").into()),
    };
    let wanted = port.map(|text| parse(text)).transpose()?;
    let container = select::one(ctx, name, args.latest, "port")?;
    print(&container, wanted, out)
}

fn parse(text: &str) -> Result<String> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let number: u16 = port
        .parse()
        .map_err(|_| Error::usage(format!("invalid port {text:?}")))?;
    let protocol: Protocol = protocol.parse()?;
    Ok(format!("{number}/{protocol}"))
}

fn print(container: &Container, wanted: Option<String>, out: &mut Printer) -> Outcome {
    let mut found = wanted.is_none();
    for (inside, outside) in ports::lines(&container.record.ports) {
        match &wanted {
            None => out.line(&format!("{inside} -> {outside}"))?,
            Some(port) if *port == inside => {
                found = true;
                out.line(&outside)?;
            }
            Some(_) => {}
        }
    }
    if !found {
        return Err(Error::new(
            Kind::NotFound,
            format!(
                "failed to find published port {:?}",
                wanted.unwrap_or_default()
            ),
        )
        .into());
    }
    Ok(Status::SUCCESS)
}
