//! What a carry comes to as a whole: never better than what became of its parts.

use permission_broker::allowlist::Allowlist;
use permission_broker::local::control_plane::{ControlPlane, ErrorName, Fault, Operation};
use permission_broker::local::stage;
use serde_json::{Value, json};

use super::{PARTNER, layer, published};
use crate::support::{Door, Scene, json as parsed, layer_grant, string, with};

const OTHER: &str = "123456789012";

fn carry(changes: Value) -> Value {
    let parameters = json!({ "LayerName": "common", "VersionNumber": 3 });
    with(json!({ "operation": "CarryLayerForward", "parameters": parameters }), changes)
}

/// What may happen to a grant of the previous version.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Free,
    Stands,
    Taken,
    Denied,
}

/// A scene in which version 2 grants these, and version 3 has what makes them so.
async fn scene(parts: &[Part]) -> Scene {
    let account = |part: &Part| if *part == Part::Denied { "999999999999" } else { PARTNER };
    let ids: Vec<String> = (0..parts.len()).map(|i| format!("s{i}")).collect();
    let policies = parts.iter().zip(&ids).map(|(part, id)| {
        json!({
            "Sid": id, "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{}:root", account(part)) },
            "Action": "lambda:GetLayerVersion", "Resource": layer(2),
        })
    });
    let mut world = parsed(stage::WORLD);
    if !parts.is_empty() {
        world["policies"] = json!({ layer(2): { "statements": policies.collect::<Vec<_>>() } });
    }
    let mut scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    for (part, id) in parts.iter().zip(&ids) {
        let principal = match part {
            Part::Stands => PARTNER,
            Part::Taken => OTHER,
            Part::Free | Part::Denied => continue,
        };
        let there = layer_grant(json!({ "VersionNumber": 3, "StatementId": id, "Principal": principal }));
        assert_eq!(scene.ask(Door::Direct, &there).await.outcome(), "granted");
    }
    let accounts = json!({ "id": "now", "accounts": [PARTNER, OTHER], "targets": ["layer:common"] });
    scene.broker.allowlist = Allowlist::parse(&accounts.to_string()).unwrap().into();
    scene.broker.results = Some(stage::results(&scene.plane, "outcomes").await.unwrap());
    scene.records();
    scene.plane.clear_calls();
    scene
}

/// In reply, audit and result alike, through every door that answers, and in a dry run.
#[tokio::test]
async fn the_whole_is_as_good_as_its_parts_let_it_be() {
    use Part::{Denied, Free, Stands, Taken};
    let cases: [(&[Part], &str, &str, Option<&str>); 11] = [
        (&[], "already_granted", "already_granted", None),
        (&[Stands], "already_granted", "already_granted", None),
        (&[Free], "granted", "would_grant", None),
        (&[Free, Stands], "granted", "would_grant", None),
        // What was given is told as given; what was not, part by part.
        (&[Free, Denied], "granted", "would_grant", None),
        (&[Denied, Taken, Free], "granted", "would_grant", None),
        // Nothing was given, and not because nothing was to do.
        (&[Denied], "denied", "denied", Some("principal_not_allowed")),
        (&[Denied, Denied], "denied", "denied", Some("principal_not_allowed")),
        (&[Stands, Denied], "denied", "denied", Some("principal_not_allowed")),
        (&[Taken], "conflict", "conflict", Some("statement_conflict")),
        (&[Denied, Taken, Stands], "conflict", "conflict", Some("statement_conflict")),
    ];
    for (parts, outcome, dry, code) in cases {
        for door in [Door::Direct, Door::ApiGateway, Door::EventBridge] {
            for (dry_run, outcome) in [(true, dry), (false, outcome)] {
                let scene = scene(parts).await;
                let reply = scene.ask(door, &carry(json!({ "dryRun": dry_run }))).await;
                assert_eq!((reply.outcome(), reply.document["code"].as_str()), (outcome, code), "{door:?} {dry_run}");
                assert!(!reply.comes_again());
                if let Some((status, _)) = reply.http {
                    let status_of = |outcome| match outcome {
                        "denied" => 403,
                        "conflict" => 409,
                        "granted" => 201,
                        _ => 200,
                    };
                    assert_eq!(status, status_of(outcome));
                }
                let whole = scene.records().into_iter().rfind(|it| it["record"] == "outcome").unwrap();
                assert_eq!((string(&whole, "outcome"), whole["code"].as_str()), (outcome, code));
                let decision = if outcome == "denied" { "denied" } else { "allowed" };
                assert_eq!((string(&whole, "decision"), whole.get("statementId")), (decision, None));
                let events: Vec<Value> =
                    scene.plane.take_events().iter().map(|it| parsed(string(it, "Detail"))).collect();
                let told: Vec<_> = events.iter().filter(|it| it.get("statementId").is_none()).collect();
                let wanted: Vec<&str> = code.into_iter().filter(|_| !dry_run).collect();
                assert_eq!(told.iter().map(|it| string(it, "code")).collect::<Vec<_>>(), wanted, "{outcome}");
            }
        }
    }
}

/// What AWS refuses for good weighs more than what stands in the way, and that more than what no rule allows.
#[tokio::test]
async fn the_heaviest_refusal_is_the_ending() {
    let scene = scene(&[Part::Denied, Part::Taken, Part::Free]).await;
    let refused = Fault::error(ErrorName::InvalidParameterValue, "no").on(Operation::AddLayerVersionPermission);
    scene.plane.inject(Fault::error(ErrorName::ResourceConflict, "no").on(Operation::AddLayerVersionPermission));
    scene.plane.inject(refused);
    let reply = scene.ask(Door::Direct, &carry(json!({}))).await;
    assert_eq!(reply.code(), "rejected_by_aws", "{}", reply.document);
}

/// A statement that no grant makes is refused like one that no rule allows.
#[tokio::test]
async fn a_foreign_statement_is_refused_too() {
    let mut world = parsed(stage::WORLD);
    let foreign = json!({
        "Sid": "foreign", "Effect": "Allow", "Principal": { "AWS": [PARTNER, OTHER] },
        "Action": "lambda:GetLayerVersion", "Resource": layer(2),
    });
    world["policies"] = json!({ layer(2): { "statements": [foreign] } });
    let plane = ControlPlane::from_world(&world.to_string()).unwrap();
    let scene = Scene::of(plane).await;
    let reply = scene.invoke(&published(&json!({}))).await;
    assert_eq!((reply.failed, reply.outcome(), reply.code()), (false, "denied", "foreign_statement"));
    assert_eq!(reply.document["grants"], json!([{ "outcome": "denied", "code": "foreign_statement" }]));
}
