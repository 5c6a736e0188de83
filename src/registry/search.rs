//! What a registry has: Docker's search where it is offered, else the catalogue of its repositories; the tags of one.

use std::collections::BTreeSet;

use reqwest::header::{HeaderMap, LINK};
use serde::Deserialize;

use super::client::{Client, Fetch, run};
use super::event::Silent;
use super::manifest::MAX_DOCUMENT;
use super::reference::is_tag;
use super::session::{Ask, Session, To};
use super::transport::Transport;
use crate::config::auth::Credentials;
use crate::config::registries::Endpoint;
use crate::error::{Error, Kind, Result};

/// A registry that never ends its catalogue is stopped.
const MOST_PAGES: usize = 1000;

/// One repository that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Within the registry; Docker Hub's own images have no `library/`.
    pub name: String,
    pub description: String,
    #[serde(rename = "star_count")]
    pub stars: i64,
    #[serde(rename = "is_official")]
    pub official: bool,
    #[serde(rename = "is_automated")]
    pub automated: bool,
}

#[derive(Deserialize)]
struct Results {
    #[serde(default)]
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct TagList {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalogue {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

impl Client {
    /// Repositories that match `term` (all for an empty one), at most `limit` of them.
    pub fn search(
        &self,
        endpoint: &Endpoint,
        credentials: Option<Credentials>,
        term: &str,
        limit: usize,
    ) -> Result<Vec<Found>> {
        let mut endpoint = endpoint.clone();
        let hub = endpoint.registry == "docker.io";
        if hub {
            endpoint.registry = "index.docker.io".into();
        }
        // Docker's server does not find library/NAME by that name.
        let term = match hub {
            true => term.strip_prefix("library/").unwrap_or(term),
            false => term,
        };
        run(async {
            let transport = Transport::new(&self.settings.transport);
            // The search of old has no login, and gets none.
            let session = Session::with_scope(endpoint.clone(), None, None);
            if !term.is_empty()
                && let Some(found) = search(self, &transport, &session, term, limit).await?
            {
                return Ok(found);
            }
            let session = Session::with_scope(endpoint, credentials, None);
            catalogue(self, &transport, &session, term, limit).await
        })
    }
}

fn fetch<'a>(
    client: &'a Client,
    transport: &'a Transport<'a>,
    session: &'a Session,
    silent: &'a mut Silent,
) -> Fetch<'a> {
    Fetch {
        client,
        transport,
        session,
        known: &|_| None,
        progress: silent,
    }
}

/// `GET /v1/search`; `None` where the registry does not have it.
async fn search(
    client: &Client,
    transport: &Transport<'_>,
    session: &Session,
    term: &str,
    limit: usize,
) -> Result<Option<Vec<Found>>> {
    let tried = format!("searching registry \"{}\"", session.place());
    let path = format!(
        "v1/search?{}",
        super::token::encode_form(&[("q", term), ("n", &limit.to_string())])
    );
    let ask = Ask {
        tried: &tried,
        to: To::Registry(&path),
        accept: None,
        from: 0,
        missing: "it has no search",
    };
    // Asked once: a registry that is in trouble is asked for its catalogue with more patience.
    let answer = fetch(client, transport, session, &mut Silent)
        .attempt(ask, None, None)
        .await;
    let bytes = match answer {
        Ok((bytes, _)) => bytes,
        // Whatever it says: a registry that cannot be reached says so again when the catalogue is asked for.
        Err(_) => return Ok(None),
    };
    let Ok(found) = serde_json::from_slice::<Results>(&bytes) else {
        return Ok(None);
    };
    let mut found = found.results;
    found.truncate(limit);
    Ok(Some(found))
}

/// `GET /v2/_catalog`, page after page, and the names that contain `term`; the very name comes first.
async fn catalogue(
    client: &Client,
    transport: &Transport<'_>,
    session: &Session,
    term: &str,
    limit: usize,
) -> Result<Vec<Found>> {
    let tried = format!("reading the catalogue of {}", session.place());
    let mut found: Vec<Found> = Vec::new();
    let mut path = "v2/_catalog".to_owned();
    for _ in 0..MOST_PAGES {
        let ask = Ask {
            tried: &tried,
            to: To::Registry(&path),
            accept: None,
            from: 0,
            missing: "it offers neither that nor Docker's search",
        };
        let (bytes, headers) = fetch(client, transport, session, &mut Silent)
            .answer(ask)
            .await
            .map_err(no_catalogue)?;
        let page: Catalogue = serde_json::from_slice(&bytes).map_err(|_| {
            let text = format!("{tried}: the answer is not a catalogue");
            Error::new(Kind::Corrupt, text)
        })?;
        for name in page.repositories.unwrap_or_default() {
            if found.len() == limit {
                return Ok(found);
            }
            if !name.contains(term) {
                continue;
            }
            let at = match name == term {
                true => 0,
                false => found.len(),
            };
            let name = Found {
                name,
                ..Found::default()
            };
            found.insert(at, name);
        }
        match next_page(&headers) {
            Some(query) if !path.ends_with(&query) => path = format!("v2/_catalog?{query}"),
            _ => break,
        }
    }
    Ok(found)
}

fn no_catalogue(err: Error) -> Error {
    match err.kind() {
        Kind::NotFound => {
            err.hint("not every registry can be searched; a full name can be pulled all the same")
        }
        _ => err,
    }
}

/// The query of `Link: <…>; rel="next"` (RFC 8288), which is all of it that is believed: the place stays the same.
pub(super) fn next_page(headers: &HeaderMap) -> Option<String> {
    let link = headers.get(LINK)?.to_str().ok()?;
    let target = link.trim().strip_prefix('<')?.split_once('>')?.0;
    let home = reqwest::Url::parse("http://registry/").ok()?;
    let url = home.join(target).ok()?;
    url.query()
        .filter(|query| !query.is_empty())
        .map(str::to_owned)
}

impl Fetch<'_> {
    /// Page after page; a registry that never ends its list is stopped.
    pub(super) async fn tags(&mut self) -> Result<Vec<String>> {
        const PAGE: usize = 1000;
        const MOST: usize = 100_000;
        let tried = format!("listing the tags of {}", self.session.place());
        let (mut tags, mut known) = (Vec::new(), BTreeSet::new());
        let mut path = format!("tags/list?n={PAGE}");
        while known.len() <= MOST {
            let ask = Ask {
                tried: &tried,
                to: To::Repository(&path),
                accept: None,
                from: 0,
                missing: "repository name not known to registry",
            };
            let (bytes, headers) = self.answer(ask).await?;
            let page: TagList = serde_json::from_slice(&bytes).map_err(|_| {
                let text = format!("{tried}: the answer is not a list of tags");
                Error::new(Kind::Corrupt, text)
            })?;
            let page = page.tags.unwrap_or_default();
            let full = page.len() >= PAGE;
            let before = known.len();
            // What is no tag must not get into the next page's URL, nor into a name.
            for tag in page.into_iter().filter(|tag| is_tag(tag)) {
                if known.insert(tag.clone()) {
                    tags.push(tag);
                }
            }
            path = match (next_page(&headers), tags.last()) {
                _ if known.len() == before => break,
                (Some(query), _) => format!("tags/list?{query}"),
                // Some have no Link, and go on where they are told to.
                (None, Some(last)) if full => format!("tags/list?n={PAGE}&last={last}"),
                _ => break,
            };
        }
        Ok(tags)
    }

    /// A document with the headers it came with.
    pub(super) async fn answer(&mut self, ask: Ask<'_>) -> Result<(Vec<u8>, HeaderMap)> {
        let mut tries = super::retry::Tries::new(self.client.settings.retry);
        loop {
            let fault = match self.session.get(self.transport, ask).await {
                Ok(mut response) => {
                    let headers = response.headers().clone();
                    let limit = MAX_DOCUMENT as usize;
                    match super::status::read_limited(&mut response, limit).await {
                        Some(bytes) => return Ok((bytes, headers)),
                        None => Error::new(
                            Kind::Registry,
                            format!(
                                "{}: it broke off, or is larger than {limit} bytes",
                                ask.tried
                            ),
                        )
                        .into(),
                    }
                }
                Err(fault) => fault,
            };
            let (wait, _) = tries.next(fault)?;
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_on_within_the_registry() {
        for (link, want) in [
            (
                "</v2/_catalog?last=b&n=2>; rel=\"next\"",
                Some("last=b&n=2"),
            ),
            ("<https://elsewhere/v2/_catalog?n=2>; rel=next", Some("n=2")),
            ("</v2/_catalog>", None),
            ("v2/_catalog?n=1", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().unwrap());
            assert_eq!(next_page(&headers).as_deref(), want, "{link}");
        }
    }
}
