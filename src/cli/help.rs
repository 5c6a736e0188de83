//! Help: `pod --help` in groups, each parent's list, and the shape of a command's own help.

use clap::Command;

use crate::error::Result;

use super::commands::{self, COMMANDS, Entry, Group, Lookup, PARENTS};
use super::exit::{Outcome, Status};
use super::output::Printer;
use super::usage;

const GROUPS: &[(Group, &str)] = &[
    (Group::Run, "Run containers"),
    (Group::Look, "Look at containers"),
    (Group::Images, "Images"),
    (Group::System, "This host and this program"),
];

const GLOBALS: &str = "\
Options before or after a command:
      --root DIR             Directory of images and containers
      --runroot DIR          Directory of what running containers need
      --imagestore DIR       Directory of images, if not that of containers
      --storage-opt OPTION   additionalimagestore=DIR: a read-only store below
      --log-level LEVEL      Show messages of this level and above (default warn)
      --storage-driver NAME  How layers are put together: overlay
  -v, --version              Print the version
      --help                 Print help, for a command or for pod itself
";

const TEMPLATE: &str = "{about}\n\nUsage: {usage}\n\n{all-args}\n";

/// `pod --help`.
pub fn overview(out: &mut Printer) -> Result<()> {
    out.line("Run containers and manage images, without privileges and without a daemon\n")?;
    out.line("Usage: pod [OPTIONS] COMMAND")?;
    for (group, title) in GROUPS {
        let rows: Vec<_> = COMMANDS
            .iter()
            .filter(|entry| entry.group == *group)
            .map(|entry| (entry.paths[0], entry.about))
            .collect();
        list(title, &rows, out)?;
    }
    let parents: Vec<_> = PARENTS.to_vec();
    list(
        "Long forms (\"pod container ls\" is \"pod ps\")",
        &parents,
        out,
    )?;
    out.line("")?;
    out.text(GLOBALS)?;
    out.line("\nMore: pod COMMAND --help, man pod-COMMAND")
}

fn list(title: &str, rows: &[(&str, &str)], out: &mut Printer) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    out.line(&format!("\n{title}:"))?;
    for (name, about) in rows {
        out.line(&format!("  {name:<10} {about}"))?;
    }
    Ok(())
}

/// `pod container --help`.
pub fn group(parent: &str, out: &mut Printer) -> Result<()> {
    let about = PARENTS
        .iter()
        .find(|(name, _)| *name == parent)
        .map_or("", |(_, about)| about);
    out.line(&format!("{about}\n\nUsage: pod {parent} COMMAND"))?;
    let mut rows: Vec<(&str, &str)> = COMMANDS
        .iter()
        .filter(|entry| entry.group != Group::Hidden)
        .flat_map(|entry| entry.paths.iter().map(move |path| (*path, entry.about)))
        .filter_map(|(path, about)| {
            let (of, name) = path.split_once(' ')?;
            (of == parent).then_some((name, about))
        })
        .collect();
    rows.sort_unstable();
    list("Commands", &rows, out)
}

/// `pod help run`.
pub fn of_words(words: &[String], out: &mut Printer) -> Outcome {
    if words.is_empty() {
        overview(out)?;
        return Ok(Status::SUCCESS);
    }
    match commands::lookup(words) {
        Lookup::Found { entry, path, .. } => {
            out.text(&of_entry(entry, &path))?;
            Ok(Status::SUCCESS)
        }
        Lookup::Group(parent, _) => {
            group(parent, out)?;
            Ok(Status::SUCCESS)
        }
        Lookup::Unknown(err) => Err(err),
    }
}

/// `pod COMMAND --help`.
pub fn of_entry(entry: &Entry, path: &str) -> String {
    let command = commands::define(entry, Command::new("pod"))
        // The usage line names the operands.
        .mut_args(|arg| {
            if arg.is_positional() {
                arg.hide(true)
            } else {
                arg
            }
        });
    dress(command, entry, path).render_help().to_string()
}

/// Gives a command's parser its help texts.
pub fn dress(command: Command, entry: &Entry, path: &str) -> Command {
    let usage = format!("pod {path} [OPTIONS] {}", entry.operands);
    with_flag(command)
        .override_usage(usage.trim_end().to_owned())
        .help_template(TEMPLATE)
        .term_width(usage::columns())
}

/// Adds `--help`; `-h` too unless the command uses the letter itself.
pub fn with_flag(command: Command) -> Command {
    let letter_taken = command
        .get_arguments()
        .any(|arg| arg.get_short() == Some('h'));
    let help = clap::Arg::new("help")
        .long("help")
        .help("Print help")
        .help_heading("Options")
        .action(clap::ArgAction::Help);
    command
        .disable_help_flag(true)
        .arg(if letter_taken { help } else { help.short('h') })
}
