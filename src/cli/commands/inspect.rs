//! `inspect` and `container inspect`: everything known of containers, images and volumes, as JSON.

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::Printer;
use crate::cli::output::json;
use crate::cli::output::template::{self, Fields, Format};
use crate::container::Container;
use crate::error::{Error, Failures, Kind, Result, Tried};

use super::image_inspect::{self, ImageData};
use super::volume_inspect;

#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    #[command(flatten)]
    common: Common,
    /// Look only at: container, image, volume, all
    #[arg(
        short,
        long,
        value_name = "TYPE",
        default_value = "all",
        hide_default_value = true
    )]
    r#type: String,
}

#[derive(Debug, clap::Args)]
pub struct ContainerInspectArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Print with a Go template; "json" for JSON
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show the container created last
    #[arg(short, long)]
    latest: bool,
    /// Count the sizes of the containers' files
    #[arg(short, long)]
    size: bool,
    /// Containers, images and volumes, by name or id
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

const CONTAINER: Fields = Fields {
    command: "inspect",
    of: "define.InspectContainerData",
    maps: &[
        "Config.Labels",
        "Config.Annotations",
        "Config.ExposedPorts",
        "Config.Volumes",
        "GraphDriver.Data",
        "HostConfig.Annotations",
        "HostConfig.LogConfig.Config",
        "HostConfig.PortBindings",
        "HostConfig.Tmpfs",
        "NetworkSettings.Networks",
        "NetworkSettings.Ports",
    ],
    headers: &[],
};

/// Which kinds of objects are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    All,
    Containers,
    Images,
    Volumes,
}

/// One object.
#[derive(Serialize)]
#[serde(untagged)]
enum Found {
    Container(Value),
    Image(Box<ImageData>),
    Volume(Value),
}

/// What JSON leaves out when it is empty, templates have all the same, as Go's do (Podman's `omitempty`).
fn with_zeros(document: &Value) -> Value {
    let zeros = json!({
        "OCIConfigPath": "",
        "State": {"ConmonPid": 0, "CgroupPath": "", "StoppedByUser": false},
        "NetworkSettings": {"Networks": {}},
        "Config": {
            "ExposedPorts": {}, "Timezone": "", "Secrets": [], "HealthcheckOnFailureAction": "",
            "HealthLogDestination": "", "HealthMaxLogCount": 0, "HealthMaxLogSize": 0,
        },
    });
    let mut document = document.clone();
    fill(&mut document, &zeros);
    let mounts = document.get_mut("Mounts").and_then(Value::as_array_mut);
    for mount in mounts.into_iter().flatten() {
        fill(mount, &json!({"Name": "", "Driver": ""}));
    }
    document
}

/// Adds the keys of `zeros` that `document` lacks.
fn fill(document: &mut Value, zeros: &Value) {
    let (Value::Object(document), Value::Object(zeros)) = (document, zeros) else {
        return;
    };
    for (key, zero) in zeros {
        match document.get_mut(key) {
            Some(found) => fill(found, zero),
            None => {
                document.insert(key.clone(), zero.clone());
            }
        }
    }
}

impl Found {
    /// What templates may ask of it.
    fn fields(&self) -> Fields {
        match self {
            Self::Container(_) => CONTAINER,
            Self::Image(_) => image_inspect::FIELDS,
            Self::Volume(_) => volume_inspect::FIELDS,
        }
    }

    fn row(&self) -> Result<gotmpl::Value> {
        match self {
            Self::Container(document) => template::row(&with_zeros(document), Vec::new()),
            Self::Volume(document) => template::row(document, Vec::new()),
            Self::Image(image) => image.row(),
        }
    }
}

pub fn run(args: &InspectArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let kinds = match args.r#type.as_str() {
        "" | "all" => Kinds::All,
        "container" => Kinds::Containers,
        "image" => Kinds::Images,
        "volume" => Kinds::Volumes,
        known @ ("network" | "pod" | "artifact") => {
            return Err(Error::new(
                Kind::Unsupported,
                format!("inspect --type {known} is not available in this version of pod"),
            )
            .into());
        }
        other => {
            return Err(Error::usage(format!(
                "invalid type {other:?}: must be \"image\", \"container\", \"pod\", \"network\", \"volume\", \"artifact\", or \"all\""
            ))
            .into());
        }
    };
    inspect(&args.common, kinds, ctx, out)
}

/// `container inspect`
pub fn run_container(args: &ContainerInspectArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    inspect(&args.common, Kinds::Containers, ctx, out)
}

/// `image inspect`
pub fn images(names: &[String], format: Option<&str>, ctx: &Context, out: &mut Printer) -> Outcome {
    if names.is_empty() {
        return Err(Error::usage("no names or ids specified").into());
    }
    let format = format.filter(|text| !text.is_empty());
    if let Some(text) = format {
        Format::parse(text, image_inspect::FIELDS)?;
    }
    let mut failures = Failures::default();
    let mut found = Vec::new();
    for name in names {
        found.extend(failures.keep(look_up(name, Kinds::Images, false, ctx)));
    }
    print(&found, format, out)?;
    out.flush()?; // what was found stands before the errors
    exit::all(failures)
}

fn inspect(args: &Common, kinds: Kinds, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.latest && !args.names.is_empty() {
        return Err(Error::usage("you cannot provide additional arguments with --latest").into());
    }
    let kind = match kinds {
        Kinds::Images => Some("image"),
        Kinds::Volumes => Some("volume"),
        Kinds::All | Kinds::Containers => None,
    };
    if let Some(kind) = kind.filter(|_| args.latest || args.size) {
        let flag = if args.latest { "latest" } else { "size" };
        return Err(Error::usage(format!("{flag} is not supported for type {kind:?}")).into());
    }
    if !args.latest && args.names.is_empty() {
        return Err(Error::usage("no names or ids specified").into());
    }
    let format = args.format.as_deref().filter(|text| !text.is_empty());
    if let Some(text) = format {
        Format::parse(text, CONTAINER)?;
    }
    let mut failures = Failures::default();
    let mut found = Vec::new();
    if args.latest {
        found.extend(failures.keep(of_container(&ctx.containers()?.latest()?, args.size)));
    }
    for name in &args.names {
        found.extend(failures.keep(look_up(name, kinds, args.size, ctx)));
    }
    print(&found, format, out)?;
    out.flush()?; // what was found stands before the errors
    exit::all(failures)
}

/// Containers come before images of the same name, and those before volumes.
fn look_up(name: &str, kinds: Kinds, size: bool, ctx: &Context) -> Result<Found> {
    if kinds == Kinds::Volumes {
        return volume_inspect::document(name, ctx).map(Found::Volume);
    }
    if kinds != Kinds::Images {
        match ctx.containers()?.find(name) {
            Ok(container) => return of_container(&container, size),
            Err(err) if err.kind() == Kind::NotFound && kinds == Kinds::All => {}
            Err(err) if err.kind() == Kind::NotFound => {
                return Err(Error::new(
                    Kind::NotFound,
                    format!("no such container {name:?}"),
                ));
            }
            Err(err) => return Err(err),
        }
    }
    match image_inspect::document(&ctx.images()?, name) {
        Ok(document) => Ok(Found::Image(Box::new(document))),
        // A text that cannot be an image's name is no object either.
        Err(err) if kinds == Kinds::All && matches!(err.kind(), Kind::NotFound | Kind::Usage) => {
            match volume_inspect::document(name, ctx) {
                Err(err) if err.kind() == Kind::NotFound => Err(Error::new(
                    Kind::NotFound,
                    format!("no such object: {name:?}"),
                )),
                found => found.map(Found::Volume),
            }
        }
        Err(err) => Err(err),
    }
}

fn of_container(container: &Container, size: bool) -> Result<Found> {
    let document = serde_json::to_value(container.inspect(size)?)
        .map_err(std::io::Error::other)
        .tried(|| format!("describe container {}", container.name()))?;
    Ok(Found::Container(document))
}

fn print(found: &[Found], format: Option<&str>, out: &mut Printer) -> Result<()> {
    let Some(text) = format else {
        return print_list(found, out);
    };
    for one in found {
        match Format::parse(text, one.fields())? {
            Format::Json => {
                return print_list(found, out);
            }
            Format::Rows(template) => out.text(&template.render(&[one.row()?], true)?)?,
        }
    }
    Ok(())
}

fn print_list(found: &[Found], out: &mut Printer) -> Result<()> {
    out.line(&json::pretty(&found, json::INSPECT)?)
}
