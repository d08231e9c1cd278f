//! The tables: fields, codes, variables, limits, parameters and promises, each compared with where it comes from.

use std::collections::BTreeSet;
use std::time::Duration;

use permission_broker::allowlist::Allowlist;
use permission_broker::arn::SourceArn;
use permission_broker::config::Config;
use permission_broker::error::{Code, Delivery};
use permission_broker::event::Door;
use permission_broker::expiry::{ENDING_CHARS, LEAST_SECONDS};
use permission_broker::grant::{Action, EventSourceToken, RevisionId, StatementId};
use permission_broker::local::stage::{Stage, results};
use permission_broker::outcome::Outcome;
use permission_broker::principal::Principal;
use permission_broker::requester::Text;
use permission_broker::resource::{Function, LayerVersion, Qualifier};
use permission_broker::results::detail_type;
use permission_broker::{policy, request};
use serde_json::Value;

use super::markdown::{cells, code, section, table, word};
use crate::support::{PARTIES, event_files, json, path, string, text};

fn words(rows: &[Vec<String>]) -> Vec<String> {
    rows.iter().map(|row| word(&row[0])).collect()
}

#[test]
fn the_codes_are_all_codes() {
    let header = "| code | kind | outcome | HTTP | again | event or message | meaning |";
    let rows: Vec<String> = table("Error codes", header).iter().map(|row| row.join(" | ")).collect();
    let of = |code: &Code| {
        let kind = code.kind();
        let delivery = match kind.delivery() {
            Delivery::Complete => "done",
            Delivery::Fail => "comes again",
        };
        let (word, outcome, again) =
            (code.as_str(), kind.outcome().as_str(), if kind.retryable() { "yes" } else { "no" });
        let kind = format!("{kind:?}").to_lowercase();
        format!("`{word}` | {kind} | `{outcome}` | {} | {again} | {delivery} | {}", code.status(), code.title())
    };
    assert_eq!(rows, Code::ALL.iter().map(of).collect::<Vec<_>>());
}

#[test]
fn the_outcomes_are_all_outcomes() {
    let rows = table("Replies and outcomes", "| outcome | HTTP | meaning |");
    assert_eq!(words(&rows), Outcome::ALL.map(|outcome| outcome.as_str().to_owned()));
    for (row, outcome) in rows.iter().zip(Outcome::ALL) {
        let statuses: BTreeSet<u16> =
            Code::ALL.iter().filter(|code| code.kind().outcome() == outcome).map(|code| code.status()).collect();
        for status in statuses.iter().filter(|_| outcome != Outcome::Failed) {
            assert!(row[1..].concat().contains(&status.to_string()), "{status} of {}", outcome.as_str());
        }
    }
}

#[test]
fn the_allowlist_fields_are_the_parsers() {
    let problems = Allowlist::parse(r#"{"unknown": 1}"#).unwrap_err();
    let known = problems[0].detail.split_once("the fields ").unwrap().1.split(", ");
    let rows = table("The allowlist", "| field | meaning | left out |");
    assert_eq!(words(&rows), known.collect::<Vec<_>>());
    let actions = rows.iter().find(|row| row[0] == "`actions`").unwrap();
    assert_eq!(code(&actions[2]), permission_broker::allowlist::DEFAULT_ACTIONS);
}

#[test]
fn the_doors_are_all_doors() {
    let rows = table("Doors", "| door | events | the request is | who asks, as AWS stamped it | answer |");
    let mut doors = words(&rows);
    doors.sort();
    let mut all = Door::ALL.map(|door| door.as_str().to_owned());
    all.sort();
    assert_eq!(doors, all);
}

/// The fields that no example brings about: they need a fault of AWS, or more than fits into an invocation.
const NO_EXAMPLE_HAS: [&str; 5] = ["statementDiffers", "blamed", "takesBack", "carriesOnAt", "sweptTo"];

#[tokio::test]
async fn the_audit_fields_are_those_of_real_records() {
    let stage = Stage::examples().await.unwrap();
    let mut seen = BTreeSet::from(NO_EXAMPLE_HAS.map(str::to_owned));
    for file in event_files() {
        let _ = stage.invoke("one", text(&format!("events/{file}")).as_bytes()).await;
        for line in stage.audit() {
            let line = json(&line);
            let names = line.as_object().unwrap().keys();
            assert!(NO_EXAMPLE_HAS.iter().all(|name| line.get(name).is_none()), "{file} has one of {NO_EXAMPLE_HAS:?}");
            seen.extend(names.cloned());
        }
    }
    seen.extend(BY_SETTING.map(str::to_owned));
    let written = words(&table("The audit", "| field | meaning |"));
    assert_eq!(written.iter().cloned().collect::<BTreeSet<_>>(), seen);
    assert_eq!(written.len(), seen.len(), "each once");
}

/// What is there only with results, metrics or AppConfig, which the examples do not have.
const BY_SETTING: [&str; 5] = ["events", "lost", "_aws", "allowlistVersion", "allowlistAgeSeconds"];

#[test]
fn the_detail_types_are_those_of_the_outcomes() {
    let rows = table("Results on an event bus", "| detail type | outcomes |");
    for row in &rows {
        for word in code(&row[1]) {
            let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word).expect("an outcome");
            assert_eq!(detail_type(outcome), Some(code(&row[0])[0].as_str()), "{word}");
        }
    }
    let written: Vec<String> = rows.iter().flat_map(|row| code(&row[1])).collect();
    let told = Outcome::ALL.iter().filter(|outcome| detail_type(**outcome).is_some());
    assert_eq!(written.len(), told.count());
}

/// The members that are named, and those of a grant's parties, are all members; the example is what arrives.
#[tokio::test]
async fn the_members_of_a_detail_are_those_that_are_told() {
    let mut stage = Stage::examples().await.unwrap();
    stage.broker.results = Some(results(&stage.control_plane, "outcomes").await.unwrap());
    stage.broker.reads_first = true;
    for file in event_files() {
        let _ = stage.invoke("one", text(&format!("events/{file}")).as_bytes()).await;
    }
    let details: Vec<Value> = stage.results().iter().map(|event| json(string(event, "Detail"))).collect();
    let mut seen: BTreeSet<String> =
        details.iter().flat_map(|detail| detail.as_object().unwrap().keys().cloned()).collect();
    seen.insert("takesBack".to_owned()); // this needs a fault of AWS
    let section = section("Results on an event bus").join(" ");
    let listed = section.split("The detail has").nth(1).unwrap().split("Each statement").next().unwrap();
    let mut written: BTreeSet<String> = code(listed).into_iter().filter(|name| name != "present").collect();
    written.extend(PARTIES.map(str::to_owned));
    assert_eq!(written, seen);

    let example = json(&text("events/eventbridge-rejected-own-result.json"));
    let request = text("events/direct-grant-account.json");
    let stage = {
        let mut fresh = Stage::examples().await.unwrap();
        fresh.broker.results = Some(results(&fresh.control_plane, "outcomes").await.unwrap());
        fresh
    };
    let _ = stage.invoke(string(&example["detail"], "requestId"), request.as_bytes()).await;
    let event = stage.results().remove(0);
    assert_eq!((&event["Source"], &event["DetailType"]), (&example["source"], &example["detail-type"]));
    assert_eq!(event["Resources"], example["resources"]);
    let without_time = |detail: Value| crate::support::with(detail, serde_json::json!({ "durationMs": null }));
    assert_eq!(without_time(json(string(&event, "Detail"))), without_time(example["detail"].clone()));
}

/// The examples use every parameter; the table names each, and which of them are required.
#[tokio::test]
async fn the_parameters_are_those_of_the_requests() {
    let rows = table_after("Ask for a grant", "`AddPermission`:");
    check_parameters("AddPermission", &rows).await;
    let rows = table_after("Ask for a grant", "`AddLayerVersionPermission`:");
    check_parameters("AddLayerVersionPermission", &rows).await;
}

async fn check_parameters(operation: &str, rows: &[Vec<String>]) {
    let mut used = BTreeSet::new();
    for file in event_files() {
        parameters(&json(&text(&format!("events/{file}"))), operation, &mut used);
    }
    used.remove("SourceAcount"); // the example of a misspelt field
    assert_eq!(words(rows).into_iter().collect::<BTreeSet<_>>(), used, "{operation}");
    let stage = Stage::examples().await.unwrap();
    let event = serde_json::json!({ "operation": operation, "parameters": {} }).to_string();
    let reply = json(stage.invoke("one", event.as_bytes()).await.unwrap().get());
    let missing = reply["errors"].as_array().unwrap().iter().map(|error| string(error, "pointer"));
    let required = rows.iter().filter(|row| row[1] == "required").map(|row| format!("/parameters/{}", word(&row[0])));
    assert_eq!(missing.collect::<Vec<_>>(), required.collect::<Vec<_>>(), "{operation}");
}

/// Collects the parameters of every request of an operation in an event, however it is wrapped.
fn parameters(value: &Value, operation: &str, used: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                parameters(&inner, operation, used);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| parameters(value, operation, used)),
        Value::Object(members) => {
            if value["operation"] == operation {
                // A result names the operation too, and has no parameters.
                used.extend(value["parameters"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
            }
            members.values().for_each(|value| parameters(value, operation, used));
        }
        _ => {}
    }
}

/// The table of parameters that follows a line.
fn table_after(title: &str, line: &str) -> Vec<Vec<String>> {
    let section = section(title);
    let start = section.iter().position(|it| it == line).unwrap();
    let rows = section[start..].iter().skip_while(|line| !line.starts_with("| `"));
    rows.take_while(|line| line.starts_with('|')).map(|row| cells(row)).collect()
}

#[test]
fn the_variables_are_those_that_are_read() {
    let written = words(&table("Environment variables", "| variable | meaning |"));
    let unknown = Config::read([("BROKER_X".to_owned(), String::new())]).unwrap_err().to_string();
    let known = unknown.split_once("known are ").unwrap().1.split(';').next().unwrap();
    let mut read: Vec<String> = known.split(", ").map(str::to_owned).collect();
    let source = text("src/config.rs").replace("given(\"", "get(\"").replace("endpoint(\"", "get(\"");
    for name in source.split("get(\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        if !read.iter().any(|known| known == name) {
            read.push(name.to_owned());
        }
    }
    assert_eq!(written.iter().collect::<BTreeSet<_>>(), read.iter().collect::<BTreeSet<_>>());
    assert_eq!(written.len(), read.len(), "each once");
}

#[test]
fn the_limits_are_those_of_the_code() {
    let number = |number: usize| {
        let digits = number.to_string();
        let (thousands, rest) = digits.split_at(digits.len().saturating_sub(3));
        if thousands.is_empty() { digits } else { format!("{thousands},{rest}") }
    };
    let characters = |most: usize| format!("{} characters", number(most));
    let seconds = |time: Duration| format!("{} second{}", time.as_secs(), if time.as_secs() == 1 { "" } else { "s" });
    let wanted = [
        ("request document", format!("{} bytes", number(request::MOST_BYTES))),
        ("reason", characters(request::MOST_REASON_CHARS)),
        ("function name, ARN included", characters(Function::MOST_CHARS)),
        ("qualifier", characters(Qualifier::MOST_CHARS)),
        ("layer name without the ARN", characters(LayerVersion::MOST_NAME_CHARS)),
        ("statement id", characters(StatementId::MOST_CHARS)),
        ("statement id of a grant that ends", characters(StatementId::MOST_CHARS - ENDING_CHARS)),
        ("shortest grant that ends", format!("{LEAST_SECONDS} seconds")),
        ("action", characters(Action::MOST_CHARS)),
        ("principal", characters(Principal::MOST_CHARS)),
        ("source ARN", characters(SourceArn::MOST_CHARS)),
        ("event source token", characters(EventSourceToken::MOST_CHARS)),
        ("revision id", characters(RevisionId::MOST_CHARS)),
        ("identity of a requester", characters(Text::MOST_CHARS)),
        ("tries of one grant", policy::MOST_ATTEMPTS.to_string()),
        ("one call to AWS", seconds(policy::Timing::DEPLOYED.call)),
        ("one grant, tries and reads included", seconds(policy::Timing::DEPLOYED.grant)),
        ("kept back for the outcome and the reply", seconds(policy::Timing::DEPLOYED.reserve)),
        ("a policy, by AWS", "20,480 bytes".to_owned()),
    ];
    let written: Vec<Vec<String>> = table("Limits", "| what | limit |");
    assert_eq!(written, wanted.map(|(what, limit)| vec![what.to_owned(), limit]));
}

/// The function names that are said to be refused, though AWS's pattern accepts them.
#[test]
fn what_is_said_to_be_stricter_is() {
    let section = section("Stricter than AWS, newer than older documents");
    let names = code(section.iter().find(|line| line.contains("read two ways")).unwrap());
    assert_eq!(names.len(), 3);
    for name in names {
        assert_eq!(Function::parse(&name).unwrap_err().code, Code::InvalidFunction, "{name}");
    }
}

#[test]
fn the_examples_are_all_examples() {
    let rows = table("Try it", "| door | files in `events/` |");
    let mut written: Vec<String> = rows.iter().flat_map(|row| code(&row[1])).map(|name| name + ".json").collect();
    written.sort();
    assert_eq!(written, event_files());
}

/// The names under a top-level key of the template, each with its default.
fn template(key: &str) -> Vec<(String, Option<String>)> {
    let template = text("template.yaml");
    let lines = template.lines().skip_while(|line| *line != format!("{key}:")).skip(1);
    let mut names: Vec<(String, Option<String>)> = Vec::new();
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(' ')) {
        if let Some(name) = line.strip_prefix("  ").filter(|name| !name.starts_with([' ', '#'])) {
            names.push((name.trim_end_matches(':').to_owned(), None));
        } else if let Some(default) = line.strip_prefix("    Default: ") {
            names.last_mut().unwrap().1 = Some(default.trim_matches('"').to_owned());
        }
    }
    names
}

#[test]
fn the_parameters_and_outputs_are_the_templates() {
    let rows = table("Deploy", "| parameter | default | meaning |");
    let written = rows.iter().map(|row| (word(&row[0]), Some(code(&row[1]).concat())));
    assert_eq!(written.collect::<Vec<_>>(), template("Parameters"));
    let outputs: BTreeSet<String> = template("Outputs").into_iter().map(|(name, _)| name).collect();
    let rows = table("Deploy", "| output | what for |");
    assert_eq!(rows.iter().flat_map(|row| code(&row[0])).collect::<BTreeSet<_>>(), outputs);
}

/// A promise names the tests that measure it, or says that there is none yet.
#[test]
fn the_tests_of_the_promises_exist() {
    let rows = table("Promises", "| # | promise | figure | test |");
    assert_eq!(rows.len(), 16);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row[0], format!("P{}", i + 1));
        let tests = code(&row[3]);
        assert!(!tests.is_empty() || row[3] == "not yet tested", "{}", row[3]);
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or((&test, ""));
            assert!(path(file).exists(), "{file}");
            assert!(name.is_empty() || text(file).contains(&format!("fn {name}(")), "{test}");
        }
    }
}
