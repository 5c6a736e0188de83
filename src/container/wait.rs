//! `wait`: by events of the kernel (a connection, a handle on a process, inotify), not by looking again and again.

use std::time::Duration;

use crate::error::{Error, Kind, Result};

use super::engine::Container;
use super::health::HealthStatus;
use super::options::WaitCondition;
use super::record::Status;
use super::watch::Seen;

impl Container {
    /// Waits for any of `conditions` (none: stopped) and returns the exit status, -1 while there is none.
    pub fn wait(&self, conditions: &[WaitCondition]) -> Result<i32> {
        let conditions = match conditions {
            [] => &[WaitCondition::Stopped][..],
            some => some,
        };
        let mut me = self.clone();
        for condition in conditions {
            if let Some(status) = health_of(*condition).filter(|_| me.record.health.is_none()) {
                return Err(Error::new(
                    Kind::State,
                    format!(
                        "cannot use condition {:?}: container {} has no healthcheck",
                        status.word(),
                        me.record.id
                    ),
                ));
            }
        }
        if !me.refresh()? {
            return Ok(me.state.exit_code);
        }
        let ends = |condition: &WaitCondition| {
            matches!(condition, WaitCondition::Stopped | WaitCondition::Exited)
        };
        // The end alone is told by the monitor, with the exit status.
        let news = match conditions.iter().all(ends) && me.state.is_alive() {
            true => None,
            false => Some(me.news()?),
        };
        if news.is_some() && !me.refresh()? {
            return Ok(me.state.exit_code);
        }
        loop {
            let reached = conditions.iter().any(|&c| me.reaches(c));
            if reached && me.state.is_alive() {
                return Ok(-1);
            }
            if reached {
                return Ok(me.state.exit_code);
            }
            if me.state.is_elsewhere() {
                return Err(me.elsewhere("wait for"));
            }
            let mut watch = me.watch()?;
            let seen = match &news {
                None => watch.wait(None)?,
                Some(news) => {
                    news.wait_beside(watch.as_fd())?;
                    watch.wait(Some(Duration::ZERO))?
                }
            };
            if let (Seen::Exit(code), true) = (seen, conditions.iter().any(ends)) {
                return Ok(code);
            }
            if !me.refresh()? {
                return Ok(me.state.exit_code); // removed: nothing will ever change
            }
        }
    }
}

impl Container {
    fn reaches(&self, condition: WaitCondition) -> bool {
        match health_of(condition) {
            Some(wanted) => self.health_word() == Some(wanted.word()),
            None => reaches(self.state.status, condition),
        }
    }
}

fn health_of(condition: WaitCondition) -> Option<HealthStatus> {
    match condition {
        WaitCondition::Healthy => Some(HealthStatus::Healthy),
        WaitCondition::Unhealthy => Some(HealthStatus::Unhealthy),
        _ => None,
    }
}

fn reaches(status: Status, condition: WaitCondition) -> bool {
    match condition {
        WaitCondition::Configured | WaitCondition::Created => status == Status::Created,
        WaitCondition::Initialized => status == Status::Initialized,
        WaitCondition::Running => status == Status::Running,
        WaitCondition::Paused => status == Status::Paused,
        WaitCondition::Stopping => status == Status::Stopping,
        WaitCondition::Restarting => status == Status::Restarting,
        WaitCondition::Stopped => matches!(status, Status::Exited | Status::Created),
        WaitCondition::Exited => status == Status::Exited,
        WaitCondition::Removing | WaitCondition::Healthy | WaitCondition::Unhealthy => false,
    }
}
