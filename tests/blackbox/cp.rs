//! `cp`: Podman's rules for sources and destinations, tars, owners, volumes, and containers that swap paths.

use crate::support::TestHome;

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
}

#[test]
fn podmans_rules_for_a_running_container() {
    check_cases(true);
}

#[test]
fn podmans_rules_for_a_stopped_container() {
    check_cases(false);
}
