//! Runs in: monitor. One run of the program: the container made, its network up, the state on disk.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use crate::error::{Error, Result, Tried};
use crate::net::{NetHelper, NetPlan, Netns};
use crate::runtime::exec::{ExecTarget, Prepared};
use crate::runtime::{LaunchPlan, NetReady, Stdio, StdioPlan, launch};
use crate::state::{self, Durable};

use super::super::cgroup;
use super::super::clock;
use super::super::engine::Containers;
use super::super::exec::exec_process;
use super::super::health::{self, Health};
use super::super::liveness::{boot_id, machine_id, start_time};
use super::super::options::ExecRequest;
use super::super::record::{Record, State, Status};
use super::super::spec::{Plan, has_own_init};
use super::check::Checkers;

/// Everything a run needs.
pub(super) struct Launch<'a> {
    pub(super) engine: &'a Containers,
    pub(super) record: &'a Record,
    pub(super) plan: Plan,
    pub(super) network: NetPlan,
    pub(super) stdio: StdioPlan,
    pub(super) preserve: Vec<Option<OwnedFd>>,
    /// How often the policy has run it again.
    pub(super) restarts: u32,
}

/// The program runs, and the state on disk says so.
pub(super) struct Launched {
    pub(super) stdio: Stdio,
    pub(super) helper: NetHelper,
    pub(super) state: State,
    /// When its namespaces were there.
    pub(super) made: SystemTime,
    pub(super) checkers: Option<Checkers>,
}

impl Launch<'_> {
    /// Runs the program, or leaves nothing running. `meanwhile`: see [`launch::begin`].
    pub(super) fn run(self, meanwhile: impl FnOnce() -> Result<()>) -> Result<Launched> {
        let Self { engine, record, .. } = self;
        let group = cgroup::make(record, &engine.run_dir(&record.id))?;
        let leaf = || {
            let copy = group.as_ref().map(|made| made.leaf.try_clone());
            copy.transpose().tried(|| "copy a descriptor")
        };
        let checkers = match &record.health {
            Some(health) => Some(checkers(record, &self.plan, health, &leaf)?),
            None => None,
        };
        let plan = LaunchPlan {
            spec: self.plan.spec,
            rootfs: engine.rootfs(record),
            ids: record.ids.clone(),
            user: self.plan.user,
            stdio: self.stdio,
            seccomp: self.plan.seccomp,
            secrets: self.plan.secrets,
            accounts: self.plan.accounts,
            preserve: self.preserve,
            create_cwd: record.request.workdir.is_none(),
            init: record.request.init && !has_own_init(record),
            cgroup: leaf()?,
        };
        let starting = launch::begin(plan, meanwhile)?;
        let made = SystemTime::now();
        let pid = starting.pid().as_raw();
        let mut helper = self.network.start(&Netns {
            pid,
            userns_path: starting.userns_path(),
            netns_path: starting.netns_path(),
        })?;
        let finish = || -> Result<(Stdio, State)> {
            let state = State {
                restart_count: self.restarts,
                cgroup: group.as_ref().map(|made| made.of.clone()),
                ..running_state(pid, &helper)
            };
            // Before the program runs: a monitor killed from here on leaves no process nobody knows of.
            let path = engine.dir(&record.id).join("state.json");
            state::save(&path, &state, Durable::No)?;
            let running = starting.finish(NetReady)?;
            if let Some(path) = &record.request.pidfile {
                fs::write(path, pid.to_string()).tried(|| format!("write {}", path.display()))?;
            }
            if let Some(path) = &record.request.monitor_pidfile {
                fs::write(path, std::process::id().to_string())
                    .tried(|| format!("write {}", path.display()))?;
            }
            Ok((running.stdio, state))
        };
        match finish() {
            Ok((stdio, state)) => {
                group.map(cgroup::Made::keep);
                Ok(Launched {
                    stdio,
                    helper,
                    state,
                    made,
                    checkers,
                })
            }
            Err(err) => {
                helper.stop();
                Err(err)
            }
        }
    }
}

/// What the checks need, while the plan is still there.
fn checkers(
    record: &Record,
    plan: &Plan,
    health: &Health,
    leaf: &dyn Fn() -> Result<Option<OwnedFd>>,
) -> Result<Checkers> {
    let prepare = |test: &[String]| {
        let target = ExecTarget {
            spec: &plan.spec,
            user: plan.user.clone(),
            seccomp: plan.seccomp.clone(),
            single_id: record.ids.is_single(),
            preserve: Vec::new(),
            cgroup: leaf()?,
        };
        let request = ExecRequest {
            command: health::command(test).unwrap_or_default(),
            ..ExecRequest::default()
        };
        let process = exec_process(&plan.spec, &request)?;
        Ok::<_, Error>(Prepared::compile(target, &process)?.keeping_orphans())
    };
    Ok(Checkers {
        regular: prepare(&health.test)?,
        startup: match &health.startup {
            Some(startup) => Some(prepare(&startup.test)?),
            None => None,
        },
    })
}

fn running_state(pid: i32, helper: &NetHelper) -> State {
    let me = std::process::id().cast_signed();
    let helper_pid = helper.pid.unwrap_or(0);
    State {
        status: Status::Running,
        pid,
        pid_start: start_time(pid),
        monitor_pid: me,
        monitor_start: start_time(me),
        boot_id: boot_id().to_owned(),
        machine_id: machine_id().to_owned(),
        host: rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
        started_at: Some(clock::now()),
        net: helper.status.clone(),
        helper_pid,
        helper_start: if helper_pid == 0 {
            0
        } else {
            start_time(helper_pid)
        },
        ..State::default()
    }
}
