//! What a change would meet, found out without making it.

use aws_sdk_lambda::Client;

use super::{Budget, Ending, Fill, Seen, Written, read};
use crate::allowlist::Approved;
use crate::asked::Asked;
use crate::error::Code;
use crate::grant::RevisionId;
use crate::outcome::Outcome;
use crate::revoke::Revoke;
use crate::statement::{Found, Statement, find};

/// What a grant would meet, in the policy as it is or as another grant of the same request would leave it.
pub(crate) async fn preview(client: &Client, approved: &Approved, after: Option<&Fill>, budget: Budget) -> Written {
    let expected = Statement::expected(approved);
    let fill = |document: Option<&str>| after.cloned().unwrap_or_else(|| Fill::of(document));
    let Seen { written, document, .. } = read(client, approved.grant().given(), budget).await;
    let free = Ending::Done(Outcome::WouldGrant);
    match (written.ending(), document) {
        (Ok(_), Some(document)) => {
            let mut written = written;
            let ending = written.meets(&expected, fill(Some(&document)), Some(&document));
            let ending = ending.or_else(|| another_revision(approved.asked(), written.revision_id.as_deref()));
            if let Some(Ending::Not(_)) = ending {
                written.policy = written.policy.map(Fill::before);
            }
            Written { ending: ending.unwrap_or(free), statement: written.statement.or(Some(expected)), ..written }
        }
        // AWS shows no policy of a target that has none, nor of one that is not there.
        (Err(Code::TargetNotFound), _) => {
            let mut written = Written { aws_code: None, ..written };
            let ending = written.meets(&expected, fill(None), None).unwrap_or(free);
            Written { ending, statement: Some(expected), ..written }
        }
        _ => written,
    }
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

/// What a revoke would meet.
pub(crate) async fn preview_revoke(client: &Client, approved: &Approved<Revoke>, budget: Budget) -> Written {
    let Seen { mut written, document, .. } = read(client, approved.asked().given(), budget).await;
    let Some(document) = document else { return written };
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
    written
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
