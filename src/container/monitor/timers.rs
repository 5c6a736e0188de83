//! Runs in: monitor. What is due when: the handful of deadlines that the poll loop wakes up for.
//!
//! By the monotonic clock: a jump of the wall clock moves nothing.

use std::time::{Duration, Instant};

/// What a deadline is for. Of each there is one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// `--timeout`: the container has run long enough.
    TimeLimit,
    /// A health check begins.
    Check,
    /// The health check on its way has taken too long.
    CheckLimit,
    /// A container that was asked to end, because it is unhealthy, has not done so.
    StopKill,
    /// The pause before the next try to run the program is over.
    Restart,
}

/// Deadlines, the last of the list first.
#[derive(Debug, Default)]
pub struct Timers(Vec<(Instant, Due)>);

impl Timers {
    /// Replaces an earlier deadline of the same kind. A time nobody will live to see sets none.
    pub fn set(&mut self, due: Due, now: Instant, after: Duration) {
        self.cancel(due);
        if let Some(at) = now.checked_add(after) {
            let index = self.0.partition_point(|&(other, _)| other > at);
            self.0.insert(index, (at, due));
        }
    }

    pub fn cancel(&mut self, due: Due) {
        self.0.retain(|&(_, other)| other != due);
    }

    /// When to wake up.
    pub fn next(&self) -> Option<Instant> {
        self.0.last().map(|&(at, _)| at)
    }

    /// Takes what is due now, the earliest first.
    pub fn take(&mut self, now: Instant) -> Option<Due> {
        self.0.pop_if(|&mut (at, _)| at <= now).map(|(_, due)| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_come_in_order_and_once() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        assert_eq!((timers.next(), timers.take(after(99))), (None, None));
        timers.set(Due::TimeLimit, start, Duration::from_secs(5));
        timers.set(Due::Restart, start, Duration::from_secs(9));
        timers.set(Due::Restart, start, Duration::from_secs(2));
        assert_eq!(timers.next(), Some(after(2)));
        assert_eq!(timers.take(after(1)), None);
        assert_eq!(timers.take(after(7)), Some(Due::Restart));
        assert_eq!(timers.take(after(7)), Some(Due::TimeLimit));
        assert_eq!(timers.take(after(7)), None);
        timers.set(Due::Restart, start, Duration::MAX);
        timers.set(Due::TimeLimit, start, Duration::ZERO);
        timers.cancel(Due::TimeLimit);
        assert_eq!(timers.next(), None);
    }
}
