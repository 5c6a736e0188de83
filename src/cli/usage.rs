//! Mistakes on the command line, in Podman's words (which are pflag's and cobra's).

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::error::{Error, Kind};

use super::exit::Failed;

/// The command line as text, without the program's name.
pub fn words(argv: &[OsString]) -> Result<Vec<String>, Error> {
    argv.iter()
        .skip(1)
        .map(|word| match word.to_str() {
            Some(word) => Ok(word.to_owned()),
            None => Err(Error::usage(format!(
                "read argument {word:?}: it is not valid UTF-8"
            ))),
        })
        .collect()
}

pub fn missing_command(path: &str) -> Error {
    Error::usage(format!("missing command '{path} COMMAND'"))
}

/// `--nope`, `-Z`, or a cluster such as `-iZt`.
pub fn unknown_flag(word: &str, path: &str) -> Failed {
    let text = match word.strip_prefix("--") {
        Some(name) => format!("unknown flag: --{}", name.split('=').next().unwrap_or(name)),
        None => {
            let letter = word.chars().nth(1).unwrap_or('-');
            format!("unknown shorthand flag: '{letter}' in {word}")
        }
    };
    see_help(Error::usage(text), path)
}

/// A global flag at the end of the line that lacks its value.
pub fn needs_argument(name: &str) -> Failed {
    see_help(
        Error::usage(format!("flag needs an argument: --{name}")),
        "pod",
    )
}

fn see_help(err: Error, path: &str) -> Failed {
    let program = if path == "pod" {
        path.to_owned()
    } else {
        format!("pod {path}")
    };
    Failed::from(err).note(format!("See '{program} --help'"))
}

/// Words clap's error as Podman does.
pub fn explain(err: &clap::Error, command: &clap::Command, path: &str, argv: &[String]) -> Failed {
    let text = |kind| match err.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let flag = text(ContextKind::InvalidArg);
    match err.kind() {
        ErrorKind::UnknownArgument if flag.starts_with("--") => unknown_flag(&flag, path),
        ErrorKind::UnknownArgument if flag.starts_with('-') => {
            unknown_flag(&cluster(&flag, argv), path)
        }
        ErrorKind::UnknownArgument => {
            Error::usage(format!("`pod {path}` takes no argument {flag:?}")).into()
        }
        ErrorKind::InvalidValue
        | ErrorKind::ValueValidation
        | ErrorKind::NoEquals
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues => {
            let value = text(ContextKind::InvalidValue);
            bad_value(err, command, path, argv, &flag, &value)
        }
        _ => {
            let message = err.to_string();
            let first = message.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            see_help(Error::usage(first), path)
        }
    }
}

fn bad_value(
    err: &clap::Error,
    command: &clap::Command,
    path: &str,
    argv: &[String],
    shown: &str,
    value: &str,
) -> Failed {
    let arg = command.get_arguments().find(|arg| arg.to_string() == shown);
    let long = arg.and_then(clap::Arg::get_long);
    let short = arg.and_then(clap::Arg::get_short);
    let source = std::error::Error::source(err);
    if source.is_none() && value.is_empty() {
        // pflag names the flag as it was typed: only the last word can lack its value.
        let last = argv.last().map_or("", String::as_str);
        let text = match (long, short) {
            (_, Some(short)) if !last.starts_with("--") => {
                format!("flag needs an argument: '{short}' in {last}")
            }
            (Some(long), _) => format!("flag needs an argument: --{long}"),
            _ => format!("flag needs an argument: {shown}"),
        };
        return see_help(Error::usage(text), path);
    }
    let name = match (short, long) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        _ => shown.to_owned(),
    };
    let why = source.map_or_else(String::new, |source| format!(": {source}"));
    see_help(
        Error::usage(format!("invalid argument {value:?} for {name:?} flag{why}")),
        path,
    )
}

/// The word of argv that holds the unknown letter.
fn cluster(flag: &str, argv: &[String]) -> String {
    let letter = flag.chars().nth(1).unwrap_or('-');
    argv.iter()
        .take_while(|word| *word != "--")
        .find(|word| word.starts_with('-') && !word.starts_with("--") && word.contains(letter))
        .and_then(|word| word.find(letter).map(|at| format!("-{}", &word[at..])))
        .unwrap_or_else(|| flag.to_owned())
}

/// The only operand of a command that takes exactly one.
pub fn exactly_one(operands: &[String]) -> Result<&String, Error> {
    match operands {
        [one] => Ok(one),
        _ => Err(Error::usage(format!(
            "accepts 1 arg(s), received {}",
            operands.len()
        ))),
    }
}

/// Refuses fewer operands than a command needs.
pub fn at_least(least: usize, operands: &[String]) -> Result<(), Error> {
    match operands.len() {
        enough if enough >= least => Ok(()),
        given => Err(Error::usage(format!(
            "requires at least {least} arg(s), only received {given}"
        ))),
    }
}

/// Refuses operands of a command that takes none.
pub fn none(operands: &[String], path: &str) -> Result<(), Error> {
    match operands {
        [] => Ok(()),
        _ => Err(Error::usage(format!("`pod {path}` takes no arguments"))),
    }
}

/// Width of help texts: the terminal's, within reason.
pub fn columns() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or(100, |size| usize::from(size.ws_col).clamp(60, 120))
}

/// A refusal made while flags became values; its text is the message, and behind a line break the remedy.
pub fn refuse(message: String, hint: &str) -> clap::Error {
    let text = match hint {
        "" => message,
        hint => format!("{message}\n{hint}"),
    };
    clap::Error::raw(ErrorKind::ValueValidation, text)
}

/// The failure that [`refuse`] carried out of clap.
pub fn refused(err: &clap::Error) -> Failed {
    let message = err.to_string();
    let text = message
        .strip_prefix("error: ")
        .unwrap_or(&message)
        .trim_end();
    match text.split_once('\n') {
        Some((text, hint)) => Error::new(Kind::Unsupported, text).hint(hint).into(),
        None => Error::new(Kind::Unsupported, text).into(),
    }
}
