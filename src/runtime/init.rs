//! Runs in: init, from the clone to the exec.
//!
//! System calls only: everything is allocated before the clone, nothing is locked, and the way out is an exec or
//! `_exit`. In two halves. The first looks at the host: it opens or makes whatever will be mounted and needs no mapped
//! id, so it runs while `newuidmap` is still at work. The second mounts the root, and then sees that only: it attaches
//! every mount by descriptor, at places resolved beneath the root.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use rustix::fs::{
    CWD, FileType, Mode, OFlags, RawMode, fstat, mkdirat, mknodat, openat, symlinkat,
};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
    open_tree, unmount,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::sys;
use crate::sys::mount::mount_attr;

use super::accounts::AccountStep;
use super::copy_up::{self, Keep};
use super::files::{self, FileStep};
use super::message::{Channel, Message};
use super::mounts::{ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY, MountStep, Role, Source};
use super::process::ProcessPlan;
use super::rootfs::RootPlan;
use super::step::{At, Failed, Step};
use super::target::{self, Make};
use super::user::Found;

/// All that init needs, allocated before the clone. The parent keeps its own copy to word failures.
#[derive(Debug)]
pub(super) struct InitPlan {
    pub(super) root: RootPlan,
    pub(super) read_only: bool,
    pub(super) mounts: Vec<MountStep>,
    pub(super) devices: Vec<Device>,
    pub(super) secrets: Vec<FileStep>,
    pub(super) accounts: Vec<AccountStep>,
    pub(super) read_only_paths: Vec<Covered>,
    pub(super) masked_paths: Vec<Covered>,
    /// Path below `/proc/sys`, value.
    pub(super) sysctls: Vec<(CString, Vec<u8>)>,
    pub(super) hostname: Option<Vec<u8>>,
    pub(super) domainname: Option<Vec<u8>>,
    /// A network namespace of its own: bring `lo` up.
    pub(super) loopback: bool,
    /// A cgroup namespace is made here, where the group is the container's own.
    pub(super) cgroup_namespace: bool,
    /// Rows and columns of a terminal to make.
    pub(super) pty: Option<(u16, u16)>,
    pub(super) stdio: [Option<OwnedFd>; 3],
    /// The ids are mapped after the user has been looked up, see [`Message::WantIds`].
    pub(super) asks_for_ids: bool,
    /// Root exists inside: become it to make what is missing.
    pub(super) has_root: bool,
    /// `setgroups(2)` works: it must be denied in a single-id map.
    pub(super) may_set_groups: bool,
    pub(super) process: ProcessPlan,
}

/// A device of the host, bound to the same name inside.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) source: CString,
    /// Relative to the container's root.
    pub(super) target: CString,
    /// Character or block, major, minor.
    pub(super) kind: FileType,
    pub(super) number: (u32, u32),
    pub(super) fd: Option<OwnedFd>,
}

/// A path to mask or to make read-only.
#[derive(Debug)]
pub(super) struct Covered {
    /// The mount of the plan it lies in (`/proc`, `/sys`), which nothing of the image can redirect; else the root.
    pub(super) within: Option<usize>,
    /// Relative to that.
    pub(super) path: CString,
    pub(super) shown: String,
}

/// Names that programs expect in `/dev`.
const DEV_LINKS: [(&CStr, &CStr); 6] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
    (c"/proc/kcore", c"core"),
    (c"pts/ptmx", c"ptmx"),
];

const EMPTY: MoveMountFlags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
/// The target is a descriptor, too.
const ONTO: MoveMountFlags = EMPTY.union(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH);
const CLONE: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);
const CLONE_FD: OpenTreeFlags = CLONE.union(OpenTreeFlags::AT_EMPTY_PATH);

/// The child's side of the clone. Never returns.
pub(super) fn main(plan: &mut InitPlan, channel: &Channel) -> ! {
    let ready = run(plan, channel);
    plan.process.finish(ready, &plan.stdio, channel)
}

fn run(plan: &mut InitPlan, channel: &Channel) -> Result<(OwnedFd, Found), Failed> {
    rustix::process::setsid().at(Step::Session, 0)?;

    if plan.cgroup_namespace {
        sys::process::unshare_cgroups().at(Step::CgroupNamespace, 0)?;
    }
    // First half: the host's view, while the ids are being mapped.
    if plan.loopback {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)
            .at(Step::Loopback, 0)?;
        sys::net::loopback_up(socket.as_fd()).at(Step::Loopback, 1)?;
    }
    if let Some(name) = &plan.hostname {
        rustix::system::sethostname(name).at(Step::Hostname, 0)?;
    }
    if let Some(name) = &plan.domainname {
        rustix::system::setdomainname(name).at(Step::Domainname, 0)?;
    }
    for (index, mount) in plan.mounts.iter_mut().enumerate() {
        // What lies below a volume may be open to the container's ids only: see `make_file_systems`.
        if let (Source::Bind { path, recursive }, None) = (&mount.source, &mount.subpath) {
            mount.fd = Some(bind_source(path, *recursive).at(Step::MountSource, index)?);
        }
    }
    for (index, device) in plan.devices.iter_mut().enumerate() {
        device.fd = Some(open_device(device, index)?);
    }
    make_file_systems(&mut plan.mounts, false)?;

    let early = match plan.asks_for_ids {
        true => {
            let root = plan.root.open_for_reading()?;
            Some(plan.process.find_user(root.as_fd())?)
        }
        false => None,
    };
    if let Some(user) = &early {
        let (uid, gid) = (user.uid, user.gid);
        channel
            .send(Message::WantIds { uid, gid })
            .at(Step::Message, 0)?;
    }
    channel.expect(Message::MapsWritten).at(Step::Message, 1)?;

    // Second half: the container's view.
    let root = plan.root.mount()?;
    become_root(plan)?;
    plan.process.join_keyring()?;
    make_file_systems(&mut plan.mounts, true)?;
    if !plan.root.is_attached() {
        move_mount(&root, c"", CWD, c"/", EMPTY).at(Step::AttachRoot, 0)?;
    }
    for index in 0..plan.mounts.len() {
        attach(plan, root.as_fd(), index)?;
    }
    if let Some(memory) = role(plan, Role::Secrets) {
        files::bind(&plan.secrets, memory.as_fd(), root.as_fd(), plan.read_only)?;
    }
    write_sysctls(plan)?;
    cover(plan, root.as_fd())?;
    if plan.pty.is_some() {
        make_terminal(plan, root.as_fd(), channel)?;
    }
    if !plan.accounts.is_empty() {
        plan.process.add_accounts(&plan.accounts, root.as_fd())?;
    }
    let user = match early {
        Some(user) => user,
        None => plan.process.find_user(root.as_fd())?,
    };
    finish_mounts(plan, &user)?;
    plan.process
        .own_stdio(&plan.stdio, plan.pty.is_some(), &user)?;
    plan.process.make_cwd(root.as_fd())?;
    enter_root(plan, root.as_fd())?;

    channel.expect(Message::NetReady).at(Step::Message, 2)?;
    // Now that nobody needs to open our namespaces any more: another process of this container (one that shares a
    // pid namespace) must reach neither our memory nor, by `/proc/PID/exe`, our binary. The exec takes it back.
    sys::process::prctl(libc::PR_SET_DUMPABLE, 0, 0).at(Step::Dumpable, 0)?;
    Ok((root, user))
}

fn bind_source(path: &CStr, recursive: bool) -> rustix::io::Result<OwnedFd> {
    let mut flags = CLONE;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(CWD, path, flags)
}

/// Opens a device of the host as a mount of its own, and checks that it is what its name promises.
fn open_device(device: &Device, index: usize) -> Result<OwnedFd, Failed> {
    let flags = CLONE | OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    let fd = open_tree(CWD, device.source.as_c_str(), flags).at(Step::Device, index)?;
    let found = fstat(&fd).at(Step::Device, index)?;
    let number = (
        rustix::fs::major(found.st_rdev),
        rustix::fs::minor(found.st_rdev),
    );
    if FileType::from_raw_mode(found.st_mode) != device.kind || number != device.number {
        return Err(Failed::new(Step::DeviceIdentity, index, Errno::ENODEV));
    }
    Ok(fd)
}

/// Makes the new file systems, those that look at mapped ids (`with_maps`) or the others.
fn make_file_systems(mounts: &mut [MountStep], with_maps: bool) -> Result<(), Failed> {
    for (index, mount) in mounts.iter_mut().enumerate() {
        let (kind, parameters, needs_maps) = match &mount.source {
            Source::New {
                kind,
                parameters,
                needs_maps,
            } => (kind, parameters, needs_maps),
            Source::Overlay(_) | Source::Bind { .. } if with_maps => {
                if let Some(fd) = open_part(mount).at(Step::MountSource, index)? {
                    mount.fd = Some(fd);
                }
                continue;
            }
            _ => continue,
        };
        if *needs_maps != with_maps {
            continue;
        }
        match make_file_system(kind, parameters, mount.attr_set) {
            Ok(fd) => mount.fd = Some(fd),
            Err(_) if mount.optional => {}
            Err(errno) => return Err(errno).at(Step::Mount, index),
        }
    }
    Ok(())
}

fn make_file_system(
    kind: &CStr,
    parameters: &[(CString, Option<CString>)],
    attributes: u64,
) -> rustix::io::Result<OwnedFd> {
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in parameters {
        match value {
            Some(value) => fsconfig_set_string(&fs, key.as_c_str(), value.as_c_str())?,
            None => fsconfig_set_flag(&fs, key.as_c_str())?,
        }
    }
    fsconfig_create(&fs)?;
    let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
    fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A mount that mapped ids are needed for: an overlay, or what lies below a bind's source. `None`: neither.
fn open_part(mount: &MountStep) -> rustix::io::Result<Option<OwnedFd>> {
    let (whole, recursive) = match (&mount.source, &mount.subpath) {
        (Source::Overlay(overlay), part) => {
            let whole = overlay
                .mount()
                .map_err(|failed| rustix::io::Errno::from_raw_os_error(failed.errno as i32))?;
            if part.is_none() {
                return Ok(Some(whole));
            }
            // Older kernels copy no part of a tree that is mounted nowhere. This place goes with the old root.
            if !overlay.is_attached() {
                move_mount(&whole, c"", CWD, c"/", EMPTY)?;
            }
            (whole, false)
        }
        (Source::Bind { path, recursive }, Some(_)) => {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            (
                rustix::fs::open(path.as_c_str(), flags, Mode::empty())?,
                *recursive,
            )
        }
        _ => return Ok(None),
    };
    let part = match &mount.subpath {
        Some(part) => target::open(whole.as_fd(), part, Make::Nothing)?,
        None => whole,
    };
    let mut flags = CLONE_FD;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(&part, c"", flags).map(Some)
}

/// What is done to mounts when everything is in them and the user is known.
fn finish_mounts(plan: &InitPlan, user: &Found) -> Result<(), Failed> {
    for (index, mount) in plan.mounts.iter().enumerate() {
        let Some(fd) = &mount.fd else { continue };
        if mount.of_user {
            let (uid, gid) = (
                rustix::fs::Uid::from_raw(user.uid),
                rustix::fs::Gid::from_raw(user.gid),
            );
            rustix::fs::chownat(
                fd,
                c"",
                Some(uid),
                Some(gid),
                rustix::fs::AtFlags::EMPTY_PATH,
            )
            .at(Step::MountOwner, index)?;
        }
        if mount.late_read_only {
            let attr = mount_attr {
                attr_set: ATTR_RDONLY,
                attr_clr: 0,
                propagation: 0,
                userns_fd: 0,
            };
            sys::mount::mount_setattr(fd.as_fd(), c"", libc::AT_EMPTY_PATH, &attr)
                .at(Step::Mount, index)?;
        }
    }
    Ok(())
}

fn become_root(plan: &InitPlan) -> Result<(), Failed> {
    if plan.may_set_groups && !plan.process.keep_groups {
        sys::process::setgroups(&[]).at(Step::GiveUpGroups, 0)?;
    }
    if plan.has_root {
        sys::process::setresgid(0).at(Step::BecomeRoot, 0)?;
        sys::process::setresuid(0).at(Step::BecomeRoot, 1)?;
        // A change of ids makes a process non-dumpable; the network's helpers have yet to open our namespaces.
        sys::process::prctl(libc::PR_SET_DUMPABLE, 1, 0).at(Step::Dumpable, 1)?;
    }
    Ok(())
}

/// Keys of the caller's session stay out of reach.
/// Puts a mount in its place, and fills `/dev` once it is there.
fn attach(plan: &mut InitPlan, root: BorrowedFd<'_>, index: usize) -> Result<(), Failed> {
    let mount = &plan.mounts[index];
    if let Source::Link(text) = &mount.source {
        return target::link(root, &mount.target, text).at(Step::MountTarget, index);
    }
    let Some(fd) = &mount.fd else {
        return Ok(()); // optional, and not to be had here
    };
    let is_bind = !matches!(mount.source, Source::New { .. });
    let directory = match is_bind {
        false => true,
        true => {
            let found = fstat(fd).at(Step::MountSource, index)?;
            FileType::from_raw_mode(found.st_mode) == FileType::Directory
        }
    };
    let mut found = false;
    let place = match (mount.role, directory) {
        // The image must not move these: what is written to them later is trusted.
        (Role::Proc | Role::Sys | Role::Dev | Role::Devpts, true) => {
            target::open_plain(root, &mount.target)
        }
        (_, true) if mount.like_place => {
            let there = target::open_directory(root, &mount.target);
            found = there.is_ok();
            there.or_else(|_| target::open(root, &mount.target, Make::Directory))
        }
        (_, true) => target::open(root, &mount.target, Make::Directory),
        (_, false) => target::open(root, &mount.target, Make::File),
    };
    let place = match place {
        Ok(place) => place,
        // `/sys/fs/cgroup` of a kernel without cgroups.
        Err(_) if mount.optional => return Ok(()),
        Err(errno) => return Err(errno).at(Step::MountTarget, index),
    };
    if is_bind {
        set_attributes(fd.as_fd(), mount).at(Step::Mount, index)?;
    }
    if found {
        let keep = Keep {
            mode: mount.mode_given,
            owner: mount.owner_given,
            single: !plan.may_set_groups,
        };
        copy_up::take_over(place.as_fd(), fd.as_fd(), mount.copy_up, keep)
            .at(Step::CopyUp, index)?;
    }
    move_mount(fd, c"", &place, c"", ONTO).at(Step::Mount, index)?;
    match mount.role {
        Role::Dev => fill_dev(plan, root, index)?,
        Role::Secrets => files::fill(&mut plan.secrets, fd.as_fd(), plan.may_set_groups)?,
        _ => {}
    }
    Ok(())
}

fn set_attributes(fd: BorrowedFd<'_>, mount: &MountStep) -> Result<(), Errno> {
    let mut attr = mount_attr {
        attr_set: mount.attr_set,
        attr_clr: mount.attr_clear,
        propagation: mount.propagation,
        userns_fd: 0,
    };
    let all = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    match (mount.attr_recursive, mount.propagation_recursive) {
        (true, true) => sys::mount::mount_setattr(fd, c"", all, &attr),
        (true, false) => {
            attr.propagation = 0;
            sys::mount::mount_setattr(fd, c"", all, &attr)?;
            attr.propagation = mount.propagation;
            sys::mount::mount_setattr(fd, c"", libc::AT_EMPTY_PATH, &attr)
        }
        (false, _) => sys::mount::mount_setattr(fd, c"", libc::AT_EMPTY_PATH, &attr),
    }
}

/// Devices and links of a fresh `/dev`, which is ours alone: nothing of the image is in it.
fn fill_dev(plan: &InitPlan, root: BorrowedFd<'_>, dev: usize) -> Result<(), Failed> {
    let Some(dev) = &plan.mounts[dev].fd else {
        return Ok(());
    };
    for (index, device) in plan.devices.iter().enumerate() {
        let Some(fd) = &device.fd else { continue };
        let attr = mount_attr {
            attr_set: ATTR_NOSUID | ATTR_NOEXEC,
            attr_clr: 0,
            propagation: libc::MS_PRIVATE,
            userns_fd: 0,
        };
        sys::mount::mount_setattr(fd.as_fd(), c"", libc::AT_EMPTY_PATH, &attr)
            .at(Step::Device, index)?;
        let name = device.target.to_bytes_with_nul();
        match name.strip_prefix(b"dev/").map(CStr::from_bytes_with_nul) {
            Some(Ok(name)) if !name.to_bytes().contains(&b'/') => {
                mknodat(
                    dev,
                    name,
                    FileType::RegularFile,
                    Mode::from_raw_mode(0o666),
                    0,
                )
                .at(Step::Device, index)?;
                move_mount(fd, c"", dev, name, EMPTY).at(Step::Device, index)?;
            }
            _ => {
                let place =
                    target::open(root, &device.target, Make::File).at(Step::Device, index)?;
                move_mount(fd, c"", &place, c"", ONTO).at(Step::Device, index)?;
            }
        }
    }
    for (index, (target, name)) in DEV_LINKS.into_iter().enumerate() {
        symlinkat(target, dev, name).at(Step::DeviceLink, index)?;
    }
    // Where the next mounts go, made without a walk.
    for name in [c"pts", c"shm", c"mqueue"] {
        mkdirat(dev, name, Mode::from_raw_mode(0o755 as RawMode)).at(Step::DeviceLink, 6)?;
    }
    Ok(())
}

/// Writes through our own procfs, by its descriptor: nothing that is mounted or linked over `/proc` is on the way.
fn write_sysctls(plan: &InitPlan) -> Result<(), Failed> {
    if plan.sysctls.is_empty() {
        return Ok(());
    }
    let proc = role(plan, Role::Proc).ok_or(Failed::new(Step::Sysctl, 0, Errno::ENOENT))?;
    for (index, (path, value)) in plan.sysctls.iter().enumerate() {
        let resolve = rustix::fs::ResolveFlags::BENEATH
            | rustix::fs::ResolveFlags::NO_SYMLINKS
            | rustix::fs::ResolveFlags::NO_XDEV;
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(proc, path.as_c_str(), flags, Mode::empty(), resolve)
            .at(Step::Sysctl, index)?;
        rustix::io::write(&file, value).at(Step::Sysctl, index)?;
    }
    Ok(())
}

/// Masks and read-only paths. What does not exist needs no cover.
fn cover(plan: &InitPlan, root: BorrowedFd<'_>) -> Result<(), Failed> {
    for (index, covered) in plan.read_only_paths.iter().enumerate() {
        let Some(place) = find_covered(plan, root, covered).at(Step::ReadOnlyPath, index)? else {
            continue;
        };
        let flags = CLONE_FD | OpenTreeFlags::AT_RECURSIVE;
        let copy = open_tree(&place, c"", flags).at(Step::ReadOnlyPath, index)?;
        let attr = mount_attr {
            attr_set: ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC,
            attr_clr: 0,
            propagation: libc::MS_PRIVATE,
            userns_fd: 0,
        };
        sys::mount::mount_setattr(
            copy.as_fd(),
            c"",
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &attr,
        )
        .at(Step::ReadOnlyPath, index)?;
        move_mount(&copy, c"", &place, c"", ONTO).at(Step::ReadOnlyPath, index)?;
    }
    // One empty directory and the null device, cloned over each path.
    let mut empty: Option<OwnedFd> = None;
    for (index, covered) in plan.masked_paths.iter().enumerate() {
        let Some(place) = find_covered(plan, root, covered).at(Step::MaskedPath, index)? else {
            continue;
        };
        let found = fstat(&place).at(Step::MaskedPath, index)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            let null = plan.devices.first().and_then(|null| null.fd.as_ref());
            let null = null.ok_or(Failed::new(Step::MaskedPath, index, Errno::ENODEV))?;
            let copy = open_tree(null, c"", CLONE_FD).at(Step::MaskedPath, index)?;
            move_mount(&copy, c"", &place, c"", ONTO).at(Step::MaskedPath, index)?;
        } else if let Some(empty) = &empty {
            let copy = open_tree(empty, c"", CLONE_FD).at(Step::MaskedPath, index)?;
            move_mount(&copy, c"", &place, c"", ONTO).at(Step::MaskedPath, index)?;
        } else {
            let attributes = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC;
            let first = make_file_system(c"tmpfs", &[], attributes).at(Step::MaskedPath, index)?;
            move_mount(&first, c"", &place, c"", ONTO).at(Step::MaskedPath, index)?;
            empty = Some(first);
        }
    }
    Ok(())
}

/// The place of a covered path; `None` when it does not exist.
fn find_covered(
    plan: &InitPlan,
    root: BorrowedFd<'_>,
    covered: &Covered,
) -> rustix::io::Result<Option<OwnedFd>> {
    let within = covered
        .within
        .and_then(|index| plan.mounts[index].fd.as_ref());
    let found = match within {
        Some(mount) => {
            let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            openat(mount, covered.path.as_c_str(), flags, Mode::empty())
        }
        None => target::open(root, &covered.path, Make::Nothing),
    };
    match found {
        Ok(place) => Ok(Some(place)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::ACCESS) => {
            Ok(None)
        }
        Err(errno) => Err(errno),
    }
}

fn role(plan: &InitPlan, role: Role) -> Option<&OwnedFd> {
    plan.mounts
        .iter()
        .find(|mount| mount.role == role)
        .and_then(|mount| mount.fd.as_ref())
}

/// A terminal of the container's own devpts: the slave is stdio, controlling terminal and `/dev/console`.
fn make_terminal(
    plan: &mut InitPlan,
    root: BorrowedFd<'_>,
    channel: &Channel,
) -> Result<(), Failed> {
    let Some(size) = plan.pty else { return Ok(()) };
    let devpts = role(plan, Role::Devpts).ok_or(Failed::new(Step::Terminal, 0, Errno::ENOENT))?;
    let (master, slave) = open_terminal(devpts.as_fd(), c"ptmx", size).at(Step::Terminal, 1)?;
    if let Some(dev) = role(plan, Role::Dev) {
        // By descriptor from the slave itself: no name that could be something else by now.
        let console = open_tree(&slave, c"", CLONE_FD).at(Step::Console, 0)?;
        mknodat(
            dev,
            c"console",
            FileType::RegularFile,
            Mode::from_raw_mode(0o600),
            0,
        )
        .at(Step::Console, 1)?;
        move_mount(&console, c"", dev, c"console", EMPTY).at(Step::Console, 2)?;
    }
    let _ = root;
    sys::fd::set_controlling_terminal(slave.as_fd()).at(Step::Terminal, 2)?;
    channel
        .send_fd(Message::Terminal, master.as_fd())
        .at(Step::Terminal, 3)?;
    let copy = |least| sys::fd::dup_above(slave.as_fd(), least).at(Step::Terminal, 4);
    plan.stdio = [Some(copy(10)?), Some(copy(10)?), Some(copy(10)?)];
    Ok(())
}

/// Master and slave of a new terminal, from the multiplexer `name` in `directory`.
pub(super) fn open_terminal(
    directory: BorrowedFd<'_>,
    name: &CStr,
    (rows, columns): (u16, u16),
) -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let master = openat(directory, name, flags, Mode::empty())?;
    unlockpt(&master)?;
    // Not by its name, which would be looked up in a tree that is not ours.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    if rows > 0 && columns > 0 {
        tcsetwinsize(
            &master,
            Winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )?;
    }
    Ok((master, slave))
}

/// Makes the container's root the only one there is.
fn enter_root(plan: &InitPlan, root: BorrowedFd<'_>) -> Result<(), Failed> {
    if plan.read_only {
        let attr = mount_attr {
            attr_set: ATTR_RDONLY,
            attr_clr: 0,
            propagation: 0,
            userns_fd: 0,
        };
        sys::mount::mount_setattr(root, c"", libc::AT_EMPTY_PATH, &attr)
            .at(Step::ReadOnlyRoot, 0)?;
    }
    rustix::process::fchdir(root).at(Step::PivotRoot, 0)?;
    sys::mount::pivot_root_here().at(Step::PivotRoot, 1)?;
    // The old root now lies over the new one, at the same place.
    unmount(c".", UnmountFlags::DETACH).at(Step::DetachOldRoot, 0)?;
    rustix::process::chdir(c"/").at(Step::DetachOldRoot, 1)
}
