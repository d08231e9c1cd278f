//! A rule in plain words, and what a person might look into.

use super::action::{self, Known};
use super::cover::actions;
use super::{Kind, nothing};
use crate::allowlist::{Pattern, Rule};

/// Most names that are listed of one kind.
const MOST_LISTED: usize = 8;

/// A part of what a rule says: its label and the words.
pub type Sentence = (&'static str, String);

/// Who may ask for what on which targets for whom.
pub(super) fn of(rule: &Rule) -> Vec<Sentence> {
    let asks = match &rule.requesters {
        None => "whoever may reach an open door; of events, those of the broker's own account".to_owned(),
        Some(patterns) => listed(patterns.iter().map(|it| &*it.0), "nobody"),
    };
    let mut sentences = vec![("asks", asks), ("on", targets(rule.targets.as_deref()))];
    let default = if rule.actions.is_none() { " (the default)" } else { "" };
    sentences.push(("grants", format!("{}{default}", listed(actions(rule).into_iter(), "nothing"))));
    let accounts: Vec<String> = rule.accounts.iter().map(ToString::to_string).collect();
    if !accounts.is_empty() {
        let with = "with the users and roles in it";
        sentences.push(("to", format!("{}, {with}", counted("account", accounts.iter().map(String::as_str)))));
    }
    if !rule.organizations.is_empty() {
        let ids = rule.organizations.iter().map(|id| id.as_str());
        sentences.push(("to", format!("everyone in {}", counted("organization", ids))));
    }
    if !rule.services.is_empty() {
        let services = counted("service", rule.services.iter().map(AsRef::as_ref));
        let skill = rule.services.iter().any(|service| nothing::needs_no_account(service));
        let skill = if skill { ", an Alexa service also for a skill" } else { "" };
        sentences.push(("to", format!("{services}, acting for one of the accounts{skill}")));
    }
    if sentences.iter().all(|(label, _)| *label != "to") {
        sentences.push(("to", "nobody".to_owned()));
    }
    if let Some(seconds) = rule.max_duration {
        sentences.push(("until", format!("an end that each grant has to name, at most {seconds} seconds ahead")));
    }
    if nothing::of(rule).is_none_or(|(kind, _)| kind != Kind::AllowsNothing) {
        const BESIDES: &str = "the same people may read the policies of these targets, and revoke what is in them";
        sentences.push(("besides", BESIDES.to_owned()));
    }
    sentences
}

fn targets(patterns: Option<&[Pattern]>) -> String {
    let Some(patterns) = patterns else {
        return "every function and layer of the broker's account and region, but the broker itself".to_owned();
    };
    let told = patterns.iter().map(|pattern| {
        let (word, name) = pattern.0.split_once(':').unwrap_or_default();
        match name.strip_suffix('*') {
            None => format!("{word} {name}"),
            Some("") => format!("every {word}"),
            Some(stem) => format!("every {word} whose name begins with {stem}"),
        }
    });
    let told: Vec<String> = told.collect();
    listed(told.iter().map(String::as_str), "nothing")
}

/// Names after what they are names of.
fn counted<'a>(what: &str, names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let end = if names.len() == 1 { "" } else { "s" };
    format!("{what}{end} {}", listed(names, ""))
}

/// Names one after the other; of many, how many there are.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>, none: &str) -> String {
    let more = names.len().saturating_sub(MOST_LISTED);
    let mut names: Vec<String> = names.take(MOST_LISTED).map(str::to_owned).collect();
    if names.is_empty() {
        return none.to_owned();
    }
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// What is no action of Lambda's, and what was probably meant.
pub(super) fn misspelt(rule: &Rule) -> Vec<(Kind, String, String)> {
    let mut found = Vec::new();
    for (position, action) in rule.actions.iter().flatten().enumerate() {
        let (kind, detail) = match action::known(action) {
            Known::OfFunction | Known::OfOthers => continue,
            Known::Misspelt(meant) => {
                (Kind::UnknownAction, format!("Lambda has no action `{action}`; `{meant}` was probably meant"))
            }
            Known::Unknown => {
                let detail =
                    format!("`{action}` is no action of Lambda's that is known here: look whether it is a new one");
                (Kind::UnlikelyAction, detail)
            }
        };
        found.push((kind, format!("/actions/{position}"), detail));
    }
    found
}

/// What may be right, though it often is not: accounts that an organization may cover, of the same rule or another one.
pub(super) fn hint(rule: &Rule, other: impl FnOnce() -> Option<String>) -> Option<(Kind, String, String)> {
    const UNLESS: &str = "they are needed only as source accounts and for grants to one of them alone; who is in an \
                          organization the broker cannot know, `aws organizations list-accounts` tells";
    let (false, own) = (rule.accounts.is_empty(), !rule.organizations.is_empty()) else { return None };
    let detail = if own {
        format!(
            "if these accounts are in an organization that the rule names, a grant to the organization covers them, and {UNLESS}"
        )
    } else {
        let other = other()?;
        format!(
            "if these accounts are in an organization of rule `{other}`, which lets the same people grant the same and no \
             less on these targets, a grant to the organization covers them, and {UNLESS}"
        )
    };
    Some((Kind::AccountsBesideOrganization, "/accounts".to_owned(), detail))
}
