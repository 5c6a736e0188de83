//! `version`: the program's version, in Podman's layout.

use gotmpl::Value as Data;

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::template::{self, Fields, Format};
use crate::cli::output::{Printer, json};
use crate::cli::usage;

use super::info::tree::Node;

#[derive(Debug, clap::Args)]
pub struct VersionArgs {
    /// Go template, or json
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    #[arg(hide = true, value_name = "ARG")]
    rest: Vec<String>,
}

const FIELDS: Fields = Fields {
    command: "version",
    of: "struct { Client *define.Version; Server *define.Version }",
    maps: &[],
    headers: &[],
};

/// The release of Podman whose command line, output and exit statuses are followed.
pub const API: &str = "5.8.6";

pub fn run(args: &VersionArgs, _ctx: &Context, out: &mut Printer) -> Outcome {
    usage::none(&args.rest, "version")?;
    let document = Node::Map(vec![
        ("Client", "Client", fields()),
        // Docker's scripts ask for it: nobody else serves, so it is the same program.
        ("Server", "Server", fields()),
    ]);
    match args.format.as_deref().filter(|text| !text.is_empty()) {
        None => out.text(&text())?,
        Some(format) => match Format::parse(format, FIELDS)? {
            Format::Json => {
                let client = Node::Map(vec![("Client", "Client", fields())]);
                out.line(&json::compact(&client.go())?)?;
            }
            Format::Rows(rows) => {
                let row: Data = template::row(&document.go(), Vec::new())?;
                // As Podman: `{{.Version}}`, from the time when there was no Client.
                let text = rows.render(&[row], true).or_else(|err| {
                    let client: Data = template::row(&fields().go(), Vec::new())?;
                    rows.render(&[client], true).map_err(|_| err)
                })?;
                out.text(&text)?;
            }
        },
    }
    Ok(Status::SUCCESS)
}

fn text() -> String {
    let line = |name: &str, value: &str| format!("{name:<14}{value}\n");
    let mut text = line("Client:", "pod");
    text.push_str(&line("Version:", env!("CARGO_PKG_VERSION")));
    text.push_str(&line("API Version:", API));
    text.push_str(&line("OS/Arch:", &os_arch()));
    text
}

/// `linux/amd64`, as Go names it.
pub fn os_arch() -> String {
    format!("linux/{}", arch())
}

pub fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        "x86" => "386",
        other => other,
    }
}

/// Podman's fields; what has no meaning for a Rust program is empty.
pub fn fields() -> Node {
    let text = |text: &str| Node::from(text);
    Node::Map(vec![
        ("APIVersion", "APIVersion", text(API)),
        ("Version", "Version", text(env!("CARGO_PKG_VERSION"))),
        ("GoVersion", "GoVersion", text("")),
        (
            "GitCommit",
            "GitCommit",
            text(option_env!("POD_GIT_COMMIT").unwrap_or("")),
        ),
        ("BuiltTime", "BuiltTime", text("")),
        ("Built", "Built", Node::from(0i64)),
        ("BuildOrigin", "BuildOrigin", text("")),
        ("OsArch", "OsArch", text(&os_arch())),
        ("Os", "Os", text("linux")),
    ])
}
