//! Two records around each call and one for each refusal, and no reply that is not one of them.

use permission_broker::event::Doors;
use permission_broker::local::control_plane::{Fault, Operation};
use serde_json::{Value, json};

use crate::support::door::{self, DOORS};
use crate::support::{Door, Scene, grant, with};

/// Every field that the record of a request may have; a new one has to be put here on purpose.
const FIELDS: [&str; 44] = [
    "action",
    "attempts",
    "awsCode",
    "awsRequestId",
    "calls",
    "carriesOnAt",
    "code",
    "confirmedByRead",
    "decision",
    "door",
    "dryRun",
    "durationMs",
    "errors",
    "eventId",
    "eventSourceToken",
    "expiresAt",
    "fingerprint",
    "functionUrlAuthType",
    "invokedViaFunctionUrl",
    "level",
    "operation",
    "organizationId",
    "outcome",
    "policyBytes",
    "policyBytesBefore",
    "policyBytesLeft",
    "principal",
    "reason",
    "record",
    "requestId",
    "requester",
    "retryable",
    "revisionId",
    "rule",
    "rules",
    "rulesChecked",
    "sourceAccount",
    "sourceArn",
    "statementDiffers",
    "statementId",
    "sweptTo",
    "target",
    "timestamp",
    "type",
];

/// `record` and, where there is one, `outcome`.
fn gist(record: &Value) -> String {
    let word = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    format!("{} {}", word("record"), word("outcome")).trim().to_owned()
}

#[tokio::test]
async fn a_call_has_two_records_and_a_refusal_has_one() {
    let granted = grant(json!({}));
    let taken = grant(json!({ "Principal": "123456789012" }));
    let cases = [
        (granted.clone(), vec!["intent", "outcome granted"]),
        (granted.clone(), vec!["intent", "outcome already_granted"]),
        (taken, vec!["intent", "outcome conflict"]),
        (grant(json!({ "Qualifier": "9" })), vec!["intent", "outcome failed"]),
        (with(granted, json!({ "dryRun": true })), vec!["outcome already_granted"]),
        (with(grant(json!({ "StatementId": "new" })), json!({ "dryRun": true })), vec!["outcome would_grant"]),
        (grant(json!({ "Principal": "999999999999" })), vec!["outcome denied"]),
        (grant(json!({ "Principal": "nobody", "Action": "*!" })), vec!["outcome rejected"]),
        (json!({ "operation": "AddPermission" }), vec!["outcome rejected"]),
    ];
    for door in DOORS {
        let scene = Scene::new().await;
        for (request, expected) in &cases {
            scene.ask(door, request).await;
            let records = scene.records();
            assert_eq!(records.iter().map(gist).collect::<Vec<_>>(), *expected, "{request} through {}", door.as_str());
            assert!(records.iter().all(|record| record["door"] == door.as_str()));
        }
    }
}

#[tokio::test]
async fn what_is_no_request_has_a_record_too() {
    let scene = Scene::new().await;
    for event in ["", "not JSON", "[]", "[1]", "{}", "\u{feff}{}", "{\"Records\":[]}", "{\"detail\":1,\"Records\":1}"] {
        scene.invoke(event.as_bytes()).await;
        assert_eq!(scene.records().iter().map(gist).collect::<Vec<_>>(), ["outcome rejected"], "{event}");
    }
    scene.invoke(b"\xff").await;
    assert_eq!(scene.records().len(), 1);
    assert!(scene.calls().is_empty());
}

#[tokio::test]
async fn a_closed_door_has_a_record_and_nobody_is_called() {
    for door in DOORS {
        let mut scene = Scene::new().await;
        scene.broker.doors = Doors::new(DOORS.into_iter().filter(|open| *open != door));
        scene.ask(door, &grant(json!({}))).await;
        let records = scene.records();
        assert_eq!(records.iter().map(gist).collect::<Vec<_>>(), ["outcome denied"]);
        assert_eq!((&records[0]["code"], &records[0]["requester"]), (&json!("source_not_enabled"), &Value::Null));
        assert!(scene.calls().is_empty());
    }
}

/// Each request of a batch is a case of its own.
#[tokio::test]
async fn every_message_of_a_batch_has_its_records() {
    let scene = Scene::new().await;
    let good = |id: &str| grant(json!({ "StatementId": id })).to_string();
    let bodies =
        [good("a"), "not JSON".to_owned(), good("b"), grant(json!({ "Principal": "*" })).to_string(), good("a")];
    let reply = scene.invoke(door::messages(&bodies).to_string().as_bytes()).await;
    assert!(reply.failed_messages().unwrap().is_empty());
    let records = scene.records();
    let of = |i: usize| {
        let id = format!("message-{i}");
        records.iter().filter(|record| record["eventId"] == *id).map(gist).collect::<Vec<_>>()
    };
    assert_eq!(of(0), ["intent", "outcome granted"]);
    assert_eq!(of(1), ["outcome rejected"]);
    assert_eq!(of(2), ["intent", "outcome granted"]);
    assert_eq!(of(3), ["outcome denied"]);
    assert_eq!(of(4), ["intent", "outcome already_granted"]);
}

#[tokio::test]
async fn the_examples_are_answered_with_what_was_recorded_in_known_fields_only() {
    let scene = Scene::new().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 40);
    for file in files {
        let reply = scene.invoke(&std::fs::read(&file).unwrap()).await;
        let records = scene.records();
        let outcomes: Vec<&Value> =
            records.iter().filter(|record| record["record"] == "outcome").map(|record| &record["outcome"]).collect();
        let replies = match &reply.document {
            Value::Array(many) => many.iter().map(|one| &one["outcome"]).collect(),
            document if document["grants"].is_array() => {
                let grants = document["grants"].as_array().unwrap().iter().map(|one| &one["outcome"]);
                // What is carried over has a record of the whole behind those of its grants.
                let whole = (document["operation"] == "CarryLayerForward").then(|| &document["outcome"]);
                grants.chain(whole).collect()
            }
            document if document["outcome"].is_string() => vec![&document["outcome"]],
            // A queue is told ids alone.
            _ => outcomes.clone(),
        };
        assert_eq!(outcomes, replies, "{}", file.display());
        for record in &records {
            let unknown = record.as_object().unwrap().keys().find(|key| !FIELDS.contains(&key.as_str()));
            assert_eq!(unknown, None, "{}", file.display());
        }
    }
}

#[tokio::test]
async fn a_record_names_every_party_and_the_intent_stands_before_the_call() {
    let scene = Scene::new().await;
    let changes = json!({
        "Principal": "alexa-appkit.amazon.com",
        "SourceAccount": "210987654321",
        "EventSourceToken": "amzn1.ask.skill.canary",
    });
    let request = with(grant(changes), json!({ "reason": "CHG-1 \u{1f980} {\"type\":\"audit\"}" }));
    scene.plane.inject(Fault::throttled(None).on(Operation::AddPermission));
    scene.ask(Door::ApiGateway, &request).await;
    let written = scene.sink.take();
    assert_eq!(written.iter().map(|one| one.writes_before).collect::<Vec<_>>(), [0, 2]);
    for record in written.iter().map(|one| &one.line) {
        let expected = [
            ("type", json!("audit")),
            ("door", json!("api-gateway")),
            ("requester", json!("arn:aws:iam::123456789012:user/ci")),
            ("requestId", json!("request-1")),
            ("eventId", json!("api-1")),
            ("operation", json!("AddPermission")),
            ("target", json!("arn:aws:lambda:us-east-1:123456789012:function:orders")),
            ("statementId", json!("partner")),
            ("action", json!("lambda:InvokeFunction")),
            ("principal", json!("alexa-appkit.amazon.com")),
            ("sourceAccount", json!("210987654321")),
            ("eventSourceToken", json!("present")),
            ("reason", json!("CHG-1 \u{1f980} {\"type\":\"audit\"}")),
            ("rule", json!("partner")),
            ("decision", json!("allowed")),
        ];
        for (name, value) in expected {
            assert_eq!(record[name], value, "{name}");
        }
    }
    assert!(!scene.sink.text().contains("canary"));
}
