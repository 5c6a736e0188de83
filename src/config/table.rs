//! Typed reading of a parsed TOML file: a wrong type is an error that names file and key.

use std::borrow::Cow;

use toml::{Table, Value};

use crate::error::{Error, Kind, Result};

/// One `[section]` of one file.
#[derive(Debug, Clone, Copy)]
pub struct Section<'a> {
    file: &'a str,
    name: &'a str,
    table: Option<&'a Table>,
}

/// A list as containers.conf writes it: `["a", {append=true}]` adds to what earlier files said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    pub items: Vec<String>,
    pub append: bool,
}

/// Parses the text of `file`; the error is one line.
pub fn parse(text: &str, file: &str) -> Result<Table> {
    let text = &*without_comments(text);
    text.parse::<Table>().map_err(|err| {
        let line = err.span().map_or(0, |span| {
            text[..span.start.min(text.len())].matches('\n').count() + 1
        });
        Error::new(
            Kind::Usage,
            format!(
                "read {file}: line {line}: {}",
                err.message().replace('\n', ", ")
            ),
        )
    })
}

/// Empties the lines that are only a comment: distributions ship files of nothing else, and the parser would keep a
/// record of each. Lines keep their numbers. A text that may hold a string of several lines is left as it is.
fn without_comments(text: &str) -> Cow<'_, str> {
    let comment = |line: &str| line.trim_start().starts_with('#');
    if text.contains("\"\"\"") || text.contains("'''") {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    for line in text.split_inclusive('\n') {
        match comment(line) {
            true => kept.push('\n'),
            false => kept.push_str(line),
        }
    }
    Cow::Owned(kept)
}

impl<'a> Section<'a> {
    /// The section `name` (`storage.options` is a table in a table) of a parsed file; an absent one has no keys.
    pub fn of(table: &'a Table, name: &'a str, file: &'a str) -> Result<Self> {
        let mut at = Some(table);
        for part in name.split('.') {
            at = match at.and_then(|table| table.get(part)) {
                None => None,
                Some(Value::Table(table)) => Some(table),
                Some(other) => {
                    return Err(Error::new(
                        Kind::Usage,
                        format!(
                            "read {file}: \"{name}\" must be a section, is {}",
                            article(other)
                        ),
                    ));
                }
            };
        }
        Ok(Self {
            file,
            name,
            table: at,
        })
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.table?.get(key)
    }

    fn wrong(&self, key: &str, want: &str, got: &Value) -> Error {
        Error::new(
            Kind::Usage,
            format!(
                "read {}: {key} in [{}] must be {want}, is {}",
                self.file,
                self.name,
                article(got)
            ),
        )
    }

    pub fn string(&self, key: &str) -> Result<Option<String>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong(key, "a string", other)),
        }
    }

    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Boolean(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong(key, "true or false", other)),
        }
    }

    pub fn integer(&self, key: &str) -> Result<Option<i64>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Integer(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong(key, "a whole number", other)),
        }
    }

    /// A number that cannot be negative.
    pub fn count(&self, key: &str) -> Result<Option<u32>> {
        self.integer(key)?
            .map(|value| {
                u32::try_from(value).map_err(|_| {
                    self.wrong(key, "a number from 0 to 4294967295", &Value::Integer(value))
                })
            })
            .transpose()
    }

    /// Bytes: a whole number, or text with a binary unit (`512k`, `1mb`). Negative: 0.
    pub fn size(&self, key: &str) -> Result<Option<u64>> {
        let bytes = match self.get(key) {
            None => return Ok(None),
            Some(Value::Integer(number)) => Some(u64::try_from(*number).unwrap_or(0)),
            Some(Value::String(text)) => size(text),
            Some(_) => None,
        };
        match (bytes, self.get(key)) {
            (None, Some(other)) => Err(self.wrong(key, "a size such as 1m", other)),
            (bytes, _) => Ok(bytes),
        }
    }

    pub fn list(&self, key: &str) -> Result<Option<List>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let Value::Array(values) = value else {
            return Err(self.wrong(key, "a list of strings", value));
        };
        let mut list = List::default();
        for item in values {
            match item {
                Value::String(text) => list.items.push(text.clone()),
                Value::Table(attributes) => {
                    list.append = attributes
                        .get("append")
                        .and_then(Value::as_bool)
                        .unwrap_or(false);
                }
                other => return Err(self.wrong(key, "a list of strings", other)),
            }
        }
        Ok(Some(list))
    }

    /// Replaces or extends `to` by the list of that name, if the file has one.
    pub fn merge_list(&self, key: &str, to: &mut Vec<String>) -> Result<()> {
        if let Some(List { items, append }) = self.list(key)? {
            if !append {
                to.clear();
            }
            to.extend(items);
        }
        Ok(())
    }
}

fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn article(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string {text:?}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a section".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("7", Some(7)),
            ("1k", Some(1024)),
            ("2MiB", Some(2 << 20)),
            ("3 gb", Some(3 << 30)),
            ("", None),
            ("m", None),
            ("1x", None),
            ("99999999999999t", None),
        ] {
            assert_eq!(size(text), want, "{text}");
        }
    }

    #[test]
    fn lines_of_comment_are_not_parsed() {
        for (text, want) in [
            ("# a\n\t# b\nx = 1 # c\n", "\n\nx = 1 # c\n"),
            ("x = [\n# a\n\"#\"]", "x = [\n\n\"#\"]"),
            ("x = '''\n# text\n'''", "x = '''\n# text\n'''"),
            ("", ""),
        ] {
            assert_eq!(without_comments(text), want);
        }
        let err = parse("# a\n# b\nx = \n", "f").unwrap_err();
        assert!(err.to_string().starts_with("read f: line 3: "), "{err}");
    }
}
