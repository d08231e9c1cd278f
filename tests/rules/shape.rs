//! The document around the parameters: one JSON object, of bounded size, with what it must have.

use permission_broker::asked::Asked;
use permission_broker::request::{MOST_BYTES, MOST_REASON_CHARS};
use serde_json::json;

use crate::support::document::{add_layer_version_permission, add_permission, broken_rules, grant};

/// A valid document whose parameters end with some more text.
pub(super) fn with_text(more: &str) -> String {
    format!(
        r#"{{"operation":"AddPermission","parameters":{{"FunctionName":"f","Action":"lambda:InvokeFunction","Principal":"210987654321"{more}}}}}"#
    )
}

/// A valid layer document whose version number is written as it is.
fn with_version(number: &str) -> String {
    let document = add_layer_version_permission(&json!({ "VersionNumber": "HERE" })).to_string();
    document.replace(r#""HERE""#, number)
}

pub(super) fn assert_broken(document: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), *code)).collect();
    let start: String = document.chars().take(200).collect();
    assert_eq!(broken_rules(document), expected, "{start}");
}

#[test]
fn a_document_is_one_json_object_and_nothing_else() {
    let valid = with_text("");
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(30_000), close.repeat(30_000));
    for (document, code) in [
        (String::new(), "not_json"),
        (" \n".to_owned(), "not_json"),
        ("{".to_owned(), "not_json"),
        ("nonsense".to_owned(), "not_json"),
        (valid.replace('"', "'"), "not_json"),
        (format!("\u{feff}{valid}"), "not_json"),
        (format!("{valid}{{}}"), "not_json"),
        (format!("{valid} x"), "not_json"),
        (format!("{valid}\0"), "not_json"),
        (valid.replace('}', ",}"), "not_json"),
        (valid.replacen('{', "{/**/", 1), "not_json"),
        (valid.replace(r#""f""#, "\"\n\""), "not_json"),
        (valid.replace(r#""f""#, r#""\x""#), "not_json"),
        (valid.replace(r#""f""#, "NaN"), "not_json"),
        (valid.replace(r#""f""#, "012"), "not_json"),
        (valid.replace(r#""operation""#, r#""\ud800""#), "not_json"),
        ("[".repeat(60_000), "not_json"),
        (format!("[{valid}]"), "not_an_object"),
        (r#"["AddPermission",{"FunctionName":"f"}]"#.to_owned(), "not_an_object"),
        ("[]".to_owned(), "not_an_object"),
        (nested("[", "]"), "not_an_object"),
        ("null".to_owned(), "not_an_object"),
        ("true".to_owned(), "not_an_object"),
        ("7".to_owned(), "not_an_object"),
        (json!(valid).to_string(), "not_an_object"),
    ] {
        assert_broken(&document, &[("", code)]);
    }
    for document in [format!(" \t\r\n{valid}\n "), valid] {
        assert_broken(&document, &[]);
    }
}

#[test]
fn a_document_has_at_most_65_536_bytes() {
    let valid = with_text("");
    assert_eq!(MOST_BYTES, 65_536);
    let padded = |bytes: usize| format!("{valid}{}", " ".repeat(bytes - valid.len()));
    assert_broken(&padded(65_536), &[]);
    assert_broken(&padded(65_537), &[("", "too_large")]);
    // Bytes are counted, not characters: the reason alone is then within its own limit.
    let reason = |chars: usize| valid.replacen('{', &format!(r#"{{"reason":"{}","#, "é".repeat(chars)), 1);
    assert_broken(&reason(512), &[]);
    assert_broken(&reason(32_768), &[("", "too_large")]);
}

#[test]
fn an_empty_document_lacks_what_is_required() {
    assert_broken("{}", &[("/operation", "missing_field"), ("/parameters", "missing_field")]);
    assert_broken(r#"{"parameters":{}}"#, &[("/operation", "missing_field")]);
    assert_broken(
        r#"{"operation":"AddPermission"}"#,
        &[
            ("/parameters", "missing_field"),
            ("/parameters/Action", "missing_field"),
            ("/parameters/FunctionName", "missing_field"),
            ("/parameters/Principal", "missing_field"),
        ],
    );
    assert_broken(
        r#"{"operation":"AddLayerVersionPermission","parameters":{}}"#,
        &[
            ("/parameters/Action", "missing_field"),
            ("/parameters/LayerName", "missing_field"),
            ("/parameters/Principal", "missing_field"),
            ("/parameters/VersionNumber", "missing_field"),
        ],
    );
}

#[test]
fn only_the_operations_of_resource_policies_are_offered() {
    for name in ["", "addPermission", "AddPermission ", "PutResourcePolicy", "AddPermission20150331v2", "*"] {
        let mut document = add_permission(&json!({}));
        document["operation"] = name.into();
        assert_broken(&document.to_string(), &[("/operation", "invalid_operation")]);
    }
}

#[test]
fn parameters_are_an_object() {
    for value in [json!(null), json!("{}"), json!(7), json!(["f", "partner", "lambda:InvokeFunction", "210987654321"])]
    {
        let document = json!({ "operation": "AddPermission", "parameters": value });
        let missing = ["Action", "FunctionName", "Principal"].map(|name| format!("/parameters/{name}"));
        let mut expected = vec![("/parameters", "wrong_type")];
        expected.extend(missing.iter().map(|pointer| (pointer.as_str(), "missing_field")));
        assert_broken(&document.to_string(), &expected);
    }
}

#[test]
fn a_number_is_whole_however_it_is_written() {
    for number in [
        "1",
        "42",
        "9223372036854775807",
        "1.0",
        "1.000000000000000000000000",
        "1e0",
        "1E+0",
        "10e-1",
        "1.5e1",
        "9223372036854775807.0",
        "9223372036854775.807e3",
        "9e18",
    ] {
        assert_broken(&with_version(number), &[]);
    }
    for number in [
        "1.5",
        "1e-1",
        "15e-1",
        "1.000000000000000000000001",
        "0.1e-1",
        "9223372036854775807.5",
        "9223372036854775808.0",
        "1e19",
        "1e30",
        "1e400",
        "1e99999999999",
        "1e-99999999999",
        "9223372036854775808",
        "18446744073709551616",
        r#""3""#,
        "true",
        "null",
        "[1]",
    ] {
        assert_broken(&with_version(number), &[("/parameters/VersionNumber", "wrong_type")]);
    }
    for number in ["0", "-0", "0.0", "0e9", "-1", "-1.0", "-9223372036854775808"] {
        assert_broken(&with_version(number), &[("/parameters/VersionNumber", "invalid_version_number")]);
    }
    for number in ["01", "+1", ".5", "1.", "0x1", "1_0", "１"] {
        assert_broken(&with_version(number), &[("", "not_json")]);
    }
    // An account is a string, also where a number would have the same digits.
    let document = add_permission(&json!({ "SourceAccount": 210_987_654_321_u64 })).to_string();
    assert_broken(&document, &[("/parameters/SourceAccount", "wrong_type")]);
}

#[test]
fn a_lone_surrogate_is_no_string() {
    for text in [r"\ud800", r"\udc00x", r"\ud800\u0041"] {
        assert_broken(&with_text(&format!(r#","StatementId":"{text}""#)), &[("/parameters/StatementId", "wrong_type")]);
    }
    // Both halves are a character, though none of a statement id.
    let document = with_text(r#","StatementId":"\ud83d\ude00""#);
    assert_broken(&document, &[("/parameters/StatementId", "invalid_statement_id")]);
}

#[test]
fn nesting_is_refused_wherever_it_stands() {
    let nested = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(8_000), "}".repeat(8_000));
    for deep in [nested, objects] {
        assert_broken(&with_text(&format!(",\"Qualifier\":{deep}")), &[("/parameters/Qualifier", "wrong_type")]);
        assert_broken(&with_text(&format!(",\"Deep\":{deep}")), &[("/parameters/Deep", "unknown_field")]);
        let document = format!(r#"{{"operation":{deep},"parameters":{{}}}}"#);
        assert_broken(&document, &[("/operation", "wrong_type")]);
    }
}

#[test]
fn a_reason_has_at_most_512_characters_and_no_control_characters() {
    assert_eq!(MOST_REASON_CHARS, 512);
    let reason = |text: &str| {
        let mut document = add_permission(&json!({}));
        document["reason"] = text.into();
        document.to_string()
    };
    for text in ["", "CHG-1042 partner onboarding", "Änderung für Müller \u{1f600}", &"é".repeat(512)] {
        assert_broken(&reason(text), &[]);
        assert_eq!(grant(&reason(text)).unwrap().reason(), Some(text));
    }
    for text in ["a\nb", "\0", "\u{7f}", "\u{85}", "\u{1b}[2J", &"é".repeat(513)] {
        assert_broken(&reason(text), &[("/reason", "invalid_reason")]);
    }
}

#[test]
fn a_dry_run_is_one_only_if_it_says_so() {
    for (more, expected) in [("", false), (r#""dryRun":false,"#, false), (r#""dryRun":true,"#, true)] {
        let document = with_text("").replacen('{', &format!("{{{more}"), 1);
        assert_eq!(grant(&document).unwrap().is_dry_run(), expected);
    }
}

#[test]
fn all_broken_rules_are_reported_at_once() {
    let document = json!({
        "operation": "AddPermission", "reason": "a\nb", "dryRun": "yes", "requester": "me",
        "parameters": {
            "FunctionName": "function:f", "StatementId": "a.b", "Action": "s3:Get", "SourceArn": "arn", "SourceAccount": "1",
            "EventSourceToken": "a b", "Qualifier": "$LATEST", "RevisionId": "", "PrincipalOrgID": "o-1",
            "FunctionUrlAuthType": "none", "InvokedViaFunctionUrl": 1, "sourceArn": "x",
        },
    });
    let expected = [
        ("/dryRun", "wrong_type"),
        ("/parameters/Action", "invalid_action"),
        ("/parameters/EventSourceToken", "invalid_event_source_token"),
        ("/parameters/FunctionName", "invalid_function"),
        ("/parameters/FunctionUrlAuthType", "invalid_function_url_auth_type"),
        ("/parameters/InvokedViaFunctionUrl", "wrong_type"),
        ("/parameters/Principal", "missing_field"),
        ("/parameters/PrincipalOrgID", "invalid_organization"),
        ("/parameters/Qualifier", "invalid_qualifier"),
        ("/parameters/RevisionId", "invalid_revision_id"),
        ("/parameters/SourceAccount", "invalid_source_account"),
        ("/parameters/SourceArn", "invalid_source_arn"),
        ("/parameters/StatementId", "invalid_statement_id"),
        ("/parameters/sourceArn", "unknown_field"),
        ("/reason", "invalid_reason"),
        ("/requester", "unknown_field"),
    ];
    assert_broken(&document.to_string(), &expected);
    let document = json!({
        "operation": "AddLayerVersionPermission",
        "parameters": {
            "LayerName": "l:1", "VersionNumber": 0, "StatementId": "", "Action": "*", "Principal": "x", "OrganizationId": "x",
            "RevisionId": "é",
        },
    });
    let expected = [
        ("/parameters/Action", "invalid_action"),
        ("/parameters/LayerName", "invalid_layer"),
        ("/parameters/OrganizationId", "invalid_organization"),
        ("/parameters/Principal", "invalid_principal"),
        ("/parameters/RevisionId", "invalid_revision_id"),
        ("/parameters/StatementId", "invalid_statement_id"),
        ("/parameters/VersionNumber", "invalid_version_number"),
    ];
    assert_broken(&document.to_string(), &expected);
}
