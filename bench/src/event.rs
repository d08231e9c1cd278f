//! The events of all measurements: a grant of a rule of EventBridge on a function, as an HTTP API hands it over or
//! bare. Every event asks for another statement, and the broker gets the allowlist that decides on it.

use clap::ValueEnum;
use serde_json::{Value, json};

/// How an event reaches the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Door {
    ApiGateway,
    Direct,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// What the allowlist allows.
    Allowed,
    /// The same for an account that no rule names.
    Denied,
}

/// An allowlist as a team has it: two rules, each with its targets.
pub(crate) fn allowlist() -> String {
    json!([
        { "id": "partner", "accounts": ["210987654321"], "targets": ["function:partner-*"] },
        {
            "id": "schedules", "accounts": ["123456789012"], "services": ["events.amazonaws.com", "s3.amazonaws.com"],
            "targets": ["function:orders*", "function:reports"],
        },
    ])
    .to_string()
}

/// The event with this number.
pub(crate) fn event(door: Door, wish: Wish, number: usize) -> String {
    let request = request(wish, number);
    match door {
        Door::Direct => request.to_string(),
        Door::ApiGateway => http(&request.to_string()).to_string(),
    }
}

fn request(wish: Wish, number: usize) -> Value {
    let account = if wish == Wish::Allowed { "123456789012" } else { "999999999999" };
    json!({
        "operation": "AddPermission",
        "parameters": {
            "FunctionName": "orders", "Qualifier": "live", "StatementId": format!("nightly-{number}"),
            "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com",
            "SourceArn": format!("arn:aws:events:us-east-1:{account}:rule/nightly-{number}"), "SourceAccount": account,
        },
        "reason": "CHG-1042 nightly run",
    })
}

/// What an HTTP API with IAM authorization sends.
fn http(body: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "POST /grants", "rawPath": "/grants", "rawQueryString": "",
        "headers": {
            "accept": "*/*", "content-length": body.len().to_string(), "content-type": "application/json",
            "host": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com", "user-agent": "curl/8.5.0",
            "x-amz-date": "20260302T095804Z", "x-amzn-trace-id": "Root=1-69a55f2c-d0c621de49f145fda9988c79",
            "x-forwarded-for": "203.0.113.24", "x-forwarded-port": "443", "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5",
            "authorizer": { "iam": {
                "accessKey": "AKIAIOSFODNN7EXAMPLE", "accountId": "123456789012", "callerId": "AIDACKCEVSQ6C2EXAMPLE",
                "cognitoIdentity": null, "principalOrgId": "aws:PrincipalOrgID",
                "userArn": "arn:aws:iam::123456789012:user/ci", "userId": "AIDACKCEVSQ6C2EXAMPLE",
            } },
            "domainName": "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com", "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": "POST", "path": "/grants", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.24",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "ejqZHKpKIAMEVkQ=", "routeKey": "POST /grants", "stage": "$default",
            "time": "02/Mar/2026:09:58:04 +0000", "timeEpoch": 1_772_445_484_963_u64,
        },
        "body": body, "isBase64Encoded": false,
    })
}
