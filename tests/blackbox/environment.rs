//! Variables, global flags and registries.conf, read where Podman reads them.

use crate::support::TestHome;

#[test]
fn containers_conf_variables_replace_and_override() {
    let home = TestHome::with_busybox();
    home.write(
        "home/.config/containers/containers.conf",
        "[containers]\nenv = [\"A=user\"]\n",
    );
    let one = home.write("home/one.conf", "[containers]\nenv = [\"B=one\"]\n");
    let home = home.with_env("CONTAINERS_CONF", &one.display().to_string());
    let run = [
        "run",
        "--rm",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "echo [$A] [$B]",
    ];
    assert_eq!(home.pod(run).ok(), "[] [one]");
}

#[test]
fn root_and_runroot_flags_move_everything() {
    let home = TestHome::with_registry();
    let root = format!("--root={}", home.mkdir("home/r").display());
    let run = format!("--runroot={}", home.mkdir("home/rr").display());
    home.pod([
        &root,
        &run,
        "run",
        "-d",
        "-q",
        "--name=c",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    assert_eq!(
        home.pod([&root, &run, "ps", "--format={{.Names}}"]).ok(),
        "c"
    );
    assert!(!home.path("home/.local/share/pod").exists());
    assert_eq!(
        home.pod(["ps", "-aq"]).ok(),
        "",
        "the default store knows nothing of it"
    );
    home.pod([&root, &run, "rm", "-f", "-t=0", "c"]).ok();
}

#[test]
fn unqualified_names_follow_registries_conf() {
    let home = TestHome::with_registry();
    let at = home.registry();
    let conf = "home/.config/containers/registries.conf";
    let insecure = format!("[[registry]]\nlocation = \"{at}\"\ninsecure = true\n");
    home.write(
        conf,
        &format!("unqualified-search-registries = [\"{at}\"]\n{insecure}"),
    );
    // Debian's shortnames.conf has an alias for busybox, but none for this.
    home.pod(["pull", "-q", "nocommand"]).ok();
    let name = home.pod(["images", "--format", "{{.Repository}}"]).ok();
    assert_eq!(name, format!("{at}/nocommand"));
    home.write(
        conf,
        &format!("{insecure}[aliases]\nshort = \"{at}/plain\"\n"),
    );
    home.pod(["pull", "-q", "short"]).ok();
    home.write(
        conf,
        &format!("[[registry]]\nlocation = \"{at}\"\nblocked = true\n"),
    );
    home.refuses(["pull", &format!("{at}/zstd")], 125, &["blocked"]);
}

#[test]
fn proxy_variables_reach_the_container_unless_told_otherwise() {
    let home = TestHome::with_busybox().with_env("http_proxy", "http://192.0.2.9:3128");
    let run = |flag: &str| {
        home.pod([
            "run",
            "--rm",
            "--network=none",
            flag,
            "busybox",
            "sh",
            "-c",
            "echo $http_proxy",
        ])
        .ok()
    };
    assert_eq!(run("--http-proxy"), "http://192.0.2.9:3128");
    assert_eq!(run("--http-proxy=false"), "");
}

#[test]
fn a_registry_is_asked_through_the_proxy_unless_excluded() {
    let home = TestHome::with_registry();
    // Nothing listens there: a pull that goes through the proxy fails, and names it.
    let dead = format!("http://127.0.0.1:{}", crate::support::network::free_port());
    let image = format!("{}/busybox", home.registry());
    let home = home
        .with_env("HTTP_PROXY", &dead)
        .with_env("http_proxy", &dead);
    assert_eq!(home.pod(["pull", "-q", "--retry=0", &image]).code, 125);
    let home = home
        .with_env("NO_PROXY", "127.0.0.1")
        .with_env("no_proxy", "127.0.0.1");
    home.pod(["pull", "-q", &image]).ok();
}
