//! Which network a container gets that asks for none, and a mode as text.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};

use super::{NetworkMode, helper};

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

/// The helper a default network would use on this host, for `info`; `dirs` as for [`helper::find`].
pub fn default_command(command: Option<&str>, dirs: &[PathBuf]) -> &'static str {
    match command {
        Some("slirp4netns") => "slirp4netns",
        _ if helper::find("pasta", dirs).is_none()
            && helper::find("slirp4netns", dirs).is_some() =>
        {
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
    fn the_default_network_follows_containers_conf() {
        let options = ["-T".to_owned(), "5432".to_owned()];
        for (command, want) in [
            (None, "pasta:-T,5432"),
            (Some("pasta"), "pasta:-T,5432"),
            (Some("slirp4netns"), "slirp4netns"),
        ] {
            assert_eq!(default(command, &options).expect("mode").to_string(), want);
        }
        assert!(default(Some("vpnkit"), &[]).is_err());
    }
}
