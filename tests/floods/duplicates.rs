//! One grant asked for a thousand times at once is one statement, and one answer says that it is new.

use std::time::Duration;

use permission_broker::local::control_plane::{ConcurrentUpdates, ControlPlane};
use permission_broker::local::stage::{ALLOWLIST, Stage, WORLD};
use serde_json::json;

use crate::support::{Door, QUICK, Reply, door, grant, layer_grant};

const SANDBOXES: usize = 20;

/// Asks through many sandboxes at once, each until it is done; gives every last word.
async fn flood(
    duplicates: usize,
    request: &serde_json::Value,
    updates: ConcurrentUpdates,
) -> (ControlPlane, Vec<String>) {
    let plane = ControlPlane::from_world(WORLD).unwrap();
    plane.concurrent_updates(updates);
    let mut sandboxes = tokio::task::JoinSet::new();
    for _ in 0..SANDBOXES {
        let (plane, request) = (plane.clone(), request.clone());
        sandboxes.spawn(async move {
            let mut stage = Stage::new(plane, ALLOWLIST).await.unwrap();
            stage.broker.timing = QUICK;
            let event = door::event(Door::Direct, &request);
            let mut words = Vec::new();
            while words.len() < duplicates / SANDBOXES {
                let reply = Reply::of(stage.invoke("request-1", &event).await);
                if !reply.comes_again() {
                    words.push(reply.outcome().to_owned());
                }
            }
            let records = stage.audit().concat();
            let count = |kind: &str| records.matches(&format!("\"record\":\"{kind}\"")).count();
            assert!(count("outcome") >= words.len());
            assert_eq!(count("intent"), count("outcome"));
            words
        });
    }
    (plane, sandboxes.join_all().await.concat())
}

#[tokio::test]
async fn a_thousand_duplicates_are_one_statement_and_one_new_grant() {
    let refuse = ConcurrentUpdates::Refuse { window: Duration::from_millis(20) };
    let cases = [(1_000, grant(json!({})), ConcurrentUpdates::Serialise), (100, layer_grant(json!({})), refuse)];
    for (duplicates, request, updates) in cases {
        let (plane, words) = flood(duplicates, &request, updates).await;
        let count = |word: &str| words.iter().filter(|one| *one == word).count();
        assert_eq!((count("granted"), count("already_granted")), (1, duplicates - 1), "{updates:?}");
        let policies = plane.policies();
        let [(_, document, _)] = policies.as_slice() else { panic!("{policies:?}") };
        assert_eq!(document.matches("\"Sid\"").count(), 1);
        assert_eq!(plane.calls().iter().filter(|call| call.committed).count(), 1);
    }
}
