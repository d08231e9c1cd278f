//! Every asynchronous path ends in a dead-letter queue, and every queue keeps what it is given.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::deployment::Deployment;

/// Both kinds of queue.
fn both() -> [Deployment; 2] {
    ["false", "true"].map(|fifo| Deployment::with(&[("Allowlist", "[]"), ("FifoQueue", fifo)]))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

/// The name in a marker such as `<Requests.Arn>`.
fn named(marker: &Value) -> String {
    let marker = marker.as_str().expect("a marker");
    marker.trim_start_matches('<').split('.').next().expect("a name").to_owned()
}

#[test]
fn every_asynchronous_path_has_a_dead_letter_queue() {
    for stack in both() {
        let broker = stack.properties("Broker");
        let invoke = &broker["EventInvokeConfig"];
        let rule = &broker["Events"]["GrantRequested"]["Properties"];
        let requests = stack.properties("Requests");
        let ends = [
            &invoke["DestinationConfig"]["OnFailure"]["Destination"],
            &rule["DeadLetterConfig"]["Arn"],
            &requests["RedrivePolicy"]["deadLetterTargetArn"],
        ];
        let ends: BTreeSet<String> = ends.into_iter().map(named).collect();
        assert_eq!(ends.len(), 3, "each of its own, so that an alarm says where to look");
        let queues = stack.of_type("AWS::SQS::Queue");
        assert!(ends.iter().all(|end| queues.contains_key(end)));
        assert_eq!(invoke["DestinationConfig"]["OnFailure"]["Type"], "SQS");
        assert!(number(&requests["RedrivePolicy"]["maxReceiveCount"]) > 1, "a throttled message comes back");

        // A message keeps its age when it is moved.
        for end in &ends {
            let kept = number(&queues[end]["Properties"]["MessageRetentionPeriod"]);
            assert_eq!(kept, 14 * 24 * 3600, "{end} keeps as long as SQS can");
            assert!(kept > number(&requests["MessageRetentionPeriod"]));
        }
        // No event source of another kind has appeared without one.
        let events = broker["Events"].as_object().expect("events");
        let kinds: BTreeSet<&str> = events.values().map(|event| event["Type"].as_str().expect("a type")).collect();
        assert_eq!(kinds, BTreeSet::from(["EventBridgeRule", "SQS"]));
    }
}

#[test]
fn an_ordered_queue_has_an_ordered_dead_letter_queue() {
    let fifo = |stack: &Deployment, name| stack.properties(name).get("FifoQueue").cloned();
    let [standard, ordered] = both();
    for name in ["Requests", "RequestDeadLetters"] {
        assert_eq!((fifo(&standard, name), fifo(&ordered, name)), (None, Some(json!(true))), "{name}");
    }
    for name in ["InvokeDeadLetters", "RuleDeadLetters"] {
        assert_eq!(fifo(&ordered, name), None, "Lambda and EventBridge send to standard queues only");
    }
}

#[test]
fn the_queue_is_read_message_by_message_and_slowly() {
    let of = |budget| Deployment::with(&[("Allowlist", "[]"), ("PolicyBudget", budget)]);
    let [standard, ordered] = both();
    for (stack, readers) in [(standard, 5), (ordered, 5), (of("on"), 5), (of("off"), 10)] {
        let broker = stack.properties("Broker");
        let source = &broker["Events"]["QueuedRequests"]["Properties"];
        assert_eq!(source["Queue"], "<Requests.Arn>");
        assert_eq!(source["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]));
        // What tests/simulation.rs finds to use the whole of AWS's limits, and at most half of the copies that may run.
        let copies = &broker["ReservedConcurrentExecutions"];
        assert_eq!(number(&source["ScalingConfig"]["MaximumConcurrency"]), readers);
        assert!(
            copies.as_str().is_none_or(|copies| copies.parse::<u64>().is_ok_and(|copies| copies >= 20)),
            "{copies}"
        );
        let (visible, timeout) = (stack.properties("Requests")["VisibilityTimeout"].clone(), broker["Timeout"].clone());
        assert!(number(&visible) >= 6 * number(&timeout), "what AWS asks for: {visible} and {timeout}");
    }
}

#[test]
fn queues_are_encrypted_and_opened_to_nobody_else() {
    for stack in both() {
        let policies = stack.of_type("AWS::SQS::QueuePolicy");
        for (name, queue) in stack.of_type("AWS::SQS::Queue") {
            let properties = &queue["Properties"];
            assert_eq!(properties["SqsManagedSseEnabled"], true, "{name}");
            assert!(queue["DeletionPolicy"].as_str().is_some_and(|policy| policy.starts_with("Retain")), "{name}");
            let of_queue = |policy: &&Value| policy["Properties"]["Queues"] == json!([format!("<{name}>")]);
            let policy = policies.values().find(of_queue).unwrap_or_else(|| panic!("{name} has a policy"));
            let statements = policy["Properties"]["PolicyDocument"]["Statement"].as_array().expect("statements");
            let tls =
                statements.iter().find(|statement| statement["Sid"] == "OnlyOverTls").expect("a Deny without TLS");
            assert_eq!(
                (&tls["Effect"], &tls["Principal"], &tls["Action"]),
                (&json!("Deny"), &json!("*"), &json!("sqs:*"))
            );
            assert_eq!(tls["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
            for allow in statements.iter().filter(|statement| statement["Effect"] == "Allow") {
                assert_eq!(name, "RuleDeadLetters", "only EventBridge has to be let in");
                assert_eq!(allow["Principal"], json!({"Service": "events.amazonaws.com"}));
                assert_eq!(allow["Condition"], json!({"ArnEquals": {"aws:SourceArn": ["<BrokerGrantRequested.Arn>"]}}));
            }
        }
    }
}
