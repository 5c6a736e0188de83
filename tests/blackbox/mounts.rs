//! `-v`, `--mount`, `--tmpfs`, `--volumes-from` and what else is mounted into a container.

use std::os::unix::fs::{MetadataExt, symlink};

use crate::support::{Lane, TestHome, lane};

/// Runs `sh -c SCRIPT` in a busybox without network, with more options.
fn sh(home: &TestHome, options: &[&str], script: &str) -> String {
    let run = ["run", "--rm", "--network=none"];
    home.pod([&run[..], options, &["busybox", "sh", "-c", script]].concat())
        .ok()
}

/// The same, refused by `pod` with this message.
#[track_caller]
fn refused(home: &TestHome, options: &[&str], want: &str) {
    let run = ["run", "--rm", "--network=none"];
    let done = home.pod([&run[..], options, &["busybox", "true"]].concat());
    assert_eq!(done.code, 125, "{options:?} {done}");
    assert!(done.stderr.contains(want), "{options:?} {done}");
}

#[test]
fn options_of_volumes_are_effective() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/d");
    let dir = dir.to_str().unwrap();
    let words = |options: &str| {
        let bind = format!("{dir}:/d{options}");
        let line = sh(&home, &["-v", &bind], "grep ' /d ' /proc/mounts");
        line.split(' ').nth(3).unwrap().to_owned()
    };
    for (options, want) in [
        ("", &["rw", "nosuid", "nodev"][..]),
        (":ro", &["ro"]),
        (":noexec,nosuid,nodev", &["rw", "nosuid", "nodev", "noexec"]),
        (":z", &["rw"]),
        (":bind,rshared", &["rw"]),
    ] {
        let got = words(options);
        let got: Vec<&str> = got.split(',').collect();
        assert!(
            want.iter().all(|word| got.contains(word)),
            "{options}: {got:?}"
        );
    }
    assert!(!words(":suid").contains("nosuid") && !words(":dev").contains("nodev"));
    // Optional fields of mountinfo(5) tell the propagation.
    for (options, want) in [("", "-"), (":rshared", "shared:"), (":private", "-")] {
        let bind = format!("{dir}:/d{options}");
        let line = sh(&home, &["-v", &bind], "grep ' /d ' /proc/self/mountinfo");
        let field = line.split(' ').nth(6).unwrap();
        assert!(field.starts_with(want), "{options}: {line}");
    }
}

#[test]
fn what_cannot_be_mounted_is_refused_with_the_reason() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/d");
    let dir = dir.to_str().unwrap();
    for (options, want) in [
        ("idmap", "only the owner of a file system map its ids"),
        ("O,ro", "can't use 'O' with other options"),
        (
            "O,upperdir=/tmp",
            "must specify both `upperdir` and `workdir`",
        ),
        (
            "copy,nocopy",
            "can only specify 1 'copy' or 'nocopy' option",
        ),
        ("frob", "invalid option type \"frob\""),
    ] {
        refused(&home, &["-v", &format!("{dir}:/d:{options}")], want);
    }
    refused(
        &home,
        &["-v", "/etc:/d:U"],
        "chowning host path \"/etc\" is not allowed",
    );
    refused(&home, &["-v", "/etc/hostname:/d:O"], "Not a directory");
    for (mount, want) in [
        (
            "type=bind,src=/nosuch,dst=/d",
            "statfs /nosuch: no such file or directory",
        ),
        (
            "type=tmpfs,src=/x,dst=/d",
            "source is not supported with tmpfs mounts",
        ),
        ("type=image,src=nosuch,dst=/d", "nosuch: image not known"),
        (
            "type=glob,src=/nosuch*,dst=/d",
            "no file paths matching glob \"/nosuch*\"",
        ),
        (
            "type=volume,src=v,dst=/d,volume-opt=o=x",
            "not presently implemented",
        ),
        (
            "type=volume,src=v,dst=/d,subpath=../x",
            "it must not leave the volume or the image",
        ),
        ("type=bind,src=/tmp,dst=/d,idmap", "map its ids"),
        ("type=tmpfs,dst=relative", "must be an absolute path"),
        ("type=bind,src=/tmp,dst=/", "must not be the root directory"),
        ("type=bind,src=/tmp,dst=/proc", "it is inside /proc"),
        ("type=bind,src=/tmp,dst=/proc/self", "it is inside /proc"),
    ] {
        refused(&home, &["--mount", mount], want);
    }
    refused(
        &home,
        &["-v", "/tmp:/d", "--tmpfs", "/d"],
        "/d: duplicate mount destination",
    );
    assert_eq!(home.pod(["volume", "ls", "-q"]).ok(), "", "nothing is made");
}

#[test]
fn an_overlay_is_thrown_away_at_each_start() {
    let home = TestHome::with_busybox();
    home.write("home/d/f", "below\n");
    let bind = format!("{}:/d:O", home.path("home/d").display());
    let script = "ls /d; echo above > /d/f; touch /d/g; mkdir /d/sub; cat /d/f";
    let create = ["create", "--name=c", "--network=none", "-v", &bind];
    home.pod([&create[..], &["busybox", "sh", "-c", script]].concat())
        .ok();
    for _ in 0..2 {
        assert_eq!(home.pod(["start", "-a", "c"]).ok(), "f\nabove");
    }
    assert_eq!(
        std::fs::read_to_string(home.path("home/d/f")).unwrap(),
        "below\n"
    );
    assert!(!home.path("home/d/g").exists());
    home.pod(["rm", "c"]).ok();
    // Killed, it leaves nothing that is seen again.
    let script = "ls /d; touch /d/g; echo ready; exec sleep 1000";
    let run = ["run", "--name=k", "--network=none", "-v", &bind];
    let first = home.spawn([&run[..], &["busybox", "sh", "-c", script]].concat());
    first.wait_for("ready");
    home.pod(["kill", "k"]).ok();
    first.wait().code(137);
    let again = home.spawn(["start", "-a", "k"]);
    assert_eq!(again.wait_for("ready").trim(), "f\nready");
    home.pod(["kill", "k"]).ok();
    again.wait().code(137);
    home.pod(["rm", "k"]).ok();
    // The user's own directories keep what is written, and a volume has a layer above it too.
    let (upper, work) = (home.mkdir("home/u"), home.mkdir("home/w"));
    let own = format!(
        "{bind},upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    sh(&home, &["-v", &own], "touch /d/kept");
    assert!(upper.join("kept").exists());
    sh(&home, &["-v", "vol:/d"], "touch /d/one");
    assert_eq!(
        sh(&home, &["-v", "vol:/d:O"], "touch /d/two; ls /d"),
        "one\ntwo"
    );
    assert_eq!(sh(&home, &["-v", "vol:/d"], "ls /d"), "one");
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn sources_are_given_to_the_containers_user() {
    let home = TestHome::with_busybox();
    home.write("home/d/f", "");
    let dir = home.path("home/d");
    // A link is not followed: its target stays as it is.
    home.write("home/other", "");
    home.sh("ln -s ../other \"$HOME/d/link\"").ok();
    let bind = format!("{}:/d:U", dir.display());
    let look = "stat -c '%u %g' /d /d/f";
    let want = match lane() {
        Lane::Bare => "7 7\n7 7", // the one id is the user's
        _ => "7 8\n7 8",
    };
    let user = if lane() == Lane::Bare { "7:7" } else { "7:8" };
    assert_eq!(sh(&home, &["-u", user, "-v", &bind], look), want);
    let owner = home.path("home/other").metadata().unwrap().uid();
    assert_eq!(owner, home.user.uid.as_raw());
    assert_eq!(sh(&home, &["-v", &bind], look), "0 0\n0 0");
    // By name, of the image's own passwd file; a volume and a tmpfs as well.
    let id = sh(&home, &["-u", "nobody"], "id -u");
    let named = ["-u", "nobody", "-v", "vol:/d:U", "--tmpfs=/t:U,ro"];
    let ids = sh(&home, &named, "stat -c %u /d /t");
    assert_eq!(ids, format!("{id}\n{id}"));
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn a_tmpfs_takes_the_images_files_over() {
    let home = TestHome::with_busybox();
    let base = ["run", "--name=c", "--network=none", "busybox", "sh", "-c"];
    let make =
        "mkdir -p /seed/sub && echo s > /seed/sub/f && chmod 750 /seed && ln -s sub/f /seed/l";
    home.pod([&base[..], &[make]].concat()).ok();
    home.pod(["commit", "-q", "c", "seeded"]).ok();
    home.pod(["rm", "c"]).ok();
    let run = |options: &[&str], script: &str| {
        let head = ["run", "--rm", "--network=none"];
        home.pod([&head[..], options, &["seeded", "sh", "-c", script]].concat())
    };
    let look = "stat -c '%a %F' /seed; cat /seed/l; grep -c ' /seed tmpfs ' /proc/mounts";
    for options in [
        &["--tmpfs=/seed"][..],
        &["--tmpfs=/seed:size=1m,ro"],
        &["--mount=type=tmpfs,dst=/seed,tmpcopyup"],
    ] {
        assert_eq!(
            run(options, look).ok(),
            "750 directory\ns\n1",
            "{options:?}"
        );
    }
    assert_eq!(run(&["--tmpfs=/seed:notmpcopyup"], "ls /seed").ok(), "");
    assert_eq!(
        run(&["--tmpfs=/seed:mode=711"], "stat -c %a /seed").ok(),
        "711"
    );
    assert_eq!(run(&["--tmpfs=/new"], "stat -c %a /new").ok(), "1777");
    let ramfs = ["--mount=type=ramfs,dst=/seed,ramfs-mode=700"];
    assert_eq!(
        run(
            &ramfs,
            "stat -c %a /seed; cat /seed/l; grep -c ' /seed ramfs ' /proc/mounts"
        )
        .ok(),
        "700\ns\n1"
    );
    // Every page is counted.
    let full = run(&["--tmpfs=/bin:size=64k"], "true");
    assert_eq!(full.code, 125, "{full}");
    assert!(full.stderr.contains("give it a larger size"), "{full}");
}

#[test]
fn read_only_containers_have_places_to_write() {
    let home = TestHome::with_busybox();
    let script = "for f in / /run /tmp /var/tmp /dev /dev/shm; do touch $f/x 2>/dev/null && echo $f; done; true";
    let places = |options: &[&str]| sh(&home, options, script).replace('\n', " ");
    assert_eq!(places(&["--read-only"]), "/run /tmp /var/tmp /dev /dev/shm");
    assert_eq!(places(&["--read-only", "--read-only-tmpfs=false"]), "");
    assert_eq!(
        places(&["--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp"]),
        "/tmp"
    );
    // The console is made before /dev is shut.
    let tty = [
        "run",
        "--rm",
        "-t",
        "--network=none",
        "--read-only",
        "--read-only-tmpfs=false",
    ];
    home.pod([&tty[..], &["busybox", "test", "-c", "/dev/console"]].concat())
        .ok();
    let size = sh(
        &home,
        &["--shm-size=1m"],
        "df -k /dev/shm | tail -1 | awk '{print $2}'",
    );
    assert_eq!(size, "1024");
}

#[test]
fn an_images_tree_can_be_mounted() {
    let home = TestHome::with_busybox();
    let mount = |rest: &str| format!("--mount=type=image,src=busybox,dst=/i{rest}");
    assert_eq!(
        sh(
            &home,
            &[&mount("")],
            "test -x /i/bin/busybox && touch /i/x 2>/dev/null || echo ro"
        ),
        "ro"
    );
    assert_eq!(sh(&home, &[&mount(",rw")], "echo w > /i/x; cat /i/x"), "w");
    assert_eq!(
        sh(&home, &[&mount(",rw")], "ls /i/x 2>/dev/null || echo gone"),
        "gone"
    );
    assert_eq!(
        sh(
            &home,
            &[&mount(",subpath=bin")],
            "test -x /i/sh && echo yes"
        ),
        "yes"
    );
    refused(
        &home,
        &[&mount(",subpath=nosuch")],
        "open subpath \"nosuch\" of the image",
    );
    // A part that is a link leads nowhere but into the image.
    refused(&home, &[&mount(",subpath=../etc")], "must not leave");
    // The image stays while a container mounts it.
    home.pod(["tag", "busybox", "other"]).ok();
    let config = ["commit", "-q", "--change=LABEL=x=y", "c", "second"];
    home.pod(["create", "--name=c", "busybox", "true"]).ok();
    home.pod(config).ok();
    home.pod(["rm", "c"]).ok();
    home.pod([
        "create",
        "--name=m",
        "--network=none",
        "--mount=type=image,src=second,dst=/i",
        "busybox",
        "ls",
        "/i/bin/sh",
    ])
    .ok();
    assert_eq!(home.pod(["rmi", "second"]).code, 2);
    assert_eq!(home.pod(["start", "-a", "m"]).ok(), "/i/bin/sh");
    assert_eq!(
        home.inspect(
            "m",
            "{{(index .Mounts 0).Type}} {{(index .Mounts 0).Source}} {{(index .Mounts 0).RW}}"
        ),
        "image second false"
    );
    home.pod(["rm", "m"]).ok();
    home.pod(["rmi", "second"]).ok();
}

#[test]
fn parts_of_volumes_stay_within_them() {
    let home = TestHome::with_busybox();
    let make = "mkdir -p /v/a/b /v/p; echo x > /v/a/b/f; ln -s /a/b /v/in; ln -s /etc /v/out; \
                ln -s ../../../../../../../../etc /v/up; echo s > /v/p/s; chmod 700 /v/p";
    sh(&home, &["-v", "vol:/v"], make);
    if lane() != Lane::Bare {
        sh(&home, &["-v", "vol:/v"], "chown 5:5 /v/p");
    }
    let part = |path: &str| format!("--mount=type=volume,src=vol,dst=/v,subpath={path}");
    for (path, script, want) in [
        ("a/b", "cat /v/f", "x"),
        ("a/b/f", "cat /v", "x"),
        ("in", "cat /v/f", "x"),
        ("p", "cat /v/s", "s"),
    ] {
        assert_eq!(sh(&home, &[&part(path)], script), want, "{path}");
    }
    for path in ["out", "up", "nosuch"] {
        refused(&home, &[&part(path)], &format!("open subpath \"{path}\""));
    }
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn globs_and_links() {
    let home = TestHome::with_busybox();
    for name in ["a1", "a2", "b1"] {
        home.write(&format!("home/g/{name}"), name);
    }
    symlink("a1", home.path("home/g/link")).unwrap();
    let dir = home.path("home/g").display().to_string();
    let glob = format!("--mount=type=glob,src={dir}/a*,dst=/g,ro");
    assert_eq!(
        sh(
            &home,
            &[&glob],
            "ls /g; cat /g/a2; touch /g/a1 2>/dev/null || echo ro"
        ),
        "a1\na2\na2ro"
    );
    let same = format!("--mount=type=glob,src={dir}/[ab]1");
    assert_eq!(sh(&home, &[&same], &format!("cat {dir}/*")), "a1b1");
    let link = format!("--mount=type=bind,src={dir}/link,dst=/x/link,no-dereference");
    assert_eq!(sh(&home, &[&link], "readlink /x/link"), "a1");
    let file = format!("--mount=type=bind,src={dir}/link,dst=/x/link");
    assert_eq!(sh(&home, &[&file], "readlink /x/link; cat /x/link"), "a1");
}

#[test]
fn volumes_come_from_other_containers() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/d").display().to_string();
    let bind = format!("{dir}:/d:ro");
    let create = |options: &[&str]| {
        let head = ["create", "--network=none"];
        home.pod([&head[..], options, &["busybox", "true"]].concat())
            .ok()
    };
    create(&[
        "--name=a",
        "-v",
        "/anon",
        "-v",
        "one:/v",
        "-v",
        &bind,
        "--tmpfs=/t",
    ]);
    create(&["--name=b", "-v", "two:/v"]);
    let anon = home.inspect(
        "a",
        "{{range .Mounts}}{{if eq .Destination \"/anon\"}}{{.Name}}{{end}}{{end}}",
    );
    let mounts = |name: &str| {
        let line = "{{range .Mounts}}{{.Destination}}={{with .Name}}{{.}}{{end}}{{.Source}}:{{.RW}} {{end}}";
        let mut words: Vec<String> = home
            .inspect(name, line)
            .split_whitespace()
            .map(|word| {
                // Sources of volumes end in their names.
                let (at, rest) = word.split_once('=').unwrap();
                let name = rest.split('/').next().unwrap();
                format!("{at}={name}{}", &rest[rest.rfind(':').unwrap()..])
            })
            .collect();
        words.sort();
        words.join(" ")
    };
    create(&["--name=c", "--volumes-from=a"]);
    assert_eq!(
        mounts("c"),
        format!("/anon={anon}:true /d=:false /v=one:true")
    );
    // The last one wins, options hold for all of it, and what is mounted here goes before.
    create(&["--name=d", "--volumes-from=a", "--volumes-from=b:ro"]);
    assert_eq!(
        mounts("d"),
        format!("/anon={anon}:true /d=:false /v=two:false")
    );
    create(&["--name=e", "--volumes-from=a:rw,z", "-v", "three:/v"]);
    assert_eq!(
        mounts("e"),
        format!("/anon={anon}:true /d=:true /v=three:true")
    );
    assert_eq!(home.inspect("e", "{{.HostConfig.VolumesFrom}}"), "[a:rw,z]");
    refused(
        &home,
        &["--volumes-from=nosuch"],
        "looking up container \"nosuch\" for volumes-from",
    );
    refused(
        &home,
        &["--volumes-from=a:ro,rw"],
        "cannot set ro or rw options more than once",
    );
    refused(
        &home,
        &["--volumes-from=a:U"],
        "invalid option \"U\" specified",
    );
    // An anonymous volume stays as long as somebody has it, and goes with the last.
    home.pod(["rm", "-v", "a"]).ok();
    assert_eq!(home.pod(["volume", "exists", &anon]).code, 0);
    assert_eq!(home.pod(["volume", "rm", &anon]).code, 2);
    home.pod(["rm", "-v", "c", "d"]).ok();
    assert_eq!(home.pod(["volume", "exists", &anon]).code, 0);
    home.pod(["rm", "-v", "e"]).ok();
    assert_eq!(home.pod(["volume", "exists", &anon]).code, 1);
    assert_eq!(home.pod(["volume", "ls", "-q"]).ok(), "one\nthree\ntwo");
    home.pod(["rm", "b"]).ok();
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn volumes_in_memory_and_of_an_owner() {
    let home = TestHome::with_busybox();
    let create = |options: &[&str]| home.pod([&["volume", "create"][..], options].concat());
    create(&[
        "--opt=type=tmpfs",
        "--opt=device=tmpfs",
        "--opt=o=size=1m,mode=700,noexec",
        "mem",
    ])
    .ok();
    let look = "df -k /m | tail -1 | awk '{print $2}'; stat -c %a /m; grep -c ' /m tmpfs .*noexec' /proc/mounts; touch /m/x";
    for _ in 0..2 {
        assert_eq!(sh(&home, &["-v", "mem:/m"], look), "1024\n700\n1");
    }
    assert_eq!(
        sh(&home, &["-v", "mem:/m"], "ls /m"),
        "",
        "empty at each start"
    );
    home.pod([
        "run",
        "-d",
        "--name=up",
        "--network=none",
        "-v",
        "mem:/m",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    refused(
        &home,
        &["-v", "mem:/m"],
        "rootless containers cannot share a tmpfs",
    );
    home.pod(["rm", "-f", "-t", "0", "up"]).ok();
    let dir = home.mkdir("home/d").display().to_string();
    create(&[
        "--opt=type=none",
        "--opt=o=bind,ro",
        &format!("--opt=device={dir}"),
        "ro",
    ])
    .ok();
    assert_eq!(
        sh(&home, &["-v", "ro:/r"], "touch /r/x 2>/dev/null || echo ro"),
        "ro"
    );
    create(&["--uid=7", "--gid=8", "owned"]).ok();
    create(&["--opt=o=uid=7,gid=8", "opted"]).ok();
    assert_eq!(
        home.pod([
            "volume",
            "inspect",
            "-f",
            "{{.UID}} {{.GID}}",
            "owned",
            "opted"
        ])
        .ok(),
        "7 8\n7 8"
    );
    for name in ["owned", "opted"] {
        let bind = format!("{name}:/etc");
        match lane() {
            Lane::Bare => refused(
                &home,
                &["-v", &bind],
                "that id is not mapped in this container",
            ),
            _ => assert_eq!(sh(&home, &["-v", &bind], "stat -c '%u %g' /etc"), "7 8"),
        }
    }
    for (options, want) in [
        (&["--opt=o=size=1g"][..], "needs a project quota"),
        (
            &["--opt=type=nfs", "--opt=device=x:/y"],
            "only root of this host can mount it",
        ),
        (&["--opt=device=/tmp"], "not available"),
        (&["--opt=o=frob"], "not available"),
        (
            &["--driver=nosuch"],
            "volume driver \"nosuch\" is not available",
        ),
    ] {
        let done = create(options).code(125);
        assert!(done.stderr.contains(want), "{done}");
    }
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn a_directory_as_root_can_stay_as_it_is() {
    let home = TestHome::with_busybox();
    home.pod(["create", "--name=c", "busybox", "true"]).ok();
    home.mkdir("home/root");
    home.sh("\"$POD\" export c | tar -x -C \"$HOME/root\"").ok();
    home.pod(["rm", "c"]).ok();
    let root = home.path("home/root").display().to_string();
    let run = |root: &str, script: &str| {
        home.pod([
            "run",
            "--rm",
            "--network=none",
            "--rootfs",
            root,
            "sh",
            "-c",
            script,
        ])
    };
    assert_eq!(
        run(&format!("{root}:O"), "touch /new; ls -d /new").ok(),
        "/new"
    );
    assert!(!home.path("home/root/new").exists());
    assert_eq!(run(&root, "touch /new; ls -d /new").ok(), "/new");
    assert!(home.path("home/root/new").exists());
    let done = run(&format!("{root}:idmap"), "true").code(125);
    assert!(done.stderr.contains("map its ids"), "{done}");
    // The layer is the container's, and diff and commit's refusal know it.
    let create = [
        "create",
        "--name=o",
        "--network=none",
        "--rootfs",
        &format!("{root}:O"),
        "touch",
        "/mine",
    ];
    home.pod(create).ok();
    home.pod(["start", "-a", "o"]).ok();
    assert_eq!(home.pod(["diff", "o"]).ok(), "A /mine");
    home.pod(["rm", "o"]).ok();
}

#[test]
fn hosts_files_and_inits_of_the_host() {
    let home = TestHome::with_busybox();
    let hosts = home.write("home/hosts", "10.1.2.3 from.file\n");
    let hosts = format!("--hosts-file={}", hosts.display());
    let look = "grep -c from.file /etc/hosts; true";
    assert_eq!(sh(&home, &[&hosts], look), "1");
    assert_eq!(sh(&home, &["--hosts-file=none"], look), "0");
    assert_eq!(sh(&home, &["--hosts-file=image"], look), "0");
    refused(
        &home,
        &["--hosts-file=/nosuch"],
        "open hosts file \"/nosuch\"",
    );
    refused(&home, &["--no-hosts", &hosts], "cannot be set together");
    // busybox stands in for an init: it runs what follows its name.
    let init = home.path("home/init");
    std::fs::copy("/bin/busybox", &init).unwrap();
    let path = format!("--init-path={}", init.display());
    home.pod([
        "run",
        "-d",
        "--name=i",
        "--network=none",
        "--init",
        &path,
        "busybox",
        "sleep",
        "1000",
    ]);
    refused(&home, &["--init", "--init-path=/nosuch"], "statfs /nosuch");
    assert_eq!(sh(&home, &["--init-path=/bin/sh"], "echo unused"), "unused");
    home.pod(["rm", "-f", "-t", "0", "--ignore", "i"]).ok();
}

#[test]
fn five_hundred_mounts_and_their_order() {
    let home = TestHome::with_busybox();
    home.mkdir("home/d");
    home.write("home/d/f", "f");
    let dir = home.path("home/d").display().to_string();
    let mut options: Vec<String> = Vec::new();
    for number in (0..500).rev() {
        options.push("-v".to_owned());
        options.push(format!("{dir}:/m/{number}/x"));
    }
    // The inner one is named first and mounted last.
    options.extend(["-v", &format!("{dir}:/n/a/b"), "--tmpfs=/n"].map(str::to_owned));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let script = "grep -c ' /m/' /proc/mounts; cat /m/499/x/f /n/a/b/f; ls /n";
    assert_eq!(sh(&home, &options, script), "500\nffa");
}

#[test]
fn mount_points_are_resolved_in_the_root() {
    let home = TestHome::with_busybox();
    let base = ["run", "--name=c", "--network=none", "busybox", "sh", "-c"];
    let out = home.path("home/canary");
    home.mkdir("home/canary");
    let make = format!(
        "mkdir /real; ln -s /real /abs; ln -s ../../../../../real /up; ln -s {0} /host; ln -s /host/deep /two; ln -s loop /loop",
        out.display()
    );
    home.pod([&base[..], &[&make]].concat()).ok();
    home.pod(["commit", "-q", "c", "linked"]).ok();
    home.pod(["rm", "c"]).ok();
    let run = |target: &str, script: &str| {
        let mount = format!("/etc/hostname:{target}/file");
        home.pod([
            "run",
            "--rm",
            "--network=none",
            "-v",
            &mount,
            "--tmpfs",
            &format!("{target}/tmpfs"),
            "linked",
            "sh",
            "-c",
            script,
        ])
    };
    for target in ["/abs", "/up"] {
        assert_eq!(run(target, "ls /real").ok(), "file\ntmpfs", "{target}");
    }
    for target in ["/host", "/two"] {
        let inside = format!("ls {target}");
        assert_eq!(run(target, &inside).ok(), "file\ntmpfs", "{target}");
    }
    let done = run("/loop", "true").code(125);
    assert!(done.stderr.contains("symbolic link"), "{done}");
    assert_eq!(
        std::fs::read_dir(&out).unwrap().count(),
        0,
        "nothing is made outside"
    );
}

#[test]
fn what_the_host_locks_stays_locked() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/locked").display().to_string();
    let mount = format!("mount -t tmpfs -o noexec,nosuid,nodev,mode=777 none {dir} && exec \"$@\"");
    let home = home.behind(["unshare", "--mount", "sh", "-c", &mount, "sh"]);
    for word in ["exec", "suid", "dev"] {
        let want = format!("option \"{word}\": the host mounts it with \"no{word}\"");
        refused(&home, &["-v", &format!("{dir}:/d:{word}")], &want);
    }
    let line = sh(
        &home,
        &["-v", &format!("{dir}:/d")],
        "grep ' /d ' /proc/mounts",
    );
    for word in ["noexec", "nosuid", "nodev"] {
        assert!(line.contains(word), "{line}");
    }
}

#[test]
fn nothing_is_made_outside_while_another_container_swaps_the_place() {
    let home = TestHome::with_busybox();
    let canary = home.mkdir("home/canary");
    let swap = format!(
        "mkdir -p /v/real; echo ready; while :; do ln -sfn {} /v/x; rm -f /v/x; mkdir /v/x; rmdir /v/x/* /v/x 2>/dev/null; \
         rm -rf /v/x; done",
        canary.display()
    );
    let mut swapping = home.spawn([
        "run",
        "--rm",
        "--name=swap",
        "--network=none",
        "-v",
        "vol:/v",
        "busybox",
        "sh",
        "-c",
        &swap,
    ]);
    swapping.wait_for("ready");
    let mut made = 0;
    for _ in 0..30 {
        // It works or fails, as the place happens to be; nothing of the host is touched either way.
        let done = home.pod([
            "run",
            "--rm",
            "--network=none",
            "-v",
            "vol:/v",
            "-v",
            "/etc/hostname:/v/x/file",
            "--tmpfs=/v/x/dir",
            "busybox",
            "true",
        ]);
        made += i32::from(done.code == 0);
        assert!(matches!(done.code, 0 | 125), "{done}");
        assert_eq!(std::fs::read_dir(&canary).unwrap().count(), 0, "{done}");
    }
    assert!(made > 0, "some starts find a place");
    home.pod(["rm", "-f", "-t", "0", "swap"]).ok();
    swapping.stop();
    home.pod(["volume", "rm", "-a"]).ok();
}

#[test]
fn inspect_tells_the_mounts() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/d").display().to_string();
    let create = [
        "create",
        "--name=c",
        "--network=none",
        "--tmpfs=/t:size=1m,noexec",
        "--mount=type=tmpfs,dst=/n,notmpcopyup",
        "-v",
        &format!("{dir}:/d:ro,rslave"),
        "-v",
        "vol:/v:nocopy",
        "busybox",
        "true",
    ];
    home.pod(create).ok();
    for (format, want) in [
        (
            "{{json .HostConfig.Tmpfs}}",
            r#"{"/n":"rw,rprivate,nosuid,nodev,notmpcopyup","/t":"size=1m,rw,rprivate,nosuid,nodev,noexec,tmpcopyup"}"#
                .to_owned(),
        ),
        (
            "{{json .HostConfig.Binds}}",
            format!(r#"["vol:/v:rw,rprivate,nosuid,nodev,rbind","{dir}:/d:ro,rslave,nosuid,nodev,rbind"]"#),
        ),
        (
            "{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{.Propagation}}|{{end}}",
            "volume /v true rprivate|bind /d false rslave|".to_owned(),
        ),
    ] {
        assert_eq!(home.inspect("c", format), want, "{format}");
    }
    // A volume in use is not removed, by its own exit status; unused ones are pruned by their labels.
    home.pod(["volume", "rm", "vol"]).code(2);
    home.pod(["volume", "create", "--label=a=b", "labelled"])
        .ok();
    home.pod(["rm", "c"]).ok();
    assert_eq!(
        home.pod(["volume", "prune", "-f", "--filter=label=a=b"])
            .ok(),
        "labelled"
    );
    home.pod(["volume", "rm", "vol"]).ok();
}
