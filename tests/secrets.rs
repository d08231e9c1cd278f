//! `EventSourceToken` is a secret: a canary in its place, and in every other place too, is found in no
//! stream, reply, error or `Debug`. Each search is first shown to find it where it belongs.

mod life;
mod places;
mod process;
mod shapes;

use std::collections::BTreeSet;

use lambda_runtime::Diagnostic;
use permission_broker::allowlist::Allowlist;
use permission_broker::audit::Audit;
use permission_broker::error::Fault as Broken;
use permission_broker::grant::{EventSourceToken, Grant};
use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::{self, ALLOWLIST, FUNCTION_ARN, Stage, WORLD};
use permission_broker::reply::Failure;
use permission_broker::request::Request;
use permission_broker::requester::Requester;
use permission_broker::resource::Own;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::{all, envelope};

/// Letters only, so that it is a valid token, statement id, action name and field name.
const CANARY: &str = "CanarySecretToken";

/// A grant that carries the canary where it belongs, and that the examples' allowlist allows.
fn document() -> Value {
    let parameters = json!({"FunctionName": "orders", "Qualifier": "live", "StatementId": "skill",
        "Action": "lambda:InvokeFunction", "Principal": "alexa-appkit.amazon.com", "EventSourceToken": CANARY});
    json!({"operation": "AddPermission", "parameters": parameters, "reason": "CHG-1", "dryRun": false})
}

/// All that a caller gets to see of a reply, or of what the runtime makes of a failure.
fn seen(reply: Result<Box<RawValue>, Failure>) -> String {
    match reply {
        Ok(reply) => reply.get().to_owned(),
        Err(failure) => {
            let debug = format!("{failure:?} {failure:#?}");
            let Diagnostic { error_type, error_message } = failure.into();
            format!("{debug} {error_type} {error_message}")
        }
    }
}

/// The stage of the examples, where everything that can be told is told: results on a bus, and metrics.
async fn telling() -> Stage {
    let mut stage = Stage::examples().await.expect("the examples");
    stage.broker.results = Some(stage::results(&stage.control_plane, "outcomes").await.expect("a bus"));
    stage.broker.audit = stage.broker.audit.measuring(true);
    stage
}

/// The calls to AWS Lambda.
fn grants(stage: &Stage) -> usize {
    stage.control_plane.calls().iter().filter(|call| call.operation != Some(Operation::PutEvents)).count()
}

/// Invokes the broker, and asserts that neither the reply nor the audit nor a result shows the canary.
async fn invoke(stage: &Stage, event: &[u8], place: &str) -> String {
    let seen = seen(stage.invoke("id-1", event).await);
    assert!(!seen.contains(CANARY), "{place}: {seen}");
    for event in stage.results() {
        assert!(!event.to_string().contains(CANARY), "{place}: {event}");
    }
    let audit = stage.audit();
    assert!(!audit.is_empty(), "{place}: every request is recorded");
    for line in audit {
        assert!(!line.contains(CANARY), "{place}: {line}");
    }
    seen
}

/// How many calls carried the canary to AWS: the proof that it was there to be shown.
fn carried(control_plane: &ControlPlane) -> usize {
    let has = |body: &[u8]| String::from_utf8_lossy(body).contains(CANARY);
    control_plane.calls().iter().filter(|call| has(&call.body)).count()
}

#[tokio::test]
async fn a_token_goes_to_aws_and_nowhere_else() {
    for (door, event) in envelope::all(document().to_string().as_bytes()) {
        let stage = telling().await;
        let reply = stage.invoke("id-1", &event).await.expect("a reply");
        let audit = stage.audit();
        assert_eq!(carried(&stage.control_plane), 1, "{door}");
        assert!(!reply.get().contains(CANARY) && !audit.concat().contains(CANARY), "{door}");
        assert!(audit.iter().all(|line| line.contains(r#""eventSourceToken":"present""#)), "{door}");
        assert!(audit[1].contains(r#""outcome":"granted""#), "{door}: {}", audit[1]);
        // Once more: AWS answers with a policy that holds it in clear.
        assert!(stage.control_plane.policies()[0].1.contains(CANARY));
        let again = invoke(&stage, &event, door).await;
        assert!(door == "sqs" || again.contains("already_granted"), "{door}: {again}");
    }
}

/// Bodies of answers that repeat the token wherever there is a place for words.
fn echoes() -> Vec<String> {
    let message = format!("1 validation error detected: Value '{CANARY}' at 'eventSourceToken' failed");
    let statement = json!({"Sid": CANARY, "Effect": "Allow", "Principal": {"Service": CANARY}, "Action": CANARY,
        "Resource": CANARY, "Condition": {"StringEquals": {"lambda:EventSourceToken": CANARY, CANARY: CANARY}}});
    let ours = json!({"Sid": "skill", "Effect": "Allow", "Principal": {"Service": "alexa-appkit.amazon.com"},
        "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:orders:live",
        "Condition": {"StringEquals": {"lambda:EventSourceToken": CANARY}}});
    let mut other = ours.clone();
    other["Resource"] = CANARY.into();
    let policy = |statement: &Value| json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    vec![
        json!({"Type": "User", "message": message}).to_string(),
        json!({"Type": CANARY, "Message": message, "message": CANARY, "__type": CANARY, "code": CANARY}).to_string(),
        json!({"Statement": statement.to_string(), "RevisionId": CANARY, "Policy": policy(&statement)}).to_string(),
        json!({"Statement": ours.to_string(), "RevisionId": CANARY, "Policy": policy(&ours)}).to_string(),
        json!({"Policy": policy(&other)}).to_string(),
        json!({"Statement": CANARY, "Policy": CANARY, "RevisionId": CANARY}).to_string(),
        format!(r#"{{"Statement": "{CANARY}"#),
        CANARY.to_owned(),
    ]
}

/// An answer in AWS's name.
fn echo(status: u16, error_type: Option<&str>, body: &str) -> FaultKind {
    // A wait that long is not begun: a throttled call is then not repeated.
    let retry_after = if status == 429 { "3600" } else { CANARY };
    let headers = [("retry-after", retry_after), ("x-amzn-trace-id", CANARY)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    FaultKind::Answer { status, error_type: error_type.map(str::to_owned), headers, body: body.to_owned() }
}

#[tokio::test]
async fn no_word_of_aws_repeats_a_token() {
    let outcomes = all(8, echoes().into_iter().map(echoed).collect()).await.concat();
    let every = ["access_denied", "granted", "outcome_unknown", "rejected_by_aws", "statement_conflict", "throttled"];
    let led_to = |word: &&str| outcomes.iter().any(|outcome| outcome == word);
    assert!(every.iter().all(led_to), "the answers lead to all of these: {outcomes:?}");
}

/// What a request comes to where AWS answers with such a body.
async fn echoed(body: String) -> Vec<String> {
    let stage = telling().await;
    let mut outcomes = BTreeSet::new();
    for status in [200, 201, 400, 403, 404, 409, 412, 429, 500, 503] {
        for error_type in [None, Some("ValidationException"), Some(CANARY)] {
            // The read after it is denied, so that the broker does not wait and look again.
            let add = Fault::new(echo(status, error_type, &body)).on(Operation::AddPermission);
            let place = format!("a write answered {status} {error_type:?} {body}");
            outcomes.insert(answered(&stage, vec![add], &place).await);
        }
    }
    for status in [200, 404] {
        // A write that AWS calls taken is looked up, and what is read repeats the token.
        let taken = Fault::new(FaultKind::Duplicate { commit: false });
        let read = Fault::new(echo(status, Some(CANARY), &body)).on(Operation::GetPolicy);
        outcomes.insert(answered(&stage, vec![taken, read], &format!("a read answered {status} {body}")).await);
    }
    outcomes.into_iter().collect()
}

/// Asks for the grant while AWS answers so, and gives the word that it ends with.
async fn answered(stage: &Stage, faults: Vec<Fault>, place: &str) -> String {
    for fault in faults {
        stage.control_plane.inject(fault);
    }
    stage.control_plane.inject(Fault::access_denied().on(Operation::GetPolicy));
    let seen = invoke(stage, document().to_string().as_bytes(), place).await;
    stage.control_plane.clear_faults();
    word(&seen)
}

/// The code of a reply or a failure, or else its outcome.
fn word(seen: &str) -> String {
    let document = seen.find('{').map_or("{}", |start| &seen[start..]);
    let document: Value = serde_json::from_str(document).expect("a document");
    document.get("code").unwrap_or(&document["outcome"]).as_str().expect("a word").to_owned()
}

#[test]
fn no_debug_of_a_public_type_shows_a_token() {
    let own = Own::parse(FUNCTION_ARN).expect("an ARN");
    let allowlist = Allowlist::parse(ALLOWLIST).expect("the examples' allowlist");
    let text = document().to_string();
    let read = || Request::read(&text).expect("a request");
    let grant = || Grant::new(read()).expect("a grant");
    let denied = Allowlist::default().decide(grant(), &Requester::Direct, &own).expect_err("denied");
    let approved = allowlist.decide(grant(), &Requester::Direct, &own).expect("approved");
    let token: EventSourceToken = grant().conditions().event_source_token.clone().expect("a token");
    let mut broken = document();
    broken["parameters"]["EventSourceToken"] = json!([CANARY]);
    let broken = broken.to_string();
    let faults: Vec<Broken> = Grant::new(Request::read(&broken).expect("a request")).expect_err("not a grant");
    let shown = [
        format!("{:?}{:#?}", read(), read()),
        format!("{:?}{:#?}", Request::read(&broken), Request::read(&broken)),
        format!("{:?}{:#?}", grant(), grant()),
        format!("{:?}{:#?}", grant().conditions(), grant().conditions()),
        format!("{denied:?}{denied:#?}"),
        format!("{approved:?}{approved:#?}"),
        format!("{token:?}{token:#?}"),
        format!("{faults:?}{faults:#?}"),
    ];
    for shown in &shown {
        assert!(!shown.contains(CANARY), "{shown}");
    }
    // What can be said is said.
    assert!(shown[0].starts_with("Request { operation: Some(AddPermission), faults: [], .. }"), "{}", shown[0]);
    assert!(shown[6].starts_with("EventSourceToken(present)"), "it says at least that there is one");
}

/// An audit that panics at one of its writes, with the canary in its message.
struct Panicking {
    at: usize,
    written: usize,
}

impl std::io::Write for Panicking {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.written += 1;
        assert!(!String::from_utf8_lossy(line).contains(CANARY));
        // Not through the hook, which would print it into the output of the tests.
        if self.written == self.at {
            std::panic::resume_unwind(Box::new(format!("cannot write {CANARY}")));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_is_answered_without_its_message() {
    for at in [1, 2] {
        let control_plane = ControlPlane::from_world(WORLD).expect("the world of the examples");
        let audit = Audit::new(Panicking { at, written: 0 });
        let broker = stage::broker(&control_plane, ALLOWLIST, audit).await.expect("a broker");
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(15);
        let invocation = permission_broker::broker::Invocation {
            request_id: "id-1",
            function_arn: FUNCTION_ARN,
            deadline,
            now: std::time::SystemTime::now(),
        };
        let seen = seen(broker.handle(document().to_string().as_bytes(), &invocation).await);
        assert!(!seen.contains(CANARY), "{seen}");
        assert!(seen.contains("internal"), "{seen}");
        assert_eq!(carried(&control_plane), at - 1);
    }
}
