//! The audit: one record is one line of ASCII JSON, one write and one flush, before and after.
//!
//! It is a write that can fail, not a log event: no level filters it, and what it cannot write does
//! not happen. An [`Intent`] exists only once its line is written, and the call to AWS needs one; a
//! [`Recorded`] exists only once the outcome's line is written, and a reply needs one.

mod line;
mod publication;
mod sink;
mod text;
mod verdict;

use std::borrow::Cow;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::value::RawValue;

use crate::allowlist::{self, Admitted, Allowlist, Approved, Denied};
use crate::asked::Asked;
use crate::error::{Code, Fault};
use crate::event::{Door, Origin};
use crate::expiry::Moment;
use crate::grant::{Fingerprint, Grant, StatementId};
use crate::outcome::Outcome;
use crate::policy::{Fill, Written};
use crate::read::Read;
use crate::request::Operation;
use crate::requester::Requester;
use crate::resource::Own;
use crate::results::Outbox;
use crate::secret::Secrets;
use crate::source::Held;
use crate::statement::Statement;
use line::{Line, Record};
pub(crate) use publication::Publication;
use sink::Sink;
pub(crate) use text::timestamp;
use verdict::expires_at;
pub(crate) use verdict::{Broken, Part, Swept, Verdict};

/// Where audit lines go.
pub struct Audit {
    sink: Mutex<Sink>,
    /// Whether outcomes carry metrics.
    metrics: bool,
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
    /// Whether only the answer is wanted.
    pub(crate) dry_run: bool,
    /// What it is decided by; without one, nothing is allowed.
    pub(crate) allowlist: &'a Allowlist,
    /// The same, and how new it is.
    pub(crate) held: Option<&'a Held>,
    /// Where its outcomes wait to be published.
    outbox: Option<&'a Outbox>,
    /// What the time is.
    pub(crate) now: Moment,
}

impl<'a> Case<'a> {
    /// A request that starts now.
    pub(crate) fn new(
        request_id: &'a str,
        origin: &'a Origin,
        own: Option<&'a Own>,
        held: Option<&'a Held>,
        outbox: Option<&'a Outbox>,
        now: Moment,
    ) -> Self {
        let (operation, secrets, started) = (None, Secrets::default(), Instant::now());
        let allowlist = held.map_or(&allowlist::NOTHING, Held::allowlist);
        Self { request_id, origin, own, operation, secrets, started, dry_run: false, allowlist, held, outbox, now }
    }

    /// Whether its identity or its event id would show a secret of the request.
    pub(crate) fn shows_a_secret(&self) -> bool {
        let requester = self.origin.requester.as_ref().and_then(Requester::id);
        let event_id = self.origin.event_id.as_ref().map(|id| Cow::Borrowed(id.as_str()));
        [requester, event_id].into_iter().flatten().any(|text| self.secrets.are_in(&text))
    }
}

/// Proof that the intention to grant, or to revoke, stands in the audit. AWS is not called without one.
///
/// Nothing but a written line makes it:
///
/// ```compile_fail,E0451
/// # use permission_broker::{allowlist::Approved, audit::Intent};
/// # fn forge(approved: Approved) -> Intent<'static> {
/// Intent { audit: todo!(), case: todo!(), approved, concluded: false }
/// # }
/// ```
pub struct Intent<'a, A: Asked = Grant> {
    audit: &'a Audit,
    case: &'a Case<'a>,
    approved: Approved<A>,
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

impl Recorded {
    pub(crate) fn code(&self) -> Option<Code> {
        self.verdict.code
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.verdict.outcome
    }

    /// How full the policy is, as far as it was looked at.
    pub(crate) fn policy(&self) -> Option<&Fill> {
        self.verdict.policy.as_ref()
    }

    /// What it came to, as one of several.
    pub(crate) fn part(&self) -> Part {
        Part::of(&self.verdict)
    }

    /// Two recorded grants of one request, as one. If the second ended without success, that is the ending.
    pub(crate) fn and(self, second: Self) -> Self {
        if second.code().is_some() {
            return second;
        }
        let outcomes = [self.outcome(), second.outcome()];
        // Only if nothing was to do for either was nothing to do.
        let outcome = outcomes.into_iter().flatten().find(|it| *it != Outcome::AlreadyGranted).or(self.outcome());
        let parts = [&self.verdict, &second.verdict].map(Part::of).into();
        let policy = second.verdict.policy.map(|policy| policy.since(self.verdict.policy.as_ref()));
        let revision_id = second.verdict.revision_id;
        let verdict = Verdict { outcome, parts, policy, revision_id, ..self.verdict };
        Self { verdict: Verdict { statement_id: None, statement: None, fingerprint: None, ..verdict } }
    }

    /// Two dry runs of one request, as one: both are told, whatever stands in the way of either.
    pub(crate) fn foretold_with(self, second: Self) -> Self {
        if self.code().is_none() && second.code().is_none() {
            return self.and(second);
        }
        let parts = [&self.verdict, &second.verdict].map(Part::of).into();
        let verdict = if self.code().is_some() { self.verdict } else { second.verdict };
        Self { verdict: Verdict { parts, ..verdict } }
    }

    /// The ending of a request of which one statement stands and the other does not: both are told.
    pub(crate) fn beside(self, stands: &Self, is_first: bool) -> Self {
        let (own, other) = (self.part(), stands.part());
        let parts = if is_first { vec![own, other] } else { vec![other, own] };
        Self { verdict: Verdict { parts, ..self.verdict } }
    }

    /// The ending of a request, with what is known of each of its two statements.
    pub(crate) fn telling(self, both: [&Self; 2]) -> Self {
        Self { verdict: Verdict { parts: both.map(Self::part).into(), ..self.verdict } }
    }

    /// A dry run, with the rules that do not allow it beside the one that does.
    pub(crate) fn despite(self, rules: Vec<(Box<str>, Code)>) -> Self {
        Self { verdict: Verdict { rules, ..self.verdict } }
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Lets go of what no reply lists: a batch would otherwise hold every reason of all its requests at once.
    pub(crate) fn listing(mut self, most: usize) -> Self {
        self.verdict.faults.truncate(most);
        self.verdict.faults.shrink_to_fit();
        self.verdict.rules.truncate(most);
        self.verdict.rules.shrink_to_fit();
        self.verdict.blamed.truncate(most);
        self
    }
}

impl Audit {
    /// An audit that writes to a sink; in Lambda, standard output.
    pub fn new(sink: impl Write + Send + 'static) -> Self {
        Self { sink: Mutex::new(Sink::new(sink)), metrics: false }
    }

    /// The same, with metrics in its outcomes or without; from `BROKER_METRICS`.
    pub fn measuring(self, metrics: bool) -> Self {
        Self { metrics, ..self }
    }

    /// Records that a change is about to be made.
    pub(crate) fn intent<'a, A: Asked>(
        &'a self,
        case: &'a Case<'a>,
        approved: Approved<A>,
    ) -> Result<Intent<'a, A>, Unrecorded> {
        self.write(&Line::new(Record::Intent, case).approved(&approved))?;
        Ok(Intent { audit: self, case, approved, concluded: false })
    }

    /// Records a request that is refused before its grant was understood.
    pub(crate) fn refused(&self, case: &Case<'_>, faults: Vec<Fault>) -> Result<Recorded, Unrecorded> {
        let code = faults.first().map_or(Code::Internal, |fault| fault.code);
        self.end(case, Line::new(Record::Outcome, case).ended(Err(code)).faults(&faults), None)?;
        Ok(Recorded { verdict: Verdict { broken: Broken::of(&faults), faults, ..Verdict::of(case, Err(code)) } })
    }

    /// Records a grant or a revoke that the allowlist does not allow.
    pub(crate) fn denied<A: Asked>(
        &self,
        case: &Case<'_>,
        denied: Denied<A>,
        own: &Own,
    ) -> Result<Recorded, Unrecorded> {
        let Denied { asked, refusal } = denied;
        let resource = asked.target().arn(own);
        let statement_id = asked.statement_id(own);
        let expires_at = asked.expiry().map(expires_at);
        let line = Line::new(Record::Outcome, case).refusal(&refusal);
        self.end(case, line.asked(&asked, &resource, &statement_id), None)?;
        let (resource, statement_id) = (Some(resource), Some(statement_id.as_str().to_owned()));
        Ok(Recorded { verdict: Verdict { resource, statement_id, expires_at, ..Verdict::of_refusal(case, refusal) } })
    }

    /// Records a statement of a layer's version that is not carried over to this one, since no grant would make it.
    pub(crate) fn not_carried(
        &self,
        case: &Case<'_>,
        resource: &str,
        statement_id: Option<&StatementId>,
        code: Code,
        dry_run: bool,
    ) -> Result<Recorded, Unrecorded> {
        let line = Line::new(Record::Outcome, case).ended(Err(code)).about(resource, statement_id, dry_run);
        self.end(case, line, None)?;
        let (resource, statement_id) = (Some(resource.to_owned()), statement_id.map(|id| id.as_str().to_owned()));
        Ok(Recorded { verdict: Verdict { resource, statement_id, ..Verdict::of(case, Err(code)) } })
    }

    /// Records a read that the allowlist does not allow.
    pub(crate) fn read_denied(&self, case: &Case<'_>, denied: Denied<Read>, own: &Own) -> Result<Recorded, Unrecorded> {
        let Denied { asked, refusal } = denied;
        let resource = asked.target().arn(own);
        self.end(case, Line::new(Record::Outcome, case).refusal(&refusal).read(&asked, &resource), None)?;
        Ok(Recorded { verdict: Verdict { resource: Some(resource), ..Verdict::of_refusal(case, refusal) } })
    }

    /// Records that the description of the HTTP door was handed out.
    pub(crate) fn described(&self, case: &Case<'_>) -> Result<Recorded, Unrecorded> {
        let ending = Ok(Outcome::Described);
        self.end(case, Line::new(Record::Outcome, case).ended(ending), None)?;
        Ok(Recorded { verdict: Verdict::of(case, ending) })
    }

    /// Records a change that is allowed but not made: a dry run, or one for which there is no time, or no place in the policy.
    pub(crate) fn not_made<A: Asked>(
        &self,
        case: &Case<'_>,
        approved: &Approved<A>,
        written: Written,
    ) -> Result<Recorded, Unrecorded> {
        self.conclude(case, approved, written)
    }

    /// Records what became of a sweep; each removal has its own two records.
    pub(crate) fn swept(&self, case: &Case<'_>, swept: Swept) -> Result<Recorded, Unrecorded> {
        let Swept { written, parts, faults, to } = swept;
        let ending = written.ending();
        let line = Line::new(Record::Outcome, case).ended(ending).faults(&faults).swept(to.as_deref(), case.dry_run);
        self.end(case, line.written(&written), None)?;
        // What could not be seen breaks no rule.
        Ok(Recorded { verdict: Verdict { parts, faults, ..Verdict::of(case, ending) } })
    }

    /// Records what became of the grants of a layer's previous version, and when the rest of them follows.
    pub(crate) fn carried(
        &self,
        case: &Case<'_>,
        admitted: &Admitted,
        written: Written,
        (parts, policy): (Vec<Part>, Option<Fill>),
        on_at: Option<Moment>,
    ) -> Result<Recorded, Unrecorded> {
        let Recorded { verdict } = self.looked(case, admitted, written, on_at)?;
        // On record each grant has it already.
        Ok(Recorded { verdict: Verdict { parts, policy, ..verdict } })
    }

    fn conclude<A: Asked>(
        &self,
        case: &Case<'_>,
        approved: &Approved<A>,
        mut written: Written,
    ) -> Result<Recorded, Unrecorded> {
        written.withhold(&case.secrets);
        let ending = written.ending();
        let fingerprint = written.statement.as_ref().map(Statement::fingerprint);
        let gone = matches!(ending, Ok(Outcome::Revoked | Outcome::WouldRevoke));
        let gave = written.statement.as_ref().filter(|_| gone).and_then(Statement::as_its_grant);
        let line = Line::new(Record::Outcome, case).ended(ending).approved(approved).written(&written);
        let line = if gone { line.took_away(gave.as_ref(), fingerprint.as_ref()) } else { line };
        self.end(case, line, fingerprint.as_ref())?;
        let shown = |statement: Option<&Statement>| {
            let shown = statement.zip(case.own).map(|(statement, own)| statement.shown(own));
            shown.filter(|shown| !case.secrets.are_in(shown.get()))
        };
        let (statement, would_store) = (shown(written.statement.as_ref()), shown(written.would_store.as_ref()));
        let (revision_id, policy, blamed) = (written.revision_id, written.policy, written.blamed);
        let Written { unclear, confirmed_by_read, alone, unbounded, .. } = written;
        let verdict = Verdict::of(case, ending).approved(approved);
        let verdict = Verdict { unclear, confirmed_by_read, alone, unbounded, ..verdict };
        let verdict = Verdict { statement, would_store, fingerprint, ..verdict };
        Ok(Recorded { verdict: Verdict { revision_id, policy, blamed, ..verdict } })
    }

    /// Records a read: it changes nothing, so its outcome is its one record.
    pub(crate) fn read(
        &self,
        case: &Case<'_>,
        admitted: &Admitted,
        written: Written,
        statements: Option<Box<RawValue>>,
    ) -> Result<Recorded, Unrecorded> {
        let Recorded { verdict } = self.looked(case, admitted, written, None)?;
        Ok(Recorded { verdict: Verdict { statements, ..verdict } })
    }

    fn looked(
        &self,
        case: &Case<'_>,
        admitted: &Admitted,
        mut written: Written,
        on_at: Option<Moment>,
    ) -> Result<Recorded, Unrecorded> {
        written.withhold(&case.secrets);
        let ending = written.ending();
        let line = Line::new(Record::Outcome, case).ended(ending).admitted(admitted).written(&written);
        self.end(case, line.carries_on(on_at), None)?;
        let verdict = Verdict {
            resource: Some(admitted.resource().to_owned()),
            rule: Some(admitted.rule().into()),
            revision_id: written.revision_id,
            policy: written.policy,
            ..Verdict::of(case, ending)
        };
        Ok(Recorded { verdict })
    }

    /// Records that results could not be published, or are not known to be.
    pub(crate) fn unpublished(&self, publication: &Publication<'_>) -> Result<(), Unrecorded> {
        self.write_bytes(publication.to_bytes())
    }

    /// Writes an outcome, and puts it aside to be published: what is not on record is not told.
    fn end(&self, case: &Case<'_>, line: Line<'_>, stored: Option<&Fingerprint>) -> Result<(), Unrecorded> {
        let line = if self.metrics { line.measured(case) } else { line };
        self.write(&line)?;
        if let Some(outbox) = case.outbox
            && let Some(event) = line.event(case, stored)
        {
            outbox.put(event);
        }
        Ok(())
    }

    fn write(&self, line: &Line<'_>) -> Result<(), Unrecorded> {
        self.write_bytes(line.to_bytes())
    }

    fn write_bytes(&self, bytes: Result<Vec<u8>, serde_json::Error>) -> Result<(), Unrecorded> {
        let bytes = bytes.map_err(|_| Unrecorded)?;
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.write_line(&bytes).map_err(|_| Unrecorded)
    }
}

impl<A: Asked> Intent<'_, A> {
    /// The change it stands for.
    pub fn approved(&self) -> &Approved<A> {
        &self.approved
    }

    /// The broker's own function.
    pub(crate) fn own(&self) -> Option<&Own> {
        self.case.own
    }

    /// The door that its request came through.
    pub(crate) fn door(&self) -> Option<Door> {
        self.case.origin.door
    }

    /// Records how the call went.
    pub(crate) fn outcome(mut self, written: Written) -> Result<Recorded, Unrecorded> {
        // From here on an outcome was reached; if its line fails there is nothing truer to write.
        self.concluded = true;
        self.audit.conclude(self.case, &self.approved, written)
    }
}

/// A panic or a cancelled call leaves a trace of its own: whether AWS was reached is then unknown.
impl<A: Asked> Drop for Intent<'_, A> {
    fn drop(&mut self) {
        if !self.concluded {
            let line =
                Line::new(Record::Abandoned, self.case).ended(Err(Code::OutcomeUnknown)).approved(&self.approved);
            // Nobody is left to tell if this fails too; the intent without an outcome says as much.
            let _ = self.audit.write(&line);
        }
    }
}
