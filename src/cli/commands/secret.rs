//! `secret`: small files that containers are given by name and that nothing else shows.

mod create;
mod inspect;
mod list;
mod remove;

pub use create::{CreateArgs, run_create};
pub use inspect::{InspectArgs, run_inspect};
pub use list::{ListArgs, run_list};
pub use remove::{ExistsArgs, RmArgs, run_exists, run_rm};

use crate::cli::context::Context;
use crate::error::{Error, Kind, Result};
use crate::secret::Secrets;

fn secrets(ctx: &Context) -> Result<Secrets> {
    Ok(Secrets::new(&ctx.dirs()?.store))
}

fn no_driver(driver: &str) -> Error {
    match driver {
        "pass" | "shell" => Error::new(
            Kind::Unsupported,
            format!("secret driver {driver:?} is not available in this version of pod"),
        )
        .hint("use file, or pipe what the other program prints into: pod secret create NAME -"),
        _ => Error::usage(format!("{driver}: invalid driver")),
    }
}
