//! The upload of one blob (distribution-spec, Pushing blobs): one `POST` opens it, one `PATCH` streams the bytes, a
//! `PUT` names it.
//!
//! When the connection breaks the registry is asked how far it came (`GET` of the upload's location), and only the
//! rest is sent. A registry that cannot say, or has forgotten the upload, gets everything anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, Url};

use super::content::Whole;
use super::event::Event;
use super::push::{Pushing, UploadJob, check_digest};
use super::retry::Tries;
use super::session::{Again, Attempt, Call, Fault, To};
use crate::error::{Error, Kind, Result};

/// So many new bytes make a broken connection worth forgetting.
const PROGRESSED: u64 = 1024 * 1024;
/// How often progress is looked at.
const TICK: Duration = Duration::from_millis(100);
/// A registry that has everything may need long to store it: so many times the usual patience.
const STORING: u32 = 10;

/// Where an upload stands.
struct Upload<'a, 'p> {
    push: &'a Pushing<'p>,
    job: &'a UploadJob,
    tried: String,
    /// `None`: none is open.
    place: Option<Place>,
    /// Bytes that were handed to the connection, from the blob's beginning on.
    passed: Arc<AtomicU64>,
    /// Bytes that the registry said it has.
    confirmed: u64,
}

struct Place {
    url: Url,
    /// Nothing was sent there yet.
    fresh: bool,
}

/// Uploads one blob. Asks for nothing before there is a first byte to send.
pub(super) async fn upload(push: &Pushing<'_>, job: &UploadJob) -> Result<Whole> {
    job.content.begun().await?;
    push.tell(&Event::BlobStarted {
        digest: &job.label,
        kind: job.kind,
        size: job.size,
        have: 0,
    });
    let opened = push.target.opened.borrow_mut().remove(&job.label);
    let mut upload = Upload {
        push,
        job,
        tried: format!("writing blob {} to {}", job.label, push.target.place()),
        place: opened.map(|url| Place { url, fresh: true }),
        passed: Arc::default(),
        confirmed: 0,
    };
    let mut tries = Tries::new(push.client.settings.retry);
    loop {
        let before = upload.confirmed;
        let fault = match upload.attempt().await {
            Ok(whole) => {
                push.tell(&Event::BlobSent {
                    digest: &job.label,
                    kind: job.kind,
                });
                return Ok(whole);
            }
            Err(fault) => fault,
        };
        // What was wrong with the bytes is told by who makes them.
        if let Some(err) = job.content.failure() {
            return Err(err);
        }
        if upload.confirmed >= before + PROGRESSED {
            tries.progressed();
        }
        let (wait, error) = tries.next(fault)?;
        push.tell(&Event::Retrying {
            what: &upload.tried,
            why: &error.to_string(),
            wait,
        });
        tokio::time::sleep(wait).await;
    }
}

impl Upload<'_, '_> {
    async fn attempt(&mut self) -> Attempt<Whole> {
        let at = self.stand().await?;
        let all_there = |whole: Whole| at == whole.size && at > 0;
        if !self.job.content.known().is_some_and(all_there) {
            self.send(at).await?;
        }
        let whole = self.job.content.complete().await?;
        self.name(whole).await?;
        Ok(whole)
    }

    /// Opens an upload, or asks how far the open one came. Returns where to go on.
    async fn stand(&mut self) -> Attempt<u64> {
        let Some(place) = self.place.take_if(|place| !place.fresh) else {
            if self.place.is_none() {
                self.open().await?;
            }
            return Ok(0);
        };
        let headers = HeaderMap::new();
        let mut call = self.call(&Method::GET, To::Url(&place.url), &headers);
        call.missing = "the upload is not known any more";
        let answer = self.push.once(call).await;
        match answer {
            Ok(response) => {
                let url = self.next_place(&response).unwrap_or(place.url);
                self.place = Some(Place { url, fresh: false });
                let at = received(&response);
                let possible = match self.job.content.known() {
                    Some(whole) => at <= whole.size,
                    None => at <= self.passed.load(Ordering::Relaxed),
                };
                if possible {
                    self.confirmed = self.confirmed.max(at);
                    return Ok(at);
                }
            }
            Err(fault) if fault.again != Again::Never => {
                self.place = Some(place);
                return Err(fault);
            }
            Err(_) => {} // forgotten, or a registry that cannot tell
        }
        self.open().await?;
        Ok(0)
    }

    async fn open(&mut self) -> Attempt<()> {
        self.place = None;
        let headers = HeaderMap::new();
        let mut call = self.call(&Method::POST, To::Repository("blobs/uploads/"), &headers);
        call.body = Some(&|| Ok(reqwest::Body::from("")));
        let response = self.push.once(call).await?;
        let url = self.push.target.session.location(&self.tried, &response)?;
        self.place = Some(Place { url, fresh: true });
        Ok(())
    }

    /// Streams everything from `at` on.
    async fn send(&mut self, at: u64) -> Attempt<()> {
        let Some(place) = &mut self.place else {
            return Err(self.lost());
        };
        place.fresh = false; // whatever happens now, bytes may have arrived
        let url = place.url.clone();
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        );
        if let Some(whole) = self.job.content.known() {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.size - at));
            if at > 0 {
                let range = format!("{at}-{}", whole.size.saturating_sub(1));
                headers.extend(HeaderValue::from_str(&range).map(|range| (CONTENT_RANGE, range)));
            }
        }
        let (content, passed) = (self.job.content.clone(), self.passed.clone());
        let body = || {
            let pieces = content.stream(at, passed.clone());
            Ok(reqwest::Body::wrap_stream(pieces))
        };
        let mut call = self.call(&Method::PATCH, To::Url(&url), &headers);
        call.body = Some(&body);
        call.missing = "the upload is not known any more";
        let sent = self.push.target.session.send(self.push.transport, call);
        match self.watched(sent).await {
            Ok(response) => {
                let url = self.next_place(&response).unwrap_or(url);
                self.place = Some(Place { url, fresh: false });
                self.confirmed = self.passed.load(Ordering::Relaxed);
                Ok(())
            }
            // It will not be continued there: once more from the beginning.
            Err(mut fault) if fault.again == Again::Never && at > 0 => {
                self.place = None;
                fault.again = Again::Soon;
                Err(fault)
            }
            Err(fault) => Err(self.forget_if_gone(fault)),
        }
    }

    /// Ends the upload: from here on the blob has its name.
    async fn name(&mut self, whole: Whole) -> Attempt<()> {
        let Some(place) = &self.place else {
            return Err(self.lost());
        };
        let mut url = place.url.clone();
        url.query_pairs_mut()
            .append_pair("digest", &whole.digest.to_string());
        let headers = HeaderMap::new();
        let mut call = self.call(&Method::PUT, To::Url(&url), &headers);
        call.body = Some(&|| Ok(reqwest::Body::from("")));
        call.missing = "the upload is not known any more";
        let sent = self.push.target.session.send(self.push.transport, call);
        match self.watched(sent).await {
            Ok(response) => Ok(check_digest(&self.tried, &response, &whole.digest)?),
            Err(fault) => Err(self.forget_if_gone(fault)),
        }
    }

    fn forget_if_gone(&mut self, mut fault: Fault) -> Fault {
        if fault.error.kind() == Kind::NotFound {
            self.place = None;
            fault.again = Again::Soon;
        }
        fault
    }

    fn next_place(&self, response: &Response) -> Option<Url> {
        self.push
            .target
            .session
            .location(&self.tried, response)
            .ok()
    }

    fn lost(&self) -> Fault {
        let text = format!("{}: no upload is open", self.tried);
        Error::new(Kind::System, text).into()
    }

    fn call<'c>(&'c self, method: &'c Method, to: To<'c>, headers: &'c HeaderMap) -> Call<'c> {
        Call {
            tried: &self.tried,
            method,
            to,
            headers,
            body: None,
            missing: "repository name not known to registry",
            also: None,
        }
    }

    /// Waits for the answer, tells progress, and ends what has stalled.
    async fn watched(&self, work: impl Future<Output = Attempt<Response>>) -> Attempt<Response> {
        let patience = self.push.client.settings.transport.stall_timeout;
        let mut work = std::pin::pin!(work);
        let mut seen = self.passed.load(Ordering::Relaxed);
        let mut since = Instant::now();
        loop {
            tokio::select! {
                answer = &mut work => return answer,
                () = tokio::time::sleep(TICK) => {}
            }
            let now = self.passed.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
                self.push.tell(&Event::BlobProgress {
                    digest: &self.job.label,
                    done: now,
                });
                continue;
            }
            let limit = match self.job.content.known() {
                None if self.job.content.has_more_than(now) => patience,
                None => continue, // it waits for us, not we for it
                Some(whole) if whole.size == now => patience * STORING,
                Some(_) => patience,
            };
            if since.elapsed() > limit {
                return Err(no_answer(&self.tried));
            }
        }
    }
}

/// How many bytes an upload has: `Range: 0-LAST`, or nothing at all.
fn received(response: &Response) -> u64 {
    response
        .headers()
        .get(RANGE)
        .and_then(|range| range.to_str().ok())
        .and_then(parse_range)
        .unwrap_or_default()
}

fn parse_range(range: &str) -> Option<u64> {
    let range = range.trim();
    let range = range.strip_prefix("bytes=").unwrap_or(range);
    let last = range.strip_prefix("0-")?;
    match last.trim().parse::<u64>().ok()? {
        // docker-registry says `0-0` both of nothing and of one byte: one byte sent twice is refused by digest only.
        0 => None,
        last => last.checked_add(1),
    }
}

pub(super) fn no_answer(tried: &str) -> Fault {
    Fault {
        error: Error::new(Kind::Registry, format!("{tried}: no answer in time")),
        again: Again::Soon,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_tell_how_far_an_upload_came() {
        let cases = [
            ("0-0", None),
            ("0-99", Some(100)),
            ("bytes=0-99", Some(100)),
            (" 0-99 ", Some(100)),
            ("5-99", None),
            ("0-", None),
            ("", None),
            ("0-18446744073709551615", None),
        ];
        for (range, want) in cases {
            assert_eq!(parse_range(range), want, "{range:?}");
        }
    }
}
