//! `secret create`: store a file, standard input or a variable as a secret.

use std::collections::BTreeMap;
use std::io::Read;

use crate::cli::args::{env, value};
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::container::clock;
use crate::container::events::{Action, Event};
use crate::error::{Error, Result};
use crate::secret::{DRIVER, IfTaken, LIMIT, NewSecret};

use super::{no_driver, secrets};

#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// Where secrets are kept: file is the only driver
    #[arg(short, long, value_name = "DRIVER")]
    driver: Option<String>,
    /// Option of the driver (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',')]
    driver_opts: Vec<String>,
    /// Read the secret from the environment variable of that name
    #[arg(long)]
    env: bool,
    /// Leave a secret of that name as it is
    #[arg(long)]
    ignore: bool,
    /// Label (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = value::text)]
    label: Vec<String>,
    /// Replace a secret of that name
    #[arg(long)]
    replace: bool,
    /// Name, then a file with the secret, or - for standard input
    #[arg(value_name = "NAME FILE|-")]
    operands: Vec<String>,
}

pub fn run_create(args: &CreateArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let [name, from] = &args.operands[..] else {
        let given = args.operands.len();
        return Err(Error::usage(format!("accepts 2 arg(s), received {given}")).into());
    };
    if args.ignore && args.replace {
        return Err(Error::usage("cannot use --ignore and --replace flags together").into());
    }
    match args.driver.as_deref() {
        None | Some("" | DRIVER) => {}
        Some(other) => return Err(no_driver(other).into()),
    }
    let data = match args.env {
        true => variable(from)?,
        false => file(from)?,
    };
    let new = NewSecret {
        labels: env::labels(&[], &args.label)?,
        options: options(&args.driver_opts)?,
        if_taken: match (args.ignore, args.replace) {
            (true, _) => IfTaken::Keep,
            (_, true) => IfTaken::Replace,
            _ => IfTaken::Fail,
        },
    };
    let id = secrets(ctx)?.create(name, &data, new, clock::now())?;
    ctx.containers()?
        .emit(&Event::secret(Action::Create, &id.to_string()));
    out.line(&id)?;
    Ok(Status::SUCCESS)
}

fn variable(name: &str) -> Result<Vec<u8>> {
    use std::os::unix::ffi::OsStringExt;
    match std::env::var_os(name).filter(|value| !value.is_empty()) {
        Some(value) => Ok(value.into_vec()),
        None => Err(Error::usage(format!(
            "cannot create store secret data: environment variable {name} is not set"
        ))),
    }
}

/// No more than one byte above the limit is read: whoever asked for more is told so.
fn file(path: &str) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    let read = match path {
        "-" | "/dev/stdin" => std::io::stdin()
            .lock()
            .take(LIMIT as u64 + 1)
            .read_to_end(&mut data),
        path => std::fs::File::open(path)
            .map_err(|err| Error::io(&err, format!("open {path}")))?
            .take(LIMIT as u64 + 1)
            .read_to_end(&mut data),
    };
    read.map_err(|err| Error::io(&err, format!("read {path}")))?;
    Ok(data)
}

/// The file driver knows `path` alone, which is not ours to choose: secrets stay in the store.
fn options(texts: &[String]) -> Result<BTreeMap<String, String>> {
    match texts.first().map(|text| (text, text.split_once('='))) {
        None => Ok(BTreeMap::new()),
        Some((_, Some((key, _)))) => Err(Error::usage(format!(
            "secret driver option {key:?}: the file driver has none: invalid driver option"
        ))
        .hint("secrets are kept in the store; choose that with --root")),
        Some((text, None)) => Err(Error::usage(format!(
            "invalid argument {text:?} for \"--driver-opts\" flag: {text} must be formatted as key=value"
        ))),
    }
}
