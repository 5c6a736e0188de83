//! `--change` of commit and import: one instruction of a Containerfile, applied to an image's config.

use std::str::FromStr;

use nix::sys::signal::Signal;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// One instruction. Text becomes this once; what it does is [`apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Cmd(Vec<String>),
    Entrypoint(Vec<String>),
    Env(Vec<(String, String)>),
    Expose(Vec<String>),
    Label(Vec<(String, String)>),
    Onbuild(String),
    StopSignal(String),
    User(String),
    Volume(Vec<String>),
    Workdir(String),
}

impl FromStr for Change {
    type Err = Error;

    /// `KEYWORD VALUE` or `KEYWORD=VALUE`; the keyword in any case.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let malformed = || {
            Error::usage(format!(
                "invalid change {text:?} - must be formatted as KEY VALUE"
            ))
        };
        let blank = |c: char| c == ' ' || c == '\t';
        let (keyword, value) = text
            .split_once(blank)
            .or_else(|| text.split_once('='))
            .ok_or_else(malformed)?;
        let (keyword, value) = (keyword.trim().to_ascii_uppercase(), value.trim());
        let invalid =
            |what: &str| Error::usage(format!("invalid change {text:?} - {keyword} {what}"));
        let named = |pairs: Option<Vec<(String, String)>>| {
            pairs
                .filter(|pairs| !pairs.is_empty())
                .ok_or_else(|| invalid("wants NAME=VALUE"))
        };
        if value.is_empty() && !matches!(keyword.as_str(), "CMD" | "ENTRYPOINT") {
            return Err(malformed());
        }
        Ok(match keyword.as_str() {
            "CMD" => Self::Cmd(command(value)),
            "ENTRYPOINT" => Self::Entrypoint(command(value)),
            "ENV" => Self::Env(named(pairs(value).or_else(|| old_pair(value)))?),
            "EXPOSE" => Self::Expose(
                value
                    .split_whitespace()
                    .map(|port| exposed(port).ok_or_else(|| invalid("wants PORT[/PROTOCOL]")))
                    .collect::<Result<_>>()?,
            ),
            "LABEL" => Self::Label(named(pairs(value))?),
            "ONBUILD" => Self::Onbuild(value.to_owned()),
            "STOPSIGNAL" => {
                Self::StopSignal(signal(value).ok_or_else(|| invalid("wants a signal"))?)
            }
            "USER" => Self::User(value.to_owned()),
            "VOLUME" => Self::Volume(match list(value) {
                Some(paths) => paths,
                None => value.split_whitespace().map(str::to_owned).collect(),
            }),
            "WORKDIR" => Self::Workdir(value.to_owned()),
            other => {
                return Err(Error::usage(format!(
                    "invalid change {text:?} - invalid instruction {other}"
                )));
            }
        })
    }
}

/// Changes the `config` object of an image config, in order (image-spec `config.md`, with Docker's `OnBuild`).
pub fn apply(config: &mut Map<String, Value>, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Cmd(words) => put(config, "Cmd", json!(words)),
            Change::Entrypoint(words) => put(config, "Entrypoint", json!(words)),
            Change::Env(pairs) => {
                for (name, value) in pairs {
                    set_env(config, name, value);
                }
            }
            Change::Expose(ports) => add_keys(config, "ExposedPorts", ports),
            Change::Label(pairs) => {
                for (name, value) in pairs {
                    object(config, "Labels").insert(name.clone(), json!(value));
                }
            }
            Change::Onbuild(instruction) => array(config, "OnBuild").push(json!(instruction)),
            Change::StopSignal(signal) => put(config, "StopSignal", json!(signal)),
            Change::User(user) => put(config, "User", json!(user)),
            Change::Volume(paths) => add_keys(config, "Volumes", paths),
            Change::Workdir(path) => put(config, "WorkingDir", json!(path)),
        }
    }
}

/// Sets one variable of `Env`, at its place where it has one.
pub fn set_env(config: &mut Map<String, Value>, name: &str, value: &str) {
    let env = array(config, "Env");
    let line = json!(format!("{name}={value}"));
    let is_it = |known: &&mut Value| {
        let known = known.as_str().and_then(|line| line.split_once('='));
        known.is_some_and(|(known, _)| known == name)
    };
    match env.iter_mut().find(is_it) {
        Some(known) => *known = line,
        None => env.push(line),
    }
}

/// Adds keys to one of the sets that JSON spells as objects: `Volumes`, `ExposedPorts`.
pub fn add_keys(config: &mut Map<String, Value>, set: &str, keys: &[String]) {
    for key in keys {
        object(config, set).insert(key.clone(), json!({}));
    }
}

fn put(config: &mut Map<String, Value>, key: &str, value: Value) {
    config.insert(key.to_owned(), value);
}

/// The object at `key`; whatever else is there gives way.
pub fn object<'a>(config: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let at = config.entry(key).or_insert(Value::Null);
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    match at {
        Value::Object(found) => found,
        _ => unreachable!("made an object above"),
    }
}

fn array<'a>(config: &'a mut Map<String, Value>, key: &str) -> &'a mut Vec<Value> {
    let at = config.entry(key).or_insert(Value::Null);
    if !at.is_array() {
        *at = Value::Array(Vec::new());
    }
    match at {
        Value::Array(found) => found,
        _ => unreachable!("made an array above"),
    }
}

/// A JSON array is the command itself, anything else is for the shell.
fn command(value: &str) -> Vec<String> {
    match list(value) {
        Some(words) => words,
        None => vec!["/bin/sh".into(), "-c".into(), value.to_owned()],
    }
}

fn list(value: &str) -> Option<Vec<String>> {
    match value {
        "" => Some(Vec::new()),
        value => serde_json::from_str(value).ok(),
    }
}

/// `port`, `port-port` or either with `/protocol`; TCP where nothing is said.
fn exposed(text: &str) -> Option<String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = (number(first)?, number(last)?);
    let known = matches!(protocol.as_str(), "tcp" | "udp" | "sctp");
    (first <= last && known).then(|| format!("{ports}/{protocol}"))
}

/// The signal's number, as Podman writes it.
fn signal(text: &str) -> Option<String> {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=64).contains(&number).then(|| number.to_string());
    }
    let name = text.to_ascii_uppercase();
    let name = match name.starts_with("SIG") {
        true => name,
        false => format!("SIG{name}"),
    };
    let known = Signal::from_str(&name).ok()?;
    Some((known as i32).to_string())
}

/// `NAME=VALUE NAME="VALUE" …`; `None` where a word has no `=`.
fn pairs(value: &str) -> Option<Vec<(String, String)>> {
    words(value)?
        .into_iter()
        .map(|word| {
            let (name, value) = word.split_once('=')?;
            (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// `NAME VALUE with blanks`
fn old_pair(value: &str) -> Option<Vec<(String, String)>> {
    let (name, rest) = value.split_once(char::is_whitespace)?;
    (!name.contains('=')).then(|| vec![(name.to_owned(), rest.trim().to_owned())])
}

/// Words as a shell splits them, without expanding anything; `None` where a quote is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (Some(_), '\\') => match chars.next()? {
                c @ ('"' | '\\' | '$') => word.get_or_insert_default().push(c),
                c => word.get_or_insert_default().extend(['\\', c]),
            },
            (None, '\\') => word.get_or_insert_default().push(chars.next()?),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => found.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word);
    quote.is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(base: Value, changes: &[&str]) -> Value {
        let changes: Vec<Change> = changes.iter().map(|text| text.parse().unwrap()).collect();
        let mut config = base.as_object().unwrap().clone();
        apply(&mut config, &changes);
        Value::Object(config)
    }

    #[test]
    fn instructions_change_the_config() {
        let cases = [
            (r#"CMD ["a", "b c"]"#, json!({"Cmd": ["a", "b c"]})),
            ("cmd echo hi", json!({"Cmd": ["/bin/sh", "-c", "echo hi"]})),
            ("CMD=top", json!({"Cmd": ["/bin/sh", "-c", "top"]})),
            ("ENTRYPOINT []", json!({"Entrypoint": []})),
            ("ENV A=1", json!({"Env": ["A=1"]})),
            ("ENV=A=1", json!({"Env": ["A=1"]})),
            (
                r#"ENV A=1 B="two words" C='it''s' D=a\ b"#,
                json!({"Env": ["A=1", "B=two words", "C=its", "D=a b"]}),
            ),
            ("ENV A two words", json!({"Env": ["A=two words"]})),
            (
                "EXPOSE 80 53/UDP 90-92",
                json!({"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "90-92/tcp": {}}}),
            ),
            (
                r#"LABEL a.b="c d" e=f"#,
                json!({"Labels": {"a.b": "c d", "e": "f"}}),
            ),
            ("ONBUILD RUN true", json!({"OnBuild": ["RUN true"]})),
            ("STOPSIGNAL SIGUSR1", json!({"StopSignal": "10"})),
            ("STOPSIGNAL term", json!({"StopSignal": "15"})),
            ("USER app:staff", json!({"User": "app:staff"})),
            (r#"VOLUME ["/a b"]"#, json!({"Volumes": {"/a b": {}}})),
            ("VOLUME /a /b", json!({"Volumes": {"/a": {}, "/b": {}}})),
            ("WORKDIR /srv", json!({"WorkingDir": "/srv"})),
        ];
        for (text, want) in cases {
            assert_eq!(changed(json!({}), &[text]), want, "{text}");
        }
    }

    #[test]
    fn what_is_there_is_kept_or_replaced() {
        let base = json!({"Env": ["A=1", "B=2"], "Labels": null, "ExposedPorts": {"1/tcp": {}}});
        let got = changed(base, &["ENV A=x", "LABEL l=1", "EXPOSE 2/udp", "ENV C="]);
        let want = json!({
            "Env": ["A=x", "B=2", "C="], "Labels": {"l": "1"}, "ExposedPorts": {"1/tcp": {}, "2/udp": {}}
        });
        assert_eq!(got, want);
    }

    #[test]
    fn what_is_no_instruction_is_refused() {
        for text in [
            "",
            "CMD",
            "FROM x",
            "RUN true",
            "EXPOSE x",
            "EXPOSE 0",
            "EXPOSE 70000",
            "EXPOSE 9-8",
            "EXPOSE 80/icmp",
            "ENV A",
            "ENV =x",
            "LABEL a",
            "LABEL a=\"b",
            "STOPSIGNAL nosuch",
            "STOPSIGNAL 65",
            "USER ",
            "WORKDIR  ",
        ] {
            assert!(text.parse::<Change>().is_err(), "{text:?}");
        }
    }
}
