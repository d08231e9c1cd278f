//! Requests, and the envelope in which each door hands them over.

use permission_broker::event;
use serde_json::{Value, json};

pub(crate) use permission_broker::event::Door;

/// A request that the examples' allowlist allows, with some of its parameters replaced; null takes one away.
pub(crate) fn grant(changes: Value) -> Value {
    let parameters = json!({
        "FunctionName": "orders",
        "StatementId": "partner",
        "Action": "lambda:InvokeFunction",
        "Principal": "210987654321",
    });
    json!({ "operation": "AddPermission", "parameters": with(parameters, changes) })
}

/// The same for a layer version.
pub(crate) fn layer_grant(changes: Value) -> Value {
    let parameters = json!({
        "LayerName": "common",
        "VersionNumber": 1,
        "StatementId": "partner",
        "Action": "lambda:GetLayerVersion",
        "Principal": "210987654321",
    });
    json!({ "operation": "AddLayerVersionPermission", "parameters": with(parameters, changes) })
}

/// An object with some members replaced or, by null, taken away.
pub(crate) fn with(mut object: Value, changes: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    object
}

/// One request as the event of a door.
pub(crate) fn event(door: Door, request: &Value) -> Vec<u8> {
    match door {
        Door::Direct => request.clone(),
        Door::ApiGateway => json!({
            "version": "2.0",
            "requestContext": {
                "http": { "method": "POST" },
                "requestId": "api-1",
                "timeEpoch": 1_772_442_922_123_u64,
                "authorizer": { "iam": { "userArn": "arn:aws:iam::123456789012:user/ci" } },
            },
            "body": request.to_string(),
            "isBase64Encoded": false,
        }),
        Door::EventBridge => json!({
            "version": "0",
            "id": "event-1",
            "detail-type": "Grant Requested",
            "source": "com.example.onboarding",
            "account": "123456789012",
            "time": "2026-03-02T09:15:22Z",
            "detail": request,
        }),
        Door::Sqs => messages(&[request.to_string()]),
        Door::Schedule => json!({ "executionId": "execution-1", "scheduled": request }),
    }
    .to_string()
    .into_bytes()
}

/// A batch of a standard queue; the messages are `message-0`, `message-1`, ...
pub(crate) fn messages(bodies: &[String]) -> Value {
    let records = bodies.iter().enumerate().map(|(i, body)| {
        json!({
            "messageId": format!("message-{i}"),
            "eventSource": "aws:sqs",
            "attributes": { "SenderId": "AROADBQP57FF2AEXAMPLE:onboarding", "SentTimestamp": "1772442922123" },
            "body": body,
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// Every door, to be iterated over.
pub(crate) const DOORS: [Door; 4] = event::Door::ALL;
