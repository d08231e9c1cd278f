//! Hostile input: every file under `hostile/` comes to the codes that the table beside them gives, with
//! one audit line, no call to AWS and a short reply; and so does every kind of six-megabyte event.

mod allowlists;
#[cfg(target_os = "linux")]
mod cost;
mod large;

use std::collections::BTreeSet;
use std::path::Path;

use permission_broker::audit::Audit;
use permission_broker::broker::{Broker, Invocation};
use permission_broker::error::Code;
use permission_broker::event::Doors;
use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::stage::{self, FUNCTION_ARN, Lines, Stage, WORLD};
use permission_broker::reply::Failure;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::envelope;

/// One rule, so that what it refuses does not depend on what another does.
const ALLOWLIST: &str = r#"{
    "accounts": ["210987654321", "123456789012"],
    "organizations": ["o-a1b2c3d4e5"],
    "services": ["s3.amazonaws.com", "sns.amazonaws.com"],
    "targets": ["function:orders*", "layer:common"]
}"#;

/// The longest line of the audit.
const MOST_LINE_BYTES: usize = 16 * 1024;

/// No refusal is longer: it lists at most 64 broken rules.
const MOST_REPLY_BYTES: usize = 32 * 1024;

/// What a file comes to.
struct Row {
    file: &'static str,
    codes: Vec<&'static str>,
}

impl Row {
    fn bytes(&self) -> Vec<u8> {
        std::fs::read(folder().join(self.file)).unwrap_or_else(|error| panic!("{}: {error}", self.file))
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile"))
}

/// The rows of some groups, or of all.
fn rows(groups: &[&str]) -> Vec<Row> {
    let lines = include_str!("hostile/expected.txt").lines();
    let rows = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let mut words = line.split_ascii_whitespace();
        let file = words.next().expect("a file");
        Row { file, codes: words.flat_map(repeated).collect() }
    });
    let of_group =
        |row: &Row| groups.is_empty() || groups.iter().any(|group| row.file.starts_with(&format!("{group}/")));
    rows.filter(of_group).collect()
}

/// `code*3` is three times the code.
fn repeated(word: &str) -> Vec<&str> {
    let (code, times) = word.split_once('*').unwrap_or((word, "1"));
    vec![code; times.parse().expect("a number of times")]
}

#[test]
fn the_table_lists_every_file_once() {
    let mut files = Vec::new();
    for group in std::fs::read_dir(folder()).expect("the folder").map(|entry| entry.expect("an entry")) {
        if group.file_type().expect("a type").is_dir() {
            for file in std::fs::read_dir(group.path()).expect("a group") {
                let path = file.expect("a file").path();
                let name = path.strip_prefix(folder()).expect("a file of the folder");
                files.push(name.to_string_lossy().into_owned());
            }
        }
    }
    files.sort();
    let mut listed: Vec<&str> = rows(&[]).iter().map(|row| row.file).collect();
    listed.sort_unstable();
    assert_eq!(files, listed);
    assert!(files.len() >= 200);
}

/// What came of an event: the one line of the audit and the document of the reply.
struct Came {
    line: Value,
    reply: Option<Value>,
}

async fn invoke(stage: &Stage, event: &[u8], place: &str) -> Came {
    let reply = stage.invoke("id-1", event).await;
    let lines = stage.audit();
    let [line] = lines.as_slice() else { panic!("{place}: one line: {lines:?}") };
    assert!(line.is_ascii() && line.len() <= MOST_LINE_BYTES, "{place}: {line}");
    let came = Came { line: serde_json::from_str(line).expect("a line is JSON"), reply: reply_of(reply, place) };
    assert_eq!(stage.control_plane.calls().len(), 0, "{place}: AWS is not called");
    came
}

/// The document of a reply that is short, as a refusal's is.
fn reply_of(reply: Result<Box<RawValue>, Failure>, place: &str) -> Option<Value> {
    let reply = reply.unwrap_or_else(|failure| panic!("{place}: asking again would change nothing: {failure:?}"));
    assert!(reply.get().len() <= MOST_REPLY_BYTES, "{place}: {} bytes", reply.get().len());
    document(serde_json::from_str(reply.get()).expect("a reply is JSON"), place)
}

/// The document of a reply, out of the shape of its door; a queue is told nothing but what failed.
fn document(reply: Value, place: &str) -> Option<Value> {
    if reply.get("batchItemFailures").is_some() {
        assert_eq!(reply["batchItemFailures"], serde_json::json!([]), "{place}: the message is done with");
        return None;
    }
    let Some(body) = reply["body"].as_str() else { return Some(reply) };
    let document: Value = serde_json::from_str(body).expect("a body is JSON");
    assert_eq!(reply["statusCode"], document["status"], "{place}");
    Some(document)
}

fn codes(document: &Value) -> Vec<&str> {
    let errors = document["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| error["code"].as_str().expect("a code")).collect()
}

fn assert_came_to(came: &Came, wanted: &[&str], place: &str) {
    assert_eq!(came.line["record"], "outcome", "{place}");
    assert_eq!(came.line["code"], wanted[0], "{place}: {}", came.line);
    assert_eq!(codes(&came.line), wanted[..wanted.len().min(20)], "{place}: as many as a line lists");
    if let Some(reply) = &came.reply {
        assert_eq!(reply["code"], wanted[0], "{place}");
        assert_eq!(codes(reply), wanted[..wanted.len().min(64)], "{place}: as many as a reply lists");
        let one = reply["errors"][0]["detail"].as_str().expect("a detail").to_owned();
        // Of an object with more members than are kept, what lies beyond counts as one.
        let and_more = place.contains("more-than-are-kept");
        let detail = match wanted.len() {
            1 => one,
            rules if and_more => {
                format!("at least {rules} rules are broken; `errors` lists the first {}", rules.min(64))
            }
            rules => many(rules, rules.min(64)),
        };
        assert_eq!(reply["detail"], detail, "{place}");
    }
}

/// The detail of a reply to a request that breaks so many rules, of which the first are listed.
fn many(rules: usize, listed: usize) -> String {
    let them = if rules > listed { format!("the first {listed}") } else { "them".to_owned() };
    format!("{rules} rules are broken; `errors` lists {them}")
}

async fn hostile_stage() -> Stage {
    let control_plane = ControlPlane::from_world(WORLD).expect("the world of the examples");
    Stage::new(control_plane, ALLOWLIST).await.expect("a stage")
}

/// Replays documents through each of the doors named.
async fn replay(groups: &[&str], doors: &[&str]) {
    let stage = hostile_stage().await;
    for row in rows(groups) {
        let ways = envelope::all(&row.bytes());
        for (door, event) in ways.into_iter().filter(|(door, _)| doors.contains(door)) {
            let place = format!("{} through {door}", row.file);
            assert_came_to(&invoke(&stage, &event, &place).await, &row.codes, &place);
        }
    }
}

const EVERY: [&str; 5] = ["direct", "http", "base64", "eventbridge", "sqs"];

#[tokio::test]
async fn hostile_requests_are_refused_through_every_door() {
    // What is not UTF-8 is said to be no base64 of text.
    let stage = hostile_stage().await;
    for row in rows(&["request"]) {
        let bytes = row.bytes();
        for (door, event) in envelope::all(&bytes) {
            let place = format!("{} through {door}", row.file);
            let unreadable = door == "base64" && std::str::from_utf8(&bytes).is_err();
            let wanted = if unreadable { &["invalid_body"] } else { row.codes.as_slice() };
            assert_came_to(&invoke(&stage, &event, &place).await, wanted, &place);
        }
    }
}

#[tokio::test]
async fn hostile_targets_and_layers_are_refused_through_every_door() {
    replay(&["target", "layer"], &EVERY).await;
}

#[tokio::test]
async fn hostile_principals_are_refused_through_every_door() {
    replay(&["principal"], &EVERY).await;
}

#[tokio::test]
async fn hostile_sources_and_actions_are_refused_through_every_door() {
    replay(&["source", "action"], &EVERY).await;
}

#[tokio::test]
async fn what_no_rule_can_allow_is_denied_through_every_door() {
    replay(&["decision"], &EVERY).await;
}

/// As an event of its own it would come through another door, or none.
#[tokio::test]
async fn hostile_bodies_are_refused() {
    replay(&["body"], &["http", "base64"]).await;
}

#[tokio::test]
async fn hostile_envelopes_are_refused() {
    let stage = hostile_stage().await;
    for row in rows(&["envelope", "identity", "event"]) {
        let came = invoke(&stage, &row.bytes(), row.file).await;
        assert_came_to(&came, &row.codes, row.file);
    }
}

/// Behind a closed door nothing is read: neither who asks nor what for.
#[tokio::test]
async fn behind_closed_doors_no_file_gets_anywhere() {
    let unread = ["source_not_enabled", "not_json", "not_an_object", "unknown_event", "ambiguous_event"];
    let control_plane = ControlPlane::from_world(WORLD).expect("the world of the examples");
    let lines = Lines::default();
    let broker = stage::broker(&control_plane, ALLOWLIST, Audit::new(lines.clone())).await.expect("a broker");
    let broker = Broker { doors: Doors::new([]), ..broker };
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(600);
    let invocation =
        Invocation { request_id: "id-1", function_arn: FUNCTION_ARN, deadline, now: std::time::SystemTime::now() };
    let mut met = BTreeSet::new();
    // The door of schedules has no lock: what is behind it is over.
    let closed = |row: &&Row| !row.file.starts_with("allowlist/") && !row.file.starts_with("event/schedule-");
    for row in rows(&[]).iter().filter(closed) {
        assert!(broker.handle(&row.bytes(), &invocation).await.is_ok(), "{}", row.file);
        for line in lines.take() {
            let line: Value = serde_json::from_str(&line).expect("a line is JSON");
            let code = line["code"].as_str().expect("a code").to_owned();
            assert!(unread.contains(&code.as_str()), "{}: {code}", row.file);
            assert!(line.get("requester").is_none() && line.get("operation").is_none(), "{}", row.file);
            met.insert(code);
        }
    }
    assert_eq!(met.len(), unread.len(), "each way to stay unread is among the files");
    assert_eq!(control_plane.calls().len(), 0);
}

/// The corpus covers the table of codes: all but those that AWS, time or the audit have a part in.
#[test]
fn every_code_that_input_can_lead_to_is_among_the_files() {
    let met: BTreeSet<&str> = rows(&[]).iter().flat_map(|row| row.codes.clone()).collect();
    let elsewhere = [
        // A size that is not kept in a file.
        Code::TooLarge,
        // A door that is closed.
        Code::SourceNotEnabled,
        // What stands in a policy.
        Code::ForeignStatement,
        // What a rule or the deployment has to say to an end.
        Code::DurationNotAllowed,
        Code::ExpiryNotEnabled,
        // AWS's answers.
        Code::StatementConflict,
        Code::TargetNotFound,
        Code::RevisionChanged,
        Code::PolicyFull,
        Code::RejectedByAws,
        Code::PrincipalNotFound,
        Code::PrincipalNotYetKnown,
        Code::DeadPrincipal,
        Code::StatementDiffers,
        Code::PublicAccessBlocked,
        Code::AccessDenied,
        Code::Throttled,
        Code::Unavailable,
        Code::OutcomeUnknown,
        Code::HalfGranted,
        Code::PreviousNotFound,
        Code::SweepIncomplete,
        // AppConfig's answers.
        Code::AllowlistUnavailable,
        Code::NotScheduled,
        Code::ScheduleRefused,
        // The clock's.
        Code::NotDue,
        // The broker's own.
        Code::Internal,
        Code::TimedOut,
        Code::AllowlistUnavailable,
        Code::AuditUnavailable,
    ];
    for code in Code::ALL {
        assert_eq!(met.contains(code.as_str()), !elsewhere.contains(code), "{}", code.as_str());
    }
}
