//! What a schedule sends takes away what has ended, and whoever else sends it can do no more.

use permission_broker::allowlist::Allowlist;
use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use permission_broker::local::stage::FUNCTION_ARN;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::{ORDERS, beside, revoke};
use super::{SIX, at, send_due, sids, timed};
use crate::support::{Door, Scene, grant, layer_grant, string};

/// A schedule that is delivered again, late or at the wrong time never does more than it was made for.
#[tokio::test]
async fn an_expiry_that_comes_again_finds_nothing() {
    let mut scene = Scene::new().await;
    scene.ask(Door::Direct, &timed(json!({}))).await;
    scene.ask(Door::Direct, &grant(json!({ "StatementId": "other" }))).await;
    scene.now = at(SIX);
    let [event] = scene.plane.take_due(scene.now).try_into().unwrap();
    for outcome in ["revoked", "already_revoked", "already_revoked"] {
        let reply = scene.invoke(event.as_bytes()).await;
        assert_eq!((reply.failed, reply.outcome()), (false, outcome));
        assert_eq!(sids(&scene, ORDERS), ["other"]);
    }
    // A newer grant, until later, is another statement.
    let later = beside(grant(json!({})), json!({ "expiresAt": "2026-03-03T18:00:00Z" }));
    assert_eq!(scene.ask(Door::Direct, &later).await.outcome(), "granted");
    assert_eq!(scene.invoke(event.as_bytes()).await.outcome(), "already_revoked");
    assert_eq!(scene.statements(ORDERS).len(), 2);
}

/// What was granted later under the very same id, to somebody else, has a schedule of its own.
#[tokio::test]
async fn an_expiry_leaves_a_newer_grant_under_its_id_alone() {
    let mut scene = Scene::new().await;
    let first = scene.ask(Door::Direct, &timed(json!({}))).await;
    let sid = string(&first.document, "statementId").to_owned();
    assert_eq!(scene.ask(Door::Direct, &revoke(json!({ "StatementId": sid }))).await.outcome(), "revoked");
    let second = scene.ask(Door::Direct, &timed(json!({ "Principal": "123456789012" }))).await;
    assert_eq!((second.outcome(), &second.document["statementId"]), ("granted", &json!(sid)));
    assert_eq!(scene.plane.schedules().len(), 2);
    scene.now = at(SIX);
    let mut events = scene.plane.take_due(scene.now);
    let of_first = string(&first.document, "fingerprint");
    events.sort_by_key(|event| !event.contains(of_first));
    scene.records();
    let reply = scene.invoke(events[0].as_bytes()).await;
    assert_eq!((reply.failed, reply.code()), (false, "statement_conflict"));
    assert_eq!(sids(&scene, ORDERS), [sid], "another grant than it was made for");
    assert_eq!(scene.invoke(events[1].as_bytes()).await.outcome(), "revoked");
    assert!(scene.statements(ORDERS).is_empty());
}

/// Behind the door of schedules there is nothing else, and their operations are behind no other door.
#[tokio::test]
async fn nobody_asks_for_anything_else_through_the_door_of_schedules() {
    let scene = Scene::new().await;
    for request in [grant(json!({})), layer_grant(json!({})), revoke(json!({})), timed(json!({}))] {
        let reply = scene.ask(Door::Schedule, &request).await;
        assert_eq!(reply.code(), "invalid_operation", "{request}");
    }
    let parameters = json!({ "FunctionName": "orders", "StatementId": "partner" });
    for request in
        [json!({ "operation": "Expire", "parameters": parameters }), json!({ "operation": "Sweep", "parameters": {} })]
    {
        for door in [Door::Direct, Door::ApiGateway] {
            let reply = scene.ask(door, &request).await;
            assert_eq!(reply.code(), "invalid_operation", "{request}");
        }
        for door in [Door::EventBridge, Door::Sqs] {
            scene.ask(door, &request).await;
        }
    }
    let text = json!({ "scheduled": { "operation": "Sweep", "parameters": {} } });
    for door in [Door::Sqs, Door::EventBridge] {
        scene.ask(door, &text).await;
    }
    for event in [
        json!({ "scheduled": null }),
        json!({ "scheduled": [] }),
        json!({ "scheduled": {}, "detail": {} }),
        json!({ "scheduled": {}, "operation": "Sweep" }),
    ] {
        assert_eq!(scene.invoke(event.to_string().as_bytes()).await.outcome(), "rejected", "{event}");
    }
    assert!(scene.calls().is_empty());
    assert!(scene.records().iter().all(|record| record["outcome"] == "rejected"));
}

/// A forged expiry takes away nothing that is not over by its own id, and needs no trust for it.
#[tokio::test]
async fn a_forged_expiry_takes_nothing_that_has_not_ended() {
    let mut scene = Scene::new().await;
    let until_six = scene.ask(Door::Direct, &timed(json!({}))).await;
    let until_six = string(&until_six.document, "statementId").to_owned();
    scene.ask(Door::Direct, &grant(json!({ "StatementId": "for-ever" }))).await;
    scene.now = at("2026-03-02T17:59:59Z");
    let of = |function: &str, sid: &str| {
        let parameters = json!({ "FunctionName": function, "StatementId": sid });
        json!({ "operation": "Expire", "parameters": parameters })
    };
    let backdated = until_six.replace("20260302", "20260301");
    let mark = &until_six[until_six.len() - 8..];
    let of_other = format!("for-ever-until-20260301T000000Z-{mark}");
    // The mark is no secret: whoever knows how it is made can make one for any target.
    let marked = |target: &str, base: &str, time: &str| {
        let digest = Sha256::digest(format!("{FUNCTION_ARN}\n{target}\n{base}\n{time}"));
        let mark: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{base}-until-{time}-{mark}")
    };
    let (base, _) = until_six.split_once("-until-").unwrap();
    assert_eq!(marked(ORDERS, base, "20260302T180000Z"), until_six);
    let of_itself = marked(FUNCTION_ARN, "for-ever", "20260301T000000Z");
    let elsewhere = ORDERS.replace("123456789012", "999999999999");
    let elsewhere = marked(&elsewhere, "for-ever", "20260301T000000Z");
    for (function, sid, code) in [
        ("permission-broker", of_itself.as_str(), "target_not_allowed"),
        ("999999999999:function:orders", &elsewhere, "target_not_allowed"),
        ("orders", until_six.as_str(), "not_due"),
        ("orders", "for-ever", "invalid_statement_id"),
        ("orders", &backdated, "invalid_statement_id"),
        ("orders", &of_other, "invalid_statement_id"),
        ("orders:live", &until_six, "invalid_statement_id"),
        ("billing", &until_six, "invalid_statement_id"),
        ("permission-broker", &until_six, "target_not_allowed"),
        ("999999999999:function:orders", &until_six, "target_not_allowed"),
    ] {
        let reply = scene.ask(Door::Schedule, &of(function, sid)).await;
        assert_eq!((reply.code(), reply.failed), (code, code == "not_due"), "{function} {sid}");
    }
    assert_eq!(sids(&scene, ORDERS).len(), 2);
    assert!(!scene.calls().contains(&"remove"));
    // What is asked a little early comes again, and in time.
    scene.now = at(SIX);
    assert_eq!(scene.ask(Door::Schedule, &of("orders", &until_six)).await.outcome(), "revoked");
    assert_eq!(sids(&scene, ORDERS), ["for-ever"]);
}

/// The allowlist of today has no say in the end of what it allowed then.
#[tokio::test]
async fn a_party_that_has_left_the_allowlist_loses_its_access_too() {
    let mut scene = Scene::new().await;
    scene.ask(Door::Direct, &timed(json!({}))).await;
    scene.broker.allowlist = Allowlist::default().into();
    assert_eq!(send_due(&mut scene, SIX).await[0].outcome(), "revoked");
}

/// An expiry that AWS does not let through comes again, and a lost answer is read back.
#[tokio::test]
async fn an_expiry_that_fails_comes_again() {
    let faults = [
        (Fault::throttled(Some(60)), true),
        (Fault::access_denied(), true),
        (Fault::error(ErrorName::Service, "no"), false),
        (Fault::new(FaultKind::ResetAfterCommit), false),
    ];
    for (fault, fails) in faults {
        let mut scene = Scene::new().await;
        scene.ask(Door::Direct, &timed(json!({}))).await;
        scene.now = at(SIX);
        let [event] = scene.plane.take_due(scene.now).try_into().unwrap();
        scene.plane.inject(fault.on(Operation::RemovePermission));
        assert_eq!(scene.invoke(event.as_bytes()).await.failed, fails);
        assert!(!scene.invoke(event.as_bytes()).await.failed);
        assert!(scene.statements(ORDERS).is_empty());
    }
}
