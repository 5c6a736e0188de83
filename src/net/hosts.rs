//! `/etc/hosts` of a container (hosts(5)). Text in, text out.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use crate::error::{Error, Kind, Result};

use super::NetStatus;

/// What the file says besides the localhost lines.
#[derive(Debug, Clone, Copy, Default)]
pub struct Names<'a> {
    /// `--add-host NAME:IP`; the address may be `host-gateway`.
    pub added: &'a [(String, String)],
    /// Names that lead to the container itself, host name first.
    pub own: &'a [&'a str],
    /// Text of the file given as `base_hosts_file`, whose entries come before ours.
    pub base: Option<&'a str>,
}

/// The container's hosts file.
///
/// `status` is of the network; with `--network host` it has no address, and own names lead to the loopback address
/// as in Podman. Names that `--add-host` or the base file defines are not defined again.
pub fn file(names: Names<'_>, status: &NetStatus) -> Result<String> {
    let mut text = String::new();
    let mut known: HashSet<String> = HashSet::new();
    let mut line = |text: &mut String, address: &str, wanted: &[&str]| {
        let fresh: Vec<&str> = wanted
            .iter()
            .copied()
            .filter(|name| known.insert((*name).to_owned()))
            .collect();
        if !fresh.is_empty() {
            let _ = writeln!(text, "{address}\t{}", fresh.join(" "));
        }
    };
    for (name, address) in names.added {
        let address = match (address.as_str(), status.host_address) {
            ("host-gateway", Some(ip)) => ip.to_string(),
            ("host-gateway", None) => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!(
                        "add host {name}: this network has no address of the host for host-gateway"
                    ),
                ));
            }
            (given, _) => given.to_owned(),
        };
        for name in name.split(';') {
            line(&mut text, &address, &[name]);
        }
    }
    for (address, name) in names.base.into_iter().flat_map(entries) {
        line(&mut text, address, &[name]);
    }
    // Two lines for one name: `localhost` is both addresses.
    let _ = writeln!(text, "127.0.0.1\tlocalhost localhost.localdomain");
    let _ = writeln!(text, "::1\tlocalhost localhost.localdomain");
    if let Some(ip) = status.host_address {
        line(
            &mut text,
            &ip.to_string(),
            &["host.containers.internal", "host.docker.internal"],
        );
    }
    let own: IpAddr = status
        .addresses
        .first()
        .copied()
        .unwrap_or([127, 0, 0, 1].into());
    line(&mut text, &own.to_string(), names.own);
    Ok(text)
}

/// (address, name) pairs of a hosts file, localhost left out.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().flat_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let address = words.next().unwrap_or_default();
        words
            .filter(|name| !name.starts_with("localhost"))
            .map(move |name| (address, name))
    })
}

/// Checks one `--add-host` value, `NAME[;NAME]:IP` or `NAME:host-gateway`.
pub fn parse_add_host(text: &str) -> Result<(String, String)> {
    let bad = |why: String| Error::usage(format!("invalid host to add \"{text}\": {why}"));
    let (name, address) = text
        .split_once(':')
        .ok_or_else(|| bad("must be NAME:IP or NAME:host-gateway".into()))?;
    if name.is_empty()
        || name
            .split(';')
            .any(|name| name.is_empty() || name.contains(char::is_whitespace))
    {
        return Err(bad("the name is empty or has blanks".into()));
    }
    let bare = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(address);
    if bare != "host-gateway" && bare.parse::<IpAddr>().is_err() {
        return Err(bad(format!("cannot parse \"{address}\" as an IP address")));
    }
    Ok((name.to_owned(), bare.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(own: Option<[u8; 4]>, host: Option<[u8; 4]>) -> NetStatus {
        NetStatus {
            addresses: own.map(IpAddr::from).into_iter().collect(),
            host_address: host.map(IpAddr::from),
            ..NetStatus::default()
        }
    }

    #[test]
    fn hosts_files() {
        let local =
            "127.0.0.1\tlocalhost localhost.localdomain\n::1\tlocalhost localhost.localdomain\n";
        let added = [
            ("db;db2".to_owned(), "10.1.1.1".to_owned()),
            ("up".to_owned(), "host-gateway".to_owned()),
        ];
        let pasta = status(Some([10, 0, 2, 100]), Some([192, 0, 2, 7]));
        let own = ["0123456789ab", "web"];
        let table: [(Names<'_>, &NetStatus, String); 3] = [
            (
                Names {
                    own: &own,
                    ..Names::default()
                },
                &pasta,
                format!(
                    "{local}192.0.2.7\thost.containers.internal host.docker.internal\n10.0.2.100\t0123456789ab web\n"
                ),
            ),
            (
                Names {
                    own: &own,
                    added: &added,
                    base: None,
                },
                &pasta,
                format!(
                    "10.1.1.1\tdb\n10.1.1.1\tdb2\n192.0.2.7\tup\n{local}\
                     192.0.2.7\thost.containers.internal host.docker.internal\n10.0.2.100\t0123456789ab web\n"
                ),
            ),
            (
                Names {
                    own: &own,
                    added: &[],
                    base: Some("127.0.0.1 localhost\n10.9.9.9 web # mine\n"),
                },
                &status(None, None),
                format!("10.9.9.9\tweb\n{local}127.0.0.1\t0123456789ab\n"),
            ),
        ];
        for (names, status, want) in table {
            assert_eq!(file(names, status).expect("file"), want);
        }
        let err = file(
            Names {
                added: &added,
                ..Names::default()
            },
            &status(None, None),
        )
        .expect_err("no gateway");
        assert!(err.to_string().starts_with("add host up:"), "{err}");
    }

    #[test]
    fn add_host_values() {
        for (text, want) in [
            ("a:1.2.3.4", Some(("a", "1.2.3.4"))),
            ("a:::1", Some(("a", "::1"))),
            ("a:[::1]", Some(("a", "::1"))),
            ("a;b:host-gateway", Some(("a;b", "host-gateway"))),
            ("a", None),
            (":1.2.3.4", None),
            ("a b:1.2.3.4", None),
            ("a:nowhere", None),
        ] {
            let got = parse_add_host(text).ok();
            assert_eq!(
                got.as_ref().map(|(n, a)| (n.as_str(), a.as_str())),
                want,
                "{text}"
            );
        }
    }
}
