//! `Sweep`: the net under the schedules. Policies are looked through for timed grants whose time has passed though their
//! schedule is gone, and those are taken away; why nobody has to be trusted for it, see `expire`.
//!
//! It finds what it has to look at by itself: every function that a rule of the allowlist reaches, by its name or by a
//! pattern, with its aliases and published versions, and every version of such a layer ([`places`], `list`).
//!
//! # More than fits into one invocation
//!
//! Places have an order. Where the time ends, a one-time schedule is made that sends the broker the same sweep with the
//! last place that was done; the next one goes on behind it. It changes no policy, so it has no intent of its own:
//! it stands among the calls of the outcome, beside the place. A sweep that has gone on is never delivered again, or each
//! delivery would make another chain: what it could not do is told, and the next day's looks again.

mod list;
mod places;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::asked::Asked;
use crate::audit::{Case, Part, Swept, Unrecorded};
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::{Code, Delivery, Fault};
use crate::expiry;
use crate::outcome::Outcome;
use crate::policy::{self, Budget, Ending, Written};
use crate::reply::Answered;
use crate::request::Request;
use crate::resource::Own;
use crate::revoke::Revoke;
use crate::schedule::{EXECUTION_ID, SECONDS_BETWEEN};
use crate::statement;
use places::{Place, Wanted};

/// Most removals that the reply to one sweep lists.
const MOST_LISTED: usize = 64;

/// There is no time left for another call.
struct TimeIsUp;

impl Broker {
    /// Looks through policies for timed grants whose time has passed, and takes them away.
    pub(crate) async fn sweep(&self, request: Request<'_>, case: &Case<'_>, own: &Own, deadline: Instant) -> Answered {
        let wanted = match Wanted::read(request, own) {
            Ok(wanted) => wanted,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let mut sweep = Sweep {
            broker: self,
            case,
            own,
            // What is kept back is for the schedule of the rest.
            end: deadline.checked_sub(self.timing.call).unwrap_or(deadline),
            next: Instant::now(),
            done: None,
            whole: Ending::Done(Outcome::AlreadyRevoked),
            calls: Calls::default(),
            parts: Vec::new(),
            faults: Vec::new(),
        };
        let to = match sweep.run(&wanted).await? {
            Ok(()) => {
                sweep.close();
                None
            }
            Err(TimeIsUp) => sweep.send_on(&wanted, deadline).await,
        };
        let Sweep { whole, calls, parts, faults, .. } = sweep;
        let written = Written { calls: calls.told(), ..Written::ended(whole) };
        self.audit.swept(case, Swept { written, parts, faults, to })
    }
}

/// A sweep on its way.
struct Sweep<'a> {
    broker: &'a Broker,
    case: &'a Case<'a>,
    own: &'a Own,
    /// When it stops looking.
    end: Instant,
    /// When the next call may go out.
    next: Instant,
    /// The last place that was looked at.
    done: Option<Place>,
    whole: Ending,
    calls: Calls,
    parts: Vec<Part>,
    faults: Vec<Fault>,
}

impl Sweep<'_> {
    async fn run(&mut self, wanted: &Wanted) -> Result<Result<(), TimeIsUp>, Unrecorded> {
        let Ok(units) = self.units(wanted).await else { return Ok(Err(TimeIsUp)) };
        for (unit, listed) in units {
            let Ok(places) = self.places(&unit, listed, wanted).await else { return Ok(Err(TimeIsUp)) };
            for place in places.into_iter().filter(|place| wanted.is_to_come(place)) {
                let Some(budget) = self.budget() else { return Ok(Err(TimeIsUp)) };
                if let Err(TimeIsUp) = self.look(&place, budget).await? {
                    return Ok(Err(TimeIsUp));
                }
                self.done = Some(place);
            }
        }
        Ok(Ok(()))
    }

    /// Takes away what has ended in one place. If the time ends meanwhile, the place is not done.
    async fn look(&mut self, place: &Place, budget: Budget) -> Result<Result<(), TimeIsUp>, Unrecorded> {
        let Some((target, given)) = place.target() else { return Ok(Ok(())) };
        let resource = target.arn(self.own);
        self.turn().await;
        let seen = boxed(|| policy::read(&self.broker.client, &given, budget)).await;
        seen.written.calls.iter().for_each(|call| self.calls.note(call));
        let Some(document) = seen.document else {
            // Without a policy there is nothing to take away.
            let code = seen.written.ending().err();
            if code == Some(Code::TimedOut) {
                return Ok(Err(TimeIsUp));
            }
            self.note(code);
            return Ok(Ok(()));
        };
        let standing = statement::all(&document);
        // A policy that cannot be understood is not taken for one in which nothing has ended.
        self.note(standing.is_none().then_some(Code::Unavailable));
        for standing in standing.unwrap_or_default() {
            // It goes by the id, whatever stands under it.
            let Some(revoke) = Revoke::of_standing(&standing, &target, &given, self.case.dry_run) else { continue };
            let id = revoke.statement_id(self.own);
            if expiry::of_id(id.as_str(), &resource, self.own).is_none_or(|(_, at)| at > self.case.now) {
                continue;
            }
            // What the allowlist has against it, that it lies elsewhere or is the broker itself, was looked at before.
            let Ok(approved) = self.case.allowlist.decide_expiry(revoke, self.own, self.case.now) else { continue };
            let (recorded, outcome) = if approved.asked().is_dry_run() {
                let written = Written::ended(Ending::Done(Outcome::WouldRevoke));
                let written = Written { statement: standing.statement().cloned(), ..written };
                (self.broker.audit.not_made(self.case, &approved, written)?, Outcome::WouldRevoke)
            } else {
                self.turn().await;
                (self.broker.take_away(self.case, approved, budget).await?, Outcome::Revoked)
            };
            if recorded.code() == Some(Code::TimedOut) {
                return Ok(Err(TimeIsUp));
            }
            if recorded.code().is_none() && !matches!(self.whole, Ending::Not(_)) {
                self.whole = Ending::Done(outcome);
            }
            self.note(recorded.code());
            if self.parts.len() < MOST_LISTED {
                self.parts.push(recorded.part().on(&resource));
            }
        }
        Ok(Ok(()))
    }

    /// Has another invocation go on, and says from where. If that cannot be, the sweep has failed, and comes again.
    async fn send_on(&mut self, wanted: &Wanted, deadline: Instant) -> Option<String> {
        let made = match (&self.done, &self.broker.schedules, self.case.now.plus(SECONDS_BETWEEN)) {
            // Without a step forward another one would stand still as well.
            (Some(done), Some(schedules), Some(at)) if !self.case.dry_run => {
                let left = deadline.saturating_duration_since(Instant::now());
                let (budget, mut calls) = (Budget::new(self.broker.timing, left), Vec::new());
                let rest = json!({ "executionId": EXECUTION_ID, "scheduled": wanted.behind(done) });
                let made = boxed(|| schedules.send_on("sweep", &rest, at, self.own, budget, &mut calls)).await;
                calls.iter().for_each(|call| self.calls.note(call));
                made.map(|()| done.to_string())
            }
            _ => Err(Code::TimedOut),
        };
        match made {
            Ok(to) => {
                // This event does not come again, whatever became of its part.
                if matches!(self.whole, Ending::Not(_)) {
                    self.whole = Ending::Not(Code::SweepIncomplete);
                }
                Some(to)
            }
            Err(code) => {
                self.whole = Ending::Not(code);
                None
            }
        }
    }

    /// What no repeat would better is told as what a sweep left undone, whichever answer it was: an alarm waits for that.
    fn close(&mut self) {
        if matches!(self.whole, Ending::Not(code) if code.kind().delivery() == Delivery::Complete) {
            self.whole = Ending::Not(Code::SweepIncomplete);
        }
    }

    /// The time for one more place, or one more page of a list.
    fn budget(&self) -> Option<Budget> {
        self.broker.budget(self.end)
    }

    /// Waits until the next call may go out.
    async fn turn(&mut self) {
        let at = self.next.max(Instant::now());
        self.next = at + self.broker.timing.pace;
        sleep_until(at).await;
    }

    /// What could not be looked at or taken away is never called swept. What may succeed later makes the sweep come
    /// again; the rest goes on either way. Where there is no target, nothing stands.
    fn note(&mut self, code: Option<Code>) {
        let Some(code) = code.filter(|code| *code != Code::TargetNotFound) else { return };
        if code.kind().delivery() == Delivery::Fail || !matches!(self.whole, Ending::Not(_)) {
            self.whole = Ending::Not(code);
        }
    }

    /// The same of a list, with what is not seen without it.
    fn note_list(&mut self, code: Code, detail: &'static str) {
        self.note(Some(code));
        self.faults.push(Fault::new("", code, detail));
    }
}

/// Places by the function or the layer that they belong to.
type Units = BTreeMap<places::Unit, BTreeSet<Place>>;

/// The calls of a sweep, counted: one by one they would be a long line.
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
