//! The room in a policy: told before and after, and refused before AWS refuses.

mod advice;

use std::time::Duration;

use permission_broker::local::control_plane::{ErrorName, Fault, Operation};
use serde_json::{Value, json};

use super::{LAYER, ORDERS, beside, holding, layer_stored, revoke, stored, word};
use crate::support::door::DOORS;
use crate::support::{Door, Scene, grant};

const MOST: usize = 20_480;

/// What AWS writes around the statements.
const FRAME: usize = 54;

/// Statements that make a policy of exactly so many bytes, none of which another could stand in for.
pub(super) fn filled(bytes: usize) -> Vec<Value> {
    let of = |i: usize, arn: String| {
        let condition = json!({ "StringLike": { "aws:PrincipalArn": arn } });
        stored(&format!("filler-{i}"), json!({ "Condition": condition }))
    };
    let mut left = bytes - FRAME;
    let mut statements: Vec<Value> = Vec::new();
    while left > 0 {
        let comma = usize::from(!statements.is_empty());
        let least = of(statements.len(), String::new()).to_string().len() + comma;
        // What is left over goes into the last one.
        let padding = if left >= 2 * (least + 600) { 600 } else { left - least };
        statements.push(of(statements.len(), "a".repeat(padding)));
        left -= least + padding;
    }
    statements
}

/// The bytes that one more statement takes, comma included.
fn next(statement: &Value) -> usize {
    statement.to_string().len() + 1
}

async fn reading(statements: &[Value]) -> Scene {
    let mut scene = match statements {
        [] => Scene::new().await,
        statements => holding(&[(ORDERS, statements)]).await,
    };
    scene.broker.reads_first = true;
    scene
}

#[tokio::test]
async fn at_both_edges_the_broker_says_what_aws_says() {
    let one = next(&stored("partner", json!({})));
    for (before, fits) in [(MOST - one, true), (MOST - one + 1, false), (MOST, false)] {
        let statements = filled(before);
        let scene = reading(&statements).await;
        assert_eq!(scene.plane.policy(ORDERS).unwrap().len(), before);
        let dry = scene.ask(Door::Direct, &beside(grant(json!({})), json!({ "dryRun": true }))).await;
        assert_eq!(word(&dry.document), if fits { "would_grant" } else { "policy_full" });
        for reads_first in [true, false] {
            let mut scene = holding(&[(ORDERS, &statements)]).await;
            scene.broker.reads_first = reads_first;
            let reply = scene.ask(Door::ApiGateway, &grant(json!({}))).await;
            assert_eq!(word(&reply.document), if fits { "granted" } else { "policy_full" });
            let expected: &[&str] = match (reads_first, fits) {
                (true, true) => &["read", "add"],
                (true, false) => &["read"],
                (false, true) => &["add"],
                (false, false) => &["add", "read"],
            };
            assert_eq!(scene.calls(), expected);
            let policy = &reply.document["policy"];
            if fits && reads_first {
                assert_eq!((&policy["bytesBefore"], &policy["bytes"]), (&json!(before), &json!(MOST)));
                assert_eq!((&policy["left"], &policy["nearlyFull"]), (&json!(0), &json!(true)));
                assert_eq!(dry.document["policy"], *policy);
            }
            if !fits {
                assert_eq!((&policy["bytes"], &policy["left"]), (&json!(before), &json!(MOST - before)));
                assert_eq!((reply.http.unwrap().0, &reply.document["retryable"]), (409, &json!(false)));
            }
        }
    }
    // Of an empty policy the frame is new as well; a layer's policy counts alike.
    let mut scene = Scene::new().await;
    scene.broker.reads_first = true;
    let reply = scene.ask(Door::Direct, &crate::support::layer_grant(json!({}))).await;
    let bytes = FRAME + layer_stored("partner").to_string().len();
    assert_eq!(
        (&reply.document["policy"]["bytesBefore"], &reply.document["policy"]["bytes"]),
        (&json!(0), &json!(bytes))
    );
    assert_eq!(scene.plane.policy(LAYER).unwrap().len(), bytes);
}

/// What stands, the fault of the read, the door, the calls and the ending.
type Look<'a> = (&'a [Value], Option<Fault>, Door, &'a [&'a str], &'a str);

#[tokio::test]
async fn a_look_before_the_write_spares_the_write() {
    let fault = |name| Fault::error(name, "no").on(Operation::GetPolicy).times(9);
    let other = json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } });
    let (there, another, full) = (stored("partner", json!({})), stored("partner", other), filled(MOST));
    let cases: Vec<Look<'_>> = vec![
        (&[], None, Door::Direct, &["read", "add"], "granted"),
        (std::slice::from_ref(&there), None, Door::Direct, &["read"], "already_granted"),
        (std::slice::from_ref(&another), None, Door::Direct, &["read"], "statement_conflict"),
        // Behind the queue what is said of a policy is said once it has settled.
        (&[], None, Door::Sqs, &["read", "add", "read"], "granted"),
        (std::slice::from_ref(&there), None, Door::Sqs, &["read", "read"], "already_granted"),
        (std::slice::from_ref(&another), None, Door::Sqs, &["read", "read"], "statement_conflict"),
        (&full, None, Door::Sqs, &["read"], "policy_full"),
        (&full, None, Door::EventBridge, &["read"], "policy_full"),
        // AWS keeps the limit too; that the policy cannot be read is no reason to refuse, but a missing right is.
        (&[], Some(fault(ErrorName::Service)), Door::Direct, &["read", "add"], "granted"),
        (&[], Some(fault(ErrorName::TooManyRequests)), Door::Direct, &["read", "read", "add"], "granted"),
        (&[], Some(fault(ErrorName::AccessDenied)), Door::Direct, &["read"], "access_denied"),
    ];
    for (statements, fault, door, calls, ending) in cases {
        let scene = reading(statements).await;
        if let Some(fault) = fault {
            scene.plane.inject(fault);
        }
        scene.ask(door, &grant(json!({}))).await;
        let records = scene.records();
        assert_eq!((records[0]["record"].as_str(), records.len()), (Some("intent"), 2));
        assert_eq!((word(&records[1]), scene.calls().as_slice()), (ending, calls));
    }
    // One that is throttled is made again: under load the look would else be left out just where it is needed.
    for door in DOORS {
        let scene = reading(&full).await;
        scene.plane.inject(fault(ErrorName::TooManyRequests).times(1));
        scene.ask(door, &grant(json!({}))).await;
        assert_eq!((word(&scene.records()[1]), scene.calls()), ("policy_full", vec!["read", "read"]), "{door:?}");
    }
    let scene = reading(&[]).await;
    let missing = scene.ask(Door::Direct, &grant(json!({ "Qualifier": "9" }))).await;
    assert_eq!((missing.code(), scene.calls()), ("target_not_found", vec!["read", "add"]));
}

/// What was to come and did not come is not told as the size of the policy.
#[tokio::test]
async fn a_grant_that_fails_has_changed_no_size() {
    let there = stored("other", json!({}));
    for fault in [Fault::throttled(None).times(9), Fault::error(ErrorName::InvalidParameterValue, "no")] {
        let scene = reading(std::slice::from_ref(&there)).await;
        scene.plane.inject(fault.on(Operation::AddPermission));
        let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
        let bytes = scene.plane.policy(ORDERS).unwrap().len();
        assert_eq!((&reply.document["policy"]["bytes"], scene.statements(ORDERS).len()), (&json!(bytes), 1));
        let record = scene.records().pop().unwrap();
        assert_eq!((&record["policyBytes"], record.get("policyBytesBefore")), (&json!(bytes), None));
    }
}

/// What is there already behind the queue is believed once it has settled: here somebody undoes it meanwhile.
#[tokio::test]
async fn behind_the_queue_what_is_undone_meanwhile_is_granted_again() {
    let there = stored("partner", json!({}));
    for statements in [vec![there.clone()], vec![stored("other", json!({})), there]] {
        let mut scene = reading(&statements).await;
        scene.broker.timing.settle = Duration::from_millis(100);
        let asked = grant(json!({}));
        let undone = async {
            while scene.plane.calls().is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(scene.ask(Door::Direct, &revoke(json!({}))).await.outcome(), "revoked");
        };
        tokio::join!(scene.ask(Door::Sqs, &asked), undone);
        let outcome = scene.records().pop().unwrap();
        assert_eq!((word(&outcome), scene.calls()), ("granted", vec!["read", "read", "remove", "read", "add", "read"]));
        assert_eq!(scene.statements(ORDERS).len(), statements.len());
    }
}

/// The size before and after and the room left, in every record and metric of it.
#[tokio::test]
async fn the_room_left_is_on_record() {
    let before = MOST - 1000;
    for door in DOORS {
        let mut scene = reading(&filled(before)).await;
        scene.broker.audit = scene.broker.audit.measuring(true);
        scene.ask(door, &grant(json!({}))).await;
        let record = scene.records().pop().unwrap();
        let after = scene.plane.policy(ORDERS).unwrap().len();
        assert_eq!((&record["policyBytesBefore"], &record["policyBytes"]), (&json!(before), &json!(after)), "{door:?}");
        assert_eq!(record["policyBytesLeft"], MOST - after);
        let metrics = record["_aws"]["CloudWatchMetrics"][1]["Metrics"].as_array().unwrap();
        let names: Vec<&str> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert_eq!(names, ["attempts", "policyBytes", "policyBytesBefore", "policyBytesLeft"]);
    }
}

#[tokio::test]
async fn a_policy_is_called_nearly_full_from_eighty_percent() {
    let one = next(&stored("partner", json!({})));
    for (after, level) in [(16_383, "INFO"), (16_384, "WARN")] {
        for dry_run in [true, false] {
            let scene = reading(&filled(after - one)).await;
            let reply = scene.ask(Door::Direct, &beside(grant(json!({})), json!({ "dryRun": dry_run }))).await;
            let record = scene.records().pop().unwrap();
            assert_eq!((&record["policyBytes"], &record["level"]), (&json!(after), &json!(level)));
            assert_eq!(record["policyBytesBefore"], after - one);
            assert_eq!(reply.document["policy"]["nearlyFull"], if level == "WARN" { json!(true) } else { json!(null) });
        }
    }
}
