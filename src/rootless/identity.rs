//! The calling user, without the C library's name service.
//!
//! The binary may be linked statically, where `getpwuid(3)` cannot load the modules of `nsswitch.conf`. So
//! `/etc/passwd` is read here, and a user who is not in it (LDAP, SSSD) is looked up by `getent(1)`, once and only
//! when the name is needed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::unistd::{Gid, Uid, getegid, geteuid, getgroups};

use crate::error::{Error, Kind, Result, Tried};

/// Who runs the command. Ids are known at once; name and home directory are looked up on first use.
#[derive(Debug, Clone)]
pub struct Identity {
    pub uid: Uid,
    pub gid: Gid,
    /// Supplementary groups.
    pub groups: Vec<Gid>,
    account: OnceLock<Option<Account>>,
}

/// One line of passwd(5), as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: PathBuf,
    /// Full name, or whatever the field says (GECOS).
    pub gecos: String,
}

impl Identity {
    /// The effective user and groups of this process.
    pub fn current() -> Result<Self> {
        let groups = getgroups().tried(|| "read the supplementary groups")?;
        Ok(Self {
            uid: geteuid(),
            gid: getegid(),
            groups,
            account: OnceLock::new(),
        })
    }

    /// An identity whose account is given, for tests and for other users' files.
    pub fn of(account: Account, groups: Vec<Gid>) -> Self {
        Self {
            uid: Uid::from_raw(account.uid),
            gid: Gid::from_raw(account.gid),
            groups,
            account: OnceLock::from(Some(account)),
        }
    }

    /// The login name; the uid in digits when nobody knows a name for it.
    pub fn name(&self) -> String {
        match self.account() {
            Some(account) => account.name.clone(),
            None => self.uid.to_string(),
        }
    }

    /// `$HOME` when it is an absolute path, else the home directory of the account.
    pub fn home(&self) -> Result<PathBuf> {
        if let Some(home) = home_from_env() {
            return Ok(home);
        }
        let known = self.account().map(|account| account.home.clone());
        known.filter(|home| home.is_absolute()).ok_or_else(|| {
            Error::new(
                Kind::NotFound,
                format!(
                    "find the home directory of uid {}: not in /etc/passwd, and HOME is not set",
                    self.uid
                ),
            )
            .hint("set HOME, or give --root and --runroot")
        })
    }

    /// The entry of `/etc/passwd`, else what `getent passwd UID` prints.
    pub fn account(&self) -> Option<&Account> {
        self.account
            .get_or_init(|| {
                let uid = self.uid.as_raw();
                std::fs::read_to_string("/etc/passwd")
                    .ok()
                    .and_then(|text| find_account(&text, Who::Uid(uid)))
                    .or_else(|| find_account(&getent("passwd", &uid.to_string())?, Who::Uid(uid)))
            })
            .as_ref()
    }
}

/// A user of the host by name, or by uid in digits; `None` when neither `/etc/passwd` nor `getent` knows it.
pub fn account_of(user: &str) -> Option<Account> {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uid = user.parse().ok().map(Who::Uid);
    let find = |text: &str| {
        let by_name = find_account(text, Who::Name(user));
        by_name.or_else(|| find_account(text, uid?))
    };
    let sound = !user.is_empty() && !user.starts_with('-');
    find(&text).or_else(|| find(&getent("passwd", user).filter(|_| sound)?))
}

/// A user of the host's own `/etc/passwd`: no other source is asked.
pub fn local_account(uid: u32) -> Option<Account> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    find_account(&text, Who::Uid(uid))
}

/// `$HOME`, unless it is unset, empty or relative.
pub fn home_from_env() -> Option<PathBuf> {
    std::env::var_os("HOME")
        .map(PathBuf::from)
        .filter(|home| home.is_absolute())
}

/// Name of a group of the host; `None` when neither `/etc/group` nor `getent` knows it.
pub fn group_name(gid: Gid) -> Option<String> {
    let gid = gid.as_raw();
    std::fs::read_to_string("/etc/group")
        .ok()
        .and_then(|text| find_group(&text, gid))
        .or_else(|| find_group(&getent("group", &gid.to_string())?, gid))
}

/// Output of `getent DATABASE KEY`; `None` when the program is missing or knows nothing.
fn getent(database: &str, key: &str) -> Option<String> {
    let done = Command::new("getent")
        .args([database, key])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    done.status
        .success()
        .then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

#[derive(Clone, Copy)]
enum Who<'a> {
    Uid(u32),
    Name(&'a str),
}

/// First entry of this user (passwd(5)); lines that are not entries are passed over.
fn find_account(text: &str, who: Who<'_>) -> Option<Account> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        let gecos = fields.next()?;
        let home = Path::new(fields.next()?);
        let wanted = match who {
            Who::Uid(uid) => found == uid,
            Who::Name(wanted) => name == wanted,
        };
        wanted.then(|| Account {
            gecos: gecos.to_owned(),
            name: name.to_owned(),
            uid: found,
            gid,
            home: home.to_owned(),
        })
    })
}

/// Name of the first group with this gid (group(5)).
fn find_group(text: &str, gid: u32) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == gid).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_uid() {
        let text = "root:x:0:0:root:/root:/bin/bash\n\n# no entry\n+::::::\nbad:x:one:1::/bad:/bin/sh\n\
                    alice:x:1000:100:Alice,,,:/home/alice:/bin/zsh\nalias:x:1000:5:::\n";
        let table = [
            (0, Some(("root", 0, "/root"))),
            (1000, Some(("alice", 100, "/home/alice"))),
            (1, None),
            (7, None),
        ];
        for (uid, want) in table {
            let got = find_account(text, Who::Uid(uid));
            let got = got
                .as_ref()
                .map(|a| (a.name.as_str(), a.gid, a.home.to_str().expect("utf-8")));
            assert_eq!(got, want, "uid {uid}");
        }
    }

    #[test]
    fn groups_are_found_by_gid() {
        let text = "root:x:0:\nvideo:x:44:alice,bob\nbroken\n";
        assert_eq!(find_group(text, 44).as_deref(), Some("video"));
        assert_eq!(find_group(text, 45), None);
    }
}
