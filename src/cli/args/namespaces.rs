//! `--network`, `--pid`, `--ipc`, `--uts`, `--cgroupns`, `--userns`.

use std::path::PathBuf;

use crate::container::request::{NamespaceMode, UsernsMode};
use crate::error::{Error, Kind, Result};
use crate::net::NetworkMode;

use super::value;

/// Finds the full id of the container that `container:NAME` means.
pub type FindContainer<'a> = &'a dyn Fn(&str) -> Result<String>;

/// `--network`; `None` is the default network.
pub fn network(values: &[String], find: FindContainer<'_>) -> Result<Option<NetworkMode>> {
    let [text] = values else {
        return match values.first() {
            None => Ok(None),
            Some(first) => Err(Error::usage(format!(
                "cannot set multiple networks without bridge network mode, selected mode {first}: \
                 invalid argument"
            ))),
        };
    };
    let (mode, rest) = match text.split_once(':') {
        Some((mode, rest)) => (mode, Some(rest)),
        None => (text.as_str(), None),
    };
    let options = || {
        rest.map_or_else(Vec::new, |rest| {
            rest.split(',')
                .filter(|o| !o.is_empty())
                .map(str::to_owned)
                .collect()
        })
    };
    Ok(Some(match (mode, rest) {
        ("" | "default" | "private", None) => return Ok(None),
        ("none", None) => NetworkMode::None,
        ("host", None) => NetworkMode::Host,
        ("pasta", _) => NetworkMode::Pasta { options: options() },
        ("slirp4netns", _) => NetworkMode::Slirp4netns { options: options() },
        ("container", Some(name)) => NetworkMode::Container {
            id: find(name)
                .map_err(|err| err.context("looking up container to share net namespace with"))?,
        },
        ("ns", Some(path)) => NetworkMode::Path {
            path: namespace_path(path)?,
        },
        ("none" | "host", Some(rest)) => {
            return Err(Error::usage(format!(
                "network mode {mode:?} takes no options, got {rest:?}"
            )));
        }
        _ => {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "network {text:?}: named networks are not available in this version of pod"
                ),
            )
            .hint("use pasta (the default), slirp4netns, host, none, container:NAME or ns:PATH"));
        }
    }))
}

/// Which words a namespace flag knows beside `private`, `host`, `container:` and `ns:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    Plain,
    /// `--ipc`: `shareable` and `none` too.
    Ipc,
}

/// `--pid`, `--ipc`, `--uts`, `--cgroupns`
pub fn mode(text: Option<&str>, words: Words, find: FindContainer<'_>) -> Result<NamespaceMode> {
    let Some(text) = text else {
        return Ok(NamespaceMode::Private);
    };
    let unknown = || Error::usage(format!("unrecognized namespace mode {text} passed"));
    Ok(match text.split_once(':') {
        None => match text {
            "" | "private" => NamespaceMode::Private,
            "host" => NamespaceMode::Host,
            "shareable" if words == Words::Ipc => NamespaceMode::Private,
            "none" if words == Words::Ipc => NamespaceMode::None,
            _ => return Err(unknown()),
        },
        Some(("container", name)) => NamespaceMode::Container(
            find(name)
                .map_err(|err| err.context("looking up container to share namespace with"))?,
        ),
        Some(("ns", path)) => NamespaceMode::Path(namespace_path(path)?),
        Some(_) => return Err(unknown()),
    })
}

fn namespace_path(text: &str) -> Result<PathBuf> {
    let path = PathBuf::from(text);
    match std::fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(err) => Err(Error::io(&err, format!("find namespace \"{text}\""))),
    }
}

/// `--userns`, and `$PODMAN_USERNS` where it is absent.
pub fn userns(text: &str) -> Result<UsernsMode> {
    let (mode, rest) = text.split_once(':').unwrap_or((text, ""));
    match mode {
        "" | "host" if rest.is_empty() => Ok(UsernsMode::Host),
        "nomap" if rest.is_empty() => Ok(UsernsMode::Nomap),
        "keep-id" => {
            let (mut uid, mut gid) = (None, None);
            for option in rest.split(',').filter(|option| !option.is_empty()) {
                match option.split_once('=') {
                    Some(("uid", n)) => uid = Some(value::unsigned32(n).map_err(Error::usage)?),
                    Some(("gid", n)) => gid = Some(value::unsigned32(n).map_err(Error::usage)?),
                    Some(("size", _)) => return Err(later("keep-id:size=")),
                    _ => {
                        return Err(Error::usage(format!(
                            "unknown option specified: {option:?}"
                        )));
                    }
                }
            }
            Ok(UsernsMode::KeepId { uid, gid })
        }
        "auto" | "private" | "container" | "ns" => Err(later(mode)),
        _ => Err(Error::usage(format!(
            "unrecognized namespace mode {text} passed"
        ))),
    }
}

fn later(what: &str) -> Error {
    Error::new(
        Kind::Unsupported,
        format!("--userns {what} is not available in this version of pod"),
    )
    .hint("use host, keep-id or nomap")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(name: &str) -> Result<String> {
        match name {
            "web" => Ok("abc".to_owned()),
            _ => Err(Error::new(Kind::NotFound, "no such container")),
        }
    }

    fn net(text: &str) -> Result<Option<NetworkMode>> {
        network(&[text.to_owned()], &find)
    }

    #[test]
    fn networks() {
        use NetworkMode::{Container, Host, None as Nothing, Pasta};
        for (text, want) in [
            ("default", None),
            ("none", Some(Nothing)),
            ("host", Some(Host)),
            ("pasta", Some(Pasta { options: vec![] })),
            (
                "pasta:-T,80",
                Some(Pasta {
                    options: vec!["-T".to_owned(), "80".to_owned()],
                }),
            ),
            (
                "container:web",
                Some(Container {
                    id: "abc".to_owned(),
                }),
            ),
        ] {
            assert_eq!(net(text).expect(text), want);
        }
        for (text, want) in [
            (
                "container:x",
                "looking up container to share net namespace with: no such container",
            ),
            (
                "mynet",
                "network \"mynet\": named networks are not available in this version of pod",
            ),
            (
                "host:x",
                "network mode \"host\" takes no options, got \"x\"",
            ),
        ] {
            assert_eq!(net(text).expect_err(text).to_string(), want);
        }
        let two = ["none".to_owned(), "host".to_owned()];
        assert!(network(&two, &find).is_err());
        assert_eq!(network(&[], &find).expect("none given"), None);
    }

    #[test]
    fn modes() {
        use NamespaceMode::{Container, Host, None as Nothing, Private};
        for (text, words, want) in [
            ("", Words::Plain, Some(Private)),
            ("host", Words::Plain, Some(Host)),
            ("shareable", Words::Ipc, Some(Private)),
            ("none", Words::Ipc, Some(Nothing)),
            ("none", Words::Plain, None),
            (
                "container:web",
                Words::Plain,
                Some(Container("abc".to_owned())),
            ),
            (
                "ns:/proc/self/ns/uts",
                Words::Plain,
                Some(NamespaceMode::Path("/proc/self/ns/uts".into())),
            ),
            ("nope", Words::Plain, None),
        ] {
            assert_eq!(mode(Some(text), words, &find).ok(), want, "{text}");
        }
    }

    #[test]
    fn user_namespaces() {
        let keep = |uid, gid| UsernsMode::KeepId { uid, gid };
        for (text, want) in [
            ("", Some(UsernsMode::Host)),
            ("keep-id", Some(keep(None, None))),
            ("keep-id:uid=5,gid=6", Some(keep(Some(5), Some(6)))),
            ("nomap", Some(UsernsMode::Nomap)),
            ("keep-id:uid=x", None),
            ("keep-id:foo", None),
            ("auto", None),
            ("host:x", None),
        ] {
            assert_eq!(userns(text).ok(), want, "{text}");
        }
    }
}
