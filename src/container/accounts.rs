//! Who the container's `/etc/passwd` and `/etc/group` shall know: the user it runs as, the caller with
//! `--userns=keep-id`, and those `--hostuser` names. The rules are Podman's.

use nix::unistd::Gid;

use crate::error::{Error, Kind, Result};
use crate::rootless::identity::{self, Account};
use crate::runtime::accounts::{AccountEntry, AccountFile};

use super::engine::Containers;
use super::record::Record;
use super::request::{MountRequest, UsernsMode};

impl Containers {
    /// In the order in which they are added; an entry that the container has already is passed over there.
    pub(super) fn accounts(&self, record: &Record) -> Result<Vec<AccountEntry>> {
        let request = &record.request;
        if request.no_passwd {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for user in &request.host_users {
            let account = host_user(user)?;
            entries.push(passwd_of(record, &account));
        }
        let keeps_id = matches!(request.userns, UsernsMode::KeepId { .. });
        if keeps_id
            && self.me.uid.as_raw() != 0
            && let Some(account) = self.me.account()
        {
            let (uid, gid) = super::spec::own_ids(record);
            let account = Account {
                uid,
                gid,
                ..account.clone()
            };
            entries.push(passwd_of(record, &account));
            if let Some(group) = identity::group_name(Gid::from_raw(self.me.gid.as_raw())) {
                let line = format!("{group}:x:{gid}:{}", account.name);
                entries.push(AccountEntry {
                    file: AccountFile::Group,
                    name: group,
                    id: gid,
                    line,
                });
            }
        }
        entries.extend(of_user(record));
        entries.extend(group_of_user(record));
        Ok(entries)
    }
}

fn host_user(user: &str) -> Result<Account> {
    identity::account_of(user).ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!("add user {user:?} of this host: user: unknown user {user}"),
        )
        .with_kind(Kind::Usage)
    })
}

fn passwd_of(record: &Record, account: &Account) -> AccountEntry {
    let home = account.home.display().to_string();
    let mounted = record.request.mounts.iter().any(|mount| match mount {
        MountRequest::Bind { target, .. } | MountRequest::Volume { target, .. } => {
            std::path::Path::new(&home).starts_with(target)
        }
        _ => false,
    });
    let home = match mounted {
        true => home,
        false => record.process.cwd.clone(),
    };
    AccountEntry {
        file: AccountFile::Passwd,
        name: account.name.clone(),
        id: account.uid,
        line: passwd_line(
            record,
            [
                &account.name,
                &account.uid.to_string(),
                &account.gid.to_string(),
                &account.gecos,
                &home,
            ],
        ),
    }
}

/// Name, uid, gid, full name and home, in the form that `--passwd-entry` asks for.
fn passwd_line(record: &Record, [name, uid, gid, gecos, home]: [&str; 5]) -> String {
    match &record.request.passwd_entry {
        None => format!("{name}:*:{uid}:{gid}:{gecos}:{home}:/bin/sh"),
        Some(template) => template
            .replace("$USERNAME", name)
            .replace("$UID", uid)
            .replace("$GID", gid)
            .replace("$NAME", gecos)
            .replace("$HOME", home),
    }
}

/// A user given in digits, which the image may not know.
fn of_user(record: &Record) -> Option<AccountEntry> {
    let (user, group) = split(&record.process.user);
    let uid: u32 = user.parse().ok().filter(|uid| *uid != 0)?;
    // A group by name is looked up in the container, where this cannot look.
    let gid: u32 = group.map_or(Some(0), |group| group.parse().ok())?;
    let known = record.request.passwd_entry.is_none().then(|| {
        let account = identity::local_account(uid)?;
        Some((account.name, account.gecos))
    });
    let (name, gecos) = known
        .flatten()
        .unwrap_or_else(|| (user.to_owned(), "container user".to_owned()));
    let line = passwd_line(
        record,
        [
            &name,
            &uid.to_string(),
            &gid.to_string(),
            &gecos,
            &record.process.cwd,
        ],
    );
    Some(AccountEntry {
        file: AccountFile::Passwd,
        name,
        id: uid,
        line,
    })
}

fn group_of_user(record: &Record) -> Option<AccountEntry> {
    let (user, group) = split(&record.process.user);
    let template = &record.request.group_entry;
    if template.is_none() && group.is_none() {
        return None;
    }
    let gid: u32 = group.unwrap_or("0").parse().ok()?;
    let name = gid.to_string();
    let line = match template {
        None => format!("{gid}:x:{gid}:{user}"),
        Some(template) => template
            .replace("$GROUPNAME", &name)
            .replace("$GID", &name)
            .replace("$USERLIST", user),
    };
    Some(AccountEntry {
        file: AccountFile::Group,
        name,
        id: gid,
        line,
    })
}

fn split(user: &str) -> (&str, Option<&str>) {
    match user.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (user, None),
    }
}
