//! What a request came to, for whoever replies.

use serde::Serialize;
use serde_json::value::RawValue;

use super::Case;
use crate::allowlist::{Approved, Refusal};
use crate::asked::Asked;
use crate::error::{Code, Fault};
use crate::expiry::Expiry;
use crate::grant::Fingerprint;
use crate::outcome::Outcome;
use crate::policy::{Fill, Written};
use crate::request::Operation;

/// What one of several grants of a request came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    /// Where it is, if not where the request says.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_store: Option<Box<RawValue>>,
}

impl Part {
    /// The same on another target than the request's.
    pub(crate) fn on(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    pub(super) fn of(verdict: &Verdict) -> Self {
        Self {
            outcome: verdict.outcome.map_or("", Outcome::as_str),
            code: verdict.code.map(Code::as_str),
            statement_id: verdict.statement_id.clone(),
            statement: verdict.statement.clone(),
            fingerprint: verdict.fingerprint.as_ref().map(|it| it.as_str().to_owned()),
            resource: None,
            would_store: verdict.would_store.clone(),
        }
    }
}

/// What became of a sweep.
pub(crate) struct Swept {
    pub(crate) written: Written,
    pub(crate) parts: Vec<Part>,
    /// What it could not see.
    pub(crate) faults: Vec<Fault>,
    /// The last target that it looked at, if another one goes on from there.
    pub(crate) to: Option<String>,
}

/// How many rules a request breaks: so many, or at least so many.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    pub(crate) rules: usize,
    /// Whether not all of them were looked at.
    and_more: bool,
}

impl Broken {
    pub(super) fn of(faults: &[Fault]) -> Self {
        Self { rules: faults.len(), and_more: faults.iter().any(Fault::is_of_many) }
    }

    /// For a person, who is shown so many of them.
    pub(crate) fn told(&self, listed: usize) -> String {
        let Self { rules, and_more } = self;
        let count = if *and_more { format!("at least {rules}") } else { rules.to_string() };
        let them = if *and_more || listed < *rules { format!("the first {listed}") } else { "them".to_owned() };
        format!("{count} rules are broken; `errors` lists {them}")
    }
}

/// What a request came to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) code: Option<Code>,
    pub(crate) request_id: String,
    pub(crate) operation: Option<Operation>,
    pub(crate) resource: Option<String>,
    pub(crate) statement_id: Option<String>,
    pub(crate) statement: Option<Box<RawValue>>,
    pub(crate) fingerprint: Option<Fingerprint>,
    /// What AWS would be asked to store, if nothing stood in the way; of a dry run.
    pub(crate) would_store: Option<Box<RawValue>>,
    /// When the grant ends.
    pub(crate) expires_at: Option<String>,
    pub(crate) revision_id: Option<String>,
    pub(crate) rule: Option<Box<str>>,
    /// Its grants, if it has several.
    pub(crate) parts: Vec<Part>,
    /// The statements that stand in the way, for whoever has to revoke them.
    pub(crate) blamed: Vec<String>,
    /// Whether its write may have been carried out without anybody having seen it.
    pub(crate) unclear: bool,
    /// Whether it is known by reading the policy, not by AWS's answer to its write.
    pub(crate) confirmed_by_read: bool,
    /// Whether it was not seen to stand beside the other statement of its request.
    pub(crate) alone: bool,
    /// Whether it was not come to, as the schedule that would end it could not be made.
    pub(crate) unbounded: bool,
    /// How full the policy is.
    pub(crate) policy: Option<Fill>,
    /// What the policy holds, if it was read.
    pub(crate) statements: Option<Box<RawValue>>,
    /// How many rules the request breaks.
    pub(crate) broken: Broken,
    /// The first of them.
    pub(crate) faults: Vec<Fault>,
    /// The first rules that do not allow it.
    pub(crate) rules: Vec<(Box<str>, Code)>,
}

impl Verdict {
    pub(super) fn of(case: &Case<'_>, ending: Result<Outcome, Code>) -> Self {
        Self {
            outcome: Some(ending.unwrap_or_else(|code| code.kind().outcome())),
            code: ending.err(),
            request_id: case.request_id.to_owned(),
            operation: case.operation,
            ..Self::default()
        }
    }

    pub(super) fn of_refusal(case: &Case<'_>, refusal: Refusal) -> Self {
        let Refusal { faults, rules } = refusal;
        let code = faults.first().map_or(Code::Internal, |fault| fault.code);
        Self { broken: Broken::of(&faults), faults, rules, ..Self::of(case, Err(code)) }
    }

    pub(super) fn approved<A: Asked>(self, approved: &Approved<A>) -> Self {
        Self {
            resource: Some(approved.resource().to_owned()),
            statement_id: Some(approved.statement_id().as_str().to_owned()),
            expires_at: approved.asked().expiry().map(expires_at),
            rule: Some(approved.rule().into()),
            ..self
        }
    }
}

pub(super) fn expires_at(expiry: &Expiry) -> String {
    expiry.at().to_rfc_3339()
}
