//! The deadline: no call starts that cannot end, and be recorded, before Lambda ends the invocation;
//! being out of time is an outcome with its record, and comes again.

use std::time::Duration;

use permission_broker::broker::Invocation;
use permission_broker::local::control_plane::{Fault, FaultKind, Operation};
use permission_broker::policy::Timing;
use serde_json::json;

use crate::support::door::{self, DOORS};
use crate::support::{Door, QUICK, Scene, all, grant};

/// Hours, beside which the milliseconds that pass meanwhile are nothing.
const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn scene(timing: Timing) -> Scene {
    let mut scene = Scene::new().await;
    scene.broker.timing = timing;
    scene
}

#[tokio::test]
async fn a_grant_starts_if_there_is_time_for_it_and_for_its_record() {
    let timing = Timing { reserve: hours(1), least_grant: hours(2), grant: hours(9), ..QUICK };
    for door in DOORS {
        let enough = scene(timing).await;
        enough.invoke_within(&door::event(door, &grant(json!({}))), hours(3) + 60 * SECOND).await;
        assert_eq!(enough.records().last().unwrap()["outcome"], "granted");

        let short = scene(timing).await;
        let reply = short.invoke_within(&door::event(door, &grant(json!({}))), hours(3) - MILLISECOND).await;
        assert!(reply.comes_again() && short.calls().is_empty());
        let records = short.records();
        assert_eq!(records.len(), 1);
        assert_eq!((&records[0]["code"], &records[0]["retryable"]), (&json!("timed_out"), &json!(true)));
        assert_eq!(records[0]["decision"], "allowed");
        if let Some((status, _)) = reply.http {
            assert_eq!(status, 503);
        }
    }
}

#[tokio::test]
async fn what_needs_no_call_needs_no_time() {
    for (request, outcome) in [(grant(json!({ "Principal": "*" })), "denied"), (json!({}), "rejected")] {
        let scene = Scene::new().await;
        scene.invoke_within(&door::event(Door::EventBridge, &request), Duration::ZERO).await;
        assert_eq!(scene.records()[0]["outcome"], outcome);
    }
}

/// The edges of a call: of the write after the intent, and of the read after a write.
#[tokio::test]
async fn a_call_starts_if_there_is_time_for_it() {
    let timing = Timing { least_call: hours(2), grant: hours(9), call: hours(3), ..QUICK };
    for (left, calls, code) in [(hours(2) + 60 * SECOND, 1, json!(null)), (hours(2) - SECOND, 0, json!("timed_out"))] {
        let scene = scene(timing).await;
        scene.invoke_within(&door::event(Door::Direct, &grant(json!({}))), left + timing.reserve).await;
        assert_eq!(scene.calls().len(), calls);
        let records = scene.records();
        assert_eq!((records.len(), &records[1]["code"]), (2, &code));
    }
}

/// A pause that would leave no time for a call is not begun.
#[tokio::test]
async fn a_pause_is_begun_if_a_call_fits_behind_it() {
    let timing = Timing { least_call: hours(2), grant: hours(9), call: hours(3), ..QUICK };
    for (pause, calls, code) in [(MILLISECOND, 2, ""), (120 * SECOND, 1, "throttled")] {
        let scene = scene(Timing { pause, ..timing }).await;
        scene.plane.inject(Fault::throttled(None));
        let left = hours(2) + 60 * SECOND + timing.reserve;
        let reply = scene.invoke_within(&door::event(Door::Direct, &grant(json!({}))), left).await;
        assert_eq!((scene.calls().len(), reply.code()), (calls, code));
    }
}

/// Whatever hangs, the invocation is over, and recorded, before Lambda would end it.
#[tokio::test]
async fn a_hanging_call_is_given_up_in_time_for_its_record() {
    let timing = Timing { call: hours(1), reserve: Duration::from_millis(400), ..QUICK };
    let left = Duration::from_millis(600);
    let hang = |operation| Fault::new(FaultKind::HangAfterCommit).on(operation).times(9);
    let lost = Fault::new(FaultKind::ResetAfterCommit).on(Operation::AddPermission);
    let mut cases = Vec::new();
    for faults in [vec![hang(Operation::AddPermission)], vec![lost, hang(Operation::GetPolicy)]] {
        for door in DOORS {
            let scene = scene(timing).await;
            for fault in &faults {
                scene.plane.inject(fault.clone());
            }
            cases.push(is_given_up_in_time(scene, door, left));
        }
    }
    all(8, cases).await;
}

async fn is_given_up_in_time(scene: Scene, door: Door, left: Duration) {
    let start = tokio::time::Instant::now();
    let reply = scene.invoke_within(&door::event(door, &grant(json!({}))), left).await;
    assert!(start.elapsed() < left, "{:?}", start.elapsed());
    assert!(reply.comes_again());
    let records = scene.records();
    assert_eq!((records.len(), &records[1]["code"]), (2, &json!("outcome_unknown")));
}

/// A batch shares one deadline: what there is no time for comes again, each with its record.
#[tokio::test]
async fn the_rest_of_a_batch_is_left_in_time_and_comes_again() {
    let bodies: Vec<String> = ["a", "b", "c"].map(|id| grant(json!({ "StatementId": id })).to_string()).to_vec();
    let batch = door::messages(&bodies).to_string();
    let left = Duration::from_millis(600);
    let scene = scene(Timing { reserve: left / 3, least_grant: left / 3, call: left, ..QUICK }).await;
    scene.plane.inject(Fault::new(FaultKind::HangBeforeCommit).on(Operation::AddPermission));
    let start = tokio::time::Instant::now();
    let reply = scene.invoke_within(batch.as_bytes(), left).await;
    assert!(start.elapsed() < left);
    assert_eq!(reply.failed_messages().unwrap(), ["message-0", "message-1", "message-2"]);
    let codes: Vec<_> =
        scene.records().iter().filter_map(|record| record["code"].as_str().map(str::to_owned)).collect();
    assert_eq!(codes, ["outcome_unknown", "timed_out", "timed_out"]);
    assert_eq!(scene.calls(), ["add"]);
}

/// What Lambda calls a deadline is a time of day; one that has passed leaves no time at all.
#[tokio::test]
async fn a_deadline_in_the_past_leaves_no_time() {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let milliseconds = u64::try_from(now.as_millis()).unwrap();
    assert!(Invocation::deadline_of(milliseconds - 1000) <= tokio::time::Instant::now());
    assert!(Invocation::deadline_of(0) <= tokio::time::Instant::now());
    let left = Invocation::deadline_of(milliseconds + 15_000).duration_since(tokio::time::Instant::now());
    assert!(left > 10 * SECOND && left <= 15 * SECOND);
}
