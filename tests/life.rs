//! The whole life of a grant: looked at, asked about, given, and taken away again.

mod budget;
pub(crate) mod expiry;
mod explain;
mod function_url;
mod late;
mod model;
mod read;
mod revoke;
mod together;
mod triage;

use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use crate::support::{Scene, with};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:1";

/// A scene in which policies hold statements.
async fn holding(policies: &[(&str, &[Value])]) -> Scene {
    let policies = policies.iter().map(|(arn, statements)| ((*arn).to_owned(), json!({ "statements": statements })));
    let policies: serde_json::Map<String, Value> = policies.collect();
    let world: Value = serde_json::from_str(WORLD).unwrap();
    let world = with(world, json!({ "policies": policies }));
    Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await
}

/// What AWS stores of a grant to an account on the function `orders`; null takes a member away.
fn stored(sid: &str, changes: Value) -> Value {
    let statement = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": "lambda:InvokeFunction",
        "Resource": ORDERS,
    });
    with(statement, changes)
}

/// The same on version 1 of the layer `common`.
fn layer_stored(sid: &str) -> Value {
    stored(sid, json!({ "Action": "lambda:GetLayerVersion", "Resource": LAYER }))
}

/// The revoke of the statement `partner`.
fn revoke(changes: Value) -> Value {
    let parameters = with(json!({ "FunctionName": "orders", "StatementId": "partner" }), changes);
    json!({ "operation": "RemovePermission", "parameters": parameters })
}

/// The same of a layer version.
fn layer_revoke(changes: Value) -> Value {
    let parameters = json!({ "LayerName": "common", "VersionNumber": 1, "StatementId": "partner" });
    json!({ "operation": "RemoveLayerVersionPermission", "parameters": with(parameters, changes) })
}

/// A request with members beside its parameters.
fn beside(request: Value, members: Value) -> Value {
    with(request, members)
}

/// The code of what is not a success, else the outcome.
fn word(document: &Value) -> &str {
    document["code"].as_str().or(document["outcome"].as_str()).unwrap_or_default()
}
