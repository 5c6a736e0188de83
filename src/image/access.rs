//! How registries are reached: who serves a name, with which credentials, certificates and patience; and whether the
//! policy lets an image in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reference::Reference;
use super::{AccessOptions, Images};
use crate::config::auth::{AuthFiles, Credentials};
use crate::config::containers::Containers;
use crate::config::policy::{Place, Policy};
use crate::config::proxy::Proxies;
use crate::config::registries::{Endpoint, Registries};
use crate::error::Result;
use crate::registry::{Client, ClientSettings, ProxySettings, RetrySettings, TransportSettings};
use crate::rootless::dirs;
use crate::rootless::identity::Identity;

impl Images<'_> {
    /// Fails unless policy.json lets an image in from `place`. Every door calls it before anything is read.
    ///
    /// `explicit`: the command line's `--signature-policy`.
    pub fn check_policy(&self, place: &Place, explicit: Option<&Path>) -> Result<()> {
        Policy::load(self.identity, explicit)?.check(place)
    }

    /// `--creds` is for the registry that was named, never for its mirrors.
    pub(super) fn credentials(
        &self,
        registries: &Registries,
        endpoint: &Endpoint,
        options: &AccessOptions,
    ) -> Result<Option<Credentials>> {
        credentials(self.identity, registries, endpoint, options)
    }

    pub(super) fn client(&self, options: &AccessOptions) -> Result<Client> {
        client(self.identity, options)
    }
}

pub(super) fn credentials(
    me: &Identity,
    registries: &Registries,
    endpoint: &Endpoint,
    options: &AccessOptions,
) -> Result<Option<Credentials>> {
    match &options.credentials {
        Some(given) if !endpoint.is_mirror => Ok(Some(given.clone())),
        _ => AuthFiles::locate(me, options.authfile.as_deref()).find_with(
            registries.credential_helpers(),
            &endpoint.registry,
            &endpoint.repository,
        ),
    }
}

/// The command line decides, then containers.conf, then the defaults.
pub(super) fn client(me: &Identity, options: &AccessOptions) -> Result<Client> {
    let config = Containers::load(me)?;
    let proxies = Proxies::from_env();
    let user = dirs::config_home(me).ok();
    let certs_d = user
        .map(|dir| dir.join("containers/certs.d"))
        .into_iter()
        .chain(["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from))
        .collect();
    let defaults = TransportSettings::default();
    let transport = TransportSettings {
        stall_timeout: stall_timeout().unwrap_or(defaults.stall_timeout),
        cert_dir: options.cert_dir.clone(),
        certs_d,
        proxies: ProxySettings {
            http: proxies.http,
            https: proxies.https,
            no_proxy: proxies.no_proxy,
        },
        ..defaults
    };
    let retry = RetrySettings {
        retries: options
            .retry
            .or(config.retry)
            .unwrap_or(RetrySettings::default().retries),
        delay: options.retry_delay,
    };
    let defaults = ClientSettings::default();
    Ok(Client::new(ClientSettings {
        transport,
        retry,
        parallel: match config.image_parallel_copies {
            Some(copies) if copies > 0 => copies as usize,
            _ => defaults.parallel,
        },
    }))
}

/// `POD_STALL_TIMEOUT`: the seconds that a registry may be silent for.
fn stall_timeout() -> Option<Duration> {
    let text = std::env::var("POD_STALL_TIMEOUT").ok()?;
    let seconds: u64 = text.parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Who can serve `reference`: mirrors first, the registry itself last.
pub(super) fn endpoints(
    registries: &Registries,
    reference: &Reference,
    options: &AccessOptions,
) -> Result<Vec<Endpoint>> {
    let by_digest = reference.digest().is_some();
    let mut endpoints =
        registries.endpoints(reference.registry(), reference.repository(), by_digest)?;
    for endpoint in &mut endpoints {
        verify(endpoint, options);
    }
    Ok(endpoints)
}

/// Where `reference` is pushed to: the registry it names, whatever mirrors or other locations it is read from.
pub(super) fn push_endpoint(
    registries: &Registries,
    reference: &Reference,
    options: &AccessOptions,
) -> Result<Endpoint> {
    let mut endpoint = registries.itself(reference.registry(), reference.repository())?;
    verify(&mut endpoint, options);
    Ok(endpoint)
}

/// `--tls-verify` has the last word.
pub(super) fn verify(endpoint: &mut Endpoint, options: &AccessOptions) {
    if let Some(verify) = options.tls_verify {
        endpoint.insecure = !verify;
    }
}

/// How the policy names an image in a registry.
pub(super) fn place_of(reference: &Reference) -> Place {
    let separator = match reference.digest() {
        Some(_) => '@',
        None => ':',
    };
    Place::docker(
        &reference.name(),
        &format!("{separator}{}", reference.selector()),
    )
}
