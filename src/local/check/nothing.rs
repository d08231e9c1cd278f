//! What a rule says in vain: that it allows nothing at all, that nothing can be granted under it, or that an entry can
//! never come to anything.

use super::Kind;
use super::cover::actions;
use crate::allowlist::{Pattern, Rule};
use crate::resource::{Function, LayerVersion};

/// The only action of a layer (Lambda API model).
const LAYER_ACTION: &str = "lambda:GetLayerVersion";

/// Why nothing, or no grant, can be allowed under a rule.
pub(super) fn of(rule: &Rule) -> Option<(Kind, String)> {
    const STILL: &str = "; it only lets people read the policies of its targets and revoke what is in them";
    if let Some(why) = nobody_or_nothing(rule) {
        return Some((Kind::AllowsNothing, why.to_owned()));
    }
    no_grant(rule).map(|why| (Kind::GrantsNothing, format!("{why}{STILL}")))
}

fn nobody_or_nothing(rule: &Rule) -> Option<&'static str> {
    let empty = |list: &Option<Vec<Pattern>>| list.as_ref().is_some_and(Vec::is_empty);
    if empty(&rule.targets) {
        return Some("`targets` is empty: no function and no layer is meant; leave it out to mean all");
    }
    if empty(&rule.requesters) {
        return Some("`requesters` is empty: nobody may ask; leave it out to let everyone ask who may reach the door");
    }
    let nowhere = !reaches(rule, "function:") && !reaches(rule, "layer:");
    nowhere.then_some("no function and no layer can have a name that `targets` says")
}

fn no_grant(rule: &Rule) -> Option<&'static str> {
    let actions = actions(rule);
    let parties = !rule.accounts.is_empty() || !rule.organizations.is_empty();
    let skills = rule.services.iter().any(|service| needs_no_account(service));
    let function = reaches(rule, "function:") && !actions.is_empty() && (parties || skills);
    let layer = reaches(rule, "layer:") && actions.contains(&LAYER_ACTION) && parties;
    if function || layer {
        return None;
    }
    Some(if actions.is_empty() {
        "`actions` is empty: no action can be granted; leave it out to mean those that are allowed by default"
    } else if !parties && rule.services.is_empty() {
        "it names no account, no organization and no service that could be granted anything"
    } else if parties {
        "its targets are layers, and the only action of a layer is lambda:GetLayerVersion"
    } else if reaches(rule, "function:") {
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
    for (position, action) in rule.actions.iter().flatten().enumerate().filter(|(_, action)| ***action != *LAYER_ACTION)
    {
        if !functions {
            let why = format!("the targets are layers, and `{action}` is no action of a layer");
            found.push((format!("/actions/{position}"), why));
        }
    }
    found
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
