//! Certificates of a directory: whom a registry must be, and who we are (containers-certs.d(5)).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, Kind, Result, Tried};

/// What a directory holds.
#[derive(Debug)]
pub(super) struct Certs {
    /// All `*.crt`, trusted besides the system's.
    roots: Vec<CertificateDer<'static>>,
    /// The first `*.cert` with its `*.key`, both as PEM.
    pub(super) identity: Option<Vec<u8>>,
}

impl Certs {
    pub(super) fn read(dir: &Path) -> Result<Self> {
        let tried = || format!("read certificates in \"{}\"", dir.display());
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(dir).tried(tried)? {
            files.push(entry.tried(tried)?.path());
        }
        files.sort();
        let mut certs = Self {
            roots: Vec::new(),
            identity: None,
        };
        for path in &files {
            match path.extension().and_then(|kind| kind.to_str()) {
                Some("crt") => certs.roots.extend(certificates(&read(path)?, path)?),
                Some("cert") if certs.identity.is_none() => {
                    let key = path.with_extension("key");
                    let key = std::fs::read(&key).map_err(|err| {
                        let key = key.display();
                        Error::io(
                            &err,
                            format!("read the key \"{key}\" of a client certificate"),
                        )
                    })?;
                    let cert = read(path)?;
                    certificates(&cert, path)?;
                    PrivateKeyDer::from_pem_slice(&key)
                        .map_err(|_| malformed(&path.with_extension("key")))?;
                    certs.identity = Some([cert, key].concat());
                }
                _ => {}
            }
        }
        Ok(certs)
    }

    /// TLS that trusts these certificates too, and shows ours.
    pub(super) fn config(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> std::result::Result<ClientConfig, rustls::Error> {
        let verifier = Pinned {
            usual: Verifier::new_with_extra_roots(self.roots.clone(), provider.clone())?,
            roots: self.roots.clone(),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let Some(pem) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let other = |err: rustls::pki_types::pem::Error| rustls::Error::General(err.to_string());
        let chain = CertificateDer::pem_slice_iter(pem)
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(other)?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(other)?;
        builder.with_client_auth_cert(chain, key)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).tried(|| format!("read certificate \"{}\"", path.display()))
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(malformed(path)),
    }
}

fn malformed(path: &Path) -> Error {
    let text = format!("read certificate \"{}\": not PEM", path.display());
    Error::new(Kind::Corrupt, text)
}

/// The usual verification, and one case more: a registry that shows the very certificate that was put into the
/// directory. The recipes for self-signed ones make it an authority, which the usual way refuses to see as a server.
#[derive(Debug)]
struct Pinned {
    usual: Verifier,
    roots: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let verified = self.usual.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(err) if is_authority(&err) && self.roots.iter().any(|root| root == end_entity) => {
                // Its dates were looked at before what it is for.
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// The one reason for a refusal that is looked past. webpki names it in its text alone.
fn is_authority(err: &rustls::Error) -> bool {
    matches!(
        err,
        rustls::Error::InvalidCertificate(CertificateError::Other(other))
            if other.0.to_string() == "CaUsedAsEndEntity"
    )
}
