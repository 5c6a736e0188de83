//! `events`: what commands and monitors tell, and how it is asked for.

use serde_json::Value;

use crate::support::TestHome;

const NONE: &str = "--network=none";

/// `type status name` of all events so far.
fn told(home: &TestHome, flags: &[&str]) -> Vec<String> {
    let format = ["--format", "{{.Type}} {{.Status}} {{.Name}}"];
    let args = [&["events", "--stream=false"], &format[..], flags].concat();
    home.pod(args).ok().lines().map(str::to_owned).collect()
}

fn of_container(home: &TestHome, name: &str) -> Vec<String> {
    let filter = format!("container={name}");
    told(home, &["--filter", &filter])
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn a_run_is_told_from_its_creation_to_its_removal() {
    let home = TestHome::with_busybox();
    home.pod([
        "run",
        "--rm",
        "--name=c",
        "--label=k=v",
        NONE,
        "busybox",
        "sh",
        "-c",
        "exit 3",
    ])
    .code(3);
    let want = [
        "create", "init", "start", "attach", "died", "cleanup", "remove",
    ];
    assert_eq!(of_container(&home, "c"), want);
    let json = home.pod([
        "events",
        "--stream=false",
        "--format=json",
        "--filter=event=died",
    ]);
    let died: Value = serde_json::from_str(&json.ok()).expect("one document");
    assert_eq!(died["ContainerExitCode"], 3);
    assert_eq!(died["Image"], "docker.io/library/busybox:latest");
    assert_eq!(died["Attributes"]["k"], "v");
    assert_eq!(
        died["time"].as_i64().unwrap(),
        died["timeNano"].as_i64().unwrap() / 1_000_000_000
    );
    let text = home
        .pod(["events", "--stream=false", "--filter=event=died"])
        .ok();
    let id = died["ID"].as_str().unwrap();
    let rest =
        format!(" container died {id} (image=docker.io/library/busybox:latest, name=c, k=v)");
    assert!(text.starts_with("20") && text.ends_with(&rest), "{text}");
    let cut = home.pod([
        "events",
        "--stream=false",
        "--no-trunc=false",
        "--filter=event=died",
    ]);
    assert!(cut.ok().contains(&format!(" died {} (", &id[..12])));
}

#[test]
fn every_command_tells_what_it_did() {
    let home = TestHome::with_busybox();
    home.pod(["run", "-d", "--name=a", NONE, "busybox", "sleep", "1000"])
        .ok();
    home.pod(["exec", "a", "true"]).ok();
    home.pod(["rename", "a", "b"]).ok();
    home.pod(["kill", "-sCONT", "b"]).ok();
    home.pod(["stop", "-t0", "b"]).ok();
    home.pod(["commit", "-q", "b", "image"]).ok();
    home.pod(["export", "-o", "/dev/null", "b"]).ok();
    home.pod(["restart", "-t0", "b"]).ok();
    home.pod(["rm", "-ft0", "b"]).ok();
    let all = told(&home, &["--filter=type=container"]);
    let want = [
        "create a",
        "init a",
        "start a",
        "exec a",
        "exec_died a",
        "rename b",
        "kill b",
        "died b",
        "cleanup b",
        "stop b",
        "commit b",
        "export b",
        "restart b",
        "init b",
        "start b",
        "died b",
        "cleanup b",
        "remove b",
    ];
    let got: Vec<&str> = all
        .iter()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(got, want);

    home.pod(["tag", "image", "other"]).ok();
    home.pod(["save", "-q", "-o", "/dev/null", "image"]);
    home.pod(["untag", "image", "localhost/other:latest"]).ok();
    home.pod(["rmi", "image"]).ok();
    home.pod(["volume", "create", "v"]).ok();
    home.pod(["volume", "rm", "v"]).ok();
    home.pod(["system", "prune", "-f"]).ok();
    home.pod(["pull", "-q", "nosuch.invalid/x"]).code(125);
    let want = [
        "image tag other",
        "image untag localhost/other:latest",
        "image untag localhost/image:latest",
        "image remove ",
        "volume create v",
        "volume remove v",
        "system prune ",
        "image pull-error nosuch.invalid/x",
    ];
    let all = told(&home, &[]);
    let rest: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|line| {
            !line.starts_with("container") && !line.contains(" save ") && !line.contains(" pull ")
        })
        .collect();
    assert_eq!(rest, want);
}

#[test]
fn filters_and_times() {
    let home = TestHome::with_busybox();
    for (name, label) in [("web", "x=1"), ("zoo", "x=2")] {
        home.pod(["create", "--name", name, "--label", label, "busybox"])
            .ok();
    }
    home.pod(["volume", "create", "v"]).ok();
    let of = |flags: &[&str]| told(&home, &[&["--filter=event=create"], flags].concat());
    let (a, b) = ("container create web", "container create zoo");
    assert_eq!(of(&["-f", "container=web"]), [a]);
    assert_eq!(of(&["-f", "container=web", "-f", "container=zoo"]), [a, b]);
    assert_eq!(of(&["-f", "label=x=2"]), [b]);
    assert_eq!(of(&["-f", "type=volume"]), ["volume create v"]);
    assert_eq!(of(&["-f", "volume=v", "-f", "type=container"]).len(), 0);
    let id = home.inspect("web", "{{.Id}}");
    assert_eq!(of(&["-f", &format!("container={}", &id[..8])]), [a]);
    assert_eq!(of(&["--since=1h"]).len(), 3);
    assert_eq!(of(&["--until=2020-01-01"]).len(), 0);
    let after = home
        .pod([
            "events",
            "--stream=false",
            "--format={{.TimeNano}}",
            "-f=volume=v",
        ])
        .ok();
    let (secs, nanos) = after.split_at(10);
    assert_eq!(
        of(&["--since", &format!("{secs}.{nanos}")]),
        ["volume create v"]
    );
    for (flags, want) in [
        (["--filter", "nope=1"], "Error: nope is an invalid filter\n"),
        (["--filter", "nope"], "Error: nope is an invalid filter\n"),
        (["--since", "nope"], "Error: failed to parse \"nope\""),
        (["--format", "{{.Nope}}"], "Error: template: events:1:"),
    ] {
        let args = [&["events", "--stream=false"], &flags[..]].concat();
        let done = home.pod(args).code(125);
        assert!(done.stderr.starts_with(want), "{done}");
    }
    home.pod(["volume", "rm", "v"]).ok();
}

#[test]
fn following_ends_at_until_and_sees_what_comes_across_rotation() {
    let home = TestHome::with_busybox();
    home.write(
        "home/.config/containers/containers.conf",
        "[engine]\nevents_logfile_max_size = \"4k\"\n",
    );
    let follow = home.spawn([
        "events",
        "--since=1h",
        "--filter=type=volume",
        "--format={{.Status}} {{.Name}}",
    ]);
    for n in 0..40 {
        home.pod(["volume", "create", &format!("v{n}")]).ok();
        follow.wait_for(&format!("create v{n}\n"));
    }
    let seen = follow.wait_for("create v39\n");
    let names: Vec<&str> = seen.lines().collect();
    let want: Vec<String> = (0..40).map(|n| format!("create v{n}")).collect();
    assert_eq!(names, want);
    drop(follow);
    // Nothing grows without bound.
    let kept = told(&home, &[]);
    assert!((5..40).contains(&kept.len()), "{kept:?}");
    let until = home
        .pod(["events", "--until=1s", "--filter=volume=v39"])
        .ok();
    assert!(until.ends_with(" volume create v39"), "{until}");
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn many_writers_at_once_lose_and_tear_nothing() {
    let home = TestHome::with_busybox();
    let script = "for i in $(seq 10); do for j in 1 2 3 4; do $POD volume create v$i-$j >/dev/null & done; wait; done";
    home.sh(script).ok();
    let mut names = told(&home, &["--filter=type=volume"]);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 40, "{names:?}");
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn backends() {
    let home = TestHome::with_busybox();
    home.pod(["--events-backend=none", "volume", "create", "a"])
        .ok();
    home.pod(["--events-backend", "file", "volume", "create", "b"])
        .ok();
    assert_eq!(told(&home, &["--filter=type=volume"]), ["volume create b"]);
    home.refuses(
        ["--events-backend=none", "events"],
        125,
        &["\"none\" backend"],
    );
    home.refuses(
        ["--events-backend=nope", "events"],
        125,
        &["unknown events logger type: nope"],
    );
    let file = home.mkdir("mine").join("events");
    let text = format!("[engine]\nevents_logfile_path = {file:?}\n");
    home.write("home/.config/containers/containers.conf", &text);
    home.pod(["volume", "create", "c"]).ok();
    let line = std::fs::read_to_string(file).expect("the file that was asked for");
    let line: Value = serde_json::from_str(&line).expect("one line of JSON");
    assert_eq!(
        (line["Status"].as_str(), line["Name"].as_str()),
        (Some("create"), Some("c"))
    );
    home.write(
        "home/.config/containers/containers.conf",
        "[engine]\nevents_logger = \"none\"\n",
    );
    home.pod(["volume", "create", "d"]).ok();
    assert!(!told_file(&home).contains("\"d\""));
    home.pod(["volume", "rm", "-a"]).ok();
}

fn told_file(home: &TestHome) -> String {
    home.pod([
        "--events-backend=file",
        "events",
        "--stream=false",
        "--format=json",
    ])
    .ok()
}
