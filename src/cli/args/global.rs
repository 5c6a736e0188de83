//! Flags that every command takes, before its name or after it. Each is honoured or refused.

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches};

use crate::error::{Error, Kind, Result};

use super::super::exit::Failed;
use super::super::usage;
use super::later::{Later, Takes, refused};

/// The global flags that have an effect.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Directory of images and containers
    #[arg(long, value_name = "DIR", hide = true)]
    pub root: Option<PathBuf>,
    /// Directory of what a running container needs (sockets, locks)
    #[arg(long, value_name = "DIR", hide = true)]
    pub runroot: Option<PathBuf>,
    /// Directory of images, where it is not that of containers
    #[arg(long, value_name = "DIR", hide = true)]
    pub imagestore: Option<PathBuf>,
    /// additionalimagestore=DIR: a read-only store below (can be repeated)
    #[arg(long, value_name = "OPTION", hide = true)]
    pub storage_opt: Vec<String>,
    /// How layers are put together: overlay
    #[arg(long, value_name = "DRIVER", hide = true)]
    storage_driver: Option<String>,
    /// Show messages of this level and above: trace, debug, info, warn, error, fatal, panic
    #[arg(long, value_name = "LEVEL", value_parser = LogLevel::parse, hide = true)]
    log_level: Option<LogLevel>,
    /// Where events are written: file or none
    #[arg(long, value_name = "BACKEND", hide = true)]
    pub events_backend: Option<String>,
    /// Directory of CDI specs (can be repeated)
    #[arg(long, value_name = "DIR", value_delimiter = ',', hide = true)]
    pub cdi_spec_dir: Vec<PathBuf>,
    /// Who makes cgroups: cgroupfs
    #[arg(long, value_name = "MANAGER", hide = true)]
    cgroup_manager: Option<String>,
    #[command(flatten)]
    _refused: RefusedGlobals,
}

/// Of the messages, only warnings exist: below a level they are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    WarningsShown,
    ErrorsOnly,
}

impl LogLevel {
    fn parse(text: &str) -> std::result::Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "trace" | "debug" | "info" | "warn" | "warning" => Ok(Self::WarningsShown),
            "error" | "fatal" | "panic" => Ok(Self::ErrorsOnly),
            _ => Err(
                "it is none of trace, debug, info, warn, warning, error, fatal, panic".to_owned(),
            ),
        }
    }
}

impl GlobalArgs {
    pub fn shows_warnings(&self) -> bool {
        self.log_level != Some(LogLevel::ErrorsOnly)
    }

    fn check(&self) -> Result<()> {
        match self.cgroup_manager.as_deref() {
            None | Some("" | "cgroupfs") => {}
            Some("systemd") => {
                return Err(Error::new(
                    Kind::Unsupported,
                    "use cgroup manager \"systemd\": this version knows cgroupfs only",
                )
                .hint(
                    "leave it out, and run pod below your own service manager to have cgroups: \
                     systemd-run --user --scope -p Delegate=yes pod ...",
                ));
            }
            Some(other) => {
                return Err(Error::usage(format!(
                    "invalid cgroup manager {other:?}: must be cgroupfs or systemd"
                )));
            }
        }
        match self.storage_driver.as_deref() {
            None | Some("" | "overlay") => Ok(()),
            Some(other) => Err(Error::new(
                Kind::Unsupported,
                format!("use storage driver {other:?}: this version knows overlay only"),
            )),
        }
    }
}

const REFUSED: &[Later] = &[
    Later::value("config"),
    Later::value("conmon"),
    Later::unless("connection", &[""]),
    Later::value("hooks-dir"),
    Later::unless("identity", &[""]),
    Later::value("module"),
    Later::value("network-cmd-path"),
    Later::value("network-config-dir"),
    Later::switch("noout"),
    Later::value("out"),
    Later::switch("remote"),
    Later::value("runtime"),
    Later::value("runtime-flag"),
    Later::value("ssh"),
    Later::switch("syslog"),
    Later::value("tls-ca"),
    Later::value("tls-cert"),
    Later::value("tls-key"),
    Later::value("tmpdir"),
    Later::switch("transient-store"),
    Later::unless("url", &[""]),
    Later::value("volumepath"),
];

/// Global flags that take a value and have an effect; [`split`] must know where a value ends.
const VALUES: [&str; 9] = [
    "cdi-spec-dir",
    "cgroup-manager",
    "root",
    "runroot",
    "imagestore",
    "storage-opt",
    "storage-driver",
    "log-level",
    "events-backend",
];

refused! {
    /// Podman's other global flags.
    RefusedGlobals, REFUSED
}

/// Cuts the command line before the command's name.
pub fn split(line: &[String]) -> std::result::Result<(&[String], &[String]), Failed> {
    let mut at = 0;
    while let Some(word) = line.get(at) {
        let Some(flag) = word.strip_prefix("--") else {
            if word == "-r" || word == "-c" || word.starts_with("-c=") {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("flag {word} is not available: pod has no remote mode"),
                )
                .into());
            }
            break;
        };
        let (name, inline) = match flag.split_once('=') {
            Some((name, _)) => (name, true),
            None => (flag, false),
        };
        if matches!(name, "help" | "version") {
            break;
        }
        let refused = REFUSED.iter().find(|refused| refused.long == name);
        let takes_value =
            VALUES.contains(&name) || refused.is_some_and(|flag| flag.takes == Takes::Value);
        if !takes_value && refused.is_none() {
            return Err(usage::unknown_flag(word, "pod"));
        }
        at += 1;
        if takes_value && !inline {
            if line.get(at).is_none() {
                return Err(usage::needs_argument(name));
            }
            at += 1;
        }
    }
    Ok(line.split_at(at))
}

/// Takes the global flags out of what a command matched.
pub fn take(matches: &mut ArgMatches) -> std::result::Result<GlobalArgs, Failed> {
    let globals = GlobalArgs::from_arg_matches_mut(matches).map_err(|err| usage::refused(&err))?;
    globals.check()?;
    Ok(globals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn globals_end_where_the_command_begins() {
        for (line, globals) in [
            ("ps -a", 0),
            ("--root /x ps --root y", 2),
            ("--root=/x --log-level debug run --rm a", 3),
            ("--remote=false ps", 1),
            ("--syslog ps", 1),
            ("--version", 0),
            ("--url u --help", 2),
        ] {
            let line = words(line);
            let (before, _) = split(&line).expect("known flags");
            assert_eq!(before.len(), globals, "{line:?}");
        }
        for line in ["--nope ps", "--root", "-r ps"] {
            assert!(split(&words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn values_flags_and_the_struct_agree() {
        let command = GlobalArgs::augment_args(clap::Command::new("x"));
        for arg in command.get_arguments() {
            let name = arg.get_long().expect("only long flags");
            let known = VALUES.contains(&name) || REFUSED.iter().any(|flag| flag.long == name);
            assert!(known, "{name}");
        }
    }
}
