//! Every archive that pod lets in, through every door, is unpacked by the same rules; and the outer archives lie.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::tarball::{OneLayer, Tarball, sha256};
use crate::support::{Done, Registry, TestHome, images, tool};

/// What a layer wants on the host: a file and a directory that nobody may touch.
struct Canary {
    dir: PathBuf,
    before: Vec<(u32, i64, u64, Vec<u8>)>,
}

impl Canary {
    fn new(home: &TestHome) -> Self {
        let dir = home.mkdir("c");
        let file = home.write("c/canary", "alive");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let mut canary = Self {
            dir,
            before: Vec::new(),
        };
        canary.before = canary.look();
        canary
    }

    fn look(&self) -> Vec<(u32, i64, u64, Vec<u8>)> {
        let names = fs::read_dir(&self.dir).unwrap();
        let mut paths: Vec<PathBuf> = names.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.insert(0, self.dir.clone());
        paths
            .iter()
            .map(|path| {
                let found = fs::symlink_metadata(path).unwrap();
                let content = fs::read(path).unwrap_or_default();
                (found.mode(), found.mtime_nsec(), found.nlink(), content)
            })
            .collect()
    }
}

/// A name, the layer, and whether it is taken: then it is harmless inside.
fn layers(canary: &Path) -> Vec<(&'static str, Vec<u8>, bool)> {
    let up = format!("{}{}", "../".repeat(20), &canary.display().to_string()[1..]);
    let at = canary.display().to_string();
    let rel = &at[1..];
    let file = |name: &str| Tarball::new().file(name, "dead");
    let link = || Tarball::new().symlink("l", &at);
    vec![
        ("a file above", file(&format!("{up}/canary")).end(), false),
        (
            "a file above, later",
            file(&format!("a/../../{up}/canary")).end(),
            false,
        ),
        ("a directory above", Tarball::new().dir(&up).end(), false),
        (
            "an absolute name",
            file(&format!("{at}/canary")).end(),
            true,
        ),
        (
            "a file through a link",
            link().file("l/canary", "dead").end(),
            true,
        ),
        (
            "a file through a relative link",
            Tarball::new()
                .symlink("l", &up)
                .file("l/canary", "dead")
                .end(),
            true,
        ),
        (
            "a file through two links",
            link().symlink("k", "l").file("k/canary", "dead").end(),
            true,
        ),
        (
            "a directory in place of a link",
            link().dir("l").end(),
            true,
        ),
        (
            "a file in place of a link to a file",
            Tarball::new()
                .symlink("l", &format!("{at}/canary"))
                .file("l", "dead")
                .end(),
            true,
        ),
        (
            "a hard link above",
            Tarball::new().hard_link("h", &format!("{up}/canary")).end(),
            false,
        ),
        (
            "a hard link to an absolute name",
            Tarball::new().hard_link("h", &format!("{at}/canary")).end(),
            false,
        ),
        (
            "a hard link through a link",
            link().hard_link("h", "l/canary").file("h", "dead").end(),
            false,
        ),
        (
            "a hard link to a link",
            link().hard_link("h", "l").file("h/canary", "dead").end(),
            true,
        ),
        (
            "a whiteout above",
            file(&format!("{up}/.wh.canary")).end(),
            false,
        ),
        (
            "a whiteout through a link",
            link().file("l/.wh.canary", "").end(),
            true,
        ),
        (
            "an opaque mark through a link",
            link().file("l/.wh..wh..opq", "").end(),
            true,
        ),
        ("whiteouts of nothing", file(".wh.").end(), false),
        (
            "a whiteout of the directory itself",
            file(".wh..").end(),
            false,
        ),
        (
            "a whiteout of the directory above",
            file(".wh...").end(),
            false,
        ),
        (
            "overlay's attributes",
            Tarball::new()
                .pax("SCHILY.xattr.user.overlay.redirect", "/etc")
                .dir("d")
                .pax("SCHILY.xattr.trusted.overlay.opaque", "y")
                .dir("e")
                .end(),
            true,
        ),
        (
            "a device",
            Tarball::new().raw(b'3', "dev/null", "", 0, &[]).end(),
            true,
        ),
        (
            "a size that pax contradicts",
            Tarball::new()
                .pax("size", "512")
                .raw(
                    b'0',
                    "a",
                    "",
                    0,
                    &file(&format!("{up}/canary")).end()[..512],
                )
                .end(),
            true,
        ),
        (
            "a link with a size",
            Tarball::new().raw(b'2', "l", "t", 512, &[0; 512]).end(),
            false,
        ),
        (
            "a huge extended header",
            Tarball::new()
                .pax("comment", &"x".repeat(2 << 20))
                .file("a", "x")
                .end(),
            false,
        ),
        (
            "a name of many levels",
            Tarball::new()
                .pax("path", &"d/".repeat(5000))
                .file("a", "x")
                .end(),
            false,
        ),
        (
            "a member that ends early",
            Tarball::new().raw(b'0', "a", "", 4096, &[0; 512]).cut(1024),
            false,
        ),
        (
            "no archive",
            b"this is no archive at all, only text".repeat(20),
            false,
        ),
        ("nothing in it", Tarball::new().end(), true),
        (
            "an absolute link to the canary's file",
            Tarball::new()
                .symlink(&format!("{rel}/canary"), "/etc/passwd")
                .end(),
            true,
        ),
    ]
}

/// How an archive gets in; `None` for the layer's own door.
const DOORS: &[&str] = &[
    "load docker-archive",
    "load docker-archive from a pipe",
    "load docker-archive in gzip",
    "load oci-archive",
    "load oci-dir",
    "load docker-dir",
    "pull docker-archive:",
    "pull oci-archive:",
    "pull oci:",
    "pull dir:",
    "pull docker://",
    "import",
    "import from a pipe",
];

fn enter(home: &TestHome, door: &str, image: &OneLayer, registry: &Registry) -> Done {
    let work = home.path("work");
    let _ = fs::remove_dir_all(&work); // of the door before
    fs::create_dir(&work).unwrap();
    let manifest = image.manifest().to_string().into_bytes();
    let path = work.join("image");
    let shown = path.display().to_string();
    match door
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .trim_end_matches(':')
    {
        _ if door.starts_with("import") => fs::write(&path, &image.blob).unwrap(),
        "docker-archive" => fs::write(&path, image.docker_archive().end()).unwrap(),
        "oci-archive" => fs::write(&path, image.oci_archive(&manifest).end()).unwrap(),
        "oci-dir" | "oci" => image.oci_dir(&path, &manifest),
        "docker-dir" | "dir" | "docker" | "docker://" => image.docker_dir(&path),
        other => panic!("no such door: {other}"),
    }
    home.give(&work);
    match door {
        "load docker-archive from a pipe" => home.sh(&format!("cat {shown} | $POD load -q")),
        "load docker-archive in gzip" => {
            tool(["gzip", &shown]);
            home.give(&work);
            home.pod(["load", "-q", "-i", &format!("{shown}.gz")])
        }
        "pull docker://" => {
            images::push(registry, &format!("dir:{shown}"), "evil", &[]);
            home.pod(["pull", "-q", "evil"])
        }
        "import" => home.pod(["import", "-q", &shown]),
        "import from a pipe" => home.sh(&format!("cat {shown} | $POD import -q -")),
        _ if door.starts_with("load") => home.pod(["load", "-q", "-i", &shown]),
        _ => {
            let transport = door.split(' ').nth(1).unwrap_or_default();
            home.pod(["pull", "-q", &format!("{transport}{shown}")])
        }
    }
}

#[test]
fn hostile_layers_are_harmless_through_every_door() {
    let home = TestHome::new();
    let registry = Registry::start();
    home.trust(&registry.address());
    let canary = Canary::new(&home);
    let mut tried = 0;
    for (name, tar, taken) in layers(&canary.dir) {
        let image = OneLayer::new(&tar);
        for door in DOORS {
            let done = enter(&home, door, &image, &registry);
            tried += 1;
            assert_eq!(
                done.code,
                if taken { 0 } else { 125 },
                "{name}: {door}: {done}"
            );
            assert_eq!(canary.look(), canary.before, "{name}: {door}");
            let listed = home.pod(["images", "-q", "--no-trunc"]).ok();
            assert_eq!(listed.lines().count(), usize::from(taken), "{name}: {door}");
            if taken {
                home.pod(["rmi", "-f", listed.trim()]).ok();
            }
            let staging = home.path("home/.local/share/pod/staging");
            assert!(!staging.exists(), "{name}: {door} leaves something");
        }
    }
    assert!(tried >= 300, "{tried} tries");
}

/// Archives around an honest layer that lie themselves, and what the refusal says.
fn outer() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let tar = Tarball::new().file("x", "x").end();
    let image = OneLayer::new(&tar);
    let manifest = image.manifest().to_string();
    let docker = |list: &str| {
        Tarball::new()
            .file("layer.tar", &image.blob)
            .file("config.json", &image.config)
            .file("manifest.json", list)
    };
    let list = |config: &str, layers: &[&str]| {
        json!([{"Config": config, "RepoTags": null, "Layers": layers}]).to_string()
    };
    let good = list("config.json", &["layer.tar"]);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let oci = |from: &str, to: &str| {
        image
            .oci_archive(manifest.replace(from, to).as_bytes())
            .end()
    };
    let index = |from: &str, to: &str| {
        let files = image.layout(manifest.as_bytes());
        files
            .iter()
            .fold(Tarball::new(), |tar, (name, content)| {
                let text = String::from_utf8_lossy(content);
                match name.as_str() {
                    "index.json" => tar.file(name, text.replace(from, to)),
                    _ => tar.file(name, content),
                }
            })
            .end()
    };
    let layer = format!("sha256:{}", sha256(&image.blob));
    let other = format!("sha256:{}", sha256(b"other"));
    let size = format!("\"size\":{}", manifest.len());
    let wrong_diff_id = OneLayer::with_diff_id(&tar, &sha256(b"other"));
    vec![
        (
            "text",
            b"not an archive\n".repeat(100),
            "does not match any",
        ),
        ("nothing", Vec::new(), "manifest.json"),
        ("an archive of something else", tar.clone(), "manifest.json"),
        (
            "two lists",
            docker(&good).file("manifest.json", &good).end(),
            "two members",
        ),
        (
            "two layers of one name",
            docker(&good).file("layer.tar", "x").end(),
            "two members",
        ),
        (
            "a member above",
            docker(&good).file("../x", "x").end(),
            "leads out",
        ),
        (
            "no layer",
            docker(&list("config.json", &["nosuch"])).end(),
            "nosuch",
        ),
        (
            "a layer above",
            docker(&list("config.json", &["../../../../etc/passwd"])).end(),
            "/etc/passwd",
        ),
        (
            "an absolute layer",
            docker(&list("config.json", &["/etc/passwd"])).end(),
            "/etc/passwd",
        ),
        (
            "no config",
            docker(&list("/etc/passwd", &["layer.tar"])).end(),
            "/etc/passwd",
        ),
        (
            "more layers than the config has",
            docker(&list("config.json", &["layer.tar", "layer.tar"])).end(),
            "2",
        ),
        ("a list that is deep", docker(&deep).end(), "deep"),
        (
            "a list that is huge",
            docker(&" ".repeat(5 << 20)).end(),
            "more than",
        ),
        ("a list that is empty", docker("[]").end(), "lists no image"),
        (
            "a list that is a link to the host",
            Tarball::new().symlink("manifest.json", "/etc/passwd").end(),
            "manifest.json",
        ),
        (
            "links in a circle",
            Tarball::new()
                .symlink("manifest.json", "a")
                .symlink("a", "manifest.json")
                .end(),
            "circle",
        ),
        (
            "a list that is a directory",
            Tarball::new().dir("manifest.json/").end(),
            "manifest.json",
        ),
        (
            "a list that is a device",
            Tarball::new().raw(b'3', "manifest.json", "", 0, &[]).end(),
            "no regular file",
        ),
        (
            "a layer of another diff id",
            wrong_diff_id.docker_archive().end(),
            "sha256:",
        ),
        (
            "the end is missing",
            docker(&good).cut(1000),
            "ends in the middle",
        ),
        ("a layer of another digest", oci(&layer, &other), "sha256:"),
        (
            "a layer of another size",
            oci(&format!("\"size\":{}", tar.len()), "\"size\":9"),
            "instead of",
        ),
        (
            "a layer of a negative size",
            oci(&format!("\"size\":{}", tar.len()), "\"size\":-9"),
            "negative",
        ),
        (
            "a manifest of another size",
            index(&size, "\"size\":7"),
            "instead of 7",
        ),
        (
            "a manifest of another digest",
            index(&sha256(manifest.as_bytes()), &sha256(b"other")),
            "blobs/sha256/",
        ),
        (
            "a digest that is a path",
            index("sha256:", "sha256:../../"),
            "parse digest",
        ),
        (
            "a manifest that is an index too",
            oci("\"schemaVersion\"", "\"manifests\":[],\"schemaVersion\""),
            "both",
        ),
    ]
}

#[test]
fn archives_that_lie_are_refused_with_a_reason() {
    let home = TestHome::new();
    for (name, bytes, says) in outer() {
        let path = home.mkdir("work").join("outer.tar");
        fs::write(&path, bytes).unwrap();
        home.give(&path);
        let shown = path.display().to_string();
        for done in [
            home.pod(["load", "-q", "-i", &shown]),
            home.sh(&format!("gzip -c {shown} | $POD load -q")),
        ] {
            assert_eq!(done.code, 125, "{name}: {done}");
            assert!(done.stderr.contains(says), "{name}: {says}: {done}");
            assert_eq!(done.stderr.lines().count(), 1, "{name}: {done}");
        }
        assert_eq!(home.pod(["images", "-q"]).ok(), "", "{name}");
        assert!(
            !home.path("home/.local/share/pod/staging").exists(),
            "{name}"
        );
    }
}

#[test]
fn directories_that_lie_are_refused_with_a_reason() {
    let home = TestHome::new();
    let image = OneLayer::new(&Tarball::new().file("x", "x").end());
    let manifest = image.manifest().to_string().into_bytes();
    let secret = home.write("secret", "x");
    let blob = format!("blobs/sha256/{}", sha256(&image.blob));
    for (name, command, says) in [
        (
            "a link out of it",
            format!("ln -sf {}", secret.display()),
            "sha256",
        ),
        (
            "a link above",
            "ln -sf ../../../../secret".to_owned(),
            "sha256",
        ),
        ("a FIFO", "mkfifo".to_owned(), "no regular file"),
        ("a directory", "mkdir".to_owned(), "no regular file"),
    ] {
        let dir = home.mkdir("work").join("layout");
        let _ = fs::remove_dir_all(&dir); // of the case before
        image.oci_dir(&dir, &manifest);
        let path = dir.join(&blob);
        fs::remove_file(&path).unwrap();
        tool(["sh", "-c", &format!("{command} {}", path.display())]);
        tool(["chown", "-Rh", &home.user.name, &dir.display().to_string()]);
        let done = home.pod(["load", "-q", "-i", &dir.display().to_string()]);
        assert_eq!(done.code, 125, "{name}: {done}");
        assert!(done.stderr.contains(says), "{name}: {done}");
    }
}

#[test]
fn compressed_bombs_and_truncated_streams_are_refused() {
    let home = TestHome::new();
    let tar = OneLayer::new(&Tarball::new().file("x", vec![7; 300_000]).end());
    let path = home.mkdir("work").join("x.tar");
    fs::write(&path, tar.docker_archive().end()).unwrap();
    home.give(&path);
    let shown = path.display();
    for (tool, end) in [
        ("gzip", "gz"),
        ("zstd -q", "zst"),
        ("xz", "xz"),
        ("bzip2", "bz2"),
    ] {
        let script = format!(
            "{tool} -c {shown} > {shown}.{end}; n=$(stat -c %s {shown}.{end}); head -c $((n / 2)) {shown}.{end} | $POD load -q"
        );
        let done = home.sh(&script);
        assert_eq!(done.code, 125, "{tool}: {done}");
        let done = home.sh(&format!("$POD load -q < {shown}.{end}"));
        assert_eq!(done.ok(), "Loaded image: localhost/one:1", "{tool}");
        home.pod(["rmi", "localhost/one:1"]).ok();
    }
}

/// However large an image is, and however many files it has, no process needs more than 64 MiB for it.
#[test]
fn memory_does_not_grow_with_the_image() {
    let home = TestHome::new();
    let registry = Registry::start();
    home.trust(&registry.address());
    let home = home.behind(["prlimit", "--data=67108864"]);
    let many = (0..40_000).fold(Tarball::new(), |tar, number| {
        tar.file(&format!("{:0>80}/{number}", number / 500), "")
    });
    let large = Tarball::new().file("large", vec![7; 192 << 20]).end();
    for (name, tar) in [("large", large), ("many", many.end())] {
        let blob = zstd::bulk::compress(&tar, 1).unwrap();
        let image = OneLayer::with_diff_id(&blob, &sha256(&tar));
        for door in ["pull docker://", "load oci-archive"] {
            let done = enter(&home, door, &image, &registry);
            assert_eq!(done.code, 0, "{name}: {door}: {done}");
            home.pod(["rmi", "-a", "-f"]).ok();
        }
    }
}
