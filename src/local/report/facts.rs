//! What can be said of a statement from its text alone, for statements that no grant makes: older ones, ones of
//! other tools, ones whose principal was deleted. Of all others the broker's own reading is taken.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::arn::{AccountId, OrganizationId};
use crate::statement::is_unique_id;

/// Who a statement names, and whether anything holds it to an account or an organization.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// `account:…`, `service:…`, `deleted:…`, `everyone`, `other:…`, and from its conditions `organization:…` and
    /// `network:…`.
    pub(super) parties: BTreeSet<String>,
    pub(super) everyone: bool,
    pub(super) unconfined: bool,
}

impl Facts {
    /// Of `NotPrincipal` the value stands under that name, as in [`Told`](super::judge): it means everyone but these.
    pub(super) fn of(principal: &Value, condition: &Value) -> Self {
        let named = named(principal);
        let held = Held::of(condition);
        let mut facts = Self::default();
        for (kind, text) in &named {
            if is_everyone(kind, text) {
                facts.everyone |= !held.callers && !held.source && !held.source_arn;
                facts.parties.extend(facts.everyone.then(|| "everyone".to_owned()));
                continue;
            }
            facts.parties.insert(party(kind, text));
            // A bucket can be made again by another account: its ARN alone confines nothing.
            let by_arn = held.source_arn && !text.starts_with("s3.");
            facts.unconfined |= *kind == "Service" && !held.source && !by_arn;
        }
        facts.parties.extend(held.parties);
        facts
    }
}

/// Whether a principal names a user or a role that is no more.
pub(super) fn names_the_dead(principal: &Value) -> bool {
    named(principal).iter().any(|(kind, text)| *kind == "AWS" && is_unique_id(text))
}

fn is_everyone(kind: &str, text: &str) -> bool {
    kind == NOT_PRINCIPAL || text == "*" && matches!(kind, "" | "AWS")
}

/// The name under which the value of `NotPrincipal` stands.
pub(super) const NOT_PRINCIPAL: &str = "NotPrincipal";

/// The kind and the text of every principal; `*` alone has no kind.
fn named(principal: &Value) -> Vec<(&str, &str)> {
    match principal {
        Value::String(text) => vec![("", text)],
        Value::Object(kinds) if kinds.contains_key(NOT_PRINCIPAL) => vec![(NOT_PRINCIPAL, "")],
        Value::Object(kinds) => {
            kinds.iter().flat_map(|(kind, values)| texts(values).map(move |text| (kind.as_str(), text))).collect()
        }
        _ => Vec::new(),
    }
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let many = value.as_array().map(Vec::as_slice).unwrap_or_default();
    value.as_str().into_iter().chain(many.iter().filter_map(Value::as_str))
}

fn party(kind: &str, text: &str) -> String {
    let account = || AccountId::parse(text).or_else(|| account_of(text));
    match kind {
        "Service" => format!("service:{text}"),
        "AWS" if is_unique_id(text) => format!("deleted:{text}"),
        "AWS" => account().map_or_else(|| format!("other:{text}"), |account| format!("account:{account}")),
        _ => format!("other:{text}"),
    }
}

/// The account in an ARN; none if what stands before it could be anything.
fn account_of(arn: &str) -> Option<AccountId> {
    let mut parts = arn.splitn(6, ':');
    let before: Vec<&str> = parts.by_ref().take(4).collect();
    let plain = before.first() == Some(&"arn") && before.iter().all(|part| is_plain(part));
    parts.next().filter(|_| plain).and_then(AccountId::parse)
}

/// Whether a value stands for itself alone: without wildcards, and without a variable.
fn is_plain(text: &str) -> bool {
    !text.contains(['*', '?', '$'])
}

/// What conditions hold a statement to. A key that is not known here holds nobody: it is shown, and no more.
#[derive(Default)]
struct Held {
    /// The accounts, organizations and networks that are named.
    parties: BTreeSet<String>,
    /// Who calls is held to some of them. No service calls as any of them, so that this confines no service.
    callers: bool,
    /// On whose behalf a service calls is held to some of them. Who calls for himself has no source, and is let in
    /// by no such condition.
    source: bool,
    /// The same, by an ARN that names an account.
    source_arn: bool,
}

impl Held {
    /// Only operators that demand the key count: a negated one, one for all of a set, or one that is satisfied by a
    /// missing key lets everybody else in.
    fn of(condition: &Value) -> Self {
        const DEMANDING: [&str; 4] = ["stringequals", "stringlike", "arnequals", "arnlike"];
        let mut held = Self::default();
        for (operator, keys) in condition.as_object().into_iter().flatten() {
            let operator = operator.to_ascii_lowercase();
            let operator = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
            if DEMANDING.contains(&operator) {
                for (key, values) in keys.as_object().into_iter().flatten() {
                    held.key(&key.to_ascii_lowercase(), values);
                }
            }
        }
        held
    }

    /// Takes in what a key has to be, if every one of its values says who is meant. Sources: IAM User Guide, AWS
    /// global condition context keys.
    fn key(&mut self, key: &str, values: &Value) {
        let read: fn(&str) -> Option<String> = match key {
            "aws:sourceaccount" | "aws:principalaccount" => |text| Some(format!("account:{}", AccountId::parse(text)?)),
            "aws:sourcearn" | "aws:principalarn" => |text| Some(format!("account:{}", account_of(text)?)),
            "aws:sourceorgid" | "aws:principalorgid" => organization,
            "aws:sourceorgpaths" | "aws:principalorgpaths" => |path| organization(path.split_once('/')?.0),
            "aws:sourcevpce" => |text| network("vpce-", text),
            "aws:sourcevpc" => |text| network("vpc-", text),
            _ => return,
        };
        let named: Option<Vec<String>> = texts(values).map(read).collect();
        let Some(named) = named.filter(|named| !named.is_empty()) else { return };
        match key {
            "aws:sourcearn" => self.source_arn = true,
            "aws:sourceaccount" | "aws:sourceorgid" | "aws:sourceorgpaths" => self.source = true,
            _ => self.callers = true,
        }
        self.parties.extend(named);
    }
}

fn organization(id: &str) -> Option<String> {
    Some(format!("organization:{}", OrganizationId::parse(id).ok()?.as_str()))
}

/// An endpoint or a network that is named by its id, which no two have.
fn network(kind: &str, id: &str) -> Option<String> {
    let fits = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    id.strip_prefix(kind).is_some_and(fits).then(|| format!("network:{id}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::names_the_dead;

    #[test]
    fn the_dead_are_told_by_their_unique_id() {
        for (principal, dead) in [
            (json!({ "AWS": "AIDADBQP57FF2AEXAMPLE" }), true),
            (json!({ "AWS": ["111122223333", "AROADBQP57FF2AEXAMPLE"] }), true),
            (json!({ "AWS": "AIDA" }), false),
            (json!({ "AWS": "arn:aws:iam::111122223333:user/AIDADBQP57FF2AEXAMPLE" }), false),
            (json!({ "Service": "AIDADBQP57FF2AEXAMPLE" }), false),
            (json!("*"), false),
        ] {
            assert_eq!(names_the_dead(&principal), dead, "{principal}");
        }
    }
}
