//! That the schema of a request accepts what the broker accepts, and nothing else.

use permission_broker::expiry::{ENDING_CHARS, Moment, seconds_of_duration};
use permission_broker::grant::StatementId;
use permission_broker::request::MOST_BYTES;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{FILE, REQUEST, errors, validator};
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

/// An id is not like that of a timed grant, and has room for the ending of one if the grant ends.
#[test]
fn it_agrees_on_the_ids_of_grants_that_end() {
    let url = json!({ "operation": "GrantFunctionUrl", "parameters": {
        "FunctionName": "orders", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM" } });
    let layer = json!({ "operation": "AddLayerVersionPermission", "parameters": { "LayerName": "common",
        "VersionNumber": 3, "Action": "lambda:GetLayerVersion", "Principal": "210987654321" } });
    let of_layer = json!({ "operation": "RemoveLayerVersionPermission",
        "parameters": { "LayerName": "common", "VersionNumber": 3, "StatementId": "s" } });
    let removals = [remove_permission(&json!({})), of_layer];
    let ends = ["20261231T180000Z-1a2b3c4d", "20261231T180000Z-1A2B3C4D", "20240229T235959Z-00000000"];
    let no_ends = [
        "20261331T180000Z-1a2b3c4d",
        "20260431T180000Z-1a2b3c4d",
        "20261231T240000Z-1a2b3c4d",
        "19691231T180000Z-1a2b3c4d",
        "20261231T180000Z-1a2b3c4g",
        "20261231T180000Z-1a2b3c4",
        "20261231T180000Z-1a2b3c4d0",
    ];
    let with = |document: &Value, id: &str| {
        let mut document = document.clone();
        document["parameters"]["StatementId"] = json!(id);
        document
    };
    let accepted = |document: &Value| {
        assert_agreed(document);
        broken_rules(&document.to_string()).is_empty()
    };
    let room = StatementId::MOST_CHARS - ENDING_CHARS;
    for (document, most) in [(add_permission(&json!({})), room), (layer, room), (url, room - "-invoke".len())] {
        for (endings, fine) in [(ends.as_slice(), false), (no_ends.as_slice(), true)] {
            for ending in endings {
                assert_eq!(accepted(&with(&document, &format!("a-until-{ending}"))), fine, "{ending}");
            }
        }
        assert!(accepted(&with(&document, &format!("-until-{}", ends[0]))), "an ending of nothing");
        let mut timed = document;
        for (name, value) in [("expiresAt", "2099-12-31T18:00:00Z"), ("duration", "PT8H")] {
            timed[name] = json!(value);
            // Without a clock there is no end either, which the broker says and no schema.
            let fits = |length| errors(&REQUEST, &with(&timed, &"s".repeat(length))).is_empty();
            assert_eq!([most, most + 1].map(fits), [true, false]);
            timed.as_object_mut().unwrap().remove(name);
        }
        assert!(accepted(&with(&timed, &"s".repeat(most + 1))), "what does not end needs no room");
    }
    for document in removals {
        assert!(accepted(&with(&document, &format!("a-until-{}", ends[0]))), "a timed grant can be revoked");
    }
}

/// How an end is written. That it is yet to come, and that February has 29 days, is for the broker.
#[test]
fn it_agrees_on_how_an_end_is_written() {
    let is = |name: &str, text: &str| validator(&format!("/components/schemas/{name}")).is_valid(&json!(text));
    for text in [
        "2026-12-31T18:00:00Z",
        "2026-12-31T18:00:00.5Z",
        "2026-12-31T18:00:00.123456789Z",
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2024-02-29T00:00:00Z",
        "2026-12-31T18:00:00.1234567890Z",
        "2026-12-31T18:00:00.Z",
        "1969-12-31T23:59:59Z",
        "2026-04-31T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-12-31T18:00:00+00:00",
        "2026-12-31t18:00:00z",
        "2026-12-31",
        "",
    ] {
        assert_eq!(is("ExpiresAt", text), Moment::parse(text).is_some(), "{text}");
    }
    for text in [
        "PT8H",
        "P30D",
        "P2W",
        "P1DT12H",
        "PT1H2M3S",
        "P0D",
        "PT999999999S",
        "P",
        "PT",
        "P1W2D",
        "P1DT",
        "PT1M1H",
        "P1Y",
        "P1M",
        "PT1000000000S",
        "pt8h",
        "PT1.5H",
        "8H",
        "P-1D",
        "",
    ] {
        assert_eq!(is("Duration", text), seconds_of_duration(text).is_some(), "{text}");
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
