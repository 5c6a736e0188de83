//! `login`: shows name and password to a registry, and stores them where every tool finds them.

use std::io::Read;
use std::path::PathBuf;

use crate::cli::args::defaults;
use crate::cli::args::later::{Later, refused};
use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::cli::prompt;
use crate::config::auth::{Credentials, Stored};
use crate::error::{Error, Kind, Result, Tried};
use crate::image::AccessOptions;
use crate::image::account::{self, Accounts, Key};

#[derive(Debug, clap::Args)]
pub struct LoginArgs {
    /// File to store the login in, instead of ${XDG_RUNTIME_DIR}/containers/auth.json
    #[arg(long, value_name = "PATH")]
    authfile: Option<PathBuf>,
    /// Docker's config.json to store the login in, as Docker does
    #[arg(long, value_name = "PATH")]
    compat_auth_file: Option<PathBuf>,
    /// Directory of certificates (*.crt, *.cert, *.key) for the registry
    #[arg(long, value_name = "DIR")]
    cert_dir: Option<PathBuf>,
    /// Print who is logged in, and do nothing else
    #[arg(long)]
    get_login: bool,
    /// Password; everybody on this host can read it in the process list, --password-stdin avoids that
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from stdin
    #[arg(long)]
    password_stdin: bool,
    /// Require HTTPS and check certificates (default: what registries.conf says, else true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = value::boolean)]
    tls_verify: Option<bool>,
    /// User name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Say where the login is stored
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    _refused: RefusedArgs,
    /// Registry, optionally with the beginning of a repository (default: the first one of registries.conf)
    #[arg(value_name = "REGISTRY")]
    registry: Vec<String>,
}

const REFUSED: &[Later] = &[Later::value("secret")];

refused! {
    /// Podman's other flags of `login`.
    RefusedArgs, REFUSED
}

pub fn run(args: &LoginArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (mut password, username) = (given(&args.password), given(&args.username));
    if args.password_stdin {
        if password.is_some() {
            return Err(Error::usage("Can't specify both --password-stdin and --password").into());
        }
        if username.is_none() {
            return Err(Error::usage("Must provide --username with --password-stdin").into());
        }
        password = Some(password_from_stdin()?);
    }
    let me = ctx.identity()?;
    let key = the_key(&args.registry, ctx)?;
    let compat = value::given(&args.compat_auth_file);
    let mut access = AccessOptions {
        authfile: value::given(&args.authfile),
        cert_dir: value::given(&args.cert_dir),
        tls_verify: args.tls_verify,
        ..AccessOptions::default()
    };
    let stored = match &compat {
        Some(_) if access.authfile.is_some() => {
            let text = "options for paths to the credential file and to the Docker-compatible credential file can not be set simultaneously";
            return Err(Error::usage(text).into());
        }
        Some(path) => Stored::docker(path),
        None => account::stored(me, access.authfile.as_deref())?,
    };
    access.authfile = compat.or(access.authfile);
    defaults::access(ctx.config()?, &mut access)?;
    let accounts = Accounts::new(me, &access, &stored);
    let known = accounts.find(&key)?;
    let known = match &known {
        Some(Credentials::Basic { user, password }) => Some((user.as_str(), password.as_str())),
        Some(_) if !args.get_login => {
            let text = "currently logged in, auth file contains an Identity token";
            return Err(Error::usage(text).into());
        }
        _ => None,
    };
    if args.get_login {
        let Some((user, _)) = known else {
            let text = format!("not logged into {}", key.name);
            return Err(Error::new(Kind::NotFound, text).into());
        };
        out.line(user)?;
        return Ok(Status::SUCCESS);
    }
    if let (Some((user, secret)), None, None) = (known, &username, &password) {
        out.line(&format!(
            "Authenticating with existing credentials for {}",
            key.name
        ))?;
        if accounts.are_valid(&key, &basic(user, secret))? {
            let text = format!(
                "Existing credentials are valid. Already logged in to {}",
                key.registry
            );
            out.line(&text)?;
            return Ok(Status::SUCCESS);
        }
        out.line("Existing credentials are invalid, please enter valid username and password")?;
    }
    out.flush()?;
    let asking = |err: Error| err.context("getting username and password");
    let username = match username {
        Some(name) => name,
        None => prompt::line("Username", known.map(|(user, _)| user)).map_err(asking)?,
    };
    let password = match password {
        Some(password) => password,
        None => prompt::secret("Password").map_err(asking)?,
    };
    if !accounts.are_valid(&key, &basic(&username, &password))? {
        let text = format!("logging into {:?}: invalid username/password", key.name);
        return Err(Error::new(Kind::Unauthorized, text).into());
    }
    accounts.remember(&key, &username, &password)?;
    if args.verbose {
        out.line(&format!("Used:  {}", stored.shown()))?;
    }
    out.line("Login Succeeded!")?;
    Ok(Status::SUCCESS)
}

fn basic(user: &str, password: &str) -> Credentials {
    Credentials::Basic {
        user: user.into(),
        password: password.into(),
    }
}

/// The registry of `login` and `logout`.
pub(super) fn the_key(operands: &[String], ctx: &Context) -> Result<Key> {
    match operands {
        [] => Key::default(ctx.identity()?),
        [one] => Key::parse(one),
        more => Err(Error::usage(format!(
            "accepts at most 1 arg(s), received {}",
            more.len()
        ))),
    }
}

/// All of stdin without its line ends, as Podman reads it.
fn password_from_stdin() -> Result<String> {
    const LONGEST: u64 = 64 * 1024;
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(LONGEST)
        .read_to_string(&mut text)
        .tried(|| "read the password from stdin")?;
    Ok(text.lines().collect())
}
