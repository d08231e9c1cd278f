//! A chain of certificates for one run, of the shape that AWS's servers send: an authority, another one by it, and by that
//! one the server's, all with keys of RSA-2048.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
};
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::rand_core::OsRng;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Failure;

/// Where Linux distributions keep the authorities they trust.
const SYSTEM: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What clients and the server need.
pub(crate) struct Certificates {
    /// The system's authorities and the run's own, which is the last.
    pub(crate) bundle: PathBuf,
    /// The server's side.
    pub(crate) server: Arc<ServerConfig>,
}

impl Certificates {
    /// Makes them, with the files in a folder.
    pub(crate) fn new(folder: &Path) -> Result<Self, Failure> {
        let root = CertifiedIssuer::self_signed(authority("benchmark"), key()?)?;
        let between = CertifiedIssuer::signed_by(authority("benchmark RSA 2048 M01"), key()?, &root)?;
        let key = key()?;
        let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &between)?;

        std::fs::create_dir_all(folder)?;
        let bundle = folder.join("bundle.pem");
        let system = SYSTEM.iter().find_map(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        std::fs::write(&bundle, system + &root.pem())?;

        let chain = vec![certificate.der().clone(), between.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self { bundle, server: Arc::new(server) })
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// ring signs with RSA, but makes no keys for it.
fn key() -> Result<KeyPair, Failure> {
    let key = RsaPrivateKey::new(&mut OsRng, 2048)?.to_pkcs8_der()?;
    Ok(KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(key.as_bytes()), &PKCS_RSA_SHA256)?)
}
