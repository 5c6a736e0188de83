//! `--network`: text to mode and back (podman-run(1), `--network`).

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};

use super::{NetworkMode, helper};

/// What `--network` says, before names are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Not given, `private` or `default`: what [`default`] chooses.
    Default,
    Mode(NetworkMode),
    /// `container:NAME`, the name still to be looked up.
    Container(String),
}

/// Reads one `--network` value.
///
/// Networks by name are refused: this version has none.
pub fn parse(text: &str) -> Result<Asked> {
    let (word, rest) = text.split_once(':').unwrap_or((text, ""));
    let options = || -> Vec<String> {
        rest.split(',')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let empty = |what: &str| Error::usage(format!("use network \"{text}\": the {what} is empty"));
    match word {
        "" | "private" | "default" if rest.is_empty() => Ok(Asked::Default),
        "pasta" => Ok(Asked::Mode(NetworkMode::Pasta { options: options() })),
        "slirp4netns" => Ok(Asked::Mode(NetworkMode::Slirp4netns { options: options() })),
        "none" if rest.is_empty() => Ok(Asked::Mode(NetworkMode::None)),
        "host" if rest.is_empty() => Ok(Asked::Mode(NetworkMode::Host)),
        "ns" if rest.is_empty() => Err(empty("path")),
        "ns" => Ok(Asked::Mode(NetworkMode::Path {
            path: PathBuf::from(rest),
        })),
        "container" if rest.is_empty() => Err(empty("name")),
        "container" => Ok(Asked::Container(rest.to_owned())),
        _ => Err(Error::new(
            Kind::Unsupported,
            format!("use network \"{word}\": named networks are not supported by this version"),
        )
        .hint("pasta, slirp4netns, none, host, ns:PATH and container:NAME work")),
    }
}

/// The network of a container that asks for none: containers.conf's `default_rootless_network_cmd`, else pasta.
///
/// `pasta_options` of containers.conf come first among a pasta's options, also of one asked for by name.
pub fn default(command: Option<&str>, pasta_options: &[String]) -> Result<NetworkMode> {
    match command {
        None | Some("" | "pasta") => Ok(NetworkMode::Pasta {
            options: pasta_options.to_vec(),
        }),
        Some("slirp4netns") => Ok(NetworkMode::Slirp4netns {
            options: Vec::new(),
        }),
        Some(other) => Err(Error::usage(format!(
            "use default_rootless_network_cmd = \"{other}\" of containers.conf: must be pasta or slirp4netns"
        ))),
    }
}

/// The helper a default network would use on this host, for `info`.
pub fn default_command(command: Option<&str>) -> &'static str {
    match command {
        Some("slirp4netns") => "slirp4netns",
        _ if helper::find("pasta").is_none() && helper::find("slirp4netns").is_some() => {
            "slirp4netns"
        }
        _ => "pasta",
    }
}

/// As in `inspect`'s `NetworkMode`.
impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |f: &mut fmt::Formatter<'_>, word: &str, options: &[String]| match options {
            [] => f.write_str(word),
            options => write!(f, "{word}:{}", options.join(",")),
        };
        match self {
            Self::Pasta { options } => with(f, "pasta", options),
            Self::Slirp4netns { options } => with(f, "slirp4netns", options),
            Self::None => f.write_str("none"),
            Self::Host => f.write_str("host"),
            Self::Path { path } => write!(f, "ns:{}", path.display()),
            Self::Container { id } => write!(f, "container:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_values() {
        for text in [
            "pasta",
            "pasta:-T,5432",
            "slirp4netns:mtu=1500,enable_ipv6=true",
            "none",
            "host",
            "ns:/run/x",
        ] {
            match parse(text).expect(text) {
                Asked::Mode(mode) => assert_eq!(mode.to_string(), text),
                other => panic!("{text}: {other:?}"),
            }
        }
        for text in ["", "private", "default"] {
            assert_eq!(parse(text).expect(text), Asked::Default);
        }
        assert_eq!(
            parse("container:web").expect("name"),
            Asked::Container("web".into())
        );
        for (text, want) in [
            (
                "mynet",
                "use network \"mynet\": named networks are not supported by this version",
            ),
            (
                "host:x",
                "use network \"host\": named networks are not supported by this version",
            ),
            ("ns:", "use network \"ns:\": the path is empty"),
            (
                "container:",
                "use network \"container:\": the name is empty",
            ),
        ] {
            assert_eq!(parse(text).expect_err(text).to_string(), want);
        }
    }
}
