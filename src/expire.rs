//! `Expire`: a timed grant is taken away when its time has passed.
//!
//! Nobody has to be trusted for it. What is taken away says of itself, in its statement's id, that this broker made it
//! to last until a time that has passed; who asks, and why, adds nothing. So this and `Sweep` come through a door of
//! their own, which is always open and lets nothing else through, and need no rule of the allowlist: a party that has
//! left it must lose its access too.
//!
//! A schedule's `Expire` names the fingerprint as well, and leaves alone what else was granted under the same id.
//! `Sweep` is the net under it, for a schedule that is gone: it goes by the ids alone.

use tokio::time::Instant;

use crate::allowlist::Approved;
use crate::asked::Asked;
use crate::audit::Case;
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::Code;
use crate::policy::{self, Budget, Written};
use crate::reply::Answered;
use crate::request::Request;
use crate::resource::Own;
use crate::revoke::Revoke;

impl Broker {
    /// Takes one timed grant away, if its time has passed.
    pub(crate) async fn expire(&self, request: Request<'_>, case: &Case<'_>, own: &Own, deadline: Instant) -> Answered {
        let revoke = match Revoke::new(request) {
            Ok(revoke) => revoke,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let approved = match case.allowlist.decide_expiry(revoke, own, case.now) {
            Ok(approved) => approved,
            Err(denied) => return self.audit.denied(case, *denied, own),
        };
        let Some(budget) = self.budget(deadline) else {
            return self.audit.not_made(case, &approved, Written::none(Code::TimedOut));
        };
        if approved.asked().is_dry_run() {
            let written = boxed(|| policy::preview_revoke(&self.client, &approved, budget, self.lists())).await;
            return self.audit.not_made(case, &approved, written);
        }
        self.take_away(case, approved, budget).await
    }

    pub(crate) async fn take_away(&self, case: &Case<'_>, approved: Approved<Revoke>, budget: Budget) -> Answered {
        let intent = self.audit.intent(case, approved)?;
        let written = boxed(|| policy::remove(&self.client, &intent, budget, self.reads_first)).await;
        intent.outcome(written)
    }
}
