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

use tokio::time::Instant;

use crate::allowlist::{Approved, Denied};
use crate::asked::{Asked, Given};
use crate::audit::{Case, Part, Recorded, Unrecorded};
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::{Code, Delivery};
use crate::event::Received;
use crate::expiry::{self, Expiry};
use crate::outcome::Outcome;
use crate::policy::{self, Before as Known, Budget, Ending, Fill, Seen, Written};
use crate::read::Read;
use crate::reply::Answered;
use crate::request::Request;
use crate::resource::Own;
use crate::statement::{self, Found, Standing, Statement};

/// How many versions below the new one are looked at until one is there: versions can be deleted.
const MOST_BELOW: i64 = 10;

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
        let budget = Budget::new(self.timing, deadline.saturating_duration_since(Instant::now()));
        let Given::Layer { name, version } = admitted.read().given() else {
            return self.audit.carried(case, &admitted, Written::none(Code::Internal), Vec::new());
        };
        let mut carry = Carry {
            broker: self,
            case,
            own,
            budget,
            dry_run: admitted.read().is_dry_run(),
            layer: name,
            stem: admitted.resource().trim_end_matches(|char: char| char.is_ascii_digit()),
            whole: Ending::Not(Code::TargetNotFound),
            parts: Vec::new(),
            calls: Vec::new(),
        };
        match carry.look(*version).await {
            Ok(task) => carry.over(task).await?,
            Err(code) => carry.whole = Ending::Not(code),
        }
        let written = Written { calls: carry.calls, ..Written::ended(carry.whole) };
        self.audit.carried(case, &admitted, written, carry.parts)
    }
}

/// What AWS says of a version.
enum Policy {
    /// The text of its policy; empty without one.
    There(String),
    /// It is not there.
    Missing,
    /// Neither was said in words that are known.
    Unseen,
}

/// A version that grants are given on.
struct Version {
    number: i64,
    /// The text of its policy, empty without one; nothing if it was not seen to be there.
    policy: Option<String>,
}

/// What there is to do.
struct Task {
    before: Before,
    new: Version,
    /// The versions above it that get the same, the highest first.
    above: Vec<Version>,
}

/// The previous version.
struct Before {
    resource: String,
    standing: Vec<Standing>,
}

/// What becomes of one statement of it.
enum Decided {
    /// It ends now.
    Over,
    /// No grant makes such a statement.
    NoGrant(Part),
    Denied(Box<Denied>),
    Approved(Box<Approved>),
}

/// A carry on its way.
struct Carry<'a> {
    broker: &'a Broker,
    case: &'a Case<'a>,
    own: &'a Own,
    budget: Budget,
    dry_run: bool,
    /// The layer as it was given.
    layer: &'a str,
    /// The ARN of a version without its number.
    stem: &'a str,
    whole: Ending,
    parts: Vec<Part>,
    calls: Vec<String>,
}

impl Carry<'_> {
    async fn look(&mut self, number: i64) -> Result<Task, Code> {
        let before = self.before(number).await?;
        let policy = match self.policy(number).await? {
            Policy::There(text) => Some(text),
            Policy::Missing | Policy::Unseen => None,
        };
        let new = Version { number, policy };
        let above = self.above(&before, &new).await?;
        Ok(Task { before, new, above })
    }

    async fn policy(&mut self, number: i64) -> Result<Policy, Code> {
        let given = self.given(number);
        let Seen { written, document, no_policy, missing } =
            boxed(|| policy::read(&self.broker.client, &given, self.budget)).await;
        self.calls.extend_from_slice(&written.calls);
        match (written.ending(), document) {
            (Ok(_), Some(document)) => Ok(Policy::There(document)),
            (Err(Code::TargetNotFound), _) if no_policy => Ok(Policy::There(String::new())),
            (Err(Code::TargetNotFound), _) if missing => Ok(Policy::Missing),
            (Err(Code::TargetNotFound), _) => Ok(Policy::Unseen),
            (Err(code), _) => Err(code),
            (Ok(_), None) => Err(Code::Unavailable),
        }
    }

    /// The nearest version below that is there, whether it grants anything or not. Whoever has deleted all of them has
    /// left nothing to carry.
    async fn before(&mut self, number: i64) -> Result<Before, Code> {
        let lowest = number.saturating_sub(MOST_BELOW).max(1);
        for below in (lowest..number).rev() {
            match self.policy(below).await? {
                Policy::There(text) => {
                    let standing = standing(&text).ok_or(Code::Unavailable)?;
                    return Ok(Before { resource: self.arn(below), standing });
                }
                Policy::Missing => {}
                // An older one is never taken for the previous one on the strength of a text that is not understood.
                Policy::Unseen => return Err(Code::PreviousNotFound),
            }
        }
        if lowest > 1 {
            return Err(Code::PreviousNotFound);
        }
        Ok(Before { resource: String::new(), standing: Vec::new() })
    }

    /// The versions above that get what the new one lacks. One that is published from now on has an event of its own,
    /// which comes later than this takes.
    async fn above(&mut self, before: &Before, new: &Version) -> Result<Vec<Version>, Code> {
        let Some(text) = &new.policy else { return Ok(Vec::new()) };
        let mut known = statements(standing(text).ok_or(Code::Unavailable)?).0;
        let wanted = before.standing.iter().filter_map(|standing| self.wanted(before, standing, new.number));
        let lacking: Vec<Statement> = wanted.filter(|wanted| !stands(text, wanted)).collect();
        let mut above = Vec::new();
        if lacking.is_empty() {
            return Ok(above);
        }
        known.extend(lacking);
        let mut number = new.number;
        while let Some(next) = number.checked_add(1) {
            let Policy::There(policy) = self.policy(next).await? else { break };
            let (own, foreign) = statements(standing(&policy).ok_or(Code::Unavailable)?);
            if foreign || !own.iter().all(|own| known.iter().any(|known| known.gives_the_same(own))) {
                break;
            }
            above.insert(0, Version { number: next, policy: Some(policy) });
            number = next;
        }
        Ok(above)
    }

    /// The statement that one of the previous version comes to, if it may be carried.
    fn wanted(&self, before: &Before, standing: &Standing, number: i64) -> Option<Statement> {
        match self.decide(before, standing, number) {
            Decided::Approved(approved) => Some(Statement::expected(&approved)),
            _ => None,
        }
    }

    fn decide(&self, before: &Before, standing: &Standing, number: i64) -> Decided {
        let Standing::Statement(stored) = standing else {
            return Decided::NoGrant(Part::refused(None, Code::ForeignStatement));
        };
        let until = expiry::of_id(stored.sid(), &before.resource, self.own);
        let until = until.map(|(base, at)| (base, Expiry::standing(at, self.case.now)));
        if until.as_ref().is_some_and(|(_, expiry)| expiry.is_over()) {
            return Decided::Over;
        }
        // Until a time that only another broker can tell, or on another target: nothing would end what is given here.
        if until.is_none() && expiry::looks_timed(stored.sid()) {
            return Decided::NoGrant(Part::refused(Some(stored.sid()), Code::InvalidExpiry));
        }
        let Ok(grant) = stored.carried(&before.resource, &self.given(number), until) else {
            return Decided::NoGrant(Part::refused(Some(stored.sid()), Code::PrincipalNotAllowed));
        };
        match self.case.allowlist.decide_carried(grant.dry(self.dry_run), self.own) {
            Ok(approved) => Decided::Approved(Box::new(approved)),
            Err(denied) => Decided::Denied(denied),
        }
    }

    /// Gives what there is to give.
    async fn over(&mut self, task: Task) -> Result<(), Unrecorded> {
        let Task { before, new, above } = task;
        if new.policy.is_some() {
            self.whole = Ending::Done(Outcome::AlreadyGranted);
        }
        for version in &above {
            self.give(&before, version, true).await?;
            // What comes again has to find the new version incomplete.
            if let Ending::Not(code) = self.whole
                && code.kind().delivery() == Delivery::Fail
            {
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
        for standing in &before.standing {
            let approved = match self.decide(before, standing, to.number) {
                Decided::Approved(approved) => *approved,
                Decided::Over => continue,
                // It is told once, of the version that was asked about.
                _ if above => continue,
                Decided::NoGrant(part) => {
                    self.parts.push(part);
                    continue;
                }
                Decided::Denied(denied) => {
                    let recorded = self.broker.audit.denied(self.case, *denied, self.own)?;
                    self.parts.push(recorded.part());
                    continue;
                }
            };
            // Whoever only asks is told of what stands there too.
            if !self.dry_run && stands(text, &Statement::expected(&approved)) {
                continue;
            }
            if self.dry_run && to.policy.is_none() {
                break;
            }
            if !self.dry_run && !self.budget.allows_grant() {
                self.whole = Ending::Not(Code::TimedOut);
                break;
            }
            let recorded = self.make(approved, text, &mut fill).await?;
            self.note(&recorded, above);
            self.parts.push(if above { recorded.part().on(&self.arn(to.number)) } else { recorded.part() });
            // Neither is there for the other grants.
            if recorded.code() == Some(Code::TargetNotFound) {
                break;
            }
        }
        Ok(())
    }

    /// Makes one grant, or foresees what would become of it; `fill` is the policy before it, and then after it.
    async fn make(&self, approved: Approved, text: &str, fill: &mut Fill) -> Answered {
        if !self.dry_run {
            // The policy was read when the version was looked at, and what was given since is counted.
            let before = match self.broker.reads_first {
                true => Known::Seen(Box::new(policy::met(&approved, fill.clone(), text))),
                false => Known::Nothing,
            };
            let intent = self.broker.audit.intent(self.case, approved)?;
            let recorded = self.broker.make_after(intent, self.budget, before).await?;
            if let Some(after) = recorded.policy().filter(|_| recorded.code().is_none()) {
                *fill = after.clone();
            }
            return Ok(recorded);
        }
        let written = match approved.asked().expiry() {
            Some(_) if self.broker.schedules.is_none() => Written::none(Code::ExpiryNotEnabled),
            _ => policy::foreseen(&approved, fill.clone(), text),
        };
        if let Some(after) = written.policy.clone().filter(|_| written.ending() == Ok(Outcome::WouldGrant)) {
            *fill = after;
        }
        self.broker.audit.not_made(self.case, &approved, written)
    }

    fn note(&mut self, recorded: &Recorded, above: bool) {
        self.whole = match (recorded.code(), &self.whole) {
            // What may succeed later comes again; what never will is told, and the rest goes on.
            (Some(code), _) if code.kind().delivery() == Delivery::Fail => Ending::Not(code),
            (Some(Code::TargetNotFound), _) if !above => Ending::Not(Code::TargetNotFound),
            // A version that takes a grant is there, whatever the read said.
            (None, Ending::Not(Code::TargetNotFound) | Ending::Done(Outcome::AlreadyGranted)) => {
                Ending::Done(recorded.outcome().unwrap_or(Outcome::AlreadyGranted))
            }
            (_, Ending::Not(code)) => Ending::Not(*code),
            (_, Ending::Done(outcome)) => Ending::Done(*outcome),
        };
    }

    fn given(&self, version: i64) -> Given {
        Given::Layer { name: self.layer.into(), version }
    }

    fn arn(&self, version: i64) -> String {
        format!("{}{version}", self.stem)
    }
}

/// Every statement of a policy's text, which may be empty. A policy that cannot be understood is not taken for an
/// empty one.
fn standing(text: &str) -> Option<Vec<Standing>> {
    if text.is_empty() { Some(Vec::new()) } else { statement::all(text) }
}

/// The statements that the canonical form covers, and whether there are others.
fn statements(standing: Vec<Standing>) -> (Vec<Statement>, bool) {
    let all = standing.len();
    let own: Vec<Statement> = standing
        .into_iter()
        .filter_map(|standing| match standing {
            Standing::Statement(stored) => Some(*stored),
            Standing::Foreign(_) => None,
        })
        .collect();
    let foreign = own.len() < all;
    (own, foreign)
}

/// Whether a policy has a statement, of this meaning and under this id.
fn stands(text: &str, expected: &Statement) -> bool {
    let found = statement::find(text, expected.sid());
    matches!(found, Some(Found::Statement(stored)) if *stored == *expected)
}
