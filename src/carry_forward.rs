//! `CarryLayerForward`: what the previous version of a layer grants is granted on a new version too.
//!
//! A layer's permissions belong to one version, so that with every new version they would have to be
//! given again (AWS, sharing layers). CloudTrail tells of each `PublishLayerVersion` through EventBridge. What the
//! allowlist allows today is carried over, whoever asked for it then; what it does not is told. Where nothing
//! is to be carried no write proves that the new version is there, so it has to be seen.

use tokio::time::Instant;

use crate::allowlist::Admitted;
use crate::asked::{Asked, Given};
use crate::audit::{Case, Part};
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::Code;
use crate::event::Received;
use crate::expiry::{self, Expiry};
use crate::outcome::Outcome;
use crate::policy::{self, Budget, Ending, Seen, Written};
use crate::read::Read;
use crate::reply::Answered;
use crate::request::Request;
use crate::resource::Own;
use crate::statement::{self, Found, Standing};

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
        let mut calls = Vec::new();
        let (mut written, parts) = match self.standing(admitted.read().given(), budget, &mut calls).await {
            Ok((before, now)) => self.carry(&admitted, before, now.as_deref(), case, own, budget).await?,
            Err(code) => (Written::none(code), Vec::new()),
        };
        written.calls = calls;
        self.audit.carried(case, &admitted, written, parts)
    }

    /// What the previous version grants, and the policy that the new one has already; none if it was not seen to be there.
    async fn standing(
        &self,
        given: &Given,
        budget: Budget,
        calls: &mut Vec<String>,
    ) -> Result<(Vec<Standing>, Option<String>), Code> {
        let Given::Layer { name, version } = given else { return Err(Code::Internal) };
        let previous = Given::Layer { name: name.clone(), version: version.saturating_sub(1) };
        let before = if *version > 1 { self.document(&previous, budget, calls).await? } else { None };
        // A policy that cannot be understood is not taken for an empty one.
        let before = before.filter(|text| !text.is_empty()).map_or(Some(Vec::new()), |text| statement::all(&text));
        let before = before.ok_or(Code::Unavailable)?;
        Ok((before, self.document(given, budget, calls).await?))
    }

    /// A policy's text, empty without one; nothing of a layer version that was not seen to be there.
    async fn document(&self, given: &Given, budget: Budget, calls: &mut Vec<String>) -> Result<Option<String>, Code> {
        let Seen { written, document, no_policy } = boxed(|| policy::read(&self.client, given, budget)).await;
        calls.extend_from_slice(&written.calls);
        match (written.ending(), document) {
            (Ok(_), Some(document)) => Ok(Some(document)),
            (Err(Code::TargetNotFound), _) => Ok(no_policy.then(String::new)),
            (Err(code), _) => Err(code),
            (Ok(_), None) => Err(Code::Unavailable),
        }
    }

    async fn carry(
        &self,
        admitted: &Admitted,
        before: Vec<Standing>,
        now: Option<&str>,
        case: &Case<'_>,
        own: &Own,
        budget: Budget,
    ) -> Result<(Written, Vec<Part>), crate::audit::Unrecorded> {
        let given = admitted.read().given();
        let Given::Layer { version, .. } = given else { return Ok((Written::none(Code::Internal), Vec::new())) };
        let layer = admitted.resource().rsplit_once(':').map_or("", |(layer, _)| layer);
        let previous = format!("{layer}:{}", version.saturating_sub(1));
        let mut whole = Written::ended(match now {
            Some(_) => Ending::Done(Outcome::AlreadyGranted),
            None => Ending::Not(Code::TargetNotFound),
        });
        let mut parts = Vec::new();
        for standing in before {
            let Standing::Statement(stored) = standing else {
                parts.push(Part::refused(None, Code::ActionNotAllowed));
                continue;
            };
            let until = expiry::of_id(stored.sid(), &previous, own);
            let until = until.map(|(base, at)| (base, Expiry::standing(at, case.now)));
            if until.as_ref().is_some_and(|(_, expiry)| expiry.is_over()) {
                continue;
            }
            let Ok(grant) = stored.carried(&previous, given, until) else {
                parts.push(Part::refused(Some(stored.sid()), Code::PrincipalNotAllowed));
                continue;
            };
            let approved = match case.allowlist.decide_carried(grant, own) {
                Ok(approved) => approved,
                Err(denied) => {
                    let sid = denied.asked.statement_id(own);
                    let code = denied.refusal.faults.first().map_or(Code::Internal, |fault| fault.code);
                    self.audit.denied(case, *denied, own)?;
                    parts.push(Part::refused(Some(sid.as_str()), code));
                    continue;
                }
            };
            let expected = statement::Statement::expected(&approved);
            let there = now.and_then(|now| statement::find(now, expected.sid()));
            if matches!(&there, Some(Found::Statement(stored)) if **stored == expected) {
                continue;
            }
            if !budget.allows_grant() {
                whole.ending = Ending::Not(Code::TimedOut);
                break;
            }
            let intent = self.audit.intent(case, approved)?;
            let recorded = self.make(intent, budget, false).await?;
            whole.ending = match (recorded.code(), &whole.ending) {
                // What may succeed later comes again; what never will is told, and the rest goes on.
                (Some(code), _) if code.kind().delivery() == crate::error::Delivery::Fail => Ending::Not(code),
                (Some(Code::TargetNotFound), _) => Ending::Not(Code::TargetNotFound),
                // A version that takes a grant is there, whatever the read said.
                (None, Ending::Not(Code::TargetNotFound) | Ending::Done(_)) => Ending::Done(Outcome::Granted),
                (_, Ending::Not(code)) => Ending::Not(*code),
                (Some(_), Ending::Done(outcome)) => Ending::Done(*outcome),
            };
            parts.push(recorded.part());
            // Neither is there for the other grants.
            if recorded.code() == Some(Code::TargetNotFound) {
                break;
            }
        }
        Ok((whole, parts))
    }
}
