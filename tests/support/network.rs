//! A host of its own for a test: a network namespace with one neighbour, from which nothing can leave.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::process::{Done, Running, tool};

/// `host` (192.0.2.1) where `pod` runs, `client` (192.0.2.2) beside it. Gone on drop.
pub struct Network {
    host: String,
    client: String,
}

pub const HOST: &str = "192.0.2.1";
pub const CLIENT: &str = "192.0.2.2";

impl Network {
    #[track_caller]
    pub fn new() -> Self {
        // Under `cargo test` the tests are threads of one process.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let id = format!("{}-{}", std::process::id(), MADE.fetch_add(1, Relaxed));
        let (host, client) = (format!("pod-h{id}"), format!("pod-c{id}"));
        let script = "set -e
            ip netns add $0; ip netns add $1
            ip -n $0 link add eth0 type veth peer name eth0 netns $1
            for ns in $0 $1; do ip -n $ns link set lo up; ip -n $ns link set eth0 up; done
            ip -n $0 addr add 192.0.2.1/24 dev eth0; ip -n $1 addr add 192.0.2.2/24 dev eth0
            ip -n $0 route add default via 192.0.2.2";
        tool(["sh", "-c", script, &host, &client]);
        Self { host, client }
    }

    /// Words that put a command on the host; for `TestHome::behind`.
    pub fn on_host(&self) -> Vec<String> {
        let path = format!("--net=/run/netns/{}", self.host);
        ["nsenter".to_owned(), path].into()
    }

    /// Runs a command on the neighbour.
    #[track_caller]
    pub fn client(&self, argv: &[&str]) -> Done {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.client]).args(argv);
        Running::start(command, false).wait()
    }

    /// Starts a command on the host, as root.
    #[track_caller]
    pub fn start_on_host(&self, argv: &[&str]) -> Running {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.host]).args(argv);
        Running::start(command, true)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in [&self.host, &self.client] {
            let _ = super::process::run(["ip", "netns", "delete", name]);
        }
    }
}

/// Fetches `/` over HTTP, as often as it takes until something answers: a server in a container cannot tell us
/// when it listens.
#[track_caller]
pub fn fetch(address: &str) -> String {
    let deadline = std::time::Instant::now() + super::process::TIMEOUT;
    loop {
        match try_fetch(address) {
            Ok(answer) if answer.starts_with("HTTP/") => return answer,
            got => assert!(
                std::time::Instant::now() < deadline,
                "http://{address}/: {got:?}"
            ),
        }
        std::thread::yield_now();
    }
}

pub fn try_fetch(address: &str) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(super::process::TIMEOUT))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: test\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A port of loopback nothing listened on a moment ago.
pub fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    probe.local_addr().expect("bound").port()
}
