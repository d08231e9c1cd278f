//! Every field of a request and of a reply, and every limit: what the code knows and what the document names.

use std::collections::BTreeSet;

use permission_broker::arn::SourceArn;
use permission_broker::grant::{Action, EventSourceToken, RevisionId, StatementId};
use permission_broker::principal::Principal;
use permission_broker::request::{MOST_REASON_CHARS, Operation};
use permission_broker::resource::{Function, LayerVersion, Qualifier};
use serde_json::{Value, json};

use super::{FILE, members, resolved, schema};
use crate::support::document::broken_rules;
use crate::support::text;

/// Where requests are read: every name of a field stands in one of these as a text.
const READERS: [&str; 5] = ["src/request.rs", "src/asked.rs", "src/grant.rs", "src/revoke.rs", "src/read.rs"];

/// Every word that stands in quotes where requests are read.
fn words() -> BTreeSet<String> {
    let sources: Vec<String> = READERS.iter().map(|file| text(file)).collect();
    let quoted = sources.iter().flat_map(|source| source.split('"'));
    let word = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    quoted.filter(word).map(str::to_owned).collect()
}

/// The fields that the broker knows at a place of a request, out of all words: a value that is of no field's type
/// is unknown there, or of the wrong type.
fn known(at: &str, with: impl Fn(&str) -> Value) -> BTreeSet<String> {
    let unknown = |word: &String| {
        let pointer = format!("{at}/{word}");
        let plain = broken_rules(&with(word).to_string());
        plain.iter().any(|(place, code)| *code == "unknown_field" && (*place == pointer || place == at))
    };
    words().into_iter().filter(|word| !unknown(word)).collect()
}

fn names(object: &Value) -> BTreeSet<String> {
    members(&object["properties"]).map(|(name, _)| name.clone()).collect()
}

fn required(object: &Value) -> BTreeSet<String> {
    object["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// The fields that are missing from an empty object at a place.
fn missing(at: &str, document: &Value) -> BTreeSet<String> {
    let broken = broken_rules(&document.to_string());
    let missing = broken.iter().filter(|(_, code)| *code == "missing_field");
    missing.filter_map(|(place, _)| place.strip_prefix(&format!("{at}/"))).map(str::to_owned).collect()
}

#[test]
fn every_field_of_a_request_is_named_and_no_other() {
    for operation in Operation::ALL.map(Operation::as_str) {
        let described = schema(operation);
        assert_eq!(described["properties"]["operation"], json!({ "const": operation }));
        let outside = known("", |word| json!({ "operation": operation, "parameters": {}, word: [] }));
        assert_eq!(names(described), outside, "{operation}: the fields in {FILE}, and those that the broker reads");
        let inside = known("/parameters", |word| json!({ "operation": operation, "parameters": { word: [] } }));
        let parameters = resolved(&described["properties"]["parameters"]);
        assert_eq!(names(parameters), inside, "{operation}: the parameters in {FILE}, and those that the broker reads");
        assert_eq!(required(described), missing("", &json!({})).into_iter().collect());
        let empty = json!({ "operation": operation, "parameters": {} });
        assert_eq!(required(parameters), missing("/parameters", &empty), "{operation}");
        for object in [described, parameters] {
            assert_eq!(object["additionalProperties"], false, "{operation}");
        }
    }
    let listed: Vec<Value> = Operation::ALL.iter().map(|operation| json!(operation.as_str())).collect();
    assert_eq!(schema("Operation")["enum"], json!(listed));
    let refers = |operation: &Value| json!({ "$ref": format!("#/components/schemas/{}", operation.as_str().unwrap()) });
    assert_eq!(schema("Request")["oneOf"], json!(listed.iter().map(refers).collect::<Vec<_>>()));
}

#[test]
fn every_limit_is_that_of_the_code() {
    // The second statement of a function URL gets `-invoke`.
    let first = StatementId::MOST_CHARS - "-invoke".len();
    for (name, most) in [
        ("FunctionName", Function::MOST_CHARS),
        ("Qualifier", Qualifier::MOST_CHARS),
        ("LayerName", LayerVersion::MOST_CHARS),
        ("StatementId", StatementId::MOST_CHARS),
        ("StandingStatementId", StatementId::MOST_CHARS),
        ("FirstStatementId", first),
        ("Action", Action::MOST_CHARS),
        ("Principal", Principal::MOST_CHARS),
        ("SourceArn", SourceArn::MOST_CHARS),
        ("EventSourceToken", EventSourceToken::MOST_CHARS),
        ("RevisionId", RevisionId::MOST_CHARS),
        ("Reason", MOST_REASON_CHARS),
    ] {
        assert_eq!(schema(name)["maxLength"], most, "{name}");
    }
    let name = format!("{{1,{}}}", LayerVersion::MOST_NAME_CHARS);
    assert!(schema("LayerName")["pattern"].as_str().unwrap().contains(&name));
    assert_eq!(schema("VersionNumber")["maximum"], i64::MAX);
}

/// The fields of a struct that is written as JSON, as they are spelt there.
fn written(file: &str, name: &str) -> BTreeSet<String> {
    let source = text(file);
    let lines = source.lines().skip_while(|line| {
        let line = line.trim_start_matches("pub(crate) ");
        !line
            .strip_prefix("struct ")
            .is_some_and(|rest| rest.starts_with(&format!("{name}<")) || rest.starts_with(&format!("{name} ")))
    });
    let fields = lines.skip(1).take_while(|line| *line != "}").map(str::trim);
    let fields = fields.filter(|line| !line.starts_with(['#', '/'])).map(|line| line.trim_start_matches("pub(crate) "));
    let fields: BTreeSet<String> =
        fields.map(|line| camel(line.split(':').next().unwrap().trim_start_matches("r#"))).collect();
    assert!(!fields.is_empty(), "{file} has no struct {name}");
    fields
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

#[test]
fn every_field_of_a_reply_is_named_and_no_other() {
    let mut known = names(schema("Known"));
    known.insert("outcome".to_owned());
    let mut document = written("src/reply.rs", "Document");
    assert!(document.remove("problem"), "its members stand in the reply itself");
    assert_eq!(known, document, "the members of a reply in {FILE}, and those of src/reply.rs");
    let mut problem = written("src/reply.rs", "Problem");
    problem.insert("outcome".to_owned());
    assert_eq!(names(schema("Problem")), problem, "the members of a problem in {FILE}, and those of src/reply.rs");
    let reason = &schema("Entry")["properties"]["errors"]["items"];
    for (object, file, name) in [
        (schema("Error"), "src/reply.rs", "Error"),
        (schema("Refusal"), "src/reply.rs", "RuleReason"),
        (schema("Part"), "src/audit/verdict.rs", "Part"),
        (schema("Policy"), "src/policy/fill.rs", "Fill"),
        (schema("Advice"), "src/policy/fill.rs", "Advice"),
        (schema("Entry"), "src/inventory.rs", "Entry"),
        (schema("Parties"), "src/inventory.rs", "Parties"),
        (reason, "src/inventory.rs", "Reason"),
    ] {
        assert_eq!(names(object), written(file, name), "the members in {FILE}, and those of {name} in {file}");
        assert_eq!(object["additionalProperties"], false, "{name}");
    }
}
