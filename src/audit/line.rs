//! One audit record as one line of ASCII JSON of at most 16 KiB.
//!
//! Everything in it was validated, stamped by AWS, or is ours; long values are cut and say so. The
//! field names are a closed list, so nothing new slips into the log.

mod event;
mod metrics;

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Serialize;

use super::Case;
use super::text::{MOST_WORD, ascii, cut, milliseconds, timestamp};
use crate::allowlist::{Admitted, Approved, Refusal};
use crate::asked::Asked;
use crate::error::{Code, Fault, Kind};
use crate::expiry::Moment;
use crate::grant::{Fingerprint, Grant, RevisionId, StatementId};
use crate::outcome::Outcome;
use crate::policy::{Fill, Written};
use crate::read::Read;
use crate::source::Held;
use metrics::Metrics;

/// Most bytes of one value, as JSON; a source ARN may have 10,000 characters.
const MOST_VALUE: usize = 2048;

/// Most bytes of the requester's reason. One of 512 ASCII characters is whole.
const MOST_REASON: usize = 1024;

/// Most broken rules, and most allowlist rules, that one record lists.
const MOST_LISTED: usize = 20;

/// What a record says.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Record {
    /// A grant is about to be made.
    Intent,
    /// A request has come to its end.
    Outcome,
    /// A grant was broken off; whether AWS was reached is unknown.
    Abandoned,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    timestamp: String,
    level: &'static str,
    r#type: &'static str,
    record: Record,
    request_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    door: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(flatten)]
    asked: Option<About<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Reason<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleReason<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules_checked: Option<usize>,
    /// Of a sweep, which has no one target to say it of.
    #[serde(rename = "dryRun", skip_serializing_if = "std::ops::Not::not")]
    swept_dry: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    swept_to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    carries_on_at: Option<String>,
    #[serde(flatten)]
    written: Option<Calls<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowlist_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowlist_age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(rename = "_aws", skip_serializing_if = "Option::is_none")]
    metrics: Option<Metrics>,
    /// The outcome, of which the line shows the word.
    #[serde(skip)]
    ended: Option<Outcome>,
}

/// What is asked for; of a grant, every party that it names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About<'a> {
    target: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_id: Option<&'a str>,
    #[serde(flatten)]
    parties: Option<Parties<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    takes_back: bool,
}

/// Whom a grant lets do what.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parties<'a> {
    action: Cow<'a, str>,
    principal: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_arn: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_url_auth_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoked_via_function_url: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_token: Option<&'static str>,
}

#[derive(Serialize)]
struct Reason<'a> {
    pointer: &'a str,
    code: &'static str,
}

#[derive(Serialize)]
struct RuleReason<'a> {
    rule: &'a str,
    code: &'static str,
}

/// How the calls to AWS went.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Calls<'a> {
    attempts: u32,
    calls: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aws_code: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    confirmed_by_read: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    statement_differs: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    blamed: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_bytes_before: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_bytes_left: Option<usize>,
}

impl<'a> Line<'a> {
    pub(super) fn new(record: Record, case: &'a Case<'_>) -> Self {
        let origin = case.origin;
        let level = match record {
            Record::Abandoned => "ERROR",
            Record::Intent | Record::Outcome => "INFO",
        };
        let duration =
            matches!(record, Record::Outcome | Record::Abandoned).then(|| milliseconds(case.started.elapsed()));
        Self {
            timestamp: timestamp(SystemTime::now()),
            level,
            r#type: "audit",
            record,
            request_id: cut(case.request_id, MOST_WORD),
            event_id: origin.event_id.as_ref().map(|id| cut(case.secrets.hide(id.as_str().into()), MOST_WORD)),
            door: origin.door.map(|door| door.as_str()),
            requester: origin.requester.as_ref().map(|requester| match requester.id() {
                Some(id) => cut(case.secrets.hide(id), MOST_VALUE),
                None => Cow::Borrowed(requester.word()),
            }),
            operation: case.operation.map(|operation| operation.as_str()),
            asked: None,
            rule: None,
            decision: None,
            outcome: None,
            code: None,
            retryable: None,
            errors: Vec::new(),
            rules: Vec::new(),
            rules_checked: None,
            swept_dry: false,
            swept_to: None,
            carries_on_at: None,
            written: None,
            allowlist_version: case.held.and_then(Held::version),
            allowlist_age_seconds: case.held.and_then(Held::age).map(|age| age.as_secs()),
            duration_ms: duration,
            metrics: None,
            ended: None,
        }
    }

    pub(super) fn approved<A: Asked>(self, approved: &'a Approved<A>) -> Self {
        let line = self.asked(approved.asked(), approved.resource(), approved.statement_id());
        Self { rule: Some(approved.rule()), decision: Some("allowed"), ..line }
    }

    pub(super) fn admitted(self, admitted: &'a Admitted) -> Self {
        let line = self.read(admitted.read(), admitted.resource());
        // Of a carry for which every grant was denied, that it was let in to look is not the decision.
        Self { rule: Some(admitted.rule()), decision: line.decision.or(Some("allowed")), ..line }
    }

    pub(super) fn asked(self, asked: &'a impl Asked, resource: &'a str, statement_id: &'a StatementId) -> Self {
        let about = About {
            target: cut(resource, MOST_VALUE),
            statement_id: Some(statement_id.as_str()),
            parties: asked.grant().map(Parties::of),
            fingerprint: asked.fingerprint().map(Fingerprint::as_str),
            revision_id: asked.revision_id().map(RevisionId::as_str),
            expires_at: asked.expiry().map(|expiry| expiry.at().to_rfc_3339()),
            reason: asked.reason().map(|reason| cut(reason, MOST_REASON)),
            dry_run: asked.is_dry_run(),
            takes_back: asked.takes_back(),
        };
        Self { asked: Some(about), ..self }
    }

    /// What the statement gave that a revoke has taken away, as far as it was seen and as a grant can say it.
    pub(super) fn took_away(self, gave: Option<&'a Grant>, fingerprint: Option<&'a Fingerprint>) -> Self {
        let fingerprint = fingerprint.map(Fingerprint::as_str);
        let about = self.asked.map(|about| About {
            parties: gave.map(Parties::of),
            fingerprint: fingerprint.or(about.fingerprint),
            ..about
        });
        Self { asked: about, ..self }
    }

    pub(super) fn read(self, read: &'a Read, resource: &'a str) -> Self {
        let line = self.about(resource, None, read.is_dry_run());
        let reason = read.reason().map(|reason| cut(reason, MOST_REASON));
        Self { asked: line.asked.map(|about| About { reason, ..about }), ..line }
    }

    /// A target, and a statement that nobody asks for by itself.
    pub(super) fn about(self, resource: &'a str, statement_id: Option<&'a StatementId>, dry_run: bool) -> Self {
        let about = About {
            target: cut(resource, MOST_VALUE),
            statement_id: statement_id.map(StatementId::as_str),
            parties: None,
            fingerprint: None,
            revision_id: None,
            expires_at: None,
            reason: None,
            dry_run,
            takes_back: false,
        };
        Self { asked: Some(about), ..self }
    }

    pub(super) fn ended(self, ending: Result<Outcome, Code>) -> Self {
        let Err(code) = ending else {
            let ended = ending.ok();
            return Self { outcome: ended.map(Outcome::as_str), ended, ..self };
        };
        let (level, decision) = match code.kind() {
            Kind::Malformed | Kind::Invalid | Kind::Conflict => ("WARN", None),
            Kind::Denied => ("WARN", Some("denied")),
            Kind::Refused | Kind::Blocked | Kind::Transient => ("ERROR", None),
        };
        Self {
            level,
            decision,
            outcome: Some(code.kind().outcome().as_str()),
            ended: Some(code.kind().outcome()),
            code: Some(code.as_str()),
            retryable: Some(code.kind().retryable()),
            ..self
        }
    }

    pub(super) fn faults(self, faults: &'a [Fault]) -> Self {
        let of = |fault: &'a Fault| Reason { pointer: &fault.pointer, code: fault.code.as_str() };
        Self { errors: faults.iter().take(MOST_LISTED).map(of).collect(), ..self }
    }

    pub(super) fn refusal(self, refusal: &'a Refusal) -> Self {
        let Refusal { faults, rules } = refusal;
        let code = faults.first().map_or(Code::Internal, |fault| fault.code);
        let of = |(rule, code): &'a (Box<str>, Code)| RuleReason { rule, code: code.as_str() };
        let line = self.ended(Err(code)).faults(faults);
        Self { rules: rules.iter().take(MOST_LISTED).map(of).collect(), rules_checked: Some(rules.len()), ..line }
    }

    pub(super) fn swept(self, to: Option<&'a str>, dry_run: bool) -> Self {
        Self { swept_to: to, swept_dry: dry_run, ..self }
    }

    /// When the rest of a carry is carried over.
    pub(super) fn carries_on(self, at: Option<Moment>) -> Self {
        Self { carries_on_at: at.map(Moment::to_rfc_3339), ..self }
    }

    pub(super) fn written(self, written: &'a Written) -> Self {
        let calls = Calls {
            attempts: written.attempts,
            calls: &written.calls,
            aws_request_id: written.aws_request_id.as_deref(),
            aws_code: written.aws_code.as_deref(),
            confirmed_by_read: written.confirmed_by_read,
            statement_differs: written.differs,
            blamed: written.blamed.get(..MOST_LISTED).unwrap_or(&written.blamed),
            policy_bytes_before: written.policy.as_ref().and_then(Fill::bytes_before),
            policy_bytes: written.policy.as_ref().map(Fill::bytes),
            policy_bytes_left: written.policy.as_ref().map(Fill::left),
        };
        let remarkable = written.differs || written.policy.as_ref().is_some_and(Fill::is_nearly_full);
        let level = if remarkable && self.level == "INFO" { "WARN" } else { self.level };
        Self { written: Some(calls), level, ..self }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = ascii(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl<'a> Parties<'a> {
    fn of(grant: &'a Grant) -> Self {
        let conditions = grant.conditions();
        Self {
            action: cut(grant.action().as_str(), MOST_WORD),
            principal: cut(grant.principal().as_str(), MOST_VALUE),
            source_arn: conditions.source_arn.as_ref().map(|arn| cut(arn.as_str(), MOST_VALUE)),
            source_account: conditions.source_account.map(|account| account.to_string()),
            organization_id: conditions.organization.as_ref().map(|id| id.as_str()),
            function_url_auth_type: conditions.function_url_auth_type.map(|auth| auth.as_str()),
            invoked_via_function_url: conditions.invoked_via_function_url,
            event_source_token: conditions.event_source_token.as_ref().map(|_| "present"),
        }
    }
}
