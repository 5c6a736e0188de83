//! Read-only image stores below one's own, images apart from containers, and Podman's own store.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Done, Lane, TestHome, lane, process, tool};

const STORAGE: &str = "home/.config/containers/storage.conf";

/// What a union of the image `layers` must show; see `pull.rs`.
const LOOK: &str = "cat a/two a/deep/new; ls a b; ls a/deep; stat -c %u:%g:%a own/file";
const SEEN: &str = "2\n4\na:\ndeep\nfifo\nhard\nlinked\nsym\ntwo\n\nb:\nstays\nnew\n";

fn below(home: &TestHome, stores: &[&Path]) {
    let list: Vec<String> = stores
        .iter()
        .map(|s| format!("{:?}", s.display().to_string()))
        .collect();
    let text = format!(
        "[storage]\ndriver = \"overlay\"\n[storage.options]\nadditionalimagestores = [{}]\n",
        list.join(", ")
    );
    home.write(STORAGE, &text);
}

/// A second store of the same user, with these images in it.
fn other_store(home: &TestHome, images: &[&str]) -> PathBuf {
    let root = home.path("other");
    for image in images {
        home.pod(["--root", &root.display().to_string(), "pull", "-q", image])
            .ok();
    }
    root
}

/// Every file below, with its size and times: what a reader may not change.
fn listing(root: &Path) -> String {
    let find = [
        "find",
        &root.display().to_string(),
        "-printf",
        "%P %y %m %U:%G %s %T@ %C@\\n",
    ]
    .map(str::to_owned);
    let mut lines: Vec<String> = tool(find).lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}

fn own_layers(home: &TestHome) -> usize {
    fs::read_dir(home.path("home/.local/share/pod/layers")).map_or(0, Iterator::count)
}

fn run(home: &TestHome, image: &str, script: &str) -> Done {
    home.pod(["run", "--rm", "--network=none", image, "sh", "-c", script])
}

#[test]
fn a_store_of_our_own_serves_without_a_copy() {
    let home = TestHome::with_registry();
    let other = other_store(&home, &["layers", "busybox"]);
    below(&home, &[&other]);
    let before = listing(&other);
    let rows = home
        .pod(["images", "--format", "{{.Repository}} {{.ReadOnly}}"])
        .ok();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_unstable();
    assert_eq!(
        rows,
        [
            "docker.io/library/busybox true",
            "docker.io/library/layers true"
        ]
    );
    assert!(run(&home, "layers", LOOK).code(0).stdout.starts_with(SEEN));
    // A container writes into directories of a layer below.
    assert_eq!(
        run(
            &home,
            "layers",
            "echo x > a/deep/made; rm a/two; cat a/deep/made"
        )
        .ok(),
        "x"
    );
    assert_eq!(own_layers(&home), 0);

    // Pulled again: only records come.
    let done = home.pod(["pull", "layers"]).code(0);
    assert_eq!(
        done.stderr.matches("skipped: already exists").count(),
        6,
        "{done}"
    );
    assert_eq!(own_layers(&home), 0);
    assert!(run(&home, "layers", LOOK).code(0).stdout.starts_with(SEEN));

    // One's own name goes; the store's image stays.
    home.pod(["rmi", "layers"]).ok();
    let done = home.pod(["rmi", "layers"]).code(125);
    assert!(
        done.stderr
            .starts_with("Error: cannot remove read-only image \""),
        "{done}"
    );
    home.pod(["tag", "busybox", "mine"]).ok();
    home.pod(["rmi", "mine"]).ok();
    home.pod(["rmi", "--all"]).ok();
    assert!(run(&home, "busybox", "true").code == 0);
    assert_eq!(listing(&other), before, "the store below is only read");
    home.write(STORAGE, "");
}

#[test]
fn options_and_the_environment_name_stores_too() {
    let home = TestHome::with_registry();
    let other = other_store(&home, &["busybox"]);
    let option = format!("additionalimagestore={}", other.display());
    home.refuses(
        [
            "--storage-opt",
            "overlay.mount_program=/usr/bin/fuse-overlayfs",
            "images",
        ],
        125,
        &["only additionalimagestore is available"],
    );
    home.refuses(
        ["--storage-opt", "imagestore=a", "images"],
        125,
        &["not absolute"],
    );
    let run = [
        "--storage-opt",
        &option,
        "run",
        "--rm",
        "--network=none",
        "busybox",
        "echo",
        "ran",
    ];
    assert_eq!(home.pod(run).ok(), "ran");
    let script = format!(
        "STORAGE_OPTS=overlay.imagestore={} $POD images -q",
        other.display()
    );
    assert_eq!(home.sh(&script).ok().lines().count(), 1);
}

#[test]
fn a_missing_store_is_a_warning() {
    let home = TestHome::with_busybox();
    let other = home.path("gone");
    below(&home, &[&other]);
    let done = home.pod(["images", "-q"]).code(0);
    assert_eq!(done.stdout.lines().count(), 1);
    let says = format!(
        "use the additional image store \\\"{}\\\": No such file or directory, ignoring it",
        other.display()
    );
    assert!(done.stderr.contains(&says), "{done}");
    assert_eq!(run(&home, "busybox", "echo ran").ok(), "ran");
    home.mkdir("gone");
    let done = home.pod(["images", "-q"]).code(0);
    assert!(
        done.stderr.contains("there is no store in it, ignoring it"),
        "{done}"
    );
    home.write(STORAGE, "");
}

#[test]
fn a_store_that_vanishes_is_named_and_a_pull_mends_it() {
    let home = TestHome::with_registry();
    let other = other_store(&home, &["busybox"]);
    below(&home, &[&other]);
    home.pod(["pull", "-q", "busybox"]).ok();
    fs::rename(&other, home.path("away")).unwrap();
    let done = run(&home, "busybox", "true").code(125);
    assert!(
        done.stderr
            .contains("the additional image store that has it is not there: pull it again"),
        "{done}"
    );
    home.pod(["pull", "-q", "busybox"]).ok();
    assert_eq!(run(&home, "busybox", "echo ran").ok(), "ran");
    home.write(STORAGE, "");
}

/// A copy of a store that belongs to nobody here, and that everybody may read.
fn foreign(home: &TestHome, store: &Path) -> PathBuf {
    let copy = home.path("foreign");
    let script = format!(
        "cp -a {store} {copy}; chown -R 54321:54321 {copy}; chmod -R a+rX {copy}; chmod 755 {home}",
        store = store.display(),
        copy = copy.display(),
        home = home.dir.display(),
    );
    tool(["sh", "-c", &script]);
    copy
}

#[test]
fn a_store_of_another_user_serves_without_a_download() {
    let home = TestHome::with_registry();
    let other = foreign(&home, &other_store(&home, &["layers"]));
    below(&home, &[&other]);
    let before = listing(&other);
    home.write("home/.config/containers/registries.conf", "");
    let done = run(&home, "layers", LOOK).code(0);
    assert!(done.stdout.starts_with(SEEN), "{done}");
    if lane() != Lane::Bare {
        assert!(done.stdout.ends_with("1000:2000:4750\n"), "{done}");
    }
    assert_eq!(
        own_layers(&home),
        6,
        "unpacked from the blobs that are there"
    );
    assert_eq!(
        run(
            &home,
            "layers",
            "rm a/two; echo x > a/deep/made; cat a/deep/made"
        )
        .ok(),
        "x"
    );
    home.pod(["rmi", "layers"]).ok();
    assert_eq!(own_layers(&home), 0);
    assert_eq!(listing(&other), before);
    home.write(STORAGE, "");
}

#[test]
fn nothing_a_store_of_another_user_claims_is_believed() {
    let home = TestHome::with_registry();
    let other = foreign(
        &home,
        &other_store(&home, &["layers", "busybox", "configured"]),
    );
    below(&home, &[&other]);
    let id = |name: &str| {
        home.pod(["image", "inspect", "--format", "{{.Id}}", name])
            .ok()
    };
    let (busybox, configured) = (id("busybox"), id("configured"));
    // The record of one image under the id of another.
    let record = |id: &str| other.join(format!("images/{id}.json"));
    let text = fs::read_to_string(record(&busybox)).unwrap();
    fs::write(record(&configured), &text).unwrap();
    let done = home.pod(["images", "--format", "{{.Repository}}"]).code(0);
    assert!(!done.stdout.contains("configured"), "{done}");
    assert!(
        done.stderr
            .contains("its record does not fit its config, ignoring it"),
        "{done}"
    );
    assert_eq!(home.pod(["image", "exists", "configured"]).code, 1);
    // A digest that no manifest there has.
    let lie = format!("sha256:{}", "a".repeat(64));
    let digest = home
        .pod(["image", "inspect", "--format", "{{.Digest}}", "busybox"])
        .ok();
    fs::write(record(&busybox), text.replace(&digest, &lie)).unwrap();
    assert_eq!(
        home.pod([
            "image",
            "exists",
            &format!("docker.io/library/busybox@{lie}")
        ])
        .code,
        1
    );
    // Records that are no files, or that do not end.
    fs::remove_file(record(&busybox)).unwrap();
    tool([
        "mkfifo",
        "-m",
        "666",
        &record(&busybox).display().to_string(),
    ]);
    fs::remove_file(record(&configured)).unwrap();
    std::os::unix::fs::symlink("/dev/zero", record(&configured)).unwrap();
    assert_eq!(home.pod(["images", "-q"]).ok().lines().count(), 1);
    // A blob that is something else: told, and fetched from the registry.
    for blob in fs::read_dir(other.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap().path();
        let bytes = fs::read(&blob).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            fs::write(&blob, [&bytes[..20], &[0; 200][..]].concat()).unwrap();
        }
    }
    let done = run(&home, "layers", "true").code(125);
    assert!(
        done.stderr.contains("pull the image from its registry"),
        "{done}"
    );
    let done = home.pod(["pull", "layers"]).code(0);
    assert!(done.stderr.contains("is damaged, ignoring it"), "{done}");
    assert!(run(&home, "layers", LOOK).code(0).stdout.starts_with(SEEN));
    home.write(STORAGE, "");
}

#[test]
fn images_apart_from_containers() {
    let home = TestHome::with_busybox();
    let apart = home.path("apart").display().to_string();
    // What was in the store before stays usable.
    home.pod([
        "--imagestore",
        &apart,
        "run",
        "-d",
        "--name=old",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    home.pod(["--imagestore", &apart, "pull", "-q", "layers"])
        .ok();
    assert_eq!(
        home.pod(["image", "exists", "layers"]).code,
        1,
        "it is elsewhere"
    );
    home.pod([
        "--imagestore",
        &apart,
        "run",
        "-d",
        "--name=new",
        "--network=none",
        "layers",
        "sleep",
        "1000",
    ])
    .ok();
    assert_eq!(home.pod(["exec", "new", "cat", "a/two"]).ok(), "2");
    assert!(fs::read_dir(home.path("apart/layers")).unwrap().count() >= 5);
    assert_eq!(
        fs::read_dir(home.path("apart/containers")).unwrap().count(),
        0
    );
    home.pod(["--imagestore", &apart, "rmi", "layers"]).code(2);
    // Also not by whoever has another store of containers, or none.
    let elsewhere = home.path("elsewhere").display().to_string();
    home.pod([
        "--root",
        &elsewhere,
        "--imagestore",
        &apart,
        "rmi",
        "layers",
    ])
    .code(2);
    home.pod(["--root", &apart, "rmi", "layers"]).code(2);
    home.pod(["stop", "-t", "0", "new"]).ok();
    home.pod(["start", "new"]).ok();
    home.pod(["rm", "-f", "-t", "0", "old", "new"]).ok();
    home.pod([
        "--root",
        &elsewhere,
        "--imagestore",
        &apart,
        "rmi",
        "layers",
    ])
    .ok();
    assert_eq!(fs::read_dir(home.path("apart/layers")).unwrap().count(), 0);
}

/// Podman's own store, made by Podman as the test's user.
fn podman_store(home: &TestHome, driver: &str, images: &[&str]) -> PathBuf {
    let root = home.path("home/.local/share/containers/storage");
    let mut options = format!("--storage-driver {driver} --cgroup-manager cgroupfs");
    if lane() == Lane::Bare {
        options += &format!(" --storage-opt {driver}.ignore_chown_errors=true");
    }
    for image in images {
        let address = home.registry();
        home.sh(&format!(
            "podman {options} pull -q --tls-verify=false {address}/{image}"
        ))
        .code(0);
        home.sh(&format!(
            "podman {options} tag {address}/{image} localhost/{image}:p"
        ))
        .code(0);
    }
    // Podman leaves a process behind that keeps its user namespace.
    let run = home.path("run").display().to_string();
    for file in tool(["find", &run, "-name", "pause.pid"]).lines() {
        let pid = fs::read_to_string(file).unwrap();
        process::kill_pid(pid.trim().parse().unwrap());
    }
    root
}

#[test]
fn podmans_own_store_below_ours() {
    let home = TestHome::with_registry();
    let podman = podman_store(&home, "overlay", &["layers"]);
    below(&home, &[&podman]);
    let before = listing(&podman);
    let done = run(&home, "localhost/layers:p", LOOK).code(0);
    assert!(done.stdout.starts_with(SEEN), "{done}");
    assert_eq!(
        run(
            &home,
            "localhost/layers:p",
            "echo x > a/deep/made; cat a/deep/made"
        )
        .ok(),
        "x"
    );
    assert_eq!(own_layers(&home), 0, "its directories are the lower ones");
    let done = home
        .pod(["pull", &format!("{}/layers", home.registry())])
        .code(0);
    assert_eq!(
        done.stderr.matches("skipped: already exists").count(),
        6,
        "{done}"
    );
    home.pod(["rmi", "localhost/layers:p"]).code(125);
    assert_eq!(listing(&podman), before, "Podman's store is only read");
    home.write(STORAGE, "");
}

#[test]
fn podmans_store_of_the_driver_vfs_below_ours() {
    let home = TestHome::with_registry();
    let podman = podman_store(&home, "vfs", &["layers"]);
    below(&home, &[&podman]);
    assert!(
        run(&home, "localhost/layers:p", LOOK)
            .ok()
            .starts_with(SEEN)
    );
    assert_eq!(own_layers(&home), 6, "it has no layers to mount");
    home.write(STORAGE, "");
}

#[test]
fn images_are_imported_from_podman() {
    let home = TestHome::with_registry();
    let podman = podman_store(&home, "overlay", &["layers", "busybox"]);
    let before = listing(&podman);
    let done = home.pod(["system", "import-podman", "-q"]).code(0);
    assert_eq!(done.stdout.lines().count(), 4, "{done}");
    assert!(
        done.stdout.contains("Imported image: localhost/layers:p\n"),
        "{done}"
    );
    let done = run(&home, "localhost/layers:p", LOOK).code(0);
    assert!(done.stdout.starts_with(SEEN), "{done}");
    if lane() != Lane::Bare {
        assert!(done.stdout.ends_with("1000:2000:4750\n"), "{done}");
    }
    // The layers are the registry's, byte for byte: nothing is left to fetch.
    let done = home
        .pod(["pull", &format!("{}/layers", home.registry())])
        .code(0);
    assert_eq!(
        done.stderr.matches("skipped: already exists").count(),
        6,
        "{done}"
    );
    let done = home
        .pod(["pull", "-q", "containers-storage:localhost/busybox:p"])
        .code(0);
    assert_eq!(
        done.stdout.trim_end(),
        home.pod([
            "image",
            "inspect",
            "--format",
            "{{.Id}}",
            "localhost/busybox:p"
        ])
        .ok()
    );
    let by_id = format!(
        "containers-storage:[overlay@{}]@{}",
        podman.display(),
        done.stdout.trim_end()
    );
    home.pod(["pull", "-q", &by_id]).ok();
    let done = home.pod(["system", "import-podman", "nosuch"]).code(125);
    assert!(
        done.stderr.contains("nosuch: image not known in "),
        "{done}"
    );
    assert_eq!(listing(&podman), before, "Podman's store is only read");
}

#[test]
fn a_damaged_store_of_podmans_gives_no_image() {
    let home = TestHome::with_registry();
    let podman = podman_store(&home, "overlay", &["busybox"]);
    let file = tool([
        "find",
        &podman.join("overlay").display().to_string(),
        "-path",
        "*/diff/etc/passwd",
    ]);
    let file = file.trim_end();
    let text = fs::read_to_string(file)
        .unwrap()
        .replacen("root", "toor", 1);
    fs::write(file, text).unwrap();
    let done = home.pod(["system", "import-podman"]).code(125);
    assert!(done.stderr.contains("digest"), "{done}");
    assert_eq!(home.pod(["images", "-aq"]).ok(), "");
    assert_eq!(own_layers(&home), 0);
    fs::remove_file(file).unwrap();
    home.pod(["system", "import-podman"]).code(125);
    assert_eq!(home.pod(["images", "-aq"]).ok(), "");
    let layers = podman.join("overlay-layers/layers.json");
    fs::write(&layers, "[{\"id\": ").unwrap();
    let done = home.pod(["system", "import-podman"]).code(125);
    assert!(done.stderr.contains("layers.json"), "{done}");
}

#[test]
fn an_image_whose_layer_came_in_another_compression_can_be_sent() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "busybox"]).ok();
    home.pod(["pull", "-q", "zstd"]).ok();
    let to = home.path("out.tar").display().to_string();
    home.pod(["push", "-q", "zstd", &format!("oci-archive:{to}")])
        .ok();
    home.pod([
        "save",
        "-q",
        "-o",
        &home.path("o.tar").display().to_string(),
        "zstd",
    ])
    .ok();
}
