//! Looking: which version is the previous one, what it grants, and which versions above get the same.

use super::{Carry, stands};
use crate::boxed::boxed;
use crate::error::Code;
use crate::policy::{self, Seen};
use crate::statement::{self, Standing, Statement};

/// How many versions below the new one are looked at until one is there: versions can be deleted.
const MOST_BELOW: i64 = 10;

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
pub(super) struct Version {
    pub(super) number: i64,
    /// The text of its policy, empty without one; nothing if it was not seen to be there.
    pub(super) policy: Option<String>,
}

/// What there is to do.
pub(super) struct Task {
    pub(super) before: Before,
    pub(super) new: Version,
    /// The versions above it that get the same, the highest first.
    pub(super) above: Vec<Version>,
}

/// The previous version.
pub(super) struct Before {
    pub(super) resource: String,
    pub(super) standing: Vec<Standing>,
}

impl Carry<'_> {
    pub(super) async fn look(&mut self, number: i64) -> Result<Task, Code> {
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
            boxed(|| policy::read(&self.broker.client, &given, self.budget())).await;
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
