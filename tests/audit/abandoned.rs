//! A grant that is broken off leaves a record of its own, and its next delivery settles it.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use permission_broker::local::control_plane::{Fault, FaultKind};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::door::{self, DOORS};
use crate::support::{Door, Fate, Scene, grant};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";

/// A way to AWS that breaks under the broker.
#[derive(Clone, Debug)]
struct Panics;

impl HttpConnector for Panics {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        // As a panic, without the report of one.
        std::panic::resume_unwind(Box::new("the connector panics on purpose"))
    }
}

impl HttpClient for Panics {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["record"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_panic_after_the_intent_is_recorded_and_answered() {
    for door in DOORS {
        let mut scene = Scene::new().await;
        let whole = scene.broker.client.clone();
        let config = whole.config().to_builder().http_client(Panics).build();
        scene.broker.client = Client::from_conf(config);
        let reply = scene.ask(door, &grant(json!({}))).await;
        let records = scene.records();
        assert_eq!(kinds(&records), ["intent", "abandoned", "outcome"]);
        assert_eq!((&records[1]["level"], &records[1]["code"]), (&json!("ERROR"), &json!("outcome_unknown")));
        assert_eq!(records[1]["statementId"], "partner");
        assert_eq!(records[2]["code"], "internal");
        match reply.failed_messages() {
            Some(failed) => assert_eq!(failed, ["message-0"]),
            None => assert_eq!((reply.code(), reply.failed), ("internal", door == Door::EventBridge)),
        }
        scene.broker.client = whole;
        scene.ask(door, &grant(json!({}))).await;
        assert_eq!(scene.records()[1]["outcome"], "granted");
    }
}

/// One message that breaks the broker does not take the others with it.
#[tokio::test]
async fn a_panic_ends_one_message_alone() {
    let scene = Scene::new().await;
    let bodies: Vec<String> = ["a", "b", "c"].map(|id| grant(json!({ "StatementId": id })).to_string()).to_vec();
    scene.sink.next([Fate::Written, Fate::Written, Fate::Panics]);
    let reply = scene.invoke(door::messages(&bodies).to_string().as_bytes()).await;
    assert_eq!(reply.failed_messages().unwrap(), ["message-1"]);
    assert_eq!(scene.statements(ORDERS).len(), 2);
}

#[tokio::test]
async fn a_panic_in_the_outcome_is_no_reply_without_a_record() {
    let scene = Scene::new().await;
    scene.sink.next([Fate::Written, Fate::Panics]);
    let reply = scene.ask(Door::EventBridge, &grant(json!({}))).await;
    assert_eq!((reply.code(), reply.failed), ("internal", true));
    assert_eq!(kinds(&scene.records()), ["intent", "outcome"]);
    assert!(!scene.ask(Door::EventBridge, &grant(json!({}))).await.failed);
    assert_eq!(scene.records()[1]["outcome"], "already_granted");
}

/// The invocation is dropped while AWS has the request, as when the runtime gives it up.
#[tokio::test]
async fn a_cancelled_call_is_recorded_and_the_next_delivery_settles_it() {
    for (kind, then) in [(FaultKind::HangBeforeCommit, "granted"), (FaultKind::HangAfterCommit, "already_granted")] {
        let scene = Scene::new().await;
        scene.plane.inject(Fault::new(kind));
        let request = grant(json!({}));
        let asked = timeout(Duration::from_millis(100), scene.ask(Door::Direct, &request));
        assert!(asked.await.is_err());
        let records = scene.records();
        assert_eq!(kinds(&records), ["intent", "abandoned"]);
        assert_eq!((&records[1]["outcome"], &records[1]["retryable"]), (&json!("failed"), &json!(true)));
        assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), then);
        assert_eq!(scene.statements(ORDERS).len(), 1);
    }
}

/// A sandbox that is killed writes nothing any more: the intent alone says that something was begun.
#[tokio::test]
async fn a_killed_sandbox_leaves_its_intent_and_the_next_delivery_settles_it() {
    let scene = Scene::new().await;
    scene.plane.inject(Fault::new(FaultKind::HangAfterCommit));
    scene.sink.next([Fate::Written, Fate::Failed]);
    let request = grant(json!({}));
    let asked = timeout(Duration::from_millis(100), scene.ask(Door::Sqs, &request));
    assert!(asked.await.is_err());
    assert_eq!(kinds(&scene.records()), ["intent"]);
    scene.ask(Door::Sqs, &grant(json!({}))).await;
    assert_eq!(scene.records()[1]["outcome"], "already_granted");
}
