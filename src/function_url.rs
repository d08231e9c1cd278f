//! `GrantFunctionUrl`: both statements that a caller of a function URL needs, or neither.
//!
//! Since October 2025 a URL asks for two permissions: `lambda:InvokeFunctionUrl` with the URL's auth type, and
//! `lambda:InvokeFunction` for calls through the URL (AWS, controlling access to function URLs). Either alone
//! opens nothing and looks as if it did. So both are decided before the first is written, and if the
//! second fails the first is taken back. Every step has its own two records.

use tokio::time::Instant;

use crate::allowlist::Approved;
use crate::asked::Asked;
use crate::audit::{Case, Intent, Recorded};
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
        let [url, invoke] = grants.map(|grant| self.allowlist.decide(grant, received.requester(), own));
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
            let first = Box::pin(policy::preview(&self.client, &url, budget)).await;
            let first = self.audit.not_made(case, &url, first)?;
            if first.code().is_some() {
                return Ok(first);
            }
            let second = Box::pin(policy::preview(&self.client, &invoke, budget)).await;
            return Ok(first.and(self.audit.not_made(case, &invoke, second)?));
        }
        self.grant_both(case, [url, invoke], budget, whole).await
    }

    async fn grant_both(&self, case: &Case<'_>, both: [Approved; 2], budget: Budget, whole: Budget) -> Answered {
        let [url, invoke] = both;
        let undo = [url.taken_back(), invoke.taken_back()];
        let first = self.grant_one(self.audit.intent(case, url)?, budget).await?;
        if first.code().is_some() {
            return Ok(first);
        }
        let second = match self.audit.intent(case, invoke) {
            // From here on the second statement stands, or its absence is on record.
            Ok(intent) => self.grant_one(intent, budget).await?,
            Err(unrecorded) => {
                let _ = self.take_back(case, undo, &first, None, whole).await;
                return Err(unrecorded);
            }
        };
        if second.code().is_none() {
            return Ok(first.and(second));
        }
        if self.take_back(case, undo, &first, second.code(), whole).await? {
            return Ok(second);
        }
        const HALF: &str = "one of the two statements stands, and could not be taken back: send the request again";
        self.audit.refused(case, vec![Fault::new("", Code::HalfGranted, HALF)])
    }

    async fn grant_one(&self, intent: Intent<'_>, budget: Budget) -> Answered {
        let written = Box::pin(policy::add(&self.client, &intent, budget, self.reads_first)).await;
        intent.outcome(written)
    }

    /// Takes back what this request made, never what stood there before it; says whether nothing of it is left.
    async fn take_back(
        &self,
        case: &Case<'_>,
        undo: [Approved<Revoke>; 2],
        first: &Recorded,
        second: Option<Code>,
        budget: Budget,
    ) -> Result<bool, crate::audit::Unrecorded> {
        let [url, invoke] = undo;
        let made_first = first.outcome() == Some(Outcome::Granted);
        // Of a write whose ending is unknown the statement may still stand.
        let made_second = second == Some(Code::OutcomeUnknown);
        let mut gone = true;
        for (revoke, made) in [(invoke, made_second), (url, made_first)] {
            if made {
                let intent = self.audit.intent(case, revoke)?;
                let written = Box::pin(policy::remove(&self.client, &intent, budget)).await;
                gone &= intent.outcome(written)?.code().is_none();
            }
        }
        Ok(gone)
    }
}
