//! A certificate authority for one run, and a certificate of it for the fake control plane. The keys are
//! ECDSA P-256: Amazon's servers offer both kinds, and RSA would only add noise on the server's side.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Failure;

/// Where Linux distributions keep the authorities they trust.
const SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What clients and the server need.
pub(crate) struct Certificates {
    /// The system's authorities and this one, which is the last.
    pub(crate) bundle: PathBuf,
    /// The server's side.
    pub(crate) server: Arc<ServerConfig>,
}

impl Certificates {
    /// Makes them, with the files in a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self, Failure> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "benchmark");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &issuer)?;

        std::fs::create_dir_all(folder)?;
        let bundle = folder.join("bundle.pem");
        let system = SYSTEM.iter().find_map(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        std::fs::write(&bundle, system + &issuer.pem())?;

        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self { bundle, server: Arc::new(server) })
    }
}
