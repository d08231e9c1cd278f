//! `GrantFunctionUrl`: both statements that a caller of a function URL needs, or neither.
//!
//! Since October 2025 a URL asks for two permissions: `lambda:InvokeFunctionUrl` with the URL's auth type, and
//! `lambda:InvokeFunction` for calls through the URL (AWS, controlling access to function URLs). Either alone
//! opens nothing and looks as if it did. So both are decided, and compared with the policy, before the first is
//! written, and if the second fails the first is taken back. Every step has its own two records.
//!
//! The policy is read in any case: what stood there before is nobody's to take back, and after a lost answer the
//! policy alone no longer tells whose a statement is.

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
use crate::policy::{self, Before, Budget, Refused, Written};
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
            let of = |grant: &Approved| case.allowlist.not_allowing(grant.grant(), received.requester(), own);
            let mut rules = of(&url);
            let more: Vec<_> = of(&invoke).into_iter().filter(|one| !rules.contains(one)).collect();
            rules.extend(more);
            return Ok(self.preview_both(case, [url, invoke], budget).await?.despite(rules));
        }
        self.grant_both(case, [url, invoke], budget, whole).await
    }

    async fn preview_both(&self, case: &Case<'_>, both: [Approved; 2], budget: Budget) -> Answered {
        let [url, invoke] = both;
        match boxed(|| policy::preview_both(&self.client, [&url, &invoke], budget)).await {
            Err(Refused { written, .. }) => self.audit.not_made(case, &url, written),
            Ok([first, second]) => {
                let first = self.audit.not_made(case, &url, first)?;
                Ok(first.foretold_with(self.audit.not_made(case, &invoke, second)?))
            }
        }
    }

    async fn grant_both(&self, case: &Case<'_>, both: [Approved; 2], budget: Budget, whole: Budget) -> Answered {
        let [url, invoke] = both;
        let [first, second] = match boxed(|| policy::meet_both(&self.client, [&url, &invoke], budget)).await {
            Ok(both) => both,
            Err(Refused { second, written }) => {
                return self.audit.not_made(case, if second { &invoke } else { &url }, written);
            }
        };
        // What stood there before this request is not its own to take away.
        let undo_url = (!first.stands()).then(|| url.taken_back());
        let undo_invoke = (!second.stands()).then(|| invoke.taken_back());
        let first = Before::Seen(Box::new(first));
        let first = self.make_after(self.audit.intent(case, url)?, budget, first).await?;
        let undo_url = undo_url.filter(|_| may_stand(&first));
        let undo_url = undo_url.map(|undo| undo.naming(first.verdict().fingerprint.as_ref()));
        if first.code().is_some() {
            return self.unless_left(case, first, [undo_url, None], whole).await;
        }
        let second = match self.audit.intent(case, invoke) {
            // From here on the second statement stands, or its absence is on record.
            Ok(intent) => self.make_after(intent, budget, Before::Seen(Box::new(second))).await?,
            Err(unrecorded) => {
                let _ = self.take_back(case, [undo_url, None], whole).await;
                return Err(unrecorded);
            }
        };
        if second.code().is_none() {
            return Ok(first.and(second));
        }
        let undo_invoke = undo_invoke.filter(|_| may_stand(&second));
        let undo_invoke = undo_invoke.map(|undo| undo.naming(second.verdict().fingerprint.as_ref()));
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

/// Whether a statement may stand that a grant made: as it was asked, as another, or without anybody having seen it.
fn may_stand(grant: &Recorded) -> bool {
    let unseen = grant.code() == Some(Code::OutcomeUnknown) && grant.verdict().unclear;
    unseen || grant.outcome() == Some(Outcome::Granted) || grant.code() == Some(Code::StatementDiffers)
}
