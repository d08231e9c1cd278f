//! What no allowlist can allow. The one here allows as much as an allowlist can, so that nothing else refuses.

use permission_broker::allowlist::Allowlist;
use serde_json::{Value, json};

use super::{SOMEBODY, decide, iam, reasons};
use crate::support::document::{add_layer_version_permission, add_permission, broken_rules};

fn widest() -> Value {
    json!({
        "accounts": ["123456789012", "210987654321", "999999999999"],
        "organizations": ["o-a1b2c3d4e5"],
        "services": ["s3.amazonaws.com", "s3.us-east-1.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com",
            "alexa-appkit.amazon.com"],
    })
}

fn assert_refused(document: &Value, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect();
    assert_eq!(reasons(&widest(), document, &iam(SOMEBODY)), expected, "{document}");
}

#[test]
fn a_target_elsewhere() {
    let refused = [("FunctionName", "target_not_allowed")];
    for (name, expected) in [
        ("arn:aws:lambda:us-east-1:123456789012:function:x", &[][..]),
        ("us-east-1:123456789012:function:x", &[]),
        ("123456789012:function:x", &[]),
        ("arn:aws:lambda:us-east-1:999999999999:function:x", &refused),
        ("arn:aws:lambda:eu-west-1:123456789012:function:x", &refused),
        ("arn:aws-cn:lambda:us-east-1:123456789012:function:x", &refused),
        ("arn:aws-cn:lambda:cn-north-1:999999999999:function:x:live", &refused),
        ("eu-west-1:123456789012:function:x", &refused),
        ("us-east-1:999999999999:function:x", &refused),
        ("999999999999:function:x", &refused),
    ] {
        assert_refused(&add_permission(&json!({ "FunctionName": name })), expected);
    }
    let refused = [("LayerName", "target_not_allowed")];
    for (name, expected) in [
        ("arn:aws:lambda:us-east-1:123456789012:layer:x", &[][..]),
        ("arn:aws:lambda:us-east-1:999999999999:layer:x", &refused),
        ("arn:aws:lambda:eu-west-1:123456789012:layer:x", &refused),
        ("arn:aws-us-gov:lambda:us-east-1:123456789012:layer:x", &refused),
        // AWS's pattern lets the partition be empty; whatever that is, it is not the broker's.
        ("arn::lambda:us-east-1:123456789012:layer:x", &refused),
    ] {
        assert_refused(&add_layer_version_permission(&json!({ "LayerName": name })), expected);
    }
}

#[test]
fn the_broker_itself() {
    for name in [
        "permission-broker",
        "permission-broker:live",
        "123456789012:function:permission-broker",
        "us-east-1:123456789012:function:permission-broker:1",
        "arn:aws:lambda:us-east-1:123456789012:function:permission-broker",
        // Should Lambda ever look at names without their case, this is the broker too.
        "Permission-Broker",
    ] {
        assert_refused(&add_permission(&json!({ "FunctionName": name })), &[("FunctionName", "target_not_allowed")]);
    }
    let qualified = json!({ "FunctionName": "permission-broker", "Qualifier": "live" });
    assert_refused(&add_permission(&qualified), &[("FunctionName", "target_not_allowed")]);
    for name in ["permission-broke", "permission-broker2", "permission_broker", "my-permission-broker"] {
        assert_refused(&add_permission(&json!({ "FunctionName": name })), &[]);
    }
    assert_refused(&add_layer_version_permission(&json!({ "LayerName": "permission-broker" })), &[]);
}

/// A wildcard is refused by itself, and no rule can name it either.
#[test]
fn an_action_that_stands_for_several() {
    for action in ["*", "lambda:*"] {
        let document = add_permission(&json!({ "Action": action }));
        assert_refused(&document, &[("Action", "action_not_allowed"), ("Action", "action_not_allowed")]);
    }
    for action in ["lambda:UpdateFunctionCode", "lambda:AddPermission"] {
        assert_refused(&add_permission(&json!({ "Action": action })), &[("Action", "action_not_allowed")]);
    }
}

#[test]
fn everyone_without_an_organization() {
    let refused = [("Principal", "public_grant")];
    for (changes, expected) in [
        (json!({}), &refused[..]),
        (json!({ "SourceAccount": "210987654321" }), &refused),
        (json!({ "SourceArn": "arn:aws:sns:us-east-1:210987654321:t" }), &refused),
        (json!({ "EventSourceToken": "token" }), &refused),
        (json!({ "PrincipalOrgID": "o-a1b2c3d4e5" }), &[]),
    ] {
        let mut changes = changes;
        changes["Principal"] = "*".into();
        assert_refused(&add_permission(&changes), expected);
    }
    assert_refused(&add_layer_version_permission(&json!({ "Principal": "*" })), &refused);
    let of_organization = json!({ "Principal": "*", "OrganizationId": "o-a1b2c3d4e5" });
    assert_refused(&add_layer_version_permission(&of_organization), &[]);
}

#[test]
fn a_function_url_without_authentication() {
    let of = |auth: &str, principal: &str| {
        let action = "lambda:InvokeFunctionUrl";
        add_permission(&json!({ "Principal": principal, "Action": action, "FunctionUrlAuthType": auth }))
    };
    assert_refused(&of("AWS_IAM", "210987654321"), &[]);
    assert_refused(&of("NONE", "210987654321"), &[("FunctionUrlAuthType", "public_grant")]);
    assert_refused(&of("NONE", "*"), &[("Principal", "public_grant"), ("FunctionUrlAuthType", "public_grant")]);
}

/// A service acts for every customer of AWS: without a source of its own account, a stranger could use the grant.
#[test]
fn a_service_without_a_confined_source() {
    let (sns, bucket, wild) = ("arn:aws:sns:us-east-1:210987654321:t", "arn:aws:s3:::bucket", "arn:aws:s3:::*");
    let refused = [("Principal", "unconfined_service")];
    for (service, source, expected) in [
        ("s3.amazonaws.com", json!({}), &refused[..]),
        ("s3.amazonaws.com", json!({ "SourceArn": bucket }), &refused),
        ("s3.amazonaws.com", json!({ "SourceArn": sns }), &refused),
        ("s3.amazonaws.com", json!({ "PrincipalOrgID": "o-a1b2c3d4e5", "SourceArn": bucket }), &refused),
        ("s3.amazonaws.com", json!({ "EventSourceToken": "token" }), &refused),
        ("s3.us-east-1.amazonaws.com", json!({ "SourceArn": sns }), &refused),
        ("s3.amazonaws.com", json!({ "SourceAccount": "210987654321" }), &[]),
        ("s3.amazonaws.com", json!({ "SourceAccount": "210987654321", "SourceArn": bucket }), &[]),
        ("s3.amazonaws.com", json!({ "SourceAccount": "210987654321", "SourceArn": wild }), &[]),
        ("sns.amazonaws.com", json!({}), &refused),
        ("sns.amazonaws.com", json!({ "SourceArn": bucket }), &refused),
        ("sns.amazonaws.com", json!({ "EventSourceToken": "token" }), &refused),
        ("sns.amazonaws.com", json!({ "PrincipalOrgID": "o-a1b2c3d4e5" }), &refused),
        ("sns.amazonaws.com", json!({ "SourceArn": sns }), &[]),
        ("sns.amazonaws.com", json!({ "SourceAccount": "210987654321" }), &[]),
        // A skill has no ARN to name; its id is the token.
        ("alexa-appkit.amazon.com", json!({}), &refused),
        ("alexa-appkit.amazon.com", json!({ "SourceArn": bucket }), &refused),
        ("alexa-appkit.amazon.com", json!({ "EventSourceToken": "amzn1.ask.skill.0" }), &[]),
    ] {
        let mut changes = source;
        changes["Principal"] = service.into();
        assert_refused(&add_permission(&changes), expected);
    }
}

#[test]
fn a_source_account_that_disagrees_with_the_source_arn() {
    let of = |account: &str, arn: &str| add_permission(&json!({ "SourceAccount": account, "SourceArn": arn }));
    let arn = "arn:aws:sns:us-east-1:210987654321:t";
    assert_refused(&of("210987654321", arn), &[]);
    assert_refused(&of("999999999999", arn), &[("SourceAccount", "source_mismatch")]);
    assert_refused(&of("999999999999", "arn:aws:s3:::bucket"), &[]);
}

#[test]
fn a_principal_of_another_partition() {
    for principal in ["arn:aws-cn:iam::210987654321:root", "arn:aws-us-gov:iam::210987654321:role/x"] {
        let refused = [("Principal", "principal_not_allowed")];
        assert_refused(&add_permission(&json!({ "Principal": principal })), &refused);
    }
    let root = json!({ "Principal": "arn:aws-cn:iam::210987654321:root" });
    assert_refused(&add_layer_version_permission(&root), &[("Principal", "principal_not_allowed")]);
}

#[test]
fn look_alikes_of_a_service() {
    for service in ["evil.amazonaws.com", "s3.amazonaws.com.cn", "s3.amazon.com", "sns.us-east-1.amazonaws.com"] {
        let document = add_permission(&json!({ "Principal": service, "SourceAccount": "210987654321" }));
        assert_refused(&document, &[("Principal", "principal_not_allowed")]);
    }
    for no_service in ["s3.amazonaws.com.evil.com", "S3.AMAZONAWS.COM", "s3.\u{430}mazonaws.com"] {
        let document = add_permission(&json!({ "Principal": no_service, "SourceAccount": "210987654321" }));
        assert_eq!(broken_rules(&document.to_string()), [("/parameters/Principal".to_owned(), "invalid_principal")]);
    }
}

/// A standing refusal does not hide the others, nor what the rules say.
#[test]
fn all_reasons_are_told_at_once() {
    let document = add_permission(&json!({
        "FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:permission-broker", "Principal": "s3.amazonaws.com",
        "Action": "lambda:*", "SourceArn": "arn:aws:s3:us-east-1:888888888888:x",
    }));
    let expected = [
        ("FunctionName", "target_not_allowed"),
        ("FunctionName", "target_not_allowed"),
        ("Action", "action_not_allowed"),
        ("Principal", "unconfined_service"),
        ("Action", "action_not_allowed"),
    ];
    assert_refused(&document, &expected);
    let allowlist =
        Allowlist::parse(&json!([{ "id": "none" }, { "id": "self", "accounts": ["210987654321"] }]).to_string())
            .unwrap();
    let own = add_permission(&json!({ "FunctionName": "permission-broker" }));
    let denied = decide(&allowlist, &own, &iam(SOMEBODY)).unwrap_err();
    let codes: Vec<_> = denied.refusal.faults.iter().map(|fault| fault.code.as_str()).collect();
    // The second rule would allow it, so the standing refusal is the only reason; the first has its own.
    assert_eq!(codes, ["target_not_allowed"]);
    let told: Vec<_> = denied.refusal.rules.iter().map(|(id, code)| (&**id, code.as_str())).collect();
    assert_eq!(told, [("none", "principal_not_allowed")]);
}
