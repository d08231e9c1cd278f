//! Request documents, each made from one that breaks no rule, and what the rules say to them.

use permission_broker::error::Fault;
use permission_broker::grant::Grant;
use permission_broker::request::Request;
use serde_json::{Value, json};

/// A valid `AddPermission` with some parameters put in or replaced.
pub(crate) fn add_permission(changes: &Value) -> Value {
    let parameters = json!({
        "FunctionName": "orders", "StatementId": "partner", "Action": "lambda:InvokeFunction", "Principal": "210987654321",
    });
    with(json!({ "operation": "AddPermission", "parameters": parameters }), changes)
}

/// A valid `AddLayerVersionPermission` with some parameters put in or replaced.
pub(crate) fn add_layer_version_permission(changes: &Value) -> Value {
    let parameters = json!({
        "LayerName": "tools", "VersionNumber": 3, "StatementId": "partner", "Action": "lambda:GetLayerVersion",
        "Principal": "210987654321",
    });
    with(json!({ "operation": "AddLayerVersionPermission", "parameters": parameters }), changes)
}

fn with(mut document: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        document["parameters"][name] = value.clone();
    }
    document
}

/// A document with one parameter left out.
pub(crate) fn without(mut document: Value, name: &str) -> Value {
    document["parameters"].as_object_mut().unwrap().remove(name).unwrap();
    document
}

/// The grant that a document asks for, or every rule that it breaks.
pub(crate) fn grant(document: &str) -> Result<Grant, Vec<Fault>> {
    Request::read(document).map_err(|fault| vec![fault]).and_then(Grant::new)
}

/// The rules that a document breaks, as pointer and code, in order of the pointers; none if it is valid.
pub(crate) fn broken_rules(document: &str) -> Vec<(String, &'static str)> {
    let faults = grant(document).err().unwrap_or_default();
    let mut broken: Vec<_> = faults.iter().map(|fault| (fault.pointer.to_string(), fault.code.as_str())).collect();
    broken.sort();
    broken
}
