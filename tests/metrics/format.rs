//! The Embedded Metric Format, as CloudWatch documents it: a member that breaks a rule of it is a metric that nobody sees.

use std::collections::BTreeSet;

use permission_broker::config::Config;
use permission_broker::error::Code;
use permission_broker::event::Door;
use permission_broker::local::control_plane::{Fault, FaultKind, Operation};
use permission_broker::outcome::Outcome;
use permission_broker::request;
use serde_json::{Value, json};

use super::{lines, scene};
use crate::support::door::DOORS;
use crate::support::{Scene, grant, text, with};

const NAMESPACE: &str = "PermissionBroker/permission-broker";

/// What one line says: metric, dimension with its value or none, unit, number.
type Datum = (String, Option<(String, String)>, String, f64);

/// Reads a line as CloudWatch does, and holds it against every documented rule.
fn read(line: &Value) -> Vec<Datum> {
    let aws = line["_aws"].as_object().unwrap();
    assert_eq!(aws.keys().collect::<Vec<_>>(), ["CloudWatchMetrics", "Timestamp"], "nothing else");
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let age = now - u128::from(aws["Timestamp"].as_u64().expect("whole milliseconds"));
    assert!(age < 600_000, "{age} ms old: milliseconds since 1970");
    let mut data = Vec::new();
    for directive in aws["CloudWatchMetrics"].as_array().unwrap() {
        let members: Vec<&String> = directive.as_object().unwrap().keys().collect();
        assert_eq!(members, ["Dimensions", "Metrics", "Namespace"]);
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!((1..=255).contains(&namespace.len()) && !namespace.starts_with("AWS/") && !namespace.starts_with(':'));
        assert_eq!(namespace, NAMESPACE);
        let sets = directive["Dimensions"].as_array().unwrap();
        assert!(
            !sets.is_empty() && sets.iter().map(Value::to_string).collect::<BTreeSet<_>>().len() == sets.len(),
            "each set once"
        );
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for (set, metric) in sets.iter().flat_map(|set| metrics.iter().map(move |metric| (set, metric))) {
            data.push(datum(line, set, metric));
        }
    }
    data
}

fn datum(line: &Value, set: &Value, metric: &Value) -> Datum {
    let set: Vec<&str> = set.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(set.len() <= 30);
    let values = set.iter().map(|name| {
        assert!((1..=250).contains(&name.len()) && name.is_ascii());
        let value = line[*name].as_str().unwrap_or_else(|| panic!("{name} is a text of the line"));
        let shown = value.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
        assert!((1..=1024).contains(&value.len()) && shown && !value.starts_with(':'), "{value}");
        ((*name).to_owned(), value.to_owned())
    });
    let dimensions: Vec<(String, String)> = values.collect();
    assert!(dimensions.len() <= 1, "each combination is billed: a dimension stands alone");
    let members: Vec<&String> = metric.as_object().unwrap().keys().collect();
    assert_eq!(members, ["Name", "Unit"]);
    let (name, unit) = (metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap());
    assert!((1..=255).contains(&name.len()) && ["Milliseconds", "Count", "Bytes"].contains(&unit), "{name} {unit}");
    let number = line[name].as_f64().unwrap_or_else(|| panic!("{name} is a number of the line"));
    assert!(number.is_finite() && number >= 0.0);
    (name.to_owned(), dimensions.into_iter().next(), unit.to_owned(), number)
}

/// The known values of a dimension: few, and none that a requester can make up.
fn values(dimension: &str) -> Vec<&'static str> {
    match dimension {
        "outcome" => Outcome::ALL.map(Outcome::as_str).to_vec(),
        "operation" => {
            let all = request::Operation::ALL.iter().chain(&request::Operation::SCHEDULED);
            all.map(|operation| operation.as_str()).collect()
        }
        "door" => Door::ALL.into_iter().chain([Door::Schedule]).map(Door::as_str).collect(),
        "code" => Code::ALL.iter().map(|code| code.as_str()).collect(),
        other => panic!("no dimension: {other}"),
    }
}

#[tokio::test]
async fn every_outcome_of_the_examples_is_measured_and_nothing_else_is() {
    let mut met = BTreeSet::new();
    for line in lines().await {
        if line["record"] != "outcome" {
            assert!(line.get("_aws").is_none(), "it would count twice: {line}");
            continue;
        }
        let data = read(&line);
        let of = |dimension: &str| line[dimension].as_str().map(|value| (dimension.to_owned(), value.to_owned()));
        let wanted =
            [None].into_iter().chain(["outcome", "operation", "door", "code"].into_iter().filter_map(of).map(Some));
        let durations =
            data.iter().filter(|(name, ..)| name == "durationMs").map(|(_, dimension, ..)| dimension.clone());
        assert_eq!(durations.collect::<Vec<_>>(), wanted.collect::<Vec<_>>(), "one sample of each");
        for (name, dimension, unit, _) in data {
            if let Some((dimension, value)) = &dimension {
                assert!(values(dimension).contains(&value.as_str()), "{dimension}={value}");
            }
            met.insert((name, dimension.map(|(dimension, _)| dimension), unit));
        }
        assert_eq!(
            line["attempts"].as_u64().is_some_and(|attempts| attempts > 0),
            line["_aws"].to_string().contains("attempts")
        );
        assert_eq!(line["policyBytes"].is_u64(), line["_aws"].to_string().contains("policyBytes"));
    }
    let readme = text("README.md");
    let rows: Vec<&str> = readme
        .lines()
        .skip_while(|line| *line != "| metric | unit | dimensions | what it says |")
        .skip(2)
        .take(5)
        .collect();
    let mut written = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for dimension in cells[3].split(", ") {
            let dimension = Some(dimension.trim_matches('`').to_owned()).filter(|name| name != "none");
            written.insert((cells[1].trim_matches('`').to_owned(), dimension, cells[2].to_owned()));
        }
    }
    assert_eq!(met, written, "the README's table");
}

/// The README's most: one for the whole and one for each value of each dimension, and the four that have none.
#[test]
fn the_most_metrics_are_as_many_as_said() {
    let dimensions = ["outcome", "operation", "door", "code"];
    let most = 1 + dimensions.iter().map(|dimension| values(dimension).len()).sum::<usize>() + 4;
    assert!(
        text("README.md").contains(&format!("{most} metrics if every outcome, operation, door and code occurred")),
        "{most}"
    );
}

/// What the member costs: the README's size, of a grant's outcome as it usually is.
#[tokio::test]
async fn the_member_is_as_long_as_said() {
    let scene = scene().await;
    scene.ask(crate::support::Door::ApiGateway, &grant(json!({}))).await;
    let line = scene.records().pop().unwrap();
    let bytes = line["_aws"].to_string().len() + r#","_aws":"#.len();
    let bytes = u32::try_from(bytes).unwrap();
    // CloudWatch Logs takes $0.50 for a gigabyte.
    let dollars = f64::from(bytes) * 1e6 / 1e9 * 0.5;
    let said = format!("{bytes} bytes more in the line of a grant, ${dollars:.2} of logs for a million of them");
    assert!(text("README.md").contains(&said), "{said}");
}

/// Without metrics a line is what it was; with them it has the one member more.
#[tokio::test]
async fn metrics_are_off_unless_they_are_asked_for() {
    for door in DOORS {
        let (plain, measured) = (Scene::new().await, scene().await);
        for request in [grant(json!({})), grant(json!({ "Principal": "*" })), json!({})] {
            plain.ask(door, &request).await;
            measured.ask(door, &request).await;
            let names = |scene: &Scene| -> Vec<Vec<String>> {
                scene.records().iter().map(|line| line.as_object().unwrap().keys().cloned().collect()).collect()
            };
            let (plain, measured) = (names(&plain), names(&measured));
            let less =
                measured.iter().map(|line| line.iter().filter(|name| *name != "_aws").cloned().collect::<Vec<_>>());
            assert_eq!(plain, less.collect::<Vec<_>>());
            assert_eq!(measured.iter().map(|line| line.contains(&"_aws".to_owned())).filter(|it| *it).count(), 1);
        }
    }
    let read = |value: Option<&str>| {
        let variables = [("AWS_REGION", "us-east-1"), ("BROKER_ALLOWLIST", "[]")].into_iter();
        let variables = variables.chain(value.map(|value| ("BROKER_METRICS", value)));
        Config::read(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).map(|config| config.metrics)
    };
    assert_eq!((read(None), read(Some("off")), read(Some("on"))), (Ok(false), Ok(false), Ok(true)));
    for value in ["", "ON", "true", "on "] {
        assert_eq!(read(Some(value)).unwrap_err().sentences(), ["BROKER_METRICS: give `on` or `off`"], "{value}");
    }
}

/// Whatever AWS does, and whoever sends what, the member keeps the format.
#[tokio::test]
async fn no_fault_and_no_request_breaks_the_format() {
    let faults = [
        FaultKind::ResetAfterCommit,
        FaultKind::HalfJson,
        FaultKind::Duplicate { commit: true },
        FaultKind::Answer { status: 418, error_type: Some("\u{1f980}".into()), headers: Vec::new(), body: "{}".into() },
    ];
    for kind in faults {
        let scene = scene().await;
        scene.plane.inject(Fault::new(kind).on(Operation::AddPermission));
        for door in DOORS {
            scene.ask(door, &grant(json!({}))).await;
        }
        let records = scene.records();
        let outcomes: Vec<&Value> = records.iter().filter(|line| line["record"] == "outcome").collect();
        assert_eq!(outcomes.len(), 4);
        assert!(outcomes.iter().all(|line| read(line).iter().any(|(name, ..)| name == "attempts")));
    }
    let scene = scene().await;
    for event in ["", "[]", "\u{1f980}", r#"{"Records":1}"#] {
        scene.invoke(event.as_bytes()).await;
    }
    for value in ["\u{1f980}", ":x", "", "\n", "_aws"] {
        for name in ["operation", "reason", "_aws"] {
            scene.ask(crate::support::Door::Sqs, &with(grant(json!({})), json!({ name: value }))).await;
        }
    }
    let records = scene.records();
    let outcomes = records.iter().filter(|line| line["record"] == "outcome");
    assert_eq!(outcomes.map(|line| read(line).len()).filter(|data| *data >= 3).count(), 19);
}
