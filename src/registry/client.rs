//! The engine's face: synchronous calls, each with a runtime of its own.

use std::fmt;
use std::future::Future;

use super::blob::{self, BlobJob};
use super::event::{Event, Progress, Silent};
use super::manifest::{self, ConfigBlob, Document, Layer, MAX_DOCUMENT, Parsed};
use super::platform::Platform;
use super::retry::{RetrySettings, Tries};
use super::session::{Again, Ask, Attempt, Fault, Session, To};
use super::status::read_limited;
use super::transport::{Transport, TransportSettings};
use crate::config::auth::Credentials;
use crate::config::registries::Endpoint;
use crate::error::{Error, Kind, Result, Tried};
use crate::state::digest::Digest;

#[derive(Debug, Clone)]
pub struct ClientSettings {
    pub transport: TransportSettings,
    pub retry: RetrySettings,
    /// Blobs fetched at once.
    pub parallel: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            transport: TransportSettings::default(),
            retry: RetrySettings::default(),
            parallel: 6,
        }
    }
}

/// Talks to registries. Holds no connection between two calls.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) settings: ClientSettings,
}

/// The registry that served an image, with what was learned about it: its layers come from there too.
pub struct Source {
    session: Session,
}

impl Source {
    /// `registry/repository`
    pub fn place(&self) -> String {
        self.session.place()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.place())
    }
}

/// What an image consists of, all of it checked against the digests that name it.
#[derive(Debug)]
pub struct Remote {
    pub source: Source,
    /// The index that was asked for, where it was one.
    pub index: Option<Document>,
    pub manifest: Document,
    pub config: Vec<u8>,
    pub config_digest: Digest,
    /// Lowest first.
    pub layers: Vec<Layer>,
}

/// An image or an index, not resolved any further.
#[derive(Debug)]
pub struct Seen {
    pub document: Document,
    /// Of an image.
    pub config: Option<Vec<u8>>,
}

/// Looks up a small document (index, manifest, config) that need not be fetched again.
pub type Known<'a> = &'a dyn Fn(&Digest) -> Option<Vec<u8>>;

impl Client {
    pub fn new(settings: ClientSettings) -> Self {
        Self { settings }
    }

    /// Fetches manifest and config of an image from one endpoint. `selector` is a tag or a digest.
    pub fn resolve(
        &self,
        endpoint: &Endpoint,
        credentials: Option<Credentials>,
        selector: &str,
        want: &Platform,
        known: Known<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Remote> {
        let session = Session::new(endpoint.clone(), credentials);
        run(async {
            let transport = Transport::new(&self.settings.transport);
            let mut fetch = Fetch {
                client: self,
                transport: &transport,
                session: &session,
                known,
                progress,
            };
            let by_digest: Option<Digest> = selector.parse().ok();
            let (first, parsed) = fetch.manifest(selector, by_digest, None).await?;
            let (index, manifest, image) = match parsed {
                Parsed::Image(image) => (None, first, image),
                Parsed::Index(entries) => {
                    let entry = manifest::choose(&entries, want)?;
                    let name = entry.digest.to_string();
                    let (manifest, parsed) = fetch
                        .manifest(&name, Some(entry.digest), Some(entry.size))
                        .await?;
                    match parsed {
                        Parsed::Image(image) => (Some(first), manifest, image),
                        Parsed::Index(_) => {
                            let text =
                                format!("refuse the manifest {name}: an index inside an index");
                            return Err(Error::new(Kind::Corrupt, text));
                        }
                    }
                }
            };
            let config = fetch.config(&image.config).await?;
            Ok((index, manifest, config, image))
        })
        .map(|(index, manifest, config, image)| Remote {
            source: Source { session },
            index,
            manifest,
            config,
            config_digest: image.config.digest,
            layers: image.layers,
        })
    }

    /// Shows the credentials to a registry. [`Kind::Unauthorized`]: it refuses them.
    pub fn check_login(&self, endpoint: &Endpoint, credentials: Option<Credentials>) -> Result<()> {
        let session = Session::with_scope(endpoint.clone(), credentials, None);
        run(async {
            let transport = Transport::new(&self.settings.transport);
            let mut fetch = Fetch {
                client: self,
                transport: &transport,
                session: &session,
                known: &|_| None,
                progress: &mut Silent,
            };
            let tried = format!("pinging container registry {}", endpoint.registry);
            let ask = Ask {
                tried: &tried,
                to: To::Registry("v2/"),
                accept: None,
                from: 0,
                missing: "it is no container registry",
            };
            fetch.document(ask, None, None).await.map(|_| ())
        })
    }

    /// What an endpoint has under `selector`, an image or an index, as it is.
    pub fn look(
        &self,
        endpoint: &Endpoint,
        credentials: Option<Credentials>,
        selector: &str,
        progress: &mut dyn Progress,
    ) -> Result<Seen> {
        let session = Session::new(endpoint.clone(), credentials);
        run(async {
            let transport = Transport::new(&self.settings.transport);
            let mut fetch = Fetch {
                client: self,
                transport: &transport,
                session: &session,
                known: &|_| None,
                progress,
            };
            let by_digest: Option<Digest> = selector.parse().ok();
            let (document, parsed) = fetch.manifest(selector, by_digest, None).await?;
            let config = match parsed {
                Parsed::Image(image) => Some(fetch.config(&image.config).await?),
                Parsed::Index(_) => None,
            };
            Ok(Seen { document, config })
        })
    }

    /// All tags of a repository, as the registry lists them (distribution-spec, Listing Tags).
    pub fn tags(
        &self,
        endpoint: &Endpoint,
        credentials: Option<Credentials>,
        progress: &mut dyn Progress,
    ) -> Result<Vec<String>> {
        let session = Session::new(endpoint.clone(), credentials);
        run(async {
            let transport = Transport::new(&self.settings.transport);
            let mut fetch = Fetch {
                client: self,
                transport: &transport,
                session: &session,
                known: &|_| None,
                progress,
            };
            fetch.tags().await
        })
    }

    /// Fetches blobs into their sinks. On a failure what has arrived stays in the sinks.
    pub fn fetch_blobs(
        &self,
        source: &Source,
        jobs: Vec<BlobJob<'_>>,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        run(async {
            let transport = Transport::new(&self.settings.transport);
            blob::fetch_all(self, &transport, &source.session, jobs, progress).await
        })
    }
}

/// Builds a runtime, runs the future, and is single-threaded again.
///
/// Nothing in here asks tokio for a blocking thread: names are resolved by hickory, files are written in place.
pub(super) fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .tried(|| "start the network engine")?;
    runtime.block_on(work)
}

/// Fetches small documents, with retries.
pub(super) struct Fetch<'a> {
    pub(super) client: &'a Client,
    pub(super) transport: &'a Transport<'a>,
    pub(super) session: &'a Session,
    pub(super) known: Known<'a>,
    pub(super) progress: &'a mut dyn Progress,
}

impl Fetch<'_> {
    async fn manifest(
        &mut self,
        selector: &str,
        digest: Option<Digest>,
        size: Option<u64>,
    ) -> Result<(Document, Parsed)> {
        let (bytes, content_type) = match digest.as_ref().and_then(self.known) {
            Some(bytes) => (bytes, String::new()),
            None => {
                let tried = format!("reading manifest {selector} in {}", self.session.place());
                let path = format!("manifests/{selector}");
                let ask = Ask {
                    tried: &tried,
                    to: To::Repository(&path),
                    accept: Some(manifest::ACCEPT),
                    from: 0,
                    missing: "manifest unknown",
                };
                self.document(ask, digest, size).await?
            }
        };
        let (media_type, parsed) = manifest::parse(&bytes, &content_type)?;
        let digest = digest.unwrap_or_else(|| Digest::sha256_of(&bytes));
        let document = Document {
            digest,
            media_type,
            bytes,
        };
        Ok((document, parsed))
    }

    async fn config(&mut self, blob: &ConfigBlob) -> Result<Vec<u8>> {
        if let Some(bytes) = (self.known)(&blob.digest) {
            return Ok(bytes);
        }
        let tried = format!("reading config {} in {}", blob.digest, self.session.place());
        let path = format!("blobs/{}", blob.digest);
        let ask = Ask {
            tried: &tried,
            to: To::Repository(&path),
            accept: None,
            from: 0,
            missing: "blob unknown",
        };
        let (bytes, _) = self
            .document(ask, Some(blob.digest), Some(blob.size))
            .await?;
        Ok(bytes)
    }

    /// The bytes, checked, and their Content-Type.
    pub(super) async fn document(
        &mut self,
        ask: Ask<'_>,
        digest: Option<Digest>,
        size: Option<u64>,
    ) -> Result<(Vec<u8>, String)> {
        let mut tries = Tries::new(self.client.settings.retry);
        loop {
            let fault = match self.attempt(ask, digest, size).await {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let (wait, error) = tries.next(fault)?;
            self.progress.event(&Event::Retrying {
                what: ask.tried,
                why: &error.to_string(),
                wait,
            });
            tokio::time::sleep(wait).await;
        }
    }

    pub(super) async fn attempt(
        &self,
        ask: Ask<'_>,
        digest: Option<Digest>,
        size: Option<u64>,
    ) -> Attempt<(Vec<u8>, String)> {
        let mut response = self.session.get(self.transport, ask).await?;
        let header = |name: &str| {
            let value = response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let content_type = header("content-type");
        let promised: Option<Digest> = header("docker-content-digest").parse().ok();
        let wrong = |why: String| {
            let error = Error::new(Kind::Corrupt, format!("{}: {why}", ask.tried));
            Fault::from(error)
        };
        let limit = size.unwrap_or(MAX_DOCUMENT).min(MAX_DOCUMENT);
        let length = response.content_length();
        if length.is_some_and(|length| length > limit) {
            let length = length.unwrap_or_default();
            return Err(wrong(format!(
                "it has {length} bytes, more than the {limit} allowed"
            )));
        }
        let Some(bytes) = read_limited(&mut response, limit as usize).await else {
            // Either more than allowed (a lie, which a retry repeats) or a broken connection.
            let mut fault = wrong(format!(
                "it broke off, or has more than the {limit} bytes allowed"
            ));
            fault.again = Again::Soon;
            return Err(fault);
        };
        if let Some(size) = size
            && size != bytes.len() as u64
        {
            return Err(wrong(format!(
                "it has {} bytes instead of {size}",
                bytes.len()
            )));
        }
        for want in digest.iter().chain(promised.iter()) {
            let got = want.hasher().chain(&bytes).finish();
            if got != *want {
                return Err(wrong(format!(
                    "its content has digest {got} instead of {want}"
                )));
            }
        }
        Ok((bytes, content_type))
    }
}
