//! `update`: other limits, another restart policy, other variables, for a container that runs or not.
//!
//! The kernel is asked first, then the record is written: what a kill leaves is a running container with limits that
//! its next start does not have, never a record that promises what does not hold.

use crate::cgroup::Tree;
use crate::error::{Error, Kind, Result};
use crate::state::{self, Durable};
use crate::storage::Store;

use super::cgroup;
use super::engine::{Container, no_such};
use super::events::Action;
use super::merge::EnvList;
use super::policy::RestartPolicy;
use super::protocol::FrameKind;
use super::request::{Limits, Ulimit};
use super::watch::Watch;

/// What changes; the rest stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateOptions {
    pub limits: Limits,
    pub restart: Option<RestartPolicy>,
    /// For processes that begin later.
    pub env: Vec<(String, String)>,
    pub unset_env: Vec<String>,
    /// For the next start and for `exec`.
    pub ulimits: Vec<Ulimit>,
}

impl Container {
    pub fn update(&self, options: &UpdateOptions) -> Result<()> {
        let engine = &self.engine;
        let store = Store::open(&engine.dirs)?;
        let _one_at_a_time = store.lock_structure()?;
        let mut me = self.clone();
        if !me.refresh()? {
            return Err(no_such(&self.record.id));
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("update"));
        }
        let old = me.record.request.limits.clone();
        let request = &mut me.record.request;
        request.limits.change(&options.limits);
        cgroup::check_limits(request)?;
        if let Some(policy) = options.restart {
            if request.auto_remove && !policy.is_no() {
                return Err(Error::usage(
                    "cannot update a container that is removed at its end (--rm) to run again",
                ));
            }
            request.restart = policy;
        }
        for ulimit in &options.ulimits {
            request.ulimits.retain(|old| old.name != ulimit.name);
            request.ulimits.push(ulimit.clone());
        }
        let mut env = EnvList {
            lines: std::mem::take(&mut me.record.process.env),
        };
        let unset = |line: &String| {
            let name = line.split('=').next().unwrap_or_default();
            options.unset_env.iter().any(|unset| unset == name)
        };
        env.lines.retain(|line| !unset(line));
        for (name, value) in &options.env {
            env.set(name, value);
        }
        me.record.process.env = env.lines;
        super::spec::check(&me.record)?;
        if !options.limits.is_none() {
            me.change_limits(&old)?;
        }
        let path = engine.dir(&me.record.id).join("config.json");
        state::save(&path, &me.record, Durable::Yes)?;
        if options.restart.is_some()
            && me.state.is_alive()
            && let Watch::Monitor(connection) = me.watch()?
        {
            let _ = connection.send(FrameKind::Reload, &[]); // one that ends now needs no policy
        }
        me.emit(Action::Update);
        Ok(())
    }

    /// In force at once where it runs; else looked at as by `create`.
    fn change_limits(&self, old: &Limits) -> Result<()> {
        let request = &self.record.request;
        if !self.state.is_alive() {
            return cgroup::check(request);
        }
        let Some(group) = self.cgroup() else {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "update container {}: it runs without a cgroup of its own",
                    self.record.id
                ),
            )
            .hint(crate::cgroup::NO_TREE_REMEDY));
        };
        let above = group.path().parent().unwrap_or(group.path());
        let tree = Tree::at_path(above).ok_or_else(|| {
            Error::new(
                Kind::Unsupported,
                format!(
                    "update container {}: {} may not be written to",
                    self.record.id,
                    above.display()
                ),
            )
        })?;
        request.limits.apply(&tree, &group).inspect_err(|_| {
            let _ = old.apply(&tree, &group); // the first failure is the one to report
        })
    }
}
