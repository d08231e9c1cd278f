//! That the document is OpenAPI 3.1: the rules of the specification that such a document could break.

use std::collections::BTreeSet;

use permission_broker::openapi::OPENAPI;
use serde_json::Value;

use super::{DOCUMENT, FILE, members};
use crate::support::{json, text};

/// What is shipped is what was written, but for the white space; the binary has to stay small.
#[test]
fn it_is_packed_and_small() {
    assert_eq!(json(OPENAPI), json(&text(FILE)));
    assert!(OPENAPI.len() <= 36 * 1024, "{} bytes", OPENAPI.len());
    assert!(!OPENAPI.contains('\n') && OPENAPI.is_ascii());
}

#[test]
fn it_says_what_it_is() {
    assert!(DOCUMENT["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(DOCUMENT["info"]["license"]["identifier"], "Apache-2.0");
    let schemes = &DOCUMENT["components"]["securitySchemes"];
    for requirement in DOCUMENT["security"].as_array().unwrap() {
        assert!(members(requirement).all(|(name, _)| schemes.get(name).is_some()), "{requirement}");
    }
}

#[test]
fn every_operation_is_whole() {
    let mut ids = BTreeSet::new();
    for (path, item) in members(&DOCUMENT["paths"]) {
        assert!(path.starts_with('/') && !path.contains('{'), "{path}");
        for (method, operation) in members(item) {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let has = |name| parameter.get(name).is_some();
                assert!(has("name") && has("in") && (has("schema") != has("content")), "{parameter}");
            }
            for (status, _) in members(&operation["responses"]) {
                assert!(status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status)), "{status}");
            }
        }
    }
    for (name, response) in members(&DOCUMENT["components"]["responses"]) {
        assert!(response["description"].is_string(), "{name}");
    }
}

/// Every reference leads somewhere, and every component is referred to.
#[test]
fn nothing_is_lost_or_left_over() {
    let mut referred = BTreeSet::new();
    references(&DOCUMENT, &mut referred);
    for reference in &referred {
        assert!(DOCUMENT.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for kind in ["schemas", "responses", "headers"] {
        for (name, _) in members(&DOCUMENT["components"][kind]) {
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{name}");
            assert!(referred.contains(&format!("#/components/{kind}/{name}")), "nothing refers to {kind} {name}");
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::String(reference) if name == "$ref" => drop(found.insert(reference.clone())),
            value => references(value, found),
        }),
        _ => {}
    }
}

#[test]
fn every_schema_is_json_schema() {
    for (name, schema) in members(&DOCUMENT["components"]["schemas"]) {
        if let Err(error) = jsonschema::meta::validate(schema) {
            panic!("{name}: {error}");
        }
        super::validator(&format!("/components/schemas/{name}"));
    }
}
