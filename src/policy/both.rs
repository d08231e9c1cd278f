//! Two statements of one request, and what the policy says of both before either is written.

use aws_sdk_lambda::Client;

use super::preview::look;
use super::{Budget, Ending, Fill, Seen, Written};
use crate::allowlist::Approved;
use crate::asked::Asked;
use crate::audit::Recorded;
use crate::error::Code;
use crate::grant::Fingerprint;
use crate::outcome::Outcome;
use crate::statement::{Found, Statement, find};

/// What a policy that was seen says of a statement that is to be added.
pub(crate) struct Met {
    pub(super) written: Written,
    /// The ending, unless it can be added.
    pub(super) ending: Option<Ending>,
    pub(super) expected: Statement,
    /// The bytes of the policy with the statement in it.
    pub(super) bytes_with: usize,
}

/// A statement by its id and its meaning.
#[derive(Clone)]
pub(crate) struct Named {
    sid: String,
    fingerprint: Fingerprint,
}

/// The statement that another one of the same request has to stand beside.
pub(crate) struct Other {
    named: Named,
    /// Whether AWS has told this request, and nobody else, that it is written: nobody else takes it back.
    ours: bool,
    /// Whether the policy was seen with both in it.
    seen: bool,
}

/// One of the two cannot be added, or the policy could not be read: nothing is to be written.
pub(crate) struct Refused {
    /// Whether it is the second.
    pub(crate) second: bool,
    /// The other one, if that stands there.
    pub(crate) other: Option<Box<Written>>,
    pub(crate) written: Written,
}

impl Named {
    /// A grant as it is to stand.
    pub(crate) fn expected(approved: &Approved) -> Self {
        let expected = Statement::expected(approved);
        Self { sid: expected.sid().to_owned(), fingerprint: expected.fingerprint() }
    }

    /// The same as AWS made it, where that is known.
    pub(crate) fn stored(self, stored: Option<&Fingerprint>) -> Self {
        Self { fingerprint: stored.cloned().unwrap_or(self.fingerprint), ..self }
    }

    pub(super) fn stands_in(&self, document: &str) -> bool {
        let found = find(document, &self.sid);
        matches!(found, Some(Found::Statement(stored)) if stored.fingerprint() == self.fingerprint)
    }
}

impl Other {
    /// What a request has granted, or found.
    pub(crate) fn of(named: Named, recorded: &Recorded, seen: bool) -> Self {
        let verdict = recorded.verdict();
        Self { named, ours: recorded.outcome() == Some(Outcome::Granted) && !verdict.confirmed_by_read, seen }
    }

    pub(super) fn stands_in(&self, document: &str) -> bool {
        self.named.stands_in(document)
    }

    pub(super) fn was_seen(&self) -> bool {
        self.seen
    }

    pub(super) fn is_ours(&self) -> bool {
        self.ours
    }
}

impl Met {
    /// Compares a grant with a policy of this size.
    pub(super) fn of(approved: &Approved, before: Fill, document: Option<&str>, mut written: Written) -> Self {
        let expected = Statement::expected(approved);
        let (alone, with) = (before.bytes(), before.clone().with(&expected).bytes());
        let ending = written.meets(&expected, before, document);
        let bytes_with = if stands(ending.as_ref()) { alone } else { with };
        Self { written, ending, expected, bytes_with }
    }

    /// Whether the statement stands there.
    pub(crate) fn stands(&self) -> bool {
        stands(self.ending.as_ref())
    }

    /// What is to be recorded of the statement if it stands there, and nothing else comes of it.
    pub(crate) fn standing(&self) -> Option<Written> {
        self.stands().then(|| Written::standing(self.expected.clone()))
    }

    fn refused(&self) -> Option<Code> {
        match self.ending {
            Some(Ending::Not(code)) => Some(code),
            _ => None,
        }
    }
}

fn stands(ending: Option<&Ending>) -> bool {
    matches!(ending, Some(Ending::Done(Outcome::AlreadyGranted)))
}

/// Reads the policy once, and compares both grants with it as they would be made: one after the other. The call is
/// noted with the first.
///
/// What stands is known before anything is written, so that a conflict of the second leaves the first
/// unwritten, and nothing is taken back that was there before.
pub(crate) async fn meet_both(client: &Client, both: [&Approved; 2], budget: Budget) -> Result<[Met; 2], Refused> {
    let (_, [mut first, mut second]) = seen(client, both, budget, false).await?;
    if let Some(code) = first.refused() {
        let other = second.standing().map(Box::new);
        return Err(Refused { second: false, other, written: first.written.without_it(code) });
    }
    if let Some(code) = second.refused() {
        let other = first.standing().map(Box::new);
        let Written { calls, aws_request_id, revision_id, .. } = first.written;
        let written = Written { calls, aws_request_id, revision_id, ..second.written };
        return Err(Refused { second: true, other, written: written.without_it(code) });
    }
    if !(first.stands() && second.stands()) {
        // A write changes it.
        (first.written.revision_id, second.written.revision_id) = (None, None);
    }
    Ok([first, second])
}

/// What a dry run says of both.
pub(crate) async fn preview_both(
    client: &Client,
    both: [&Approved; 2],
    budget: Budget,
    lists: bool,
) -> Result<[Written; 2], Refused> {
    let (document, [first, second]) = seen(client, both, budget, lists).await?;
    let document = document.as_deref();
    let bytes_with = second.bytes_with;
    let [one, other] = both;
    let mut told = [first.foretold(one, document, true), second.foretold(other, document, true)];
    if told.iter().any(|written| written.ending().is_err()) {
        // Both or neither: nothing of it would be there.
        told.iter_mut().for_each(|written| written.policy = Some(Fill::of(document).wanting(bytes_with)));
    }
    Ok(told)
}

async fn seen(
    client: &Client,
    [first, second]: [&Approved; 2],
    budget: Budget,
    lists: bool,
) -> Result<(Option<String>, [Met; 2]), Refused> {
    let grant = first.grant();
    let Seen { written, document, missing, .. } = look(client, (grant.given(), grant.target()), budget, lists).await;
    let written = match written.ending() {
        Err(Code::TargetNotFound) if missing => return Err(Refused { second: false, other: None, written }),
        Ok(_) => written,
        // AWS shows no policy of a function that has none, nor of one that is not there.
        Err(Code::TargetNotFound) => Written { aws_code: None, ..written },
        Err(code @ (Code::AccessDenied | Code::Throttled | Code::TimedOut | Code::Internal)) => {
            return Err(Refused { second: false, other: None, written: written.but(code) });
        }
        // What a read is refused for says nothing about the grant.
        Err(_) => return Err(Refused { second: false, other: None, written: written.but(Code::Unavailable) }),
    };
    let revision_id = written.revision_id.clone();
    let text = document.as_deref();
    let first = Met::of(first, Fill::of(text), text, written);
    let after = Fill::of(text);
    let after = if first.stands() { after } else { after.with(&first.expected) };
    let second = Met::of(second, after, text, Written { revision_id, ..Written::new() });
    Ok((document, [first, second]))
}

impl Written {
    /// A statement that was seen in the policy, and that nothing is done about.
    fn standing(statement: Statement) -> Self {
        Self { statement: Some(statement), ..Self::ended(Ending::Done(Outcome::AlreadyGranted)) }
    }

    /// The same of a grant that stands as it was asked for.
    pub(crate) fn standing_as(approved: &Approved) -> Self {
        Self::standing(Statement::expected(approved))
    }

    /// The ending without the statement that was to come, and the policy as it is.
    fn without_it(self, code: Code) -> Self {
        let written = self.but(code);
        Self { policy: written.policy.map(Fill::before), ..written }
    }
}
