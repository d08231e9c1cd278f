//! The example events: what each must come to, in the audit, at AWS and in the reply of its door.

use permission_broker::local::control_plane::Operation;
use permission_broker::local::stage::Stage;
use permission_broker::openapi::OPENAPI;
use serde_json::{Value, json};

use crate::support::{event_files, json, string, text};

/// One event file and what it must come to.
struct Row {
    file: &'static str,
    door: &'static str,
    reply: Reply,
    /// The file that has to be played before, if the outcome depends on one.
    after: Option<&'static str>,
    requests: &'static [Asked],
}

/// The shape in which a door is answered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reply {
    Document,
    List,
    Http(u64),
    /// No message of the batch has to come again.
    Batch,
}

/// One request of an event.
struct Asked {
    requester: Option<&'static str>,
    operation: Option<&'static str>,
    outcome: &'static str,
    /// The codes of its reasons, each once; empty for a success.
    codes: &'static [&'static str],
    /// The statements that it writes, if it comes to that.
    statements: usize,
    /// The schedules that it makes first.
    schedules: usize,
}

impl Row {
    const fn after(self, file: &'static str) -> Self {
        Self { after: Some(file), ..self }
    }
}

impl Asked {
    /// How many writes AWS was asked for; each has its intent.
    fn writes(&self) -> usize {
        let reaches_aws = matches!(
            self.outcome,
            "granted" | "already_granted" | "conflict" | "failed" | "revoked" | "already_revoked"
        );
        if reaches_aws { self.statements } else { 0 }
    }

    /// Whether the policy had to be read to tell what AWS's answer meant; behind the queue it is for
    /// every grant.
    fn reads_back(&self, door: &str) -> bool {
        door == "sqs" && self.outcome == "granted"
            || matches!(
                self.outcome,
                "already_granted" | "conflict" | "would_grant" | "revoked" | "already_revoked" | "read"
            )
            || self.codes == ["revision_changed"]
    }
}

const FUNCTION: Option<&str> = Some("AddPermission");
const CARRY: Option<&str> = Some("CarryLayerForward");
const SWEEP: Option<&str> = Some("Sweep");
const EXPIRE: Option<&str> = Some("Expire");
const LAYER: Option<&str> = Some("AddLayerVersionPermission");

const NOBODY: Option<&str> = None;
const DIRECT: Option<&str> = Some("direct");
const SCHEDULE: Option<&str> = Some("schedule");
const ALICE: Option<&str> = Some("arn:aws:sts::123456789012:assumed-role/Deployer/alice");
const CI: Option<&str> = Some("arn:aws:iam::123456789012:user/ci");
const TOKEN: Option<&str> =
    Some("jwt:https://cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01#7c1f2a90-3b5e-4d0a-9c57-2f6d8e1b4a30");
const PIPELINE: Option<&str> = Some("authorizer:release-pipeline");
const BUS: Option<&str> = Some("eventbridge:123456789012:com.example.onboarding");
const AWS: Option<&str> = Some("eventbridge:123456789012:aws.lambda");
const SENDER: Option<&str> = Some("sqs:AIDACKCEVSQ6C2EXAMPLE");
const ROLE: Option<&str> = Some("sqs:AROADBQP57FF2AEXAMPLE:onboarding");
const FORWARDER: Option<&str> = Some("sqs:AIDAEVENTBRIDGEXAMPLE");

const fn asked(
    requester: Option<&'static str>,
    operation: Option<&'static str>,
    outcome: &'static str,
    codes: &'static [&'static str],
) -> Asked {
    Asked { requester, operation, outcome, codes, statements: 1, schedules: 0 }
}

const fn dry(asked: Asked) -> Asked {
    Asked { statements: 0, ..asked }
}

const fn twice(asked: Asked) -> Asked {
    Asked { statements: 2, ..asked }
}

const fn until(asked: Asked) -> Asked {
    Asked { schedules: 1, ..asked }
}

const fn direct(file: &'static str, requests: &'static [Asked]) -> Row {
    Row { file, door: "direct", reply: Reply::Document, after: None, requests }
}

const fn http(file: &'static str, status: u64, requests: &'static [Asked]) -> Row {
    Row { file, door: "api-gateway", reply: Reply::Http(status), after: None, requests }
}

const fn event(file: &'static str, requests: &'static [Asked]) -> Row {
    Row { file, door: "eventbridge", reply: Reply::Document, after: None, requests }
}

const fn queue(file: &'static str, requests: &'static [Asked]) -> Row {
    Row { file, door: "sqs", reply: Reply::Batch, after: None, requests }
}

const fn schedule(file: &'static str, requests: &'static [Asked]) -> Row {
    Row { file, door: "schedule", reply: Reply::Document, after: None, requests }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    direct("direct-denied-action.json", &[asked(DIRECT, FUNCTION, "denied", &["action_not_allowed"])]),
    direct("direct-denied-layer-public.json", &[asked(DIRECT, LAYER, "denied", &["public_grant"])]),
    direct("direct-denied-public-url.json", &[asked(DIRECT, FUNCTION, "denied", &["public_grant"])]),
    direct("direct-denied-revoke.json", &[asked(DIRECT, Some("RemovePermission"), "denied", &["target_not_allowed"])]),
    direct("direct-dry-run-layer-revision.json", &[dry(asked(DIRECT, LAYER, "failed", &["revision_changed"]))]),
    direct("direct-failed-revision-changed.json", &[asked(DIRECT, FUNCTION, "failed", &["revision_changed"])]),
    direct("direct-failed-target-not-found.json", &[asked(DIRECT, FUNCTION, "failed", &["target_not_found"])]),
    direct("direct-grant-account.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-alexa.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-derived-id.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-function-url.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-layer-account.json", &[asked(DIRECT, LAYER, "granted", &[])]),
    direct("direct-grant-layer-organization.json", &[asked(DIRECT, LAYER, "granted", &[])]),
    direct("direct-grant-organization.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-role-arn.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-s3.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-until.json", &[until(asked(DIRECT, FUNCTION, "granted", &[]))]),
    direct("direct-grant-user-arn.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-grant-via-function-url.json", &[asked(DIRECT, FUNCTION, "granted", &[])]),
    direct("direct-rejected-several.json", &[asked(DIRECT, FUNCTION, "rejected", &[
        "invalid_qualifier", "invalid_statement_id", "invalid_action", "invalid_principal", "invalid_source_arn",
        "invalid_source_account", "invalid_organization",
    ])]),
    direct("direct-repeat-account-as-root.json", &[asked(DIRECT, FUNCTION, "already_granted", &[])])
        .after("direct-grant-account.json"),
    direct("direct-revoke-role-arn.json", &[asked(DIRECT, Some("RemovePermission"), "revoked", &[])])
        .after("direct-grant-role-arn.json"),
    Row { reply: Reply::List, ..event("eventbridge-array-mixed.json", &[
        asked(BUS, FUNCTION, "granted", &[]),
        asked(BUS, FUNCTION, "denied", &["principal_not_allowed"]),
    ]) },
    event("eventbridge-carry-layer-forward.json", &[asked(AWS, CARRY, "granted", &[])])
        .after("direct-grant-layer-organization.json"),
    event("eventbridge-denied-organization.json", &[asked(BUS, FUNCTION, "denied", &["organization_not_allowed"])]),
    event("eventbridge-failed-layer-version.json", &[asked(BUS, LAYER, "failed", &["target_not_found"])]),
    event("eventbridge-grant-rule.json", &[asked(BUS, FUNCTION, "granted", &[])]),
    event("eventbridge-rejected-duration-over.json", &[asked(BUS, FUNCTION, "rejected", &["invalid_expiry"])]),
    event("eventbridge-rejected-own-result.json", &[asked(NOBODY, None, "rejected", &["own_result"])]),
    event("eventbridge-rejected-unknown-field.json", &[asked(BUS, FUNCTION, "rejected", &["unknown_field"])]),
    http("function-url-denied-anonymous.json", 401, &[asked(NOBODY, None, "denied", &["unauthenticated"])]),
    http("function-url-grant-sns.json", 201, &[asked(ALICE, FUNCTION, "granted", &[])]),
    http("http-api-iam-conflict.json", 409, &[asked(CI, FUNCTION, "conflict", &["statement_conflict"])])
        .after("direct-grant-account.json"),
    http("http-api-iam-denied-account.json", 403, &[asked(ALICE, FUNCTION, "denied", &["principal_not_allowed"])]),
    http("http-api-iam-denied-broker.json", 403, &[asked(CI, FUNCTION, "denied", &["target_not_allowed"])]),
    http("http-api-iam-denied-requester.json", 403, &[asked(ALICE, FUNCTION, "denied", &["requester_not_allowed"])]),
    http("http-api-iam-describe-api.json", 200, &[asked(CI, None, "described", &[])]),
    http("http-api-iam-dry-run-conflict.json", 409, &[dry(asked(CI, FUNCTION, "conflict", &["statement_conflict"]))])
        .after("direct-grant-account.json"),
    http("http-api-iam-grant-base64.json", 201, &[asked(ALICE, FUNCTION, "granted", &[])]),
    http("http-api-iam-grant-function-url.json", 201, &[twice(asked(CI, Some("GrantFunctionUrl"), "granted", &[]))]),
    http("http-api-iam-grant-reports.json", 201, &[asked(CI, FUNCTION, "granted", &[])]),
    http("http-api-iam-read-policy.json", 200, &[asked(CI, Some("GetPolicy"), "read", &[])])
        .after("direct-grant-account.json"),
    http("http-api-iam-rejected-claimed-identity.json", 400, &[asked(ALICE, FUNCTION, "rejected", &["unknown_field"])]),
    http("http-api-iam-rejected-not-json.json", 400, &[asked(CI, None, "rejected", &["not_json"])]),
    http("http-api-iam-revoke-repeat.json", 200, &[asked(CI, Some("RemovePermission"), "already_revoked", &[])])
        .after("direct-grant-account.json"),
    http("http-api-jwt-dry-run.json", 200, &[asked(TOKEN, FUNCTION, "would_grant", &[])]),
    http("http-api-lambda-repeat-derived-id.json", 200, &[asked(PIPELINE, FUNCTION, "already_granted", &[])])
        .after("direct-grant-derived-id.json"),
    http("http-api-v1-grant-layer.json", 201, &[asked(TOKEN, LAYER, "granted", &[])]),
    http("rest-denied-source-mismatch.json", 403, &[asked(ALICE, FUNCTION, "denied", &["source_mismatch"])]),
    http("rest-denied-unauthenticated.json", 401, &[asked(NOBODY, None, "denied", &["unauthenticated"])]),
    http("rest-denied-unconfined-service.json", 403, &[asked(CI, FUNCTION, "denied", &["unconfined_service"])]),
    http("rest-grant-account.json", 201, &[asked(ALICE, FUNCTION, "granted", &[])]),
    http("rest-read-layer.json", 200, &[asked(ALICE, Some("GetLayerVersionPolicy"), "read", &[])])
        .after("direct-grant-layer-account.json"),
    http("rest-rejected-duplicate-field.json", 400, &[asked(CI, FUNCTION, "rejected", &["duplicate_field"])]),
    schedule("schedule-expire-repeat.json", &[asked(SCHEDULE, EXPIRE, "already_revoked", &[])]),
    schedule("schedule-rejected-not-timed.json", &[asked(SCHEDULE, EXPIRE, "rejected", &["invalid_statement_id"])]),
    schedule("schedule-sweep.json", &[dry(asked(SCHEDULE, SWEEP, "already_revoked", &[]))]),
    queue("sqs-batch-mixed.json", &[
        asked(SENDER, FUNCTION, "granted", &[]),
        asked(SENDER, FUNCTION, "rejected", &["invalid_source_account"]),
        asked(ROLE, LAYER, "granted", &[]),
        asked(ROLE, FUNCTION, "denied", &["public_grant"]),
    ]),
    queue("sqs-eventbridge-body.json", &[asked(FORWARDER, LAYER, "granted", &[])]),
    queue("sqs-fifo-repeat.json", &[
        asked(ROLE, LAYER, "granted", &[]),
        asked(ROLE, LAYER, "already_granted", &[]),
    ]),
    queue("sqs-revoke-layer.json", &[asked(ROLE, Some("RemoveLayerVersionPermission"), "revoked", &[])])
        .after("sqs-fifo-repeat.json"),
];

/// The file that has to be played before another.
pub(crate) fn before(file: &str) -> Option<&'static str> {
    TABLE.iter().find(|row| row.file == file).unwrap_or_else(|| panic!("no file {file}")).after
}

#[test]
fn the_table_covers_exactly_the_files_that_exist() {
    let rows: Vec<&str> = TABLE.iter().map(|row| row.file).collect();
    assert_eq!(rows, event_files());
}

#[tokio::test]
async fn played_in_order_every_event_comes_to_what_the_table_says() {
    let stage = Stage::examples().await.unwrap();
    for row in TABLE {
        play(&stage, row).await;
    }
}

/// Whoever picks one file with `invoke` gets what the whole play gives.
#[tokio::test]
async fn an_event_that_follows_no_other_comes_to_the_same_alone() {
    for row in TABLE.iter().filter(|row| row.after.is_none()) {
        play(&Stage::examples().await.unwrap(), row).await;
    }
}

#[tokio::test]
async fn an_event_that_follows_another_needs_only_that_one() {
    for row in TABLE {
        let Some(before) = row.after else { continue };
        let stage = Stage::examples().await.unwrap();
        play(&stage, TABLE.iter().find(|row| row.file == before).unwrap()).await;
        play(&stage, row).await;
    }
}

/// Several broken rules of one document are reported together, each at its field.
#[tokio::test]
async fn every_broken_rule_is_reported_at_its_own_field() {
    let stage = Stage::examples().await.unwrap();
    let reply = invoke(&stage, text("events/direct-rejected-several.json").as_bytes()).await;
    let errors = reply["errors"].as_array().unwrap();
    let of = |error: &Value| (string(error, "pointer").to_owned(), string(error, "code").to_owned());
    let mut found: Vec<(String, String)> = errors.iter().map(of).collect();
    found.sort();
    let wanted = [
        ("/parameters/Action", "invalid_action"),
        ("/parameters/Principal", "invalid_principal"),
        ("/parameters/PrincipalOrgID", "invalid_organization"),
        ("/parameters/Qualifier", "invalid_qualifier"),
        ("/parameters/SourceAccount", "invalid_source_account"),
        ("/parameters/SourceArn", "invalid_source_arn"),
        ("/parameters/StatementId", "invalid_statement_id"),
    ];
    assert_eq!(found, wanted.map(|(pointer, code)| (pointer.to_owned(), code.to_owned())));
}

#[tokio::test]
async fn every_record_is_one_line_of_ascii() {
    let stage = Stage::examples().await.unwrap();
    for file in event_files() {
        invoke(&stage, text(&format!("events/{file}")).as_bytes()).await;
        for line in stage.audit() {
            assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{file}: {line}");
            assert!(line.len() < 16 * 1024, "{file}: {} bytes", line.len());
            assert!(json(&line).is_object(), "{file}: {line}");
        }
    }
}

/// The token goes to AWS, and nowhere else.
#[tokio::test]
async fn a_token_leaves_in_no_stream() {
    let token = string(&json(&text("events/direct-grant-alexa.json"))["parameters"], "EventSourceToken").to_owned();
    let stage = Stage::examples().await.unwrap();
    for file in event_files() {
        let reply = invoke(&stage, text(&format!("events/{file}")).as_bytes()).await;
        assert!(!reply.to_string().contains(&token), "{file}: {reply}");
        for line in stage.audit() {
            assert!(!line.contains(&token), "{file}: {line}");
        }
    }
    assert!(stage.control_plane.policies().iter().any(|(_, policy, _)| policy.contains(&token)));
}

async fn play(stage: &Stage, row: &Row) {
    let name = row.file;
    stage.control_plane.clear_calls();
    let reply = invoke(stage, text(&format!("events/{name}")).as_bytes()).await;
    let audit: Vec<Value> = stage.audit().iter().map(|line| json(line)).collect();
    let mut lines = audit.iter();
    for asked in row.requests {
        check_audit(row, asked, &mut lines);
    }
    assert_eq!(lines.next(), None, "{name}: an audit line too many");
    check_calls(stage, row);
    let documents = documents(row.reply, reply, name);
    if row.reply != Reply::Batch {
        assert_eq!(documents.len(), row.requests.len(), "{name}: one reply for each request");
    }
    for (document, asked) in documents.iter().zip(row.requests) {
        check_document(document, asked, name);
    }
}

async fn invoke(stage: &Stage, event: &[u8]) -> Value {
    let reply = stage.invoke("4f1d0c55-request", event).await;
    json(reply.expect("no example event has to be delivered again").get())
}

/// Two records around a call to AWS, one for everything else.
fn check_audit<'a>(row: &Row, asked: &Asked, lines: &mut impl Iterator<Item = &'a Value>) {
    let name = row.file;
    let records = match (asked.operation, asked.writes()) {
        // Each grant that is carried over has its two records, and the whole has one.
        (CARRY, _) => vec!["intent", "outcome", "outcome"],
        (_, 0) => vec!["outcome"],
        (_, writes) => ["intent", "outcome"].repeat(writes),
    };
    for record in &records {
        let line = lines.next().unwrap_or_else(|| panic!("{name}: no {record} line"));
        assert_eq!(line["record"], *record, "{name}: {line}");
        assert_eq!(line["requestId"], "4f1d0c55-request", "{name}");
        assert_eq!(string(line, "timestamp").len(), "2026-03-02T09:15:22.040Z".len(), "{name}");
        assert_eq!(line["door"], row.door, "{name}");
        assert_eq!(line["requester"].as_str(), asked.requester, "{name}");
        assert_eq!(line["operation"].as_str(), asked.operation, "{name}");
        let outcome = if *record == "intent" { None } else { Some(asked.outcome) };
        assert_eq!(line["outcome"].as_str(), outcome, "{name}");
        if *record == "outcome" {
            assert_eq!(codes(line), asked.codes, "{name}: {line}");
        }
    }
}

/// What is refused reaches AWS with not even a read; what is not is written once.
fn check_calls(stage: &Stage, row: &Row) {
    let calls = stage.control_plane.calls();
    let writes = calls.iter().filter(|call| call.operation.is_some_and(Operation::is_change)).count();
    let schedules = calls.iter().filter(|call| call.operation.is_some_and(Operation::is_of_schedules)).count();
    assert_eq!(schedules, row.requests.iter().map(|asked| asked.schedules).sum::<usize>(), "{}", row.file);
    let reads = calls.len() - writes - schedules;
    assert_eq!(writes, row.requests.iter().map(Asked::writes).sum::<usize>(), "{}", row.file);
    let of = |asked: &Asked| match asked.operation {
        // The policies of both versions, and that there is none above.
        CARRY => 3,
        // Functions, of four of them the aliases and versions, of two layers the versions, and the policy of each of those.
        SWEEP => 1 + 4 * 2 + 4 + 3 + 2 + 5,
        // The policy, before either of its statements is written.
        Some("GrantFunctionUrl") if asked.writes() > 0 => 1,
        // The policy, or that there is none, and that there is the alias.
        Some("AddPermission") if asked.outcome == "would_grant" => {
            1 + usize::from(
                stage.control_plane.policy("arn:aws:lambda:us-east-1:123456789012:function:orders:live").is_none(),
            )
        }
        _ => usize::from(asked.reads_back(row.door)),
    };
    assert_eq!(reads, row.requests.iter().map(of).sum::<usize>(), "{}", row.file);
}

/// The replies to the requests, taken out of the shape of their door.
fn documents(shape: Reply, reply: Value, name: &str) -> Vec<Value> {
    match shape {
        Reply::Document => vec![reply],
        Reply::List => reply.as_array().unwrap_or_else(|| panic!("{name}: no list: {reply}")).clone(),
        Reply::Batch => {
            assert_eq!(reply, json!({ "batchItemFailures": [] }), "{name}");
            Vec::new()
        }
        Reply::Http(status) => {
            assert_eq!(reply["statusCode"], status, "{name}");
            assert_eq!(reply["isBase64Encoded"], false, "{name}");
            let problem = if status < 300 { "application/json" } else { "application/problem+json" };
            assert_eq!(reply["headers"]["content-type"], problem, "{name}");
            assert_eq!(reply["headers"]["cache-control"], "no-store", "{name}");
            let document = json(string(&reply, "body"));
            if status >= 300 {
                assert_eq!(document["status"], status, "{name}");
            }
            vec![document]
        }
    }
}

fn check_document(document: &Value, asked: &Asked, name: &str) {
    if asked.outcome == "described" {
        assert_eq!(*document, json(OPENAPI), "{name}");
        return;
    }
    assert_eq!(document["outcome"], asked.outcome, "{name}");
    assert_eq!(document["requestId"], "4f1d0c55-request", "{name}");
    assert_eq!(document["operation"].as_str(), asked.operation, "{name}");
    assert_eq!(codes(document), asked.codes, "{name}: {document}");
    if asked.codes.is_empty() {
        let shown = match asked.outcome {
            "read" => "statements",
            _ if asked.statements == 2 || asked.operation == CARRY => "grants",
            _ => "statement",
        };
        let known = !matches!(asked.outcome, "already_revoked");
        assert_eq!(document.get(shown).is_some(), known, "{name}: a success shows the statement");
        assert!(document["rule"].is_string() || asked.operation == SWEEP, "{name}: a success names its rule");
    } else {
        assert_eq!(string(document, "type"), format!("urn:permission-broker:problem#{}", string(document, "code")));
        assert!(document["title"].is_string() && document["detail"].is_string(), "{name}");
    }
}

/// The codes of a record's or a reply's reasons, each once: those of its errors, or where AWS refused its own.
fn codes(value: &Value) -> Vec<&str> {
    let mut codes: Vec<&str> = match value["errors"].as_array() {
        Some(errors) if !errors.is_empty() => errors.iter().map(|error| string(error, "code")).collect(),
        _ => value["code"].as_str().into_iter().collect(),
    };
    if let Some(code) = value["code"].as_str() {
        assert!(codes.contains(&code), "the code is one of the errors': {value}");
    }
    codes.dedup();
    codes
}
