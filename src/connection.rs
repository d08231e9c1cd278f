//! The HTTP side of the AWS client: one kept-alive HTTP/1.1 connection over rustls.
//!
//! The SDK's own connector cannot open a connection without making a call. This one can, so TCP and
//! TLS are set up during Lambda's init phase, where CPU is not throttled, without an AWS call that
//! IAM, CloudTrail or the rate limit would see. HTTP itself is hyper's; whom it trusts is in `trust`.
//!
//! A connection that a freeze has killed is noticed before a request is written to it. A request
//! that was never written is reported as `NotSent`, so that the caller knows AWS has not seen it.

mod trust;

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_util::future::join;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::{TrySendError, http1};
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::http::uri::PathAndQuery;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, CipherSuite, ClientConfig, NamedGroup};

use crate::mark::Mark;

pub use trust::Authorities;
use trust::Trust;

/// A policy has at most 20,480 bytes; no answer of the six operations comes near this.
const MOST_RESPONSE_BYTES: usize = 1 << 20;

/// A connection idle for longer is not trusted: something between may have dropped it in silence.
const MOST_IDLE: Duration = Duration::from_secs(60);

/// The longest that opening a connection ahead of time may hold up the start, unless the look-up of its name takes longer.
const MOST_WARMING: Duration = Duration::from_secs(2);

/// The longest that one request may take, from the look-up of the name to the end of the answer. Whoever makes a call
/// has a shorter time for it (`Timing::call`): this is the net under a call that was given none.
const MOST_EXCHANGING: Duration = Duration::from_secs(3);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The broker's connection to AWS Lambda's API. Clones share it.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    tls: TlsConnector,
    kept: Mutex<Option<Open>>,
}

/// A connection that is ready for a request. It is driven only while a request is on it.
struct Open {
    origin: Origin,
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>,
    last_used: Mark,
}

/// How CloudTrail tells the broker's own calls from those of others with its role.
const AGENT: &str = concat!("permission-broker/", env!("CARGO_PKG_VERSION"));

/// Scheme, host and port: what a kept connection is good for.
#[derive(Clone, PartialEq, Eq)]
struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

/// The request did not reach AWS: sending it again cannot double anything.
#[derive(Debug)]
pub(crate) struct NotSent(Failure);

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was not sent")
    }
}

impl std::error::Error for NotSent {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Connection {
    /// Prepares TLS. `added` are authorities beside those that are built in.
    pub fn new(added: Option<Authorities>) -> Result<Self, rustls::Error> {
        let mut provider = rustls::crypto::ring::default_provider();
        // AWS's servers prefer it as well; its SHA-256 is what processors have instructions for.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        // The group that a key is sent ahead for. ring has this one in assembly for both of Lambda's processors, and
        // X25519 for arm64 in C alone.
        provider.kx_groups.sort_by_key(|group| group.name() != NamedGroup::secp256r1);
        let provider = Arc::new(provider);
        let trust = Trust::new(added, Arc::clone(&provider))?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            // "Dangerous" is to be trusted with trust at all: `Trust` asks rustls's own verifier, once or more.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust))
            .with_no_client_auth();
        Ok(Self(Arc::new(Inner { tls: TlsConnector::from(Arc::new(config)), kept: Mutex::new(None) })))
    }

    /// A further connection, for another service of AWS: with the same TLS, and not opened before it is needed.
    pub fn another(&self) -> Self {
        Self(Arc::new(Inner { tls: self.0.tls.clone(), kept: Mutex::new(None) }))
    }

    /// Opens the connection ahead of the first request, and does something else while AWS works out its
    /// part of the handshake. A failure only costs the head start.
    ///
    /// The name is looked up on this thread, which has nothing else to do during init: a thread of its own for one
    /// look-up takes longer than the look-up. What ends one that nobody answers is the C library's own clock, which the
    /// template sets (`RES_OPTIONS`).
    pub async fn warm<T>(&self, url: &str, meanwhile: impl Future<Output = T>) -> T {
        let Some(origin) = url.parse().ok().as_ref().and_then(Origin::of) else { return meanwhile.await };
        let end = Instant::now() + MOST_WARMING;
        let addresses: Vec<SocketAddr> = origin.at().to_socket_addrs().into_iter().flatten().collect();
        let Ok(Ok(tcp)) = timeout_at(end, TcpStream::connect(&*addresses)).await else { return meanwhile.await };
        // The first of the two is polled first, and so has sent its greeting before the other starts.
        let (open, done) = join(timeout_at(end, self.greet(origin, tcp)), meanwhile).await;
        if let Ok(Ok(open)) = open {
            self.keep(open);
        }
        done
    }

    async fn open(&self, origin: Origin, at: impl ToSocketAddrs) -> Result<Open, NotSent> {
        let tcp = TcpStream::connect(at).await.map_err(|error| NotSent(error.into()))?;
        self.greet(origin, tcp).await
    }

    async fn greet(&self, origin: Origin, tcp: TcpStream) -> Result<Open, NotSent> {
        let stream = self.secure(&origin, tcp).await.map_err(NotSent)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| NotSent(error.into()))?;
        Ok(Open { origin, sender, driver, last_used: Mark::now() })
    }

    async fn secure(&self, origin: &Origin, tcp: TcpStream) -> Result<Box<dyn Stream>, Failure> {
        tcp.set_nodelay(true)?;
        if !origin.tls {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(origin.at().0.to_owned())?;
        Ok(Box::new(self.0.tls.connect(name, tcp).await?))
    }

    fn keep(&self, open: Open) {
        *self.0.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
    }

    /// The kept connection, if it is for this origin and still alive.
    fn kept(&self, origin: &Origin) -> Option<Open> {
        let mut open = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let usable = open.origin == *origin && open.last_used.is_within(MOST_IDLE) && open.is_alive();
        usable.then_some(open)
    }

    async fn exchange(&self, origin: Origin, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
        let mut open = match self.kept(&origin) {
            Some(open) => open,
            None => self.open(origin.clone(), origin.at()).await?,
        };
        let response = match open.send(request).await {
            Ok(response) => response,
            // A connection that closed in the moment of use: hyper hands back what it has not written.
            Err(mut error) => {
                let Some(request) = error.take_message() else { return Err(error.into_error().into()) };
                open = self.open(origin.clone(), origin.at()).await?;
                open.send(request).await.map_err(|mut error| -> Failure {
                    let unsent = error.take_message().is_some();
                    let error = error.into_error().into();
                    if unsent { NotSent(error).into() } else { error }
                })?
            }
        };
        let (parts, body) = response.into_parts();
        let body = open.drive(Limited::new(body, MOST_RESPONSE_BYTES).collect()).await?.to_bytes();
        if open.is_alive() {
            open.last_used = Mark::now();
            self.keep(open);
        }
        Ok(Response::from_parts(parts, body))
    }
}

impl Open {
    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<hyper::body::Incoming>, Box<TrySendError<Request<Full<Bytes>>>>> {
        let response = self.sender.try_send_request(request);
        drive(&mut self.driver, response).await.map_err(Box::new)
    }

    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        drive(&mut self.driver, work).await
    }

    /// Looks at the socket without waiting: a closed one is seen before a request is given to it.
    fn is_alive(&mut self) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let closed = matches!(Pin::new(&mut self.driver).poll(&mut context), Poll::Ready(_));
        !closed && !self.sender.is_closed()
    }
}

/// Polls a connection together with the work that needs it. hyper ends the work with an error of its
/// own when the connection ends first.
async fn drive<T>(
    driver: &mut http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    let mut open = true;
    std::future::poll_fn(move |context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(done);
        }
        if open {
            open = Pin::new(&mut *driver).poll(context).is_pending();
        }
        work.as_mut().poll(context)
    })
    .await
}

impl Origin {
    /// Host and port, as a look-up wants them: an IPv6 address without its brackets.
    fn at(&self) -> (&str, u16) {
        (self.host.trim_matches(['[', ']']), self.port)
    }

    fn of(uri: &Uri) -> Option<Self> {
        let tls = uri.scheme_str()? == "https";
        Some(Self { tls, host: uri.host()?.to_owned(), port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }) })
    }
}

/// The SDK's request as hyper wants it on the wire: path and query only, with a `Host`.
fn prepare(request: HttpRequest) -> Result<(Origin, Request<Full<Bytes>>), Failure> {
    let (mut parts, body) = request.try_into_http1x()?.into_parts();
    let origin = Origin::of(&parts.uri).ok_or("the endpoint has no scheme or host")?;
    let host = parts.uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    parts.headers.entry(HOST).or_insert(HeaderValue::from_str(&host)?);
    parts.headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let path = parts.uri.path_and_query().cloned();
    parts.uri = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
    let body = Bytes::copy_from_slice(body.bytes().unwrap_or_default());
    Ok((origin, Request::from_parts(parts, Full::new(body))))
}

impl HttpConnector for Connection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connection = self.clone();
        HttpConnectorFuture::new(async move {
            let (origin, request) = prepare(request).map_err(ConnectorError::user)?;
            let exchange = timeout(MOST_EXCHANGING, connection.exchange(origin, request)).await;
            let response =
                exchange.map_err(|late| ConnectorError::timeout(late.into()))?.map_err(ConnectorError::io)?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl HttpClient for Connection {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
