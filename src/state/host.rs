//! Which machine this is, and which of its boots: what ties a record to living processes.

use std::fs;

use crate::error::{Error, Result};

/// Identity of this machine: `/etc/machine-id`, else its host name (containers and minimal systems lack the file).
pub fn machine_id() -> String {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    match id.trim() {
        "" | "uninitialized" => {
            let name = nix::sys::utsname::uname();
            name.map(|name| name.nodename().to_string_lossy().into_owned())
                .unwrap_or_default()
        }
        id => id.to_string(),
    }
}

/// Identity of this boot of the kernel.
pub fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let id = fs::read_to_string(path).map_err(|err| Error::io(&err, format!("read \"{path}\"")))?;
    Ok(id.trim().to_string())
}

/// Start time of `pid` in clock ticks since boot (`proc_pid_stat(5)`, field 22); `None` when there is no such process.
///
/// Together with the boot id it makes a pid unique.
pub fn start_of(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    start_from_stat(&stat)
}

/// The command name, field 2, may hold blanks and brackets: fields are counted from the last bracket.
fn start_from_stat(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_start_time_and_a_boot() {
        let me = std::process::id().cast_signed();
        assert!(start_of(me).is_some());
        assert_eq!(start_of(me), start_of(me));
        assert_eq!(boot_id().unwrap().len(), 36);
        assert!(!machine_id().is_empty());
    }

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        for name in ["sh", "a) b", "((x)) 1 2"] {
            assert_eq!(start_from_stat(&format!("12 ({name}) {tail}")), Some(777));
        }
        assert_eq!(start_from_stat("12 (sh"), None);
    }
}
