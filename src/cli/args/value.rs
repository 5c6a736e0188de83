//! Values of flags as Go reads them. Errors are Go's texts, which follow `invalid argument "x" for "--flag" flag: `.

use std::path::PathBuf;
use std::time::Duration;

/// `strconv.ParseBool`.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {text:?}: invalid syntax"
        )),
    }
}

/// Any text, for flags whose value only a later step judges.
pub fn text(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

/// A path flag's value; an empty one counts as not given.
pub fn given(path: &Option<PathBuf>) -> Option<PathBuf> {
    path.clone().filter(|path| !path.as_os_str().is_empty())
}

/// `strconv.ParseUint`, decimal or with a base prefix.
pub fn unsigned(text: &str) -> Result<u64, String> {
    let (digits, radix) = radix(text);
    u64::from_str_radix(digits, radix).map_err(|err| number_error("Uint", text, &err))
}

/// `strconv.ParseInt`.
pub fn integer(text: &str) -> Result<i64, String> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = radix(rest);
    if digits.starts_with(['+', '-']) {
        return Err(format!(
            "strconv.ParseInt: parsing {text:?}: invalid syntax"
        ));
    }
    i64::from_str_radix(
        &format!("{}{digits}", if negative { "-" } else { "" }),
        radix,
    )
    .map_err(|err| number_error("Int", text, &err))
}

fn radix(text: &str) -> (&str, u32) {
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    match lower.as_deref() {
        Some("0x") => (&text[2..], 16),
        Some("0o") => (&text[2..], 8),
        Some("0b") => (&text[2..], 2),
        _ if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        _ => (text, 10),
    }
}

fn number_error(kind: &str, text: &str, err: &std::num::ParseIntError) -> String {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    let why = match err.kind() {
        PosOverflow | NegOverflow => "value out of range",
        _ => "invalid syntax",
    };
    format!("strconv.Parse{kind}: parsing {text:?}: {why}")
}

/// `strconv.ParseFloat`, without infinities and what is no number.
pub fn float(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
}

/// `u32` seconds or counts.
pub fn unsigned32(text: &str) -> Result<u32, String> {
    u32::try_from(unsigned(text)?)
        .map_err(|_| format!("strconv.ParseUint: parsing {text:?}: value out of range"))
}

/// `time.ParseDuration`: `1h30m`, `1.5s`, `100ms`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(|| format!("time: missing unit in duration {text:?}"))?;
        let number: f64 = rest[..end].parse().map_err(|_| invalid())?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            other => return Err(format!("time: unknown unit {other:?} in duration {text:?}")),
        };
        rest = &rest[end..];
        let part = Duration::try_from_secs_f64(number * unit).map_err(|_| invalid())?;
        total = total.checked_add(part).ok_or_else(invalid)?;
    }
    Ok(total)
}

/// `units.RAMInBytes` of docker/go-units: `64m`, `1.5GiB`, `512`; powers of 1024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let invalid = || format!("invalid size: '{text}'");
    let end = text
        .rfind(|c: char| c.is_ascii_digit() || c == '.')
        .ok_or_else(invalid)?
        + 1;
    if text[..end]
        .bytes()
        .any(|b| b != b'.' && !b.is_ascii_digit())
    {
        return Err(invalid());
    }
    let number: f64 = text[..end].parse().map_err(|_| invalid())?;
    let unit = text[end..].trim_start().to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if unit.len() <= 1 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(format!("invalid suffix: '{}'", &text[end..])),
    };
    let value = number * 1024f64.powi(power);
    if value > u64::MAX as f64 {
        return Err(invalid());
    }
    Ok(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans() {
        for (text, want) in [
            ("1", true),
            ("T", true),
            ("True", true),
            ("f", false),
            ("0", false),
        ] {
            assert_eq!(boolean(text), Ok(want));
        }
        for text in ["", "yes", "tRUE", "2"] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(unsigned("10"), Ok(10));
        assert_eq!(unsigned("0x1f"), Ok(31));
        assert_eq!(
            unsigned("-1"),
            Err("strconv.ParseUint: parsing \"-1\": invalid syntax".to_owned())
        );
        assert_eq!(integer("-1"), Ok(-1));
        assert_eq!(integer("+7"), Ok(7));
        assert!(integer("--7").is_err());
        assert_eq!(
            unsigned32("4294967296"),
            Err("strconv.ParseUint: parsing \"4294967296\": value out of range".to_owned())
        );
    }

    #[test]
    fn durations() {
        let table = [
            ("0", 0.0),
            ("1h30m", 5400.0),
            ("1.5s", 1.5),
            ("250ms", 0.25),
            ("2m3s", 123.0),
        ];
        for (text, want) in table {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(want)), "{text}");
        }
        for (text, want) in [
            ("10", "time: missing unit in duration \"10\""),
            ("1x", "time: unknown unit \"x\" in duration \"1x\""),
            ("", "time: invalid duration \"\""),
            ("s", "time: invalid duration \"s\""),
        ] {
            assert_eq!(duration(text), Err(want.to_owned()));
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("512", 512),
            ("64m", 64 << 20),
            ("64MB", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("10 k", 10 << 10),
            ("7b", 7),
        ];
        for (text, want) in table {
            assert_eq!(bytes(text), Ok(want), "{text}");
        }
        for text in ["", "m", "12x", "1ii", "-1", "1e3m"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
