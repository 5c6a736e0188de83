//! What an image says about itself is what its container does.

use crate::support::{Lane, TestHome, lane, process};

#[test]
fn user_workdir_env_entrypoint_and_cmd() {
    let home = TestHome::with_registry();
    assert_eq!(
        home.pod(["run", "--rm", "--network=none", "-q", "configured"])
            .ok(),
        "entry cmd two words"
    );
    assert_eq!(
        home.pod(["run", "--rm", "--network=none", "configured", "mine"])
            .ok(),
        "entry mine"
    );
    let script = "id -un; pwd; echo $COLOUR; echo [$EMPTY] $HOME; echo $PATH";
    let out = home.pod([
        "run",
        "--rm",
        "--network=none",
        "--entrypoint=sh",
        "configured",
        "-c",
        script,
    ]);
    assert_eq!(
        out.ok(),
        "app\n/srv/made/here\ngreen\n[] /home/app\n/bin:/opt"
    );
}

#[test]
fn numeric_users_get_an_entry_of_their_number() {
    let home = TestHome::with_registry();
    let out = home
        .pod(["run", "--rm", "--network=none", "-q", "numericuser"])
        .ok();
    // The kernel forbids setgroups(2) where there is one id.
    let groups = if lane() == Lane::Bare {
        ""
    } else {
        " groups=5678(5678)"
    };
    assert_eq!(out, format!("uid=1234(1234) gid=5678(5678){groups}"));
}

#[test]
fn volumes_are_filled_from_the_image_and_gone_with_the_container() {
    let home = TestHome::with_registry();
    let id = home
        .pod([
            "run",
            "-d",
            "-q",
            "--network=none",
            "volume",
            "sleep",
            "1000",
        ])
        .ok();
    let out = home.pod([
        "exec",
        &id,
        "sh",
        "-c",
        "cat /srv/data/seed; echo more > /srv/data/new; grep -c ' /srv/data ' /proc/mounts",
    ]);
    assert_eq!(out.ok(), "from the image\n1");
    home.pod(["stop", "-t", "0", &id]).ok();
    home.pod(["start", &id]).ok();
    assert_eq!(home.pod(["exec", &id, "cat", "/srv/data/new"]).ok(), "more");
    home.pod(["rm", "-fvt0", &id]).ok();
    assert_eq!(home.pod(["volume", "ls", "-q"]).ok(), "");
}

#[test]
fn stop_sends_the_images_signal() {
    let home = TestHome::with_registry();
    let id = home
        .pod(["run", "-d", "-q", "--network=none", "stopsignal"])
        .ok();
    let logs = home.spawn(["logs", "-f", &id]);
    logs.wait_for("ready");
    home.pod(["stop", "-t", "30", &id]).ok();
    assert_eq!(logs.wait().stdout, "ready\ngot usr1\n");
    assert_eq!(home.inspect(&id, "{{.State.ExitCode}}"), "7");
}

#[test]
fn exposed_ports_are_shown_and_published_on_demand() {
    let home = TestHome::with_registry();
    home.pod(["create", "-q", "--name=web", "-P", "web"]).ok();
    assert_eq!(
        home.inspect("web", "{{json .Config.ExposedPorts}}"),
        r#"{"80/tcp":{},"9000/udp":{}}"#
    );
    home.pod(["start", "web"]).ok();
    let ports = home.pod(["port", "web"]).ok();
    let mut ports: Vec<_> = ports
        .lines()
        .filter_map(|l| l.split(" -> ").next())
        .collect();
    ports.sort_unstable();
    assert_eq!(ports, ["80/tcp", "9000/udp"]);
}

#[test]
fn an_image_without_a_command_needs_one() {
    let home = TestHome::with_registry();
    home.pod(["pull", "-q", "nocommand"]).ok();
    let done = home.refuses(["run", "--network=none", "nocommand"], 125, &["no command"]);
    assert!(done.stdout.is_empty());
    assert_eq!(
        home.pod([
            "run",
            "--rm",
            "--network=none",
            "nocommand",
            "/bin/echo",
            "x"
        ])
        .ok(),
        "x"
    );
}

#[test]
fn nginx_drops_its_privileges_and_stops_gracefully() {
    let home = TestHome::with_nginx();
    let id = home.pod(["run", "-d", "--network=none", "nginx"]).ok();
    let script = "while ! grep -q ':0050 ' /proc/net/tcp; do :; done; cat /proc/[0-9]*/comm | sort | uniq -c";
    let names = home.pod(["exec", &id, "sh", "-c", script]).ok();
    assert!(names.contains("nginx"), "{names}");
    if lane() != Lane::Bare {
        let uids = home
            .pod([
                "exec",
                &id,
                "sh",
                "-c",
                "cat /proc/[0-9]*/status | grep -A8 'Name:.nginx' | grep Uid | sort -u",
            ])
            .ok();
        assert!(
            uids.contains("\t33\t33"),
            "workers run as www-data:\n{uids}"
        );
    }
    let pid = home.pid_of(&id);
    home.pod(["stop", "-t", "30", &id]).ok();
    process::wait_gone(pid);
    assert_eq!(home.inspect(&id, "{{.State.ExitCode}}"), "0");
}
