//! Namespaces and rights.

use crate::config::containers::Containers;
use crate::container::request::{CreateRequest, SecurityOpt};
use crate::error::Result;
use crate::runtime::caps::CapSet;

use super::super::create::CreateArgs;
use super::super::namespaces::{self, FindContainer, Words};
use super::super::security;
use super::{given, of};

pub(super) fn apply(
    config: &Containers,
    args: &CreateArgs,
    request: &mut CreateRequest,
    find: FindContainer<'_>,
) -> Result<()> {
    let flags = &args.security;
    let spaces = [
        (
            "pidns",
            &flags.pid,
            &config.pidns,
            &mut request.pid,
            Words::Plain,
        ),
        (
            "ipcns",
            &flags.ipc,
            &config.ipcns,
            &mut request.ipc,
            Words::Ipc,
        ),
        (
            "utsns",
            &flags.uts,
            &config.utsns,
            &mut request.uts,
            Words::Plain,
        ),
        (
            "cgroupns",
            &flags.cgroupns,
            &config.cgroupns,
            &mut request.cgroupns,
            Words::Plain,
        ),
    ];
    for (key, flag, default, to, words) in spaces {
        if flag.is_none() {
            *to = namespaces::mode(given(default), words, find).map_err(of(key))?;
        }
    }
    if let (None, None, Some(mode)) = (
        &flags.userns,
        std::env::var_os("PODMAN_USERNS"),
        given(&config.userns),
    ) {
        request.userns = namespaces::userns(mode).map_err(of("userns"))?;
    }
    request.privileged = flags.privileged.or(config.privileged) == Some(true);
    if let Some(names) = &config.default_capabilities {
        let set = CapSet::parse(names).map_err(of("default_capabilities"))?;
        // What all vendors' files spell out needs no place in the record.
        request.default_capabilities = (set != CapSet::DEFAULT).then(|| names.clone());
    }
    seccomp(config, request)?;
    let labelled = flags
        .security_opt
        .iter()
        .any(|opt| opt.starts_with("label"));
    if config.label == Some(false) && !labelled {
        request.security_opt.push(SecurityOpt::LabelDisable);
    }
    Ok(())
}

/// A privileged container has no filter unless the command line names one.
fn seccomp(config: &Containers, request: &mut CreateRequest) -> Result<()> {
    let chosen = request.security_opt.iter().any(|opt| {
        matches!(
            opt,
            SecurityOpt::SeccompUnconfined | SecurityOpt::SeccompProfile(_)
        )
    });
    if let Some(profile) = given(&config.seccomp_profile)
        && !chosen
        && !request.privileged
    {
        let option = security::option(&format!("seccomp={profile}"));
        request
            .security_opt
            .extend(option.map_err(of("seccomp_profile"))?);
    }
    Ok(())
}
