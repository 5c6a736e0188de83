//! `run` in the foreground: output, exit codes, what the program inside sees.

use crate::support::TestHome;

#[test]
fn run_prints_what_the_command_prints_and_answers_with_its_code() {
    let home = TestHome::with_busybox();
    let done = home.pod([
        "run",
        "--rm",
        "busybox",
        "sh",
        "-c",
        "echo out; echo err >&2; exit 7",
    ]);
    assert_eq!(
        (done.code, done.stdout.as_str(), done.stderr.as_str()),
        (7, "out\n", "err\n"),
        "{done}"
    );
}
