//! Whom TLS trusts: the web PKI's authorities, which are built in, and those that an operator adds.
//!
//! A bundle of a whole system has some 145 certificates in 200 kB, and to decode it takes as long as all the rest of a
//! start. So what was added is looked into only for a server that nothing built in speaks for, and only as far as needed.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Certificate authorities that an operator added: the path of a PEM file.
#[derive(Clone)]
pub struct Authorities(Arc<str>);

impl Authorities {
    /// Those of a file. Nothing is read yet.
    pub fn of(path: &str) -> Self {
        Self(path.into())
    }

    /// Whether there is any authority that TLS could trust, or why the file cannot be read.
    pub fn any(&self) -> io::Result<bool> {
        Ok(self.newest_first()?.next().transpose()?.is_some())
    }

    /// Each authority on its own, the last of the file first: whoever adds one to a bundle puts it at the end.
    /// What TLS cannot trust is left out: keys, and the certificates that nobody can read.
    fn newest_first(&self) -> io::Result<impl Iterator<Item = io::Result<RootCertStore>> + use<>> {
        let mut blocks = Backwards::open(&self.0)?;
        Ok(std::iter::from_fn(move || blocks.certificate().transpose())
            .filter_map(|certificate| certificate.map(root).transpose()))
    }
}

/// What stands from the beginning of a certificate on, as the one root that is trusted.
fn root(pem: Vec<u8>) -> Option<RootCertStore> {
    let mut root = RootCertStore::empty();
    root.add(CertificateDer::from_pem_slice(&pem).ok()?).ok()?;
    Some(root)
}

/// A PEM file, read from its end.
struct Backwards {
    file: File,
    /// How much of the file is before `text`.
    before: u64,
    /// What has been read and not been given out.
    text: Vec<u8>,
}

impl Backwards {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";

    /// Enough for most certificates.
    const BLOCK: usize = 4096;

    fn open(path: &str) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let before = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, before, text: Vec::new() })
    }

    /// The last text that begins like a certificate, or none if there is none left.
    fn certificate(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.text.windows(Self::BEGIN.len()).rposition(|text| text == Self::BEGIN) {
                return Ok(Some(self.text.split_off(at)));
            }
            if self.before == 0 {
                return Ok(None);
            }
            self.read()?;
        }
    }

    /// Reads on towards the beginning: as much again as is held, so that a long text without a certificate is not
    /// copied time and again.
    fn read(&mut self) -> io::Result<()> {
        let size = self.text.len().max(Self::BLOCK).min(usize::try_from(self.before).unwrap_or(usize::MAX));
        let mut text = vec![0; size];
        self.before = self.file.seek(SeekFrom::Start(self.before - size as u64))?;
        self.file.read_exact(&mut text)?;
        text.append(&mut self.text);
        self.text = text;
        Ok(())
    }
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorities")
    }
}

/// Both, asked one after the other. Every look at a certificate is rustls's own, with one set of roots or another.
#[derive(Debug)]
pub(super) struct Trust {
    built_in: Arc<WebPkiServerVerifier>,
    added: Option<Authorities>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    pub(super) fn new(added: Option<Authorities>, provider: Arc<CryptoProvider>) -> Result<Self, Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        Ok(Self { built_in: verifier(roots, &provider)?, added, provider })
    }
}

fn verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| Error::General(error.to_string()))
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by =
            |verifier: &WebPkiServerVerifier| verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        by(&self.built_in).or_else(|refused| {
            // A file that could be read at the start and no longer can is as good as empty.
            let mut added = self.added.iter().flat_map(Authorities::newest_first).flatten().map_while(Result::ok);
            added.find_map(|root| by(&*verifier(root, &self.provider).ok()?).ok()).ok_or(refused)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.built_in.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.built_in.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.built_in.supported_verify_schemes()
    }
}
