//! The net under the schedules: what has ended is taken away though its schedule is gone, and nothing else.

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{ORDERS, SIX, at, send_due, sids, timed, timed_layer};
use crate::life::{LAYER, holding, stored};
use crate::support::{Door, Scene, grant, string};
use permission_broker::local::control_plane::{ControlPlane, ErrorName, Fault, Operation};

pub(super) fn sweep(targets: Value) -> Value {
    json!({ "operation": "Sweep", "parameters": { "Targets": targets } })
}

/// A scene with timed grants on a function that the allowlist names by a prefix, on one that it names in full, on an
/// alias and on a layer version, all of whose schedules are gone.
pub(super) async fn without_schedules() -> Scene {
    static WORLD: OnceCell<String> = OnceCell::const_new();
    Scene::of(ControlPlane::from_world(WORLD.get_or_init(world_without_schedules).await).unwrap()).await
}

async fn world_without_schedules() -> String {
    let scene = Scene::new().await;
    for request in [
        timed(json!({})),
        timed(json!({ "FunctionName": "billing" })),
        timed(json!({ "Qualifier": "live" })),
        timed_layer(json!({})),
        grant(json!({ "StatementId": "for-ever" })),
    ] {
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted");
    }
    for (key, _) in scene.plane.schedules() {
        scene.plane.put_schedule(&key, None);
    }
    scene.plane.to_world().unwrap()
}

/// How many timed grants there are.
pub(super) fn timed_left(scene: &Scene) -> usize {
    scene.plane.policies().iter().map(|(_, policy, _)| policy.matches("-until-").count()).sum()
}

#[tokio::test]
async fn a_sweep_takes_away_what_is_over_and_leaves_the_rest() {
    let mut scene = without_schedules().await;
    let listed = json!(["function:orders", "function:orders:live", "layer:common:1"]);
    scene.now = at("2026-03-02T17:59:59Z");
    let reply = scene.ask(Door::Schedule, &sweep(listed.clone())).await;
    assert_eq!((reply.failed, reply.outcome(), timed_left(&scene)), (false, "already_revoked", 4));
    assert!(send_due(&mut scene, SIX).await.is_empty(), "no schedule is left");
    scene.records();
    let reply = scene.ask(Door::Schedule, &sweep(listed.clone())).await;
    assert_eq!((reply.failed, reply.outcome()), (false, "revoked"));
    assert_eq!(reply.document["grants"].as_array().unwrap().len(), 4);
    assert_eq!(timed_left(&scene), 0);
    assert_eq!(sids(&scene, ORDERS), ["for-ever"]);
    let records = scene.records();
    assert_eq!(records.iter().filter(|it| it["record"] == "intent").count(), 4);
    assert!(records.iter().all(|it| it["operation"] == "Sweep" && it["door"] == "schedule"));
    let last = records.last().unwrap();
    assert!(last.get("target").is_none() && last["outcome"] == "revoked");
    // Functions without a policy, and those of the rule for reports.
    assert!(last["calls"].to_string().contains("read:200 x4"), "{last}");
    let reply = scene.ask(Door::Schedule, &sweep(listed)).await;
    assert_eq!(reply.outcome(), "already_revoked");
}

/// Only an id that this broker made for this very target says that its time has passed.
#[tokio::test]
async fn a_sweep_leaves_alone_what_only_looks_like_a_timed_grant() {
    let of_orders = Scene::new().await.ask(Door::Direct, &timed(json!({}))).await;
    let sid = string(&of_orders.document, "statementId").to_owned();
    let billing = "arn:aws:lambda:us-east-1:123456789012:function:billing";
    let orders = [
        stored("partner-until-20260302T180000Z", json!({})),
        stored("partner-until-20260302T180000Z-00000000", json!({})),
        stored(&sid.replace("partner", "partner2"), json!({})),
        stored(&sid.replace("180000Z", "170000Z"), json!({})),
        stored("x", json!({})),
    ];
    let copied = [stored(&sid, json!({ "Resource": billing }))];
    let mut scene = holding(&[(ORDERS, &orders), (billing, &copied)]).await;
    scene.now = at("2027-01-01T00:00:00Z");
    let reply = scene.ask(Door::Schedule, &sweep(json!(["function:orders"]))).await;
    assert_eq!(
        (reply.outcome(), scene.statements(ORDERS).len(), scene.statements(billing).len()),
        ("already_revoked", 5, 1)
    );
    // The same under the id that is really its own.
    let scene = holding(&[(ORDERS, &[stored(&sid, json!({}))])]).await;
    let mut scene = scene;
    scene.now = at(SIX);
    assert_eq!(scene.ask(Door::Schedule, &sweep(json!(["function:orders"]))).await.outcome(), "revoked");
}

/// It goes by the ids, whatever stands under them: a timed grant that somebody rewrote ends like any other, and a read says so.
#[tokio::test]
async fn a_timed_grant_that_was_rewritten_ends_too() {
    let timed = Scene::new().await.ask(Door::Direct, &timed(json!({}))).await;
    let sid = string(&timed.document, "statementId");
    let rewritten = [
        json!({ "Action": ["lambda:InvokeFunction", "lambda:GetFunction"] }),
        json!({ "Principal": { "AWS": ["arn:aws:iam::210987654321:root", "arn:aws:iam::999999999999:root"] } }),
        json!({ "Effect": "Deny" }),
    ];
    for changes in rewritten {
        let statement = [stored(sid, changes.clone()), stored("for-ever", json!({}))];
        let mut scene = holding(&[(ORDERS, &statement)]).await;
        scene.now = at(SIX);
        let look = json!({ "operation": "GetPolicy", "parameters": { "FunctionName": "orders" } });
        let read = scene.ask(Door::Direct, &look).await;
        let entry = &read.document["statements"][0];
        assert_eq!((&entry["overdue"], &entry["byBroker"]), (&json!(true), &json!("likely")), "{changes}");
        assert_eq!(
            scene.ask(Door::Schedule, &sweep(json!(["function:orders"]))).await.outcome(),
            "revoked",
            "{changes}"
        );
        assert_eq!(sids(&scene, ORDERS), ["for-ever"], "{changes}");
    }
}

/// What one target fails with does not keep the others from their turn, and makes the sweep come again.
#[tokio::test]
async fn a_sweep_that_fails_somewhere_comes_again() {
    let listed = json!(["function:orders", "function:orders:live", "layer:common:1", "function:nothing"]);
    for operation in [Operation::GetPolicy, Operation::RemovePermission] {
        for fault in [Fault::access_denied(), Fault::throttled(Some(60))] {
            let mut scene = without_schedules().await;
            scene.now = at(SIX);
            scene.plane.inject(fault.on(operation).times(1));
            let reply = scene.ask(Door::Schedule, &sweep(listed.clone())).await;
            assert!(reply.failed, "{operation}");
            assert!(timed_left(&scene) <= 1, "{operation}");
            assert!(!scene.ask(Door::Schedule, &sweep(listed.clone())).await.failed);
            assert_eq!(timed_left(&scene), 0, "{operation}");
        }
    }
}

/// A refusal for good is not tried again, and not called swept either: an alarm waits for that code.
#[tokio::test]
async fn what_could_not_be_looked_at_is_not_called_swept() {
    for operation in [Operation::GetPolicy, Operation::RemovePermission] {
        let mut scene = without_schedules().await;
        scene.now = at(SIX);
        scene.plane.inject(Fault::error(ErrorName::InvalidParameterValue, "no").on(operation));
        let reply = scene.ask(Door::Schedule, &sweep(json!(["function:orders"]))).await;
        assert_eq!((reply.failed, reply.code()), (false, "sweep_incomplete"), "{operation}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_sweeps_nothing() {
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    for (targets, code) in [
        (json!("function:orders"), "wrong_type"),
        (json!([1]), "wrong_type"),
        (json!(["orders"]), "invalid_function"),
        (json!(["function:"]), "invalid_function"),
        (json!(["function:orders*"]), "invalid_function"),
        (json!(["layer:common"]), "invalid_function"),
        (json!(["layer:common:0"]), "invalid_function"),
        (json!(["layer:common:+1"]), "invalid_function"),
        (json!(["function:permission-broker"]), "invalid_function"),
        (json!(["function:999999999999:function:orders"]), "invalid_function"),
        (json!(["function:orders", "x"]), "invalid_function"),
    ] {
        let reply = scene.ask(Door::Schedule, &sweep(targets.clone())).await;
        assert_eq!((reply.failed, reply.code()), (false, code), "{targets}");
    }
    assert!(scene.calls().is_empty());
    assert_eq!(scene.statements(LAYER).len(), 1);
}

/// What is read first, a sweep that has no time left says so and comes again.
#[tokio::test]
async fn a_sweep_without_time_comes_again() {
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    let event = crate::support::door::event(Door::Schedule, &sweep(json!([])));
    let reply = scene.invoke_within(&event, std::time::Duration::ZERO).await;
    assert_eq!((reply.failed, reply.code()), (true, "timed_out"));
    assert_eq!(timed_left(&scene), 4);
}
