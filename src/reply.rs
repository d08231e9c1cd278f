//! The reply: one JSON object whatever the outcome, put into the shape that its source expects.
//!
//! A reply is made of a [`Recorded`] outcome only. Where the outcome could not be recorded, the caller
//! learns that and nothing else.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::audit::{Broken, Part, Recorded, Unrecorded, Verdict};
use crate::error::{Code, Delivery};
use crate::event::{Door, Item, Shape};
use crate::grant::Fingerprint;
use crate::openapi::OPENAPI;
use crate::outcome::Outcome;
use crate::policy::Fill;

/// Most broken rules, and most allowlist rules, that one reply lists; the replies to a batch share them,
/// with one for each at least, so that the whole stays within Lambda's limit for a response.
const MOST_LISTED: usize = 64;

/// How many of them each reply to an event of so many requests lists.
pub(crate) fn most_listed(requests: usize) -> usize {
    (MOST_LISTED / requests.max(1)).max(1)
}

/// An answer that makes the invocation fail, so that AWS delivers the event again.
///
/// `Debug` is what the runtime logs: it shows the code alone.
pub struct Failure {
    code: Code,
    message: String,
}

impl Failure {
    /// The stable code, Lambda's `errorType`.
    pub fn code(&self) -> Code {
        self.code
    }
}

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.code.title())
    }
}

impl From<Failure> for lambda_runtime::Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.code.as_str().to_owned(), error_message: failure.message }
    }
}

/// The answer to one request: its recorded outcome, or that it could not be recorded.
pub(crate) type Answered = Result<Recorded, Unrecorded>;

/// The reply to one request.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    outcome: &'static str,
    #[serde(flatten)]
    problem: Option<Problem<'a>>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_store: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Part]>::is_empty")]
    grants: &'a [Part],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    blamed: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a Fill>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statements: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleReason<'a>>,
}

/// The members of an RFC 9457 problem.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: String,
    retryable: bool,
    errors: Vec<Error<'a>>,
}

#[derive(Serialize)]
struct Error<'a> {
    pointer: &'a str,
    code: &'static str,
    detail: &'a str,
}

#[derive(Serialize)]
struct RuleReason<'a> {
    rule: &'a str,
    code: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpResponse {
    status_code: u16,
    headers: HttpHeaders,
    body: String,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
struct HttpHeaders {
    #[serde(rename = "content-type")]
    content_type: &'static str,
    #[serde(rename = "cache-control")]
    cache_control: &'static str,
    #[serde(rename = "retry-after", skip_serializing_if = "Option::is_none")]
    retry_after: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchResponse<'a> {
    batch_item_failures: Vec<BatchItemFailure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure<'a> {
    item_identifier: &'a str,
}

/// Answers an event in the shape that its source expects. `answered` may be shorter than `items`:
/// what was not answered was not done.
pub(crate) fn reply(
    shape: Shape,
    items: &[Item<'_>],
    answered: &[Answered],
    request_id: &str,
) -> Result<Box<RawValue>, Failure> {
    let document = |answered: &Answered| document(answered, request_id);
    match (shape, answered) {
        (Shape::Http { allow }, [one]) => raw(&http(one, document(one), allow)),
        (Shape::Batch { .. }, _) => {
            let failed = |i: usize| answered.get(i).is_none_or(|one| delivery(one) == Delivery::Fail);
            let failures = items.iter().enumerate().filter(|(i, _)| failed(*i));
            let batch_item_failures =
                failures.map(|(_, item)| BatchItemFailure { item_identifier: &item.message_id }).collect();
            raw(&BatchResponse { batch_item_failures })
        }
        (Shape::One, [one]) => {
            // A caller that waits gets every final answer as it is; an event that must come again fails.
            let direct = items.iter().any(|item| item.origin.door == Some(Door::Direct));
            let fails = if direct {
                code(one).is_some_and(|code| code.kind().retryable())
            } else {
                delivery(one) == Delivery::Fail
            };
            if fails { Err(failure(one, document(one))) } else { Ok(document(one)) }
        }
        (_, many) => match many.iter().find(|one| delivery(one) == Delivery::Fail) {
            Some(failed) => Err(failure(failed, document(failed))),
            None => raw(&many.iter().map(document).collect::<Vec<_>>()),
        },
    }
}

/// What one request came to, whatever shape its source expects.
#[cfg(feature = "local")]
pub(crate) fn told(answered: &Answered, request_id: &str) -> Box<RawValue> {
    document(answered, request_id)
}

/// Whether what was answered lets the next message of an ordered queue be done.
pub(crate) fn is_done(answered: &Answered) -> bool {
    delivery(answered) == Delivery::Complete
}

fn code(answered: &Answered) -> Option<Code> {
    match answered {
        Ok(recorded) => recorded.verdict().code,
        Err(Unrecorded) => Some(Code::AuditUnavailable),
    }
}

fn delivery(answered: &Answered) -> Delivery {
    code(answered).map_or(Delivery::Complete, |code| code.kind().delivery())
}

fn failure(answered: &Answered, document: Box<RawValue>) -> Failure {
    Failure { code: code(answered).unwrap_or(Code::Internal), message: String::from(Box::<str>::from(document)) }
}

fn http(answered: &Answered, document: Box<RawValue>, allow: &'static str) -> HttpResponse {
    let code = code(answered);
    let granted = matches!(answered, Ok(recorded) if recorded.verdict().outcome == Some(Outcome::Granted));
    let content_type = if code.is_some() { "application/problem+json" } else { "application/json" };
    HttpResponse {
        status_code: code.map_or(if granted { 201 } else { 200 }, Code::status),
        headers: HttpHeaders {
            content_type,
            cache_control: "no-store",
            retry_after: code.filter(|code| code.kind().retryable()).map(|_| "5"),
            // RFC 9110: who is told 405 is told what would be right.
            allow: code.filter(|code| *code == Code::MethodNotAllowed).map(|_| allow),
        },
        body: String::from(Box::<str>::from(document)),
        is_base64_encoded: false,
    }
}

fn document(answered: &Answered, request_id: &str) -> Box<RawValue> {
    let unrecorded;
    let verdict = match answered {
        Ok(recorded) => recorded.verdict(),
        Err(Unrecorded) => {
            unrecorded = Verdict {
                outcome: Some(Code::AuditUnavailable.kind().outcome()),
                code: Some(Code::AuditUnavailable),
                request_id: request_id.to_owned(),
                ..Verdict::default()
            };
            &unrecorded
        }
    };
    let outcome = verdict.outcome.unwrap_or(Outcome::Failed);
    if outcome == Outcome::Described {
        return RawValue::from_string(OPENAPI.to_owned()).unwrap_or_default();
    }
    let document = Document {
        outcome: outcome.as_str(),
        problem: verdict.code.map(|code| problem(code, verdict)),
        request_id: &verdict.request_id,
        operation: verdict.operation.map(|operation| operation.as_str()),
        resource: verdict.resource.as_deref(),
        statement_id: verdict.statement_id.as_deref(),
        statement: verdict.statement.as_deref(),
        fingerprint: verdict.fingerprint.as_ref().map(Fingerprint::as_str),
        would_store: verdict.would_store.as_deref(),
        expires_at: verdict.expires_at.as_deref(),
        revision_id: verdict.revision_id.as_deref(),
        rule: verdict.rule.as_deref(),
        grants: &verdict.parts,
        blamed: &verdict.blamed,
        policy: verdict.policy.as_ref(),
        statements: verdict.statements.as_deref(),
        rules: verdict.rules.iter().map(|(rule, code)| RuleReason { rule, code: code.as_str() }).collect(),
    };
    serde_json::value::to_raw_value(&document).unwrap_or_default()
}

fn problem(code: Code, verdict: &Verdict) -> Problem<'_> {
    let detail = match (verdict.faults.as_slice(), &verdict.broken) {
        (_, Broken { rules: 0, .. }) => code.title().to_owned(),
        ([one], Broken { rules: 1, .. }) => one.detail.clone().into_owned(),
        (listed, broken) => broken.told(listed.len()),
    };
    Problem {
        r#type: format!("urn:permission-broker:problem#{}", code.as_str()),
        title: code.title(),
        status: code.status(),
        code: code.as_str(),
        detail,
        retryable: code.kind().retryable(),
        errors: verdict
            .faults
            .iter()
            .map(|fault| Error { pointer: &fault.pointer, code: fault.code.as_str(), detail: &fault.detail })
            .collect(),
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Failure> {
    serde_json::value::to_raw_value(value)
        .map_err(|_| Failure { code: Code::Internal, message: Code::Internal.title().to_owned() })
}
