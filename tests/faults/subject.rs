//! Which statement a call, a schedule or a record is about.

use permission_broker::local::control_plane::{Call, Operation, Schedule};
use serde_json::Value;

use crate::support::{json, string};

/// A statement: the ARN of its policy, and its id.
pub(crate) type Subject = (String, String);

fn function(name: &str, qualifier: Option<&str>) -> String {
    let qualifier = qualifier.map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    format!("arn:aws:lambda:us-east-1:123456789012:function:{name}{qualifier}")
}

fn layer(name: &str, version: &str) -> String {
    format!("arn:aws:lambda:us-east-1:123456789012:layer:{name}:{version}")
}

/// The statement that a write is about, and whether the write gives it. A schedule that ends a statement is made for
/// one that is about to be given.
pub(crate) fn of_call(call: &Call) -> Option<(Subject, bool)> {
    let labels: Vec<&str> = call.path.split('/').collect();
    let arn = || match labels.as_slice() {
        [_, _, "functions", name, ..] => function(&name.replace("%3A", ":"), call.query.strip_prefix("Qualifier=")),
        [_, _, "layers", name, _, version, ..] => layer(name, version),
        _ => panic!("{}", call.path),
    };
    match call.operation? {
        Operation::AddPermission | Operation::AddLayerVersionPermission => {
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            Some(((arn(), string(&body, "StatementId").to_owned()), true))
        }
        Operation::RemovePermission | Operation::RemoveLayerVersionPermission => {
            Some(((arn(), (*labels.last().unwrap()).to_owned()), false))
        }
        Operation::CreateSchedule => {
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            of_input(string(&body["Target"], "Input")).map(|subject| (subject, true))
        }
        _ => None,
    }
}

/// The statement that a schedule ends, if it is one that does so.
pub(crate) fn of_schedule(schedule: &Schedule) -> Option<Subject> {
    of_input(string(&schedule.target, "Input")).filter(|_| schedule.state == "ENABLED")
}

fn of_input(input: &str) -> Option<Subject> {
    let scheduled = &json(input)["scheduled"];
    let parameters = &scheduled["parameters"];
    let arn = match parameters["LayerName"].as_str() {
        Some(name) => layer(name, &parameters["VersionNumber"].to_string()),
        None => function(string(parameters, "FunctionName"), parameters["Qualifier"].as_str()),
    };
    (scheduled["operation"] == "Expire").then(|| (arn, string(parameters, "StatementId").to_owned()))
}

/// The statement that a record is about, if it is about one.
pub(crate) fn of_record(line: &Value) -> Option<Subject> {
    Some((string(line, "target").to_owned(), line["statementId"].as_str()?.to_owned()))
}
