//! Volumes: `-v NAME:/path`, anonymous ones, images' `VOLUME`s, and the `volume` commands.

use crate::support::{Lane, TestHome, lane};

/// Runs `sh -c SCRIPT` in a busybox without network, with more options.
fn sh(home: &TestHome, options: &[&str], script: &str) -> String {
    let run = ["run", "--rm", "--network=none"];
    home.pod([&run[..], options, &["busybox", "sh", "-c", script]].concat())
        .ok()
}

#[test]
fn a_named_volume_keeps_what_containers_write() {
    let home = TestHome::with_busybox();
    sh(&home, &["-v", "data:/d"], "echo one > /d/f");
    assert_eq!(
        sh(&home, &["--mount=type=volume,src=data,dst=/x"], "cat /x/f"),
        "one"
    );
    let ro = [
        "run",
        "--rm",
        "--network=none",
        "-v",
        "data:/d:ro",
        "busybox",
        "touch",
        "/d/g",
    ];
    assert!(
        home.pod(ro)
            .code(1)
            .stderr
            .contains("Read-only file system")
    );
    assert_eq!(
        home.pod(["volume", "ls"]).ok(),
        "DRIVER      VOLUME NAME\nlocal       data"
    );
    assert_eq!(home.pod(["volume", "exists", "data"]).code, 0);
    assert_eq!(home.pod(["volume", "exists", "nosuch"]).code, 1);
    let point = home
        .pod(["volume", "inspect", "-f", "{{.Mountpoint}}", "data"])
        .ok();
    assert!(point.ends_with("/volumes/data/_data"), "{point}");
    assert_eq!(
        std::fs::read_to_string(format!("{point}/f")).unwrap(),
        "one\n"
    );
    assert_eq!(home.pod(["volume", "rm", "data"]).ok(), "data");
    assert_eq!(home.pod(["volume", "ls", "-q"]).ok(), "");
}

#[test]
fn a_new_volume_takes_the_images_files_once() {
    let home = TestHome::with_busybox();
    let base = ["run", "--name=c", "--network=none", "busybox", "sh", "-c"];
    let make = "mkdir /seed && echo s > /seed/f && chmod 750 /seed && ln -s f /seed/l";
    home.pod([&base[..], &[make]].concat()).ok();
    home.pod(["commit", "-q", "c", "seeded"]).ok();
    home.pod(["rm", "c"]).ok();
    let run = |options: &[&str], script: &str| {
        let head = ["run", "--rm", "--network=none"];
        home.pod([&head[..], options, &["seeded", "sh", "-c", script]].concat())
            .ok()
    };
    let look = "stat -c %a /seed; readlink /seed/l; cat /seed/f";
    assert_eq!(run(&["-v", "v:/seed"], look), "750\nf\ns");
    run(&["-v", "v:/seed"], "rm /seed/f /seed/l");
    // Empty again, but not new: it stays so.
    assert_eq!(run(&["-v", "v:/seed"], "ls /seed"), "");
    assert_eq!(run(&["-v", "w:/seed:nocopy"], "ls /seed"), "");
    // Eight at once fill it once.
    let many = "for i in 1 2 3 4 5 6 7 8; do \"$POD\" run --rm --network none -v x:/seed seeded sh -c 'cat /seed/f' & done; wait";
    let done = home.sh(many);
    assert_eq!(done.ok(), ["s"; 8].join("\n"));
    assert_eq!(home.pod(["volume", "rm", "-a"]).ok(), "v\nw\nx");
}

#[test]
fn anonymous_volumes_go_with_their_container_if_asked() {
    let home = TestHome::with_busybox();
    let count = || home.pod(["volume", "ls", "-q"]).ok().lines().count();
    sh(&home, &["-v", "/anon"], "echo x > /anon/f");
    assert_eq!(count(), 0, "--rm takes it along");
    let create = [
        "create",
        "--name=c",
        "--network=none",
        "-v",
        "/anon",
        "busybox",
    ];
    home.pod(create).ok();
    assert_eq!(count(), 1);
    let name = home.inspect(
        "c",
        "{{(index .Mounts 0).Name}} {{(index .Mounts 0).Destination}}",
    );
    let (name, at) = name.split_once(' ').unwrap();
    assert_eq!((name.len(), at), (64, "/anon"));
    assert_eq!(
        home.pod([
            "volume",
            "ls",
            "-q",
            "--filter=anonymous=true",
            "--filter=dangling=false"
        ])
        .ok(),
        name
    );
    home.pod(["rm", "c"]).ok();
    assert_eq!(
        home.pod(["volume", "ls", "-q", "--filter=dangling=true"])
            .ok(),
        name
    );
    assert_eq!(home.pod(["volume", "prune", "-f"]).ok(), name);
    home.pod(create).ok();
    home.pod(["rm", "-v", "c"]).ok();
    assert_eq!(count(), 0);
}

#[test]
fn a_volume_in_use_stays() {
    let home = TestHome::with_busybox();
    let id = home
        .pod([
            "create",
            "--name=c",
            "--network=none",
            "-v",
            "data:/d",
            "busybox",
        ])
        .ok();
    let used = home.pod(["volume", "rm", "data"]).code(2);
    assert_eq!(
        used.stderr,
        format!(
            "Error: volume data is being used by the following container(s): {id}: volume is being used\n"
        )
    );
    assert_eq!(home.pod(["volume", "prune", "-f"]).ok(), "");
    assert_eq!(
        home.pod(["ps", "-aq", "--no-trunc", "--filter=volume=data"])
            .ok(),
        id
    );
    assert_eq!(home.pod(["volume", "rm", "-f", "data"]).ok(), "data");
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn what_volume_commands_refuse() {
    let home = TestHome::new();
    let taken = "Error: volume with name v already exists: volume already exists";
    assert_eq!(home.pod(["volume", "create", "-l", "a=b", "v"]).ok(), "v");
    let again = home.pod(["volume", "create", "v"]).code(125);
    assert!(again.stderr.contains(&taken["Error: ".len()..]), "{again}");
    assert_eq!(home.pod(["volume", "create", "--ignore", "v"]).ok(), "v");
    assert_eq!(
        home.pod(["volume", "inspect", "-f", "{{.Labels.a}}", "v"])
            .ok(),
        "b"
    );
    let gone = home.pod(["volume", "rm", "nosuch"]).code(1);
    assert_eq!(
        gone.stderr,
        "Error: no volume with name \"nosuch\" found: no such volume\n"
    );
    home.pod(["volume", "rm", "-f", "nosuch"]).ok();
    home.refuses(["volume", "create", "a/b"], 125, &["names must match"]);
    home.refuses(
        ["volume", "create", "-d", "nfs", "x"],
        125,
        &["driver", "nfs"],
    );
    home.refuses(
        ["volume", "create", "-o", "type=nfs", "x"],
        125,
        &["type=nfs", "only root"],
    );
    home.refuses(
        ["volume", "ls", "--filter=bad=1"],
        125,
        &["invalid volume filter"],
    );
    home.refuses(
        ["run", "-v", "a b:/x", "busybox"],
        125,
        &["names must match"],
    );
    let answer = home.pod_with_input(["volume", "prune"], "n\n");
    assert!(
        answer
            .stdout
            .contains("WARNING! This will remove all volumes")
            && answer.code == 0
    );
    assert_eq!(home.pod(["volume", "rm", "--all"]).ok(), "v");
}

#[test]
fn a_volume_that_is_a_directory_of_the_host() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("shared");
    let device = format!("device={}", dir.display());
    let create = [
        "volume",
        "create",
        "-o",
        "type=none",
        "-o",
        "o=bind",
        "-o",
        &device,
        "v",
    ];
    home.pod(create).ok();
    sh(&home, &["-v", "v:/d"], "echo here > /d/f");
    assert_eq!(std::fs::read_to_string(dir.join("f")).unwrap(), "here\n");
    home.pod(["volume", "rm", "v"]).ok();
    assert!(
        dir.join("f").exists(),
        "the directory is not the volume's to remove"
    );
}

#[test]
fn stopped_containers_are_pruned_by_filter() {
    let home = TestHome::with_busybox();
    let create = |name: &str, label: &str| {
        home.pod([
            "create",
            "--name",
            name,
            "--label",
            label,
            "--network=none",
            "busybox",
        ])
        .ok()
    };
    let (a, b) = (create("a", "x=1"), create("b", "x=2"));
    home.refuses(
        ["container", "prune", "-f", "--filter=status=exited"],
        125,
        &["status is an invalid filter"],
    );
    assert_eq!(
        home.pod(["container", "prune", "-f", "--filter=label=x=1"])
            .ok(),
        a
    );
    assert!(
        home.pod_with_input(["container", "prune"], "n\n")
            .stdout
            .contains("all non running containers")
    );
    assert_eq!(home.pod(["container", "prune", "-f"]).ok(), b);
}

#[test]
fn what_a_killed_creation_leaves_is_swept() {
    let home = TestHome::with_busybox();
    let before = home.snapshot();
    let store = home.path("home/.local/share/pod");
    // Half made: without a record, and an anonymous one whose container never came to be.
    home.sh("cd ~/.local/share/pod && mkdir -p volumes/half/_data volumes/orphan/_data")
        .ok();
    let record = format!(
        r#"{{"version":1,"name":"orphan","created":"2026-01-01T00:00:00Z","anonymous":true,"container":"{}","fresh":true}}"#,
        "a".repeat(64)
    );
    home.write("home/.local/share/pod/volumes/orphan/volume.json", &record);
    assert!(store.join("volumes/half").exists());
    assert_eq!(home.pod(["volume", "ls", "-q"]).ok(), "");
    assert!(!store.join("volumes/half").exists() && !store.join("volumes/orphan").exists());
    if lane() != Lane::Bare {
        sh(&home, &["-v", "half:/d"], "chown 7:7 /d; touch /d/f");
        home.pod(["volume", "rm", "half"]).ok();
    }
    let done = home.pod(["volume", "ls"]);
    home.assert_as_before(&before, &done);
}

#[test]
fn system_prune_takes_what_nothing_uses() {
    let home = TestHome::with_busybox();
    let id = home
        .pod([
            "create",
            "--name=c",
            "--network=none",
            "-v",
            "data:/d",
            "busybox",
        ])
        .ok();
    sh(
        &home,
        &["-v", "kept:/d"],
        "dd if=/dev/zero of=/d/f bs=1000 count=3",
    );
    let asked = home.pod_with_input(["system", "prune", "--volumes"], "n\n");
    assert_eq!(
        asked.stdout,
        "WARNING! This command removes:\n\t- all stopped containers\n\t- all volumes not used by at least one \
         container\n\t- all dangling images\n\nAre you sure you want to continue? [y/N] "
    );
    assert_eq!(
        home.pod(["system", "prune", "-f"]).ok(),
        format!("Deleted Containers\n{id}\nTotal reclaimed space: 0B")
    );
    assert_eq!(
        home.pod(["system", "prune", "-f", "--volumes"]).ok(),
        "Deleted Volumes\ndata\nkept\nTotal reclaimed space: 3kB"
    );
    assert_eq!(home.pod(["images", "-q"]).ok().lines().count(), 1);
    let all = home.pod(["system", "prune", "-af"]).ok();
    assert!(all.starts_with("Deleted Images\n"), "{all}");
    assert_eq!(home.pod(["images", "-q"]).ok(), "");
    home.refuses(
        ["system", "prune", "-f", "--filter=name=x"],
        125,
        &["name is an invalid filter"],
    );
}
