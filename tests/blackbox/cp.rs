//! `cp`: Podman's rules for sources and destinations, tars, owners, volumes, and containers that swap paths.

use std::os::unix::fs::MetadataExt;

use crate::support::{Lane, TestHome, lane};

/// What both sides have before each case: `/t` in the container, `h` in the user's home.
const CONTAINER_TREE: &str = "rm -rf /t; mkdir -p /t/e/dd /t/d2; echo old >/t/file; ln -s e /t/le; \
    ln -s file /t/lf; ln -s /t/nope /t/ldang; ln -s /../../../t/e /t/up; ln -s ../e /t/d2/a; echo in >/t/e/in";

fn host_tree(home: &TestHome) {
    let done = home.sh(
        "rm -rf \"$HOME/h\"; mkdir -p \"$HOME/h/d/sub\" \"$HOME/h/dest\"; cd \"$HOME/h\"; echo f >f; echo x >d/a; echo y >d/sub/b; \
         ln -s f lf; ln -s d ld; ln -s nosuch ldang",
    );
    done.ok();
}

/// A container of busybox, running or with its tree made and stopped.
fn container(home: &TestHome, running: bool) {
    let base = ["run", "-d", "--name=c", "--network=none", "-w", "/tmp"];
    let rest = ["-v", "vol:/vol", "busybox", "sleep", "1000"];
    home.pod([&base[..], &rest].concat()).ok();
    home.pod(["exec", "c", "sh", "-c", CONTAINER_TREE]).ok();
    if !running {
        home.pod(["stop", "-t0", "c"]).ok();
    }
}

/// Runs `pod cp SOURCE DESTINATION` in `h`.
fn cp(home: &TestHome, words: &str) -> crate::support::Done {
    home.sh(&format!("cd \"$HOME/h\" && \"$POD\" cp {words}"))
}

/// Source and destination, and what is there afterwards: `path=content`, `path/` for a directory, or `! message`.
const CASES: &[(&str, &str)] = &[
    ("f c:/t/new", "/t/new=f"),
    ("f c:/t/e", "/t/e/f=f"),
    ("f c:/t/e/", "/t/e/f=f"),
    ("f c:/t/file", "/t/file=f"),
    ("f c:/t/le", "/t/e/f=f"),
    ("f c:/t/up", "/t/e/f=f"),
    ("f c:/t/lf", "/t/file=f"),
    ("f c:/t/ldang", "/t/nope=f"),
    ("f c:rel", "/tmp/rel=f"),
    ("d c:/t/e", "/t/e/d/sub/b=y"),
    ("d c:/t/newd", "/t/newd/sub/b=y"),
    ("d/. c:/t/newd2", "/t/newd2/sub/b=y"),
    ("d/. c:/t/e/dd", "/t/e/dd/sub/b=y"),
    ("d/. c:/t/d2", "/t/d2/a=x"),
    ("lf c:/t/e", "/t/e/lf=f"),
    ("ld c:/t/e", "/t/e/ld/sub/b=y"),
    ("ld/. c:/t/ldot", "/t/ldot/a=x"),
    ("f c:/vol/x", "/vol/x=f"),
    ("c:/t/e c:/t/c2", "/t/c2/in=in"),
    ("c:/t/e/in c:/t/c3", "/t/c3=in"),
    (
        "f c:/t/new2/",
        "! \"/t/new2/\" could not be found on container c: no such file or directory",
    ),
    (
        "f c:/t/miss/x",
        "! \"/t/miss/x\" could not be found on container c: no such file or directory",
    ),
    (
        "d c:/t/file",
        "! destination must be a directory when copying a directory",
    ),
    (
        "d/ c:/t/newd3/",
        "! \"/t/newd3/\" could not be found on container c: no such file or directory",
    ),
    (
        "ldang c:/t/",
        "! \"ldang\" could not be found on the host: no such file or directory",
    ),
    (
        "nosuch c:/t/",
        "! \"nosuch\" could not be found on the host: no such file or directory",
    ),
    ("f nosuch:/t/", "! container \"nosuch\" does not exist"),
    ("nosuch:/t f", "! container \"nosuch\" does not exist"),
    (
        "c:/t/nosuch .",
        "! \"/t/nosuch\" could not be found on container c: no such file or directory",
    ),
    (
        "c:/t/file nodir/x",
        "! \"nodir/x\" could not be found on the host: no such file or directory",
    ),
    (
        "c:/t/file nodir/",
        "! \"nodir/\" could not be found on the host: no such file or directory",
    ),
    (
        "c:/t/e f",
        "! destination must be a directory when copying a directory",
    ),
    (
        "- c:/t/file </dev/null",
        "! destination must be a directory when copying from stdin",
    ),
    (
        "- c:/t </dev/null",
        "! source must be a (compressed) tar archive when copying from stdin",
    ),
    (
        "f c:",
        "! invalid arguments \"f\", \"c:\": you must specify paths",
    ),
    ("f", "! accepts 2 arg(s), received 1"),
    (
        "f g",
        "! invalid arguments \"f\", \"g\": you must use one container",
    ),
    (
        "/dev/null c:/t/null",
        "! copy \"/dev/null\" on the host: it is a device or a socket, which only its own host has",
    ),
    ("c:/t/file dest", "dest/file=f"),
    ("c:/t/file out", "out=f"),
    ("c:/t/lf dest/", "dest/file=f"),
    ("c:/t/le dest/", "dest/e/in=in"),
    ("c:/t/le/ out1", "out1/in=in"),
    ("c:/t/e/. out2", "out2/in=in"),
    ("c:/t/e/. dest", "dest/in=in"),
    ("c:/t/up dest", "dest/e/in=in"),
];

fn check_cases(running: bool) {
    let home = TestHome::with_busybox();
    container(&home, running);
    for (words, want) in CASES {
        host_tree(&home);
        let done = cp(&home, words);
        if let Some(message) = want.strip_prefix("! ") {
            assert_eq!(
                (done.code, done.stderr.trim()),
                (125, format!("Error: {message}").as_str()),
                "{words}: {done}"
            );
            continue;
        }
        assert_eq!(
            (done.code, done.stderr.as_str()),
            (0, ""),
            "{words}: {done}"
        );
        let (path, content) = want.split_once('=').expect("a case says what is there");
        let got = match path.strip_prefix('/') {
            Some(_) => home.sh(&format!("\"$POD\" cp c:{path} - | tar xO")).ok(),
            None => home.sh(&format!("cat \"$HOME/h/{path}\"")).ok(),
        };
        assert_eq!(got, *content, "{words}");
    }
    home.pod(["rm", "-f", "-t0", "c"]).ok();
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn podmans_rules_for_a_running_container() {
    check_cases(true);
}

#[test]
fn podmans_rules_for_a_stopped_container() {
    check_cases(false);
}

#[test]
fn owners_modes_times_links_and_holes_survive() {
    let home = TestHome::with_busybox();
    let base = ["run", "-d", "--name=c", "--network=none", "--user=12:34"];
    home.pod([&base[..], &["busybox", "sleep", "1000"]].concat())
        .ok();
    home.sh(
        "mkdir \"$HOME/d\"; cd \"$HOME/d\"; echo x >a; ln a b; chmod 640 a; touch -d @1000000000.5 a; mkfifo -m 600 p; \
         truncate -s 64M hole; printf y >>hole; mkdir -m 2750 s; touch -d @999999999 s",
    )
    .ok();
    assert_eq!(home.sh("\"$POD\" cp \"$HOME/d\" c:/tmp/d").ok(), "");
    let look = "cd /tmp/d && stat -c '%n %u:%g %a %h %Y' a p s; stat -c '%n %s %b' hole";
    let owner = "12:34";
    let seen = home.pod(["exec", "--user=0", "c", "sh", "-c", look]).ok();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], format!("a {owner} 640 2 1000000000"), "{seen}");
    assert!(lines[1].starts_with(&format!("p {owner} 600 1 ")), "{seen}");
    assert_eq!(lines[2], format!("s {owner} 2750 2 999999999"), "{seen}");
    let hole: Vec<&str> = lines[3].split(' ').collect();
    assert_eq!(hole[1], "67108865");
    assert!(hole[2].parse::<u64>().unwrap() < 1024, "{seen}");
    // Without -a the owner stays: the user is root in the container.
    home.sh("\"$POD\" cp --archive=false \"$HOME/d/a\" c:/tmp/mine")
        .ok();
    let mine = ["exec", "c", "stat", "-c", "%u:%g", "/tmp/mine"];
    // Where there is one id only, it is that of the container's user.
    let own = if lane() == Lane::Bare { owner } else { "0:0" };
    assert_eq!(home.pod(mine).ok(), own);
    // And back: all of it is the user's.
    home.sh("\"$POD\" cp c:/tmp/d \"$HOME/back\"").ok();
    let back = std::fs::metadata(home.path("home/back/a")).unwrap();
    let link = std::fs::metadata(home.path("home/back/b")).unwrap();
    assert_eq!(
        (back.uid(), back.mode() & 0o777, back.mtime()),
        (home.user.uid.as_raw(), 0o640, 1_000_000_000)
    );
    assert_eq!((back.mtime_nsec(), back.ino()), (500_000_000, link.ino()));
    assert!(
        std::fs::metadata(home.path("home/back/hole"))
            .unwrap()
            .blocks()
            < 1024
    );
    home.pod(["rm", "-f", "-t0", "c"]).ok();
}

#[test]
fn mounts_are_seen_as_the_container_sees_them() {
    let home = TestHome::with_busybox();
    home.sh("mkdir \"$HOME/b\" \"$HOME/ro\"; echo f >\"$HOME/f\"; echo b >\"$HOME/b/in\"")
        .ok();
    let script = "\"$POD\" run -d --name c --network none --tmpfs /t -v \"$HOME/b:/b\" -v \"$HOME/ro:/ro:ro\" -v v:/data/v busybox sleep 1000";
    home.sh(script).ok();
    let cp = |words: &str| home.sh(&format!("cd \"$HOME\" && \"$POD\" cp {words}"));
    for target in ["/t/x", "/b/x", "/data/v/x"] {
        cp(&format!("f c:{target}")).ok();
        assert_eq!(home.pod(["exec", "c", "cat", target]).ok(), "f");
    }
    assert!(
        cp("f c:/ro/x")
            .code(125)
            .stderr
            .contains("Read-only file system")
    );
    cp("f c:/etc/hosts").ok(); // a mount point is written in place
    assert_eq!(home.pod(["exec", "c", "cat", "/etc/hosts"]).ok(), "f");
    cp("c:/b/in got").ok();
    home.pod(["stop", "-t0", "c"]).ok();
    cp("f c:/data/v/y").ok();
    cp("f c:/b/y").ok();
    assert!(
        cp("f c:/ro/x")
            .code(125)
            .stderr
            .contains("Read-only file system")
    );
    assert_eq!(home.sh("cat \"$HOME/b/y\" \"$HOME/got\"").ok(), "f\nb");
    assert_eq!(cp("c:/data/v/x - | tar xO").ok(), "f");
    // A mount point that is the mounts' alone leaves nothing behind.
    assert!(!home.pod(["diff", "c"]).ok().contains("/y"));
    home.pod(["start", "c"]).ok();
    assert_eq!(
        home.pod(["exec", "c", "cat", "/data/v/y", "/b/y"]).ok(),
        "f\nf"
    );
    home.pod(["rm", "-f", "-t0", "c"]).ok();
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn a_container_that_swaps_directories_for_links_reaches_nothing_outside() {
    let home = TestHome::with_busybox();
    home.sh("mkdir -p \"$HOME/src/swap/deep\" \"$HOME/canary\"; echo evil >\"$HOME/src/swap/deep/f\"; echo alive >\"$HOME/canary/f\"")
        .ok();
    // The canary has the same path on the host and, as something else, in the container.
    let canary = home.path("home/canary").display().to_string();
    let swap = format!(
        "mkdir -p /w/real/deep {canary}; echo inside >/w/real/deep/f; cd /w; while :; do mv real swap; mv swap real; \
         ln -s {canary} swap; rm swap; ln -s ../../../../../../../../../..{canary} swap; rm swap; done"
    );
    let base = ["run", "-d", "--name=c", "--network=none", "busybox"];
    home.pod([&base[..], &["sh", "-c", &swap]].concat()).ok();
    let race = "cd \"$HOME\"; for i in $(seq 60); do \"$POD\" cp src/swap c:/w/ 2>/dev/null; \"$POD\" cp src/swap/. c:/w/swap/ 2>/dev/null; \
        tar c -C src swap | \"$POD\" cp - c:/w 2>/dev/null; \"$POD\" cp c:/w/swap out 2>/dev/null; \"$POD\" cp c:/w/swap/f out2 2>/dev/null; done; \
        cat canary/*; grep -rl alive out out2 2>/dev/null; true";
    assert_eq!(home.sh(race).ok(), "alive");
    home.pod(["rm", "-f", "-t0", "c"]).ok();
}

#[test]
fn tars_go_in_and_out() {
    let home = TestHome::with_busybox();
    home.pod(["create", "--name=c", "--network=none", "busybox"])
        .ok();
    home.sh("mkdir -p \"$HOME/d/s\"; cd \"$HOME/d\"; echo x >s/f; ln -s s/f l; ln s/f h")
        .ok();
    for compress in ["", "z", "J"] {
        let script = format!("tar c{compress} -C \"$HOME/d\" . | \"$POD\" cp - c:/nosuchdir 2>&1");
        let missing = home.sh(&script);
        assert!(
            missing.stdout.contains("destination must be a directory"),
            "{missing}"
        );
        let script = format!(
            "tar c{compress} -C \"$HOME/d\" . | \"$POD\" cp - c:/tmp && \"$POD\" cp c:/tmp/. - | tar t | sort | xargs"
        );
        assert_eq!(home.sh(&script).ok(), "h l s/ s/f");
    }
    let out = "mkdir \"$HOME/x\"; printf '' | tar c -C \"$HOME\" -P --transform 's,d/s/f,../../evil,' d/s/f | \"$POD\" cp - c:/tmp";
    assert!(home.sh(out).code(125).stderr.contains("leads out of it"));
    home.pod(["rm", "c"]).ok();
}

#[test]
fn a_copy_of_a_directory_into_itself_ends() {
    let home = TestHome::with_busybox();
    home.pod([
        "run",
        "-d",
        "--name=c",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    home.pod(["exec", "c", "sh", "-c", "mkdir -p /d/e; echo x >/d/f"])
        .ok();
    let into = home.pod(["cp", "c:/d", "c:/d/e"]).code(125);
    assert!(
        into.stderr.contains("cannot copy a directory into itself"),
        "{into}"
    );
    assert_eq!(
        home.pod(["exec", "c", "find", "/d", "-type", "f"]).ok(),
        "/d/f\n/d/e/d/f"
    );
    let same = home.pod(["cp", "c:/d/f", "c:/d/f"]).code(125);
    assert!(same.stderr.contains("is the file that is copied"), "{same}");
    let mixed = home.pod(["cp", "c:/d/f", "c:/d/e/d"]);
    assert_eq!(mixed.code, 0, "{mixed}");
    home.pod(["exec", "c", "mkdir", "-p", "/o/f"]).ok();
    let refused = home.pod(["cp", "c:/d/.", "c:/o"]).code(125);
    assert!(
        refused
            .stderr
            .contains("cannot overwrite directory \"/o/f\" with non-directory"),
        "{refused}"
    );
    home.pod(["cp", "--overwrite", "c:/d/.", "c:/o"]).ok();
    assert_eq!(home.pod(["exec", "c", "cat", "/o/f"]).ok(), "x");
    home.pod(["rm", "-f", "-t0", "c"]).ok();
}
