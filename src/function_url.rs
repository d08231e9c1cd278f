//! `GrantFunctionUrl`: both statements that a caller of a function URL needs, or neither.
//!
//! Since October 2025 a URL asks for two permissions: `lambda:InvokeFunctionUrl` with the URL's auth type, and
//! `lambda:InvokeFunction` for calls through the URL (AWS, controlling access to function URLs). Either alone
//! opens nothing and looks as if it did. So both are decided before the first is written, and if the
//! second fails the first is taken back. Every step has its own two records.

use tokio::time::Instant;

use crate::allowlist::Approved;
use crate::asked::Asked;
use crate::audit::{Case, Recorded, Unrecorded};
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::{Code, Fault};
use crate::event::Received;
use crate::grant::Grant;
use crate::outcome::Outcome;
use crate::policy::{self, Budget, Written};
use crate::reply::Answered;
use crate::request::Request;
use crate::resource::Own;
use crate::revoke::Revoke;

impl Broker {
    /// Grants both statements or neither.
    pub(crate) async fn grant_function_url(
        &self,
        request: Request<'_>,
        received: &Received<'_>,
        case: &Case<'_>,
        own: &Own,
        deadline: Instant,
    ) -> Answered {
        let grants = match Grant::of_function_url(request) {
            Ok(grants) => grants,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let [url, invoke] = grants.map(|grant| self.decide(case, grant, received.requester(), own));
        let (url, invoke) = match (url, invoke) {
            (Ok(url), Ok(invoke)) => (url, invoke),
            (Err(denied), _) | (_, Err(denied)) => return self.audit.denied(case, *denied, own),
        };
        let whole = Budget::new(self.timing, deadline.saturating_duration_since(Instant::now()));
        // What is kept back is for taking the first statement away again.
        let budget = whole.sparing(self.timing.call);
        if !budget.allows_grant() {
            return self.audit.not_made(case, &url, Written::none(Code::TimedOut));
        }
        if url.asked().is_dry_run() {
            let first = boxed(|| policy::preview(&self.client, &url, None, budget)).await;
            let first = self.audit.not_made(case, &url, first)?;
            if first.code().is_some() {
                return Ok(first);
            }
            let after = first.verdict().policy.as_ref();
            let second = boxed(|| policy::preview(&self.client, &invoke, after, budget)).await;
            return Ok(first.and(self.audit.not_made(case, &invoke, second)?));
        }
        self.grant_both(case, [url, invoke], budget, whole).await
    }

    async fn grant_both(&self, case: &Case<'_>, both: [Approved; 2], budget: Budget, whole: Budget) -> Answered {
        let [url, invoke] = both;
        let [undo_url, undo_invoke] = [url.taken_back(), invoke.taken_back()];
        let first = self.make(self.audit.intent(case, url)?, budget, self.reads_first).await?;
        // What stood there before this request is not its own to take away.
        let undo_url = made(&first).then(|| undo_url.naming(first.verdict().fingerprint.as_ref()));
        if first.code().is_some() {
            return self.unless_left(case, first, [undo_url, None], whole).await;
        }
        let second = match self.audit.intent(case, invoke) {
            // From here on the second statement stands, or its absence is on record.
            Ok(intent) => self.make(intent, budget, self.reads_first).await?,
            Err(unrecorded) => {
                let _ = self.take_back(case, [undo_url, None], whole).await;
                return Err(unrecorded);
            }
        };
        if second.code().is_none() {
            return Ok(first.and(second));
        }
        // Of a write that nobody has seen the statement may still stand; one that stood there before is not ours.
        let unseen = second.code() == Some(Code::OutcomeUnknown) && second.verdict().unclear;
        let stands = made(&second) || unseen;
        let undo_invoke = stands.then(|| undo_invoke.naming(second.verdict().fingerprint.as_ref()));
        self.unless_left(case, second, [undo_invoke, undo_url], whole).await
    }

    /// The ending of a request that came to nothing, if nothing of it is left.
    async fn unless_left(
        &self,
        case: &Case<'_>,
        ending: Recorded,
        undo: [Option<Approved<Revoke>>; 2],
        budget: Budget,
    ) -> Answered {
        const HALF: &str = "one of the two statements may stand, as it could not be taken back: send the request again";
        match self.take_back(case, undo, budget).await? {
            true => Ok(ending),
            false => self.audit.refused(case, vec![Fault::new("", Code::HalfGranted, HALF)]),
        }
    }

    /// Takes back what this request made; says whether nothing of it is left.
    async fn take_back(
        &self,
        case: &Case<'_>,
        undo: [Option<Approved<Revoke>>; 2],
        budget: Budget,
    ) -> Result<bool, Unrecorded> {
        let mut gone = true;
        for revoke in undo.into_iter().flatten() {
            let intent = self.audit.intent(case, revoke)?;
            let written = boxed(|| policy::remove(&self.client, &intent, budget)).await;
            gone &= intent.outcome(written)?.code().is_none();
        }
        Ok(gone)
    }
}

/// Whether a grant made a statement, be it another than was asked.
fn made(grant: &Recorded) -> bool {
    grant.outcome() == Some(Outcome::Granted) || grant.code() == Some(Code::StatementDiffers)
}
