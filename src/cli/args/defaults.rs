//! Defaults of containers.conf for what the command line of `run` and `create` left open.
//!
//! Values are read as those of the flags are, so a key takes what its flag takes. What cannot be kept is refused, and
//! the message names the key. `pids_limit` alone holds only where the pids controller is, as with Podman.

mod files;
mod isolation;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::config::containers::Containers;
use crate::container::request::{BaseHosts, CreateRequest, LogDriver, NamespaceMode};
use crate::container::{check_journal, detach};
use crate::error::{Error, Kind, Result};
use crate::image::{AccessOptions, PullOptions};
use crate::net::{NetworkMode, mode};

use super::create::CreateArgs;
use super::env::{self, ProcessEnv};
use super::namespaces::FindContainer;
use super::{log as flag_log, request as flags, security, value};

/// Fills in what `args`, from which `request` was made, leave open.
pub fn apply(
    config: &Containers,
    args: &CreateArgs,
    request: &mut CreateRequest,
    find: FindContainer<'_>,
) -> Result<()> {
    if !config.engine_env.is_empty() {
        return Err(refused("env in [engine]"));
    }
    network(config, request)?;
    names(config, args, request)?;
    isolation::apply(config, args, request, find)?;
    process(config, args, request)?;
    files::apply(config, args, request)?;
    log(config, args, request)?;
    annotations(config, request)?;
    sysctls(config, request)?;
    flags::conflicts(request)
}

/// What concerns fetching images.
pub fn pull(config: &Containers, options: &mut PullOptions) -> Result<()> {
    access(config, &mut options.access)
}

/// What concerns talking to registries.
pub fn access(config: &Containers, options: &mut AccessOptions) -> Result<()> {
    options.retry = options.retry.or(config.retry);
    if let (None, Some(text)) = (options.retry_delay, given(&config.retry_delay)) {
        let delay = value::duration(text).map_err(Error::usage);
        options.retry_delay = Some(delay.map_err(of("retry_delay"))?);
    }
    Ok(())
}

/// Says whose value an error is about.
fn of(key: &str) -> impl Fn(Error) -> Error {
    move |err| err.context(format!("use {key} of containers.conf"))
}

fn refused(key: &str) -> Error {
    let why = "it is not available in this version of pod";
    of(key)(Error::new(Kind::Unsupported, why))
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn process(config: &Containers, args: &CreateArgs, request: &mut CreateRequest) -> Result<()> {
    let args = &args.process;
    request.env_host |= config.env_host == Some(true);
    request.default_env = env::variables(&[], &config.env, &ProcessEnv).map_err(of("env"))?;
    request.init = args.init.or(config.init) == Some(true);
    request.http_proxy = request.http_proxy.or(config.http_proxy);
    request.stop_timeout = request.stop_timeout.or(config.stop_timeout);
    if let (None, Some(keys)) = (&request.detach_keys, &config.detach_keys) {
        detach::parse_keys(keys).map_err(of("detach_keys"))?;
        request.detach_keys = Some(keys.clone());
    }
    if let (None, Some(zone)) = (&args.tz, given(&config.tz)) {
        request.timezone = flags::timezone(zone).map_err(of("tz"))?;
    }
    if let (None, Some(mask)) = (&args.umask, given(&config.umask)) {
        request.umask = Some(flags::umask(mask).map_err(of("umask"))?);
    }
    if let (None, Some(score)) = (args.oom_score_adj, config.oom_score_adj) {
        request.oom_score_adj = Some(flags::oom_score_adj(score).map_err(of("oom_score_adj"))?);
    }
    if request.limits.pids.is_none() {
        request.limits.default_pids = config.pids_limit;
    }
    for text in &config.default_ulimits {
        let limit = security::ulimit(text).map_err(of("default_ulimits"))?;
        if request.ulimits.iter().all(|own| own.name != limit.name) {
            request.ulimits.push(limit);
        }
    }
    Ok(())
}

/// Name servers and hosts files.
fn names(config: &Containers, args: &CreateArgs, request: &mut CreateRequest) -> Result<()> {
    for server in &config.dns_servers {
        if server != "none" && server.parse::<IpAddr>().is_err() {
            let wrong = Error::usage(format!("{server:?} is not an ip address"));
            return Err(of("dns_servers")(wrong));
        }
    }
    let lists = [
        ("dns_servers", &mut request.dns, &config.dns_servers),
        (
            "dns_searches",
            &mut request.dns_search,
            &config.dns_searches,
        ),
        ("dns_options", &mut request.dns_option, &config.dns_options),
    ];
    for (key, to, from) in lists {
        if to.is_empty() {
            *to = flags::lines(key, from).map_err(of(key))?;
        }
    }
    request.no_hosts = match args.network.no_hosts {
        Some(given) => given,
        // An --add-host asks for the file.
        None => config.no_hosts == Some(true) && request.add_host.is_empty(),
    };
    if request.base_hosts.is_some() {
        return Ok(()); // --hosts-file
    }
    request.base_hosts = match given(&config.base_hosts_file) {
        None => None,
        Some("none") => Some(BaseHosts::None),
        Some(path) if path.starts_with('/') => {
            std::fs::File::open(path)
                .map_err(|err| Error::io(&err, format!("open {path}")))
                .map_err(of("base_hosts_file"))?;
            Some(BaseHosts::File(path.into()))
        }
        Some("image") => Some(BaseHosts::Image),
        Some(other) => {
            let wrong = Error::usage(format!("{other:?} must be none or an absolute path"));
            return Err(of("base_hosts_file")(wrong));
        }
    };
    Ok(())
}

fn log(config: &Containers, args: &CreateArgs, request: &mut CreateRequest) -> Result<()> {
    let log = &mut request.log;
    if let (None, Some(driver)) = (&args.log_driver, given(&config.log_driver)) {
        log.driver = flag_log::driver(driver).map_err(of("log_driver"))?;
        if log.driver == LogDriver::Journald {
            check_journal().map_err(of("log_driver"))?;
        }
    }
    if !args.log_opt.iter().any(|opt| opt.starts_with("max-size=")) {
        log.max_size = config.log_size_max;
    }
    if log.tag.is_none() {
        log.tag.clone_from(&config.log_tag);
    }
    if log.path.is_none() && log.driver.is_file() {
        log.dir.clone_from(&config.log_path);
    }
    Ok(())
}

fn annotations(config: &Containers, request: &mut CreateRequest) -> Result<()> {
    let all = env::annotations(&config.annotations).map_err(of("annotations"))?;
    for (name, value) in all {
        request.annotations.entry(name).or_insert(value);
    }
    Ok(())
}

/// Those of a namespace that is not the container's own are meant for the other containers, as Podman has it.
fn sysctls(config: &Containers, request: &mut CreateRequest) -> Result<()> {
    let own_network = !matches!(
        request.network,
        Some(NetworkMode::Host | NetworkMode::Container { .. } | NetworkMode::Path { .. })
    );
    for text in &config.default_sysctls {
        let (name, value) = security::sysctl(text).map_err(of("default_sysctls"))?;
        let own = match name.as_str() {
            n if n.starts_with("net.") => own_network,
            "kernel.domainname" => request.uts == NamespaceMode::Private,
            _ => request.ipc == NamespaceMode::Private,
        };
        if own {
            request.sysctls.entry(name).or_insert(value);
        }
    }
    Ok(())
}

fn network(config: &Containers, request: &mut CreateRequest) -> Result<()> {
    request.helpers = config.helper_binaries_dir.clone();
    match &mut request.network {
        Some(NetworkMode::Pasta { options }) => {
            let own = std::mem::take(options);
            *options = config.pasta_options.iter().cloned().chain(own).collect();
        }
        Some(_) => {}
        none => {
            *none = Some(match config.netns.as_deref() {
                Some("none") => NetworkMode::None,
                Some("host") => NetworkMode::Host,
                // Podman's `bridge` is for root; without it, the user's network.
                None | Some("" | "private" | "bridge" | "pasta" | "slirp4netns") => {
                    let command = config
                        .netns
                        .as_deref()
                        .filter(|word| matches!(*word, "pasta" | "slirp4netns"))
                        .or(config.default_rootless_network_cmd.as_deref());
                    mode::default(command, &config.pasta_options)?
                }
                Some(other) => {
                    return Err(Error::usage(format!(
                        "use netns = \"{other}\" of containers.conf: must be private, host, none, pasta or slirp4netns"
                    )));
                }
            });
        }
    }
    Ok(())
}
