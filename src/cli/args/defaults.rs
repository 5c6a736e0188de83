//! Defaults of containers.conf for what the command line of `run` and `create` left open.

use crate::config::containers::Containers;
use crate::container::request::CreateRequest;
use crate::error::{Error, Result};
use crate::net::{NetworkMode, mode};

/// Fills in what `request` leaves open.
pub fn apply(config: &Containers, request: &mut CreateRequest) -> Result<()> {
    network(config, request)?;
    let own_network = !matches!(
        request.network,
        Some(NetworkMode::Host | NetworkMode::Container { .. } | NetworkMode::Path { .. })
    );
    let lists = [
        (&mut request.dns, &config.dns_servers),
        (&mut request.dns_search, &config.dns_searches),
        (&mut request.dns_option, &config.dns_options),
    ];
    for (to, from) in lists {
        if to.is_empty() {
            to.clone_from(from);
        }
    }
    request.no_hosts |= config.no_hosts == Some(true);
    request.init |= config.init == Some(true);
    request.read_only |= config.read_only == Some(true);
    request.http_proxy = request.http_proxy.or(config.http_proxy);
    request.stop_timeout = request.stop_timeout.or(config.stop_timeout);
    if request.detach_keys.is_none() {
        request.detach_keys.clone_from(&config.detach_keys);
    }
    for (key, values) in [
        ("annotations", &config.annotations),
        ("default_sysctls", &config.default_sysctls),
    ] {
        let to = match key {
            "annotations" => &mut request.annotations,
            _ => &mut request.sysctls,
        };
        for pair in values {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::usage(format!(
                    "use {key} of containers.conf: \"{pair}\" is not NAME=VALUE"
                ))
            })?;
            // Those of a namespace that is not the container's own are meant for the others (as Podman).
            let foreign = key == "default_sysctls" && name.starts_with("net.") && !own_network;
            if foreign {
                continue;
            }
            to.entry(name.trim().to_owned())
                .or_insert_with(|| value.trim().to_owned());
        }
    }
    Ok(())
}

fn network(config: &Containers, request: &mut CreateRequest) -> Result<()> {
    match &mut request.network {
        Some(NetworkMode::Pasta { options }) => {
            let own = std::mem::take(options);
            *options = config.pasta_options.iter().cloned().chain(own).collect();
        }
        Some(_) => {}
        none => {
            *none = Some(match config.netns.as_deref() {
                Some("none") => NetworkMode::None,
                Some("host") => NetworkMode::Host,
                // Podman's `bridge` is for root; without it, the user's network.
                None | Some("" | "private" | "bridge" | "pasta" | "slirp4netns") => {
                    let command = config
                        .netns
                        .as_deref()
                        .filter(|word| matches!(*word, "pasta" | "slirp4netns"))
                        .or(config.default_rootless_network_cmd.as_deref());
                    mode::default(command, &config.pasta_options)?
                }
                Some(other) => {
                    return Err(Error::usage(format!(
                        "use netns = \"{other}\" of containers.conf: must be private, host, none, pasta or slirp4netns"
                    )));
                }
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins() {
        let config = Containers {
            dns_servers: vec!["9.9.9.9".into()],
            stop_timeout: Some(3),
            pasta_options: vec!["-T".into(), "1".into()],
            default_sysctls: vec!["net.ipv4.ping_group_range=0 0".into()],
            ..Containers::default()
        };
        let mut open = CreateRequest::default();
        apply(&config, &mut open).expect("defaults");
        assert_eq!(open.dns, ["9.9.9.9"]);
        assert_eq!(open.stop_timeout, Some(3));
        assert_eq!(
            open.network.map(|mode| mode.to_string()).as_deref(),
            Some("pasta:-T,1")
        );
        assert_eq!(open.sysctls["net.ipv4.ping_group_range"], "0 0");
        let mut given = CreateRequest {
            dns: vec!["1.1.1.1".into()],
            stop_timeout: Some(9),
            network: Some(NetworkMode::Host),
            ..CreateRequest::default()
        };
        apply(&config, &mut given).expect("defaults");
        assert_eq!(
            (given.dns.as_slice(), given.stop_timeout),
            (["1.1.1.1".to_owned()].as_slice(), Some(9))
        );
        assert_eq!(given.network, Some(NetworkMode::Host));
        assert!(given.sysctls.is_empty(), "a sysctl of the host's network");
    }
}
