//! Events as large as Lambda takes them: refused, in work that grows no faster than they do.

use std::time::{Duration, Instant};

use aws_smithy_types::base64;
use permission_broker::local::stage::Stage;
use serde_json::{Value, json};

use super::{MOST_LINE_BYTES, assert_came_to, codes, hostile_stage, invoke, many};
use crate::support::envelope;

/// Lambda's limit for the event of a synchronous invoke.
pub(super) const MOST: usize = 6 * 1024 * 1024;

/// A kind of large event: its name, an event of about so many bytes, and what it comes to.
pub(super) type Kind = (&'static str, fn(usize) -> Vec<u8>, &'static [&'static str]);

const PARAMETERS: &str = r#""FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"210987654321""#;

/// A request with something in the place of its reason.
fn with_reason(reason: &str) -> String {
    format!(r#"{{"operation":"AddPermission","parameters":{{{PARAMETERS}}},"reason":{reason}}}"#)
}

/// A text repeated, with commas between, until it has about so many bytes.
pub(super) fn list(item: &str, bytes: usize) -> String {
    format!("{item},").repeat(bytes / (item.len() + 1)) + item
}

fn members(bytes: usize) -> String {
    (0..bytes / 13).map(|i| format!(r#""k{i:07}":1"#)).collect::<Vec<_>>().join(",")
}

pub(super) fn event(detail: &str) -> String {
    format!(r#"{{"detail-type":"x","source":"s","account":"123456789012","detail":{detail}}}"#)
}

#[rustfmt::skip]
pub(super) const KINDS: &[Kind] = &[
    ("spaces", |n| vec![b' '; n], &["not_json"]),
    ("spaces before a request", |n| (" ".repeat(n) + &with_reason("\"\"")).into_bytes(), &["too_large"]),
    ("spaces behind a request", |n| (with_reason("\"\"") + &" ".repeat(n)).into_bytes(), &["too_large"]),
    ("spaces inside a request", |n| with_reason(&(" ".repeat(n) + "\"\"")).into_bytes(), &["too_large"]),
    ("open brackets", |n| vec![b'['; n], &["not_json"]),
    ("nested brackets", |n| ("[".repeat(n / 2) + &"]".repeat(n / 2)).into_bytes(), &["not_an_object"]),
    ("nested objects", |n| (r#"{"a":"#.repeat(n / 6) + "1" + &"}".repeat(n / 6)).into_bytes(), &["unknown_event"]),
    ("nested brackets in a request", |n| with_reason(&("[".repeat(n / 2) + &"]".repeat(n / 2))).into_bytes(), &["too_large"]),
    ("a string", |n| format!("\"{}\"", "x".repeat(n)).into_bytes(), &["not_an_object"]),
    ("a string without an end", |n| format!("\"{}", "x".repeat(n)).into_bytes(), &["not_json"]),
    ("a string of escapes", |n| with_reason(&format!("\"{}\"", "\\u0041".repeat(n / 6))).into_bytes(), &["too_large"]),
    ("a string of backslashes", |n| with_reason(&format!("\"{}\"", "\\\\".repeat(n / 2))).into_bytes(), &["too_large"]),
    ("a name", |n| format!(r#"{{"{}":1}}"#, "x".repeat(n)).into_bytes(), &["unknown_event"]),
    ("a number", |n| "1".repeat(n).into_bytes(), &["not_an_object"]),
    ("numbers", |n| format!("[{}]", list("1", n)).into_bytes(), &["not_an_object"]),
    ("nulls", |n| format!("[{}]", list("null", n)).into_bytes(), &["not_an_object"]),
    ("members", |n| format!("{{{}}}", members(n)).into_bytes(), &["unknown_event"]),
    ("members beside a request", |n| format!(r#"{{"operation":"AddPermission","parameters":{{}},{}}}"#, members(n)).into_bytes(), &["too_large"]),
    ("equal members", |n| format!("{{{}}}", list(r#""operation":1"#, n)).into_bytes(), &["too_large"]),
    ("invalid UTF-8", |n| vec![0xff; n], &["not_json"]),
    ("a body", |n| envelope::http(&with_reason(&format!("\"{}\"", "x".repeat(n)))), &["too_large"]),
    ("a body of spaces", |n| envelope::http(&" ".repeat(n)), &["too_large"]),
    ("a body of quotes", |n| envelope::http(&"\"".repeat(n / 2)), &["too_large"]),
    ("a body in base64", |n| json!({"requestContext": {"http": {"method": "POST"}, "identity": {"userArn": "u"}},
        "isBase64Encoded": true, "body": base64::encode(vec![b'['; n * 3 / 4])}).to_string().into_bytes(), &["too_large"]),
    ("a body that is not base64", |n| json!({"requestContext": {"http": {"method": "POST"}, "identity": {"userArn": "u"}},
        "isBase64Encoded": true, "body": "*".repeat(n)}).to_string().into_bytes(), &["invalid_body"]),
    ("members beside a context", |n| format!(r#"{{"requestContext":{{}},{}}}"#, members(n)).into_bytes(), &["method_not_allowed"]),
    ("headers", |n| format!(r#"{{"requestContext":{{}},"headers":{{{}}}}}"#, members(n)).into_bytes(), &["method_not_allowed"]),
    ("an identity", |n| json!({"requestContext": {"http": {"method": "POST"}, "identity": {"userArn": "u".repeat(n)}}})
        .to_string().into_bytes(), &["unauthenticated"]),
    ("a method", |n| json!({"httpMethod": "P".repeat(n)}).to_string().into_bytes(), &["method_not_allowed"]),
    ("a detail", |n| event(&with_reason(&format!("\"{}\"", "x".repeat(n)))).into_bytes(), &["too_large"]),
    ("a message", |n| envelope::sqs(&"[".repeat(n)), &["too_large"]),
    ("records that are none", |n| format!(r#"{{"Records":[{}]}}"#, list("{}", n)).into_bytes(), &["unknown_event"]),
];

/// The larger a kind is, the more of its work is in the JSON alone: these stand for the others.
const AT_THE_LIMIT: [&str; 7] =
    ["spaces", "nested brackets", "a string", "members", "invalid UTF-8", "a body", "a body in base64"];

#[tokio::test]
async fn events_of_six_megabytes_are_refused() {
    let stage = hostile_stage().await;
    let mut tried = 0;
    for (name, event, codes) in KINDS.iter().filter(|(name, ..)| AT_THE_LIMIT.contains(name)) {
        assert_came_to(&invoke(&stage, &event(MOST), name).await, codes, name);
        tried += 1;
    }
    assert_eq!(tried, AT_THE_LIMIT.len());
}

/// What this thread has worked so far. Where the system does not count that, the clock has to do.
fn worked(since: Instant) -> Duration {
    let counted = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = counted.and_then(|counted| counted.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// The work that a kind of event takes at one size, so many times, each time refused.
async fn work(stage: &Stage, (name, event, codes): &Kind, bytes: usize, times: usize) -> Duration {
    let event = event(bytes);
    let started = Instant::now();
    let before = worked(started);
    for _ in 0..times {
        assert_came_to(&invoke(stage, &event, name).await, codes, name);
    }
    worked(started) - before
}

/// One event takes about the work of eight events of an eighth of its size, and eight times as much if the
/// work were quadratic. The bound lies far from both: this is about the shape of the work, not
/// about the machine.
#[tokio::test]
async fn every_kind_of_large_event_is_refused_in_linear_work() {
    // More than a document may have, escaped or not, so that both sizes are refused alike.
    const SMALL: usize = 160 * 1024;
    // What a clock may not see.
    const LEAST: Duration = Duration::from_millis(20);
    let stage = hostile_stage().await;
    for kind in KINDS {
        let (small, large) = (work(&stage, kind, SMALL, 8).await, work(&stage, kind, SMALL * 8, 1).await);
        assert!(large < small.max(LEAST) * 4, "{}: {small:?} for eight small ones, {large:?} for a large one", kind.0);
    }
}

#[tokio::test]
async fn more_events_than_any_batch_has_are_refused() {
    let stage = hostile_stage().await;
    let events = format!("[{}]", vec![event("1"); 10_001].join(","));
    assert_came_to(&invoke(&stage, events.as_bytes(), "events").await, &["not_an_object"], "events");
}

/// A batch whose every request breaks as many rules as it can.
#[tokio::test]
async fn the_reply_to_a_batch_stays_within_lambdas_limit() {
    let letters: Vec<String> = ('a'..='z').chain('A'..='Z').map(|letter| format!(r#""{letter}":1"#)).collect();
    let detail = format!(r#"{{"operation":"AddPermission","parameters":{{{}}}}}"#, letters.join(","));
    let batch = format!("[{}]", vec![event(&detail); 2_000].join(","));
    let stage = hostile_stage().await;
    let reply = stage.invoke("id-1", batch.as_bytes()).await.expect("a reply");
    assert_eq!(stage.audit().len(), 2_000);
    assert!(reply.get().len() <= MOST, "{} bytes", reply.get().len());
    let replies: Vec<Value> = serde_json::from_str(reply.get()).expect("a list of replies");
    let brief = |reply: &Value| reply["detail"] == many(3 + letters.len(), 1) && codes(reply).len() == 1;
    assert!(replies.len() == 2_000 && replies.iter().all(brief), "each says how many rules, and the first");
}

/// A reply says how many rules are broken and how many of them it lists; of an object with more members than are looked at
/// only the least that it can be is known.
#[tokio::test]
async fn how_many_rules_are_broken_is_said_as_far_as_it_is_known() {
    let stage = hostile_stage().await;
    let of = |top: usize, inner: usize| {
        let names = |letter: char, count: usize| -> String {
            (0..count)
                .map(|i| {
                    format!(r#","{letter}{}":1"#, char::from(b'a' + (i / 26) as u8).to_string() + &"x".repeat(i % 26))
                })
                .collect()
        };
        let parameters = r#""FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"210987654321""#;
        format!(
            r#"{{"operation":"AddPermission","parameters":{{{parameters}{}}}{}}}"#,
            names('p', inner),
            names('t', top)
        )
    };
    let cases = [
        (of(0, 2), "2 rules are broken; `errors` lists them", 2),
        (of(3, 61), "64 rules are broken; `errors` lists them", 64),
        (of(4, 61), "65 rules are broken; `errors` lists the first 64", 64),
        (of(62, 61), "123 rules are broken; `errors` lists the first 64", 64),
        // 64 members are looked at, three of them are known; the rest counts as one.
        (of(0, 62), "at least 62 rules are broken; `errors` lists the first 62", 62),
        (of(0, 300), "at least 62 rules are broken; `errors` lists the first 62", 62),
        (of(300, 300), "at least 125 rules are broken; `errors` lists the first 64", 64),
    ];
    for (document, detail, listed) in cases {
        for event in [document.clone(), event(&document)] {
            let reply = stage.invoke("id-1", event.as_bytes()).await.expect("a reply");
            let reply: Value = serde_json::from_str(reply.get()).expect("a document");
            assert_eq!((reply["detail"].as_str(), codes(&reply).len()), (Some(detail), listed), "{document}");
        }
    }
}

/// The limit of a document to the byte, and through a door, where the envelope does not count.
#[tokio::test]
async fn a_document_has_at_most_65_536_bytes() {
    let stage = hostile_stage().await;
    let document = with_reason("\"CHG-1\"").replace("210987654321", "999999999999");
    for (size, code) in [(65_536, "principal_not_allowed"), (65_537, "too_large")] {
        let document = document.clone() + &" ".repeat(size - document.len());
        for (door, event) in envelope::all(document.as_bytes()) {
            let place = format!("{size} bytes through {door}");
            // EventBridge hands on JSON without the space around it.
            let wanted = if door == "eventbridge" { "principal_not_allowed" } else { code };
            assert_came_to(&invoke(&stage, &event, &place).await, &[wanted], &place);
        }
    }
}

/// Every value at its longest, of characters that take the most bytes when they are escaped.
#[tokio::test]
async fn no_line_is_longer_than_16_kib() {
    let rule = |i: usize| json!({"id": format!("{i:064}"), "accounts": ["999999999999"]});
    let allowlist = Value::from((0..200).map(rule).collect::<Vec<_>>()).to_string();
    let stage = Stage::new(hostile_stage().await.control_plane, &allowlist);
    let stage = stage.await.expect("a stage");
    let quotes = |most: usize| "\"".repeat(most);
    let parameters = json!({
        "FunctionName": format!("arn:aws:lambda:us-east-1:123456789012:function:{}", "f".repeat(200)),
        "Qualifier": "q".repeat(128), "StatementId": "s".repeat(100),
        "Action": format!("lambda:{}", "A".repeat(9_993)),
        "Principal": format!("arn:aws:iam::210987654321:role/{}", "r".repeat(2_017)),
        "SourceArn": format!("arn:aws:sns:us-east-1:210987654321:{}", quotes(9_965)),
        "SourceAccount": "123456789012", "PrincipalOrgID": format!("o-{}", "o".repeat(32)),
        "EventSourceToken": "t".repeat(256), "RevisionId": quotes(256),
    });
    let document = json!({"operation": "AddPermission", "parameters": parameters, "reason": "\u{1f511}".repeat(512)});
    let claims = json!({"iss": quotes(1_024), "sub": quotes(1_024)});
    let context =
        json!({"requestId": quotes(1_024), "http": {"method": "POST"}, "authorizer": {"jwt": {"claims": claims}}});
    let event = json!({"requestContext": context, "body": document.to_string()}).to_string();
    let came = invoke(&stage, event.as_bytes(), "everything at its longest").await;
    assert_eq!(came.line["rules"].as_array().map(Vec::len), Some(20));
    let bytes = came.line.to_string().len();
    assert!(bytes > MOST_LINE_BYTES / 2, "it is a long line: {bytes}");
    for member in ["requester", "eventId", "sourceArn", "reason", "action"] {
        let value = came.line[member].as_str().expect("a text");
        assert!(value.ends_with(" characters)"), "{member} says how long it was: {value}");
    }
}
