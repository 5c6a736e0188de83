//! `inspect` and `ps`: the keys and types that Podman 5.8 prints (features.md, and `libpod/define` of its source).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::TestHome;

/// `path: type`, where a type is `s` text, `n` number, `b` truth, `l` list, `o` object; `?`: may be null; `-`: may be
/// absent. `*` is any key, `[]` any element.
const CONTAINER: &str = "
Id s  Created s  Path s  Args l  Args[] s  Image s  ImageDigest s  ImageName s  Rootfs s  Pod s  ResolvConfPath s
HostnamePath s  HostsPath s  StaticDir s  OCIConfigPath s-  OCIRuntime s-  ConmonPidFile s  PidFile s  Name s
RestartCount n  Driver s  MountLabel s  ProcessLabel s  AppArmorProfile s  EffectiveCaps l?  EffectiveCaps[] s
BoundingCaps l?  BoundingCaps[] s  ExecIDs l  ExecIDs[] s  SizeRw n-  SizeRootFs n-  Dependencies l  Dependencies[] s
Namespace s  IsInfra b  IsService b  KubeExitCodePropagation s  lockNumber n  UseImageHosts b  UseImageHostname b
State o  State.OciVersion s  State.Status s  State.Running b  State.Paused b  State.Restarting b  State.OOMKilled b
State.Dead b  State.Pid n  State.ConmonPid n-  State.ExitCode n  State.Error s  State.StartedAt s  State.FinishedAt s
State.CgroupPath s-  State.CheckpointedAt s  State.RestoredAt s  State.StoppedByUser b-
State.Health o-  State.Health.Status s  State.Health.FailingStreak n  State.Health.Log l?  State.Health.Log[] o
State.Health.Log[].Start s  State.Health.Log[].End s  State.Health.Log[].ExitCode n  State.Health.Log[].Output s
GraphDriver o  GraphDriver.Name s  GraphDriver.Data o  GraphDriver.Data.* s
Mounts l  Mounts[] o  Mounts[].Type s  Mounts[].Name s-  Mounts[].Source s  Mounts[].Destination s  Mounts[].Driver s
Mounts[].Mode s  Mounts[].Options l  Mounts[].Options[] s  Mounts[].RW b  Mounts[].Propagation s  Mounts[].SubPath s-
NetworkSettings o  NetworkSettings.EndpointID s  NetworkSettings.Gateway s  NetworkSettings.IPAddress s
NetworkSettings.IPPrefixLen n  NetworkSettings.IPv6Gateway s  NetworkSettings.GlobalIPv6Address s
NetworkSettings.GlobalIPv6PrefixLen n  NetworkSettings.MacAddress s  NetworkSettings.Bridge s
NetworkSettings.SandboxID s  NetworkSettings.HairpinMode b  NetworkSettings.LinkLocalIPv6Address s
NetworkSettings.LinkLocalIPv6PrefixLen n  NetworkSettings.Ports o  NetworkSettings.Ports.* l?
NetworkSettings.Ports.*[] o  NetworkSettings.Ports.*[].HostIp s  NetworkSettings.Ports.*[].HostPort s
NetworkSettings.SandboxKey s  NetworkSettings.Networks o-  NetworkSettings.Networks.* o
Config o  Config.Hostname s  Config.Domainname s  Config.User s  Config.AttachStdin b  Config.AttachStdout b
Config.AttachStderr b  Config.Tty b  Config.OpenStdin b  Config.StdinOnce b  Config.Env l  Config.Env[] s
Config.Cmd l  Config.Cmd[] s  Config.Image s  Config.Volumes o?  Config.Volumes.* o  Config.WorkingDir s
Config.Entrypoint l?  Config.Entrypoint[] s  Config.OnBuild s?  Config.Labels o?  Config.Labels.* s
Config.Annotations o  Config.Annotations.* s  Config.StopSignal s  Config.CreateCommand l-  Config.CreateCommand[] s
Config.Timezone s-  Config.Umask s-  Config.Timeout n  Config.StopTimeout n  Config.Passwd b-  Config.sdNotifyMode s-
Config.ExposedPorts o-  Config.ExposedPorts.* o  Config.Healthcheck o-  Config.HealthcheckOnFailureAction s-
Config.Healthcheck.Test l-  Config.Healthcheck.Test[] s  Config.Healthcheck.Interval n-  Config.Healthcheck.Timeout n-
Config.Healthcheck.StartPeriod n-  Config.Healthcheck.StartInterval n-  Config.Healthcheck.Retries n-
Config.HealthLogDestination s-  Config.HealthcheckMaxLogCount n-  Config.HealthcheckMaxLogSize n-
Config.StartupHealthCheck o-
Config.Secrets l-  Config.Secrets[] o  Config.Secrets[].Name s  Config.Secrets[].ID s  Config.Secrets[].UID n
Config.Secrets[].GID n  Config.Secrets[].Mode n
HostConfig o  HostConfig.Binds l  HostConfig.Binds[] s  HostConfig.CgroupManager s-  HostConfig.CgroupMode s
HostConfig.ContainerIDFile s  HostConfig.LogConfig o  HostConfig.LogConfig.Type s  HostConfig.LogConfig.Config o?
HostConfig.LogConfig.Config.* s  HostConfig.LogConfig.Path s  HostConfig.LogConfig.Tag s  HostConfig.LogConfig.Size s
HostConfig.NetworkMode s  HostConfig.PortBindings o  HostConfig.PortBindings.* l  HostConfig.PortBindings.*[] o
HostConfig.PortBindings.*[].HostIp s  HostConfig.PortBindings.*[].HostPort s  HostConfig.RestartPolicy o
HostConfig.RestartPolicy.Name s  HostConfig.RestartPolicy.MaximumRetryCount n  HostConfig.AutoRemove b
HostConfig.AutoRemoveImage b  HostConfig.Annotations o?  HostConfig.Annotations.* s  HostConfig.VolumeDriver s
HostConfig.VolumesFrom l?  HostConfig.VolumesFrom[] s  HostConfig.CapAdd l  HostConfig.CapAdd[] s
HostConfig.CapDrop l  HostConfig.CapDrop[] s  HostConfig.Dns l  HostConfig.Dns[] s  HostConfig.DnsOptions l
HostConfig.DnsOptions[] s  HostConfig.DnsSearch l  HostConfig.DnsSearch[] s  HostConfig.ExtraHosts l
HostConfig.ExtraHosts[] s  HostConfig.HostsFile s  HostConfig.GroupAdd l  HostConfig.GroupAdd[] s
HostConfig.IpcMode s  HostConfig.Cgroup s  HostConfig.Cgroups s  HostConfig.Links l?  HostConfig.OomScoreAdj n
HostConfig.PidMode s  HostConfig.Privileged b  HostConfig.PublishAllPorts b  HostConfig.ReadonlyRootfs b
HostConfig.SecurityOpt l  HostConfig.SecurityOpt[] s  HostConfig.Tmpfs o  HostConfig.Tmpfs.* s  HostConfig.UTSMode s
HostConfig.UsernsMode s  HostConfig.IDMappings o-  HostConfig.IDMappings.UidMap l  HostConfig.IDMappings.UidMap[] s
HostConfig.IDMappings.GidMap l  HostConfig.IDMappings.GidMap[] s  HostConfig.ShmSize n  HostConfig.Runtime s
HostConfig.ConsoleSize l  HostConfig.ConsoleSize[] n  HostConfig.Isolation s  HostConfig.CpuShares n
HostConfig.Memory n  HostConfig.NanoCpus n  HostConfig.CgroupParent s  HostConfig.BlkioWeight n
HostConfig.BlkioWeightDevice l?  HostConfig.BlkioWeightDevice[] o  HostConfig.BlkioDeviceReadBps l?
HostConfig.BlkioDeviceWriteBps l?  HostConfig.BlkioDeviceReadIOps l?  HostConfig.BlkioDeviceWriteIOps l?
HostConfig.CpuPeriod n  HostConfig.CpuQuota n  HostConfig.CpuRealtimePeriod n  HostConfig.CpuRealtimeRuntime n
HostConfig.CpusetCpus s  HostConfig.CpusetMems s  HostConfig.Devices l  HostConfig.Devices[] o
HostConfig.Devices[].PathOnHost s  HostConfig.Devices[].PathInContainer s  HostConfig.Devices[].CgroupPermissions s
HostConfig.DiskQuota n  HostConfig.KernelMemory n  HostConfig.MemoryReservation n  HostConfig.MemorySwap n
HostConfig.MemorySwappiness n?  HostConfig.OomKillDisable b  HostConfig.Init b-  HostConfig.PidsLimit n
HostConfig.Ulimits l  HostConfig.Ulimits[] o  HostConfig.Ulimits[].Name s  HostConfig.Ulimits[].Soft n
HostConfig.Ulimits[].Hard n  HostConfig.CpuCount n  HostConfig.CpuPercent n  HostConfig.IOMaximumIOps n
HostConfig.IOMaximumBandwidth n  HostConfig.CgroupConf o?  HostConfig.CgroupConf.* s
";

const IMAGE: &str = "
Id s  Digest s  RepoTags l  RepoTags[] s  RepoDigests l  RepoDigests[] s  Parent s  Comment s  Created s?  Config o
Config.User s-  Config.ExposedPorts o-  Config.ExposedPorts.* o  Config.Env l-  Config.Env[] s  Config.Entrypoint l-
Config.Entrypoint[] s  Config.Cmd l-  Config.Cmd[] s  Config.Volumes o-  Config.Volumes.* o  Config.WorkingDir s-
Config.Labels o-  Config.Labels.* s  Config.StopSignal s-  Config.ArgsEscaped b-
Version s  Author s  Architecture s  Os s  Size n  VirtualSize n  GraphDriver o  GraphDriver.Name s
GraphDriver.Data o  GraphDriver.Data.* s  RootFS o  RootFS.Type s  RootFS.Layers l  RootFS.Layers[] s  Labels o?
Labels.* s  Annotations o?  Annotations.* s  ManifestType s  User s  History l  History[] o  History[].created s-
History[].created_by s-  History[].author s-  History[].comment s-  History[].empty_layer b-  NamesHistory l
NamesHistory[] s  Healthcheck o-
";

const VOLUME: &str = "
Name s  Driver s  Mountpoint s  CreatedAt s  Labels o  Labels.* s  Scope s  Options o  Options.* s  UID n-  GID n-
Anonymous b-  MountCount n  NeedsCopyUp b-  NeedsChown b-  Timeout n-  StorageID s-  LockNumber n  Status o-
";

const PS: &str = "
AutoRemove b  Command l?  Command[] s  CreatedAt s  CIDFile s  Exited b  ExitedAt n  ExitCode n  ExposedPorts o?
ExposedPorts.* l  ExposedPorts.*[] s  Id s  Image s  ImageID s  IsInfra b  Labels o?  Labels.* s  Mounts l  Mounts[] s
Names l  Names[] s  Namespaces o  Namespaces.* s  Networks l  Networks[] s  Pid n  Pod s  PodName s  Ports l?
Ports[] o  Ports[].host_ip s  Ports[].container_port n  Ports[].host_port n  Ports[].range n  Ports[].protocol s
Restarts n  Size o?  Size.rootFsSize n  Size.rwSize n  StartedAt n  State s  Status s  Created n
";

fn schema(text: &str) -> BTreeMap<String, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .chunks(2)
        .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
        .collect()
}

/// What in `value`, found at `path`, is not as `schema` has it.
fn check(path: &str, value: &Value, schema: &BTreeMap<String, String>, wrong: &mut Vec<String>) {
    let kind = match value {
        Value::String(_) => 's',
        Value::Number(_) => 'n',
        Value::Bool(_) => 'b',
        Value::Array(_) => 'l',
        Value::Object(_) => 'o',
        Value::Null => '?',
    };
    match schema.get(path) {
        None if path.is_empty() => {}
        None => wrong.push(format!("{path}: unknown")),
        Some(want) if want.contains(kind) => {}
        Some(want) => wrong.push(format!("{path}: {kind}, want {want}")),
    }
    let below = |name: &str| match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path}.{name}"),
    };
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| check(&format!("{path}[]"), item, schema, wrong)),
        Value::Object(map) if schema.contains_key(&below("*")) => map
            .values()
            .for_each(|item| check(&below("*"), item, schema, wrong)),
        Value::Object(map) => {
            for (name, item) in map {
                check(&below(name), item, schema, wrong);
            }
            let here = below("");
            for (key, kind) in schema {
                let child = key.strip_prefix(here.as_str()).unwrap_or("");
                let direct = !child.is_empty() && !child.contains(['.', '[']);
                if direct && !kind.contains('-') && !map.contains_key(child) {
                    wrong.push(format!("{key}: missing"));
                }
            }
        }
        _ => {}
    }
}

#[track_caller]
fn fits(text: &str, keys: &str) {
    let document: Value = serde_json::from_str(text).unwrap();
    let schema = schema(keys);
    let mut wrong = Vec::new();
    for one in document.as_array().unwrap() {
        check("", one, &schema, &mut wrong);
    }
    assert!(!document.as_array().unwrap().is_empty());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn keys_and_types_are_podmans() {
    let home = TestHome::with_busybox();
    home.pod_with_input(["secret", "create", "s", "-"], "x")
        .ok();
    home.pod(["create", "--name=plain", "busybox"]).ok();
    let everything = [
        "run",
        "-d",
        "--name=full",
        "--network=none",
        "-it",
        "--expose=80",
        "-v",
        "vol:/vol",
        "-v",
        "/tmp:/host:ro",
        "--tmpfs=/scratch:size=1m",
        "--label=a=b",
        "--annotation=c=d",
        "--cap-add=net_admin",
        "--cap-drop=CHOWN",
        "--ulimit=nofile=10:20",
        "--security-opt=no-new-privileges",
        "--security-opt=mask=/proc/version",
        "--add-host=a:1.2.3.4",
        "--dns=1.1.1.1",
        "--entrypoint=[\"sleep\"]",
        "--tz=local",
        "--secret=s",
        "--device=/dev/null:/dev/other",
        "--group-add=7",
        "--sysctl=kernel.msgmax=100",
        "--stop-timeout=3",
        "--init",
        "busybox",
        "1000",
    ];
    home.pod(everything).ok();
    home.pod([
        "run",
        "--name=exited",
        "--network=none",
        "busybox",
        "sh",
        "-c",
        "exit 3",
    ])
    .code(3);
    home.pod([
        "create",
        "--name=ports",
        "-p",
        "127.0.0.1::80/udp",
        "--read-only",
        "--privileged",
        "busybox",
    ])
    .ok();
    fits(
        &home
            .pod(["inspect", "plain", "full", "exited", "ports"])
            .ok(),
        CONTAINER,
    );
    fits(&home.pod(["inspect", "--size", "full"]).ok(), CONTAINER);
    fits(
        &home.pod(["inspect", "--type=image", "busybox"]).ok(),
        IMAGE,
    );
    fits(&home.pod(["inspect", "vol"]).ok(), VOLUME);
    fits(&home.pod(["ps", "-a", "--format=json", "--size"]).ok(), PS);

    let get = |name: &str, format: &str| home.inspect(name, format);
    assert_eq!(
        get("full", "{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}}"),
        "[CAP_NET_ADMIN] [CAP_CHOWN]"
    );
    assert_eq!(get("full", "{{(index .Config.Secrets 0).Name}}"), "s");
    assert_eq!(
        get(
            "full",
            "{{.State.Running}} {{.Config.Tty}} {{.HostConfig.Init}}"
        ),
        "true true true"
    );
    assert_eq!(
        get("exited", "{{.State.ExitCode}} {{.State.Status}}"),
        "3 exited"
    );
    assert_eq!(
        get(
            "full",
            "{{json .Config.Labels}} {{.Config.Labels.a | upper}}"
        ),
        "{\"a\":\"b\"} B"
    );
    assert_eq!(
        get("full", "{{join .Config.Entrypoint \"-\"}} {{len .Mounts}}"),
        "sleep 2"
    );
    assert_eq!(
        get("full", "{{range .Mounts}}{{.Destination}};{{end}}"),
        "/vol;/host;"
    );
    assert_eq!(get("full", "{{index .Config.Annotations \"c\"}}"), "d");
    home.pod(["rm", "-f", "-t0", "full"]).ok();
    home.pod(["volume", "rm", "vol"]).ok();
}

#[test]
fn objects_of_several_kinds_at_once() {
    let home = TestHome::with_busybox();
    home.pod(["volume", "create", "vol"]).ok();
    home.pod(["create", "--name=c", "--network=none", "busybox"])
        .ok();
    let all = home.pod(["inspect", "c", "busybox", "vol"]).ok();
    let all: Vec<Value> = serde_json::from_str(&all).unwrap();
    assert!(all[0]["HostConfig"].is_object() && all[1]["RepoTags"].is_array());
    assert_eq!(
        all[2]["Mountpoint"]
            .as_str()
            .map(|m| m.ends_with("/vol/_data")),
        Some(true)
    );
    assert_eq!(
        home.pod(["inspect", "-t", "volume", "-f", "{{.Name}}", "vol"])
            .ok(),
        "vol"
    );
    assert_eq!(home.pod(["inspect", "-l", "-f", "{{.Name}}"]).ok(), "c");
    assert_eq!(
        home.pod(["container", "inspect", "-f", "{{.Name}}", "c"])
            .ok(),
        "c"
    );

    // What was found is printed, then the error.
    let done = home.pod(["inspect", "nope", "c"]).code(125);
    assert_eq!(done.stderr, "Error: no such object: \"nope\"\n");
    let found: Vec<Value> = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(found.len(), 1);
    let done = home.pod(["inspect", "nope"]).code(125);
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str()),
        ("[]\n", "Error: no such object: \"nope\"\n")
    );
    for (words, want) in [
        ("--type=image c", "image not known"),
        ("--type=container vol", "no such container \"vol\""),
        ("--type=volume c", "no such volume"),
        ("--type=nope c", "invalid type \"nope\""),
        (
            "--type=image --size busybox",
            "size is not supported for type \"image\"",
        ),
        (
            "--type=volume --latest",
            "latest is not supported for type \"volume\"",
        ),
        (
            "-l c",
            "you cannot provide additional arguments with --latest",
        ),
        ("-f {{.Nope}} c", "can't evaluate field Nope in type"),
    ] {
        let done = home.pod([&["inspect"], &words.split(' ').collect::<Vec<_>>()[..]].concat());
        let err = done.code(125).stderr;
        assert!(err.contains(want), "{words}: {err}");
    }
    home.pod(["volume", "rm", "vol"]).ok();
}
