//! `volume create`: make a volume, empty until the first container mounts it.

use std::collections::BTreeMap;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::Printer;
use crate::container::events::{Action, Event};
use crate::container::{clock, names};
use crate::error::{Error, Kind, Result};
use crate::volume::{DRIVER, NewVolume};

#[derive(Debug, clap::Args)]
pub struct VolumeCreateArgs {
    /// The volume's driver: local is the only one
    #[arg(short, long, value_name = "DRIVER", default_value = DRIVER)]
    driver: String,
    /// Do not fail if the volume exists
    #[arg(long)]
    ignore: bool,
    /// Label (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = value::text)]
    label: Vec<String>,
    /// Uid of its owner in the container
    #[arg(long, value_name = "UID", value_parser = value::unsigned32)]
    uid: Option<u32>,
    /// Gid of its group in the container
    #[arg(long, value_name = "GID", value_parser = value::unsigned32)]
    gid: Option<u32>,
    /// Option of the driver: type=none, o=bind and device=/PATH mount a directory of this host, type=tmpfs and o=size=SIZE memory (can be repeated)
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = value::text)]
    opt: Vec<String>,
    /// Name; a generated one when left out
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub fn run(args: &VolumeCreateArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let name = match &args.names[..] {
        [] => names::new_id()?.0,
        [name] => name.clone(),
        more => {
            let text = format!("accepts at most 1 arg(s), received {}", more.len());
            return Err(Error::usage(text).into());
        }
    };
    if args.driver != DRIVER {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "create volume {name}: volume driver {:?} is not available: want local",
                args.driver
            ),
        )
        .into());
    }
    let new = NewVolume {
        labels: pairs(&args.label),
        options: options(&args.opt)?,
        uid: args.uid,
        gid: args.gid,
        anonymous_of: None,
    };
    let store = ctx.store()?;
    let containers = ctx.containers()?;
    match containers.volumes().create(&name, new, clock::now()) {
        Err(err) if args.ignore && err.kind() == Kind::InUse => {}
        made => {
            made.map_err(|err| {
                err.context(format!("create volume in {}", store.root().display()))
            })?;
            containers.emit(&Event::volume(Action::Create, &name));
        }
    }
    out.line(&name)?;
    Ok(Status::SUCCESS)
}

fn pairs(texts: &[String]) -> BTreeMap<String, String> {
    let split = |text: &String| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (text.clone(), String::new()),
    };
    texts.iter().map(split).collect()
}

fn options(texts: &[String]) -> Result<BTreeMap<String, String>> {
    match texts.iter().find(|text| !text.contains('=')) {
        Some(text) => Err(Error::usage(format!(
            "volume option {text:?}: want KEY=VALUE: invalid argument"
        ))),
        None => Ok(pairs(texts)),
    }
}
