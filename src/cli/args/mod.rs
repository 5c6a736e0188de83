//! Flags that several commands share, the parsers of their values, and Go's ways of writing flags.
//!
//! [`go_style`] makes clap read as pflag does: a switch (`bool` field) takes `--rm`, `--rm=false`, `-d=0`; the last
//! of several scalars wins; a value may begin with a dash.

pub mod chosen;
pub mod create;
pub mod create_later;
pub mod defaults;
pub mod env;
pub mod global;
pub mod health;
pub mod later;
pub mod limits;
pub mod log;
pub mod mounts;
pub mod namespaces;
pub mod outgoing;
pub mod registry;
pub mod request;
pub mod secret;
pub mod security;
pub mod value;

use clap::{Arg, ArgAction, Command};

/// Makes every flag of `command` read as pflag reads it.
pub fn go_style(command: Command) -> Command {
    command
        .args_override_self(true)
        .mut_args(|arg| match arg.get_action() {
            ArgAction::SetTrue => switch(arg).default_value("false"),
            ArgAction::Set | ArgAction::Append if !arg.is_positional() => {
                if arg.get_num_args().is_some_and(|n| n.min_values() == 0) {
                    arg
                } else {
                    arg.allow_hyphen_values(true)
                }
            }
            _ => arg,
        })
}

/// A switch without a default: for fields of type `Option<bool>`, which tell "not given" apart.
pub fn switch(arg: Arg) -> Arg {
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .hide_possible_values(true)
        .hide_default_value(true)
        .value_parser(value::boolean)
}
