//! A registry that lies: serves one busybox image, with one thing wrong.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::images;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Every answer is 401, without a challenge that could be met.
    Unauthorized,
    /// The layer has the promised size and another content.
    WrongLayer,
    /// The config has another content than its digest.
    WrongConfig,
    /// Half of the layer arrives, each time.
    Truncated,
    /// The manifest describes something that is no image.
    NotAnImage,
    /// The manifest is not JSON.
    Garbage,
    /// Every answer is 500, with escape sequences in its text.
    Escapes,
    /// The layer's descriptor promises another size than the blob has.
    WrongSize,
}

/// Lives as long as the test process.
pub struct Hostile {
    pub port: u16,
}

impl Hostile {
    #[track_caller]
    pub fn start(fault: Fault) -> Self {
        let site = Arc::new(Site::new(fault));
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = listener.local_addr().expect("bound").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = Arc::clone(&site);
                std::thread::spawn(move || site.serve(stream));
            }
        });
        Self { port }
    }

    /// `127.0.0.1:PORT/lies:latest`
    pub fn image(&self) -> String {
        format!("127.0.0.1:{}/lies:latest", self.port)
    }
}

struct Site {
    fault: Fault,
    manifest: Vec<u8>,
    blobs: HashMap<String, Vec<u8>>,
    layer: String,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Site {
    fn new(fault: Fault) -> Self {
        let dir = images::busybox_layout();
        let read = |digest: &str| {
            let name = digest.strip_prefix("sha256:").expect("sha256");
            fs::read(dir.join("blobs/sha256").join(name)).expect("part of the layout")
        };
        let json = |bytes: &[u8]| -> serde_json::Value {
            serde_json::from_slice(bytes).expect("the layout is valid")
        };
        let index = json(&fs::read(dir.join("index.json")).expect("part of the layout"));
        let mut manifest = json(&read(text(&index["manifests"][0]["digest"])));
        let config = text(&manifest["config"]["digest"]).to_owned();
        let layer = text(&manifest["layers"][0]["digest"]).to_owned();
        let mut blobs: HashMap<_, _> = [&config, &layer]
            .map(|digest| (digest.clone(), read(digest)))
            .into();
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
            Fault::NotAnImage => {
                manifest["config"]["mediaType"] = "application/vnd.example.song.v1+json".into();
                manifest["layers"][0]["mediaType"] = "audio/ogg".into();
            }
            _ => {}
        }
        let manifest = if fault == Fault::Garbage {
            b"<html>It works!</html>".to_vec()
        } else {
            manifest.to_string().into_bytes()
        };
        Self {
            fault,
            manifest,
            blobs,
            layer,
        }
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a free descriptor"));
        loop {
            let mut request = String::new();
            if reader.read_line(&mut request).unwrap_or(0) == 0 {
                return;
            }
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let mut words = request.split(' ');
            let (method, path) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            if !self.answer(&mut stream, method == "HEAD", path) {
                return;
            }
        }
    }

    /// Tells whether the connection can be used again.
    fn answer(&self, to: &mut TcpStream, head: bool, path: &str) -> bool {
        let last = path.rsplit('/').next().unwrap_or_default();
        match self.fault {
            Fault::Unauthorized => return send(to, head, "401 Unauthorized", "", b"{}"),
            Fault::Escapes if path != "/v2/" => {
                let body = br#"{"errors":[{"code":"UNKNOWN","message":"\u001b]0;owned\u0007\u001b[2Jboo"}]}"#;
                return send(to, head, "500 Internal Server Error", "", body);
            }
            _ => {}
        }
        if path.contains("/manifests/") {
            let digest = format!("{:x}", HexDigest(&Sha256::digest(&self.manifest)));
            let headers =
                format!("Content-Type: {MANIFEST}\r\nDocker-Content-Digest: sha256:{digest}\r\n");
            return send(to, head, "200 OK", &headers, &self.manifest);
        }
        if path == "/v2/" {
            return send(to, head, "200 OK", "", b"{}");
        }
        let Some(blob) = self.blobs.get(last) else {
            return send(to, head, "404 Not Found", "", b"{}");
        };
        if self.fault == Fault::Truncated && last == self.layer {
            let header = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", blob.len());
            let _ = to.write_all(header.as_bytes());
            let _ = to.write_all(&blob[..blob.len() / 2]);
            let _ = to.shutdown(std::net::Shutdown::Both);
            return false;
        }
        send(
            to,
            head,
            "200 OK",
            "Content-Type: application/octet-stream\r\n",
            blob,
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

struct HexDigest<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().expect("a string")
}
