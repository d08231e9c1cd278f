//! Whom the broker takes for AWS: over real TLS, with certificates made for each case.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use permission_broker::connection::{Authorities, Connection};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::crypto::ring::kx_group::{SECP256R1, SECP384R1, X25519};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{HandshakeKind, ServerConfig};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// An authority of this name. Two of one name have keys of their own.
fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn for_host(host: &str) -> CertificateParams {
    CertificateParams::new([host.to_owned()]).unwrap()
}

fn expired(host: &str) -> CertificateParams {
    let mut params = for_host(host);
    params.not_after = date_time_ymd(2026, 1, 1);
    params
}

/// What a server shows: its certificate first, then that of who signed it, and so on.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

fn signed(params: CertificateParams, by: &Issuer<'_, KeyPair>) -> Shown {
    let key = KeyPair::generate().unwrap();
    Shown { chain: vec![params.signed_by(&key, by).unwrap().into()], key }
}

/// A server that shows a certificate, answers each connection's first request and tells what the handshake took.
async fn server(
    shown: &Shown,
    groups: &[&'static dyn SupportedKxGroup],
) -> (SocketAddr, mpsc::UnboundedReceiver<HandshakeKind>) {
    let key = shown.key.serialize_der().try_into().unwrap();
    let provider = CryptoProvider { kx_groups: groups.to_vec(), ..default_provider() };
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(shown.chain.clone(), key)
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            // A client that trusts nobody here ends the handshake.
            let Ok(mut stream) = tls.accept(tcp).await else { continue };
            let _ = tell.send(stream.get_ref().1.handshake_kind().unwrap());
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
        }
    });
    (address, told)
}

/// Whether a broker that was given these authorities speaks with whom it finds at `https://localhost`.
async fn is_trusted(name: &str, bundle: Option<&[u8]>, shown: &Shown) -> bool {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("connection-{name}.pem"));
    let authorities = bundle.map(|pem| {
        std::fs::write(&path, pem).unwrap();
        Authorities::of(path.to_str().unwrap())
    });
    let (address, _told) = server(shown, &[X25519, SECP256R1, SECP384R1]).await;
    let request = HttpRequest::get(format!("https://localhost:{}/", address.port())).unwrap();
    match Connection::new(authorities).unwrap().call(request).await {
        Ok(response) => response.status().as_u16() == 204,
        Err(error) => {
            assert!(format!("{error:?}").contains("InvalidCertificate"), "refused for another reason: {error:?}");
            false
        }
    }
}

/// Authorities of others, as many as a system has.
fn others(count: usize) -> String {
    (0..count).map(|i| authority(&format!("other {i}")).pem()).collect()
}

#[tokio::test]
async fn an_added_authority_is_trusted_wherever_it_stands() {
    let own = authority("own");
    let shown = signed(for_host("localhost"), &own);
    let (own, others) = (own.pem(), others(40));
    let twin = authority("own").pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = KeyPair::generate().unwrap().serialize_pem();
    let half = &own[..own.len() / 2];
    let mut latin = b"# Autorit\xe9 de certification\n".to_vec();
    latin.extend(own.bytes());
    let comment = "# nothing that counts\n".repeat(2_000);
    let cases: [(&str, Vec<u8>); 12] = [
        ("alone", own.clone().into()),
        ("last", (others.clone() + &own).into()),
        ("first", (own.clone() + &others).into()),
        ("between", (others.clone() + &own + &others).into()),
        ("after-its-twin", (twin.clone() + &own).into()),
        ("before-its-twin", (own.clone() + &twin).into()),
        ("after-a-broken-one", (broken.to_owned() + &own).into()),
        ("before-a-broken-one", (own.clone() + broken).into()),
        ("beside-a-key", (own.clone() + &key).into()),
        ("before-half-of-itself", (own.clone() + half).into()),
        ("after-a-comment-in-latin", latin),
        ("before-a-long-comment", (own.clone() + &comment).into()),
    ];
    for (name, bundle) in cases {
        assert!(is_trusted(name, Some(&bundle), &shown).await, "{name}");
    }
    // With its lines ended like those of another system, and without the last end.
    assert!(is_trusted("crlf", Some(own.replace('\n', "\r\n").as_bytes()), &shown).await);
    assert!(is_trusted("no-end", Some(own.trim_end().as_bytes()), &shown).await);
}

#[tokio::test]
async fn nobody_else_is() {
    let own = authority("own");
    let shown = signed(for_host("localhost"), &own);
    let twin = authority("own").pem();
    let both = others(3) + &own.pem();
    assert!(!is_trusted("none", None, &shown).await, "an authority that nobody added");
    assert!(!is_trusted("others", Some(others(3).as_bytes()), &shown).await, "authorities of others");
    assert!(!is_trusted("twin", Some(twin.as_bytes()), &shown).await, "the right name and another key");
    assert!(
        !is_trusted("host", Some(both.as_bytes()), &signed(for_host("lambda.example"), &own)).await,
        "another host"
    );
    assert!(
        !is_trusted("expired", Some(both.as_bytes()), &signed(expired("localhost"), &own)).await,
        "an old certificate"
    );
    // Its own certificate says that this one may not speak for others.
    let mere = signed(for_host("localhost"), &own);
    let mut by_mere = signed(for_host("localhost"), &Issuer::new(for_host("localhost"), mere.key));
    by_mere.chain.extend(mere.chain);
    assert!(!is_trusted("mere", Some(both.as_bytes()), &by_mere).await, "signed by one that is no authority");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_answers_ends_after_three_seconds() {
    // Connections are made by the system, and nobody takes them.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let begun = Instant::now();
    let request = HttpRequest::get(format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let error = Connection::new(None).unwrap().call(request).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn every_server_gets_the_key_exchange_that_it_knows() {
    let own = authority("own");
    let shown = signed(for_host("localhost"), &own);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("connection-groups.pem");
    std::fs::write(&path, own.pem()).unwrap();
    let cases: [(&str, &[&'static dyn SupportedKxGroup], HandshakeKind); 4] = [
        ("all", &[X25519, SECP256R1, SECP384R1], HandshakeKind::Full),
        ("P-256", &[SECP256R1], HandshakeKind::Full),
        // A second greeting, and not the end.
        ("X25519", &[X25519], HandshakeKind::FullWithHelloRetryRequest),
        ("P-384", &[SECP384R1], HandshakeKind::FullWithHelloRetryRequest),
    ];
    for (name, groups, kind) in cases {
        let (address, mut told) = server(&shown, groups).await;
        let request = HttpRequest::get(format!("https://localhost:{}/", address.port())).unwrap();
        let connection = Connection::new(Some(Authorities::of(path.to_str().unwrap()))).unwrap();
        assert_eq!(connection.call(request).await.unwrap().status().as_u16(), 204, "{name}");
        assert_eq!(told.recv().await, Some(kind), "{name}");
    }
}
