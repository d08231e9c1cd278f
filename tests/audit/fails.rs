//! What cannot be recorded does not happen, and is not told.

use serde_json::json;

use crate::support::door::DOORS;
use crate::support::{Door, Fate, Reply, Scene, grant};

const FATES: [Fate; 3] = [Fate::Failed, Fate::Torn, Fate::NotFlushed];

/// The caller learns that the audit is unavailable, may ask again, and nothing else.
fn assert_unavailable(door: Door, reply: &Reply) {
    assert!(reply.comes_again(), "{}", door.as_str());
    if door == Door::Sqs {
        return assert_eq!(reply.failed_messages().unwrap(), ["message-0"]);
    }
    let members: Vec<&String> = reply.document.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["code", "detail", "errors", "outcome", "requestId", "retryable", "status", "title", "type"],
        "{}",
        door.as_str()
    );
    assert_eq!((reply.outcome(), reply.code()), ("failed", "audit_unavailable"));
    assert_eq!(reply.failed, door != Door::ApiGateway);
    if let Some((status, _)) = &reply.http {
        assert_eq!(*status, 503);
    }
}

#[tokio::test]
async fn without_an_intent_nobody_is_called() {
    for door in DOORS {
        for fate in FATES {
            let scene = Scene::new().await;
            scene.sink.next([fate]);
            assert_unavailable(door, &scene.ask(door, &grant(json!({}))).await);
            assert!(scene.calls().is_empty(), "{} {fate:?}", door.as_str());
            scene.records();
            let again = scene.ask(door, &grant(json!({}))).await;
            assert!(!again.comes_again());
            assert_eq!(scene.records()[1]["outcome"], "granted");
        }
    }
}

#[tokio::test]
async fn without_an_outcome_nothing_is_told_and_the_next_delivery_settles_it() {
    for door in DOORS {
        for fate in FATES {
            let scene = Scene::new().await;
            scene.sink.next([Fate::Written, fate]);
            assert_unavailable(door, &scene.ask(door, &grant(json!({}))).await);
            assert_eq!(scene.plane.policies().len(), 1);
            scene.records();
            let again = scene.ask(door, &grant(json!({}))).await;
            assert!(!again.comes_again());
            assert_eq!(scene.records()[1]["outcome"], "already_granted");
            assert_eq!(scene.statements("arn:aws:lambda:us-east-1:123456789012:function:orders").len(), 1);
        }
    }
}

#[tokio::test]
async fn a_refusal_that_is_not_recorded_is_not_told_either() {
    let denied = grant(json!({ "Principal": "999999999999" }));
    let rejected = grant(json!({ "Principal": "nobody" }));
    let dry = json!({ "operation": "AddPermission", "parameters": grant(json!({}))["parameters"], "dryRun": true });
    for door in DOORS {
        for (request, calls) in [(&denied, &[][..]), (&rejected, &[]), (&dry, &["read", "list"])] {
            let scene = Scene::new().await;
            scene.sink.next([Fate::Failed]);
            assert_unavailable(door, &scene.ask(door, request).await);
            assert_eq!(scene.calls(), calls);
        }
    }
}

/// In a batch the audit can fail for one message: only that one comes again.
#[tokio::test]
async fn one_message_that_could_not_be_recorded_comes_again_alone() {
    let scene = Scene::new().await;
    let bodies: Vec<String> = ["a", "b", "c"].map(|id| grant(json!({ "StatementId": id })).to_string()).to_vec();
    scene.sink.next([Fate::Written, Fate::Written, Fate::Failed]);
    let reply = scene.invoke(crate::support::door::messages(&bodies).to_string().as_bytes()).await;
    assert_eq!(reply.failed_messages().unwrap(), ["message-1"]);
    assert_eq!(scene.calls().iter().filter(|call| **call == "add").count(), 2);
}

/// Half a line is ended before the next record, which can be read.
#[tokio::test]
async fn a_torn_line_does_not_spoil_the_next() {
    let scene = Scene::new().await;
    scene.sink.next([Fate::Torn, Fate::Torn, Fate::Failed]);
    for _ in 0..4 {
        scene.ask(Door::Direct, &grant(json!({}))).await;
    }
    let text = scene.sink.text();
    let lines: Vec<&str> = text.lines().collect();
    let readable = |line: &&&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert_eq!((lines.len(), lines.iter().filter(readable).count()), (4, 2), "{text}");
    assert!(text.ends_with("}\n"));
}
