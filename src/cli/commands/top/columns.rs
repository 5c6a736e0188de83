//! The columns of `top`: names and headings as Podman's.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::container::{Container, Process};
use crate::runtime::caps::CapSet;

/// One column.
pub struct Column {
    pub name: &'static str,
    /// `%p`, of ps(1)'s AIX format; empty: none.
    pub code: &'static str,
    pub heading: &'static str,
    pub cell: fn(&Process, &Facts) -> String,
}

/// What columns need beside the process.
pub struct Facts {
    /// passwd(5) and group(5), of the container and of the host.
    users: String,
    groups: String,
    host_users: String,
    host_groups: String,
    /// Since boot.
    uptime: Duration,
    ticks_per_second: f64,
}

impl Facts {
    pub fn gather(container: &Container) -> Self {
        let host = |path: &str| std::fs::read_to_string(path).unwrap_or_default(); // then ids stay numbers
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Self {
            users: container.text_of("etc/passwd"),
            groups: container.text_of("etc/group"),
            host_users: host("/etc/passwd"),
            host_groups: host("/etc/group"),
            uptime: Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32),
            ticks_per_second: clock_ticks(),
        }
    }

    fn age(&self, process: &Process) -> Duration {
        let start = Duration::from_secs_f64(process.start_ticks as f64 / self.ticks_per_second);
        self.uptime.saturating_sub(start)
    }
}

macro_rules! columns {
    ($($name:literal $code:literal $heading:literal $cell:expr;)*) => {
        &[$(Column { name: $name, code: $code, heading: $heading, cell: $cell }),*]
    };
}

pub const ALL: &[Column] = columns! {
    "args" "%a" "COMMAND" |p, _| match p.args.is_empty() {
        true => format!("[{}]", p.name),
        false => p.args.join(" "),
    };
    "capamb" "" "AMBIENT CAPS" |p, _| caps(p.ambient);
    "capbnd" "" "BOUNDING CAPS" |p, _| caps(p.bounding);
    "capeff" "" "EFFECTIVE CAPS" |p, _| caps(p.effective);
    "capinh" "" "INHERITED CAPS" |p, _| caps(p.inheritable);
    "capprm" "" "PERMITTED CAPS" |p, _| caps(p.permitted);
    "comm" "%c" "COMMAND" |p, _| p.name.clone();
    "etime" "%t" "ELAPSED" |p, f| elapsed(f.age(p));
    "group" "%G" "GROUP" |p, f| name_of(&f.groups, p.gid[1]);
    "groups" "" "GROUPS" |p, f| names_of(&f.groups, &p.groups);
    "hgroup" "" "HGROUP" |p, f| name_of(&f.host_groups, p.host_gid);
    "hgroups" "" "HGROUPS" |p, f| names_of(&f.host_groups, &p.host_groups);
    "hpid" "" "HPID" |p, _| p.host_pid.to_string();
    "huser" "" "HUSER" |p, f| name_of(&f.host_users, p.host_uid);
    "label" "" "LABEL" |p, _| label(p.host_pid);
    "nice" "%n" "NI" |p, _| p.nice.to_string();
    "pcpu" "%C" "%CPU" |p, f| {
        let used = p.cpu_ticks as f64 / f.ticks_per_second;
        format!("{:.3}", 100.0 * used / f.age(p).as_secs_f64().max(0.01))
    };
    "pgid" "%r" "PGID" |p, _| p.group_leader.to_string();
    "pid" "%p" "PID" |p, _| p.pid.to_string();
    "ppid" "%P" "PPID" |p, _| p.parent.to_string();
    "rgroup" "%g" "RGROUP" |p, f| name_of(&f.groups, p.gid[0]);
    "rss" "" "RSS" |p, _| p.resident.to_string();
    "ruser" "%u" "RUSER" |p, f| name_of(&f.users, p.uid[0]);
    "seccomp" "" "SECCOMP" |p, _| ["disabled", "strict", "filter"]
        .get(usize::from(p.seccomp))
        .map_or("?", |word| word)
        .to_owned();
    "state" "" "STATE" |p, _| p.state.to_string();
    "stime" "" "STIME" |p, f| started(f.age(p));
    "time" "%x" "TIME" |p, f| {
        elapsed(Duration::from_secs((p.cpu_ticks as f64 / f.ticks_per_second) as u64))
    };
    "tty" "%y" "TTY" |p, _| match p.terminal.as_str() {
        "" => "?".to_owned(),
        name => name.to_owned(),
    };
    "user" "%U" "USER" |p, f| name_of(&f.users, p.uid[1]);
    "vsz" "%z" "VSZ" |p, _| p.virtual_size.to_string();
};

/// How often a second the kernel counts, 100 wherever it does not say (sysconf(3)).
fn clock_ticks() -> f64 {
    let told = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    told.ok().flatten().map_or(100.0, |ticks| ticks as f64)
}

/// The name a passwd or group file gives an id, else the id.
fn name_of(file: &str, id: u32) -> String {
    let number = id.to_string();
    let named = file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number && !name.is_empty()).then(|| name.to_owned())
    });
    named.unwrap_or(number)
}

fn names_of(file: &str, ids: &[u32]) -> String {
    let names: Vec<String> = ids.iter().map(|&id| name_of(file, id)).collect();
    names.join(",")
}

/// `full`, `none`, or names without `CAP_`.
fn caps(set: CapSet) -> String {
    if set == CapSet::ALL {
        return "full".to_owned();
    }
    let names: Vec<&str> = set
        .names()
        .into_iter()
        .map(|name| name.trim_start_matches("CAP_"))
        .collect();
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(","),
    }
}

/// As Go prints a duration: `1h2m3.5s`.
fn elapsed(time: Duration) -> String {
    let (hours, minutes) = (time.as_secs() / 3600, time.as_secs() / 60 % 60);
    let mut seconds = format!("{}.{:09}", time.as_secs() % 60, time.subsec_nanos());
    seconds.truncate(seconds.trim_end_matches('0').trim_end_matches('.').len());
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn started(age: Duration) -> String {
    let now = jiff::Timestamp::now();
    let start = jiff::SignedDuration::try_from(age).and_then(|age| now.checked_sub(age));
    let start = start.unwrap_or(now).to_zoned(TimeZone::system());
    start.strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// What SELinux or AppArmor call it.
fn label(pid: i32) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/attr/current")).unwrap_or_default();
    match text.trim_matches(['\0', '\n', ' ']) {
        "" => "?".to_owned(),
        label => label.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (millis, want) in [
            (0, "0s"),
            (3_920, "3.92s"),
            (60_000, "1m0s"),
            (3_723_500, "1h2m3.5s"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(millis)), want);
        }
    }

    #[test]
    fn names_come_from_the_files() {
        let passwd = "root:x:0:0::/:/bin/sh\n\nbroken\n:x:5:5::/:\nweb:x:33:33::/:\n";
        assert_eq!(name_of(passwd, 0), "root");
        assert_eq!(name_of(passwd, 5), "5");
        assert_eq!(names_of(passwd, &[33, 7]), "web,7");
    }
}
