//! The description of the HTTP door, `schema/openapi.json`: that it is OpenAPI, and that it says of requests, replies,
//! codes and limits what the code does. What one of them has and the other has not fails here by its name.

mod codes;
mod document;
mod examples;
mod fields;
mod requests;
mod served;

use std::sync::LazyLock;

use jsonschema::Validator;
use permission_broker::openapi::OPENAPI;
use serde_json::{Value, json};

use crate::support::json;

/// What to mend when something is missing.
const FILE: &str = "schema/openapi.json";

/// The document as it is shipped.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| json(OPENAPI));

static REQUEST: LazyLock<Validator> = LazyLock::new(|| validator("/components/schemas/Request"));
static REPLY: LazyLock<Validator> = LazyLock::new(|| validator("/components/schemas/Reply"));
static PROBLEM: LazyLock<Validator> = LazyLock::new(|| validator("/components/schemas/Problem"));

/// A validator of the schema at a place of the document.
fn validator(pointer: &str) -> Validator {
    let root =
        json!({ "$ref": format!("#{pointer}"), "components": DOCUMENT["components"], "paths": DOCUMENT["paths"] });
    jsonschema::draft202012::new(&root).unwrap_or_else(|error| panic!("{pointer}: {error}"))
}

/// The schema of a name.
fn schema(name: &str) -> &'static Value {
    let schema = &DOCUMENT["components"]["schemas"][name];
    assert!(schema.is_object(), "{FILE} has no schema {name}");
    schema
}

/// The object that a reference leads to; anything else is itself.
fn resolved(value: &'static Value) -> &'static Value {
    let Some(reference) = value.get("$ref") else { return value };
    let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
    DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere in {FILE}"))
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// What is wrong with a value, for a message.
fn errors(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Any reply to any request: its members are those of the schema, and of an HTTP reply its status is one that
/// `POST /grants` has.
pub(crate) fn assert_described(reply: &Value, status: Option<u64>) {
    // What a schedule is told is of no HTTP door.
    let scheduled = ["Expire", "Sweep"].map(Value::from).contains(&reply["operation"]);
    if reply.get("openapi").is_some() || scheduled {
        return;
    }
    let problem = reply.get("code").is_some();
    let errors = errors(if problem { &PROBLEM } else { &REPLY }, reply);
    assert!(errors.is_empty(), "{FILE} describes no such reply: {errors:#?}\n{reply:#}");
    let Some(status) = status else { return };
    let responses = &DOCUMENT["paths"]["/grants"]["post"]["responses"];
    assert!(responses.get(status.to_string()).is_some(), "{FILE} has no status {status}: {reply}");
}
