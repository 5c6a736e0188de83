//! Bytes that wait for a descriptor which does not take everything at once.

use rustix::io::{Errno, Result};

/// Hands `pending` to `write`, which must not block, until it is empty or no more is taken now; what was taken is no
/// longer in it. Fails when nobody will ever take the rest.
pub(super) fn drain(pending: &mut Vec<u8>, write: impl Fn(&[u8]) -> Result<usize>) -> Result<()> {
    let mut taken = 0;
    let mut outcome = Ok(());
    while taken < pending.len() {
        match write(&pending[taken..]) {
            Ok(n) => taken += n,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(errno) => {
                outcome = Err(errno);
                break;
            }
        }
    }
    pending.drain(..taken);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn what_was_taken_is_gone_and_the_rest_stays() {
        for (answers, want, left) in [
            (vec![Ok(2), Err(Errno::INTR), Ok(4)], Ok(()), ""),
            (vec![Ok(2), Err(Errno::AGAIN)], Ok(()), "cdef"),
            (vec![Ok(5), Err(Errno::PIPE)], Err(Errno::PIPE), "f"),
        ] {
            let next = Cell::new(0);
            let mut pending = b"abcdef".to_vec();
            let got = drain(&mut pending, |_| answers[next.replace(next.get() + 1)]);
            assert_eq!((got, pending.as_slice()), (want, left.as_bytes()));
        }
    }
}
