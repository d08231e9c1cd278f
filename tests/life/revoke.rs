//! A revoke: every way in which it ends, what is sent for it, and what the audit says.

mod faults;
mod named;
mod taken;

use std::time::Duration;

use permission_broker::local::control_plane::{Fault, FaultKind, Operation};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{LAYER, ORDERS, beside, holding, layer_revoke, layer_stored, revoke, stored, word};
use crate::support::door::{self, DOORS};
use crate::support::{Door, Fate, Scene, grant};

const OTHER: &str = "another";

/// The statement alone in its policy, and beside another one, on both kinds of target.
async fn scenes() -> Vec<(Scene, Value, &'static str)> {
    let other = || stored(OTHER, json!({}));
    vec![
        (holding(&[(ORDERS, &[stored("partner", json!({}))])]).await, revoke(json!({})), ORDERS),
        (holding(&[(ORDERS, &[other(), stored("partner", json!({}))])]).await, revoke(json!({})), ORDERS),
        (holding(&[(LAYER, &[layer_stored("partner")])]).await, layer_revoke(json!({})), LAYER),
        (holding(&[(LAYER, &[layer_stored(OTHER), layer_stored("partner")])]).await, layer_revoke(json!({})), LAYER),
    ]
}

/// The fingerprint that a reply shows of the statement `partner`.
async fn fingerprint(scene: &Scene, request: &Value) -> String {
    let reply = scene.ask(Door::Direct, &beside(request.clone(), json!({ "dryRun": true }))).await;
    assert_eq!(reply.outcome(), "would_revoke");
    scene.records();
    scene.plane.clear_calls();
    reply.document["fingerprint"].as_str().unwrap().to_owned()
}

fn sids(scene: &Scene, arn: &str) -> Vec<String> {
    scene.statements(arn).iter().map(|it| it["Sid"].as_str().unwrap().to_owned()).collect()
}

fn removal(kind: FaultKind) -> Fault {
    Fault::new(kind).on(Operation::RemovePermission)
}

#[tokio::test]
async fn through_every_door_a_statement_is_taken_away_and_the_others_stay() {
    for door in DOORS {
        for named in [false, true] {
            for (scene, request, arn) in scenes().await {
                let before = sids(&scene, arn);
                let request = match named {
                    true => beside(request.clone(), json!({ "fingerprint": fingerprint(&scene, &request).await })),
                    false => request,
                };
                let request = beside(request, json!({ "reason": "CHG-7" }));
                let reply = scene.ask(door, &request).await;
                assert!(!reply.comes_again());
                if let Some((status, _)) = reply.http {
                    assert_eq!(status, 200);
                }
                let left: Vec<_> = before.into_iter().filter(|sid| sid != "partner").collect();
                assert_eq!(sids(&scene, arn), left);
                let mut calls = vec!["remove"];
                if named {
                    calls.insert(0, "read");
                }
                // Behind the queue a removal counts once it is seen to have stayed.
                if door == Door::Sqs {
                    calls.push("read");
                }
                assert_eq!(scene.calls(), calls, "{request} through {door:?}");
                let records = scene.records();
                let [intent, outcome] = records.as_slice() else { panic!("{records:?}") };
                assert_eq!((&intent["record"], &outcome["record"]), (&json!("intent"), &json!("outcome")));
                for record in [intent, outcome] {
                    assert_eq!((&record["statementId"], &record["target"]), (&json!("partner"), &json!(arn)));
                    assert_eq!((&record["decision"], &record["rule"]), (&json!("allowed"), &json!("partner")));
                    assert_eq!(record["operation"], request["operation"]);
                    assert_eq!(record["fingerprint"], request["fingerprint"]);
                    assert_eq!(record["reason"], "CHG-7");
                    assert!(record.get("takesBack").is_none());
                }
                // What was seen on the way is told of what was taken away.
                assert!(intent.get("principal").is_none());
                assert_eq!(outcome["principal"].as_str(), named.then_some("210987654321"));
                assert_eq!((&outcome["outcome"], &outcome["attempts"]), (&json!("revoked"), &json!(1)));
            }
        }
    }
}

/// What stands, what is asked, what is called, how it ends.
type Case = (&'static str, Vec<Value>, Value, &'static [&'static str], &'static str);

/// AWS answers 404 to all of these; which of them it is decides.
#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let another = || vec![stored(OTHER, json!({}))];
    let fingerprint = json!({ "fingerprint": "0".repeat(32) });
    let named = |changes: Value| beside(revoke(changes), fingerprint.clone());
    let cases: Vec<Case> = vec![
        ("another statement", another(), revoke(json!({})), &["remove", "read"], "already_revoked"),
        ("no policy", vec![], revoke(json!({})), &["remove"], "already_revoked"),
        ("no policy of a version", vec![], revoke(json!({ "Qualifier": "1" })), &["remove"], "already_revoked"),
        ("no function", vec![], revoke(json!({ "FunctionName": "orders-x" })), &["remove", "read"], "target_not_found"),
        ("no alias", another(), revoke(json!({ "Qualifier": "x" })), &["remove", "read"], "target_not_found"),
        ("no version", another(), revoke(json!({ "Qualifier": "9" })), &["remove", "read"], "target_not_found"),
        ("a layer's", vec![], layer_revoke(json!({})), &["remove"], "already_revoked"),
        (
            "no layer version",
            vec![],
            layer_revoke(json!({ "VersionNumber": 9 })),
            &["remove", "read"],
            "target_not_found",
        ),
        ("named, another statement", another(), named(json!({})), &["read"], "already_revoked"),
        // A policy that is not there has no revision to bind a write to; this one is bound to none that can be.
        ("named, no policy", vec![], named(json!({})), &["read", "remove"], "already_revoked"),
        (
            "named, no function",
            vec![],
            named(json!({ "FunctionName": "orders-x" })),
            &["read", "remove", "read"],
            "target_not_found",
        ),
        (
            "named, no alias",
            another(),
            named(json!({ "Qualifier": "x" })),
            &["read", "remove", "read"],
            "target_not_found",
        ),
        (
            "named, no layer version",
            vec![],
            beside(layer_revoke(json!({ "VersionNumber": 9 })), fingerprint.clone()),
            &["read", "remove", "read"],
            "target_not_found",
        ),
    ];
    for (name, statements, request, calls, ending) in cases {
        let scene = match statements.as_slice() {
            [] => Scene::new().await,
            statements => holding(&[(ORDERS, statements)]).await,
        };
        let before = scene.plane.policies();
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!((word(&reply.document), scene.calls().as_slice()), (ending, calls), "{name}");
        assert_eq!(scene.plane.policies(), before, "{name}");
        assert_eq!(reply.document.get("statement"), None, "{name}");
    }
}

#[tokio::test]
async fn who_may_not_ask_gets_nothing_taken_away() {
    let other_place = |arn: &str| revoke(json!({ "FunctionName": arn }));
    let cases = [
        (revoke(json!({ "FunctionName": "reports" })), "requester_not_allowed"),
        (revoke(json!({ "FunctionName": "payments" })), "target_not_allowed"),
        (revoke(json!({ "FunctionName": "permission-broker" })), "target_not_allowed"),
        (revoke(json!({ "FunctionName": "Permission-Broker", "Qualifier": "live" })), "target_not_allowed"),
        (other_place("arn:aws:lambda:us-east-1:999999999999:function:orders"), "target_not_allowed"),
        (other_place("arn:aws:lambda:eu-west-1:123456789012:function:orders"), "target_not_allowed"),
        (other_place("arn:aws-cn:lambda:us-east-1:123456789012:function:orders"), "target_not_allowed"),
        (layer_revoke(json!({ "LayerName": "secrets" })), "target_not_allowed"),
        (
            layer_revoke(json!({ "LayerName": "arn:aws:lambda:us-east-1:999999999999:layer:common" })),
            "target_not_allowed",
        ),
    ];
    for (request, code) in cases {
        for door in [Door::Direct, Door::EventBridge, Door::Sqs] {
            for dry_run in [false, true] {
                let scene = Scene::new().await;
                let reply = scene.ask(door, &beside(request.clone(), json!({ "dryRun": dry_run }))).await;
                assert!(!reply.comes_again(), "{request}");
                let records = scene.records();
                assert_eq!(records.len(), 1, "{request}");
                assert_eq!(
                    (&records[0]["outcome"], &records[0]["code"]),
                    (&json!("denied"), &json!(code)),
                    "{request}"
                );
                assert_eq!(records[0]["decision"], "denied");
                let pointer = match request["parameters"]["LayerName"].is_string() {
                    _ if code == "requester_not_allowed" => "",
                    true => "/parameters/LayerName",
                    false => "/parameters/FunctionName",
                };
                assert_eq!(records[0]["errors"][0]["pointer"], pointer, "{request}");
                assert_eq!(records[0]["statementId"], "partner", "{request}");
                assert!(scene.calls().is_empty(), "{request}");
            }
        }
    }
    // Whom the rule names may, though the party left the allowlist long ago.
    let reports = ORDERS.replace("orders", "reports");
    let statement =
        stored("partner", json!({ "Resource": reports, "Principal": { "AWS": "arn:aws:iam::999999999999:root" } }));
    let scene = holding(&[(&reports, &[statement])]).await;
    let reply = scene.ask(Door::ApiGateway, &revoke(json!({ "FunctionName": "reports" }))).await;
    assert_eq!((reply.outcome(), &reply.document["rule"]), ("revoked", &json!("reports-for-ci")));
}

/// Functions once took dots in their statement ids, and such a statement can still be taken away.
#[tokio::test]
async fn an_id_of_old_with_dots_can_be_revoked_of_a_function() {
    let scene = holding(&[(ORDERS, &[stored("a.b", json!({}))])]).await;
    assert_eq!(scene.ask(Door::Direct, &revoke(json!({ "StatementId": "a.b" }))).await.outcome(), "revoked");
    for request in [layer_revoke(json!({ "StatementId": "a.b" })), grant(json!({ "StatementId": "a.b" }))] {
        assert_eq!(scene.ask(Door::Direct, &request).await.code(), "invalid_statement_id");
    }
}

#[tokio::test]
async fn without_an_intent_nobody_is_called_and_without_an_outcome_nobody_is_told() {
    for fate in [Fate::Failed, Fate::Torn, Fate::NotFlushed] {
        for door in DOORS {
            for (scene, request, arn) in scenes().await {
                scene.sink.next([fate]);
                assert!(scene.ask(door, &request).await.comes_again());
                assert!(scene.calls().is_empty() && sids(&scene, arn).contains(&"partner".to_owned()));

                scene.sink.next([Fate::Written, fate]);
                let reply = scene.ask(door, &request).await;
                assert!(reply.comes_again());
                if door != Door::Sqs {
                    assert_eq!(reply.code(), "audit_unavailable");
                }
                assert!(!sids(&scene, arn).contains(&"partner".to_owned()));
                scene.records();
                scene.ask(door, &request).await;
                assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
            }
        }
    }
}

#[tokio::test]
async fn a_revoke_that_is_cut_off_leaves_a_trace() {
    let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
    scene.plane.inject(removal(FaultKind::HangAfterCommit));
    let event = door::event(Door::EventBridge, &revoke(json!({})));
    assert!(timeout(Duration::from_millis(100), scene.invoke(&event)).await.is_err());
    let records = scene.records();
    let words: Vec<_> = records.iter().map(|record| record["record"].as_str().unwrap()).collect();
    assert_eq!(words, ["intent", "abandoned"]);
    assert_eq!((&records[1]["code"], &records[1]["statementId"]), (&json!("outcome_unknown"), &json!("partner")));
    scene.invoke(&event).await;
    assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
}

#[tokio::test]
async fn a_revoke_that_comes_too_late_calls_nobody() {
    for door in DOORS {
        let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
        let reply = scene.invoke_within(&door::event(door, &revoke(json!({}))), Duration::from_millis(39)).await;
        assert!(reply.comes_again() && scene.calls().is_empty());
        let records = scene.records();
        assert_eq!((records.len(), &records[0]["code"]), (1, &json!("timed_out")));
    }
}

/// Every parameter goes out as it was given.
#[tokio::test]
async fn what_is_sent_is_what_was_asked() {
    let live = format!("{ORDERS}:live");
    let scene = holding(&[(&live, &[stored("partner", json!({ "Resource": live }))])]).await;
    let revision = scene.plane.policies()[0].2.clone();
    let request =
        revoke(json!({ "FunctionName": "123456789012:function:orders", "Qualifier": "live", "RevisionId": revision }));
    assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "revoked");
    let call = &scene.plane.calls()[0];
    assert_eq!(call.method, "DELETE");
    assert_eq!(call.path, "/2015-03-31/functions/123456789012%3Afunction%3Aorders/policy/partner");
    assert!(call.query.contains("Qualifier=live") && call.query.contains(&format!("RevisionId={revision}")));
}
