//! A registry that lies, stalls, breaks off, redirects and forgets: it serves one busybox image, with one thing wrong.
//!
//! The image has a second layer of [`BIG`] bytes where a fault needs time to strike. What was asked and how many bytes
//! of layers were sent is kept: [`Hostile::seen`], [`Hostile::sent`].

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::images;
use super::process::TIMEOUT;

/// Bytes of the second layer, about.
pub const BIG: usize = 12 << 20;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: for counting.
    None,
    /// Every answer is 401, without a challenge that could be met.
    Unauthorized,
    /// The layer has the promised size and another content.
    WrongLayer,
    /// The config has another content than its digest.
    WrongConfig,
    /// The manifest has another content than the digest it was asked for by.
    WrongManifest,
    /// `Docker-Content-Digest` names another digest than the manifest has.
    WrongDigestHeader,
    /// Half of the layer arrives, each time.
    Truncated,
    /// The manifest describes something that is no image.
    NotAnImage,
    /// The manifest is not JSON.
    Garbage,
    /// The manifest has more bytes than any has.
    Huge,
    /// The manifest is nested without end.
    Deep,
    /// The manifest is an index too.
    Both,
    /// The answer calls the manifest an index.
    MediaTypeLies,
    /// Every answer is 500, with escape sequences in its text.
    Escapes,
    /// The layer's descriptor promises another size than the blob has.
    WrongSize,
    /// The layer is said to have more bytes than any disk.
    TooLarge,
    /// The layer's body never ends.
    Endless,
    /// A layer of some KiB that becomes 1 GiB of zeros.
    Bomb,
    /// The manifest names URLs for the layer, elsewhere ([`Seen::elsewhere`]).
    ForeignUrls,
    /// Each answer with the big layer breaks off after so many bytes. Ranges are honoured.
    Drops(usize),
    /// As `Drops`, the first time; and ranges are not honoured.
    DropsOnceWithoutRanges(usize),
    /// A range is answered with another one.
    WrongRange,
    /// The big layer stops at half of it, for ever, the first time it is asked for.
    StallsOnce,
    /// The manifest never comes.
    Stalls,
    /// The big layer stops at half of it until [`Hostile::release`], the first time it is asked for.
    Holds,
    /// The first so many requests are answered with this status, and `Retry-After: 1` where it is 429.
    Fails(u16, usize),
    /// 429, and come back in an hour.
    NotToday,
    /// A token is good for one request of the big layer, which comes in pieces.
    ExpiringTokens,
    /// Blobs are at elsewhere ([`Seen::elsewhere`]); the registry itself wants `me:secret`.
    Redirects,
    /// As `Redirects`, and there a password is asked for.
    RedirectsToChallenge,
    /// Every blob redirects to itself.
    RedirectsForEver,
    /// The tag means another image each time it is asked for.
    TagMoves,
    /// Not a registry of images but Docker's search: `GET /v1/search`.
    Search,
    /// Neither search nor catalogue.
    NoSearch,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// At the other port, which stands for another host?
    pub elsewhere: bool,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// First byte of `Range`.
    fn from(&self) -> Option<usize> {
        let range = self.header("range").strip_prefix("bytes=")?;
        range.split('-').next()?.parse().ok()
    }
}

/// Lives as long as the test process.
pub struct Hostile {
    pub port: u16,
    site: Arc<Site>,
}

impl Hostile {
    #[track_caller]
    pub fn start(fault: Fault) -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let (home, elsewhere) = (bind(), bind());
        let port = |of: &TcpListener| of.local_addr().expect("bound").port();
        let ports = (port(&home), port(&elsewhere));
        let site = Arc::new(Site::new(fault, ports));
        for (listener, elsewhere) in [(home, false), (elsewhere, true)] {
            let site = Arc::clone(&site);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let site = Arc::clone(&site);
                    std::thread::spawn(move || site.serve(stream, elsewhere));
                }
            });
        }
        Self {
            port: ports.0,
            site,
        }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `127.0.0.1:PORT/lies:latest`
    pub fn image(&self) -> String {
        format!("127.0.0.1:{}/lies:latest", self.port)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.site.state().seen.clone()
    }

    /// Requests of the big layer so far.
    pub fn asked_for_big(&self) -> Vec<Seen> {
        let mut seen = self.seen();
        seen.retain(|seen| seen.path.ends_with(&self.site.big));
        seen
    }

    /// Bytes of layers sent so far.
    pub fn sent(&self) -> u64 {
        self.site.state().sent
    }

    /// Digest of the big layer.
    pub fn big(&self) -> &str {
        &self.site.big
    }

    /// Bytes of all layers.
    pub fn size(&self) -> u64 {
        let layers = [&self.site.layer, &self.site.big];
        layers
            .map(|digest| self.site.blobs[digest].len() as u64)
            .iter()
            .sum()
    }

    /// Waits until [`Fault::Holds`] holds the big layer back.
    #[track_caller]
    pub fn wait_held(&self) {
        let state = self.site.state();
        let (_state, waited) = self
            .site
            .changed
            .wait_timeout_while(state, TIMEOUT, |state| !state.held)
            .expect("nobody panics here");
        assert!(!waited.timed_out(), "the big layer was never asked for");
    }

    /// Lets what is held back go on.
    pub fn release(&self) {
        self.site.state().released = true;
        self.site.changed.notify_all();
    }
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    sent: u64,
    /// The big layer was asked for already.
    asked: bool,
    held: bool,
    released: bool,
    tokens: usize,
    /// The token that is good.
    good: Option<usize>,
    tags: usize,
}

struct Site {
    fault: Fault,
    /// Our own port, and the other.
    ports: (u16, u16),
    manifest: Vec<u8>,
    /// What the tag means every other time.
    other: Vec<u8>,
    blobs: HashMap<String, Vec<u8>>,
    layer: String,
    big: String,
    state: Mutex<State>,
    changed: Condvar,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Site {
    fn new(fault: Fault, ports: (u16, u16)) -> Self {
        let dir = images::busybox_layout();
        let read = |digest: &str| {
            let name = digest.strip_prefix("sha256:").expect("sha256");
            fs::read(dir.join("blobs/sha256").join(name)).expect("part of the layout")
        };
        let json =
            |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("the layout is valid") };
        let index = json(&fs::read(dir.join("index.json")).expect("part of the layout"));
        let mut manifest = json(&read(text(&index["manifests"][0]["digest"])));
        let layer = text(&manifest["layers"][0]["digest"]).to_owned();
        let mut config = json(&read(text(&manifest["config"]["digest"])));
        let mut blobs: HashMap<_, _> = [(layer.clone(), read(&layer))].into();
        let mut put = |bytes: Vec<u8>| {
            let digest = digest_of(&bytes);
            blobs.insert(digest.clone(), bytes);
            digest
        };
        let big = put(tar_of("big", &noise(BIG)));
        if fault.needs_time() {
            push(&mut config["rootfs"]["diff_ids"], json!(big));
            let size = BIG + 1536;
            let kind = "application/vnd.oci.image.layer.v1.tar";
            push(
                &mut manifest["layers"],
                json!({"mediaType": kind, "digest": big, "size": size}),
            );
        }
        if fault == Fault::Bomb {
            let (bomb, diff_id) = bomb();
            let size = bomb.len();
            push(&mut config["rootfs"]["diff_ids"], json!(diff_id));
            let kind = "application/vnd.oci.image.layer.v1.tar+zstd";
            let digest = put(bomb);
            push(
                &mut manifest["layers"],
                json!({"mediaType": kind, "digest": digest, "size": size}),
            );
        }
        let mut with_config = |config: &Value, manifest: &Value| {
            let bytes = config.to_string().into_bytes();
            let mut manifest = manifest.clone();
            manifest["config"]["size"] = bytes.len().into();
            manifest["config"]["digest"] = put(bytes).into();
            manifest
        };
        let mut renamed = config.clone();
        renamed["author"] = "somebody else".into();
        let other = with_config(&renamed, &manifest).to_string().into_bytes();
        let mut manifest = with_config(&config, &manifest);
        let config = text(&manifest["config"]["digest"]).to_owned();
        match fault {
            Fault::WrongLayer => {
                let bytes = blobs.get_mut(&layer).expect("put above");
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
            Fault::WrongConfig => {
                let bytes = blobs.get_mut(&config).expect("put above");
                // The same length and valid JSON: only the digest can tell.
                let at = bytes.windows(4).position(|w| w == b"2026").expect("a date");
                bytes[at + 3] = b'5';
            }
            Fault::WrongSize => manifest["layers"][0]["size"] = 12345.into(),
            Fault::TooLarge => manifest["layers"][0]["size"] = i64::MAX.into(),
            Fault::ForeignUrls => {
                let url = format!("http://127.0.0.1:{}/foreign", ports.1);
                manifest["layers"][0]["urls"] = json!([url]);
            }
            Fault::Both => manifest["manifests"] = json!([]),
            Fault::NotAnImage => {
                manifest["config"]["mediaType"] = "application/vnd.example.song.v1+json".into();
                manifest["layers"][0]["mediaType"] = "audio/ogg".into();
            }
            _ => {}
        }
        let manifest = match fault {
            Fault::Garbage => b"<html>It works!</html>".to_vec(),
            Fault::Huge => [manifest.to_string().into_bytes(), vec![b' '; 64 << 20]].concat(),
            Fault::Deep => {
                let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
                format!("{{\"schemaVersion\":2,\"x\":{open}{close}}}").into_bytes()
            }
            _ => manifest.to_string().into_bytes(),
        };
        Self {
            fault,
            ports,
            manifest,
            other,
            blobs,
            layer,
            big,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Serves one connection. What is not HTTP (the hello of TLS) ends it, so that the client falls back.
    fn serve(&self, mut stream: TcpStream, elsewhere: bool) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().expect("a free descriptor"));
        loop {
            let mut request = Vec::new();
            if reader.read_until(b'\n', &mut request).ok()? == 0 {
                return None;
            }
            let request = String::from_utf8(request).ok()?;
            let mut words = request.split(' ');
            let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
            let mut headers = HashMap::new();
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                if let Some((name, value)) = line.trim_end().split_once(": ") {
                    headers.insert(name.to_ascii_lowercase(), value.to_owned());
                }
                line.clear();
            }
            let seen = Seen {
                elsewhere,
                method,
                path,
                headers,
            };
            let count = {
                let mut state = self.state();
                state.seen.push(seen.clone());
                state.seen.len()
            };
            if !self.answer(&mut stream, &seen, count) {
                return None;
            }
        }
    }

    /// Tells whether the connection can be used again.
    fn answer(&self, to: &mut TcpStream, seen: &Seen, count: usize) -> bool {
        let path = seen.path.as_str();
        let last = path.rsplit('/').next().unwrap_or_default();
        let reply = |to: &mut TcpStream, status: &str, headers: &str, body: &[u8]| {
            send(to, seen.method == "HEAD", status, headers, body)
        };
        let basic = "WWW-Authenticate: Basic realm=\"tests\"\r\n";
        match self.fault {
            Fault::Unauthorized => return reply(to, "401 Unauthorized", "", b"{}"),
            Fault::Escapes if path != "/v2/" => {
                let body = br#"{"errors":[{"code":"UNKNOWN","message":"\u001b]0;owned\u0007\u001b[2Jboo"}]}"#;
                return reply(to, "500 Internal Server Error", "", body);
            }
            Fault::Fails(status, times) if count <= times => {
                let after = if status == 429 {
                    "Retry-After: 1\r\n"
                } else {
                    ""
                };
                return reply(to, &format!("{status} Failed"), after, b"{}");
            }
            Fault::NotToday => {
                return reply(to, "429 Too Many Requests", "Retry-After: 3600\r\n", b"{}");
            }
            Fault::Redirects | Fault::RedirectsToChallenge
                if !seen.elsewhere && seen.header("authorization") != "Basic bWU6c2VjcmV0" =>
            {
                return reply(to, "401 Unauthorized", basic, b"{}");
            }
            Fault::RedirectsToChallenge if seen.elsewhere => {
                return reply(to, "401 Unauthorized", basic, b"{}");
            }
            Fault::Redirects | Fault::RedirectsToChallenge
                if !seen.elsewhere && path.contains("/blobs/") =>
            {
                let there = format!("Location: http://127.0.0.1:{}{path}\r\n", self.ports.1);
                return reply(to, "307 Temporary Redirect", &there, b"");
            }
            Fault::RedirectsForEver if path.contains("/blobs/") => {
                return reply(to, "302 Found", &format!("Location: {path}\r\n"), b"");
            }
            Fault::Stalls if path.contains("/manifests/") => return self.stall(),
            Fault::ExpiringTokens => {
                if let Some(challenge) = self.check_token(to, seen) {
                    return challenge;
                }
            }
            Fault::Search if path.starts_with("/v1/search?") => {
                let body = json!({"results": [
                    {"name": "team/app", "description": "An application\nof a description longer than a table shows",
                     "star_count": 7, "is_official": false, "is_automated": true},
                    {"name": "\u{1b}[2Jweb", "description": "", "star_count": 100, "is_official": true},
                ]});
                return reply(to, "200 OK", "", body.to_string().as_bytes());
            }
            _ => {}
        }
        if path.contains("/manifests/") {
            return self.manifest(to, seen, last);
        }
        if path == "/v2/" {
            return reply(to, "200 OK", "", b"{}");
        }
        match self.blobs.get(last) {
            Some(blob) => self.blob(to, seen, last, blob),
            None => reply(to, "404 Not Found", "", b"{}"),
        }
    }

    fn manifest(&self, to: &mut TcpStream, seen: &Seen, selector: &str) -> bool {
        let mut bytes = &self.manifest;
        if self.fault == Fault::TagMoves && !selector.starts_with("sha256:") {
            let mut state = self.state();
            state.tags += 1;
            if state.tags.is_multiple_of(2) {
                bytes = &self.other;
            }
        }
        let digest = match self.fault {
            Fault::WrongDigestHeader => digest_of(b"something else"),
            _ => digest_of(bytes),
        };
        let kind = match self.fault {
            Fault::MediaTypeLies => INDEX,
            _ => MANIFEST,
        };
        let mut headers = format!("Content-Type: {kind}\r\n");
        // Where the name itself is the digest, a header would give the lie away.
        if self.fault != Fault::WrongManifest {
            headers += &format!("Docker-Content-Digest: {digest}\r\n");
        }
        send(to, seen.method == "HEAD", "200 OK", &headers, bytes)
    }

    fn blob(&self, to: &mut TcpStream, seen: &Seen, digest: &str, blob: &[u8]) -> bool {
        let is_big = digest == self.big;
        let first = is_big && !std::mem::replace(&mut self.state().asked, true);
        let ranges = !matches!(
            self.fault,
            Fault::DropsOnceWithoutRanges(_) | Fault::Truncated
        );
        let from = seen.from().filter(|_| ranges).unwrap_or(0).min(blob.len());
        let rest = &blob[from..];
        let shown = match self.fault {
            Fault::WrongRange if from > 0 => from + 1,
            _ => from,
        };
        let status = match from {
            0 => "HTTP/1.1 200 OK\r\n".to_owned(),
            _ => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {shown}-{}/{}\r\n",
                blob.len() - 1,
                blob.len()
            ),
        };
        if self.fault == Fault::Endless && digest == self.layer {
            let head = format!("{status}Transfer-Encoding: chunked\r\n\r\n");
            let _ = to.write_all(head.as_bytes());
            let _ = to.write_all(format!("{:x}\r\n", rest.len()).as_bytes());
            let _ = to.write_all(rest);
            let more = format!("\r\n10000\r\n{}", "x".repeat(0x10000));
            while to.write_all(more.as_bytes()).is_ok() {}
            return false;
        }
        let head = format!("{status}Content-Length: {}\r\n\r\n", rest.len());
        if to.write_all(head.as_bytes()).is_err() || seen.method == "HEAD" {
            return true;
        }
        let half = blob.len() / 2;
        let stop = match self.fault {
            Fault::Truncated if digest == self.layer => Some(half),
            Fault::Drops(bytes) if is_big => Some(bytes),
            Fault::WrongRange if first => Some(half),
            Fault::DropsOnceWithoutRanges(bytes) if first => Some(bytes),
            Fault::ExpiringTokens if is_big => Some(BIG / 4),
            Fault::StallsOnce | Fault::Holds if first => Some(half),
            _ => None,
        };
        let stop = stop.filter(|stop| *stop < rest.len());
        let now = &rest[..stop.unwrap_or(rest.len())];
        if digest == self.layer || is_big {
            self.state().sent += now.len() as u64;
        }
        let mut fine = to.write_all(now).is_ok();
        match (self.fault, stop) {
            (_, None) => return fine,
            (Fault::StallsOnce, _) => return self.stall(),
            (Fault::Holds, _) => {
                self.hold();
                let rest = &rest[now.len()..];
                self.state().sent += rest.len() as u64;
                fine = fine && to.write_all(rest).is_ok();
                return fine;
            }
            _ => {}
        }
        let _ = to.shutdown(Shutdown::Both);
        false
    }

    /// Waits for [`Hostile::release`].
    fn hold(&self) {
        let mut state = self.state();
        state.held = true;
        self.changed.notify_all();
        let _unused = self
            .changed
            .wait_timeout_while(state, TIMEOUT, |state| !state.released);
    }

    /// Longer than a client may wait.
    fn stall(&self) -> bool {
        std::thread::sleep(TIMEOUT);
        false
    }

    /// Answers where a token is missing, bad or wanted; `None` lets the request pass.
    fn check_token(&self, to: &mut TcpStream, seen: &Seen) -> Option<bool> {
        if seen.path.starts_with("/token") {
            let mut state = self.state();
            state.tokens += 1;
            state.good = Some(state.tokens);
            let body = json!({"token": format!("t{}", state.tokens)}).to_string();
            drop(state);
            return Some(send(to, false, "200 OK", "", body.as_bytes()));
        }
        let mut state = self.state();
        let good = state.good.map(|n| format!("Bearer t{n}"));
        if good.as_deref() == Some(seen.header("authorization")) {
            if seen.path.ends_with(&self.big) {
                state.good = None;
            }
            return None;
        }
        drop(state);
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:{}/token\",service=\"tests\"\r\n",
            self.ports.0
        );
        Some(send(to, false, "401 Unauthorized", &challenge, b"{}"))
    }
}

impl Fault {
    /// Does the image have the big layer?
    fn needs_time(self) -> bool {
        matches!(
            self,
            Self::None
                | Self::Drops(_)
                | Self::DropsOnceWithoutRanges(_)
                | Self::WrongRange
                | Self::StallsOnce
                | Self::Holds
                | Self::ExpiringTokens
        )
    }
}

fn send(to: &mut TcpStream, head: bool, status: &str, headers: &str, body: &[u8]) -> bool {
    let header = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let body = if head { &[] } else { body };
    to.write_all(header.as_bytes())
        .and_then(|()| to.write_all(body))
        .is_ok()
}

fn push(list: &mut Value, value: Value) {
    list.as_array_mut().expect("a list").push(value);
}

fn digest_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(sum: &[u8]) -> String {
    let digits: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// Bytes that do not compress, the same each time (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// A tar of one file, whose length is a multiple of 512.
fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = tar_header(name, content.len() as u64).to_vec();
    tar.extend_from_slice(content);
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn tar_header(name: &str, size: u64) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, name);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// 1 GiB of zeros in a tar, as zstd: some KiB. The diff id is not right; nobody gets so far.
fn bomb() -> (Vec<u8>, String) {
    const SIZE: u64 = 1 << 30;
    let dir = super::cached("bomb", |dir| {
        fs::create_dir_all(dir).expect("cache is writable");
        fs::write(dir.join("header"), tar_header("zeros", SIZE)).expect("cache is writable");
        let make = format!(
            "cd {}; {{ cat header; head -c {SIZE} /dev/zero; }} | zstd -q -3 -o bomb.zst",
            dir.display()
        );
        super::tool(["sh", "-c", &make]);
    });
    let bomb = fs::read(dir.join("bomb.zst")).expect("made above");
    (bomb, digest_of(b"never reached"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
