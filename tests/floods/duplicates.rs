//! One grant asked for a thousand times at once is one statement, and one answer says that it is new. One function URL is
//! two statements, each of which is new to one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use permission_broker::broker::Invocation;
use permission_broker::local::control_plane::{ConcurrentUpdates, ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::{ALLOWLIST, FUNCTION_ARN, Stage, WORLD};
use permission_broker::policy::Timing;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::time::Instant;

use crate::support::{Door, QUICK, Reply, cases, door, grant, json as parsed, layer_grant, string};

/// All sandboxes share one thread here, and AWS is that thread too: what takes it milliseconds takes this a while.
const PATIENT: Timing =
    Timing { call: Duration::from_secs(1_000), grant: Duration::from_secs(1_100), reserve: Duration::ZERO, ..QUICK };

/// Asks through as many sandboxes as there are duplicates, all at once, each until it is done; gives the record of
/// every last word.
async fn flood(duplicates: usize, request: &Value, plane: &ControlPlane, reads_first: bool) -> Vec<Value> {
    let asked = floods(duplicates, request, plane, reads_first).await.into_iter();
    asked.map(|Asked { mut records, .. }| records.pop().unwrap()).collect()
}

/// What one of many was told at last, and every record of its deliveries.
struct Asked {
    outcome: String,
    records: Vec<Value>,
}

/// The same with everything that was recorded.
async fn floods(duplicates: usize, request: &Value, plane: &ControlPlane, reads_first: bool) -> Vec<Asked> {
    let (ready, in_flight) = (Arc::new(Barrier::new(duplicates)), Arc::new(AtomicUsize::new(0)));
    let mut sandboxes = tokio::task::JoinSet::new();
    for _ in 0..duplicates {
        let (plane, event) = (plane.clone(), door::event(Door::Direct, request));
        let (ready, in_flight) = (ready.clone(), in_flight.clone());
        sandboxes.spawn(async move {
            let mut stage = Stage::new(plane, ALLOWLIST).await.unwrap();
            (stage.broker.timing, stage.broker.reads_first) = (PATIENT, reads_first);
            // The SDK's own clock under the broker's has to be as patient.
            let patient = TimeoutConfig::builder().operation_timeout(PATIENT.call).build();
            let config = stage.broker.client.config().to_builder().timeout_config(patient).build();
            stage.broker.client = Client::from_conf(config);
            ready.wait().await;
            in_flight.fetch_add(1, Ordering::Relaxed);
            let (asked, all_at_once) = until_done(&stage, &event, || in_flight.load(Ordering::Relaxed)).await;
            in_flight.fetch_sub(1, Ordering::Relaxed);
            (asked, all_at_once)
        });
    }
    let (asked, in_flight): (Vec<_>, Vec<_>) = sandboxes.join_all().await.into_iter().unzip();
    assert_eq!(in_flight.into_iter().max(), Some(duplicates), "in flight at once");
    asked
}

/// Asks until it is done; gives what was recorded, and how many were in flight when the first answer came.
async fn until_done(stage: &Stage, event: &[u8], in_flight: impl Fn() -> usize) -> (Asked, usize) {
    let (mut first, mut all) = (None, Vec::new());
    loop {
        let deadline = Instant::now() + PATIENT.grant;
        let invocation =
            Invocation { request_id: "request-1", function_arn: FUNCTION_ARN, deadline, now: SystemTime::now() };
        let reply = Reply::of(stage.broker.handle(event, &invocation).await);
        let first = *first.get_or_insert_with(&in_flight);
        let records: Vec<Value> = stage.audit().iter().map(|line| parsed(line)).collect();
        if records[0]["operation"] != "GrantFunctionUrl" {
            let [intent, outcome] = records.as_slice() else { panic!("{records:?}") };
            assert_eq!((&intent["record"], &outcome["record"]), (&json!("intent"), &json!("outcome")));
            assert!(reply.comes_again() || reply.outcome() == string(outcome, "outcome"));
        }
        all.extend(records);
        if !reply.comes_again() {
            return (Asked { outcome: reply.outcome().to_owned(), records: all }, first);
        }
    }
}

fn count(records: &[Value], word: &str) -> usize {
    records.iter().filter(|record| record["outcome"] == word).count()
}

fn assert_one_statement(plane: &ControlPlane) {
    let policies = plane.policies();
    let [(_, document, _)] = policies.as_slice() else { panic!("{policies:?}") };
    assert_eq!(document.matches("\"Sid\"").count(), 1);
    assert_eq!(plane.calls().iter().filter(|call| call.committed).count(), 1);
}

#[tokio::test]
async fn a_thousand_duplicates_are_one_statement_and_one_new_grant() {
    let refuse = ConcurrentUpdates::Refuse { window: Duration::from_millis(20) };
    let cases = [
        (1_000, grant(json!({})), ConcurrentUpdates::Serialise, false),
        (1_000, grant(json!({})), ConcurrentUpdates::Serialise, true),
        (100, layer_grant(json!({})), refuse, false),
        (100, layer_grant(json!({})), refuse, true),
    ];
    for (duplicates, request, updates, reads_first) in cases {
        let plane = ControlPlane::from_world(WORLD).unwrap();
        plane.concurrent_updates(updates);
        let records = flood(duplicates, &request, &plane, reads_first).await;
        let counted = (count(&records, "granted"), count(&records, "already_granted"));
        assert_eq!(counted, (1, duplicates - 1), "{updates:?}, reads first: {reads_first}");
        assert_one_statement(&plane);
    }
}

/// Of a function URL one request may have made the first statement, and another one the second: both have granted
/// something, and nobody else has. What could not be given for a while was taken back, by whoever had given it.
#[tokio::test]
async fn a_flood_for_one_function_url_is_one_pair_of_statements() {
    let refuse = ConcurrentUpdates::Refuse { window: Duration::from_millis(2) };
    let full = cases(100).min(1_000);
    for (duplicates, updates) in [(full, ConcurrentUpdates::Serialise), (full.min(40), refuse)] {
        let plane = ControlPlane::from_world(WORLD).unwrap();
        plane.concurrent_updates(updates);
        let parameters = json!({
            "FunctionName": "orders", "StatementId": "partner", "Principal": "210987654321",
            "FunctionUrlAuthType": "AWS_IAM",
        });
        let start = Instant::now();
        let request = json!({ "operation": "GrantFunctionUrl", "parameters": parameters });
        let asked = floods(duplicates, &request, &plane, true).await;
        let told = |word: &str| asked.iter().filter(|asked| asked.outcome == word).count();
        let (new, old) = (told("granted"), told("already_granted"));
        let records: Vec<&Value> = asked.iter().flat_map(|asked| &asked.records).collect();
        let recorded = |word: &str| records.iter().filter(|record| record["outcome"] == word).count();
        println!(
            "{updates:?}: {duplicates} asked for one function URL in {:.1} s, {new} granted, {old} already_granted, {} taken back",
            start.elapsed().as_secs_f64(),
            recorded("revoked"),
        );
        assert!((1..=2).contains(&new) && new + old == duplicates, "{updates:?}: {new} new, {old} old");
        assert_eq!(recorded("granted") - recorded("revoked"), 2, "each statement is new to one");
        assert_eq!(recorded("half_granted"), 0);
        let policies = plane.policies();
        let [(_, document, _)] = policies.as_slice() else { panic!("{policies:?}") };
        assert_eq!(document.matches("\"Sid\"").count(), 2);
    }
}

/// Whose own answer was lost, and who finds the statement, cannot know whose it is. It says `granted`, and its record
/// that it was seen and not answered: so there is never a statement that no record calls new, and at most one record
/// calls it new for AWS's own word.
#[tokio::test]
async fn where_answers_are_lost_every_doubt_is_marked() {
    for reads_first in [false, true] {
        let plane = ControlPlane::from_world(WORLD).unwrap();
        let lost = |kind: FaultKind| Fault::new(kind).on(Operation::AddPermission);
        plane.inject(lost(FaultKind::ResetAfterCommit)).inject(lost(FaultKind::HalfJson).times(20));
        plane.inject(lost(FaultKind::ResetBeforeCommit).times(20)).inject(lost(FaultKind::Status(202)).times(20));
        let records = flood(100, &grant(json!({})), &plane, reads_first).await;
        let (new, old) = (count(&records, "granted"), count(&records, "already_granted"));
        assert_eq!(new + old, 100);
        let sure = |record: &&Value| record["outcome"] == "granted" && record["confirmedByRead"] != true;
        assert!(new > 1 && records.iter().filter(sure).count() == 0, "{new} new, {old} old");
        assert_one_statement(&plane);
    }
}
