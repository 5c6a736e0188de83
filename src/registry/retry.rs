//! When a failed request is tried again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::session::{Again, Fault};
use crate::error::Error;

/// A registry that wants to be left alone for longer is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
pub struct RetrySettings {
    /// Tries after the first.
    pub retries: u32,
    /// Fixed pause; `None`: half a second, doubling, with jitter.
    pub delay: Option<Duration>,
}

impl Default for RetrySettings {
    fn default() -> Self {
        Self {
            retries: 3,
            delay: None,
        }
    }
}

/// Counts the tries of one request.
#[derive(Debug)]
pub(super) struct Tries {
    settings: RetrySettings,
    failed: u32,
}

impl Tries {
    pub(super) fn new(settings: RetrySettings) -> Self {
        Self {
            settings,
            failed: 0,
        }
    }

    /// What was achieved is kept, so the tries count anew.
    pub(super) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// How long to wait before the next try, or the error to give up with.
    pub(super) fn next(&mut self, fault: Fault) -> Result<(Duration, Error), Error> {
        self.failed += 1;
        let wait = match fault.again {
            Again::Never => return Err(fault.error),
            Again::After(wait) if wait > LONGEST_WAIT => {
                let text = format!("the registry asks to wait {} seconds", wait.as_secs());
                return Err(fault.error.hint(text));
            }
            Again::After(wait) => wait,
            Again::Soon => self.settings.delay.unwrap_or_else(|| self.backoff()),
        };
        if self.failed > self.settings.retries {
            return Err(match self.settings.retries {
                0 => fault.error,
                n => {
                    let tries = n + 1;
                    let remedy = fault.error.remedy().map(str::to_owned);
                    let err = Error::new(
                        fault.error.kind(),
                        format!("{} (attempt {tries} of {tries})", fault.error),
                    );
                    match remedy {
                        Some(remedy) => err.hint(remedy),
                        None => err,
                    }
                }
            });
        }
        Ok((wait, fault.error))
    }

    fn backoff(&self) -> Duration {
        let base = Duration::from_millis(500) * 2u32.pow(self.failed.saturating_sub(1).min(6));
        // Many pullers that failed together should not come back together.
        let nanos = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.subsec_nanos());
        base.mul_f64(0.75 + f64::from(nanos % 1000) / 2000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn fault(again: Again) -> Fault {
        Fault {
            error: Error::new(Kind::Registry, "reading x: broken").hint("mend it"),
            again,
        }
    }

    #[test]
    fn tries_end() {
        let mut tries = Tries::new(RetrySettings {
            retries: 2,
            delay: None,
        });
        let mut last = Duration::ZERO;
        for _ in 0..2 {
            let (wait, _) = tries.next(fault(Again::Soon)).unwrap();
            assert!(wait > last && wait < Duration::from_secs(2));
            last = wait;
        }
        let err = tries.next(fault(Again::Soon)).unwrap_err();
        assert_eq!(err.to_string(), "reading x: broken (attempt 3 of 3)");
        assert_eq!(err.remedy(), Some("mend it"));
    }

    #[test]
    fn some_failures_are_final() {
        let mut tries = Tries::new(RetrySettings::default());
        assert!(tries.next(fault(Again::Never)).is_err());
        let (wait, _) = tries
            .next(fault(Again::After(Duration::from_secs(3))))
            .unwrap();
        assert_eq!(wait, Duration::from_secs(3));
        let err = tries
            .next(fault(Again::After(Duration::from_secs(3600))))
            .unwrap_err();
        assert_eq!(err.remedy(), Some("the registry asks to wait 3600 seconds"));
    }
}
