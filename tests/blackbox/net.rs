//! Networks: ports in all forms, addresses seen by both sides, what is closed, what is refused.

use crate::support::network::{CLIENT, HOST, Network, fetch, free_port, try_fetch};
use crate::support::{TestHome, process, skip};

#[track_caller]
fn nginx(home: &TestHome, flags: &[&str]) -> String {
    let fixed = ["run", "-d", "--name=web"];
    home.pod(fixed.iter().chain(flags).copied().chain(["nginx"]))
        .ok()
}

#[test]
fn publish_all_serves_the_page_of_a_real_nginx() {
    let home = TestHome::with_nginx();
    nginx(&home, &["-P"]);
    let address = home.pod(["port", "web", "80"]).ok();
    let address = address
        .lines()
        .next()
        .unwrap()
        .replace("0.0.0.0", "127.0.0.1");
    let page = fetch(&address);
    assert!(
        page.starts_with("HTTP/1.1 200") && page.contains("Welcome to nginx"),
        "{page}"
    );
    let logs = home.spawn(["logs", "-f", "web"]);
    logs.wait_for("\"GET / HTTP/1.0\" 200");
    assert_eq!(home.pod(["stop", "web"]).ok(), "web");
    assert!(try_fetch(&address).is_err(), "the port is closed again");
}

#[test]
fn every_form_of_publish_is_told_by_port_and_ps() {
    let home = TestHome::with_busybox();
    let (a, b, c) = (free_port(), free_port(), free_port());
    let flags = [
        format!("-p={a}:80"),
        format!("-p=127.0.0.1:{b}:81"),
        format!("-p={c}:53/udp"),
        "-p=82".to_owned(),
    ];
    let fixed = ["run", "-d", "--name=web"].map(str::to_owned);
    let words = fixed
        .into_iter()
        .chain(flags)
        .chain(["busybox", "sleep", "1000"].map(str::to_owned));
    home.pod(words).ok();
    assert_eq!(home.pod(["port", "web", "80"]).ok(), format!("0.0.0.0:{a}"));
    assert_eq!(
        home.pod(["port", "web", "81/tcp"]).ok(),
        format!("127.0.0.1:{b}")
    );
    assert_eq!(
        home.pod(["port", "web", "53/udp"]).ok(),
        format!("0.0.0.0:{c}")
    );
    assert!(home.pod(["port", "web", "82"]).ok().starts_with("0.0.0.0:"));
    let again = format!("-p={c}:53/udp");
    let says = ["address already in use by container \"web\""];
    home.refuses(["run", &again, "busybox", "true"], 125, &says);
    let ports = home.pod(["ps", "--format", "{{.Ports}}"]).ok();
    for part in [
        format!("0.0.0.0:{a}->80/tcp"),
        format!("127.0.0.1:{b}->81/tcp"),
        format!("0.0.0.0:{c}->53/udp"),
    ] {
        assert!(ports.contains(&part), "no {part} in {ports}");
    }
    let done = home.pod(["port", "web", "99"]).code(125);
    assert!(done.stderr.contains("99"), "{done}");
}

#[test]
fn the_server_sees_the_clients_own_address() {
    let network = Network::new();
    let home = TestHome::with_nginx().behind(network.on_host());
    nginx(&home, &["-p", "8080:80"]);
    // curl retries until nginx listens.
    let url = format!("http://{HOST}:8080/");
    let done = network.client(&[
        "curl",
        "-sS",
        "--retry",
        "20",
        "--retry-all-errors",
        "--retry-max-time",
        "30",
        &url,
    ]);
    assert!(done.stdout.contains("Welcome to nginx"), "{done}");
    let logs = home.spawn(["logs", "-f", "web"]);
    let seen = logs.wait_for("GET /");
    assert!(seen.contains(&format!("{CLIENT} - - ")), "{seen}");
}

#[test]
fn the_hosts_loopback_is_closed() {
    let network = Network::new();
    let home = TestHome::with_busybox().behind(network.on_host());
    let listener = network.start_on_host(&["nc", "-v", "-l", "-k", "127.0.0.1", "7777"]);
    listener.wait_for_err("7777");
    // The gateway's address is the classic way in.
    let script = "for to in $(ip route | awk '/default/{print $3}') $(awk '/host.containers/{print $1}' /etc/hosts) 127.0.0.1 10.0.2.2; do
        nc -w 2 $to 7777 </dev/null >/dev/null 2>&1 && echo open: $to; done; echo tried";
    for mode in ["pasta", "slirp4netns"] {
        let network = format!("--network={mode}");
        let done = home.pod(["run", "--rm", &network, "busybox", "sh", "-c", script]);
        assert_eq!(done.ok(), "tried", "--network={mode}");
    }
}

#[test]
fn slirp4netns_serves_too() {
    let home = TestHome::with_nginx();
    let port = free_port();
    nginx(
        &home,
        &[
            "--network=slirp4netns",
            "-p",
            &format!("127.0.0.1:{port}:80"),
        ],
    );
    assert!(fetch(&format!("127.0.0.1:{port}")).contains("Welcome to nginx"));
}

#[test]
fn host_network_is_the_hosts() {
    let home = TestHome::with_busybox();
    let out = home
        .pod([
            "run",
            "--rm",
            "--network=host",
            "busybox",
            "readlink",
            "/proc/self/ns/net",
        ])
        .ok();
    assert_eq!(
        out,
        std::fs::read_link("/proc/self/ns/net")
            .unwrap()
            .display()
            .to_string()
    );
}

#[test]
fn containers_share_a_network_namespace() {
    let home = TestHome::with_busybox();
    home.pod([
        "run",
        "-d",
        "--name=first",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    let own = home
        .pod(["exec", "first", "readlink", "/proc/self/ns/net"])
        .ok();
    let joined = home.pod([
        "run",
        "--rm",
        "--network=container:first",
        "busybox",
        "readlink",
        "/proc/self/ns/net",
    ]);
    assert_eq!(joined.ok(), own);
}

#[test]
fn a_busy_port_is_refused_before_anything_is_made() {
    let home = TestHome::with_busybox();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let publish = format!("127.0.0.1:{port}:80");
    home.refuses(
        ["run", "-d", "-p", &publish, "busybox", "true"],
        125,
        &[&port, "in use"],
    );
}

#[test]
fn a_privileged_port_names_its_remedy() {
    let home = TestHome::with_busybox();
    home.refuses(
        ["run", "-d", "-p", "81:80", "busybox", "true"],
        125,
        &["81", "ip_unprivileged_port_start"],
    );
}

#[test]
fn a_missing_helper_is_named() {
    let home = TestHome::with_busybox().hiding(&[
        "/usr/bin/pasta",
        "/usr/bin/passt",
        "/usr/bin/slirp4netns",
    ]);
    home.refuses(["run", "-d", "busybox", "true"], 125, &["pasta"]);
}

#[test]
fn without_pasta_slirp4netns_takes_over() {
    let home = TestHome::with_busybox().hiding(&["/usr/bin/pasta", "/usr/bin/passt"]);
    let out = home
        .pod(["run", "--rm", "busybox", "ls", "/sys/class/net"])
        .ok();
    assert!(out.contains("tap0"), "{out}");
}

#[test]
fn the_helper_goes_with_its_container() {
    let home = TestHome::with_busybox();
    let id = home.pod(["run", "-d", "busybox", "sleep", "1000"]).ok();
    let helpers: Vec<i32> = process::descendants()
        .into_iter()
        .filter(|(_, c)| c.contains("pasta"))
        .map(|(p, _)| p)
        .collect();
    assert_eq!(helpers.len(), 1, "{:?}", process::descendants());
    home.pod(["rm", "-f", "-t", "0", &id]).ok();
    process::wait_gone(helpers[0]);
}

#[test]
fn a_range_and_ipv6_carry_traffic() {
    let home = TestHome::with_busybox();
    let first = free_range(2);
    let range = format!("127.0.0.1:{first}-{}:8080-8081", first + 1);
    let six = free_port();
    let publish_six = format!("[::1]:{six}:8080");
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    let mut words = vec!["run", "-d", "--name=web", "-p", &range];
    if has_ipv6 {
        words.extend(["-p", &publish_six]);
    }
    let script = "httpd -p 8080 -h /srv; exec httpd -f -p 8081 -h /srv";
    words.extend(["busybox", "sh", "-c", script]);
    home.pod(words).ok();
    for port in [first, first + 1] {
        assert!(fetch(&format!("127.0.0.1:{port}")).contains("hello from busybox"));
    }
    if has_ipv6 {
        assert!(fetch(&format!("[::1]:{six}")).contains("hello from busybox"));
    } else {
        skip("no IPv6 on this host");
    }
}

#[test]
fn udp_goes_both_ways() {
    // From another machine: pasta of 2023 loses answers to the host's own loopback when the two ports differ, and
    // slirp4netns those to a loopback that is closed.
    let network = Network::new();
    let home = TestHome::with_nginx().behind(network.on_host()); // for its perl
    let echo = "socket(S, PF_INET, SOCK_DGRAM, 0); bind(S, sockaddr_in(5353, INADDR_ANY)); $| = 1; print qq(ready\n);
        while ($from = recv(S, $data, 99, 0)) { send(S, $data, 0, $from) }";
    for mode in ["--network=pasta", "--network=slirp4netns"] {
        let perl = ["--entrypoint=perl", "nginx", "-MSocket", "-e", echo];
        let words = ["run", "-d", "--name=udp", "-p=8053:5353/udp", mode]
            .into_iter()
            .chain(perl);
        home.pod(words).ok();
        home.spawn(["logs", "-f", "udp"]).wait_for("ready");
        let ask = format!("echo there and back | nc -u -w 9 -W 1 {HOST} 8053");
        assert_eq!(
            network.client(&["sh", "-c", &ask]).ok(),
            "there and back",
            "{mode}"
        );
        home.pod(["rm", "-f", "-t", "0", "udp"]).ok();
    }
}

/// The first of `count` ports in a row of loopback that were free a moment ago.
fn free_range(count: u16) -> u16 {
    loop {
        let first = free_port();
        let listen = |port| std::net::TcpListener::bind(("127.0.0.1", port));
        if (first..first + count)
            .map(listen)
            .all(|bound| bound.is_ok())
        {
            return first;
        }
    }
}

#[test]
fn host_ports_are_chosen_free_and_apart() {
    let home = TestHome::with_registry();
    for name in ["a", "b", "c"] {
        home.pod(["run", "-d", "-q", "-P", "--name", name, "web"])
            .ok();
    }
    let ports: std::collections::BTreeSet<_> = ["a", "b", "c"]
        .map(|name| home.pod(["port", name, "80"]).ok())
        .into();
    assert_eq!(ports.len(), 3, "{ports:?}");
}
