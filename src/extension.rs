//! The Lambda extension of AWS AppConfig: an HTTP server on this sandbox's loopback, which keeps a configuration.
//!
//! Its requests need no signature and no TLS; what it may read is the function's role's to say.

use std::fmt;
use std::net::Ipv4Addr;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Most bytes of a configuration. AppConfig's own most is 2 MB, unless that quota was raised.
const MOST_BYTES: usize = 4 << 20;

/// Most bytes of each part of a configuration's name, by AppConfig's API.
const MOST_NAME: usize = 128;

/// Most bytes of a version that is shown.
const MOST_VERSION: usize = 64;

/// The port on which the extension listens if `AWS_APPCONFIG_EXTENSION_HTTP_PORT` does not say otherwise.
pub const PORT: u16 = 2772;

/// One configuration, and where to ask for it.
#[derive(Debug)]
pub struct Extension {
    port: u16,
    path: Box<str>,
}

/// What the extension has.
pub(crate) struct Answer {
    pub(crate) text: String,
    /// From its header `Configuration-Version`.
    pub(crate) version: Option<Box<str>>,
}

/// Why there is no answer. None of it repeats what was answered.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    Unreachable,
    Status(StatusCode),
    Unreadable,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the extension does not answer"),
            Self::Status(status) => write!(f, "the extension answers {}", status.as_u16()),
            Self::Unreadable => f.write_str("the extension's answer is no text, breaks off or is too large"),
        }
    }
}

impl Extension {
    /// Takes `APPLICATION/ENVIRONMENT/PROFILE`, by name or by id.
    pub fn new(configuration: &str, port: u16) -> Option<Self> {
        let mut parts = configuration.split('/');
        let (application, environment, profile) = (parts.next()?, parts.next()?, parts.next()?);
        let usable = |part: &str| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            (1..=MOST_NAME).contains(&part.len()) && part.bytes().all(fits) && part.bytes().any(|b| b != b'.')
        };
        if parts.next().is_some() || ![application, environment, profile].into_iter().all(usable) {
            return None;
        }
        let path = format!("/applications/{application}/environments/{environment}/configurations/{profile}").into();
        Some(Self { port, path })
    }

    /// Asks once. It has no end of its own: whoever waits sets one.
    pub(crate) async fn ask(&self) -> Result<Answer, NoAnswer> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await.map_err(|_| NoAnswer::Unreachable)?;
        let (mut sender, driver) = http1::handshake(TokioIo::new(tcp)).await.map_err(|_| NoAnswer::Unreachable)?;
        let request = Request::get(&*self.path).header(HOST, format!("localhost:{}", self.port));
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| NoAnswer::Unreachable)?;
        let exchange = std::pin::pin!(async move {
            let response = sender.send_request(request).await.map_err(|_| NoAnswer::Unreachable)?;
            let (parts, body) = response.into_parts();
            if parts.status != StatusCode::OK {
                return Err(NoAnswer::Status(parts.status));
            }
            let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|_| NoAnswer::Unreadable)?.to_bytes();
            let text = String::from_utf8(body.into()).map_err(|_| NoAnswer::Unreadable)?;
            let version = parts.headers.get("configuration-version").and_then(|version| version.to_str().ok());
            let version = version.filter(|version| (1..=MOST_VERSION).contains(&version.len())).map(Into::into);
            Ok(Answer { text, version })
        });
        match select(exchange, driver).await {
            Either::Left((answer, _)) => answer,
            // The connection ended first: hyper has told the exchange what became of it.
            Either::Right((_, exchange)) => exchange.await,
        }
    }
}
