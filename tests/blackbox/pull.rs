//! `pull images rmi tag image-inspect image-exists`: from a real registry into the store.

use std::path::Path;

use crate::support::registry::{Guard, Registry};
use crate::support::{Lane, TestHome, images, lane};

#[test]
fn pull_prints_the_id_last_and_images_lists_it() {
    let home = TestHome::with_registry();
    let done = home.pod(["pull", "busybox"]);
    let id = done.stdout.trim_end().to_owned();
    assert!(done.code == 0 && id.len() == 64, "{done}");
    assert!(
        done.stderr
            .contains("Trying to pull docker.io/library/busybox:latest..."),
        "{done}"
    );
    let quiet = home.pod(["pull", "-q", "busybox"]);
    assert_eq!(
        (quiet.stdout.trim_end(), quiet.stderr.as_str()),
        (id.as_str(), ""),
        "{quiet}"
    );
    let row = home
        .pod(["images", "--format", "{{.Repository}} {{.Tag}} {{.ID}}"])
        .ok();
    assert_eq!(
        row,
        format!("docker.io/library/busybox latest {}", &id[..12])
    );
    let header = home.pod(["images"]).ok();
    assert!(header.starts_with("REPOSITORY "), "{header}");
    assert_eq!(home.pod(["image", "exists", "busybox"]).code, 0);
    assert_eq!(home.pod(["image", "exists", "nosuch"]).code, 1);
}

#[test]
fn names_tags_digests_and_ids_all_find_the_image() {
    let home = TestHome::with_registry();
    let at = home.registry();
    let id = home
        .pod(["pull", "-q", &format!("{at}/busybox:latest")])
        .ok();
    let digest = home
        .pod(["image", "inspect", "--format", "{{.Digest}}", &id])
        .ok();
    for name in [
        format!("{at}/busybox"),
        "busybox".into(),
        id.clone(),
        id[..5].into(),
        format!("{at}/busybox@{digest}"),
    ] {
        let done = home.pod(["image", "inspect", "--format", "{{.Id}}", &name]);
        assert_eq!(done.ok(), id, "{name}");
    }
    let again = home
        .pod(["pull", "-q", &format!("{at}/busybox@{digest}")])
        .ok();
    assert_eq!(again, id);
}

#[test]
fn tags_are_names_and_the_last_one_takes_the_image_along() {
    let home = TestHome::with_busybox();
    home.pod(["tag", "busybox", "mine:1", "example.com/other"])
        .ok();
    let names = home
        .pod(["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .ok();
    let mut names: Vec<_> = names.lines().collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "docker.io/library/busybox:latest",
            "example.com/other:latest",
            "localhost/mine:1"
        ]
    );
    assert_eq!(
        home.pod(["run", "--rm", "--network=none", "mine:1", "echo", "hi"])
            .ok(),
        "hi"
    );
    let done = home.pod(["rmi", "mine:1"]);
    assert_eq!(done.ok(), "Untagged: localhost/mine:1");
    home.pod(["rmi", "example.com/other"]).ok();
    let done = home.pod(["rmi", "busybox"]).ok();
    assert!(
        done.contains("Untagged: docker.io/library/busybox:latest") && done.contains("Deleted: "),
        "{done}"
    );
    assert_eq!(home.pod(["rmi", "busybox"]).code, 1);
}

#[test]
fn an_image_in_use_stays() {
    let home = TestHome::with_busybox();
    home.pod(["create", "--name=user", "--network=none", "busybox", "true"])
        .ok();
    let done = home.pod(["rmi", "busybox"]).code(2);
    assert!(
        done.stderr.contains("image is in use by a container"),
        "{done}"
    );
    assert_eq!(home.pod(["start", "-a", "user"]).code, 0);
}

#[test]
fn six_layers_become_one_tree() {
    let home = TestHome::with_registry();
    let run = |script: &str| {
        home.pod([
            "run",
            "--rm",
            "-q",
            "--network=none",
            "layers",
            "sh",
            "-c",
            script,
        ])
        .ok()
    };
    assert_eq!(
        run("cd /; ls a a/deep b"),
        "a:\ndeep\nfifo\nhard\nlinked\nsym\ntwo\n\na/deep:\nnew\n\nb:\nstays"
    );
    assert_eq!(
        run("cat a/two a/sym; stat -c %h a/linked; test -p a/fifo && echo fifo"),
        "2\n2\n2\nfifo"
    );
    assert_eq!(run("stat -c '%a' own own/file"), "2711\n4750");
    if lane() != Lane::Bare {
        assert_eq!(run("stat -c '%u:%g' own/file"), "1000:2000");
    }
}

#[test]
fn each_compression_unpacks_to_the_same() {
    let home = TestHome::with_registry();
    let list = |image: &str| {
        let script = "find / -xdev -path /proc -prune -o -path /dev -prune -o -type f -exec md5sum {} + | sort | grep -v -e /etc/ -e /run/";
        home.pod([
            "run",
            "--rm",
            "-q",
            "--network=none",
            image,
            "sh",
            "-c",
            script,
        ])
        .ok()
    };
    let gzip = list("busybox");
    assert!(gzip.contains("/bin/busybox"), "{gzip}");
    assert_eq!(list("plain"), gzip);
    assert_eq!(list("zstd"), gzip);
}

#[test]
fn an_index_is_resolved_by_platform() {
    let home = TestHome::with_registry();
    assert_eq!(
        home.pod(["run", "--rm", "-q", "--network=none", "multi"])
            .ok(),
        "amd64"
    );
    let id = home
        .pod(["pull", "-q", "--platform=linux/s390x", "multi"])
        .ok();
    assert_eq!(
        home.pod([
            "image",
            "inspect",
            "--format",
            "{{.Architecture}} {{.Os}}",
            &id
        ])
        .ok(),
        "s390x linux"
    );
}

#[test]
fn a_layer_is_fetched_once() {
    let home = TestHome::with_busybox();
    let at = home.registry();
    let before = home.snapshot();
    home.pod(["pull", "-q", &format!("{at}/nocommand")]).ok();
    let after = home.snapshot();
    let trees = |s: &crate::support::Snapshot| {
        s.files
            .iter()
            .filter(|f| f.ends_with("/bin/busybox"))
            .count()
    };
    assert_eq!(
        trees(&before),
        trees(&after),
        "the layer of both images is stored once"
    );
}

#[test]
fn eight_pulls_at_once_agree() {
    let home = TestHome::with_registry();
    let pulls: Vec<_> = (0..8)
        .map(|_| home.spawn(["pull", "-q", "layers"]))
        .collect();
    let ids: std::collections::BTreeSet<_> = pulls.into_iter().map(|p| p.wait().ok()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_eq!(home.pod(["images", "-q"]).ok().lines().count(), 1);
}

#[test]
fn a_login_is_read_where_podman_and_docker_keep_it() {
    let mut home = TestHome::new();
    let registry = Registry::guarded(Guard {
        login: Some(("me", "secret")),
        ..Guard::default()
    });
    let at = registry.address();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &from, "private", &["--dest-creds=me:secret"]);
    home.trust(&at);
    let image = format!("{at}/private");
    home.refuses(["pull", &image], 125, &[&image, "authentication required"]);
    // "me:secret" and "me:wrong" in base 64.
    let auth = |word: &str| format!("{{\"auths\": {{\"{at}\": {{\"auth\": \"{word}\"}}}}}}");
    home.write("home/.docker/config.json", &auth("bWU6d3Jvbmc="));
    home.refuses(["pull", &image], 125, &[&image]);
    home.write("run/containers/auth.json", &auth("bWU6c2VjcmV0"));
    home.pod(["pull", "-q", &image]).ok();
    home.pod(["rmi", &image]).ok();
    let file = home.write("home/auth.json", &auth("bWU6c2VjcmV0"));
    std::fs::remove_file(home.path("run/containers/auth.json")).unwrap();
    home.pod([
        "pull",
        "-q",
        "--authfile",
        &file.display().to_string(),
        &image,
    ])
    .ok();
    home = home.with_env("REGISTRY_AUTH_FILE", &file.display().to_string());
    home.pod(["rmi", &image]).ok();
    home.pod(["pull", "-q", &image]).ok();
    home.pod(["rmi", &image]).ok();
    home.pod(["pull", "-q", "--creds=me:secret", &image]).ok();
}

#[test]
fn tls_is_checked_against_the_trusted_authorities() {
    let home = TestHome::new();
    let registry = Registry::guarded(Guard {
        tls: true,
        ..Guard::default()
    });
    let at = registry.address();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &from, "secure", &[]);
    let image = format!("{at}/secure");
    home.refuses(["pull", "--retry=0", &image], 125, &[&image, "certificate"]);
    home.pod(["pull", "-q", "--tls-verify=false", &image]).ok();
    home.pod(["rmi", &image]).ok();
    let authority = std::fs::read_to_string(registry.ca()).unwrap();
    let place = Path::new("home/.config/containers/certs.d")
        .join(&at)
        .join("ca.crt");
    home.write(place.to_str().unwrap(), &authority);
    home.pod(["pull", "-q", &image]).ok();
}

#[test]
fn plain_http_only_where_it_was_allowed() {
    let home = TestHome::new();
    let registry = Registry::start();
    let from = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &from, "plain", &[]);
    let image = format!("{}/plain", registry.address());
    home.refuses(["pull", "--retry=0", &image], 125, &[&image]);
    home.pod(["pull", "-q", "--tls-verify=false", &image]).ok();
}

#[test]
fn pull_policies() {
    let home = TestHome::with_registry();
    home.refuses(
        ["run", "--pull=never", "--network=none", "busybox", "true"],
        125,
        &["image not known"],
    );
    home.pod([
        "run",
        "--rm",
        "--pull=missing",
        "--network=none",
        "busybox",
        "true",
    ])
    .ok();
    home.pod([
        "run",
        "--rm",
        "--pull=never",
        "--network=none",
        "busybox",
        "true",
    ])
    .ok();
    home.pod([
        "run",
        "--rm",
        "--pull=always",
        "--network=none",
        "busybox",
        "true",
    ])
    .ok();
}
