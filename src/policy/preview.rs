//! What a change would meet, found out without making it.

use aws_sdk_lambda::Client;

use super::call::Failure;
use super::{Budget, Ending, Fill, List, Met, Page, Seen, Written, read};
use crate::allowlist::Approved;
use crate::asked::{Asked, Given};
use crate::error::Code;
use crate::grant::RevisionId;
use crate::outcome::Outcome;
use crate::resource::{Qualifier, Target};
use crate::revoke::Revoke;
use crate::statement::{Found, Statement, dead_principals, find};

/// What a grant would meet. What AWS shows of a policy decides, and where it shows none, whether the target is there.
pub(crate) async fn preview(
    client: &Client,
    approved: &Approved,
    budget: Budget,
    reads_first: bool,
    lists: bool,
) -> Written {
    let given = approved.grant().given();
    let seen = look(client, (given, approved.grant().target()), budget, lists).await;
    if !seen.tells_what_stands(given) {
        return seen.written;
    }
    let Seen { written, document, .. } = seen;
    let document = document.as_deref();
    let written = Written { aws_code: None, ..written };
    Met::of(approved, Fill::of(document), document, written).foretold(approved, document, reads_first)
}

/// What a grant would meet in a policy that was read before.
pub(crate) fn foreseen(approved: &Approved, before: Fill, document: &str) -> Written {
    let expected = Statement::expected(approved);
    let mut written = Written::ended(Ending::Done(Outcome::WouldGrant));
    // Without a policy there is no text to look into.
    if let Some(ending) = written.meets(&expected, before, Some(document).filter(|text| !text.is_empty())) {
        written.ending = ending;
    }
    Written { statement: written.statement.or(Some(expected)), ..written }
}

/// The same before the grant is made.
pub(crate) fn met(approved: &Approved, before: Fill, document: &str) -> Met {
    Met::of(approved, before, Some(document).filter(|text| !text.is_empty()), Written::new())
}

/// What a revoke would meet.
pub(crate) async fn preview_revoke(
    client: &Client,
    approved: &Approved<Revoke>,
    budget: Budget,
    lists: bool,
) -> Written {
    let given = approved.asked().given();
    let seen = look(client, (given, approved.asked().target()), budget, lists).await;
    if !seen.tells_what_stands(given) {
        return seen.written;
    }
    let Seen { mut written, document, .. } = seen;
    let Some(document) = document else {
        // Without a policy nothing stands, and AWS says so before it looks at a revision.
        return Written { ending: Ending::Done(Outcome::AlreadyRevoked), aws_code: None, ..written };
    };
    let named = approved.asked().fingerprint();
    written.policy = Some(Fill::of(Some(&document)));
    written.ending = match find(&document, approved.statement_id().as_str()) {
        None => Ending::Not(Code::Unavailable),
        Some(Found::Absent) => Ending::Done(Outcome::AlreadyRevoked),
        Some(Found::Foreign) if named.is_some() => Ending::Not(Code::StatementConflict),
        Some(Found::Foreign) => Ending::Done(Outcome::WouldRevoke),
        Some(Found::Statement(stored)) => {
            let same = named.is_none_or(|named| stored.fingerprint() == *named);
            written.statement = Some(*stored);
            if same { Ending::Done(Outcome::WouldRevoke) } else { Ending::Not(Code::StatementConflict) }
        }
    };
    if let Ending::Done(Outcome::WouldRevoke) = written.ending
        && let Some(ending) = another_revision(approved.asked(), written.revision_id.as_deref())
    {
        written.ending = ending;
    }
    if let Ending::Done(Outcome::WouldRevoke) = written.ending {
        written.policy = Fill::without(&document, approved.statement_id().as_str()).or(written.policy);
    }
    written
}

/// Reads a policy without a change in mind. Where AWS's lists may be had, a function without a policy that is on none of
/// them is missing.
pub(super) async fn look(client: &Client, (given, target): (&Given, &Target), budget: Budget, lists: bool) -> Seen {
    let mut seen = read(client, given, budget).await;
    seen.missing |= lists && seen.is_on_no_list(client, target, budget).await;
    seen
}

impl Seen {
    /// Whether it says what stands on the target: its policy, or that it has none. Of a layer version that is not there AWS
    /// says so; a function that is not there looks like one without a policy.
    fn tells_what_stands(&self, given: &Given) -> bool {
        let none = matches!(self.written.ending(), Err(Code::TargetNotFound));
        self.document.is_some()
            || (none && !self.missing && (self.no_policy || matches!(given, Given::Function { .. })))
    }

    /// Whether a function, version or alias without a policy is not there: AWS's lists tell, where the role may have them.
    /// Of more names than the first page has it is taken to be there.
    async fn is_on_no_list(&mut self, client: &Client, target: &Target, budget: Budget) -> bool {
        let (Err(Code::TargetNotFound), Target::Function(function)) = (self.written.ending(), target) else {
            return false;
        };
        let Some(time) = budget.of_call() else { return false };
        let qualifier = function.qualifier().map(Qualifier::as_str);
        let is_version = qualifier.is_some_and(|qualifier| qualifier.bytes().all(|byte| byte.is_ascii_digit()));
        let name = function.name();
        let list = if is_version { List::VersionsOf(name) } else { List::AliasesOf(name) };
        let answer = list.page(client, None, time).await;
        self.written.calls.push(format!("list:{}", answer.seen));
        match answer.result {
            Err(Failure::Final(Code::TargetNotFound)) => !answer.cut_short,
            Ok(Page { names: Some(names), next }) => {
                let whole = next.is_none_or(|next| next.is_empty());
                whole && qualifier.is_some_and(|qualifier| !names.iter().any(|name| name == qualifier))
            }
            _ => false,
        }
    }
}

impl Met {
    /// What a dry run says of it: what the real run would come to, by the broker's own look and then by AWS's checks in
    /// their order, the revision, the principals of the policy, its size.
    pub(super) fn foretold(self, approved: &Approved, document: Option<&str>, reads_first: bool) -> Written {
        let Self { mut written, ending, expected, bytes_with } = self;
        let blamed = document.and_then(dead_principals);
        let revision = another_revision(approved.asked(), written.revision_id.as_deref());
        let by_aws = revision.or(blamed.is_some().then_some(Ending::Not(Code::DeadPrincipal)));
        let ending = match ending {
            None => by_aws,
            // Who does not read the policy first hears of its size from AWS, and last.
            Some(Ending::Not(Code::PolicyFull)) if !reads_first => by_aws.or(Some(Ending::Not(Code::PolicyFull))),
            ending => ending,
        };
        if let Some(Ending::Not(Code::DeadPrincipal)) = ending {
            written.blamed = blamed.unwrap_or_default();
        }
        match ending {
            None => Written { ending: Ending::Done(Outcome::WouldGrant), statement: Some(expected), ..written },
            Some(ending @ Ending::Done(_)) => Written { ending, ..written },
            Some(ending) => {
                let policy = Some(Fill::of(document).wanting(bytes_with));
                Written { ending, policy, would_store: Some(expected), ..written }
            }
        }
    }
}

/// The ending of a change that names another revision than the policy has.
fn another_revision(asked: &impl Asked, revision: Option<&str>) -> Option<Ending> {
    let named = asked.revision_id().map(RevisionId::as_str);
    (named.is_some() && named != revision).then_some(Ending::Not(Code::RevisionChanged))
}

impl Written {
    /// Compares a statement that is to be added with the policy: the ending, unless it can be added.
    pub(super) fn meets(&mut self, expected: &Statement, before: Fill, document: Option<&str>) -> Option<Ending> {
        let found = document.map_or(Some(Found::Absent), |document| find(document, expected.sid()));
        let (ending, fill) = match found {
            None => (Some(Ending::Not(Code::Unavailable)), before),
            Some(Found::Foreign) => (Some(Ending::Not(Code::StatementConflict)), before),
            Some(Found::Statement(stored)) => {
                let same = *stored == *expected;
                self.statement = Some(*stored);
                let done = Ending::Done(Outcome::AlreadyGranted);
                (Some(if same { done } else { Ending::Not(Code::StatementConflict) }), before)
            }
            Some(Found::Absent) => {
                let after = before.clone().with(expected);
                // What stands is what is told of a policy that takes no more.
                let full = after.is_too_large();
                (full.then_some(Ending::Not(Code::PolicyFull)), if full { before } else { after })
            }
        };
        self.policy = Some(fill);
        ending
    }
}
