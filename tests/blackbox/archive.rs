//! save, load and import, beside the tools that read and write the same archives.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

use crate::support::tarball::{OneLayer, Tarball, sha256};
use crate::support::{TestHome, tool};

const FORMATS: [&str; 4] = ["docker-archive", "oci-archive", "oci-dir", "docker-dir"];

/// Podman with a store of this test's own, as root.
fn podman(home: &TestHome, words: &[&str]) -> String {
    let root = home.path("podman");
    let (root, run) = (root.join("root"), root.join("run"));
    let fixed = [
        "podman",
        "--runtime=runc",
        "--storage-driver=vfs",
        "--root",
        root.to_str().unwrap(),
        "--runroot",
        run.to_str().unwrap(),
    ];
    tool(fixed.iter().copied().chain(words.iter().copied()))
}

fn transport(format: &str, path: &Path) -> String {
    let name = match format {
        "oci-dir" => "oci",
        "docker-dir" => "dir",
        other => other,
    };
    format!("{name}:{}", path.display())
}

fn id(home: &TestHome, image: &str) -> String {
    home.pod(["image", "inspect", "--format", "{{.Id}}", image])
        .ok()
        .trim()
        .to_owned()
}

fn inspect(home: &TestHome, image: &str, format: &str) -> String {
    let shown = home.pod(["image", "inspect", "--format", format, image]);
    shown.ok().trim().to_owned()
}

/// Config and diff ids as skopeo reads them from anywhere.
fn config(from: &str) -> Value {
    serde_json::from_str(&tool(["skopeo", "inspect", "--config", "--raw", from])).unwrap()
}

fn out(home: &TestHome, name: &str) -> PathBuf {
    home.mkdir("out").join(name)
}

#[test]
fn what_pod_saves_others_read() {
    let home = TestHome::with_registry();
    for image in ["layers", "zstd", "plain"] {
        home.pod(["pull", "-q", image]).ok();
        let id = id(&home, image);
        for format in FORMATS {
            let path = out(&home, &format!("{image}-{format}"));
            let shown = path.display().to_string();
            home.pod(["save", "-q", "--format", format, "-o", &shown, image])
                .ok();
            let from = transport(format, &path);
            assert_eq!(
                format!(
                    "sha256:{}",
                    sha256(&tool(["skopeo", "inspect", "--config", "--raw", &from]).into_bytes())
                ),
                format!("sha256:{id}"),
                "{image} {format}: the config is as it was"
            );
            // skopeo checks every digest on the way.
            let copy = out(&home, &format!("{image}-{format}-copy"));
            tool([
                "skopeo",
                "copy",
                "-q",
                "--insecure-policy",
                &from,
                &format!("dir:{}", copy.display()),
            ]);
            let loaded = podman(&home, &["load", "-q", "-i", &shown]);
            assert!(
                loaded.starts_with("Loaded image"),
                "{image} {format}: {loaded}"
            );
            let listed = podman(&home, &["images", "-q", "--no-trunc"]);
            assert_eq!(listed.trim(), format!("sha256:{id}"), "{image} {format}");
            podman(&home, &["rmi", "-f", &id]);
        }
    }
    tool(["rm", "-rf", home.path("podman").to_str().unwrap()]);
}

#[test]
fn umoci_and_buildah_read_what_pod_saves() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "layers"]).ok();
    let layout = out(&home, "layout");
    home.pod([
        "save",
        "-q",
        "--format=oci-dir",
        "-o",
        layout.to_str().unwrap(),
        "layers",
    ])
    .ok();
    let name = "docker.io/library/layers:latest";
    assert_eq!(
        tool(["umoci", "ls", "--layout", layout.to_str().unwrap()]).trim(),
        name
    );
    let stat = tool([
        "umoci",
        "stat",
        "--json",
        "--image",
        &format!("{}:{name}", layout.display()),
    ]);
    let stat: Value = serde_json::from_str(&stat).unwrap();
    assert_eq!(stat["history"].as_array().map(Vec::len), Some(6), "{stat}");
    let root = home.path("buildah");
    let words = ["buildah", "--storage-driver=vfs", "--root"];
    let pulled = tool(words.iter().copied().chain([
        root.join("root").to_str().unwrap(),
        "--runroot",
        root.join("run").to_str().unwrap(),
        "pull",
        "-q",
        &format!("oci:{}:{name}", layout.display()),
    ]));
    assert!(pulled.contains(&id(&home, "layers")), "{pulled}");
    tool(["rm", "-rf", root.to_str().unwrap()]);
}

#[test]
fn what_others_write_pod_reads() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "layers"]).ok();
    let want = id(&home, "layers");
    home.pod(["rmi", "layers"]).ok();
    let registry = home.registry();
    let from = format!("docker://{registry}/layers:latest");
    let work = home.mkdir("work");
    let copy = |to: String| {
        tool([
            "skopeo",
            "copy",
            "-q",
            "--insecure-policy",
            "--src-tls-verify=false",
            &from,
            &to,
        ]);
    };
    for format in FORMATS {
        let path = work.join(format);
        let to = match format {
            "docker-archive" => format!("{}:localhost/six:6", transport(format, &path)),
            "docker-dir" => transport(format, &path),
            _ => format!("{}:localhost/six:6", transport(format, &path)),
        };
        copy(to);
        home.give(&work);
        let by_transport = home.pod(["pull", "-q", &transport(format, &path)]).ok();
        assert_eq!(by_transport.trim(), want, "{format}");
        home.pod(["rmi", "-f", &want]).ok();
        let loaded = home.pod(["load", "-q", "-i", path.to_str().unwrap()]).ok();
        let name = match format {
            "docker-dir" => format!("sha256:{want}"),
            _ => "localhost/six:6".to_owned(),
        };
        assert_eq!(loaded, format!("Loaded image: {name}"), "{format}");
        home.pod(["rmi", "-f", &want]).ok();
    }
    // By Podman, several images at once, compressed in every way and through a pipe.
    podman(
        &home,
        &[
            "load",
            "-q",
            "-i",
            work.join("docker-archive").to_str().unwrap(),
        ],
    );
    podman(&home, &["tag", "localhost/six:6", "localhost/seven:7"]);
    let many = work.join("many");
    podman(
        &home,
        &[
            "save",
            "-q",
            "-m",
            "-o",
            many.to_str().unwrap(),
            "localhost/six:6",
            "localhost/seven:7",
        ],
    );
    home.give(&work);
    for pack in ["cat", "gzip", "zstd -q", "xz -1", "bzip2"] {
        let done = home.sh(&format!("{pack} < {} | $POD load -q", many.display()));
        let mut lines: Vec<String> = done.ok().lines().map(str::to_owned).collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "Loaded image: localhost/seven:7",
                "Loaded image: localhost/six:6"
            ],
            "{pack}"
        );
        home.pod(["rmi", "-f", &want]).ok();
    }
    tool(["rm", "-rf", home.path("podman").to_str().unwrap()]);
}

#[test]
fn an_archive_comes_back_as_it_went() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "layers"]).ok();
    let digest =
        |home: &TestHome| inspect(home, "layers", "{{.Digest}} {{.Id}} {{.RootFS.Layers}}");
    let before = digest(&home);
    for format in ["oci-archive", "oci-dir"] {
        let path = out(&home, format);
        let shown = path.display().to_string();
        home.pod(["save", "-q", "--format", format, "-o", &shown, "layers"])
            .ok();
        home.pod(["rmi", "layers"]).ok();
        let loaded = home.pod(["load", "-q", "-i", &shown]).ok();
        assert_eq!(
            loaded, "Loaded image: docker.io/library/layers:latest",
            "{format}"
        );
        assert_eq!(digest(&home), before, "{format}");
    }
    // Plain tars only: another manifest, the same image; the layers are here already in their compressed form.
    let script = "$POD save -q layers | $POD load -q && $POD save -q layers | sha256sum && $POD save -q layers | sha256sum";
    let lines = home.sh(script).ok();
    let sums: Vec<&str> = lines.lines().skip(1).collect();
    assert_eq!(sums[0], sums[1], "the same bytes each time");
    assert!(digest(&home).contains(&id(&home, "layers")));
}

#[test]
fn layers_shared_in_two_compressions_leave_the_store_again() {
    let home = TestHome::with_registry();
    // One diff id, three blobs: only the first comes over the wire.
    for image in ["plain", "zstd", "busybox"] {
        home.pod(["pull", "-q", image]).ok();
    }
    for image in ["busybox", "zstd", "plain"] {
        for format in FORMATS {
            let path = out(&home, &format!("{image}-{format}"));
            home.pod([
                "save",
                "-q",
                "--format",
                format,
                "-o",
                path.to_str().unwrap(),
                image,
            ])
            .ok();
            let from = transport(format, &path);
            let copy = out(&home, "copy");
            let _ = fs::remove_dir_all(&copy);
            tool([
                "skopeo",
                "copy",
                "-q",
                "--insecure-policy",
                &from,
                &format!("dir:{}", copy.display()),
            ]);
            assert_eq!(
                config(&from)["rootfs"]["diff_ids"].as_array().map(Vec::len),
                Some(1)
            );
        }
        if image == "plain" {
            continue;
        }
        // The blob that the layer was unpacked from stays as long as the layer does.
        home.pod(["rmi", image]).ok();
    }
}

#[test]
fn dockers_links_and_other_layouts_are_read() {
    let home = TestHome::new();
    let tar = Tarball::new().file("x", "x").end();
    let image = OneLayer::new(&tar);
    let config = String::from_utf8(image.config.clone()).unwrap();
    let diff = format!("\"sha256:{}\"", sha256(&tar));
    let twice = config.replace(&diff, &format!("{diff},{diff}"));
    let list =
        r#"[{"Config":"c.json","RepoTags":["web:1"],"Layers":["a/layer.tar","b/layer.tar"]}]"#;
    let docker = Tarball::new()
        .dir("a/")
        .file("a/VERSION", "1.0")
        .file("a/json", "{}")
        .file("a/layer.tar", &tar)
        .dir("b/")
        .file("b/VERSION", "1.0")
        .symlink("b/layer.tar", "../a/layer.tar")
        .file("c.json", &twice)
        .file("repositories", r#"{"web":{"1":"b"}}"#)
        .file("manifest.json", list)
        .end();
    let path = home.mkdir("work").join("docker.tar");
    fs::write(&path, docker).unwrap();
    home.give(&path);
    let shown = path.display().to_string();
    for script in [
        format!("$POD load -q -i {shown}"),
        format!("cat {shown} | $POD load -q"),
    ] {
        let done = home.sh(&script);
        assert_eq!(done.ok(), "Loaded image: docker.io/library/web:1");
        assert_eq!(inspect(&home, "web:1", "{{len .RootFS.Layers}}"), "2");
        home.pod(["rmi", "web:1"]).ok();
    }
}

#[test]
fn a_directory_takes_several_images_and_keeps_what_is_there() {
    let home = TestHome::with_registry();
    for image in ["busybox", "layers"] {
        home.pod(["pull", "-q", image]).ok();
    }
    let dir = out(&home, "layout");
    let shown = dir.display().to_string();
    // At the same time, so that one writer could lose the other's entry.
    let save = |image: &str| home.spawn(["save", "-q", "--format=oci-dir", "-o", &shown, image]);
    let running = [save("busybox"), save("layers"), save("busybox")];
    for running in running {
        running.wait().ok();
    }
    let mut names: Vec<String> = tool(["umoci", "ls", "--layout", &shown])
        .lines()
        .map(str::to_owned)
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "docker.io/library/busybox:latest",
            "docker.io/library/layers:latest"
        ]
    );
    let name = format!("oci:{shown}:docker.io/library/layers:latest");
    assert_eq!(
        home.pod(["pull", "-q", &name]).ok().trim(),
        id(&home, "layers")
    );
    // A dir: holds one image, and nothing that is not one is lost.
    let precious = home.mkdir("precious");
    home.write("precious/thesis", "x");
    home.refuses(
        [
            "save",
            "-q",
            "--format=docker-dir",
            "-o",
            precious.to_str().unwrap(),
            "busybox",
        ],
        125,
        &["don't want to overwrite important data"],
    );
}

#[test]
fn save_says_what_it_cannot_do() {
    let home = TestHome::with_busybox();
    let path = out(&home, "x.tar").display().to_string();
    let cases: [(&[&str], &str); 7] = [
        (&["save"], "need at least 1 argument"),
        (
            &["save", "-o", "a:b", "busybox"],
            "invalid filename (should not contain ':') \"a:b\"",
        ),
        (
            &["save", "--format=zip", "busybox"],
            "format value must be one of oci-dir oci-archive docker-dir docker-archive",
        ),
        (
            &["save", "--compress", "-o", &path, "busybox"],
            "--compress can only be set when --format is 'docker-dir'",
        ),
        (
            &["save", "--format=oci-dir", "busybox"],
            "name it with --output",
        ),
        (&["save", "-o", &path, "nosuch"], "nosuch: image not known"),
        (&["load", "-i", "/nosuch.tar"], "No such file or directory"),
    ];
    for (words, says) in cases {
        home.refuses(words.iter().copied(), 125, &[says]);
    }
    assert!(!Path::new(&path).exists());
    home.pod(["save", "-q", "-o", &path, "busybox"]).ok();
    home.refuses(
        ["save", "-q", "-o", &path, "busybox"],
        125,
        &["docker-archive doesn't support modifying existing images"],
    );
    let terminal = home.terminal(["save", "busybox"]).wait();
    assert!(
        terminal.stdout.contains("refusing to save to terminal"),
        "{terminal}"
    );
}

#[test]
fn a_killed_save_leaves_nothing_under_the_name() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "layers"]).ok();
    let dir = home.mkdir("out");
    for format in ["docker-archive", "oci-archive"] {
        for wait in 0..12 {
            let path = dir.join("x.tar").display().to_string();
            let script = format!(
                "$POD save -q --format {format} -o {path} layers & p=$!; \
                 i=0; while [ $i -lt {} ]; do i=$((i+1)); done; kill -9 $p 2>/dev/null; wait $p; echo $?",
                wait * 600
            );
            let status = home.sh(&script).stdout;
            match Path::new(&path).exists() {
                // Whole, or not there: never a part.
                true => {
                    home.pod(["load", "-q", "-i", &path]).ok();
                    fs::remove_file(&path).unwrap();
                }
                false => assert_ne!(status.trim(), "0", "{format}"),
            }
            let left: Vec<_> = fs::read_dir(&dir).unwrap().collect();
            assert!(left.is_empty(), "{format}: {left:?}");
        }
    }
}

#[test]
fn imported_archives_run_and_say_what_they_are() {
    let home = TestHome::with_busybox();
    let tar = out(&home, "root.tar");
    let shown = tar.display().to_string();
    home.sh(&format!(
        "mkdir -p {0}/b/bin && $POD create --name=c busybox >/dev/null && $POD export -o {shown} c && $POD rm c",
        home.dir.join("tmp").display()
    ))
    .ok();
    let changes = [
        "CMD [\"/bin/echo\", \"imported\"]",
        "ENV A=b",
        "EXPOSE 80",
        "LABEL x=y",
        "USER 7",
        "VOLUME /data",
        "WORKDIR /tmp",
        "STOPSIGNAL 9",
    ];
    let mut words = vec!["import", "-q", "-m", "a message"];
    for change in &changes {
        words.extend(["-c", change]);
    }
    words.extend([shown.as_str(), "imported:1"]);
    let printed = home.pod(words.iter().copied()).ok();
    assert_eq!(printed, format!("sha256:{}", id(&home, "imported:1")));
    assert_eq!(
        home.pod(["run", "--rm", "--network=none", "imported:1"])
            .ok(),
        "imported"
    );
    assert_eq!(
        inspect(
            &home,
            "imported:1",
            "{{.Comment}} {{.Config.Env}} {{.User}} {{.Config.WorkingDir}} {{.NamesHistory}}"
        ),
        "a message [A=b] 7 /tmp [localhost/imported:1]"
    );
    // Podman makes the very same image of the same file.
    let mut theirs = vec!["import", "-q", "-m", "plain"];
    theirs.push(&shown);
    let theirs = podman(&home, &theirs);
    let ours = home.pod(["import", "-q", "-m", "plain", &shown]).ok();
    assert_eq!(ours, theirs);
    for pack in ["gzip", "zstd -q", "xz -1", "bzip2"] {
        let done = home
            .sh(&format!("{pack} < {shown} | $POD import -q - packed:1"))
            .ok();
        assert!(done.starts_with("sha256:"));
        let layers = inspect(&home, "packed:1", "{{.RootFS.Layers}}");
        assert_eq!(
            layers,
            inspect(&home, "imported:1", "{{.RootFS.Layers}}"),
            "{pack}"
        );
    }
    for (words, says) in [
        (vec!["import"], "need to give the path to the tarball"),
        (vec!["import", "-c", "FROM x", &shown], "invalid change"),
        (
            vec!["import", "http://127.0.0.1:1/x.tar"],
            "download http://127.0.0.1:1/x.tar: connection refused",
        ),
        (vec!["import", "/nosuch.tar"], "No such file"),
        (vec!["import", "/etc"], "directory"),
    ] {
        home.refuses(words, 125, &[says]);
    }
    tool(["rm", "-rf", home.path("podman").to_str().unwrap()]);
}

#[test]
fn a_policy_closes_every_door() {
    let home = TestHome::with_busybox();
    let archive = out(&home, "x.tar");
    let layout = out(&home, "layout");
    home.pod(["save", "-q", "-o", archive.to_str().unwrap(), "busybox"])
        .ok();
    home.pod([
        "save",
        "-q",
        "--format=oci-dir",
        "-o",
        layout.to_str().unwrap(),
        "busybox",
    ])
    .ok();
    home.write(
        "home/.config/containers/policy.json",
        r#"{"default": [{"type": "reject"}]}"#,
    );
    for words in [
        vec!["load", "-q", "-i", archive.to_str().unwrap()],
        vec!["load", "-q", "-i", layout.to_str().unwrap()],
        vec![
            "pull",
            "-q",
            &format!("docker-archive:{}", archive.display()),
        ],
        vec!["pull", "-q", &format!("oci:{}", layout.display())],
        vec!["run", "--rm", &format!("oci:{}", layout.display()), "true"],
    ] {
        home.refuses(words, 125, &["rejected by policy"]);
    }
}

/// Answers every request for a path with what is written for it, until the test ends. Returns the address.
fn web(answers: Vec<(&'static str, Vec<u8>)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = String::new();
            let _ = BufReader::new(&stream).read_line(&mut asked);
            let path = asked.split(' ').nth(1).unwrap_or_default();
            let answer = answers.iter().find(|(known, _)| *known == path);
            let _ = stream.write_all(answer.map_or(b"", |(_, answer)| answer));
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        }
    });
    address
}

#[test]
fn a_url_is_imported_and_a_broken_one_leaves_nothing() {
    let home = TestHome::new();
    let tar = Tarball::new().file("x", vec![7; 100_000]).end();
    let head = |status: &str, more: String| {
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}\r\n").into_bytes()
    };
    let whole = |tar: &[u8]| {
        let mut answer = head("200 OK", format!("Content-Length: {}\r\n", tar.len()));
        answer.extend(tar);
        answer
    };
    let mut torn = whole(&tar);
    torn.truncate(50_000);
    let to = |place: &str| {
        head(
            "302 Found",
            format!("Location: {place}\r\nContent-Length: 0\r\n"),
        )
    };
    let at = web(vec![
        ("/a.tar", whole(&tar)),
        ("/moved?secret=1", to("/a.tar")),
        ("/round", to("/round")),
        ("/file", to("file:///etc/passwd")),
        ("/torn", torn),
        (
            "/gone",
            head("404 Not Found", "Content-Length: 0\r\n".into()),
        ),
        ("/text", whole(&b"this is no archive".repeat(100))),
    ]);
    for path in ["a.tar", "moved?secret=1"] {
        let id = home
            .pod(["import", "-q", &format!("http://{at}/{path}"), "web:1"])
            .ok();
        let size = home
            .pod(["image", "inspect", "--format", "{{.Size}}", &id])
            .ok();
        assert!(size.parse::<u64>().unwrap() >= 100_000, "{size}");
        home.pod(["rmi", "-f", &id]).ok();
    }
    for (path, says) in [
        ("round", "too many redirects"),
        ("file", "redirected to where pod does not follow"),
        ("torn", "download http://"),
        ("gone", "404 Not Found"),
        ("text", "archive"),
    ] {
        let done = home.refuses(["import", &format!("http://{at}/{path}")], 125, &[says]);
        assert!(!done.stderr.contains("secret"), "{done}");
    }
}
