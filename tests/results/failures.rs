//! A publication that goes wrong: it is counted in a record of its own, and nothing else changes.

use std::time::Duration;

use aws_sdk_lambda::config::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use permission_broker::local::control_plane::{Fault, FaultKind, Operation};
use permission_broker::policy::Timing;
use permission_broker::results::{Bus, Results};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{events, publish_records, scene, types};
use crate::support::door::{self, DOORS};
use crate::support::sandbox::Sandbox;
use crate::support::{Door, Fate, HASTY, Scene, grant};

fn answer(status: u16, body: Value) -> Fault {
    let kind = FaultKind::Answer { status, error_type: None, headers: Vec::new(), body: body.to_string() };
    Fault::new(kind).on(Operation::PutEvents)
}

/// An answer that takes some entries, and refuses those that have a code.
fn partly(codes: &[Option<&str>]) -> Fault {
    let entry = |code: &Option<&str>| match code {
        Some(code) => json!({ "ErrorCode": code, "ErrorMessage": "canary" }),
        None => json!({ "EventId": "17793124-05d4-b198-2fde-7ededc63b103" }),
    };
    let entries: Vec<Value> = codes.iter().map(entry).collect();
    answer(200, json!({ "FailedEntryCount": codes.iter().flatten().count(), "Entries": entries }))
}

#[tokio::test]
async fn each_way_to_fail_is_recorded_and_changes_nothing() {
    let error = |name: &str| json!({ "__type": name, "message": "canary" });
    let on = |kind| Fault::new(kind).on(Operation::PutEvents);
    let cases = [
        (answer(400, error("ValidationException")), "put:400 ValidationException", Some("ValidationException")),
        (
            answer(400, error("com.amazon.coral.service#AccessDeniedException")),
            "put:400 AccessDeniedException",
            Some("AccessDeniedException"),
        ),
        (answer(400, error("ThrottlingException")), "put:400 ThrottlingException", Some("ThrottlingException")),
        (answer(500, error("InternalException")), "put:500 InternalException", Some("InternalException")),
        (answer(500, json!({})), "put:500", None),
        (answer(403, error("words\nof <no> kind")), "put:403", None),
        (answer(200, json!([])), "put:200", None),
        (on(FaultKind::NotJson), "put:200", None),
        (on(FaultKind::TruncatedBody), "put:no answer", None),
        (on(FaultKind::ResetBeforeCommit), "put:no answer", None),
        (on(FaultKind::ResetAfterCommit), "put:no answer", None),
        (on(FaultKind::HangAfterCommit), "put:timeout", None),
        (partly(&[Some("InternalFailure")]), "put:200 InternalFailure", Some("InternalFailure")),
        (partly(&[Some("no word\n")]), "put:200", None),
        // A count without a reason, and one that cannot be.
        (answer(200, json!({ "FailedEntryCount": 1, "Entries": [] })), "put:200", None),
        (answer(200, json!({ "FailedEntryCount": -1, "Entries": [] })), "put:200", None),
        (answer(200, json!({ "FailedEntryCount": 99 })), "put:200", None),
    ];
    // A record of its own, with fields of its own.
    const FIELDS: [&str; 10] =
        ["awsCode", "calls", "durationMs", "events", "level", "lost", "record", "requestId", "timestamp", "type"];
    for (i, (fault, call, aws_code)) in cases.into_iter().enumerate() {
        let door = DOORS[i % 4];
        let mut scene = scene().await;
        scene.broker.timing = HASTY;
        scene.plane.inject(fault);
        let reply = scene.ask(door, &grant(json!({}))).await;
        assert!(!reply.comes_again() && (door == Door::Sqs || reply.outcome() == "granted"), "{call}");
        assert_eq!(
            scene.calls(),
            if door == Door::Sqs { vec!["add", "read", "put"] } else { vec!["add", "put"] },
            "once"
        );
        let records = scene.records();
        assert_eq!(records.len(), 3, "{call}");
        let found = &records[2];
        let of = |name: &str| found[name].clone();
        assert_eq!((of("record"), of("level"), of("type")), (json!("publish"), json!("WARN"), json!("audit")));
        assert_eq!((of("events"), of("lost"), of("requestId")), (json!(1), json!(1), json!("request-1")), "{call}");
        assert_eq!((of("calls"), of("awsCode")), (json!([call]), json!(aws_code)));
        assert!(found["durationMs"].as_f64().is_some());
        assert!(found.as_object().unwrap().keys().all(|name| FIELDS.contains(&name.as_str())), "{found}");
        assert!(!scene.sink.text().contains("canary"), "AWS's texts are not kept");
    }
}

/// What failed comes again, and is told again, whatever became of telling it.
#[tokio::test]
async fn a_failed_grant_comes_again_all_the_same() {
    for lost in [false, true] {
        let scene = scene().await;
        scene.plane.inject(Fault::throttled(None).on(Operation::AddPermission).times(9));
        scene.plane.inject(answer(500, json!({})).times(usize::from(lost)));
        let reply = scene.ask(Door::Sqs, &grant(json!({}))).await;
        assert_eq!(reply.failed_messages().unwrap(), ["message-0"]);
        assert_eq!(types(&scene).len(), usize::from(!lost));
    }
}

/// Each call of an invocation counts for itself, and a failed one does not end the rest.
#[tokio::test]
async fn what_arrives_and_what_does_not_is_counted() {
    let bodies: Vec<String> = (0..25).map(|i| grant(json!({ "StatementId": format!("s-{i}") })).to_string()).collect();
    let batch = door::messages(&bodies).to_string();
    let ten = |code: Option<&'static str>| vec![code; 10];
    let mut third = ten(None);
    third[3] = Some("ThrottlingException");
    third[7] = Some("InternalFailure");
    let cases: [(Vec<Fault>, u64, Vec<&str>, &str); 3] = [
        (
            vec![answer(500, json!({ "__type": "InternalException" }))],
            10,
            vec!["put:500 InternalException", "put:200", "put:200"],
            "InternalException",
        ),
        (vec![partly(&third)], 2, vec!["put:200 ThrottlingException", "put:200", "put:200"], "ThrottlingException"),
        (
            vec![partly(&third), answer(400, json!({ "__type": "ValidationException" })), partly(&[None; 5])],
            12,
            vec!["put:200 ThrottlingException", "put:400 ValidationException", "put:200"],
            "ThrottlingException",
        ),
    ];
    for (faults, lost, calls, aws_code) in cases {
        let scene = scene().await;
        for fault in faults {
            scene.plane.inject(fault);
        }
        let reply = scene.invoke(batch.as_bytes()).await;
        assert!(reply.failed_messages().unwrap().is_empty());
        let records = scene.records();
        let [found] = publish_records(&records)[..] else { panic!("one record of an invocation") };
        assert_eq!(found, records.last().unwrap(), "after all outcomes");
        assert_eq!((&found["events"], &found["lost"]), (&json!(25), &json!(lost)));
        assert_eq!((&found["calls"], &found["awsCode"]), (&json!(calls), &json!(aws_code)));
    }
}

/// Of a thousand and one, the last is counted as lost; a thousand all arrive.
#[tokio::test]
async fn more_than_a_thousand_are_counted_and_not_kept() {
    for (requests, lost) in [(1_000, None), (1_001, Some(1))] {
        let scene = scene().await;
        let bodies = vec![grant(json!({ "Principal": "999999999999" })).to_string(); requests];
        scene.invoke(door::messages(&bodies).to_string().as_bytes()).await;
        let records = scene.records();
        let told = publish_records(&records);
        let told: Vec<_> = told.iter().map(|it| (it["lost"].as_u64(), it["code"].as_str())).collect();
        assert_eq!(told, lost.map(|lost| (Some(lost), Some("too_large"))).into_iter().collect::<Vec<_>>());
        assert_eq!(types(&scene).len(), 1_000);
    }
}

/// An HTTP side that never answers.
#[derive(Clone, Debug)]
struct Silence;

impl HttpConnector for Silence {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(std::future::pending())
    }
}

impl HttpClient for Silence {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A bus behind an HTTP side that never answers.
fn silence() -> Results {
    let bus = Bus::parse("outcomes", "us-east-1").unwrap();
    Results::new(bus, || {
        let config = aws_sdk_eventbridge::Config::builder()
            .behavior_version(aws_sdk_eventbridge::config::BehaviorVersion::latest())
            .region(aws_sdk_eventbridge::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "example"))
            .retry_config(aws_sdk_eventbridge::config::retry::RetryConfig::disabled())
            .stalled_stream_protection(aws_sdk_eventbridge::config::StalledStreamProtectionConfig::disabled())
            .http_client(Silence);
        aws_sdk_eventbridge::Client::from_conf(config.build())
    })
}

/// Time is a value here: a call is given up after its time, or so early that the reply is still in time, and one
/// that has no time is not begun.
#[tokio::test(start_paused = true)]
async fn a_publication_ends_before_the_deadline() {
    let millis = Duration::from_millis;
    let Timing { call, reserve, least_call, .. } = Timing::DEPLOYED;
    let most = reserve / 2;
    let cases = [
        (millis(15_000), Some(call)),
        (call + most, Some(call)),
        (call + most - millis(1), Some(call - millis(1))),
        (least_call + most, Some(least_call)),
        (least_call + most - millis(1), None),
        (millis(0), None),
    ];
    for (left, taken) in cases {
        let mut scene = Scene::new().await;
        scene.broker.timing = Timing::DEPLOYED;
        scene.broker.results = Some(silence());
        let start = Instant::now();
        // A refusal needs no call of its own, so that the clock shows the publication alone.
        let event = door::event(Door::EventBridge, &grant(json!({ "Principal": "999999999999" })));
        let reply = scene.invoke_within(&event, left).await;
        assert_eq!((reply.failed, start.elapsed()), (false, taken.unwrap_or_default()), "{left:?}");
        let records = scene.records();
        let found = &records[1];
        let (calls, code) = match taken {
            Some(_) => (json!(["put:timeout"]), Value::Null),
            None => (json!([]), json!("timed_out")),
        };
        assert_eq!((&found["record"], &found["calls"], &found["code"]), (&json!("publish"), &calls, &code), "{left:?}");
        assert_eq!((&found["events"], &found["lost"]), (&json!(1), &json!(1)));
    }
}

/// Without a record of it, and without a client, the reply is what it was.
#[tokio::test]
async fn neither_a_failing_sink_nor_a_panic_reaches_the_reply() {
    for fate in [Fate::Failed, Fate::Torn, Fate::NotFlushed] {
        let scene = scene().await;
        scene.plane.inject(answer(500, json!({})));
        scene.sink.next([Fate::Written, Fate::Written, fate]);
        assert_eq!(scene.ask(Door::ApiGateway, &grant(json!({}))).await.outcome(), "granted", "{fate:?}");
    }
    let mut scene = Scene::new().await;
    let bus = Bus::parse("outcomes", "us-east-1").unwrap();
    // As a panic, without the report of one.
    scene.broker.results = Some(Results::new(bus, || std::panic::resume_unwind(Box::new("on purpose"))));
    assert_eq!(scene.ask(Door::ApiGateway, &grant(json!({}))).await.outcome(), "granted");
    let records = scene.records();
    assert_eq!(
        (&records[2]["code"], &records[2]["lost"], &records[2]["calls"]),
        (&json!("internal"), &json!(1), &json!([]))
    );
}

/// The client is built for the first event, once, and not at all where there is none.
#[tokio::test]
async fn the_client_is_built_when_it_is_needed() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let built = Arc::new(AtomicUsize::new(0));
    let mut scene = Scene::new().await;
    let counter = built.clone();
    scene.broker.results = Some(Results::new(Bus::parse("outcomes", "us-east-1").unwrap(), move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let config = aws_sdk_eventbridge::Config::builder()
            .behavior_version(aws_sdk_eventbridge::config::BehaviorVersion::latest())
            .region(aws_sdk_eventbridge::config::Region::new("us-east-1"))
            .http_client(Silence);
        aws_sdk_eventbridge::Client::from_conf(config.build())
    }));
    scene.ask(Door::Direct, &json!({})).await;
    assert_eq!(built.load(Ordering::Relaxed), 0, "nothing to tell");
    for _ in 0..3 {
        scene.ask(Door::Direct, &grant(json!({}))).await;
    }
    assert_eq!(built.load(Ordering::Relaxed), 1);
    assert_eq!(publish_records(&scene.records()).len(), 3, "without credentials nothing arrives");
}

/// The deployed binary: with the variable it tells, over one kept connection; without it nobody hears of anything.
#[tokio::test]
async fn the_deployed_binary_publishes_where_it_is_told_to() {
    let plane = Scene::new().await.plane;
    let url = plane.start().await.unwrap();
    let arn = "arn:aws:events:us-east-1:123456789012:event-bus/outcomes";
    for (bus, put) in [(None, 0), (Some(arn), 2)] {
        plane.clear_calls();
        let variables = [("AWS_ENDPOINT_URL_EVENTBRIDGE", url.as_str())]
            .into_iter()
            .chain(bus.map(|bus| ("BROKER_RESULT_BUS", bus)));
        let sandbox = Sandbox::ready(&url, &variables.collect::<Vec<_>>()).await;
        for id in ["a", "b"] {
            let answer = sandbox.invoke(id, grant(json!({ "StatementId": id })).to_string()).await;
            assert!(["granted", "already_granted"].contains(&answer.response()["outcome"].as_str().unwrap()));
        }
        let streams = sandbox.end();
        assert_eq!((streams.audit().len(), streams.stderr.len()), (4, 0));
        let puts = plane.calls().iter().filter(|call| call.operation == Some(Operation::PutEvents)).count();
        assert_eq!(puts, put);
    }
    let events = plane.take_events();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event["EventBusName"] == arn && event["DetailType"] == "grant.unchanged"));
}

/// The control plane refuses what AWS documents as refused, so that a batch that is too large would be seen.
#[tokio::test]
async fn the_bus_keeps_the_documented_limits() {
    let scene = scene().await;
    scene.ask(Door::Direct, &grant(json!({}))).await;
    let call = scene.plane.calls().into_iter().find(|call| call.operation == Some(Operation::PutEvents)).unwrap();
    let authorization = call.header("authorization").unwrap().to_owned();
    assert_eq!(events(&scene).len(), 1);
    let url = scene.plane.start().await.unwrap();
    let address = url.trim_start_matches("http://").to_owned();
    let put = |body: Value, service: &str| {
        let authorization = authorization.replace("/events/", &format!("/{service}/"));
        let headers = format!(
            "x-amz-target: AWSEvents.PutEvents\r\ncontent-type: application/x-amz-json-1.1\r\nauthorization: {authorization}\r\n"
        );
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            crate::support::process::http(&address, "POST", "/", &headers, &body.to_string())
        })
    };
    let entry = |detail: &str| json!({ "Source": "x", "DetailType": "y", "Detail": detail });
    let sized = |bytes: usize| json!({ "Entries": [entry(&format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 10)))] });
    let cases = [
        (json!({ "Entries": [entry("{}")] }), "events", 200, r#""FailedEntryCount":0"#),
        (json!({ "Entries": vec![entry("{}"); 10] }), "events", 200, r#""FailedEntryCount":0"#),
        (json!({ "Entries": vec![entry("{}"); 11] }), "events", 400, "ValidationException"),
        (json!({ "Entries": [] }), "events", 400, "ValidationException"),
        (sized(256 * 1024), "events", 200, r#""FailedEntryCount":0"#),
        (sized(256 * 1024 + 1), "events", 400, "ValidationException"),
        (json!({ "Entries": [entry("[]"), entry("{}")] }), "events", 200, r#""FailedEntryCount":1"#),
        (
            json!({ "Entries": [{ "Source": "aws.lambda", "DetailType": "y", "Detail": "{}" }] }),
            "events",
            200,
            "NotAuthorizedForSource",
        ),
        (json!({ "Entries": [entry("{}")] }), "lambda", 400, "MissingAuthenticationTokenException"),
    ];
    for (body, service, status, text) in cases {
        let (found, answer) = put(body, service).await.unwrap();
        assert!(found == status && answer.contains(text), "{found} {answer}, not {status} {text}");
    }
}
