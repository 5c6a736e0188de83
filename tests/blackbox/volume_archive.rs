//! `volume export`, `import`, `mount`, and what is refused of them.

use crate::support::TestHome;

#[test]
fn a_volume_goes_out_and_comes_back() {
    let home = TestHome::with_busybox();
    let script = "mkdir /v/s && echo x >/v/s/f && ln -s s/f /v/l && ln /v/s/f /v/h && chmod 750 /v/s && truncate -s 1M /v/hole";
    let run = |volume: &str, script: &str| {
        let mount = format!("{volume}:/v");
        home.pod([
            "run",
            "--rm",
            "--network=none",
            "-v",
            &mount,
            "busybox",
            "sh",
            "-c",
            script,
        ])
        .ok()
    };
    run("a", script);
    home.pod(["volume", "create", "b"]).ok();
    home.pod(["volume", "create", "c"]).ok();
    home.sh("\"$POD\" volume export a | \"$POD\" volume import b -")
        .ok();
    home.sh("\"$POD\" volume export -o \"$HOME/a.tar\" a && gzip \"$HOME/a.tar\" && \"$POD\" volume import c \"$HOME/a.tar.gz\"").ok();
    let look = "cd /v; stat -c '%n %a %h %s' s/f h hole s; readlink l; cat h";
    let want = run("a", look);
    assert_eq!(run("b", look), want);
    assert_eq!(run("c", look), want);
    // Over what is there.
    home.sh("\"$POD\" volume import b \"$HOME/a.tar.gz\"").ok();
    assert_eq!(run("b", look), want);
    for (script, message) in [
        ("\"$POD\" volume export nosuch", "no such volume nosuch"),
        ("\"$POD\" volume import nosuch -", "no such volume nosuch"),
        (
            "\"$POD\" volume import a \"$HOME/nosuch\"",
            "No such file or directory",
        ),
        (
            "echo garbage | \"$POD\" volume import a -",
            "import into volume a: no tar archive",
        ),
        ("\"$POD\" volume export", "accepts 1 arg(s), received 0"),
        (
            "\"$POD\" volume mount a",
            "must execute `pod unshare` first",
        ),
        ("\"$POD\" volume reload", "not available"),
    ] {
        let done = home.sh(script);
        assert!(done.code == 125 && done.stderr.contains(message), "{done}");
    }
    let pod = home.sh("echo \"$POD\"").ok();
    let point = home
        .pod(["volume", "inspect", "-f", "{{.Mountpoint}}", "a"])
        .ok();
    assert_eq!(
        home.pod(["unshare", "sh", "-c", "\"$0\" volume mount a", &pod])
            .ok(),
        point
    );
    home.pod(["volume", "rm", "-a"]).ok();
}
