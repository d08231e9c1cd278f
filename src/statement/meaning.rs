//! What a statement means, whatever its id, so that alike ones among many are found at little cost.

use super::{Condition, Party, SOURCE_ARN, Statement, is};

/// All that a statement means, or what is left when one thing in it does not matter. It may hold a token, so it has no `Debug`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Meaning<'s> {
    allow: bool,
    principal: Option<&'s Party>,
    action: &'s str,
    resource: &'s str,
    conditions: Vec<(&'s Condition, &'s Vec<String>)>,
}

impl Statement {
    /// What it means.
    pub(crate) fn meaning(&self) -> Meaning<'_> {
        let Self { sid: _, allow, principal, action, resource, conditions } = self;
        let conditions = conditions.iter().collect();
        Meaning { allow: *allow, principal: Some(principal), action, resource, conditions }
    }

    /// What it means but for whom, if it grants to one account, of whatever organization.
    pub(crate) fn meaning_to_any_account(&self) -> Option<Meaning<'_>> {
        self.is_to_one_account().then(|| Meaning { principal: None, ..self.meaning() })
    }

    /// What it means but for the source ARN.
    pub(crate) fn meaning_from_anywhere(&self) -> Meaning<'_> {
        let mut meaning = self.meaning();
        meaning.conditions.retain(|(condition, _)| !is(condition, SOURCE_ARN));
        meaning
    }
}
