//! containers.conf and storage.conf of the user.

use crate::support::TestHome;

const CONTAINERS: &str = "home/.config/containers/containers.conf";
const STORAGE: &str = "home/.config/containers/storage.conf";

#[track_caller]
fn inside(home: &TestHome, flags: &[&str], script: &str) -> String {
    let fixed = ["run", "--rm", "--network=none"];
    let last = ["busybox", "sh", "-c", script];
    let words = fixed.iter().chain(flags).chain(&last);
    home.pod(words.copied()).ok()
}

#[test]
fn keys_of_containers_conf_are_seen_inside() {
    let home = TestHome::with_busybox();
    home.write("hosts", "10.9.8.7 elsewhere\n");
    let hosts = home.path("hosts").display().to_string();
    let data = home.mkdir("data").display().to_string();
    home.write(
        CONTAINERS,
        &format!(
            "[containers]\n\
             env = [\"COLOUR=green\", \"SHAPE=round\", \"PATH=/nowhere:/bin\"]\n\
             tz = \"Asia/Tokyo\"\n\
             umask = \"0027\"\n\
             shm_size = \"2m\"\n\
             default_ulimits = [\"nofile=100:200\", \"core=0:0\"]\n\
             default_capabilities = [\"CHOWN\", \"KILL\"]\n\
             base_hosts_file = \"{hosts}\"\n\
             volumes = [\"{data}:/data:ro\"]\n\
             mounts = [\"type=tmpfs,destination=/scratch\"]\n\
             devices = [\"/dev/null:/dev/nothing\"]\n\
             pids_limit = 2048\n"
        ),
    );
    let script = "echo $COLOUR $SHAPE; umask; ulimit -n; ulimit -Hn; date +%Z; \
                  df -k /dev/shm | awk 'NR==2 { print $2 }'; grep CapBnd /proc/self/status; \
                  grep -c elsewhere /etc/hosts; grep -o ' /data ro' /proc/mounts || awk '$2==\"/data\"' /proc/mounts; \
                  grep -c ' /scratch ' /proc/mounts; test -c /dev/nothing && echo device";
    let out = inside(&home, &["-e", "SHAPE=square"], script);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..4], ["green square", "0027", "100", "200"], "{out}");
    assert_eq!(
        lines[4..8],
        ["JST", "2048", "CapBnd:\t0000000000000021", "1"],
        "{out}"
    );
    assert!(lines[8].contains("/data"), "{out}");
    assert_eq!(lines[9..], ["1", "device"], "{out}");
    // The command line wins.
    let flags = [
        "--umask=0022",
        "--ulimit=nofile=50",
        "--shm-size=1m",
        "--tz=local",
        "--cap-add=NET_RAW",
    ];
    let script = "umask; ulimit -n; df -k /dev/shm | awk 'NR==2 { print $2 }'; grep CapBnd /proc/self/status";
    let out = inside(&home, &flags, script);
    assert_eq!(out, "0022\n50\n1024\nCapBnd:\t0000000000002021");
}

#[test]
fn namespaces_privileges_and_logs_of_containers_conf() {
    let home = TestHome::with_busybox();
    home.write(
        CONTAINERS,
        "[containers]\nutsns = \"host\"\nipcns = \"host\"\nread_only = true\nlog_driver = \"none\"\n\
         userns = \"keep-id\"\nlabel = false\nseccomp_profile = \"unconfined\"\n",
    );
    let script = "readlink /proc/self/ns/uts; readlink /proc/self/ns/ipc; touch /x 2>/dev/null || echo read-only; \
                  grep Seccomp: /proc/self/status; id -u";
    let own = |name: &str| {
        let link = std::fs::read_link(format!("/proc/self/ns/{name}")).expect("a namespace");
        link.display().to_string()
    };
    let out = inside(&home, &[], script);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[..3],
        [own("uts").as_str(), &own("ipc"), "read-only"],
        "{out}"
    );
    if crate::support::lane() != crate::support::Lane::Bare {
        assert_eq!(lines[3], "Seccomp:\t0", "{out}");
    }
    assert_ne!(lines[4], "0", "{out}");
    let out = inside(
        &home,
        &["--read-only=false", "--userns=host"],
        "touch /x && id -u",
    );
    assert_eq!(out, "0");
    home.write(CONTAINERS, "[containers]\nprivileged = true\n");
    let privileged = inside(&home, &[], "grep CapBnd /proc/self/status");
    assert_eq!(
        privileged,
        inside(&home, &["--privileged"], "grep CapBnd /proc/self/status")
    );
    assert_ne!(
        privileged,
        inside(
            &home,
            &["--privileged=false"],
            "grep CapBnd /proc/self/status"
        )
    );
}

#[test]
fn a_file_that_cannot_be_used_is_one_line() {
    let home = TestHome::with_busybox();
    for (text, says) in [
        (
            "[containers]\nenv = \"A=1\"\n",
            "containers/containers.conf: env in [containers] must be a list of strings",
        ),
        (
            "[containers]\ntz = 3\n",
            "containers/containers.conf: tz in [containers] must be a string",
        ),
        ("[containers\n", "containers/containers.conf: line 1: "),
        (
            "[containers]\nlog_driver = \"journald\"\n",
            "use log_driver of containers.conf: ",
        ),
        (
            "[containers]\ndevices = [\"/dev/nosuch\"]\n",
            "use devices of containers.conf: stat /dev/nosuch",
        ),
        (
            "[containers]\nbase_hosts_file = \"/nosuch\"\n",
            "use base_hosts_file of containers.conf: ",
        ),
        (
            "[engine]\nretry_delay = \"soon\"\n",
            "use retry_delay of containers.conf: ",
        ),
    ] {
        home.write(CONTAINERS, text);
        home.refuses(["run", "--network=none", "busybox", "true"], 125, &[says]);
    }
}

#[test]
fn storage_conf_moves_the_store() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "busybox"]).ok();
    let data = home.mkdir("data");
    home.write(
        STORAGE,
        &format!("[storage]\ndriver = \"overlay\"\ngraphroot = {data:?}\n"),
    );
    assert_eq!(home.pod(["images", "-q"]).ok(), "");
    home.pod(["pull", "-q", "busybox"]).ok();
    assert!(data.join("pod/images").is_dir());
    assert_eq!(inside(&home, &[], "echo moved"), "moved");
    home.pod(["rmi", "-q", "busybox"]);
    home.pod(["rmi", "--all"]).ok();
    std::fs::remove_file(home.path(STORAGE)).expect("own file");
    assert_eq!(home.pod(["images", "-q"]).ok().lines().count(), 1);
}

#[test]
fn storage_conf_may_not_ask_for_other_drivers() {
    let home = TestHome::new();
    for (text, says) in [
        (
            "driver = \"vfs\"\n",
            "use driver = \"vfs\" of storage.conf: ",
        ),
        (
            "driver = 3\n",
            "containers/storage.conf: driver in [storage] must be a string",
        ),
    ] {
        home.write(STORAGE, &format!("[storage]\n{text}"));
        let done = home.pod(["images"]).code(125);
        assert_eq!(
            (done.stdout.as_str(), done.stderr.lines().count()),
            ("", 1),
            "{done}"
        );
        assert!(done.stderr.contains(says), "{done}");
    }
    home.write(
        STORAGE,
        "[storage]\ndriver = \"\"\n[storage.options]\nadditionalimagestores = []\n",
    );
    home.pod(["images"]).ok();
}

#[test]
fn helper_binaries_dir_comes_before_path() {
    use std::os::unix::fs::PermissionsExt;
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/helpers");
    let used = home.path("home/used");
    let script = format!(
        "#!/bin/sh\necho used >>{}\nexec pasta \"$@\"\n",
        used.display()
    );
    let pasta = home.write("home/helpers/pasta", &script);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&pasta, mode).expect("own file");
    home.write(
        CONTAINERS,
        &format!("[engine]\nhelper_binaries_dir = [\"/nosuch\", {dir:?}]\n"),
    );
    let executable = ["info", "--format", "{{.Host.Pasta.Executable}}"];
    assert_eq!(home.pod(executable).ok(), pasta.display().to_string());
    // Asked once for what it can do, then started.
    home.pod(["create", "--name=c", "busybox", "true"]).ok();
    home.pod(["start", "--attach", "c"]).ok();
    let calls = std::fs::read_to_string(&used).unwrap_or_default();
    assert_eq!(calls, "used\nused\n");
    // The container remembers it, as it does all that it was made with.
    home.write(CONTAINERS, "");
    home.pod(["start", "--attach", "c"]).ok();
    let calls = std::fs::read_to_string(&used).unwrap_or_default();
    assert_eq!(calls, "used\n".repeat(3));
}
