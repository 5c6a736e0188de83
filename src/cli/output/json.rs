//! JSON documents as Podman lays them out.

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::error::{Error, Kind, Result};

/// Indent of `inspect`.
pub const INSPECT: &str = "     ";
/// Indent of `ps`.
pub const PS: &str = "  ";
/// Indent of `images`.
pub const IMAGES: &str = "    ";

/// `value` over several lines, each level `indent` deeper, without a newline at the end.
pub fn pretty<T: Serialize>(value: &T, indent: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = Serializer::with_formatter(&mut bytes, formatter);
    value.serialize(&mut serializer).map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `value` on one line.
pub fn compact<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(failed)
}

fn failed(err: serde_json::Error) -> Error {
    Error::new(Kind::System, format!("write JSON: {err}"))
}

/// Lays a JSON text out with four blanks a level, as Podman does; keys stay in their order.
pub fn indented(text: &[u8]) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b' ', depth * 4));
    };
    for &byte in text {
        if in_string {
            out.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                // An empty one stays on its line.
                if !matches!(out.last(), Some(b'{' | b'[')) {
                    line(&mut out, depth);
                }
            }
            _ if matches!(out.last(), Some(b'{' | b'[')) => line(&mut out, depth),
            _ => {}
        }
        out.push(byte);
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b',' => line(&mut out, depth),
            b':' => out.push(b' '),
            _ => {}
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents() {
        let value = serde_json::json!({"a": [1], "b": {}});
        assert_eq!(
            pretty(&value, "  ").expect("plain data"),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}"
        );
        assert_eq!(compact(&value).expect("plain data"), "{\"a\":[1],\"b\":{}}");
    }

    #[test]
    fn a_text_is_laid_out_in_its_own_order() {
        let text = br#"{"b":[1,{"a":"x{\\\",:"}],"a":{}, "c" : [ ]}"#;
        let want = "{\n    \"b\": [\n        1,\n        {\n            \"a\": \"x{\\\\\\\",:\"\n        }\n    ],\n    \"a\": {},\n    \"c\": []\n}";
        assert_eq!(indented(text), want);
    }
}
