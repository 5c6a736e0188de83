//! From the flags of `run` and `create` to a [`CreateRequest`]. Here all text becomes values.

use std::path::{Path, PathBuf};

use crate::container::request::{
    BaseHosts, CgroupsMode, CreateRequest, ImageVolumes, NamespaceMode, Personality, UsernsMode,
};
use crate::container::{cdi, detach, names, signal};
use crate::error::{Error, Kind, Result};
use crate::net::ports;
use crate::runtime::caps::CapSet;

use super::create::{CreateArgs, FileArgs, GroupArgs, NetworkArgs, ProcessArgs, SecurityArgs};
use super::env::{self, ProcessEnv};
use super::namespaces::{self, FindContainer, Words};
use super::{limits, log, mounts, secret, security, value};

/// The request that `args` make for `image` (a directory with `--rootfs`) and the words after it.
pub fn request(
    args: &CreateArgs,
    image: &str,
    command: &[String],
    find: FindContainer<'_>,
) -> Result<CreateRequest> {
    let mut request = CreateRequest {
        name: args.name.clone(),
        replace: args.replace,
        auto_remove: args.rm,
        interactive: args.interactive,
        tty: args.tty,
        command: command.to_vec(),
        labels: env::labels(&args.label_file, &args.label)?,
        annotations: env::annotations(&args.annotation)?,
        cidfile: args.cidfile.clone(),
        pidfile: args.pidfile.clone(),
        monitor_pidfile: args.conmon_pidfile.clone(),
        log: log::request(args.log_driver.as_deref(), &args.log_opt)?,
        health: args.health.request()?.map(Box::new),
        restart: args.restart.as_deref().unwrap_or_default().parse()?,
        secrets: args
            .secret
            .iter()
            .map(|text| secret::parse(text))
            .collect::<Result<_>>()?,
        ..CreateRequest::default()
    };
    if args.rootfs {
        let image = match image.rsplit_once(':') {
            Some((dir, "O")) => {
                request.rootfs_overlay = true;
                dir
            }
            Some((_, option)) if option == "idmap" || option.starts_with("idmap=") => {
                return Err(mounts::no_idmap(option));
            }
            _ => image,
        };
        let dir = std::path::absolute(image)
            .map_err(|err| Error::io(&err, format!("find root file system {image:?}")))?;
        request.rootfs = Some(dir);
    } else {
        request.image = image.to_owned();
    }
    if let Some(name) = &args.name {
        names::check(name)?;
    } else if args.replace {
        return Err(Error::usage(
            "cannot replace container without --name being set",
        ));
    }
    if let Some(file) = &args.cidfile {
        absent(file)?;
    }
    if request.auto_remove && !request.restart.is_no() {
        return Err(Error::usage(
            r#"the --rm option conflicts with --restart, when the restartPolicy is not "" and "no""#,
        ));
    }
    process(&args.process, &mut request)?;
    files(&args.files, &mut request)?;
    network(&args.network, &mut request, find)?;
    protection(&args.security, &mut request, find)?;
    request.limits = args.limits.limits()?;
    groups(&args.groups, &mut request)?;
    conflicts(&request)?;
    Ok(request)
}

fn absent(cidfile: &Path) -> Result<()> {
    if std::fs::symlink_metadata(cidfile).is_err() {
        return Ok(());
    }
    let path = cidfile.display();
    Err(Error::usage(format!(
        "container id file exists. Ensure another container is not using it or delete {path}"
    )))
}

fn process(args: &ProcessArgs, request: &mut CreateRequest) -> Result<()> {
    request.entrypoint = args.entrypoint.as_deref().map(entrypoint);
    request.env = env::variables(&args.env_file, &args.env, &ProcessEnv)?;
    request.env_host = args.env_host;
    request.env_merge = args.env_merge.clone();
    request.unset_env = args.unsetenv.clone();
    request.unset_env_all = args.unsetenv_all;
    request.http_proxy = args.http_proxy;
    request.user = args
        .user
        .as_deref()
        .filter(|user| !user.is_empty())
        .map(|user| one_line("--user", user))
        .transpose()?;
    request.group_add = lines("--group-add", &args.group_add)?;
    if request.group_add.iter().any(|group| group == "keep-groups") {
        if request.group_add.len() > 1 {
            return Err(Error::usage(
                "the '--group-add keep-groups' option is not allowed with any other --group-add options",
            ));
        }
        request.group_add.clear();
        request.keep_groups = true;
    }
    request.no_passwd = args.passwd == Some(false);
    let template = |flag, text: &Option<String>| {
        let text = text.as_deref().filter(|text| !text.is_empty());
        text.map(|text| one_line(flag, text)).transpose()
    };
    request.passwd_entry = template("--passwd-entry", &args.passwd_entry)?;
    request.group_entry = template("--group-entry", &args.group_entry)?;
    request.host_users = lines("--hostuser", &args.hostuser)?;
    request.personality = args.personality.as_deref().map(personality).transpose()?;
    request.workdir = args.workdir.clone().filter(|dir| !dir.is_empty());
    request.init = args.init == Some(true);
    request.stop_signal = args.stop_signal.as_deref().map(signal::parse).transpose()?;
    request.stop_timeout = args.stop_timeout;
    request.timeout = args.timeout.filter(|&seconds| seconds > 0);
    request.timezone = args.tz.as_deref().map(timezone).transpose()?.flatten();
    request.umask = args.umask.as_deref().map(umask).transpose()?;
    request.ulimits = security::ulimits(&args.ulimit)?;
    request.oom_score_adj = args.oom_score_adj.map(oom_score_adj).transpose()?;
    request.preserve_fds = args.preserve_fds.unwrap_or(0);
    request.preserve_fd = preserved(request.preserve_fds, &args.preserve_fd)?;
    if let Some(keys) = &args.detach_keys {
        detach::parse_keys(keys)?;
        request.detach_keys = Some(keys.clone());
    }
    Ok(())
}

fn personality(text: &str) -> Result<Personality> {
    match text {
        "LINUX" => Ok(Personality::Linux),
        "LINUX32" => Ok(Personality::Linux32),
        _ => Err(Error::usage(format!(
            "--personality {text:?}: it is neither LINUX nor LINUX32"
        ))),
    }
}

/// Both flags' descriptors must be open; those of `--preserve-fd` that the other flag does not name.
fn preserved(count: u32, numbers: &[u32]) -> Result<Vec<u32>> {
    let open = |number: u32| std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_ok();
    let missing = |number: u32, flag: &str| {
        Error::usage(format!(
            "file descriptor {number} is not available - the {flag} option requires that file descriptors must be \
             passed"
        ))
    };
    if let Some(number) = (3..count.saturating_add(3)).find(|number| !open(*number)) {
        return Err(missing(number, "preserve-fds"));
    }
    if let Some(number) = numbers.iter().find(|number| !open(**number)) {
        return Err(missing(*number, "preserve-fd"));
    }
    let mut numbers = numbers.to_vec();
    numbers.retain(|number| *number >= count.saturating_add(3));
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// A JSON list of words, or one word.
fn entrypoint(text: &str) -> Vec<String> {
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(words) => words,
        Err(_) => vec![text.to_owned()],
    }
}

pub(super) fn timezone(zone: &str) -> Result<Option<String>> {
    if zone.is_empty() || zone == "local" {
        return Ok((zone == "local").then(|| zone.to_owned()));
    }
    let file = Path::new("/usr/share/zoneinfo").join(zone);
    let inside = !zone.starts_with('/') && zone.split('/').all(|part| part != "..");
    if inside && file.is_file() {
        return Ok(Some(zone.to_owned()));
    }
    Err(Error::usage(format!(
        "running container create option: stat {}: no such file or directory",
        file.display()
    ))
    .hint("--tz takes a name below /usr/share/zoneinfo of this host, or \"local\""))
}

pub(super) fn umask(text: &str) -> Result<u32> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mask| *mask <= 0o777 && !text.starts_with(['+', '-']))
        .ok_or_else(|| Error::usage(format!("invalid umask string {text}: invalid argument")))
}

pub(super) fn oom_score_adj(score: i64) -> Result<i32> {
    i32::try_from(score)
        .ok()
        .filter(|score| (-1000..=1000).contains(score))
        .ok_or_else(|| {
            Error::usage(format!(
                "--oom-score-adj {score}: it must be from -1000 to 1000"
            ))
        })
}

fn files(args: &FileArgs, request: &mut CreateRequest) -> Result<()> {
    for text in &args.volume {
        request.mounts.push(mounts::volume(text)?);
    }
    for text in &args.mount {
        request.mounts.extend(mounts::mount(text)?);
    }
    for text in &args.tmpfs {
        request.mounts.push(mounts::tmpfs(text)?);
    }
    mounts::check(&request.mounts)?;
    request.read_only = args.read_only == Some(true);
    request.read_only_tmpfs = args.read_only_tmpfs;
    request.image_volumes = match args.image_volume.as_deref() {
        None | Some("" | "bind" | "anonymous") => ImageVolumes::Anonymous,
        Some("tmpfs") => ImageVolumes::Tmpfs,
        Some("ignore") => ImageVolumes::Ignore,
        Some(other) => {
            return Err(Error::usage(format!(
                "invalid image volume mode {other:?} required value: bind, tmpfs, ignore"
            )));
        }
    };
    request.shm_size = match args.shm_size.as_deref() {
        None | Some("") => None,
        Some(text) => Some(
            value::bytes(text)
                .map_err(|why| Error::usage(format!("unable to translate --shm-size: {why}")))?,
        ),
    };
    for text in &args.device {
        match cdi::is_name(text) {
            true => request.cdi_devices.push(text.clone()),
            false => request.devices.extend(security::device(text)?),
        }
    }
    for gpu in &args.gpus {
        request.cdi_devices.push(format!("nvidia.com/gpu={gpu}"));
    }
    if let Some(rule) = args.device_cgroup_rule.first() {
        return Err(Error::new(
            Kind::Unsupported,
            format!("--device-cgroup-rule {rule:?}: only root of this host has a device cgroup"),
        )
        .hint("a rootless container has the devices of --device, and cannot make others"));
    }
    request.volumes_from = args.volumes_from.clone();
    request.init_path = match args.init_path.as_deref() {
        None | Some("") => None,
        Some(path) => Some(init_program(path)?),
    };
    Ok(())
}

/// `--init-path`
pub(super) fn init_program(path: &str) -> Result<PathBuf> {
    let whole = std::path::absolute(path)
        .map_err(|err| Error::io(&err, format!("find init program {path:?}")))?;
    match std::fs::metadata(&whole) {
        Ok(found) if found.is_file() => Ok(whole),
        Ok(_) => Err(Error::usage(format!("init program {path:?}: not a file"))),
        Err(err) => Err(Error::io(&err, format!("statfs {path}"))),
    }
}

fn network(args: &NetworkArgs, request: &mut CreateRequest, find: FindContainer<'_>) -> Result<()> {
    request.network = namespaces::network(&args.network, find)?;
    for text in &args.publish {
        request.publish.extend(ports::parse_publish(text)?);
    }
    request.publish_all = args.publish_all;
    for text in &args.expose {
        request.expose.extend(ports::parse_expose(text)?);
    }
    request.hostname = args.hostname.as_deref().map(hostname).transpose()?;
    for text in &args.add_host {
        add_host(text, &mut request.add_host)?;
    }
    request.no_hosts = args.no_hosts == Some(true);
    request.no_hostname = args.no_hostname;
    let given = args.hosts_file.as_deref().filter(|file| !file.is_empty());
    request.base_hosts = given.map(hosts_file).transpose()?;
    if request.no_hosts && request.base_hosts.is_some() {
        return Err(Error::usage(
            "--no-hosts and --hosts-file cannot be set together",
        ));
    }
    if request.no_hosts && !args.add_host.is_empty() {
        return Err(Error::usage(
            "--no-hosts and --add-host cannot be set together",
        ));
    }
    for server in &args.dns {
        if server != "none" && server.parse::<std::net::IpAddr>().is_err() {
            return Err(Error::usage(format!("{server} is not an ip address")));
        }
        request.dns.push(server.clone());
    }
    request.dns_search = lines("--dns-search", &args.dns_search)?;
    request.dns_option = lines("--dns-option", &args.dns_option)?;
    Ok(())
}

/// `--hosts-file`
fn hosts_file(text: &str) -> Result<BaseHosts> {
    match text {
        "none" => Ok(BaseHosts::None),
        "image" => Ok(BaseHosts::Image),
        path => {
            let path = std::path::absolute(path)
                .and_then(|path| std::fs::File::open(&path).map(|_| path))
                .map_err(|err| Error::io(&err, format!("open hosts file {path:?}")))?;
            Ok(BaseHosts::File(path))
        }
    }
}

fn hostname(text: &str) -> Result<String> {
    // sethostname(2): HOST_NAME_MAX.
    if text.len() > 64 {
        return Err(Error::usage(format!(
            "--hostname {text:?}: it is longer than 64 bytes"
        )));
    }
    one_line("--hostname", text)
}

/// `NAME[;NAME…]:IP`
fn add_host(text: &str, all: &mut Vec<(String, String)>) -> Result<()> {
    let Some((names, address)) = text.split_once(':').filter(|(names, _)| !names.is_empty()) else {
        return Err(Error::usage(format!("bad format for add-host: {text:?}")));
    };
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if address != "host-gateway" && bare.parse::<std::net::IpAddr>().is_err() {
        return Err(Error::usage(format!(
            "invalid IP address in add-host: {address:?}"
        )));
    }
    for name in names.split(';') {
        let name = one_line("--add-host", name)?;
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Error::usage(format!("bad format for add-host: {text:?}")));
        }
        all.push((name, bare.to_owned()));
    }
    Ok(())
}

fn protection(
    args: &SecurityArgs,
    request: &mut CreateRequest,
    find: FindContainer<'_>,
) -> Result<()> {
    request.privileged = args.privileged == Some(true);
    CapSet::merge(CapSet::EMPTY, &args.cap_add, &args.cap_drop)?;
    request.cap_add = args.cap_add.clone();
    request.cap_drop = args.cap_drop.clone();
    for text in &args.security_opt {
        request.security_opt.extend(security::option(text)?);
    }
    for text in &args.sysctl {
        let (name, value) = security::sysctl(text)?;
        request.sysctls.insert(name, value);
    }
    request.pid = namespaces::mode(args.pid.as_deref(), Words::Plain, find)?;
    request.ipc = namespaces::mode(args.ipc.as_deref(), Words::Ipc, find)?;
    request.uts = namespaces::mode(args.uts.as_deref(), Words::Plain, find)?;
    request.cgroupns = namespaces::mode(args.cgroupns.as_deref(), Words::Plain, find)?;
    request.userns = match &args.userns {
        Some(text) => namespaces::userns(text)?,
        None => match std::env::var("PODMAN_USERNS") {
            Ok(text) => {
                namespaces::userns(&text).map_err(|err| err.context("read $PODMAN_USERNS"))?
            }
            Err(_) => UsernsMode::Host,
        },
    };
    Ok(())
}

fn groups(args: &GroupArgs, request: &mut CreateRequest) -> Result<()> {
    limits::conf(&args.cgroup_conf, &mut request.limits)?;
    request.cgroups = cgroups(args.cgroups.as_deref().unwrap_or_default())?;
    if let Some(parent) = args
        .cgroup_parent
        .as_deref()
        .filter(|text| !text.is_empty())
    {
        if parent.ends_with(".slice") {
            return Err(Error::usage(
                "systemd slice received as cgroup parent when using cgroupfs: invalid argument",
            ));
        }
        if parent.split('/').any(|part| matches!(part, "." | "..")) || parent.contains('\n') {
            return Err(Error::usage(format!(
                "--cgroup-parent {parent:?}: not a path of a cgroup"
            )));
        }
        request.cgroup_parent = Some(parent.trim_end_matches('/').to_owned());
    }
    request.limits.check()
}

pub(super) fn cgroups(text: &str) -> Result<CgroupsMode> {
    Ok(match text {
        "" | "enabled" => CgroupsMode::Enabled,
        "no-conmon" => CgroupsMode::NoConmon,
        "disabled" => CgroupsMode::Disabled,
        "split" => CgroupsMode::Split,
        _ => {
            return Err(Error::usage(format!(
                "running container create option: invalid cgroup mode {text:?}: invalid argument"
            )));
        }
    })
}

/// What no combination of flags can mean.
pub(super) fn conflicts(request: &CreateRequest) -> Result<()> {
    log::conflicts(&request.log, request.tty)?;
    if request.uts == NamespaceMode::Host && request.hostname.is_some() {
        return Err(Error::usage(
            "cannot set hostname when running in the host UTS namespace: invalid configuration",
        ));
    }
    if request.privileged && request.security_opt.iter().any(is_mask) {
        return Err(Error::usage(
            "--privileged and --security-opt mask= exclude each other",
        ));
    }
    Ok(())
}

fn is_mask(option: &crate::container::request::SecurityOpt) -> bool {
    matches!(option, crate::container::request::SecurityOpt::Mask(_))
}

/// Refuses control characters: such a value would write further lines into the container's /etc.
pub(super) fn one_line(flag: &str, text: &str) -> Result<String> {
    if text.chars().any(char::is_control) {
        return Err(Error::usage(format!(
            "{flag} {text:?}: control characters are not allowed"
        )));
    }
    Ok(text.to_owned())
}

pub(super) fn lines(flag: &str, texts: &[String]) -> Result<Vec<String>> {
    texts
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| one_line(flag, text))
        .collect()
}
