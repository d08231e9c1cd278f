//! One record is one line of ASCII JSON of at most 16 KiB, whatever the request is made of.

use std::time::Duration;

use permission_broker::broker::Invocation;
use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind};
use permission_broker::local::stage::{self, FUNCTION_ARN, WORLD};
use serde_json::{Value, json};

use crate::support::{Door, Reply, Scene, cases, door, grant, with};

const MOST_BYTES: usize = 16 * 1024;

/// What terminals, viewers, parsers and line splitters have been fooled with.
const HOSTILE: [&str; 16] = [
    "\n{\"type\":\"audit\",\"outcome\":\"granted\"}\n",
    "\r",
    "\u{2028}",
    "\u{85}",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{0}",
    "\u{7f}",
    "\"",
    "\\",
    "\u{feff}",
    "\u{ff11}",
    "\u{200b}",
    "\u{1f980}",
    "\u{10ffff}",
    "e\u{301}",
];

fn check(text: &str, what: &dyn std::fmt::Debug) -> Vec<Value> {
    assert!(text.bytes().all(|byte| byte == b'\n' || matches!(byte, b' '..=b'~')), "{what:?}: {text}");
    assert!(text.is_empty() || text.ends_with('\n'), "{what:?}");
    let parse = |line: &str| {
        assert!(line.len() < MOST_BYTES, "{} bytes: {what:?}", line.len() + 1);
        serde_json::from_str::<Value>(line).unwrap()
    };
    text.lines().map(parse).collect()
}

/// Runs of hostile pieces, up to so many characters.
fn hostile(random: &mut fastrand::Rng, most: usize) -> String {
    let mut text = Vec::new();
    let length = random.usize(0..=most);
    while text.len() < length {
        match random.u8(0..4) {
            0 => text.push(random.char(..)),
            1 => text.push(char::from(random.u8(b' '..=b'~'))),
            2 => text.extend(HOSTILE[random.usize(..HOSTILE.len())].chars()),
            _ => text.extend(std::iter::repeat_n(random.char(..), random.usize(1..40))),
        }
    }
    text.into_iter().take(length).collect()
}

/// A request with hostile text wherever text can stand, in the envelope of any door.
fn request(random: &mut fastrand::Rng) -> (Vec<u8>, Option<String>) {
    let reason = hostile(random, 512);
    let mut request = with(grant(json!({})), json!({ "reason": reason, "dryRun": true }));
    for _ in 0..random.u8(0..4) {
        let names = ["FunctionName", "Qualifier", "Action", "Principal", "SourceArn", "RevisionId", "EventSourceToken"];
        let name = names[random.usize(..names.len())];
        let most = if random.bool() { 30 } else { 3000 };
        let value = match name {
            "SourceArn" => format!("arn:aws:sns:us-east-1:210987654321:{}", hostile(random, most)),
            _ => hostile(random, most),
        };
        request["parameters"][name] = value.into();
    }
    if random.u8(0..8) == 0 {
        request[hostile(random, 60)] = json!(hostile(random, 60));
    }
    let door = door::DOORS[random.usize(..4)];
    let mut event: Value = serde_json::from_slice(&door::event(door, &request)).unwrap();
    match door {
        Door::ApiGateway => {
            event["requestContext"]["requestId"] = hostile(random, 1100).into();
            let arn = &mut event["requestContext"]["authorizer"]["iam"]["userArn"];
            *arn = if random.bool() { hostile(random, 30).into() } else { "\"\\".repeat(512).into() };
        }
        Door::EventBridge => {
            event["id"] = hostile(random, 1100).into();
            event["source"] = hostile(random, 20).into();
        }
        Door::Sqs => event["Records"][0]["messageId"] = hostile(random, 1100).into(),
        Door::Direct | Door::Schedule => {}
    }
    (event.to_string().into_bytes(), Some(reason))
}

#[tokio::test]
async fn random_hostile_requests_leave_lines_that_parse_to_what_was_sent() {
    let scene = Scene::new().await;
    let seed = crate::support::seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut records, mut whole_reasons) = (0, 0);
    for i in 0..cases(1_000) {
        let (event, reason) = request(&mut random);
        let id = hostile(&mut random, 300);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
        let invocation =
            Invocation { request_id: &id, function_arn: FUNCTION_ARN, deadline, now: std::time::SystemTime::now() };
        Reply::of(scene.broker.handle(&event, &invocation).await);
        let text = scene.sink.take_text();
        for record in check(&text, &(seed, i)) {
            records += 1;
            if let (Some(sent), Some(recorded)) = (&reason, record["reason"].as_str()) {
                let cut = recorded.ends_with(&format!("... ({} characters)", sent.chars().count()));
                assert!(cut || recorded == sent, "seed {seed}, case {i}");
                whole_reasons += usize::from(!cut);
            }
        }
    }
    assert!(records >= cases(1_000) && whole_reasons > 0);
}

/// Every value as long as it may be and made of what takes the most room, after a call that went as
/// wrong as it can.
#[tokio::test]
async fn the_longest_record_fits() {
    let account = "210987654321";
    let ids = (0..40).map(|i| format!("{i:->64}"));
    let rule = |id: String| json!({ "id": id, "accounts": [account], "requesters": ["arn:aws:iam::1:nobody"] });
    let mut rules: Vec<Value> = ids.map(rule).collect();
    rules.push(
        json!({ "id": "x".repeat(64), "accounts": [account, "123456789012"], "actions": ["lambda:InvokeFunction"] }),
    );
    let allowlist = Value::from(rules).to_string();
    let plane = ControlPlane::from_world(WORLD).unwrap();
    let longest_code = "X".repeat(64);
    plane.inject(
        Fault::new(FaultKind::Answer {
            status: 599,
            error_type: Some(longest_code),
            headers: Vec::new(),
            body: "{}".to_owned(),
        })
        .times(99),
    );
    let sink = crate::support::Sink::new(&plane);
    let audit = permission_broker::audit::Audit::new(sink.clone()).measuring(true);
    let mut broker = stage::broker(&plane, &allowlist, audit).await.unwrap();
    broker.timing = crate::support::QUICK;
    let path = format!("arn:aws:iam::{account}:role/{}", "p".repeat(2048 - 31));
    let changes = json!({
        "FunctionName": format!("arn:aws:lambda:us-east-1:123456789012:function:{}", "f".repeat(200)),
        "Qualifier": "q".repeat(128),
        "StatementId": "s".repeat(100),
        "Principal": path,
        "SourceArn": format!("arn:aws:sns:us-east-1:{account}:{}", "\"".repeat(9_960)),
        "SourceAccount": account,
        "PrincipalOrgID": null,
        "EventSourceToken": "t".repeat(256),
        "RevisionId": "\"".repeat(256),
    });
    for (request_account, records) in [(account, 2), ("999999999999", 1)] {
        let request = with(grant(changes.clone()), json!({ "reason": "\u{1f980}".repeat(512) }));
        let request = request.to_string().replace(account, request_account);
        let mut event: Value = serde_json::from_slice(&door::event(Door::ApiGateway, &json!({}))).unwrap();
        event["body"] = request.into();
        event["requestContext"]["requestId"] = "\"".repeat(1024).into();
        let longest = "\"".repeat(1024);
        event["requestContext"]["authorizer"] = json!({ "jwt": { "claims": { "iss": longest, "sub": longest } } });
        let id = "\u{1f980}".repeat(1000);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
        let invocation =
            Invocation { request_id: &id, function_arn: FUNCTION_ARN, deadline, now: std::time::SystemTime::now() };
        Reply::of(broker.handle(event.to_string().as_bytes(), &invocation).await);
        let text = sink.take_text();
        assert_eq!(check(&text, &"the longest").len(), records, "{text}");
        assert!(text.lines().any(|line| line.len() > MOST_BYTES / 2), "this is not long");
    }
}
