//! `manifest`: lists of images, one for each platform, under one name.

mod change;
mod inspect;
mod push;

pub use change::{
    AddArgs, AnnotateArgs, CreateArgs, RemoveArgs, run_add, run_annotate, run_create, run_remove,
};
pub use inspect::{ExistsArgs, InspectArgs, RmArgs, run_exists, run_inspect, run_rm};
pub use push::{ManifestPushArgs, run_push};

use crate::cli::args::defaults;
use crate::cli::args::registry::RegistryArgs;
use crate::cli::context::Context;
use crate::error::{Error, Result};
use crate::image::AccessOptions;

/// How registries are reached, with Docker's word for not checking them.
#[derive(Debug, clap::Args)]
pub struct ReachArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Neither require HTTPS nor check certificates
    #[arg(long, hide = true)]
    insecure: bool,
}

impl ReachArgs {
    fn access(&self, ctx: &Context) -> Result<AccessOptions> {
        let mut access = self.registry.access()?;
        if self.insecure {
            access.tls_verify = access.tls_verify.or(Some(false));
        }
        defaults::access(ctx.config()?, &mut access)?;
        Ok(access)
    }
}

/// Podman's words for a wrong number of names.
fn at_least(wanted: usize, given: usize) -> Error {
    Error::usage(format!(
        "requires at least {wanted} arg(s), only received {given}"
    ))
}

fn exactly(wanted: usize, given: usize) -> Error {
    Error::usage(format!("accepts {wanted} arg(s), received {given}"))
}
