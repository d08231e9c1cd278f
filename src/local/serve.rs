//! The API door and the control plane on loopback, as two HTTP servers: `curl` asks for grants at one,
//! and any AWS client reads the policies at the other. A browser finds the report at the first.

use std::borrow::Cow;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_types::base64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::control_plane::query;
use super::explain;
use super::loopback;
use super::report::live;
use super::stage::{FUNCTION_ARN, Stage};

/// How often is looked for what is due.
const TICK: Duration = Duration::from_secs(1);

/// API Gateway's limit for a request body, in bytes.
const MOST_BODY_BYTES: usize = 10 * 1024 * 1024;

/// What the description asks of a caller, and what is asked here.
const SIGNED: &str = r#""security":[{"signature":[]}]"#;
const UNSIGNED: &str = r#""security":[]"#;

/// Answers `POST` and `GET /grants`, `GET /openapi.json`, `POST /explain` and the report at `/`, until the process ends. Here nobody
/// checks a signature: whoever reaches the port is the requester given.
pub async fn api(
    stage: Arc<Stage>,
    listener: TcpListener,
    requester: String,
    allowlist_name: String,
) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (stage, requester, allowlist_name) = (stage.clone(), requester.clone(), allowlist_name.clone());
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(&stage, &requester, &allowlist_name, request));
            // A connection that breaks ends here; the broker has recorded what it did.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// Sends the broker what is due, as EventBridge Scheduler does, until the process ends.
pub async fn schedules(stage: Arc<Stage>) -> std::io::Result<()> {
    loop {
        tokio::time::sleep(TICK).await;
        send_due(&stage, SystemTime::now()).await;
        for line in stage.audit() {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

/// Sends the broker what is due at a time.
pub async fn send_due(stage: &Stage, now: SystemTime) {
    for (i, event) in stage.control_plane.take_due(now).iter().enumerate() {
        // What it came to is in the audit.
        let _ = stage.invoke_at(now, &format!("schedule-{}", i + 1), event.as_bytes()).await;
    }
}

async fn answer(
    stage: &Stage,
    requester: &str,
    allowlist_name: &str,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    if let Some(refusal) = loopback::refusal(&parts) {
        return Ok(message(403, refusal));
    }
    if let Some(page) = live::answer(stage, allowlist_name, &parts).await {
        return Ok(page);
    }
    let path = parts.uri.path();
    let dry = path == "/explain" && parts.method == Method::POST;
    if !["/grants", "/openapi.json"].contains(&path) && !dry {
        return Ok(message(404, "Not Found"));
    }
    let Ok(body) = Limited::new(body, MOST_BODY_BYTES).collect().await else {
        return Ok(message(413, "Request Entity Too Large"));
    };
    let body = body.to_bytes();
    let id = format!("local-{:x}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    let Some(query) = query(parts.uri.query().unwrap_or_default()) else {
        return Ok(message(400, "Bad Request"));
    };
    let query = query.into_iter().map(|(name, value)| (name, value.into())).collect();
    let path = if dry { "/grants" } else { path };
    let event = event(parts.method.as_str(), path, query, &body, requester, &id).to_string().into_bytes();
    let event = if dry { explain::dry(event) } else { event };
    let reply = stage.invoke(&id, &event).await;
    for line in stage.audit() {
        // Whoever reads along may leave; the request is answered all the same.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    for event in stage.results() {
        let _ = writeln!(std::io::stdout(), "{event}");
    }
    let Ok(reply) = reply else {
        // What API Gateway says when the function fails.
        return Ok(message(500, "Internal Server Error"));
    };
    let reply: Value = serde_json::from_str(reply.get()).unwrap_or_default();
    Ok(response(&reply))
}

/// What API Gateway itself says.
fn message(status: u16, text: &str) -> Response<Full<Bytes>> {
    let body = json!({ "message": text }).to_string();
    response(&json!({ "statusCode": status, "headers": { "content-type": "application/json" }, "body": body }))
}

/// What the broker answered, as HTTP.
fn response(reply: &Value) -> Response<Full<Bytes>> {
    let body = reply.get("body").and_then(Value::as_str).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(unsigned(body).into_owned() + "\n")));
    let status = reply.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in reply.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        if let (Ok(name), Some(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The description without the signature, which nobody checks here; any other body as it is.
fn unsigned(body: &str) -> Cow<'_, str> {
    if body.starts_with(r#"{"openapi":"#) { body.replacen(SIGNED, UNSIGNED, 1).into() } else { body.into() }
}

/// The event that an HTTP API with IAM authorization would send.
fn event(method: &str, path: &str, query: Map<String, Value>, body: &[u8], requester: &str, id: &str) -> Value {
    let account = FUNCTION_ARN.split(':').nth(4);
    let text = std::str::from_utf8(body);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "headers": { "content-type": "application/json" },
        "queryStringParameters": query,
        "requestContext": {
            "accountId": account,
            "apiId": "local",
            "authorizer": { "iam": { "accountId": account, "userArn": requester } },
            "domainName": "localhost",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1" },
            "requestId": id,
            "timeEpoch": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            "routeKey": format!("{method} {path}"),
            "stage": "$default"
        },
        "body": text.map_or_else(|_| base64::encode(body), str::to_owned),
        "isBase64Encoded": text.is_err()
    })
}
