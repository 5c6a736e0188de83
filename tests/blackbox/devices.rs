//! `--device`, `--gpus` and CDI.

use crate::support::TestHome;

fn run<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    let head = ["run", "--rm", "--network=none"];
    [&head[..], options, &["busybox", "sh", "-c", script]].concat()
}

#[track_caller]
fn refused(home: &TestHome, options: &[&str], want: &str) {
    let done = home.pod(run(options, "true"));
    assert_eq!(done.code, 125, "{options:?} {done}");
    assert!(done.stderr.contains(want), "{options:?} {done}");
}

#[test]
fn devices_are_bound() {
    let home = TestHome::with_busybox();
    let look = "test -c /dev/mine && head -c 2 /dev/mine | od -An -tx1";
    for device in [
        "/dev/zero:/dev/mine",
        "/dev/zero:/dev/mine:rwm",
        "/dev/zero:/dev/mine:rw",
    ] {
        assert_eq!(
            home.pod(run(&["--device", device], look)).ok().trim(),
            "00 00",
            "{device}"
        );
    }
    // Every node of a directory.
    let nodes = home
        .pod(run(&["--device=/dev/net:/dev/nodes"], "ls /dev/nodes"))
        .ok();
    assert!(nodes.contains("tun"), "{nodes}");
    home.pod([
        "create",
        "--name=c",
        "--device=/dev/zero:/dev/mine",
        "busybox",
        "true",
    ])
    .ok();
    assert_eq!(
        home.inspect(
            "c",
            "{{range .HostConfig.Devices}}{{.PathOnHost}} {{.PathInContainer}}{{end}}"
        ),
        "/dev/zero /dev/mine"
    );
    for (device, want) in [
        ("/nosuch", "stat /nosuch: no such file or directory"),
        (
            "/etc/passwd",
            "/etc/passwd is not a valid device: not a device node",
        ),
        ("/etc", "no devices found in /etc"),
        ("/dev/null:/dev/x:q", "invalid device mode: q"),
        (
            "/dev/null:/dev/x:r",
            "writing cannot be kept from the container",
        ),
        (
            "/dev/null:/dev/x:w",
            "reading cannot be kept from the container",
        ),
    ] {
        refused(&home, &["--device", device], want);
    }
    refused(
        &home,
        &["--device-cgroup-rule=c 1:3 rwm"],
        "only root of this host has a device cgroup",
    );
}

#[test]
fn cdi_devices_change_what_their_specs_say() {
    let home = TestHome::with_busybox();
    home.write("home/lib", "library\n");
    let lib = home.path("home/lib").display().to_string();
    home.write(
        "home/cdi/acme.yaml",
        &format!(
            "cdiVersion: \"0.6.0\"\nkind: acme.com/gpu\ncontainerEdits:\n  env: [ACME=all]\n  mounts:\n  - hostPath: {lib}\n    \
             containerPath: /opt/acme.so\n    options: [ro, nosuid, nodev, bind]\ndevices:\n- name: \"0\"\n  \
             containerEdits:\n    env: [ACME_ONE=yes]\n    deviceNodes:\n    - {{path: /dev/acme0, hostPath: /dev/zero, \
             permissions: rw}}\n- name: all\n  containerEdits:\n    deviceNodes: [{{path: /dev/acme0, hostPath: \
             /dev/zero}}, {{path: /dev/full}}]\n- name: hook\n  containerEdits:\n    hooks: [{{hookName: createContainer, \
             path: /bin/true}}]\n- name: lost\n  containerEdits:\n    deviceNodes: [{{path: /dev/nosuch}}]\n"
        ),
    );
    home.write(
        "home/more/nvidia.json",
        r#"{"cdiVersion":"0.5.0","kind":"nvidia.com/gpu","devices":[{"name":"all","containerEdits":{"env":["GPU=all"]}},
           {"name":"0","containerEdits":{"env":["GPU=0"]}}]}"#,
    );
    let (cdi, more) = (
        home.path("home/cdi").display().to_string(),
        home.path("home/more").display().to_string(),
    );
    let pod = |options: &[&str], script: &str| {
        let globals = ["--cdi-spec-dir", &cdi, "--cdi-spec-dir", &more];
        let line = run(options, script);
        home.pod([&globals[..], &line].concat())
    };
    let look = "echo $ACME $ACME_ONE; test -c /dev/acme0 && cat /opt/acme.so; touch /opt/acme.so 2>/dev/null || echo ro";
    assert_eq!(
        pod(&["--device=acme.com/gpu=0"], look).ok(),
        "all yes\nlibrary\nro"
    );
    assert_eq!(
        pod(
            &["--device=acme.com/gpu=all"],
            "ls -d /dev/acme0 /dev/full; echo $ACME"
        )
        .ok(),
        "/dev/acme0\n/dev/full\nall"
    );
    assert_eq!(pod(&["--gpus=all"], "echo $GPU").ok(), "all");
    assert_eq!(pod(&["--gpus=0"], "echo $GPU").ok(), "0");
    for (device, want) in [
        (
            "acme.com/gpu=nosuch",
            "unresolvable CDI devices acme.com/gpu=nosuch",
        ),
        (
            "acme.com/gpu=hook",
            "createContainer hook /bin/true: this version runs no hooks",
        ),
        ("acme.com/gpu=lost", "stat /dev/nosuch"),
    ] {
        let done = pod(&["--device", device], "true").code(125);
        assert!(done.stderr.contains(want), "{done}");
    }
    refused(
        &home,
        &["--gpus=all"],
        "unresolvable CDI devices nvidia.com/gpu=all",
    );
    // The same from containers.conf.
    home.write(
        "home/.config/containers/containers.conf",
        &format!(
            "[engine]\ncdi_spec_dirs = [\"{cdi}\"]\n[containers]\ndevices = [\"acme.com/gpu=0\"]\n"
        ),
    );
    assert_eq!(home.pod(run(&[], "echo $ACME_ONE")).ok(), "yes");
}
