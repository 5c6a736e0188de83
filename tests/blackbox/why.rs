//! `pod why`: the cause, its evidence and the remedy, for each way to end.

use serde_json::Value;

use crate::support::{TestHome, process};

fn why(home: &TestHome, container: &str) -> Value {
    let text = home.pod(["why", "--format", "json", container]).ok();
    serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err}: {text}"))
}

/// The cause, and words of explanation and remedy.
#[track_caller]
fn assert_says(home: &TestHome, container: &str, cause: &str, words: &[&str]) -> Value {
    let told = why(home, container);
    assert_eq!(told["Cause"], cause, "{told:#}");
    let text = format!("{} {}", told["Explanation"], told["Remedy"]);
    for word in words {
        assert!(text.contains(word), "{word:?} in {told:#}");
    }
    told
}

/// `localhost/odd`: busybox with programs that cannot run, each for another reason.
fn with_odd_programs() -> TestHome {
    let home = TestHome::with_busybox();
    let mut foreign = vec![0_u8; 64];
    foreign[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    foreign[16] = 2;
    foreign[18] = if cfg!(target_arch = "aarch64") {
        62
    } else {
        183
    };
    foreign[52] = 64;
    std::fs::write(home.path("foreign"), foreign).unwrap();
    home.give(&home.path("foreign"));
    let from_host = format!("{}:/foreign:ro", home.path("foreign").display());
    let loader = process::tool([
        "sh",
        "-c",
        "ldd /bin/ls | grep -o '/lib64/ld-[^ ]*\\|/lib/ld-[^ ]*'",
    ]);
    let script = format!(
        "mkdir /odd; cd /odd; \
         printf '#!/bin/sh\\r\\necho hi\\r\\n' > crlf; printf 'echo hi\\n' > nobang; printf '#!/usr/bin/python9\\n' > script; \
         printf '#!/usr/bin/env python9\\n' > env; printf 'MZ\\001\\002' > windows; : > empty; \
         cp /foreign foreign; cp /host-ls ls; chmod +x *; printf '#!/bin/sh\\n' > plain; chmod 644 plain; \
         mkdir -p /loader$(dirname {loader}); cp /host-loader /loader{loader}; rm -rf /usr/bin/env; mkdir -p /usr/bin; ln -s /bin/busybox /usr/bin/env"
    );
    let ls = "/bin/ls:/host-ls:ro";
    let host_loader = format!("{loader}:/host-loader:ro");
    home.pod([
        "run",
        "--name=maker",
        "--network=none",
        "-v",
        &from_host,
        "-v",
        ls,
        "-v",
        &host_loader,
        "busybox",
        "sh",
        "-c",
        &script,
    ])
    .ok();
    home.pod(["commit", "-q", "maker", "localhost/odd"]).ok();
    home.pod(["rm", "maker"]).ok();
    home
}

#[test]
fn a_start_that_failed() {
    let home = with_odd_programs();
    let table: [(&[&str], &str, &[&str]); 15] = [
        (
            &["localhost/odd", "bosybox"],
            "no-command",
            &["PATH of the container", "did you mean \\\"busybox\\\""],
        ),
        (
            &["localhost/odd", "bash"],
            "no-command",
            &["the image has \\\"sh\\\" instead"],
        ),
        (
            &["localhost/odd", "/odd/crfl"],
            "no-command",
            &["did you mean \\\"/odd/crlf\\\""],
        ),
        (
            &["localhost/odd", "/odd"],
            "not-executable",
            &["is a directory"],
        ),
        (
            &["localhost/odd", "/odd/plain"],
            "not-executable",
            &["not marked as executable", "chmod +x /odd/plain"],
        ),
        (
            &["localhost/odd", "/odd/empty"],
            "not-executable",
            &["is empty"],
        ),
        (
            &["localhost/odd", "/odd/crlf"],
            "no-interpreter",
            &["Windows line ends", "sed -i"],
        ),
        (
            &["localhost/odd", "/odd/script"],
            "no-interpreter",
            &["/usr/bin/python9", "install"],
        ),
        (
            &["localhost/odd", "/odd/nobang"],
            "not-executable",
            &["#!", "begin it with"],
        ),
        (
            &["localhost/odd", "/odd/windows"],
            "wrong-architecture",
            &["a program of Windows"],
        ),
        (
            &["localhost/odd", "/odd/foreign"],
            "wrong-architecture",
            &["is a program for", "--platform"],
        ),
        (
            &["localhost/odd", "/odd/ls"],
            "no-loader",
            &["wants the loader", "glibc"],
        ),
        (
            &["--workdir=/nosuch", "localhost/odd", "true"],
            "no-workdir",
            &["/nosuch", "--workdir"],
        ),
        (
            &["--user=ap", "localhost/odd", "true"],
            "no-user",
            &["no user \\\"ap\\\""],
        ),
        (
            &["--user=nobodi", "localhost/odd", "true"],
            "no-user",
            &["did you mean \\\"nobody\\\""],
        ),
    ];
    for (args, cause, words) in table {
        let create = ["create", "--name=c", "--network=none"]
            .into_iter()
            .chain(args.iter().copied());
        home.pod(create).ok();
        let started = home.pod(["start", "c"]);
        assert_ne!(started.code, 0, "{started}");
        let told = assert_says(&home, "c", cause, words);
        assert_eq!(told["State"], "created", "{told:#}");
        assert_eq!(told["ExitCode"], Value::Null);
        assert!(
            told["Explanation"]
                .as_str()
                .unwrap()
                .contains("could not be started"),
            "{told:#}"
        );
        home.pod(["rm", "c"]).ok();
    }
}

#[test]
fn a_library_that_is_missing() {
    let home = with_odd_programs();
    // The loader is there, of its libraries none.
    let script = "cp -a /loader/. / && exec /odd/ls";
    home.pod([
        "run",
        "--name=c",
        "--network=none",
        "localhost/odd",
        "sh",
        "-c",
        script,
    ])
    .code(127);
    let told = assert_says(
        &home,
        "c",
        "no-library",
        &["the loader did not find", "install"],
    );
    assert_eq!(told["ExitCode"], 127);
    // Without a log the tree tells.
    home.pod(["commit", "-q", "c", "localhost/loader"]).ok();
    home.pod([
        "run",
        "--name=d",
        "--network=none",
        "--log-driver=none",
        "localhost/loader",
        "/odd/ls",
    ])
    .code(127);
    assert_says(&home, "d", "no-library", &["wants the library"]);
}

#[test]
fn ends_of_the_programs_own() {
    let home = TestHome::with_busybox();
    let run = |script: &str| {
        home.pod([
            "run",
            "--name=c",
            "--network=none",
            "busybox",
            "sh",
            "-c",
            script,
        ])
    };
    let table = [
        ("echo done", "finished", "its program was done"),
        ("echo bad >&2; exit 3", "failed", "with status 3"),
        (
            "nosuch",
            "failed",
            "did not find the command \\\"nosuch\\\"",
        ),
        ("exit 143", "failed", "SIGTERM ended"),
        (
            "echo 'bind: Address already in use'; exit 1",
            "failed",
            "something else listens there",
        ),
    ];
    for (script, cause, words) in table {
        run(script);
        let told = assert_says(&home, "c", cause, &[words]);
        assert_eq!(told["By"], Value::Null);
        home.pod(["rm", "c"]).ok();
    }
    run("echo one; echo two >&2; exit 3").code(3);
    let told = why(&home, "c");
    assert_eq!(told["Log"], serde_json::json!(["one", "two"]));
    let text = home.pod(["why", "c"]).ok();
    assert!(text.starts_with("c ("), "{text}");
    assert!(
        text.contains("Its last lines:\n  one\n  two\nRemedy: "),
        "{text}"
    );
    assert_eq!(
        home.pod(["why", "--latest", "--format", "{{.Cause}} {{.ExitCode}}"])
            .ok(),
        "failed 3"
    );
    let text = home.pod(["why", "--tail=1", "c"]).ok();
    assert!(!text.contains("one") && text.contains("two"), "{text}");
}

#[test]
fn who_asked_for_the_end() {
    let home = TestHome::with_busybox();
    let start = || {
        let script = "trap 'exit 5' TERM; trap : HUP; echo up; while :; do sleep 0.05; done";
        home.pod([
            "run",
            "-d",
            "--name=c",
            "--network=none",
            "busybox",
            "sh",
            "-c",
            script,
        ])
        .ok();
        let logs = home.spawn(["logs", "-f", "c"]);
        logs.wait_for("up");
    };
    let user = &home.user.name;
    start();
    home.pod(["stop", "c"]).ok();
    let told = assert_says(
        &home,
        "c",
        "stopped",
        &["by itself after SIGTERM", "`pod stop`", user],
    );
    assert_eq!(
        (&told["By"]["Command"], &told["By"]["Signal"]),
        (&"stop".into(), &"SIGTERM".into())
    );
    assert_eq!(told["ExitCode"], 5);
    home.pod(["start", "c"]).ok();
    home.pod(["kill", "c"]).ok();
    let told = assert_says(&home, "c", "stopped", &["SIGKILL ended it", "`pod kill`"]);
    assert_eq!(
        (&told["Signal"], &told["ExitCode"]),
        (&"SIGKILL".into(), &137.into())
    );
    // Nobody of ours: the last request of the run before is no evidence.
    home.pod(["start", "c"]).ok();
    process::kill_pid(home.pid_of("c"));
    home.pod(["wait", "c"]).ok();
    let told = assert_says(
        &home,
        "c",
        "signal",
        &["SIGKILL ended it, no command of pod sent it"],
    );
    assert_eq!(told["By"], Value::Null);
    home.pod(["rm", "c"]).ok();

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
    home.pod(["stop", "-t", "0", "c"]).ok();
    assert_says(&home, "c", "stopped", &["SIGKILL ended it"]);
    home.pod(["rm", "c"]).ok();

    home.pod([
        "run",
        "--name=c",
        "--timeout=1",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .code(255);
    assert_says(&home, "c", "timeout", &["--timeout gave it 1 seconds"]);
}

#[test]
fn a_restart_policy() {
    let home = TestHome::with_busybox();
    let run = ["run", "-d", "--name=it", "--network=none"];
    let words = run
        .into_iter()
        .chain(["--restart=on-failure:2", "busybox", "false"]);
    home.pod(words).ok();
    home.pod(["wait", "it"]).ok();
    let text = "(on-failure) had started it again 2 times";
    assert_says(&home, "it", "failed", &["with status 1", text]);
    home.pod(["rm", "it"]).ok();
    let script = "trap 'exit 5' TERM; echo up; exit 3";
    let words = run
        .into_iter()
        .chain(["--restart=always", "busybox", "sh", "-c", script]);
    home.pod(words).ok();
    home.pod(["wait", "--condition=restarting", "it"]).ok();
    let told = why(&home, "it");
    // The rest may be over meanwhile.
    if told["Cause"] == "restarting" {
        let text = told["Explanation"].as_str().unwrap();
        assert!(
            text.contains("with status 3") && text.contains("starts it again"),
            "{text}"
        );
    }
    home.pod(["stop", "-t", "0", "it"]).ok();
    home.pod(["rm", "it"]).ok();
}

#[test]
fn signals_of_the_program_itself() {
    let home = TestHome::with_busybox();
    // With the host's process ids it is no pid 1, so that it can kill itself.
    for (signal, words) in [
        ("SEGV", "memory that it does not have"),
        ("ILL", "newer processor"),
        ("34", "SIGRTMIN ended it"),
    ] {
        let script = format!("kill -{signal} $$; sleep 1000");
        home.pod([
            "run",
            "--name=c",
            "--pid=host",
            "--network=none",
            "busybox",
            "sh",
            "-c",
            &script,
        ]);
        assert_says(&home, "c", "signal", &[words]);
        home.pod(["rm", "-f", "c"]).ok();
    }
}

#[test]
fn a_container_that_lives() {
    let home = TestHome::with_busybox();
    home.pod([
        "create",
        "--name=c",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    assert_says(
        &home,
        "c",
        "never-started",
        &["never started", "pod start c"],
    );
    home.pod(["start", "c"]).ok();
    let told = assert_says(&home, "c", "running", &["it runs"]);
    assert_eq!(told["ExitCode"], Value::Null);
    home.pod(["kill", "-s", "STOP", "c"]).ok();
    process::wait_state(home.pid_of("c"), 'T');
    assert_says(&home, "c", "impaired", &["SIGSTOP", "kill -s CONT"]);
    home.pod(["kill", "-s", "CONT", "c"]).ok();
    process::wait_state(home.pid_of("c"), 'S');
    assert_says(&home, "c", "running", &[]);
    let monitor: i32 = home.inspect("c", "{{.State.ConmonPid}}").parse().unwrap();
    process::kill_pid(monitor);
    process::wait_gone(monitor);
    let told = why(&home, "c");
    let cause = told["Cause"].as_str().unwrap();
    assert!(cause == "impaired" || cause == "monitor-died", "{told:#}");
    if cause == "impaired" {
        let init = home.pid_of("c");
        process::kill_pid(init);
        process::wait_gone(init);
    }
    let told = assert_says(&home, "c", "monitor-died", &["exit status is lost"]);
    assert_eq!(told["ExitCode"], Value::Null);
    home.pod(["rm", "c"]).ok();
}

#[test]
fn a_network_helper_that_died() {
    let home = TestHome::with_busybox();
    home.pod(["run", "-d", "--name=c", "busybox", "sleep", "1000"])
        .ok();
    let helper = process::descendants()
        .into_iter()
        .find(|(_, command)| command.contains("pasta"));
    let (pid, _) = helper.expect("pasta runs");
    process::kill_pid(pid);
    process::wait_gone(pid);
    assert_says(&home, "c", "impaired", &["network helper", "pod restart"]);
    home.pod(["stop", "-t", "0", "c"]).ok();
    assert_says(&home, "c", "stopped", &["network helper had ended before"]);
}

#[test]
fn a_port_that_is_taken() {
    let home = TestHome::with_busybox();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("127.0.0.1:{}:80", taken.local_addr().unwrap().port());
    home.pod(["create", "--name=c", "-p", &port, "busybox", "true"])
        .ok();
    home.pod(["start", "c"]).code(125);
    assert_says(
        &home,
        "c",
        "start-failed",
        &["could not be started", "in use"],
    );
}

#[test]
fn mistakes() {
    let home = TestHome::new();
    home.refuses(["why"], 125, &["requires a name"]);
    home.refuses(["why", "a", "b"], 125, &["accepts 1 arg"]);
    home.refuses(["why", "nosuch"], 125, &["no such container"]);
    home.refuses(["why", "--latest", "c"], 125, &["cannot be used together"]);
    home.refuses(["why", "--format", "{{", "c"], 125, &[]);
}
