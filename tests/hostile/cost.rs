//! What an event of six megabytes costs the deployed binary, in memory and in work. Every event gets a process
//! of its own, since an allocator keeps what it was once given.

use permission_broker::local::control_plane::{ControlPlane, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use super::large::{KINDS, MOST, event, list};
use super::{codes, document};
use crate::support::sandbox::{Sandbox, Streams, TIMEOUT};

/// What an event may take beyond what the binary holds when it is ready, the runtime's own copy of it included.
const MOST_MEMORY: usize = 32 * 1024 * 1024;

/// A batch of about six megabytes: its name, the event, how many requests are in it, and what each comes to.
type Batch = (&'static str, fn() -> String, usize, &'static str);

/// A request with as many unknown fields as have room in so many bytes.
fn unknown_fields(bytes: usize) -> String {
    format!(r#"{{"operation":"AddPermission","parameters":{{{}}}}}"#, list(r#""x":1"#, bytes - 60))
}

/// A queue's batch of the same body again and again.
fn messages(body: &str, times: usize) -> String {
    let record = json!({"messageId": "m-1", "eventSource": "aws:sqs", "attributes": {"SenderId": "AIDACKCEVSQ6C2EXAMPLE"},
        "body": body});
    format!(r#"{{"Records":[{}]}}"#, vec![record.to_string(); times].join(","))
}

/// A batch of the same event again and again.
fn events(detail: &str, times: usize) -> String {
    format!("[{}]", vec![event(detail); times].join(","))
}

/// A request that no rule allows, with a reason of about so many bytes.
fn denied(bytes: usize) -> String {
    let parameters = r#""FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"210987654321""#;
    format!(r#"{{"operation":"AddPermission","parameters":{{{parameters}}},"reason":"{}"}}"#, "x".repeat(bytes))
}

#[rustfmt::skip]
const BATCHES: &[Batch] = &[
    ("10 messages of escapes", || messages(&"\"".repeat(MOST / 20 - 200), 10), 10, "too_large"),
    ("70 messages as large as may be", || messages(&unknown_fields(64_000), 70), 70, "missing_field"),
    ("10,000 messages of unknown fields", || messages(&unknown_fields(400), 10_000), 10_000, "missing_field"),
    ("10,000 events of unknown fields", || events(&unknown_fields(540), 10_000), 10_000, "missing_field"),
    ("10,000 events denied", || events(&denied(400), 10_000), 10_000, "principal_not_allowed"),
];

/// The most rules that the template's parameter has room for, none of which allows anything here.
fn allowlist() -> String {
    let rules = vec![r#"{"accounts":["999999999999"]}"#; 100].join(",");
    let allowlist = format!("[{rules}]");
    assert!((3_000..3_500).contains(&allowlist.len()));
    allowlist
}

/// Hands an event to a fresh process, and returns the document of its reply and what it wrote.
async fn cost(name: &str, event: Vec<u8>, more: &[(&str, &str)]) -> (Option<Value>, Streams) {
    assert!(event.len() < MOST + MOST / 20, "{name} has {} bytes", event.len());
    let control_plane = ControlPlane::from_world(WORLD).expect("the world of the examples");
    let url = control_plane.start().await.expect("a free port");
    let allowlist = allowlist();
    let given = [("BROKER_ALLOWLIST", &*allowlist), ("AWS_ENDPOINT_URL_EVENTBRIDGE", &*url)];
    let sandbox = Sandbox::ready(&url, &[&given, more].concat()).await;
    let before = sandbox.used();
    let bytes = event.len();
    // What is bounded is the work, which a busy machine may take longer for.
    let answer = sandbox.invoke_within(2 * TIMEOUT, "id-1", event).await;
    let after = sandbox.used();
    let (memory, work) = (after.memory - before.memory, after.work - before.work);
    println!(
        "{:5.1} MiB beyond {:.1} MiB and {:6.1} ms for {:.1} MiB: {name}",
        mebibytes(memory),
        mebibytes(before.memory),
        work.as_secs_f64() * 1000.0,
        mebibytes(bytes)
    );
    assert!(answer.bytes().len() <= MOST, "{name}: a reply of {} bytes", answer.bytes().len());
    let calls = control_plane.calls();
    let published = calls.iter().filter(|call| call.operation == Some(Operation::PutEvents)).count();
    assert_eq!(calls.len(), published, "{name}: AWS is not called");
    assert_eq!(published, if more.is_empty() { 0 } else { 100 }, "{name}: 1,000 results, ten a call");
    assert!(memory < MOST_MEMORY, "{name}: {memory} bytes of memory");
    assert!(work < TIMEOUT, "{name}: {work:?} of work");
    (document(answer.response(), name), sandbox.end())
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / 1_048_576.0
}

#[tokio::test]
async fn every_kind_of_six_megabyte_event_is_refused_within_bounds() {
    for (name, event, wanted) in KINDS {
        let (reply, streams) = cost(name, event(MOST), &[]).await;
        assert_eq!(streams.audit().iter().flat_map(codes).collect::<Vec<_>>(), *wanted, "{name}");
        assert!(reply.is_none_or(|reply| codes(&reply) == *wanted), "{name}");
    }
}

#[tokio::test]
async fn every_kind_of_six_megabyte_batch_is_refused_within_bounds() {
    let told: &[(&str, &str)] = &[("BROKER_RESULT_BUS", "outcomes")];
    let alone = BATCHES.iter().map(|batch| (batch, &[][..]));
    let with_a_bus = BATCHES.iter().filter(|batch| batch.3 == "principal_not_allowed").map(|batch| (batch, told));
    for ((name, event, requests, wanted), more) in alone.chain(with_a_bus) {
        let (_, streams) = cost(name, event().into_bytes(), more).await;
        let text = String::from_utf8_lossy(&streams.stdout);
        let code = format!(r#""code":"{wanted}""#);
        let refused = text.lines().filter(|line| line.contains(r#""record":"outcome""#) && line.contains(&code));
        assert_eq!(refused.count(), *requests, "{name}");
    }
}
