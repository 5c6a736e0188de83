//! Flags of `run` and `create` that say who the process is and what it is told.

use crate::support::{Lane, TestHome, lane};

/// Output of `sh -c SCRIPT` in a busybox without network.
fn sh(home: &TestHome, flags: &[&str], script: &str) -> String {
    let base = ["run", "--rm", "--network=none"];
    home.pod([&base[..], flags, &["busybox", "sh", "-c", script]].concat())
        .ok()
}

fn refused(home: &TestHome, flags: &[&str]) -> String {
    let base = ["run", "--rm", "--network=none"];
    let done = home.pod([&base[..], flags, &["busybox", "true"]].concat());
    let first = done.code(125).stderr;
    first.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn variables_of_the_host_and_of_the_image() {
    let home = TestHome::with_busybox()
        .with_env("FROM_HOST", "yes")
        .with_env("http_proxy", "proxy:1");
    assert_eq!(sh(&home, &[], "echo $FROM_HOST-$http_proxy"), "-proxy:1");
    assert_eq!(sh(&home, &["--http-proxy=false"], "echo -$http_proxy"), "-");
    assert_eq!(
        sh(
            &home,
            &["--env-host", "-e", "http_proxy=mine"],
            "echo $FROM_HOST-$http_proxy"
        ),
        "yes-mine"
    );
    assert_eq!(
        sh(
            &home,
            &["--env-merge=PATH=/x:${PATH}", "--env-merge=N=${NOPE:-else}"],
            "echo $PATH $N"
        ),
        "/x:/bin else"
    );
    assert_eq!(
        refused(&home, &["--env-merge=NOTHING"]),
        "Error: missing `=` for --env-merge substitution NOTHING"
    );
    let unset = ["--unsetenv=container", "-e", "A=1"];
    assert_eq!(sh(&home, &unset, "echo $container,$A"), ",1");
    let only = sh(&home, &["--unsetenv-all", "-e", "A=1"], "/bin/env");
    let mut names: Vec<&str> = only.lines().filter_map(|l| l.split('=').next()).collect();
    names.sort_unstable();
    // Beside what the shell sets: HOME, the proxy and what was asked for.
    names.retain(|name| !["PATH", "PWD", "SHLVL", "_"].contains(name));
    assert_eq!(names, ["A", "HOME", "http_proxy"], "{only}");
    let file = home.write("vars", "# note\nA=file\nFROM_HOST\n B=x y\n");
    let file = format!("--env-file={}", file.display());
    assert_eq!(
        sh(&home, &[&file, "-e", "A=flag"], "echo $A $FROM_HOST $B"),
        "flag yes x y"
    );
}

#[test]
fn users_become_known_to_the_container() {
    let home = TestHome::with_busybox();
    assert_eq!(
        sh(&home, &["--user=4321"], "tail -n1 /etc/passwd; echo $HOME"),
        "4321:*:4321:0:container user:/:/bin/sh\n/"
    );
    if lane() != Lane::Bare {
        assert_eq!(
            sh(
                &home,
                &["-u", "4321:5432", "-w/tmp"],
                "tail -n1 /etc/passwd; tail -n1 /etc/group"
            ),
            "4321:*:4321:5432:container user:/tmp:/bin/sh\n5432:x:5432:4321"
        );
        let own = home.user.name.clone();
        assert_eq!(
            sh(
                &home,
                &["--userns=keep-id"],
                "whoami; grep -c \"^$(whoami):\" /etc/group"
            ),
            format!("{own}\n1")
        );
    }
    assert_eq!(
        sh(
            &home,
            &["--user=4321", "--passwd=false"],
            "grep -c 4321 /etc/passwd || true"
        ),
        "0"
    );
    let entry = "--passwd-entry=$USERNAME:x:$UID:$GID:$NAME:/h:/bin/other";
    assert_eq!(
        sh(&home, &["--user=4321", entry], "tail -n1 /etc/passwd"),
        "4321:x:4321:0:container user:/h:/bin/other"
    );
    // Known to the image: nothing is added. Files the user mounts are left alone.
    assert_eq!(sh(&home, &["--user=0"], "grep -c root: /etc/passwd"), "1");
    let mine = home.write("passwd", "me:x:4321:0::/:/bin/sh\n");
    let mount = format!("{}:/etc/passwd", mine.display());
    sh(&home, &["--user=7", "-v", &mount], "true");
    assert_eq!(
        std::fs::read_to_string(&mine).unwrap(),
        "me:x:4321:0::/:/bin/sh\n"
    );
    // A read-only container has its entry too.
    assert!(
        sh(
            &home,
            &["--user=4321", "--read-only"],
            "tail -n1 /etc/passwd"
        )
        .starts_with("4321:")
    );
    // No second line at the second start.
    home.pod([
        "create",
        "--name=c",
        "--network=none",
        "--user=4321",
        "busybox",
        "grep",
        "-c",
        "4321:",
        "/etc/passwd",
    ])
    .ok();
    for _ in 0..2 {
        assert_eq!(home.pod(["start", "-a", "c"]).ok(), "1");
    }
}

#[test]
fn users_of_the_host_are_added() {
    let home = TestHome::with_busybox();
    assert_eq!(
        sh(
            &home,
            &["--hostuser=nobody", "--hostuser=games"],
            "grep games: /etc/passwd"
        ),
        "games:*:5:60:games:/:/bin/sh"
    );
    if lane() != Lane::Bare {
        assert_eq!(
            sh(&home, &["--hostuser=games", "--user=games"], "id -u"),
            "5"
        );
    }
    assert_eq!(
        refused(&home, &["--hostuser=no-such-user"]),
        "Error: add user \"no-such-user\" of this host: user: unknown user no-such-user"
    );
}

#[test]
fn groups_are_kept_when_asked() {
    let home = TestHome::with_busybox();
    if lane() != Lane::Bare {
        assert_eq!(
            sh(
                &home,
                &["-u", "33", "--group-add=10,77"],
                "grep Groups /proc/self/status | tr -s '\\t ' ' '"
            ),
            "Groups: 0 10 77 "
        );
    }
    // Of the groups of the caller all that are not mapped are the overflow group.
    let groups = sh(
        &home,
        &["--group-add=keep-groups"],
        "grep Groups /proc/self/status",
    );
    let of_user = home.sh("grep Groups /proc/self/status").ok();
    assert_eq!(
        groups.split_whitespace().count(),
        of_user.split_whitespace().count(),
        "{groups} {of_user}"
    );
    assert_eq!(
        refused(&home, &["--group-add=keep-groups,7"]),
        "Error: the '--group-add keep-groups' option is not allowed with any other --group-add options"
    );
}

#[test]
fn descriptors_keep_their_numbers() {
    let home = TestHome::with_busybox();
    home.write("seven", "of seven\n");
    let run = "$POD run --rm --network=none";
    let pod = crate::support::pod_binary().display();
    let script = format!(
        "POD={pod}; {run} --preserve-fd 7 busybox sh -c 'cat <&7; ls /proc/self/fd | tr \"\\n\" \" \"' 7<\"$HOME\"/../seven 5</dev/null"
    );
    // 3 is the directory that ls reads.
    assert_eq!(home.sh(&script).ok(), "of seven\n0 1 2 3 7 ");
    let script = format!(
        "POD={pod}; {run} --preserve-fds 2 busybox sh -c 'cat <&4' 3</dev/null 4<\"$HOME\"/../seven"
    );
    assert_eq!(home.sh(&script).ok(), "of seven");
    assert_eq!(
        refused(&home, &["--preserve-fd=99"]),
        "Error: file descriptor 99 is not available - the preserve-fd option requires that file descriptors must be \
         passed"
    );
}

#[test]
fn limits_and_personality() {
    let home = TestHome::with_busybox();
    let limits = "ulimit -Sn; ulimit -Hn";
    assert_eq!(sh(&home, &["--ulimit=nofile=100:200"], limits), "100\n200");
    assert_eq!(
        sh(&home, &["--ulimit=RLIMIT_NOFILE=150"], limits),
        "150\n150"
    );
    let own = home.sh("ulimit -Hn").ok();
    assert_eq!(sh(&home, &["--ulimit=nofile=-1"], "ulimit -Hn"), own);
    assert_eq!(sh(&home, &["--ulimit=host"], "ulimit -Hn"), own);
    assert_eq!(
        home.sh(&format!(
            "ulimit -n 300; {} run --rm --network=none --ulimit host busybox sh -c 'ulimit -n'",
            crate::support::pod_binary().display()
        ))
        .ok(),
        "300"
    );
    assert!(refused(&home, &["--ulimit=nofile=1:2:3"]).contains("failed to be parsed"));
    assert!(refused(&home, &["--ulimit=nope=1"]).contains("invalid ulimit type: nope"));
    if cfg!(target_arch = "x86_64") {
        assert_eq!(sh(&home, &["--personality=LINUX32"], "uname -m"), "i686");
    }
    assert_eq!(
        refused(&home, &["--personality=BSD"]),
        "Error: --personality \"BSD\": it is neither LINUX nor LINUX32"
    );
}

#[test]
fn options_of_proc_and_its_masks() {
    let home = TestHome::with_busybox();
    let proc = "grep ' /proc ' /proc/mounts";
    let hidden = sh(&home, &["--security-opt=proc-opts=hidepid=2"], proc);
    assert!(hidden.contains("hidepid="), "{hidden}");
    let masks = "grep -c ' /proc/' /proc/mounts || true";
    assert_eq!(
        sh(&home, &["--security-opt=systempaths=unconfined"], masks),
        "0"
    );
    assert_eq!(sh(&home, &["--security-opt=unmask=ALL"], masks), "0");
    assert_ne!(sh(&home, &[], masks), "0");
    assert_eq!(
        refused(&home, &["--security-opt=systempaths=x"]),
        "Error: invalid systempaths option \"x\", only `unconfined` is supported"
    );
    assert_eq!(
        refused(&home, &["--pid=host", "--security-opt=proc-opts=hidepid=2"]),
        "Error: proc-opts can only be used if proc is mounted in the container"
    );
}

#[test]
fn the_hosts_file_and_the_monitors_pid() {
    let home = TestHome::with_busybox();
    let hosts = home.write("hosts", "10.1.2.3 far.example\n");
    let flag = format!("--hosts-file={}", hosts.display());
    assert_eq!(sh(&home, &[&flag], "grep -c far.example /etc/hosts"), "1");
    assert_eq!(
        sh(
            &home,
            &["--hosts-file=none"],
            "grep -c far.example /etc/hosts || true"
        ),
        "0"
    );
    assert!(refused(&home, &["--hosts-file=/nosuch"]).contains("open hosts file"));
    let pid = home.path("monitor.pid");
    let flag = format!("--conmon-pidfile={}", pid.display());
    home.pod([
        "run",
        "-d",
        "--name=c",
        "--network=none",
        &flag,
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    let written = std::fs::read_to_string(&pid).unwrap();
    assert_eq!(home.inspect("c", "{{.State.ConmonPid}}"), written);
    assert_eq!(
        home.inspect("c", "{{.ConmonPidFile}}"),
        pid.display().to_string()
    );
    home.pod(["rm", "-f", "-t0", "c"]).ok();
    std::fs::remove_file(pid).unwrap();
}

#[test]
fn what_is_refused_says_why_or_what_else() {
    let home = TestHome::with_busybox();
    for (flag, hint) in [
        ("--chrootdirs=/x", "hint: "),
        ("--decryption-key=/x", "hint: "),
        ("--rdt-class=x", "hint: "),
        ("--init-ctr=always", "hint: "),
        ("--pod=x", "hint: "),
        ("--pod-id-file=x", "hint: "),
        ("--seccomp-policy=image", "hint: "),
        ("--systemd=always", "hint: "),
        ("--uidmap=0:1:1", "hint: "),
        ("--subuidname=x", "hint: "),
        ("--ip=10.0.0.1", "hint: "),
    ] {
        let text = refused(&home, &[flag]);
        assert!(
            text.contains("is not available in this version of pod"),
            "{flag}: {text}"
        );
        assert!(text.contains(hint), "{flag}: {text}");
    }
    for flag in [
        "--systemd=true",
        "--systemd=false",
        "--seccomp-policy=default",
        "--pod=",
    ] {
        sh(&home, &[flag], "true");
    }
}
