//! Lambda's Runtime API on loopback: `next`, `response` and `error`, for one process.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use super::Answer;

const INVOCATION: &str = "/2018-06-01/runtime/invocation/";

/// One event with the headers that Lambda sends along.
pub(crate) struct Event {
    request_id: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Event {
    pub(crate) fn new(request_id: &str, function_arn: &str, time: Duration, body: Vec<u8>) -> Self {
        let deadline = SystemTime::now() + time;
        let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", request_id.to_owned()),
            ("lambda-runtime-deadline-ms", deadline.to_string()),
            ("lambda-runtime-invoked-function-arn", function_arn.to_owned()),
            ("lambda-runtime-trace-id", "Root=1-69a5692f-f1fe4f7f505aef9ebdd25b00;Parent=5b00;Sampled=0".to_owned()),
        ];
        Self { request_id: request_id.to_owned(), headers, body }
    }

    pub(crate) fn with(mut self, (name, value): (&'static str, &str)) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

type Reply = oneshot::Sender<Answer>;

/// The API of one sandbox.
pub(crate) struct RuntimeApi {
    /// What `AWS_LAMBDA_RUNTIME_API` says.
    pub(crate) address: String,
    events: mpsc::UnboundedSender<(Event, Reply)>,
    asked: watch::Receiver<bool>,
}

struct Inner {
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<(Event, Reply)>>,
    asked: watch::Sender<bool>,
    running: Mutex<Option<(String, Reply)>>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a local address").to_string();
        let (events, given) = mpsc::unbounded_channel();
        let (asking, asked) = watch::channel(false);
        let inner = Inner { events: tokio::sync::Mutex::new(given), asked: asking, running: Mutex::default() };
        tokio::spawn(serve(listener, Arc::new(inner)));
        Self { address, events, asked }
    }

    /// Waits until the process asks for an event, which ends its init phase.
    pub(crate) async fn asked(&self) {
        self.asked.clone().wait_for(|asked| *asked).await.expect("the API is served");
    }

    /// Queues an event; what it resolves to is the answer.
    pub(crate) fn give(&self, event: Event) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        assert!(self.events.send((event, reply)).is_ok(), "the API is served");
        answer
    }
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let (stream, _) = listener.accept().await.expect("loopback accepts");
        let inner = inner.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(&inner, request));
            // The connection ends with the process.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(inner: &Inner, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    let path = request.uri().path().to_owned();
    let word = path.strip_prefix(INVOCATION).unwrap_or_else(|| panic!("no part of the Runtime API: {path}"));
    if word == "next" {
        return next(inner).await;
    }
    let (request_id, verb) = word.split_once('/').expect("an invocation and a verb");
    let header = request.headers().get("lambda-runtime-function-error-type");
    let header = header.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let body = request.into_body().collect().await.expect("a whole request").to_bytes().to_vec();
    let answer = match verb {
        "response" => Answer::Response(body),
        "error" => Answer::Error { header, body },
        other => panic!("no verb of the Runtime API: {other}"),
    };
    let (running, reply) = inner.running.lock().expect("not poisoned").take().expect("one answer to one event");
    assert_eq!(running, request_id, "the answer is to the event that was handed out");
    // Nobody may be waiting for it.
    let _ = reply.send(answer);
    Response::builder().status(202).body(Full::default())
}

async fn next(inner: &Inner) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    inner.asked.send_replace(true);
    let Some((event, reply)) = inner.events.lock().await.recv().await else {
        return std::future::pending().await;
    };
    let mut response = Response::builder().status(200);
    for (name, value) in event.headers {
        response = response.header(name, value);
    }
    *inner.running.lock().expect("not poisoned") = Some((event.request_id, reply));
    response.body(Full::new(Bytes::from(event.body)))
}
