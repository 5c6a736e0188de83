//! `run` in the foreground: output, exit statuses, streams, signals, terminals, and what the program sees.

use nix::sys::signal::Signal;

use crate::support::process;
use crate::support::{Lane, TestHome, lane};

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

#[test]
fn run_answers_as_podman_does() {
    let home = TestHome::with_busybox();
    for (words, code, says) in [
        (["sh", "-c", "exit 300"].as_slice(), 44, ""),
        (
            &["sh", "-c", "sh -c 'kill -9 $$' 2>/dev/null; exit $?"],
            137,
            "",
        ),
        (&["/no/such/program"], 127, "no such file or directory"),
        (&["nosuchprogram"], 127, "nosuchprogram"),
        (&["/opt/plain"], 126, "permission denied"),
        (&["/etc"], 126, "/etc"),
    ] {
        let fixed = ["run", "--rm", "--network=none", "busybox"];
        let done = home.pod(fixed.iter().chain(words).copied());
        assert_eq!(done.code, code, "{done}");
        let error = done.stderr.to_lowercase();
        assert!(error.contains(says), "{done}");
        assert_eq!(
            done.stderr.lines().count(),
            usize::from(!says.is_empty()),
            "{done}"
        );
    }
    assert_eq!(
        home.pod(["ps", "-aq"]).ok(),
        "",
        "--rm removes what could not start, too"
    );
}

#[test]
fn stdin_reaches_the_command_only_with_i() {
    let home = TestHome::with_busybox();
    let cat = ["run", "--rm", "-i", "--network=none", "busybox", "cat"];
    assert_eq!(home.pod_with_input(cat, "to and fro\n").ok(), "to and fro");
    let cat = ["run", "--rm", "--network=none", "busybox", "cat"];
    assert_eq!(home.pod_with_input(cat, "unread\n").ok(), "");
}

#[test]
fn large_output_arrives_whole_and_streams_stay_apart() {
    let home = TestHome::with_busybox();
    let script =
        "head -c 3000000 /dev/zero | tr '\\0' x; head -c 100000 /dev/zero | tr '\\0' y >&2";
    let done = home.pod([
        "run",
        "--rm",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    assert_eq!(done.code, 0);
    assert!(done.stdout.len() == 3_000_000 && done.stdout.bytes().all(|b| b == b'x'));
    assert!(done.stderr.len() == 100_000 && done.stderr.bytes().all(|b| b == b'y'));
}

#[test]
fn environment_hostname_and_directory_are_podmans() {
    let home = TestHome::with_busybox();
    let env = home.inside(
        &["-e", "A=b c", "-e", "HOME", "--hostname=box"],
        "env | sort; pwd; hostname",
    );
    let home_line = format!("HOME={}", home.path("home").display());
    let want = [
        "A=b c",
        &home_line,
        "HOSTNAME=box",
        "PATH=/bin",
        "PWD=/",
        "SHLVL=1",
        "container=podman",
        "/",
        "box",
    ];
    assert_eq!(env.lines().collect::<Vec<_>>(), want);
    let id = home
        .pod(["run", "-d", "--network=none", "busybox", "hostname"])
        .ok();
    home.pod(["wait", &id]).ok();
    assert_eq!(home.pod(["logs", &id]).ok(), id[..12]);
}

#[test]
fn env_files_workdir_user_and_entrypoint() {
    let home = TestHome::with_busybox();
    let file = home.write("home/env", "# comment\nONE=1\nTWO=with space\nHOME\n");
    let file = file.display().to_string();
    let out = home.inside(
        &["--env-file", &file, "-w", "/srv/data"],
        "echo $ONE $TWO; pwd",
    );
    assert_eq!(out, "1 with space\n/srv/data");
    let out = home.pod([
        "run",
        "--rm",
        "--network=none",
        "--entrypoint",
        "echo",
        "busybox",
        "a",
        "b",
    ]);
    assert_eq!(out.ok(), "a b");
    let out = home.pod([
        "run",
        "--rm",
        "--network=none",
        "--entrypoint",
        "[\"echo\",\"x y\"]",
        "busybox",
        "z",
    ]);
    assert_eq!(out.ok(), "x y z");
    if lane() != Lane::Bare {
        for (user, want) in [
            (
                "app",
                "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)",
            ),
            (
                "1000",
                "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)",
            ),
            ("4321:app", "uid=4321 gid=1000(app) groups=1000(app)"),
            (
                "nobody:2000",
                "uid=65534(nobody) gid=2000(extra) groups=2000(extra)",
            ),
        ] {
            assert_eq!(home.inside(&["-u", user], "id"), want, "--user {user}");
        }
    }
}

#[test]
fn namespaces_are_the_containers_own() {
    let home = TestHome::with_busybox();
    let out = home.inside(
        &[],
        "echo $$; for ns in pid net uts; do readlink /proc/self/ns/$ns; done; ls /sys/class/net",
    );
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("1"));
    for kind in ["pid", "net", "uts"] {
        let own = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        assert_ne!(lines.next(), own.to_str(), "{kind} namespace is the host's");
    }
    assert_eq!(lines.collect::<Vec<_>>(), ["lo"]);
}

#[test]
fn hosts_resolv_conf_and_containerenv() {
    let home = TestHome::with_busybox();
    let out = home
        .pod([
            "run",
            "--rm",
            "--name=me",
            "--add-host=db:10.1.2.3",
            "--dns=192.0.2.53",
            "busybox",
            "cat",
            "/etc/hosts",
            "/etc/resolv.conf",
            "/run/.containerenv",
        ])
        .ok();
    for line in [
        "127.0.0.1\tlocalhost",
        "10.1.2.3\tdb",
        "nameserver 192.0.2.53",
    ] {
        assert!(out.contains(line), "no {line:?} in\n{out}");
    }
    assert!(out.contains("host.containers.internal"), "{out}");
}

#[test]
fn bind_mounts_tmpfs_and_read_only() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/data");
    home.write("home/data/file", "from the host\n");
    let bind = format!("{}:/mnt", dir.display());
    assert_eq!(
        home.inside(&["-v", &bind], "cat /mnt/file; echo back > /mnt/new"),
        "from the host"
    );
    assert_eq!(std::fs::read_to_string(dir.join("new")).unwrap(), "back\n");
    let out = home.inside(
        &["-v", &format!("{bind}:ro")],
        "echo x 2>&1 > /mnt/file || echo refused",
    );
    assert!(out.ends_with("refused"), "{out}");
    let mount = format!("type=bind,src={},dst=/m,ro", dir.display());
    assert_eq!(home.inside(&["--mount", &mount], "cat /m/new"), "back");
    let out = home.inside(
        &["--tmpfs", "/t:size=1m,mode=1777"],
        "stat -c %a /t; grep ' /t ' /proc/mounts",
    );
    assert!(
        out.starts_with("1777\n") && out.contains("size=1024k"),
        "{out}"
    );
    let out = home.inside(
        &["--read-only"],
        "touch /x 2>/dev/null || echo refused; touch /tmp/x /run/x /dev/shm/x && echo fine",
    );
    assert_eq!(out, "refused\nfine");
}

#[test]
fn shm_ulimits_sysctls_and_umask() {
    let home = TestHome::with_busybox();
    assert_eq!(
        home.inside(&["--shm-size=8m"], "df -k /dev/shm | awk 'END{print $2}'"),
        "8192"
    );
    assert_eq!(
        home.inside(&["--ulimit=nofile=100:200"], "ulimit -Sn; ulimit -Hn"),
        "100\n200"
    );
    assert_eq!(
        home.inside(
            &["--sysctl=net.ipv4.ip_forward=1"],
            "cat /proc/sys/net/ipv4/ip_forward"
        ),
        "1"
    );
    assert_eq!(home.inside(&[], "umask"), "0022");
}

#[test]
fn signals_are_forwarded_and_the_code_comes_back() {
    let home = TestHome::with_busybox();
    let script = "trap 'echo got term; exit 9' TERM; echo ready; while :; do sleep 1 & wait; done";
    let running = home.spawn([
        "run",
        "--rm",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        script,
    ]);
    running.wait_for("ready");
    running.signal(Signal::SIGTERM);
    let done = running.wait();
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (9, "ready\ngot term\n"),
        "{done}"
    );
}

#[test]
fn a_terminal_is_a_terminal() {
    let home = TestHome::with_busybox();
    let mut terminal = home.terminal(["run", "--rm", "-it", "--network=none", "busybox", "sh"]);
    terminal.wait_for("# ");
    assert!(terminal.is_raw());
    terminal.send("tty; stty size; echo $TERM; exit 3\r");
    terminal.wait_for("exit 3");
    let done = terminal.wait();
    assert_eq!(done.code, 3, "{done}");
    for line in ["/dev/pts/0", "24 80", "xterm"] {
        assert!(
            done.stdout.contains(&format!("\n{line}\r\n")),
            "no line {line:?}:\n{done}"
        );
    }
}

#[test]
fn a_terminal_can_be_resized_and_left() {
    let home = TestHome::with_busybox();
    let mut terminal = home.terminal(["run", "-it", "--name=t", "--network=none", "busybox", "sh"]);
    terminal.wait_for("# ");
    terminal.send("until stty size | grep '40 100'; do :; done; echo changed\r");
    terminal.resize(40, 100);
    terminal.wait_for("40 100\r\nchanged\r\n");
    terminal.send("\x10\x11"); // ctrl-p ctrl-q
    let done = terminal.wait();
    assert_eq!(done.code, 0, "{done}");
    assert_eq!(home.inspect("t", "{{.State.Status}}"), "running");
    let mut terminal = home.terminal(["attach", "t"]);
    terminal.send("echo again; exit 5\r");
    terminal.wait_for("\nagain");
    assert_eq!(terminal.wait().code, 5);
}

#[test]
fn a_background_run_survives_its_shell_and_holds_none_of_its_streams() {
    let home = TestHome::with_busybox();
    // `wait` fails when a process keeps stdout or stderr open: the very bug of a badly detached monitor.
    let id = home
        .sh("$POD run -d --network=none busybox sleep 1000")
        .ok();
    assert_eq!(id.len(), 64, "{id}");
    assert_eq!(home.inspect(&id, "{{.State.Status}}"), "running");
    let pid = home.pid_of(&id);
    home.pod(["rm", "-f", "-t", "0", &id]).ok();
    process::wait_gone(pid);
}

#[test]
fn cidfile_pidfile_labels_and_name() {
    let home = TestHome::with_busybox();
    let cid = home.path("home/cid").display().to_string();
    let id = home
        .pod([
            "run",
            "-d",
            "--cidfile",
            &cid,
            "--name=n1",
            "-l",
            "a=b",
            "--network=none",
            "busybox",
            "sleep",
            "1000",
        ])
        .ok();
    assert_eq!(std::fs::read_to_string(&cid).unwrap(), id);
    assert_eq!(
        home.inspect("n1", "{{.Id}} {{index .Config.Labels \"a\"}}"),
        format!("{id} b")
    );
    let again = home
        .pod([
            "run",
            "--cidfile",
            &cid,
            "--network=none",
            "busybox",
            "true",
        ])
        .code(125);
    assert!(again.stderr.contains("cid"), "{again}");
}

#[test]
fn a_seccomp_profile_of_the_users_own_applies() {
    let home = TestHome::with_busybox();
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 121}]}"#;
    let file = home.write("home/profile.json", profile);
    let flag = format!("seccomp={}", file.display());
    let out = home.inside(&["--security-opt", &flag], "mkdir /x 2>&1 || true");
    assert!(out.contains("Remote I/O error"), "{out}");
}
