//! Request documents, each made from one that breaks no rule, and what the rules say to them.

use permission_broker::error::Fault;
use permission_broker::grant::Grant;
use permission_broker::read::Read;
use permission_broker::request::{Operation, Request};
use permission_broker::revoke::Revoke;
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

/// A valid request of another operation with some parameters put in or replaced.
fn valid(operation: &str, parameters: Value, changes: &Value) -> Value {
    with(json!({ "operation": operation, "parameters": parameters }), changes)
}

pub(crate) fn grant_function_url(changes: &Value) -> Value {
    let parameters = json!({
        "FunctionName": "orders", "StatementId": "partner", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM",
    });
    valid("GrantFunctionUrl", parameters, changes)
}

pub(crate) fn remove_permission(changes: &Value) -> Value {
    valid("RemovePermission", json!({ "FunctionName": "orders", "StatementId": "partner" }), changes)
}

pub(crate) fn remove_layer_version_permission(changes: &Value) -> Value {
    let parameters = json!({ "LayerName": "tools", "VersionNumber": 3, "StatementId": "partner" });
    valid("RemoveLayerVersionPermission", parameters, changes)
}

pub(crate) fn get_policy(changes: &Value) -> Value {
    valid("GetPolicy", json!({ "FunctionName": "orders" }), changes)
}

pub(crate) fn get_layer_version_policy(changes: &Value) -> Value {
    valid("GetLayerVersionPolicy", json!({ "LayerName": "tools", "VersionNumber": 3 }), changes)
}

/// Every rule that a document of any operation breaks.
fn faults(document: &str) -> Vec<Fault> {
    let request = match Request::read(document) {
        Ok(request) => request,
        Err(fault) => return vec![fault],
    };
    let refused = match request.operation {
        Some(Operation::GrantFunctionUrl) => Grant::of_function_url(request).err(),
        Some(Operation::RemovePermission | Operation::RemoveLayerVersionPermission) => Revoke::new(request).err(),
        Some(Operation::GetPolicy | Operation::GetLayerVersionPolicy | Operation::CarryLayerForward) => {
            Read::new(request).err()
        }
        _ => Grant::new(request).err(),
    };
    refused.unwrap_or_default()
}

/// The rules that a document breaks, as pointer and code, in order of the pointers; none if it is valid.
pub(crate) fn broken_rules(document: &str) -> Vec<(String, &'static str)> {
    let faults = faults(document);
    let mut broken: Vec<_> = faults.iter().map(|fault| (fault.pointer.to_string(), fault.code.as_str())).collect();
    broken.sort();
    broken
}
