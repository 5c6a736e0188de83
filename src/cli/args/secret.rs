//! `--secret`.

use crate::container::request::{SecretRequest, SecretTarget};
use crate::error::{Error, Result};

/// Read by all, written by nobody.
const MODE: u32 = 0o444;

/// `NAME[,type=mount|env][,target=…][,uid=…][,gid=…][,mode=…]`, or `source=NAME,…`; errors in Podman's words.
pub fn parse(text: &str) -> Result<SecretRequest> {
    let bad = |why: String| Error::usage(format!("{why}: parsing secret"));
    let mut parts = text.split(',').peekable();
    let mut name = "";
    let single = !text.contains(',');
    if let Some(first) = parts.next_if(|first| single || !first.contains('=')) {
        name = first;
    }
    let (mut kind, mut target) = (None, "");
    let (mut uid, mut gid, mut mode) = (None, None, None);
    for part in parts {
        let Some((key, value)) = part.split_once('=') else {
            return Err(bad(format!("option {part} must be in form option=value")));
        };
        let id = || {
            let digits = value.bytes().all(|b| b.is_ascii_digit());
            let id = value.parse::<u32>().ok().filter(|_| digits);
            id.ok_or_else(|| bad(format!("{} {value} invalid", key.to_uppercase())))
        };
        match key {
            "source" => name = value,
            "type" if kind.is_some() => {
                return Err(bad("cannot set more than one secret type".to_owned()));
            }
            "type" if value == "mount" || value == "env" => kind = Some(value),
            "type" => return Err(bad(format!("type {value} is invalid"))),
            "target" => target = value,
            "mode" => {
                let octal = u32::from_str_radix(value, 8).ok();
                let octal = octal.filter(|m| *m <= 0o7777 && !value.starts_with('+'));
                mode = Some(octal.ok_or_else(|| bad(format!("mode {value} invalid")))?);
            }
            "uid" | "UID" => uid = Some(id()?),
            "gid" | "GID" => gid = Some(id()?),
            _ => return Err(bad(format!("option {part} invalid"))),
        }
    }
    if name.is_empty() {
        return Err(bad(format!("no source found {text}")));
    }
    let target = if target.is_empty() { name } else { target };
    let to = match kind {
        Some("env") if uid.or(gid).or(mode).is_some() => {
            return Err(bad(
                "UID, GID, Mode options cannot be set with secret type env".to_owned(),
            ));
        }
        Some("env") if target.contains(['=', '\0']) => {
            return Err(bad(format!("target {target} invalid")));
        }
        Some("env") => SecretTarget::Env(target.to_owned()),
        _ => SecretTarget::File {
            target: target.to_owned(),
            uid: uid.unwrap_or(0),
            gid: gid.unwrap_or(0),
            mode: mode.unwrap_or(MODE),
        },
    };
    Ok(SecretRequest {
        name: name.to_owned(),
        to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets() {
        let file = |target: &str, uid, gid, mode| SecretTarget::File {
            target: target.to_owned(),
            uid,
            gid,
            mode,
        };
        for (text, name, to) in [
            ("db", "db", file("db", 0, 0, 0o444)),
            ("db,target=/etc/x", "db", file("/etc/x", 0, 0, 0o444)),
            (
                "source=db,uid=5,GID=6,mode=0400",
                "db",
                file("db", 5, 6, 0o400),
            ),
            ("db,type=env", "db", SecretTarget::Env("db".to_owned())),
            (
                "db,type=env,target=DB",
                "db",
                SecretTarget::Env("DB".to_owned()),
            ),
        ] {
            let want = SecretRequest {
                name: name.to_owned(),
                to,
            };
            assert_eq!(parse(text).expect(text), want);
        }
        for (text, want) in [
            (
                "db,x",
                "option x must be in form option=value: parsing secret",
            ),
            ("db,type=x", "type x is invalid: parsing secret"),
            (
                "db,type=env,type=mount",
                "cannot set more than one secret type: parsing secret",
            ),
            ("db,uid=x", "UID x invalid: parsing secret"),
            ("db,mode=9", "mode 9 invalid: parsing secret"),
            ("db,foo=bar", "option foo=bar invalid: parsing secret"),
            (
                "type=env,target=x",
                "no source found type=env,target=x: parsing secret",
            ),
            (
                "db,type=env,uid=1",
                "UID, GID, Mode options cannot be set with secret type env: parsing secret",
            ),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), want);
        }
    }
}
