//! Secrets: the `secret` commands, and `--secret` of `run` and `create`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Lane, TestHome, lane};

const VALUE: &str = "tr0ub4dor-and-3";

fn with_secret() -> TestHome {
    let home = TestHome::with_busybox();
    home.write("value", VALUE);
    home.pod([
        "secret",
        "create",
        "db",
        &home.path("value").display().to_string(),
    ])
    .ok();
    std::fs::remove_file(home.path("value")).unwrap();
    home
}

/// Files below `dir` that hold `VALUE`, or whose names do.
fn holders(dir: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            holders(&entry.path(), found);
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap_or_default();
            if bytes.windows(VALUE.len()).any(|w| w == VALUE.as_bytes()) {
                found.push(entry.path().display().to_string());
            }
        }
    }
}

#[test]
fn secrets_are_made_listed_shown_and_removed() {
    let home = TestHome::new();
    let made = home.pod_with_input(["secret", "create", "-l", "a=b", "db", "-"], VALUE);
    let id = made.ok();
    assert!(
        id.len() == 25 && id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{id}"
    );
    let table = home.pod(["secret", "ls"]).ok();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["ID", "NAME", "DRIVER", "CREATED", "UPDATED"]
    );
    assert!(
        lines[1].starts_with(&format!("{id}  db          file        ")),
        "{table}"
    );
    assert_eq!(home.pod(["secret", "ls", "-q"]).ok(), id);
    assert_eq!(
        home.pod(["secret", "ls", "-n", "--format", "{{.Name}}"])
            .ok(),
        "db"
    );
    assert_eq!(home.pod(["secret", "ls", "-q", "-f", "name=x"]).ok(), "");
    assert_eq!(home.pod(["secret", "list", "-q", "-f", "name=^d"]).ok(), id);
    let err = home.pod(["secret", "ls", "-f", "nope=x"]).code(125).stderr;
    assert_eq!(err, "Error: invalid filter \"nope\"\n");

    let shown = home.pod(["secret", "inspect", "db"]).ok();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let one = &shown[0];
    let keys: Vec<&String> = one.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["CreatedAt", "ID", "Spec", "UpdatedAt"]);
    assert_eq!(one["Spec"]["Name"], "db");
    assert_eq!(one["Spec"]["Labels"]["a"], "b");
    assert_eq!(one["Spec"]["Driver"]["Name"], "file");
    let data = [
        "secret",
        "inspect",
        "--showsecret",
        "-f",
        "{{.SecretData}}",
        "db",
    ];
    assert_eq!(home.pod(data).ok(), VALUE);
    assert!(
        home.pod(["secret", "inspect", "--pretty", "db"])
            .ok()
            .contains(" - a=b\nDriver:          file")
    );

    // Prefixes of ids, as Podman; nothing is found by the beginning of a name.
    for (name, code) in [
        (&id[..6], 0),
        (&id[..], 0),
        ("db", 0),
        ("d", 1),
        ("nope", 1),
    ] {
        let want = if name == "d" && id.starts_with('d') {
            0
        } else {
            code
        };
        assert_eq!(home.pod(["secret", "exists", name]).code, want, "{name}");
    }
    let done = home.pod(["secret", "inspect", "nope", "db"]).code(125);
    assert_eq!(
        done.stderr,
        "Error: inspecting secret: no secret with name or id \"nope\": no such secret\n"
    );
    assert!(done.stdout.contains("\"Name\": \"db\""), "{done}");
    assert_eq!(
        home.pod(["secret", "inspect", "nope"]).code(125).stdout,
        "[]\n"
    );
    assert_eq!(home.pod(["secret", "rm", "db"]).ok(), id);
    let err = home.pod(["secret", "rm", "db"]).code(125).stderr;
    assert_eq!(
        err,
        "Error: no secret with name or id \"db\": no such secret\n"
    );
    assert_eq!(home.pod(["secret", "rm", "-i", "db"]).ok(), "");
    assert_eq!(home.pod(["secret", "inspect", "--pretty"]).code, 125);
}

#[test]
fn a_name_is_given_once_or_replaced() {
    let home = TestHome::new().with_env("VALUE", "from env");
    let create = |flags: &[&str], text: &str| {
        let words = [&["secret", "create"], flags, &["db", "-"]].concat();
        home.pod_with_input(words, text)
    };
    let id = create(&[], "one").ok();
    assert_eq!(
        create(&[], "two").code(125).stderr,
        "Error: db: secret name in use\n"
    );
    assert_eq!(create(&["--ignore"], "two").ok(), id);
    let show = [
        "secret",
        "inspect",
        "--showsecret",
        "-f",
        "{{.SecretData}}",
        "db",
    ];
    assert_eq!(home.pod(show).ok(), "one");
    let second = create(&["--replace"], "two").ok();
    assert_ne!(second, id);
    assert_eq!(home.pod(show).ok(), "two");
    assert_eq!(home.pod(["secret", "exists", &id]).code, 1);
    let both = create(&["--replace", "--ignore"], "").code(125).stderr;
    assert_eq!(
        both,
        "Error: cannot use --ignore and --replace flags together\n"
    );
    home.pod(["secret", "create", "--env", "e", "VALUE"]).ok();
    let show = [
        "secret",
        "inspect",
        "--showsecret",
        "-f",
        "{{.SecretData}}",
        "e",
    ];
    assert_eq!(home.pod(show).ok(), "from env");
    assert_eq!(
        home.pod(["secret", "create", "--env", "f", "NOT_SET"])
            .code(125)
            .stderr,
        "Error: cannot create store secret data: environment variable NOT_SET is not set\n"
    );
    home.pod(["secret", "rm", "--all"]).ok();
    assert_eq!(home.pod(["secret", "ls", "-q"]).ok(), "");
    // What was removed or replaced is gone from the disk too.
    let left = std::fs::read_dir(home.path("home/.local/share/pod/secrets")).unwrap();
    let mut left: Vec<_> = left
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["lock"]);
}

#[test]
fn bad_secrets_are_refused() {
    let home = TestHome::new();
    let create = |name: &str, data: &str| {
        home.pod_with_input(["secret", "create", name, "-"], data)
            .code(125)
            .stderr
    };
    let size = "Error: secret data must be larger than 0 and less than 512000 bytes\n";
    assert_eq!(create("a", ""), size);
    assert_eq!(create("a", &"x".repeat(512_000)), size);
    home.pod_with_input(["secret", "create", "big", "-"], &"x".repeat(511_999))
        .ok();
    for name in ["a/b", "a,b", "a=b", &"x".repeat(254)] {
        let err = create(name, "x");
        assert!(err.contains("can not include '=', '/', ','"), "{err}");
    }
    let driver = |name: &str| {
        home.pod(["secret", "create", "--driver", name, "a", "/etc/hostname"])
            .code(125)
            .stderr
    };
    assert!(driver("pass").contains("not available"));
    assert!(driver("shell").contains("hint: "));
    assert_eq!(driver("nope"), "Error: nope: invalid driver\n");
    assert_eq!(
        home.pod(["secret", "create", "a", "/nosuch"])
            .code(125)
            .stderr,
        "Error: open /nosuch: No such file or directory\n"
    );
    assert_eq!(
        home.pod(["secret", "create", "a"])
            .code(125)
            .stderr
            .lines()
            .next(),
        Some("Error: accepts 2 arg(s), received 1")
    );
    assert_eq!(home.pod(["secret", "ls", "-q", "-f", "name=a"]).ok(), "");
}

#[test]
fn files_and_folders_of_secrets_are_the_users_alone() {
    let home = with_secret();
    let dir = home.path("home/.local/share/pod/secrets");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_secret_is_a_file_in_memory() {
    let home = with_secret();
    let run = |flags: &[&str], script: &str| {
        let base = ["run", "--rm", "--network=none"];
        home.pod([&base[..], flags, &["busybox", "sh", "-c", script]].concat())
            .ok()
    };
    assert_eq!(
        run(
            &["--secret=db"],
            "cat /run/secrets/db; stat -c ' %a %u %g' /run/secrets/db"
        ),
        format!("{VALUE} 444 0 0")
    );
    assert!(
        run(&["--secret=db"], "mount")
            .contains(" on /run/secrets type tmpfs (rw,nosuid,nodev,noexec,")
    );
    assert_eq!(
        run(
            &["--secret=source=db,target=other/name,mode=0400"],
            "cat /run/secrets/other/name; stat -c ' %a' /run/secrets/other/name"
        ),
        format!("{VALUE} 400")
    );
    assert_eq!(
        run(
            &["--secret=db,target=/etc/app/key,mode=440", "--secret=db"],
            "cat /etc/app/key; ls -A /run/secrets"
        ),
        format!("{VALUE}db")
    );
    if lane() != Lane::Bare {
        assert_eq!(
            run(
                &["--secret=db,uid=33,gid=34"],
                "stat -c '%u %g' /run/secrets/db"
            ),
            "33 34"
        );
    }
    // A container whose own files are read-only does not get writable ones here.
    assert_eq!(
        run(
            &["--read-only", "--secret=db"],
            "echo x > /run/secrets/db 2>/dev/null || cat /run/secrets/db"
        ),
        VALUE
    );
    assert_eq!(run(&["--secret=db,type=env"], "echo $db"), VALUE);
    assert_eq!(
        run(&["--secret=db,type=env,target=PASSWORD"], "echo $PASSWORD"),
        VALUE
    );
}

#[test]
fn a_secret_is_nowhere_but_in_its_file_and_in_the_container() {
    let home = with_secret();
    let script = "test -s /run/secrets/db && test -n \"$KEY\" && echo ready; exec sleep 1000";
    home.pod([
        "run",
        "-d",
        "--name=c",
        "--network=none",
        "--secret=db",
        "--secret=db,type=env,target=KEY",
        "busybox",
        "sh",
        "-c",
        script,
    ])
    .ok();
    home.sh("until grep -q ready \"$HOME\"/.local/share/pod/containers/*/ctr.log; do :; done");
    assert_eq!(home.pod(["exec", "c", "sh", "-c", "echo $KEY"]).ok(), VALUE);
    let inspect = home.pod(["inspect", "c"]).ok();
    assert!(!inspect.contains(VALUE));
    let env = home.pod(["inspect", "-f", "{{.Config.Env}}", "c"]).ok();
    assert!(!env.contains("KEY"), "{env}");
    home.pod(["commit", "-q", "c", "img"]).ok();
    let config = home.pod(["image", "inspect", "img"]).ok();
    assert!(!config.contains(VALUE) && !config.contains("KEY="));
    assert_eq!(home.pod(["diff", "c"]).ok(), "");
    let export = home.path("tmp/c.tar").display().to_string();
    home.pod(["export", "-o", &export, "c"]).ok();
    let mut found = Vec::new();
    holders(&home.dir, &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("/pod/secrets/"), "{found:?}");
    std::fs::remove_file(&export).unwrap();
    home.pod(["rm", "-f", "-t0", "c"]).ok();
}

#[test]
fn a_container_whose_secret_is_gone_does_not_start() {
    let home = with_secret();
    home.pod([
        "create",
        "--name=c",
        "--network=none",
        "--secret=db",
        "busybox",
        "true",
    ])
    .ok();
    home.pod([
        "create",
        "--name=e",
        "--network=none",
        "--secret=db,type=env",
        "busybox",
        "true",
    ])
    .ok();
    home.pod(["secret", "rm", "db"]).ok();
    for name in ["c", "e"] {
        let err = home.pod(["start", "-a", name]).code(125).stderr;
        assert!(
            err.contains("no secret with name or id \"db\": no such secret"),
            "{err}"
        );
    }
    home.pod_with_input(["secret", "create", "db", "-"], "again")
        .ok();
    home.pod(["start", "-a", "c"]).ok();
    let before = home.snapshot();
    let done = home
        .pod(["run", "--name=x", "--secret=nope", "busybox", "true"])
        .code(125);
    assert_eq!(
        done.stderr,
        "Error: no secret with name or id \"nope\": no such secret\n"
    );
    home.assert_as_before(&before, &done);
    let done = home
        .pod(["run", "--secret=db", "--secret=db", "busybox", "true"])
        .code(125);
    assert_eq!(
        done.stderr,
        "Error: /run/secrets/db: duplicate mount destination\n"
    );
    let done = home
        .pod(["run", "--secret=db,type=nope", "busybox", "true"])
        .code(125);
    assert_eq!(done.stderr, "Error: type nope is invalid: parsing secret\n");
}
