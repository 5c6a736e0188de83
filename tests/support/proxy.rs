//! A proxy before a real docker-registry: keeps what was asked, and spoils some of it.
//!
//! One connection a request, so that a request can be cut off anywhere. With [`Spoil::Tokens`] it is a token server too
//! (distribution's token specification), which a docker-registry of the package cannot be by itself.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Registry;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    Nothing,
    /// Requests of the method get this answer so many times, with `Retry-After: 0`.
    Fail(&'static str, u16, usize),
    /// So many uploads are cut off when this many bytes of the body have passed. A docker-registry forgets such an
    /// upload when it is asked how far it came.
    Cut(usize, usize),
    /// As `Cut`, and what has passed is kept: the upload can go on.
    CutAndKeep(usize, usize),
    /// Every request needs a token with the right scope; a token is good for so many requests.
    Tokens(usize),
    /// `Location` is a path alone, as the specification allows.
    RelativeLocations,
    /// The answer to a manifest names another digest.
    WrongDigest,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// Bytes of the body that were passed on.
    pub body: usize,
    /// Of a refusal by the proxy itself.
    pub refused: bool,
}

struct State {
    spoil: Spoil,
    left: usize,
    asked: Vec<Asked>,
    /// Paths of uploads as the client knows them, and as they are since a part was kept.
    moved: HashMap<String, String>,
    /// Scopes and uses left, by token.
    tokens: HashMap<String, (Vec<String>, usize)>,
}

/// Lives as long as the test process.
pub struct Proxy {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    pub fn before(registry: &Registry, spoil: Spoil) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let left = match spoil {
            Spoil::Fail(_, _, times) | Spoil::Cut(_, times) | Spoil::CutAndKeep(_, times) => times,
            _ => 0,
        };
        let state = Arc::new(Mutex::new(State {
            spoil,
            left,
            asked: Vec::new(),
            moved: HashMap::new(),
            tokens: HashMap::new(),
        }));
        let (shared, upstream) = (state.clone(), registry.address());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (state, upstream) = (shared.clone(), upstream.clone());
                // A connection that ends early is what the tests are about.
                thread::spawn(move || serve(client, &upstream, port, &state).ok());
            }
        });
        Self { port, state }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Everything that was asked since the last time.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.state).asked)
    }
}

/// How many requests have the method and contain the text.
pub fn count(asked: &[Asked], method: &str, part: &str) -> usize {
    let matches = |asked: &&Asked| asked.method == method && asked.path.contains(part);
    asked.iter().filter(matches).count()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(
    client: TcpStream,
    upstream: &str,
    port: u16,
    state: &Mutex<State>,
) -> std::io::Result<()> {
    let mut from = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    from.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        from.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let at = {
        let mut state = lock(state);
        state.asked.push(Asked {
            method: method.clone(),
            path: path.clone(),
            body: 0,
            refused: false,
        });
        state.asked.len() - 1
    };
    if let Some(answer) = own_answer(&method, &path, &headers, port, state, at) {
        let mut client = client;
        client.write_all(answer.as_bytes())?;
        client.shutdown(Shutdown::Write)?;
        // What the client still sends is taken, or it would see a reset in place of the answer.
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        return Ok(());
    }
    let path = {
        let state = lock(state);
        let moved = state
            .moved
            .iter()
            .find(|(old, _)| path.starts_with(old.as_str()));
        moved.map_or(path.clone(), |(old, new)| {
            path.replacen(old.as_str(), new, 1)
        })
    };
    let (cut, keep) = {
        let mut state = lock(state);
        match state.spoil {
            Spoil::Cut(after, _) | Spoil::CutAndKeep(after, _)
                if method == "PATCH"
                    && state.left > 0
                    && body_length(&headers).is_none_or(|length| length > after) =>
            {
                state.left -= 1;
                (Some(after), matches!(state.spoil, Spoil::CutAndKeep(..)))
            }
            _ => (None, false),
        }
    };
    if keep && let Some(cut) = cut {
        let mut part = vec![0; cut];
        from.read_exact(&mut part)?;
        lock(state).asked[at].body = cut;
        let now = keep_part(upstream, port, &path, &part)?;
        lock(state).moved.insert(path, now);
        return client.shutdown(Shutdown::Both);
    }
    let mut server = TcpStream::connect(upstream)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in &headers {
        if name != "connection" && name != "authorization" {
            head += &format!("{name}: {value}\r\n");
        }
    }
    server.write_all((head + "\r\n").as_bytes())?;
    let mut back = server.try_clone()?;
    let spoil = lock(state).spoil;
    let mut to_client = client.try_clone()?;
    let answering = thread::spawn(move || answer(&mut back, &mut to_client, spoil));
    let mut buffer = vec![0; 64 * 1024];
    let mut passed = 0;
    let expected = body_length(&headers);
    while expected.is_none_or(|expected| passed < expected) {
        let room = cut.map_or(buffer.len(), |cut| buffer.len().min(cut - passed));
        let room = expected.map_or(room, |expected| room.min(expected - passed));
        let got = from.read(&mut buffer[..room])?;
        if got == 0 || server.write_all(&buffer[..got]).is_err() {
            break;
        }
        passed += got;
        if let Some(asked) = lock(state).asked.get_mut(at) {
            asked.body = passed;
        }
        if cut == Some(passed) {
            client.shutdown(Shutdown::Both)?;
            server.shutdown(Shutdown::Both)?;
            return Ok(());
        }
    }
    let _ = answering.join();
    client.shutdown(Shutdown::Both)
}

/// `None`: until the client closes, or the chunks end and the server answers.
fn body_length(headers: &[(String, String)]) -> Option<usize> {
    match header(headers, "transfer-encoding") {
        Some(_) => None,
        None => header(headers, "content-length").map_or(Some(0), |text| text.parse().ok()),
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// Sends part of an upload as if it were all of a chunk; returns the upload's new path.
fn keep_part(upstream: &str, port: u16, path: &str, part: &[u8]) -> std::io::Result<String> {
    let mut server = TcpStream::connect(upstream)?;
    let length = part.len();
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
    );
    server.write_all(head.as_bytes())?;
    server.write_all(part)?;
    let mut text = String::new();
    server.read_to_string(&mut text)?;
    let mut lines = text.lines();
    let location = lines.find_map(|line| line.strip_prefix("Location: "));
    let location = location.expect("a chunk is answered with a location");
    let path = location.find("/v2/").expect("a path of the registry");
    Ok(location[path..].trim().to_owned())
}

fn answer(server: &mut TcpStream, client: &mut TcpStream, spoil: Spoil) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && server.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    let mut text = String::from_utf8_lossy(&head).into_owned();
    if spoil == Spoil::RelativeLocations {
        let absolute = text
            .find("Location: http://")
            .map(|at| at + "Location: ".len());
        if let Some(at) = absolute
            && let Some(slash) = text[at + 7..].find('/')
        {
            text.replace_range(at..at + 7 + slash, "");
        }
    }
    if spoil == Spoil::WrongDigest
        && let Some(at) = text.find("Docker-Content-Digest: sha256:")
    {
        let at = at + "Docker-Content-Digest: sha256:".len();
        text.replace_range(at..at + 8, "00000000");
    }
    client.write_all(text.as_bytes())?;
    std::io::copy(server, client)?;
    client.shutdown(Shutdown::Both)
}

/// What the proxy itself says to a request, if it does.
fn own_answer(
    method: &str,
    path: &str,
    headers: &[(String, String)],
    port: u16,
    state: &Mutex<State>,
    at: usize,
) -> Option<String> {
    let mut state = lock(state);
    let state = &mut *state;
    let close = "Content-Length: 0\r\nConnection: close\r\n";
    match state.spoil {
        Spoil::Fail(of, status, _) if of == method && state.left > 0 => {
            state.left -= 1;
            state.asked[at].refused = true;
            Some(format!(
                "HTTP/1.1 {status} Spoilt\r\nRetry-After: 0\r\n{close}\r\n"
            ))
        }
        Spoil::Tokens(uses) => {
            if let Some(query) = path.strip_prefix("/token?") {
                let scopes: Vec<String> = query
                    .split('&')
                    .filter_map(|pair| pair.strip_prefix("scope="))
                    .map(|scope| {
                        scope
                            .replace("%3A", ":")
                            .replace("%2F", "/")
                            .replace("%2C", ",")
                    })
                    .collect();
                let token = format!("token{}", state.tokens.len());
                let body = format!("{{\"token\":\"{token}\"}}");
                state.tokens.insert(token, (scopes, uses));
                let length = body.len();
                return Some(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                ));
            }
            let token = header(headers, "authorization");
            let token = token.and_then(|text| text.strip_prefix("Bearer "));
            if let Some((scopes, left)) = token.and_then(|token| state.tokens.get_mut(token))
                && *left > 0
                && needed(path).iter().all(|scope| scopes.contains(scope))
            {
                *left -= 1;
                return None;
            }
            state.asked[at].refused = true;
            Some(format!(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"http://127.0.0.1:{port}/token\",\
                 service=\"tests\"\r\n{close}\r\n"
            ))
        }
        _ => None,
    }
}

/// The scopes that a request to a repository takes.
fn needed(path: &str) -> Vec<String> {
    let repository = path.strip_prefix("/v2/").unwrap_or_default();
    let end = repository
        .find("/blobs/")
        .or(repository.find("/manifests/"));
    let repository = &repository[..end.unwrap_or(0)];
    let mut scopes = vec![format!("repository:{repository}:pull,push")];
    if let Some((_, from)) = path.split_once("&from=") {
        scopes.push(format!("repository:{from}:pull"));
    }
    scopes
}
