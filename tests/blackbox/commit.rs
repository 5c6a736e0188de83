//! `commit export diff`: what a container wrote, as an image, an archive, a list. Independent tools read the results.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};

use crate::support::process::{Done, Running};
use crate::support::{Lane, Registry, TestHome, lane, tool};

/// Changes of every kind, in the image `layers`.
const CHANGES: &str = r#"set -e
    echo hi > /new; ln /new /linked; ln /new /a/again; ln -s ../new /a/rel; mkfifo -m 640 /fifo
    mkdir -p /d/e; echo x > /d/e/f; chmod 4755 /d/e/f; chmod 1777 /d; : > /d/empty
    rm /a/two; rm -rf /b; mkdir /b; echo anew > /b/file; rm -rf /etc/kept; echo now a file > /etc/kept
    echo more >> /own/file; chmod 2750 /own/file
    touch -d @1000000000 /new; touch -h -d @1000000001 /a/rel; touch -d @1000000002 /d
    long=$(printf %0120d 0); mkdir -p /$long/$long; echo deep > /$long/$long/$long; ln -s /$long/$long /longlink
    echo u > /Grüße; dd if=/dev/zero of=/sparse bs=1 count=1 seek=8388607 2>/dev/null; echo z >> /sparse"#;

/// Only where there are ids to give.
const OWNERS: &str =
    "\nchown 1000:2000 /d/e /fifo; chown -h 7:8 /a/rel; chown 65534:1 /d/e/f; chmod 4755 /d/e/f";

fn changes() -> String {
    match lane() {
        Lane::Bare => CHANGES.to_owned(),
        _ => format!("{CHANGES}{OWNERS}"),
    }
}

/// A container `c` of the image `layers`, with everything in it that an image can hold.
fn changed(home: &TestHome) {
    home.mkdir("home/out");
    home.pod(["pull", "-q", "layers"]).ok();
    home.pod([
        "run",
        "--name=c",
        "--network=none",
        "layers",
        "sh",
        "-c",
        &changes(),
    ])
    .ok();
    let id = home.inspect("c", "{{.Id}}");
    let upper = home.path(&format!("home/.local/share/pod/containers/{id}/upper"));
    let set = |name: &str, attribute: &str, value: &[u8]| {
        lsetxattr(upper.join(name), attribute, value, XattrFlags::empty()).unwrap();
    };
    set("new", "user.colour", b"dark\0blue\n=");
    set("d", "user.place", b"here");
    // cap_net_raw=ep, as setcap(8) writes it.
    set("d/e/f", "security.capability", &CAPABILITY);
}

const CAPABILITY: [u8; 20] = [
    1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// Everything that an archive can say of a tree, a line for each name.
fn listing(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    let mut todo = vec![root.to_path_buf()];
    while let Some(dir) = todo.pop() {
        let mut entries: Vec<_> = fs::read_dir(&dir)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        entries.sort();
        for path in entries {
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().to_path_buf();
            let kind = meta.file_type();
            let what = if kind.is_dir() {
                todo.push(path.clone());
                "directory".to_owned()
            } else if kind.is_symlink() {
                format!("link to {}", fs::read_link(&path).unwrap().display())
            } else if kind.is_fifo() {
                "fifo".to_owned()
            } else {
                let text = fs::read(&path).unwrap();
                let sum = text.iter().fold(7_u64, |sum, byte| {
                    sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
                });
                format!("{} bytes {sum:x}", text.len())
            };
            let mode = if kind.is_symlink() {
                0
            } else {
                meta.mode() & 0o7777
            };
            let mut line = format!(
                "{what} {mode:o} {}:{} at {}",
                meta.uid(),
                meta.gid(),
                meta.mtime()
            );
            for (attribute, value) in attributes(&path) {
                line += &format!(" {attribute}={value:?}");
            }
            if !kind.is_dir() && meta.nlink() > 1 {
                line += &format!(" one of {}", meta.nlink());
                first_names
                    .entry(meta.ino())
                    .or_insert_with(Vec::new)
                    .push(name.clone());
            }
            found.insert(name, line);
        }
    }
    for mut names in first_names.into_values() {
        names.sort();
        for name in &names {
            let line = found.get_mut(name).unwrap();
            *line += &format!(", with {}", names[0].display());
        }
    }
    found
}

fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut list = vec![0u8; 4096];
    let len = llistxattr(path, &mut list[..]).unwrap_or(0);
    list[..len]
        .split(|byte| *byte == 0)
        .filter(|name| name.starts_with(b"user.") || *name == b"security.capability")
        .map(|name| {
            let mut value = vec![0u8; 4096];
            let len = lgetxattr(path, name, &mut value[..]).unwrap();
            (
                String::from_utf8_lossy(name).into_owned(),
                value[..len].to_vec(),
            )
        })
        .collect()
}

/// `pod export`, unpacked by GNU tar as root.
fn exported(home: &TestHome, container: &str) -> PathBuf {
    let (archive, dir) = (
        home.path("home/out/export.tar"),
        home.mkdir("home/out/export"),
    );
    home.pod(["export", "-o", archive.to_str().unwrap(), container])
        .ok();
    let unpack = "tar -C \"$2\" --numeric-owner --xattrs --xattrs-include='*' -xpf \"$1\"";
    let words = [
        "sh",
        "-c",
        unpack,
        "sh",
        archive.to_str().unwrap(),
        dir.to_str().unwrap(),
    ];
    tool(words);
    dir
}

fn saved(home: &TestHome, image: &str, name: &str) -> PathBuf {
    let archive = home.path(&format!("home/out/{name}.tar"));
    let to = archive.to_str().unwrap();
    home.pod(["save", "-q", "--format=oci-archive", "-o", to, image])
        .ok();
    archive
}

fn in_image(home: &TestHome, image: &str, script: &str) -> String {
    home.pod(["run", "--rm", "--network=none", image, "sh", "-c", script])
        .ok()
}

/// `pod ARGS` as the user, traced by root, so that setuid programs keep their rights.
fn traced<const N: usize>(home: &TestHome, tracer: &[&str], args: [&str; N]) -> Done {
    let inner = home.command(args);
    let user = inner
        .get_envs()
        .find(|(name, _)| *name == "USER")
        .and_then(|(_, value)| value);
    let mut command = Command::new(tracer[0]);
    command
        .args(&tracer[1..])
        .arg("-u")
        .arg(user.expect("every command has it"))
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(home.path("home"))
        .env_clear()
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    Running::start(command, false).wait()
}

#[track_caller]
fn assert_same(got: &BTreeMap<PathBuf, String>, want: &BTreeMap<PathBuf, String>) {
    let names: std::collections::BTreeSet<_> = got.keys().chain(want.keys()).collect();
    let differ: Vec<String> = names
        .into_iter()
        .filter(|name| got.get(*name) != want.get(*name))
        .map(|name| {
            format!(
                "{}\n  got  {:?}\n  want {:?}",
                name.display(),
                got.get(name),
                want.get(name)
            )
        })
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn other_tools_read_from_a_committed_image_what_the_container_had() {
    let home = TestHome::with_registry();
    changed(&home);
    let want = listing(&exported(&home, "c"));
    let owner = match lane() {
        Lane::Bare => " 4755 0:0 ",
        _ => " 4755 65534:1 ",
    };
    assert!(want[Path::new("d/e/f")].contains(owner), "{want:?}");
    assert!(
        want[Path::new("d/e/f")].contains("security.capability="),
        "{want:?}"
    );
    assert!(
        want[Path::new("new")].ends_with("one of 3, with a/again"),
        "{want:?}"
    );
    assert!(want[Path::new("new")].contains("user.colour="), "{want:?}");
    assert!(
        want[Path::new("own/file")].contains(" 2750 1000:2000 "),
        "{want:?}"
    );
    for gone in ["a/two", "b/stays"] {
        assert!(!want.contains_key(Path::new(gone)), "{gone}");
    }
    home.pod(["commit", "-q", "c", "one"]).ok();
    let archive = saved(&home, "one", "one");

    // umoci unpacks layer by layer.
    let layout = home.path("home/out/layout");
    let (from, to) = (
        format!("oci-archive:{}", archive.display()),
        format!("oci:{}:one", layout.display()),
    );
    tool(["skopeo", "copy", "-q", "--insecure-policy", &from, &to]);
    let bundle = home.path("home/out/bundle");
    let image = format!("{}:one", layout.display());
    tool([
        "umoci",
        "unpack",
        "--image",
        &image,
        bundle.to_str().unwrap(),
    ]);
    assert_same(&listing(&bundle.join("rootfs")), &want);

    // Podman loads it into a store of its own.
    let (root, run) = (
        home.path("home/out/podman"),
        home.path("home/out/podman-run"),
    );
    let podman = format!(
        "podman --storage-driver=vfs --root={} --runroot={}",
        root.display(),
        run.display()
    );
    tool([
        "sh",
        "-c",
        &format!("{podman} load -q -i {}", archive.display()),
    ]);
    let mounted = tool(["sh", "-c", &format!("{podman} image mount localhost/one")]);
    let got = listing(Path::new(&mounted));
    // It writes whole seconds and its own view of capabilities; the rest is the same.
    assert_same(&got, &want);
    tool([
        "sh",
        "-c",
        &format!("{podman} image umount -a && {podman} rmi -af"),
    ]);

    // And so does pod itself, from its own archive into an empty store.
    let second = [
        "--root",
        home.path("home/second").to_str().unwrap().to_owned().leak(),
    ];
    home.pod([
        second[0],
        second[1],
        "load",
        "-q",
        "-i",
        archive.to_str().unwrap(),
    ])
    .ok();
    home.pod([
        second[0],
        second[1],
        "create",
        "--name=again",
        "localhost/one",
        "true",
    ])
    .ok();
    fs::remove_dir_all(home.path("home/out/export")).unwrap();
    let archive = home.path("home/out/again.tar");
    home.pod([
        second[0],
        second[1],
        "export",
        "-o",
        archive.to_str().unwrap(),
        "again",
    ])
    .ok();
    let dir = home.mkdir("home/out/again");
    let unpack = "tar -C \"$2\" --numeric-owner --xattrs --xattrs-include='*' -xpf \"$1\"";
    tool([
        "sh",
        "-c",
        unpack,
        "sh",
        archive.to_str().unwrap(),
        dir.to_str().unwrap(),
    ]);
    assert_same(&listing(&dir), &want);
    home.pod([second[0], second[1], "rm", "again"]).ok();
}

#[test]
fn a_squashed_image_has_one_layer_and_the_same_tree() {
    let home = TestHome::with_registry();
    changed(&home);
    let want = listing(&exported(&home, "c"));
    home.pod(["commit", "-q", "-s", "c", "flat"]).ok();
    let layers = home.pod([
        "image",
        "inspect",
        "-f",
        "{{len .RootFS.Layers}} {{len .History}}",
        "flat",
    ]);
    assert_eq!(layers.ok(), "1 1");
    let archive = saved(&home, "flat", "flat");
    let layout = home.path("home/out/layout");
    let (from, to) = (
        format!("oci-archive:{}", archive.display()),
        format!("oci:{}:one", layout.display()),
    );
    tool(["skopeo", "copy", "-q", "--insecure-policy", &from, &to]);
    let bundle = home.path("home/out/bundle");
    let image = format!("{}:one", layout.display());
    tool([
        "umoci",
        "unpack",
        "--image",
        &image,
        bundle.to_str().unwrap(),
    ]);
    assert_same(&listing(&bundle.join("rootfs")), &want);
}

#[test]
fn an_image_says_what_its_container_was() {
    let home = TestHome::with_busybox();
    let flags = [
        "run",
        "--name=c",
        "--network=none",
        "-e",
        "COLOUR=red",
        "-l",
        "a=b",
        "-w",
        "/tmp",
        "-u",
        "1000",
    ];
    let words = ["--expose", "90", "busybox", "sh", "-c", "echo hi > /tmp/x"];
    home.pod(flags.iter().chain(&words).copied()).ok();
    let iid = home.mkdir("home/out").join("iid");
    let done = home.pod([
        "commit",
        "-a",
        "Ann",
        "-c",
        "ENV COLOUR=blue",
        "-c",
        "CMD [\"cat\", \"/tmp/x\"]",
        "-c",
        "LABEL e=\"f g\"",
        "-c",
        "EXPOSE 80",
        "--iidfile",
        iid.to_str().unwrap(),
        "c",
        "img:1",
    ]);
    let id = done.ok();
    assert_eq!(
        (id.len(), fs::read_to_string(iid).unwrap()),
        (64, id.clone())
    );
    let shown = home.pod([
        "image", "inspect", "-f",
        "{{.Author}} {{.Config.Env}} {{.Config.Cmd}} {{.Config.User}} {{.Config.WorkingDir}} {{json .Config.Labels}} \
         {{json .Config.ExposedPorts}} {{.RepoTags}} {{.ManifestType}}",
        &id,
    ]);
    assert_eq!(
        shown.ok(),
        "Ann [PATH=/bin container=podman COLOUR=blue] [cat /tmp/x] 1000 /tmp {\"a\":\"b\",\"e\":\"f g\"} \
         {\"80/tcp\":{},\"90/tcp\":{}} [localhost/img:1] application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(
        home.pod(["run", "--rm", "--network=none", "img:1"]).ok(),
        "hi"
    );
    let history = home.pod([
        "image",
        "inspect",
        "-f",
        "{{(index .History 1).Comment}}",
        &id,
    ]);
    assert_eq!(history.ok(), "FROM docker.io/library/busybox:latest");
    // Docker's format has room for a message; without a name there is the id only.
    let docker = home
        .pod(["commit", "-q", "-f", "docker", "-m", "a note", "c"])
        .ok();
    let shown = home.pod([
        "image",
        "inspect",
        "-f",
        "{{.Comment}} {{.ManifestType}} {{.RepoTags}}",
        &docker,
    ]);
    assert_eq!(
        shown.ok(),
        "a note application/vnd.docker.distribution.manifest.v2+json []"
    );
}

#[test]
fn mistakes_change_nothing() {
    let home = TestHome::with_busybox();
    home.pod(["create", "--name=c", "busybox", "true"]).ok();
    let before = home.snapshot();
    let cases: [(&[&str], &str); 12] = [
        (&["commit"], "accepts between 1 and 2 arg(s), received 0"),
        (
            &["commit", "a", "b", "c"],
            "accepts between 1 and 2 arg(s), received 3",
        ),
        (
            &["commit", "nosuch"],
            "no container with name or ID \"nosuch\" found: no such container",
        ),
        (
            &["commit", "-f", "x", "c"],
            "unrecognized image format \"x\"",
        ),
        (
            &["commit", "-m", "x", "c"],
            "messages are only compatible with the docker image format (-f docker)",
        ),
        (
            &["commit", "-c", "FROM x", "c"],
            "invalid change \"FROM x\" - invalid instruction FROM",
        ),
        (&["export"], "accepts 1 arg(s), received 0"),
        (
            &["export", "nosuch"],
            "no container with name or ID \"nosuch\" found: no such container",
        ),
        (
            &["diff"],
            "\"pod diff\" requires a name, id, or the \"--latest\" flag",
        ),
        (&["diff", "nosuch"], "nosuch not found: layer not known"),
        (
            &["diff", "--format", "x", "c"],
            "only supported value for '--format' is 'json'",
        ),
        (
            &["diff", "-l", "c"],
            "--latest and containers cannot be used together",
        ),
    ];
    for (words, want) in cases {
        let done = home.pod(words.iter().copied());
        assert_eq!(
            (done.code, done.stderr.as_str()),
            (125, format!("Error: {want}\n").as_str()),
            "{done}"
        );
    }
    let done = home.pod(["commit", "c", "UPPER/Case"]);
    assert_eq!(done.code, 125, "{done}");
    let terminal = home.terminal(["export", "c"]);
    terminal.wait_for("refusing to export to terminal. Use -o flag or redirect");
    assert_eq!(terminal.wait().code, 125);
    home.assert_as_before(&before, &done);
}

#[test]
fn changes_are_told_as_podman_tells_them() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "layers"]).ok();
    let script = "rm /a/hard; echo 1 > /a/made; rm -rf /b; mkdir /b; : > /b/c; mkdir -p /x/y; chmod 700 /own/file; \
                  rm -r /srv; touch /etc/passwd; : > /run/file; ln -s x /l; rm /a/deep/new; : > /a/deep/new";
    home.pod([
        "run",
        "--name=c",
        "--network=none",
        "layers",
        "sh",
        "-c",
        script,
    ])
    .ok();
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let got = sorted(home.pod(["diff", "c"]).ok());
    let want = [
        "A /a/made",
        "A /b/c",
        "A /l",
        "A /run/file",
        "A /x",
        "A /x/y",
        "C /a",
        "C /a/deep",
        "C /a/deep/new",
        "C /etc/passwd",
        "C /own/file",
        "D /a/hard",
        "D /b",
        "D /srv",
    ];
    assert_eq!(got, want);
    assert_eq!(sorted(home.pod(["diff", "-l"]).ok()), want);
    assert_eq!(sorted(home.pod(["container", "diff", "c"]).ok()), want);
    home.pod(["commit", "-q", "c", "img"]).ok();
    assert_eq!(
        sorted(home.pod(["diff", "img"]).ok()),
        want,
        "the image's layer is the container's"
    );
    let json: serde_json::Value =
        serde_json::from_str(&home.pod(["diff", "--format=json", "c"]).ok()).unwrap();
    assert_eq!(
        json["deleted"],
        serde_json::json!(["/a/hard", "/b", "/srv"])
    );
    // Of two trees, what the first has otherwise.
    let between = sorted(home.pod(["diff", "img", "layers"]).ok());
    for line in [
        "A /a/made",
        "A /b/c",
        "D /srv",
        "C /own/file",
        "D /b/stays",
        "C /b",
    ] {
        assert!(
            between.iter().any(|known| known == line),
            "{line} in {between:?}"
        );
    }
    assert_eq!(home.pod(["diff", "img", "img"]).ok(), "");
    assert_eq!(
        home.pod(["image", "diff", "c-ontainer"]).code,
        125,
        "a container is no image"
    );
}

#[test]
fn a_committed_layer_is_written_again_bit_for_bit() {
    let home = TestHome::with_registry();
    changed(&home);
    home.pod(["commit", "-q", "c", "one"]).ok();
    let layer = home
        .pod([
            "image",
            "inspect",
            "-f",
            "{{index .RootFS.Layers 6}}",
            "one",
        ])
        .ok();
    let hex = layer.strip_prefix("sha256:").unwrap();
    let store = home.path("home/.local/share/pod");
    assert!(
        !store.join("blobs/sha256").join(hex).exists(),
        "its bytes are kept once"
    );
    let first = saved(&home, "one", "first");
    // Compressed, on its way to other engines.
    let in_archive = |archive: &Path| {
        let (archive, out) = (archive.display(), home.path("home/out/blobs"));
        let script = format!(
            "rm -rf {out}; mkdir {out}; tar -C {out} -xf {archive}; for f in {out}/blobs/sha256/*; do \
             gzip -dc $f 2>/dev/null | sha256sum; done",
            out = out.display()
        );
        tool(["sh", "-c", &script])
    };
    assert!(in_archive(&first).contains(hex));
    // What is not in an archive may change: times of access and of change, the order of names on the disk.
    let trees: Vec<PathBuf> = fs::read_dir(store.join("layers"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    let tree = trees
        .iter()
        .find(|dir| fs::read_to_string(dir.join("meta.json")).is_ok_and(|meta| meta.contains(hex)));
    let tree = tree.unwrap().join("tree");
    let stir = "cd \"$1\" && touch -a new d/e/f && chmod 755 d/e && mv new aside && mv aside new && \
                m=$(stat -c %y .) && ls -R >/dev/null";
    tool(["sh", "-c", stir, "sh", tree.to_str().unwrap()]);
    let second = saved(&home, "one", "second");
    assert!(in_archive(&second).contains(hex));
    assert_eq!(
        fs::read(&first).unwrap().len(),
        fs::read(&second).unwrap().len()
    );
    // What is in it must not: the archive would lie.
    fs::write(tree.join("d/empty"), "not any more").unwrap();
    let to = home.path("home/out/third.tar");
    let done = home.pod([
        "save",
        "-q",
        "--format=oci-archive",
        "-o",
        to.to_str().unwrap(),
        "one",
    ]);
    assert_eq!(done.code, 125, "{done}");
    assert!(
        done.stderr.contains("its files were changed in the store"),
        "{done}"
    );
}

#[test]
fn a_running_container_cannot_lead_a_commit_out_of_its_tree() {
    let home = TestHome::with_busybox();
    let script = "mkdir /t; while :; do mkdir /t/a; : > /t/a/passwd; rm -r /t/a; ln -s /etc /t/a; : > /t/ready; \
                  mv /t/a /t/b; rm /t/b; done";
    home.pod([
        "run",
        "-d",
        "--name=c",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ])
    .ok();
    let host = fs::read_to_string("/etc/passwd").unwrap();
    for _ in 0..8 {
        home.pod(["commit", "-q", "c", "img"]).ok();
        home.pod([
            "export",
            "-o",
            home.mkdir("home/out").join("x.tar").to_str().unwrap(),
            "c",
        ])
        .ok();
        home.pod(["diff", "c"]).ok();
        let seen = in_image(&home, "img", "cat /t/a/passwd 2>/dev/null; true");
        assert!(!host.contains(seen.trim()) || seen.is_empty(), "{seen}");
    }
    let want = match lane() {
        Lane::Cgroup2 => (0, 0),
        _ => (125, 1), // no cgroup to freeze
    };
    let done = home.pod(["commit", "-q", "--pause", "c", "paused"]);
    assert_eq!(
        (done.code, home.pod(["image", "exists", "paused"]).code),
        want,
        "{done}"
    );
    home.pod(["rm", "-f", "-t0", "c"]).ok();
}

#[test]
fn sockets_are_left_out_and_told() {
    let home = TestHome::with_busybox();
    home.pod(["create", "--name=c", "busybox", "true"]).ok();
    let id = home.inspect("c", "{{.Id}}");
    let upper = home.path(&format!("home/.local/share/pod/containers/{id}/upper"));
    // By its directory's descriptor: an address has at most 108 bytes.
    let dir = fs::File::open(&upper).unwrap();
    let place = format!("/proc/self/fd/{}/sock", dir.as_raw_fd());
    let _socket = std::os::unix::net::UnixListener::bind(place).unwrap();
    for words in [&["commit", "c", "img"][..], &["export", "-o", "x.tar", "c"]] {
        let done = home.pod(words.iter().copied());
        assert!(
            done.code == 0
                && done
                    .stderr
                    .contains("leaving out 1 sockets, such as \\\"/sock\\\""),
            "{done}"
        );
    }
    assert_eq!(
        in_image(&home, "img", "ls /sock 2>&1; true"),
        "ls: /sock: No such file or directory"
    );
}

/// The command is killed at its n-th call of a kind; whatever that is, the next one finds the store in order.
#[test]
fn a_commit_that_is_killed_leaves_no_name() {
    let home = TestHome::with_busybox();
    home.pod([
        "run",
        "--name=c",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "mkdir /d; for i in 1 2 3; do echo $i > /d/$i; done",
    ])
    .ok();
    let mut lost = Vec::new();
    let (mut tried, mut killed) = (0, 0);
    for call in [
        "mkdirat,mkdir",
        "rename,renameat",
        "syncfs",
        "fchmod",
        "unlinkat,unlink,rmdir",
        "write",
        "clone,clone3",
        "fsync,fdatasync",
    ] {
        for when in [1, 2, 3, 5, 8] {
            let inject = format!("inject={call}:signal=SIGKILL:when={when}");
            let trace = format!("trace={call}");
            let words = [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                &trace,
                "-e",
                &inject,
            ];
            let done = traced(&home, &words, ["commit", "-q", "c", "k"]);
            tried += 1;
            killed += i32::from(done.signal.is_some());
            let named = home.pod(["image", "exists", "k"]).code == 0;
            home.pod(["images"]).ok();
            // Small documents may be another process's of this moment: they go a minute later.
            let staging = fs::read_dir(home.path("home/.local/share/pod/staging"));
            let left: Vec<PathBuf> = staging
                .into_iter()
                .flatten()
                .map(|e| e.unwrap().path())
                .collect();
            if left
                .iter()
                .any(|path| path.extension().is_none_or(|kind| kind != "tmp"))
            {
                lost.push(format!("{call} {when}: left in staging: {left:?}"));
            }
            let works = || {
                let words = ["run", "--rm", "--network=none", "k", "cat", "/d/3"];
                home.pod(words).stdout == "3\n"
            };
            if named && !works() {
                lost.push(format!("{call} {when}: a name without its image"));
            }
            if named {
                home.pod(["rmi", "k"]).ok();
            }
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "{tried} faults tried, {killed} killed, {} lost",
        lost.len()
    );
    assert!(
        lost.is_empty() && killed > 5,
        "{killed} of {tried} killed; {}",
        lost.join("\n")
    );
    home.pod(["commit", "-q", "c", "k"]).ok();
    assert_eq!(in_image(&home, "k", "cat /d/3"), "3");
    // Temporaries of records that were being written.
    let store = home.path("home/.local/share/pod");
    tool([
        "find",
        store.to_str().unwrap(),
        "-maxdepth",
        "2",
        "-name",
        "*.tmp",
        "-delete",
    ]);
}

#[test]
fn an_exported_tree_comes_back_by_import() {
    let home = TestHome::with_registry();
    changed(&home);
    let want = listing(&exported(&home, "c"));
    let archive = home.path("home/out/export.tar");
    home.pod(["import", "-q", archive.to_str().unwrap(), "back"])
        .ok();
    home.pod(["create", "--name=again", "back", "true"]).ok();
    fs::remove_dir_all(home.path("home/out/export")).unwrap();
    assert_same(&listing(&exported(&home, "again")), &want);
    // From a running container to another by a pipe, as one moves trees by hand.
    let pod = crate::support::pod_binary().display().to_string();
    let script = format!("{pod} export c | {pod} import -q - piped && {pod} diff piped back");
    assert_eq!(
        home.sh(&script).ok().lines().count(),
        1,
        "an id and no difference"
    );
}

/// The layer comes back under its compressed name, and is here already.
#[test]
fn a_committed_image_is_pushed_pulled_and_saved() {
    let home = TestHome::with_busybox();
    let registry = Registry::start();
    let name = format!("{}/one", registry.address());
    let create = ["create", "--name=c", "busybox", "true"];
    home.pod(create).ok();
    home.pod(["commit", "-q", "c", &name]).ok();
    let id = home.pod(["images", "-q", "--no-trunc", &name]).ok();
    home.pod(["push", "-q", "--tls-verify=false", &name]).ok();
    home.pod(["pull", "-q", "--tls-verify=false", &name]).ok();
    assert_eq!(home.pod(["images", "-q", "--no-trunc", &name]).ok(), id);
    home.mkdir("home/out");
    let archive = saved(&home, &name, "again");
    let other = home.path("home/second").display().to_string();
    let load = ["load", "-q", "-i", archive.to_str().unwrap()];
    home.pod(["--root", &other].into_iter().chain(load)).ok();
    let pull = ["pull", "-q", "--tls-verify=false", &name];
    home.pod(["--root", &other].into_iter().chain(pull)).ok();
    // What was sent where: of use for as long as the layers are here.
    let _ = fs::remove_dir_all(home.path("home/.local/share/pod/sent"));
}
