//! `unshare`: a command, or a shell, as root of the user's namespace.

use crate::cli::context::Context;
use crate::cli::exit::Outcome;
use crate::cli::output::Printer;
use crate::error::{Error, Kind};
use crate::rootless::unshare;
use crate::userns::mode::{self, UsernsMode};

#[derive(Debug, clap::Args)]
pub struct UnshareArgs {
    /// Join the network namespace of the bridges: not available
    #[arg(long, hide = true)]
    rootless_netns: bool,
    /// The command and its arguments (default: $SHELL)
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    command: Vec<String>,
}

pub fn run(args: &UnshareArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.rootless_netns {
        return Err(Error::new(
            Kind::Unsupported,
            "unshare --rootless-netns is not available in this version of pod",
        )
        .into());
    }
    let mut argv = args.command.clone();
    if argv.is_empty() {
        argv.extend(
            std::env::var("SHELL")
                .ok()
                .filter(|shell| !shell.is_empty()),
        );
    }
    if argv.is_empty() {
        return Err(Error::usage("no command specified and no $SHELL specified").into());
    }
    let me = ctx.identity()?;
    if crate::rootless::preflight::refuse_root().is_err() {
        return Err(Error::new(Kind::Unsupported, "please use unshare with rootless").into());
    }
    // The store exists from now on: commands inside find it with its owner right.
    ctx.store()?;
    let maps = mode::maps(&UsernsMode::Host, me.uid.as_raw(), me.gid.as_raw(), || {
        me.name()
    })?;
    out.flush()?;
    Err(unshare::exec(&maps, ctx.dirs()?, &argv).into())
}
