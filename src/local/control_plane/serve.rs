//! HTTP/1.1 on a listener: arrival, record, fault, answer.
//! Guarantees that every arrival is recorded before it can go wrong, and that every answer has a request id.
//! Connections end with the accept loop that took them. Meant for loopback, without TLS.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt, io};

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::ControlPlane;
use super::answer::{Answer, AwsError, ErrorName, fresh_uuid};
use super::body::ReplyBody;
use super::call::Call;
use super::events;
use super::fault::{FaultKind, spoil};
use super::request::Request;
use super::route::{Operation, Route, unknown_operation};

/// More than any request of the six operations can need.
const BODY_LIMIT: usize = 1 << 20;

/// No answer: the connection is to be reset.
#[derive(Debug)]
struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is reset on purpose")
    }
}

impl error::Error for Reset {}

pub(super) async fn accept(plane: ControlPlane, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(plane.clone(), stream));
            }
            // Out of file descriptors, most likely: wait for connections to end.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

type Reply = Pin<Box<dyn Future<Output = Result<Response<ReplyBody>, Reset>> + Send>>;

async fn connection(plane: ControlPlane, stream: TcpStream) {
    // Answers are small; waiting to fill a packet would only slow the tests down.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| -> Reply { Box::pin(reply(plane.clone(), request)) });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let stream = connection.into_parts().io.into_inner();
    let cause = ended.as_ref().err().and_then(error::Error::source);
    if cause.is_some_and(|cause| cause.is::<Reset>()) {
        // Closing without lingering sends a reset instead of an orderly end.
        let _ = stream.set_zero_linger();
    }
}

async fn reply(plane: ControlPlane, request: HttpRequest<Incoming>) -> Result<Response<ReplyBody>, Reset> {
    let (call, too_large) = arrive(request).await?;
    let call = Arc::new(call);
    let number = plane.state().calls.arrived(Call::clone(&call));
    let fault = plane.state().faults.take(call.operation);
    let answer = if too_large {
        AwsError::new(ErrorName::RequestTooLarge, "Request is too large").into()
    } else {
        answer(&plane, &call, number, fault.as_ref()).await?
    };
    let status = Some(answer.status);
    plane.update(number, |call| call.status = status);
    response(answer, &call.request_id, fault.as_ref()).map_err(|_| Reset)
}

/// Takes the whole request in; says whether its body was too large to be kept.
async fn arrive(request: HttpRequest<Incoming>) -> Result<(Call, bool), Reset> {
    let (parts, incoming) = request.into_parts();
    let (body, too_large) = match Limited::new(incoming, BODY_LIMIT).collect().await {
        Ok(body) => (body.to_bytes(), false),
        Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), true),
        Err(_) => return Err(Reset),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = parts.headers.iter();
    let path = parts.uri.path();
    let target = parts.headers.get(events::TARGET).map(|value| text(value.as_bytes()));
    let operation = Route::of(parts.method.as_str(), path).map(|route| route.operation);
    let operation = operation.or_else(|| events::operation(parts.method.as_str(), path, target.as_deref()?));
    let call = Call {
        method: parts.method.to_string(),
        path: path.to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body: body.to_vec(),
        operation,
        status: None,
        request_id: fresh_uuid(),
        committed: false,
    };
    Ok((call, too_large))
}

/// The answer after everything that the fault does before, instead of and after the work.
async fn answer(
    plane: &ControlPlane,
    call: &Arc<Call>,
    number: u64,
    fault: Option<&FaultKind>,
) -> Result<Answer, Reset> {
    match fault {
        Some(FaultKind::Answer { status, error_type, headers, body }) => {
            return Ok(Answer {
                status: *status,
                error_type: error_type.clone(),
                content_type: "application/json",
                headers: headers.clone(),
                body: Bytes::from(body.clone()),
            });
        }
        Some(FaultKind::ResetBeforeCommit) => return Err(Reset),
        Some(FaultKind::HangBeforeCommit) => pending().await,
        Some(FaultKind::Duplicate { commit: false }) => return Ok(duplicate(call)),
        _ => {}
    }
    let delay = match fault {
        Some(FaultKind::Delay(delay)) => Some(*delay),
        _ => None,
    };
    // A task of its own: AWS goes on with a request whose caller has given up.
    let work = work(plane.clone(), call.clone(), number, delay);
    let answer = tokio::spawn(work).await.map_err(|_| Reset)?;
    match fault {
        Some(FaultKind::ResetAfterCommit) => Err(Reset),
        Some(FaultKind::HangAfterCommit) => pending().await,
        Some(FaultKind::Duplicate { .. }) => Ok(duplicate(call)),
        Some(kind) => Ok(spoil(answer, kind)),
        None => Ok(answer),
    }
}

async fn work(plane: ControlPlane, call: Arc<Call>, number: u64, delay: Option<Duration>) -> Answer {
    if let Some(delay) = delay {
        sleep(delay).await;
    }
    let (answer, committed) = match read(&call) {
        _ if call.operation == Some(Operation::PutEvents) => (events::put(&plane, &call), false),
        Ok(request) => plane.perform(&request).await,
        Err(error) => (error.into(), false),
    };
    plane.update(number, |call| call.committed = committed);
    answer
}

/// Authentication comes before everything that looks at the request.
fn read(call: &Call) -> Result<Request, AwsError> {
    let authorization = call.header("authorization");
    let schedules = call.operation.is_some_and(Operation::is_of_schedules);
    let service = if schedules { "scheduler" } else { "lambda" };
    if !authorization.is_some_and(|header| is_signed_for(service, header)) {
        let name = ErrorName::MissingAuthenticationToken;
        return Err(AwsError::new(name, "Missing Authentication Token"));
    }
    let route = Route::of(&call.method, &call.path).ok_or_else(unknown_operation)?;
    Request::read(&route, &call.query, &call.body)
}

/// The form of a signature for a service. The signature itself is not checked: there is no secret to check it
/// with. A scope of another service is not recorded and answered like no signature at all.
pub(super) fn is_signed_for(service: &str, header: &str) -> bool {
    let Some(fields) = header.strip_prefix("AWS4-HMAC-SHA256 ") else {
        return false;
    };
    let field = |name: &str| {
        let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
        fields.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let filled = |name: &str| field(name).is_some_and(|value| !value.is_empty());
    let scope: Vec<&str> = field("Credential").unwrap_or_default().split('/').collect();
    let fits = matches!(scope.as_slice(), [_, _, _, of, "aws4_request"] if *of == service);
    fits && filled("SignedHeaders") && filled("Signature")
}

/// 409 for the statement id that the request names, as far as it can be read.
fn duplicate(call: &Call) -> Answer {
    let request = read(call).ok();
    let statement_id = request.as_ref().and_then(|request| request.get("StatementId"));
    AwsError::duplicate(statement_id.unwrap_or_default()).into()
}

fn response(answer: Answer, request_id: &str, fault: Option<&FaultKind>) -> io::Result<Response<ReplyBody>> {
    let mut response = Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .header("x-amzn-requestid", request_id);
    if let Some(error_type) = &answer.error_type {
        response = response.header("x-amzn-errortype", error_type);
    }
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let body = match fault {
        Some(FaultKind::SlowBody { every }) => ReplyBody::slow(answer.body, *every),
        Some(FaultKind::TruncatedBody) => ReplyBody::truncated(answer.body),
        _ => ReplyBody::whole(answer.body),
    };
    response.body(body).map_err(io::Error::other)
}
