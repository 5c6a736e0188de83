//! Flags that Podman has and this version does not: known, and refused.
//!
//! A flag that cannot be kept is never accepted and ignored. A value that asks for what happens anyway
//! (`--restart=no`) passes, so that scripts which spell out defaults run.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{switch, value};

/// One refused flag.
#[derive(Debug)]
pub struct Later {
    pub long: &'static str,
    pub short: Option<char>,
    pub takes: Takes,
    /// Values that change nothing, and pass.
    pub neutral: &'static [&'static str],
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
        }
    }

    /// A switch; `--flag=false` passes.
    pub const fn switch(long: &'static str) -> Self {
        Later {
            long,
            short: None,
            takes: Takes::Switch,
            neutral: &[],
        }
    }

    /// A switch that is on anyway: only `--flag=false` is refused.
    pub const fn default_on(long: &'static str) -> Self {
        let mut flag = Self::switch(long);
        flag.neutral = &["true"];
        flag
    }

    /// A switch that never changes anything.
    pub const fn harmless(long: &'static str) -> Self {
        let mut flag = Self::switch(long);
        flag.neutral = &["true", "false"];
        flag
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
        let asked = match flag.takes {
            Takes::Switch => {
                matches
                    .get_one::<bool>(flag.long)
                    .is_some_and(|on| match flag.neutral {
                        [] => *on,
                        neutral => !neutral.contains(&if *on { "true" } else { "false" }),
                    })
            }
            Takes::Value => matches
                .get_many::<String>(flag.long)
                .is_some_and(|mut given| given.any(|v| !flag.neutral.contains(&v.as_str()))),
        };
        if asked {
            return Err(super::super::usage::refuse(format!(
                "flag --{} is not available in this version of pod",
                flag.long
            )));
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
