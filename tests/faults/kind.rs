//! The kinds of request that faults strike: each change of a policy, on functions and layers, for ever and until a time.

use permission_broker::expiry::Moment;
use permission_broker::local::control_plane::{ControlPlane, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use super::delivery::{Asked, END, Place};
use crate::support::door::DOORS;
use crate::support::{Door, Scene, cases, grant, layer_grant, with};

pub(crate) const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
pub(crate) const LIVE: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";
pub(crate) const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:1";
const SECOND: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:2";
const THIRD: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:3";

/// The ids of grants until [`END`]: each has the mark of its target.
pub(crate) const TIMED: Place = (ORDERS, "partner-until-20260302T180000Z-13bb0104");
pub(crate) const TIMED_INVOKE: Place = (ORDERS, "partner-invoke-until-20260302T180000Z-88ffff3f");
const TIMED_LIVE: Place = (LIVE, "partner-until-20260302T180000Z-6d019547");
pub(crate) const TIMED_LAYER: Place = (LAYER, "partner-until-20260302T180000Z-1598ad38");
const AUDITORS: Place = (LAYER, "auditors-until-20260302T180000Z-d41bf348");

/// What a layer's next version gets, and the version above that.
pub(crate) const CARRIED: &[Place] = &[
    (THIRD, "partner"),
    (THIRD, "auditors-until-20260302T180000Z-b1d6d245"),
    (SECOND, "partner"),
    (SECOND, "auditors-until-20260302T180000Z-6c944663"),
];
pub(crate) const CARRIED_FOR_EVER: &[Place] = &[CARRIED[0], CARRIED[2]];
pub(crate) const TO_CARRY: &[Place] = &[(LAYER, "partner"), AUDITORS];

/// What a sweep finds, and what else stands there.
pub(crate) const SWEPT: &[Place] = &[TIMED, TIMED_LIVE, TIMED_LAYER];
pub(crate) const TO_SWEEP: &[Place] =
    &[(ORDERS, "other"), TIMED, TIMED_LIVE, (ORDERS, "partner-until-20260302T180000Z-00000000"), TIMED_LAYER];

/// A kind of request, what stands beforehand, and the operations that it takes.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    request: fn() -> Value,
    statements: &'static [Place],
    /// The statements that stand beforehand.
    before: &'static [Place],
    /// Whether its statement is the last one, which takes the policy with it.
    pub(crate) is_last: bool,
    /// Whether a revoke names the fingerprint, so that it looks before it writes.
    pub(crate) is_named: bool,
    pub(crate) write: Operation,
    pub(crate) read: Operation,
    /// What takes a statement back whose second could not be given.
    pub(crate) takes_back: Option<Operation>,
    /// The policies that are read, one after the other, before the first write.
    looks: usize,
    /// Whether it makes schedules.
    pub(crate) schedules: bool,
    /// Whether it goes on where a part of it fails.
    pub(crate) has_parts: bool,
    /// The doors that it comes through.
    pub(crate) doors: &'static [Door],
}

const GRANT: Kind = Kind {
    name: "AddPermission",
    request: || grant(json!({})),
    statements: &[(ORDERS, "partner")],
    before: &[],
    is_last: false,
    is_named: false,
    write: Operation::AddPermission,
    read: Operation::GetPolicy,
    takes_back: None,
    looks: 0,
    schedules: false,
    has_parts: false,
    doors: &DOORS,
};

const LAYER_GRANT: Kind = Kind {
    name: "AddLayerVersionPermission",
    request: || layer_grant(json!({})),
    statements: &[(LAYER, "partner")],
    before: &[(LAYER, "other")],
    write: Operation::AddLayerVersionPermission,
    read: Operation::GetLayerVersionPolicy,
    ..GRANT
};

const REVOKE: Kind = Kind {
    name: "RemovePermission",
    request: revoke,
    before: &[(ORDERS, "other"), (ORDERS, "partner")],
    write: Operation::RemovePermission,
    ..GRANT
};

const LAYER_REVOKE: Kind = Kind {
    name: "RemoveLayerVersionPermission",
    request: layer_revoke,
    before: &[(LAYER, "partner")],
    is_last: true,
    write: Operation::RemoveLayerVersionPermission,
    ..LAYER_GRANT
};

const URL: Kind = Kind {
    name: "GrantFunctionUrl",
    request: || function_url(json!({})),
    statements: &[(ORDERS, "partner"), (ORDERS, "partner-invoke")],
    before: &[(ORDERS, "other")],
    takes_back: Some(Operation::RemovePermission),
    looks: 1,
    ..GRANT
};

pub(crate) const KINDS: [Kind; 14] = [
    GRANT,
    LAYER_GRANT,
    REVOKE,
    Kind {
        name: "RemovePermission of a named statement",
        before: &[(ORDERS, "partner")],
        is_last: true,
        is_named: true,
        looks: 1,
        ..REVOKE
    },
    LAYER_REVOKE,
    Kind {
        name: "RemoveLayerVersionPermission of a named statement",
        before: &[(LAYER, "other"), (LAYER, "partner")],
        is_last: false,
        is_named: true,
        looks: 1,
        ..LAYER_REVOKE
    },
    URL,
    Kind {
        name: "AddPermission until a time",
        request: || until(grant(json!({}))),
        statements: &[TIMED],
        schedules: true,
        ..GRANT
    },
    Kind {
        name: "AddLayerVersionPermission until a time",
        request: || until(layer_grant(json!({}))),
        statements: &[TIMED_LAYER],
        schedules: true,
        ..LAYER_GRANT
    },
    Kind {
        name: "GrantFunctionUrl until a time",
        request: || until(function_url(json!({}))),
        statements: &[TIMED, TIMED_INVOKE],
        schedules: true,
        ..URL
    },
    Kind {
        name: "Expire",
        request: || expire(TIMED),
        statements: &[TIMED],
        before: &[(ORDERS, "other"), TIMED],
        is_named: true,
        looks: 1,
        doors: &[Door::Schedule],
        ..REVOKE
    },
    Kind {
        name: "Expire of a layer",
        request: || expire(TIMED_LAYER),
        statements: &[TIMED_LAYER],
        before: &[TIMED_LAYER],
        is_named: true,
        looks: 1,
        doors: &[Door::Schedule],
        ..LAYER_REVOKE
    },
    Kind {
        name: "CarryLayerForward",
        request: carry,
        statements: CARRIED,
        before: TO_CARRY,
        // The version before, the new one, the one above it, and the one above that, which is not there.
        looks: 4,
        schedules: true,
        has_parts: true,
        ..LAYER_GRANT
    },
    Kind {
        name: "Sweep",
        request: sweep,
        statements: SWEPT,
        before: TO_SWEEP,
        // Its own, and that of its first removal.
        looks: 2,
        has_parts: true,
        doors: &[Door::Schedule],
        ..REVOKE
    },
];

/// The same request, of a grant that ends.
pub(crate) fn until(request: Value) -> Value {
    with(request, json!({ "expiresAt": END }))
}

/// What the schedule of a timed grant sends, but for the fingerprint.
pub(crate) fn expire((arn, id): Place) -> Value {
    let parameters = if arn == LAYER {
        json!({ "LayerName": "common", "VersionNumber": 1, "StatementId": id })
    } else {
        json!({ "FunctionName": "orders", "StatementId": id })
    };
    json!({ "operation": "Expire", "parameters": parameters })
}

pub(crate) fn carry() -> Value {
    json!({ "operation": "CarryLayerForward", "parameters": { "LayerName": "common", "VersionNumber": 2 } })
}

/// A sweep of one function with its versions and aliases, which it has to find, and of a layer version that is named.
pub(crate) fn sweep() -> Value {
    json!({
        "operation": "Sweep",
        "parameters": { "Targets": ["layer:common:1"], "Within": ["function:orders"] },
    })
}

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

/// A scene whose policies hold these statements.
pub(crate) async fn holding(statements: &[Value]) -> Scene {
    let mut policies = serde_json::Map::new();
    for statement in statements {
        let policy = policies.entry(statement["Resource"].as_str().unwrap());
        let policy = policy.or_insert_with(|| json!({ "statements": [] }));
        policy["statements"].as_array_mut().unwrap().push(statement.clone());
    }
    let world: Value = serde_json::from_str(WORLD).unwrap();
    let world = with(world, json!({ "policies": policies }));
    Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await
}

/// The same of grants to a partner.
pub(crate) async fn granted(places: &[Place]) -> Scene {
    let statements: Vec<Value> = places.iter().map(|(arn, sid)| stored(sid, "210987654321", arn)).collect();
    holding(&statements).await
}

/// A revoke with the fingerprint of what stands.
pub(crate) async fn named(scene: &Scene, request: Value) -> Value {
    let asked = with(request.clone(), json!({ "dryRun": true }));
    let door = if request["operation"] == "Expire" { Door::Schedule } else { Door::Direct };
    let reply = scene.ask(door, &asked).await;
    assert_eq!(reply.outcome(), "would_revoke");
    scene.sink.take();
    scene.plane.clear_calls();
    with(request, json!({ "fingerprint": reply.document["fingerprint"] }))
}

impl Kind {
    /// What stands beforehand, and the time at which the request makes sense.
    pub(crate) async fn scene(&self) -> Scene {
        let mut scene = granted(self.before).await;
        if self.doors == [Door::Schedule] {
            scene.now = Moment::parse(END).unwrap().into();
        }
        scene
    }

    pub(crate) async fn asked(&self, scene: &Scene) -> Asked {
        let request = (self.request)();
        let request = if self.is_named { named(scene, request).await } else { request };
        Asked { request, statements: self.statements }
    }

    /// Whether the broker reads first: both ways for what it gives; a revoke knows no such setting, and what reads in any
    /// case has none.
    pub(crate) fn ways(&self) -> &'static [bool] {
        let gives = matches!(self.write, Operation::AddPermission | Operation::AddLayerVersionPermission);
        if gives && !self.has_parts { &[false, true] } else { &[false] }
    }

    /// How many policies are read before the first write.
    pub(crate) fn looks(&self, reads_first: bool) -> usize {
        self.looks.max(usize::from(reads_first && self.ways().contains(&true)))
    }

    /// Whether it has AWS list what there is.
    pub(crate) fn lists(&self) -> bool {
        self.has_parts && self.write == Operation::RemovePermission
    }

    /// Of how many places a fault meets it at one, unless every fault is tried everywhere.
    pub(crate) fn turns(&self) -> usize {
        match (self.schedules || self.has_parts, self.takes_back) {
            (true, _) => 8,
            (false, Some(_)) => 2,
            (false, None) => 4,
        }
    }

    /// The doors that it comes through at one place of many: one in turn of what is tried in turns, unless everything is
    /// tried everywhere.
    pub(crate) fn doors_at(&self, place: usize) -> Vec<Door> {
        let all = cases(0) > 0 || self.turns() < 8;
        let doors = self.doors.iter().enumerate();
        doors.filter(|(i, _)| all || place % self.doors.len() == *i).map(|(_, door)| *door).collect()
    }

    /// How many records a request of it has if nothing goes wrong.
    pub(crate) fn records(&self) -> usize {
        2 * self.statements.len() + usize::from(self.has_parts)
    }
}
