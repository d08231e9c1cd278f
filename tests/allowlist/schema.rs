//! The JSON Schema for editors, `schema/allowlist.schema.json`, against the parser: it says of every allowlist what the
//! parser says, but for the few rules that a schema has no words for. So does the template's, which AppConfig reads. Every
//! allowlist in the parser's own tests is asked too.

use std::sync::LazyLock;

use jsonschema::Validator;
use permission_broker::allowlist::{Allowlist, DEFAULT_ACTIONS};
use permission_broker::local::stage::ALLOWLIST;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rules::property::config;
use crate::support::{json, text};
use crate::template::followed::validator;

const FILE: &str = "schema/allowlist.schema.json";

static SCHEMA: LazyLock<Value> = LazyLock::new(|| json(&text(FILE)));
static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&SCHEMA).unwrap());
/// What the template has AppConfig check, in draft 4.
static OF_APPCONFIG: LazyLock<Validator> = LazyLock::new(|| jsonschema::validator_for(&validator()).unwrap());

/// What the parser says that a schema cannot: that two members of an object have one name, which no reader of JSON
/// hands on, and that two rules do.
const ONLY_THE_PARSER_SAYS: [&str; 2] = ["a rule gives each field once", "this id is taken by an earlier rule"];

/// What the two say differently about a text, if anything.
fn difference(text: &str) -> Option<String> {
    // What is no JSON at all is for the editor itself to say, and the parser takes an empty text for no rules.
    let value: Value = serde_json::from_str(text).ok()?;
    let mut problems = Allowlist::parse(text).err().unwrap_or_default();
    problems.retain(|problem| !ONLY_THE_PARSER_SAYS.contains(&problem.detail));
    let errors: Vec<String> = VALIDATOR.iter_errors(&value).map(|error| error.to_string()).collect();
    let agreed = problems.is_empty() == errors.is_empty() && OF_APPCONFIG.is_valid(&value) == errors.is_empty();
    (!agreed).then(|| {
        let template: Vec<String> = OF_APPCONFIG.iter_errors(&value).map(|error| error.to_string()).collect();
        format!("the parser: {problems:?}, {FILE}: {errors:?}, the template: {template:?}: {text}")
    })
}

pub(crate) fn assert_agreed(text: &str) {
    assert_eq!(difference(text), None);
}

#[test]
fn it_is_a_schema_and_has_the_parsers_fields() {
    jsonschema::meta::validate(&SCHEMA).unwrap();
    assert_eq!(SCHEMA["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let rule = &SCHEMA["$defs"]["rule"];
    let problems = Allowlist::parse(r#"{"unknown": 1}"#).unwrap_err();
    let mut known: Vec<&str> = problems[0].detail.split_once("the fields ").unwrap().1.split(", ").collect();
    known.sort_unstable();
    let mut named: Vec<&String> = rule["properties"].as_object().unwrap().keys().collect();
    named.sort_unstable();
    assert_eq!(named, known, "the fields in {FILE}, and those of src/allowlist/parse.rs");
    assert_eq!(rule["properties"]["actions"]["default"], json!(DEFAULT_ACTIONS));
    for (name, field) in rule["properties"].as_object().unwrap() {
        assert!(field["description"].is_string(), "an editor shows what {name} means");
    }
}

#[test]
fn it_accepts_the_allowlist_of_the_examples() {
    assert!(VALIDATOR.is_valid(&json(ALLOWLIST)));
}

/// The lengths, which no other test has.
#[test]
fn it_has_the_parsers_limits() {
    for length in [9_993, 9_994] {
        assert_agreed(&json!({ "actions": [format!("lambda:{}", "a".repeat(length))] }).to_string());
    }
    for length in [2_034, 2_035] {
        assert_agreed(&json!({ "services": [format!("{}.amazonaws.com", "a".repeat(length))] }).to_string());
    }
}

/// A value near what a field takes, or anything else.
fn value() -> impl Strategy<Value = Value> {
    const TEXTS: [&str; 24] = [
        "210987654321",
        "21098765432",
        "o-a1b2c3d4e5",
        "o-a1b2c3d4e",
        "s3.amazonaws.com",
        "s3.amazonaws.com.",
        "a.b.c2s.ic.gov",
        ".amazon.com",
        "lambda:InvokeFunction",
        "lambda:*",
        "lambda:",
        "function:orders*",
        "function:**",
        "layer:*",
        "layer:",
        "arn:aws:iam::123456789012:user/ci",
        "*",
        "**",
        "* *",
        "",
        "partner",
        "a b",
        "f\u{fc}r",
        "x\n",
    ];
    let character = prop::sample::select("aZ0:.*-_ \u{e9}\n".chars().collect::<Vec<_>>());
    let changed =
        (prop::sample::select(TEXTS.to_vec()), any::<prop::sample::Index>(), character).prop_map(|(text, at, with)| {
            let mut characters: Vec<char> = text.chars().collect();
            characters.insert(at.index(characters.len() + 1), with);
            characters.into_iter().collect::<String>()
        });
    let texts = prop_oneof![3 => prop::sample::select(TEXTS.to_vec()).prop_map(str::to_owned), 1 => changed];
    let entry = prop_oneof![20 => texts.prop_map(Value::from), 1 => Just(json!(null)), 1 => Just(json!(7)), 1 => Just(json!(["x"]))];
    prop_oneof![
        8 => prop::collection::vec(entry.clone(), 0..4).prop_map(Value::from),
        2 => entry,
        1 => Just(json!({})),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 9] =
        ["id", "accounts", "organizations", "services", "actions", "targets", "requesters", "Accounts", "$schema"];
    // Fields that exist, mostly: of two that do not, one says as little as both.
    let name = prop_oneof![9 => prop::sample::select(NAMES[..7].to_vec()), 1 => prop::sample::select(NAMES.to_vec())];
    let members = prop::collection::vec((name, value()), 0..4);
    members.prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn it_agrees_with_the_parser_on_random_documents(
        rules in prop::collection::vec(prop_oneof![12 => rule(), 1 => value()], 0..3), bare: bool,
    ) {
        let document = if bare { rules.first().cloned().unwrap_or(json!([])) } else { Value::from(rules) };
        prop_assert_eq!(difference(&document.to_string()), None);
    }
}
