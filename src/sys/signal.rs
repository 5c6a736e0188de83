//! Dispositions of signals, for processes whose children must not inherit what this program set for itself.

use nix::errno::Errno;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask,
};

/// Ignores `signal`, also in programs this process executes from now on.
pub fn ignore(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigIgn)
}

/// Gives `signal` its default action back.
pub fn restore(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigDfl)
}

/// Gives every signal its default action and blocks none: what a program expects at its start. No allocation.
///
/// Whoever called us may have ignored some (a shell does for background jobs), and the standard library ignores SIGPIPE.
pub fn reset_all() -> Result<(), Errno> {
    for signal in Signal::iterator() {
        // The two that nothing can change say so.
        if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            restore(signal)?;
        }
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// Blocks every signal, in the program this process executes, too: none is lost before that program waits for them.
pub fn block_all() -> Result<(), Errno> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)
}

fn set(signal: Signal, to: SigHandler) -> Result<(), Errno> {
    let action = SigAction::new(to, SaFlags::empty(), SigSet::empty());
    // SAFETY: neither ignoring nor the default action runs code of this process, so no handler can be unsound.
    unsafe { sigaction(signal, &action) }.map(drop)
}
