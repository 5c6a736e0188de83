//! `--filter` of `events`. One key twice is OR, different keys are AND, as in Podman for every key.

use crate::container::events::{Event, Type};
use crate::error::{Error, Result};

/// All `--filter` values of a command line.
#[derive(Debug, Default)]
pub struct Filters {
    /// Key and its tests.
    groups: Vec<(String, Vec<Test>)>,
}

#[derive(Debug)]
enum Test {
    Action(String),
    Type(String),
    /// Name, or beginning of the id, of a thing of that type.
    Of(Type, String),
    /// A container, or anything of it.
    Pod(String),
    Label(String),
}

impl Filters {
    pub fn parse(texts: &[String]) -> Result<Self> {
        let mut filters = Self::default();
        for text in texts {
            let invalid = || Error::usage(format!("{text} is an invalid filter"));
            let (key, value) = text.split_once('=').ok_or_else(invalid)?;
            let key = key.to_ascii_lowercase();
            let test = test(&key, value)
                .ok_or_else(|| Error::usage(format!("{key} is an invalid filter")))?;
            let key = match key.as_str() {
                "status" => "event",
                key => key,
            };
            match filters.groups.iter_mut().find(|(known, _)| known == key) {
                Some((_, tests)) => tests.push(test),
                None => filters.groups.push((key.to_owned(), vec![test])),
            }
        }
        Ok(filters)
    }

    pub fn admit(&self, event: &Event) -> bool {
        self.groups
            .iter()
            .all(|(_, tests)| tests.iter().any(|test| test.fits(event)))
    }
}

fn test(key: &str, value: &str) -> Option<Test> {
    let value = value.to_owned();
    Some(match key {
        // Docker's word.
        "event" | "status" if value == "die" => Test::Action("died".to_owned()),
        "event" | "status" => Test::Action(value),
        "type" => Test::Type(value),
        "container" => Test::Of(Type::Container, value),
        "image" => Test::Of(Type::Image, value),
        "volume" => Test::Of(Type::Volume, value),
        "network" => Test::Of(Type::Network, value),
        "secret" => Test::Of(Type::Secret, value),
        "artifact" => Test::Of(Type::Artifact, value),
        "pod" => Test::Pod(value),
        "label" => Test::Label(value),
        _ => return None,
    })
}

impl Test {
    fn fits(&self, event: &Event) -> bool {
        match self {
            Self::Action(word) => event.action.word() == word,
            Self::Type(word) => event.kind.word() == word,
            Self::Of(kind, value) => {
                event.kind == *kind && (event.name == *value || begins(&event.id, value))
            }
            Self::Pod(value) => {
                (event.kind == Type::Pod && event.name == *value)
                    || begins(&event.pod_id, value)
                    || (event.kind == Type::Pod && begins(&event.id, value))
            }
            Self::Label(text) => {
                let labels = event.attributes.iter().flatten();
                let mut labels = labels.filter(|(key, _)| !key.is_empty());
                match text.split_once('=') {
                    Some((key, value)) => labels.any(|(k, v)| k == key && v == value),
                    None => labels.any(|(k, _)| k == text),
                }
            }
        }
    }
}

fn begins(id: &str, value: &str) -> bool {
    !value.is_empty() && id.starts_with(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::events::Action;

    fn admits(filters: &[&str]) -> Option<Vec<&'static str>> {
        let texts: Vec<String> = filters.iter().map(|text| text.to_string()).collect();
        let filters = Filters::parse(&texts).ok()?;
        let events = [
            ("volume", Event::volume(Action::Create, "v")),
            ("image", Event::image(Action::Pull, "abc", "bb")),
            (
                "labelled",
                Event::volume(Action::Remove, "w").attribute("a", "1"),
            ),
        ];
        let admitted = events.into_iter().filter(|(_, event)| filters.admit(event));
        Some(admitted.map(|(name, _)| name).collect())
    }

    #[test]
    fn one_key_twice_is_or_and_keys_are_and() {
        let table: [(&[&str], Option<Vec<&str>>); 10] = [
            (&[], Some(vec!["volume", "image", "labelled"])),
            (&["event=create"], Some(vec!["volume"])),
            (
                &["EVENT=create", "status=pull"],
                Some(vec!["volume", "image"]),
            ),
            (&["event=create", "type=image"], Some(vec![])),
            (&["image=ab"], Some(vec!["image"])),
            (&["volume=v", "volume=w"], Some(vec!["volume", "labelled"])),
            (&["label=a"], Some(vec!["labelled"])),
            (&["label=a=2"], Some(vec![])),
            (&["nope=1"], None),
            (&["event"], None),
        ];
        for (filters, want) in table {
            assert_eq!(admits(filters), want, "{filters:?}");
        }
    }
}
