//! `secret inspect`: what is known of secrets, with Podman's keys.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::{self, Outcome};
use crate::cli::output::template::{self, Fields, Format, Rows};
use crate::cli::output::{Printer, json};
use crate::error::{Error, Failures, Result};
use crate::secret::{DRIVER, Secret, Secrets};

use super::secrets;

#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// Go template, or json
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Print for people
    #[arg(long)]
    pretty: bool,
    /// Show the secret itself too
    #[arg(long)]
    showsecret: bool,
    /// Secrets, by name or id
    #[arg(value_name = "SECRET")]
    names: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "inspect",
    of: "entities.SecretInfoReport",
    maps: &["Spec.Labels", "Spec.Driver.Options"],
    headers: &[],
};

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(rename = "ID")]
    id: String,
    created_at: String,
    updated_at: String,
    spec: Spec,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_data: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Spec {
    name: String,
    driver: Driver,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Driver {
    name: &'static str,
    options: BTreeMap<String, String>,
}

impl Document {
    fn new(secret: Secret, data: Option<Vec<u8>>, secrets: &Secrets) -> Self {
        let mut options = secret.options;
        options
            .entry("path".to_owned())
            .or_insert_with(|| secrets.dir().display().to_string());
        Self {
            id: secret.id,
            created_at: secret.created,
            updated_at: secret.updated,
            spec: Spec {
                name: secret.name,
                driver: Driver {
                    name: DRIVER,
                    options,
                },
                labels: secret.labels,
            },
            secret_data: data.map(|data| String::from_utf8_lossy(&data).into_owned()),
        }
    }

    fn pretty(&self) -> String {
        let spec = &self.spec;
        let mut lines = vec![
            format!("ID:              {}", self.id),
            format!("Name:            {}", spec.name),
        ];
        if !spec.labels.is_empty() {
            lines.push("Labels:".to_owned());
        }
        lines.extend(spec.labels.iter().map(|(key, value)| match &value[..] {
            "" => format!(" - {key}"),
            value => format!(" - {key}={value}"),
        }));
        lines.push(format!("Driver:          {}", spec.driver.name));
        lines.push(format!("Created at:      {}", self.created_at));
        lines.push(format!("Updated at:      {}", self.updated_at));
        lines.join("\n")
    }
}

pub fn run_inspect(args: &InspectArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    if args.names.is_empty() {
        return Err(Error::usage("requires at least 1 arg(s), only received 0").into());
    }
    let format = match &args.format {
        Some(text) => Format::parse(text, FIELDS)?,
        None => Format::Json,
    };
    let secrets = secrets(ctx)?;
    let mut failures = Failures::default();
    let mut found = Vec::new();
    for name in &args.names {
        let looked = match args.showsecret {
            true => secrets
                .read(name)
                .map(|(secret, data)| (secret, Some(data))),
            false => secrets.find(name).map(|secret| (secret, None)),
        };
        if let Some((secret, data)) =
            failures.keep(looked.map_err(|err| err.context("inspecting secret")))
        {
            found.push(Document::new(secret, data, &secrets));
        }
    }
    match format {
        _ if args.pretty => {
            for document in &found {
                out.line(&document.pretty())?;
            }
        }
        Format::Json => out.line(&json::pretty(&found, json::IMAGES)?)?,
        Format::Rows(template) => rows(&template, &found, out)?,
    }
    out.flush()?; // what was found stands before the errors
    exit::all(failures)
}

fn rows(template: &Rows, found: &[Document], out: &mut Printer) -> Result<()> {
    let values = found
        .iter()
        .map(|document| {
            let data = document.secret_data.clone().unwrap_or_default();
            template::row(
                document,
                vec![("SecretData", gotmpl::Value::String(data.into()))],
            )
        })
        .collect::<Result<Vec<_>>>()?;
    out.text(&template.render(&values, true)?)
}
