//! Pull: joins `registry` and `storage`.
//!
//! | step | process | what |
//! | --- | --- | --- |
//! | 1 | cli, tokio | manifest and config, checked; the runtime is gone again |
//! | 2 | cli | what is missing is claimed: layers and blobs in staging, each under its lock |
//! | 3 | worker, forked now | unpacks all missing layers while their blobs grow |
//! | 4 | cli, tokio | fetches blobs into staging, tells the worker how far each has come |
//! | 5 | cli | one `syncfs`, then blobs and layers get their names, then the image's record, the tag last |
//!
//! Killed at any point it leaves only staging, and a later pull goes on with the partial blobs. What another process
//! is fetching is waited for, after everything of our own was published: two pulls never wait for each other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use oci_spec::image::ImageConfiguration;

use super::manage::remember_name;
use super::record::{ImageRecord, ManifestRecord, TagRecord, VERSION};
use super::reference::{Name, Reference};
use super::{Event, Image, Images, Platform, Progress, PullOptions, PullPolicy, resolve};
use crate::config::auth::AuthFiles;
use crate::config::containers::Containers;
use crate::config::proxy::Proxies;
use crate::config::registries::{Endpoint, Registries};
use crate::error::{Error, Kind, Result};
use crate::registry::event::BlobKind;
use crate::registry::{
    BlobJob, BlobSink, Client, ClientSettings, Layer, ProxySettings, Remote, RetrySettings,
    TransportSettings, check_depth,
};
use crate::rootless::dirs;
use crate::storage::unpack::{self, FeedReader, FeedWriter, LayerUnpack, feed};
use crate::storage::{
    ChainId, DiffId, Digest, LayerDigest, LayerMeta, ReadyBlob, Stage, StagedBlob, StagedLayer,
    Waiter,
};
use crate::userns::mode::{self, UsernsMode};

/// A smaller part of a blob is fetched anew rather than kept after a failure.
const WORTH_KEEPING: u64 = 4 * 1024 * 1024;

/// What the config of an image promises, checked.
struct Plan {
    id: Digest,
    config: ImageConfiguration,
    diff_ids: Vec<DiffId>,
    chain: Vec<ChainId>,
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
        let local = match policy {
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
                Ok(image) => image,
                Err(err) => {
                    let text = format!("{err}, using the image that is here");
                    progress.event(&Event::Warning { text: &text });
                    image
                }
            },
            _ => self.pull(text, options, progress)?,
        };
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
        let name = parse_name(text)?;
        let registries = Registries::load(self.identity)?;
        let (candidates, why) = resolve::candidates(&registries, &name)?;
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
                Ok(image) => return Ok(image),
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
        let client = self.client(options)?;
        for reference in candidates {
            for endpoint in self.endpoints(&registries, &reference, options)? {
                let credentials = self.credentials(&endpoint, options)?;
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
        let client = self.client(options)?;
        let remote = self.resolve_remote(&client, registries, reference, options, progress)?;
        let want = options.platform.resolve();
        let plan = check_config(&remote, &want, !options.platform.is_empty())?;
        let layers: Vec<LayerDigest> = remote.layers.iter().map(|layer| layer.digest).collect();
        let blobs: Vec<Digest> = layers.iter().map(|layer| *layer.digest()).collect();
        // From here on a collector spares what is here of the image.
        let lock = self.store.lock_structure()?;
        let pin = self.store.pin(&lock, &blobs, &plan.chain)?;
        drop(lock);
        self.bring_layers(&client, &remote, &plan, progress)?;
        progress.event(&Event::BlobFetched {
            digest: &plan.id,
            kind: BlobKind::Config,
        });
        progress.event(&Event::WritingManifest);
        let image = self.record(reference, &remote, &plan, layers)?;
        drop(pin);
        Ok(image)
    }

    /// Asks mirrors and the registry in turn for manifest and config.
    fn resolve_remote(
        &self,
        client: &Client,
        registries: &Registries,
        reference: &Reference,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<Remote> {
        let want = options.platform.resolve();
        let known = |digest: &Digest| self.store.read_blob(digest, None).ok();
        let mut failed = Vec::new();
        for endpoint in self.endpoints(registries, reference, options)? {
            let credentials = self.credentials(&endpoint, options)?;
            let selector = reference.selector();
            match client.resolve(&endpoint, credentials, &selector, &want, &known, progress) {
                Ok(remote) => return Ok(remote),
                Err(err) => {
                    if endpoint.is_mirror {
                        let from = format!("mirror {}/{}", endpoint.registry, endpoint.repository);
                        let why = err.to_string();
                        progress.event(&Event::TriedInVain {
                            from: &from,
                            why: &why,
                        });
                    }
                    failed.push(err);
                }
            }
        }
        // The registry's own answer says most; the mirrors' were told as they came.
        Err(failed
            .pop()
            .unwrap_or_else(|| Error::new(Kind::Registry, "no registry to ask")))
    }

    fn endpoints(
        &self,
        registries: &Registries,
        reference: &Reference,
        options: &PullOptions,
    ) -> Result<Vec<Endpoint>> {
        let by_digest = reference.digest().is_some();
        let mut endpoints =
            registries.endpoints(reference.registry(), reference.repository(), by_digest)?;
        if let Some(verify) = options.tls_verify {
            endpoints
                .iter_mut()
                .for_each(|endpoint| endpoint.insecure = !verify);
        }
        Ok(endpoints)
    }

    /// `--creds` is for the registry that was named, never for its mirrors.
    fn credentials(
        &self,
        endpoint: &Endpoint,
        options: &PullOptions,
    ) -> Result<Option<crate::config::auth::Credentials>> {
        match &options.credentials {
            Some(given) if !endpoint.is_mirror => Ok(Some(given.clone())),
            _ => AuthFiles::locate(self.identity, options.authfile.as_deref())
                .find(&endpoint.registry, &endpoint.repository),
        }
    }

    /// The command line decides, then containers.conf, then the defaults.
    fn client(&self, options: &PullOptions) -> Result<Client> {
        let config = Containers::load(self.identity)?;
        let proxies = Proxies::from_env();
        let user = dirs::config_home(self.identity).ok();
        let certs_d = user
            .map(|dir| dir.join("containers/certs.d"))
            .into_iter()
            .chain(["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from))
            .collect();
        let transport = TransportSettings {
            cert_dir: options.cert_dir.clone(),
            certs_d,
            proxies: ProxySettings {
                http: proxies.http,
                https: proxies.https,
                no_proxy: proxies.no_proxy,
            },
            ..TransportSettings::default()
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

    /// Sees to it that every layer is in the store.
    fn bring_layers(
        &self,
        client: &Client,
        remote: &Remote,
        plan: &Plan,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let mut may_restart = true;
        let mut told = vec![false; plan.chain.len()];
        loop {
            let mut round = Round::default();
            let waiter = self.claim(remote, plan, &mut round, &mut told, progress)?;
            if !round.units.is_empty() {
                let resumed = round.arrivals.iter().any(|arrival| arrival.resumed);
                match self.run_round(client, remote, plan, round, progress) {
                    // A partial file from before a power cut may hold anything. It is gone now: once more.
                    Err(err) if err.kind() == Kind::Corrupt && resumed && may_restart => {
                        may_restart = false;
                        continue;
                    }
                    done => done?,
                }
            }
            match waiter {
                Some(waiter) => waiter.wait()?, // then look again what is missing
                None => return Ok(()),
            }
        }
    }

    /// Claims what is missing and free. Returns how to wait for what others are making.
    fn claim(
        &self,
        remote: &Remote,
        plan: &Plan,
        round: &mut Round,
        told: &mut [bool],
        progress: &mut dyn Progress,
    ) -> Result<Option<Waiter>> {
        let mut busy = None;
        let mut by_blob: BTreeMap<Digest, usize> = BTreeMap::new();
        for (index, layer) in remote.layers.iter().enumerate() {
            let id = &plan.chain[index];
            let staged = match self.store.stage_layer(id)? {
                Stage::Ours(staged) => staged,
                Stage::Present => {
                    if !std::mem::replace(&mut told[index], true) {
                        progress.event(&Event::BlobPresent {
                            digest: layer.digest.digest(),
                            kind: BlobKind::Layer,
                        });
                    }
                    continue;
                }
                Stage::Busy(waiter) => {
                    busy = Some(waiter);
                    continue;
                }
            };
            let digest = *layer.digest.digest();
            let source = match by_blob.get(&digest) {
                Some(arrival) => Bytes::Arriving(*arrival),
                None => match self.store.try_stage_blob(&digest, Some(layer.size))? {
                    Stage::Present => Bytes::Here,
                    Stage::Ours(staged) => {
                        by_blob.insert(digest, round.arrivals.len());
                        round.arrivals.push(Arrival {
                            layer: layer.clone(),
                            resumed: !staged.is_empty(),
                            have: staged.len(),
                            staged: Some(staged),
                            ready: None,
                            feeds: Vec::new(),
                            unpacker_gone: false,
                        });
                        Bytes::Arriving(round.arrivals.len() - 1)
                    }
                    Stage::Busy(waiter) => {
                        busy = Some(waiter);
                        continue; // the claim on the layer is given back
                    }
                },
            };
            told[index] = true;
            round.add(self, layer, plan.diff_ids[index], source)?;
            round.layers.push((index, staged));
            let into = round
                .layers
                .last()
                .map(|(_, staged)| staged.dir())
                .unwrap_or_default();
            if let Some(unit) = round.units.last_mut() {
                unit.into = into;
            }
        }
        Ok(busy)
    }

    /// Fetches and unpacks what was claimed, and names it.
    fn run_round(
        &self,
        client: &Client,
        remote: &Remote,
        plan: &Plan,
        round: Round,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let Round {
            arrivals,
            units,
            layers,
        } = round;
        let me = self.identity;
        let maps = mode::maps(&UsernsMode::Host, me.uid.as_raw(), me.gid.as_raw(), || {
            me.name().to_owned()
        })?;
        let worker = unpack::start(&maps, units)?;
        let arrivals: Vec<RefCell<Arrival>> = arrivals.into_iter().map(RefCell::new).collect();
        let jobs = arrivals
            .iter()
            .map(|arrival| BlobJob {
                layer: arrival.borrow().layer.clone(),
                sink: Box::new(Sink(arrival)),
            })
            .collect();
        let fetched = client.fetch_blobs(&remote.source, jobs, progress);
        let mut arrivals: Vec<Arrival> = arrivals.into_iter().map(RefCell::into_inner).collect();
        let unpacker_gone = arrivals.iter().any(|arrival| arrival.unpacker_gone);
        arrivals
            .iter_mut()
            .for_each(|arrival| arrival.feeds.clear());
        let outcome = match fetched {
            Ok(()) => worker.finish(),
            // The unpacker gave up first and knows why.
            Err(err) if unpacker_gone => Err(worker.finish().err().unwrap_or(err)),
            Err(err) => {
                drop(worker);
                Err(err)
            }
        };
        let unpacked = match outcome {
            Ok(unpacked) => unpacked,
            Err(err) => {
                // What is worth it is kept for a later try; on a full disk it would be in the way of whatever comes.
                let full = err.kind() == Kind::NoSpace;
                arrivals
                    .into_iter()
                    .filter_map(|arrival| arrival.staged)
                    .filter(|staged| full || staged.len() < WORTH_KEEPING)
                    .for_each(StagedBlob::discard);
                return Err(err);
            }
        };
        for ((index, staged), unpacked) in layers.iter().zip(&unpacked) {
            staged.describe(&LayerMeta {
                version: 1,
                diff_id: plan.diff_ids[*index],
                parent: index.checked_sub(1).map(|below| plan.chain[below]),
                blob: Some(remote.layers[*index].digest),
                size: unpacked.size,
                entries: unpacked.entries,
                single_id: maps.is_single(),
            })?;
            progress.event(&Event::LayerUnpacked {
                digest: remote.layers[*index].digest.digest(),
            });
        }
        self.store.sync()?;
        let ready = arrivals
            .into_iter()
            .filter_map(|arrival| arrival.ready)
            .collect();
        let staged = layers.into_iter().map(|(_, staged)| staged).collect();
        let lock = self.store.lock_structure()?;
        self.store.publish(&lock, ready, staged)
    }

    /// Writes the documents, the image's record and, last, its name.
    fn record(
        &self,
        reference: &Reference,
        remote: &Remote,
        plan: &Plan,
        layers: Vec<LayerDigest>,
    ) -> Result<Image> {
        let mut size = 0;
        for id in &plan.chain {
            let meta = self.store.layer_meta(id)?.ok_or_else(|| {
                Error::new(
                    Kind::Corrupt,
                    format!("layer {id} vanished while it was pulled"),
                )
            })?;
            size += meta.size;
        }
        let lock = self.store.lock_structure()?;
        self.store.put_blob(&lock, &plan.id, &remote.config)?;
        self.store
            .put_blob(&lock, &remote.manifest.digest, &remote.manifest.bytes)?;
        if let Some(index) = &remote.index {
            self.store.put_blob(&lock, &index.digest, &index.bytes)?;
        }
        let old = self.load_image(&plan.id).unwrap_or_default(); // a damaged record is replaced
        let mut record = old.clone().unwrap_or_else(|| new_record(plan));
        record.size = size;
        record.manifests = merge_manifests(&record.manifests, remote, layers);
        remember_name(&mut record, reference);
        if old.as_ref() != Some(&record) {
            self.save_image(&record)?;
        }
        let tag = TagRecord {
            version: VERSION,
            reference: reference.clone(),
            id: plan.id,
            digest: remote
                .index
                .as_ref()
                .map_or(remote.manifest.digest, |index| index.digest),
        };
        if self.load_tag(reference).unwrap_or_default().as_ref() != Some(&tag) {
            self.save_tag(&tag)?;
        }
        Ok(Image {
            id: plan.id.hex(),
            digest: record.digest().to_string(),
            names: vec![reference.to_string()],
            config: plan.config.clone(),
            layers: plan
                .chain
                .iter()
                .rev()
                .map(|id| self.store.layer_dir(id))
                .collect(),
            size,
        })
    }
}

/// What one round of a pull works on.
#[derive(Default)]
struct Round {
    arrivals: Vec<Arrival>,
    /// In the order of `layers`.
    units: Vec<LayerUnpack>,
    layers: Vec<(usize, StagedLayer)>,
}

/// Where the bytes of a layer come from.
enum Bytes {
    Here,
    Arriving(usize),
}

impl Round {
    fn add(&mut self, images: &Images<'_>, layer: &Layer, want: DiffId, from: Bytes) -> Result<()> {
        let (blob, reader) = match from {
            Bytes::Here => {
                let blob = images.store.open_blob(layer.digest.digest())?;
                (blob, FeedReader::of_complete(layer.size)?)
            }
            Bytes::Arriving(index) => {
                let arrival = &mut self.arrivals[index];
                let (writer, reader) = feed()?;
                arrival.feeds.push(writer);
                let staged = arrival.staged.as_ref().ok_or_else(|| {
                    Error::new(Kind::System, "unpack a layer: its blob was claimed twice")
                })?;
                (staged.reader()?, reader)
            }
        };
        self.units.push(LayerUnpack {
            layer: layer.digest,
            blob,
            feed: reader,
            into: PathBuf::new(), // the caller knows the staged layer
            want,
        });
        Ok(())
    }
}

/// One blob on its way.
struct Arrival {
    layer: Layer,
    resumed: bool,
    have: u64,
    staged: Option<StagedBlob>,
    ready: Option<ReadyBlob>,
    /// One for every layer of the image that consists of this blob.
    feeds: Vec<FeedWriter>,
    unpacker_gone: bool,
}

/// Lets the registry's engine write a blob into staging.
struct Sink<'a>(&'a RefCell<Arrival>);

impl BlobSink for Sink<'_> {
    fn have(&self) -> u64 {
        self.0.borrow().have
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let arrival = &mut *self.0.borrow_mut();
        let staged = arrival.staged.as_mut().ok_or_else(finished)?;
        staged.append(bytes)?;
        arrival.have = staged.len();
        for feed in &mut arrival.feeds {
            if let Err(err) = feed.valid(arrival.have) {
                arrival.unpacker_gone = true;
                return Err(err);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        let arrival = &mut *self.0.borrow_mut();
        let staged = arrival.staged.take().ok_or_else(finished)?;
        let ready = staged.finish(Some(arrival.layer.size))?;
        for feed in arrival.feeds.drain(..) {
            if let Err(err) = feed.complete(ready.size()) {
                arrival.unpacker_gone = true;
                return Err(err);
            }
        }
        arrival.ready = Some(ready);
        Ok(())
    }
}

fn finished() -> Error {
    Error::new(Kind::System, "write a blob: it is complete already")
}

/// A name as `pull` takes it; of the transports only `docker://` is known.
fn parse_name(text: &str) -> Result<Name> {
    const OTHERS: [&str; 6] = [
        "docker-archive",
        "oci-archive",
        "oci",
        "dir",
        "docker-daemon",
        "containers-storage",
    ];
    if let Some((transport, _)) = text.split_once(':')
        && OTHERS.contains(&transport)
        // `oci:latest` and `dir:1` may well be images.
        && text.contains(":/")
    {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "pull \"{text}\": transport {transport}: is not available in this version of pod"
            ),
        ));
    }
    text.strip_prefix("docker://").unwrap_or(text).parse()
}

/// Reads the config and checks it against the manifest, and against the platform where the user named one.
///
/// An image that comes for one platform only is pulled even if that is another one; [`Images::ensure`] warns.
fn check_config(remote: &Remote, want: &Platform, insist: bool) -> Result<Plan> {
    let refuse = |why: String| {
        Error::new(
            Kind::Corrupt,
            format!("refuse the image config {}: {why}", remote.config_digest),
        )
    };
    check_depth(&remote.config)?;
    let config: ImageConfiguration =
        serde_json::from_slice(&remote.config).map_err(|err| refuse(err.to_string()))?;
    let diff_ids = config
        .rootfs()
        .diff_ids()
        .iter()
        .map(|id| id.parse())
        .collect::<Result<Vec<DiffId>>>()?;
    if diff_ids.len() != remote.layers.len() {
        return Err(refuse(format!(
            "it names {} layers, the manifest {}",
            diff_ids.len(),
            remote.layers.len()
        )));
    }
    let have = platform_of(&config);
    let says_nothing = have.os.is_empty() && have.architecture.is_empty();
    if insist && !says_nothing && want.distance(&have).is_none() {
        let err = Error::new(
            Kind::Unsupported,
            format!("the image is for {have}, and {want} is wanted"),
        );
        return Err(err.hint(format!("if that is meant, give --platform {have}")));
    }
    if remote.config_digest.algorithm() != crate::state::digest::Algorithm::Sha256 {
        return Err(Error::new(
            Kind::Unsupported,
            "image configs named by another digest than sha256 are not supported",
        ));
    }
    Ok(Plan {
        id: remote.config_digest,
        chain: ChainId::of_all(&diff_ids),
        config,
        diff_ids,
    })
}

pub(super) fn platform_of(config: &ImageConfiguration) -> Platform {
    Platform {
        os: config.os().to_string(),
        architecture: config.architecture().to_string(),
        variant: config
            .variant()
            .clone()
            .filter(|variant| !variant.is_empty()),
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

fn new_record(plan: &Plan) -> ImageRecord {
    let platform = platform_of(&plan.config);
    ImageRecord {
        version: VERSION,
        id: plan.id,
        created: plan.config.created().clone().unwrap_or_default(),
        os: platform.os,
        architecture: platform.architecture,
        variant: platform.variant,
        size: 0,
        diff_ids: plan.diff_ids.clone(),
        layers: plan.chain.clone(),
        manifests: Vec::new(),
        history: Vec::new(),
    }
}

/// Puts the manifest in front, keeping the indexes through which it was reached before.
fn merge_manifests(
    known: &[ManifestRecord],
    remote: &Remote,
    layers: Vec<LayerDigest>,
) -> Vec<ManifestRecord> {
    let digest = remote.manifest.digest;
    let mut indexes: Vec<Digest> = remote.index.iter().map(|index| index.digest).collect();
    let old = known.iter().find(|manifest| manifest.digest == digest);
    for index in old.iter().flat_map(|manifest| &manifest.indexes) {
        if !indexes.contains(index) {
            indexes.push(*index);
        }
    }
    let mut manifests = vec![ManifestRecord {
        digest,
        media_type: remote.manifest.media_type.clone(),
        layers,
        indexes,
    }];
    manifests.extend(
        known
            .iter()
            .filter(|manifest| manifest.digest != digest)
            .cloned(),
    );
    manifests
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
