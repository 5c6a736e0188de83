//! One repository at one registry: finds out how to talk to it, authenticates, follows redirects.
//!
//! Credentials go to the registry itself and to the token server it names, never anywhere else: not along a
//! redirect to another host or port, not from https to http (CVE-2020-15157).

use std::cell::{Cell, RefCell};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;

use super::challenge::{self, Challenge};
use super::transport::{Transport, authority, explain};
use crate::config::auth::Credentials;
use crate::config::registries::Endpoint;
use crate::error::{Error, Kind, Result};

const MAX_REDIRECTS: usize = 10;
/// Largest token answer or error text that is read.
const MAX_ANSWER: usize = 256 * 1024;

/// What is known of a registry, kept between two runs of the runtime.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) endpoint: Endpoint,
    credentials: Option<Credentials>,
    /// `https`, until an insecure registry turns out to speak plain HTTP.
    scheme: Cell<&'static str>,
    authorization: RefCell<Option<Authorization>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Authorization {
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
    /// `manifests/latest`, `blobs/sha256:…`
    pub(super) path: &'a str,
    pub(super) accept: Option<&'static str>,
    /// First byte wanted.
    pub(super) from: u64,
    /// What a 404 means: `manifest unknown`.
    pub(super) missing: &'static str,
}

impl Session {
    pub(super) fn new(endpoint: Endpoint, credentials: Option<Credentials>) -> Self {
        Self {
            endpoint,
            credentials,
            scheme: Cell::new("https"),
            authorization: RefCell::default(),
        }
    }

    /// `registry/repository`, for messages.
    pub(super) fn place(&self) -> String {
        format!("{}/{}", self.endpoint.registry, self.endpoint.repository)
    }

    /// Sends the request until it is answered with success; 401 is met with credentials once.
    pub(super) async fn get(&self, transport: &Transport<'_>, ask: Ask<'_>) -> Attempt<Response> {
        let mut tried_with: Option<Option<Authorization>> = None;
        loop {
            let authorization = self.authorization.borrow().clone();
            let (response, at_home) = self.follow(transport, ask, authorization.as_ref()).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let first = tried_with.is_none();
            if status == StatusCode::UNAUTHORIZED && at_home && first {
                // Nobody else got new ones meanwhile: then these were refused.
                if *self.authorization.borrow() == authorization {
                    let challenges: Vec<Challenge> = response
                        .headers()
                        .get_all(WWW_AUTHENTICATE)
                        .iter()
                        .filter_map(|header| header.to_str().ok())
                        .flat_map(challenge::parse)
                        .collect();
                    match self.authenticate(transport, ask, &challenges).await? {
                        Some(fresh) => *self.authorization.borrow_mut() = Some(fresh),
                        None => return Err(self.refused(ask, response).await),
                    }
                }
                tried_with = Some(authorization);
                continue;
            }
            return Err(self.refused(ask, response).await);
        }
    }

    /// Sends and follows redirects. The answer comes with whether the registry itself gave it.
    async fn follow(
        &self,
        transport: &Transport<'_>,
        ask: Ask<'_>,
        authorization: Option<&Authorization>,
    ) -> Attempt<(Response, bool)> {
        let mut url = self.url(ask.path)?;
        let mut at_home = true;
        for _ in 0..=MAX_REDIRECTS {
            let client = transport.client(&url, self.endpoint.insecure)?;
            let mut request = client.get(url.clone());
            if let Some(accept) = ask.accept {
                request = request.header(ACCEPT, accept);
            }
            if ask.from > 0 {
                request = request.header(RANGE, format!("bytes={}-", ask.from));
            }
            if at_home {
                request = match authorization {
                    Some(Authorization::Basic { user, password }) => {
                        request.basic_auth(user, Some(password))
                    }
                    Some(Authorization::Bearer(token)) => request.bearer_auth(token),
                    None => request,
                };
            }
            let response = match request.send().await {
                Ok(response) => response,
                Err(err) => {
                    let failed = explain(&err, ask.tried);
                    let no_tls = failed.not_tls || err.is_connect();
                    if self.endpoint.insecure && at_home && url.scheme() == "https" && no_tls {
                        self.scheme.set("http");
                        url = self.url(ask.path)?;
                        continue;
                    }
                    return Err(Fault {
                        error: failed.error,
                        again: if failed.transient {
                            Again::Soon
                        } else {
                            Again::Never
                        },
                    });
                }
            };
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED
            {
                return Ok((response, at_home));
            }
            let target = response
                .headers()
                .get(LOCATION)
                .and_then(|location| location.to_str().ok())
                .and_then(|location| url.join(location).ok());
            let Some(target) = target else {
                return Err(self.broken(ask, "it redirects to nowhere").into());
            };
            self.check_redirect(ask, &url, &target)?;
            at_home = at_home && same_origin(&url, &target);
            url = target;
        }
        Err(self.broken(ask, "it redirects in a circle").into())
    }

    fn check_redirect(&self, ask: Ask<'_>, from: &Url, to: &Url) -> Result<()> {
        if !matches!(to.scheme(), "http" | "https") {
            return Err(self.broken(ask, "it redirects to something that is not HTTP"));
        }
        if from.scheme() == "https" && to.scheme() == "http" && !self.endpoint.insecure {
            let why = format!("it redirects from https to plain http at {}", authority(to));
            return Err(self.broken(ask, &why).hint("tell the registry's operator"));
        }
        Ok(())
    }

    fn url(&self, path: &str) -> Result<Url> {
        let host = match self.endpoint.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let text = format!(
            "{}://{host}/v2/{}/{path}",
            self.scheme.get(),
            self.endpoint.repository
        );
        Url::parse(&text).map_err(|_| {
            Error::new(
                Kind::Usage,
                format!("ask registry \"{host}\": not a host name"),
            )
        })
    }

    fn broken(&self, ask: Ask<'_>, why: &str) -> Error {
        Error::new(Kind::Registry, format!("{}: {why}", ask.tried))
    }

    /// Gets what the challenges ask for; `None` when there is nothing (more) to offer.
    async fn authenticate(
        &self,
        transport: &Transport<'_>,
        ask: Ask<'_>,
        challenges: &[Challenge],
    ) -> Attempt<Option<Authorization>> {
        let bearer = challenges.iter().find_map(|challenge| match challenge {
            Challenge::Bearer { realm, service, .. } => Some((realm, service.as_deref())),
            Challenge::Basic => None,
        });
        if let Some(Credentials::Bearer { token }) = &self.credentials {
            let fixed = Authorization::Bearer(token.clone());
            let used = self.authorization.borrow().as_ref() == Some(&fixed);
            return Ok((!used).then_some(fixed));
        }
        if let Some((realm, service)) = bearer {
            return self.token(transport, ask, realm, service).await.map(Some);
        }
        if challenges.contains(&Challenge::Basic)
            && let Some(Credentials::Basic { user, password }) = &self.credentials
        {
            let basic = Authorization::Basic {
                user: user.clone(),
                password: password.clone(),
            };
            let used = self.authorization.borrow().as_ref() == Some(&basic);
            return Ok((!used).then_some(basic));
        }
        Ok(None)
    }

    /// Asks the token server (distribution's token specification; OAuth2 for a refresh token).
    async fn token(
        &self,
        transport: &Transport<'_>,
        ask: Ask<'_>,
        realm: &str,
        service: Option<&str>,
    ) -> Attempt<Authorization> {
        let mut url = Url::parse(realm)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| self.broken(ask, "its token server is not a URL"))?;
        let tried = format!("{}: asking {} for a token", ask.tried, authority(&url));
        if url.scheme() == "http" && self.scheme.get() == "https" && !self.endpoint.insecure {
            let why = "it wants credentials sent over plain http";
            return Err(Error::new(Kind::Registry, format!("{tried}: {why}")).into());
        }
        let scope = format!("repository:{}:pull", self.endpoint.repository);
        let client = transport.client(&url, self.endpoint.insecure)?;
        let mut form: Vec<(&str, &str)> = Vec::new();
        form.extend(service.map(|service| ("service", service)));
        form.push(("scope", &scope));
        let request = match &self.credentials {
            Some(Credentials::Identity { token }) => {
                form.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "pod"),
                    ("refresh_token", token),
                ]);
                client
                    .post(url)
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(encode_form(&form))
            }
            other => {
                url.query_pairs_mut().extend_pairs(&form);
                let request = client.get(url);
                match other {
                    Some(Credentials::Basic { user, password }) => {
                        request.basic_auth(user, Some(password))
                    }
                    _ => request,
                }
            }
        };
        let mut response = request.send().await.map_err(|err| {
            let failed = explain(&err, &tried);
            Fault {
                error: failed.error,
                again: if failed.transient {
                    Again::Soon
                } else {
                    Again::Never
                },
            }
        })?;
        let status = response.status();
        let after = retry_after(&response);
        let body = read_limited(&mut response, MAX_ANSWER)
            .await
            .unwrap_or_default();
        if !status.is_success() {
            let fault = word_status(
                &tried,
                status,
                &body,
                "no such token server",
                self.credentials.is_some(),
                after,
            );
            return Err(fault);
        }
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| {
            Error::new(
                Kind::Registry,
                format!("{tried}: the answer is not a token"),
            )
        })?;
        let token = answer.token.or(answer.access_token).unwrap_or_default();
        // What goes into a header must not break out of it.
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::new(
                Kind::Registry,
                format!("{tried}: the answer is not a token"),
            )
            .into());
        }
        Ok(Authorization::Bearer(token))
    }

    /// Words an answer that is not success.
    async fn refused(&self, ask: Ask<'_>, mut response: Response) -> Fault {
        let status = response.status();
        let after = retry_after(&response);
        let body = read_limited(&mut response, MAX_ANSWER)
            .await
            .unwrap_or_default();
        word_status(
            ask.tried,
            status,
            &body,
            ask.missing,
            self.credentials.is_some(),
            after,
        )
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

fn encode_form(pairs: &[(&str, &str)]) -> String {
    // The form encoding is the query's; `Url` is the encoder at hand.
    let mut url = Url::parse("http://x/").expect("a constant URL");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

/// Seconds only; a date would need the server's clock.
fn retry_after(response: &Response) -> Option<Duration> {
    let header = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    header.trim().parse().ok().map(Duration::from_secs)
}

/// Reads at most `limit` bytes of a body; `None` where there are more, or the connection broke.
pub(super) async fn read_limited(response: &mut Response, limit: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > limit {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// What a status means, with the registry's own words where it has some (distribution-spec, Error Codes).
fn word_status(
    tried: &str,
    status: StatusCode,
    body: &[u8],
    missing: &str,
    has_credentials: bool,
    after: Option<Duration>,
) -> Fault {
    let said = serde_json::from_slice::<oci_client::errors::OciEnvelope>(body)
        .ok()
        .and_then(|envelope| envelope.errors.into_iter().next())
        .map(|error| error.message)
        .filter(|message| !message.is_empty())
        .map(|message| message.chars().take(300).collect::<String>());
    let text = |usual: &str| match &said {
        Some(said)
            if usual
                .to_ascii_lowercase()
                .ends_with(&said.to_ascii_lowercase()) =>
        {
            format!("{tried}: {usual}")
        }
        Some(said) => format!("{tried}: {usual}: {said}"),
        None => format!("{tried}: {usual}"),
    };
    let fault = |error, again| Fault { error, again };
    let log_in = match has_credentials {
        true => "the stored credentials (auth.json, --creds) were refused: renew them",
        false => {
            "no login is stored for it: give --creds USER:PASSWORD, or put it into auth.json (--authfile)"
        }
    };
    match status.as_u16() {
        401 => fault(
            Error::new(
                Kind::Unauthorized,
                text("unauthorized: authentication required"),
            )
            .hint(log_in),
            Again::Never,
        ),
        403 => fault(
            Error::new(
                Kind::Unauthorized,
                text("requested access to the resource is denied"),
            )
            .hint(log_in),
            Again::Never,
        ),
        404 => fault(
            Error::new(Kind::NotFound, text(missing))
                .hint("check the name and the tag; a private repository also answers so"),
            Again::Never,
        ),
        429 => fault(
            Error::new(Kind::Registry, text("too many requests"))
                .hint("the registry limits pulls: wait, or log in for a higher limit"),
            after.map_or(Again::Soon, Again::After),
        ),
        408 | 500..=599 => fault(
            Error::new(
                Kind::Registry,
                text(&format!("the registry failed with status {status}")),
            ),
            after.map_or(Again::Soon, Again::After),
        ),
        _ => fault(
            Error::new(Kind::Registry, text(&format!("unexpected status {status}"))),
            Again::Never,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_put_into_words() {
        let body =
            br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#;
        let fault = word_status(
            "reading x",
            StatusCode::NOT_FOUND,
            body,
            "manifest unknown",
            false,
            None,
        );
        assert_eq!(fault.error.to_string(), "reading x: manifest unknown");
        assert_eq!(
            (fault.error.kind(), fault.again),
            (Kind::NotFound, Again::Never)
        );
        let fault = word_status(
            "reading x",
            StatusCode::TOO_MANY_REQUESTS,
            b"<html>",
            "",
            false,
            Some(Duration::from_secs(7)),
        );
        assert_eq!(fault.error.to_string(), "reading x: too many requests");
        assert_eq!(fault.again, Again::After(Duration::from_secs(7)));
        let fault = word_status("reading x", StatusCode::BAD_GATEWAY, b"", "", false, None);
        assert_eq!(
            fault.error.to_string(),
            "reading x: the registry failed with status 502 Bad Gateway"
        );
        assert_eq!(fault.again, Again::Soon);
    }

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

    #[test]
    fn forms_are_encoded() {
        assert_eq!(
            encode_form(&[("scope", "repository:a/b:pull"), ("t", "x&y=z")]),
            "scope=repository%3Aa%2Fb%3Apull&t=x%26y%3Dz"
        );
    }
}
