//! Writing to a registry (distribution-spec, Push): what is there is not sent, what another repository of the same
//! registry has is mounted, the rest is uploaded (`upload`), the manifest comes last.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use futures_util::stream::{FuturesUnordered, StreamExt};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};

use super::client::{Client, run};
use super::content::{Content, Whole};
use super::event::{BlobKind, Event, Progress};
use super::manifest::Document;
use super::reference::is_repository;
use super::retry::Tries;
use super::session::{Attempt, Call, Session, To};
use super::transport::Transport;
use super::upload;
use crate::config::auth::Credentials;
use crate::config::registries::Endpoint;
use crate::error::{Error, Kind, Result};
use crate::state::digest::Digest;

/// Repositories that a blob is looked for in, before it is sent.
const MOUNTS_TRIED: usize = 3;

/// A repository that is written to, with what was learned about it.
pub struct Target {
    pub(super) session: Session,
    /// Uploads that a mount in vain has opened.
    pub(super) opened: RefCell<HashMap<Digest, Url>>,
}

impl Target {
    /// `registry/repository`
    pub fn place(&self) -> String {
        self.session.place()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.place())
    }
}

/// A blob that may be there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    pub digest: Digest,
    pub kind: BlobKind,
    /// Repositories of the same registry that should have it, the likeliest first.
    pub elsewhere: Vec<String>,
}

/// One blob to send.
#[derive(Debug, Clone)]
pub struct UploadJob {
    /// Name in events: the blob's digest, or that of the layer it is made of.
    pub label: Digest,
    pub kind: BlobKind,
    /// Bytes; 0 where nobody knows yet.
    pub size: u64,
    pub content: Content,
}

/// What the parts of a push share while they run.
pub(super) struct Pushing<'a> {
    pub(super) client: &'a Client,
    pub(super) transport: &'a Transport<'a>,
    pub(super) target: &'a Target,
    progress: RefCell<&'a mut dyn Progress>,
}

impl Client {
    /// A repository to write to. Asks nothing yet.
    pub fn target(&self, endpoint: &Endpoint, credentials: Option<Credentials>) -> Target {
        Target {
            session: Session::for_push(endpoint.clone(), credentials),
            opened: RefCell::default(),
        }
    }

    /// Tells which blobs need not be sent: they are there, or were mounted from elsewhere.
    pub fn seek_blobs(
        &self,
        target: &Target,
        sought: &[Sought],
        progress: &mut dyn Progress,
    ) -> Result<Vec<bool>> {
        self.pushing(target, progress, async |push| {
            push.all(sought, async |sought| push.seek(sought).await)
                .await
        })
    }

    /// Uploads blobs, several at a time, and tells what each was. The first failure ends all.
    pub fn upload_blobs(
        &self,
        target: &Target,
        jobs: &[UploadJob],
        progress: &mut dyn Progress,
    ) -> Result<Vec<Whole>> {
        self.pushing(target, progress, async |push| {
            push.all(jobs, async |job| upload::upload(push, job).await)
                .await
        })
    }

    /// Uploads a manifest or an index under `selector`, a tag or its own digest.
    pub fn put_manifest(
        &self,
        target: &Target,
        manifest: &Document,
        selector: &str,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        self.pushing(target, progress, async |push| {
            push.manifest(manifest, selector).await
        })
    }

    fn pushing<T>(
        &self,
        target: &Target,
        progress: &mut dyn Progress,
        work: impl AsyncFnOnce(&Pushing<'_>) -> Result<T>,
    ) -> Result<T> {
        run(async {
            let transport = Transport::for_uploads(&self.settings.transport);
            let push = Pushing {
                client: self,
                transport: &transport,
                target,
                progress: RefCell::new(progress),
            };
            work(&push).await
        })
    }
}

impl Pushing<'_> {
    pub(super) fn tell(&self, event: &Event<'_>) {
        self.progress.borrow_mut().event(event);
    }

    /// Does `work` for all items, a limited number at a time; answers in the order of the items.
    async fn all<I, T>(&self, items: &[I], work: impl AsyncFn(&I) -> Result<T>) -> Result<Vec<T>> {
        let mut done: Vec<Option<T>> = items.iter().map(|_| None).collect();
        let mut waiting = items.iter().enumerate();
        let mut running = FuturesUnordered::new();
        let one = async |at: usize, item| (at, work(item).await);
        loop {
            while running.len() < self.client.settings.parallel.max(1) {
                let Some((at, item)) = waiting.next() else {
                    break;
                };
                running.push(one(at, item));
            }
            match running.next().await {
                Some((at, result)) => done[at] = Some(result?),
                None => break,
            }
        }
        Ok(done.into_iter().flatten().collect())
    }

    /// Sends a request until it is answered, as often as the settings allow.
    async fn retried(&self, call: Call<'_>) -> Result<Response> {
        let mut tries = Tries::new(self.client.settings.retry);
        loop {
            let fault = match self.once(call).await {
                Ok(response) => return Ok(response),
                Err(fault) => fault,
            };
            let (wait, error) = tries.next(fault)?;
            self.tell(&Event::Retrying {
                what: call.tried,
                why: &error.to_string(),
                wait,
            });
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a small request once; it ends when nothing is heard for too long.
    pub(super) async fn once(&self, call: Call<'_>) -> Attempt<Response> {
        let limit = self.client.settings.transport.stall_timeout;
        let sent = self.target.session.send(self.transport, call);
        match tokio::time::timeout(limit, sent).await {
            Ok(answer) => answer,
            Err(_) => Err(upload::no_answer(call.tried)),
        }
    }

    /// Looks for a blob here and elsewhere.
    async fn seek(&self, sought: &Sought) -> Result<bool> {
        let session = &self.target.session;
        let tried = format!("looking for blob {} in {}", sought.digest, session.place());
        let path = format!("blobs/{}", sought.digest);
        let headers = HeaderMap::new();
        let call = Call {
            tried: &tried,
            method: &Method::HEAD,
            to: To::Repository(&path),
            headers: &headers,
            body: None,
            missing: "blob unknown",
            also: None,
        };
        match self.retried(call).await {
            Ok(_) => {
                self.tell(&Event::BlobPresent {
                    digest: &sought.digest,
                    kind: sought.kind,
                });
                return Ok(true);
            }
            Err(err) if err.kind() == Kind::NotFound => {}
            Err(err) => return Err(err),
        }
        let here = &session.endpoint.repository;
        let candidates = sought
            .elsewhere
            .iter()
            .filter(|from| *from != here && is_repository(from));
        for from in candidates.take(MOUNTS_TRIED) {
            if self.mount(&sought.digest, from).await {
                self.tell(&Event::BlobMounted {
                    digest: &sought.digest,
                    from,
                });
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Asks for a blob of another repository. Whatever goes wrong, it can be sent instead.
    async fn mount(&self, digest: &Digest, from: &str) -> bool {
        let tried = format!("mounting blob {digest} in {}", self.target.place());
        // Neither a digest nor a repository has a character that a query must escape, but for the digest's colon,
        // which it may have.
        let path = format!("blobs/uploads/?mount={digest}&from={from}");
        let scope = format!("repository:{from}:pull");
        let headers = HeaderMap::new();
        let call = Call {
            tried: &tried,
            method: &Method::POST,
            to: To::Repository(&path),
            headers: &headers,
            body: Some(&|| Ok(reqwest::Body::from(""))),
            missing: "blob unknown",
            also: Some(&scope),
        };
        let Ok(response) = self.once(call).await else {
            return false;
        };
        if response.status() == StatusCode::CREATED {
            return true;
        }
        // It began an upload instead, which will do for the blob.
        if let Ok(url) = self.target.session.location(&tried, &response) {
            let before = self.target.opened.borrow_mut().insert(*digest, url);
            if let Some(url) = before {
                self.cancel(&url).await;
            }
        }
        false
    }

    /// Gives an upload up, so that the registry need not keep it.
    async fn cancel(&self, url: &Url) {
        let headers = HeaderMap::new();
        let call = Call {
            tried: "cancelling an upload",
            method: &Method::DELETE,
            to: To::Url(url),
            headers: &headers,
            body: None,
            missing: "upload unknown",
            also: None,
        };
        let _ = self.once(call).await; // a registry clears away what was given up anyway
    }

    async fn manifest(&self, manifest: &Document, selector: &str) -> Result<()> {
        let tried = format!("writing manifest {selector} to {}", self.target.place());
        let path = format!("manifests/{selector}");
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_str(&manifest.media_type).map_err(|_| {
            Error::new(
                Kind::Corrupt,
                format!("{tried}: its media type is not text"),
            )
        })?;
        headers.insert(CONTENT_TYPE, kind);
        let body = || Ok(reqwest::Body::from(manifest.bytes.clone()));
        let call = Call {
            tried: &tried,
            method: &Method::PUT,
            to: To::Repository(&path),
            headers: &headers,
            body: Some(&body),
            missing: "repository name not known to registry",
            also: None,
        };
        let response = self.retried(call).await?;
        check_digest(&tried, &response, &manifest.digest)
    }
}

/// Compares what the registry says it stored with what was sent.
pub(super) fn check_digest(tried: &str, response: &Response, want: &Digest) -> Result<()> {
    let got: Option<Digest> = response
        .headers()
        .get("docker-content-digest")
        .and_then(|header| header.to_str().ok())
        .and_then(|header| header.parse().ok());
    match got {
        Some(got) if got.algorithm() == want.algorithm() && got != *want => Err(Error::new(
            Kind::Registry,
            format!("{tried}: the registry stored digest {got} instead of {want}"),
        )),
        _ => Ok(()),
    }
}
