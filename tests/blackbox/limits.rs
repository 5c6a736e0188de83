//! Limits, `update` and `stats`. No lane has controllers: what is written to their files is tested beside the code.

use std::fs;
use std::path::PathBuf;

use crate::support::{Lane, TestHome, lane};

const RUN: [&str; 3] = ["run", "--rm", "--network=none"];

#[track_caller]
fn start(home: &TestHome, name: &str, flags: &[&str]) {
    let args = ["run", "-d", "--name", name, "--network=none"];
    let words = args
        .iter()
        .chain(flags)
        .chain(&["busybox", "sleep", "1000"]);
    home.pod(words.copied()).ok();
}

#[test]
fn values_are_checked_in_podmans_words() {
    let home = TestHome::with_busybox();
    for (flags, want) in [
        (
            vec!["--memory=foo"],
            "invalid value for memory: invalid size: 'foo'",
        ),
        (
            vec!["--memory-swap=1m"],
            "you should always set a memory limit when using a memoryswap limit, see usage",
        ),
        (
            vec!["--memory=10m", "--memory-swap=5m"],
            "minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        (
            vec!["-m10m", "--memory-reservation=20m"],
            "minimum memory limit cannot be less than memory reservation limit, see usage",
        ),
        (
            vec!["--memory-swappiness=200"],
            "invalid value: 200, valid memory swappiness range is 0-100",
        ),
        (
            vec!["--cpus=x"],
            "invalid argument \"x\" for \"--cpus\" flag: strconv.ParseFloat: parsing \"x\": invalid syntax",
        ),
        (
            vec!["--cpus=1", "--cpu-quota=5000"],
            "--cpu-quota and --cpus cannot be set together",
        ),
        (
            vec!["--cpus=1", "--cpu-period=5000"],
            "--cpu-period and --cpus cannot be set together",
        ),
        (vec!["--cpuset-cpus=x"], "invalid value x for cpuset cpus"),
        (
            vec!["--blkio-weight=x"],
            "invalid value for blkio-weight: strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            vec!["--blkio-weight-device=/dev/null"],
            "bad format: /dev/null",
        ),
        (
            vec!["--device-read-bps=null:1m"],
            "bad format for device path: null:1m",
        ),
        (
            vec!["--cgroup-conf=a"],
            "--cgroup-conf must be formatted KEY=VALUE",
        ),
        (
            vec!["--cgroups=foo"],
            "running container create option: invalid cgroup mode \"foo\": invalid argument",
        ),
        (
            vec!["--cgroup-parent=/a.slice"],
            "systemd slice received as cgroup parent when using cgroupfs: invalid argument",
        ),
        (
            vec!["--cpu-rt-period=5"],
            "use --cpu-rt-period: only cgroup version 1 has it, which needs root",
        ),
        (
            vec!["--cgroups=disabled", "--memory=10m"],
            "use --memory: this process has no cgroup (version 2) that may be written to: --cgroups=disabled",
        ),
    ] {
        let args = RUN.into_iter().chain(flags).chain(["busybox", "true"]);
        let done = home.pod(args).code(125);
        assert!(
            done.stderr.starts_with(&format!("Error: {want}")),
            "{want}: {done}"
        );
    }
    let done = home.pod(["--cgroup-manager=systemd", "ps"]).code(125);
    assert!(
        done.stderr.contains("this version knows cgroupfs only"),
        "{done}"
    );
    // What asks for nothing passes.
    let neutral = [
        "--memory=0",
        "--cpus=0",
        "--pids-limit=-1",
        "--memory-swappiness=-1",
    ];
    home.pod(RUN.into_iter().chain(neutral).chain(["busybox", "true"]))
        .ok();
}

#[test]
fn a_limit_without_its_controller_is_refused_with_the_remedy() {
    let home = TestHome::with_busybox();
    for (flag, controller) in [
        ("--memory=64m", "memory"),
        ("--cpus=1", "cpu"),
        ("--cpu-shares=512", "cpu"),
        ("--pids-limit=5", "pids"),
        ("--cpuset-cpus=0", "cpuset"),
        ("--blkio-weight=500", "io"),
    ] {
        let done = home
            .pod(RUN.into_iter().chain([flag, "busybox", "true"]))
            .code(125);
        let name = flag.split('=').next().unwrap();
        let (want, remedy) = match lane() {
            Lane::Cgroup2 => (
                format!("the cgroup controller \"{controller}\" is not available"),
                "Delegate=cpu cpuset io memory pids",
            ),
            _ => (
                "this process has no cgroup (version 2) that may be written to".to_owned(),
                "systemd-run --user --scope",
            ),
        };
        assert!(
            done.stderr.starts_with(&format!("Error: use {name}")),
            "{done}"
        );
        assert!(
            done.stderr.contains(&want) && done.stderr.contains(remedy),
            "{done}"
        );
    }
    assert_eq!(home.pod(["ps", "-aq"]).ok(), "");
}

#[test]
fn the_place_of_a_cgroup_is_chosen() {
    if lane() != Lane::Cgroup2 {
        return; // there is none to choose
    }
    let home = TestHome::with_busybox();
    start(&home, "none", &["--cgroups=disabled"]);
    assert_eq!(home.inspect("none", "{{.HostConfig.Cgroups}}"), "disabled");
    start(
        &home,
        "below",
        &[
            "--cgroup-parent=a/b",
            "--cgroup-conf=cgroup.max.descendants=7",
        ],
    );
    let path = home.inspect("below", "{{.State.CgroupPath}}");
    let group = PathBuf::from(format!("/sys/fs/cgroup{path}"));
    assert!(path.contains("/a/b/pod-"), "{path}");
    let text = fs::read_to_string(group.join("cgroup.max.descendants")).unwrap();
    assert_eq!(text.trim(), "7");
    home.pod(["rm", "-ft0", "none", "below"]).ok();
    let above = group.parent().unwrap().parent().unwrap();
    assert!(!above.exists(), "{}", above.display());
    start(&home, "split", &["--cgroups=split"]);
    let path = home.inspect("split", "{{.State.CgroupPath}}");
    assert!(path.contains("/tests/pod-"), "{path}");
    home.pod(["rm", "-ft0", "split"]).ok();
}

#[test]
fn update_changes_what_the_next_processes_see() {
    let home = TestHome::with_busybox();
    start(&home, "c", &["-e=A=1", "-e=B=1"]);
    let id = home.inspect("c", "{{.Id}}");
    let args = [
        "update",
        "--env=A=2",
        "--unsetenv=B",
        "--restart=on-failure:3",
        "--ulimit=nofile=100:200",
        "c",
    ];
    assert_eq!(home.pod(args).ok(), id);
    let script = "echo $A$B $(ulimit -n)";
    assert_eq!(home.pod(["exec", "c", "sh", "-c", script]).ok(), "2 100");
    assert_eq!(
        home.inspect(
            "c",
            "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"
        ),
        "on-failure 3"
    );
    home.pod(["update", "--memory=64m", "c"]).code(125);
    assert_eq!(home.inspect("c", "{{.HostConfig.Memory}}"), "0");
    home.pod(["update", "--memory=1m", "--memory-swap=1k", "c"])
        .code(125);
    home.pod(["update", "nosuch"]).code(125);
    home.pod(["rm", "-ft0", "c"]).ok();
}

#[test]
fn stats_once() {
    let home = TestHome::with_busybox();
    start(&home, "c", &[]);
    home.pod([
        "create",
        "--name=rests",
        "--network=none",
        "busybox",
        "true",
    ])
    .ok();
    let table = home.pod(["stats", "--no-stream"]).ok();
    let (head, row) = table.split_once('\n').unwrap();
    let words: Vec<&str> = head
        .split("  ")
        .map(str::trim)
        .filter(|w| !w.is_empty())
        .collect();
    assert_eq!(
        words,
        [
            "ID",
            "NAME",
            "CPU %",
            "MEM USAGE / LIMIT",
            "MEM %",
            "NET IO",
            "BLOCK IO",
            "PIDS",
            "CPU TIME",
            "AVG CPU %"
        ]
    );
    assert!(row.contains(" c ") && row.lines().count() == 1, "{table}");
    let text = home
        .pod(["stats", "--no-stream", "--format=json", "c"])
        .ok();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<&str> = json[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut want = [
        "id",
        "name",
        "cpu_time",
        "cpu_percent",
        "avg_cpu",
        "mem_usage",
        "mem_percent",
        "net_io",
        "block_io",
        "pids",
    ];
    want.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, want);
    assert_eq!(json[0]["pids"], "1");
    let format = "{{.Name}} {{.PIDs}} {{.CPUPerc}} {{.MemUsage}}";
    let shown = home
        .pod(["stats", "--no-stream", "--format", format, "c"])
        .ok();
    assert!(
        shown.starts_with("c 1 ") && !shown.contains(" 0B /"),
        "{shown}"
    );
    assert_eq!(
        home.pod([
            "stats",
            "--no-stream",
            "--format={{.Name}} {{.PIDS}} {{.MemUsage}} {{.CPUPerc}}",
            "rests"
        ])
        .ok(),
        "rests 0 0B / 0B 0.00%"
    );
    assert_eq!(
        home.pod(["stats", "-a", "--no-stream", "--format={{.Name}}"])
            .ok(),
        "c\nrests"
    );
    assert_eq!(
        home.pod(["stats", "--no-stream", "nosuch"])
            .code(125)
            .stderr,
        "Error: unable to get list of containers: unable to look up container nosuch: no container with name or ID \"nosuch\" found: no such container\n"
    );
    assert_eq!(
        home.pod(["stats", "-a", "-l"]).code(125).stderr,
        "Error: --all, --latest and containers cannot be used together\n"
    );
    assert_eq!(
        home.pod(["stats", "-i0"]).code(125).stderr,
        "Error: invalid interval, must be a positive number greater zero\n"
    );
    home.pod(["rm", "-ft0", "c", "rests"]).ok();
}
