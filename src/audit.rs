//! The audit: one record is one line of ASCII JSON, one write and one flush, before and after.
//!
//! It is a write that can fail, not a log event: no level filters it, and what it cannot write does
//! not happen. An [`Intent`] exists only once its line is written, and the call to AWS needs one; a
//! [`Recorded`] exists only once the outcome's line is written, and a reply needs one.

mod line;
mod sink;

pub(crate) use line::timestamp;

use std::borrow::Cow;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::value::RawValue;

use crate::allowlist::{Approved, Denied};
use crate::error::{Code, Fault};
use crate::event::{Door, Origin};
use crate::outcome::Outcome;
use crate::policy::{Ending, Written};
use crate::request::Operation;
use crate::requester::Requester;
use crate::resource::Own;
use crate::secret::Secrets;
use line::{Line, Record};
use sink::Sink;

/// Where audit lines go.
pub struct Audit {
    sink: Mutex<Sink>,
}

/// A line could not be written, so what it would have recorded must not happen or be told.
#[derive(Debug)]
pub(crate) struct Unrecorded;

/// One request on its way, for the records about it.
pub(crate) struct Case<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) origin: &'a Origin,
    pub(crate) own: Option<&'a Own>,
    pub(crate) operation: Option<Operation>,
    /// What no record and no reply may show.
    pub(crate) secrets: Secrets,
    pub(crate) started: Instant,
}

impl<'a> Case<'a> {
    /// A request that starts now.
    pub(crate) fn new(request_id: &'a str, origin: &'a Origin, own: Option<&'a Own>) -> Self {
        Self { request_id, origin, own, operation: None, secrets: Secrets::default(), started: Instant::now() }
    }

    /// Whether its identity or its event id would show a secret of the request.
    pub(crate) fn shows_a_secret(&self) -> bool {
        let requester = self.origin.requester.as_ref().and_then(Requester::id);
        let event_id = self.origin.event_id.as_ref().map(|id| Cow::Borrowed(id.as_str()));
        [requester, event_id].into_iter().flatten().any(|text| self.secrets.are_in(&text))
    }
}

/// Proof that the intention to grant stands in the audit. AWS is not called without one.
///
/// Nothing but a written line makes it:
///
/// ```compile_fail,E0451
/// # use permission_broker::{allowlist::Approved, audit::Intent};
/// # fn forge(approved: Approved) -> Intent<'static> {
/// Intent { audit: todo!(), case: todo!(), approved, concluded: false }
/// # }
/// ```
pub struct Intent<'a> {
    audit: &'a Audit,
    case: &'a Case<'a>,
    approved: Approved,
    concluded: bool,
}

/// Proof that the outcome stands in the audit. No reply is made without one.
///
/// ```compile_fail,E0451
/// # use permission_broker::audit::Recorded;
/// # fn forge() -> Recorded {
/// Recorded { verdict: todo!() }
/// # }
/// ```
#[derive(Debug)]
pub struct Recorded {
    verdict: Verdict,
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
    pub(crate) revision_id: Option<String>,
    pub(crate) rule: Option<Box<str>>,
    /// How many rules the request breaks.
    pub(crate) broken: usize,
    /// The first of them.
    pub(crate) faults: Vec<Fault>,
    /// The first rules that do not allow it.
    pub(crate) rules: Vec<(Box<str>, Code)>,
}

impl Recorded {
    pub(crate) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Lets go of what no reply lists: a batch would otherwise hold every reason of all its requests at once.
    pub(crate) fn listing(mut self, most: usize) -> Self {
        self.verdict.faults.truncate(most);
        self.verdict.faults.shrink_to_fit();
        self.verdict.rules.truncate(most);
        self.verdict.rules.shrink_to_fit();
        self
    }
}

impl Audit {
    /// An audit that writes to a sink; in Lambda, standard output.
    pub fn new(sink: impl Write + Send + 'static) -> Self {
        Self { sink: Mutex::new(Sink::new(sink)) }
    }

    /// Records that a grant is about to be made.
    pub(crate) fn intent<'a>(&'a self, case: &'a Case<'a>, approved: Approved) -> Result<Intent<'a>, Unrecorded> {
        self.write(&Line::new(Record::Intent, case).approved(&approved))?;
        Ok(Intent { audit: self, case, approved, concluded: false })
    }

    /// Records a request that is refused before its grant was understood.
    pub(crate) fn refused(&self, case: &Case<'_>, faults: Vec<Fault>) -> Result<Recorded, Unrecorded> {
        let code = faults.first().map_or(Code::Internal, |fault| fault.code);
        self.write(&Line::new(Record::Outcome, case).ended(Err(code)).faults(&faults))?;
        Ok(Recorded { verdict: Verdict { broken: faults.len(), faults, ..Verdict::of(case, Err(code)) } })
    }

    /// Records a grant that the allowlist does not allow.
    pub(crate) fn denied(&self, case: &Case<'_>, denied: Denied, own: &Own) -> Result<Recorded, Unrecorded> {
        let Denied { grant, faults, rules } = denied;
        let code = faults.first().map_or(Code::Internal, |fault| fault.code);
        let resource = grant.target().arn(own);
        let statement_id = grant.statement_id(own);
        let line = Line::new(Record::Outcome, case).ended(Err(code)).faults(&faults).rules(&rules);
        self.write(&line.grant(&grant, &resource, statement_id.as_str()))?;
        let (resource, statement_id) = (Some(resource), Some(statement_id.as_str().to_owned()));
        let verdict = Verdict { broken: faults.len(), faults, rules, ..Verdict::of(case, Err(code)) };
        Ok(Recorded { verdict: Verdict { resource, statement_id, ..verdict } })
    }

    /// Records a grant that is allowed but not made: a dry run, or one for which there is no time.
    pub(crate) fn not_made(
        &self,
        case: &Case<'_>,
        approved: &Approved,
        ending: Result<Outcome, Code>,
        statement: Option<Box<RawValue>>,
    ) -> Result<Recorded, Unrecorded> {
        self.write(&Line::new(Record::Outcome, case).ended(ending).approved(approved))?;
        Ok(Recorded { verdict: Verdict { statement, ..Verdict::of(case, ending).approved(approved) } })
    }

    fn write(&self, line: &Line<'_>) -> Result<(), Unrecorded> {
        let bytes = line.to_bytes().map_err(|_| Unrecorded)?;
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.write_line(&bytes).map_err(|_| Unrecorded)
    }
}

impl Intent<'_> {
    /// The grant it stands for.
    pub fn approved(&self) -> &Approved {
        &self.approved
    }

    /// The door that its request came through.
    pub(crate) fn door(&self) -> Option<Door> {
        self.case.origin.door
    }

    /// Records how the call went.
    pub(crate) fn outcome(mut self, mut written: Written) -> Result<Recorded, Unrecorded> {
        written.withhold(&self.case.secrets);
        let ending = match written.ending {
            Ending::Done(outcome) => Ok(outcome),
            Ending::Not(code) => Err(code),
        };
        // From here on an outcome was reached; if its line fails there is nothing truer to write.
        self.concluded = true;
        let line = Line::new(Record::Outcome, self.case).ended(ending).approved(&self.approved).written(&written);
        self.audit.write(&line)?;
        let statement = match (&written.statement, self.case.own) {
            (Some(statement), Some(own)) => Some(statement.shown(own)),
            _ => None,
        };
        let statement = statement.filter(|shown| !self.case.secrets.are_in(shown.get()));
        let verdict = Verdict::of(self.case, ending).approved(&self.approved);
        Ok(Recorded { verdict: Verdict { statement, revision_id: written.revision_id, ..verdict } })
    }
}

/// A panic or a cancelled call leaves a trace of its own: whether AWS was reached is then unknown.
impl Drop for Intent<'_> {
    fn drop(&mut self) {
        if !self.concluded {
            let line =
                Line::new(Record::Abandoned, self.case).ended(Err(Code::OutcomeUnknown)).approved(&self.approved);
            // Nobody is left to tell if this fails too; the intent without an outcome says as much.
            let _ = self.audit.write(&line);
        }
    }
}

impl Verdict {
    fn of(case: &Case<'_>, ending: Result<Outcome, Code>) -> Self {
        Self {
            outcome: Some(ending.unwrap_or_else(|code| code.kind().outcome())),
            code: ending.err(),
            request_id: case.request_id.to_owned(),
            operation: case.operation,
            ..Self::default()
        }
    }

    fn approved(self, approved: &Approved) -> Self {
        Self {
            resource: Some(approved.resource().to_owned()),
            statement_id: Some(approved.statement_id().as_str().to_owned()),
            rule: Some(approved.rule().into()),
            ..self
        }
    }
}
