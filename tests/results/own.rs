//! The broker's own events never come back in as requests.

use serde_json::{Value, json};

use super::{events, scene, types};
use crate::support::door::DOORS;
use crate::support::{Door, door, envelope, event_files, grant, text};

/// An event as EventBridge delivers it.
fn delivered(source: &str, detail_type: &Value, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "event-2", "source": source, "detail-type": detail_type, "account": "123456789012",
        "time": "2026-03-02T09:15:22Z", "region": "us-east-1", "resources": [], "detail": detail,
    })
}

/// Every result of the examples, sent back whole or without its envelope through every door.
#[tokio::test]
async fn a_result_is_refused_at_every_door_and_not_told_again() {
    let scene = scene().await;
    for file in event_files() {
        scene.invoke(text(&format!("events/{file}")).as_bytes()).await;
    }
    let results = events(&scene);
    assert!(results.len() > 40);
    scene.records();
    scene.plane.clear_calls();
    let policies = scene.plane.policies();
    let mut sent = 0;
    for (detail_type, detail) in results {
        let whole = delivered("permission-broker", &json!(detail_type), &detail);
        let bare = delivered("com.example.onboarding", &json!("Grant Requested"), &detail);
        let array = json!([whole]).to_string().into_bytes();
        let mut ways = vec![whole.to_string().into_bytes(), bare.to_string().into_bytes(), array];
        ways.extend(
            [whole.to_string(), detail.to_string()].map(|body| door::messages(&[body]).to_string().into_bytes()),
        );
        ways.push(detail.to_string().into_bytes());
        ways.push(envelope::http(&detail.to_string()));
        for way in ways {
            let reply = scene.invoke(&way).await;
            assert!(!reply.comes_again(), "it is done");
            let records = scene.records();
            assert_eq!(
                (records.len(), &records[0]["code"]),
                (1, &json!("own_result")),
                "{}",
                String::from_utf8_lossy(&way)
            );
            sent += 1;
        }
    }
    assert!(sent > 280);
    assert!(scene.calls().is_empty() && scene.plane.policies() == policies);
}

/// Of the broker's own source only what says that it is a request is one.
#[tokio::test]
async fn the_brokers_source_carries_requests_by_their_name_alone() {
    let request = grant(json!({}));
    let cases = [
        ("permission-broker", json!("Grant Requested"), "granted"),
        ("permission-broker", json!("grant requested"), "own_result"),
        ("permission-broker", json!("grant.created"), "own_result"),
        ("permission-broker", json!("grant.expired"), "own_result"),
        ("permission-broker", json!(""), "own_result"),
        ("permission-broker", json!(7), "own_result"),
        ("permission-broker", Value::Null, "own_result"),
        ("com.example.onboarding", json!("grant.created"), "granted"),
        ("Permission-Broker", json!("grant.created"), "granted"),
    ];
    for (source, detail_type, word) in cases {
        let event = delivered(source, &detail_type, &request);
        for way in [event.to_string(), door::messages(&[event.to_string()]).to_string()] {
            let scene = scene().await;
            scene.invoke(way.as_bytes()).await;
            let last = scene.records().pop().unwrap();
            let found = last["code"].as_str().or(last["outcome"].as_str());
            assert_eq!(found, Some(word), "{way}");
            assert_eq!(types(&scene).len(), usize::from(word == "granted"));
        }
    }
}

/// A request may have one of the two members by mistake, which is an unknown field and told as such.
#[tokio::test]
async fn a_request_with_one_of_its_members_is_a_request() {
    for member in ["outcome", "requestId"] {
        for door in DOORS {
            let scene = scene().await;
            let mut request = grant(json!({}));
            request[member] = json!("x");
            scene.ask(door, &request).await;
            assert_eq!(scene.records()[0]["code"], "unknown_field");
            assert_eq!(types(&scene), ["grant.denied"], "through {}", door.as_str());
        }
    }
    let scene = scene().await;
    let mut both = grant(json!({}));
    both["outcome"] = json!(1);
    both["requestId"] = json!(1);
    assert_eq!(scene.ask(Door::ApiGateway, &both).await.code(), "own_result");
}
