//! `healthcheck run`: make a container's health check now.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::error::{Error, Kind};

#[derive(Debug, clap::Args)]
pub struct HealthcheckRunArgs {
    /// Container, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

pub fn run(args: &HealthcheckRunArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let [name] = args.names.as_slice() else {
        return Err(
            Error::usage(format!("accepts 1 arg(s), received {}", args.names.len())).into(),
        );
    };
    let container = ctx
        .containers()?
        .find(name)
        .map_err(|err| match err.kind() {
            Kind::NotFound => err.context(format!(
                "unable to look up {name} to perform a health check"
            )),
            _ => err,
        })?;
    // As Podman: a healthy container needs no words.
    match container.check_health()? {
        None => Ok(Status::SUCCESS),
        Some(status) => {
            out.line(status.word())?;
            Ok(Status::of_container(1))
        }
    }
}
