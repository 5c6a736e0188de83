//! `image inspect`: an image as one JSON document, with Podman's keys.

use serde_json::{Map, Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{Failed, Outcome, Status};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, json};
use crate::error::{Error, Result};
use crate::image::{Images, Summary};

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

pub fn run(args: &ImageInspectArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.is_empty() {
        return Err(Error::usage("no names or ids specified").into());
    }
    let format = args
        .format
        .as_deref()
        .filter(|text| !text.is_empty())
        .map(|text| Format::parse(text, FIELDS))
        .transpose()?;
    let images = ctx.images()?;
    let mut documents = Vec::new();
    let mut failed: Option<Error> = None;
    for name in &args.names {
        match document(&images, name) {
            Ok(found) => documents.push(found),
            Err(err) => failed = failed.or(Some(err.context("inspecting object"))),
        }
    }
    print(documents, format, out)?;
    match failed {
        None => Ok(Status::SUCCESS),
        Some(err) => {
            out.flush()?; // what was found stands before the error
            Err(err.into())
        }
    }
}

/// Prints documents of `inspect`, as one list or through a template.
fn print(documents: Vec<Value>, format: Option<Format>, out: &mut Printer) -> Result<(), Failed> {
    match format {
        None | Some(Format::Json) => out.line(&json::pretty(&documents, json::INSPECT)?)?,
        Some(Format::Rows(template)) => {
            let rows = documents
                .iter()
                .map(|document| template::row(document, Vec::new()))
                .collect::<Result<Vec<_>>>()?;
            out.text(&template.render(&rows, true)?)?;
        }
    }
    Ok(())
}

/// Everything known of an image.
pub fn document(images: &Images<'_>, name: &str) -> Result<Value> {
    let summary = images.summary(name)?;
    let raw = images.config_json(&summary.id)?;
    let annotations = match summary.manifest_type.is_empty() {
        true => Value::Null,
        false => images.manifest_json(&summary.digest)?["annotations"].take(),
    };
    let text = |key: &str| raw[key].as_str().unwrap_or_default().to_owned();
    let history = raw["history"].as_array().cloned().unwrap_or_default();
    let comment = history
        .last()
        .and_then(|last| last["comment"].as_str())
        .unwrap_or_default();
    let config = config_of(&raw["config"]);
    let or_empty = |value: Value| if value.is_null() { json!({}) } else { value };
    Ok(without_empty(json!({
        "Id": summary.id.hex(),
        "Digest": summary.digest.to_string(),
        "RepoTags": summary.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "RepoDigests": summary.repo_digests,
        "Parent": "",
        "Comment": comment,
        "Created": summary.created,
        "Labels": raw["config"]["Labels"],
        "User": raw["config"]["User"].as_str().unwrap_or_default(),
        "Config": config,
        "Version": text("docker_version"),
        "Author": text("author"),
        "Architecture": text("architecture"),
        "Variant": text("variant"),
        "Os": text("os"),
        "Size": summary.size,
        "VirtualSize": summary.size,
        "GraphDriver": {"Name": "overlay", "Data": graph_driver(images, &summary)?},
        "RootFS": {"Type": "layers", "Layers": images.diff_ids(&summary.id)?},
        "Annotations": or_empty(annotations),
        "ManifestType": summary.manifest_type,
        "History": history,
        "NamesHistory": summary.history,
        "Healthcheck": raw["config"]["Healthcheck"],
    })))
}

/// Podman leaves these out when they say nothing.
fn without_empty(mut document: Value) -> Value {
    if let Some(map) = document.as_object_mut() {
        for key in ["Variant", "Healthcheck"] {
            if map
                .get(key)
                .is_some_and(|value| value.is_null() || value == "")
            {
                map.remove(key);
            }
        }
    }
    document
}

/// The image's settings without those that are not set.
fn config_of(raw: &Value) -> Value {
    const KEYS: [&str; 12] = [
        "User",
        "ExposedPorts",
        "Env",
        "Entrypoint",
        "Cmd",
        "Volumes",
        "WorkingDir",
        "Labels",
        "StopSignal",
        "Healthcheck",
        "OnBuild",
        "Shell",
    ];
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let mut config = Map::new();
    for key in KEYS {
        if let Some(value) = raw.get(key)
            && !empty(value)
        {
            config.insert(key.into(), value.clone());
        }
    }
    Value::Object(config)
}

fn graph_driver(images: &Images<'_>, summary: &Summary) -> Result<Value> {
    let paths = images.layer_paths(&summary.id)?;
    let shown: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let Some((upper, lower)) = shown.split_first() else {
        return Ok(json!({}));
    };
    let mut data = Map::new();
    if !lower.is_empty() {
        data.insert("LowerDir".into(), lower.join(":").into());
    }
    data.insert("UpperDir".into(), upper.as_str().into());
    Ok(Value::Object(data))
}
