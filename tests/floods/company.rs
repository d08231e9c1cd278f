//! What the settling time is for, and where it is spent: two writers whose writes overlap at AWS, the
//! second of which undoes the first.

use std::time::Duration;

use permission_broker::local::control_plane::{ConcurrentUpdates, ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::WORLD;
use permission_broker::policy::Timing;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{Door, QUICK, Reply, Scene, grant, with, writes};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
const WINDOW: Duration = Duration::from_millis(300);

/// Two grants, the second of which begins at AWS while the first is under way.
async fn overlap(door: Door, settle: Duration) -> (Scene, [Reply; 2]) {
    let plane = ControlPlane::from_world(WORLD).unwrap();
    plane.concurrent_updates(ConcurrentUpdates::LoseSilently { window: WINDOW });
    let timing = Timing { settle, ..QUICK };
    let (mut first, mut second) = (Scene::of(plane.clone()).await, Scene::of(plane.clone()).await);
    (first.broker.timing, second.broker.timing) = (timing, timing);
    let requests = ["first", "second"].map(|id| grant(json!({ "StatementId": id })));
    let later = async {
        while writes(&plane) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(WINDOW / 10).await;
        second.ask(door, &requests[1]).await
    };
    let (one, two) = futures_util::future::join(first.ask(door, &requests[0]), later).await;
    (first, [one, two])
}

#[tokio::test]
async fn behind_the_queue_a_grant_that_was_undone_is_made_again() {
    let (scene, replies) = overlap(Door::Sqs, 2 * WINDOW).await;
    assert!(replies.iter().all(|reply| !reply.comes_again()));
    assert_eq!(scene.statements(ORDERS).len(), 2);
    let outcome = scene.records().pop().unwrap();
    assert_eq!((&outcome["outcome"], &outcome["confirmedByRead"]), (&json!("granted"), &json!(true)));
    // Seen too early it would have been taken for granted; seen late it was missing, and was added again.
    assert_eq!(outcome["calls"], json!(["add:201", "read:200", "add:201", "read:200"]));
}

/// A read at once is not enough: this is why there is a settling time at all.
#[tokio::test]
async fn without_the_settling_time_an_acknowledged_grant_is_lost() {
    let (scene, replies) = overlap(Door::Sqs, Duration::ZERO).await;
    assert!(replies.iter().all(|reply| !reply.comes_again()));
    assert_eq!(scene.statements(ORDERS).len(), 1);
}

/// The limit that the documentation states: a lone call cannot know that it was undone.
#[tokio::test]
async fn on_the_other_doors_a_write_that_aws_confirmed_is_believed() {
    for door in [Door::Direct, Door::ApiGateway, Door::EventBridge] {
        let (scene, replies) = overlap(door, 2 * WINDOW).await;
        assert!(replies.iter().all(|reply| reply.outcome() == "granted"));
        assert_eq!((scene.statements(ORDERS).len(), scene.calls()), (1, vec!["add", "add"]), "{}", door.as_str());
    }
}

#[tokio::test]
async fn only_the_queue_pays_for_a_read_that_nothing_calls_for() {
    let cases = [
        (Door::Direct, vec!["add"]),
        (Door::ApiGateway, vec!["add"]),
        (Door::EventBridge, vec!["add"]),
        (Door::Sqs, vec!["add", "read"]),
    ];
    for (door, calls) in cases {
        let scene = Scene::new().await;
        assert!(!scene.ask(door, &grant(json!({}))).await.comes_again());
        assert_eq!(scene.calls(), calls);
    }
}

/// Once a 409 has shown that somebody else is writing, every door looks before it says `granted`.
#[tokio::test]
async fn a_concurrent_update_makes_every_door_look() {
    for door in [Door::Direct, Door::ApiGateway, Door::EventBridge, Door::Sqs] {
        let scene = Scene::new().await;
        scene.plane.inject(Fault::concurrent_update().on(Operation::AddPermission));
        assert!(!scene.ask(door, &grant(json!({}))).await.comes_again());
        assert_eq!(scene.calls(), ["add", "read", "add", "read"]);
        assert_eq!(scene.records()[1]["confirmedByRead"], true);
    }
}

/// AWS may render a statement in a way of its own one day; what it answered is what is looked for.
#[tokio::test]
async fn a_rendering_of_aws_own_is_found_again_behind_the_queue() {
    let rendered = json!({
        "Sid": "partner", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": "lambda:InvokeFunction", "Resource": ORDERS,
        "Condition": { "StringEquals": { "aws:PrincipalIsAWSService": "false" } },
    });
    let world: Value = serde_json::from_str(WORLD).unwrap();
    let world = with(world, json!({ "policies": { ORDERS: { "statements": [rendered] } } }));
    let scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    let body = json!({ "Statement": rendered.to_string() }).to_string();
    let answer = FaultKind::Answer { status: 201, error_type: None, headers: Vec::new(), body };
    scene.plane.inject(Fault::new(answer).on(Operation::AddPermission));
    assert!(!scene.ask(Door::Sqs, &grant(json!({}))).await.comes_again());
    let outcome = &scene.records()[1];
    assert_eq!((&outcome["outcome"], &outcome["level"]), (&json!("granted"), &json!("WARN")));
    assert_eq!(outcome["statementDiffers"], true);
}

/// Without time to let it settle, nothing is said to be granted.
#[tokio::test]
async fn without_time_to_settle_the_outcome_is_unknown_and_the_message_comes_again() {
    let mut scene = Scene::new().await;
    scene.broker.timing = Timing { settle: Duration::from_secs(11), ..QUICK };
    assert_eq!(scene.ask(Door::Sqs, &grant(json!({}))).await.failed_messages().unwrap(), ["message-0"]);
    assert_eq!(scene.records()[1]["code"], "outcome_unknown");
    assert_eq!(scene.calls(), ["add"]);
    scene.broker.timing = QUICK;
    assert!(!scene.ask(Door::Sqs, &grant(json!({}))).await.comes_again());
    assert_eq!(scene.records()[1]["outcome"], "already_granted");
}
