//! The API door and the control plane on loopback, as two HTTP servers: `curl` asks for grants at one,
//! and any AWS client reads the policies at the other.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::control_plane::query;
use super::stage::{FUNCTION_ARN, Stage};

/// How often is looked for what is due.
const TICK: Duration = Duration::from_secs(1);

/// API Gateway's limit for a request body, in bytes.
const MOST_BODY_BYTES: usize = 10 * 1024 * 1024;

/// Answers `POST` and `GET /grants` until the process ends. Here nobody checks a signature: whoever reaches the
/// port is the requester given.
pub async fn api(stage: Arc<Stage>, listener: TcpListener, requester: String) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (stage, requester) = (stage.clone(), requester.clone());
        tokio::spawn(async move {
            let answer = service_fn(|request| answer(&stage, &requester, request));
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
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() != "/grants" {
        return Ok(response(404, "application/json", r#"{"message":"Not Found"}"#.into()));
    }
    let Ok(body) = Limited::new(body, MOST_BODY_BYTES).collect().await else {
        return Ok(response(413, "application/json", r#"{"message":"Request Entity Too Large"}"#.into()));
    };
    let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let id = format!("local-{:x}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    let Some(query) = query(parts.uri.query().unwrap_or_default()) else {
        return Ok(response(400, "application/json", r#"{"message":"Bad Request"}"#.into()));
    };
    let query = query.into_iter().map(|(name, value)| (name, value.into())).collect();
    let event = event(parts.method.as_str(), query, &body, requester, &id).to_string();
    let reply = stage.invoke(&id, event.as_bytes()).await;
    for line in stage.audit() {
        // Whoever reads along may leave; the request is answered all the same.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    for event in stage.results() {
        let _ = writeln!(std::io::stdout(), "{event}");
    }
    let Ok(reply) = reply else {
        // What API Gateway says when the function fails.
        return Ok(response(502, "application/json", r#"{"message":"Internal Server Error"}"#.into()));
    };
    let reply: Value = serde_json::from_str(reply.get()).unwrap_or_default();
    let status = reply.get("statusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let content_type = reply.pointer("/headers/content-type").and_then(Value::as_str).unwrap_or("application/json");
    let body = reply.get("body").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(response(status.unwrap_or(502), content_type, body))
}

fn response(status: u16, content_type: &str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body + "\n")));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, value);
    }
    response
}

/// The event that an HTTP API with IAM authorization would send.
fn event(method: &str, query: Map<String, Value>, body: &str, requester: &str, id: &str) -> Value {
    let account = FUNCTION_ARN.split(':').nth(4);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({
        "version": "2.0",
        "routeKey": format!("{method} /grants"),
        "rawPath": "/grants",
        "headers": { "content-type": "application/json" },
        "queryStringParameters": query,
        "requestContext": {
            "accountId": account,
            "apiId": "local",
            "authorizer": { "iam": { "accountId": account, "userArn": requester } },
            "domainName": "localhost",
            "http": { "method": method, "path": "/grants", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1" },
            "requestId": id,
            "timeEpoch": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            "routeKey": format!("{method} /grants"),
            "stage": "$default"
        },
        "body": body,
        "isBase64Encoded": false
    })
}
