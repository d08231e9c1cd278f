//! One document through every door: the decision is the document's, the requester and the reply are the door's.

use aws_smithy_types::base64;
use permission_broker::local::stage::Stage;
use serde_json::{Value, json};

use crate::support::{json, string, text};

/// A way in: an example event to take the envelope of, the requester that AWS stamped on it, and how it answers.
struct Way {
    envelope: &'static str,
    requester: &'static str,
    wrap: fn(Value, &str) -> String,
    open: fn(&Value) -> Option<Value>,
}

const ALICE: &str = "arn:aws:sts::123456789012:assumed-role/Deployer/alice";
const CI: &str = "arn:aws:iam::123456789012:user/ci";
const TOKEN: &str =
    "jwt:https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01#7c1f2a90-3b5e-4d0a-9c57-2f6d8e1b4a30";
const BUS: &str = "eventbridge:123456789012:com.example.onboarding";

#[rustfmt::skip]
const WAYS: &[Way] = &[
    Way { envelope: "direct-grant-account", requester: "direct", wrap: bare, open: document },
    Way { envelope: "rest-grant-account", requester: ALICE, wrap: body, open: http },
    Way { envelope: "http-api-iam-conflict", requester: CI, wrap: body, open: http },
    Way { envelope: "http-api-iam-grant-base64", requester: ALICE, wrap: encoded_body, open: http },
    Way { envelope: "http-api-jwt-dry-run", requester: TOKEN, wrap: body, open: http },
    Way { envelope: "http-api-lambda-repeat-derived-id", requester: "authorizer:release-pipeline", wrap: body, open: http },
    Way { envelope: "http-api-v1-grant-layer", requester: TOKEN, wrap: body, open: http },
    Way { envelope: "function-url-grant-sns", requester: ALICE, wrap: body, open: http },
    Way { envelope: "eventbridge-grant-rule", requester: BUS, wrap: detail, open: document },
    Way { envelope: "eventbridge-grant-rule", requester: BUS, wrap: details, open: list },
    Way { envelope: "sqs-batch-mixed", requester: "sqs:AIDACKCEVSQ6C2EXAMPLE", wrap: message, open: batch },
    Way { envelope: "sqs-fifo-repeat", requester: "sqs:AROADBQP57FF2AEXAMPLE:onboarding", wrap: message, open: batch },
    Way { envelope: "sqs-eventbridge-body", requester: "sqs:AIDAEVENTBRIDGEXAMPLE", wrap: event_message, open: batch },
];

/// Documents of every outcome that a fresh stage can give, with what each must come to.
#[rustfmt::skip]
const DOCUMENTS: &[(&str, &str, Option<&str>)] = &[
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Qualifier":"live","Action":"lambda:InvokeFunction","Principal":"210987654321"},"reason":"CHG-1"}"#, "granted", None),
    (r#"{"operation":"AddLayerVersionPermission","parameters":{"LayerName":"common","VersionNumber":3,"StatementId":"a","Action":"lambda:GetLayerVersion","Principal":"*","OrganizationId":"o-a1b2c3d4e5"}}"#, "granted", None),
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"210987654321"},"dryRun":true}"#, "would_grant", None),
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"999999999999"}}"#, "denied", Some("principal_not_allowed")),
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"*"}}"#, "denied", Some("public_grant")),
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"21098765432"}}"#, "rejected", Some("invalid_principal")),
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"210987654321","Principal":"999999999999"}}"#, "rejected", Some("duplicate_field")),
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"210987654321"},"requester":"arn:aws:iam::123456789012:user/ci"}"#, "rejected", Some("unknown_field")),
    (r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders-archive","Action":"lambda:InvokeFunction","Principal":"210987654321"}}"#, "failed", Some("target_not_found")),
];

#[tokio::test]
async fn the_same_document_gives_the_same_decision_through_every_door() {
    for (document, outcome, code) in DOCUMENTS {
        let mut first: Option<Came> = None;
        for way in WAYS {
            let came = send(way, document).await;
            assert_eq!(came.line["outcome"], *outcome, "{}: {document}", way.envelope);
            assert_eq!(came.line["code"].as_str(), *code, "{}: {document}", way.envelope);
            if let Some(reply) = &came.reply {
                assert_eq!(reply["outcome"], *outcome, "{}: {document}", way.envelope);
                assert_eq!(reply["code"].as_str(), *code, "{}: {document}", way.envelope);
            }
            let first = first.get_or_insert_with(|| came.clone());
            assert_eq!(came.decision(), first.decision(), "{}: {document}", way.envelope);
            assert_eq!(came.policies, first.policies, "{}: {document}", way.envelope);
        }
    }
}

/// What came of a document that was sent one way.
#[derive(Clone)]
struct Came {
    line: Value,
    reply: Option<Value>,
    policies: Vec<(String, String)>,
}

impl Came {
    /// The record without what belongs to the door, to the clock or to AWS's numbering.
    fn decision(&self) -> Value {
        let mut line = self.line.clone();
        // Behind the queue a grant is confirmed by reading it, so that door has one call more.
        let own = ["timestamp", "eventId", "door", "requester", "awsRequestId", "durationMs", "calls"];
        for own in own.into_iter().chain(["confirmedByRead", "policyBytes", "policyBytesLeft"]) {
            line.as_object_mut().unwrap().remove(own);
        }
        line
    }
}

async fn send(way: &Way, document: &str) -> Came {
    let stage = Stage::examples().await.unwrap();
    let event = (way.wrap)(json(&text(&format!("events/{}.json", way.envelope))), document);
    let reply = stage.invoke("one", event.as_bytes()).await;
    let reply = json(reply.unwrap_or_else(|failure| panic!("{}: {failure:?}", way.envelope)).get());
    let lines: Vec<Value> = stage.audit().iter().map(|line| json(line)).collect();
    for line in &lines {
        assert_eq!(line["requester"], way.requester, "{}: {document}", way.envelope);
    }
    let policies = stage.control_plane.policies().into_iter().map(|(arn, policy, _)| (arn, policy)).collect();
    Came { line: lines.last().unwrap().clone(), reply: (way.open)(&reply), policies }
}

// The envelopes. A document goes in as text, so that what is wrong with it stays wrong.

fn bare(_: Value, document: &str) -> String {
    document.to_owned()
}

fn body(mut event: Value, document: &str) -> String {
    event["body"] = document.into();
    event.to_string()
}

fn encoded_body(mut event: Value, document: &str) -> String {
    event["body"] = base64::encode(document).into();
    assert_eq!(event["isBase64Encoded"], true);
    event.to_string()
}

fn detail(mut event: Value, document: &str) -> String {
    event["detail"] = "@detail".into();
    event.to_string().replace("\"@detail\"", document)
}

fn details(event: Value, document: &str) -> String {
    format!("[{}]", detail(event, document))
}

fn message(mut event: Value, document: &str) -> String {
    event["Records"].as_array_mut().unwrap().truncate(1);
    event["Records"][0]["body"] = document.into();
    event.to_string()
}

fn event_message(event: Value, document: &str) -> String {
    let inner = json(string(&event["Records"][0], "body"));
    message(event, &detail(inner, document))
}

// The replies.

fn document(reply: &Value) -> Option<Value> {
    Some(reply.clone())
}

fn list(reply: &Value) -> Option<Value> {
    assert_eq!(reply.as_array().map(Vec::len), Some(1));
    Some(reply[0].clone())
}

fn http(reply: &Value) -> Option<Value> {
    assert_eq!(reply["isBase64Encoded"], false);
    let document = json(string(reply, "body"));
    let status = match (string(&document, "outcome"), document["status"].as_u64()) {
        (_, Some(status)) => status,
        ("granted", _) => 201,
        _ => 200,
    };
    assert_eq!(reply["statusCode"], status);
    Some(document)
}

/// A queue learns only which messages have to come again; none of these has.
fn batch(reply: &Value) -> Option<Value> {
    assert_eq!(*reply, json!({ "batchItemFailures": [] }));
    None
}
