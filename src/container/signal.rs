//! Names of signals, as `--stop-signal`, `kill --signal` and images write them.

use crate::error::{Error, Result};

const NAMES: [(&str, i32); 33] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("IOT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

/// First and last real-time signal; the C library keeps 32 and 33 for itself.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// `SIGTERM`, `term`, `15`, `RTMIN+3`, `SIGRTMAX-1`.
pub fn parse(text: &str) -> Result<i32> {
    let upper = text.trim().to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let number = if let Ok(number) = name.parse::<i32>() {
        Some(number)
    } else if let Some(rest) = name.strip_prefix("RTMIN") {
        offset(rest, '+').map(|n| RTMIN + n)
    } else if let Some(rest) = name.strip_prefix("RTMAX") {
        offset(rest, '-').map(|n| RTMAX - n)
    } else {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, number)| number)
    };
    number
        .filter(|n| (1..=RTMAX).contains(n))
        .ok_or_else(|| Error::usage(format!("invalid signal: {text}")))
}

fn offset(text: &str, sign: char) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    text.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from)
}

/// `SIGTERM`; a number nobody named comes back as digits.
pub fn name(number: i32) -> String {
    match NAMES.iter().find(|&&(_, n)| n == number) {
        Some((name, _)) => format!("SIG{name}"),
        None if (RTMIN..=RTMAX).contains(&number) => match number - RTMIN {
            0 => "SIGRTMIN".to_owned(),
            n => format!("SIGRTMIN+{n}"),
        },
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let table = [
            ("TERM", Some(15)),
            ("sigterm", Some(15)),
            ("9", Some(9)),
            ("SIGRTMIN+3", Some(37)),
            ("rtmax-1", Some(63)),
            ("RTMAX", Some(64)),
            ("0", None),
            ("65", None),
            ("RTMIN+99", None),
            ("NOPE", None),
            ("", None),
        ];
        for (text, want) in table {
            assert_eq!(parse(text).ok(), want, "{text}");
        }
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(37), "SIGRTMIN+3");
        for (text, number) in NAMES {
            assert_eq!(parse(text).ok(), Some(number));
            assert_eq!(parse(&name(number)).ok(), Some(number));
        }
    }
}
