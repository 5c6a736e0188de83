//! `manifest`: lists of images, under names that images have too.

use std::fs;

use serde_json::Value;

use crate::support::process::tool;
use crate::support::proxy::{Proxy, Spoil, count};
use crate::support::registry::Registry;
use crate::support::{Scratch, TestHome, images};

const INSECURE: &str = "--tls-verify=false";

fn inspect(home: &TestHome, list: &str) -> Value {
    let text = home.pod(["manifest", "inspect", INSECURE, list]).ok();
    serde_json::from_str(&text).expect("JSON")
}

/// What image-spec requires of an index (`image-index.md`), as `schema/image-index-schema.json` says.
fn check_index(index: &Value) {
    assert_eq!(index["schemaVersion"], 2, "{index}");
    assert_eq!(
        index["mediaType"],
        "application/vnd.oci.image.index.v1+json"
    );
    for entry in index["manifests"].as_array().expect("an array") {
        let digest = entry["digest"].as_str().expect("a digest");
        assert!(
            digest.len() == 71 && digest.starts_with("sha256:"),
            "{entry}"
        );
        assert!(
            entry["size"].as_u64().is_some_and(|size| size > 0),
            "{entry}"
        );
        assert!(entry["mediaType"].is_string(), "{entry}");
        for key in ["architecture", "os"] {
            let word = entry["platform"][key].as_str().expect("a platform");
            assert!(!word.is_empty(), "{entry}");
        }
    }
}

#[test]
fn a_list_is_made_changed_shown_and_removed() {
    let home = TestHome::with_busybox();
    let id = home.pod(["manifest", "create", "mine"]).ok();
    assert!(id.len() == 64, "{id}");
    let text = home.pod(["manifest", "inspect", "mine"]).ok();
    assert_eq!(
        text,
        "{\n    \"schemaVersion\": 2,\n    \"mediaType\": \"application/vnd.oci.image.index.v1+json\",\n    \"manifests\": []\n}"
    );
    let again = home.pod(["manifest", "create", "mine"]).code(125);
    assert!(
        again.stderr.contains("that name is already in use"),
        "{again}"
    );
    assert_eq!(home.pod(["manifest", "create", "--amend", "mine"]).ok(), id);
    assert_eq!(home.pod(["manifest", "add", "mine", "busybox"]).ok(), id);
    let digest = home
        .pod(["image", "inspect", "--format", "{{.Digest}}", "busybox"])
        .ok();
    let list = inspect(&home, "mine");
    check_index(&list);
    assert_eq!(list["manifests"][0]["digest"], digest.as_str());
    // By name and by digest.
    home.pod([
        "manifest",
        "annotate",
        "--variant",
        "v2",
        "--annotation",
        "a=b",
        "mine",
        "busybox",
    ])
    .ok();
    let done = home.pod([
        "manifest",
        "annotate",
        "--os-version",
        "5",
        "--os-features",
        "x,y",
        "mine",
        &digest,
    ]);
    assert_eq!(done.ok(), id);
    home.pod([
        "manifest",
        "annotate",
        "--index",
        "--annotation",
        "of=all",
        "mine",
    ])
    .ok();
    let list = inspect(&home, "mine");
    check_index(&list);
    let platform = &list["manifests"][0]["platform"];
    assert_eq!(
        *platform,
        serde_json::json!({"architecture": "amd64", "os": "linux", "variant": "v2", "os.version": "5", "os.features": ["x", "y"]})
    );
    assert_eq!(list["manifests"][0]["annotations"]["a"], "b");
    assert_eq!(list["annotations"]["of"], "all");
    // Its names are images' names.
    let rows = home
        .pod(["images", "--format", "{{.Repository}}:{{.Tag}}"])
        .ok();
    assert!(
        rows.lines().any(|row| row == "localhost/mine:latest"),
        "{rows}"
    );
    home.pod(["tag", "mine", "other:1"]).ok();
    assert_eq!(home.pod(["manifest", "exists", "other:1"]).code, 0);
    assert_eq!(
        home.pod(["rmi", "other:1"]).ok(),
        "Untagged: localhost/other:1"
    );
    assert_eq!(home.pod(["manifest", "exists", "other:1"]).code, 1);
    let image = home.pod(["manifest", "exists", "busybox"]).code(125);
    assert!(
        image.stderr.contains("image is not a manifest list"),
        "{image}"
    );
    assert_eq!(home.pod(["manifest", "remove", "mine", &digest]).ok(), id);
    let gone = home.pod(["manifest", "remove", "mine", &digest]).code(125);
    assert!(
        gone.stderr.contains("no instance matching digest"),
        "{gone}"
    );
    let image = home.pod(["manifest", "rm", "busybox"]).code(125);
    assert!(
        image.stderr.contains("image is not a manifest list"),
        "{image}"
    );
    let done = home.pod(["manifest", "rm", "mine"]).ok();
    assert_eq!(
        done,
        format!("Untagged: localhost/mine:latest\nDeleted: {id}")
    );
    home.pod(["manifest", "rm", "mine"]).code(1);
}

#[test]
fn a_list_is_pushed_with_images_from_here_and_from_elsewhere() {
    let home = TestHome::with_busybox();
    let registry = Registry::start();
    let layout = format!("oci:{}:latest", images::busybox_layout().display());
    images::push(&registry, &layout, "there", &["--format", "v2s2"]);
    let proxy = Proxy::before(&registry, Spoil::Nothing);
    let at = proxy.address();
    home.pod(["manifest", "create", "mine", "busybox"]).ok();
    let remote = format!("docker://{at}/there");
    home.pod([
        "manifest",
        "add",
        INSECURE,
        "--arch",
        "arm64",
        "--variant",
        "v8",
        "mine",
        &remote,
    ])
    .ok();
    proxy.take();
    let file = home.path("digest");
    let to = format!("{at}/team/list:1");
    let done = home.pod([
        "manifest",
        "push",
        INSECURE,
        "--digestfile",
        &file.display().to_string(),
        "mine",
        &to,
    ]);
    assert!(done.code == 0 && done.stdout.is_empty(), "{done}");
    assert!(
        done.stderr.contains("Copying 2 of 2 images in list\n"),
        "{done}"
    );
    assert!(
        done.stderr
            .ends_with("Writing manifest list to image destination\n"),
        "{done}"
    );
    let asked = proxy.take();
    assert_eq!(count(&asked, "PUT", "/manifests/"), 3, "{asked:?}");
    // All of it is there, whole, as others see it.
    let dir = Scratch::new("list");
    tool([
        "skopeo",
        "copy",
        "-q",
        "--all",
        "--insecure-policy",
        "--src-tls-verify=false",
        &format!("docker://{}/team/list:1", registry.address()),
        &format!("dir:{}", dir.display()),
    ]);
    let pushed: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("manifest.json")).unwrap()).unwrap();
    check_index(&pushed);
    assert_eq!(pushed, inspect(&home, "mine"));
    assert_eq!(pushed, inspect(&home, &to));
    let digest = fs::read_to_string(&file).unwrap();
    let sum = tool([
        "sha256sum",
        &dir.join("manifest.json").display().to_string(),
    ]);
    assert_eq!(digest, format!("sha256:{}", &sum[..64]));
    // Pulled from there it is this host's image.
    let id = home.pod(["images", "-q", "--no-trunc", "busybox"]).ok();
    let pulled = home.pod(["pull", "-q", INSECURE, &to]).ok();
    assert_eq!(format!("sha256:{pulled}"), id);
    home.pod(["manifest", "push", "--rm", "-q", INSECURE, "mine", &to])
        .ok();
    home.pod(["manifest", "exists", "mine"]).code(1);
}

#[test]
fn every_image_of_an_index_is_added_with_all() {
    let home = TestHome::with_registry();
    let name = format!("{}/multi", home.registry());
    home.pod(["manifest", "create", "one", &name]).ok();
    home.pod(["manifest", "create", "--all", "each", &name])
        .ok();
    let arch = |list: &str| -> Vec<String> {
        let list = inspect(&home, list);
        check_index(&list);
        let entries = list["manifests"].as_array().unwrap().clone();
        entries
            .iter()
            .map(|entry| {
                entry["platform"]["architecture"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(arch("one"), ["amd64"]);
    assert_eq!(arch("each"), ["s390x", "amd64"]);
    // To a registry that has none of it: everything passes through.
    let registry = Registry::start();
    let to = format!("{}/each", registry.address());
    home.pod(["push", "-q", "--all", INSECURE, "each", &to])
        .ok();
    let dir = Scratch::new("each");
    tool([
        "skopeo",
        "copy",
        "-q",
        "--all",
        "--insecure-policy",
        "--src-tls-verify=false",
        &format!("docker://{to}"),
        &format!("dir:{}", dir.display()),
    ]);
    home.pod(["manifest", "rm", "one", "each"]).ok();
}

#[test]
fn what_lists_cannot_do_is_refused() {
    let home = TestHome::with_busybox();
    home.pod(["manifest", "create", "mine"]).ok();
    let cases: [(&[&str], &str); 11] = [
        (&["create"], "requires at least 1 arg(s), only received 0"),
        (
            &["add", "mine"],
            "requires at least 2 arg(s), only received 1",
        ),
        (&["add", "nosuch", "busybox"], "nosuch: image not known"),
        (
            &["add", "mine", "containers-storage:nosuch"],
            "nosuch: image not known",
        ),
        (
            &["add", "busybox", "busybox"],
            "image is not a manifest list",
        ),
        (&["add", "--artifact", "mine", "x"], "--artifact"),
        (&["annotate", "mine"], "accepts 2 arg(s), received 1"),
        (
            &["annotate", "mine", "nosuch"],
            "invalid image digest \"nosuch\"",
        ),
        (
            &["annotate", "--annotation", "x", "mine", "busybox"],
            "no value given for annotation \"x\"",
        ),
        (
            &["push", "busybox", "127.0.0.1:1/x"],
            "image is not a manifest list",
        ),
        (
            &["push", "mine", "docker-archive:/tmp/x"],
            "cannot hold a manifest list",
        ),
    ];
    for (args, want) in cases {
        let done = home.pod([&["manifest"] as &[&str], args].concat());
        assert!(
            done.code == 125 && done.stderr.contains(want),
            "{args:?}: {done}"
        );
    }
    home.pod(["manifest", "rm", "mine"]).ok();
}
