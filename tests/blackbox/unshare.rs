//! `unshare`, and what works only inside: `mount` and `unmount` of containers and images.

use std::fs;

use crate::support::{Lane, Registry, TestHome, lane, pod_binary};

/// Runs a script inside `unshare`, where `pod` is the binary under test.
fn inside(home: &TestHome, script: &str) -> crate::support::process::Done {
    let script = format!("pod() {{ {} \"$@\"; }}; {script}", pod_binary().display());
    home.pod(["unshare", "sh", "-c", &script])
}

#[test]
fn a_command_is_root_of_the_users_namespace() {
    let home = TestHome::new();
    assert_eq!(home.pod(["unshare", "id", "-u"]).ok(), "0");
    let map = home.pod(["unshare", "cat", "/proc/self/uid_map"]).ok();
    assert_eq!(
        map.lines().count(),
        if lane() == Lane::Bare { 1 } else { 2 }
    );
    assert_eq!(home.pod(["unshare", "sh", "-c", "exit 7"]).code, 7);
    assert_eq!(
        home.pod(["unshare", "sh", "-c", "kill -TERM $$"]).signal,
        Some(15)
    );
    let done = home.pod(["unshare", "nosuch"]);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (
            127,
            "Error: exec: \"nosuch\": executable file not found in $PATH\n"
        )
    );
    assert_eq!(home.pod(["unshare", "/etc/passwd"]).code, 126);
    let done = home.pod(["unshare"]);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (125, "Error: no command specified and no $SHELL specified\n")
    );
    assert_eq!(home.pod(["unshare", "--rootless-netns", "true"]).code, 125);
    let env = home
        .pod([
            "unshare",
            "sh",
            "-c",
            "echo $CONTAINERS_GRAPHROOT $CONTAINERS_RUNROOT",
        ])
        .ok();
    let (store, run) = (home.path("home/.local/share/pod"), home.path("run/pod"));
    assert_eq!(env, format!("{} {}", store.display(), run.display()));
    assert_eq!(
        home.pod_with_input(["unshare", "cat"], "through").ok(),
        "through"
    );
    let home = home.with_env("SHELL", "/bin/sh");
    assert_eq!(
        home.pod_with_input(["unshare"], "echo from $0\n").ok(),
        "from /bin/sh"
    );
}

/// What is made inside works outside, and the other way round.
#[test]
fn commands_inside_work_on_the_same_store() {
    let home = TestHome::with_busybox();
    let image = home.pod(["images", "-q", "--no-trunc"]).ok();
    assert_eq!(inside(&home, "pod images -q --no-trunc").ok(), image);
    assert_eq!(
        inside(
            &home,
            "pod unshare pod2 2>/dev/null || pod images -q --no-trunc"
        )
        .ok(),
        image
    );
    home.pod(["create", "--name=out", "busybox", "true"]).ok();
    assert_eq!(inside(&home, "pod ps -a --format {{.Names}}").ok(), "out");
    // Without a runtime directory it is the one of the user outside, not of root inside.
    let made = inside(
        &home,
        "pod run --name=in --network=none busybox sh -c 'echo made > /f; cat /proc/self/uid_map | wc -l'",
    );
    assert_eq!(made.ok(), if lane() == Lane::Bare { "1" } else { "2" });
    assert_eq!(
        home.pod([
            "ps",
            "-a",
            "--format",
            "{{.Names}} {{.State}}",
            "-f",
            "name=in"
        ])
        .ok(),
        "in exited"
    );
    assert_eq!(home.pod(["diff", "in"]).ok().lines().last(), Some("A /f"));
    home.pod(["start", "-a", "in"]).ok();
    let commit = inside(
        &home,
        "pod commit -q in img && pod rm in && pod rmi img && pod pull -q plain",
    )
    .ok();
    assert_eq!(commit.lines().count(), 5, "{commit}");
    assert_eq!(
        home.pod(["run", "--rm", "--network=none", "plain", "echo", "hi"])
            .ok(),
        "hi"
    );
    home.pod(["rmi", "plain"]).ok();
    // Everything is still the user's.
    let mine = fs::metadata(home.path("home/.local/share/pod/images")).unwrap();
    for entry in fs::read_dir(home.path("home/.local/share/pod/images")).unwrap() {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(entry.unwrap().metadata().unwrap().uid(), mine.uid());
    }
    home.pod(["rm", "out"]).ok();
}

#[test]
fn another_root_is_kept_inside() {
    let home = TestHome::with_busybox();
    let root = home.path("home/other").display().to_string();
    let script = format!(
        "{} info --format '{{{{.Store.GraphRoot}}}}'",
        pod_binary().display()
    );
    assert_eq!(
        home.pod(["--root", &root, "unshare", "sh", "-c", &script])
            .ok(),
        root
    );
}

#[test]
fn trees_of_subordinate_ids_are_removed_inside() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/data");
    let chown = if lane() == Lane::Bare {
        ""
    } else {
        "; chown -R 1000:1000 /data/a; chmod 700 /data/a"
    };
    let volume = format!("{}:/data", dir.display());
    home.inside(
        &["-v", &volume],
        &format!("mkdir -p /data/a/b; echo x > /data/a/b/c{chown}"),
    );
    home.pod(["unshare", "rm", "-rf", dir.to_str().unwrap()])
        .ok();
    assert!(!dir.exists());
}

#[test]
fn an_image_is_mounted_to_be_read() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "layers"]).ok();
    home.pod(["pull", "-q", "busybox"]).ok();
    let script = "set -e; m=$(pod image mount layers); cat $m/a/two $m/a/linked; ls $m/b $m/a/deep; \
                  ! touch $m/x 2>/dev/null; pod image mount; [ $(pod image mount layers) = $m ]; \
                  pod image unmount layers; ! ls $m 2>/dev/null; pod image mount";
    let got = inside(&home, script).ok();
    let id = home
        .pod(["image", "inspect", "-f", "{{.Id}}", "layers"])
        .ok();
    let place = home.path(&format!("run/pod/mounts/image-{id}"));
    let b = home.path("run/pod/mounts").join(format!("image-{id}/b"));
    let deep = home
        .path("run/pod/mounts")
        .join(format!("image-{id}/a/deep"));
    assert_eq!(
        got,
        format!(
            "2\n2\n{}:\nnew\n\n{}:\nstays\ndocker.io/library/layers:latest  {}\n{id}",
            deep.display(),
            b.display(),
            place.display()
        )
    );
    // One layer alone, and all at once.
    let got = inside(
        &home,
        "set -e; m=$(pod image mount busybox); cat $m/srv/index.html; ! touch $m/x 2>/dev/null; \
                             pod image mount -a >/dev/null; pod image mount --format json; pod image umount -a",
    );
    let got = got.ok();
    assert!(got.starts_with("hello from busybox\n["), "{got}");
    assert_eq!(
        got.lines()
            .rev()
            .take(2)
            .filter(|line| line.len() == 64)
            .count(),
        2,
        "{got}"
    );
    // The namespace is gone, and the mounts with it.
    assert_eq!(inside(&home, "pod image mount").ok(), "");
    let cases: [(&[&str], &str); 5] = [
        (
            &["image", "mount", "layers"],
            "cannot run command \"pod image mount\" in rootless mode, must execute `pod unshare` first",
        ),
        (&["image", "mount", "nosuch"], "nosuch: image not known"),
        (&["image", "unmount"], "image name or ID must be specified"),
        (&["image", "unmount", "nosuch"], "nosuch: image not known"),
        (
            &["image", "mount", "-a", "x"],
            "when using the --all switch, you may not pass any image names or IDs",
        ),
    ];
    for (words, want) in cases {
        let done = home.pod(words.iter().copied());
        assert_eq!(
            (done.code, done.stderr.lines().next()),
            (125, Some(format!("Error: {want}").as_str())),
            "{done}"
        );
    }
    let _ = fs::remove_dir_all(home.path("run/pod/mounts"));
}

#[test]
fn a_container_is_mounted_to_be_written() {
    let home = TestHome::with_busybox();
    home.pod(["create", "--name=c", "busybox", "cat", "/from-outside"])
        .ok();
    let id = home.inspect("c", "{{.Id}}");
    let place = home.path(&format!("run/pod/mounts/container-{id}"));
    let got = inside(
        &home,
        "set -e; m=$(pod mount c); echo $m; echo written > $m/from-outside; pod mount; pod umount c; \
                             ! pod umount c 2>/dev/null; pod mount",
    );
    assert_eq!(
        got.ok(),
        format!("{0}\n{1}  {0}\n{id}", place.display(), &id[..12])
    );
    assert_eq!(home.pod(["start", "-a", "c"]).ok(), "written");
    assert_eq!(
        home.pod(["diff", "c"]).ok().lines().last(),
        Some("A /from-outside")
    );
    home.pod([
        "run",
        "-d",
        "--name=runs",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "echo live > /live; sleep 1000",
    ])
    .ok();
    // A mount shows what was there when it was made.
    let written = [
        "exec",
        "runs",
        "sh",
        "-c",
        "while ! [ -s /live ]; do :; done",
    ];
    home.pod(written).ok();
    let done = inside(
        &home,
        "set -e; m=$(pod container mount runs); cat $m/live; \
                              ! touch $m/x 2>/dev/null; pod container unmount -f runs >/dev/null",
    );
    assert!(
        done.stderr
            .contains("is running: mounting its files as they are now, for reading only"),
        "{done}"
    );
    assert_eq!(done.ok(), "live");
    home.pod(["rm", "-f", "-t0", "runs"]).ok();
    let done = home.pod(["mount", "c"]);
    assert_eq!(
        (done.code, done.stderr.as_str()),
        (
            125,
            "Error: cannot run command \"pod mount\" in rootless mode, must execute `pod unshare` first\n"
        )
    );
    assert_eq!(
        home.pod(["umount"]).stderr,
        "Error: you must provide at least one name or id\n"
    );
    let _ = fs::remove_dir_all(home.path("run/pod/mounts"));
    home.pod(["rm", "c"]).ok();
}

/// One id only: owners are what the image says, also of what a container copied up; the rest is root's.
#[test]
fn without_subordinate_ids_owners_survive_commit_and_export() {
    let home = TestHome::bare().served_by(Registry::shared());
    home.pod(["pull", "-q", "layers"]).ok();
    home.pod([
        "run",
        "--name=c",
        "--network=none",
        "layers",
        "sh",
        "-c",
        "echo more >> /own/file; echo n > /own/new; echo p >> /etc/passwd",
    ])
    .ok();
    home.pod(["commit", "-q", "c", "img"]).ok();
    home.pod([
        "run",
        "--name=d",
        "--network=none",
        "img",
        "sh",
        "-c",
        "echo again >> /own/file",
    ])
    .ok();
    home.pod(["commit", "-q", "d", "img2"]).ok();
    let want = ["0/0 own/", "1000/2000 own/file", "0/0 own/new"];
    let dir = home.mkdir("home/out");
    for (kind, words) in [
        ("export", &["export", "-o"][..]),
        ("save", &["save", "-q", "--format=docker-archive", "-o"]),
    ] {
        let archive = dir.join(kind);
        let what = if kind == "save" { "img2" } else { "d" };
        home.pod(
            words
                .iter()
                .copied()
                .chain([archive.to_str().unwrap(), what]),
        )
        .ok();
        let list = match kind {
            "export" => "tar --numeric-owner -tvf \"$1\"",
            _ => {
                "tar -xOf \"$1\" manifest.json | tr '\",' '\\n\\n' | grep 'tar$' | tail -1 | \
                  while read l; do tar -xOf \"$1\" \"$l\" | tar --numeric-owner -tv; done"
            }
        };
        let list = crate::support::tool(["sh", "-c", list, "sh", archive.to_str().unwrap()]);
        let found: Vec<String> = list
            .lines()
            .filter(|line| line.contains(" own/"))
            .map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                format!("{} {}", words[1], words[words.len() - 1])
            })
            .collect();
        match kind {
            "export" => assert_eq!(found, want, "{list}"),
            _ => assert_eq!(found, want[..2], "{list}"),
        }
    }
    home.pod(["rm", "c", "d"]).ok();
}
