//! Sends HTTP requests: connections, TLS, proxies, names. Follows no redirect and knows no credentials.
//!
//! A plain client and a TLS client for each set of certificates are built on first use: loading the system's roots
//! costs 3 ms, and a loopback registry without TLS must not pay for it. Names are resolved by hickory, because a
//! static binary must not call getaddrinfo(3).

use std::cell::{OnceCell, RefCell};
use std::error::Error as _;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Identity, NoProxy, Proxy, Url};

use super::session::{Again, Fault};
use super::tls::Certs;
use crate::error::{Error, Kind, Result};

/// rustls' word for a certificate of X.509 version 1.
const OLD_CERTIFICATE: &str = "UnsupportedCertVersion";
const OLD_CERTIFICATE_HINT: &str =
    "it is of X.509 version 1, which names no hosts: make one of version 3, with a subjectAltName";

/// Proxies by scheme, and the hosts that are reached without.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    pub http: Option<String>,
    pub https: Option<String>,
    /// Comma-separated, as in `NO_PROXY`.
    pub no_proxy: Option<String>,
}

/// How connections are made.
#[derive(Debug, Clone)]
pub struct TransportSettings {
    pub connect_timeout: Duration,
    /// A response that gives no byte for so long has stalled.
    pub stall_timeout: Duration,
    pub proxies: ProxySettings,
    /// `--cert-dir`: for every host, instead of the directories below.
    pub cert_dir: Option<PathBuf>,
    /// Directories holding `HOST[:PORT]/*.crt|*.cert|*.key` (containers-certs.d(5)).
    pub certs_d: Vec<PathBuf>,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(60),
            proxies: ProxySettings::default(),
            cert_dir: None,
            certs_d: Vec::new(),
        }
    }
}

/// The HTTP clients of one run of the runtime.
pub(super) struct Transport<'a> {
    settings: &'a TransportSettings,
    /// An answer that takes long ends the request.
    ends_stalled: bool,
    plain: OnceCell<reqwest::Client>,
    tls: RefCell<Vec<(TlsKey, reqwest::Client)>>,
}

#[derive(Debug, PartialEq, Eq)]
struct TlsKey {
    certs: Option<PathBuf>,
    insecure: bool,
}

impl<'a> Transport<'a> {
    pub(super) fn new(settings: &'a TransportSettings) -> Self {
        Self {
            settings,
            ends_stalled: true,
            plain: OnceCell::new(),
            tls: RefCell::default(),
        }
    }

    /// For requests whose body takes long: who sends them watches that they go on.
    pub(super) fn for_uploads(settings: &'a TransportSettings) -> Self {
        Self {
            ends_stalled: false,
            ..Self::new(settings)
        }
    }

    /// The client for a URL. `insecure`: certificates are not checked.
    pub(super) fn client(&self, url: &Url, insecure: bool) -> Result<reqwest::Client> {
        if url.scheme() != "https" {
            if let Some(client) = self.plain.get() {
                return Ok(client.clone());
            }
            // reqwest builds a TLS setup in any case: one with no roots costs nothing.
            let empty = rustls::ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .map_err(|err| setup_error(&err))?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            let client = self.build(self.builder()?.tls_backend_preconfigured(empty))?;
            return Ok(self.plain.get_or_init(|| client).clone());
        }
        let key = TlsKey {
            certs: self.certs_of(url),
            insecure,
        };
        if let Some((_, client)) = self.tls.borrow().iter().find(|(known, _)| *known == key) {
            return Ok(client.clone());
        }
        // An error means that another thread installed one first, which serves as well.
        let _ = rustls::crypto::CryptoProvider::install_default((*provider()).clone());
        let certs = key.certs.as_deref().map(Certs::read).transpose()?;
        let builder = match &certs {
            Some(certs) if !insecure => self.builder()?.tls_backend_preconfigured(
                certs.config(provider()).map_err(|err| setup_error(&err))?,
            ),
            _ => {
                let builder = self.builder()?.tls_danger_accept_invalid_certs(insecure);
                match certs.and_then(|certs| certs.identity) {
                    Some(pem) => {
                        builder.identity(Identity::from_pem(&pem).map_err(|err| setup_error(&err))?)
                    }
                    None => builder,
                }
            }
        };
        let client = self.build(builder)?;
        self.tls.borrow_mut().push((key, client.clone()));
        Ok(client)
    }

    fn builder(&self) -> Result<reqwest::ClientBuilder> {
        let settings = self.settings;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("pod/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .pool_max_idle_per_host(16)
            .no_proxy();
        if self.ends_stalled {
            builder = builder.read_timeout(settings.stall_timeout);
        }
        let without = settings
            .proxies
            .no_proxy
            .as_deref()
            .and_then(NoProxy::from_string);
        let proxy = |made: reqwest::Result<Proxy>, url: &str| {
            made.map(|proxy| proxy.no_proxy(without.clone()))
                .map_err(|_| {
                    Error::usage(format!(
                        "use the proxy \"{}\": not a URL",
                        without_secret(url)
                    ))
                })
        };
        if let Some(url) = &settings.proxies.http {
            builder = builder.proxy(proxy(Proxy::http(url), url)?);
        }
        if let Some(url) = &settings.proxies.https {
            builder = builder.proxy(proxy(Proxy::https(url), url)?);
        }
        Ok(builder)
    }

    fn build(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
        builder.build().map_err(|err| setup_error(&err))
    }

    fn certs_of(&self, url: &Url) -> Option<PathBuf> {
        if let Some(dir) = &self.settings.cert_dir {
            return Some(dir.clone());
        }
        // The scheme's own port may be part of the name, or not.
        let host = authority(url);
        let with_port = format!(
            "{}:{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default()
        );
        let dirs = self.settings.certs_d.iter();
        dirs.flat_map(|dir| [dir.join(&host), dir.join(&with_port)])
            .find(|dir| dir.is_dir())
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn setup_error(err: &(dyn std::error::Error + 'static)) -> Error {
    let cause = root_cause(err);
    let error = Error::new(Kind::System, format!("set up HTTPS: {cause}"));
    match () {
        () if cause.contains("No CA certificates") => {
            error.hint("install ca-certificates, or give the registry's own with --cert-dir")
        }
        () if cause.contains(OLD_CERTIFICATE) => error.hint(OLD_CERTIFICATE_HINT),
        () => error,
    }
}

/// `host` or `host:port`, the port only where it is not the scheme's own.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Without user, password and query: those may be secrets.
fn without_secret(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    host.split(['/', '?']).next().unwrap_or_default().to_owned()
}

/// Why a request got no answer, and whether trying again can help.
pub(super) struct NoAnswer {
    pub(super) error: Error,
    pub(super) transient: bool,
    /// The server on an HTTPS port speaks something else.
    pub(super) not_tls: bool,
}

impl From<NoAnswer> for Fault {
    fn from(failed: NoAnswer) -> Self {
        let again = match failed.transient {
            true => Again::Soon,
            false => Again::Never,
        };
        Fault {
            error: failed.error,
            again,
        }
    }
}

/// Puts a failing request or body into words. URLs are left out: they may carry secrets.
pub(super) fn explain(err: &reqwest::Error, tried: &str) -> NoAnswer {
    let cause = root_cause(err);
    let io = io_cause(err);
    let not_tls = cause.contains("InvalidContentType") || cause.contains("corrupt message");
    let mut transient = true;
    let mut hint = None;
    let text = if io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused) {
        transient = false;
        hint = Some("check the name and the port: nothing listens there");
        "connection refused".to_owned()
    } else if not_tls {
        transient = false;
        hint = Some(
            "the registry speaks plain HTTP: give --tls-verify=false, or set insecure = true for it in registries.conf",
        );
        "server gave HTTP response to HTTPS client".to_owned()
    } else if cause.contains("certificate") || cause.contains("UnknownIssuer") {
        transient = false;
        hint = Some(if cause.contains(OLD_CERTIFICATE) {
            OLD_CERTIFICATE_HINT
        } else {
            "put the registry's CA into /etc/containers/certs.d/HOST[:PORT]/ca.crt, or give --cert-dir or --tls-verify=false"
        });
        format!("its TLS certificate was not accepted: {cause}")
    } else if cause.contains("no record")
        || cause.contains("no records")
        || cause.contains("NXDomain")
    {
        transient = false;
        hint = Some("check the registry's name and this host's DNS");
        "no such host".to_owned()
    } else if err.is_timeout() {
        "no answer in time".to_owned()
    } else {
        cause
    };
    let error = Error::new(Kind::Registry, format!("{tried}: {text}"));
    NoAnswer {
        error: match hint {
            Some(hint) => error.hint(hint),
            None => error,
        },
        transient,
        not_tls,
    }
}

fn root_cause(err: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = err;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn io_cause(err: &reqwest::Error) -> Option<&std::io::Error> {
    let mut cause = err.source();
    while let Some(deeper) = cause {
        if let Some(io) = deeper.downcast_ref::<std::io::Error>() {
            // A TLS failure arrives wrapped in an io::Error of another kind.
            return Some(io);
        }
        cause = deeper.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_shown_without_their_secrets() {
        for (url, want) in [
            ("http://u:p@proxy:3128/x?y", "proxy:3128"),
            ("proxy:3128", "proxy:3128"),
        ] {
            assert_eq!(without_secret(url), want, "{url}");
        }
    }
}
