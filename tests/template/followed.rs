//! An allowlist that is followed in AppConfig: nothing of it without the layer, and with it what is needed and no more.

use std::collections::BTreeMap;

use permission_broker::config::Config;
use permission_broker::source::Source;
use serde_json::{Value, json};

use super::deployment::{Deployment, members, template, texts};
use super::{ALLOWLIST, LAYER};
use crate::support::{json as parsed, text};

pub(super) const EXTENSION: &str = "arn:aws:lambda:us-east-1:111122223333:layer:AWS-AppConfig-Extension-Arm64:7";

pub(super) const FOLLOWED: (&str, &str) = ("AppConfigExtensionLayer", EXTENSION);

/// What is made for it, each kept when the stack ends or not.
const MADE: [(&str, &str, bool); 8] = [
    ("AllowlistApplication", "AWS::AppConfig::Application", true),
    ("AllowlistDeployment", "AWS::AppConfig::Deployment", false),
    ("AllowlistEnvironment", "AWS::AppConfig::Environment", true),
    ("AllowlistProfile", "AWS::AppConfig::ConfigurationProfile", true),
    ("AllowlistRefused", "AWS::Logs::MetricFilter", false),
    ("AllowlistRefusedAlarm", "AWS::CloudWatch::Alarm", false),
    ("AllowlistStrategy", "AWS::AppConfig::DeploymentStrategy", true),
    ("AllowlistVersion", "AWS::AppConfig::HostedConfigurationVersion", true),
];

const ACTIONS: [&str; 2] = ["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"];

/// The schema that AppConfig holds a new allowlist against.
pub(crate) fn validator() -> Value {
    let profile = &template()["Resources"]["AllowlistProfile"]["Properties"];
    let [validator] = profile["Validators"].as_array().expect("validators").as_slice() else { panic!("one validator") };
    assert_eq!(validator["Type"], "JSON_SCHEMA");
    let content = validator["Content"].as_str().expect("a schema");
    assert!(content.len() <= 32_768, "AppConfig takes no more, and it is {}", content.len());
    parsed(content)
}

#[test]
fn nothing_of_it_is_there_by_default() {
    for setting in [ALLOWLIST, LAYER] {
        for (name, resource) in Deployment::with(&[setting]).resources() {
            assert!(!resource.to_string().to_ascii_lowercase().contains("appconfig"), "{name}: {resource}");
        }
    }
    for (name, output) in members(&template()["Outputs"]) {
        let of_it = output["Value"]["Ref"].as_str().is_some_and(|made| MADE.iter().any(|(name, ..)| *name == made));
        assert_eq!(output.get("Condition"), of_it.then_some(&json!("Followed")), "{name}");
    }
}

/// Eight resources more, and of the others only the function and its role differ, in what is listed here.
#[test]
fn with_it_nothing_else_changes() {
    let (mut with, mut without) =
        (Deployment::with(&[ALLOWLIST, FOLLOWED]).resources(), Deployment::with(&[ALLOWLIST]).resources());
    for (name, kind, kept) in MADE {
        let made = with.remove(name).unwrap_or_else(|| panic!("{name} is made"));
        assert_eq!(made["Type"], kind);
        for (policy, keeps) in [("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")] {
            assert_eq!(made.get(policy), kept.then_some(&json!(keeps)), "{name}");
        }
    }
    let of = |resources: &mut BTreeMap<String, Value>, name: &str| resources.remove(name).expect("a resource");
    let (mut broker, plain) = (of(&mut with, "Broker"), of(&mut without, "Broker"));
    assert_eq!(broker["Properties"].as_object_mut().unwrap().remove("Layers"), Some(json!([EXTENSION])));
    let variables = broker["Properties"]["Environment"]["Variables"].as_object_mut().unwrap();
    for name in ["BROKER_ALLOWLIST_APPCONFIG", "BROKER_ALLOWLIST_MAX_AGE", "AWS_APPCONFIG_EXTENSION_PREFETCH_LIST"] {
        variables.remove(name).unwrap_or_else(|| panic!("{name} is set"));
    }
    assert_eq!(variables.insert("BROKER_ALLOWLIST".to_owned(), json!(ALLOWLIST.1)), None, "there is one source");
    assert_eq!(broker, plain);

    let (mut role, plain) = (of(&mut with, "Role"), of(&mut without, "Role"));
    for policy in role["Properties"]["Policies"].as_array_mut().unwrap() {
        let statements = policy["PolicyDocument"]["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| statement["Sid"] != "FollowTheAllowlist");
        for statement in statements.iter_mut().filter(|statement| statement["Sid"] == "NeverAnythingElse") {
            statement["NotAction"].as_array_mut().unwrap().retain(|action| !ACTIONS.iter().any(|one| action == one));
        }
    }
    assert_eq!(role, plain);
    assert_eq!(with, without, "and nothing else");
}

#[test]
fn the_role_reads_that_configuration_and_no_other() {
    let role = Deployment::with(&[ALLOWLIST, FOLLOWED]).properties("Role");
    let policies = role["Policies"].as_array().expect("policies").iter();
    let statements = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().expect("statements"));
    let about: Vec<&Value> = statements.filter(|it| it.to_string().contains("appconfig:")).collect();
    let [allow, deny] = about.as_slice() else { panic!("an Allow, and the Deny that spares it: {about:?}") };
    assert_eq!((&allow["Effect"], texts(&allow["Action"])), (&json!("Allow"), ACTIONS.to_vec()));
    let configuration =
        "application/<AllowlistApplication>/environment/<AllowlistEnvironment>/configuration/<AllowlistProfile>";
    assert_eq!(allow["Resource"], format!("arn:aws:appconfig:us-east-1:123456789012:{configuration}"));
    assert_eq!(deny["Sid"], "NeverAnythingElse");
}

/// The broker asks the extension for what the extension has fetched before, and that is what is deployed.
#[test]
fn the_broker_follows_what_is_deployed() {
    let stack = Deployment::with(&[ALLOWLIST, FOLLOWED]);
    let (application, environment, profile) =
        (json!("<AllowlistApplication>"), json!("<AllowlistEnvironment>"), json!("<AllowlistProfile>"));
    let deployment = stack.properties("AllowlistDeployment");
    assert_eq!(deployment["ApplicationId"], application);
    assert_eq!((&deployment["EnvironmentId"], &deployment["ConfigurationProfileId"]), (&environment, &profile));
    assert_eq!(deployment["ConfigurationVersion"], "<AllowlistVersion>");
    assert_eq!(deployment["DeploymentStrategyId"], "<AllowlistStrategy>");
    let version = stack.properties("AllowlistVersion");
    assert_eq!((&version["Content"], &version["ContentType"]), (&json!(ALLOWLIST.1), &json!("application/json")));
    assert_eq!((&version["ApplicationId"], &version["ConfigurationProfileId"]), (&application, &profile));
    let held = stack.properties("AllowlistProfile");
    assert_eq!((&held["LocationUri"], &held["Type"]), (&json!("hosted"), &json!("AWS.Freeform")));
    assert_eq!(
        (&held["ApplicationId"], &stack.properties("AllowlistEnvironment")["ApplicationId"]),
        (&application, &application)
    );

    // What is known only afterwards are ids, of letters and digits.
    let variables = super::environment(&[ALLOWLIST, FOLLOWED]).into_iter();
    let variables = variables.map(|(name, value)| (name, value.replace(['<', '>'], ""))).collect::<BTreeMap<_, _>>();
    let region = ("AWS_REGION".to_owned(), "us-east-1".to_owned());
    let config = Config::read(variables.clone().into_iter().chain([region])).expect("a working environment");
    let Source::Followed(followed) = &config.allowlist else { panic!("{:?}", config.allowlist) };
    let path = &variables["AWS_APPCONFIG_EXTENSION_PREFETCH_LIST"];
    let shown = format!("{followed:?}");
    assert!(shown.contains(&format!("port: 2772, path: {path:?}")), "{shown}");
    assert!(shown.contains("most_age: Some(300s)"), "{shown}");
}

/// A new allowlist is everywhere at once, and no alarm brings the old one back.
#[test]
fn what_is_taken_away_stays_away() {
    let stack = Deployment::with(&[ALLOWLIST, FOLLOWED]);
    assert!(stack.properties("AllowlistEnvironment").get("Monitors").is_none());
    let strategy = stack.properties("AllowlistStrategy");
    let numbers = ["DeploymentDurationInMinutes", "GrowthFactor", "FinalBakeTimeInMinutes"];
    assert_eq!(numbers.map(|name| strategy[name].as_u64()), [Some(0), Some(100), Some(0)]);
}

#[test]
fn one_allowlist_is_given() {
    const NONE: (&str, &str) = ("Allowlist", "");
    for (given, fine) in [
        (vec![ALLOWLIST], true),
        (vec![LAYER], true),
        (vec![ALLOWLIST, FOLLOWED], true),
        (vec![NONE], false),
        (vec![ALLOWLIST, LAYER], false),
        (vec![LAYER, FOLLOWED], false),
        (vec![ALLOWLIST, LAYER, FOLLOWED], false),
        (vec![NONE, FOLLOWED], false),
    ] {
        let stack = Deployment::with(&given);
        assert_eq!(stack.refusals().is_empty(), fine, "{given:?}: {:?}", stack.refusals());
    }
}

/// The schema of the file, without what is for editors and in the words of draft 4.
fn in_draft_4(schema: &Value) -> Value {
    const FOR_EDITORS: [&str; 3] = ["title", "description", "default"];
    match schema {
        Value::Object(object) => {
            let members = object.iter().filter(|(name, _)| !FOR_EDITORS.contains(&name.as_str()));
            let draft_4 = |(name, value): (&String, &Value)| match (name.as_str(), value) {
                ("$schema", _) => (name.clone(), json!("http://json-schema.org/draft-04/schema#")),
                ("$defs", rules) => ("definitions".to_owned(), in_draft_4(rules)),
                ("$ref", Value::String(to)) => (name.clone(), json!(to.replace("#/$defs/", "#/definitions/"))),
                (_, value) => (name.clone(), in_draft_4(value)),
            };
            Value::Object(members.map(draft_4).collect())
        }
        Value::Array(items) => items.iter().map(in_draft_4).collect(),
        plain => plain.clone(),
    }
}

/// AppConfig documents draft 4 for schemas that stand in a profile. `tests/allowlist/schema.rs` asks this one too.
#[test]
fn appconfig_checks_what_editors_check() {
    let validator = validator();
    jsonschema::meta::validate(&validator).unwrap();
    assert_eq!(validator, in_draft_4(&parsed(&text("schema/allowlist.schema.json"))));
}
