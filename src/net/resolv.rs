//! `/etc/resolv.conf`: the host's read, the container's made (resolv.conf(5)). Text in, text out.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;

/// What a resolv.conf says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolv {
    pub servers: Vec<IpAddr>,
    pub search: Vec<String>,
    pub options: Vec<String>,
}

impl Resolv {
    /// Reads the text of a resolv.conf; what the resolver would pass over is passed over here. The last `search`
    /// or `domain` line counts.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    // A zone (`fe80::1%eth0`) names an interface that the container does not have.
                    found
                        .servers
                        .extend(words.next().and_then(|ip| ip.parse::<IpAddr>().ok()));
                }
                Some("search" | "domain") => {
                    found.search = words.map(str::to_owned).collect();
                }
                Some("options") => found.options.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        found
    }

    /// The host's settings; empty when there is no readable file.
    ///
    /// Where systemd-resolved's stub is the only server, the servers behind it are read too: they are what a
    /// container can reach besides the forwarder.
    pub fn of_host() -> Self {
        let read = |path| fs::read_to_string(path).ok().map(|text| Self::parse(&text));
        let mut host = read("/etc/resolv.conf").unwrap_or_default();
        let stub = host.servers.len() == 1 && host.servers[0] == IpAddr::from([127, 0, 0, 53]);
        if stub && let Some(behind) = read("/run/systemd/resolve/resolv.conf") {
            host.servers.extend(behind.servers);
        }
        host
    }

    /// Servers that a container with its own network can ask.
    pub fn reachable_servers(&self) -> Vec<IpAddr> {
        let mut servers: Vec<IpAddr> = self
            .servers
            .iter()
            .copied()
            .filter(|ip| !ip.is_loopback())
            .collect();
        servers.dedup();
        servers
    }
}

/// What the user asked for (`--dns`, `--dns-search`, `--dns-option`); an empty list takes the host's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub servers: &'a [String],
    pub search: &'a [String],
    pub options: &'a [String],
}

/// The container's resolv.conf.
///
/// `servers` are those of the network ([`super::NetStatus::dns`]); given ones replace them. `--dns-search .` means no
/// search list.
pub fn file(host: &Resolv, servers: &[IpAddr], asked: Asked<'_>) -> String {
    let mut text = String::new();
    let search: Vec<&str> = match asked.search {
        [] => host.search.iter().map(String::as_str).collect(),
        [dot] if dot == "." => Vec::new(),
        given => given.iter().map(String::as_str).collect(),
    };
    if !search.is_empty() {
        let _ = writeln!(text, "search {}", search.join(" "));
    }
    if asked.servers.is_empty() {
        for server in servers {
            let _ = writeln!(text, "nameserver {server}");
        }
    } else {
        for server in asked.servers {
            let _ = writeln!(text, "nameserver {server}");
        }
    }
    let options = if asked.options.is_empty() {
        &host.options
    } else {
        asked.options
    };
    if !options.is_empty() {
        let _ = writeln!(text, "options {}", options.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read_as_the_resolver_reads_it() {
        let text = "# comment\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n\
                    domain old.example\nsearch a.example b.example\noptions edns0 trust-ad\nnameserver\nsortlist x\n";
        let got = Resolv::parse(text);
        assert_eq!(
            got.servers,
            ["127.0.0.53", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().expect("ip"))
        );
        assert_eq!(got.search, ["a.example", "b.example"]);
        assert_eq!(got.options, ["edns0", "trust-ad"]);
        assert_eq!(
            got.reachable_servers(),
            ["2001:db8::1".parse::<IpAddr>().expect("ip")]
        );
    }

    #[test]
    fn the_containers_file() {
        let host = Resolv::parse("nameserver 10.0.0.1\nsearch example.org\noptions ndots:2\n");
        let servers: Vec<IpAddr> = vec![[169, 254, 1, 1].into(), [10, 0, 0, 1].into()];
        let given =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let table = [
            (
                "",
                "",
                "",
                "search example.org\nnameserver 169.254.1.1\nnameserver 10.0.0.1\noptions ndots:2\n",
            ),
            ("9.9.9.9", ".", "", "nameserver 9.9.9.9\noptions ndots:2\n"),
            (
                "",
                "a b",
                "rotate",
                "search a b\nnameserver 169.254.1.1\nnameserver 10.0.0.1\noptions rotate\n",
            ),
        ];
        for (dns, search, options, want) in table {
            let (dns, search, options) = (given(dns), given(search), given(options));
            let asked = Asked {
                servers: &dns,
                search: &search,
                options: &options,
            };
            assert_eq!(file(&host, &servers, asked), want);
        }
    }
}
