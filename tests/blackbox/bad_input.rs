//! Each bad input ends in one line that names object, attempt, cause and remedy, Podman's exit status, and none of
//! the five leftovers: image, container, process, mount, file (`TestHome::refuses` checks).

use std::os::unix::fs::PermissionsExt;

use crate::support::hostile::{Fault, Hostile};
use crate::support::network::free_port;
use crate::support::{Lane, TestHome, lane};

#[test]
fn an_unknown_image() {
    let home = TestHome::with_registry();
    home.refuses(
        ["run", "--network=none", "nosuch", "true"],
        125,
        &["docker.io/library/nosuch:latest"],
    );
    home.refuses(
        ["pull", "busybox:nosuchtag"],
        125,
        &["busybox:nosuchtag", "manifest unknown"],
    );
    let absent = format!("busybox@sha256:{}", "0".repeat(64));
    home.refuses(["pull", &absent], 125, &["busybox@sha256:0000"]);
}

#[test]
fn a_registry_that_is_down() {
    let home = TestHome::new();
    let image = format!("127.0.0.1:{}/x", free_port());
    home.refuses(
        ["pull", "--retry=0", "--tls-verify=false", &image],
        125,
        &[&image, "onnection refused"],
    );
}

/// Pulls from a registry with one thing wrong; the error must say `says`.
#[track_caller]
fn lies(fault: Fault, says: &[&str]) {
    let home = TestHome::new();
    let registry = Hostile::start(fault);
    let image = registry.image();
    let mut says = says.to_vec();
    says.push(&image);
    home.refuses(
        ["pull", "-q", "--retry=0", "--tls-verify=false", &image],
        125,
        &says,
    );
    home.refuses(
        [
            "run",
            "--rm",
            "-q",
            "--tls-verify=false",
            "--network=none",
            &image,
            "true",
        ],
        125,
        &[],
    );
}

#[test]
fn a_registry_that_wants_a_login() {
    lies(Fault::Unauthorized, &["authentication required"]);
}

#[test]
fn a_layer_with_the_wrong_digest() {
    lies(Fault::WrongLayer, &["sha256:"]);
}

#[test]
fn a_config_with_the_wrong_digest() {
    lies(Fault::WrongConfig, &["sha256:"]);
}

#[test]
fn a_layer_of_another_size_than_promised() {
    lies(Fault::WrongSize, &["sha256:"]);
}

#[test]
fn a_truncated_body() {
    lies(Fault::Truncated, &["sha256:"]);
}

#[test]
fn something_that_is_not_an_image() {
    lies(Fault::NotAnImage, &[]);
}

#[test]
fn a_manifest_that_is_not_json() {
    lies(Fault::Garbage, &[]);
}

#[test]
fn escapes_in_a_registrys_words() {
    lies(Fault::Escapes, &["boo"]);
}

#[test]
fn escapes_in_names_and_labels() {
    let home = TestHome::with_registry();
    home.refuses(["run", "\u{1b}[2Jevil", "true"], 125, &["\\x1b[2Jevil"]);
    home.refuses(
        ["start", "\u{1b}]0;owned\u{7}"],
        125,
        &["no such container"],
    );
    home.refuses(["create", "--name=\u{1b}[2Jevil", "busybox"], 125, &[]);
    home.pod(["create", "-q", "--name=e", "--network=none", "escapes"])
        .ok();
    for command in [
        ["inspect", "e"].as_slice(),
        &["ps", "-a", "--format", "{{.Labels}}"],
        &["image", "inspect", "escapes"],
    ] {
        let done = home.terminal(command.iter().copied()).wait();
        assert_eq!(done.code, 0, "{done}");
        assert!(done.stdout.contains("evil"), "{done}");
        assert!(!done.stdout.contains(['\u{1b}', '\u{7}']), "{done}");
    }
}

#[test]
fn an_unknown_user_in_the_image_or_on_the_command_line() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "nouser"]).ok();
    let says = ["nosuch", "no matching entries in passwd file"];
    home.refuses(["run", "--rm", "--network=none", "nouser"], 126, &says);
    home.refuses(
        [
            "run",
            "--rm",
            "--network=none",
            "--user=nosuch",
            "nouser",
            "true",
        ],
        126,
        &says,
    );
    home.refuses(
        [
            "run",
            "--rm",
            "--network=none",
            "--user=root:nogrp",
            "nouser",
            "true",
        ],
        126,
        &["nogrp"],
    );
}

#[test]
fn a_missing_command_and_one_that_cannot_run() {
    let home = TestHome::with_busybox();
    home.refuses(
        ["run", "--rm", "--network=none", "busybox", "/no/such"],
        127,
        &["/no/such", "no such file"],
    );
    home.refuses(
        ["run", "--rm", "--network=none", "busybox", "nosuch"],
        127,
        &["nosuch"],
    );
    home.refuses(
        ["run", "--rm", "--network=none", "busybox", "/opt/plain"],
        126,
        &["/opt/plain", "ermission denied"],
    );
    home.refuses(
        ["run", "--rm", "--network=none", "busybox", "/opt/garbage"],
        126,
        &["/opt/garbage"],
    );
    home.refuses(
        ["run", "--rm", "--network=none", "busybox", "/etc"],
        126,
        &["/etc"],
    );
    // Over pasta the helper has to go, too.
    home.refuses(["run", "--rm", "busybox", "/no/such"], 127, &["/no/such"]);
}

#[test]
fn a_missing_bind_source() {
    let home = TestHome::with_busybox();
    home.refuses(
        ["run", "-v", "/no/such/dir:/mnt", "busybox", "true"],
        125,
        &["/no/such/dir", "no such file"],
    );
    home.refuses(
        [
            "run",
            "--mount",
            "type=bind,src=/no/such/dir,dst=/mnt",
            "busybox",
            "true",
        ],
        125,
        &["/no/such/dir"],
    );
}

#[test]
fn malformed_flags() {
    let home = TestHome::with_busybox();
    for (flag, value, says) in [
        ("-p", "80:80:80:80", "80:80:80:80"),
        ("-p", "70000:80", "70000"),
        ("-p", "8080:", "8080:"),
        ("-p", "1.2.3:80:80", "1.2.3"),
        ("-p", "9000-9002:80-81", "9000-9002"),
        ("-p", "8080:80/nosuch", "nosuch"),
        ("-v", ":/tmp", "host directory cannot be empty"),
        ("-v", "a b:/tmp", "a b"),
        ("-v", "/tmp:relative", "relative"),
        ("-v", "/tmp:/mnt:nosuchoption", "nosuchoption"),
        ("-v", "/tmp:/mnt:ro:rw:z", "/tmp"),
        ("--user", "a:b:c", "a:b:c"),
        ("--user", "99999999999", "99999999999"),
        ("--name", "-bad/name", "-bad/name"),
        ("--ulimit", "nosuch=1", "nosuch"),
        ("--mount", "type=nosuch,dst=/x", "nosuch"),
        ("--network", "container:nosuch", "nosuch"),
        ("--cap-add", "NOSUCH", "NOSUCH"),
        ("--env-file", "/no/such/file", "/no/such/file"),
        ("--security-opt", "seccomp=/no/such/file", "/no/such/file"),
        ("--shm-size", "many", "many"),
        ("--stop-signal", "NOSUCH", "NOSUCH"),
        ("--add-host", "nothing", "nothing"),
        ("--pull", "sometimes", "sometimes"),
        ("--userns", "nosuch", "nosuch"),
    ] {
        let flag = format!("{flag}={value}")
            .replacen("-p=", "--publish=", 1)
            .replacen("-v=", "--volume=", 1);
        home.refuses(["run", "--rm", &flag, "busybox", "true"], 125, &[says]);
    }
    home.refuses(["run", "--nosuchflag", "busybox"], 125, &["--nosuchflag"]);
    home.refuses(["run"], 125, &["requires at least 1 arg"]);
    home.refuses(
        ["nosuchcommand"],
        125,
        &["unrecognized command `pod nosuchcommand`"],
    );
}

#[test]
fn limits_and_names_of_later_versions_are_refused_not_ignored() {
    let home = TestHome::with_busybox();
    for flag in [
        "--memory=64m",
        "--cpus=1",
        "--pids-limit=5",
        "--rmi",
        "--restart=always",
        "--secret=x",
        "--network=mine",
    ] {
        home.refuses(["run", "--rm", flag, "busybox", "true"], 125, &[]);
    }
}

#[test]
fn an_image_of_another_architecture() {
    let home = TestHome::with_registry();
    // Podman warns and goes on: binfmt may run it. What the kernel does not run is named then.
    let done = home.pod(["run", "--rm", "--network=none", "otherarch", "echo", "ran"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "ran\n"), "{done}");
    let warning = "image platform (linux/s390x) does not match the expected platform (linux/amd64)";
    assert!(done.stderr.contains(warning), "{done}");
    let mut foreign = vec![0; 64];
    foreign[..20].copy_from_slice(b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x16"); // s390x
    let program = home.path("home/foreign");
    std::fs::write(&program, foreign).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bind = format!("--volume={}:/foreign", program.display());
    let run = [
        "run",
        "--rm",
        "--network=none",
        &bind,
        "otherarch",
        "/foreign",
    ];
    let done = home.pod(run);
    assert_eq!(done.code, 126, "{done}");
    assert!(
        done.stderr.to_lowercase().contains("exec format error"),
        "{done}"
    );
    let asked = [
        "run",
        "--rm",
        "-q",
        "--network=none",
        "--platform=linux/s390x",
        "otherarch",
        "echo",
        "ran",
    ];
    assert_eq!(
        home.pod(asked).stdout,
        "ran\n",
        "these programs are this machine's"
    );
    home.refuses(
        ["pull", "--platform=linux/riscv64", "multi"],
        125,
        &["riscv64"],
    );
}

#[test]
fn a_full_disk() {
    let home = TestHome::with_registry();
    // The store on a file system of 1 MiB: the image of 1 MiB and its unpacked tree cannot fit.
    let store = home.mkdir("home/small");
    let ids = format!("uid={},gid={}", home.user.uid, home.user.gid);
    let script = format!(
        "mount --make-rprivate /; mount -t tmpfs -o size=1m,mode=700,{ids} none {}; exec \"$@\"",
        store.display()
    );
    let home = home.behind(["unshare", "--mount", "sh", "-c", &script, "sh"]);
    let root = format!("--root={}", store.display());
    let done = home.pod([&root, "pull", "-q", "busybox"]).code(125);
    assert!(
        done.stderr.lines().count() == 1
            && done
                .stderr
                .to_lowercase()
                .contains("no space left on device"),
        "{done}"
    );
}

#[test]
fn user_namespaces_switched_off() {
    let home = TestHome::with_busybox();
    // In a user namespace of root's the limit is its own: the machine's stays as it is.
    let pipes = (home.path("home/unshared"), home.path("home/done"));
    let script = format!(
        "mkfifo {0} {1}; exec 3<>{0} 4<>{1}
        unshare --user sh -c 'echo >&3; read done <&4' &
        read unshared <&3
        echo 0 0 4294967295 >/proc/$!/uid_map
        echo 0 0 4294967295 >/proc/$!/gid_map
        nsenter --user --target $! sh -c 'exec 3<&- 4<&-
            echo 0 >/proc/sys/user/max_user_namespaces; exec \"$@\"' sh \"$@\"
        status=$?
        echo >&4
        exit $status",
        pipes.0.display(),
        pipes.1.display()
    );
    let home = home.behind(["sh", "-c", &script, "sh"]);
    let done = home.pod(["run", "--rm", "--network=none", "busybox", "true"]);
    assert_eq!((done.code, done.stderr.lines().count()), (125, 1), "{done}");
    assert!(done.stderr.contains("max_user_namespaces"), "{done}");
}

#[test]
fn a_newuidmap_that_is_missing_or_broken() {
    if lane() == Lane::Bare {
        return; // without ranges nobody calls it
    }
    let home = TestHome::with_busybox();
    let broken = home.path("home/newuidmap");
    std::fs::copy("/usr/bin/newuidmap", &broken).unwrap();
    let plain = std::os::unix::fs::PermissionsExt::from_mode(0o755); // without its set-user-ID bit
    std::fs::set_permissions(&broken, plain).unwrap();
    let script = format!(
        "mount --make-rprivate /; mount --bind {} /usr/bin/newuidmap; exec \"$@\"",
        broken.display()
    );
    let home = home.behind(["unshare", "--mount", "sh", "-c", &script, "sh"]);
    let done = home
        .pod(["run", "--rm", "--network=none", "busybox", "true"])
        .code(125);
    assert!(
        done.stderr.lines().count() == 1 && done.stderr.contains("newuidmap"),
        "{done}"
    );
}
