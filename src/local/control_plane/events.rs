//! EventBridge's `PutEvents`, as far as the broker needs it: JSON 1.1, where the header `x-amz-target` names the operation.
//! Guarantees the documented limits of a call, and a result for each entry; a bus of any name is there.
//! Where AWS's answer is not recorded, what its documentation says is taken strictly.

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::ControlPlane;
use super::answer::{Answer, fresh_uuid};
use super::call::Call;
use super::route::Operation;
use super::serve::is_signed_for;

/// The header that names the operation.
pub(super) const TARGET: &str = "x-amz-target";

/// Most entries of one call, and most bytes of all of them together.
const MOST_ENTRIES: usize = 10;
const MOST_BYTES: usize = 256 * 1024;

pub(super) fn operation(method: &str, path: &str, target: &str) -> Option<Operation> {
    (method == "POST" && path == "/" && target == "AWSEvents.PutEvents").then_some(Operation::PutEvents)
}

/// Puts what a call carries on its bus.
pub(super) fn put(plane: &ControlPlane, call: &Call) -> Answer {
    if !call.header("authorization").is_some_and(|header| is_signed_for("events", header)) {
        return error("MissingAuthenticationTokenException", "Missing Authentication Token");
    }
    if call.header("content-type") != Some("application/x-amz-json-1.1") {
        return error("UnknownOperationException", "");
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&call.body) else {
        return error("SerializationException", "");
    };
    let entries = body.get("Entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entries.is_empty() || entries.len() > MOST_ENTRIES {
        return error("ValidationException", "Member must have length between 1 and 10");
    }
    if entries.iter().map(size).sum::<usize>() > MOST_BYTES {
        return error("ValidationException", "Total size of the entries in the request is over the limit.");
    }
    let mut answers = Vec::new();
    let mut failed = 0;
    for entry in entries {
        match refusal(entry) {
            None => {
                plane.state().events.push(entry.clone());
                answers.push(json!({ "EventId": fresh_uuid() }));
            }
            Some((code, message)) => {
                failed += 1;
                answers.push(json!({ "ErrorCode": code, "ErrorMessage": message }));
            }
        }
    }
    answer(200, &json!({ "FailedEntryCount": failed, "Entries": answers }))
}

/// The size as AWS documents it: 14 bytes for a time that is given, and the bytes of four members.
fn size(entry: &Value) -> usize {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map_or(0, str::len);
    let resources = entry.get("Resources").and_then(Value::as_array).into_iter().flatten();
    let resources: usize = resources.filter_map(Value::as_str).map(str::len).sum();
    let time = if entry.get("Time").is_some() { 14 } else { 0 };
    time + text("Source") + text("DetailType") + text("Detail") + resources
}

/// Why one entry is refused while others pass.
fn refusal(entry: &Value) -> Option<(&'static str, &'static str)> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(source), Some(_), Some(detail)) = (text("Source"), text("DetailType"), text("Detail")) else {
        return Some(("InvalidArgument", "Parameter Source, DetailType or Detail is not valid."));
    };
    if source.starts_with("aws.") {
        return Some(("NotAuthorizedForSource", "Not authorized for the source."));
    }
    let is_object = serde_json::from_str::<Value>(detail).is_ok_and(|detail| detail.is_object());
    (!is_object).then_some(("MalformedDetail", "Detail is malformed."))
}

/// JSON 1.1 names the error in the body.
fn error(name: &str, message: &str) -> Answer {
    answer(400, &json!({ "__type": name, "message": message }))
}

fn answer(status: u16, body: &Value) -> Answer {
    Answer {
        content_type: "application/x-amz-json-1.1",
        body: Bytes::from(body.to_string()),
        ..Answer::json(status, &Value::Null)
    }
}
