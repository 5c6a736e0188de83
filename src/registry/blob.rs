//! The blob engine: streams layers, several at once, and goes on where a connection broke.

use std::cell::RefCell;

use futures_util::stream::{FuturesUnordered, StreamExt};
use reqwest::StatusCode;
use reqwest::header::CONTENT_RANGE;

use super::client::Client;
use super::event::{BlobKind, Event, Progress};
use super::manifest::Layer;
use super::retry::Tries;
use super::session::{Again, Ask, Attempt, Fault, Session, To};
use super::transport::{Transport, explain};
use crate::error::{Error, Kind, Result};

/// Progress is told in steps of this many bytes.
const STEP: u64 = 256 * 1024;
/// So many new bytes make a broken connection worth forgetting.
const PROGRESSED: u64 = 1024 * 1024;

/// Where the bytes of one blob go.
pub trait BlobSink {
    /// Bytes that are here already, from the blob's beginning on.
    fn have(&self) -> u64;
    /// Takes the bytes that follow.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// All bytes were written: checks size and digest.
    fn finish(&mut self) -> Result<()>;
}

/// One blob to fetch.
pub struct BlobJob<'a> {
    pub layer: Layer,
    pub sink: Box<dyn BlobSink + 'a>,
}

/// Fetches all blobs, `parallel` at a time. The first failure ends all; what has arrived stays in the sinks.
pub(super) async fn fetch_all(
    client: &Client,
    transport: &Transport<'_>,
    session: &Session,
    jobs: Vec<BlobJob<'_>>,
    progress: &mut dyn Progress,
) -> Result<()> {
    let progress = RefCell::new(progress);
    let mut waiting = jobs.into_iter();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < client.settings.parallel.max(1) {
            let Some(job) = waiting.next() else { break };
            running.push(fetch(client, transport, session, job, &progress));
        }
        match running.next().await {
            Some(done) => done?,
            None => return Ok(()),
        }
    }
}

async fn fetch(
    client: &Client,
    transport: &Transport<'_>,
    session: &Session,
    mut job: BlobJob<'_>,
    progress: &RefCell<&mut dyn Progress>,
) -> Result<()> {
    let digest = *job.layer.digest.digest();
    let path = format!("blobs/{digest}");
    let tried = format!("reading blob {digest} in {}", session.place());
    let tell = |event: &Event<'_>| progress.borrow_mut().event(event);
    tell(&Event::BlobStarted {
        digest: &digest,
        kind: BlobKind::Layer,
        size: job.layer.size,
        have: job.sink.have(),
    });
    let mut tries = Tries::new(client.settings.retry);
    while job.sink.have() < job.layer.size {
        let before = job.sink.have();
        let ask = Ask {
            tried: &tried,
            to: To::Repository(&path),
            accept: None,
            from: before,
            missing: "blob unknown",
        };
        let Err(fault) = stream(transport, session, ask, &mut job, &tell).await else {
            break;
        };
        if job.sink.have() >= before + PROGRESSED {
            tries.progressed();
        }
        let (wait, error) = tries.next(fault)?;
        tell(&Event::Retrying {
            what: &tried,
            why: &error.to_string(),
            wait,
        });
        tokio::time::sleep(wait).await;
    }
    job.sink.finish()?;
    tell(&Event::BlobFetched {
        digest: &digest,
        kind: BlobKind::Layer,
    });
    Ok(())
}

/// One request, from where the sink stands to the blob's end.
async fn stream(
    transport: &Transport<'_>,
    session: &Session,
    ask: Ask<'_>,
    job: &mut BlobJob<'_>,
    tell: &impl Fn(&Event<'_>),
) -> Attempt<()> {
    let digest = *job.layer.digest.digest();
    let size = job.layer.size;
    let wrong = |why: String| Error::new(Kind::Corrupt, format!("{}: {why}", ask.tried));
    let mut response = session.get(transport, ask).await?;
    // A server that cannot resume sends all again: what is here already is passed over, it has been hashed.
    let mut skip = match response.status() {
        StatusCode::PARTIAL_CONTENT if starts_at(&response, ask.from) => 0,
        StatusCode::PARTIAL_CONTENT => {
            return Err(wrong("it sends another range than was asked for".into()).into());
        }
        _ => ask.from,
    };
    if let Some(length) = response.content_length()
        && length != size - ask.from + skip
    {
        let why = format!(
            "it has {} bytes instead of {size}",
            length + ask.from - skip
        );
        return Err(wrong(why).into());
    }
    let mut told = ask.from;
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(err) => {
                let failed = explain(&err, ask.tried);
                return Err(Fault {
                    error: failed.error,
                    again: Again::Soon,
                });
            }
        };
        let passed = skip.min(chunk.len() as u64);
        skip -= passed;
        let bytes = &chunk[passed as usize..];
        if job.sink.have() + bytes.len() as u64 > size {
            return Err(wrong(format!(
                "it has more than the {size} bytes its descriptor names"
            ))
            .into());
        }
        job.sink.write(bytes)?;
        let done = job.sink.have();
        if done - told >= STEP || done == size {
            told = done;
            tell(&Event::BlobProgress {
                digest: &digest,
                done,
            });
        }
    }
    match job.sink.have() {
        have if have == size => Ok(()),
        have => Err(Fault {
            error: wrong(format!("the connection ended after {have} of {size} bytes"))
                .with_kind(Kind::Registry),
            again: Again::Soon,
        }),
    }
}

/// `Content-Range: bytes FROM-TO/SIZE`
fn starts_at(response: &reqwest::Response, from: u64) -> bool {
    response
        .headers()
        .get(CONTENT_RANGE)
        .and_then(|header| header.to_str().ok())
        .and_then(|header| header.strip_prefix("bytes "))
        .and_then(|range| range.split('-').next())
        .is_some_and(|start| start.trim().parse() == Ok(from))
}
