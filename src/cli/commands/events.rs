//! `events`: what happened, and what happens.

use std::collections::BTreeMap;

use gotmpl::Value;
use serde::Serialize;

use crate::cli::args::value;
use crate::cli::context::Context;
use crate::cli::event_filter::Filters;
use crate::cli::exit::{Outcome, Status};
use crate::cli::filter::{moment, moment_ahead};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, escape, json};
use crate::cli::usage;
use crate::container::clock;
use crate::container::events::{Action, Event, Query, Type};
use crate::error::Result;

#[derive(Debug, clap::Args)]
pub struct EventsArgs {
    /// Show only what matches (can be repeated): container, event, image, label, network, pod, secret, type, volume
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// Go template, or json
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show whole ids (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    no_trunc: Option<bool>,
    /// Show what happened after: a time, or how long ago (10m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Go on with what happens (default true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = value::boolean)]
    stream: Option<bool>,
    /// Stop at: a time, or how long from now
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[arg(hide = true)]
    operands: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "events",
    of: "system.Event",
    maps: &["Attributes"],
    headers: &[],
};

/// An event as `--format json` and templates have it.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "ContainerExitCode", skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(rename = "ID", skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(rename = "Image", skip_serializing_if = "str::is_empty")]
    image: &'a str,
    #[serde(rename = "Name", skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    network: &'a str,
    #[serde(rename = "Status")]
    status: Action,
    time: i64,
    #[serde(rename = "timeNano")]
    time_nano: i64,
    #[serde(rename = "Type")]
    kind: Type,
    #[serde(skip_serializing_if = "str::is_empty")]
    health_status: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
    #[serde(rename = "PodID", skip_serializing_if = "str::is_empty")]
    pod_id: &'a str,
    #[serde(rename = "Attributes")]
    attributes: &'a Option<BTreeMap<String, String>>,
}

pub fn run(args: &EventsArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.operands, "events")?;
    let format = match args.format.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(Format::parse(text, FIELDS)?),
        None => None,
    };
    let filters = Filters::parse(&args.filter)?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let query = Query {
        since: given(&args.since).as_deref().map(moment).transpose()?,
        until: given(&args.until)
            .as_deref()
            .map(moment_ahead)
            .transpose()?,
        follow: args.stream.unwrap_or(true),
        admit: &|event| filters.admit(event),
    };
    let whole = args.no_trunc.unwrap_or(true);
    ctx.containers()?.events(&query, &mut |event| {
        match &format {
            None => out.line(&text_of(event, whole))?,
            Some(Format::Json) => out.line(&json::compact(&document(event))?)?,
            Some(Format::Rows(rows)) => out.text(&rows.render(&[row(event)?], false)?)?,
        }
        if query.follow {
            out.flush()?;
        }
        Ok(())
    })?;
    Ok(Status::SUCCESS)
}

fn document(event: &Event) -> Document<'_> {
    let time = stamp(event).unwrap_or_default();
    Document {
        exit_code: event.exit_code,
        id: &event.id,
        image: &event.image,
        name: &event.name,
        network: &event.network,
        status: event.action,
        time: time.as_second(),
        time_nano: i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX),
        kind: event.kind,
        health_status: &event.health_status,
        error: &event.error,
        pod_id: &event.pod_id,
        attributes: &event.attributes,
    }
}

/// Every field, also those that the document leaves out.
fn row(event: &Event) -> Result<Value> {
    let text = |text: &str| Value::String(text.into());
    let time = stamp(event).unwrap_or_default();
    let nanos = i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
    let code = match event.exit_code {
        Some(code) => Value::Int(code.into()),
        None => text("<nil>"),
    };
    template::row(
        &document(event),
        vec![
            ("ContainerExitCode", code),
            ("ContainerInspectData", text("")),
            ("Error", text(&event.error)),
            ("HealthStatus", text(&event.health_status)),
            ("ID", text(&event.id)),
            ("Image", text(&event.image)),
            ("Name", text(&event.name)),
            ("Network", text(&event.network)),
            ("PodID", text(&event.pod_id)),
            ("Time", Value::Int(time.as_second())),
            ("TimeNano", Value::Int(nanos)),
        ],
    )
}

fn stamp(event: &Event) -> Option<jiff::Timestamp> {
    clock::parse(&event.time)?.try_into().ok()
}

/// The line that Podman prints for one event.
fn text_of(event: &Event, whole: bool) -> String {
    let id = match whole {
        true => event.id.as_str(),
        false => event.id.get(..12).unwrap_or(&event.id),
    };
    let begin = format!(
        "{} {} {}",
        time_of(event),
        event.kind.word(),
        event.action.word()
    );
    let line = match event.kind {
        Type::Container | Type::Pod => {
            let mut text = format!("{begin} {id} (image={}, name={}", event.image, event.name);
            if !event.pod_id.is_empty() {
                text += &format!(", pod_id={}", event.pod_id);
            }
            if !event.health_status.is_empty() {
                text += &format!(
                    ", health_status={}, health_failing_streak={}, health_log={}",
                    event.health_status, event.health_failing_streak, event.health_log
                );
            }
            for (key, value) in event.attributes.iter().flatten() {
                text += &format!(", {key}={value}");
            }
            text + ")"
        }
        Type::Image | Type::Artifact if event.error.is_empty() => {
            format!("{begin} {id} {}", event.name)
        }
        Type::Image | Type::Artifact => format!("{begin} {id} {} {}", event.name, event.error),
        Type::Network => format!("{begin} {id} (container={id}, name={})", event.network),
        Type::System if event.name.is_empty() => begin,
        Type::System | Type::Volume | Type::Machine => format!("{begin} {}", event.name),
        Type::Secret => format!("{begin} {id}"),
    };
    escape::line(&line).into_owned()
}

/// As Go prints a time: `2026-11-21 01:36:30.06 +0000 UTC`.
fn time_of(event: &Event) -> String {
    let Some(stamp) = stamp(event) else {
        return event.time.clone();
    };
    let zoned = stamp.to_zoned(jiff::tz::TimeZone::system());
    let nanos = format!(".{:09}", zoned.subsec_nanosecond());
    format!(
        "{}{} {}",
        zoned.strftime("%Y-%m-%d %H:%M:%S"),
        nanos.trim_end_matches('0').trim_end_matches('.'),
        zoned.strftime("%z %Z")
    )
}
