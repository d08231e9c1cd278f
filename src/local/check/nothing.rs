//! What a rule says in vain: that it allows nothing at all, that nothing can be granted under it, or that an entry can
//! never come to anything.

use super::Kind;
use super::action::{self, Known, OF_LAYER};
use super::cover::actions;
use super::identity;
use crate::allowlist::{Pattern, Rule};
use crate::resource::{Function, LayerVersion};

/// Why nothing, or no grant, can be allowed under a rule.
pub(super) fn of(rule: &Rule) -> Option<(Kind, String)> {
    const STILL: &str = "; it only lets people read the policies of its targets and revoke what is in them";
    if let Some(why) = nobody_or_nothing(rule) {
        return Some((Kind::AllowsNothing, why));
    }
    no_grant(rule).map(|why| (Kind::GrantsNothing, format!("{why}{STILL}")))
}

fn nobody_or_nothing(rule: &Rule) -> Option<String> {
    let empty = |list: &Option<Vec<Pattern>>| list.as_ref().is_some_and(Vec::is_empty);
    if empty(&rule.targets) {
        return Some("`targets` is empty: no function and no layer is meant; leave it out to mean all".to_owned());
    }
    if empty(&rule.requesters) {
        return Some(
            "`requesters` is empty: nobody may ask; leave it out to let everyone ask who may reach the door".to_owned(),
        );
    }
    if !reaches(rule, "function:") && !reaches(rule, "layer:") {
        return Some("no function and no layer can have a name that `targets` says".to_owned());
    }
    // As soon as one of them can be somebody there is no need to ask the others.
    let mut reasons = rule.requesters.iter().flatten().map(identity::why_nobody);
    let first = reasons.next()??;
    reasons.all(|why| why.is_some()).then(|| format!("`requesters` names nobody who can ask: {first}"))
}

fn no_grant(rule: &Rule) -> Option<&'static str> {
    let actions = actions(rule);
    let parties = !rule.accounts.is_empty() || !rule.organizations.is_empty();
    let skills = rule.services.iter().any(|service| needs_no_account(service));
    let (functions, layers) = (reaches(rule, "function:"), reaches(rule, "layer:"));
    let of_function = functions && actions.iter().any(|action| action::known(action) != Known::OfOthers);
    if of_function && (parties || skills) || layers && actions.contains(&OF_LAYER) && parties {
        return None;
    }
    Some(if actions.is_empty() {
        "`actions` is empty: no action can be granted; leave it out to mean those that are allowed by default"
    } else if !parties && rule.services.is_empty() {
        "it names no account, no organization and no service that could be granted anything"
    } else if functions && !of_function {
        "its targets are functions, and none of its actions is one of a function: a statement with it gives nobody anything"
    } else if parties {
        "its targets are layers, and the only action of a layer is lambda:GetLayerVersion"
    } else if functions {
        "a service is granted access on behalf of an account alone, and it names no account"
    } else {
        "its targets are layers, and a layer is never shared with a service"
    })
}

/// The entries that nothing can come of, in a rule under which other things can be granted.
pub(super) fn entries(rule: &Rule) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let functions = reaches(rule, "function:");
    for (position, service) in rule.services.iter().enumerate() {
        let why = match (functions, rule.accounts.is_empty()) {
            (false, _) => "the targets are layers, and a layer is never shared with a service",
            (true, true) if !needs_no_account(service) => {
                "a service is granted access on behalf of an account alone, and the rule names no account"
            }
            _ => continue,
        };
        found.push((format!("/services/{position}"), why.to_owned()));
    }
    for (position, pattern) in rule.targets.iter().flatten().enumerate().filter(|(_, pattern)| !is_possible(pattern)) {
        let why = if pattern.0.starts_with("layer:") {
            "no layer can have such a name"
        } else {
            "no function can have such a name"
        };
        found.push((format!("/targets/{position}"), why.to_owned()));
    }
    for (position, action) in rule.actions.iter().flatten().enumerate() {
        if let Some(why) = of_no_target(action, rule) {
            found.push((format!("/actions/{position}"), why));
        }
    }
    let requesters = rule.requesters.iter().flatten().enumerate();
    let nobody = requesters.filter_map(|(position, pattern)| Some((position, identity::why_nobody(pattern)?)));
    found.extend(nobody.map(|(position, why)| (format!("/requesters/{position}"), why)));
    found
}

/// Why an action means nothing on any target of a rule. One that nobody knows may be a new one of functions.
fn of_no_target(action: &str, rule: &Rule) -> Option<String> {
    let (functions, layers) = (reaches(rule, "function:"), reaches(rule, "layer:"));
    if layers && action == OF_LAYER || functions && action::known(action) != Known::OfOthers {
        return None;
    }
    Some(match (functions, layers) {
        (false, _) => format!("the targets are layers, and `{action}` is no action of a layer"),
        (true, false) => format!(
            "the targets are functions, and `{action}` is no action of a function: a statement with it gives nobody anything"
        ),
        (true, true) => {
            format!("`{action}` is no action of a function or a layer: a statement with it gives nobody anything")
        }
    })
}

/// The Alexa services may be confined by the token that stands for a skill.
pub(super) fn needs_no_account(service: &str) -> bool {
    service.ends_with(".amazon.com") && !service.starts_with("s3.")
}

/// Whether a rule is about any function, or any layer.
fn reaches(rule: &Rule, word: &str) -> bool {
    rule.targets.as_ref().is_none_or(|patterns| patterns.iter().any(|it| it.0.starts_with(word) && is_possible(it)))
}

/// Whether anything can have a name that matches.
fn is_possible(pattern: &Pattern) -> bool {
    let Some((word, name)) = pattern.0.split_once(':') else { return false };
    // What stands before the `*` is a name itself, unless it is nothing.
    match name.strip_suffix('*').unwrap_or(name) {
        "" => true,
        stem if word == "layer" => LayerVersion::parse(stem, 1).is_ok(),
        stem => Function::parse(stem).is_ok(),
    }
}
