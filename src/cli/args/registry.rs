//! Flags that say how to talk to a registry, shared by all commands that may pull.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::auth::Credentials;
use crate::error::{Error, Result};
use crate::image::{AccessOptions, PlatformRequest, PullOptions};

use super::value;
use crate::cli::prompt;

#[derive(Debug, clap::Args)]
pub struct RegistryArgs {
    /// File with credentials, instead of ${XDG_RUNTIME_DIR}/containers/auth.json and its kin
    #[arg(long, value_name = "PATH")]
    authfile: Option<PathBuf>,
    /// Directory of certificates (*.crt, *.cert, *.key) for the registry
    #[arg(long, value_name = "DIR")]
    cert_dir: Option<PathBuf>,
    /// Credentials for the registry
    #[arg(long, value_name = "USER:PASSWORD")]
    creds: Option<String>,
    /// Require HTTPS and check certificates (default: what registries.conf says, else true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = value::boolean)]
    tls_verify: Option<bool>,
    /// Tries after a failed one (default: 3)
    #[arg(long, value_name = "NUMBER", value_parser = value::unsigned32)]
    retry: Option<u32>,
    /// Pause between tries (default: half a second, doubling)
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    retry_delay: Option<Duration>,
    /// File with the policy of what may be pulled, instead of policy.json in its usual places
    #[arg(long, value_name = "PATH", hide = true)]
    signature_policy: Option<PathBuf>,
}

/// Which image of an index.
#[derive(Debug, clap::Args)]
pub struct PlatformArgs {
    /// Platform of the image, instead of this host's
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    platform: Option<String>,
    /// Architecture of the image, instead of this host's
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
    /// Operating system of the image
    #[arg(long, value_name = "OS")]
    os: Option<String>,
    /// Variant of the architecture
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
}

impl PlatformArgs {
    pub fn request(&self) -> Result<PlatformRequest> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let Some(platform) = given(&self.platform) else {
            return Ok(PlatformRequest {
                os: given(&self.os),
                architecture: given(&self.arch),
                variant: given(&self.variant),
            });
        };
        if given(&self.os).is_some() || given(&self.arch).is_some() {
            return Err(Error::usage(
                "--platform option can not be specified with --arch or --os",
            ));
        }
        let mut request = PlatformRequest::parse(&platform)?;
        if let Some(variant) = given(&self.variant) {
            request.variant = Some(variant);
        }
        Ok(request)
    }
}

impl RegistryArgs {
    pub fn options(&self, platform: &PlatformArgs) -> Result<PullOptions> {
        Ok(PullOptions {
            platform: platform.request()?,
            access: self.reach()?,
            signature_policy: value::given(&self.signature_policy),
        })
    }

    /// For commands that let nothing in, and have no use for a policy.
    pub fn access(&self) -> Result<AccessOptions> {
        if self.signature_policy.is_some() {
            return Err(Error::usage("unknown flag: --signature-policy"));
        }
        self.reach()
    }

    fn reach(&self) -> Result<AccessOptions> {
        Ok(AccessOptions {
            credentials: credentials(self.creds.as_deref())?,
            authfile: value::given(&self.authfile),
            cert_dir: value::given(&self.cert_dir),
            tls_verify: self.tls_verify,
            retry: self.retry,
            retry_delay: self.retry_delay,
        })
    }
}

/// The value of `--creds`. A password that is missing is asked for.
pub fn credentials(text: Option<&str>) -> Result<Option<Credentials>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.contains(':') {
        return Credentials::parse(text).map(Some);
    }
    let password = prompt::secret("Password")
        .map_err(|err| err.context("read the password that --creds lacks"))?;
    Credentials::parse(&format!("{text}:{password}")).map(Some)
}
