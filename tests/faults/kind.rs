//! The kinds of request that faults strike: each change of a policy, on functions and layers.

use permission_broker::local::control_plane::{ControlPlane, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use super::delivery::Asked;
use crate::support::{Door, Scene, grant, layer_grant, with};

pub(crate) const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
pub(crate) const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:1";

/// A kind of request, what stands beforehand, and the operations that it takes.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    request: fn() -> Value,
    arn: &'static str,
    ids: &'static [&'static str],
    /// The statements that stand beforehand.
    before: &'static [&'static str],
    /// Whether its statement is the last one, which takes the policy with it.
    pub(crate) is_last: bool,
    /// Whether a revoke names the fingerprint, so that it looks before it writes.
    pub(crate) is_named: bool,
    pub(crate) write: Operation,
    pub(crate) read: Operation,
    /// What takes a statement back whose second could not be given.
    pub(crate) takes_back: Option<Operation>,
}

const GRANT: Kind = Kind {
    name: "AddPermission",
    request: || grant(json!({})),
    arn: ORDERS,
    ids: &["partner"],
    before: &[],
    is_last: false,
    is_named: false,
    write: Operation::AddPermission,
    read: Operation::GetPolicy,
    takes_back: None,
};

const LAYER_GRANT: Kind = Kind {
    name: "AddLayerVersionPermission",
    request: || layer_grant(json!({})),
    arn: LAYER,
    before: &["other"],
    write: Operation::AddLayerVersionPermission,
    read: Operation::GetLayerVersionPolicy,
    ..GRANT
};

const REVOKE: Kind = Kind {
    name: "RemovePermission",
    request: revoke,
    before: &["other", "partner"],
    write: Operation::RemovePermission,
    ..GRANT
};

const LAYER_REVOKE: Kind = Kind {
    name: "RemoveLayerVersionPermission",
    request: layer_revoke,
    before: &["partner"],
    is_last: true,
    write: Operation::RemoveLayerVersionPermission,
    ..LAYER_GRANT
};

pub(crate) const KINDS: [Kind; 7] = [
    GRANT,
    LAYER_GRANT,
    REVOKE,
    Kind {
        name: "RemovePermission of a named statement",
        before: &["partner"],
        is_last: true,
        is_named: true,
        ..REVOKE
    },
    LAYER_REVOKE,
    Kind {
        name: "RemoveLayerVersionPermission of a named statement",
        before: &["other", "partner"],
        is_last: false,
        is_named: true,
        ..LAYER_REVOKE
    },
    Kind {
        name: "GrantFunctionUrl",
        request: || function_url(json!({})),
        ids: &["partner", "partner-invoke"],
        before: &["other"],
        takes_back: Some(Operation::RemovePermission),
        ..GRANT
    },
];

pub(crate) fn revoke() -> Value {
    json!({
        "operation": "RemovePermission",
        "parameters": { "FunctionName": "orders", "StatementId": "partner" },
    })
}

pub(crate) fn layer_revoke() -> Value {
    json!({
        "operation": "RemoveLayerVersionPermission",
        "parameters": { "LayerName": "common", "VersionNumber": 1, "StatementId": "partner" },
    })
}

pub(crate) fn function_url(changes: Value) -> Value {
    let parameters = json!({
        "FunctionName": "orders", "StatementId": "partner",
        "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM",
    });
    json!({ "operation": "GrantFunctionUrl", "parameters": with(parameters, changes) })
}

/// What AWS stores of a grant to an account.
pub(crate) fn stored(sid: &str, account: &str, arn: &str) -> Value {
    let action = if arn.contains(":layer:") { "lambda:GetLayerVersion" } else { "lambda:InvokeFunction" };
    let principal = json!({ "AWS": format!("arn:aws:iam::{account}:root") });
    json!({ "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": arn })
}

/// A scene whose policy holds these statements.
pub(crate) async fn holding(arn: &str, statements: &[Value]) -> Scene {
    let mut world: Value = serde_json::from_str(WORLD).unwrap();
    if !statements.is_empty() {
        world = with(world, json!({ "policies": { arn: { "statements": statements } } }));
    }
    Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await
}

/// A revoke with the fingerprint of what stands.
pub(crate) async fn named(scene: &Scene, request: Value) -> Value {
    let asked = with(request.clone(), json!({ "dryRun": true }));
    let reply = scene.ask(Door::Direct, &asked).await;
    assert_eq!(reply.outcome(), "would_revoke");
    scene.sink.take();
    scene.plane.clear_calls();
    with(request, json!({ "fingerprint": reply.document["fingerprint"] }))
}

impl Kind {
    pub(crate) async fn scene(&self) -> Scene {
        let statements: Vec<Value> = self.before.iter().map(|sid| stored(sid, "210987654321", self.arn)).collect();
        holding(self.arn, &statements).await
    }

    pub(crate) async fn asked(&self, scene: &Scene) -> Asked {
        let request = (self.request)();
        let request = if self.is_named { named(scene, request).await } else { request };
        Asked { request, arn: self.arn, ids: self.ids }
    }

    /// Whether the broker reads first: both ways for what it gives; a revoke knows no such setting.
    pub(crate) fn ways(&self) -> &'static [bool] {
        let gives = matches!(self.write, Operation::AddPermission | Operation::AddLayerVersionPermission);
        if gives { &[false, true] } else { &[false] }
    }

    /// Whether the policy is read before the first write: always where it has to be known what stands.
    pub(crate) fn looks_first(&self, reads_first: bool) -> bool {
        self.is_named || self.takes_back.is_some() || reads_first
    }

    /// How many records a request of it has if nothing goes wrong.
    pub(crate) fn records(&self) -> usize {
        2 * self.ids.len()
    }
}
