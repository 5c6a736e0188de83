//! `secret rm` and `secret exists`.

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::usage;
use crate::container::events::{Action, Event};
use crate::error::{Error, Failures, Kind};

use super::secrets;

#[derive(Debug, clap::Args)]
pub struct RmArgs {
    /// Remove all secrets
    #[arg(short, long)]
    all: bool,
    /// A missing secret is no failure
    #[arg(short, long)]
    ignore: bool,
    /// Secrets, by name or id
    #[arg(value_name = "SECRET")]
    names: Vec<String>,
}

pub fn run_rm(args: &RmArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.all != args.names.is_empty() {
        return Err(
            Error::usage("`podman secret rm` requires one argument, or the --all flag").into(),
        );
    }
    let secrets = secrets(ctx)?;
    let names = match args.all {
        true => secrets.list()?.into_iter().map(|one| one.id).collect(),
        false => args.names.clone(),
    };
    let mut failures = Failures::default();
    for name in &names {
        match secrets.remove(name) {
            Ok(id) => {
                ctx.containers()?
                    .emit(&Event::secret(Action::Remove, &id.to_string()));
                out.line(&id)?;
            }
            Err(err) if args.ignore && err.kind() == Kind::NotFound => {}
            Err(err) => failures.push(err),
        }
    }
    exit::all(failures)
}

#[derive(Debug, clap::Args)]
pub struct ExistsArgs {
    /// Secret, by name or id
    #[arg(value_name = "SECRET")]
    names: Vec<String>,
}

pub fn run_exists(args: &ExistsArgs, ctx: &Context, _out: &mut Printer) -> Outcome {
    let name = usage::exactly_one(&args.names)?;
    Ok(match secrets(ctx)?.find(name) {
        Ok(_) => Status::SUCCESS,
        Err(err) if err.kind() == Kind::NotFound => Status::ABSENT,
        Err(err) => return Err(err.into()),
    })
}
