//! The dashboard and the alarms of the template: each metric that they show or watch is one that is there.

use std::collections::BTreeSet;

use permission_broker::event::Door;
use permission_broker::outcome::Outcome;
use permission_broker::policy;
use serde_json::{Value, json};

use crate::support::json as parsed;
use crate::template::deployment::Deployment;

const NAMESPACE: &str = "PermissionBroker/broker";

fn stack(metrics: &str) -> Deployment {
    Deployment::with(&[("Allowlist", "[]"), ("Metrics", metrics)])
}

/// The metrics of a widget, each with its namespace, name, dimensions and options; dots stand for what was before.
fn metrics(widget: &Value) -> Vec<(Vec<String>, Value)> {
    let mut before: Vec<String> = Vec::new();
    let mut metrics = Vec::new();
    for row in widget["properties"]["metrics"].as_array().unwrap() {
        let row = row.as_array().unwrap();
        let options = row.last().filter(|it| it.is_object()).cloned().unwrap_or_default();
        let words: Vec<&str> = row.iter().filter_map(Value::as_str).collect();
        let mut whole: Vec<String> = Vec::new();
        for (i, word) in words.iter().enumerate() {
            match *word {
                "." => whole.push(before[i].clone()),
                // All but what comes after it.
                "..." => whole.extend_from_slice(&before[..before.len() - (words.len() - 1 - i)]),
                word => whole.push(word.to_owned()),
            }
        }
        if options.get("expression").is_none() {
            before.clone_from(&whole);
            metrics.push((whole, options));
        }
    }
    metrics
}

#[test]
fn the_dashboard_shows_metrics_that_there_are() {
    let stack = stack("on");
    let dashboard = stack.properties("Dashboard");
    let body = parsed(dashboard["DashboardBody"].as_str().expect("a text"));
    let widgets = body["widgets"].as_array().unwrap();
    let mut shown = BTreeSet::new();
    for widget in widgets {
        assert_eq!((&widget["type"], &widget["properties"]["region"]), (&json!("metric"), &json!("us-east-1")));
        for (metric, options) in metrics(widget) {
            assert!(options["stat"].is_string() || widget["properties"]["stat"].is_string(), "{metric:?}");
            shown.insert(metric);
        }
    }
    let own = |name: &str, dimension: &[&str]| {
        [&[NAMESPACE, name], dimension].concat().iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    };
    let mut wanted =
        BTreeSet::from(["durationMs", "attempts", "policyBytes", "policyBytesLeft"].map(|name| own(name, &[])));
    wanted.extend(Outcome::ALL.map(|outcome| own("durationMs", &["outcome", outcome.as_str()])));
    let doors = Door::ALL.into_iter().chain([Door::Schedule]);
    wanted.extend(doors.map(|door| own("durationMs", &["door", door.as_str()])));
    let of_aws = [
        (
            "AWS/Lambda",
            ["Invocations", "Errors", "Throttles", "ConcurrentExecutions", "Duration"].as_slice(),
            "FunctionName",
            ["<Broker>"].as_slice(),
        ),
        (
            "AWS/SQS",
            &["ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"],
            "QueueName",
            &["<Requests.QueueName>"],
        ),
        (
            "AWS/SQS",
            &["ApproximateNumberOfMessagesVisible"],
            "QueueName",
            &["<RequestDeadLetters.QueueName>", "<InvokeDeadLetters.QueueName>", "<RuleDeadLetters.QueueName>"],
        ),
    ];
    for (namespace, names, dimension, values) in of_aws {
        for (name, value) in names.iter().flat_map(|name| values.iter().map(move |value| (name, value))) {
            wanted.insert([namespace, name, dimension, value].map(str::to_owned).to_vec());
        }
    }
    assert_eq!(shown, wanted);
    // The codes are too many to be listed, and are searched for.
    let search = format!("SEARCH('{{{NAMESPACE},code}} MetricName=\"durationMs\"', 'SampleCount', 300)");
    let expressions = widgets.iter().map(|widget| &widget["properties"]["metrics"][0][0]["expression"]);
    assert_eq!(expressions.filter(|it| !it.is_null()).collect::<Vec<_>>(), [&json!(search)]);
    assert!(body.to_string().contains(&policy::MOST_BYTES.to_string()));
}

/// No two lie over each other, and none beyond the edge.
#[test]
fn the_widgets_have_room() {
    let body = parsed(stack("on").properties("Dashboard")["DashboardBody"].as_str().expect("a text"));
    let mut taken = BTreeSet::new();
    for widget in body["widgets"].as_array().unwrap() {
        let of = |name: &str| widget[name].as_u64().expect("a number");
        assert!(of("x") + of("width") <= 24, "{widget}");
        for x in of("x")..of("x") + of("width") {
            for y in of("y")..of("y") + of("height") {
                assert!(taken.insert((x, y)), "{widget} lies over another");
            }
        }
    }
}

#[test]
fn the_alarms_watch_what_the_outcomes_say() {
    let stack = stack("on");
    let full = stack.properties("PolicyNearlyFullAlarm");
    let eighty = policy::MOST_BYTES * 8 / 10;
    assert_eq!((&full["Threshold"], &full["Statistic"]), (&json!(eighty), &json!("Maximum")));
    let slow = stack.properties("SlowAlarm");
    let most = u64::try_from(policy::Timing::DEPLOYED.grant.as_millis()).unwrap();
    assert!(slow["Threshold"].as_u64().is_some_and(|threshold| threshold < most), "before requests run out of time");
    for (alarm, metric) in [(full, "policyBytes"), (slow, "durationMs")] {
        assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&json!(NAMESPACE), &json!(metric)));
        assert!(alarm.get("Dimensions").is_none());
    }
}

/// Without metrics there is nothing to pay for: no dashboard, and no alarm that could never ring.
#[test]
fn without_metrics_there_is_nothing_of_them() {
    let resources = stack("off").resources();
    for name in ["Dashboard", "PolicyNearlyFullAlarm", "SlowAlarm"] {
        assert!(!resources.contains_key(name), "{name}");
        assert!(stack("on").resources().contains_key(name), "{name}");
    }
}
