//! The template, parsed and resolved: what it deploys is what the broker needs, and what the README says.

mod alarms;
pub(crate) mod deployment;
pub(crate) mod followed;
mod queues;
mod role;

use permission_broker::config::Config;
use permission_broker::event::{Door, Doors};
use permission_broker::policy;
use regex_lite::Regex;
use serde_json::{Value, json};

use deployment::{Deployment, members, template};

use crate::support::{json as parsed, text};

const ALLOWLIST: (&str, &str) = ("Allowlist", r#"{"accounts":["210987654321"]}"#);
const LAYER: (&str, &str) = ("AllowlistLayer", "arn:aws:lambda:us-east-1:123456789012:layer:allowlist:1");

/// What the function's environment would be.
fn environment(parameters: &[(&str, &str)]) -> Vec<(String, String)> {
    let broker = Deployment::with(parameters).properties("Broker");
    let variables = members(&broker["Environment"]["Variables"]);
    variables.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect()
}

fn read(parameters: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let region = ("AWS_REGION".to_owned(), "us-east-1".to_owned());
    Config::read(environment(parameters).into_iter().chain([region])).map_err(|found| found.sentences().to_vec())
}

#[test]
fn the_broker_starts_with_the_variables_that_it_is_given() {
    let config = read(&[ALLOWLIST]).expect("a working environment");
    assert_eq!((config.allowlist.len(), config.doors, config.policy_budget), (1, Doors::default(), true));
    assert!(!read(&[ALLOWLIST, ("PolicyBudget", "off")]).expect("a working environment").policy_budget);
    let config = read(&[ALLOWLIST, ("Doors", "direct")]).expect("a working environment");
    assert_eq!(config.doors, Doors::new([Door::Direct]));
    assert!(config.metrics && !read(&[ALLOWLIST, ("Metrics", "off")]).expect("a working environment").metrics);
    for (tracing, mode) in [("on", "Active"), ("off", "PassThrough")] {
        let broker = Deployment::with(&[ALLOWLIST, ("Tracing", tracing)]).properties("Broker");
        assert_eq!(broker["Tracing"], mode);
    }
    assert_eq!(config.result_bus, None, "off where it is not asked for");
    // A second for each of two questions to a nameserver.
    assert!(environment(&[ALLOWLIST]).contains(&("RES_OPTIONS".to_owned(), "timeout:1 attempts:2".to_owned())));
    let config = read(&[ALLOWLIST, ("ResultBus", "outcomes")]).expect("a working environment");
    assert_eq!(config.result_bus.expect("a bus").as_str(), "outcomes");
    // The file of a layer exists in Lambda only; that it is missed here is all there is to say.
    let problems = read(&[LAYER]).expect_err("no layer here");
    assert!(problems.len() == 1 && problems[0].starts_with("BROKER_ALLOWLIST_FILE: cannot be read"), "{problems:?}");
    assert_eq!(Deployment::with(&[LAYER]).properties("Broker")["Layers"], json!([LAYER.1]));
}

#[test]
fn the_parameter_for_doors_takes_the_doors_that_there_are() {
    let pattern = template()["Parameters"]["Doors"]["AllowedPattern"].clone();
    let pattern = Regex::new(pattern.as_str().expect("a pattern")).expect("a pattern");
    for door in Door::ALL {
        assert!(pattern.is_match(door.as_str()), "{}", door.as_str());
    }
    assert!(pattern.is_match(&Doors::new(Door::ALL).names()));
    assert!(["", "mail", "sqs,", "sqs, direct", "*"].iter().all(|doors| !pattern.is_match(doors)));
}

#[test]
fn the_function_is_the_binary_of_this_package() {
    let broker = Deployment::with(&[ALLOWLIST]).resources().remove("Broker").expect("the function");
    assert_eq!(broker["Metadata"]["BuildMethod"], "rust-cargolambda");
    let binary = broker["Metadata"]["BuildProperties"]["Binary"].as_str().expect("a name");
    // `cargo lambda` picks the binary by this name, and its own table keeps the local mode out.
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains(&format!("[[bin]]\nname = \"{binary}\"\npath = \"src/main.rs\"\n")));
    assert!(manifest.contains("[package.metadata.lambda.build]\nno_default_features = true\n"));
    let properties = &broker["Properties"];
    for (name, value) in [("Handler", "bootstrap"), ("Runtime", "provided.al2023"), ("CodeUri", ".")] {
        assert_eq!(properties[name], value);
    }
    assert_eq!(properties["Architectures"], json!(["arm64"]));
}

/// The broker's own clock has to end first, then Lambda's, then API Gateway's.
#[test]
fn each_clock_ends_before_the_one_around_it() {
    let stack = Deployment::with(&[ALLOWLIST]);
    let timeout = stack.properties("Broker")["Timeout"].as_u64().expect("seconds");
    assert!((policy::Timing::DEPLOYED.grant + policy::Timing::DEPLOYED.reserve).as_secs() < timeout);
    assert!(stack.properties("ApiIntegration")["TimeoutInMillis"].as_u64().expect("milliseconds") > timeout * 1000);
}

#[test]
fn the_logs_are_kept_and_drop_no_audit_line() {
    let stack = Deployment::with(&[ALLOWLIST]);
    let logging = &stack.properties("Broker")["LoggingConfig"];
    assert_eq!((&logging["LogFormat"], &logging["ApplicationLogLevel"]), (&json!("JSON"), &json!("INFO")));
    assert_eq!(logging["LogGroup"], "<Logs>");
    let groups = stack.of_type("AWS::Logs::LogGroup");
    assert_eq!(groups.len(), 2);
    for (name, group) in &groups {
        assert_eq!(group["Properties"]["RetentionInDays"], "365", "{name}");
    }
    let kept = |policy: &str| groups["Logs"][policy].as_str().is_some_and(|policy| policy.starts_with("Retain"));
    assert!(kept("DeletionPolicy") && kept("UpdateReplacePolicy"), "the audit outlives the stack");
    let format = stack.properties("ApiStage")["AccessLogSettings"]["Format"].as_str().expect("a format").to_owned();
    assert!(serde_json::from_str::<Value>(&format).is_ok_and(|line| line.get("requester").is_some()), "{format}");
}

/// Whoever may invoke the function speaks as anyone, so the template lets nobody but the doors.
#[test]
fn nobody_but_the_doors_may_invoke() {
    for doors in ["api-gateway,eventbridge,sqs", "direct"] {
        let stack = Deployment::with(&[ALLOWLIST, ("Doors", doors)]);
        let permissions = stack.of_type("AWS::Lambda::Permission");
        assert_eq!(permissions.len(), 2, "SAM adds the one of the rule");
        for (name, end) in [("ApiMayInvoke", "*/grants"), ("ApiMayDescribe", "GET/openapi.json")] {
            let permission = &permissions[name]["Properties"];
            assert_eq!(permission["Principal"], "apigateway.amazonaws.com");
            let source = format!("arn:aws:execute-api:us-east-1:123456789012:<Api>/*/{end}");
            assert_eq!(permission["SourceArn"], source);
        }
        let broker = stack.properties("Broker");
        assert!(broker.get("FunctionUrlConfig").is_none());
        assert!(stack.of_type("AWS::Lambda::Url").is_empty());
        let rule = &broker["Events"]["GrantRequested"]["Properties"];
        assert_eq!(rule["Pattern"]["account"], json!(["123456789012"]), "events of this account only");
        assert_eq!(rule["Pattern"]["source"], json!(["permission-broker"]));
    }
}

/// CloudTrail's events reach the broker only where somebody asked for it, from this account and by one rule.
#[test]
fn layers_carry_on_only_where_that_is_asked_for() {
    for (layers, carry) in [("false", "false"), ("true", "false"), ("false", "true")] {
        let stack = Deployment::with(&[ALLOWLIST, ("LayerGrants", layers), ("LayerCarryForward", carry)]);
        assert!(stack.of_type("AWS::Events::Rule").is_empty());
        assert_eq!(stack.of_type("AWS::Lambda::Permission").len(), 2);
    }
    let stack = Deployment::with(&[ALLOWLIST, ("LayerGrants", "true"), ("LayerCarryForward", "true")]);
    let rule = stack.properties("LayerPublished");
    assert!(rule.get("EventBusName").is_none(), "AWS's own events come on the default bus alone");
    let pattern = &rule["EventPattern"];
    assert_eq!((&pattern["account"], &pattern["source"]), (&json!(["123456789012"]), &json!(["aws.lambda"])));
    let event = parsed(&text("events/eventbridge-carry-layer-forward.json"));
    for (at, field) in [("/detail-type", &event["detail-type"]), ("/detail/eventName", &event["detail"]["eventName"])] {
        assert_eq!(pattern.pointer(at), Some(&json!([field])), "the example is what the rule lets through");
    }
    let [target] = rule["Targets"].as_array().unwrap().as_slice() else { panic!("one target") };
    assert_eq!(target["Arn"], "<Broker.Arn>");
    assert_eq!(target["DeadLetterConfig"]["Arn"], "<RuleDeadLetters.Arn>");
    let may = stack.properties("LayerPublishedInvokes");
    assert_eq!(may["Principal"], "events.amazonaws.com");
    assert_eq!((&may["SourceArn"], &may["SourceAccount"]), (&json!("<LayerPublished.Arn>"), &json!("123456789012")));
    let letters = stack.of_type("AWS::SQS::QueuePolicy");
    let sources = json!(["<BrokerGrantRequested.Arn>", "<LayerPublished.Arn>"]);
    let policy = letters.values().map(ToString::to_string).find(|policy| policy.contains("OnlyTheRuleSends")).unwrap();
    assert_eq!(policy.matches(&sources.to_string()).count(), 2, "both may send what fails, and nobody else: {policy}");
}

/// Who asks for what cannot work is told so before anything is deployed.
#[test]
fn parameters_that_cannot_work_together_are_refused() {
    let refusals = |parameters: &[(&str, &str)]| -> Vec<String> {
        Deployment::with(parameters).refusals().into_iter().map(str::to_owned).collect()
    };
    let (carry, layers) = (("LayerCarryForward", "true"), ("LayerGrants", "true"));
    assert_eq!(refusals(&[ALLOWLIST]), [""; 0]);
    assert_eq!((refusals(&[]).len(), refusals(&[ALLOWLIST, LAYER]).len()), (1, 1));
    assert_eq!(refusals(&[ALLOWLIST, carry, layers]), [""; 0]);
    let [refusal] = refusals(&[ALLOWLIST, carry]).try_into().unwrap();
    assert!(refusal.starts_with("LayerCarryForward needs LayerGrants"), "{refusal}");
    // Every choice of doors in every order, each door once.
    let doors = Door::ALL.map(Door::as_str);
    let mut lists: Vec<Vec<&str>> = vec![Vec::new()];
    for length in 0..doors.len() {
        let longer = lists.iter().filter(|list| list.len() == length).flat_map(|list| {
            let rest = doors.iter().filter(move |door| !list.contains(door));
            rest.map(|door| [list.as_slice(), &[*door]].concat())
        });
        let longer: Vec<_> = longer.collect();
        lists.extend(longer);
    }
    for list in lists.iter().filter(|list| !list.is_empty()) {
        let refused = refusals(&[ALLOWLIST, carry, layers, ("Doors", &list.join(","))]);
        assert_eq!(refused.is_empty(), list.contains(&"eventbridge"), "{list:?}: {refused:?}");
        assert_eq!(refusals(&[ALLOWLIST, ("Doors", &list.join(","))]), [""; 0], "only where layers are to carry on");
    }
}

/// The group is kept when the stack or the switch goes, with the schedules in it. Nothing that comes later may need its name.
#[test]
fn a_schedule_group_that_was_kept_is_in_nobodys_way() {
    let group = |timed| Deployment::with(&[ALLOWLIST, ("TimedGrants", timed)]).resources().remove("ScheduleGroup");
    let (off, on) = (group("false").expect("a group"), group("true").expect("a group"));
    assert_eq!(off, on, "switched off and on it is the same one, never made anew");
    assert_eq!((&on["DeletionPolicy"], &on["UpdateReplacePolicy"]), (&json!("RetainExceptOnCreate"), &json!("Retain")));
    let name = on["Properties"]["Name"].as_str().expect("a name");
    // A new stack has a new id, also one of the same name.
    assert_eq!(name, format!("permission-broker-{}", deployment::STACK));
    assert!(name.len() <= 64, "the longest that Scheduler takes, however the stack is called");
}

/// With schedules the broker has what it needs for them; without, nothing of it.
#[tokio::test]
async fn grants_end_only_where_that_is_asked_for() {
    let config = read(&[ALLOWLIST]).expect("a working environment");
    assert_eq!(config.schedule, None);
    let stack = Deployment::with(&[ALLOWLIST, ("TimedGrants", "true")]);
    let broker = stack.properties("Broker");
    let variables = &broker["Environment"]["Variables"];
    // What is known only afterwards is a marker here, and no ARN.
    assert_eq!(variables["BROKER_SCHEDULE_GROUP"], "<ScheduleGroup>");
    assert_eq!(variables["BROKER_SCHEDULE_ROLE"], "<ScheduleRole.Arn>");
    assert_eq!(variables["BROKER_SCHEDULE_DEAD_LETTERS"], "<InvokeDeadLetters.Arn>");
    for (targets, wanted) in
        [("", json!([])), ("function:orders:live,layer:common:3", json!(["function:orders:live", "layer:common:3"]))]
    {
        let stack = Deployment::with(&[ALLOWLIST, ("TimedGrants", "true"), ("SweepTargets", targets)]);
        let sweep = stack.properties("Sweep");
        assert_eq!(
            (&sweep["ScheduleExpression"], &sweep["GroupName"]),
            (&json!("rate(1 day)"), &json!("<ScheduleGroup>"))
        );
        let target = &sweep["Target"];
        assert_eq!((&target["Arn"], &target["RoleArn"]), (&json!("<Broker.Arn>"), &json!("<ScheduleRole.Arn>")));
        let input = target["Input"].as_str().expect("an input");
        let parameters = &parsed(input)["scheduled"]["parameters"];
        assert_eq!((&parameters["Targets"], &parameters["Within"]), (&wanted, &json!(["function:*"])));
        let stage = permission_broker::local::stage::Stage::examples().await.unwrap();
        let reply = stage.invoke("one", input.as_bytes()).await.unwrap();
        assert_eq!(parsed(reply.get())["outcome"], "already_revoked", "what the schedule sends is a sweep");
    }
    // What the role reaches is what the sweep looks at.
    let reach = [("TargetFunctions", "partner-*"), ("LayerGrants", "true"), ("TargetLayers", "shared-*")];
    let stack = Deployment::with(&[&[ALLOWLIST, ("TimedGrants", "true")], reach.as_slice()].concat());
    let input = stack.properties("Sweep")["Target"]["Input"].as_str().expect("an input").to_owned();
    let within = json!(["function:partner-*", "layer:shared-*"]);
    assert_eq!(parsed(&input)["scheduled"]["parameters"]["Within"], within);
    let pattern = template()["Parameters"]["SweepTargets"]["AllowedPattern"].clone();
    let pattern = Regex::new(&format!("^(?:{})$", pattern.as_str().expect("a pattern"))).expect("a pattern");
    for (target, fits) in [
        ("function:orders", true),
        ("function:orders:live", true),
        ("layer:common:3", true),
        ("layer:common", false),
        ("layer:common:0", false),
        ("function:orders*", false),
        ("orders", false),
    ] {
        assert_eq!(pattern.is_match(target), fits, "{target}");
    }
}

#[test]
fn no_route_is_open() {
    let stack = Deployment::with(&[ALLOWLIST]);
    let routes = stack.of_type("AWS::ApiGatewayV2::Route");
    let keys = [("ApiGrants", "POST /grants"), ("ApiPolicies", "GET /grants"), ("ApiDescription", "GET /openapi.json")];
    assert_eq!(routes.len(), keys.len());
    for (name, key) in keys {
        let route = &routes[name]["Properties"];
        assert_eq!((&route["RouteKey"], &route["AuthorizationType"]), (&json!(key), &json!("AWS_IAM")));
        assert_eq!(route["Target"], "integrations/<ApiIntegration>");
    }
    assert_eq!(stack.properties("ApiIntegration")["PayloadFormatVersion"], "2.0");
    assert!(stack.properties("ApiStage")["DefaultRouteSettings"]["ThrottlingRateLimit"].as_u64() <= Some(15));
}
