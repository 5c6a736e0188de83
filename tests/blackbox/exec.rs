//! `exec` in detail, and removals of containers that need each other.

use crate::support::TestHome;

#[test]
fn exec_is_confined_as_the_container_is() {
    let home = TestHome::with_busybox();
    let flags = [
        "run",
        "-d",
        "--name=c",
        "--network=none",
        "--cap-drop=all",
        "--cap-add=chown,kill",
        "--ulimit=nofile=77:99",
        "--umask=0027",
        "--security-opt=no-new-privileges",
        "-e",
        "A=1",
        "--cidfile",
    ];
    let file = home.path("home/cid").display().to_string();
    let rest = [
        &*file,
        "busybox",
        "sh",
        "-c",
        "grep -E 'Cap|Seccomp|NoNewPrivs' /proc/self/status >/status; umask >>/status; ulimit -n >>/status; exec sleep 1000",
    ];
    home.pod([&flags[..], &rest].concat()).ok();
    let look = "grep -E 'Cap|Seccomp|NoNewPrivs' /proc/self/status; umask; ulimit -n";
    let wait = "while [ $(wc -l </status) -lt 9 ]; do :; done; cat /status";
    let of_init = home.pod(["exec", "c", "sh", "-c", wait]).ok();
    assert_eq!(
        home.pod(["exec", "--cidfile", &file, "sh", "-c", look])
            .ok(),
        of_init
    );
    assert_eq!(home.pod(["exec", "-l", "-e", "B=2", "c"]).code, 127);
    assert_eq!(
        home.pod(["exec", "-l", "-e", "B=2", "sh", "-c", "echo $A$B"])
            .ok(),
        "12"
    );
    let namespaces = "for n in cgroup ipc mnt net pid user uts; do readlink /proc/$0/ns/$n; done";
    let of = |pid: &str| home.pod(["exec", "c", "sh", "-c", namespaces, pid]).ok();
    assert_eq!(of("self"), of("1"));
    for (words, code) in [
        (&["c", "nosuch"][..], 127),
        (&["c", "/etc"], 126),
        (&["nosuch", "true"], 125),
        (&["c", "sh", "-c", "exit 7"], 7),
        (&["c", "sh", "-c", "kill -9 $$"], 137),
        (&["-w", "/nosuch", "c", "true"], 126),
    ] {
        let done = home.pod([&["exec"][..], words].concat());
        assert_eq!(done.code, code, "{done}");
    }
    let both = home
        .pod(["exec", "-l", "--cidfile", &file, "true"])
        .code(125);
    assert!(both.stderr.contains("cannot be used together"), "{both}");
    home.pod(["stop", "-t0", "c"]).ok();
    assert_eq!(home.pod(["exec", "c", "true"]).code, 255);
    home.pod(["rm", "c"]).ok();
}

#[test]
fn a_hundred_execs_at_once() {
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
    let many = "for i in $(seq 100); do \"$POD\" exec c sh -c \"echo $i\" & done; wait";
    let mut got: Vec<u32> = home
        .sh(many)
        .ok()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    got.sort_unstable();
    assert_eq!(got, (1..=100).collect::<Vec<_>>());
    home.pod(["rm", "-f", "-t0", "c"]).ok();
}

#[test]
fn rm_takes_what_needs_a_container_first() {
    let home = TestHome::with_busybox();
    let make = |name: &str, network: &str| {
        let (name, network) = (format!("--name={name}"), format!("--network={network}"));
        home.pod(["create", &name, &network, "busybox"]).ok()
    };
    let make_all = || {
        [
            make("a", "none"),
            make("b", "container:a"),
            make("c", "container:b"),
        ]
    };
    let [_, b, c] = make_all();
    let refused = home.pod(["rm", "a"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("has dependent containers"),
        "{refused}"
    );
    assert_eq!(
        home.pod(["rm", "--depend", "a"]).ok(),
        format!("{c}\n{b}\na")
    );
    make_all();
    assert_eq!(home.pod(["rm", "-a"]).ok().lines().count(), 3);
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}
