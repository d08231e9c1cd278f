//! Allowlists, requests and events of any size.

use serde_json::{Value, json};

/// The `number`th account; the last of a list is the one that requests ask for.
fn account(number: usize) -> String {
    format!("{:012}", 300_000_000_000 + number)
}

/// A rule that names so many accounts, 210987654321 the last of them.
pub(crate) fn accounts(many: usize) -> String {
    let names: Vec<String> = (1..many).map(account).chain(["210987654321".to_owned()]).collect();
    json!([{ "id": "all", "accounts": names }]).to_string()
}

/// So many rules, of which the last allows the request.
pub(crate) fn rules(many: usize) -> String {
    let refusing = |number| json!({ "id": format!("team-{number}"), "accounts": [account(number)], "targets": ["function:orders*"] });
    let allowing = json!({ "id": "last", "accounts": ["210987654321"], "targets": ["function:orders*"] });
    let rules: Vec<Value> = (1..many).map(refusing).chain([allowing]).collect();
    Value::from(rules).to_string()
}

/// A request for a statement with this id.
pub(crate) fn request(id: &str) -> Value {
    json!({
        "operation": "AddPermission",
        "parameters": {
            "FunctionName": "orders", "StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "210987654321",
        },
        "reason": "CHG-1042 partner onboarding",
    })
}

/// A dry run over the HTTP API whose body has so many bytes; what it needs is at the end of it.
pub(crate) fn padded(bytes: usize) -> String {
    let mut request = request("s0");
    request["dryRun"] = true.into();
    let request = request.to_string();
    http(&(" ".repeat(bytes.saturating_sub(request.len())) + &request))
}

/// What an HTTP API hands over.
pub(crate) fn http(body: &str) -> String {
    json!({
        "requestContext": {
            "http": { "method": "POST" }, "requestId": "ejqZHKpKIAMEVkQ=",
            "authorizer": { "iam": { "userArn": "arn:aws:iam::123456789012:user/ci" } },
        },
        "body": body, "isBase64Encoded": false,
    })
    .to_string()
}

/// A batch of the queue that asks for statements `first`, `first + 1`, and so on.
pub(crate) fn batch(first: usize, messages: usize) -> String {
    let record = |number| {
        json!({
            "messageId": format!("message-{number}"), "eventSource": "aws:sqs",
            "attributes": { "SenderId": "AROADBQP57FF2AEXAMPLE:onboarding" },
            "body": request(&format!("s{number}")).to_string(),
        })
    };
    json!({ "Records": (first..first + messages).map(record).collect::<Vec<Value>>() }).to_string()
}
