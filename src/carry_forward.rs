//! `CarryLayerForward`: what the previous version of a layer grants is granted on a new version too.
//!
//! A layer's permissions belong to one version, so that with every new version they would have to be
//! given again (AWS, sharing layers). CloudTrail tells of each `PublishLayerVersion` through EventBridge. What the
//! allowlist allows today is carried over, whoever asked for it then; what it does not is told. Where nothing
//! is to be carried no write proves that the new version is there, so it has to be seen.
//!
//! # Out of order
//!
//! EventBridge promises no order. If the event of version 3 comes before that of version 2, it finds version 2 without
//! grants; what version 2 then gets has to go on to version 3, or it is lost there. So what a version lacks is given
//! first to the versions above it, as long as they are there and give nobody anything that it does not give
//! or get itself, the highest first, and to the version last. That is safe. A version about which somebody
//! has decided otherwise is not touched, nor any above it. And since the version itself comes last, what breaks off
//! leaves it incomplete, so that the event finds the same to do when it comes again; once it is complete, a repeat
//! touches no other version, also not one from which everything was taken away since.
//!
//! # More than fits into one invocation
//!
//! What stands on the new version already costs no call, so that each delivery goes on where the last one stopped. Of an event
//! there are three; where schedules are set up, one that gave something before its time ended has the same event sent to the
//! broker a minute later, as often as it takes (`rest`). Others come again as AWS delivers them.

mod look;
mod rest;
mod whole;

use tokio::time::Instant;

use crate::allowlist::{Approved, Denied};
use crate::asked::{Asked, Given};
use crate::audit::{Case, Part, Unrecorded};
use crate::broker::Broker;
use crate::error::Code;
use crate::event::Received;
use crate::expiry::{self, Expiry};
use crate::outcome::Outcome;
use crate::policy::{self, Before as Known, Budget, Fill, Written};
use crate::read::Read;
use crate::reply::Answered;
use crate::request::Request;
use crate::requester::Requester;
use crate::resource::Own;
use crate::statement::{self, Found, Standing, Statement};
use look::{Before, Task, Version};
use whole::Whole;

impl Broker {
    /// Carries the grants of the previous version over to the one that the request names.
    pub(crate) async fn carry_forward(
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
        let Given::Layer { name, version } = admitted.read().given() else {
            return self.audit.carried(case, &admitted, Written::none(Code::Internal), (Vec::new(), None), None);
        };
        let mut carry = Carry {
            broker: self,
            case,
            own,
            requester: received.requester(),
            deadline,
            dry_run: admitted.read().is_dry_run(),
            layer: name,
            stem: admitted.resource().trim_end_matches(|char: char| char.is_ascii_digit()),
            whole: Whole::default(),
            is_cut_short: false,
            parts: Vec::new(),
            fill: None,
            calls: Vec::new(),
        };
        match carry.look(*version).await {
            Ok(task) => carry.over(task).await?,
            Err(code) => carry.whole.fail(code),
        }
        let on_at = carry.send_rest(*version, admitted.read().reason()).await;
        let written = Written { calls: carry.calls, ..Written::ended(carry.whole.ending()) };
        self.audit.carried(case, &admitted, written, (carry.parts, carry.fill), on_at)
    }
}

/// What becomes of one statement of it.
enum Decided {
    /// It ends now.
    Over,
    /// No grant makes such a statement, or none that would end when it should.
    NoGrant(Code),
    Denied(Box<Denied>),
    Approved(Box<Approved>),
}

/// A carry on its way.
struct Carry<'a> {
    broker: &'a Broker,
    case: &'a Case<'a>,
    own: &'a Own,
    requester: &'a Requester,
    deadline: Instant,
    dry_run: bool,
    /// The layer as it was given.
    layer: &'a str,
    /// The ARN of a version without its number.
    stem: &'a str,
    whole: Whole,
    /// Whether the time ended before everything was given.
    is_cut_short: bool,
    parts: Vec<Part>,
    /// How full the new version's policy is, where that is looked at.
    fill: Option<Fill>,
    calls: Vec<String>,
}

impl Carry<'_> {
    /// The statement that one of the previous version comes to, if it may be carried.
    fn wanted(&self, before: &Before, standing: &Standing, number: i64) -> Option<Statement> {
        match self.decide(before, standing, number) {
            Decided::Approved(approved) => Some(Statement::expected(&approved)),
            _ => None,
        }
    }

    fn decide(&self, before: &Before, standing: &Standing, number: i64) -> Decided {
        let Standing::Statement(stored) = standing else { return Decided::NoGrant(Code::ForeignStatement) };
        let until = expiry::of_id(stored.sid(), &before.resource, self.own);
        let until = until.map(|(base, at)| (base, Expiry::standing(at, self.case.now)));
        if until.as_ref().is_some_and(|(_, expiry)| expiry.is_over()) {
            return Decided::Over;
        }
        // Until a time that only another broker can tell, or on another target: nothing would end what is given here.
        if until.is_none() && expiry::looks_timed(stored.sid()) {
            return Decided::NoGrant(Code::InvalidExpiry);
        }
        let Ok(grant) = stored.carried(&before.resource, &self.given(number), until) else {
            return Decided::NoGrant(Code::ForeignStatement);
        };
        // A rule is for those whom it names, also where what they ask for was given to another version.
        match self.case.allowlist.decide(grant.dry(self.dry_run), self.requester, self.own) {
            Ok(approved) => Decided::Approved(Box::new(approved)),
            Err(denied) => Decided::Denied(denied),
        }
    }

    /// Gives what there is to give.
    async fn over(&mut self, task: Task) -> Result<(), Unrecorded> {
        let Task { before, new, above } = task;
        self.whole.see_target(new.policy.is_some());
        for version in &above {
            self.give(&before, version, true).await?;
            // What comes again has to find the new version incomplete.
            if self.whole.comes_again() {
                return Ok(());
            }
        }
        let of_above = std::mem::take(&mut self.parts);
        self.give(&before, &new, false).await?;
        self.parts.extend(of_above);
        Ok(())
    }

    async fn give(&mut self, before: &Before, to: &Version, above: bool) -> Result<(), Unrecorded> {
        let text = to.policy.as_deref().unwrap_or_default();
        let mut fill = Fill::of(Some(text).filter(|text| !text.is_empty()));
        if !above && to.policy.is_some() && (self.dry_run || self.broker.reads_first) {
            self.fill = Some(fill.clone());
        }
        for standing in &before.standing {
            let approved = match self.decide(before, standing, to.number) {
                Decided::Approved(approved) => *approved,
                Decided::Over => continue,
                // It is told once, of the version that was asked about.
                _ if above => continue,
                Decided::NoGrant(code) => {
                    let (resource, id) = (self.arn(to.number), standing.id());
                    let recorded =
                        self.broker.audit.not_carried(self.case, &resource, id.as_ref(), code, self.dry_run)?;
                    self.parts.push(recorded.part());
                    self.whole.note(&recorded, above);
                    continue;
                }
                Decided::Denied(denied) => {
                    let recorded = self.broker.audit.denied(self.case, *denied, self.own)?;
                    self.parts.push(recorded.part());
                    self.whole.note(&recorded, above);
                    continue;
                }
            };
            // Whoever only asks is told of what stands there too.
            if !self.dry_run && stands(text, &Statement::expected(&approved)) {
                continue;
            }
            let recorded = if self.dry_run {
                self.foresee(&approved, text, &mut fill)?
            } else if let Some(budget) = self.broker.budget(self.end()) {
                self.make(approved, text, &mut fill, budget).await?
            } else {
                self.whole.fail(Code::TimedOut);
                self.is_cut_short = true;
                break;
            };
            self.whole.note(&recorded, above);
            if let (Some(first), Some(now)) = (&self.fill, recorded.policy().filter(|_| !above)) {
                self.fill = Some(now.clone().since(Some(first)));
            }
            self.parts.push(if above { recorded.part().on(&self.arn(to.number)) } else { recorded.part() });
            // Neither is there for the other grants.
            if recorded.code() == Some(Code::TargetNotFound) {
                break;
            }
        }
        Ok(())
    }

    /// Makes one grant; `fill` is the policy before it, and then after it.
    async fn make(&self, approved: Approved, text: &str, fill: &mut Fill, budget: Budget) -> Answered {
        // The policy was read when the version was looked at, and what was given since is counted.
        let before = match self.broker.reads_first {
            true => Known::Seen(Box::new(policy::met(&approved, fill.clone(), text))),
            false => Known::Nothing,
        };
        let intent = self.broker.audit.intent(self.case, approved)?;
        let recorded = self.broker.make_after(intent, budget, before).await?;
        if let Some(after) = recorded.policy().filter(|_| recorded.code().is_none()) {
            *fill = after.clone();
        }
        Ok(recorded)
    }

    /// What would become of one grant.
    fn foresee(&self, approved: &Approved, text: &str, fill: &mut Fill) -> Answered {
        let written = match approved.asked().expiry() {
            Some(_) if self.broker.schedules.is_none() => Written::none(Code::ExpiryNotEnabled),
            _ => policy::foreseen(approved, fill.clone(), text),
        };
        if let Some(after) = written.policy.clone().filter(|_| written.ending() == Ok(Outcome::WouldGrant)) {
            *fill = after;
        }
        self.broker.audit.not_made(self.case, approved, written)
    }

    /// When it stops giving: in time to have the rest sent on, where it can be.
    fn end(&self) -> Instant {
        let kept = if self.can_send_rest() { self.broker.timing.call } else { std::time::Duration::ZERO };
        self.deadline.checked_sub(kept).unwrap_or(self.deadline)
    }

    /// The time for one more look.
    fn budget(&self) -> Budget {
        Budget::new(self.broker.timing, self.end().saturating_duration_since(Instant::now()))
    }

    fn given(&self, version: i64) -> Given {
        Given::Layer { name: self.layer.into(), version }
    }

    fn arn(&self, version: i64) -> String {
        format!("{}{version}", self.stem)
    }
}

/// Whether a policy has a statement, of this meaning and under this id.
fn stands(text: &str, expected: &Statement) -> bool {
    let found = statement::find(text, expected.sid());
    matches!(found, Some(Found::Statement(stored)) if *stored == *expected)
}
