//! What is told, in which words, and what is not.

use permission_broker::event::Doors;
use permission_broker::local::control_plane::{ErrorName, Fault, Operation};
use permission_broker::outcome::Outcome;
use permission_broker::results::{DETAIL_VERSION, detail_type};
use serde_json::{Value, json};

use super::{events, scene, types};
use crate::support::door::{self, DOORS};
use crate::support::{Door, Fate, Scene, event_files, grant, layer_grant, text, with};

fn revoke() -> Value {
    json!({ "operation": "RemovePermission", "parameters": { "FunctionName": "orders", "StatementId": "partner" } })
}

/// One life through every door: each outcome that changes something, or was meant to.
#[tokio::test]
async fn each_outcome_is_told_under_its_name() {
    let life = [
        (grant(json!({})), "grant.created", "granted"),
        (grant(json!({})), "grant.unchanged", "already_granted"),
        (grant(json!({ "Principal": "123456789012" })), "grant.failed", "conflict"),
        (revoke(), "grant.revoked", "revoked"),
        (revoke(), "grant.unchanged", "already_revoked"),
        (grant(json!({ "Principal": "999999999999" })), "grant.denied", "denied"),
        (grant(json!({ "Principal": "nobody" })), "grant.denied", "rejected"),
        (grant(json!({ "Qualifier": "9" })), "grant.failed", "failed"),
        (layer_grant(json!({})), "grant.created", "granted"),
    ];
    for door in DOORS {
        let scene = scene().await;
        for (request, detail_type, outcome) in &life {
            scene.ask(door, request).await;
            let events = events(&scene);
            let [(found, detail)] = &events[..] else { panic!("one event: {events:?}") };
            assert_eq!((found.as_str(), &detail["outcome"]), (*detail_type, &json!(outcome)));
            assert_eq!((&detail["version"], &detail["door"]), (&json!(DETAIL_VERSION), &json!(door.as_str())));
        }
        let records = scene.records();
        assert!(records.iter().all(|record| record["record"] != "publish"), "what arrived needs no record");
    }
    // An outcome is told unless it changes nothing by intention.
    let silent: Vec<_> = Outcome::ALL.into_iter().filter(|outcome| detail_type(*outcome).is_none()).collect();
    assert_eq!(silent, [Outcome::WouldGrant, Outcome::WouldRevoke, Outcome::Read, Outcome::Described]);
}

/// The whole of one event, and the call at the wire.
#[tokio::test]
async fn an_event_says_who_was_granted_what_and_why() {
    let scene = scene().await;
    let changes = json!({
        "Principal": "alexa-appkit.amazon.com", "SourceAccount": "210987654321",
        "EventSourceToken": "amzn1.ask.skill.canary",
    });
    let reply = scene.ask(Door::ApiGateway, &with(grant(changes), json!({ "reason": "CHG-1 \u{1f980}" }))).await;
    let mut event = scene.plane.take_events().remove(0);
    let raw = event["Detail"].as_str().unwrap().to_owned();
    assert!(raw.is_ascii() && raw.contains("CHG-1 \\ud83e\\udd80"), "{raw}");
    let mut detail: Value = serde_json::from_str(&raw).unwrap();
    assert!(detail["durationMs"].as_f64().unwrap() > 0.0);
    detail.as_object_mut().unwrap().remove("durationMs");
    let target = "arn:aws:lambda:us-east-1:123456789012:function:orders";
    let wanted = json!({
        "version": 1,
        "requestId": "request-1",
        "eventId": "api-1",
        "door": "api-gateway",
        "requester": "arn:aws:iam::123456789012:user/ci",
        "operation": "AddPermission",
        "target": target,
        "statementId": "partner",
        "action": "lambda:InvokeFunction",
        "principal": "alexa-appkit.amazon.com",
        "sourceAccount": "210987654321",
        "eventSourceToken": "present",
        "fingerprint": reply.document["fingerprint"],
        "reason": "CHG-1 \u{1f980}",
        "rule": "partner",
        "outcome": "granted",
    });
    assert_eq!(detail, wanted);
    event.as_object_mut().unwrap().remove("Detail");
    let around = json!({
        "Source": "permission-broker", "DetailType": "grant.created", "EventBusName": "outcomes", "Resources": [target],
    });
    assert_eq!(event, around);

    let calls = scene.plane.calls();
    assert_eq!(scene.calls(), ["add", "put"], "after the grant");
    let put = &calls[1];
    assert_eq!((put.method.as_str(), put.path.as_str()), ("POST", "/"));
    assert_eq!(put.header("x-amz-target"), Some("AWSEvents.PutEvents"));
    assert!(put.header("authorization").unwrap().contains("/us-east-1/events/aws4_request"));
    assert!(put.header("user-agent").unwrap().starts_with("permission-broker/"));
    for call in &calls {
        let shown = format!("{:?} {}", call.headers, String::from_utf8_lossy(&call.body));
        assert_eq!(shown.contains("canary"), call.operation == Some(Operation::AddPermission), "{shown}");
    }
}

/// A refusal says where it is wrong, and a failure whether it may be asked again.
#[tokio::test]
async fn what_is_not_done_says_why() {
    let scene = scene().await;
    scene.ask(Door::Sqs, &grant(json!({ "Principal": "nobody", "Qualifier": "" }))).await;
    scene.plane.inject(Fault::throttled(None).on(Operation::AddPermission).times(9));
    scene.ask(Door::Sqs, &grant(json!({}))).await;
    let events = events(&scene);
    let pointers: Vec<&Value> = events[0].1["errors"].as_array().unwrap().iter().map(|one| &one["pointer"]).collect();
    assert_eq!(pointers, ["/parameters/Qualifier", "/parameters/Principal"]);
    assert_eq!((&events[1].1["code"], &events[1].1["retryable"]), (&json!("throttled"), &json!(true)));
}

/// Both statements of a function URL are told; if the second fails, so is that the first was taken back.
#[tokio::test]
async fn a_request_of_several_grants_tells_each() {
    let url = json!({
        "operation": "GrantFunctionUrl",
        "parameters": { "FunctionName": "orders", "StatementId": "page", "Principal": "210987654321",
            "FunctionUrlAuthType": "AWS_IAM" },
    });
    let good = scene().await;
    good.ask(Door::Direct, &url).await;
    let told: Vec<_> = events(&good).into_iter().map(|(word, detail)| (word, detail["statementId"].clone())).collect();
    let created = |sid: &str| ("grant.created".to_owned(), json!(sid));
    assert_eq!(told, [created("page"), created("page-invoke")]);

    let half = scene().await;
    let taken = grant(json!({ "StatementId": "page-invoke" }));
    half.ask(Door::Direct, &taken).await;
    half.plane.take_events();
    // As long as the look does not show it, the first statement is made.
    half.plane.inject(Fault::error(ErrorName::ResourceNotFound, "no").on(Operation::GetPolicy));
    half.ask(Door::Direct, &url).await;
    let told = events(&half);
    assert_eq!(
        told.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>(),
        ["grant.created", "grant.failed", "grant.revoked"]
    );
    assert_eq!(told[2].1["takesBack"], true);
    assert_eq!(half.plane.calls().iter().filter(|call| call.operation == Some(Operation::PutEvents)).count(), 2);
}

/// The detail of every example is its outcome's line, and nothing of the line or the reply changes by its being told.
#[tokio::test]
async fn what_is_told_is_what_is_on_record() {
    let (silent, telling) = (Scene::new().await, scene().await);
    let mut told = 0;
    for file in event_files() {
        let event = text(&format!("events/{file}"));
        let (one, other) = (silent.invoke(event.as_bytes()).await, telling.invoke(event.as_bytes()).await);
        assert_eq!((one.failed, without_revision(one.document)), (other.failed, without_revision(other.document)));
        let (quiet, records) = (silent.records(), telling.records());
        assert_eq!(
            quiet.iter().map(steady).collect::<Vec<_>>(),
            records.iter().map(steady).collect::<Vec<_>>(),
            "{file}"
        );
        let mut outcomes = records.iter().filter(|record| record["record"] == "outcome");
        for (_, mut detail) in events(&telling) {
            told += 1;
            let members = detail.as_object_mut().unwrap();
            assert_eq!(members.remove("version"), Some(json!(1)));
            let fingerprint = members.remove("fingerprint");
            let matches = |line: &&Value| detail.as_object().unwrap().iter().all(|(name, value)| line[name] == *value);
            let line = outcomes.find(matches);
            assert!(line.is_some(), "{file}: {detail}, in the order of the lines");
            let done = ["granted", "already_granted"].contains(&detail["outcome"].as_str().unwrap());
            assert!(fingerprint.is_some() || !done, "{file}: {detail}");
        }
    }
    assert!(told > 40, "{told}");
    assert!(silent.plane.take_events().is_empty());
}

/// A record without what differs from run to run.
fn steady(record: &Value) -> Value {
    with(record.clone(), json!({ "timestamp": null, "durationMs": null, "awsRequestId": null }))
}

fn without_revision(document: Value) -> Value {
    let text = document.to_string();
    let mut parts = text.split("\"revisionId\":\"");
    let first = parts.next().unwrap().to_owned();
    json!(parts.fold(first, |whole, part| whole + &part[36..]))
}

#[tokio::test]
async fn what_changes_nothing_by_intention_is_not_told() {
    let scene = scene().await;
    let dry = |request: Value| with(request, json!({ "dryRun": true }));
    let layer =
        json!({ "operation": "CarryLayerForward", "parameters": { "LayerName": "common", "VersionNumber": 2 } });
    let quiet = [
        dry(grant(json!({}))),
        dry(grant(json!({ "Principal": "999999999999" }))),
        dry(grant(json!({ "Principal": "nobody" }))),
        dry(revoke()),
        json!({ "operation": "GetPolicy", "parameters": { "FunctionName": "orders" } }),
        json!({ "operation": "GetPolicy", "parameters": { "FunctionName": "no such function" } }),
        layer,
        json!({ "operation": "Unknown", "parameters": {} }),
        json!({ "reason": "no operation" }),
    ];
    for request in quiet {
        for door in DOORS {
            scene.ask(door, &request).await;
            assert_eq!(types(&scene), [""; 0], "{request} through {}", door.as_str());
        }
    }
    for event in ["", "not JSON", "{}", "[]", r#"{"Records":[]}"#, r#"{"detail":{},"detail-type":"x"}"#] {
        scene.invoke(event.as_bytes()).await;
        assert_eq!(types(&scene), [""; 0], "{event}");
    }
    assert!(!scene.calls().contains(&"put"), "and nobody is called for nothing");
}

/// Behind a closed door nothing is read, so it might be a result.
#[tokio::test]
async fn a_closed_door_is_not_told_of() {
    for door in DOORS {
        let mut scene = scene().await;
        scene.broker.doors = Doors::new([]);
        scene.ask(door, &grant(json!({}))).await;
        assert_eq!((types(&scene).len(), scene.records().len()), (0, 1));
    }
}

/// Ten events in a call, in order, whatever became of each.
#[tokio::test]
async fn the_messages_of_a_batch_share_calls() {
    for (messages, calls) in [(1, 1), (10, 1), (11, 2), (25, 3)] {
        let scene = scene().await;
        let body = |i: usize| match i % 3 {
            0 => grant(json!({ "StatementId": format!("s-{i}") })),
            1 => grant(json!({ "StatementId": format!("s-{i}"), "Principal": "999999999999" })),
            _ => json!({ "operation": "AddPermission", "parameters": {} }),
        };
        let bodies: Vec<String> = (0..messages).map(|i| body(i).to_string()).collect();
        let reply = scene.invoke(door::messages(&bodies).to_string().as_bytes()).await;
        assert!(reply.failed_messages().unwrap().is_empty());
        assert_eq!(scene.calls().iter().filter(|call| **call == "put").count(), calls);
        let events = events(&scene);
        assert_eq!(events.len(), messages);
        for (i, (detail_type, detail)) in events.iter().enumerate() {
            assert_eq!(detail["eventId"], format!("message-{i}"));
            assert_eq!(detail_type, ["grant.created", "grant.denied", "grant.denied"][i % 3]);
        }
    }
}

/// What has no outcome on record is not told.
#[tokio::test]
async fn what_is_not_on_record_is_not_told() {
    for (fates, calls) in [(vec![Fate::Failed], vec![]), (vec![Fate::Written, Fate::Failed], vec!["add"])] {
        let scene = scene().await;
        scene.sink.next(fates);
        assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.code(), "audit_unavailable");
        assert_eq!((scene.calls(), types(&scene).len()), (calls, 0));
    }
}
