//! Names of users and hosts without the C library's name services: those load modules at run time (`nsswitch.conf(5)`),
//! which a static binary cannot. Their functions are linked all the same, by crates that could call them.

use crate::support::TestHome;

/// Runs a script with `$POD` being traced; returns what it printed and the files and sockets that were opened.
#[track_caller]
fn traced(home: &TestHome, words: &str, code: i32) -> (String, String) {
    let trace = home.path("home/trace");
    // As the user, who must own what is traced; without a HOME, which some look up in the user data base.
    let script = format!(
        "env -u HOME strace -f -e trace=open,openat,connect -o {} $POD {words}",
        trace.display()
    );
    let done = home.sh(&script).code(code);
    let opened = std::fs::read_to_string(&trace).expect("strace wrote it");
    assert!(opened.contains("open"), "nothing was traced");
    (done.stdout + &done.stderr, opened)
}

#[test]
fn no_name_service_is_asked() {
    let home = TestHome::with_registry();
    let port = home.registry().replace("127.0.0.1:", "");
    let (root, run) = (home.mkdir("home/root"), home.mkdir("home/runroot"));
    let pod = format!("--root {} --runroot {}", root.display(), run.display());
    for (words, code, says) in [
        ("ps --format {{.ID}}".to_owned(), 0, ""),
        ("info --format {{.Store.GraphRoot}}".to_owned(), 0, "root"),
        // The host is found, and the registry asked.
        (
            format!("pull --tls-verify=false localhost:{port}/nosuch"),
            125,
            "unknown",
        ),
        (
            "pull --retry 0 no-such-host.invalid/x".to_owned(),
            125,
            "no-such-host.invalid",
        ),
    ] {
        let (said, opened) = traced(&home, &format!("{pod} {words}"), code);
        assert!(said.contains(says), "pod {words}: {said}");
        for module in ["nsswitch.conf", "libnss", "/nscd/"] {
            assert!(
                !opened.contains(module),
                "pod {words} opens {module}:\n{opened}"
            );
        }
    }
}
