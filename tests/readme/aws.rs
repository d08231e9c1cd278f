//! The table of AWS's answers: every row of it happens to a grant, and ends as the row says.

use std::collections::BTreeSet;
use std::net::TcpListener;

use aws_sdk_lambda::config::Credentials;
use permission_broker::aws::client_with;
use permission_broker::config::Config;
use permission_broker::connection::Connection;
use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use permission_broker::local::stage::Stage;

use super::markdown::{code, table};
use crate::support::{QUICK, json, string, text};

/// An answer of AWS to each of the three tries, and how the grant ends.
struct Answered {
    name: &'static str,
    status: u16,
    /// Whether the grant is there already, as another statement or as this one.
    before: Option<&'static str>,
    /// What AWS says; nothing if it does as it was asked.
    body: &'static str,
    code: &'static str,
}

const fn answered(name: &'static str, status: u16, code: &'static str) -> Answered {
    Answered { name, status, before: None, body: if status == 201 { "" } else { "{}" }, code }
}

const SAME: Option<&str> = Some("events/direct-grant-account.json");
const OTHER: Option<&str> = Some("events/http-api-iam-conflict.json");

#[rustfmt::skip]
const ANSWERS: &[Answered] = &[
    answered("", 201, "granted"),
    Answered { body: OPEN, ..answered("", 201, "statement_differs") },
    Answered { before: SAME, ..answered("ResourceConflictException", 409, "already_granted") },
    Answered { before: OTHER, ..answered("ResourceConflictException", 409, "statement_conflict") },
    answered("ResourceConflictException", 409, "unavailable"),
    Answered { before: SAME, ..answered("PreconditionFailedException", 412, "already_granted") },
    answered("PreconditionFailedException", 412, "revision_changed"),
    answered("ResourceNotFoundException", 404, "target_not_found"),
    answered("PolicyLengthExceededException", 400, "policy_full"),
    answered("PublicPolicyException", 400, "public_access_blocked"),
    answered("AccessDeniedException", 403, "access_denied"),
    answered("UnrecognizedClientException", 401, "access_denied"),
    answered("InvalidParameterValueException", 400, "rejected_by_aws"),
    answered("ValidationException", 400, "rejected_by_aws"),
    answered("SerializationException", 400, "rejected_by_aws"),
    answered("SomethingNewException", 422, "rejected_by_aws"),
    answered("TooManyRequestsException", 429, "throttled"),
    answered("ThrottlingException", 400, "throttled"),
    answered("", 429, "throttled"),
    answered("ServiceException", 500, "outcome_unknown"),
    Answered { before: SAME, ..answered("ServiceException", 500, "granted") },
    answered("", 503, "outcome_unknown"),
];

/// A statement under our id that lets everyone in.
const OPEN: &str = r#"{"Statement":"{\"Sid\":\"partner-invoke\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"arn:aws:lambda:us-east-1:123456789012:function:orders:live\"}"}"#;

#[tokio::test]
async fn every_answer_ends_as_the_table_says() {
    let rows = table("What AWS answers", "| AWS answers | then | ends as |");
    let endings = rows.iter().enumerate().flat_map(|(i, row)| code(&row[2]).into_iter().map(move |code| (i, code)));
    let mut unseen: BTreeSet<(usize, String)> = endings.collect();
    let mut seen = |row: usize, ended: String| {
        assert!(code(&rows[row][2]).contains(&ended), "{} ends as {ended}", rows[row][0]);
        unseen.remove(&(row, ended));
    };
    for answer in ANSWERS {
        let ended = ended(answer).await;
        assert_eq!(ended, answer.code, "{} {}", answer.name, answer.status);
        seen(row_of(&rows, answer), ended);
    }
    seen(rows.iter().position(|row| row[0] == "no connection").unwrap(), ended_without_connection().await);
    for function in ["orders", "orders-x"] {
        let row = rows.iter().position(|row| row[0] == "a 404 to a revoke").unwrap();
        seen(row, ended_revoke(function).await);
    }
    let busy = |commit| FaultKind::Duplicate { commit };
    for (kind, beside) in [(busy(true), true), (busy(false), true), (busy(true), false)] {
        let row = rows.iter().position(|row| row[0] == "the same to a revoke").unwrap();
        seen(row, ended_after(kind, Operation::RemovePermission, beside).await);
    }
    let not_done = FaultKind::Answer { status: 202, error_type: None, headers: Vec::new(), body: "{}".to_owned() };
    for (kind, operation) in [
        (FaultKind::Status(202), Operation::AddPermission),
        (FaultKind::Status(202), Operation::RemovePermission),
        (not_done, Operation::RemovePermission),
    ] {
        let row = rows.iter().position(|row| row[0].starts_with("another 2xx")).unwrap();
        seen(row, ended_after(kind, operation, true).await);
    }
    for (principal, deleted) in
        [("210987654321", false), ("210987654321", true), ("arn:aws:iam::210987654321:role/new", false)]
    {
        let row = rows.iter().position(|row| row[0].contains(INVALID_PRINCIPAL)).unwrap();
        seen(row, ended_with_invalid_principal(principal, deleted).await);
    }
    assert_eq!(unseen, BTreeSet::new(), "rows that no answer brought about");
}

/// The row that names an answer, or else the one for its status.
fn row_of(rows: &[Vec<String>], answer: &Answered) -> usize {
    let by_status = match answer.status {
        201 => "201",
        401 | 403 => "any 401 or 403",
        429 => "any 429",
        500.. => "any 5xx",
        _ => "any other 4xx",
    };
    let named = rows.iter().position(|row| code(&row[0]).iter().any(|name| name == answer.name));
    let row = named.or_else(|| rows.iter().position(|row| row[0].contains(by_status)));
    row.unwrap_or_else(|| panic!("no row for {} {}", answer.name, answer.status))
}

/// The stage of the examples, with a broker that does not pause for long.
async fn stage() -> Stage {
    let mut stage = Stage::examples().await.unwrap();
    stage.broker.timing = QUICK;
    stage
}

/// The outcome of a success, the code of everything else.
async fn ended(answer: &Answered) -> String {
    let stage = stage().await;
    if let Some(before) = answer.before {
        stage.invoke("before", text(before).as_bytes()).await.unwrap();
        stage.audit();
    }
    if !answer.body.is_empty() {
        let headers = vec![("Retry-After".to_owned(), "0".to_owned())];
        let error_type = Some(answer.name.to_owned()).filter(|name| !name.is_empty());
        let kind = FaultKind::Answer { status: answer.status, error_type, headers, body: answer.body.to_owned() };
        stage.control_plane.inject(Fault::new(kind).on(Operation::AddPermission).times(3));
    }
    invoke(&stage).await
}

/// The same when nobody listens where AWS should be.
async fn ended_without_connection() -> String {
    let mut stage = stage().await;
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let variables = [
        ("BROKER_ALLOWLIST", "[]".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL", format!("http://{closed}")),
    ];
    let config = Config::read(variables.map(|(name, value)| (name.to_owned(), value))).unwrap();
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "example");
    stage.broker.client = client_with(&config.aws, Connection::new(None).unwrap(), credentials);
    invoke(&stage).await
}

const INVALID_PRINCIPAL: &str = "The provided principal was invalid. Please check the principal and try again.";

/// A revoke on a function without a policy, or on none.
async fn ended_revoke(function: &str) -> String {
    let stage = stage().await;
    let parameters = serde_json::json!({ "FunctionName": function, "StatementId": "partner" });
    let request = serde_json::json!({ "operation": "RemovePermission", "parameters": parameters }).to_string();
    last_word(&stage, &request).await
}

/// A grant, or the revoke of a statement, beside another one or alone, where every such call is answered so.
async fn ended_after(kind: FaultKind, operation: Operation, beside: bool) -> String {
    let stage = stage().await;
    let of = |operation: &str, sid: &str| {
        let mut parameters = serde_json::json!({ "FunctionName": "orders", "StatementId": sid });
        if operation == "AddPermission" {
            parameters["Action"] = "lambda:InvokeFunction".into();
            parameters["Principal"] = "210987654321".into();
        }
        serde_json::json!({ "operation": operation, "parameters": parameters }).to_string()
    };
    let before = ["other", "partner"];
    let before =
        before.iter().filter(|sid| if **sid == "other" { beside } else { operation != Operation::AddPermission });
    for sid in before {
        assert_eq!(last_word(&stage, &of("AddPermission", sid)).await, "granted");
    }
    stage.control_plane.inject(Fault::new(kind).on(operation).times(9));
    last_word(&stage, &of(operation.name(), "partner")).await
}

/// A grant whose principal AWS calls invalid, with and without somebody in the policy who is no more.
async fn ended_with_invalid_principal(principal: &str, deleted: bool) -> String {
    let stage = stage().await;
    let role = "arn:aws:iam::210987654321:role/gone";
    let of = |principal: &str, sid: &str| {
        let parameters = serde_json::json!({
            "FunctionName": "orders", "StatementId": sid, "Action": "lambda:InvokeFunction", "Principal": principal,
        });
        serde_json::json!({ "operation": "AddPermission", "parameters": parameters }).to_string()
    };
    if deleted {
        stage.invoke("before", of(role, "gone").as_bytes()).await.unwrap();
        stage.control_plane.delete_principal(role);
    } else {
        let fault = Fault::error(ErrorName::InvalidParameterValue, INVALID_PRINCIPAL);
        stage.control_plane.inject(fault.on(Operation::AddPermission).times(3));
    }
    last_word(&stage, &of(principal, "partner")).await
}

async fn invoke(stage: &Stage) -> String {
    last_word(stage, &text("events/direct-grant-account.json")).await
}

async fn last_word(stage: &Stage, request: &str) -> String {
    // A retryable failure is an error of the invocation; the record has it either way.
    let _ = stage.invoke("one", request.as_bytes()).await;
    let line = json(stage.audit().last().unwrap());
    let word = line["code"].as_str().unwrap_or_else(|| string(&line, "outcome"));
    word.to_owned()
}
