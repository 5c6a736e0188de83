//! `--env-merge NAME=TEXT`: text in which the container's own variables are put in. Pure.
//!
//! The notation is that of a Dockerfile's ENV: `$NAME`, `${NAME}`, `${NAME:-else}`, `${NAME:+then}`, a backslash or
//! quotes around what shall stay as it is.

use crate::error::{Error, Result};

/// Name and value of one `--env-merge`; `get` knows the variables so far.
pub(super) fn expand(text: &str, get: &dyn Fn(&str) -> Option<String>) -> Result<(String, String)> {
    let bad = |why: &str| {
        Error::usage(format!(
            "unable to process variables for --env-merge {text}: {why}"
        ))
    };
    let whole = words(text, get).map_err(bad)?;
    match whole.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Error::usage(format!(
            "missing `=` for --env-merge substitution {text}"
        ))),
    }
}

fn words(text: &str, get: &dyn Fn(&str) -> Option<String>) -> Result<String, &'static str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut quoted = false;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\'' if !quoted => {
                let end = rest
                    .find('\'')
                    .ok_or("unexpected end of statement while looking for matching single-quote")?;
                out.push_str(&rest[..end]);
                rest = &rest[end + 1..];
            }
            '"' => quoted = !quoted,
            '\\' => {
                let next = rest.chars().next();
                match next {
                    Some(next) if !quoted || matches!(next, '"' | '$' | '\\') => {
                        out.push(next);
                        rest = &rest[next.len_utf8()..];
                    }
                    _ => out.push('\\'),
                }
            }
            '$' => {
                let (value, after) = variable(rest, get)?;
                out.push_str(&value);
                rest = after;
            }
            c => out.push(c),
        }
    }
    match quoted {
        true => Err("unexpected end of statement while looking for matching double-quote"),
        false => Ok(out),
    }
}

/// What stands behind a dollar sign.
fn variable<'a>(
    text: &'a str,
    get: &dyn Fn(&str) -> Option<String>,
) -> Result<(String, &'a str), &'static str> {
    let name_len = |text: &str| {
        let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        text.find(ends).unwrap_or(text.len())
    };
    let Some(inner) = text.strip_prefix('{') else {
        let (name, rest) = text.split_at(name_len(text));
        return Ok(match name.is_empty() {
            true => ("$".to_owned(), rest),
            false => (get(name).unwrap_or_default(), rest),
        });
    };
    let end = inner.find('}').ok_or("missing } of ${")?;
    let (body, rest) = (&inner[..end], &inner[end + 1..]);
    let (name, modifier) = body.split_at(name_len(body));
    if name.is_empty() {
        return Err("bad substitution");
    }
    let value = get(name).filter(|value| !value.is_empty());
    let value = match (modifier.get(..2), value) {
        (None, value) if modifier.is_empty() => value.unwrap_or_default(),
        (Some(":-"), Some(value)) => value,
        (Some(":-"), None) => words(&modifier[2..], get)?,
        (Some(":+"), Some(_)) => words(&modifier[2..], get)?,
        (Some(":+"), None) => String::new(),
        _ => return Err("unsupported modifier in substitution"),
    };
    Ok((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in() {
        let get = |name: &str| match name {
            "HELLO" => Some("hi".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, want) in [
            ("A=${HELLO}-edit", Some("hi-edit")),
            ("A=$HELLO/$NOPE.", Some("hi/.")),
            ("A=${NOPE:-else}", Some("else")),
            ("A=${EMPTY:-$HELLO}", Some("hi")),
            ("A=${HELLO:+then}${NOPE:+then}", Some("then")),
            ("A=\\$HELLO", Some("$HELLO")),
            ("A='$HELLO' \"$HELLO\"", Some("$HELLO hi")),
            ("A=b=c$", Some("b=c$")),
            ("A", None),
            ("A=${HELLO", None),
            ("A='x", None),
            ("A=${HELLO:?x}", None),
        ] {
            let got = expand(text, &get).ok();
            let want = want.map(|value| ("A".to_owned(), value.to_owned()));
            assert_eq!(got, want, "{text}");
        }
        let name = expand("$HELLO=x", &get).expect("valid");
        assert_eq!(name, ("hi".to_owned(), "x".to_owned()));
    }
}
