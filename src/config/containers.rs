//! containers.conf(5): the defaults of the user, the administrator and the vendor for `run` and `create`.
//!
//!     /usr/share/containers/containers.conf, containers.conf.d/*.conf
//!     /etc/containers/…                    likewise
//!     $XDG_CONFIG_HOME/containers/…        likewise; a later file wins, key by key
//!     $CONTAINERS_CONF                     replaces all of these
//!     $CONTAINERS_CONF_OVERRIDE            is applied last
//!
//! Keys that are not listed here are passed over, as Podman does with those of other versions. So is `interface_name`,
//! which is about named networks: pasta and slirp4netns name the container's interface, in Podman too.

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::rootless::identity::Identity;

use super::files;
use super::table::{Section, parse};

/// What all files say together. `None` and empty lists: the built-in default holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containers {
    // [containers]
    pub annotations: Vec<String>,
    pub base_hosts_file: Option<String>,
    pub cgroupns: Option<String>,
    /// Replaces Podman's list of capabilities; an empty list takes all of them away.
    pub default_capabilities: Option<Vec<String>>,
    pub default_sysctls: Vec<String>,
    pub default_ulimits: Vec<String>,
    pub devices: Vec<String>,
    pub dns_servers: Vec<String>,
    pub dns_searches: Vec<String>,
    pub dns_options: Vec<String>,
    pub env: Vec<String>,
    pub env_host: Option<bool>,
    pub http_proxy: Option<bool>,
    pub init: Option<bool>,
    pub init_path: Option<String>,
    pub ipcns: Option<String>,
    pub label: Option<bool>,
    pub log_driver: Option<String>,
    /// Directory for log files.
    pub log_path: Option<PathBuf>,
    /// Bytes; `None` and negative values: no limit.
    pub log_size_max: Option<u64>,
    pub log_tag: Option<String>,
    pub mounts: Vec<String>,
    pub netns: Option<String>,
    pub no_hosts: Option<bool>,
    pub oom_score_adj: Option<i64>,
    pub pidns: Option<String>,
    /// A default that holds only where the pids controller is.
    pub pids_limit: Option<i64>,
    pub privileged: Option<bool>,
    pub read_only: Option<bool>,
    pub seccomp_profile: Option<String>,
    pub shm_size: Option<String>,
    pub tz: Option<String>,
    pub umask: Option<String>,
    pub userns: Option<String>,
    pub utsns: Option<String>,
    pub volumes: Vec<String>,
    // [network]
    pub default_rootless_network_cmd: Option<String>,
    pub pasta_options: Vec<String>,
    // [engine]
    pub compression_format: Option<String>,
    pub compression_level: Option<i64>,
    pub detach_keys: Option<String>,
    pub events_logger: Option<String>,
    pub events_logfile_path: Option<PathBuf>,
    /// Bytes; zero and less: the built-in size.
    pub events_logfile_max_size: Option<u64>,
    /// Environment of `pod` itself, `NAME=value`; refused.
    pub engine_env: Vec<String>,
    /// Where pasta and slirp4netns are looked for before PATH.
    pub helper_binaries_dir: Vec<PathBuf>,
    /// Where specs of CDI devices are.
    pub cdi_spec_dirs: Vec<PathBuf>,
    pub image_parallel_copies: Option<u32>,
    pub pull_policy: Option<String>,
    pub retry: Option<u32>,
    pub retry_delay: Option<String>,
    /// Seconds.
    pub stop_timeout: Option<u32>,
    /// Files that were read, in order, for `info`.
    pub files: Vec<PathBuf>,
}

impl Containers {
    /// Reads and merges all files.
    pub fn load(me: &Identity) -> Result<Self> {
        let mut all = Self::default();
        match env_path("CONTAINERS_CONF") {
            Some(file) => all.apply(&files::must_read(&file)?, &file)?,
            None => {
                for place in files::places(me) {
                    all.apply_if_there(&place.join("containers.conf"))?;
                    for file in files::drop_ins(&place.join("containers.conf.d")) {
                        all.apply_if_there(&file)?;
                    }
                }
            }
        }
        if let Some(file) = env_path("CONTAINERS_CONF_OVERRIDE") {
            all.apply(&files::must_read(&file)?, &file)?;
        }
        Ok(all)
    }

    fn apply_if_there(&mut self, file: &Path) -> Result<()> {
        match files::read(file)? {
            Some(text) => self.apply(&text, file),
            None => Ok(()),
        }
    }

    /// Lays the text of one file over what earlier ones said.
    pub fn apply(&mut self, text: &str, file: &Path) -> Result<()> {
        let name = file.display().to_string();
        let table = parse(text, &name)?;
        self.apply_containers(Section::of(&table, "containers", &name)?)?;
        let network = Section::of(&table, "network", &name)?;
        set(
            &mut self.default_rootless_network_cmd,
            network.string("default_rootless_network_cmd")?,
        );
        network.merge_list("pasta_options", &mut self.pasta_options)?;
        self.apply_engine(Section::of(&table, "engine", &name)?)?;
        self.files.push(file.to_owned());
        Ok(())
    }

    fn apply_containers(&mut self, section: Section<'_>) -> Result<()> {
        for (key, to) in [
            ("annotations", &mut self.annotations),
            ("default_sysctls", &mut self.default_sysctls),
            ("default_ulimits", &mut self.default_ulimits),
            ("devices", &mut self.devices),
            ("dns_servers", &mut self.dns_servers),
            ("dns_searches", &mut self.dns_searches),
            ("dns_options", &mut self.dns_options),
            ("env", &mut self.env),
            ("mounts", &mut self.mounts),
            ("volumes", &mut self.volumes),
        ] {
            section.merge_list(key, to)?;
        }
        for (key, to) in [
            ("base_hosts_file", &mut self.base_hosts_file),
            ("cgroupns", &mut self.cgroupns),
            ("init_path", &mut self.init_path),
            ("ipcns", &mut self.ipcns),
            ("log_driver", &mut self.log_driver),
            ("log_tag", &mut self.log_tag),
            ("netns", &mut self.netns),
            ("pidns", &mut self.pidns),
            ("shm_size", &mut self.shm_size),
            ("tz", &mut self.tz),
            ("umask", &mut self.umask),
            ("userns", &mut self.userns),
            ("utsns", &mut self.utsns),
        ] {
            set(to, section.string(key)?.filter(|text| !text.is_empty()));
        }
        for (key, to) in [
            ("env_host", &mut self.env_host),
            ("http_proxy", &mut self.http_proxy),
            ("init", &mut self.init),
            ("label", &mut self.label),
            ("no_hosts", &mut self.no_hosts),
            ("privileged", &mut self.privileged),
            ("read_only", &mut self.read_only),
        ] {
            set(to, section.bool(key)?);
        }
        if section.list("default_capabilities")?.is_some() {
            let capabilities = self.default_capabilities.get_or_insert_default();
            section.merge_list("default_capabilities", capabilities)?;
        }
        set(&mut self.oom_score_adj, section.integer("oom_score_adj")?);
        set(&mut self.pids_limit, section.integer("pids_limit")?);
        set(
            &mut self.seccomp_profile,
            section
                .string("seccomp_profile")?
                .filter(|text| !text.is_empty()),
        );
        let path = section.string("log_path")?;
        set(
            &mut self.log_path,
            path.filter(|path| !path.is_empty()).map(PathBuf::from),
        );
        if let Some(bytes) = section.integer("log_size_max")? {
            self.log_size_max = u64::try_from(bytes).ok().filter(|&bytes| bytes > 0);
        }
        Ok(())
    }

    fn apply_engine(&mut self, section: Section<'_>) -> Result<()> {
        section.merge_list("env", &mut self.engine_env)?;
        let mut dirs = Vec::new();
        section.merge_list("helper_binaries_dir", &mut dirs)?;
        if !dirs.is_empty() {
            self.helper_binaries_dir = dirs.into_iter().map(PathBuf::from).collect();
        }
        let mut dirs = Vec::new();
        section.merge_list("cdi_spec_dirs", &mut dirs)?;
        if !dirs.is_empty() {
            self.cdi_spec_dirs = dirs.into_iter().map(PathBuf::from).collect();
        }
        for (key, to) in [
            ("compression_format", &mut self.compression_format),
            ("detach_keys", &mut self.detach_keys),
            ("events_logger", &mut self.events_logger),
            ("pull_policy", &mut self.pull_policy),
            ("retry_delay", &mut self.retry_delay),
        ] {
            set(to, section.string(key)?);
        }
        let path = section.string("events_logfile_path")?;
        set(
            &mut self.events_logfile_path,
            path.filter(|path| !path.is_empty()).map(PathBuf::from),
        );
        if let Some(bytes) = section.size("events_logfile_max_size")? {
            self.events_logfile_max_size = Some(bytes);
        }
        set(
            &mut self.compression_level,
            section.integer("compression_level")?,
        );
        for (key, to) in [
            ("image_parallel_copies", &mut self.image_parallel_copies),
            ("retry", &mut self.retry),
            ("stop_timeout", &mut self.stop_timeout),
        ] {
            set(to, section.count(key)?);
        }
        Ok(())
    }
}

fn set<T>(to: &mut Option<T>, from: Option<T>) {
    if from.is_some() {
        *to = from;
    }
}

fn env_path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(texts: &[&str]) -> Result<Containers> {
        let mut all = Containers::default();
        for (n, text) in texts.iter().enumerate() {
            all.apply(text, Path::new(&format!("/etc/{n}.conf")))?;
        }
        Ok(all)
    }

    #[test]
    fn later_files_win_key_by_key() {
        let all = merged(&[
            "[containers]\nenv = [\"A=1\"]\ninit = true\ntz = \"local\"\nunknown = 7\n[engine]\nstop_timeout = 5\n",
            "[containers]\nenv = [\"B=2\", {append = true}]\ninit = false\nlog_size_max = -1\n\
             [network]\npasta_options = [\"-T\", \"5432\"]\n",
            "[engine]\nstop_timeout = 30\n[other]\nx = 1\n",
        ])
        .expect("merge");
        assert_eq!(all.env, ["A=1", "B=2"]);
        assert_eq!((all.init, all.tz.as_deref()), (Some(false), Some("local")));
        assert_eq!((all.stop_timeout, all.log_size_max), (Some(30), None));
        assert_eq!(all.pasta_options, ["-T", "5432"]);
        assert_eq!(all.files.len(), 3);
        let replaced =
            merged(&["[containers]\nenv=[\"A=1\"]", "[containers]\nenv=[\"C=3\"]"]).expect("merge");
        assert_eq!(replaced.env, ["C=3"]);
    }

    #[test]
    fn a_wrong_type_names_file_and_key() {
        for (text, want) in [
            (
                "[containers]\ninit = \"yes\"",
                "read /etc/0.conf: init in [containers] must be true or false, is the string \"yes\"",
            ),
            (
                "[containers]\nenv = \"A=1\"",
                "read /etc/0.conf: env in [containers] must be a list of strings, is the string \"A=1\"",
            ),
            (
                "[engine]\nstop_timeout = -1",
                "read /etc/0.conf: stop_timeout in [engine] must be a number from 0 to 4294967295, is the number -1",
            ),
            (
                "network = 3",
                "read /etc/0.conf: \"network\" must be a section, is the number 3",
            ),
        ] {
            assert_eq!(merged(&[text]).expect_err(text).to_string(), want);
        }
        let err = merged(&["[containers]\ninit = = true"]).expect_err("syntax");
        assert!(
            err.to_string().starts_with("read /etc/0.conf: line 2: "),
            "{err}"
        );
        assert!(!err.to_string().contains('\n'));
    }
}
