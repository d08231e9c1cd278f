//! A new layer version gets what the last one granted, as far as the allowlist allows it today.

mod dry;
mod order;
mod slow;
mod whole;

use std::time::Duration;

use permission_broker::local::control_plane::{ControlPlane, ErrorName, Fault, FaultKind, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use crate::support::{Door, Fate, Scene, json as parsed, layer_grant, string, text};

const PARTNER: &str = "210987654321";

fn layer(version: u64) -> String {
    format!("arn:aws:lambda:us-east-1:123456789012:layer:common:{version}")
}

/// The event that CloudTrail sends through EventBridge, with changes to its detail.
fn published(changes: &Value) -> Vec<u8> {
    let mut event = parsed(&text("events/eventbridge-carry-layer-forward.json"));
    event["detail"]["responseElements"]["layerArn"] = "arn:aws:lambda:us-east-1:123456789012:layer:common".into();
    event["detail"]["responseElements"]["version"] = 3.into();
    for (name, value) in changes.as_object().unwrap() {
        event["detail"][name] = value.clone();
    }
    event.to_string().into_bytes()
}

/// A scene whose second layer version grants something to each of these, under their own ids.
async fn granted(parties: &[(&str, Value)]) -> Scene {
    let scene = Scene::new().await;
    for (id, changes) in parties {
        let mut request = layer_grant(json!({ "VersionNumber": 2, "StatementId": id }));
        for (name, value) in changes.as_object().unwrap() {
            request["parameters"][name] = value.clone();
        }
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted", "{request}");
    }
    scene.records();
    scene.plane.clear_calls();
    scene
}

fn sids(scene: &Scene, version: u64) -> Vec<String> {
    scene.statements(&layer(version)).iter().map(|it| string(it, "Sid").to_owned()).collect()
}

#[tokio::test]
async fn what_the_allowlist_allows_today_is_carried_over_and_the_rest_is_told() {
    let everyone = json!({ "Principal": "*", "OrganizationId": "o-a1b2c3d4e5" });
    let mut scene = granted(&[("partner", json!({ "Principal": PARTNER })), ("organization", everyone)]).await;
    // Since then the organization has left the allowlist.
    let accounts = json!({ "id": "now", "accounts": [PARTNER], "targets": ["layer:common"] });
    scene.broker.allowlist = permission_broker::allowlist::Allowlist::parse(&accounts.to_string()).unwrap().into();
    let reply = scene.invoke(&published(&json!({}))).await;
    assert_eq!((reply.failed, reply.outcome()), (false, "granted"));
    let told: Vec<_> =
        reply.document["grants"].as_array().unwrap().iter().map(|it| (&it["statementId"], &it["outcome"])).collect();
    assert_eq!(told, [(&json!("partner"), &json!("granted")), (&json!("organization"), &json!("denied"))]);
    assert_eq!(sids(&scene, 3), ["partner"]);
    assert_eq!(scene.statements(&layer(3))[0]["Resource"], layer(3));
    assert_eq!(sids(&scene, 2), ["partner", "organization"], "the old version keeps what it has");
    let records: Vec<_> =
        scene.records().iter().map(|it| format!("{} {}", string(it, "record"), string(it, "outcome"))).collect();
    assert_eq!(records, ["intent ", "outcome granted", "outcome denied", "outcome granted"]);
}

#[tokio::test]
async fn told_twice_it_is_done_once() {
    let scene = granted(&[("partner", json!({ "Principal": PARTNER }))]).await;
    assert_eq!(scene.invoke(&published(&json!({}))).await.outcome(), "granted");
    scene.plane.clear_calls();
    assert_eq!(scene.invoke(&published(&json!({}))).await.outcome(), "already_granted");
    assert_eq!(scene.calls(), ["read", "read"]);
    assert_eq!(sids(&scene, 3), ["partner"]);
}

/// A derived id belongs to its version: under the old one, a later request for the same grant would double it.
#[tokio::test]
async fn a_derived_id_is_derived_again() {
    let scene = Scene::new().await;
    for version in [2, 3] {
        let mut request = layer_grant(json!({ "VersionNumber": version, "Principal": PARTNER }));
        request["parameters"].as_object_mut().unwrap().remove("StatementId");
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!(reply.outcome(), if version == 2 { "granted" } else { "already_granted" });
        if version == 2 {
            assert_eq!(scene.invoke(&published(&json!({}))).await.outcome(), "granted");
        }
    }
    assert_eq!(sids(&scene, 3).len(), 1);
}

#[tokio::test]
async fn a_first_version_and_a_version_without_grants_have_nothing_to_carry() {
    let scene = Scene::new().await;
    for version in [1, 3] {
        let answer = json!({ "layerArn": "arn:aws:lambda:us-east-1:123456789012:layer:common", "version": version });
        let reply = scene.invoke(&published(&json!({ "responseElements": answer }))).await;
        assert_eq!((reply.failed, reply.outcome()), (false, "already_granted"), "{version}");
    }
}

/// A version that is not there is told apart from one that has nothing to carry: AWS says of a layer version which it
/// is, and where it does not, nothing is called granted.
#[tokio::test]
async fn a_version_that_is_not_there_is_never_called_granted() {
    let of = |version: u64| {
        let answer = json!({ "layerArn": "arn:aws:lambda:us-east-1:123456789012:layer:common", "version": version });
        published(&json!({ "responseElements": answer }))
    };
    let asked = |layer: &str, version: u64| {
        let parameters = json!({ "LayerName": layer, "VersionNumber": version });
        json!({ "operation": "CarryLayerForward", "parameters": parameters })
    };
    // The versions of the examples are 1 to 3; the first has no predecessor, the fifth none that is there.
    for door in [Door::Direct, Door::ApiGateway, Door::EventBridge, Door::Sqs] {
        for (layer, version, ending) in
            [("common", 1, ""), ("common", 3, ""), ("common", 4, "target_not_found"), ("common", 5, "target_not_found")]
        {
            let scene = Scene::new().await;
            assert!(!scene.ask(door, &asked(layer, version)).await.comes_again());
            let outcome = scene.records().pop().unwrap();
            assert_eq!(string(&outcome, "code"), ending, "{version} through {}", door.as_str());
            assert!(!scene.calls().contains(&"add"));
        }
    }
    let scene = Scene::new().await;
    assert_eq!(scene.invoke(&of(9)).await.code(), "target_not_found");

    // With something to carry: the grant is tried, and AWS refuses it.
    let third = json!({ "VersionNumber": 3, "StatementId": "partner" });
    let scene = Scene::new().await;
    assert_eq!(scene.ask(Door::Direct, &layer_grant(third)).await.outcome(), "granted");
    scene.plane.clear_calls();
    let reply = scene.invoke(&of(4)).await;
    assert_eq!((reply.failed, reply.code()), (false, "target_not_found"));
    assert_eq!(scene.calls(), ["read", "read", "add"]);
}

/// A read whose text does not say that the version is there is outdone by a grant that AWS takes.
#[tokio::test]
async fn a_version_that_takes_a_grant_is_there() {
    let scene = granted(&[("a", json!({ "Principal": PARTNER })), ("b", json!({ "Principal": "123456789012" }))]).await;
    let unseen = Fault::error(ErrorName::ResourceNotFound, "another text").on(Operation::GetLayerVersionPolicy);
    scene
        .plane
        .inject(Fault::new(FaultKind::Delay(Duration::ZERO)).on(Operation::GetLayerVersionPolicy))
        .inject(unseen);
    assert_eq!(scene.invoke(&published(&json!({}))).await.outcome(), "granted");
    assert_eq!(sids(&scene, 3), ["a", "b"]);
}

#[tokio::test]
async fn what_fails_for_a_while_comes_again_and_then_is_whole() {
    let operations = [Operation::GetLayerVersionPolicy, Operation::AddLayerVersionPermission];
    for operation in operations {
        let scene =
            granted(&[("a", json!({ "Principal": PARTNER })), ("b", json!({ "Principal": "123456789012" }))]).await;
        scene.plane.inject(Fault::throttled(Some(60)).on(operation).times(1));
        let reply = scene.invoke(&published(&json!({}))).await;
        assert!(reply.failed, "{operation}");
        assert_eq!(reply.code(), "throttled");
        assert!(!scene.invoke(&published(&json!({}))).await.failed);
        let mut there = sids(&scene, 3);
        there.sort();
        assert_eq!(there, ["a", "b"], "{operation}");
    }
}

/// An answer that was cut short, of a version that grants something, of one that does not, or of one that is not there, is
/// asked for again: taken for one that grants nothing, or that is not there, what it had to get would be lost in silence.
#[tokio::test]
async fn an_answer_that_does_not_say_what_a_version_grants_is_asked_for_again() {
    let answer = json!({ "layerArn": "arn:aws:lambda:us-east-1:123456789012:layer:common", "version": 2 });
    let event = published(&json!({ "responseElements": answer }));
    // The version before, the new one, the one above it, and the one above that.
    for place in 0..4 {
        for kind in [FaultKind::EmptyBody, FaultKind::HalfJson, FaultKind::NotJson, FaultKind::TruncatedBody] {
            let scene = granted(&[("partner", json!({ "Principal": PARTNER, "VersionNumber": 1 }))]).await;
            let read = Operation::GetLayerVersionPolicy;
            scene.plane.inject(Fault::new(FaultKind::Delay(Duration::ZERO)).on(read).times(place));
            scene.plane.inject(Fault::new(kind.clone()).on(read));
            assert_eq!(scene.invoke(&event).await.outcome(), "granted", "{place} {kind:?}");
            assert_eq!(
                (sids(&scene, 2), sids(&scene, 3)),
                (vec!["partner".into()], vec!["partner".into()]),
                "{place} {kind:?}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_is_written_without_a_record() {
    for good in 0..4 {
        let scene =
            granted(&[("a", json!({ "Principal": PARTNER })), ("b", json!({ "Principal": "123456789012" }))]).await;
        scene.sink.next((0..good).map(|_| Fate::Written).chain([Fate::Failed]));
        let reply = scene.invoke(&published(&json!({}))).await;
        assert!(reply.failed && reply.code() == "audit_unavailable", "{good}");
        let intents = scene.records().iter().filter(|it| it["record"] == "intent").count();
        assert!(scene.calls().iter().filter(|call| **call == "add").count() <= intents, "{good}");
        assert!(!scene.invoke(&published(&json!({}))).await.failed);
        assert_eq!(sids(&scene, 3).len(), 2);
    }
}

/// Who may not ask about the layer carries nothing: the rules' requesters hold for AWS too.
#[tokio::test]
async fn a_rule_for_others_carries_nothing() {
    let mut scene = granted(&[("partner", json!({ "Principal": PARTNER }))]).await;
    for (requesters, outcome) in
        [(json!(["arn:aws:iam::*"]), "denied"), (json!(["eventbridge:123456789012:aws.lambda"]), "granted")]
    {
        let rule = json!({ "accounts": [PARTNER], "requesters": requesters });
        scene.broker.allowlist = permission_broker::allowlist::Allowlist::parse(&rule.to_string()).unwrap().into();
        assert_eq!(scene.invoke(&published(&json!({}))).await.outcome(), outcome, "{requesters}");
    }
}

#[tokio::test]
async fn only_a_layer_version_that_was_published_is_a_request() {
    let scene = Scene::new().await;
    for changes in [
        json!({ "eventName": "DeleteLayerVersion20181031" }),
        json!({ "errorCode": "AccessDenied" }),
        json!({ "responseElements": null }),
        json!({ "responseElements": { "version": 3 } }),
        json!({ "responseElements": { "layerArn": "arn:aws:lambda:us-east-1:123456789012:layer:common", "version": "x" } }),
    ] {
        let reply = scene.invoke(&published(&changes)).await;
        assert_eq!((reply.failed, reply.code()), (false, "unknown_event"), "{changes}");
    }
    // From any other source it is no message of AWS, and its detail no request.
    let mut faked = parsed(&text("events/eventbridge-carry-layer-forward.json"));
    faked["source"] = "com.example.lambda".into();
    assert_eq!(scene.invoke(faked.to_string().as_bytes()).await.outcome(), "rejected");
    assert!(scene.calls().is_empty());
}

/// A carried grant counts like any other, from what was seen of the policy and what was given since.
#[tokio::test]
async fn each_grant_tells_the_room_that_is_left() {
    let parties = ["one", "two"].map(|id| (id, json!({ "Principal": PARTNER })));
    let mut scene = granted(&parties).await;
    scene.broker.reads_first = true;
    let dry = json!({ "operation": "CarryLayerForward", "dryRun": true, "parameters": { "LayerName": "common", "VersionNumber": 3 } });
    let foretold = scene.ask(Door::Direct, &dry).await.document["policy"].clone();
    scene.records();
    scene.plane.clear_calls();
    let reply = scene.invoke(&published(&json!({}))).await;
    assert_eq!((reply.outcome(), &reply.document["policy"]), ("granted", &foretold));
    assert_eq!(
        (&foretold["bytesBefore"], &foretold["bytes"]),
        (&json!(0), &json!(scene.plane.policy(&layer(3)).unwrap().len()))
    );
    assert_eq!(scene.calls(), ["read", "read", "read", "add", "add"], "no more is read for it");
    let records = scene.records();
    let sizes: Vec<_> = records.iter().filter_map(|it| it.get("policyBytes").and_then(Value::as_u64)).collect();
    let whole = scene.plane.policy(&layer(3)).unwrap().len() as u64;
    assert_eq!((sizes.len(), sizes[1]), (2, whole), "{records:?}");
    assert!(sizes[0] < sizes[1]);
}

/// An end that this broker cannot tell would never come: another broker's id, or one of another target.
#[tokio::test]
async fn what_another_broker_ends_is_not_carried_over() {
    let standing = |sid: &str| {
        json!({
            "Sid": sid, "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{PARTNER}:root") },
            "Action": "lambda:GetLayerVersion", "Resource": layer(2),
        })
    };
    let theirs = "audit-until-20991122T152503Z-4c59bc97";
    let mut world = parsed(WORLD);
    let statements = [theirs, "partner"].map(standing);
    world["policies"] = json!({ layer(2): { "statements": statements } });
    let scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    let reply = scene.invoke(&published(&json!({}))).await;
    assert_eq!(reply.outcome(), "granted");
    assert_eq!(reply.document["grants"][0]["statementId"], theirs);
    assert_eq!(reply.document["grants"][0]["code"], "invalid_expiry");
    assert_eq!(sids(&scene, 3), ["partner"]);
}
