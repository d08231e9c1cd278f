//! What somebody is told of: every dead-letter queue, errors, throttles, and the audit codes that a
//! person should see. A filter that no line of the audit can match would be an alarm that never rings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::FutureExt;
use permission_broker::broker::Invocation;
use permission_broker::error::{Code, Kind};
use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use permission_broker::local::stage::{Stage, results};
use serde_json::{Value, json};

use super::deployment::Deployment;
use super::followed::FOLLOWED;
use crate::appconfig::extension;
use crate::support::sandbox::Sandbox;

fn stack() -> Deployment {
    Deployment::with(&[("Allowlist", "[]")])
}

/// The alarms by namespace, metric and dimensions.
fn alarms(stack: &Deployment) -> BTreeMap<(String, String, Vec<String>), Value> {
    let of = |alarm: Value| {
        let text = |name: &str| alarm["Properties"][name].as_str().expect("a text").to_owned();
        let dimensions = alarm["Properties"]["Dimensions"].as_array().into_iter().flatten();
        let dimensions = dimensions.map(|one| format!("{}={}", one["Name"], one["Value"]).replace('"', ""));
        ((text("Namespace"), text("MetricName"), dimensions.collect()), alarm["Properties"].clone())
    };
    stack.of_type("AWS::CloudWatch::Alarm").into_values().map(of).collect()
}

fn of(namespace: &str, metric: &str, dimensions: &[&str]) -> (String, String, Vec<String>) {
    (namespace.to_owned(), metric.to_owned(), dimensions.iter().map(|one| (*one).to_owned()).collect())
}

#[test]
fn every_alarm_is_told_to_somebody() {
    let stack = stack();
    let alarms = alarms(&stack);
    assert_eq!(alarms.len(), stack.of_type("AWS::CloudWatch::Alarm").len(), "no two watch the same");
    for (what, alarm) in alarms {
        assert_eq!(alarm["AlarmActions"], json!(["<AlarmTopic>"]), "{what:?}");
        assert_eq!(alarm["ComparisonOperator"], "GreaterThanThreshold", "{what:?}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{what:?}: silence is the usual state");
        assert!(alarm["AlarmDescription"].as_str().is_some_and(|text| text.len() > 20), "{what:?} says what to do");
    }
    let topic = stack.properties("AlarmTopicPolicy")["PolicyDocument"]["Statement"].clone();
    let allow = topic.as_array().expect("statements").iter().find(|one| one["Effect"] == "Allow").expect("an Allow");
    assert_eq!(allow["Principal"], json!({"Service": "cloudwatch.amazonaws.com"}));
    assert_eq!(allow["Condition"]["StringEquals"]["aws:SourceAccount"], "123456789012");
    // A key of AWS's own would shut CloudWatch out, so the topic is not encrypted; on the way it is.
    assert!(topic.to_string().contains("aws:SecureTransport"));
    let told = Deployment::with(&[("AlarmEmail", "ops@example.com")]).properties("AlarmSubscription");
    assert_eq!(told["Endpoint"], "ops@example.com");
}

#[test]
fn what_gets_stuck_or_fails_rings() {
    let stack = stack();
    let alarms = alarms(&stack);
    let dead_letters: Vec<String> =
        stack.of_type("AWS::SQS::Queue").into_keys().filter(|name| name.ends_with("DeadLetters")).collect();
    assert_eq!(dead_letters.len(), 3);
    for name in dead_letters {
        let queue = format!("QueueName=<{name}.QueueName>");
        let alarm = &alarms[&of("AWS/SQS", "ApproximateNumberOfMessagesVisible", &[&queue])];
        assert_eq!((&alarm["Threshold"], &alarm["EvaluationPeriods"]), (&json!(0), &json!(1)), "{name}: at once");
    }
    for metric in ["Errors", "Throttles"] {
        let alarm = &alarms[&of("AWS/Lambda", metric, &["FunctionName=<Broker>"])];
        assert_eq!((&alarm["Threshold"], &alarm["Statistic"]), (&json!(0), &json!("Sum")), "{metric}");
    }
    // A failure behind the API is an answer, not an error of the function.
    let alarm = &alarms[&of("AWS/ApiGateway", "5xx", &["ApiId=<Api>"])];
    assert_eq!((&alarm["Threshold"], &alarm["Statistic"]), (&json!(0), &json!("Sum")));
}

/// The conditions of a filter pattern: each field, with the values that it may have.
fn conditions(pattern: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut conditions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for condition in pattern.split("$.").skip(1) {
        let (name, value) = condition.split_once(" = \"").expect("a field and a value");
        let (value, _) = value.split_once('"').expect("a value has an end");
        conditions.entry(name.to_owned()).or_default().insert(value.to_owned());
    }
    conditions
}

fn matches(conditions: &BTreeMap<String, BTreeSet<String>>, line: &Value) -> bool {
    conditions.iter().all(|(name, values)| line[name].as_str().is_some_and(|value| values.contains(value)))
}

/// Codes that stand for something wrong with this deployment, with AWS's answer, or with the broker, and for work that is
/// left half done.
fn alarming() -> BTreeSet<&'static str> {
    let codes =
        [Code::HalfGranted, Code::OutcomeUnknown, Code::PolicyFull, Code::StatementDiffers, Code::SweepIncomplete];
    let blocked = Code::ALL.iter().copied().filter(|code| code.kind() == Kind::Blocked);
    codes.into_iter().chain(blocked).map(Code::as_str).collect()
}

#[test]
fn each_alarming_code_is_counted_and_rings() {
    let stack = stack();
    let alarms = alarms(&stack);
    let filter = stack.properties("AuditOutcomes");
    assert_eq!(filter["LogGroupName"], "<Logs>");
    let conditions = conditions(filter["FilterPattern"].as_str().expect("a pattern"));
    assert_eq!(conditions["code"].iter().map(String::as_str).collect::<BTreeSet<_>>(), alarming());
    let metric = &filter["MetricTransformations"][0];
    assert_eq!(metric["Dimensions"], json!([{"Key": "Code", "Value": "$.code"}]));
    let (namespace, name) = (metric["MetricNamespace"].as_str().unwrap(), metric["MetricName"].as_str().unwrap());
    for code in alarming() {
        let alarm = &alarms[&of(namespace, name, &[&format!("Code={code}")])];
        assert_eq!((&alarm["Threshold"], &alarm["Statistic"]), (&json!(0), &json!("Sum")), "{code}");
    }
    let abandoned = stack.properties("AuditAbandoned")["MetricTransformations"][0].clone();
    assert!(alarms.contains_key(&of(abandoned["MetricNamespace"].as_str().unwrap(), "Abandoned", &[])));
    // And no alarm listens for a metric that nobody counts.
    let own = alarms.keys().filter(|(namespace, ..)| namespace.starts_with("PermissionBroker/"));
    // Beside these, those of the metrics in the outcomes themselves, which `metrics` looks at.
    let in_outcomes = ["policyBytes", "durationMs"];
    assert_eq!(own.filter(|(_, name, _)| !in_outcomes.contains(&name.as_str())).count(), alarming().len() + 1);
    // With a bus, also what did not reach it.
    let telling = Deployment::with(&[("Allowlist", "[]"), ("ResultBus", "outcomes")]);
    let lost = telling.properties("AuditUnpublished")["MetricTransformations"][0].clone();
    assert_eq!(lost["MetricValue"], "$.lost");
    let alarm = of(lost["MetricNamespace"].as_str().unwrap(), lost["MetricName"].as_str().unwrap(), &[]);
    assert!(self::alarms(&telling).contains_key(&alarm) && !alarms.contains_key(&alarm));
}

const GRANT: &str = r#"{"operation":"AddPermission","parameters":{
    "FunctionName":"orders","StatementId":"s-1","Action":"lambda:InvokeFunction","Principal":"210987654321"}}"#;

const FUNCTION_URL: &str = r#"{"operation":"GrantFunctionUrl","parameters":{
    "FunctionName":"orders","Principal":"210987654321","FunctionUrlAuthType":"AWS_IAM"}}"#;

/// Whoever reads what there is an alarm for finds each of them.
#[test]
fn the_readme_lists_each_alarming_code() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## Watch it\n").expect("the section");
    let (_, sentence) = section.split_once("There is an alarm").expect("the list of alarms");
    let (sentence, _) = sentence.split_once("\n\n").expect("it ends");
    let words = sentence.split('`').skip(1).step_by(2);
    let codes = words.filter(|word| Code::ALL.iter().any(|code| code.as_str() == *word));
    assert_eq!(codes.collect::<BTreeSet<_>>(), alarming());
}

/// The audit lines of a grant that ends well, or that AWS answers so.
async fn lines(fault: Option<FaultKind>, error: Option<Fault>) -> Vec<Value> {
    let stage = Stage::examples().await.expect("the examples");
    for fault in fault.map(Fault::new).into_iter().chain(error) {
        stage.control_plane.inject(fault.on(Operation::AddPermission));
    }
    stage.control_plane.inject(Fault::access_denied().on(Operation::GetPolicy).times(9));
    // Its failure is the caller's to see; here it is about the line.
    drop(stage.invoke("id-1", GRANT.as_bytes()).await);
    stage.audit().iter().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// A publication that fails leaves the line that its filter counts, with the number that it adds up.
#[tokio::test]
async fn what_does_not_reach_the_bus_is_counted() {
    let telling = Deployment::with(&[("Allowlist", "[]"), ("ResultBus", "outcomes")]);
    let filter = telling.properties("AuditUnpublished")["FilterPattern"].as_str().map(conditions).expect("a pattern");
    for (lost, found) in [(true, vec![false, false, true]), (false, vec![false, false])] {
        let mut stage = Stage::examples().await.expect("the examples");
        stage.broker.results = Some(results(&stage.control_plane, "outcomes").await.expect("a bus"));
        if lost {
            stage.control_plane.inject(Fault::new(FaultKind::ResetBeforeCommit).on(Operation::PutEvents));
        }
        drop(stage.invoke("id-1", GRANT.as_bytes()).await);
        let lines: Vec<Value> = stage.audit().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.iter().map(|line| matches(&filter, line)).collect::<Vec<_>>(), found);
        assert!(!lost || lines[2]["lost"] == 1);
    }
}

/// The deployed binary, which finds an allowlist in AppConfig when it starts.
async fn diagnostics(allowlist: &str) -> Vec<Value> {
    let (port, extension) = extension();
    extension.has("1", allowlist);
    let sandbox = Sandbox::start("http://127.0.0.1:9", |command| {
        command.env_remove("BROKER_ALLOWLIST").env("BROKER_ALLOWLIST_APPCONFIG", "broker/live/allowlist");
        command.env("AWS_APPCONFIG_EXTENSION_HTTP_PORT", port.to_string());
    })
    .await;
    // Denied, or refused for want of an allowlist; here it is about what is said beside it.
    for id in ["id-1", "id-2"] {
        drop(sandbox.invoke(id, GRANT).await);
    }
    sandbox.end().diagnostics()
}

/// Whoever deploys an allowlist that no broker uses is told, once by each of them.
#[tokio::test]
async fn an_allowlist_that_is_not_used_rings() {
    let stack = Deployment::with(&[("Allowlist", "[]"), FOLLOWED]);
    let filter = stack.properties("AllowlistRefused");
    let metric = &filter["MetricTransformations"][0];
    let (namespace, name) = (metric["MetricNamespace"].as_str().unwrap(), metric["MetricName"].as_str().unwrap());
    let alarm = &alarms(&stack)[&of(namespace, name, &[])];
    assert_eq!((&alarm["Threshold"], &alarm["Statistic"]), (&json!(0), &json!("Sum")));
    assert_eq!((&metric["MetricValue"], &filter["LogGroupName"]), (&json!("1"), &json!("<Logs>")));
    let filter = filter["FilterPattern"].as_str().map(conditions).expect("a pattern");
    for (allowlist, refused) in [("[]", 0), (r#"{"accounts":["everyone"]}"#, 1)] {
        let lines = diagnostics(allowlist).await;
        assert_eq!(lines.iter().filter(|line| matches(&filter, line)).count(), refused, "{lines:?}");
    }
}

#[tokio::test]
async fn the_filters_match_the_lines_that_they_are_for() {
    let stack = stack();
    let outcomes = stack.properties("AuditOutcomes")["FilterPattern"].as_str().map(conditions).expect("a pattern");
    let abandoned = stack.properties("AuditAbandoned")["FilterPattern"].as_str().map(conditions).expect("a pattern");

    let public = json!({"Sid": "s-1", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:orders"});
    let stored_publicly = FaultKind::Answer {
        status: 201,
        error_type: None,
        headers: Vec::new(),
        body: json!({"Statement": public.to_string()}).to_string(),
    };
    let cases = [
        ("access_denied", None, Some(Fault::access_denied())),
        ("policy_full", None, Some(Fault::error(ErrorName::PolicyLengthExceeded, ""))),
        ("public_access_blocked", None, Some(Fault::error(ErrorName::PublicPolicy, ""))),
        ("outcome_unknown", Some(FaultKind::ResetAfterCommit), None),
        ("statement_differs", Some(stored_publicly), None),
    ];
    let mut met = BTreeSet::new();
    // A schedule that AWS refuses.
    let refused = FaultKind::Answer {
        status: 400,
        error_type: Some("ValidationException".to_owned()),
        headers: Vec::new(),
        body: "{}".to_owned(),
    };
    let stage = Stage::examples().await.expect("the examples");
    stage.control_plane.inject(Fault::new(refused).on(Operation::CreateSchedule));
    let timed = GRANT.replacen('{', r#"{"expiresAt":"2099-12-31T18:00:00Z","#, 1);
    drop(stage.invoke("id-1", timed.as_bytes()).await);
    let line: Value = serde_json::from_str(&stage.audit()[1]).expect("a line is JSON");
    assert!(matches(&outcomes, &line) && met.insert("schedule_refused"), "{line}");
    // The second statement of a function URL is refused, and the first cannot be taken back.
    let stage = Stage::examples().await.expect("the examples");
    let refused = Fault::error(ErrorName::InvalidParameterValue, "no").on(Operation::AddPermission);
    stage
        .control_plane
        .inject(Fault::new(FaultKind::Delay(Duration::ZERO)).on(Operation::AddPermission))
        .inject(refused);
    stage.control_plane.inject(Fault::access_denied().on(Operation::RemovePermission).times(9));
    drop(stage.invoke("id-1", FUNCTION_URL.as_bytes()).await);
    let url: Vec<Value> = stage.audit().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for (code, lines) in [("half_granted", url), ("sweep_incomplete", crate::life::expiry::found::incomplete().await)] {
        let found: Vec<&Value> = lines.iter().filter(|line| matches(&outcomes, line) && line["code"] == code).collect();
        assert_eq!(found.len(), 1, "one of {lines:?}");
        met.insert(code);
    }
    for (code, fault, error) in cases {
        let lines = lines(fault, error).await;
        let found: Vec<&Value> = lines.iter().filter(|line| matches(&outcomes, line)).collect();
        assert_eq!(found.len(), 1, "one of {lines:?}");
        assert_eq!(found[0]["code"], code);
        met.insert(code);
    }
    // An invocation that names no function stands for the broker's own defects.
    let stage = Stage::examples().await.expect("the examples");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
    let invocation = Invocation { request_id: "id-1", function_arn: "", deadline, now: std::time::SystemTime::now() };
    drop(stage.broker.handle(GRANT.as_bytes(), &invocation).await);
    let line: Value = serde_json::from_str(&stage.audit()[0]).expect("a line is JSON");
    assert!(matches(&outcomes, &line) && met.insert("internal"), "{line}");
    assert_eq!(met, alarming());

    let quiet = lines(None, None).await;
    assert_eq!(quiet.len(), 2);
    assert!(quiet.iter().all(|line| !matches(&outcomes, line) && !matches(&abandoned, line)));

    // Broken off at its first wait, which comes after the intent.
    let stage = Stage::examples().await.expect("the examples");
    assert!(stage.invoke("id-1", GRANT.as_bytes()).now_or_never().is_none());
    let lines: Vec<Value> = stage.audit().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.iter().map(|line| matches(&abandoned, line)).collect::<Vec<_>>(), [false, true]);
    assert!(lines.iter().all(|line| !matches(&outcomes, line)), "it is counted once");
}
