//! The least that a pull can cost: download, digest of the blob, inflation, digest of the tar, files; then one
//! `syncfs`. As many layers at once as there are processors, the largest first, each handed through in pieces that
//! stay in the processor's cache. No check of names, no owners, no store, no resuming.
//!
//!     pull_limit DIRECTORY URL...     blobs of a registry on http, gzip or zstd

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

const BLOCK: usize = 512;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let into = PathBuf::from(args.next().ok_or("usage: pull_limit DIRECTORY URL...")?);
    fs::create_dir_all(&into)?;
    let mut blobs = args
        .map(|url| open(&url))
        .collect::<Result<Vec<Blob>, Failure>>()?;
    blobs.sort_by_key(|blob| blob.size);
    let todo = Mutex::new(blobs);
    let cores = thread::available_parallelism()?.get();
    let work = || -> Result<(), Failure> {
        loop {
            let Some(blob) = todo.lock().map_err(|_| "a thread failed")?.pop() else {
                return Ok(());
            };
            unpack(blob, &into)?;
        }
    };
    thread::scope(|scope| -> Result<(), Failure> {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })?;
    rustix::fs::syncfs(&File::open(&into)?)?;
    Ok(())
}

struct Blob {
    digest: String,
    size: u64,
    body: BufReader<TcpStream>,
}

fn open(url: &str) -> Result<Blob, Failure> {
    let rest = url.strip_prefix("http://").ok_or("an http URL")?;
    let (host, path) = rest.split_once('/').ok_or("a path")?;
    let mut stream = TcpStream::connect(host)?;
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut body = BufReader::with_capacity(64 << 10, stream);
    let (mut size, mut line) = (0, String::new());
    while body.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            size = value.trim().parse()?;
        }
        line.clear();
    }
    let digest = url.rsplit(':').next().unwrap_or_default().to_owned();
    Ok(Blob { digest, size, body })
}

/// Hashes what is read through it.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.hash.update(&buffer[..got]);
        Ok(got)
    }
}

fn unpack(mut blob: Blob, into: &Path) -> Result<(), Failure> {
    let place = into.join(&blob.digest);
    fs::create_dir(&place)?;
    let gzip = blob.body.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let hash = Sha256::new();
    let fetched = Hashing {
        inner: blob.body.take(blob.size),
        hash,
    };
    let mut fetched = BufReader::with_capacity(64 << 10, fetched);
    let diff_id = {
        let plain: Box<dyn Read + '_> = match gzip {
            true => Box::new(flate2::bufread::MultiGzDecoder::new(&mut fetched)),
            false => Box::new(zstd::stream::read::Decoder::with_buffer(&mut fetched)?),
        };
        let hash = Sha256::new();
        let mut tar = Hashing { inner: plain, hash };
        untar(&mut tar, &place)?;
        io::copy(&mut tar, &mut io::sink())?;
        tar.hash.finalize()
    };
    let digest = fetched.into_inner().hash.finalize();
    let shown: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if shown != blob.digest || diff_id.is_empty() {
        return Err(format!("{} has digest {shown}", blob.digest).into());
    }
    Ok(())
}

/// GNU and ustar headers with GNU's long names, as `tar` writes them.
fn untar(tar: &mut impl Read, place: &Path) -> Result<(), Failure> {
    let mut header = [0; BLOCK];
    let mut buffer = vec![0; 128 << 10];
    let mut long: HashMap<u8, String> = HashMap::new();
    loop {
        tar.read_exact(&mut header)?;
        if header[0] == 0 {
            return Ok(());
        }
        let size = octal(&header[124..136]);
        let kind = header[156];
        if matches!(kind, b'L' | b'K') {
            let mut text = vec![0; size.div_ceil(BLOCK as u64) as usize * BLOCK];
            tar.read_exact(&mut text)?;
            long.insert(kind, word(&text));
            continue;
        }
        let name = long.remove(&b'L').unwrap_or_else(|| name(&header));
        let target = long
            .remove(&b'K')
            .unwrap_or_else(|| word(&header[157..257]));
        let path = place.join(name.trim_start_matches('/'));
        let mode = octal(&header[100..108]) as u32;
        let parent = path.parent().unwrap_or(place);
        let made = match kind {
            b'5' => fs::create_dir_all(&path),
            b'2' => retry(parent, || symlink(&target, &path)),
            b'1' => retry(parent, || fs::hard_link(place.join(&target), &path)),
            _ => {
                let mut options = OpenOptions::new();
                options.write(true).create_new(true).mode(mode & 0o777);
                let mut file = retry(parent, || options.open(&path))?;
                let mut left = size;
                while left > 0 {
                    let piece = buffer.len().min(left as usize);
                    tar.read_exact(&mut buffer[..piece])?;
                    file.write_all(&buffer[..piece])?;
                    left -= piece as u64;
                }
                let padding = (BLOCK - size as usize % BLOCK) % BLOCK;
                tar.read_exact(&mut buffer[..padding])?;
                file.set_permissions(Permissions::from_mode(mode))?;
                let time = Duration::from_secs(octal(&header[136..148]));
                file.set_modified(SystemTime::UNIX_EPOCH + time)
            }
        };
        made.map_err(|err| format!("{}: {err}", path.display()))?;
    }
}

/// Once more with the parent, where a tar does not say it.
fn retry<T>(parent: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match make() {
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            make()
        }
        done => done,
    }
}

fn name(header: &[u8]) -> String {
    match word(&header[345..500]) {
        prefix if prefix.is_empty() || &header[257..263] != b"ustar\0" => word(&header[..100]),
        prefix => format!("{prefix}/{}", word(&header[..100])),
    }
}

fn word(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn octal(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0, |sum, b| sum * 8 + u64::from(b - b'0'))
}
