//! What each field of a rule allows, and that one rule has to allow the whole grant.

use permission_broker::allowlist::{Allowlist, DEFAULT_ACTIONS};
use serde_json::{Value, json};

use super::{SOMEBODY, decide, iam, reasons};
use crate::support::document::{add_layer_version_permission, add_permission};

const PARTNER: &str = "210987654321";
const OTHER: &str = "999999999999";
const ORGANIZATION: &str = "o-a1b2c3d4e5";

/// Asserts the reasons against a grant under an allowlist.
fn assert_reasons(allowlist: &Value, document: &Value, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect();
    assert_eq!(reasons(allowlist, document, &iam(SOMEBODY)), expected, "{allowlist}\n{document}");
}

#[test]
fn without_rules_or_in_an_empty_rule_nothing_is_allowed() {
    let everyone = json!({ "Principal": "*", "PrincipalOrgID": ORGANIZATION });
    let service = json!({ "Principal": "sns.amazonaws.com", "SourceAccount": PARTNER });
    let of_organization = json!({ "Principal": "*", "OrganizationId": ORGANIZATION });
    for (text, rules) in [("", 0), ("[]", 0), ("{}", 1), ("[{}]", 1), ("[{},{}]", 2)] {
        let allowlist = Allowlist::parse(text).unwrap();
        for (document, code) in [
            (add_permission(&json!({})), "principal_not_allowed"),
            (add_permission(&everyone), "organization_not_allowed"),
            (add_permission(&service), "principal_not_allowed"),
            (add_layer_version_permission(&json!({})), "principal_not_allowed"),
            (add_layer_version_permission(&of_organization), "organization_not_allowed"),
        ] {
            let denied = decide(&allowlist, &document, &iam(SOMEBODY)).unwrap_err();
            let codes: Vec<_> = denied.refusal.faults.iter().map(|fault| fault.code.as_str()).collect();
            assert_eq!((codes, denied.refusal.rules.len()), (vec![code], rules), "{text} {document}");
        }
    }
}

/// `*` alone is refused as such; no organization was named that could be missing from the list.
#[test]
fn without_rules_everyone_is_no_question_of_an_organization() {
    let document = add_permission(&json!({ "Principal": "*" }));
    let expected = [("Principal", "public_grant"), ("Principal", "principal_not_allowed")];
    assert_reasons(&json!([]), &document, &expected);
}

#[test]
fn the_smallest_allowlist_allows_its_account_and_its_organization() {
    let allowlist = json!({ "accounts": [PARTNER], "organizations": [ORGANIZATION] });
    assert_reasons(&allowlist, &add_permission(&json!({})), &[]);
    assert_reasons(&allowlist, &add_permission(&json!({ "Principal": "*", "PrincipalOrgID": ORGANIZATION })), &[]);
    assert_reasons(&allowlist, &add_layer_version_permission(&json!({})), &[]);
    let of_organization = json!({ "Principal": "*", "OrganizationId": ORGANIZATION });
    assert_reasons(&allowlist, &add_layer_version_permission(&of_organization), &[]);
    let service = json!({ "Principal": "sns.amazonaws.com", "SourceAccount": PARTNER });
    assert_reasons(&allowlist, &add_permission(&service), &[("Principal", "principal_not_allowed")]);
}

/// Every account that a grant names has to be on the list, in whatever role it is named.
#[test]
fn an_account_is_looked_for_in_every_role() {
    let allowlist =
        json!({ "accounts": [PARTNER], "organizations": [ORGANIZATION], "services": ["sns.amazonaws.com"] });
    for (role, changes) in [
        ("Principal", json!({ "Principal": "ACCOUNT" })),
        ("Principal", json!({ "Principal": "arn:aws:iam::ACCOUNT:root" })),
        ("Principal", json!({ "Principal": "arn:aws:iam::ACCOUNT:user/x" })),
        ("Principal", json!({ "Principal": "arn:aws:iam::ACCOUNT:role/a/b" })),
        ("Principal", json!({ "Principal": "ACCOUNT", "PrincipalOrgID": ORGANIZATION })),
        ("SourceAccount", json!({ "Principal": "sns.amazonaws.com", "SourceAccount": "ACCOUNT" })),
        ("SourceArn", json!({ "Principal": "sns.amazonaws.com", "SourceArn": "arn:aws:sns:us-east-1:ACCOUNT:t" })),
        ("SourceAccount", json!({ "Principal": PARTNER, "SourceAccount": "ACCOUNT" })),
        ("SourceArn", json!({ "Principal": PARTNER, "SourceArn": "arn:aws:sns:us-east-1:ACCOUNT:t" })),
        ("SourceAccount", json!({ "Principal": "*", "PrincipalOrgID": ORGANIZATION, "SourceAccount": "ACCOUNT" })),
    ] {
        let of = |account: &str| {
            let changes = changes.to_string().replace("ACCOUNT", account);
            add_permission(&serde_json::from_str(&changes).unwrap())
        };
        let code = if role == "Principal" { "principal_not_allowed" } else { "source_not_allowed" };
        assert_reasons(&allowlist, &of(PARTNER), &[]);
        assert_reasons(&allowlist, &of(OTHER), &[(role, code)]);
    }
    for principal in [OTHER.to_owned(), format!("arn:aws:iam::{OTHER}:root")] {
        let document = add_layer_version_permission(&json!({ "Principal": principal }));
        assert_reasons(&allowlist, &document, &[("Principal", "principal_not_allowed")]);
    }
}

#[test]
fn an_organization_is_looked_for_beside_every_principal() {
    let allowlist =
        json!({ "accounts": [PARTNER], "organizations": [ORGANIZATION], "services": ["sns.amazonaws.com"] });
    let code = "organization_not_allowed";
    for principal in ["*", PARTNER, "sns.amazonaws.com"] {
        let of = |id: &str| {
            add_permission(&json!({ "Principal": principal, "PrincipalOrgID": id, "SourceAccount": PARTNER }))
        };
        assert_reasons(&allowlist, &of(ORGANIZATION), &[]);
        assert_reasons(&allowlist, &of("o-a1b2c3d4e50"), &[("PrincipalOrgID", code)]);
    }
    let layer = |id: &str| add_layer_version_permission(&json!({ "Principal": "*", "OrganizationId": id }));
    assert_reasons(&allowlist, &layer(ORGANIZATION), &[]);
    assert_reasons(&allowlist, &layer("o-zzzzzzzzzz"), &[("OrganizationId", code)]);
}

#[test]
fn a_service_is_allowed_by_its_exact_name() {
    let allowlist = json!({ "accounts": [PARTNER], "services": ["s3.amazonaws.com", "alexa-appkit.amazon.com"] });
    let of = |service: &str| add_permission(&json!({ "Principal": service, "SourceAccount": PARTNER }));
    for service in ["s3.amazonaws.com", "alexa-appkit.amazon.com"] {
        assert_reasons(&allowlist, &of(service), &[]);
    }
    let others = [
        "evil.amazonaws.com",
        "s3.amazonaws.com.cn",
        "s3.us-east-1.amazonaws.com",
        "x.s3.amazonaws.com",
        "3.amazonaws.com",
    ];
    for service in others {
        assert_reasons(&allowlist, &of(service), &[("Principal", "principal_not_allowed")]);
    }
}

#[test]
fn an_action_is_allowed_by_its_exact_name_and_three_are_by_default() {
    assert_eq!(DEFAULT_ACTIONS, ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:GetLayerVersion"]);
    let plain = json!({ "accounts": [PARTNER] });
    let of = |action: &str| add_permission(&json!({ "Action": action }));
    for action in DEFAULT_ACTIONS {
        assert_reasons(&plain, &of(action), &[]);
    }
    let refused = [("Action", "action_not_allowed")];
    for action in [
        "lambda:UpdateFunctionCode",
        "lambda:AddPermission",
        "lambda:GetPolicy",
        "lambda:invokefunction",
        "lambda:Invoke",
    ] {
        assert_reasons(&plain, &of(action), &refused);
    }
    let one = json!({ "accounts": [PARTNER], "actions": ["lambda:GetFunction"] });
    assert_reasons(&one, &of("lambda:GetFunction"), &[]);
    assert_reasons(&one, &of("lambda:InvokeFunction"), &refused);
    assert_reasons(&one, &add_layer_version_permission(&json!({})), &refused);
    // Named, an empty list allows none, unlike one that is left out.
    assert_reasons(&json!({ "accounts": [PARTNER], "actions": [] }), &of("lambda:InvokeFunction"), &refused);
}

#[test]
fn a_target_is_allowed_by_kind_and_name() {
    let function = |name: &str| add_permission(&json!({ "FunctionName": name }));
    let layer = |name: &str| add_layer_version_permission(&json!({ "LayerName": name }));
    let orders_arn = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";
    let tools_arn = "arn:aws:lambda:us-east-1:123456789012:layer:tools";
    for (targets, document, allowed) in [
        (json!(["function:orders"]), function("orders"), true),
        (json!(["function:orders"]), function("orders:live"), true),
        (json!(["function:orders"]), function("123456789012:function:orders"), true),
        (json!(["function:orders"]), function(orders_arn), true),
        (json!(["function:orders"]), function("orders2"), false),
        (json!(["function:orders"]), function("order"), false),
        (json!(["function:orders"]), function("Orders"), false),
        (json!(["function:orders"]), layer("orders"), false),
        (json!(["layer:orders"]), function("orders"), false),
        (json!(["layer:tools"]), layer("tools"), true),
        (json!(["layer:tools"]), layer(tools_arn), true),
        (json!(["layer:tool*"]), layer("tools"), true),
        (json!(["function:orders*"]), function("orders"), true),
        (json!(["function:orders*"]), function("orders-api"), true),
        (json!(["function:orders*"]), function("my-orders"), false),
        (json!(["function:*"]), function("orders"), true),
        (json!(["function:*"]), layer("tools"), false),
        (json!(["layer:tools", "function:o*"]), function("orders"), true),
        (json!([]), function("orders"), false),
        (json!([]), layer("tools"), false),
    ] {
        let allowlist = json!({ "accounts": [PARTNER], "targets": targets });
        let name = if document["operation"] == "AddPermission" { "FunctionName" } else { "LayerName" };
        let expected = [(name, "target_not_allowed")];
        assert_reasons(&allowlist, &document, if allowed { &[] } else { &expected });
    }
}

/// Two rules that together would allow a grant do not: whoever wrote them meant two other grants.
#[test]
fn one_rule_has_to_allow_the_whole_grant() {
    let wide = json!({
        "accounts": [PARTNER], "organizations": [ORGANIZATION], "services": ["sns.amazonaws.com"],
        "actions": ["lambda:InvokeFunction"], "targets": ["function:orders"], "requesters": [SOMEBODY],
    });
    let document = add_permission(&json!({
        "Principal": "sns.amazonaws.com", "SourceArn": format!("arn:aws:sns:us-east-1:{PARTNER}:t"),
        "PrincipalOrgID": ORGANIZATION,
    }));
    assert_reasons(&wide, &document, &[]);
    let narrow = json!({
        "accounts": [], "organizations": [], "services": [], "actions": ["lambda:x"], "targets": ["function:x"],
        "requesters": ["x"],
    });
    for (name, value) in narrow.as_object().unwrap() {
        let (mut all_but_it, mut only_it) = (wide.clone(), narrow.clone());
        all_but_it[name] = value.clone();
        only_it[name] = wide[name].clone();
        for rules in [[all_but_it.clone(), only_it.clone()], [only_it.clone(), all_but_it.clone()]] {
            assert_ne!(reasons(&json!(rules), &document, &iam(SOMEBODY)), [], "{name}");
        }
        // The rule that allows all of it does so wherever it stands.
        for rules in [[&all_but_it, &only_it, &wide], [&wide, &all_but_it, &only_it]] {
            assert_reasons(&json!(rules), &document, &[]);
        }
    }
    let accounts = json!([{ "accounts": [PARTNER], "services": ["sns.amazonaws.com"] }, { "accounts": [OTHER] }]);
    let of_both = add_permission(&json!({ "Principal": PARTNER, "SourceAccount": OTHER }));
    assert_reasons(&accounts, &of_both, &[("SourceAccount", "source_not_allowed")]);
}

/// The criteria in the order in which a rule looks; the rule that came furthest says why the grant is denied.
#[test]
fn the_code_is_the_one_of_the_rule_that_came_furthest() {
    let stages = [
        (json!({ "targets": ["function:other"] }), "FunctionName", "target_not_allowed"),
        (json!({ "requesters": ["nobody"] }), "", "requester_not_allowed"),
        (json!({ "actions": ["lambda:Other"] }), "Action", "action_not_allowed"),
        (json!({ "services": [] }), "Principal", "principal_not_allowed"),
        (json!({ "organizations": [] }), "PrincipalOrgID", "organization_not_allowed"),
        (json!({ "accounts": [] }), "SourceAccount", "source_not_allowed"),
    ];
    let rule = |changes: &Value, id: usize| {
        let mut rule = json!({
            "id": format!("stage-{id}"), "accounts": [PARTNER], "organizations": [ORGANIZATION], "services": ["sns.amazonaws.com"],
        });
        changes.as_object().unwrap().iter().for_each(|(name, value)| rule[name] = value.clone());
        rule
    };
    let document = add_permission(&json!({
        "Principal": "sns.amazonaws.com", "PrincipalOrgID": ORGANIZATION, "SourceAccount": PARTNER,
    }));
    for furthest in 0..stages.len() {
        let rules: Vec<Value> =
            stages[..=furthest].iter().enumerate().map(|(i, (changes, ..))| rule(changes, i)).collect();
        let reversed: Vec<Value> = rules.iter().rev().cloned().collect();
        let (_, pointer, code) = stages[furthest];
        assert_reasons(&json!(rules), &document, &[(pointer, code)]);
        assert_reasons(&json!(reversed), &document, &[(pointer, code)]);
        let allowlist = Allowlist::parse(&json!(rules).to_string()).unwrap();
        let denied = decide(&allowlist, &document, &iam(SOMEBODY)).unwrap_err();
        let told: Vec<_> = denied.refusal.rules.iter().map(|(id, code)| (id.to_string(), code.as_str())).collect();
        let expected: Vec<_> =
            stages[..=furthest].iter().enumerate().map(|(i, (.., code))| (format!("stage-{i}"), *code)).collect();
        assert_eq!(told, expected);
    }
    // A rule that fails in two ways is told by the first of them.
    let twice = rule(&json!({ "actions": ["lambda:Other"], "accounts": [] }), 0);
    assert_reasons(&twice, &document, &[("Action", "action_not_allowed")]);
}

#[test]
fn what_is_approved_names_its_rule_its_resource_and_its_statement_id() {
    let allowlist = json!([{ "id": "other", "accounts": [OTHER] }, { "accounts": [PARTNER] }, { "id": "late", "accounts": [PARTNER] }]);
    let allowlist = Allowlist::parse(&allowlist.to_string()).unwrap();
    let function = "arn:aws:lambda:us-east-1:123456789012:function:orders";
    for (document, resource) in [
        (add_permission(&json!({})), function.to_owned()),
        (add_permission(&json!({ "Qualifier": "live" })), format!("{function}:live")),
        (add_permission(&json!({ "FunctionName": "orders:1" })), format!("{function}:1")),
        (add_permission(&json!({ "FunctionName": "us-east-1:123456789012:function:orders" })), function.to_owned()),
        (add_layer_version_permission(&json!({})), "arn:aws:lambda:us-east-1:123456789012:layer:tools:3".to_owned()),
    ] {
        let approved = decide(&allowlist, &document, &iam(SOMEBODY)).unwrap();
        // The first rule that allows it, by its position where it has no id.
        assert_eq!(approved.rule(), "1");
        assert_eq!((approved.resource(), approved.statement_id().as_str()), (resource.as_str(), "partner"));
    }
    let by_id = add_permission(&json!({ "Principal": OTHER }));
    assert_eq!(decide(&allowlist, &by_id, &iam(SOMEBODY)).unwrap().rule(), "other");
}

#[test]
fn a_hundred_thousand_accounts_decide_like_one() {
    let account = |i: u64| format!("{:012}", i * 7_919 % 1_000_000_000_000);
    let accounts: Vec<String> = (1..=100_000).map(account).collect();
    let allowlist = Allowlist::parse(&json!({ "accounts": accounts }).to_string()).unwrap();
    for i in [1, 2, 49_999, 50_000, 99_999, 100_000] {
        let document = add_permission(&json!({ "Principal": account(i) }));
        assert!(decide(&allowlist, &document, &iam(SOMEBODY)).is_ok(), "{document}");
    }
    for outside in [account(0), account(100_001), "000000007918".to_owned(), "999999999999".to_owned()] {
        let document = add_permission(&json!({ "Principal": outside }));
        assert!(decide(&allowlist, &document, &iam(SOMEBODY)).is_err(), "{document}");
    }
    let doubled: Vec<String> = accounts.into_iter().chain([account(50_000)]).collect();
    let problems = Allowlist::parse(&json!({ "accounts": doubled }).to_string()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].pointer, "/accounts");
}
