//! What a container must not get. The image is hostile.

use crate::support::{Lane, TestHome, lane};

#[test]
fn capabilities_are_podmans_eleven() {
    let home = TestHome::with_busybox();
    let caps = |flags: &[&str]| home.inside(flags, "grep Cap /proc/self/status | tr '\\n' ' '");
    let eleven = "00000000800405fb";
    let want = format!(
        "CapInh:\t0000000000000000 CapPrm:\t{eleven} CapEff:\t{eleven} CapBnd:\t{eleven} CapAmb:\t0000000000000000 "
    );
    assert_eq!(caps(&[]), want);
    assert!(
        caps(&["--cap-drop=ALL"]).contains("CapEff:\t0000000000000000 CapBnd:\t0000000000000000")
    );
    assert!(caps(&["--cap-drop=all", "--cap-add=net_raw"]).contains("CapEff:\t0000000000002000"));
    if lane() != Lane::Bare {
        assert!(
            caps(&["--user=app"]).contains("CapPrm:\t0000000000000000 CapEff:\t0000000000000000")
        );
    }
}

#[test]
fn system_calls_are_filtered_and_privileges_cannot_grow() {
    let home = TestHome::with_busybox();
    let status = home.inside(&[], "grep -E 'Seccomp:|NoNewPrivs' /proc/self/status");
    assert!(status.contains("Seccomp:\t2"), "{status}");
    let status = home.inside(
        &["--security-opt=no-new-privileges"],
        "grep NoNewPrivs /proc/self/status",
    );
    assert_eq!(status, "NoNewPrivs:\t1");
    let status = home.inside(
        &["--security-opt=seccomp=unconfined"],
        "grep Seccomp: /proc/self/status",
    );
    assert_eq!(
        status,
        if lane() == Lane::Bare {
            "Seccomp:\t2"
        } else {
            "Seccomp:\t0"
        }
    );
    assert!(
        home.inside(&[], "unshare -U true 2>&1 || echo refused")
            .ends_with("refused")
    );
    assert!(
        home.inside(&[], "mount -t tmpfs none /mnt 2>&1 || echo refused")
            .ends_with("refused")
    );
}

#[test]
fn kernel_files_are_masked_or_read_only() {
    let home = TestHome::with_busybox();
    for path in ["/proc/kcore", "/proc/keys", "/proc/timer_list"] {
        let out = home.inside(
            &[],
            &format!("[ -e {path} ] || echo 0; head -c 10 {path} 2>/dev/null | wc -c"),
        );
        assert!(out.ends_with('0'), "{path} can be read: {out}");
    }
    for path in ["/sys/firmware", "/proc/scsi"] {
        let out = home.inside(&[], &format!("ls -A {path} 2>/dev/null | wc -l"));
        assert_eq!(out, "0", "{path} can be listed");
    }
    for path in [
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
    ] {
        let out = home.inside(&[], &format!("(echo x > {path}) 2>&1 || echo refused"));
        assert!(out.ends_with("refused"), "{path} can be written: {out}");
    }
    let out = home.inside(&[], "touch /sys/x 2>&1 || echo refused");
    assert!(out.ends_with("refused"), "{out}");
}

#[test]
fn no_descriptor_of_ours_gets_in() {
    let home = TestHome::with_busybox();
    // 3 is the directory that ls reads.
    assert_eq!(
        home.inside(&[], "ls /proc/self/fd | tr '\\n' ' '"),
        "0 1 2 3 "
    );
    let leak = "exec 7</etc/passwd 9>/dev/null; $POD run --rm --network=none busybox ls /proc/self/fd | tr '\\n' ' '";
    assert_eq!(home.sh(leak).ok().trim_end(), "0 1 2 3");
    home.pod([
        "run",
        "-d",
        "--name=e",
        "--network=none",
        "busybox",
        "sleep",
        "1000",
    ])
    .ok();
    let script = "exec 7</etc/passwd; $POD exec e ls /proc/self/fd | tr '\\n' ' '";
    assert_eq!(home.sh(script).ok().trim_end(), "0 1 2 3");
    let passed = "exec 3</etc/hostname; $POD run --rm --preserve-fds=1 --network=none busybox sh -c 'cat <&3'";
    assert_eq!(
        home.sh(passed).ok(),
        std::fs::read_to_string("/etc/hostname").unwrap().trim_end()
    );
}

#[test]
fn our_binary_is_out_of_reach() {
    let home = TestHome::with_busybox();
    let out = home.inside(
        &[],
        "readlink /proc/1/exe; cat /proc/1/maps | grep -c /pod || true",
    );
    assert_eq!(out, "/bin/busybox\n0");
}

#[test]
fn nobody_types_on_the_callers_terminal() {
    // TIOCSTI would put characters into the terminal of whoever ran pod; a container has a session of its own.
    let home = TestHome::with_busybox();
    let terminal = home.terminal([
        "run",
        "--rm",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "cat /dev/tty 2>&1; cut -d' ' -f6,7 /proc/self/stat",
    ]);
    let done = terminal.wait();
    assert!(
        done.stdout.contains("1 0\r\n"),
        "session 1, no terminal:\n{done}"
    );
}

#[test]
fn devices_are_the_harmless_ones() {
    let home = TestHome::with_busybox();
    let out = home.inside(
        &[],
        "cd /dev; find . -type c -o -type b | sort | tr '\\n' ' '",
    );
    assert_eq!(
        out.trim_end(),
        "./full ./null ./pts/ptmx ./random ./tty ./urandom ./zero"
    );
    let out = home.inside(&["--device=/dev/fuse"], "[ -c /dev/fuse ] && echo there");
    assert_eq!(out, "there");
}

#[test]
fn a_link_in_a_volume_leads_nowhere_outside() {
    let home = TestHome::with_busybox();
    let dir = home.mkdir("home/v");
    std::os::unix::fs::symlink("/etc", dir.join("out")).unwrap();
    // The target of the second mount goes through the link: it must end in the container's /etc.
    let first = format!("{}:/v", dir.display());
    let second = format!("{}:/v/out/inner", home.mkdir("home/w").display());
    home.pod([
        "run",
        "--rm",
        "--network=none",
        "-v",
        &first,
        "-v",
        &second,
        "busybox",
        "true",
    ]);
    assert!(
        !std::path::Path::new("/etc/inner").exists(),
        "pod wrote to the host's /etc"
    );
}

#[test]
fn processes_of_the_host_are_invisible() {
    let home = TestHome::with_busybox();
    let out = home.inside(&[], "ls -d /proc/[0-9]* | wc -l");
    assert!(out.parse::<u32>().is_ok_and(|n| n <= 3), "{out}");
}

#[test]
fn ids_are_subordinate_ones() {
    let home = TestHome::with_busybox();
    let map = home.inside(&[], "cat /proc/self/uid_map");
    let first: Vec<_> = map.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(
        first,
        ["0", &home.user.uid.to_string(), "1"],
        "root inside is the caller outside"
    );
    assert_eq!(
        map.lines().count(),
        if lane() == Lane::Bare { 1 } else { 2 }
    );
    if lane() != Lane::Bare {
        assert_eq!(
            home.inside(&["--userns=keep-id"], "id -u"),
            home.user.uid.to_string()
        );
    }
}

#[test]
fn the_store_is_closed_to_others() {
    use std::os::unix::fs::PermissionsExt;
    let home = TestHome::with_busybox();
    for place in ["home/.local/share/pod", "run/pod"] {
        let mode = std::fs::metadata(home.path(place))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode & 0o077, 0, "{place} has mode {mode:o}");
    }
}
