//! A dry run of a carry tells what would become of each grant, and changes nothing.

use permission_broker::local::control_plane::{Fault, Operation};
use serde_json::{Value, json};

use super::{PARTNER, granted, layer, published, sids};
use crate::support::door::DOORS;
use crate::support::{Door, Scene, json as parsed, layer_grant, string, with};

fn asked(version: i64, changes: Value) -> Value {
    let parameters = json!({ "LayerName": "common", "VersionNumber": version });
    with(json!({ "operation": "CarryLayerForward", "parameters": parameters, "dryRun": true }), changes)
}

/// One grant of each kind: one to give, one that is there, one whose id is taken, one that is no longer allowed.
async fn of_each_kind() -> Scene {
    let everyone = json!({ "Principal": "*", "OrganizationId": "o-a1b2c3d4e5" });
    let account = || json!({ "Principal": PARTNER });
    let mut scene =
        granted(&[("free", account()), ("there", account()), ("taken", account()), ("organization", everyone)]).await;
    for (id, principal) in [("there", PARTNER), ("taken", "123456789012")] {
        let request = layer_grant(json!({ "VersionNumber": 3, "StatementId": id, "Principal": principal }));
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted");
    }
    let accounts = json!({ "id": "now", "accounts": [PARTNER, "123456789012"], "targets": ["layer:common"] });
    scene.broker.allowlist = permission_broker::allowlist::Allowlist::parse(&accounts.to_string()).unwrap().into();
    scene.records();
    scene.plane.clear_calls();
    scene
}

fn told(document: &Value) -> Vec<(&str, &str, Option<&str>)> {
    let parts = document["grants"].as_array().unwrap().iter();
    parts.map(|it| (string(it, "statementId"), string(it, "outcome"), it["code"].as_str())).collect()
}

const EACH: [(&str, &str, Option<&str>); 4] = [
    ("free", "would_grant", None),
    ("there", "already_granted", None),
    ("taken", "conflict", Some("statement_conflict")),
    ("organization", "denied", Some("organization_not_allowed")),
];

#[tokio::test]
async fn every_grant_is_told_and_none_is_made() {
    for door in DOORS {
        let scene = of_each_kind().await;
        let before = scene.plane.policies();
        let reply = scene.ask(door, &asked(3, json!({}))).await;
        assert!(!reply.comes_again());
        assert_eq!(scene.plane.policies(), before, "{}", door.as_str());
        assert!(scene.calls().iter().all(|call| *call == "read"));
        let records = scene.records();
        assert_eq!(records.len(), 5, "one for each, and one for the whole");
        assert!(records.iter().all(|it| it["record"] == "outcome" && it["dryRun"] == true), "{records:?}");
        assert_eq!(string(&records[4], "outcome"), "would_grant");
        if door != Door::Sqs {
            assert_eq!((reply.outcome(), told(&reply.document)), ("would_grant", EACH.to_vec()));
            assert_eq!(reply.document["grants"][0]["statement"]["Resource"], layer(3));
        }
        // What it said comes true.
        let real = scene.ask(Door::Direct, &asked(3, json!({ "dryRun": null }))).await;
        assert_eq!(real.outcome(), "granted");
        let came: Vec<_> = EACH
            .into_iter()
            .filter(|(id, ..)| *id != "there")
            .map(|(id, outcome, code)| (id, if outcome == "would_grant" { "granted" } else { outcome }, code))
            .collect();
        assert_eq!(told(&real.document), came);
        assert_eq!(sids(&scene, 3), ["there", "taken", "free"]);
    }
}

#[tokio::test]
async fn nothing_to_give_and_nothing_there_are_told_apart() {
    let scene = granted(&[("partner", json!({ "Principal": PARTNER }))]).await;
    // What would be carried to a version that is not there yet, and that it is not.
    for door in [Door::Direct, Door::ApiGateway] {
        let missing = scene.ask(door, &asked(4, json!({}))).await;
        assert_eq!(missing.code(), "target_not_found");
        assert_eq!(missing.document.get("grants"), None, "version 3 grants nothing");
        let scene = of_each_kind().await;
        let missing = scene.ask(door, &asked(4, json!({}))).await;
        let would = |id| (id, "would_grant", None);
        assert_eq!(
            (missing.code(), told(&missing.document)),
            ("target_not_found", vec![would("there"), would("taken")])
        );
        assert_eq!(missing.document["grants"][0]["statement"]["Resource"], layer(4));
        let real = scene.ask(door, &asked(4, json!({ "dryRun": null }))).await;
        assert_eq!(real.code(), "target_not_found");
        assert!(scene.statements(&layer(4)).is_empty());
    }
    assert_eq!(scene.ask(Door::Direct, &asked(2, json!({}))).await.outcome(), "already_granted", "of version 1");
    assert_eq!(scene.ask(Door::Direct, &asked(3, json!({ "dryRun": false }))).await.outcome(), "granted");
    let again = scene.ask(Door::Direct, &asked(3, json!({}))).await;
    assert_eq!(
        (again.outcome(), told(&again.document)),
        ("already_granted", vec![("partner", "already_granted", None)])
    );
    scene.plane.inject(Fault::throttled(Some(60)).on(Operation::GetLayerVersionPolicy));
    assert_eq!(scene.ask(Door::Direct, &asked(3, json!({}))).await.code(), "throttled");
}

/// The command line makes a dry run of whatever carries a request: of CloudTrail's event too.
#[tokio::test]
async fn an_event_of_cloud_trail_can_be_asked_about() {
    let scene = granted(&[("partner", json!({ "Principal": PARTNER }))]).await;
    let event = published(&json!({ "dryRun": true }));
    let reply = scene.invoke(&event).await;
    assert_eq!((reply.outcome(), scene.statements(&layer(3)).len()), ("would_grant", 0));
    let mut event = parsed(std::str::from_utf8(&event).unwrap());
    event["detail"].as_object_mut().unwrap().remove("dryRun");
    assert_eq!(scene.invoke(event.to_string().as_bytes()).await.outcome(), "granted");
}

/// Without a way to end it, a timed grant would not be carried over.
#[tokio::test]
async fn a_timed_grant_is_told_by_what_this_deployment_can_do() {
    let mut scene = Scene::new().await;
    let request = with(layer_grant(json!({ "VersionNumber": 2 })), json!({ "expiresAt": "2026-03-02T18:00:00Z" }));
    assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted");
    let reply = scene.ask(Door::Direct, &asked(3, json!({}))).await;
    assert_eq!((reply.outcome(), &reply.document["grants"][0]["outcome"]), ("would_grant", &json!("would_grant")));
    assert!(string(&reply.document["grants"][0], "statementId").starts_with("partner-until-20260302T180000Z-"));
    let made = scene.plane.schedules().len();
    scene.broker.schedules = None;
    let reply = scene.ask(Door::Direct, &asked(3, json!({}))).await;
    assert_eq!(reply.document["grants"][0]["code"], "expiry_not_enabled");
    assert_eq!((made, scene.plane.schedules().len()), (1, 1));
}
