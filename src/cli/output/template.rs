//! `--format`: Go templates, the `table` prefix, `json`.
//!
//! Go refuses an unknown field of a struct and prints `<no value>` for a key that a map lacks. Here both are maps, so
//! the template is checked against the first row before it runs: [`Fields`] says which fields are maps in Go.

mod check;
mod functions;

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::{Template, Value};
use serde::Serialize;

use crate::error::{Error, Kind, Result};

use super::json;
use super::table::Table;

/// Key of a row under which `{{json .}}` finds the row's document; no template can spell it.
const DOCUMENT: &str = "\0json";

/// What a template may ask of one command's rows.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    /// Podman's name of the template: the command.
    pub command: &'static str,
    /// Go type of a row, for the error text.
    pub of: &'static str,
    /// Paths (`Config.Labels`) that are maps with free keys.
    pub maps: &'static [&'static str],
    /// Headers that are not just the field's name in capitals.
    pub headers: &'static [(&'static str, &'static str)],
}

/// `--format`, read.
#[expect(clippy::large_enum_variant, reason = "one value a command")]
pub enum Format {
    /// `json`: one document.
    Json,
    Rows(Rows),
}

/// A template, executed once a row.
pub struct Rows {
    template: Template,
    /// The template's text, for error messages.
    source: String,
    fields: Fields,
    /// `table …`: aligned columns below a header.
    table: bool,
}

impl Format {
    pub fn parse(text: &str, fields: Fields) -> Result<Self> {
        if text.trim() == "json" {
            return Ok(Self::Json);
        }
        Rows::parse(text, fields).map(Self::Rows)
    }
}

impl Rows {
    pub fn parse(text: &str, fields: Fields) -> Result<Self> {
        let (table, source) = match text.strip_prefix("table ") {
            Some(rest) => (true, unescaped(rest.trim_start(), true)),
            None => (false, unescaped(text, false)),
        };
        let parsed = functions::add(Template::new(fields.command))
            .parse(&source)
            .map_err(|err| Error::usage(go_words(&err.to_string(), fields.command)))?;
        let template = match parsed.lookup(fields.command) {
            Some(tree) => {
                let tree = functions::call_methods(tree.clone());
                parsed.add_parse_tree(fields.command, tree)
            }
            None => parsed,
        };
        Ok(Self {
            template,
            source,
            fields,
            table,
        })
    }

    /// All rows as text, each on its line or lines; with the header where `table` asked for it.
    pub fn render(&self, rows: &[Value], heading: bool) -> Result<String> {
        if let Some(first) = rows.first()
            && let Some(tree) = self.template.lookup(self.fields.command)
        {
            check::check(tree, first, &self.source, self.fields)?;
        }
        let mut text = String::new();
        if self.table && heading {
            text.push_str(&self.header(rows.first())?);
            text.push('\n');
        }
        for row in rows {
            text.push_str(&self.one(row)?);
            text.push('\n');
        }
        if !self.table {
            return Ok(text);
        }
        let mut table = Table::new();
        table.tabbed(&text);
        Ok(table.render())
    }

    fn one(&self, data: &Value) -> Result<String> {
        // The named tree is the one with method calls turned; white space alone has none.
        let result = match self.template.lookup(self.fields.command) {
            Some(_) => self
                .template
                .execute_template_to_string(self.fields.command, data),
            None => self.template.execute_to_string(data),
        };
        result.map_err(|err| Error::usage(go_words(&err.to_string(), self.fields.command)))
    }

    /// The template executed with each field's heading in place of its value.
    fn header(&self, row: Option<&Value>) -> Result<String> {
        let mut names = BTreeMap::new();
        if let Some(Value::Map(row)) = row {
            for name in row.keys() {
                names.insert(name.clone(), Value::String(heading(name).into()));
            }
        } else if let Some(tree) = self.template.lookup(self.fields.command) {
            for name in check::root_fields(tree) {
                let text = heading(&name);
                names.insert(Arc::from(name.as_str()), Value::String(text.into()));
            }
        }
        for (name, text) in self.fields.headers {
            names.insert(Arc::from(*name), Value::String(Arc::from(*text)));
        }
        self.one(&Value::Map(Arc::new(names)))
    }
}

/// A row for templates out of a document that serialises with Go's field names.
///
/// `extra` are fields that templates have and the document has not, or has in another form.
pub fn row<T: Serialize>(document: &T, extra: Vec<(&'static str, Value)>) -> Result<Value> {
    let value = gotmpl::to_value(document)
        .map_err(|err| Error::new(Kind::System, format!("make template data: {err}")))?;
    let Value::Map(map) = value else {
        return Ok(value);
    };
    let mut map = Arc::unwrap_or_clone(map);
    for (name, value) in extra {
        map.insert(Arc::from(name), value);
    }
    let document = json::compact(document)?;
    map.insert(Arc::from(DOCUMENT), Value::String(document.into()));
    Ok(Value::Map(Arc::new(map)))
}

/// `\t` and `\n` as the shell left them; in a table the blanks between actions separate columns.
fn unescaped(text: &str, table: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("{{") {
            let end = rest.find("}}").map_or(rest.len(), |at| at + 2);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let (piece, len) = match () {
            () if rest.starts_with("\\t") => ("\t", 2),
            () if rest.starts_with("\\n") => ("\n", 2),
            () if table && c == ' ' => ("\t", 1),
            () => (&rest[..c.len_utf8()], c.len_utf8()),
        };
        out.push_str(piece);
        rest = &rest[len..];
    }
    out
}

/// `RunningFor` → `RUNNING FOR`, `ImageID` → `IMAGE ID`.
fn heading(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1);
        let starts_word = c.is_uppercase()
            && before.is_some_and(|b| !b.is_uppercase() || after.is_some_and(|a| a.is_lowercase()));
        if starts_word {
            out.push(' ');
        }
        out.extend(c.to_uppercase());
    }
    out
}

/// The template crate's message behind Go's beginning, `template: NAME:`.
fn go_words(message: &str, command: &str) -> String {
    if message.starts_with("template: ") {
        message.to_owned()
    } else {
        format!("template: {command}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = Fields {
        command: "ps",
        of: "containers.psReporter",
        maps: &["Labels"],
        headers: &[("ID", "CONTAINER ID")],
    };

    fn sample() -> Value {
        let document = serde_json::json!({
            "Id": "abc", "Names": ["web", "www"], "Labels": {"a": "1"},
            "State": {"Pid": 7}, "Mounts": [{"Source": "/x"}],
        });
        row(&document, vec![("ID", Value::String("abc".into()))]).expect("plain data")
    }

    fn render(text: &str) -> Result<String> {
        match Format::parse(text, FIELDS)? {
            Format::Json => Ok("JSON".to_owned()),
            Format::Rows(rows) => rows.render(&[sample()], true),
        }
    }

    #[test]
    fn templates() {
        for (template, want) in [
            ("json", "JSON"),
            ("{{.ID}}", "abc\n"),
            (r"{{.ID}}\t{{.State.Pid}}", "abc\t7\n"),
            ("{{join .Names \"+\"}}", "web+www\n"),
            ("{{range .Mounts}}{{.Source}}{{end}}", "/x\n"),
            ("{{.Labels.a}} {{.Labels.nope}}", "1 <no value>\n"),
            ("{{.Label \"a\"}}-{{.Label \"no\"}}", "1-\n"),
            ("{{index .Labels \"a\"}}", "1\n"),
            (
                "{{upper .ID}} {{title .ID}} {{truncate .ID 2}}",
                "ABC Abc ab\n",
            ),
            ("{{pad .ID 1 2}}|{{len (split .ID \"b\")}}", " abc  |2\n"),
            ("{{json .Names}}", "[\"web\",\"www\"]\n"),
            ("{{if eq .ID \"abc\"}}yes{{else}}no{{end}}", "yes\n"),
            ("{{with .State}}{{.Pid}}{{end}}", "7\n"),
            ("{{$x := .ID}}{{$x}}", "abc\n"),
        ] {
            assert_eq!(render(template).expect(template), want, "{template}");
        }
        assert_eq!(
            render("table {{.ID}} {{.Names}}").expect("a table"),
            "CONTAINER ID  NAMES\nabc           [web www]\n"
        );
    }

    #[test]
    fn a_row_as_json_is_the_document() {
        let text = render("{{json .}}").expect("json");
        let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        assert_eq!(value["Id"], "abc");
        assert!(value.get("ID").is_none(), "{text}");
    }

    #[test]
    fn unknown_fields_are_refused_in_gos_words() {
        for (template, want) in [
            (
                "{{.Nope}}",
                "template: ps:1:13: executing \"ps\" at <.Nope>: can't evaluate field Nope in type containers.psReporter",
            ),
            (
                "x{{.State.Nope}}",
                "template: ps:1:20: executing \"ps\" at <.State.Nope>: can't evaluate field Nope in type State",
            ),
        ] {
            assert_eq!(render(template).expect_err(template).to_string(), want);
        }
        for template in ["{{.ID", "{{nope .ID}}", "{{range .Mounts}}{{.Nope}}{{end}}"] {
            let err = render(template).expect_err(template).to_string();
            assert!(err.starts_with("template: ps"), "{err}");
        }
    }

    #[test]
    fn headings() {
        for (name, want) in [
            ("ID", "ID"),
            ("ImageID", "IMAGE ID"),
            ("RunningFor", "RUNNING FOR"),
            ("Names", "NAMES"),
            ("CIDFile", "CID FILE"),
        ] {
            assert_eq!(heading(name), want);
        }
    }
}
