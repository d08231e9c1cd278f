//! The fields of a document: known ones only, each given once and in its own type.

use serde_json::{Value, json};

use super::shape::{assert_broken, with_text};
use crate::support::document::{add_layer_version_permission, add_permission, broken_rules, grant};

#[test]
fn every_field_is_of_its_own_type_and_never_null() {
    let strange =
        [json!(null), json!(7), json!(1.5), json!(true), json!([]), json!(["f"]), json!({}), json!({ "x": "f" })];
    let strings = [
        "FunctionName",
        "StatementId",
        "Action",
        "Principal",
        "SourceArn",
        "SourceAccount",
        "EventSourceToken",
        "Qualifier",
        "RevisionId",
        "PrincipalOrgID",
        "FunctionUrlAuthType",
    ];
    for value in &strange {
        for name in strings {
            let document = add_permission(&json!({ name: value })).to_string();
            assert_broken(&document, &[(&format!("/parameters/{name}"), "wrong_type")]);
        }
        for name in ["LayerName", "StatementId", "Action", "Principal", "OrganizationId", "RevisionId"] {
            let document = add_layer_version_permission(&json!({ name: value })).to_string();
            assert_broken(&document, &[(&format!("/parameters/{name}"), "wrong_type")]);
        }
        for name in ["operation", "reason"] {
            let mut document = add_permission(&json!({}));
            document[name] = value.clone();
            assert_broken(&document.to_string(), &[(&format!("/{name}"), "wrong_type")]);
        }
    }
    for value in [json!(null), json!("true"), json!(1), json!(0), json!([]), json!({})] {
        let document = add_permission(&json!({ "InvokedViaFunctionUrl": value })).to_string();
        assert_broken(&document, &[("/parameters/InvokedViaFunctionUrl", "wrong_type")]);
        let mut document = add_permission(&json!({}));
        document["dryRun"] = value;
        assert_broken(&document.to_string(), &[("/dryRun", "wrong_type")]);
    }
}

#[test]
fn a_field_given_twice_is_refused_however_it_is_spelt() {
    for more in [
        r#","Principal":"999999999999""#,
        r#","Principal":"210987654321""#,
        r#","Principal":null"#,
        r#","\u0050rincipal":"999999999999""#,
        r#","Princip\u0061l":"999999999999""#,
        r#","Principal":"1","Principal":"2""#,
    ] {
        assert_broken(&with_text(more), &[("/parameters/Principal", "duplicate_field")]);
    }
    for (more, pointer) in [
        (r#""operation":"AddPermission""#, "/operation"),
        (r#""\u006fperation":"AddPermission""#, "/operation"),
        (r#""reason":"a","reason":"b""#, "/reason"),
        (r#""dryRun":true,"dry\u0052un":false"#, "/dryRun"),
    ] {
        let document = with_text("").replacen('{', &format!("{{{more},"), 1);
        // Without the one operation nobody can say which parameters it has.
        assert_broken(&document, &[(pointer, "duplicate_field")]);
    }
    let document = with_text("").replacen('{', r#"{"parameters":{},"#, 1);
    assert!(broken_rules(&document).contains(&("/parameters".to_owned(), "duplicate_field")));
}

#[test]
fn an_escaped_name_or_value_is_the_same_name_or_value() {
    let document = with_text(r#","S\u006furceAccount":"21098765432\u0031""#);
    let grant = grant(&document).unwrap();
    assert_eq!(grant.conditions().source_account.unwrap().to_string(), "210987654321");
}

#[test]
fn an_unknown_field_is_refused_and_a_near_one_is_suggested() {
    for (name, suggestion) in [
        ("principal", Some("Principal")),
        ("PRINCIPAL", Some("Principal")),
        ("Pricipal", Some("Principal")),
        ("Principals", Some("Principal")),
        ("Prancipal", Some("Principal")),
        ("SourceAcount", Some("SourceAccount")),
        ("sourceaccoount", Some("SourceAccount")),
        ("PrincipalOrgId", Some("PrincipalOrgID")),
        ("functionname", Some("FunctionName")),
        ("qualifer", Some("Qualifier")),
        ("OrganizationId", None),
        ("VersionNumber", None),
        ("requester", None),
        ("Princpla", None),
    ] {
        let document = add_permission(&json!({ name: "x" })).to_string();
        let faults = grant(&document).unwrap_err();
        let [fault] = faults.as_slice() else { panic!("{name}: {faults:?}") };
        assert_eq!(
            (fault.pointer.as_ref(), fault.code.as_str()),
            (format!("/parameters/{name}").as_str(), "unknown_field")
        );
        let suggested = fault.detail.split('`').nth(1);
        assert_eq!(suggested, suggestion, "{name}: {}", fault.detail);
    }
    for (name, suggestion) in [("Operation", Some("operation")), ("dryrun", Some("dryRun")), ("userArn", None)] {
        let mut document = add_permission(&json!({}));
        document[name] = json!("x");
        let faults = grant(&document.to_string()).unwrap_err();
        assert_eq!(
            (faults[0].pointer.as_ref(), faults[0].code.as_str()),
            (format!("/{name}").as_str(), "unknown_field")
        );
        assert_eq!(faults[0].detail.split('`').nth(1), suggestion);
    }
}

#[test]
fn the_other_operation_s_parameters_are_unknown() {
    for name in ["FunctionName", "Qualifier", "SourceArn", "SourceAccount", "EventSourceToken", "PrincipalOrgID"] {
        let document = add_layer_version_permission(&json!({ name: "x" })).to_string();
        assert_broken(&document, &[(&format!("/parameters/{name}"), "unknown_field")]);
    }
}

/// Only a plain word is repeated: anything else could say something in a log or on a page.
#[test]
fn an_unknown_name_is_repeated_only_if_it_is_a_plain_word() {
    let (most, more) = ("x".repeat(40), "x".repeat(41));
    for (name, pointer) in [
        (most.as_str(), format!("/parameters/{most}")),
        (more.as_str(), "/parameters".to_owned()),
        ("", "/parameters".to_owned()),
        ("a/b", "/parameters".to_owned()),
        ("a~b", "/parameters".to_owned()),
        ("x\n", "/parameters".to_owned()),
        ("<script>", "/parameters".to_owned()),
        ("é", "/parameters".to_owned()),
    ] {
        let document = add_permission(&json!({ name: "x" })).to_string();
        assert_broken(&document, &[(&pointer, "unknown_field")]);
    }
}

#[test]
fn too_many_fields_are_refused_and_not_all_listed() {
    let mut parameters = add_permission(&json!({}))["parameters"].take();
    for i in 0..10_000 {
        parameters[format!("a{i}")] = Value::Null;
    }
    let document = json!({ "operation": "AddPermission", "parameters": parameters }).to_string();
    assert!(document.len() > 65_536);
    assert_broken(&document, &[("", "too_large")]);
    let many = |count: usize| with_text(&",\"a\":1".repeat(count));
    // Three parameters are there already, and what lies beyond 64 members is counted as one fault.
    assert_eq!(broken_rules(&many(61)).len(), 61);
    assert_eq!(broken_rules(&many(62)).len(), 62);
    assert_eq!(broken_rules(&many(5_000)).len(), 62);
    // A parameter that comes after all of them is not taken for a missing one that is harmless.
    let last = many(61).replace("}}", r#","SourceAccount":"999999999999"}}"#);
    assert!(broken_rules(&last).contains(&("/parameters".to_owned(), "unknown_field")));
}
