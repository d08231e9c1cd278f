//! Faults of the sandbox itself: cut off, killed, blocked, out of time; and of those around it.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use permission_broker::audit::Audit;
use permission_broker::broker::Invocation;
use permission_broker::local::control_plane::{ControlPlane, ErrorName, Fault, FaultKind, Operation};
use permission_broker::local::stage::{self, ALLOWLIST, FUNCTION_ARN, WORLD};
use serde_json::{Value, json};

use super::delivery::{Ending, Event, is_success};
use super::kind::{KINDS, Kind, ORDERS};
use crate::support::door;
use crate::support::{Door, Fate, Reply, Scene, all, grant, with};

/// F5, F20: the delivery ends while a call is under way, with and without a last word in the audit.
#[tokio::test]
async fn a_delivery_that_is_cut_off_anywhere_is_settled_by_the_next() {
    for kind in &KINDS {
        let mut under_way = Vec::new();
        for (place, (records, faults)) in cut_offs(kind).into_iter().enumerate() {
            for killed in [false, true] {
                for &reads_first in kind.ways() {
                    for door in kind.doors_at(place + usize::from(killed)) {
                        under_way.push(cut_off(kind, faults.clone(), killed.then_some(records), reads_first, door));
                    }
                }
            }
        }
        all(24, under_way).await;
    }
}

/// What holds a delivery up until it is cut off, at each of its calls, done by AWS or not; and how many records
/// have been written by then.
fn cut_offs(kind: &Kind) -> Vec<(usize, Vec<Fault>)> {
    let hang = |fault: FaultKind, operation| Fault::new(fault).on(operation);
    let (write, read) = (kind.write, kind.read);
    let mut cases = vec![
        (1, vec![hang(FaultKind::HangBeforeCommit, write)]),
        (1, vec![hang(FaultKind::HangAfterCommit, write)]),
        (1, vec![hang(FaultKind::Delay(Duration::from_secs(3)), write)]),
        (1, vec![hang(FaultKind::ResetAfterCommit, write), hang(FaultKind::HangBeforeCommit, read)]),
        (1, vec![hang(FaultKind::ResetBeforeCommit, write), hang(FaultKind::HangAfterCommit, write)]),
    ];
    if kind.schedules {
        let make = Operation::CreateSchedule;
        // The first grant that is carried on has no end, and so no schedule.
        let records = if kind.has_parts { 3 } else { 1 };
        cases.push((records, vec![hang(FaultKind::HangBeforeCommit, make)]));
        cases.push((records, vec![hang(FaultKind::HangAfterCommit, make)]));
        let look = hang(FaultKind::HangBeforeCommit, Operation::GetSchedule);
        cases.push((records, vec![hang(FaultKind::EmptyBody, make), look]));
    }
    if let Some(takes_back) = kind.takes_back {
        let passes = || hang(FaultKind::Delay(Duration::ZERO), write);
        let refused = || Fault::error(ErrorName::Validation, "no").on(write);
        for hangs in [FaultKind::HangBeforeCommit, FaultKind::HangAfterCommit] {
            cases.push((3, vec![passes(), hang(hangs.clone(), write)]));
            cases.push((5, vec![passes(), refused(), hang(hangs, takes_back)]));
        }
    }
    cases
}

async fn cut_off(kind: &Kind, faults: Vec<Fault>, killed: Option<usize>, reads_first: bool, door: Door) {
    let mut scene = kind.scene().await;
    scene.broker.reads_first = reads_first;
    let asked = kind.asked(&scene).await;
    for fault in faults {
        scene.plane.inject(fault);
    }
    // A killed sandbox has no last word.
    let fates = |records| std::iter::repeat_n(Fate::Written, records).chain([Fate::Failed]);
    scene.sink.next(killed.into_iter().flat_map(fates));
    let mut event = Event::new(scene, door, asked);
    assert_eq!(event.deliver(Some(Duration::from_millis(100))).await, Ending::CutOff, "{}", kind.name);
    let last = event.settle().await;
    assert!(is_success(&last), "{}: {last}", kind.name);
    event.end().await;
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
    for (kind, &door) in KINDS.iter().flat_map(|kind| kind.doors.iter().map(move |door| (kind, door))) {
        let scene = kind.scene().await;
        let asked = kind.asked(&scene).await;
        let reply = scene.invoke_within(&door::event(door, &asked.request), Duration::from_millis(39)).await;
        assert!(reply.comes_again());
        let records = scene.records();
        let code = records[0]["code"].as_str().unwrap();
        // What carries grants on looks as far as it gets, and a look may be given up.
        assert!(records.len() == 1 && (code == "timed_out" || (kind.has_parts && code == "unavailable")), "{code}");
        assert!(scene.calls().iter().all(|call| kind.has_parts && *call == "read"));
        assert!(is_success(&Event::new(scene, door, asked).settle().await));
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
        assert_eq!(scene.statements(ORDERS).len(), if in_order { 2 } else { 3 });
    }
}
