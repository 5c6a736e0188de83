//! The proxy variables of the environment, for our own connections and for containers.

use std::ffi::OsString;

/// Variables that Podman hands to containers (`--http-proxy`), in its order.
const NAMES: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
];

/// Proxies for registries; lower case wins over upper case, as with curl.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    pub http: Option<String>,
    pub https: Option<String>,
    /// Hosts, domains, addresses and networks that are reached directly, comma-separated.
    pub no_proxy: Option<String>,
}

impl Proxies {
    pub fn from_env() -> Self {
        Self::from(&|name| std::env::var_os(name))
    }

    fn from(env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let either = |lower: &str, upper: &str| {
            [lower, upper]
                .iter()
                .filter_map(|name| env(name)?.into_string().ok())
                .find(|value| !value.is_empty())
        };
        Self {
            http: either("http_proxy", "HTTP_PROXY"),
            https: either("https_proxy", "HTTPS_PROXY"),
            no_proxy: either("no_proxy", "NO_PROXY"),
        }
    }
}

/// What a container gets: the variables that are set here, under the same names, empty ones too, as from Podman.
pub fn container_env() -> Vec<(String, String)> {
    container_env_of(&|name| std::env::var_os(name))
}

fn container_env_of(env: &dyn Fn(&str) -> Option<OsString>) -> Vec<(String, String)> {
    NAMES
        .iter()
        .filter_map(|&name| Some((name.to_owned(), env(name)?.into_string().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_wins_and_both_reach_containers() {
        let env = |name: &str| match name {
            "http_proxy" => Some("http://low:1".into()),
            "HTTP_PROXY" => Some("http://up:2".into()),
            "HTTPS_PROXY" => Some("http://up:3".into()),
            "no_proxy" => Some(OsString::new()),
            _ => None,
        };
        let got = Proxies::from(&env);
        assert_eq!(got.http.as_deref(), Some("http://low:1"));
        assert_eq!(got.https.as_deref(), Some("http://up:3"));
        assert_eq!(got.no_proxy, None);
        let lines: Vec<String> = container_env_of(&env)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let want = [
            "http_proxy=http://low:1",
            "no_proxy=",
            "HTTP_PROXY=http://up:2",
            "HTTPS_PROXY=http://up:3",
        ];
        assert_eq!(lines, want);
    }
}
