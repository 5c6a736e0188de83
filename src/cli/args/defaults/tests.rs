use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use serde_json::{Value, json};

use super::*;

/// What `run FLAGS image` asks for where containers.conf is `text`.
fn applied(text: &str, flags: &[&str]) -> Result<CreateRequest> {
    let mut config = Containers::default();
    config.apply(text, Path::new("/c.conf"))?;
    let command = super::super::go_style(CreateArgs::augment_args(
        Command::new("run").disable_help_flag(true),
    ));
    let words = std::iter::once("run").chain(flags.iter().copied());
    let matches = command.try_get_matches_from(words).expect("valid flags");
    let args = CreateArgs::from_arg_matches(&matches).expect("valid flags");
    let find = |name: &str| Ok(format!("id of {name}"));
    let mut request = flags::request(&args, "image", &[], &find)?;
    apply(&config, &args, &mut request, &find)?;
    Ok(request)
}

/// One field of the request, as the record has it.
fn field(request: &CreateRequest, path: &str) -> Value {
    let all = serde_json::to_value(request).expect("a request is JSON");
    all.pointer(path).cloned().unwrap_or(Value::Null)
}

#[test]
fn keys_fill_in_and_flags_win() {
    let bind = json!({"type": "bind", "source": "/etc", "target": "/x"});
    // (line of [containers], field, its value, flags that win, the value then)
    let table: [(&str, &str, Value, &[&str], Value); 25] = [
        (
            "tz = \"local\"",
            "/timezone",
            json!("local"),
            &["--tz="],
            Value::Null,
        ),
        (
            "umask = \"0077\"",
            "/umask",
            json!(0o77),
            &["--umask=022"],
            json!(0o22),
        ),
        (
            "oom_score_adj = 7",
            "/oom_score_adj",
            json!(7),
            &["--oom-score-adj=9"],
            json!(9),
        ),
        (
            "shm_size = \"1m\"",
            "/shm_size",
            json!(1 << 20),
            &["--shm-size=2m"],
            json!(2 << 20),
        ),
        (
            "default_ulimits = [\"nofile=1:2\"]",
            "/ulimits/0/hard",
            json!(2),
            &["--ulimit=nofile=3"],
            json!(3),
        ),
        (
            "devices = [\"/dev/null:/dev/x:rw\"]",
            "/devices/0/permissions",
            json!("rw"),
            &["--device=/dev/zero:/dev/x"],
            json!("rwm"),
        ),
        (
            "volumes = [\"/etc:/x\"]",
            "/mounts/0/source",
            bind["source"].clone(),
            &["-v/tmp:/x"],
            json!("/tmp"),
        ),
        (
            "mounts = [\"type=tmpfs,dst=/x\"]",
            "/mounts/0/type",
            json!("tmpfs"),
            &["-v/tmp:/x"],
            json!("bind"),
        ),
        (
            "userns = \"nomap\"",
            "/userns",
            json!(
                CreateRequest {
                    userns: crate::userns::mode::UsernsMode::Nomap,
                    ..CreateRequest::default()
                }
                .userns
            ),
            &["--userns=host"],
            json!(crate::userns::mode::UsernsMode::Host),
        ),
        (
            "ipcns = \"none\"",
            "/ipc/mode",
            json!("none"),
            &["--ipc=private"],
            json!("private"),
        ),
        (
            "ipcns = \"shareable\"",
            "/ipc/mode",
            json!("private"),
            &["--ipc=host"],
            json!("host"),
        ),
        (
            "utsns = \"host\"",
            "/uts/mode",
            json!("host"),
            &["--uts=private"],
            json!("private"),
        ),
        (
            "pidns = \"host\"",
            "/pid/mode",
            json!("host"),
            &["--pid=private"],
            json!("private"),
        ),
        (
            "cgroupns = \"host\"",
            "/cgroupns/mode",
            json!("host"),
            &["--cgroupns=private"],
            json!("private"),
        ),
        (
            "privileged = true",
            "/privileged",
            json!(true),
            &["--privileged=false"],
            json!(false),
        ),
        (
            "read_only = true",
            "/read_only",
            json!(true),
            &["--read-only=false"],
            json!(false),
        ),
        (
            "init = true",
            "/init",
            json!(true),
            &["--init=false"],
            json!(false),
        ),
        (
            "no_hosts = true",
            "/no_hosts",
            json!(true),
            &["--no-hosts=false"],
            json!(false),
        ),
        (
            "seccomp_profile = \"unconfined\"",
            "/security_opt/0/opt",
            json!("seccomp-unconfined"),
            &["--security-opt=seccomp=/etc/passwd"],
            json!("seccomp-profile"),
        ),
        (
            "seccomp_profile = \"/etc/passwd\"",
            "/security_opt/0/opt",
            json!("seccomp-profile"),
            &["--privileged"],
            Value::Null,
        ),
        (
            "label = false",
            "/security_opt/0/opt",
            json!("label-disable"),
            &[
                "--security-opt=no-new-privileges",
                "--security-opt=label=disable",
            ],
            json!("no-new-privileges"),
        ),
        (
            "log_driver = \"none\"",
            "/log/driver",
            json!("none"),
            &["--log-driver=k8s-file"],
            json!("k8s-file"),
        ),
        (
            "log_size_max = 9",
            "/log/max_size",
            json!(9),
            &["--log-opt=max-size=0"],
            Value::Null,
        ),
        (
            "annotations = [\"a=1\"]",
            "/annotations/a",
            json!("1"),
            &["--annotation=a=2"],
            json!("2"),
        ),
        (
            "default_sysctls = [\"net.ipv4.ping_group_range=0 0\"]",
            "/sysctls/net.ipv4.ping_group_range",
            json!("0 0"),
            &["--network=host"],
            Value::Null,
        ),
    ];
    for (line, path, open, flags, won) in table {
        let text = format!("[containers]\n{line}\n");
        let request = applied(&text, &[]).expect(line);
        assert_eq!(field(&request, path), open, "{line}");
        let request = applied(&text, flags).expect(line);
        assert_eq!(field(&request, path), won, "{line} {flags:?}");
    }
}

#[test]
fn keys_that_no_flag_answers() {
    let text = "[containers]\nenv = [\"A=1\", \"B=2\"]\ndefault_capabilities = [\"NET_RAW\"]\n\
                base_hosts_file = \"none\"\npids_limit = 2048\n";
    let request = applied(text, &["-eA=flag"]).expect("defaults");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(request.default_env, [pair("A", "1"), pair("B", "2")]);
    assert_eq!(request.env, [pair("A", "flag")]);
    let names = request.default_capabilities.as_deref();
    assert_eq!(names, Some(["NET_RAW".to_owned()].as_slice()));
    assert_eq!(request.base_hosts, Some(BaseHosts::None));
    let none = applied("[containers]\ndefault_capabilities = []\n", &[]).expect("defaults");
    assert_eq!(none.default_capabilities, Some(Vec::new()));
    let same: Vec<_> = crate::runtime::caps::CapSet::DEFAULT.names();
    let stock = applied(
        &format!("[containers]\ndefault_capabilities = {same:?}\n"),
        &[],
    );
    assert_eq!(stock.expect("defaults").default_capabilities, None);
}

#[test]
fn networks_and_name_servers() {
    let text = "[containers]\ndns_servers = [\"9.9.9.9\"]\n[network]\npasta_options = [\"-T\", \"1\"]\n\
                [engine]\nstop_timeout = 3\n";
    let request = applied(text, &[]).expect("defaults");
    assert_eq!(
        (request.dns, request.stop_timeout),
        (vec!["9.9.9.9".to_owned()], Some(3))
    );
    let network = request.network.map(|mode| mode.to_string());
    assert_eq!(network.as_deref(), Some("pasta:-T,1"));
    let flags = ["--dns=1.1.1.1", "--stop-timeout=9", "--network=host"];
    let request = applied(text, &flags).expect("defaults");
    assert_eq!(
        (request.dns, request.stop_timeout),
        (vec!["1.1.1.1".to_owned()], Some(9))
    );
    assert_eq!(request.network, Some(NetworkMode::Host));
}

#[test]
fn what_cannot_be_kept_names_its_key() {
    for (line, want) in [
        (
            "log_driver = \"syslog\"",
            "use log_driver of containers.conf: invalid log driver \"syslog\": invalid argument",
        ),
        (
            "userns = \"auto\"",
            "use userns of containers.conf: --userns auto is not available in this version of pod",
        ),
        (
            "default_capabilities = [\"FLY\"]",
            "use default_capabilities of containers.conf: \"CAP_FLY\": unknown capability",
        ),
        (
            "default_sysctls = [\"vm.swappiness=1\"]",
            "use default_sysctls of containers.conf: sysctl 'vm.swappiness' is not allowed",
        ),
        (
            "volumes = [\"a b:/x\"]",
            "use volumes of containers.conf: volume name \"a b\": names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
        ),
        (
            "umask = \"9\"",
            "use umask of containers.conf: invalid umask string 9: invalid argument",
        ),
        (
            "shm_size = \"much\"",
            "use shm_size of containers.conf: invalid size: 'much'",
        ),
        (
            "dns_servers = [\"x\"]",
            "use dns_servers of containers.conf: \"x\" is not an ip address",
        ),
        (
            "env = [\"=x\"]",
            "use env of containers.conf: invalid environment variable: \"=x\"",
        ),
        (
            "pidns = \"ours\"",
            "use pidns of containers.conf: unrecognized namespace mode ours passed",
        ),
        (
            "annotations = [\"x\"]",
            "use annotations of containers.conf: annotations must be formatted KEY=VALUE",
        ),
    ] {
        let err = applied(&format!("[containers]\n{line}\n"), &[]).expect_err(line);
        assert_eq!(err.to_string(), want);
    }
    let err = applied("[engine]\nenv = [\"A=1\"]\n", &[]).expect_err("engine's environment");
    assert!(
        err.to_string()
            .starts_with("use env in [engine] of containers.conf: "),
        "{err}"
    );
}

#[test]
fn pulls() {
    let mut config = Containers::default();
    config
        .apply(
            "[engine]\nretry = 7\nretry_delay = \"2s\"\n",
            Path::new("/c.conf"),
        )
        .expect("valid");
    let mut options = PullOptions::default();
    pull(&config, &mut options).expect("valid");
    let two = std::time::Duration::from_secs(2);
    assert_eq!(
        (options.access.retry, options.access.retry_delay),
        (Some(7), Some(two))
    );
    options.access.retry = Some(1);
    pull(&config, &mut options).expect("valid");
    assert_eq!(options.access.retry, Some(1));
    config.retry_delay = Some("soon".to_owned());
    let err = pull(&config, &mut PullOptions::default()).expect_err("no duration");
    assert!(
        err.to_string()
            .starts_with("use retry_delay of containers.conf: "),
        "{err}"
    );
}
