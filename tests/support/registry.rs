//! A real docker-registry on a free port of loopback, for the length of a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{Running, tool};
use super::{images, make_scratch};

/// Stopped on drop, with what it stored.
pub struct Registry {
    process: Running,
    port: u16,
    /// Configuration, log-ins, certificates, and the storage where it is the registry's own.
    scratch: PathBuf,
    ca: Option<PathBuf>,
}

/// What a registry asks of its clients.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guard<'a> {
    /// Name and password for basic auth.
    pub login: Option<(&'a str, &'a str)>,
    /// TLS with a certificate of an authority made for the test.
    pub tls: bool,
    /// With `tls`: only who shows the client's certificate of that authority is let in.
    pub client_cert: bool,
    /// With `tls`: the certificate is its own authority, as in Docker's recipe.
    pub self_signed: bool,
}

impl Registry {
    /// Serves the shared images and takes none.
    #[track_caller]
    pub fn shared() -> Self {
        Self::serving(&images::storage())
    }

    /// An empty registry that images can be pushed to.
    #[track_caller]
    pub fn start() -> Self {
        Self::guarded(Guard::default())
    }

    /// An empty registry behind a login or TLS.
    #[track_caller]
    pub fn guarded(guard: Guard<'_>) -> Self {
        let scratch = make_scratch("registry");
        Self::run(&scratch.join("storage"), scratch, false, guard)
    }

    /// A registry that stores below `storage`, which stays.
    #[track_caller]
    pub fn over(storage: &Path) -> Self {
        Self::run(storage, make_scratch("registry"), false, Guard::default())
    }

    /// A registry that only serves what is below `storage`.
    #[track_caller]
    pub fn serving(storage: &Path) -> Self {
        Self::run(storage, make_scratch("registry"), true, Guard::default())
    }

    #[track_caller]
    fn run(storage: &Path, scratch: PathBuf, read_only: bool, guard: Guard<'_>) -> Self {
        let mut config = format!(
            "version: 0.1\nlog: {{level: info, formatter: text}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  \
             delete: {{enabled: true}}\n  maintenance: {{readonly: {{enabled: {read_only}}}, uploadpurging: {{enabled: false}}}}\n\
             http:\n  addr: 127.0.0.1:0\n",
            storage.display()
        );
        let mut ca = None;
        if guard.tls {
            let authority = match guard.self_signed {
                true => make_own_certificate(&scratch),
                false => make_certificates(&scratch),
            };
            let clients = match guard.client_cert {
                true => format!(", clientcas: [{}]", authority.display()),
                false => String::new(),
            };
            config += &format!(
                "  tls: {{certificate: {0}/server.crt, key: {0}/server.key{clients}}}\n",
                scratch.display()
            );
            ca = Some(authority);
        }
        if let Some((name, password)) = guard.login {
            let line = tool(["htpasswd", "-Bbn", name, password]);
            fs::write(scratch.join("htpasswd"), line + "\n").expect("scratch is writable");
            config += &format!(
                "auth:\n  htpasswd: {{realm: tests, path: {}/htpasswd}}\n",
                scratch.display()
            );
        }
        let file = scratch.join("config.yml");
        fs::write(&file, config).expect("scratch is writable");
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(&file)
            .env("OTEL_TRACES_EXPORTER", "none");
        // Dies with the test process, however that dies.
        let mut wrapped = Command::new("setpriv");
        wrapped
            .args(["--pdeathsig", "KILL"])
            .arg(command.get_program())
            .args(command.get_args());
        let process = Running::start(wrapped, false);
        let log = process.wait_for_err("listening on 127.0.0.1:");
        let at = log
            .rsplit("listening on 127.0.0.1:")
            .next()
            .expect("split yields one");
        let digits: String = at.chars().take_while(char::is_ascii_digit).collect();
        Self {
            process,
            port: digits.parse().expect("a port"),
            scratch,
            ca,
        }
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Certificate of the authority, with [`Guard::tls`].
    pub fn ca(&self) -> &Path {
        self.ca.as_deref().expect("started with tls")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.stop();
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// An authority and a certificate for 127.0.0.1 signed by it; returns the authority's certificate.
fn make_certificates(dir: &Path) -> PathBuf {
    let script = "set -e; cd $0
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pod-tests -keyout ca.key -out ca.crt
        openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout server.key -out server.csr
        printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\\n' > san
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.crt
        openssl req -newkey rsa:2048 -nodes -subj /CN=client -keyout client.key -out client.csr
        openssl x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out client.crt";
    tool(["sh", "-c", script, &dir.display().to_string()]);
    dir.join("ca.crt")
}

/// A certificate for 127.0.0.1 that signed itself.
fn make_own_certificate(dir: &Path) -> PathBuf {
    let script = "cd $0 && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=registry \
        -addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.crt";
    tool(["sh", "-c", script, &dir.display().to_string()]);
    dir.join("server.crt")
}
