//! `image inspect`: an image as one JSON document, with Podman's keys in Podman's order.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value as Cell;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cli::context::Context;
use crate::cli::exit::Outcome;
use crate::cli::output::Printer;
use crate::cli::output::template::{self, Fields};
use crate::error::{Error, Kind, Result};
use crate::image::{Family, Images, Step, Summary};

use super::inspect;

#[derive(Debug, clap::Args)]
pub struct ImageInspectArgs {
    /// Go template, or json
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Images, by name, digest or id
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

pub const FIELDS: Fields = Fields {
    command: "inspect",
    of: "*inspect.ImageData",
    maps: &[
        "Labels",
        "Annotations",
        "Config.Labels",
        "Config.ExposedPorts",
        "Config.Volumes",
        "GraphDriver.Data",
    ],
    headers: &[],
};

/// One image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageData {
    id: String,
    digest: String,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
    parent: String,
    comment: String,
    created: Option<String>,
    config: ImageConfig,
    version: String,
    author: String,
    architecture: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    os: String,
    size: u64,
    virtual_size: u64,
    graph_driver: GraphDriver,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
    labels: Option<BTreeMap<String, String>>,
    annotations: Value,
    manifest_type: String,
    user: String,
    history: Vec<Step>,
    names_history: Vec<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    healthcheck: Value,
}

/// The image's settings; those that say nothing are left out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ImageConfig {
    #[serde(skip_serializing_if = "nothing")]
    user: Value,
    #[serde(skip_serializing_if = "nothing")]
    exposed_ports: Value,
    #[serde(skip_serializing_if = "nothing")]
    env: Value,
    #[serde(skip_serializing_if = "nothing")]
    entrypoint: Value,
    #[serde(skip_serializing_if = "nothing")]
    cmd: Value,
    #[serde(skip_serializing_if = "nothing")]
    volumes: Value,
    #[serde(skip_serializing_if = "nothing")]
    working_dir: Value,
    #[serde(skip_serializing_if = "nothing")]
    labels: Value,
    #[serde(skip_serializing_if = "nothing")]
    stop_signal: Value,
    // Not of the OCI format, and kept by it all the same.
    #[serde(skip_serializing_if = "nothing")]
    healthcheck: Value,
    #[serde(skip_serializing_if = "nothing")]
    on_build: Value,
    #[serde(skip_serializing_if = "nothing")]
    shell: Value,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    name: &'static str,
    data: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    r#type: &'static str,
    layers: Vec<String>,
}

pub fn run(args: &ImageInspectArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    inspect::images(&args.names, args.format.as_deref(), ctx, out)
}

/// Everything known of an image.
pub fn document(images: &Images<'_>, name: &str) -> Result<ImageData> {
    let image = images.image_summary(name)?;
    let raw = images.config_json(&image.id)?;
    let annotations = match image.manifest_type.is_empty() {
        true => Value::Null,
        false => images.manifest_json(&image.digest)?["annotations"].take(),
    };
    let family = Family::new(*images, &images.list()?);
    let parent = family
        .parent(&image.id)
        .map_or(String::new(), |id| id.hex());
    let history = family.history(&image.id).unwrap_or_default().to_vec();
    let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
    // Docker's format has a comment of its own.
    let comment = match image.manifest_type.contains("docker") {
        true => text("comment"),
        false => history
            .first()
            .and_then(|first| first.comment.clone())
            .unwrap_or_default(),
    };
    let config: ImageConfig = match &raw["config"] {
        Value::Null => ImageConfig::default(),
        config => serde_json::from_value(config.clone()).map_err(|err| {
            Error::new(
                Kind::Corrupt,
                format!("read the config of image {}: {err}", image.id.hex()),
            )
        })?,
    };
    Ok(ImageData {
        id: image.id.hex(),
        digest: image.digest.to_string(),
        repo_tags: image.names.iter().map(ToString::to_string).collect(),
        repo_digests: image.repo_digests.clone(),
        parent,
        comment,
        created: Some(image.created.clone()).filter(|time| !time.is_empty()),
        version: text("docker_version"),
        author: text("author"),
        architecture: text("architecture"),
        variant: Some(text("variant")).filter(|variant| !variant.is_empty()),
        os: text("os"),
        size: image.size,
        virtual_size: image.size,
        graph_driver: GraphDriver {
            name: "overlay",
            data: graph_driver(images, &image),
        },
        root_fs: RootFs {
            r#type: "layers",
            layers: image.diff_ids.iter().map(ToString::to_string).collect(),
        },
        labels: serde_json::from_value(raw["config"]["Labels"].clone()).unwrap_or_default(),
        annotations: match annotations {
            Value::Null => Value::Object(Map::new()),
            some => some,
        },
        manifest_type: image.manifest_type.clone(),
        user: raw["config"]["User"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
        history,
        names_history: image.history.clone(),
        healthcheck: config.healthcheck.clone(),
        config,
    })
}

impl ImageData {
    /// The document for templates, which know some keys by Go's names too.
    pub fn row(&self) -> Result<Cell> {
        let text = |text: &str| Cell::String(Arc::from(text));
        let health = gotmpl::to_value(&self.healthcheck).unwrap_or(Cell::Nil);
        let step = |step: &Step| {
            let some = |part: &Option<String>| text(part.as_deref().unwrap_or_default());
            let fields = vec![
                ("Created", some(&step.created)),
                ("CreatedBy", some(&step.created_by)),
                ("Author", some(&step.author)),
                ("Comment", some(&step.comment)),
                ("EmptyLayer", Cell::Bool(step.is_empty_layer())),
            ];
            template::row(step, fields)
        };
        let history: Vec<Cell> = self.history.iter().map(step).collect::<Result<_>>()?;
        template::row(
            self,
            vec![
                ("ID", text(&self.id)),
                ("HealthCheck", health),
                ("History", Cell::List(history.into())),
            ],
        )
    }
}

fn nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn graph_driver(images: &Images<'_>, image: &Summary) -> Map<String, Value> {
    let paths = images.layer_paths(image);
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut data = Map::new();
    if let Some((upper, lower)) = shown.split_first() {
        if !lower.is_empty() {
            data.insert("LowerDir".into(), lower.join(":").into());
        }
        data.insert("UpperDir".into(), upper.as_str().into());
    }
    data
}
