//! A user without subordinate ids, without newuidmap, without a runtime directory: the account of a cluster.

use crate::support::network::fetch;
use crate::support::{Registry, TestHome};

fn bare() -> TestHome {
    let home = TestHome::bare();
    home.served_by(Registry::shared())
}

#[test]
fn a_real_nginx_serves_its_page() {
    let home = bare();
    home.pod(["run", "-d", "-q", "--name=web", "-P", "nginx"])
        .ok();
    let address = home.pod(["port", "web", "80"]).ok();
    let address = address
        .lines()
        .next()
        .unwrap()
        .replace("0.0.0.0", "127.0.0.1");
    assert!(fetch(&address).contains("Welcome to nginx"));
    home.pod(["stop", "web"]).ok();
    assert_eq!(home.inspect("web", "{{.State.ExitCode}}"), "0");
}

#[test]
fn programs_that_drop_ids_start() {
    let home = bare();
    let script = "chown app:app /tmp && su nobody -s /bin/sh -c 'echo as nobody'";
    let done = home.pod([
        "run",
        "--rm",
        "-q",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    assert_eq!(done.ok(), "as nobody");
}

#[test]
fn without_newuidmap_and_without_a_runtime_directory() {
    let home = bare()
        .hiding(&["/usr/bin/newuidmap", "/usr/bin/newgidmap"])
        .with_env("XDG_RUNTIME_DIR", "");
    let done = home.pod([
        "run",
        "--rm",
        "-q",
        "--network=none",
        "busybox",
        "echo",
        "fine",
    ]);
    assert_eq!(done.stdout, "fine\n", "{done}");
}

#[test]
fn a_runtime_directory_of_somebody_else_is_not_used() {
    let home = bare().with_env("XDG_RUNTIME_DIR", "/root");
    let done = home.pod(["ps", "-q"]);
    assert!(done.code == 0 || done.stderr.contains("/root"), "{done}");
}
