//! What can be said of a statement from its text alone, for statements that no grant makes: older ones, ones of
//! other tools, ones whose principal was deleted. Of all others the broker's own reading is taken.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::arn::AccountId;
use crate::statement::is_unique_id;

/// Who a statement names, and whether anything holds it to an account or an organization.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// `account:…`, `service:…`, `deleted:…`, `everyone`, `other:…`, and from its conditions `organization:…`.
    pub(super) parties: BTreeSet<String>,
    pub(super) everyone: bool,
    pub(super) unconfined: bool,
}

impl Facts {
    pub(super) fn of(principal: &Value, condition: &Value) -> Self {
        let named = named(principal);
        let held = Held::of(condition);
        let mut facts = Self::default();
        for (kind, text) in &named {
            facts.parties.insert(party(kind, text));
            facts.everyone |= is_everyone(kind, text) && held.organizations.is_empty() && held.accounts.is_empty();
            // A bucket can be made again by another account: its ARN alone confines nothing.
            let by_arn = held.source_arn && !text.starts_with("s3.");
            facts.unconfined |= *kind == "Service" && held.accounts.is_empty() && !by_arn;
        }
        facts.parties.extend(held.organizations.iter().map(|id| format!("organization:{id}")));
        facts.parties.extend(held.accounts.iter().map(|id| format!("account:{id}")));
        // Whom an organization stands beside is nobody without it.
        if !held.organizations.is_empty() {
            facts.parties.remove("everyone");
        }
        facts
    }
}

/// Whether a principal names a user or a role that is no more.
pub(super) fn names_the_dead(principal: &Value) -> bool {
    named(principal).iter().any(|(kind, text)| *kind == "AWS" && is_unique_id(text))
}

fn is_everyone(kind: &str, text: &str) -> bool {
    text == "*" && matches!(kind, "" | "AWS")
}

/// The kind and the text of every principal; `*` alone has no kind.
fn named(principal: &Value) -> Vec<(&str, &str)> {
    match principal {
        Value::String(text) => vec![("", text)],
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
    if is_everyone(kind, text) {
        return "everyone".to_owned();
    }
    let account = || AccountId::parse(text).or_else(|| account_of(text));
    match kind {
        "Service" => format!("service:{text}"),
        "AWS" if is_unique_id(text) => format!("deleted:{text}"),
        "AWS" => account().map_or_else(|| format!("other:{text}"), |account| format!("account:{account}")),
        _ => format!("other:{text}"),
    }
}

/// The account in an ARN.
fn account_of(arn: &str) -> Option<AccountId> {
    arn.strip_prefix("arn:")?.split(':').nth(3).and_then(AccountId::parse)
}

/// What conditions hold a statement to.
#[derive(Default)]
struct Held {
    accounts: BTreeSet<String>,
    organizations: BTreeSet<String>,
    source_arn: bool,
}

impl Held {
    /// Only operators that demand the key count: a negated one, one of a set, or one that is satisfied by
    /// a missing key lets everybody else in.
    fn of(condition: &Value) -> Self {
        const DEMANDING: [&str; 4] = ["stringequals", "stringlike", "arnequals", "arnlike"];
        let mut held = Self::default();
        for (operator, keys) in condition.as_object().into_iter().flatten() {
            if !DEMANDING.contains(&operator.to_ascii_lowercase().as_str()) {
                continue;
            }
            for (key, values) in keys.as_object().into_iter().flatten() {
                let plain = |text: &&str| !text.contains(['*', '?']);
                match key.to_ascii_lowercase().as_str() {
                    "aws:sourceaccount" | "aws:principalaccount" if texts(values).all(|text| plain(&text)) => {
                        held.accounts.extend(texts(values).map(str::to_owned));
                    }
                    "aws:principalorgid" | "aws:sourceorgid" if texts(values).all(|text| plain(&text)) => {
                        held.organizations.extend(texts(values).map(str::to_owned));
                    }
                    "aws:sourcearn" => {
                        let accounts: Option<Vec<AccountId>> = texts(values).map(account_of).collect();
                        held.source_arn |= accounts.is_some_and(|accounts| !accounts.is_empty());
                    }
                    _ => {}
                }
            }
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Facts, names_the_dead};

    #[test]
    fn a_statement_that_no_grant_makes_is_told_from_its_text() {
        let equals = |key: &str, value: Value| json!({ "StringEquals": { key: value } });
        let s3 = json!({ "Service": "s3.amazonaws.com" });
        let sns = json!({ "Service": "sns.amazonaws.com" });
        let arn = |arn: &str| json!({ "ArnLike": { "AWS:SourceArn": arn } });
        let account = "account:111122223333";
        let cases: [(Value, Value, &[&str], bool, bool); 14] = [
            (json!("*"), json!(null), &["everyone"], true, false),
            (json!({ "AWS": ["*"] }), json!(null), &["everyone"], true, false),
            (json!({ "AWS": "111122223333" }), json!(null), &[account], false, false),
            (json!({ "AWS": ["arn:aws:iam::111122223333:role/r"] }), json!(null), &[account], false, false),
            (json!({ "AWS": "AROADBQP57FF2AEXAMPLE" }), json!(null), &["deleted:AROADBQP57FF2AEXAMPLE"], false, false),
            (json!({ "CanonicalUser": "x" }), json!(null), &["other:x"], false, false),
            (
                json!("*"),
                equals("aws:PrincipalOrgID", json!("o-a1b2c3d4e5")),
                &["organization:o-a1b2c3d4e5"],
                false,
                false,
            ),
            (json!("*"), equals("aws:PrincipalOrgID", json!("o-*")), &["everyone"], true, false),
            (sns.clone(), json!(null), &["service:sns.amazonaws.com"], false, true),
            (sns.clone(), arn("arn:aws:sns:us-east-1:111122223333:*"), &["service:sns.amazonaws.com"], false, false),
            (sns.clone(), arn("arn:aws:sns:us-east-1:*:*"), &["service:sns.amazonaws.com"], false, true),
            (s3.clone(), arn("arn:aws:s3:us-east-1:111122223333:x"), &["service:s3.amazonaws.com"], false, true),
            (
                s3,
                equals("aws:SourceAccount", json!(["111122223333"])),
                &[account, "service:s3.amazonaws.com"],
                false,
                false,
            ),
            (
                sns,
                json!({ "StringNotEquals": { "aws:SourceAccount": "111122223333" } }),
                &["service:sns.amazonaws.com"],
                false,
                true,
            ),
        ];
        for (principal, condition, parties, everyone, unconfined) in cases {
            let parties = parties.iter().map(|party| (*party).to_owned()).collect();
            let facts = Facts { parties, everyone, unconfined };
            assert_eq!(Facts::of(&principal, &condition), facts, "{principal} {condition}");
        }
    }

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
