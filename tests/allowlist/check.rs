//! What `check` finds in an allowlist: the table of findings, and that what it calls needless is.

use fastrand::Rng;
use permission_broker::allowlist::Allowlist;
use permission_broker::local::check::{Kind, check, check_and_tell};
use permission_broker::read::Read;
use permission_broker::request::Request;
use permission_broker::resource::Own;
use serde_json::{Value, json};

use super::agreement::{PEOPLE, allowlist, ask, document, one, requester, rule};
use super::reference::{Rule, Who};
use super::{OWN, decide};
use crate::support::{cases, seed};

/// The findings, as kind and place.
fn found(allowlist: &Value) -> Vec<(Kind, String)> {
    let checked = check(&allowlist.to_string());
    assert!(checked.findings.iter().all(|finding| !finding.detail.is_empty()));
    checked.findings.into_iter().map(|finding| (finding.kind, finding.pointer)).collect()
}

fn assert_found(allowlist: Value, expected: &[(Kind, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(kind, place)| (*kind, (*place).to_owned())).collect();
    assert_eq!(found(&allowlist), expected, "{allowlist}");
}

const ACCOUNT: &str = "210987654321";
const ORGANIZATION: &str = "o-a1b2c3d4e5";

#[test]
fn a_rule_that_says_what_another_says_is_found() {
    use Kind::{Duplicate, Shadowed};
    let rule = json!({ "accounts": [ACCOUNT], "targets": ["function:orders*"] });
    let with = |name: &str, value: Value| {
        let mut rule = rule.clone();
        rule[name] = value;
        rule
    };
    assert_found(json!([rule, with("id", json!("again"))]), &[(Duplicate, "/1")]);
    assert_found(json!([rule, rule, rule]), &[(Duplicate, "/1"), (Duplicate, "/2")]);
    // Written otherwise, and still the same.
    let actions = ["lambda:GetLayerVersion", "lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];
    let on_functions = (Kind::UselessEntry, "/1/actions/0");
    assert_found(json!([rule, with("actions", json!(actions))]), &[(Duplicate, "/1"), on_functions]);
    let everything = json!({ "accounts": [ACCOUNT], "targets": ["function:*", "layer:*"] });
    assert_found(json!([everything, { "accounts": [ACCOUNT] }]), &[(Duplicate, "/1")]);
    for narrower in [
        with("targets", json!(["function:orders"])),
        with("targets", json!(["function:orders-*", "function:orders9"])),
        with("actions", json!(["lambda:InvokeFunction"])),
        with("requesters", json!(["arn:aws:iam::123456789012:user/ci"])),
        with("requesters", json!(["sqs:*", "jwt:*"])),
    ] {
        assert_found(json!([rule, narrower]), &[(Shadowed, "/1")]);
        assert_found(json!([narrower, rule]), &[(Shadowed, "/0")]);
    }
    for other in [
        with("targets", json!(["function:order"])),
        with("targets", json!(["function:order-*"])),
        with("targets", json!(["layer:orders"])),
        with("actions", json!(["lambda:GetFunction"])),
        with("accounts", json!(["999999999999"])),
        // An event of another account may ask under these, and under a rule without `requesters` it may not.
        with("requesters", json!(["eventbridge:999999999999:*"])),
        with("requesters", json!(["*/ci"])),
        with("requesters", json!(["e*:ci"])),
    ] {
        assert!(found(&json!([rule, other])).iter().all(|(kind, _)| kind.is_hint()), "{other}");
    }
    // A direct invoke may ask only where nobody is named.
    let named = with("requesters", json!(["arn:*"]));
    assert_found(json!([named, with("targets", json!(["function:orders"]))]), &[]);
    let ci = with("requesters", json!(["arn:*:user/ci"]));
    assert_found(json!([named, ci]), &[(Shadowed, "/1")]);
}

#[test]
fn a_rule_that_allows_nothing_is_found() {
    use Kind::{AllowsNothing, GrantsNothing};
    let layer = "lambda:GetLayerVersion";
    for (rule, kind) in [
        (json!({}), GrantsNothing),
        (json!({ "id": "x", "accounts": [], "organizations": [], "services": [] }), GrantsNothing),
        (json!({ "accounts": [ACCOUNT], "targets": [] }), AllowsNothing),
        (json!({ "accounts": [ACCOUNT], "requesters": [] }), AllowsNothing),
        (json!({ "accounts": [ACCOUNT], "actions": [] }), GrantsNothing),
        (json!({ "accounts": [ACCOUNT], "targets": ["layer:a.b", "layer:a.*"] }), AllowsNothing),
        (json!({ "accounts": [ACCOUNT], "targets": [format!("function:{}", "f".repeat(257))] }), AllowsNothing),
        (json!({ "accounts": [ACCOUNT], "targets": [format!("layer:{}*", "l".repeat(141))] }), AllowsNothing),
        (json!({ "accounts": [ACCOUNT], "targets": ["layer:*"], "actions": ["lambda:InvokeFunction"] }), GrantsNothing),
        (json!({ "services": ["s3.amazonaws.com"] }), GrantsNothing),
        (json!({ "services": ["alexa-appkit.amazon.com"], "targets": ["layer:common"] }), GrantsNothing),
        (json!({ "services": ["sns.amazonaws.com"], "targets": ["layer:common"] }), GrantsNothing),
        (json!({ "accounts": [ACCOUNT], "targets": ["function:*"], "actions": [layer] }), GrantsNothing),
        (json!({ "accounts": [ACCOUNT], "targets": ["function:a"], "actions": ["lambda:ListLayers"] }), GrantsNothing),
        (json!({ "accounts": [ACCOUNT], "requesters": ["user/ci"] }), AllowsNothing),
        (
            json!({ "accounts": [ACCOUNT], "requesters": ["arn:aws:iam::123456789012:role/ci", "eventbridge:ci"] }),
            AllowsNothing,
        ),
    ] {
        assert_found(rule.clone(), &[(kind, "")]);
        assert_found(json!([{ "id": "a", "accounts": ["999999999999"] }, rule]), &[(kind, "/1")]);
    }
    for rule in [
        json!({ "accounts": [ACCOUNT] }),
        json!({ "organizations": [ORGANIZATION] }),
        json!({ "services": ["alexa-appkit.amazon.com"] }),
        json!({ "services": ["s3.amazonaws.com"], "accounts": [ACCOUNT] }),
        json!({ "accounts": [ACCOUNT], "targets": ["layer:*"], "actions": [layer] }),
        json!({ "accounts": [ACCOUNT], "targets": [format!("function:{}", "f".repeat(256))] }),
        json!({ "accounts": [ACCOUNT], "targets": [format!("layer:{}*", "l".repeat(140))] }),
    ] {
        assert_found(rule, &[]);
    }
    assert_found(json!([]), &[]);
}

#[test]
fn an_entry_that_makes_no_difference_is_found() {
    use Kind::UselessEntry;
    for (rule, place) in [
        (json!({ "accounts": [ACCOUNT], "targets": ["function:orders-*", "function:orders*"] }), "/targets/0"),
        (json!({ "accounts": [ACCOUNT], "targets": ["function:orders*", "function:orders"] }), "/targets/1"),
        (json!({ "accounts": [ACCOUNT], "requesters": ["arn:*", "arn:*:user/*"] }), "/requesters/1"),
        (json!({ "accounts": [ACCOUNT], "requesters": ["arn:a**", "arn:a*"] }), "/requesters/1"),
        (json!({ "accounts": [ACCOUNT], "targets": ["layer:a.b", "layer:common"] }), "/targets/0"),
        (json!({ "organizations": [ORGANIZATION], "services": ["s3.amazonaws.com"] }), "/services/0"),
        (
            json!({ "accounts": [ACCOUNT], "services": ["sns.amazonaws.com"], "targets": ["layer:common"] }),
            "/services/0",
        ),
        (
            json!({
                "accounts": [ACCOUNT], "targets": ["layer:common"],
                "actions": ["lambda:GetLayerVersion", "lambda:InvokeFunction"],
            }),
            "/actions/1",
        ),
        (
            json!({
                "accounts": [ACCOUNT], "targets": ["function:orders"],
                "actions": ["lambda:GetLayerVersion", "lambda:InvokeFunction"],
            }),
            "/actions/0",
        ),
        (json!({ "accounts": [ACCOUNT], "actions": ["lambda:GetLayerVersion", "lambda:ListFunctions"] }), "/actions/1"),
        (
            json!({ "accounts": [ACCOUNT], "requesters": ["sqs:x", "arn:aws:iam::123456789012:role/deployer"] }),
            "/requesters/1",
        ),
    ] {
        assert_found(rule, &[(UselessEntry, place)]);
    }
}

#[test]
fn what_may_be_right_is_a_hint() {
    let both = json!({ "accounts": [ACCOUNT], "organizations": [ORGANIZATION] });
    assert_found(both.clone(), &[(Kind::AccountsBesideOrganization, "/accounts")]);
    let checked = check(&both.to_string());
    assert_eq!(checked.mistakes(), 0);
    assert!(checked.findings[0].detail.contains("the broker cannot know"));
    let known = |action: &str| json!({ "accounts": [ACCOUNT], "actions": [action] });
    assert_found(known("lambda:FlyFunctionToTheMoon"), &[(Kind::UnlikelyAction, "/actions/0")]);
    assert_found(known("lambda:UpdateFunctionCode"), &[]);
}

#[test]
fn a_misspelt_action_is_found_with_what_was_meant() {
    for (action, meant) in [
        ("lambda:InvokeFuncton", "`lambda:InvokeFunction`"),
        ("lambda:invokeFunction", "`lambda:InvokeFunction`"),
        ("lambda:Invoke", "`lambda:InvokeFunction`"),
        ("lambda:InvokeFunctionURL", "`lambda:InvokeFunctionUrl`"),
        ("lambda:GetLayerVersions", "`lambda:GetLayerVersion`"),
    ] {
        let rule = json!({ "accounts": [ACCOUNT], "actions": ["lambda:GetPolicy", action] });
        assert_found(rule.clone(), &[(Kind::UnknownAction, "/actions/1")]);
        let checked = check(&rule.to_string());
        assert_eq!(checked.mistakes(), 1);
        assert!(checked.findings[0].detail.contains(meant), "{}", checked.findings[0].detail);
    }
    // Alone on layers it is no action at all.
    let rule = json!({ "accounts": [ACCOUNT], "targets": ["layer:*"], "actions": ["lambda:GetLayerVersions"] });
    assert_found(rule, &[(Kind::UnknownAction, "/actions/0"), (Kind::GrantsNothing, "")]);
}

/// An organization of one rule beside accounts of another, if whoever may grant to an account may grant the same to
/// the organization.
#[test]
fn accounts_that_an_organization_of_another_rule_may_cover_are_a_hint() {
    let accounts = json!({
        "accounts": [ACCOUNT], "targets": ["function:orders"], "actions": ["lambda:InvokeFunction"],
        "requesters": ["arn:aws:iam::123456789012:user/ci"], "maxDuration": "PT8H",
    });
    let everywhere = json!({ "id": "all", "organizations": [ORGANIZATION], "requesters": ["arn:*"] });
    let with = |name: &str, value: Value| {
        let mut rule = everywhere.clone();
        rule[name] = value;
        rule
    };
    for wide in [
        everywhere.clone(),
        with("targets", json!(["layer:x", "function:o*"])),
        with("actions", json!(["lambda:InvokeFunction"])),
        with("requesters", json!(["arn:aws:iam::123456789012:user/ci"])),
        with("maxDuration", json!("PT8H")),
        with("accounts", json!(["999999999999"])),
    ] {
        // The wide rule's own accounts have a hint of their own.
        let own = wide.get("accounts").is_some();
        let hint = |place| (Kind::AccountsBesideOrganization, place);
        let (first, last) = ([hint("/0/accounts")], [hint("/0/accounts"), hint("/1/accounts")]);
        assert_found(json!([accounts, wide]), if own { &last } else { &first });
        let (first, last) = ([hint("/1/accounts")], [hint("/0/accounts"), hint("/1/accounts")]);
        assert_found(json!([wide, accounts]), if own { &last } else { &first });
        let checked = check(&json!([accounts, wide]).to_string());
        assert!(checked.findings[0].detail.contains("an organization of rule `all`"));
        assert_eq!(checked.mistakes(), 0);
    }
    for other in [
        with("targets", json!(["function:order", "layer:*"])),
        with("actions", json!(["lambda:InvokeFunctionUrl"])),
        with("requesters", json!(["sqs:*"])),
        with("maxDuration", json!("PT7H59M")),
        json!({ "accounts": ["999999999999"] }),
    ] {
        assert_found(json!([accounts, other]), &[]);
    }
}

#[test]
fn it_tells_how_far_it_is() {
    let mut told = Vec::new();
    let rules = json!([{ "accounts": [ACCOUNT] }, {}, { "targets": [] }]).to_string();
    assert_eq!(check_and_tell(&rules, |done, all| told.push((done, all))).rules.len(), 3);
    assert_eq!(told, [(0, 3), (1, 3), (2, 3)]);
}

#[test]
fn a_malformed_allowlist_is_told_with_its_places() {
    let checked = check("[{\"accounts\": [\"1\", \"2\"]},\n {\"id\": \"\", \"acounts\": []}]");
    let places: Vec<&str> = checked.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(places, ["/0/accounts/0", "/0/accounts/1", "/1", "/1/id"]);
    assert!(checked.findings.iter().all(|finding| finding.kind == Kind::Malformed));
    assert!(checked.rules.is_empty());
    for (text, end) in
        [("[{},\n {,}]", "line 2, column 3)"), ("{", "line 1, column 1)"), ("[{}] x", "line 1, column 6)")]
    {
        let checked = check(text);
        assert_eq!(checked.mistakes(), 1, "{text}");
        assert!(checked.findings[0].detail.ends_with(end), "{}", checked.findings[0].detail);
    }
    let empty = check(" \n");
    assert!(empty.rules.is_empty() && empty.findings.is_empty());
}

/// Allowlists in which some rules say less than others, or nothing.
fn rules(rng: &mut Rng) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for _ in 0..rng.usize(1..4) {
        let mut made = match rules.as_slice() {
            [] => rule(rng),
            some if rng.bool() => some[rng.usize(..some.len())].clone(),
            _ => rule(rng),
        };
        for list in [&mut made.accounts, &mut made.organizations, &mut made.services] {
            thin(rng, list);
        }
        for list in [&mut made.actions, &mut made.targets, &mut made.requesters].into_iter().flatten() {
            thin(rng, list);
        }
        rules.push(made);
    }
    rules
}

/// Takes entries away, sometimes all.
fn thin(rng: &mut Rng, list: &mut Vec<&'static str>) {
    match rng.u8(..8) {
        0 => list.clear(),
        1 | 2 => list.truncate(1),
        3 => list.retain(|_| rng.bool()),
        _ => {}
    }
}

/// Whether a grant is allowed and a look at its target, and why not.
type Answer = (Result<(), Vec<(String, &'static str)>>, bool);

fn answer(allowlist: &Allowlist, document: &Value, who: Who) -> Answer {
    let reason = |fault: &permission_broker::error::Fault| (fault.pointer.to_string(), fault.code.as_str());
    let decision = decide(allowlist, document, &requester(who));
    let decision = decision.map(|_| ()).map_err(|denied| denied.refusal.faults.iter().map(reason).collect());
    let layer = document["operation"] == "AddLayerVersionPermission";
    let (operation, names) = match layer {
        true => ("GetLayerVersionPolicy", &["LayerName", "VersionNumber"][..]),
        false => ("GetPolicy", &["FunctionName"][..]),
    };
    let parameters: Value =
        names.iter().map(|name| ((*name).to_owned(), document["parameters"][name].clone())).collect();
    let read = json!({ "operation": operation, "parameters": parameters }).to_string();
    let read = Read::new(Request::read(&read).unwrap()).unwrap();
    (decision, allowlist.decide_read(read, &requester(who), &Own::parse(OWN).unwrap()).is_ok())
}

/// Whether a statement with this action gives anybody anything: an action of layers in the policy of a function does not.
fn has_effect(document: &Value) -> bool {
    document["operation"] == "AddLayerVersionPermission" || document["parameters"]["Action"] != "lambda:GetLayerVersion"
}

/// A rule without an entry.
fn without(rule: &mut Value, place: &str) {
    let (list, position) = place.rsplit_once('/').unwrap();
    let list = rule.pointer_mut(list).unwrap().as_array_mut().unwrap();
    list.remove(position.parse().unwrap());
}

/// Random allowlists, each asked for random grants by random people.
#[test]
fn what_is_called_needless_makes_no_difference() {
    const ASKED: usize = 24;
    let seed = seed();
    let rng = &mut Rng::with_seed(seed);
    let mut counts = [0_usize; 3];
    for case in 0..cases(200) {
        let whole = allowlist(&rules(rng));
        let asked: Vec<(Value, Who)> = (0..ASKED).map(|_| (document(&ask(rng)), one(rng, &PEOPLE))).collect();
        let found = found(&whole);
        let at = |place: &str| place.split('/').nth(1).unwrap().parse::<usize>().unwrap();
        // Every rule that can go goes at once, and of each other rule the entries, one at a time.
        let gone: Vec<usize> = found
            .iter()
            .filter(|(kind, _)| matches!(kind, Kind::Duplicate | Kind::Shadowed))
            .map(|(_, place)| at(place))
            .collect();
        counts[0] += gone.len();
        let kept = whole.as_array().unwrap().iter().enumerate().filter(|(i, _)| !gone.contains(i));
        let mut smaller = vec![Value::Array(kept.map(|(_, rule)| rule.clone()).collect())];
        for (_, place) in found.iter().filter(|(kind, _)| *kind == Kind::UselessEntry) {
            let mut one = whole.clone();
            without(&mut one[at(place)], &place[place[1..].find('/').unwrap() + 1..]);
            counts[1] += 1;
            smaller.push(one);
        }
        let parsed = |allowlist: &Value| Allowlist::parse(&allowlist.to_string()).unwrap();
        let (all, fewer) = (parsed(&whole), smaller.iter().map(parsed).collect::<Vec<_>>());
        for (document, who) in asked.iter().filter(|(document, _)| has_effect(document)) {
            let before = answer(&all, document, *who);
            for (i, smaller) in smaller.iter().enumerate() {
                let after = answer(&fewer[i], document, *who);
                // Without a rule even the reasons are the same; without an entry another one may come first.
                let same = after == before || i > 0 && (after.0.is_ok(), after.1) == (before.0.is_ok(), before.1);
                assert!(same, "seed {seed}, case {case}: {whole}\n{smaller}\n{document}\n{who:?}");
            }
        }
        for (kind, place) in found.iter().filter(|(kind, _)| matches!(kind, Kind::AllowsNothing | Kind::GrantsNothing))
        {
            counts[2] += 1;
            let alone = json!([whole[at(place)]]);
            let parsed = parsed(&alone);
            for (document, who) in asked.iter().filter(|(document, _)| has_effect(document)) {
                let (grant, read) = answer(&parsed, document, *who);
                assert!(grant.is_err(), "seed {seed}, case {case}: {alone} allows {document}");
                assert!(!read || *kind == Kind::GrantsNothing, "seed {seed}, case {case}: {alone} lets {who:?} read");
            }
        }
    }
    // None of the three may be so rare that it goes untested.
    assert!(counts.iter().all(|count| *count > cases(200) / 20), "{counts:?}");
}
