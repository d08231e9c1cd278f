//! Faults of the sandbox itself: cut off, killed, blocked, out of time; and of those around it.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use permission_broker::audit::Audit;
use permission_broker::broker::Invocation;
use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::{self, ALLOWLIST, FUNCTION_ARN, WORLD};
use serde_json::{Value, json};

use super::delivery::{Ending, Event, is_success};
use crate::support::door::{self, DOORS};
use crate::support::{Door, Fate, Reply, Scene, grant, with};

const PLACE: (&str, &str) = ("arn:aws:lambda:us-east-1:123456789012:function:orders", "partner");

/// F5, F20: the delivery ends while a call is under way, with and without a last word in the audit.
#[tokio::test]
async fn a_delivery_that_is_cut_off_anywhere_is_settled_by_the_next() {
    let hang = |kind: FaultKind, operation| Fault::new(kind).on(operation);
    let lost = hang(FaultKind::ResetAfterCommit, Operation::AddPermission);
    let cases = [
        vec![hang(FaultKind::HangBeforeCommit, Operation::AddPermission)],
        vec![hang(FaultKind::HangAfterCommit, Operation::AddPermission)],
        vec![hang(FaultKind::Delay(Duration::from_secs(3)), Operation::AddPermission)],
        vec![lost, hang(FaultKind::HangBeforeCommit, Operation::GetPolicy)],
        vec![
            hang(FaultKind::ResetBeforeCommit, Operation::AddPermission),
            hang(FaultKind::HangAfterCommit, Operation::AddPermission),
        ],
    ];
    let mut under_way = Vec::new();
    for faults in &cases {
        for killed in [false, true] {
            for door in DOORS {
                under_way.push(cut_off(faults, killed, door));
            }
        }
    }
    futures_util::future::join_all(under_way).await;
}

async fn cut_off(faults: &[Fault], killed: bool, door: Door) {
    let scene = Scene::new().await;
    for fault in faults {
        scene.plane.inject(fault.clone());
    }
    // A killed sandbox has no last word.
    scene.sink.next(if killed { vec![Fate::Written, Fate::Failed] } else { Vec::new() });
    let mut event = Event::new(scene, door, grant(json!({})), PLACE);
    assert_eq!(event.deliver(Some(Duration::from_millis(100))).await, Ending::CutOff);
    assert!(is_success(&event.settle().await));
}

/// A sink that waits until it is let go on.
struct Blocked {
    blocked: Sender<()>,
    go: Receiver<()>,
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.blocked.send(()).unwrap();
        self.go.recv().unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// F3: nothing goes on while a record cannot be written.
#[test]
fn a_blocked_audit_blocks_the_call() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plane = ControlPlane::from_world(WORLD).unwrap();
    let (blocked, is_blocked) = channel();
    let (let_go, go) = channel();
    let in_thread = plane.clone();
    let invocation = std::thread::spawn(move || {
        runtime().block_on(async {
            let audit = Audit::new(Blocked { blocked, go });
            let broker = stage::broker(&in_thread, ALLOWLIST, audit).await.unwrap();
            let event = door::event(Door::Direct, &grant(json!({})));
            let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
            let invocation =
                Invocation { request_id: "r", function_arn: FUNCTION_ARN, deadline, now: std::time::SystemTime::now() };
            Reply::of(broker.handle(&event, &invocation).await)
        })
    });
    for calls in [0, 1] {
        is_blocked.recv().unwrap();
        assert_eq!(plane.calls().len(), calls);
        assert!(!invocation.is_finished());
        let_go.send(()).unwrap();
    }
    assert_eq!(invocation.join().unwrap().outcome(), "granted");
}

/// F21: an invocation that starts too late records that, and the next one does the work.
#[tokio::test]
async fn an_invocation_that_starts_too_late_calls_nobody() {
    for door in DOORS {
        let scene = Scene::new().await;
        let request = grant(json!({}));
        let reply = scene.invoke_within(&door::event(door, &request), Duration::from_millis(39)).await;
        assert!(reply.comes_again());
        let records = scene.records();
        assert_eq!((records.len(), &records[0]["code"]), (1, &json!("timed_out")));
        assert!(scene.calls().is_empty());
        assert!(is_success(&Event::new(scene, door, request, PLACE).settle().await));
    }
}

/// F24: another tool replaces the policy. That is not noticed, but the same request grants again.
#[tokio::test]
async fn a_grant_that_another_tool_removed_is_made_again_when_it_is_asked_for() {
    let scene = Scene::new().await;
    assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "granted");
    let world: Value = serde_json::from_str(&scene.plane.to_world().unwrap()).unwrap();
    let world = with(world, json!({ "policies": null }));
    let scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "granted");
}

/// F25: of three good messages, an invalid one, a throttled one and one that breaks the broker, two
/// come again; in a queue that keeps its order, everything after the first of them too.
#[tokio::test]
async fn only_what_failed_in_a_batch_comes_again() {
    let good = |id: &str| grant(json!({ "StatementId": id })).to_string();
    let layer = crate::support::layer_grant(json!({})).to_string();
    let bodies = [good("a"), good("b"), "{".to_owned(), layer, good("c"), good("d")];
    for in_order in [false, true] {
        let scene = Scene::new().await;
        scene.plane.inject(Fault::throttled(Some(60)).on(Operation::AddLayerVersionPermission));
        let written = [Fate::Written; 7];
        scene.sink.next(written.into_iter().chain(if in_order { None } else { Some(Fate::Panics) }));
        let mut batch = door::messages(&bodies);
        if in_order {
            for record in batch["Records"].as_array_mut().unwrap() {
                record["attributes"]["MessageGroupId"] = json!("orders");
            }
        }
        let reply = scene.invoke(batch.to_string().as_bytes()).await;
        let expected: &[&str] =
            if in_order { &["message-3", "message-4", "message-5"] } else { &["message-3", "message-4"] };
        assert_eq!(reply.failed_messages().unwrap(), expected);
        assert_eq!(scene.statements(PLACE.0).len(), if in_order { 2 } else { 3 });
    }
}
