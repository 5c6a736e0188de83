//! The engine against a registry in this process that does what each test says.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::event::{Event, Progress, Silent};
use super::manifest::Layer;
use super::platform::Platform;
use super::{BlobJob, BlobSink, Client, ClientSettings, Remote, RetrySettings, TransportSettings};
use crate::config::auth::Credentials;
use crate::config::registries::Endpoint;
use crate::error::{Error, Kind, Result};
use crate::state::digest::Digest;

#[derive(Debug, Clone)]
struct Request {
    path: String,
    /// Names in lower case.
    headers: HashMap<String, String>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// First byte of `Range`.
    fn from(&self) -> Option<usize> {
        self.header("range")
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

#[derive(Debug, Clone, Default)]
struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Only so many bytes of the body are sent; then the connection ends, or hangs.
    cut: Option<usize>,
    hang: bool,
}

fn ok(body: &[u8]) -> Response {
    Response {
        status: 200,
        body: body.to_vec(),
        ..Response::default()
    }
}

fn status(status: u16) -> Response {
    Response {
        status,
        ..Response::default()
    }
}

impl Response {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn cut(mut self, at: usize) -> Self {
        self.cut = Some(at);
        self
    }
}

type Handler = dyn Fn(&Request) -> Response + Send + Sync;

struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(handler: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Arc<Handler>) = (Arc::clone(&seen), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, handler) = (Arc::clone(&log), Arc::clone(&handler));
                std::thread::spawn(move || serve(stream, &log, &*handler));
            }
        });
        Self { port, seen }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            registry: format!("127.0.0.1:{}", self.port),
            repository: "a/b".into(),
            insecure: true,
            is_mirror: false,
        }
    }

    fn paths(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|request| request.path.clone())
            .collect()
    }
}

/// Serves one connection; the hello of TLS ends it, so that the client falls back.
fn serve(mut stream: TcpStream, log: &Mutex<Vec<Request>>, handler: &Handler) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut first = Vec::new();
        reader.read_until(b'\n', &mut first).ok()?;
        let first = String::from_utf8(first).ok()?;
        let path = first.split(' ').nth(1)?.to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let request = Request { path, headers };
        log.lock().unwrap().push(request.clone());
        let response = handler(&request);
        let mut head = format!(
            "HTTP/1.1 {} X\r\nContent-Length: {}\r\n",
            response.status,
            response.body.len()
        );
        for (name, value) in &response.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        let end = response.cut.unwrap_or(response.body.len());
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(&response.body[..end]).ok()?;
        if response.hang {
            std::thread::sleep(Duration::from_secs(5)); // longer than any stall time-out of these tests
        }
        if response.cut.is_some() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return None;
        }
    }
}

/// One image with one layer, and what a faithful registry answers.
struct Site {
    layer: Vec<u8>,
    config: Vec<u8>,
    manifest: Vec<u8>,
}

impl Site {
    fn new() -> Self {
        let layer: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        let config = br#"{"os":"linux"}"#.to_vec();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       "digest": Digest::sha256_of(&config), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                        "digest": Digest::sha256_of(&layer), "size": layer.len()}],
        });
        Self {
            layer,
            config,
            manifest: manifest.to_string().into_bytes(),
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let last = request.path.rsplit('/').next().unwrap_or_default();
        if last == "t" || last == Digest::sha256_of(&self.manifest).to_string() {
            return ok(&self.manifest)
                .with("Content-Type", "application/vnd.oci.image.manifest.v1+json");
        }
        for blob in [&self.layer, &self.config] {
            if last == Digest::sha256_of(blob).to_string() {
                return match request.from() {
                    None => ok(blob),
                    Some(from) => Response {
                        status: 206,
                        ..ok(&blob[from..])
                    }
                    .with(
                        "Content-Range",
                        format!("bytes {from}-{}/{}", blob.len() - 1, blob.len()),
                    ),
                };
            }
        }
        status(404)
    }

    fn is_layer(&self, request: &Request) -> bool {
        request
            .path
            .ends_with(&Digest::sha256_of(&self.layer).to_string())
    }
}

fn client() -> Client {
    Client::new(ClientSettings {
        transport: TransportSettings {
            stall_timeout: Duration::from_millis(500),
            ..TransportSettings::default()
        },
        retry: RetrySettings {
            retries: 2,
            delay: Some(Duration::from_millis(1)),
        },
        parallel: 2,
    })
}

fn resolve(server: &Server, credentials: Option<Credentials>) -> Result<Remote> {
    let host = Platform::host();
    client().resolve(
        &server.endpoint(),
        credentials,
        "t",
        &host,
        &|_| None,
        &mut Silent,
    )
}

#[derive(Clone, Default)]
struct Sink {
    bytes: Rc<RefCell<Vec<u8>>>,
    digest: Option<Digest>,
}

impl BlobSink for Sink {
    fn have(&self) -> u64 {
        self.bytes.borrow().len() as u64
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        match self.digest {
            Some(want) if Digest::sha256_of(&self.bytes.borrow()) != want => {
                Err(Error::new(Kind::Corrupt, "wrong digest"))
            }
            _ => Ok(()),
        }
    }
}

/// Fetches the layer, `have` of it being here; returns what arrived and how often a request was tried again.
fn fetch(server: &Server, layer: Layer, have: &[u8]) -> Result<(Vec<u8>, usize)> {
    struct Count(usize);
    impl Progress for Count {
        fn event(&mut self, event: &Event<'_>) {
            self.0 += usize::from(matches!(event, Event::Retrying { .. }));
        }
    }
    let remote = resolve(server, None)?;
    let sink = Sink {
        bytes: Rc::new(RefCell::new(have.to_vec())),
        digest: Some(*layer.digest.digest()),
    };
    let mut count = Count(0);
    let job = BlobJob {
        layer,
        sink: Box::new(sink.clone()),
    };
    client().fetch_blobs(&remote.source, vec![job], &mut count)?;
    Ok((sink.bytes.take(), count.0))
}

fn layer_of(site: &Site) -> Layer {
    Layer {
        digest: Digest::sha256_of(&site.layer).into(),
        size: site.layer.len() as u64,
        media_type: String::new(),
    }
}

#[test]
fn an_image_is_fetched_and_checked() {
    let site = Arc::new(Site::new());
    let answers = Arc::clone(&site);
    let server = Server::start(move |request| answers.answer(request));
    let remote = resolve(&server, None).unwrap();
    assert_eq!(remote.config, site.config);
    assert_eq!(remote.manifest.digest, Digest::sha256_of(&site.manifest));
    assert_eq!(remote.layers[0].size, site.layer.len() as u64);
    let (bytes, again) = fetch(&server, layer_of(&site), &[]).unwrap();
    assert_eq!((bytes, again), (site.layer.clone(), 0));
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let site = Arc::new(Site::new());
    let answers = Arc::clone(&site);
    let server = Server::start(move |request| {
        let whole = answers.answer(request);
        match answers.is_layer(request) && request.from().is_none_or(|from| from < 2_000_000) {
            true => whole.cut(1_000_000),
            false => whole,
        }
    });
    let (bytes, again) = fetch(&server, layer_of(&site), &[]).unwrap();
    assert!(bytes == site.layer && again == 2, "{again}");
    let ranges: Vec<Option<usize>> = server
        .seen
        .lock()
        .unwrap()
        .iter()
        .filter(|request| site.is_layer(request))
        .map(Request::from)
        .collect();
    assert_eq!(ranges, [None, Some(1_000_000), Some(2_000_000)]);
}

#[test]
fn what_is_here_already_is_not_asked_for() {
    let site = Arc::new(Site::new());
    for honours_ranges in [true, false] {
        let answers = Arc::clone(&site);
        let server = Server::start(move |request| {
            let mut request = request.clone();
            if !honours_ranges {
                request.headers.remove("range");
            }
            answers.answer(&request)
        });
        let (bytes, again) = fetch(&server, layer_of(&site), &site.layer[..2_500_000]).unwrap();
        assert!(bytes == site.layer && again == 0, "{honours_ranges}");
    }
}

#[test]
fn a_stalled_download_is_taken_up_again() {
    let site = Arc::new(Site::new());
    let answers = Arc::clone(&site);
    let server = Server::start(move |request| {
        let mut whole = answers.answer(request);
        if answers.is_layer(request) && request.from().is_none() {
            whole = whole.cut(10_000);
            whole.hang = true;
        }
        whole
    });
    let (bytes, again) = fetch(&server, layer_of(&site), &[]).unwrap();
    assert!(bytes == site.layer && again == 1, "{again}");
}

#[test]
fn lies_about_a_layer_are_refused() {
    type Lie = fn(&Site, &Request) -> Response;
    let cases: [(Lie, &str); 5] = [
        (|_, _| ok(b"short"), "it has 5 bytes instead of 3000000"),
        (
            |site, _| ok(&[site.layer.as_slice(), b"x"].concat()),
            "it has 3000001 bytes instead of",
        ),
        (|site, _| ok(&vec![0; site.layer.len()]), "wrong digest"),
        (|_, _| status(404), "blob unknown"),
        (|site, _| ok(&site.layer).cut(5), "(attempt 3 of 3)"),
    ];
    for (lie, want) in cases {
        let site = Arc::new(Site::new());
        let answers = Arc::clone(&site);
        let server = Server::start(move |request| match answers.is_layer(request) {
            true => lie(&answers, request),
            false => answers.answer(request),
        });
        let err = fetch(&server, layer_of(&site), &[])
            .unwrap_err()
            .to_string();
        assert!(err.contains(want), "{want}: {err}");
    }
}

#[test]
fn lies_about_documents_are_refused() {
    type Lie = fn(&Site, &str) -> Option<Response>;
    let is_config =
        |site: &Site, path: &str| path.ends_with(&Digest::sha256_of(&site.config).to_string());
    assert!(is_config(
        &Site::new(),
        &format!("/{}", Digest::sha256_of(br#"{"os":"linux"}"#))
    ));
    let cases: [(Lie, &str); 6] = [
        (
            |_, path| path.ends_with("/t").then(|| ok(&vec![b' '; 5 << 20])),
            "more than the 4194304 allowed",
        ),
        (
            |site, path| {
                let other = Digest::sha256_of(b"other").to_string();
                path.ends_with("/t")
                    .then(|| ok(&site.manifest).with("Docker-Content-Digest", other))
            },
            "its content has digest",
        ),
        (
            |_, path| path.contains("/blobs/").then(|| ok(br#"{"os":"linuX"}"#)),
            "its content has digest",
        ),
        (
            |_, path| path.contains("/blobs/").then(|| ok(b"{}")),
            "it has 2 bytes instead of 14",
        ),
        (
            |_, path| path.contains("/blobs/").then(|| ok(&[b'x'; 100])),
            "it has 100 bytes, more than the 14 allowed",
        ),
        (
            |_, path| path.ends_with("/t").then(|| ok(b"<html>")),
            "not a manifest",
        ),
    ];
    for (lie, want) in cases {
        let site = Site::new();
        let server = Server::start(move |request| {
            lie(&site, &request.path).unwrap_or_else(|| site.answer(request))
        });
        let err = resolve(&server, None).unwrap_err();
        assert!(err.to_string().contains(want), "{want}: {err}");
        assert_eq!(err.kind(), Kind::Corrupt, "{want}");
    }
}

#[test]
fn failures_of_the_registry_are_tried_again_or_told() {
    let cases = [
        (500, Kind::Registry, 3, "status 500"),
        (429, Kind::Registry, 3, "too many requests (attempt 3 of 3)"),
        (
            403,
            Kind::Unauthorized,
            1,
            "requested access to the resource is denied",
        ),
        (404, Kind::NotFound, 1, "manifest unknown"),
        (418, Kind::Registry, 1, "unexpected status 418"),
    ];
    for (code, kind, asked, want) in cases {
        let server = Server::start(move |_| status(code));
        let err = resolve(&server, None).unwrap_err();
        assert!(err.to_string().contains(want), "{code}: {err}");
        assert_eq!((err.kind(), server.paths().len()), (kind, asked), "{code}");
    }
    let site = Site::new();
    let failures = Mutex::new(2);
    let server = Server::start(move |request| {
        let mut left = failures.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            return status(429).with("Retry-After", "0");
        }
        site.answer(request)
    });
    resolve(&server, None).unwrap();
}

fn basic() -> Option<Credentials> {
    Some(Credentials::Basic {
        user: "me".into(),
        password: "secret".into(),
    })
}

/// `me:secret`
const BASIC: &str = "Basic bWU6c2VjcmV0";

#[test]
fn basic_credentials_are_sent_when_asked_for() {
    let site = Arc::new(Site::new());
    let answers = Arc::clone(&site);
    let server = Server::start(move |request| match request.header("authorization") {
        BASIC => answers.answer(request),
        _ => status(401).with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    resolve(&server, basic()).unwrap();
    let err = resolve(&server, None).unwrap_err();
    assert_eq!(err.kind(), Kind::Unauthorized);
    let wrong = Some(Credentials::Basic {
        user: "me".into(),
        password: "wrong".into(),
    });
    assert_eq!(
        resolve(&server, wrong).unwrap_err().kind(),
        Kind::Unauthorized
    );
    let first = &server.seen.lock().unwrap()[0];
    assert_eq!(
        first.header("authorization"),
        "",
        "nothing is sent before it is asked for"
    );
}

#[test]
fn tokens_are_fetched_used_and_renewed() {
    let site = Arc::new(Site::new());
    let answers = Arc::clone(&site);
    let issued = Mutex::new(0);
    let port = Arc::new(Mutex::new(0u16));
    let own_port = Arc::clone(&port);
    let server = Server::start(move |request| {
        let mut issued = issued.lock().unwrap();
        if request.path.starts_with("/token") {
            *issued += 1;
            assert_eq!(
                request.path,
                "/token?service=s&scope=repository%3Aa%2Fb%3Apull"
            );
            assert_eq!(request.header("authorization"), BASIC);
            return ok(format!(r#"{{"access_token":"t{issued}","expires_in":60}}"#).as_bytes());
        }
        // Each token is good for one request only.
        let wanted = format!("Bearer t{issued}");
        if *issued > 0
            && request.header("authorization") == wanted
            && request.path.contains("/blobs/") == (*issued > 1)
        {
            return answers.answer(request);
        }
        let realm = format!("http://127.0.0.1:{}/token", own_port.lock().unwrap());
        status(401).with(
            "WWW-Authenticate",
            format!("Bearer realm=\"{realm}\",service=\"s\""),
        )
    });
    *port.lock().unwrap() = server.port;
    let remote = resolve(&server, basic()).unwrap();
    assert_eq!(remote.config, site.config);
    let tokens = server
        .paths()
        .iter()
        .filter(|path| path.starts_with("/token"))
        .count();
    assert_eq!(tokens, 2);
}

#[test]
fn redirects_carry_no_credentials_to_another_place() {
    let site = Arc::new(Site::new());
    let answers = Arc::clone(&site);
    let storage = Server::start(move |request| {
        // A challenge from there must not be met either (CVE-2020-15157).
        match request.path.starts_with("/evil") {
            true => status(401).with("WWW-Authenticate", "Basic realm=\"x\""),
            false => answers.answer(request),
        }
    });
    let answers = Arc::clone(&site);
    let there = storage.port;
    let server = Server::start(move |request| {
        if request.header("authorization") != BASIC {
            return status(401).with("WWW-Authenticate", "Basic realm=\"x\"");
        }
        match request.path.contains("/blobs/") {
            true => status(307).with(
                "Location",
                format!("http://127.0.0.1:{there}{}", request.path),
            ),
            false => answers.answer(request),
        }
    });
    resolve(&server, basic()).unwrap();
    assert!(
        storage
            .seen
            .lock()
            .unwrap()
            .iter()
            .all(|request| request.header("authorization").is_empty())
    );

    let there = storage.port;
    let answers = Arc::clone(&site);
    let evil = Server::start(move |request| match request.path.contains("/blobs/") {
        true => status(302).with("Location", format!("http://127.0.0.1:{there}/evil")),
        false => answers.answer(request),
    });
    assert_eq!(
        resolve(&evil, basic()).unwrap_err().kind(),
        Kind::Unauthorized
    );
    assert!(
        storage
            .seen
            .lock()
            .unwrap()
            .iter()
            .all(|request| request.header("authorization").is_empty())
    );
}

#[test]
fn odd_redirects_are_refused() {
    for (target, want) in [
        ("/v2/a/b/manifests/t", "in a circle"),
        ("ftp://x/", "not HTTP"),
        ("http://[", "to nowhere"),
    ] {
        let server = Server::start(move |_| status(302).with("Location", target));
        let err = resolve(&server, None).unwrap_err().to_string();
        assert!(err.contains(want), "{target}: {err}");
    }
}

#[test]
fn plain_http_is_spoken_only_where_it_is_allowed() {
    let site = Site::new();
    let server = Server::start(move |request| site.answer(request));
    let mut endpoint = server.endpoint();
    endpoint.insecure = false;
    let host = Platform::host();
    let err = client()
        .resolve(&endpoint, None, "t", &host, &|_| None, &mut Silent)
        .unwrap_err();
    assert_eq!(err.kind(), Kind::Registry, "{err}");
    assert!(server.paths().is_empty());
}

#[test]
fn a_registry_that_is_not_there_is_told_at_once() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = Server {
        port,
        seen: Arc::default(),
    };
    let err = resolve(&server, None).unwrap_err();
    assert!(err.to_string().ends_with("connection refused"), "{err}");
}

#[test]
fn tags_are_listed_page_by_page() {
    let server = Server::start(|request| {
        let names: Vec<String> = match request.path.contains("last=") {
            false => (0..1000).map(|n| format!("v{n:04}")).collect(),
            true => vec!["w1".into(), "../evil".into(), "v0001".into()],
        };
        ok(serde_json::json!({"name": "a/b", "tags": names})
            .to_string()
            .as_bytes())
    });
    let tags = client()
        .tags(&server.endpoint(), None, &mut Silent)
        .unwrap();
    assert_eq!(
        (tags.len(), tags.last().map(String::as_str)),
        (1001, Some("w1"))
    );
}

#[test]
fn tags_are_listed_where_the_link_leads() {
    let server = Server::start(|request| {
        let (names, next): (&[&str], _) = match request.path.split_once("after=") {
            None => (
                &["a", "b"],
                Some("</v2/a/b/tags/list?after=b>; rel=\"next\""),
            ),
            Some((_, "b")) => (&["c"], Some("<http://elsewhere/x?after=c>; rel=\"next\"")),
            Some((_, "c")) => (&["d"], Some("</v2/a/b/tags/list?after=c>; rel=\"next\"")),
            Some(_) => (&[], None),
        };
        let body = serde_json::json!({"tags": names}).to_string();
        let answer = ok(body.as_bytes());
        match next {
            Some(link) => answer.with("Link", link),
            None => answer,
        }
    });
    let tags = client()
        .tags(&server.endpoint(), None, &mut Silent)
        .unwrap();
    assert_eq!(tags, ["a", "b", "c", "d"]);
}
