//! That the schema of a request accepts what the broker accepts, and nothing else.

use permission_broker::request::MOST_BYTES;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FILE, REQUEST, errors};
use crate::rules::cases;
use crate::rules::property::{config, document};
use crate::support::document::{add_permission, broken_rules, remove_permission};
use crate::support::{event_files, json, string, text};

/// What no schema can say, and the broker refuses all the same.
fn only_the_broker_sees(document: &Value) -> bool {
    let parameters = &document["parameters"];
    let texts = |value: &Value| -> Vec<String> {
        let members = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "EventSourceToken");
        members.filter_map(|(_, value)| value.as_str().map(str::to_owned)).collect()
    };
    let token = string(parameters, "EventSourceToken");
    let others = [texts(document), texts(parameters)].concat();
    let repeated = token.len() >= 8 && others.iter().any(|text| text.contains(token));
    repeated || document.to_string().len() > MOST_BYTES
}

/// What the schema refuses to be simpler: a qualifier that is given twice, and both times the same.
fn only_the_schema_refuses(document: &Value) -> bool {
    let (name, qualifier) = (string(&document["parameters"], "FunctionName"), &document["parameters"]["Qualifier"]);
    qualifier.as_str().is_some_and(|qualifier| name.ends_with(&format!(":{qualifier}")))
}

/// Holds what the two say about a document against each other.
fn compare(document: &Value) -> Result<(), String> {
    let broken = broken_rules(&document.to_string());
    let errors = errors(&REQUEST, document);
    let accepted = (broken.is_empty(), errors.is_empty());
    let agree = match accepted {
        (false, true) => only_the_broker_sees(document),
        (true, false) => only_the_schema_refuses(document),
        _ => true,
    };
    if agree { Ok(()) } else { Err(format!("{FILE} says {errors:?}, the broker {broken:?}: {document}")) }
}

fn assert_agreed(document: &Value) {
    if let Err(difference) = compare(document) {
        panic!("{difference}");
    }
}

/// The rules' own tables have both edges of every limit.
#[test]
fn it_agrees_on_every_case_of_the_rules() {
    let mut accepted = 0;
    for case in cases() {
        assert_agreed(&case.document);
        accepted += usize::from(case.broken.is_empty());
    }
    assert!(accepted > 200, "{accepted} accepted");
}

#[test]
fn it_agrees_on_what_stands_around_the_parameters() {
    let with = |name: &str, value: Value| {
        let mut document = add_permission(&json!({}));
        document[name] = value;
        document
    };
    let reasons = ["", "CHG-1", "für", "\u{1f600}", "a\nb", "\u{7f}", "\u{9f}", "\u{a0}", "\0"].map(str::to_owned);
    let long = [512, 513].map(|most| "\u{1f600}".repeat(most));
    for reason in reasons.into_iter().chain(long) {
        assert_agreed(&with("reason", json!(reason)));
    }
    for name in ["operation", "parameters", "reason", "dryRun", "fingerprint", "requester", ""] {
        for value in [json!(null), json!(true), json!(1), json!("x"), json!([]), json!({})] {
            assert_agreed(&with(name, value));
        }
    }
    for fingerprint in ["07f7f80cc251b65b11c8c78dd158cc8f", "07F7", "", "07f7f80cc251b65b11c8c78dd158cc8f0"] {
        let mut document = remove_permission(&json!({}));
        document["fingerprint"] = fingerprint.into();
        assert_agreed(&document);
        assert_agreed(&with("fingerprint", fingerprint.into()));
    }
    for document in [json!({}), json!([]), json!(null), json!("x"), json!({ "operation": "AddPermission" })] {
        assert_agreed(&document);
    }
    for version in [json!(1.0), json!(1.5), json!(1e3), json!(9e18), json!(1e19), json!(u64::MAX), json!(i64::MAX)] {
        assert_agreed(&json!({
            "operation": "GetLayerVersionPolicy", "parameters": { "LayerName": "common", "VersionNumber": version }
        }));
    }
}

/// Between fields, where neither is wrong by itself.
#[test]
fn it_agrees_on_the_rules_between_parameters() {
    for parameters in [
        json!({ "FunctionUrlAuthType": "AWS_IAM" }),
        json!({ "FunctionUrlAuthType": "AWS_IAM", "Action": "lambda:InvokeFunctionUrl" }),
        json!({ "InvokedViaFunctionUrl": true }),
        json!({ "InvokedViaFunctionUrl": false, "Action": "lambda:InvokeFunctionUrl" }),
        json!({ "SourceArn": "arn:aws:s3:::bucket*" }),
        json!({ "SourceArn": "arn:aws:s3:::bucket?", "SourceAccount": "210987654321" }),
        json!({ "SourceArn": "arn:aws:sns:us-east-1:210987654321:t*" }),
        json!({ "SourceArn": "arn:aws:s3:::${bucket}" }),
        json!({ "SourceArn": "arn:aws:s3:::$$x$" }),
        json!({ "SourceArn": "arn:aws:s3:::$${x" }),
        json!({ "FunctionName": "orders:live" }),
        json!({ "FunctionName": "orders:live", "Qualifier": "live" }),
        json!({ "FunctionName": "orders:live", "Qualifier": "1" }),
        json!({ "FunctionName": "123456789012:function:orders", "Qualifier": "1" }),
        json!({ "FunctionName": "us-east-1:123456789012:function:orders:2", "Qualifier": "1" }),
        json!({ "FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:orders", "Qualifier": "1" }),
        json!({ "FunctionName": "function:orders" }),
        json!({ "FunctionName": "function:function:function" }),
        json!({ "FunctionName": "function:function" }),
        json!({ "EventSourceToken": "amzn1.ask.skill.0", "RevisionId": "amzn1.ask.skill.0" }),
        json!({ "EventSourceToken": "short", "RevisionId": "short" }),
    ] {
        assert_agreed(&add_permission(&parameters));
    }
}

/// The bodies of the examples; where the broker accepts one, so does the schema.
#[test]
fn it_agrees_on_the_bodies_of_the_examples() {
    let mut accepted = 0;
    for file in event_files() {
        let event = json(&text(&format!("events/{file}")));
        let Some(body) = event["body"].as_str() else { continue };
        let body = match event["isBase64Encoded"] == true {
            true => String::from_utf8(aws_smithy_types::base64::decode(body).unwrap()).unwrap(),
            false => body.to_owned(),
        };
        // One of two equal members, and what is no JSON, never reach a schema.
        let unreadable = broken_rules(&body).iter().any(|(_, code)| ["not_json", "duplicate_field"].contains(code));
        if !unreadable {
            assert_agreed(&json(&body));
            accepted += usize::from(broken_rules(&body).is_empty());
        }
    }
    assert!(accepted >= 15, "{accepted} accepted");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn it_agrees_on_random_requests(document in document()) {
        prop_assert_eq!(compare(&document), Ok(()));
    }
}
