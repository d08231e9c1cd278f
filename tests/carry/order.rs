//! Events that come in the wrong order, and versions that were deleted: no grant is lost, and none is given where somebody
//! has decided otherwise.

use permission_broker::local::control_plane::{ControlPlane, ErrorName, Fault, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use super::{PARTNER, layer, published, sids};
use crate::support::{Door, Fate, Scene, json as parsed, layer_grant, string};

const OTHER: &str = "123456789012";

/// A scene in which these versions of the layer are there.
async fn with_versions(versions: &[u64]) -> Scene {
    let mut world = parsed(WORLD);
    world["layers"]["common"] = json!(versions);
    Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await
}

async fn give(scene: &Scene, version: u64, id: &str, principal: &str) {
    let request = layer_grant(json!({ "VersionNumber": version, "StatementId": id, "Principal": principal }));
    assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted");
    scene.records();
    scene.plane.clear_calls();
}

fn of(version: u64) -> Vec<u8> {
    let answer = json!({ "layerArn": "arn:aws:lambda:us-east-1:123456789012:layer:common", "version": version });
    published(&json!({ "responseElements": answer }))
}

async fn tell(scene: &Scene, version: u64) -> String {
    let reply = scene.invoke(&of(version)).await;
    assert!(!reply.failed, "{}", reply.document);
    reply.ending().to_owned()
}

/// Whatever the order, at the end each version has the grants.
#[tokio::test]
async fn the_order_of_the_events_does_not_matter() {
    for order in [[2, 3, 4], [2, 4, 3], [3, 2, 4], [3, 4, 2], [4, 2, 3], [4, 3, 2]] {
        let scene = with_versions(&[1, 2, 3, 4]).await;
        give(&scene, 1, "a", PARTNER).await;
        give(&scene, 1, "b", OTHER).await;
        for version in order {
            tell(&scene, version).await;
        }
        for version in 2..=4 {
            let mut there = sids(&scene, version);
            there.sort();
            assert_eq!(there, ["a", "b"], "{version} after {order:?}");
        }
    }
}

#[tokio::test]
async fn what_goes_on_is_told_with_its_version() {
    let scene = with_versions(&[1, 2, 3]).await;
    give(&scene, 1, "a", PARTNER).await;
    assert_eq!(tell(&scene, 3).await, "already_granted");
    scene.records();
    let reply = scene.invoke(&of(2)).await;
    assert_eq!(reply.outcome(), "granted");
    let parts = reply.document["grants"].as_array().unwrap();
    let told: Vec<_> = parts.iter().map(|it| (string(it, "outcome"), it["resource"].as_str())).collect();
    assert_eq!(told, [("granted", None), ("granted", Some(&*layer(3)))]);
    let records = scene.records();
    let targets: Vec<_> =
        records.iter().map(|it| format!("{} {}", string(it, "record"), string(it, "target"))).collect();
    let line = |record: &str, version| format!("{record} {}", layer(version));
    let wanted = [line("intent", 3), line("outcome", 3), line("intent", 2), line("outcome", 2), line("outcome", 2)];
    assert_eq!(targets, wanted, "the version itself comes last");
}

/// What gives somebody something of its own was decided about by somebody, and so was what comes after it.
#[tokio::test]
async fn a_version_with_grants_of_its_own_is_left_alone() {
    let scene = with_versions(&[1, 2, 3, 4]).await;
    give(&scene, 1, "a", PARTNER).await;
    give(&scene, 3, "own", OTHER).await;
    assert_eq!(tell(&scene, 2).await, "granted");
    assert_eq!((sids(&scene, 2), sids(&scene, 3), sids(&scene, 4)), (vec!["a".into()], vec!["own".into()], vec![]));
    // What version 2 gives as well is no decision of its own.
    let scene = with_versions(&[1, 2, 3]).await;
    give(&scene, 1, "a", PARTNER).await;
    give(&scene, 2, "early", OTHER).await;
    assert_eq!(tell(&scene, 3).await, "granted");
    assert_eq!(tell(&scene, 2).await, "granted");
    assert_eq!(sids(&scene, 3), ["early", "a"]);
}

/// Once a version is complete, its event touches no other one.
#[tokio::test]
async fn a_repeat_gives_nothing_back_that_was_taken_away() {
    let scene = with_versions(&[1, 2, 3]).await;
    give(&scene, 1, "a", PARTNER).await;
    assert_eq!(tell(&scene, 2).await, "granted");
    assert_eq!(sids(&scene, 3), ["a"]);
    let revoke = json!({
        "operation": "RemoveLayerVersionPermission",
        "parameters": { "LayerName": "common", "VersionNumber": 3, "StatementId": "a" },
    });
    assert_eq!(scene.ask(Door::Direct, &revoke).await.outcome(), "revoked");
    assert_eq!(tell(&scene, 2).await, "already_granted");
    assert!(sids(&scene, 3).is_empty());
}

/// What breaks off anywhere is whole after the event has come again.
#[tokio::test]
async fn what_breaks_off_is_finished_by_the_next_delivery() {
    let calls = [Operation::GetLayerVersionPolicy, Operation::AddLayerVersionPermission];
    for (operation, skipped) in calls.into_iter().flat_map(|it| (0..4).map(move |skipped| (it, skipped))) {
        let scene = with_versions(&[1, 2, 3]).await;
        give(&scene, 1, "a", PARTNER).await;
        give(&scene, 1, "b", OTHER).await;
        let passing = Fault::new(permission_broker::local::control_plane::FaultKind::Delay(std::time::Duration::ZERO));
        scene.plane.inject(passing.on(operation).times(skipped));
        scene.plane.inject(Fault::throttled(Some(60)).on(operation));
        let first = scene.invoke(&of(2)).await;
        assert!(first.failed, "{operation} {skipped}");
        scene.plane.clear_faults();
        assert_eq!(tell(&scene, 2).await, "granted", "{operation} {skipped}");
        for version in [2, 3] {
            let mut there = sids(&scene, version);
            there.sort();
            assert_eq!(there, ["a", "b"], "{version} after {operation} {skipped}");
        }
    }
    for good in 0..9 {
        let scene = with_versions(&[1, 2, 3]).await;
        give(&scene, 1, "a", PARTNER).await;
        give(&scene, 1, "b", OTHER).await;
        scene.sink.next((0..good).map(|_| Fate::Written).chain([Fate::Failed]));
        assert_eq!(scene.invoke(&of(2)).await.code(), "audit_unavailable", "{good}");
        tell(&scene, 2).await;
        assert_eq!((sids(&scene, 2).len(), sids(&scene, 3).len()), (2, 2), "{good}");
    }
}

/// A version that was deleted is passed over; one that grants nothing is not.
#[tokio::test]
async fn the_nearest_version_that_is_there_is_the_previous_one() {
    let scene = with_versions(&[1, 3]).await;
    give(&scene, 1, "a", PARTNER).await;
    assert_eq!(tell(&scene, 3).await, "granted");
    assert_eq!(sids(&scene, 3), ["a"]);
    let scene = with_versions(&[1, 2, 3]).await;
    give(&scene, 1, "a", PARTNER).await;
    assert_eq!(tell(&scene, 3).await, "already_granted");
    assert!(sids(&scene, 3).is_empty());
    // Nothing below is left.
    assert_eq!(tell(&with_versions(&[5]).await, 5).await, "already_granted");
}

#[tokio::test]
async fn ten_versions_below_are_looked_at_and_no_more() {
    for (new, ending) in [(11, "granted"), (12, "previous_not_found"), (40, "previous_not_found")] {
        let scene = with_versions(&[1, new]).await;
        give(&scene, 1, "a", PARTNER).await;
        assert_eq!(tell(&scene, new).await, ending, "{new}");
        assert_eq!(sids(&scene, new).len(), usize::from(ending == "granted"));
        let last = scene.records().pop().unwrap();
        let reads = last["calls"].as_array().unwrap().len();
        assert_eq!(reads, if ending == "granted" { 12 } else { 10 }, "{last}");
        assert_eq!(last["code"].as_str(), Some(ending).filter(|it| *it != "granted"));
    }
}

/// A 404 in words that nobody knows says neither that a version is gone nor that it grants nothing.
#[tokio::test]
async fn an_older_version_is_never_taken_for_the_previous_one_by_a_guess() {
    let scene = with_versions(&[1, 2, 3]).await;
    give(&scene, 1, "a", PARTNER).await;
    let unknown = Fault::error(ErrorName::ResourceNotFound, "another text").on(Operation::GetLayerVersionPolicy);
    scene.plane.inject(unknown);
    assert_eq!(tell(&scene, 3).await, "previous_not_found");
    assert!(sids(&scene, 3).is_empty());
}

/// A dry run foresees what goes on, too.
#[tokio::test]
async fn a_dry_run_tells_of_the_versions_above() {
    let scene = with_versions(&[1, 2, 3]).await;
    give(&scene, 1, "a", PARTNER).await;
    let parameters = json!({ "LayerName": "common", "VersionNumber": 2 });
    let request = json!({ "operation": "CarryLayerForward", "parameters": parameters, "dryRun": true });
    let reply = scene.ask(Door::Direct, &request).await;
    let parts = reply.document["grants"].as_array().unwrap();
    let told: Vec<(&Value, &Value)> = parts.iter().map(|it| (&it["outcome"], &it["resource"])).collect();
    assert_eq!(told, [(&json!("would_grant"), &Value::Null), (&json!("would_grant"), &json!(layer(3)))]);
    assert!(sids(&scene, 2).is_empty() && sids(&scene, 3).is_empty());
}
