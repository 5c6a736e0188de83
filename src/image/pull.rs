//! Pull: which image a name means, who has it, and how to ask; [`intake`](super::intake) takes what is found.
//!
//! | step | process | what |
//! | --- | --- | --- |
//! | 1 | cli, tokio | manifest and config, checked; the runtime is gone again |
//! | 2 | cli, worker | intake brings what is missing |

use super::intake::{Wanted, platform_of};
use super::reference::{Name, Reference};
use super::source::{ImageSource, Incoming};
use super::transport::{self, Transport};
use super::{Event, Image, Images, Platform, Progress, PullOptions, PullPolicy, access, resolve};
use crate::config::registries::{Endpoint, Registries, remember_alias};
use crate::error::{Error, Kind, Result};
use crate::registry::{BlobJob, Client, Remote, Source};
use crate::storage::Digest;

/// A registry that has the image, and the client that talks to it.
#[derive(Debug)]
struct RegistrySource {
    client: Client,
    source: Source,
}

impl ImageSource for RegistrySource {
    fn place(&self) -> String {
        self.source.place()
    }

    fn fetch_blobs(&self, jobs: Vec<BlobJob<'_>>, progress: &mut dyn Progress) -> Result<()> {
        self.client.fetch_blobs(&self.source, jobs, progress)
    }
}

impl Images<'_> {
    /// The image of that name, pulled first if the policy says so.
    pub fn ensure(
        &self,
        text: &str,
        policy: PullPolicy,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let from_files = !matches!(transport::parse(text)?, Transport::Registry(_));
        let pulled = |image| Image {
            pulled: true,
            ..image
        };
        let local = match policy {
            // What lies in a file is read whatever the policy, as in Podman: no registry is asked.
            _ if from_files => return self.pull(text, options, progress).map(pulled),
            PullPolicy::Always => None,
            _ => match self.find(text) {
                Ok(image) => Some(image),
                Err(err) if err.kind() == Kind::NotFound => None,
                // A word that cannot be looked up cannot be pulled either.
                Err(err) => return Err(err),
            },
        };
        let image = match (policy, local) {
            (PullPolicy::Never, Some(image)) => image,
            (PullPolicy::Never, None) => {
                return Err(
                    super::lookup::unknown(text).hint("pull it, or use another --pull policy")
                );
            }
            (PullPolicy::Missing, Some(image)) if fits(&image, options) => image,
            (PullPolicy::Newer, Some(image)) => match self.pull(text, options, progress) {
                Ok(image) => pulled(image),
                Err(err) => {
                    let text = format!("{err}, using the image that is here");
                    progress.event(&Event::Warning { text: &text });
                    image
                }
            },
            _ => pulled(self.pull(text, options, progress)?),
        };
        let image = self.make_mountable(image, progress)?;
        if options.platform.is_empty() {
            let (have, want) = (platform_of(&image.config), Platform::host());
            if want.distance(&have).is_none() {
                let text = format!(
                    "image platform ({have}) does not match the expected platform ({want})"
                );
                progress.event(&Event::Warning { text: &text });
            }
        }
        Ok(image)
    }

    /// Fetches the image, whatever is here already; what is, is not fetched again.
    pub fn pull(
        &self,
        text: &str,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let name: Name = match transport::parse(text)? {
            Transport::Registry(name) => name.parse()?,
            other => return self.pull_files(&other, options, progress),
        };
        let registries = Registries::load(self.identity)?;
        let chosen = resolve::choose(&registries, &name, progress)?;
        let (candidates, why) = match &chosen {
            Some(chosen) => (vec![chosen.clone()], None),
            None => resolve::candidates(&registries, &name)?,
        };
        if let Some(why) = &why {
            progress.event(&Event::Resolved { name: text, why });
        }
        let mut failed: Vec<Error> = Vec::new();
        let mut candidates = candidates.into_iter().peekable();
        while let Some(reference) = candidates.next() {
            let reference = reference.pinned();
            let shown = reference.to_string();
            progress.event(&Event::Trying { from: &shown });
            match self.pull_reference(&registries, &reference, options, progress) {
                Ok(image) => {
                    if chosen.is_some()
                        && let Err(err) =
                            remember_alias(self.identity, name.repository(), &reference.name())
                    {
                        let text = err.to_string(); // it is asked again next time
                        progress.event(&Event::Warning { text: &text });
                    }
                    return Ok(image);
                }
                Err(err) => {
                    let err = err.context(format!("pull {shown}"));
                    if candidates.peek().is_some() {
                        let why = err.to_string();
                        progress.event(&Event::TriedInVain {
                            from: &shown,
                            why: &why,
                        });
                    }
                    failed.push(err);
                }
            }
        }
        Err(one_of(failed))
    }

    /// The tags of a repository, for `pull --all-tags`: full names.
    pub fn remote_tags(
        &self,
        text: &str,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Vec<String>> {
        let name = parse_name(text)?;
        if name.tag().is_some() || name.digest().is_some() {
            return Err(Error::usage(format!(
                "pull all tags of \"{text}\": the name has a tag or a digest already"
            )));
        }
        let registries = Registries::load(self.identity)?;
        let (candidates, _) = resolve::candidates(&registries, &name)?;
        let mut failed = Vec::new();
        let client = self.client(&options.access)?;
        for reference in candidates {
            for endpoint in access::endpoints(&registries, &reference, &options.access)? {
                let credentials = self.credentials(&registries, &endpoint, &options.access)?;
                match client.tags(&endpoint, credentials, progress) {
                    Ok(tags) => {
                        let name = reference.name();
                        return Ok(tags.iter().map(|tag| format!("{name}:{tag}")).collect());
                    }
                    Err(err) => failed.push(err),
                }
            }
        }
        Err(one_of(failed))
    }

    fn pull_reference(
        &self,
        registries: &Registries,
        reference: &Reference,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        self.check_policy(
            &access::place_of(reference),
            options.signature_policy.as_deref(),
        )?;
        let client = self.client(&options.access)?;
        let mut last = None;
        for endpoint in access::endpoints(registries, reference, &options.access)? {
            let err = match self
                .pull_from(&client, registries, &endpoint, reference, options, progress)
            {
                Ok(image) => return Ok(image),
                Err(err) => err,
            };
            if !endpoint.is_mirror || matches!(err.kind(), Kind::NoSpace | Kind::System) {
                return Err(err);
            }
            let from = format!("mirror {}/{}", endpoint.registry, endpoint.repository);
            let why = err.to_string();
            progress.event(&Event::TriedInVain {
                from: &from,
                why: &why,
            });
            last = Some(err);
        }
        // The registry itself comes last in the list, so this is for an empty one.
        Err(last.unwrap_or_else(|| Error::new(Kind::Registry, "no registry to ask")))
    }

    /// Pulls from one mirror, or from the registry itself.
    fn pull_from(
        &self,
        client: &Client,
        registries: &Registries,
        endpoint: &Endpoint,
        reference: &Reference,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let want = options.platform.resolve();
        let known = |digest: &Digest| self.store.read_blob(digest, None).ok();
        let credentials = self.credentials(registries, endpoint, &options.access)?;
        let selector = reference.selector();
        let remote: Remote =
            client.resolve(endpoint, credentials, &selector, &want, &known, progress)?;
        let incoming = Incoming {
            index: remote.index,
            manifest: remote.manifest,
            config: remote.config,
            config_digest: remote.config_digest,
            layers: remote.layers,
        };
        let source = RegistrySource {
            client: client.clone(),
            source: remote.source,
        };
        let wanted = Wanted {
            names: std::slice::from_ref(reference),
            platform: &options.platform,
        };
        self.take_in(&source, &incoming, &wanted, progress)
    }
}

/// A name as a registry has it: bare, or with `docker://`.
fn parse_name(text: &str) -> Result<Name> {
    match transport::parse(text)? {
        Transport::Registry(name) => name.parse(),
        other => Err(Error::new(
            Kind::Unsupported,
            format!(
                "pull \"{text}\": transport {}: is not available in this version of pod",
                other.scheme()
            ),
        )),
    }
}

/// Tells whether an image that is here is for the platform that was asked for.
fn fits(image: &Image, options: &PullOptions) -> bool {
    options.platform.is_empty()
        || options
            .platform
            .resolve()
            .distance(&platform_of(&image.config))
            .is_some()
}

/// One error for all that was tried.
fn one_of(mut failed: Vec<Error>) -> Error {
    match failed.len() {
        1 => failed.remove(0),
        0 => Error::new(Kind::Registry, "no registry to ask"),
        n => {
            let kind = failed[n - 1].kind();
            let all: Vec<String> = failed.iter().map(Error::to_string).collect();
            Error::new(
                kind,
                format!("{n} registries were tried: {}", all.join("; ")),
            )
        }
    }
}
