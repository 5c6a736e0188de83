//! Answers to challenges: name and password, or a token from the server that the registry names (distribution's
//! token specification; OAuth2 for a refresh token).

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;

use super::challenge::Challenge;
use super::session::{Attempt, Authorization, Call, MAX_ANSWER, Session};
use super::status::{read_limited, retry_after, word_status};
use super::transport::{Transport, authority, explain};
use crate::config::auth::Credentials;
use crate::error::{Error, Kind};

impl Session {
    /// Gets what the challenges ask for; `None` when there is nothing (more) to offer.
    ///
    /// `refused` is what was sent and did not do.
    pub(super) async fn authenticate(
        &self,
        transport: &Transport<'_>,
        call: Call<'_>,
        refused: Option<&Authorization>,
        challenges: &[Challenge],
    ) -> Attempt<Option<Authorization>> {
        let unless_refused = |offer| Ok((refused != Some(&offer)).then_some(offer));
        if let Some(Credentials::Bearer { token }) = &self.credentials {
            return unless_refused(Authorization::Bearer(token.clone()));
        }
        let bearer = challenges
            .iter()
            .find(|challenge| matches!(challenge, Challenge::Bearer { .. }));
        if let Some(Challenge::Bearer {
            realm,
            service,
            scope,
        }) = bearer
        {
            let scopes = scopes([self.scope.as_deref(), call.also, scope.as_deref()]);
            let token = self.token(transport, call, realm, service.as_deref(), &scopes);
            return token.await.map(Some);
        }
        match &self.credentials {
            Some(Credentials::Basic { user, password })
                if challenges.contains(&Challenge::Basic) =>
            {
                unless_refused(Authorization::Basic {
                    user: user.clone(),
                    password: password.clone(),
                })
            }
            _ => Ok(None),
        }
    }

    async fn token(
        &self,
        transport: &Transport<'_>,
        call: Call<'_>,
        realm: &str,
        service: Option<&str>,
        scopes: &[&str],
    ) -> Attempt<Authorization> {
        let mut url = Url::parse(realm)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| self.broken(call.tried, "its token server is not a URL"))?;
        let tried = format!("{}: asking {} for a token", call.tried, authority(&url));
        if url.scheme() == "http" && !self.allows_plain() {
            let why = "it wants credentials sent over plain http";
            return Err(self.broken(&tried, why).into());
        }
        let client = transport.client(&url, self.endpoint.insecure)?;
        let mut form: Vec<(&str, &str)> = Vec::new();
        form.extend(service.map(|service| ("service", service)));
        let request = match &self.credentials {
            Some(Credentials::Identity { token }) => {
                // OAuth2 has one parameter, with the scopes separated by blanks.
                let scopes = scopes.join(" ");
                form.push(("scope", &scopes));
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
                form.extend(scopes.iter().map(|scope| ("scope", *scope)));
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
        let sent = request.send().await;
        let mut response = sent.map_err(|err| explain(&err, &tried))?;
        let status = response.status();
        let after = retry_after(&response);
        let body = read_limited(&mut response, MAX_ANSWER)
            .await
            .unwrap_or_default();
        if !status.is_success() {
            let known = self.credentials.is_some();
            let missing = "no such token server";
            return Err(word_status(&tried, status, &body, missing, known, after));
        }
        let none = || {
            Error::new(
                Kind::Registry,
                format!("{tried}: the answer is not a token"),
            )
        };
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| none())?;
        let token = answer.token.or(answer.access_token).unwrap_or_default();
        // What goes into a header must not break out of it.
        if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(none().into());
        }
        Ok(Authorization::Bearer(token))
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

/// Our own scopes and the challenge's, each once: behind some proxies only the registry knows the right name.
fn scopes(of: [Option<&str>; 3]) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for scope in of.into_iter().flatten().flat_map(|text| text.split(' ')) {
        let covered = |known: &&str| *known == scope || known.strip_suffix(",push") == Some(scope);
        if !scope.is_empty() && !all.iter().any(covered) {
            all.push(scope);
        }
    }
    all
}

pub(super) fn encode_form(pairs: &[(&str, &str)]) -> String {
    // The form encoding is the query's; `Url` is the encoder at hand.
    let mut url = Url::parse("http://x/").expect("a constant URL");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        assert_eq!(
            encode_form(&[("scope", "repository:a/b:pull"), ("t", "x&y=z")]),
            "scope=repository%3Aa%2Fb%3Apull&t=x%26y%3Dz"
        );
    }

    #[test]
    fn scopes_are_asked_for_once() {
        let pull = "repository:a:pull";
        let cases: [([Option<&str>; 3], &[&str]); 5] = [
            ([Some(pull), None, None], &[pull]),
            ([Some(pull), None, Some(pull)], &[pull]),
            (
                [
                    Some("repository:a:pull,push"),
                    Some("repository:b:pull"),
                    Some(pull),
                ],
                &["repository:a:pull,push", "repository:b:pull"],
            ),
            (
                [Some(pull), None, Some("repository:x/a:pull")],
                &[pull, "repository:x/a:pull"],
            ),
            ([None, None, Some("")], &[]),
        ];
        for (of, want) in cases {
            assert_eq!(scopes(of), want, "{of:?}");
        }
    }
}
