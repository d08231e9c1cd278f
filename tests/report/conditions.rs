//! What the page makes of conditions and principals that no grant has: who is let in, what confines them, and that a
//! condition which is not known confines nobody and is shown as it is.

use serde_json::{Value, json};

use super::{ORDERS, data, page, statement, world};

/// Principal, condition, the parties and the findings beside that no grant has this form and no rule gives it.
type Case<'a> = (Value, Value, &'a [&'a str], &'a [&'a str]);

const ACCOUNT: &str = "account:111122223333";
const ORGANIZATION: &str = "organization:o-a1b2c3d4e5";

fn everyone() -> Value {
    json!("*")
}

fn service(name: &str) -> Value {
    json!({ "Service": format!("{name}.amazonaws.com") })
}

fn with(operator: &str, key: &str, value: impl Into<Value>) -> Value {
    json!({ operator: { key: value.into() } })
}

fn equals(key: &str, value: impl Into<Value>) -> Value {
    with("StringEquals", key, value)
}

/// Puts each under a statement of its own into one policy, and compares.
async fn assert_told(effect: &str, cases: Vec<Case<'_>>) {
    let stored = |(i, (principal, condition, ..)): (usize, &Case<'_>)| {
        let mut one =
            json!({ "Sid": format!("s{i}"), "Effect": effect, "Action": "lambda:InvokeFunction", "Resource": ORDERS });
        match principal.get("NotPrincipal") {
            Some(but) => one["NotPrincipal"] = but.clone(),
            None => one["Principal"] = principal.clone(),
        }
        if !condition.is_null() {
            one["Condition"] = condition.clone();
        }
        one
    };
    let statements: Vec<Value> = cases.iter().enumerate().map(stored).collect();
    let data = data(&page(world(&[(ORDERS, &statements)])).await);
    for (i, (principal, condition, parties, findings)) in cases.iter().enumerate() {
        let told = statement(&data, i);
        let found: Vec<&Value> = told["findings"].as_array().unwrap().iter().collect();
        let found: Vec<&str> =
            found.iter().filter_map(|it| it.as_str()).filter(|it| !["form", "noRule"].contains(it)).collect();
        assert_eq!(told["parties"], json!(parties), "{principal} {condition}");
        assert_eq!(&found, findings, "{principal} {condition}");
        // Whatever it is, it is shown; how a key is spelt says nothing, and ArnEquals is but another word for ArnLike.
        let shown = format!("{} {}", told["principal"], told["condition"]).to_lowercase();
        for word in words(principal).into_iter().chain(words(condition)) {
            let word = word.to_lowercase().replace("arnequals", "arnlike");
            assert!(shown.contains(&word), "{word} in {shown}");
        }
    }
}

/// Every name and every text in a value, but the name of an account that is principal by its name.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(words).collect(),
        Value::Object(members) if members.contains_key("AWS") => members.values().flat_map(words).collect(),
        Value::Object(members) => {
            members.iter().flat_map(|(name, value)| [vec![name.clone()], words(value)].concat()).collect()
        }
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn a_condition_on_who_calls_is_who_is_let_in() {
    let caller = |operator: &str, arn: &str| with(operator, "aws:PrincipalArn", arn);
    let path = |operator: &str, path: &str| with(operator, "aws:PrincipalOrgPaths", json!([path]));
    let role = "arn:aws:iam::111122223333:role/r";
    let open: (&[&str], &[&str]) = (&["everyone"], &["public"]);
    let cases: Vec<(Value, &[&str])> = vec![
        (equals("aws:PrincipalAccount", "111122223333"), &[ACCOUNT]),
        (equals("aws:principalaccount", json!(["111122223333", "444455556666"])), &[ACCOUNT, "account:444455556666"]),
        (caller("ArnEquals", role), &[ACCOUNT]),
        (caller("ArnLike", "arn:aws:iam::111122223333:role/*"), &[ACCOUNT]),
        (caller("StringLike", "arn:aws:sts::111122223333:assumed-role/r/*"), &[ACCOUNT]),
        (equals("aws:PrincipalOrgID", "o-a1b2c3d4e5"), &[ORGANIZATION]),
        (path("ForAnyValue:StringEquals", "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"), &[ORGANIZATION]),
        (path("ForAnyValue:StringLike", "o-a1b2c3d4e5/r-ab12/*"), &[ORGANIZATION]),
        (equals("aws:SourceVpce", "vpce-0a1b2c3d"), &["network:vpce-0a1b2c3d"]),
        (equals("aws:SourceVpc", json!(["vpc-1", "vpc-2"])), &["network:vpc-1", "network:vpc-2"]),
        (
            json!({ "StringEquals": { "aws:SourceVpce": "vpce-1", "aws:PrincipalOrgID": "o-a1b2c3d4e5" } }),
            &["network:vpce-1", ORGANIZATION],
        ),
        // On whose behalf a service calls: nobody else has a source.
        (equals("aws:SourceOrgID", "o-a1b2c3d4e5"), &[ORGANIZATION]),
        (with("ArnLike", "aws:SourceArn", "arn:aws:sns:us-east-1:111122223333:t"), &[ACCOUNT]),
        (equals("aws:SourceAccount", "111122223333"), &[ACCOUNT]),
    ];
    let confined = cases.into_iter().map(|(condition, parties)| (everyone(), condition, parties, &[][..]));
    // What may be missing, what is not itself, what is said of all values of a set or by a word not known, lets
    // everybody in.
    let not_confined = [
        json!(null),
        equals("aws:PrincipalAccount", "1111*"),
        equals("aws:PrincipalAccount", json!([])),
        equals("aws:PrincipalAccount", json!(["111122223333", "*"])),
        with("StringNotEquals", "aws:PrincipalAccount", "111122223333"),
        with("StringEqualsIfExists", "aws:PrincipalAccount", "111122223333"),
        caller("ArnLike", "arn:aws:iam::*:role/r"),
        caller("StringLike", "arn:*:111122223333:role/r"),
        caller("StringLike", "*111122223333*"),
        caller("ArnNotEquals", role),
        equals("aws:PrincipalOrgID", "o-*"),
        equals("aws:PrincipalOrgID", "${aws:PrincipalOrgID}"),
        path("ForAllValues:StringLike", "o-a1b2c3d4e5/r-ab12/*"),
        path("ForAnyValue:StringLike", "*/ou-ab12-11111111/*"),
        path("ForAnyValue:StringLike", "o-a1b2c3d4e5*"),
        equals("aws:SourceVpce", "vpce-*"),
        equals("aws:SourceVpce", "*"),
        with("StringLike", "aws:SourceVpc", "vpc-?"),
        with("StringNotEquals", "aws:SourceVpce", "vpce-1"),
        with("Null", "aws:SourceVpce", "false"),
        equals("aws:PrincipalTag/team", "orders"),
        equals("aws:PrincipalType", "AssumedRole"),
        equals("aws:ResourceOrgID", "o-a1b2c3d4e5"),
        equals("made:Up", "111122223333"),
        with("IpAddress", "aws:SourceIp", "192.0.2.0/24"),
        with("Bool", "aws:PrincipalIsAWSService", "true"),
        with("ArnLike", "aws:SourceArn", "arn:aws:s3:::bucket"),
    ];
    let not_confined = not_confined.into_iter().map(|condition| (everyone(), condition, open.0, open.1));
    assert_told("Allow", confined.chain(not_confined).collect()).await;
}

#[tokio::test]
async fn a_condition_on_its_source_confines_a_service() {
    let sns: &[&str] = &["service:sns.amazonaws.com"];
    let source = |operator: &str, arn: &str| with(operator, "aws:SourceArn", arn);
    let of = |party| vec![party, "service:sns.amazonaws.com"];
    let (of_account, of_organization) = (of(ACCOUNT), of(ORGANIZATION));
    let paths = |operator: &str, path: &str| with(operator, "aws:SourceOrgPaths", json!([path]));
    let cases: Vec<(Value, &[&str], bool)> = vec![
        (json!(null), sns, false),
        (equals("aws:SourceAccount", json!(["111122223333"])), &of_account, true),
        (source("ArnEquals", "arn:aws:sns:us-east-1:111122223333:*"), &of_account, true),
        (source("StringLike", "arn:aws:sns:us-east-1:111122223333:*"), &of_account, true),
        (source("ArnLike", "arn:aws:sns:us-east-1:*:*"), sns, false),
        (source("StringLike", "arn:aws:sns:*:111122223333:*"), sns, false),
        (equals("aws:SourceOrgID", "o-a1b2c3d4e5"), &of_organization, true),
        (equals("aws:SourceOrgID", "o-a*"), sns, false),
        (with("StringEqualsIfExists", "aws:SourceOrgID", "o-a1b2c3d4e5"), sns, false),
        (paths("ForAnyValue:StringLike", "o-a1b2c3d4e5/r-ab12/*"), &of_organization, true),
        (paths("ForAllValues:StringLike", "o-a1b2c3d4e5/r-ab12/*"), sns, false),
        (with("StringNotEquals", "aws:SourceAccount", "111122223333"), sns, false),
        // Who calls is the service itself, which is of no account, no organization and no network.
        (equals("aws:PrincipalOrgPaths", "o-a1b2c3d4e5/r-ab12/"), &of_organization, false),
        (equals("aws:PrincipalAccount", "111122223333"), &of_account, false),
        (equals("aws:SourceVpce", "vpce-1"), &["network:vpce-1", "service:sns.amazonaws.com"], false),
        (equals("aws:PrincipalTag/team", "orders"), sns, false),
    ];
    let cases = cases.into_iter().map(|(condition, parties, confined)| {
        let findings: &[&str] = if confined { &[] } else { &["unconfined"] };
        (service("sns"), condition, parties, findings)
    });
    let mut cases: Vec<Case<'_>> = cases.collect();
    // A bucket can be made again by another account: its ARN confines nothing, its owner's organization does.
    let bucket = with("ArnLike", "aws:SourceArn", "arn:aws:s3:us-east-1:111122223333:x");
    cases.push((service("s3"), bucket, &[ACCOUNT, "service:s3.amazonaws.com"], &["unconfined"]));
    let of_s3 = [ORGANIZATION, "service:s3.amazonaws.com"];
    cases.push((service("s3"), equals("aws:SourceOrgID", "o-a1b2c3d4e5"), &of_s3, &[]));
    assert_told("Allow", cases).await;
}

#[tokio::test]
async fn everyone_but_somebody_is_everyone() {
    let but = |value: Value| json!({ "NotPrincipal": value });
    let somebody = || but(json!({ "AWS": "arn:aws:iam::111122223333:root" }));
    let many = || but(json!({ "AWS": ["111122223333", "AROADBQP57FF2AEXAMPLE"], "Service": "s3.amazonaws.com" }));
    let open: (&[&str], &[&str]) = (&["everyone"], &["public"]);
    assert_told(
        "Allow",
        vec![
            (somebody(), json!(null), open.0, open.1),
            (many(), json!(null), open.0, open.1),
            (somebody(), equals("aws:PrincipalTag/team", "orders"), open.0, open.1),
            (somebody(), equals("aws:PrincipalOrgID", "o-a1b2c3d4e5"), &[ORGANIZATION], &[]),
            (somebody(), equals("aws:SourceVpce", "vpce-1"), &["network:vpce-1"], &[]),
        ],
    )
    .await;
    assert_told("Deny", vec![(somebody(), json!(null), &["everyone"], &["deny"])]).await;
}

#[tokio::test]
async fn each_kind_of_principal_is_told() {
    let arn = "arn:aws:iam::111122223333:role/r";
    assert_told(
        "Allow",
        vec![
            (json!({ "AWS": ["*"] }), json!(null), &["everyone"], &["public"]),
            (json!({ "AWS": "*" }), json!(null), &["everyone"], &["public"]),
            (json!({ "AWS": [arn] }), json!(null), &[ACCOUNT], &[]),
            (json!({ "AWS": [arn, "*"] }), json!(null), &[ACCOUNT, "everyone"], &["public"]),
            (json!({ "AWS": "arn:aws:iam::*:role/r" }), json!(null), &["other:arn:aws:iam::*:role/r"], &[]),
            (json!({ "AWS": "AROADBQP57FF2AEXAMPLE" }), json!(null), &["deleted:AROADBQP57FF2AEXAMPLE"], &["dead"]),
            (json!({ "CanonicalUser": "x" }), json!(null), &["other:x"], &[]),
            (
                json!({ "Federated": "cognito-identity.amazonaws.com" }),
                json!(null),
                &["other:cognito-identity.amazonaws.com"],
                &[],
            ),
            (
                json!({ "AWS": arn, "Service": "sns.amazonaws.com" }),
                json!(null),
                &[ACCOUNT, "service:sns.amazonaws.com"],
                &["unconfined"],
            ),
        ],
    )
    .await;
}
