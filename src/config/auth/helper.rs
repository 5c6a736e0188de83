//! Credential helpers: programs named `docker-credential-NAME` that keep secrets (docker-credential-helpers'
//! protocol: `get`, `store`, `erase`, `list`; request on stdin, answer on stdout).

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Credentials;
use crate::error::{Error, Kind, Result, Tried};

/// The protocol's way of saying "nothing stored", on stdout or stderr.
const NOTHING: &str = "credentials not found";
/// The user name of an entry whose secret is a refresh token.
const TOKEN: &str = "<token>";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    #[serde(default, rename = "ServerURL")]
    server: String,
    username: String,
    secret: String,
}

/// What is stored for `server`.
pub(super) fn get(name: &str, server: &str) -> Result<Option<Credentials>> {
    let Some(answer) = run(name, "get", server, server)? else {
        return Ok(None);
    };
    let answer: Secret = serde_json::from_slice(&answer).map_err(|_| malformed(name, server))?;
    Ok(Some(match answer.username.as_str() {
        TOKEN => Credentials::Identity {
            token: answer.secret,
        },
        _ => Credentials::Basic {
            user: answer.username,
            password: answer.secret,
        },
    }))
}

pub(super) fn store(name: &str, server: &str, user: &str, password: &str) -> Result<()> {
    let secret = Secret {
        server: server.into(),
        username: user.into(),
        secret: password.into(),
    };
    let request = serde_json::to_string(&secret).unwrap_or_default();
    run(name, "store", server, &request).map(|_| ())
}

/// Tells whether something was stored for `server`.
pub(super) fn erase(name: &str, server: &str) -> Result<bool> {
    if run(name, "get", server, server)?.is_none() {
        return Ok(false);
    }
    Ok(run(name, "erase", server, server)?.is_some())
}

/// All servers something is stored for.
pub(super) fn list(name: &str) -> Result<Vec<String>> {
    let answer = run(name, "list", "all registries", "")?.unwrap_or_default();
    let all: BTreeMap<String, String> =
        serde_json::from_slice(&answer).map_err(|_| malformed(name, "all registries"))?;
    Ok(all.into_keys().collect())
}

/// `None`: the helper has nothing for that server. Its answers are secret and never part of a message.
fn run(name: &str, action: &str, server: &str, request: &str) -> Result<Option<Vec<u8>>> {
    let program = format!("docker-credential-{name}");
    if name.is_empty() || name.contains('/') {
        return Err(Error::new(
            Kind::Corrupt,
            format!("run credential helper \"{program}\": not a program name"),
        ));
    }
    let tried = || format!("run credential helper \"{program} {action}\" for {server}");
    let mut child = Command::new(&program)
        .arg(action)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|err| {
            Error::io(&err, tried()).hint("install it, or remove it from the auth file")
        })?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(request.as_bytes()); // a helper that does not read says so by its status
    }
    let done = child.wait_with_output().tried(tried)?;
    if done.status.success() {
        return Ok(Some(done.stdout));
    }
    let text = [done.stdout.as_slice(), done.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    if text.contains(NOTHING) {
        return Ok(None);
    }
    let first = text.lines().next().unwrap_or_default();
    let text = format!("{}: {}: {first}", tried(), done.status);
    Err(Error::new(Kind::Unauthorized, text))
}

fn malformed(name: &str, server: &str) -> Error {
    let text = format!(
        "run credential helper \"docker-credential-{name}\" for {server}: its answer is not what the protocol wants"
    );
    Error::new(Kind::Corrupt, text)
}
