//! The embedded control plane against what was recorded from AWS: every answer with status, error name and body,
//! both edges of every limit, every fault. Requests are plain HTTP over a socket, so that nothing in between helps.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod faults;
mod handle;
mod layer_versions;
mod limits;
mod overlap;
mod refused;
mod requests;
mod revisions;
mod schedules;
mod stored;

use std::time::{Duration, Instant};

use permission_broker::local::control_plane::{
    ConcurrentUpdates, ControlPlane, ErrorName, Fault, FaultKind, Operation,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251124/us-west-2/lambda/aws4_request, \
     SignedHeaders=host;x-amz-date, Signature=0123abcd";
const ARN: &str = "arn:aws:lambda:us-west-2:123456789012:function:my-function";
const LAYER_ARN: &str = "arn:aws:lambda:us-west-2:123456789012:layer:my-layer:1";
const FUNCTION: &str = "/2015-03-31/functions/my-function/policy";
const LAYER: &str = "/2018-10-31/layers/my-layer/versions/1/policy";

const DERIVED: &str = "The derived qualifier from the function name does not match the specified qualifier.";
const LATEST: &str = "We currently do not support adding policies for $LATEST.";
const PRINCIPAL: &str = "The provided principal was invalid. Please check the principal and try again.";
const GONE: &str = "The resource you requested does not exist.";
const NO_POLICY: &str = "No policy is associated with the given resource.";
const REVISION: &str = "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to \
     retrieve the latest Revision Id";
const LAYER_REVISION: &str = "The Revision Id provided does not match the latest Revision Id. Call the \
     GetLayerPolicy API to retrieve the latest Revision Id";

const P_FUNCTION: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const P_STATEMENT: &str = r"([a-zA-Z0-9-_]+)";
const P_REMOVED: &str = r"([a-zA-Z0-9-_.]+)";
const P_ACTION: &str = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])";
const P_PRINCIPAL: &str = r"[^\s]+";
const P_SOURCE: &str =
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)";
const P_ACCOUNT: &str = r"\d{12}";
const P_TOKEN: &str = r"[a-zA-Z0-9._\-]+";
const P_QUALIFIER: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
const P_ORGANIZATION: &str = r"o-[a-z0-9]{10,32}";
const P_LAYER: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})";
const P_LAYER_ACTION: &str = "lambda:GetLayerVersion";
const P_LAYER_PRINCIPAL: &str = r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root";

/// A served control plane.
struct Lambda {
    plane: ControlPlane,
    url: String,
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap().to_owned()
    }
}

impl Lambda {
    async fn of(plane: ControlPlane) -> Self {
        let url = plane.start().await.unwrap();
        Self { plane, url }
    }

    /// A function with two versions and two aliases, a layer with one version.
    async fn new() -> Self {
        let plane = ControlPlane::new("aws", "us-west-2", "123456789012");
        let aliases = [("live", "1"), ("edge", "$LATEST")];
        plane.add_function("my-function", &[1, 2], &aliases);
        plane.add_layer("my-layer", &[1]);
        Self::of(plane).await
    }

    async fn raw(&self, text: &str) -> std::io::Result<Reply> {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).await?;
        stream.write_all(text.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(parse(&bytes))
    }

    async fn try_send(&self, method: &str, target: &str, body: &str) -> std::io::Result<Reply> {
        let length = body.len();
        self.raw(&format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {AUTHORIZATION}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
        .await
    }

    async fn send(&self, method: &str, target: &str, body: &str) -> Reply {
        self.try_send(method, target, body).await.unwrap()
    }

    async fn post(&self, target: &str, body: &Value) -> Reply {
        self.send("POST", target, &body.to_string()).await
    }

    /// Adds a statement that has nothing special.
    async fn add(&self, target: &str, sid: &str) -> Reply {
        let body = match target.contains("/layers/") {
            true => layer_grant(json!({ "StatementId": sid })),
            false => grant(json!({ "StatementId": sid })),
        };
        self.post(target, &body).await
    }
}

fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    Reply { status: status.parse().unwrap_or(0), head: head.to_owned(), body: body.to_owned() }
}

/// A complete AddPermission body with some members replaced; null takes one away.
fn grant(changes: Value) -> Value {
    let grant = json!({ "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com" });
    merge(grant, changes)
}

fn layer_grant(changes: Value) -> Value {
    let grant = json!({ "StatementId": "s3", "Action": "lambda:GetLayerVersion", "Principal": "*" });
    merge(grant, changes)
}

fn merge(mut into: Value, changes: Value) -> Value {
    let members = into.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    into
}

fn encode(label: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    label
        .bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn function(name: &str) -> String {
    format!("/2015-03-31/functions/{}/policy", encode(name))
}

fn layer(name: &str, version: &str) -> String {
    format!("/2018-10-31/layers/{}/versions/{version}/policy", encode(name))
}

fn with(target: &str, query: &str, value: &str) -> String {
    format!("{target}?{query}={}", encode(value))
}

fn without(target: &str, sid: &str) -> String {
    format!("{target}/{}", encode(sid))
}

/// The body that AWS sends with an error: the spelling of its keys depends on the error.
fn error_body(error: &str, message: &str) -> Value {
    match error {
        "ResourceNotFoundException" => json!({ "Type": "User", "Message": message }),
        "ValidationException"
        | "SerializationException"
        | "MissingAuthenticationTokenException"
        | "UnknownOperationException" => json!({ "message": message }),
        "AccessDeniedException" => json!({ "Message": null }),
        _ => json!({ "Type": "User", "message": message }),
    }
}

fn status_of(error: &str) -> u16 {
    match error {
        "ResourceNotFoundException" | "UnknownOperationException" => 404,
        "ResourceConflictException" => 409,
        "PreconditionFailedException" => 412,
        "AccessDeniedException" | "MissingAuthenticationTokenException" => 403,
        _ => 400,
    }
}

#[track_caller]
fn assert_error(reply: &Reply, error: &str, message: &str) {
    assert_eq!(reply.header("x-amzn-errortype"), Some(error), "{reply:?}");
    assert_eq!(reply.status, status_of(error), "{reply:?}");
    assert_eq!(reply.json(), error_body(error, message));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("x-amzn-requestid").map(str::len), Some(36));
}

fn pattern(value: &str, field: &str, pattern: &str) -> String {
    format!(
        "Value '{value}' at '{field}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
    )
}

fn longer(value: &str, field: &str, limit: usize) -> String {
    format!(
        "Value '{value}' at '{field}' failed to satisfy constraint: Member must have length less than or equal to {limit}"
    )
}

fn shorter(value: &str, field: &str, limit: usize) -> String {
    format!(
        "Value '{value}' at '{field}' failed to satisfy constraint: Member must have length greater than or equal to {limit}"
    )
}

fn missing(field: &str) -> String {
    format!("Value null at '{field}' failed to satisfy constraint: Member must not be null")
}

fn broken(violations: &[String]) -> String {
    let noun = if violations.len() == 1 { "error" } else { "errors" };
    format!("{} validation {noun} detected: {}", violations.len(), violations.join("; "))
}

const INVALID: &str = "InvalidParameterValueException";
const NOT_FOUND: &str = "ResourceNotFoundException";
const VALIDATION: &str = "ValidationException";
const CONFLICT: &str = "ResourceConflictException";
const STALE: &str = "PreconditionFailedException";
const SERIALIZATION: &str = "SerializationException";

fn taken(sid: &str) -> String {
    format!(
        "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
    )
}

fn sids(policy: &Reply) -> Vec<String> {
    let document: Value = serde_json::from_str(&policy.text("Policy")).unwrap();
    let statements = document["Statement"].as_array().unwrap();
    statements.iter().map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect()
}
