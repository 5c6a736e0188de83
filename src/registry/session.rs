//! One registry, and usually one repository there: finds out how to talk to it, follows redirects, meets challenges.
//!
//! Credentials go to the registry itself and to the token server it names (`token`), never anywhere else: not along
//! a redirect or an upload's location to another host or port, not from https to http (CVE-2020-15157).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LOCATION, RANGE, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};

use super::challenge::{self, Challenge};
use super::status::{read_limited, retry_after, word_status};
use super::transport::{Transport, authority, explain};
use crate::config::auth::Credentials;
use crate::config::registries::Endpoint;
use crate::error::{Error, Kind, Result};

pub(super) const MAX_REDIRECTS: usize = 10;
/// Largest token answer or error text that is read.
pub(super) const MAX_ANSWER: usize = 256 * 1024;

/// What is known of a registry, kept between two runs of the runtime.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) endpoint: Endpoint,
    pub(super) credentials: Option<Credentials>,
    /// `https`, until an insecure registry turns out to speak plain HTTP.
    scheme: Cell<&'static str>,
    /// What a token is asked for: `repository:a/b:pull`. `None`: only to know who asks.
    pub(super) scope: Option<String>,
    /// By the scope that was needed beyond `scope` ([`Call::also`]); the usual one under "".
    authorizations: RefCell<BTreeMap<String, Authorization>>,
    /// Held by who renews: requests that failed together must not fetch a token each.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    Basic { user: String, password: String },
    Bearer(String),
}

/// A failure, and whether the same request may be tried again.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Error,
    pub(super) again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    Soon,
    /// The registry said when.
    After(Duration),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self {
            error,
            again: Again::Never,
        }
    }
}

pub(super) type Attempt<T> = std::result::Result<T, Fault>;

/// A request for a document or a blob.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    /// What failures say was tried: `reading manifest latest in quay.io/a/b`.
    pub(super) tried: &'a str,
    pub(super) to: To<'a>,
    pub(super) accept: Option<&'static str>,
    /// First byte wanted.
    pub(super) from: u64,
    /// What a 404 means: `manifest unknown`.
    pub(super) missing: &'static str,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    /// Below the session's repository: `manifests/latest`, `blobs/sha256:…`, `blobs/uploads/`.
    Repository(&'a str),
    /// Below the registry: `v2/`, `v2/_catalog`.
    Registry(&'a str),
    /// Where the registry sent us: the `Location` of an upload, made absolute by [`Session::location`].
    Url(&'a Url),
}

/// A request of any kind.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) tried: &'a str,
    pub(super) method: &'a Method,
    pub(super) to: To<'a>,
    pub(super) headers: &'a HeaderMap,
    /// Makes the body, anew for each sending: a challenge or a redirect may have come in between.
    pub(super) body: Option<&'a dyn Fn() -> Result<reqwest::Body>>,
    pub(super) missing: &'static str,
    /// A scope the token needs beyond the session's: `repository:other:pull` for a mount.
    pub(super) also: Option<&'a str>,
}

impl Session {
    /// For reading from the endpoint's repository.
    pub(super) fn new(endpoint: Endpoint, credentials: Option<Credentials>) -> Self {
        let scope = Some(format!("repository:{}:pull", endpoint.repository));
        Self::with_scope(endpoint, credentials, scope)
    }

    /// For reading from and writing to the endpoint's repository.
    pub(super) fn for_push(endpoint: Endpoint, credentials: Option<Credentials>) -> Self {
        let scope = Some(format!("repository:{}:pull,push", endpoint.repository));
        Self::with_scope(endpoint, credentials, scope)
    }

    pub(super) fn with_scope(
        endpoint: Endpoint,
        credentials: Option<Credentials>,
        scope: Option<String>,
    ) -> Self {
        Self {
            endpoint,
            credentials,
            scheme: Cell::new("https"),
            scope,
            authorizations: RefCell::default(),
            renewing: tokio::sync::Mutex::default(),
        }
    }

    /// `registry/repository`, for messages.
    pub(super) fn place(&self) -> String {
        match self.endpoint.repository.as_str() {
            "" => self.endpoint.registry.clone(),
            repository => format!("{}/{repository}", self.endpoint.registry),
        }
    }

    /// Reads; see [`Session::send`].
    pub(super) async fn get(&self, transport: &Transport<'_>, ask: Ask<'_>) -> Attempt<Response> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = ask.accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        if ask.from > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", ask.from))
        {
            headers.insert(RANGE, range);
        }
        let call = Call {
            tried: ask.tried,
            method: &Method::GET,
            to: ask.to,
            headers: &headers,
            body: None,
            missing: ask.missing,
            also: None,
        };
        self.send(transport, call).await
    }

    /// Sends the request until it is answered with success; 401 is met with credentials once.
    ///
    /// Any other answer is a fault in words; a 404 is one of [`Kind::NotFound`].
    pub(super) async fn send(
        &self,
        transport: &Transport<'_>,
        call: Call<'_>,
    ) -> Attempt<Response> {
        let mut renewed = false;
        loop {
            let authorization = self.authorization(call.also);
            let (response, at_home) = self.follow(transport, call, authorization.as_ref()).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            if status == StatusCode::UNAUTHORIZED && at_home && !renewed {
                let _renewing = self.renewing.lock().await;
                // Somebody else got a new one meanwhile: then that is worth a try.
                if self.authorization(call.also) != authorization {
                    continue;
                }
                renewed = true;
                let challenges: Vec<Challenge> = response
                    .headers()
                    .get_all(WWW_AUTHENTICATE)
                    .iter()
                    .filter_map(|header| header.to_str().ok())
                    .flat_map(challenge::parse)
                    .collect();
                let fresh = self
                    .authenticate(transport, call, authorization.as_ref(), &challenges)
                    .await?;
                if let Some(fresh) = fresh {
                    let key = call.also.unwrap_or_default().to_owned();
                    self.authorizations.borrow_mut().insert(key, fresh);
                    continue;
                }
            }
            return Err(self.refused(call, response).await);
        }
    }

    /// What was accepted before. A name and password serve every scope, a token only its own.
    fn authorization(&self, also: Option<&str>) -> Option<Authorization> {
        let known = self.authorizations.borrow();
        let usual = || {
            known
                .get("")
                .filter(|usual| matches!(usual, Authorization::Basic { .. }))
        };
        known.get(also.unwrap_or_default()).or_else(usual).cloned()
    }

    /// Sends and follows redirects. The answer comes with whether the registry itself gave it.
    async fn follow(
        &self,
        transport: &Transport<'_>,
        call: Call<'_>,
        authorization: Option<&Authorization>,
    ) -> Attempt<(Response, bool)> {
        let mut url = self.url(call.to)?;
        let mut method = call.method.clone();
        let mut at_home = self.is_home(&url);
        for _ in 0..=MAX_REDIRECTS {
            let client = transport.client(&url, self.endpoint.insecure)?;
            let mut request = client
                .request(method.clone(), url.clone())
                .headers(call.headers.clone());
            if at_home {
                request = authorize(request, authorization);
            }
            if let Some(make) = call.body
                && method == *call.method
            {
                request = request.body(make()?);
            }
            let response = match request.send().await {
                Ok(response) => response,
                Err(err) => {
                    let failed = explain(&err, call.tried);
                    let no_tls = failed.not_tls || err.is_connect();
                    if self.endpoint.insecure && at_home && url.scheme() == "https" && no_tls {
                        self.scheme.set("http");
                        url = self.url(call.to)?;
                        continue;
                    }
                    return Err(failed.into());
                }
            };
            let status = response.status();
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                return Ok((response, at_home));
            }
            let target = self.target(call, &url, &response)?;
            let reads = matches!(method, Method::GET | Method::HEAD);
            match status.as_u16() {
                307 | 308 => {}
                303 => method = Method::GET,
                _ if reads => {}
                _ => return Err(self.broken(call.tried, "it redirects what is sent").into()),
            }
            at_home = at_home && same_origin(&url, &target);
            url = target;
        }
        Err(self.broken(call.tried, "it redirects in a circle").into())
    }

    /// Where an answer leads to: a redirect, or the place of an upload ([`To::Url`]).
    pub(super) fn location(&self, tried: &str, response: &Response) -> Result<Url> {
        let home = self.url(To::Registry(""))?;
        let from = match self.is_home(response.url()) {
            true => response.url(),
            false => &home,
        };
        self.join(tried, from, response)
    }

    fn target(&self, call: Call<'_>, from: &Url, response: &Response) -> Result<Url> {
        self.join(call.tried, from, response)
    }

    fn join(&self, tried: &str, from: &Url, response: &Response) -> Result<Url> {
        let to = response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .and_then(|location| from.join(location).ok())
            .ok_or_else(|| self.broken(tried, "it redirects to nowhere"))?;
        if !matches!(to.scheme(), "http" | "https") {
            return Err(self.broken(tried, "it redirects to something that is not HTTP"));
        }
        if from.scheme() == "https" && to.scheme() == "http" && !self.endpoint.insecure {
            let why = format!(
                "it redirects from https to plain http at {}",
                authority(&to)
            );
            return Err(self
                .broken(tried, &why)
                .hint("tell the registry's operator"));
        }
        Ok(to)
    }

    fn url(&self, to: To<'_>) -> Result<Url> {
        let host = match self.endpoint.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let (scheme, repository) = (self.scheme.get(), &self.endpoint.repository);
        let text = match to {
            To::Url(url) => return Ok(url.clone()),
            To::Registry(path) => format!("{scheme}://{host}/{path}"),
            To::Repository(path) => format!("{scheme}://{host}/v2/{repository}/{path}"),
        };
        Url::parse(&text).map_err(|_| {
            let text = format!("ask registry \"{host}\": not a host name");
            Error::new(Kind::Usage, text)
        })
    }

    fn is_home(&self, url: &Url) -> bool {
        self.url(To::Registry(""))
            .is_ok_and(|home| same_origin(&home, url))
    }

    /// What token servers may be spoken to in plain HTTP.
    pub(super) fn allows_plain(&self) -> bool {
        self.endpoint.insecure || self.scheme.get() == "http"
    }

    pub(super) fn broken(&self, tried: &str, why: &str) -> Error {
        Error::new(Kind::Registry, format!("{tried}: {why}"))
    }

    /// Words an answer that is not success.
    async fn refused(&self, call: Call<'_>, mut response: Response) -> Fault {
        let status = response.status();
        let after = retry_after(&response);
        let body = read_limited(&mut response, MAX_ANSWER)
            .await
            .unwrap_or_default();
        let known = self.credentials.is_some();
        word_status(call.tried, status, &body, call.missing, known, after)
    }
}

fn authorize(request: RequestBuilder, authorization: Option<&Authorization>) -> RequestBuilder {
    match authorization {
        Some(Authorization::Basic { user, password }) => request.basic_auth(user, Some(password)),
        Some(Authorization::Bearer(token)) => request.bearer_auth(token),
        None => request,
    }
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_differ_by_scheme_host_and_port() {
        let url = |text: &str| Url::parse(text).unwrap();
        let cases = [
            ("https://a/x", "https://a/y", true),
            ("https://a/x", "https://a:443/y", true),
            ("https://a", "http://a", false),
            ("https://a", "https://a:444", false),
            ("https://a", "https://b", false),
        ];
        for (a, b, want) in cases {
            assert_eq!(same_origin(&url(a), &url(b)), want, "{a} {b}");
        }
    }
}
