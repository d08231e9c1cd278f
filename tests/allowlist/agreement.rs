//! The broker's decision against the reference on random allowlists, grants and requesters. A plain run takes some
//! twenty thousand; `BROKER_TEST_CASES=1000000` takes a million and says so with `-- --nocapture`.

use fastrand::Rng;
use permission_broker::allowlist::Allowlist;
use permission_broker::arn::AccountId;
use permission_broker::requester::{Requester, Text};
use serde_json::{Value, json};

use super::decide;
use super::reference::{Ask, HOME, Party, Rule, SELF, Who, allowing_rule};

const ACCOUNTS: [&str; 3] = ["123456789012", "210987654321", "999999999999"];
const ORGANIZATIONS: [&str; 2] = ["o-a1b2c3d4e5", "o-a1b2c3d4e50"];
const SERVICES: [&str; 4] =
    ["s3.amazonaws.com", "s3.us-east-1.amazonaws.com", "sns.amazonaws.com", "alexa-appkit.amazon.com"];
const ACTIONS: [&str; 4] =
    ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:GetLayerVersion", "lambda:GetPolicy"];
const NAMES: [&str; 4] = ["orders", "orders-api", "tools", SELF];
const TARGETS: [&str; 7] = [
    "function:*",
    "layer:*",
    "function:orders",
    "function:orders*",
    "function:orders-*",
    "layer:tools",
    "layer:orders",
];
const REQUESTERS: [&str; 8] = [
    "arn:aws:iam::123456789012:*",
    "arn:aws:iam::*:user/ci",
    "*/ci",
    "*c*i*",
    "eventbridge:*:ci",
    "eventbridge:210987654321:*",
    "sqs:*",
    "sqs:ci",
];
pub(super) const PEOPLE: [Who; 8] = [
    Who::Direct,
    Who::Iam("arn:aws:iam::123456789012:user/ci"),
    Who::Iam("arn:aws:iam::210987654321:user/ci"),
    Who::Iam("arn:aws:iam::123456789012:role/admin"),
    Who::Event("123456789012", "ci"),
    Who::Event("210987654321", "ci"),
    Who::Queue("ci"),
    Who::Queue("CI"),
];

pub(super) fn one<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// One of them, or mostly none.
fn seldom<T: Copy>(rng: &mut Rng, from: &[T]) -> Option<T> {
    (rng.u8(..4) == 0).then(|| one(rng, from))
}

/// Most of them.
fn most(rng: &mut Rng, from: &[&'static str]) -> Vec<&'static str> {
    from.iter().copied().filter(|_| rng.u8(..4) > 0).collect()
}

pub(super) fn rule(rng: &mut Rng) -> Rule {
    let mut some = |from: &[&'static str]| rng.bool().then(|| most(rng, from));
    let (actions, targets, requesters) = (some(&ACTIONS), some(&TARGETS), some(&REQUESTERS));
    Rule {
        id: None,
        accounts: most(rng, &ACCOUNTS),
        organizations: most(rng, &ORGANIZATIONS),
        services: most(rng, &SERVICES),
        actions,
        targets,
        requesters,
    }
}

fn rules(rng: &mut Rng) -> Vec<Rule> {
    let name = |(i, rule), rng: &mut Rng| Rule { id: rng.bool().then(|| format!("rule-{i}")), ..rule };
    (0..rng.usize(..4)).map(|i| name((i, rule(rng)), rng)).collect()
}

fn place(rng: &mut Rng) -> Option<(&'static str, &'static str, &'static str)> {
    const PLACES: [(&str, &str, &str); 6] =
        [HOME, HOME, HOME, ("aws-cn", HOME.1, HOME.2), ("aws", "eu-west-1", HOME.2), ("aws", HOME.1, "210987654321")];
    rng.bool().then(|| one(rng, &PLACES))
}

/// A grant that breaks no rule of AWS: only those can be decided.
pub(super) fn ask(rng: &mut Rng) -> Ask {
    let layer = rng.u8(..4) == 0;
    let account = one(rng, &ACCOUNTS);
    let iam = Party::Iam(if rng.u8(..8) == 0 { "aws-cn" } else { "aws" }, account, "root");
    let user = Party::Iam("aws", account, "user/team/ci");
    let (service, everyone) = (Party::Service(one(rng, &SERVICES)), Party::Everyone);
    let parties = [Party::Account(account), iam, everyone, everyone, user, service, service, service];
    let party = one(rng, if layer { &parties[..4] } else { &parties });
    let often = |rng: &mut Rng| (rng.u8(..4) > 0).then(|| one(rng, &ORGANIZATIONS));
    let organization = match party {
        Party::Everyone => often(rng),
        _ if layer => None,
        _ => seldom(rng, &ORGANIZATIONS),
    };
    let ask = Ask {
        layer,
        place: place(rng),
        name: one(rng, &NAMES),
        qualifier: None,
        action: "lambda:GetLayerVersion",
        party,
        source_arn: None,
        source_account: None,
        organization,
        token: false,
        auth: None,
    };
    if layer { ask } else { with_conditions(rng, ask) }
}

/// What only a function has.
fn with_conditions(rng: &mut Rng, ask: Ask) -> Ask {
    const WILD: [&str; 2] = ["*", "lambda:*"];
    let action = if rng.u8(..16) == 0 { one(rng, &WILD) } else { one(rng, &ACTIONS) };
    let bucket = ("s3:", "", "bucket");
    let topic = ("sns:us-east-1", one(rng, &ACCOUNTS), "t*");
    let auth = seldom(rng, &["AWS_IAM", "AWS_IAM", "NONE"]).filter(|_| action == "lambda:InvokeFunctionUrl");
    Ask {
        qualifier: seldom(rng, &["live", "1"]),
        action,
        source_arn: rng.bool().then(|| one(rng, &[bucket, topic, topic])),
        source_account: rng.bool().then(|| one(rng, &ACCOUNTS)),
        token: rng.u8(..4) == 0,
        auth,
        ..ask
    }
}

pub(super) fn allowlist(rules: &[Rule]) -> Value {
    let rule = |rule: &Rule| {
        let mut value =
            json!({ "accounts": rule.accounts, "organizations": rule.organizations, "services": rule.services });
        let lists = [("actions", &rule.actions), ("targets", &rule.targets), ("requesters", &rule.requesters)];
        for (name, list) in lists.into_iter().filter_map(|(name, list)| Some((name, list.as_ref()?))) {
            value[name] = json!(list);
        }
        if let Some(id) = &rule.id {
            value["id"] = json!(id);
        }
        value
    };
    Value::Array(rules.iter().map(rule).collect())
}

pub(super) fn document(ask: &Ask) -> Value {
    let word = if ask.layer { "layer" } else { "function" };
    let name = match ask.place {
        Some((partition, region, account)) => format!("arn:{partition}:lambda:{region}:{account}:{word}:{}", ask.name),
        None => ask.name.to_owned(),
    };
    let principal = match ask.party {
        Party::Account(text) | Party::Service(text) => text.to_owned(),
        Party::Iam(partition, account, resource) => format!("arn:{partition}:iam::{account}:{resource}"),
        Party::Everyone => "*".to_owned(),
    };
    let source = ask.source_arn.map(|(service, account, resource)| {
        // The service carries its region; S3 has none.
        let service = service.strip_suffix(':').map_or_else(|| service.to_owned(), |s3| format!("{s3}:"));
        format!("arn:aws:{service}:{account}:{resource}")
    });
    let mut parameters = json!({ "Action": ask.action, "Principal": principal });
    let organization = if ask.layer { "OrganizationId" } else { "PrincipalOrgID" };
    let optional = [
        ("Qualifier", ask.qualifier.map(str::to_owned)),
        ("SourceArn", source),
        ("SourceAccount", ask.source_account.map(str::to_owned)),
        (organization, ask.organization.map(str::to_owned)),
        ("EventSourceToken", ask.token.then(|| "token".to_owned())),
        ("FunctionUrlAuthType", ask.auth.map(str::to_owned)),
    ];
    for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        parameters[name] = value.into();
    }
    let operation = if ask.layer { "AddLayerVersionPermission" } else { "AddPermission" };
    parameters[if ask.layer { "LayerName" } else { "FunctionName" }] = name.into();
    if ask.layer {
        parameters["VersionNumber"] = 1.into();
    }
    json!({ "operation": operation, "parameters": parameters })
}

pub(super) fn requester(who: Who) -> Requester {
    let text = |text| Text::parse(text).unwrap();
    match who {
        Who::Direct => Requester::Direct,
        Who::Iam(arn) => Requester::Iam(text(arn)),
        Who::Event(account, source) => {
            Requester::EventBridge { account: AccountId::parse(account).unwrap(), source: text(source) }
        }
        Who::Queue(sender) => Requester::Sqs(text(sender)),
    }
}

#[test]
fn the_broker_decides_as_the_reference_does() {
    let cases: u64 = std::env::var("BROKER_TEST_CASES").map_or(20_000, |text| text.parse().unwrap());
    let mut allowed = 0_u64;
    for case in 0..cases {
        let rng = &mut Rng::with_seed(case);
        let (rules, ask, who) = (rules(rng), ask(rng), one(rng, &PEOPLE));
        let (text, document) = (allowlist(&rules).to_string(), document(&ask));
        let decision = decide(&Allowlist::parse(&text).unwrap(), &document, &requester(who));
        let rule = decision.as_ref().ok().map(|approved| approved.rule().to_owned());
        assert_eq!(rule, allowing_rule(&rules, &ask, who), "case {case}: {text}\n{document}\n{who:?}");
        // Whatever is denied is denied for a reason.
        assert!(decision.is_ok() || decision.is_err_and(|denied| !denied.refusal.faults.is_empty()), "case {case}");
        allowed += u64::from(rule.is_some());
    }
    println!("{cases} random pairs decided alike, {allowed} of them allowed");
    // Neither answer may be so rare that it goes untested.
    assert!((cases / 20..cases / 2).contains(&allowed), "{allowed} of {cases} allowed");
}
