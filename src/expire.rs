//! `Expire` and `Sweep`: timed grants are taken away when their time has passed.
//!
//! Nobody has to be trusted for it. What is taken away says of itself, in its statement's id, that this broker made it
//! to last until a time that has passed; who asks, and why, adds nothing. So these two come through a door of
//! their own, which is always open and lets nothing else through, and need no rule of the allowlist: a party that has
//! left it must lose its access too.
//!
//! A schedule's `Expire` names the fingerprint as well, and leaves alone what else was granted under the same id.
//! `Sweep` is the net under it, for a schedule that is gone: it goes by the ids alone.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::allowlist::Approved;
use crate::asked::{Asked, Given};
use crate::audit::{Case, Part, Unrecorded};
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::{Code, Delivery, Fault};
use crate::expiry;
use crate::outcome::Outcome;
use crate::policy::{self, Budget, Ending, Written};
use crate::reply::Answered;
use crate::request::Request;
use crate::resource::{Own, Target};
use crate::revoke::Revoke;
use crate::statement::{self, Standing};

/// A target, and how AWS is told of it.
type Place = (Target, Given);

/// Most removals that the reply to one sweep lists.
const MOST_LISTED: usize = 64;

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
            let written = Box::pin(policy::preview_revoke(&self.client, &approved, budget)).await;
            return self.audit.not_made(case, &approved, written);
        }
        self.take_away(case, approved, budget).await
    }

    async fn take_away(&self, case: &Case<'_>, approved: Approved<Revoke>, budget: Budget) -> Answered {
        let intent = self.audit.intent(case, approved)?;
        let written = boxed(|| policy::remove(&self.client, &intent, budget)).await;
        intent.outcome(written)
    }

    /// Looks through the policies of targets for timed grants whose time has passed, and takes them away: of the functions
    /// that the allowlist names in full, and of the targets that the request lists.
    pub(crate) async fn sweep(&self, request: Request<'_>, case: &Case<'_>, own: &Own, deadline: Instant) -> Answered {
        let mut targets = match listed(request, own) {
            Ok(targets) => targets,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let named = case.allowlist.functions_named().filter_map(|name| Target::of_entry(&format!("function:{name}")));
        for (target, given) in named.filter(|(target, _)| !target.is_self(own)) {
            targets.insert(target.arn(own), (target, given));
        }
        let mut targets: Vec<(String, Place)> = targets.into_iter().collect();
        // A sweep that runs out of time comes again: another beginning lets each target have its turn.
        let first = fastrand::usize(..=targets.len());
        targets.rotate_left(first);
        let mut sweep =
            Sweep { whole: Ending::Done(Outcome::AlreadyRevoked), calls: Calls::default(), parts: Vec::new() };
        for (resource, place) in &targets {
            let Some(budget) = self.budget(deadline) else {
                sweep.whole = Ending::Not(Code::TimedOut);
                break;
            };
            self.sweep_one(&mut sweep, (resource, place), case, own, budget).await?;
        }
        let written = Written { calls: sweep.calls.told(), ..Written::ended(sweep.whole) };
        self.audit.swept(case, written, sweep.parts)
    }

    async fn sweep_one(
        &self,
        sweep: &mut Sweep,
        (resource, (target, given)): (&str, &Place),
        case: &Case<'_>,
        own: &Own,
        budget: Budget,
    ) -> Result<(), Unrecorded> {
        let seen = boxed(|| policy::read(&self.client, given, budget)).await;
        seen.written.calls.iter().for_each(|call| sweep.calls.note(call));
        let Some(document) = seen.document else {
            // Without a policy there is nothing to take away.
            sweep.note(seen.written.ending().err());
            return Ok(());
        };
        let standing = statement::all(&document);
        // A policy that cannot be understood is not taken for one in which nothing has ended.
        sweep.note(standing.is_none().then_some(Code::Unavailable));
        for standing in standing.unwrap_or_default() {
            let Standing::Statement(stored) = standing else { continue };
            let overdue = expiry::of_id(stored.sid(), resource, own).is_some_and(|(_, at)| at <= case.now);
            let Some(revoke) = Revoke::of_standing(&stored, target, given).filter(|_| overdue) else { continue };
            // What the allowlist has against it, that it lies elsewhere or is the broker itself, was looked at before.
            let Ok(approved) = case.allowlist.decide_expiry(revoke, own, case.now) else { continue };
            let recorded = self.take_away(case, approved, budget).await?;
            if recorded.code().is_none() && !matches!(sweep.whole, Ending::Not(_)) {
                sweep.whole = Ending::Done(Outcome::Revoked);
            }
            sweep.note(recorded.code());
            if sweep.parts.len() < MOST_LISTED {
                sweep.parts.push(recorded.part());
            }
        }
        Ok(())
    }
}

/// What a sweep has come to so far.
struct Sweep {
    whole: Ending,
    calls: Calls,
    parts: Vec<Part>,
}

impl Sweep {
    /// What could not be looked at or taken away is never called swept. What may succeed later makes the sweep come
    /// again; the rest goes on either way. Where there is no target, nothing stands.
    fn note(&mut self, code: Option<Code>) {
        let Some(code) = code.filter(|code| *code != Code::TargetNotFound) else { return };
        if code.kind().delivery() == Delivery::Fail || !matches!(self.whole, Ending::Not(_)) {
            self.whole = Ending::Not(code);
        }
    }
}

/// The reads of a sweep, counted: one by one they would be a long line.
#[derive(Default)]
struct Calls(BTreeMap<String, usize>);

impl Calls {
    fn note(&mut self, call: &str) {
        *self.0.entry(call.to_owned()).or_default() += 1;
    }

    fn told(self) -> Vec<String> {
        self.0.into_iter().map(|(call, times)| if times == 1 { call } else { format!("{call} x{times}") }).collect()
    }
}

/// The targets that a request lists, by their ARNs.
fn listed(request: Request<'_>, own: &Own) -> Result<BTreeMap<String, Place>, Vec<Fault>> {
    let mut fields = request.parameters();
    let entries = fields.strings("Targets").unwrap_or_default();
    let mut faults = fields.finish();
    let mut targets = BTreeMap::new();
    for (i, entry) in entries.iter().enumerate() {
        const RULE: &str =
            "a target is function:NAME, function:NAME:QUALIFIER or layer:NAME:VERSION, and not the broker itself";
        let target = Target::of_entry(entry).filter(|(target, _)| target.is_beside(own) && !target.is_self(own));
        match target {
            Some((target, given)) => _ = targets.insert(target.arn(own), (target, given)),
            None => faults.push(Fault {
                pointer: format!("/parameters/Targets/{i}").into(),
                code: Code::InvalidFunction,
                detail: RULE.into(),
            }),
        }
    }
    if faults.is_empty() { Ok(targets) } else { Err(faults) }
}
