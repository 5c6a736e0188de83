//! `update`: change the limits of a container, and what its next processes begin with.

use crate::cli::args::later::{Later, refused};
use crate::cli::args::limits::LimitArgs;
use crate::cli::args::{env, security};
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::select;
use crate::container::UpdateOptions;
use crate::error::{Error, Result};

#[derive(Debug, clap::Args)]
pub struct UpdateArgs {
    /// Restart policy: no, always, on-failure[:N], unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Variable of processes that begin later, NAME=VALUE (can be repeated)
    #[arg(short, long, value_name = "VARIABLE")]
    env: Vec<String>,
    /// Remove a variable (can be repeated)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    unsetenv: Vec<String>,
    /// Limit of processes that begin later, NAME=SOFT[:HARD] (can be repeated)
    #[arg(long, value_name = "LIMIT")]
    ulimit: Vec<String>,
    /// Update the container created last
    #[arg(short, long)]
    latest: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    _later: UpdateLater,
    /// Container, by name or id
    #[arg(value_name = "CONTAINER")]
    names: Vec<String>,
}

refused! {
    /// What Podman's `update` has beside.
    UpdateLater, &[
        Later::value("health-cmd"),
        Later::value("health-interval"),
        Later::value("health-log-destination"),
        Later::value("health-max-log-count"),
        Later::value("health-max-log-size"),
        Later::value("health-on-failure"),
        Later::value("health-retries"),
        Later::value("health-start-period"),
        Later::value("health-startup-cmd"),
        Later::value("health-startup-interval"),
        Later::value("health-startup-retries"),
        Later::value("health-startup-success"),
        Later::value("health-startup-timeout"),
        Later::value("health-timeout"),
        Later::switch("no-healthcheck"),
    ]
}

pub fn run(args: &UpdateArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.len() > 1 {
        return Err(
            Error::usage(format!("accepts 1 arg(s), received {}", args.names.len())).into(),
        );
    }
    let options = UpdateOptions {
        limits: args.limits.limits()?,
        restart: args.restart.as_deref().map(str::parse).transpose()?,
        env: env::variables(&[], &args.env, &env::ProcessEnv)?,
        unset_env: args.unsetenv.clone(),
        ulimits: args
            .ulimit
            .iter()
            .map(|text| security::ulimit(text))
            .collect::<Result<_>>()?,
    };
    let name = args.names.first().map(String::as_str);
    let container = select::one(ctx, name, args.latest, "update")?;
    container.update(&options)?;
    out.line(container.id())?;
    Ok(Status::SUCCESS)
}
