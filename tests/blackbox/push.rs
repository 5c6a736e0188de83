//! `push`: what arrives is what was here, other tools read it, nothing is sent twice, and what breaks is mended.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::process::{run, tool};
use crate::support::proxy::{Proxy, Spoil, count};
use crate::support::registry::{Guard, Registry};
use crate::support::{Scratch, TestHome, images};

const INSECURE: &str = "--tls-verify=false";

/// Bytes of the file in [`big`]'s layer.
const BIG: usize = 6 << 20;

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Loads an image `localhost/big` whose one layer is a plain tar that compresses to about two thirds.
fn big(home: &TestHome) {
    let dir = home.mkdir("big");
    let mut state = 7_u32;
    let content: Vec<u8> = (0..BIG)
        .map(|at| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if at % 3 == 0 {
                b'x'
            } else {
                (state >> 24) as u8
            }
        })
        .collect();
    fs::write(dir.join("data"), &content).unwrap();
    let script = "set -e; cd $0; mkdir -p blobs/sha256; tar -c --numeric-owner --mtime=@0 -f layer data; rm data";
    tool(["sh", "-c", script, &dir.display().to_string()]);
    let layer = fs::read(dir.join("layer")).unwrap();
    let put = |bytes: &[u8]| {
        let digest = sha256(bytes);
        fs::write(dir.join("blobs/sha256").join(&digest[7..]), bytes).unwrap();
        json!({"digest": digest, "size": bytes.len()})
    };
    let with = |mut descriptor: Value, kind: &str| {
        descriptor["mediaType"] = json!(kind);
        descriptor
    };
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(&layer)]},
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": with(put(config.to_string().as_bytes()), "application/vnd.oci.image.config.v1+json"),
        "layers": [with(put(&layer), "application/vnd.oci.image.layer.v1.tar")],
        "annotations": {"made.by": "tests"},
    });
    let entry = put(manifest.to_string().as_bytes());
    let mut entry = with(entry, "application/vnd.oci.image.manifest.v1+json");
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "localhost/big:latest"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(dir.join("index.json"), index.to_string()).unwrap();
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::remove_file(dir.join("layer")).unwrap();
    tool([
        "chown",
        "-R",
        &home.user.uid.to_string(),
        &dir.display().to_string(),
    ]);
    home.pod(["pull", "-q", &format!("oci:{}", dir.display())])
        .ok();
    let id = home.pod(["images", "-q", "--no-trunc"]).ok();
    home.pod(["tag", id.trim_start_matches("sha256:"), "localhost/big"])
        .ok();
}

/// The raw manifest that a registry has under a name, as skopeo gets it.
fn raw(name: &str) -> Vec<u8> {
    let done = run([
        "skopeo",
        "inspect",
        "--raw",
        INSECURE,
        &format!("docker://{name}"),
    ]);
    done.ok().into_bytes()
}

fn manifest(name: &str) -> Value {
    serde_json::from_slice(&raw(name)).expect("a manifest")
}

/// Copies an image by skopeo, which checks all digests, and returns the directory.
fn copied(name: &str) -> Scratch {
    let dir = Scratch::new("copied");
    let to = format!("dir:{}", dir.display());
    tool([
        "skopeo",
        "copy",
        "-q",
        "--all",
        "--insecure-policy",
        "--src-tls-verify=false",
        &format!("docker://{name}"),
        &to,
    ]);
    dir
}

/// What image-spec requires of a manifest (`manifest.md`, `descriptor.md`), as `schema/image-manifest-schema.json` says.
fn check_manifest(manifest: &Value) {
    assert_eq!(manifest["schemaVersion"], 2, "{manifest}");
    let descriptor = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().expect("a digest");
        let hex = digest.strip_prefix("sha256:").expect("sha256");
        assert!(
            hex.len() == 64 && hex.bytes().all(|b| b"0123456789abcdef".contains(&b)),
            "{digest}"
        );
        assert!(
            descriptor["size"].as_u64().is_some_and(|size| size > 0),
            "{descriptor}"
        );
        let kind = descriptor["mediaType"].as_str().expect("a media type");
        assert!(
            kind.starts_with("application/vnd.") && kind.contains('+')
                || kind.ends_with(".tar.gzip")
                || kind.ends_with(".tar"),
            "{kind}"
        );
        for key in descriptor.as_object().expect("an object").keys() {
            assert!(
                ["mediaType", "digest", "size", "annotations"].contains(&key.as_str()),
                "{key}"
            );
        }
    };
    descriptor(&manifest["config"]);
    manifest["layers"]
        .as_array()
        .expect("layers")
        .iter()
        .for_each(descriptor);
    if let Some(annotations) = manifest.get("annotations") {
        let annotations = annotations.as_object().expect("an object");
        assert!(annotations.values().all(Value::is_string), "{manifest}");
    }
}

#[test]
fn a_pulled_image_keeps_its_digest_bit_for_bit() {
    let home = TestHome::with_registry();
    let from = home.registry();
    let registry = Registry::start();
    for name in ["layers", "zstd"] {
        home.pod(["pull", "-q", &format!("{from}/{name}")]).ok();
        let to = format!("{}/copy/{name}:1", registry.address());
        let file = home.path("digest");
        let done = home.pod([
            "push",
            INSECURE,
            "--digestfile",
            &file.display().to_string(),
            &format!("{from}/{name}"),
            &to,
        ]);
        assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{done}");
        assert!(
            done.stderr.starts_with("Getting image source signatures\n"),
            "{done}"
        );
        assert!(
            done.stderr
                .ends_with("Writing manifest to image destination\n"),
            "{done}"
        );
        let bytes = raw(&to);
        assert_eq!(bytes, raw(&format!("{from}/{name}")), "{name}");
        assert_eq!(fs::read_to_string(&file).unwrap(), sha256(&bytes));
        copied(&to);
    }
}

#[test]
fn docker_format_and_a_pushed_name_survive() {
    let home = TestHome::new();
    let registry = Registry::start();
    home.trust(&registry.address());
    let layout = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &layout, "docker", &["--format", "v2s2"]);
    let name = format!("{}/docker", registry.address());
    home.pod(["pull", "-q", &name]).ok();
    let there = raw(&name);
    // Without a destination the name decides; registries.conf says that plain HTTP will do.
    let done = home.pod(["push", "-q", &name]);
    assert_eq!(
        (done.code, done.stdout.as_str(), done.stderr.as_str()),
        (0, "", ""),
        "{done}"
    );
    assert_eq!(raw(&name), there);
    // Converted it keeps its config, and its layers where they need no change.
    let oci = format!("{}/as-oci", registry.address());
    home.pod(["push", "--format", "oci", &name, &oci]).ok();
    let (docker, oci) = (manifest(&name), manifest(&oci));
    check_manifest(&oci);
    assert_eq!(
        oci["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(
        oci["config"]["mediaType"],
        "application/vnd.oci.image.config.v1+json"
    );
    assert_eq!(
        oci["layers"][0]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    for key in ["config", "layers"] {
        let digest = |manifest: &Value| match key {
            "config" => manifest[key]["digest"].clone(),
            _ => manifest[key][0]["digest"].clone(),
        };
        assert_eq!(digest(&docker), digest(&oci), "{key}");
    }
}

#[test]
fn what_the_registry_has_is_mounted_or_not_sent() {
    let home = TestHome::new();
    let registry = Registry::start();
    let layout = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &layout, "first", &[]);
    let proxy = Proxy::before(&registry, Spoil::Nothing);
    home.trust(&proxy.address());
    home.pod(["pull", "-q", &format!("{}/first", proxy.address())])
        .ok();
    proxy.take();
    let to = format!("{}/team/second", proxy.address());
    let done = home.pod(["push", &format!("{}/first", proxy.address()), &to]);
    assert!(
        done.code == 0 && done.stderr.contains("mounted from first"),
        "{done}"
    );
    let asked = proxy.take();
    assert_eq!(count(&asked, "POST", "mount=sha256:"), 1, "{asked:?}");
    // The config alone was sent.
    assert_eq!(count(&asked, "PATCH", ""), 1, "{asked:?}");
    home.pod(["push", &format!("{}/first", proxy.address()), &to])
        .ok();
    let asked = proxy.take();
    assert_eq!(
        count(&asked, "POST", "") + count(&asked, "PATCH", ""),
        0,
        "{asked:?}"
    );
    assert_eq!(count(&asked, "PUT", "/manifests/"), 1, "{asked:?}");
    // To a registry that has none of it, everything is sent, and nothing is tried to be mounted.
    let other = Registry::start();
    let proxy = Proxy::before(&other, Spoil::Nothing);
    let to = format!("{}/first", proxy.address());
    let name = home
        .pod(["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .ok();
    home.pod(["push", INSECURE, &name, &to]).ok();
    let asked = proxy.take();
    assert_eq!(count(&asked, "POST", "mount="), 0, "{asked:?}");
    assert_eq!(count(&asked, "PATCH", ""), 2, "{asked:?}");
}

#[test]
fn plain_layers_are_compressed_once() {
    let home = TestHome::new();
    big(&home);
    let registry = Registry::start();
    let proxy = Proxy::before(&registry, Spoil::Nothing);
    let to = format!("{}/big:1", proxy.address());
    home.pod(["push", INSECURE, "localhost/big", &to]).ok();
    let gzip = manifest(&to);
    check_manifest(&gzip);
    let layer = &gzip["layers"][0];
    assert_eq!(
        layer["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+gzip"
    );
    assert!(
        layer["size"].as_u64().unwrap() < BIG as u64 * 9 / 10,
        "{layer}"
    );
    assert_eq!(gzip["annotations"]["made.by"], "tests");
    let asked = proxy.take();
    assert_eq!(count(&asked, "PATCH", ""), 2, "{asked:?}");
    // A second push knows what the layer came to.
    let again = home.pod(["push", INSECURE, "localhost/big", &to]);
    assert!(again.stderr.contains("skipped: already exists"), "{again}");
    let asked = proxy.take();
    assert_eq!(count(&asked, "PATCH", ""), 0, "{asked:?}");
    assert_eq!(manifest(&to), gzip);
    // Another compression is another layer of the same image.
    let to = format!("{}/big:zstd", proxy.address());
    home.pod([
        "push",
        INSECURE,
        "--compression-format",
        "zstd",
        "localhost/big",
        &to,
    ])
    .ok();
    let zstd = manifest(&to);
    check_manifest(&zstd);
    assert_eq!(
        zstd["layers"][0]["mediaType"],
        "application/vnd.oci.image.layer.v1.tar+zstd"
    );
    assert_eq!(zstd["config"], gzip["config"]);
    // Both unpack to the layer that the config names.
    let config: Value = {
        let dir = copied(&to);
        let digest = zstd["config"]["digest"].as_str().unwrap();
        serde_json::from_slice(&fs::read(dir.join(&digest[7..])).unwrap()).unwrap()
    };
    for (manifest, tag, unpack) in [(&gzip, "1", "gzip"), (&zstd, "zstd", "zstd")] {
        let dir = copied(&format!("{}/big:{tag}", proxy.address()));
        let digest = manifest["layers"][0]["digest"].as_str().unwrap();
        let blob = dir.join(&digest[7..]).display().to_string();
        let sum = tool(["sh", "-c", "$1 -dc < $0 | sha256sum", &blob, unpack]);
        let want = config["rootfs"]["diff_ids"][0].as_str().unwrap();
        assert_eq!(&sum[..64], &want[7..], "{tag}");
    }
}

#[test]
fn other_tools_read_what_was_pushed() {
    let home = TestHome::with_registry();
    let from = home.registry();
    let name = format!("{from}/plain");
    home.pod(["pull", "-q", &name]).ok();
    let id = home.pod(["images", "-q", "--no-trunc"]).ok();
    let registry = Registry::start();
    let to = format!("{}/made:1", registry.address());
    home.pod(["push", INSECURE, &name, &to]).ok();
    let scratch = Scratch::new("tools");
    let at = |part: &str| scratch.join(part).display().to_string();
    // podman and buildah share a store of their own.
    let store = [
        "--storage-driver",
        "vfs",
        "--root",
        &at("root"),
        "--runroot",
        &at("run"),
    ]
    .map(str::to_owned);
    for program in ["podman", "buildah"] {
        let mut words = vec![program.to_owned()];
        words.extend(store.clone());
        words.extend(["pull", "-q", INSECURE, &to].map(str::to_owned));
        let pulled = tool(&words);
        assert_eq!(format!("sha256:{pulled}"), id, "{program}");
    }
    let layout = at("layout");
    tool([
        "skopeo",
        "copy",
        "-q",
        "--insecure-policy",
        "--src-tls-verify=false",
        &format!("docker://{to}"),
        &format!("oci:{layout}:1"),
    ]);
    tool([
        "umoci",
        "unpack",
        "--image",
        &format!("{layout}:1"),
        &at("bundle"),
    ]);
    assert!(scratch.join("bundle/rootfs/bin/busybox").exists());
    tool(["rm", "-rf", &scratch.display().to_string()]);
    // And pod itself, in another home's place.
    home.pod(["rmi", "-a"]).ok();
    let back = home.pod(["pull", "-q", INSECURE, &to]).ok();
    assert_eq!(format!("sha256:{back}"), id);
}

#[test]
fn an_upload_goes_on_where_it_broke() {
    let home = TestHome::with_busybox();
    let registry = Registry::start();
    let proxy = Proxy::before(&registry, Spoil::CutAndKeep(200_000, 2));
    let to = format!("{}/x", proxy.address());
    let done = home.pod(["push", INSECURE, "--retry-delay", "1ms", "busybox", &to]);
    assert!(done.code == 0 && done.stderr.contains("retrying"), "{done}");
    let asked = proxy.take();
    assert_eq!(count(&asked, "GET", "/blobs/uploads/"), 2, "{asked:?}");
    copied(&to);
    // Not a byte was sent twice.
    let manifest = manifest(&to);
    let size = |blob: &Value| blob["size"].as_u64().unwrap() as usize;
    let patches = asked.iter().filter(|asked| asked.method == "PATCH");
    let sent: usize = patches.map(|asked| asked.body).sum();
    assert_eq!(
        sent,
        size(&manifest["layers"][0]) + size(&manifest["config"]),
        "{asked:?}"
    );
}

/// A docker-registry gives an upload up when a part of a chunk was lost: everything is sent anew, also what is
/// compressed on the way.
#[test]
fn an_upload_that_was_forgotten_begins_anew() {
    let home = TestHome::new();
    big(&home);
    let registry = Registry::start();
    let proxy = Proxy::before(&registry, Spoil::Cut(2 << 20, 2));
    let to = format!("{}/big", proxy.address());
    let done = home.pod([
        "push",
        INSECURE,
        "--retry-delay",
        "1ms",
        "localhost/big",
        &to,
    ]);
    assert!(done.code == 0 && done.stderr.contains("retrying"), "{done}");
    let asked = proxy.take();
    assert_eq!(count(&asked, "GET", "/blobs/uploads/"), 2, "{asked:?}");
    copied(&to);
}

#[test]
fn a_push_that_was_given_up_leaves_nothing_and_the_next_one_sends_the_rest() {
    let home = TestHome::with_registry();
    let from = format!("{}/layers", home.registry());
    home.pod(["pull", "-q", &from]).ok();
    let registry = Registry::start();
    let proxy = Proxy::before(&registry, Spoil::Fail("PUT", 500, 1));
    let to = format!("{}/layers", proxy.address());
    let done = home.pod(["push", INSECURE, "--retry", "0", &from, &to]);
    assert_eq!(done.code, 125, "{done}");
    assert!(
        done.stderr.contains(&format!("to {to}")) && done.stderr.contains("500"),
        "{done}"
    );
    let there = run(["skopeo", "inspect", INSECURE, &format!("docker://{to}")]);
    assert_ne!(there.code, 0, "{there}");
    proxy.take();
    home.pod(["push", INSECURE, &from, &to]).ok();
    copied(&to);
}

#[test]
fn a_registry_that_is_busy_is_asked_again() {
    for status in [429, 503] {
        let home = TestHome::with_busybox();
        let registry = Registry::start();
        let proxy = Proxy::before(&registry, Spoil::Fail("POST", status, 2));
        let to = format!("{}/x", proxy.address());
        let done = home.pod(["push", INSECURE, "busybox", &to]);
        assert!(
            done.code == 0 && done.stderr.contains("retrying in"),
            "{status}: {done}"
        );
        copied(&to);
    }
}

#[test]
fn tokens_have_the_scopes_that_are_needed_and_are_renewed() {
    let home = TestHome::new();
    let registry = Registry::start();
    let layout = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &layout, "first", &[]);
    let open = Proxy::before(&registry, Spoil::Nothing);
    home.pod(["pull", "-q", INSECURE, &format!("{}/first", open.address())])
        .ok();
    // A token is good for three requests: one push needs several.
    let guarded = Proxy::before(&registry, Spoil::Tokens(3));
    home.pod(["tag", "first", &format!("{}/first", guarded.address())])
        .ok();
    let to = format!("{}/second", guarded.address());
    let done = home.pod([
        "push",
        INSECURE,
        &format!("{}/first", guarded.address()),
        &to,
    ]);
    assert!(
        done.code == 0 && done.stderr.contains("mounted from first"),
        "{done}"
    );
    let asked = guarded.take();
    assert!(count(&asked, "GET", "/token?") >= 3, "{asked:?}");
    let both = |asked: &&crate::support::proxy::Asked| {
        asked.path.contains("second%3Apull%2Cpush") && asked.path.contains("first%3Apull")
    };
    assert!(asked.iter().any(|asked| both(&asked)), "{asked:?}");
    copied(&format!("{}/second", open.address()));
}

#[test]
fn locations_may_be_paths_and_lies_about_digests_are_found() {
    let home = TestHome::with_busybox();
    let registry = Registry::start();
    let proxy = Proxy::before(&registry, Spoil::RelativeLocations);
    let to = format!("{}/x", proxy.address());
    home.pod(["push", INSECURE, "busybox", &to]).ok();
    copied(&to);
    let proxy = Proxy::before(&registry, Spoil::WrongDigest);
    let to = format!("{}/y", proxy.address());
    let done = home.pod(["push", INSECURE, "busybox", &to]);
    assert!(
        done.code == 125
            && done
                .stderr
                .contains("the registry stored digest sha256:00000000"),
        "{done}"
    );
}

#[test]
fn refusals_name_the_registry_the_repository_and_what_was_sent() {
    let home = TestHome::with_busybox();
    let registry = Registry::start();
    for (status, want) in [
        (403, "requested access to the resource is denied"),
        (404, "repository name not known to registry"),
        (413, "413"),
        (500, "failed with status 500"),
    ] {
        let proxy = Proxy::before(&registry, Spoil::Fail("POST", status, 9));
        let to = format!("{}/a/b", proxy.address());
        let done = home.pod(["push", INSECURE, "--retry", "0", "busybox", &to]);
        assert_eq!(done.code, 125, "{done}");
        let error = done.stderr.lines().last().unwrap_or_default();
        assert!(
            error.starts_with("Error: writing blob sha256:"),
            "{status}: {done}"
        );
        assert!(
            error.contains(&format!("to {to}: ")) && error.contains(want),
            "{status}: {done}"
        );
    }
    let guarded = Registry::guarded(Guard {
        login: Some(("me", "secret")),
        ..Guard::default()
    });
    let to = format!("{}/b", guarded.address());
    let done = home.pod(["push", INSECURE, "busybox", &to]);
    assert!(
        done.code == 125
            && done
                .stderr
                .contains("unauthorized: authentication required"),
        "{done}"
    );
    let done = home.pod(["push", INSECURE, "--creds", "me:wrong", "busybox", &to]);
    assert!(
        done.code == 125 && done.stderr.contains("were refused"),
        "{done}"
    );
    home.pod(["push", INSECURE, "--creds", "me:secret", "busybox", &to])
        .ok();
}

#[test]
fn archives_and_directories_are_written_and_read_by_others() {
    let home = TestHome::with_busybox();
    let id = home.pod(["images", "-q", "--no-trunc"]).ok();
    for scheme in ["docker-archive", "oci-archive", "oci", "dir"] {
        let place = home.path("tmp").join(scheme);
        let to = match scheme {
            "dir" => format!("{scheme}:{}", place.display()),
            _ => format!("{scheme}:{}:made:1", place.display()),
        };
        let done = home.pod(["push", "busybox", &to]);
        assert_eq!(done.code, 0, "{scheme}: {done}");
        let config = tool(["skopeo", "inspect", "--config", "--raw", &to]);
        assert_eq!(sha256(config.as_bytes()), id, "{scheme}");
        tool(["rm", "-rf", &place.display().to_string()]);
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let home = TestHome::with_busybox();
    let to = "127.0.0.1:1/x";
    let cases: [(&[&str], &str); 12] = [
        (&[], "accepts between 1 and 2 arg(s), received 0"),
        (
            &["a", "b", "c"],
            "accepts between 1 and 2 arg(s), received 3",
        ),
        (&["nosuch", to], "nosuch: image not known"),
        (
            &["--format", "foo", "busybox", to],
            "unknown format \"foo\"",
        ),
        (
            &["--format", "v2s1", "busybox", to],
            "format \"v2s1\" is not supported",
        ),
        (
            &["--compression-format", "foo", "busybox", to],
            "cannot find compressor for \"foo\"",
        ),
        (
            &["--compression-format", "zstd:chunked", "busybox", to],
            "zstd:chunked",
        ),
        (
            &["--compression-level", "12", "busybox", to],
            "invalid compression level 12",
        ),
        (
            &[
                "--compression-format",
                "zstd",
                "--format",
                "v2s2",
                "busybox",
                to,
            ],
            "compression using zstd is not possible with manifest type v2s2",
        ),
        (&["--sign-by", "me", "busybox", to], "--sign-by"),
        (
            &["--encryption-key", "k", "busybox", to],
            "--encryption-key",
        ),
        (&["busybox", to], "connection refused"),
    ];
    for (args, want) in cases {
        let done = home.pod([&["push"] as &[&str], args].concat());
        assert!(
            done.code == 125 && done.stderr.contains(want),
            "{args:?}: {done}"
        );
    }
}

#[test]
fn a_damaged_blob_is_not_pushed_for_good() {
    let home = TestHome::with_busybox();
    let registry = Registry::start();
    let layer = {
        let done = home.pod([
            "push",
            INSECURE,
            "busybox",
            &format!("{}/good", registry.address()),
        ]);
        assert_eq!(done.code, 0, "{done}");
        manifest(&format!("{}/good", registry.address()))["layers"][0]["digest"]
            .as_str()
            .unwrap()[7..]
            .to_owned()
    };
    let blob = home.path("home/.local/share/pod/blobs/sha256").join(layer);
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let other = Registry::start();
    let to = format!("{}/bad", other.address());
    let done = home.pod(["push", INSECURE, "busybox", &to]);
    assert!(done.code == 125 && done.stderr.contains("digest"), "{done}");
    let there = run(["skopeo", "inspect", INSECURE, &format!("docker://{to}")]);
    assert_ne!(there.code, 0, "{there}");
}
