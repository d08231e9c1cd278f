//! The queries for CloudWatch Logs Insights: those of the README are those of the template, and every field and value in them
//! is one that audit lines have.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::FutureExt;
use regex_lite::Regex;
use serde_json::Value;

use super::lines;
use crate::support::{grant, text};
use crate::template::deployment::Deployment;

/// The queries of the README, in order.
fn queries() -> Vec<String> {
    let readme = text("README.md");
    let blocks = readme.split("```insights\n").skip(1);
    blocks.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_templates_queries_are_those_of_the_readme() {
    let stack = Deployment::with(&[("Allowlist", "[]")]);
    let saved: Vec<Value> =
        stack.of_type("AWS::Logs::QueryDefinition").into_values().map(|query| query["Properties"].clone()).collect();
    let texts: BTreeSet<&str> = saved.iter().map(|query| query["QueryString"].as_str().unwrap()).collect();
    let written = queries();
    assert_eq!(texts, written.iter().map(String::as_str).collect());
    assert_eq!(written.len(), 5);
    for query in &saved {
        assert_eq!(query["LogGroupNames"], serde_json::json!(["<Logs>"]));
        let name = query["Name"].as_str().unwrap();
        assert!(
            name.starts_with("broker/") && text("README.md").to_lowercase().contains(&name["broker/".len()..]),
            "{name}"
        );
    }
}

/// A query, taken apart.
#[derive(Default)]
struct Parsed {
    fields: BTreeSet<String>,
    /// Field and value, where one is compared with the other.
    compared: Vec<(String, String)>,
    /// What the last `stats` groups by.
    by: Vec<String>,
}

const COMMANDS: [&str; 5] = ["fields", "filter", "stats", "sort", "limit"];
const FUNCTIONS: [&str; 11] =
    ["count", "count_distinct", "earliest", "ispresent", "latest", "max", "pct", "strcontains", "sum", "in", "and"];
const WORDS: [&str; 7] = ["and", "or", "in", "as", "by", "desc", "asc"];

fn parse(query: &str) -> Parsed {
    let word = Regex::new(r#""[^"]*"|[@A-Za-z_][A-Za-z0-9_]*"#).unwrap();
    let mut parsed = Parsed::default();
    let mut named = BTreeSet::new();
    for (i, line) in query.lines().enumerate() {
        let line = if i == 0 { line } else { line.strip_prefix("| ").expect("a command in each line") };
        let (command, rest) = line.split_once(' ').expect("a command and what it is about");
        assert!(COMMANDS.contains(&command), "{command}");
        let (mut field, mut naming, mut grouping) = (String::new(), false, false);
        for found in word.find_iter(rest) {
            let (text, after) = (found.as_str(), &rest[found.end()..]);
            if let Some(value) = text.strip_prefix('"') {
                parsed.compared.push((field.clone(), value.trim_end_matches('"').to_owned()));
            } else if after.starts_with('(') {
                assert!(FUNCTIONS.contains(&text), "no function: {text}");
            } else if WORDS.contains(&text) {
                naming = text == "as";
                grouping |= text == "by";
            } else if naming {
                named.insert(text.to_owned());
                naming = false;
            } else {
                field = text.to_owned();
                if grouping {
                    parsed.by.push(text.to_owned());
                }
                if !named.contains(text) {
                    parsed.fields.insert(text.to_owned());
                }
            }
        }
    }
    parsed
}

#[tokio::test]
async fn every_field_and_value_of_the_queries_is_one_of_the_audits() {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines().await {
        for (name, value) in line.as_object().unwrap() {
            known.entry(name.clone()).or_default().extend(value.as_str().map(str::to_owned));
        }
    }
    let mut used = BTreeSet::new();
    for query in queries() {
        let Parsed { fields, compared, .. } = parse(&query);
        for field in fields.iter().filter(|field| *field != "@timestamp") {
            assert!(known.contains_key(field), "{field} in {query}");
        }
        assert!(!compared.is_empty(), "{query} takes everything");
        for (field, value) in compared {
            assert!(known[&field].contains(&value), "{field} is never {value}: {query}");
        }
        used.extend(fields);
    }
    assert!(
        ["requester", "principal", "record", "code", "policyBytes", "durationMs"].iter().all(|it| used.contains(*it))
    );
    // The parser sees what is wrong.
    let wrong = parse("filter requestor = \"x\"\n| stats count(*) as n by targets");
    assert_eq!(wrong.fields, BTreeSet::from(["requestor".to_owned(), "targets".to_owned()]));
    assert_eq!((wrong.compared, wrong.by), (vec![("requestor".into(), "x".into())], vec!["targets".into()]));
}

/// By what the query groups, an intent has its outcome, however many a request and a batch have; one that was broken off
/// has none.
#[tokio::test]
async fn the_groups_tell_an_intent_without_an_outcome() {
    let query = queries().into_iter().find(|query| query.contains("intents > outcomes")).unwrap();
    let by = parse(&query).by;
    assert_eq!(by.len(), 5);
    let open = |lines: &[Value]| {
        let mut groups: BTreeMap<Vec<String>, i64> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.get("statementId").is_some()) {
            let change = match line["record"].as_str().unwrap() {
                "intent" => 1,
                "outcome" => -1,
                _ => 0,
            };
            *groups.entry(by.iter().map(|name| line[name].to_string()).collect()).or_default() += change;
        }
        groups.into_values().filter(|open| *open > 0).count()
    };
    let mut lines = lines().await;
    assert_eq!(open(&lines), 0);
    let stage = permission_broker::local::stage::Stage::examples().await.unwrap();
    let request = grant(serde_json::json!({})).to_string();
    assert!(stage.invoke("broken-off", request.as_bytes()).now_or_never().is_none());
    lines.extend(stage.audit().iter().map(|line| crate::support::json(line)));
    assert_eq!(open(&lines), 1);
}
