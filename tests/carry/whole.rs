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
    assert_eq!(
        reply.document["grants"],
        json!([{ "outcome": "denied", "code": "foreign_statement", "statementId": "foreign" }])
    );
}

/// Nobody reads the reply to an event: what is left behind is on record, each statement with its id and why.
#[tokio::test]
async fn what_is_left_behind_is_on_record() {
    let of = |changes: Value| {
        let mut statement = json!({
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{PARTNER}:root") },
            "Action": "lambda:GetLayerVersion", "Resource": layer(2),
        });
        for (name, value) in changes.as_object().unwrap() {
            statement[name] = value.clone();
        }
        statement
    };
    let statements = [
        of(json!({ "Sid": "partner" })),
        of(json!({ "Sid": "deny", "Effect": "Deny" })),
        of(json!({ "Sid": "address", "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.1" } } })),
        of(json!({ "Sid": "two", "Principal": { "AWS": [PARTNER, OTHER] } })),
        of(json!({})),
        of(json!({ "Sid": "not an id", "Effect": "Deny" })),
        of(json!({ "Sid": "theirs-until-20991122T152503Z-4c59bc97" })),
    ];
    let mut world = parsed(stage::WORLD);
    world["policies"] = json!({ layer(2): { "statements": statements } });
    let scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    assert_eq!(scene.invoke(&published(&json!({}))).await.outcome(), "granted");
    let records = scene.records();
    let left: Vec<_> = records.iter().filter(|it| it["record"] == "outcome" && it.get("code").is_some()).collect();
    let told: Vec<_> = left.iter().map(|it| (it["statementId"].as_str(), string(it, "code"))).collect();
    let foreign = "foreign_statement";
    assert_eq!(
        told,
        [
            (Some("deny"), foreign),
            (Some("address"), foreign),
            (Some("two"), foreign),
            (None, foreign),
            (None, foreign),
            (Some("theirs-until-20991122T152503Z-4c59bc97"), "invalid_expiry"),
        ]
    );
    assert!(left.iter().all(|it| it["target"] == layer(3)), "{left:?}");
}

/// A rule is for those whom it names, also where another rule lets somebody carry the layer on.
#[tokio::test]
async fn a_rule_of_others_carries_nothing() {
    let mut scene = scene(&[Part::Free]).await;
    let anybody = json!({ "id": "anybody", "accounts": [OTHER], "targets": ["layer:common"] });
    for (requester, outcome) in [("arn:aws:iam::123456789012:user/nobody", "denied"), ("arn:aws:*", "granted")] {
        let admins =
            json!({ "id": "admins", "accounts": [PARTNER], "targets": ["layer:common"], "requesters": [requester] });
        scene.broker.allowlist = Allowlist::parse(&json!([anybody, admins]).to_string()).unwrap().into();
        let reply = scene.ask(Door::ApiGateway, &carry(json!({}))).await;
        let part = &reply.document["grants"][0];
        assert_eq!((reply.outcome(), &part["outcome"]), (outcome, &json!(outcome)));
        let rules = scene.records().iter().find_map(|it| it.get("rules").cloned());
        let why = json!([{ "rule": "anybody", "code": "principal_not_allowed" }, { "rule": "admins", "code": "requester_not_allowed" }]);
        assert_eq!(rules, (outcome == "denied").then_some(why));
    }
}
