//! A document with two names for each field: Go's for templates, lower camel for JSON and text.

use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Null,
    /// (Go name, JSON name, value), in the order of the text.
    Map(Vec<(&'static str, &'static str, Node)>),
    /// A map whose keys are data.
    Free(Vec<(String, Node)>),
    List(Vec<Node>),
    Text(String),
    Int(i64),
    Bool(bool),
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Node {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Node {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl Node {
    /// With Go's field names.
    pub fn go(&self) -> Value {
        self.value(|go, _| go)
    }

    /// With the names of JSON.
    pub fn json(&self) -> Value {
        self.value(|_, json| json)
    }

    fn value(&self, name: fn(&'static str, &'static str) -> &'static str) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Map(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(go, json, node)| (name(go, json).to_owned(), node.value(name)))
                    .collect::<Map<_, _>>(),
            ),
            Self::Free(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, node)| (key.clone(), node.value(name)))
                    .collect::<Map<_, _>>(),
            ),
            Self::List(items) => Value::Array(items.iter().map(|item| item.value(name)).collect()),
            Self::Text(text) => Value::String(text.clone()),
            Self::Int(number) => Value::from(*number),
            Self::Bool(truth) => Value::Bool(*truth),
        }
    }

    /// As YAML, in order, as `podman info` prints it.
    pub fn yaml(&self) -> String {
        let mut text = String::new();
        self.write(0, &mut text);
        text
    }

    fn write(&self, depth: usize, text: &mut String) {
        let pad = "  ".repeat(depth);
        let mut field = |name: &str, node: &Node| {
            text.push_str(&pad);
            text.push_str(name);
            text.push(':');
            match node.scalar() {
                Some(scalar) => {
                    text.push(' ');
                    text.push_str(&scalar);
                    text.push('\n');
                }
                None => {
                    text.push('\n');
                    node.write(depth + 1, text);
                }
            }
        };
        match self {
            Self::Map(fields) => fields.iter().for_each(|(_, name, node)| field(name, node)),
            Self::Free(fields) => fields
                .iter()
                .for_each(|(name, node)| field(&quoted(name), node)),
            Self::List(items) => {
                // A list stands at the depth of its own name.
                let pad = "  ".repeat(depth.saturating_sub(1));
                for item in items {
                    match item.scalar() {
                        Some(scalar) => text.push_str(&format!("{pad}- {scalar}\n")),
                        None => {
                            let mut inner = String::new();
                            item.write(depth, &mut inner);
                            let inner = inner.trim_start();
                            text.push_str(&format!("{pad}- {inner}"));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn scalar(&self) -> Option<String> {
        match self {
            Self::Null => Some("null".to_owned()),
            Self::Map(fields) if fields.is_empty() => Some("{}".to_owned()),
            Self::Free(fields) if fields.is_empty() => Some("{}".to_owned()),
            Self::List(items) if items.is_empty() => Some("[]".to_owned()),
            Self::Map(_) | Self::Free(_) | Self::List(_) => None,
            Self::Text(text) => Some(quoted(text)),
            Self::Int(number) => Some(number.to_string()),
            Self::Bool(truth) => Some(truth.to_string()),
        }
    }
}

/// A YAML scalar: plain where that reads back as the same text.
fn quoted(text: &str) -> String {
    let ambiguous = text.is_empty()
        || matches!(text, "true" | "false" | "null" | "yes" | "no" | "~")
        || text.parse::<f64>().is_ok()
        || text.trim() != text
        || text.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@`".contains(c))
        || text.contains(": ")
        || text.ends_with(':')
        || text.contains(" #")
        || text.contains(char::is_control);
    let word = matches!(text, "true" | "false" | "null" | "yes" | "no" | "");
    if !ambiguous {
        text.to_owned()
    } else if word || text.parse::<f64>().is_ok() || text.contains(char::is_control) {
        Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tree_two_spellings_and_text() {
        let tree = Node::Map(vec![
            ("CgroupsVersion", "cgroupVersion", "v2".into()),
            ("Cpus", "cpus", Node::Int(2)),
            (
                "Map",
                "map",
                Node::Map(vec![("Size", "size", Node::Int(1))]),
            ),
            (
                "Items",
                "items",
                Node::List(vec![
                    "a: b".into(),
                    Node::Map(vec![("X", "x", Node::Int(1)), ("Y", "y", "".into())]),
                ]),
            ),
            ("None", "none", Node::List(vec![])),
            (
                "Free",
                "free",
                Node::Free(vec![("Native Overlay Diff".into(), "true".into())]),
            ),
        ]);
        assert_eq!(tree.go()["CgroupsVersion"], "v2");
        assert_eq!(tree.json()["cgroupVersion"], "v2");
        assert_eq!(
            tree.yaml(),
            "cgroupVersion: v2\ncpus: 2\nmap:\n  size: 1\nitems:\n- 'a: b'\n- x: 1\n  y: \"\"\nnone: []\n\
             free:\n  Native Overlay Diff: \"true\"\n"
        );
    }
}
