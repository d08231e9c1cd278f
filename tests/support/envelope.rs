//! One document in the envelope of each door, with only those members that the broker reads.

use aws_smithy_types::base64;
use serde_json::json;

/// The ways in that a document of any bytes can take; EventBridge takes those that are JSON.
pub(crate) fn all(document: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut ways = vec![("direct", document.to_vec()), ("base64", encoded(document))];
    if let Ok(text) = std::str::from_utf8(document) {
        ways.extend([("http", http(text)), ("sqs", sqs(text))]);
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
            ways.push(("eventbridge", event(text)));
        }
    }
    ways
}

/// HTTP API, payload 2.0, IAM.
pub(crate) fn http(body: &str) -> Vec<u8> {
    json!({"requestContext": http_context(), "body": body, "isBase64Encoded": false}).to_string().into_bytes()
}

fn encoded(body: &[u8]) -> Vec<u8> {
    let body = base64::encode(body);
    json!({"requestContext": http_context(), "body": body, "isBase64Encoded": true}).to_string().into_bytes()
}

fn http_context() -> serde_json::Value {
    let iam = json!({"userArn": "arn:aws:iam::123456789012:user/ci"});
    json!({"requestId": "JKJaXmPLvHcESHA=", "http": {"method": "POST"}, "authorizer": {"iam": iam}})
}

/// A standard queue; the message id is the one to look for in the reply.
pub(crate) fn sqs(body: &str) -> Vec<u8> {
    let attributes = json!({"SenderId": "AIDACKCEVSQ6C2EXAMPLE"});
    let record = json!({"messageId": "m-1", "eventSource": "aws:sqs", "attributes": attributes, "body": body});
    json!({"Records": [record]}).to_string().into_bytes()
}

/// The detail goes in as it is, so that its text stays the document's own.
fn event(detail: &str) -> Vec<u8> {
    let head = r#"{"version":"0","id":"6a7e8feb-b491","detail-type":"Grant Requested","source":"com.example","#;
    format!(r#"{head}"account":"123456789012","detail":{detail}}}"#).into_bytes()
}
