//! What is allowed already: one rule by another, one entry by another of the same list.

use super::Kind;
use crate::allowlist::{DEFAULT_ACTIONS, Pattern, Rule};

/// Another rule that allows whatever a rule allows, and whether the two say the same. Of rules that say the same the
/// first is the one that counts.
pub(super) fn of(rules: &[Rule], position: usize) -> Option<(Kind, &str)> {
    let rule = rules.get(position)?;
    let mut shadowed = None;
    for (other_position, other) in rules.iter().enumerate().filter(|(other, _)| *other != position) {
        match (covers(other, rule), covers(rule, other)) {
            (true, true) if other_position < position => return Some((Kind::Duplicate, &other.id)),
            (true, false) => shadowed = shadowed.or(Some((Kind::Shadowed, &*other.id))),
            _ => {}
        }
    }
    shadowed
}

/// Whether one rule allows everything that another allows, to everybody. Each field only ever narrows a rule, so it
/// is asked field by field; a field that is new has to be asked here too, or this does not compile.
fn covers(wide: &Rule, narrow: &Rule) -> bool {
    let Rule { id: _, accounts, organizations, services, actions: _, targets, requesters, max_duration } = narrow;
    all_in(&actions(narrow), &actions(wide))
        && covers_targets(wide.targets.as_deref(), targets.as_deref())
        && covers_requesters(wide.requesters.as_deref(), requesters.as_deref())
        && wide.max_duration.is_none_or(|most| max_duration.is_some_and(|narrow| narrow <= most))
        && all_in(organizations, &wide.organizations)
        && all_in(services, &wide.services)
        && accounts.iter().all(|account| wide.accounts.binary_search(account).is_ok())
}

/// The actions of a rule, those that it allows without a word included.
pub(super) fn actions(rule: &Rule) -> Vec<&str> {
    match &rule.actions {
        None => DEFAULT_ACTIONS.to_vec(),
        Some(actions) => actions.iter().map(AsRef::as_ref).collect(),
    }
}

fn all_in<T: PartialEq>(narrow: &[T], wide: &[T]) -> bool {
    narrow.iter().all(|one| wide.contains(one))
}

fn covers_targets(wide: Option<&[Pattern]>, narrow: Option<&[Pattern]>) -> bool {
    let any = |patterns: &[Pattern], text: &str| patterns.iter().any(|pattern| pattern.matches(text));
    match (wide, narrow) {
        (None, _) => true,
        (Some(wide), None) => any(wide, "function:*") && any(wide, "layer:*"),
        (Some(wide), Some(narrow)) => narrow.iter().all(|pattern| any(wide, &pattern.0)),
    }
}

/// A rule without `requesters` lets a direct invoke ask, which no pattern matches; and it lets no event of another
/// account ask, which a pattern may.
fn covers_requesters(wide: Option<&[Pattern]>, narrow: Option<&[Pattern]>) -> bool {
    const EVENT: &str = "eventbridge:";
    let may_be_an_event = |pattern: &Pattern| {
        let start = pattern.0.split('*').next().unwrap_or_default();
        EVENT.starts_with(start) || start.starts_with(EVENT)
    };
    match (wide, narrow) {
        (None, None) => true,
        (None, Some(narrow)) => !narrow.iter().any(may_be_an_event),
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|one| wide.iter().any(|pattern| pattern.matches(&one.0))),
    }
}

/// The entries that another entry of their list makes needless, each with its place in the rule. A `*` in the narrower
/// one is read as a character like any other, which only a `*` of the wider one matches.
pub(super) fn entries(rule: &Rule) -> Vec<(String, String)> {
    let lists = [("targets", &rule.targets), ("requesters", &rule.requesters)];
    let mut found = Vec::new();
    for (name, patterns) in lists.into_iter().filter_map(|(name, list)| Some((name, list.as_ref()?))) {
        for (position, narrow) in patterns.iter().enumerate() {
            let wider = |(other, wide): &(usize, &Pattern)| {
                // Of two that match the same the first is the one that counts.
                *other != position && wide.matches(&narrow.0) && (!narrow.matches(&wide.0) || *other < position)
            };
            if let Some((_, wide)) = patterns.iter().enumerate().find(wider) {
                let detail = format!("`{}` covers it already", wide.0);
                found.push((format!("/{name}/{position}"), detail));
            }
        }
    }
    found
}
