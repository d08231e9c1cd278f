//! The report: what is read of an account, how it is judged, and the page that shows it. What the page does in a
//! browser is checked by `tests/page/run`.

mod command;
mod conditions;
mod data;
mod file;
mod live;
mod reading;

use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::report::{self, Use, Wanted};
use permission_broker::local::stage::ALLOWLIST;
use serde_json::{Value, json};

use crate::support::json;

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:1";

/// A world with some policies.
fn world(policies: &[(&str, &[Value])]) -> ControlPlane {
    let policies: serde_json::Map<String, Value> =
        policies.iter().map(|(arn, statements)| ((*arn).to_owned(), json!({ "statements": statements }))).collect();
    let world = json!({
        "partition": "aws", "region": "us-east-1", "account": "123456789012",
        "functions": {
            "orders": { "versions": [1, 2], "aliases": { "live": "2" } },
            "permission-broker": {}, "reports": {},
        },
        "layers": { "common": [1, 2] },
        "policies": policies,
    });
    ControlPlane::from_world(&world.to_string()).unwrap()
}

/// The page that is written of a world.
async fn page(plane: ControlPlane) -> String {
    let report = report::of_world(plane, ("the test's", ALLOWLIST), &Wanted::default(), |_| {}).await.unwrap();
    report::html(&report, Use::File).unwrap()
}

/// The data in a page.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once(r#"<script id="data" type="application/json">"#).unwrap();
    json(rest.split_once("</script>").unwrap().0)
}

/// A statement of the data, with what its numbers stand for.
fn statement(data: &Value, i: usize) -> Value {
    let column = |name: &str| &data["statements"][name][i];
    let value = |name: &str| &data["values"][usize::try_from(column(name).as_u64().unwrap()).unwrap()];
    let names = data["findings"].as_array().unwrap().iter().enumerate();
    let bits = column("findings").as_u64().unwrap();
    let findings: Vec<&Value> = names.filter(|(bit, _)| bits & 1 << bit != 0).map(|(_, name)| name).collect();
    json!({
        "sid": column("sid"), "fingerprint": column("fingerprint"), "principal": value("principal"),
        "action": value("action"), "condition": value("condition"), "parties": value("parties"),
        "verdict": value("verdict"), "findings": findings, "whole": value("whole"),
    })
}
