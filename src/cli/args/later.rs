//! Flags that Podman has and this version does not: known, and refused.
//!
//! A flag that cannot be kept is never accepted and ignored. A value that asks for what happens anyway
//! (`--restart=no`) passes, so that scripts which spell out defaults run.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::super::usage;
use super::{switch, value};

/// One refused flag.
#[derive(Debug)]
pub struct Later {
    pub long: &'static str,
    pub short: Option<char>,
    pub takes: Takes,
    /// Values that change nothing, and pass.
    pub neutral: &'static [&'static str],
    /// Why, or what to do instead; empty: nothing to say.
    pub hint: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Switch,
    Value,
}

impl Later {
    /// A flag with a value, none of which passes.
    pub const fn value(long: &'static str) -> Self {
        Self::unless(long, &[])
    }

    /// A flag with a value; those in `neutral` pass.
    pub const fn unless(long: &'static str, neutral: &'static [&'static str]) -> Self {
        Later {
            long,
            short: None,
            takes: Takes::Value,
            neutral,
            hint: "",
        }
    }

    /// A switch; `--flag=false` passes.
    pub const fn switch(long: &'static str) -> Self {
        Later {
            long,
            short: None,
            takes: Takes::Switch,
            neutral: &[],
            hint: "",
        }
    }

    /// A switch that never changes anything.
    pub const fn harmless(long: &'static str) -> Self {
        let mut flag = Self::switch(long);
        flag.neutral = &["true", "false"];
        flag
    }

    /// Says why it is refused, or what to do instead.
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    pub const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }
}

/// Makes `flags` known to `command`, out of sight of its help.
pub fn add(mut command: Command, flags: &'static [Later]) -> Command {
    for flag in flags {
        let mut arg = Arg::new(flag.long).long(flag.long).hide(true);
        if let Some(letter) = flag.short {
            arg = arg.short(letter);
        }
        command = command.arg(match flag.takes {
            Takes::Switch => switch(arg),
            Takes::Value => arg.action(ArgAction::Append).value_parser(value::text),
        });
    }
    command
}

/// Refuses the first of `flags` that asks for something.
pub fn check(matches: &ArgMatches, flags: &'static [Later]) -> Result<(), clap::Error> {
    for flag in flags {
        let long = flag.long;
        let asked = match flag.takes {
            Takes::Switch => {
                let on = matches.get_one::<bool>(long).copied().unwrap_or(false);
                let neutral = flag.neutral.contains(&"true");
                (on && !neutral).then(|| format!("--{long}"))
            }
            Takes::Value => matches.get_many::<String>(long).and_then(|mut given| {
                let value = given.find(|v| !flag.neutral.contains(&v.as_str()))?;
                // Where a word passes, it is this word that does not.
                let word = flag
                    .neutral
                    .iter()
                    .any(|v| v.parse::<f64>().is_err() && !v.is_empty());
                Some(match word {
                    true => format!("--{long}={value}"),
                    false => format!("--{long}"),
                })
            }),
        };
        if let Some(asked) = asked {
            let message = format!("flag {asked} is not available in this version of pod");
            return Err(usage::refuse(message, flag.hint));
        }
    }
    Ok(())
}

/// Makes a type for `#[command(flatten)]` out of a table of refused flags.
macro_rules! refused {
    ($(#[$doc:meta])* $name:ident, $flags:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;

        impl $name {
            const FLAGS: &'static [$crate::cli::args::later::Later] = $flags;
        }

        impl clap::Args for $name {
            fn augment_args(command: clap::Command) -> clap::Command {
                $crate::cli::args::later::add(command, Self::FLAGS)
            }

            fn augment_args_for_update(command: clap::Command) -> clap::Command {
                Self::augment_args(command)
            }
        }

        impl clap::FromArgMatches for $name {
            fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
                $crate::cli::args::later::check(matches, Self::FLAGS)?;
                Ok($name)
            }

            fn update_from_arg_matches(
                &mut self,
                matches: &clap::ArgMatches,
            ) -> Result<(), clap::Error> {
                $crate::cli::args::later::check(matches, Self::FLAGS)
            }
        }
    };
}

pub(crate) use refused;
