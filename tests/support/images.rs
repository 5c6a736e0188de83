//! The images of the tests, made once and kept below `target/test-cache`: a registry's storage holds them all.
//!
//! | name | what |
//! | --- | --- |
//! | `busybox` | a static busybox with its links, `/etc/passwd` (root, nobody, app = 1000) |
//! | `nginx` | Debian and nginx from packages, see `scripts/nginx-image` |
//! | `layers` | six layers: whiteouts, an opaque directory, hard links, a symlink, modes, owners |
//! | `zstd` `plain` | busybox with the layer in the other two compressions |
//! | `multi` | an index: this machine's platform and s390x |
//! | the others | busybox with an odd config, see [`ODD`] |

use std::fs;
use std::path::{Path, PathBuf};

use super::registry::Registry;
use super::{cached, tool};

/// One odd image: its name and the `config` object it carries.
pub struct Odd {
    pub name: &'static str,
    pub config: &'static str,
}

/// Busybox with these configs.
pub const ODD: &[Odd] = &[
    Odd {
        name: "configured",
        config: r#"{
            "User": "app", "WorkingDir": "/srv/made/here", "Env": ["PATH=/bin:/opt", "COLOUR=green", "EMPTY="],
            "Entrypoint": ["/bin/echo", "entry"], "Cmd": ["cmd", "two words"],
            "ExposedPorts": {"8080/tcp": {}, "5353/udp": {}}, "Labels": {"made.by": "tests"}
        }"#,
    },
    Odd {
        name: "volume",
        config: r#"{"Cmd": ["sh"], "Volumes": {"/srv/data": {}, "/etc/kept": {}}}"#,
    },
    Odd {
        name: "stopsignal",
        config: r#"{"Cmd": ["sh", "-c", "trap 'echo got usr1; exit 7' USR1; echo ready; while :; do read _ < /dev/zero & wait; done"], "StopSignal": "SIGUSR1"}"#,
    },
    Odd {
        name: "nouser",
        config: r#"{"Cmd": ["true"], "User": "nosuch"}"#,
    },
    Odd {
        name: "numericuser",
        config: r#"{"Cmd": ["id"], "User": "1234:5678"}"#,
    },
    Odd {
        name: "nocommand",
        config: "{}",
    },
    Odd {
        name: "missing",
        config: r#"{"Cmd": ["/no/such/program"]}"#,
    },
    Odd {
        name: "escapes",
        config: r#"{"Cmd": ["true"], "Labels": {"evil": "\u001b]0;owned\u0007\u001b[2J"}}"#,
    },
    Odd {
        name: "web",
        config: r#"{"Cmd": ["httpd", "-f", "-v", "-p", "80", "-h", "/srv"], "ExposedPorts": {"80/tcp": {}, "9000/udp": {}}}"#,
    },
];

/// Storage of a docker-registry that holds all images. Never written to after it was made.
pub fn storage() -> PathBuf {
    cached(&format!("registry-{}", recipe_version()), |storage| {
        fs::create_dir_all(storage).expect("cache is writable");
        let registry = Registry::over(storage);
        let push = |layout: &Path, name: &str| {
            let from = format!("oci:{}:latest", layout.display());
            push(&registry, &from, name, &[]);
        };
        let nginx = cached(
            &format!(
                "nginx-{}",
                version(include_str!("../../scripts/nginx-image"))
            ),
            |dir| {
                tool([script("nginx-image").as_path(), dir]);
            },
        );
        push(&nginx, "nginx");
        let work = storage.join("making");
        fs::create_dir_all(&work).expect("cache is writable");
        let gz = pack_busybox(&work);
        let shell = r#"{"Cmd": ["sh"], "Env": ["PATH=/bin"]}"#;
        push(&layout(&work, "busybox", "amd64", shell, &[&gz]), "busybox");
        for odd in ODD {
            push(
                &layout(&work, odd.name, "amd64", odd.config, &[&gz]),
                odd.name,
            );
        }
        push(
            &layout(&work, "otherarch", "s390x", shell, &[&gz]),
            "otherarch",
        );
        let plain = work.join("plain.tar");
        let zstd = work.join("busybox.tar.zst");
        tool([
            "sh",
            "-c",
            &format!("gzip -dc {} > {}", gz.display(), plain.display()),
        ]);
        tool([
            "zstd",
            "-q",
            "-o",
            &zstd.display().to_string(),
            &plain.display().to_string(),
        ]);
        push(&layout(&work, "plain", "amd64", shell, &[&plain]), "plain");
        push(&layout(&work, "zstd", "amd64", shell, &[&zstd]), "zstd");
        let six = pack_layers(&work);
        let mut all = vec![gz.as_path()];
        all.extend(six.iter().map(PathBuf::as_path));
        push(&layout(&work, "layers", "amd64", shell, &all), "layers");
        let from = format!("oci:{}:latest", multi(&work, &gz).display());
        self::push(&registry, &from, "multi", &["--all"]);
        fs::remove_dir_all(&work).expect("cache is writable");
    })
}

/// Copies an image by skopeo to `NAME:latest` of a registry.
pub fn push(registry: &Registry, from: &str, name: &str, flags: &[&str]) {
    let to = format!("docker://{}/{name}:latest", registry.address());
    let fixed = [
        "skopeo",
        "copy",
        "-q",
        "--insecure-policy",
        "--dest-tls-verify=false",
    ];
    tool(
        fixed
            .iter()
            .chain(flags)
            .copied()
            .chain([from, to.as_str()]),
    );
}

/// A busybox layout for a registry of a test's own.
pub fn busybox_layout() -> PathBuf {
    cached("busybox", |dir| {
        fs::create_dir_all(dir).expect("cache is writable");
        let gz = pack_busybox(dir);
        layout_at(
            dir,
            "amd64",
            r#"{"Cmd": ["sh"], "Env": ["PATH=/bin"]}"#,
            &[&gz],
        );
        tool([Path::new("rm"), Path::new("-rf"), &gz, &dir.join("rootfs")]);
    })
}

/// Changes whenever this file does, so that an edited recipe is cooked again.
fn recipe_version() -> String {
    version(concat!(
        include_str!("images.rs"),
        include_str!("../../scripts/oci-layout"),
        include_str!("../../scripts/nginx-image"),
    ))
}

/// FNV-1a: names a text, and need not be strong.
fn version(text: &str) -> String {
    let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{sum:016x}")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name)
}

fn layout(work: &Path, name: &str, arch: &str, config: &str, layers: &[&Path]) -> PathBuf {
    let dir = work.join("layouts").join(name);
    fs::create_dir_all(&dir).expect("cache is writable");
    layout_at(&dir, arch, config, layers);
    dir
}

fn layout_at(dir: &Path, arch: &str, config: &str, layers: &[&Path]) {
    let mut words = vec![
        script("oci-layout").into_os_string(),
        dir.into(),
        arch.into(),
        config.into(),
    ];
    words.extend(layers.iter().map(|l| l.as_os_str().to_owned()));
    tool(words);
}

fn pack_busybox(work: &Path) -> PathBuf {
    let tar = work.join("busybox.tar.gz");
    let make = format!(
        "set -e; root={work}/rootfs; rm -rf $root; mkdir -p $root; cd $root
        mkdir -p bin etc/kept dev proc sys tmp root run srv/data home/app usr/bin opt
        cp /bin/busybox bin/busybox
        for name in $(bin/busybox --list); do [ $name = busybox ] || ln -s busybox bin/$name; done
        printf 'root:x:0:0:root:/root:/bin/sh\\nnobody:x:65534:65534:nobody:/:/bin/false\\napp:x:1000:1000:app:/home/app:/bin/sh\\n' > etc/passwd
        printf 'root:x:0:\\nnogroup:x:65534:\\napp:x:1000:\\nextra:x:2000:app\\n' > etc/group
        echo from the image > srv/data/seed; echo 'hello from busybox' > srv/index.html
        printf 'not a program\\n' > opt/plain; chmod 644 opt/plain
        printf '\\177ELF garbage' > opt/garbage; chmod 755 opt/garbage
        chmod 1777 tmp; chown -R 1000:1000 home/app
        tar --create --sort=name --numeric-owner --mtime=@1767225600 . | gzip -1n > {tar}",
        work = work.display(),
        tar = tar.display(),
    );
    tool(["sh", "-c", &make]);
    tar
}

/// Five more layers above busybox; what the union must look like is in `pull.rs`.
fn pack_layers(work: &Path) -> Vec<PathBuf> {
    let recipes = [
        "mkdir -p a/deep b; echo 1 > a/one; echo 1 > a/two; echo 1 > a/deep/file; echo 1 > b/gone; echo 1 > b/stays",
        "mkdir -p a; echo 2 > a/two; echo 2 > a/hard; ln a/hard a/linked; ln -s /a/hard a/sym",
        "mkdir -p a b; : > a/.wh.one; : > b/.wh.gone; mkfifo a/fifo",
        "mkdir -p a/deep; : > a/deep/.wh..wh..opq; echo 4 > a/deep/new",
        "mkdir -p a own; echo 5 > own/file; chown 1000:2000 own/file; chmod 4750 own/file; chmod 2711 own",
    ];
    let pack = |(n, recipe): (usize, &&str)| {
        let tar = work.join(format!("layer{n}.tar.gz"));
        let make = format!(
            "set -e; mkdir {work}/l{n}; cd {work}/l{n}; {recipe}; tar -c --sort=name --numeric-owner * | gzip -n > {tar}",
            work = work.display(),
            tar = tar.display(),
        );
        tool(["sh", "-c", &make]);
        tar
    };
    recipes.iter().enumerate().map(pack).collect()
}

/// One layout whose index names two platforms.
fn multi(work: &Path, gz: &Path) -> PathBuf {
    let here = layout(
        work,
        "multi",
        "amd64",
        r#"{"Cmd": ["echo", "amd64"]}"#,
        &[gz],
    );
    let other = layout(
        work,
        "multi-other",
        "s390x",
        r#"{"Cmd": ["echo", "s390x"]}"#,
        &[gz],
    );
    let first = |dir: &Path, arch: &str| -> serde_json::Value {
        let text = fs::read_to_string(dir.join("index.json")).expect("just made");
        let index: serde_json::Value = serde_json::from_str(&text).expect("just made");
        let mut entry = index["manifests"][0].clone();
        entry["platform"] = serde_json::json!({"os": "linux", "architecture": arch});
        entry["annotations"].take();
        entry
            .as_object_mut()
            .expect("an object")
            .remove("annotations");
        entry
    };
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [first(&other, "s390x"), first(&here, "amd64")],
    });
    tool([
        "sh",
        "-c",
        &format!(
            "cp {}/blobs/sha256/* {}/blobs/sha256/",
            other.display(),
            here.display()
        ),
    ]);
    let text = index.to_string();
    let part = here.join("index.part");
    fs::write(&part, &text).expect("cache is writable");
    let sum = tool([Path::new("sha256sum"), &part]);
    let digest = sum.split(' ').next().expect("a digest").to_owned();
    fs::rename(&part, here.join("blobs/sha256").join(&digest)).expect("same directory");
    let top = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "digest": format!("sha256:{digest}"),
            "size": text.len(),
            "annotations": {"org.opencontainers.image.ref.name": "latest"},
        }],
    });
    fs::write(here.join("index.json"), top.to_string()).expect("cache is writable");
    here
}
