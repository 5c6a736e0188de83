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
}
