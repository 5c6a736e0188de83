//! Images that are made from one another, in a registry of their own.
//!
//! | name | layers | made | what |
//! | --- | --- | --- | --- |
//! | `base` | 1 | 2024-01-01 | labels `a=1` and `org.example/name=base image`, an annotation |
//! | `mid` | 2 | 2025-06-01 | a child of base, with an author |
//! | `set` | 2 | 2025-06-01, a second later | a child of mid that changes settings only |
//! | `top` | 3 | 2026-03-01 | a child of set, label `b=2` |
//! | `alone` | 1 | never (Go's zero time) | no history |

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::registry::Registry;
use super::{TestHome, cached, images, tool};

pub const NAMES: [&str; 5] = ["base", "mid", "set", "top", "alone"];

/// A home whose registry serves the family.
#[track_caller]
pub fn home() -> TestHome {
    TestHome::new().served_by(Registry::serving(&storage()))
}

/// [`home`] with these images pulled; returns their ids.
#[track_caller]
pub fn home_with(names: &[&str]) -> (TestHome, Vec<String>) {
    let home = home();
    let ids = names
        .iter()
        .map(|name| home.pod(["pull", "-q", name]).ok())
        .collect();
    (home, ids)
}

fn storage() -> PathBuf {
    let recipe = Sha256::digest(include_str!("family.rs"));
    cached(&format!("family-{}", hex(&recipe[..8])), |storage| {
        fs::create_dir_all(storage).expect("cache is writable");
        let registry = Registry::over(storage);
        let work = storage.join("making");
        fs::create_dir_all(&work).expect("cache is writable");
        for (name, config, layers) in recipes() {
            let dir = work.join(name);
            layout(&dir, &config, layers);
            let from = format!("oci:{}:latest", dir.display());
            images::push(&registry, &from, name, &[]);
        }
        fs::remove_dir_all(&work).expect("cache is writable");
    })
}

/// Name, config and the number of layers of each.
fn recipes() -> Vec<(&'static str, Value, usize)> {
    let steps = [
        json!({"created": "2024-01-01T00:00:00Z", "created_by": "ADD rootfs", "comment": "from scratch"}),
        json!({"created": "2025-06-01T00:00:00Z", "created_by": "RUN /bin/sh -c make all the things that this image is made of", "author": "somebody"}),
        json!({"created": "2025-06-01T00:00:01Z", "created_by": "CMD [\"sh\"]", "empty_layer": true}),
        json!({"created": "2026-03-01T00:00:00.123456789Z", "created_by": "RUN last", "comment": "done"}),
    ];
    let image = |config: Value, history: &[Value]| {
        let created = history
            .last()
            .map_or(json!("0001-01-01T00:00:00Z"), |step| {
                step["created"].clone()
            });
        json!({"created": created, "architecture": "amd64", "os": "linux", "config": config, "history": history})
    };
    let mut mid = image(
        json!({"Cmd": ["sh"], "Env": ["PATH=/bin", "X=y"]}),
        &steps[..2],
    );
    mid["author"] = json!("somebody");
    let set = json!({
        "User": "app", "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/bin"], "Entrypoint": ["/bin/sh"], "Cmd": ["-l"],
        "Volumes": {"/data": {}}, "WorkingDir": "/srv", "Labels": {"a": "3"}, "StopSignal": "SIGUSR1",
    });
    vec![
        (
            "base",
            image(
                json!({"Cmd": ["sh"], "Labels": {"a": "1", "org.example/name": "base image"}}),
                &steps[..1],
            ),
            1,
        ),
        ("mid", mid, 2),
        ("set", image(set, &steps[..3]), 2),
        ("top", image(json!({"Labels": {"b": "2"}}), &steps), 3),
        ("alone", image(json!({}), &[]), 1),
    ]
}

fn layout(dir: &Path, config: &Value, layers: usize) {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("cache is writable");
    let put = |bytes: &[u8]| {
        let digest = hex(&Sha256::digest(bytes));
        fs::write(blobs.join(&digest), bytes).expect("cache is writable");
        json!({"digest": format!("sha256:{digest}"), "size": bytes.len()})
    };
    let mut config = config.clone();
    let mut diff_ids = Vec::new();
    let mut descriptors = Vec::new();
    for n in 1..=layers {
        let root = dir.join(format!("layer{n}"));
        fs::create_dir_all(&root).expect("cache is writable");
        // Files of other sizes, and of `alone` other content than of `base`.
        let content = match config["history"].as_array() {
            Some(steps) if !steps.is_empty() => "x",
            _ => "alone",
        };
        fs::write(root.join(format!("file{n}")), content.repeat(10_000 * n))
            .expect("cache is writable");
        let tar = dir.join("layer.tar");
        let pack = format!(
            "cd {} && tar -c --sort=name --numeric-owner --owner=0 --group=0 --mode=u+rw --mtime=@1700000000 * > {}",
            root.display(),
            tar.display()
        );
        tool(["sh", "-c", &pack]);
        let bytes = fs::read(&tar).expect("just made");
        let mut descriptor = put(&bytes);
        diff_ids.push(descriptor["digest"].clone());
        descriptor["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar");
        descriptors.push(descriptor);
    }
    config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
    let mut of_config = put(config.to_string().as_bytes());
    of_config["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut manifest =
        json!({"schemaVersion": 2, "mediaType": kind, "config": of_config, "layers": descriptors});
    if layers == 1 {
        manifest["annotations"] = json!({"org.example.kind": "test"});
    }
    let mut entry = put(manifest.to_string().as_bytes());
    entry["mediaType"] = json!(kind);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(dir.join("index.json"), index.to_string()).expect("cache is writable");
    fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
        .expect("cache is writable");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
