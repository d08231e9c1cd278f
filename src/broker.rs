//! The line itself: received, request, grant, approved, intent, outcome, recorded, reply.
//!
//! Each step needs what the step before it made, so the order is checked by the compiler.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::Client;
use futures_util::FutureExt;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::allowlist::{Approved, Denied, Refusal};
use crate::asked::Asked;
use crate::audit::{Audit, Case};
use crate::boxed::boxed;
use crate::error::{Code, Fault};
use crate::event::{self, Doors, Item, Opened, Received, Shape, Wants};
use crate::expiry::{Clock, Moment};
use crate::grant::Grant;
use crate::inventory;
use crate::outcome::Outcome;
use crate::policy::{self, Budget, Ending, Fill, Seen, Timing, Written};
use crate::read::Read;
use crate::reply::{self, Answered, Failure};
use crate::request::{Operation, Request};
use crate::requester::Requester;
use crate::resource::Own;
use crate::results::{Outbox, Results};
use crate::revoke::Revoke;
use crate::schedule::Schedules;
use crate::secret::Secrets;
use crate::source::{Held, Source};

/// The broker: an allowlist, the doors that are open, the audit, and the way to AWS.
pub struct Broker {
    /// The SDK's client for Lambda, with its retries off.
    pub client: Client,
    /// What may be granted.
    pub allowlist: Source,
    /// The doors that are open.
    pub doors: Doors,
    /// Where the records go.
    pub audit: Audit,
    /// Whether a grant's policy is read before it is written, for its size; from `BROKER_POLICY_BUDGET`.
    pub reads_first: bool,
    /// Where outcomes are published, if anywhere; from `BROKER_RESULT_BUS`.
    pub results: Option<Results>,
    /// The way to schedules, without which no grant can have an end.
    pub schedules: Option<Schedules>,
    /// How long everything may take; in Lambda, [`Timing::DEPLOYED`].
    pub timing: Timing,
}

/// What Lambda says about an invocation.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// Lambda's request id.
    pub request_id: &'a str,
    /// The ARN under which the broker was invoked: its own account, region and name.
    pub function_arn: &'a str,
    /// When Lambda ends the invocation.
    pub deadline: Instant,
    /// What the time is.
    pub now: SystemTime,
}

impl Broker {
    /// Answers one event. An error makes Lambda deliver the event again.
    pub async fn handle(&self, event: &[u8], invocation: &Invocation<'_>) -> Result<Box<RawValue>, Failure> {
        let held = self.allowlist.current().await;
        self.allowlist.meanwhile(self.handle_under(held.as_deref(), event, invocation)).await
    }

    /// Answers one event under one allowlist, even if a newer one arrives meanwhile.
    async fn handle_under(
        &self,
        held: Option<&Held>,
        event: &[u8],
        invocation: &Invocation<'_>,
    ) -> Result<Box<RawValue>, Failure> {
        let Opened { shape, items } = event::open(event, &self.doors);
        let most_listed = reply::most_listed(items.len());
        let mut answered: Vec<Answered> = Vec::with_capacity(items.len());
        let outbox = self.results.is_some().then(Outbox::default);
        for item in &items {
            let answer = self.answer(item, invocation, held, outbox.as_ref()).await;
            let answer = answer.map(|recorded| recorded.listing(most_listed));
            let stop = shape == Shape::Batch { in_order: true } && !reply::is_done(&answer);
            answered.push(answer);
            if stop {
                break;
            }
        }
        if let (Some(results), Some(outbox)) = (&self.results, outbox) {
            boxed(|| results.publish(outbox, &self.audit, invocation, self.timing)).await;
        }
        reply::reply(shape, &items, &answered, invocation.request_id)
    }

    /// Answers one event for a person: request by request, in no shape of its source.
    #[cfg(feature = "local")]
    pub async fn tell(&self, event: &[u8], invocation: &Invocation<'_>, mut each: impl FnMut(Box<RawValue>)) {
        let held = self.allowlist.current().await;
        for item in &event::open(event, &self.doors).items {
            each(reply::told(&self.answer(item, invocation, held.as_deref(), None).await, invocation.request_id));
        }
    }

    /// Answers one request. A panic ends this one alone, and is recorded like any other ending.
    async fn answer(
        &self,
        item: &Item<'_>,
        invocation: &Invocation<'_>,
        held: Option<&Held>,
        outbox: Option<&Outbox>,
    ) -> Answered {
        let own = Own::parse(invocation.function_arn);
        let now = Moment::of(invocation.now);
        let mut case = Case::new(invocation.request_id, &item.origin, own.as_ref(), held, outbox, now);
        let line = AssertUnwindSafe(boxed(|| self.line(item, &mut case, invocation.deadline))).catch_unwind();
        match line.await {
            Ok(answered) => answered,
            Err(_) => self
                .audit
                .refused(&case, vec![Fault::new("", Code::Internal, "the broker failed; this is a defect of it")]),
        }
    }

    async fn line(&self, item: &Item<'_>, case: &mut Case<'_>, deadline: Instant) -> Answered {
        let received = match &item.received {
            Ok(received) => received,
            Err(fault) => return self.audit.refused(case, vec![fault.clone()]),
        };
        let Some(own) = case.own else {
            return self
                .audit
                .refused(case, vec![Fault::new("", Code::Internal, "the invocation names no function ARN")]);
        };
        let Wants::Request(text) = received.wants() else { return self.audit.described(case) };
        let scheduled = *received.requester() == Requester::Schedule;
        let read = if scheduled { Request::read_scheduled } else { Request::read };
        let request = match read(text) {
            Ok(request) => request.at(Clock { now: case.now, asked: received.asked() }),
            Err(fault) => {
                case.secrets = Secrets::of_unread(text);
                return self.audit.refused(case, vec![fault]);
            }
        };
        case.operation = request.operation;
        case.dry_run = request.dry_run;
        case.secrets = request.secrets().clone();
        if case.shows_a_secret() {
            const RULE: &str = "the token is a secret, and the event repeats it, where it would be shown";
            return self.audit.refused(case, vec![Fault::new("", Code::InvalidEventSourceToken, RULE)]);
        }
        // What has ended says so itself, and needs no allowlist to go.
        if case.held.is_none() && request.operation != Some(Operation::Expire) {
            const WHY: &str = "there is no allowlist to decide by: its configuration in AppConfig cannot be read";
            return self.audit.refused(case, vec![Fault::new("", Code::AllowlistUnavailable, WHY)]);
        }
        // Boxed, so that what is seldom asked for makes no grant wait: a future is as large as its largest state.
        match request.operation {
            Some(Operation::RemovePermission | Operation::RemoveLayerVersionPermission) => {
                boxed(|| self.revoke(request, received, case, own, deadline)).await
            }
            Some(Operation::GetPolicy | Operation::GetLayerVersionPolicy) => {
                boxed(|| self.read(request, received, case, own, deadline)).await
            }
            Some(Operation::GrantFunctionUrl) => {
                boxed(|| self.grant_function_url(request, received, case, own, deadline)).await
            }
            Some(Operation::CarryLayerForward) => {
                boxed(|| self.carry_forward(request, received, case, own, deadline)).await
            }
            Some(Operation::Expire) => boxed(|| self.expire(request, case, own, deadline)).await,
            Some(Operation::Sweep) => boxed(|| self.sweep(request, case, own, deadline)).await,
            _ => self.grant(request, received, case, own, deadline).await,
        }
    }

    async fn grant(
        &self,
        request: Request<'_>,
        received: &Received<'_>,
        case: &Case<'_>,
        own: &Own,
        deadline: Instant,
    ) -> Answered {
        let grant = match Grant::new(request) {
            Ok(grant) => grant,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let approved = match self.decide(case, grant, received.requester(), own) {
            Ok(approved) => approved,
            Err(denied) => return self.audit.denied(case, *denied, own),
        };
        let Some(budget) = self.budget(deadline) else {
            return self.audit.not_made(case, &approved, Written::none(Code::TimedOut));
        };
        if approved.asked().is_dry_run() {
            let rules = case.allowlist.not_allowing(approved.grant(), received.requester(), own);
            let written =
                boxed(|| policy::preview(&self.client, &approved, budget, self.reads_first, self.lists())).await;
            return Ok(self.audit.not_made(case, &approved, written)?.despite(rules));
        }
        let intent = self.audit.intent(case, approved)?;
        self.make(intent, budget, self.reads_first).await
    }

    /// The allowlist's decision, and whether there is a way to end what is to end.
    pub(crate) fn decide(
        &self,
        case: &Case<'_>,
        grant: Grant,
        requester: &Requester,
        own: &Own,
    ) -> Result<Approved, Box<Denied>> {
        const NO_WAY: &str =
            "this deployment has no schedules to end a grant with: ask without an end, or have it set up";
        match grant.expiry() {
            Some(expiry) if self.schedules.is_none() => {
                let faults = vec![Fault::new(expiry.pointer(), Code::ExpiryNotEnabled, NO_WAY)];
                Err(Box::new(Denied { asked: grant, refusal: Refusal { faults, rules: Vec::new() } }))
            }
            _ => case.allowlist.decide(grant, requester, own),
        }
    }

    async fn revoke(
        &self,
        request: Request<'_>,
        received: &Received<'_>,
        case: &Case<'_>,
        own: &Own,
        deadline: Instant,
    ) -> Answered {
        let revoke = match Revoke::new(request) {
            Ok(revoke) => revoke,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let approved = match case.allowlist.decide_revoke(revoke, received.requester(), own) {
            Ok(approved) => approved,
            Err(denied) => return self.audit.denied(case, *denied, own),
        };
        let Some(budget) = self.budget(deadline) else {
            return self.audit.not_made(case, &approved, Written::none(Code::TimedOut));
        };
        if approved.asked().is_dry_run() {
            let rules = case.allowlist.not_admitting(approved.asked().target(), received.requester(), own);
            let written = boxed(|| policy::preview_revoke(&self.client, &approved, budget, self.lists())).await;
            return Ok(self.audit.not_made(case, &approved, written)?.despite(rules));
        }
        let intent = self.audit.intent(case, approved)?;
        let written = boxed(|| policy::remove(&self.client, &intent, budget, self.reads_first)).await;
        intent.outcome(written)
    }

    async fn read(
        &self,
        request: Request<'_>,
        received: &Received<'_>,
        case: &Case<'_>,
        own: &Own,
        deadline: Instant,
    ) -> Answered {
        let read = match Read::new(request) {
            Ok(read) => read,
            Err(faults) => return self.audit.refused(case, faults),
        };
        let admitted = match case.allowlist.decide_read(read, received.requester(), own) {
            Ok(admitted) => admitted,
            Err(denied) => return self.audit.read_denied(case, *denied, own),
        };
        let budget = Budget::new(self.timing, deadline.saturating_duration_since(Instant::now()));
        let given = admitted.read().given();
        let Seen { mut written, document, no_policy, .. } = boxed(|| policy::read(&self.client, given, budget)).await;
        let statements = match &document {
            Some(text) => inventory::of(text, admitted.read(), case.allowlist, own, case.now),
            None => no_policy.then(inventory::empty),
        };
        if no_policy {
            let (ending, policy) = (Ending::Done(Outcome::Read), Some(Fill::of(None)));
            written = Written { ending, policy, aws_code: None, ..written };
        } else if document.is_some() && statements.is_none() {
            written = Written { ending: Ending::Not(Code::Unavailable), policy: None, ..written };
        }
        self.audit.read(case, &admitted, written, statements)
    }

    /// Whether the role may list functions, aliases and versions: where grants may end, for the sweep.
    pub(crate) fn lists(&self) -> bool {
        self.schedules.is_some()
    }

    /// The time for a change, if there is enough to begin one.
    pub(crate) fn budget(&self, deadline: Instant) -> Option<Budget> {
        let budget = Budget::new(self.timing, deadline.saturating_duration_since(Instant::now()));
        budget.allows_grant().then_some(budget)
    }
}

impl Invocation<'_> {
    /// The time at which a deadline of Lambda, in milliseconds since 1970, is reached.
    pub fn deadline_of(milliseconds: u64) -> Instant {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Instant::now() + Duration::from_millis(milliseconds).saturating_sub(now)
    }
}
