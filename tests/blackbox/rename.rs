//! `rename` and `restart`.

use crate::support::{TestHome, process};

const IDLE: &[&str] = &["--network=none", "busybox", "sleep", "1000"];

fn run(home: &TestHome, options: &[&str]) -> String {
    home.pod([&["run", "-d"], options, IDLE].concat()).ok()
}

#[test]
fn a_running_container_takes_a_new_name_and_goes_by_it() {
    let home = TestHome::with_busybox();
    let before = home.snapshot();
    let id = run(&home, &["--name=old", "--rm"]);
    assert_eq!(home.pod(["rename", "old", "new"]).ok(), "");
    assert_eq!(
        home.inspect("new", "{{.Id}} {{.Name}}"),
        format!("{id} new")
    );
    assert!(
        home.pod(["inspect", "old"])
            .code(125)
            .stderr
            .contains("no such")
    );
    // The monitor, which was born under the old name, leaves neither behind.
    home.pod(["stop", "-t0", "new"]).ok();
    run(&home, &["--name=new"]);
    run(&home, &["--name=old"]);
    let removed = home.pod(["rm", "-ft0", "new", "old"]);
    home.assert_as_before(&before, &removed);
    assert_eq!(removed.ok(), "new\nold");
}

#[test]
fn names_that_cannot_be_given() {
    let home = TestHome::with_busybox();
    for name in ["a", "b"] {
        home.pod(["create", "--name", name, "busybox"]).ok();
    }
    let id = home.inspect("a", "{{.Id}}");
    let taken = home.pod(["rename", "a", "b"]).code(125);
    assert_eq!(
        taken.stderr,
        format!(
            "Error: renaming container {id}: name b already in use, cannot rename container {id}: container already exists\n"
        )
    );
    home.pod(["rename", "a", "a"]).ok();
    assert!(
        home.pod(["rename", "a", "x/y"])
            .code(125)
            .stderr
            .contains("names must match")
    );
    let one = home.pod(["rename", "a"]).code(125);
    assert!(one.stderr.contains("accepts 2 arg(s), received 1"), "{one}");
    let gone = home.pod(["rename", "nosuch", "c"]).code(125);
    assert_eq!(
        gone.stderr,
        "Error: no container with name or ID \"nosuch\" found: no such container\n"
    );
    assert_eq!(home.pod(["ps", "-a", "--format={{.Names}}"]).ok(), "a\nb");
}

#[test]
fn restart_gives_a_new_process_and_keeps_what_was_written() {
    let home = TestHome::with_busybox();
    run(&home, &["--name=c", "--rm"]);
    home.pod(["exec", "c", "touch", "/kept"]).ok();
    let before = home.pid_of("c");
    assert_eq!(home.pod(["restart", "-t0", "c"]).ok(), "c");
    let after = home.pid_of("c");
    assert_ne!(before, after);
    process::wait_gone(before);
    home.pod(["exec", "c", "ls", "/kept"]).ok();
    // `--rm` still holds.
    home.pod(["stop", "-t0", "c"]).ok();
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
    // One that does not run is started; --running passes over it.
    let id = home.pod([&["create", "--name=d"], IDLE].concat()).ok();
    assert_eq!(home.pod(["restart", "--running"]).ok(), "");
    assert_eq!(home.pod(["restart", "--all"]).ok(), id);
    assert_eq!(home.inspect("d", "{{.State.Running}}"), "true");
    let none = home.pod(["restart"]).code(125);
    assert_eq!(
        none.stderr,
        "Error: you must provide at least one name or id\n"
    );
    home.pod(["rm", "-ft0", "d"]).ok();
}
