//! Codes, outcomes and statuses.

use std::collections::{BTreeMap, BTreeSet};

use permission_broker::error::Code;
use permission_broker::outcome::Outcome;
use serde_json::Value;

use super::{DOCUMENT, FILE, members, resolved, schema};

/// Code, status, outcome and whether to ask again.
type Row = (String, u64, String, bool);

/// What a response says about its problems: each group of codes with what they have in common.
fn rows(response: &Value) -> Vec<Row> {
    let schema = &response["content"]["application/problem+json"]["schema"]["allOf"][1];
    let groups = schema["oneOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice);
    let of = |group: &Value| {
        let fixed = |name: &str| group["properties"][name]["const"].clone();
        let (status, outcome, again) = (fixed("status"), fixed("outcome"), fixed("retryable"));
        let codes = group["properties"]["code"]["enum"].as_array().unwrap_or_else(|| panic!("no codes in {group}"));
        let row = |code: &Value| {
            let outcome = outcome.as_str().unwrap().to_owned();
            (code.as_str().unwrap().to_owned(), status.as_u64().unwrap(), outcome, again.as_bool().unwrap())
        };
        codes.iter().map(row).collect::<Vec<_>>()
    };
    groups.iter().flat_map(of).collect()
}

/// The codes that the HTTP door can answer with: that an end has not come, and what a sweep has missed, is told to a
/// schedule alone.
fn of_the_door() -> impl Iterator<Item = &'static Code> {
    Code::ALL.iter().filter(|code| ![Code::NotDue, Code::SweepIncomplete].contains(code))
}

#[test]
fn every_code_stands_under_its_status_with_its_outcome() {
    let mut written = BTreeSet::new();
    for (status, _) in members(&DOCUMENT["paths"]["/grants"]["post"]["responses"]) {
        let response = resolved(&DOCUMENT["paths"]["/grants"]["post"]["responses"][status]);
        if response["content"].get("application/problem+json").is_none() {
            continue;
        }
        for row in rows(response) {
            assert_eq!(row.1.to_string(), *status, "{}: {FILE} has it under another status", row.0);
            assert!(written.insert(row.clone()), "{} stands twice in {FILE}", row.0);
        }
    }
    let of = |code: &Code| {
        let kind = code.kind();
        let (word, outcome) = (code.as_str().to_owned(), kind.outcome().as_str().to_owned());
        (word, u64::from(code.status()), outcome, kind.retryable())
    };
    let known: BTreeSet<Row> = of_the_door().map(of).collect();
    let missing: Vec<_> = known.difference(&written).collect();
    let unknown: Vec<_> = written.difference(&known).collect();
    assert!(missing.is_empty(), "codes of src/error.rs that {FILE} has not, or has otherwise: {missing:?}");
    assert!(unknown.is_empty(), "codes of {FILE} that src/error.rs has not, or has otherwise: {unknown:?}");
}

#[test]
fn every_outcome_is_a_reply_or_a_problem() {
    let of = |name: &str| {
        let words = schema(name)["properties"]["outcome"]["enum"].as_array().unwrap().iter();
        words.map(|word| word.as_str().unwrap()).collect::<BTreeSet<_>>()
    };
    let problems: BTreeSet<&str> = Code::ALL.iter().map(|code| code.kind().outcome().as_str()).collect();
    assert_eq!(of("Problem"), problems);
    // The description is answered by itself.
    let successes = Outcome::ALL.iter().filter(|outcome| **outcome != Outcome::Described);
    let successes: BTreeSet<&str> =
        successes.map(|outcome| outcome.as_str()).filter(|it| !problems.contains(it)).collect();
    assert_eq!(of("Reply"), successes, "the successes of src/outcome.rs and those of {FILE}");
    let by_status = ["200", "201"].map(|status| {
        let response = resolved(&DOCUMENT["paths"]["/grants"]["post"]["responses"][status]);
        let outcome = &response["content"]["application/json"]["schema"]["allOf"][1]["properties"]["outcome"];
        let words = outcome["enum"].as_array().cloned().unwrap_or_else(|| vec![outcome["const"].clone()]);
        words.iter().map(|word| word.as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    });
    assert_eq!(by_status[1], BTreeSet::from(["granted".to_owned()]), "201 is for what was added");
    let all: BTreeSet<&str> = by_status.iter().flatten().map(String::as_str).collect();
    assert_eq!(all, successes);
}

/// What comes again is told when.
#[test]
fn a_status_has_the_headers_of_its_codes() {
    let mut again: BTreeMap<u16, bool> = BTreeMap::new();
    for code in of_the_door() {
        *again.entry(code.status()).or_default() |= code.kind().retryable();
    }
    for (status, again) in again {
        let response = resolved(&DOCUMENT["paths"]["/grants"]["post"]["responses"][status.to_string()]);
        assert_eq!(response["headers"].get("Retry-After").is_some(), again, "{status}");
        assert_eq!(response["headers"].get("Allow").is_some(), status == 405, "{status}");
    }
}
