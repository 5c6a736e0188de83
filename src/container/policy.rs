//! Restart policies: whether a container that has ended runs again, and when. Pure.
//!
//! The monitor asks; `--restart` and `update --restart` set. Pauses are Docker's: 100 ms, doubling up to a minute,
//! from the beginning again after a run of 10 s (moby `restartmanager`).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

use super::engine::Container;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A run as long as this was no failing start.
const LONG_RUN: Duration = Duration::from_secs(10);

/// `--restart`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name", content = "tries")]
pub enum RestartPolicy {
    #[default]
    No,
    /// After an exit status other than 0; at most so many times in a row, 0 for as often as it takes.
    OnFailure(u32),
    Always,
    UnlessStopped,
}

impl RestartPolicy {
    pub fn is_no(&self) -> bool {
        *self == Self::No
    }

    /// Podman's word; none for no policy, as `inspect` has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::OnFailure(_) => "on-failure",
            Self::Always => "always",
            Self::UnlessStopped => "unless-stopped",
        }
    }

    /// Restarts are limited to so many; 0: not limited.
    pub fn tries(self) -> u32 {
        match self {
            Self::OnFailure(tries) => tries,
            _ => 0,
        }
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self.tries() {
            0 => Ok(()),
            tries => write!(f, ":{tries}"),
        }
    }
}

impl FromStr for RestartPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, tries) = match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => {
                return Err(Error::usage(
                    "invalid restart policy: may specify retries at most once",
                ));
            }
            Some((word, tries)) => (word, Some(tries)),
            None => (text, None),
        };
        if tries.is_some() && !word.eq_ignore_ascii_case("on-failure") {
            return Err(Error::usage(
                "restart policy retries can only be specified with on-failure restart policy",
            ));
        }
        match word {
            "" | "no" | "never" => Ok(Self::No),
            "always" => Ok(Self::Always),
            "unless-stopped" => Ok(Self::UnlessStopped),
            "on-failure" => Ok(Self::OnFailure(count(tries.unwrap_or("0"))?)),
            other => Err(Error::usage(format!(
                "running container create option: {other:?} is not a valid restart policy: invalid argument"
            ))),
        }
    }
}

fn count(text: &str) -> Result<u32> {
    let number: i64 = text.parse().map_err(|_| {
        Error::usage(format!(
            "parsing restart policy retry count: strconv.Atoi: parsing {text:?}: invalid syntax"
        ))
    })?;
    u32::try_from(number).map_err(|_| {
        Error::usage("must specify restart policy retry count as a number greater than 0")
    })
}

impl Container {
    /// Tells whether its policy wants it to run after a boot.
    pub fn starts_on_boot(&self) -> bool {
        match self.record.request.restart {
            RestartPolicy::Always => true,
            RestartPolicy::UnlessStopped => !self.state.stopped_by_user,
            RestartPolicy::No | RestartPolicy::OnFailure(_) => false,
        }
    }
}

/// How one run of the program ended, as far as a policy looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnded {
    pub failed: bool,
    pub ran: Duration,
}

/// The restarts of one container since a user started it.
#[derive(Debug, Default)]
pub struct Restarts {
    /// How many there were, for `inspect`.
    pub count: u32,
    pause: Duration,
}

impl Restarts {
    /// How long to wait before the next run; `None`: there is none.
    pub fn next(&mut self, policy: RestartPolicy, ended: RunEnded) -> Option<Duration> {
        self.pause = match self.pause.is_zero() || ended.ran >= LONG_RUN {
            true => FIRST_PAUSE,
            false => (self.pause * 2).min(LONGEST_PAUSE),
        };
        let again = match policy {
            RestartPolicy::No => false,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(tries) => ended.failed && (tries == 0 || self.count < tries),
        };
        if !again {
            return None;
        }
        self.count = self.count.saturating_add(1);
        Some(self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_as_podman_reads_them() {
        let table = [
            ("no", Some(RestartPolicy::No)),
            ("", Some(RestartPolicy::No)),
            ("always", Some(RestartPolicy::Always)),
            ("unless-stopped", Some(RestartPolicy::UnlessStopped)),
            ("on-failure", Some(RestartPolicy::OnFailure(0))),
            ("on-failure:3", Some(RestartPolicy::OnFailure(3))),
            ("on-failure:-1", None),
            ("on-failure:x", None),
            ("on-failure:1:2", None),
            ("always:3", None),
            ("sometimes", None),
        ];
        for (text, want) in table {
            assert_eq!(text.parse().ok(), want, "{text}");
            if let Some(policy) = want {
                assert_eq!(policy.to_string().parse().ok(), want, "{policy}");
            }
        }
    }

    #[test]
    fn pauses_double_and_begin_anew_after_a_long_run() {
        let run = |seconds| RunEnded {
            failed: true,
            ran: Duration::from_secs(seconds),
        };
        let mut restarts = Restarts::default();
        let mut next = |seconds| restarts.next(RestartPolicy::Always, run(seconds));
        let pauses: Vec<_> = (0..12).filter_map(|_| next(1)).collect();
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(
            millis,
            [
                100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000
            ]
        );
        assert_eq!(next(11), Some(FIRST_PAUSE));
        assert_eq!(next(0), Some(FIRST_PAUSE * 2));
    }

    #[test]
    fn who_runs_again() {
        let ended = |failed| RunEnded {
            failed,
            ran: Duration::ZERO,
        };
        for (policy, failed, want) in [
            (RestartPolicy::No, true, 0),
            (RestartPolicy::OnFailure(2), true, 2),
            (RestartPolicy::OnFailure(2), false, 0),
            (RestartPolicy::OnFailure(0), true, 5),
            (RestartPolicy::Always, false, 5),
            (RestartPolicy::UnlessStopped, false, 5),
        ] {
            let mut restarts = Restarts::default();
            for _ in 0..5 {
                restarts.next(policy, ended(failed));
            }
            assert_eq!(restarts.count, want, "{policy} {failed}");
        }
    }
}
