//! Every rule that a request has to obey, with what it accepts and what it refuses at each edge: AWS's documented
//! constraints parameter by parameter, the rules between parameters, the JSON shape, and AWS's own patterns as oracle.

mod fields;
mod function;
mod function_name;
mod function_principal;
mod layer;
mod life;
mod model;
mod near;
pub(crate) mod property;
mod shape;
mod strictness;

use std::collections::BTreeSet;

use permission_broker::error::{Code, Kind};
use permission_broker::local::stage::Stage;
use serde_json::{Value, json};

use crate::support::document::{broken_rules, without};
use model::{ADD_LAYER_VERSION_PERMISSION, ADD_PERMISSION};

/// A document with the parameter it is about and the rules that it breaks.
pub(crate) struct Case {
    parameter: &'static str,
    pub(crate) document: Value,
    /// Parameter and code.
    pub(crate) broken: Vec<(&'static str, &'static str)>,
}

/// The cases of one operation.
struct Table {
    valid: fn(&Value) -> Value,
    cases: Vec<Case>,
}

impl Table {
    fn new(valid: fn(&Value) -> Value) -> Self {
        Self { valid, cases: Vec::new() }
    }

    /// Values that a parameter may have.
    fn accepts<T: Into<Value>>(&mut self, parameter: &'static str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.case(parameter, &json!({ parameter: value.into() }), &[]);
        }
    }

    /// Values that break one rule, whose code is given.
    fn refuses<T: Into<Value>>(
        &mut self,
        parameter: &'static str,
        code: &'static str,
        values: impl IntoIterator<Item = T>,
    ) {
        for value in values {
            self.case(parameter, &json!({ parameter: value.into() }), &[(parameter, code)]);
        }
    }

    /// Several parameters at once, and every rule they break.
    fn case(&mut self, parameter: &'static str, changes: &Value, broken: &[(&'static str, &'static str)]) {
        self.cases.push(Case { parameter, document: (self.valid)(changes), broken: broken.to_vec() });
    }

    /// Parameters that must not be missing.
    fn requires(&mut self, parameters: &[&'static str]) {
        for parameter in parameters {
            let document = without((self.valid)(&json!({})), parameter);
            self.cases.push(Case { parameter, document, broken: vec![(parameter, "missing_field")] });
        }
    }

    /// A parameter that may be missing.
    fn lets_go_without(&mut self, parameter: &'static str) {
        let document = without((self.valid)(&json!({})), parameter);
        self.cases.push(Case { parameter, document, broken: Vec::new() });
    }
}

pub(crate) fn cases() -> impl Iterator<Item = Case> {
    [function::table(), layer::table()].into_iter().chain(life::tables()).flat_map(|table| table.cases)
}

#[test]
fn each_case_breaks_exactly_the_rules_it_says() {
    for case in cases() {
        let mut expected: Vec<_> =
            case.broken.iter().map(|(name, code)| (format!("/parameters/{name}"), *code)).collect();
        expected.sort();
        let document = case.document.to_string();
        assert_eq!(broken_rules(&document), expected, "{document}");
    }
}

#[test]
fn every_parameter_and_every_code_of_an_invalid_value_has_its_cases() {
    let mut codes = BTreeSet::new();
    for (operation, constraints) in
        [("AddPermission", &ADD_PERMISSION[..]), ("AddLayerVersionPermission", &ADD_LAYER_VERSION_PERMISSION)]
    {
        let cases: Vec<Case> = cases().filter(|case| case.document["operation"] == operation).collect();
        for parameter in constraints.iter().map(|constraint| constraint.parameter) {
            let of = |case: &&Case| case.parameter == parameter;
            assert!(
                cases.iter().filter(of).any(|case| case.broken.is_empty()),
                "{operation} {parameter}: none accepted"
            );
            assert!(
                cases.iter().filter(of).any(|case| !case.broken.is_empty()),
                "{operation} {parameter}: none refused"
            );
        }
        codes.extend(cases.iter().flat_map(|case| &case.broken).map(|(_, code)| *code));
    }
    // The operation, the reason and the end are no parameters; their rules are with the shape of the document.
    let elsewhere = [Code::InvalidOperation, Code::InvalidReason, Code::InvalidFingerprint, Code::InvalidExpiry];
    let invalid = Code::ALL.iter().filter(|code| code.kind() == Kind::Invalid && !elsewhere.contains(code));
    let unused: Vec<_> = invalid.map(|code| code.as_str()).filter(|code| !codes.contains(code)).collect();
    assert_eq!(unused, [""; 0]);
}

#[tokio::test]
async fn a_broken_rule_ends_in_one_refusal_on_record_and_no_call() {
    let stage = Stage::examples().await.unwrap();
    for case in cases().filter(|case| !case.broken.is_empty()) {
        let document = case.document.to_string();
        let reply = stage.invoke("request", document.as_bytes()).await.unwrap();
        let reply: Value = serde_json::from_str(reply.get()).unwrap();
        assert_eq!(reply["outcome"], "rejected", "{document}");
        let told = |error: &Value| (error["pointer"].as_str().unwrap().to_owned(), error["code"].clone());
        let mut told: Vec<_> = reply["errors"].as_array().unwrap().iter().map(told).collect();
        told.sort_by(|a, b| a.0.cmp(&b.0));
        let expected: Vec<_> = broken_rules(&document).into_iter().map(|(at, code)| (at, json!(code))).collect();
        assert_eq!(told, expected, "{document}");
        let audit = stage.audit();
        assert_eq!(audit.len(), 1, "{document}: {audit:?}");
        let line: Value = serde_json::from_str(&audit[0]).unwrap();
        assert_eq!((&line["record"], &line["outcome"]), (&json!("outcome"), &json!("rejected")), "{document}");
    }
    assert!(stage.control_plane.calls().is_empty());
}
