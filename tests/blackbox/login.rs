//! `login logout`: what is stored, where, how safely, and what a registry says to it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::process::TIMEOUT;
use crate::support::registry::{Guard, Registry};
use crate::support::{Terminal, TestHome, images};

const AUTH: &str = "run/containers/auth.json";

/// `me:secret`
const SECRET: &str = "bWU6c2VjcmV0";

fn guarded() -> (TestHome, Registry) {
    let home = TestHome::new();
    let registry = Registry::guarded(Guard {
        login: Some(("me", "secret")),
        ..Guard::default()
    });
    home.trust(&registry.address());
    (home, registry)
}

fn read(home: &TestHome, file: &str) -> Value {
    let text = fs::read_to_string(home.path(file)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|err| panic!("{file}: {err}\n{text}"))
}

/// A credential helper of the tests: one secret in `$HOME/helper`, its calls in `$HOME/calls`.
fn install_helper(home: TestHome) -> TestHome {
    let script = r#"#!/bin/sh
        echo "$1" >> "$HOME/calls"
        case $1 in
        store) cat > "$HOME/helper" ;;
        get) read server; cat "$HOME/helper" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
        erase) rm "$HOME/helper" ;;
        list) if [ -f "$HOME/helper" ]; then sed 's/.*"ServerURL":"\([^"]*\)".*/{"\1":"me"}/' "$HOME/helper"; else echo '{}'; fi ;;
        esac"#;
    let path = home.write("home/bin/docker-credential-tests", script);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let bin = format!("{}:/usr/bin:/bin", home.path("home/bin").display());
    home.with_env("PATH", &bin)
}

#[test]
fn a_login_is_checked_stored_used_and_forgotten() {
    let (home, registry) = guarded();
    let at = registry.address();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &from, "private", &["--dest-creds=me:secret"]);
    let image = format!("{at}/private");
    home.refuses(
        ["login", "-u", "me", "-p", "wrong", &at],
        125,
        &[&format!("logging into \"{at}\": invalid username/password")],
    );
    assert!(!home.path(AUTH).exists());
    home.refuses(
        ["login", "--get-login", &at],
        125,
        &[&format!("not logged into {at}")],
    );
    let done = home.pod_with_input(
        ["login", "-u", "me", "--password-stdin", "-v", &at],
        "secret\n",
    );
    let used = format!("Used:  {}\nLogin Succeeded!", home.path(AUTH).display());
    assert_eq!(done.ok(), used);
    assert_eq!(read(&home, AUTH), json!({"auths": {&at: {"auth": SECRET}}}));
    let found = fs::metadata(home.path(AUTH)).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o600);
    assert_eq!(home.pod(["login", "--get-login", &at]).ok(), "me");
    assert_eq!(
        home.pod(["login", &at]).ok(),
        format!(
            "Authenticating with existing credentials for {at}\nExisting credentials are valid. Already logged in to {at}"
        )
    );
    home.pod(["pull", "-q", &image]).ok();
    assert_eq!(
        home.pod(["logout", &at]).ok(),
        format!("Removed login credentials for {at}")
    );
    assert_eq!(read(&home, AUTH), json!({"auths": {}}));
    home.refuses(["logout", &at], 125, &[&format!("not logged into {at}")]);
    home.refuses(["pull", &image], 125, &["authentication required"]);
}

#[test]
fn a_repository_can_have_a_login_of_its_own() {
    let (home, registry) = guarded();
    let at = registry.address();
    let team = format!("{at}/team");
    let login = |key: &str| home.pod(["login", "-u", "me", "-p", "secret", key]).ok();
    assert_eq!(login(&team), "Login Succeeded!");
    home.refuses(["login", "--get-login", &at], 125, &["not logged into"]);
    let below = format!("{team}/app");
    assert_eq!(home.pod(["login", "--get-login", &below]).ok(), "me");
    login(&format!("https://{at}/v2/"));
    assert_eq!(
        read(&home, AUTH),
        json!({"auths": {&at: {"auth": SECRET}, &team: {"auth": SECRET}}})
    );
    home.pod(["logout", &at]).ok();
    assert_eq!(
        read(&home, AUTH),
        json!({"auths": {&team: {"auth": SECRET}}})
    );
    home.refuses(
        ["login", "-u", "me", "-p", "secret", &format!("{team}:1")],
        125,
        &["contains tag or digest"],
    );
}

#[test]
fn what_else_is_in_the_file_stays() {
    let (home, registry) = guarded();
    let at = registry.address();
    let other = json!({
        "auths": {"x.io": {"auth": "YTox", "email": "e"}, &at: {"auth": "YTox", "identitytoken": ""}},
        "credHelpers": {"y.io": "other"}, "HttpHeaders": {"A": ["b", 1]},
    });
    home.write(AUTH, &other.to_string());
    home.pod(["login", "-u", "me", "-p", "secret", &at]).ok();
    let mut want = other.clone();
    want["auths"][&at] = json!({"auth": SECRET});
    assert_eq!(read(&home, AUTH), want);
    home.pod(["logout", &at]).ok();
    want["auths"].as_object_mut().unwrap().remove(&at);
    assert_eq!(read(&home, AUTH), want);
    home.write(AUTH, "{\"auths\": ");
    let login = ["login", "-u", "me", "-p", "secret", &at];
    home.refuses(login, 125, &["malformed at line 1"]);
    assert_eq!(fs::read_to_string(home.path(AUTH)).unwrap(), "{\"auths\": ");
}

#[test]
fn logins_at_once_all_stay() {
    let (home, registry) = guarded();
    let at = registry.address();
    let logins: Vec<_> = (0..12)
        .map(|n| {
            home.spawn([
                "login",
                "-u",
                "me",
                "-p",
                "secret",
                &format!("{at}/team{n}"),
            ])
        })
        .collect();
    for login in logins {
        login.wait().ok();
    }
    let file = read(&home, AUTH);
    assert_eq!(file["auths"].as_object().unwrap().len(), 12, "{file}");
    let left: Vec<_> = fs::read_dir(home.path("run/containers")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the file: {left:?}");
}

#[test]
fn the_file_is_chosen_as_podman_does() {
    let (home, registry) = guarded();
    let at = registry.address();
    let own = home.path("home/own/auth.json").display().to_string();
    let flag = format!("--authfile={own}");
    home.pod(["login", "-u", "me", "-p", "secret", &flag, &at])
        .ok();
    assert!(!home.path(AUTH).exists());
    assert_eq!(home.pod(["login", "--get-login", &flag, &at]).ok(), "me");
    home.refuses(["login", "--get-login", &at], 125, &["not logged into"]);
    home.refuses(
        ["logout", "--authfile=/nosuch/auth.json", &at],
        125,
        &["checking authfile: stat /nosuch/auth.json: no such file"],
    );
    // A link stays a link.
    std::os::unix::fs::symlink(&own, home.path("home/link.json")).unwrap();
    let linked = format!("--authfile={}", home.path("home/link.json").display());
    home.pod(["logout", &linked, &at]).ok();
    assert_eq!(read(&home, "home/own/auth.json"), json!({"auths": {}}));
    assert!(home.path("home/link.json").is_symlink());
    let home = home.with_env("REGISTRY_AUTH_FILE", &own);
    home.pod(["login", "-u", "me", "-p", "secret", &at]).ok();
    assert_eq!(
        read(&home, "home/own/auth.json")["auths"][&at]["auth"],
        SECRET
    );
    let docker = format!(
        "--compat-auth-file={}",
        home.path("home/.docker/config.json").display()
    );
    home.pod(["login", "-u", "me", "-p", "secret", &docker, &at])
        .ok();
    assert_eq!(
        read(&home, "home/.docker/config.json")["auths"][&at]["auth"],
        SECRET
    );
    home.pod(["logout", &docker, &at]).ok();
    assert_eq!(
        read(&home, "home/.docker/config.json"),
        json!({"auths": {}})
    );
}

#[test]
fn a_login_of_dockers_is_used_and_left_alone() {
    let (home, registry) = guarded();
    let at = registry.address();
    let file = home.write(
        "home/.docker/config.json",
        &json!({"auths": {format!("https://{at}/v1/"): {"auth": SECRET}}}).to_string(),
    );
    assert_eq!(home.pod(["login", "--get-login", &at]).ok(), "me");
    let before = fs::read(&file).unwrap();
    let said = home.pod(["logout", &at]).ok();
    assert!(said.contains("Please use docker logout instead."), "{said}");
    assert_eq!(
        home.pod(["logout", "--all"]).ok(),
        "Removed login credentials for all registries"
    );
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn helpers_keep_the_secret() {
    let (home, registry) = guarded();
    let at = registry.address();
    let home = install_helper(home);
    let calls = || {
        let calls = fs::read_to_string(home.path("home/calls")).unwrap_or_default();
        let _ = fs::remove_file(home.path("home/calls"));
        calls
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let login = ["login", "-u", "me", "-p", "secret", &at];
    for (config, after) in [
        (
            json!({"credHelpers": {&at: "tests"}}),
            json!({"credHelpers": {&at: "tests"}}),
        ),
        (
            json!({"credsStore": "tests"}),
            json!({"auths": {&at: {}}, "credsStore": "tests"}),
        ),
    ] {
        home.write(AUTH, &config.to_string());
        home.pod(login).ok();
        assert!(calls().contains(&"store".to_owned()));
        assert_eq!(read(&home, AUTH), after);
        assert_eq!(
            read(&home, "home/helper"),
            json!({"ServerURL": at, "Username": "me", "Secret": "secret"})
        );
        assert_eq!(home.pod(["login", "--get-login", &at]).ok(), "me");
        assert_eq!(calls(), ["get"]);
        home.pod(["logout", &at]).ok();
        assert!(!home.path("home/helper").exists());
        home.refuses(["logout", &at], 125, &["not logged into"]);
        home.pod(login).ok();
        home.pod(["logout", "--all"]).ok();
        assert!(!home.path("home/helper").exists());
        calls();
    }
    let team = format!("{at}/team");
    let done = home
        .pod(["login", "-u", "me", "-p", "secret", &team])
        .code(125);
    assert!(
        done.stderr.contains("namespaced keys are not supported"),
        "{done}"
    );
    home.write(AUTH, &json!({"credsStore": "nosuch"}).to_string());
    home.refuses(login, 125, &["docker-credential-nosuch"]);
}

#[test]
fn registries_conf_can_put_a_helper_first() {
    let (home, registry) = guarded();
    let at = registry.address();
    let home = install_helper(home);
    home.write(
        "home/.config/containers/registries.conf.d/helper.conf",
        "credential-helpers = [\"tests\", \"containers-auth.json\"]\n",
    );
    let login = ["login", "-u", "me", "-p", "secret", "-v", &at];
    assert_eq!(home.pod(login).ok(), "Used:  tests\nLogin Succeeded!");
    assert!(!home.path(AUTH).exists());
    assert_eq!(home.pod(["login", "--get-login", &at]).ok(), "me");
    home.pod(["logout", &at]).ok();
    assert!(!home.path("home/helper").exists());
    home.write(AUTH, &json!({"auths": {&at: {"auth": SECRET}}}).to_string());
    assert_eq!(home.pod(["login", "--get-login", &at]).ok(), "me");
    let _ = fs::remove_file(home.path("home/calls"));
}

#[test]
fn a_terminal_is_asked_and_does_not_show_the_secret() {
    let (home, registry) = guarded();
    let at = registry.address();
    let mut terminal = home.terminal(["login", &at]);
    terminal.wait_for("Username: ");
    terminal.send("me\n");
    terminal.wait_for("Password: ");
    wait_raw(&terminal);
    terminal.send("secretx\u{7f}\n");
    let screen = terminal.wait_for("Login Succeeded!");
    assert!(!screen.contains("secret"), "{screen}");
    terminal.wait();
    assert_eq!(read(&home, AUTH)["auths"][&at]["auth"], SECRET);
    // Interrupted: an error, and the terminal shows again what is typed.
    let mut terminal = home.terminal(["login", "-u", "me", &at]);
    terminal.wait_for("Password: ");
    wait_raw(&terminal);
    terminal.send("\u{3}");
    terminal.wait_for("interrupted");
    assert!(!terminal.is_raw());
    assert_eq!(terminal.wait().code, 125);
}

#[track_caller]
fn wait_raw(terminal: &Terminal) {
    let deadline = Instant::now() + TIMEOUT;
    while !terminal.is_raw() {
        assert!(
            Instant::now() < deadline,
            "the terminal still shows what is typed"
        );
        std::thread::yield_now();
    }
}

#[test]
fn bad_words_are_told_as_podman_does() {
    let home = TestHome::new();
    for (line, want) in [
        (
            "login",
            "no registries found in registries.conf, a registry must be provided",
        ),
        ("login a b", "accepts at most 1 arg(s), received 2"),
        (
            "login --password-stdin a.io",
            "Must provide --username with --password-stdin",
        ),
        (
            "login -u me -p x --password-stdin a.io",
            "Can't specify both --password-stdin and --password",
        ),
        (
            "login -u me a.io",
            "reading password: stdin is not a terminal",
        ),
        ("login -u me -p x 127.0.0.1:1", "connection refused"),
        (
            "pull --creds=me a.io/x",
            "read the password that --creds lacks",
        ),
        ("login --secret=x a.io", "flag --secret is not available"),
        ("login -u me -p x a_b.io/c", "not a registry"),
        ("logout --all a.io", "--all takes no arguments"),
        ("logout a.io", "not logged into a.io"),
    ] {
        home.refuses(line.split(' '), 125, &[want]);
    }
}
