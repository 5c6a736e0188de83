//! `__complete WORD...` (hidden): what may stand in the place of the last word, for the shells' completion scripts.
//!
//! The command table says it all: operands by the words of their usage line (`CONTAINER`, `IMAGE`), values of flags by
//! their names there (`FILE`, `DIR`). Names of containers and images come from the store, so nothing is ever out of
//! date. Output: a candidate a line, with its description behind a tab, and at the end `:` and the sum of what the
//! shell should do: 2, no blank behind the word; 4, no file names; 16, names of directories.

mod names;
mod values;

use clap::{Arg, Command};

use crate::error::Result;

use super::args::global::{self, GlobalArgs};
use super::commands::{self, COMMANDS, Entry, Group, Lookup, PARENTS};
use super::context::Context;
use super::exit::{Outcome, Status};
use super::output::Printer;

/// What may follow.
#[derive(Debug, Default)]
struct Answer {
    /// Candidate and description.
    found: Vec<(String, String)>,
    files: Files,
    /// More of the word is to come.
    open: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Files {
    #[default]
    None,
    Any,
    Directories,
}

impl Answer {
    fn add(&mut self, word: impl Into<String>, about: impl Into<String>) {
        self.found.push((word.into(), about.into()));
    }

    fn words<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        let found = words.into_iter().map(|word| (word.into(), String::new()));
        Self {
            found: found.collect(),
            ..Self::default()
        }
    }

    fn files(files: Files) -> Self {
        Self {
            files,
            ..Self::default()
        }
    }
}

/// What the words before the last one lead to.
enum Place<'w> {
    /// The value of a flag; what of the word stands before it (`--sort=`).
    Value {
        arg: &'w Arg,
        before: String,
    },
    Flag,
    /// An operand, counted from 0.
    Operand(usize),
    /// A word of the command to run in a container.
    Foreign,
}

pub fn run(words: &[String], out: &mut Printer) -> Outcome {
    let (line, current) = match words.split_last() {
        Some((current, line)) => (line, current.as_str()),
        None => (words, ""),
    };
    // A completion has nobody to tell what went wrong: it offers nothing then.
    let answer = answer(line, current).unwrap_or_default();
    for (word, about) in &answer.found {
        if !word.starts_with(current) || word.contains(['\n', '\t']) {
            continue;
        }
        match about.is_empty() {
            true => out.line(word)?,
            false => out.line(&format!("{word}\t{about}"))?,
        }
    }
    let files = match answer.files {
        Files::Any => 0,
        Files::None => 4,
        Files::Directories => 16,
    };
    out.line(&format!(":{}", files + if answer.open { 2 } else { 0 }))?;
    Ok(Status::SUCCESS)
}

fn answer(line: &[String], current: &str) -> Result<Answer> {
    let Ok((globals, rest)) = global::split(line) else {
        // The value of a global flag is what is asked for.
        let name = line.last().map_or("", |word| word.trim_start_matches('-'));
        return Ok(values::of_global(name));
    };
    if rest.is_empty() {
        return Ok(match current.starts_with('-') {
            true => global_flags(),
            false => top_level(),
        });
    }
    if let ([parent], Some(_)) = (rest, PARENTS.iter().find(|(name, _)| *name == rest[0])) {
        return Ok(below(parent));
    }
    let (entry, path, rest) = match commands::lookup(rest) {
        Lookup::Found { entry, path, rest } => (entry, path, rest),
        Lookup::Group(..) | Lookup::Unknown(_) => return Ok(Answer::default()),
    };
    let command = commands::build(entry, &path);
    let ctx = Context::new(globals_of(globals), Vec::new());
    match place(&command, entry, rest, current) {
        Place::Flag => Ok(flags(&command)),
        Place::Foreign => Ok(Answer::files(Files::Any)),
        Place::Operand(at) => names::operand(entry, at, rest, current, &ctx),
        Place::Value { arg, before } => {
            let value = &current[before.len()..];
            let mut answer = values::of_flag(arg, &path, value, &ctx)?;
            for (word, _) in &mut answer.found {
                word.insert_str(0, &before);
            }
            Ok(answer)
        }
    }
}

fn globals_of(words: &[String]) -> GlobalArgs {
    use clap::{Args, FromArgMatches};
    let command = Command::new("pod").no_binary_name(true);
    let command = super::args::go_style(GlobalArgs::augment_args(command));
    let none: [&str; 0] = [];
    let parse = |words: &[String]| {
        let matches = command.clone().try_get_matches_from(words)?;
        GlobalArgs::from_arg_matches(&matches)
    };
    match parse(words) {
        Ok(globals) => globals,
        Err(_) => {
            let matches = command.get_matches_from(none);
            GlobalArgs::from_arg_matches(&matches).unwrap_or_else(|err| err.exit())
        }
    }
}

fn place<'c>(command: &'c Command, entry: &Entry, rest: &[String], current: &str) -> Place<'c> {
    let mut operands = 0;
    let mut only_operands = false;
    let mut waiting: Option<&Arg> = None;
    // `run IMAGE COMMAND`: what follows the first operand belongs to the container.
    let runs = entry.operands.contains("COMMAND");
    for word in rest {
        if runs && operands > 0 {
            return Place::Foreign;
        }
        if waiting.take().is_some() {
            continue;
        }
        if only_operands || !word.starts_with('-') || word == "-" {
            operands += 1;
        } else if word == "--" {
            only_operands = true;
        } else {
            waiting = flag_that_waits(command, word);
        }
    }
    if runs && operands > 0 {
        return Place::Foreign;
    }
    if let Some(arg) = waiting {
        let before = String::new();
        return Place::Value { arg, before };
    }
    if !only_operands && current.starts_with("--") && current.contains('=') {
        let (flag, _) = current.split_once('=').unwrap_or((current, ""));
        return match by_long(command, &flag[2..]) {
            Some(arg) => Place::Value {
                arg,
                before: format!("{flag}="),
            },
            None => Place::Flag,
        };
    }
    match current.starts_with('-') && !only_operands {
        true => Place::Flag,
        false => Place::Operand(operands),
    }
}

/// The flag at the end of `word` whose value is the next word.
fn flag_that_waits<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    if let Some(long) = word.strip_prefix("--") {
        let arg = by_long(command, long)?;
        return takes_next(arg).then_some(arg);
    }
    let mut letters = word[1..].chars();
    while let Some(letter) = letters.next() {
        let of_letter = |arg: &&Arg| {
            arg.get_short() == Some(letter)
                || arg
                    .get_all_short_aliases()
                    .is_some_and(|all| all.contains(&letter))
        };
        let arg = command.get_arguments().find(of_letter)?;
        if takes_next(arg) {
            // `-fVALUE`: it is here already.
            return letters.as_str().is_empty().then_some(arg);
        }
    }
    None
}

fn by_long<'c>(command: &'c Command, long: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(long) || arg.get_all_aliases().is_some_and(|all| all.contains(&long))
    })
}

/// Tells whether the flag's value is a word of its own; switches take theirs behind `=` only.
fn takes_next(arg: &Arg) -> bool {
    arg.get_action().takes_values()
        && !arg.is_require_equals_set()
        && arg.get_num_args().is_none_or(|n| n.min_values() > 0)
}

fn flags(command: &Command) -> Answer {
    let mut answer = Answer::default();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let about = about.lines().next().unwrap_or_default().to_owned();
        if let Some(long) = arg.get_long() {
            answer.add(format!("--{long}"), about.clone());
        }
        if let Some(short) = arg.get_short() {
            answer.add(format!("-{short}"), about);
        }
    }
    answer
}

fn global_flags() -> Answer {
    let mut answer = Answer::default();
    for (flag, about) in values::GLOBALS {
        answer.add(*flag, *about);
    }
    answer.add("--help", "Print help");
    answer.add("--version", "Print the version");
    answer
}

fn top_level() -> Answer {
    let mut answer = Answer::default();
    for entry in COMMANDS.iter().filter(|entry| entry.group != Group::Hidden) {
        for path in entry.paths.iter().filter(|path| !path.contains(' ')) {
            answer.add(*path, entry.about);
        }
    }
    for (parent, about) in PARENTS {
        answer.add(*parent, *about);
    }
    answer.add("help", "Print help");
    answer
}

fn below(parent: &str) -> Answer {
    let mut answer = Answer::default();
    for entry in COMMANDS.iter().filter(|entry| entry.group != Group::Hidden) {
        for (of, name) in entry.paths.iter().filter_map(|path| path.split_once(' ')) {
            if of == parent {
                answer.add(name, entry.about);
            }
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(text: &str) -> Vec<String> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let (current, line) = words.split_last().expect("split yields one");
        let answer = answer(line, current).expect("no store is asked");
        let found = answer.found.into_iter().map(|(word, _)| word);
        found
            .filter(|word| word.starts_with(current.as_str()))
            .collect()
    }

    #[test]
    fn commands_and_flags_come_from_the_table() {
        assert_eq!(offered("imag"), ["images", "image"]);
        assert!(offered("").contains(&"run".to_owned()));
        assert!(!offered("").contains(&"__complete".to_owned()));
        assert_eq!(offered("image tr"), ["tree"]);
        assert_eq!(offered("container sta"), ["start", "stats"]);
        assert_eq!(offered("images --no-"), ["--no-trunc"]);
        assert_eq!(offered("--root /x images --dig"), ["--digests"]);
        assert_eq!(offered("--log-level w"), ["warn"]);
        assert_eq!(offered("nosuch "), [""; 0]);
    }

    #[test]
    fn values_of_flags() {
        for line in ["images --sort s", "images -a --digests --sort s"] {
            assert_eq!(offered(line), ["size"], "{line}");
        }
        assert_eq!(offered("images --sort=t"), ["--sort=tag"]);
        assert_eq!(
            offered("images -qf dangling="),
            ["dangling=true", "dangling=false"]
        );
        assert_eq!(offered("pull --policy al"), ["always"]);
        assert_eq!(
            offered("run --rm -it --pull=n"),
            ["--pull=never", "--pull=newer"]
        );
        assert_eq!(offered("inspect --type c"), ["container"]);
    }

    #[test]
    fn words_of_a_container_command_are_not_ours() {
        for line in [
            "run busybox --r",
            "run --rm -e A=b busybox ls -",
            "exec -it c sh -",
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let (current, line) = words.split_last().expect("split yields one");
            let answer = answer(line, current).expect("no store is asked");
            assert!(
                answer.found.is_empty() && answer.files == Files::Any,
                "{line:?}"
            );
        }
    }
}
