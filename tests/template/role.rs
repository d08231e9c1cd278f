//! What the broker's role may do, for every setting of the switches: no more than the broker needs, and
//! never what it must not.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::{Value, json};

use super::deployment::{Deployment, template, texts};
use super::followed::EXTENSION;

const OWN: &str = "arn:aws:lambda:us-east-1:123456789012";

/// Parameters of a deployment, and what is said of it in a failure.
type Setting = [(&'static str, &'static str)];

const NOTHING: &Setting = &[("Allowlist", "[]")];
const EVERYTHING: &Setting = &[
    ("Allowlist", "[]"),
    ("AllowedPrincipals", "210987654321,s3.amazonaws.com"),
    ("OrganizationGrants", "true"),
    ("TargetFunctions", "partner-*"),
    ("LayerGrants", "true"),
    ("TargetLayers", "shared-*"),
    ("ResultBus", "outcomes"),
    ("Tracing", "on"),
    ("TimedGrants", "true"),
    ("AppConfigExtensionLayer", EXTENSION),
];

/// Every setting of the switches that matter to grants, with traces in half of them and an allowlist that is followed in half.
fn settings() -> Vec<Vec<(&'static str, &'static str)>> {
    let mut settings = Vec::new();
    for principals in ["", "210987654321,s3.amazonaws.com"] {
        for organizations in ["false", "true"] {
            for layers in ["false", "true"] {
                for (bus, timed) in [("", "false"), ("", "true"), ("outcomes", "false"), ("outcomes", "true")] {
                    settings.push(vec![
                        ("AllowedPrincipals", principals),
                        ("OrganizationGrants", organizations),
                        ("LayerGrants", layers),
                        ("ResultBus", bus),
                        ("Tracing", if layers == "true" { "on" } else { "off" }),
                        ("AppConfigExtensionLayer", if organizations == layers { EXTENSION } else { "" }),
                        ("TimedGrants", timed),
                    ]);
                }
            }
        }
    }
    settings
}

/// The tests below look at the role alone: what else is made is known here as well, down to the last function in it.
#[test]
fn everything_that_is_made_can_be_read() {
    for setting in settings() {
        assert!(Deployment::with(&setting).resources().contains_key("Role"), "{setting:?}");
    }
}

/// The statements of the role with one effect.
fn statements(setting: &Setting, effect: &str) -> Vec<Value> {
    let role = Deployment::with(setting).properties("Role");
    let policies = role["Policies"].as_array().expect("policies").iter();
    let statements = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().expect("statements"));
    statements.filter(|statement| statement["Effect"] == effect).cloned().collect()
}

fn actions(statements: &[Value]) -> BTreeSet<&str> {
    statements.iter().flat_map(|statement| texts(&statement["Action"])).collect()
}

#[test]
fn the_lambda_actions_are_exactly_these() {
    let of_lambda = |setting: &Setting| {
        let allowed = statements(setting, "Allow");
        let actions = actions(&allowed).into_iter().map(str::to_owned);
        actions.filter(|action| action.starts_with("lambda:")).collect::<Vec<_>>()
    };
    let six = [
        "lambda:AddLayerVersionPermission",
        "lambda:AddPermission",
        "lambda:GetLayerVersionPolicy",
        "lambda:GetPolicy",
        "lambda:RemoveLayerVersionPermission",
        "lambda:RemovePermission",
    ];
    let without_end: Vec<_> = EVERYTHING.iter().copied().filter(|(name, _)| *name != "TimedGrants").collect();
    assert_eq!(of_lambda(&without_end), six);
    let lists = [
        "lambda:ListAliases",
        "lambda:ListFunctions",
        "lambda:ListLayerVersions",
        "lambda:ListLayers",
        "lambda:ListVersionsByFunction",
    ];
    let mut eleven = [&six[..], &lists].concat();
    eleven.sort_unstable();
    assert_eq!(of_lambda(EVERYTHING), eleven, "five more with timed grants, for the sweep");
    let two = ["lambda:GetPolicy", "lambda:RemovePermission"];
    assert_eq!(of_lambda(NOTHING), two, "without principals nothing can be granted");
}

/// Each thing that is allowed, and on what: the whole of it.
#[test]
fn nothing_is_allowed_that_the_broker_does_not_need() {
    let function = [format!("{OWN}:function:partner-*"), format!("{OWN}:function:partner-*:*")];
    let wanted = [
        ("logs:CreateLogStream logs:PutLogEvents", json!("<Logs.Arn>")),
        ("sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes", json!("<Requests.Arn>")),
        ("sqs:SendMessage", json!("<InvokeDeadLetters.Arn>")),
        ("events:PutEvents", json!("arn:aws:events:us-east-1:123456789012:event-bus/outcomes")),
        (
            "appconfig:StartConfigurationSession appconfig:GetLatestConfiguration",
            json!(
                "arn:aws:appconfig:us-east-1:123456789012:application/<AllowlistApplication>\
                 /environment/<AllowlistEnvironment>/configuration/<AllowlistProfile>"
            ),
        ),
        // X-Ray has no resources.
        ("xray:PutTraceSegments xray:PutTelemetryRecords", json!("*")),
        ("lambda:AddPermission", json!(function)),
        ("lambda:AddPermission", json!(function)),
        ("lambda:RemovePermission", json!(function)),
        ("lambda:GetPolicy", json!(function)),
        (
            "lambda:AddLayerVersionPermission lambda:RemoveLayerVersionPermission lambda:GetLayerVersionPolicy",
            json!(format!("{OWN}:layer:shared-*:*")),
        ),
        (
            "scheduler:CreateSchedule scheduler:GetSchedule",
            json!("arn:aws:scheduler:us-east-1:123456789012:schedule/<ScheduleGroup>/*"),
        ),
        // AWS knows no resource of these three.
        ("lambda:ListFunctions lambda:ListLayers lambda:ListLayerVersions", json!("*")),
        ("lambda:ListAliases lambda:ListVersionsByFunction", json!(format!("{OWN}:function:partner-*"))),
        ("iam:PassRole", json!("<ScheduleRole.Arn>")),
    ];
    let allowed = statements(EVERYTHING, "Allow");
    let found: Vec<(String, Value)> = allowed
        .iter()
        .map(|statement| (texts(&statement["Action"]).join(" "), statement["Resource"].clone()))
        .collect();
    assert_eq!(found, wanted.map(|(actions, resource)| (actions.to_owned(), resource)));
    let role = Deployment::with(EVERYTHING).properties("Role");
    assert!(role.get("ManagedPolicyArns").is_none());
    let broker = Deployment::with(EVERYTHING).properties("Broker");
    assert_eq!(broker["Role"], "<Role.Arn>", "SAM makes no role of its own");
    assert!(broker.get("Policies").is_none());
    assert_eq!(
        role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"],
        json!({"Service": "lambda.amazonaws.com"})
    );
    assert_eq!(role["AssumeRolePolicyDocument"]["Statement"].as_array().map(Vec::len), Some(1));
}

#[test]
fn no_allow_reaches_everything() {
    for setting in settings() {
        for statement in statements(&setting, "Allow")
            .into_iter()
            .filter(|it| !["SendTraces", "FindWhatToSweep"].map(Value::from).contains(&it["Sid"]))
        {
            for resource in texts(&statement["Resource"]) {
                assert_ne!(resource, "*", "{statement}");
                let services = [":events:", ":scheduler:", ":appconfig:"];
                let place = services.iter().fold(resource.to_owned(), |place, one| place.replace(one, ":lambda:"));
                let own = place.starts_with(&format!("{OWN}:"));
                let own = own || resource.starts_with('<');
                assert!(own, "of this account and region: {statement}");
            }
            assert!(
                actions(std::slice::from_ref(&statement)).iter().all(|action| !action.contains('*')),
                "{statement}"
            );
            for never in ["NotAction", "NotResource", "NotPrincipal"] {
                assert!(statement.get(never).is_none(), "{statement}");
            }
        }
    }
}

/// Results go to the one bus, under the broker's own name; without a bus there is no right to any.
#[test]
fn results_go_to_their_bus_alone() {
    for setting in settings() {
        let allowed = statements(&setting, "Allow");
        let publishing: Vec<&Value> =
            allowed.iter().filter(|it| texts(&it["Action"]).iter().any(|action| action.contains("events:"))).collect();
        assert_eq!(publishing.is_empty(), setting.contains(&("ResultBus", "")), "{setting:?}");
        for statement in publishing {
            let source = permission_broker::results::SOURCE;
            assert_eq!(statement["Condition"], json!({"StringEquals": {"events:source": source}}));
        }
    }
}

/// Whoever has left the lists can still be revoked.
#[test]
fn no_removal_asks_who_it_is() {
    for setting in settings() {
        let allowed = statements(&setting, "Allow");
        let removals = allowed.iter().filter(|it| texts(&it["Action"]).iter().any(|action| action.contains("Remove")));
        for removal in removals {
            assert!(removal.get("Condition").is_none(), "{removal}");
        }
    }
}

/// IAM repeats the allowlist. `StringLike` would let `*` match every pattern, the public grant included.
#[test]
fn every_grant_is_confined_to_the_principals_allowed() {
    for setting in settings() {
        for statement in statements(&setting, "Allow") {
            if !actions(std::slice::from_ref(&statement)).contains("lambda:AddPermission") {
                continue;
            }
            let principals = &statement["Condition"]["StringEquals"]["lambda:Principal"];
            assert_eq!(statement["Condition"], json!({"StringEquals": {"lambda:Principal": principals}}));
            let everyone = principals == "*";
            assert!(everyone || *principals == json!(["210987654321", "s3.amazonaws.com"]), "{statement}");
            assert!(!everyone || setting.contains(&("OrganizationGrants", "true")), "{statement}");
        }
        let role = Deployment::with(&setting).properties("Role").to_string();
        for operator in ["StringLike", "ForAllValues", "ForAnyValue", "IfExists"] {
            assert!(!role.contains(operator), "{operator}");
        }
    }
}

#[test]
fn the_parameter_for_principals_takes_no_wildcard() {
    let pattern = template()["Parameters"]["AllowedPrincipals"]["AllowedPattern"].clone();
    let pattern = Regex::new(&format!("^(?:{})$", pattern.as_str().expect("a pattern"))).expect("a pattern");
    for one in
        ["210987654321", "arn:aws:iam::210987654321:role/team/Deploy", "s3.amazonaws.com", "alexa-appkit.amazon.com"]
    {
        assert!(pattern.is_match(one), "{one}");
    }
    for one in ["*", "2109*", "arn:aws:iam::*:root", "arn:aws:iam::210987654321:role/*", "*.amazonaws.com", "evil.com"]
    {
        assert!(!pattern.is_match(one), "{one}");
    }
}

fn deny<'s>(statements: &'s [Value], sid: &str) -> Option<&'s Value> {
    statements.iter().find(|statement| statement["Sid"] == sid)
}

#[test]
fn some_things_are_denied_whatever_else_is_allowed() {
    for setting in settings() {
        let denied = statements(&setting, "Deny");
        let itself = deny(&denied, "NeverOnItself").expect("a Deny on the broker itself");
        assert_eq!(texts(&itself["Action"]), ["lambda:AddPermission", "lambda:RemovePermission"]);
        assert_eq!(
            texts(&itself["Resource"]),
            [format!("{OWN}:function:broker"), format!("{OWN}:function:broker:*")],
            "the function by its name, and every version and alias"
        );
        assert!(itself.get("Condition").is_none());
        assert_eq!(Deployment::with(&setting).properties("Broker")["FunctionName"], "broker");

        let elsewhere = deny(&denied, "NeverForAnotherFunction").expect("a Deny for other functions");
        let every_write = ["Add", "Remove"]
            .into_iter()
            .flat_map(|verb| [format!("lambda:{verb}Permission"), format!("lambda:{verb}LayerVersionPermission")]);
        let timed = setting.contains(&("TimedGrants", "true")).then(|| "scheduler:CreateSchedule".to_owned());
        let every_write = every_write.chain(timed);
        assert_eq!(texts(&elsewhere["Action"]), every_write.collect::<Vec<_>>());

        let open_url = deny(&denied, "NeverAnOpenUrl").expect("a Deny on open function URLs");
        assert_eq!(open_url["Action"], "lambda:AddPermission");
        assert_eq!(open_url["Resource"], "*");
        assert_eq!(open_url["Condition"], json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}));

        let everybody = deny(&denied, "NeverToEverybody");
        assert_eq!(everybody.is_none(), setting.contains(&("OrganizationGrants", "true")), "{setting:?}");
        if let Some(everybody) = everybody {
            assert_eq!(everybody["Resource"], "*");
            assert_eq!(everybody["Condition"], json!({"StringEquals": {"lambda:Principal": "*"}}));
        }
    }
}

/// A Deny on all but what is needed: an Allow that somebody attaches later adds nothing.
#[test]
fn everything_else_is_denied() {
    for setting in settings() {
        let denied = statements(&setting, "Deny");
        let rest = deny(&denied, "NeverAnythingElse").expect("a Deny on everything else");
        assert_eq!(rest["Resource"], "*");
        assert!(rest.get("Action").is_none() && rest.get("Condition").is_none());
        let allowed = statements(&setting, "Allow");
        let mut needed = actions(&allowed);
        // Without a principal there is no Allow for it, which denies it as well.
        needed.insert("lambda:AddPermission");
        assert_eq!(texts(&rest["NotAction"]).into_iter().collect::<BTreeSet<_>>(), needed, "{setting:?}");
    }
}

/// Lists are for the sweep, so nobody else may read them: without timed grants, and without layers those of layers.
#[test]
fn what_is_there_is_listed_for_the_sweep_alone() {
    for setting in settings() {
        let (timed, layers) = (setting.contains(&("TimedGrants", "true")), setting.contains(&("LayerGrants", "true")));
        let allowed = statements(&setting, "Allow");
        let lists = actions(&allowed).into_iter().filter(|action| action.contains(":List")).collect::<Vec<_>>();
        let of_functions = ["lambda:ListAliases", "lambda:ListFunctions", "lambda:ListVersionsByFunction"];
        let mut wanted = if timed { of_functions.to_vec() } else { Vec::new() };
        wanted.extend(["lambda:ListLayerVersions", "lambda:ListLayers"].iter().filter(|_| timed && layers));
        wanted.sort_unstable();
        assert_eq!(lists, wanted, "{setting:?}");
    }
}

/// What is scheduled cannot be unscheduled by the broker, and its role goes to Scheduler and nobody else.
#[test]
fn schedules_are_made_in_one_group_and_by_one_role() {
    for setting in settings() {
        let timed = setting.contains(&("TimedGrants", "true"));
        let allowed = statements(&setting, "Allow");
        let actions = actions(&allowed);
        assert_eq!(actions.contains("scheduler:CreateSchedule"), timed, "{setting:?}");
        assert!(!actions.iter().any(|action| action.contains("DeleteSchedule") || action.contains("UpdateSchedule")));
        let passes = allowed.iter().find(|it| it["Action"] == "iam:PassRole");
        assert_eq!(passes.is_some(), timed);
        let stack = Deployment::with(&setting);
        assert_eq!(stack.of_type("AWS::Scheduler::Schedule").len(), usize::from(timed), "{setting:?}");
        assert_eq!(stack.of_type("AWS::IAM::Role").len(), 1 + usize::from(timed));
        let Some(passes) = passes else { continue };
        assert_eq!(passes["Condition"], json!({"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}));
        let role = stack.properties("ScheduleRole");
        let trust = &role["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trust.as_array().map(Vec::len), Some(1));
        assert_eq!(trust[0]["Principal"], json!({"Service": "scheduler.amazonaws.com"}));
        let group = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/<ScheduleGroup>";
        let only = json!({"StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": group}});
        assert_eq!(trust[0]["Condition"], only);
        let may = role["Policies"][0]["PolicyDocument"]["Statement"].as_array().expect("statements").iter();
        let may: Vec<_> = may.map(|it| (&it["Action"], &it["Resource"])).collect();
        let broker = json!(format!("{OWN}:function:broker"));
        let wanted =
            [(json!("lambda:InvokeFunction"), broker), (json!("sqs:SendMessage"), json!("<InvokeDeadLetters.Arn>"))];
        assert_eq!(may, wanted.iter().map(|(action, resource)| (action, resource)).collect::<Vec<_>>());
        assert_eq!(role["Policies"].as_array().map(Vec::len), Some(1));
    }
}
