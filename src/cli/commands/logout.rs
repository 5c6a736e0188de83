//! `logout`: forgets what `login` stored.

use std::path::PathBuf;

use super::login;
use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::config::auth::{Change, Stored};
use crate::error::{Error, Kind};
use crate::image::AccessOptions;
use crate::image::account::{self, Accounts};

#[derive(Debug, clap::Args)]
pub struct LogoutArgs {
    /// Forget the logins of all registries in the file
    #[arg(short, long)]
    all: bool,
    /// File the login is stored in, instead of ${XDG_RUNTIME_DIR}/containers/auth.json
    #[arg(long, value_name = "PATH")]
    authfile: Option<PathBuf>,
    /// Docker's config.json the login is stored in
    #[arg(long, value_name = "PATH")]
    compat_auth_file: Option<PathBuf>,
    /// Registry, optionally with the beginning of a repository (default: the first one of registries.conf)
    #[arg(value_name = "REGISTRY")]
    registry: Vec<String>,
}

pub fn run(args: &LogoutArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let me = ctx.identity()?;
    let compat = value::given(&args.compat_auth_file);
    let authfile = value::given(&args.authfile);
    for path in authfile.iter().chain(&compat) {
        std::fs::metadata(path).map_err(|err| {
            Error::io(&err, format!("checking authfile: stat {}", path.display()))
        })?;
    }
    let stored = match &compat {
        Some(path) => Stored::docker(path),
        None => account::stored(me, authfile.as_deref())?,
    };
    let access = AccessOptions {
        authfile: compat.or(authfile),
        ..AccessOptions::default()
    };
    let accounts = Accounts::new(me, &access, &stored);
    if args.all {
        if !args.registry.is_empty() {
            return Err(Error::usage("--all takes no arguments").into());
        }
        accounts.forget_all()?;
        out.line("Removed login credentials for all registries")?;
        return Ok(Status::SUCCESS);
    }
    let key = login::the_key(&args.registry, ctx)?;
    if accounts.forget(&key)? == Change::Done {
        out.line(&format!("Removed login credentials for {}", key.name))?;
        return Ok(Status::SUCCESS);
    }
    // Somebody else's file may still log us in.
    if let Some(known) = accounts.find(&key)?
        && accounts.are_valid(&key, &known).unwrap_or(false)
    {
        out.line(&format!(
            "Not logged into {} with current tool. Existing credentials were established via docker login. Please use docker logout instead.",
            key.name
        ))?;
        return Ok(Status::SUCCESS);
    }
    let text = format!("not logged into {}", key.name);
    Err(Error::new(Kind::NotFound, text).into())
}
