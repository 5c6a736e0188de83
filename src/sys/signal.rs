//! Dispositions of signals, for processes whose children must not inherit what this program set for itself.

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Ignores `signal`, also in programs this process executes from now on.
pub fn ignore(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigIgn)
}

/// Gives `signal` its default action back.
pub fn restore(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigDfl)
}

fn set(signal: Signal, to: SigHandler) -> Result<(), Errno> {
    let action = SigAction::new(to, SaFlags::empty(), SigSet::empty());
    // SAFETY: neither ignoring nor the default action runs code of this process, so no handler can be unsound.
    unsafe { sigaction(signal, &action) }.map(drop)
}
