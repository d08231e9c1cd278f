//! Who may ask: patterns over the verified identity, and events from other accounts.

use permission_broker::allowlist::Allowlist;
use permission_broker::arn::AccountId;
use permission_broker::requester::{Requester, Text};
use serde_json::json;

use super::{decide, iam};
use crate::support::document::add_permission;

fn text(text: &str) -> Text {
    Text::parse(text).unwrap()
}

fn event(account: &str, source: &str) -> Requester {
    Requester::EventBridge { account: AccountId::parse(account).unwrap(), source: text(source) }
}

/// Whether a rule for these requesters lets one ask; `None` is a rule that names no requesters.
fn may_ask(patterns: Option<&[&str]>, requester: &Requester) -> bool {
    let mut rule = json!({ "accounts": ["210987654321"] });
    if let Some(patterns) = patterns {
        rule["requesters"] = json!(patterns);
    }
    let allowlist = Allowlist::parse(&rule.to_string()).unwrap();
    match decide(&allowlist, &add_permission(&json!({})), requester) {
        Ok(_) => true,
        Err(denied) => {
            let told: Vec<_> =
                denied.refusal.faults.iter().map(|fault| (&*fault.pointer, fault.code.as_str())).collect();
            assert_eq!(told, [("", "requester_not_allowed")]);
            false
        }
    }
}

#[test]
fn each_kind_of_requester_has_an_id_of_its_own() {
    let issuer = "https://cognito-idp.us-east-1.amazonaws.com/pool";
    let arn = "arn:aws:iam::123456789012:user/ci";
    for (requester, id) in [
        (iam(arn), Some(arn.to_owned())),
        (Requester::Jwt { issuer: text(issuer), subject: text("alice") }, Some(format!("jwt:{issuer}#alice"))),
        (Requester::Authorizer(text(arn)), Some(format!("authorizer:{arn}"))),
        (event("123456789012", "ci"), Some("eventbridge:123456789012:ci".to_owned())),
        (event("000000000001", arn), Some(format!("eventbridge:000000000001:{arn}"))),
        (Requester::Sqs(text("AROAEXAMPLE:ci")), Some("sqs:AROAEXAMPLE:ci".to_owned())),
        (Requester::Direct, None),
    ] {
        assert_eq!(requester.id().map(|id| id.into_owned()), id);
        // Nobody but the user itself can be taken for the user.
        assert_eq!(may_ask(Some(&[arn]), &requester), id.as_deref() == Some(arn));
        if let Some(id) = id {
            assert!(may_ask(Some(&["nobody", &id]), &requester), "{id}");
        }
    }
}

#[test]
fn a_rule_without_requesters_is_for_everyone_who_may_reach_the_door() {
    for requester in [
        iam("arn:aws:iam::999999999999:user/x"),
        Requester::Sqs(text("x")),
        Requester::Direct,
        Requester::Authorizer(text("x")),
    ] {
        assert!(may_ask(None, &requester), "{requester:?}");
    }
}

#[test]
fn a_rule_with_requesters_is_never_for_a_direct_invoke() {
    for patterns in [&["*a*", "*e*", "*:*", "direct", "d*"][..], &[]] {
        assert!(!may_ask(Some(patterns), &Requester::Direct));
    }
    assert!(!may_ask(Some(&[]), &iam("arn:aws:iam::123456789012:user/ci")));
}

/// Any account may be let onto a bus; its events ask for nothing unless it is named.
#[test]
fn an_event_from_another_account_has_to_be_named() {
    let (own, foreign) = (event("123456789012", "ci"), event("210987654321", "ci"));
    assert!(may_ask(None, &own));
    // Being an account that may be granted access does not make it one that may ask for it.
    assert!(!may_ask(None, &foreign));
    assert!(may_ask(Some(&["eventbridge:210987654321:*"]), &foreign));
    assert!(!may_ask(Some(&["eventbridge:210987654321:*"]), &own));
    assert!(!may_ask(Some(&["eventbridge:210987654321:other"]), &foreign));
    assert!(may_ask(Some(&["eventbridge:*"]), &foreign));
}

#[test]
fn a_star_stands_for_any_run_of_characters_and_nothing_else_is_special() {
    for (pattern, id, expected) in [
        ("abc", "abc", true),
        ("abc", "abcd", false),
        ("abc", "xabc", false),
        ("abc", "ABC", false),
        ("a*", "a", true),
        ("a*", "abc", true),
        ("a*", "ba", false),
        ("*c", "c", true),
        ("*c", "abc", true),
        ("*c", "cd", false),
        ("a*c", "ac", true),
        ("a*c", "abc", true),
        ("a*c", "acb", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("ab*ba", "aba", false),
        ("ab*ba", "abba", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "axxbyyc", true),
        ("a*b*c", "acb", false),
        ("a*bc*c", "abc", false),
        ("a*bc*c", "abcc", true),
        ("*b*", "b", true),
        ("*b*", "abc", true),
        ("*b*", "ac", false),
        ("a**c", "ac", true),
        ("a**c", "axc", true),
        ("**c", "c", true),
        ("*aab", "aaab", true),
        ("*ab*ab", "ab", false),
        ("*ab*ab", "abab", true),
        ("*ab*b", "ab", false),
        ("a?c", "abc", false),
        ("a?c", "a?c", true),
        ("a.c", "abc", false),
        ("[a-z]", "a", false),
        ("a\\*", "a\\", true),
        ("a c*", "a c ", true),
        ("x*", "abc", false),
    ] {
        assert_eq!(may_ask(Some(&[pattern]), &iam(id)), expected, "{pattern} over {id}");
    }
    let user = "arn:aws:iam::123456789012:user/team/ci";
    for (pattern, expected) in [
        ("arn:aws:iam::123456789012:user/*", true),
        ("arn:aws:iam::123456789012:user/team/*", true),
        ("arn:aws:iam::*:user/team/ci", true),
        ("arn:aws:iam::123456789012:user/ci", false),
        ("arn:aws:iam::123456789012:role/*", false),
        ("arn:aws:iam::210987654321:*", false),
    ] {
        assert_eq!(may_ask(Some(&[pattern]), &iam(user)), expected, "{pattern}");
    }
}

/// With backtracking these would not come to an end.
#[test]
fn many_stars_need_no_more_time_than_few() {
    let id = "a".repeat(Text::MOST_CHARS);
    for (pattern, expected) in [
        (format!("{}b", "a*".repeat(1_000)), false),
        (format!("{}a", "a*".repeat(1_000)), true),
        (format!("{}b", "*a".repeat(1_000)), false),
        (format!("b{}", "*a".repeat(1_000)), false),
        ("*a".repeat(1_024), true),
        (format!("*{}b*", "a".repeat(1_000)), false),
        (format!("{}a", "*".repeat(2_047)), true),
        (format!("{}b", "*".repeat(2_047)), false),
    ] {
        assert_eq!(may_ask(Some(&[&pattern]), &iam(&id)), expected, "{pattern}");
    }
    // One letter more than there are.
    assert!(!may_ask(Some(&[&format!("{}a", "a".repeat(Text::MOST_CHARS))]), &iam(&id)));
    assert!(may_ask(Some(&[&id]), &iam(&id)));
}
