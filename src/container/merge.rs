//! The image's settings and the request put together: what the container will run. Pure.
//!
//! The rules are Podman's (`podman-run(1)`): `--entrypoint` drops the image's CMD, words after the image replace
//! CMD, an image's variable gives way to the user's.

use std::collections::BTreeMap;

use oci_spec::image::Config;

use crate::error::{Error, Result};
use crate::net::Protocol;

use super::env_merge;
use super::record::Process;
use super::request::CreateRequest;
use super::signal;

/// As Podman sets it where neither image nor user does.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the image and the request make together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    pub process: Process,
    pub labels: BTreeMap<String, String>,
    /// Sorted, without doubles.
    pub exposed: Vec<(u16, Protocol)>,
    pub stop_signal: i32,
    /// Targets of the image's `VOLUME`s, sorted.
    pub volumes: Vec<String>,
}

/// `image` is `None` with `--rootfs`; `host`: variables of the host that are passed on, the proxies' or all of them.
pub fn merge(
    request: &CreateRequest,
    image: Option<&Config>,
    hostname: &str,
    host: &[(String, String)],
) -> Result<Merged> {
    let (entrypoint, cmd) = command(request, image);
    let args: Vec<String> = entrypoint.iter().chain(&cmd).cloned().collect();
    if args.is_empty() {
        return Err(Error::usage(
            "no command or entrypoint provided, and no CMD or ENTRYPOINT from image",
        ));
    }
    let image_text = |get: fn(&Config) -> &Option<String>| {
        image.and_then(|c| get(c).clone()).filter(|t| !t.is_empty())
    };
    let cwd = request
        .workdir
        .clone()
        .or_else(|| image_text(Config::working_dir))
        .unwrap_or_else(|| "/".to_owned());
    if !cwd.starts_with('/') {
        return Err(Error::usage(format!(
            "the working directory {cwd:?} is invalid, it needs to be an absolute path"
        )));
    }
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    if let Some(of_image) = image.and_then(|c| c.labels().as_ref()) {
        labels.extend(of_image.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    labels.extend(request.labels.iter().map(|(k, v)| (k.clone(), v.clone())));
    let stop_signal = match (request.stop_signal, image_text(Config::stop_signal)) {
        (Some(number), _) => number,
        (None, Some(name)) => {
            signal::parse(&name).map_err(|err| err.context("image's stop signal"))?
        }
        (None, None) => libc::SIGTERM,
    };
    Ok(Merged {
        process: Process {
            args,
            env: env(request, image, hostname, host)?,
            cwd,
            user: request
                .user
                .clone()
                .or_else(|| image_text(Config::user))
                .unwrap_or_default(),
            entrypoint,
            cmd,
        },
        labels,
        exposed: exposed(request, image)?,
        stop_signal,
        volumes: volumes(image),
    })
}

fn command(request: &CreateRequest, image: Option<&Config>) -> (Vec<String>, Vec<String>) {
    let of_image = |get: fn(&Config) -> &Option<Vec<String>>| {
        image.and_then(|c| get(c).clone()).unwrap_or_default()
    };
    match &request.entrypoint {
        Some(words) if words.iter().all(String::is_empty) => (Vec::new(), request.command.clone()),
        Some(words) => (words.clone(), request.command.clone()),
        None if request.command.is_empty() => (of_image(Config::entrypoint), of_image(Config::cmd)),
        None => (of_image(Config::entrypoint), request.command.clone()),
    }
}

/// Variables in the order they first appear; a later value replaces an earlier one in its place.
fn env(
    request: &CreateRequest,
    image: Option<&Config>,
    hostname: &str,
    host: &[(String, String)],
) -> Result<Vec<String>> {
    let mut vars = EnvList::default();
    vars.set("PATH", PATH);
    vars.set("container", "podman");
    if request.tty {
        vars.set("TERM", "xterm");
    }
    vars.set("HOSTNAME", hostname);
    for (name, value) in &request.default_env {
        vars.set(name, value);
    }
    if let Some(of_image) = image.and_then(|c| c.env().as_ref()) {
        for line in of_image {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            vars.set(name, value);
        }
    }
    for text in &request.env_merge {
        let (name, value) = env_merge::expand(text, &|name| vars.get(name))?;
        vars.set(&name, &value);
    }
    if request.unset_env_all {
        vars = EnvList::default();
    }
    for name in &request.unset_env {
        vars.remove(name);
    }
    for (name, value) in host {
        vars.set(name, value);
    }
    for (name, value) in &request.env {
        vars.set(name, value);
    }
    Ok(vars.lines)
}

#[derive(Default)]
pub(super) struct EnvList {
    pub(super) lines: Vec<String>,
}

impl EnvList {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let line = format!("{name}={value}");
        match self.position(name) {
            Some(at) => self.lines[at] = line,
            None => self.lines.push(line),
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        let line = &self.lines[self.position(name)?];
        line.split_once('=').map(|(_, value)| value.to_owned())
    }

    fn remove(&mut self, name: &str) {
        if let Some(at) = self.position(name) {
            self.lines.remove(at);
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.lines
            .iter()
            .position(|l| l.split_once('=').is_some_and(|(n, _)| n == name))
    }
}

fn exposed(request: &CreateRequest, image: Option<&Config>) -> Result<Vec<(u16, Protocol)>> {
    let mut ports = request.expose.clone();
    for text in image
        .and_then(|c| c.exposed_ports().as_ref())
        .into_iter()
        .flatten()
    {
        ports.extend(parse_exposed(text)?);
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

/// `80`, `80/tcp`, `9000-9010/udp` of an image's EXPOSE.
fn parse_exposed(text: &str) -> Result<Vec<(u16, Protocol)>> {
    let bad = || Error::usage(format!("image exposes {text:?}, which is not a port"));
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol.to_ascii_lowercase().as_str() {
        "tcp" | "" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => return Err(bad()),
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let first: u16 = first.parse().map_err(|_| bad())?;
    let last: u16 = last.parse().map_err(|_| bad())?;
    if first == 0 || last < first {
        return Err(bad());
    }
    Ok((first..=last).map(|port| (port, protocol)).collect())
}

/// Only absolute, clean targets: the text comes from the image.
fn volumes(image: Option<&Config>) -> Vec<String> {
    let mut targets: Vec<String> = image
        .and_then(|c| c.volumes().as_ref())
        .into_iter()
        .flatten()
        .filter_map(|text| clean_target(text))
        .collect();
    targets.sort_unstable();
    targets.dedup();
    targets
}

/// `text` as an absolute path without `.`, `..`, doubled or trailing slashes; `None`: the root itself, or relative.
pub fn clean_target(text: &str) -> Option<String> {
    if !text.starts_with('/') || text.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(json: &str) -> Config {
        serde_json::from_str(json).expect("image config")
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn entrypoint_and_command() {
        let both = image(r#"{"Entrypoint":["/e","x"],"Cmd":["c"]}"#);
        let table: [(Option<&[&str]>, &[&str], &[&str]); 6] = [
            (None, &[], &["/e", "x", "c"]),
            (None, &["u"], &["/e", "x", "u"]),
            (Some(&["/o"]), &[], &["/o"]),
            (Some(&["/o"]), &["u"], &["/o", "u"]),
            (Some(&[""]), &["u"], &["u"]),
            (Some(&[]), &["u", "v"], &["u", "v"]),
        ];
        for (entrypoint, command, want) in table {
            let request = CreateRequest {
                entrypoint: entrypoint.map(words),
                command: words(command),
                ..Default::default()
            };
            let got = merge(&request, Some(&both), "h", &[]).expect("merge");
            assert_eq!(got.process.args, words(want), "{entrypoint:?} {command:?}");
        }
        let request = CreateRequest {
            entrypoint: Some(words(&[""])),
            ..Default::default()
        };
        assert!(merge(&request, Some(&both), "h", &[]).is_err());
    }

    #[test]
    fn variables_in_order_and_later_ones_win() {
        let of_image = image(r#"{"Cmd":["c"],"Env":["PATH=/bin","A=1","B=2"]}"#);
        let request = CreateRequest {
            env: vec![
                ("A".into(), "user".into()),
                ("http_proxy".into(), "mine".into()),
            ],
            unset_env: words(&["B"]),
            ..Default::default()
        };
        let proxies = [("http_proxy".to_owned(), "host".to_owned())];
        let got = merge(&request, Some(&of_image), "h", &proxies).expect("merge");
        assert_eq!(
            got.process.env,
            words(&[
                "PATH=/bin",
                "container=podman",
                "HOSTNAME=h",
                "A=user",
                "http_proxy=mine"
            ])
        );
    }

    #[test]
    fn settings_of_image_and_request() {
        let of_image = image(
            r#"{"Cmd":["c"],"User":"www","WorkingDir":"/srv","StopSignal":"SIGQUIT","Labels":{"a":"1","b":"2"},
                "ExposedPorts":{"80/tcp":{},"53/udp":{},"9000-9001":{}},"Volumes":{"/data/":{},"/a/../b":{},"/":{}}}"#,
        );
        let request = CreateRequest {
            labels: [("b".to_owned(), "user".to_owned())].into(),
            expose: vec![(80, Protocol::Tcp)],
            ..Default::default()
        };
        let got = merge(&request, Some(&of_image), "h", &[]).expect("merge");
        assert_eq!(
            (got.process.user.as_str(), got.process.cwd.as_str()),
            ("www", "/srv")
        );
        assert_eq!(got.stop_signal, libc::SIGQUIT);
        assert_eq!(got.labels["a"], "1");
        assert_eq!(got.labels["b"], "user");
        assert_eq!(
            got.exposed,
            [
                (53, Protocol::Udp),
                (80, Protocol::Tcp),
                (9000, Protocol::Tcp),
                (9001, Protocol::Tcp)
            ]
        );
        assert_eq!(got.volumes, words(&["/b", "/data"]));
    }

    #[test]
    fn a_relative_workdir_or_no_command_is_refused() {
        let request = CreateRequest {
            command: words(&["c"]),
            workdir: Some("x".into()),
            ..Default::default()
        };
        assert!(merge(&request, None, "h", &[]).is_err());
        assert!(merge(&CreateRequest::default(), None, "h", &[]).is_err());
    }
}
