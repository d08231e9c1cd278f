//! The room in a policy: told before and after, refused before AWS refuses, with advice that comes true.

use std::time::Duration;

use permission_broker::local::control_plane::{ErrorName, Fault, Operation};
use serde_json::{Value, json};

use super::{LAYER, ORDERS, beside, holding, layer_stored, revoke, stored, word};
use crate::support::door::DOORS;
use crate::support::{Door, Scene, grant, with};

const MOST: usize = 20_480;

/// What AWS writes around the statements.
const FRAME: usize = 54;

/// Statements that make a policy of exactly so many bytes, none of which another could stand in for.
pub(super) fn filled(bytes: usize) -> Vec<Value> {
    let of = |i: usize, arn: String| {
        let condition = json!({ "StringLike": { "aws:PrincipalArn": arn } });
        stored(&format!("filler-{i}"), json!({ "Condition": condition }))
    };
    let mut left = bytes - FRAME;
    let mut statements: Vec<Value> = Vec::new();
    while left > 0 {
        let comma = usize::from(!statements.is_empty());
        let least = of(statements.len(), String::new()).to_string().len() + comma;
        // What is left over goes into the last one.
        let padding = if left >= 2 * (least + 600) { 600 } else { left - least };
        statements.push(of(statements.len(), "a".repeat(padding)));
        left -= least + padding;
    }
    statements
}

/// The bytes that one more statement takes, comma included.
fn next(statement: &Value) -> usize {
    statement.to_string().len() + 1
}

async fn reading(statements: &[Value]) -> Scene {
    let mut scene = match statements {
        [] => Scene::new().await,
        statements => holding(&[(ORDERS, statements)]).await,
    };
    scene.broker.reads_first = true;
    scene
}

#[tokio::test]
async fn at_both_edges_the_broker_says_what_aws_says() {
    let one = next(&stored("partner", json!({})));
    for (before, fits) in [(MOST - one, true), (MOST - one + 1, false), (MOST, false)] {
        let statements = filled(before);
        let scene = reading(&statements).await;
        assert_eq!(scene.plane.policy(ORDERS).unwrap().len(), before);
        let dry = scene.ask(Door::Direct, &beside(grant(json!({})), json!({ "dryRun": true }))).await;
        assert_eq!(word(&dry.document), if fits { "would_grant" } else { "policy_full" });
        for reads_first in [true, false] {
            let mut scene = holding(&[(ORDERS, &statements)]).await;
            scene.broker.reads_first = reads_first;
            let reply = scene.ask(Door::ApiGateway, &grant(json!({}))).await;
            assert_eq!(word(&reply.document), if fits { "granted" } else { "policy_full" });
            let expected: &[&str] = match (reads_first, fits) {
                (true, true) => &["read", "add"],
                (true, false) => &["read"],
                (false, true) => &["add"],
                (false, false) => &["add", "read"],
            };
            assert_eq!(scene.calls(), expected);
            let policy = &reply.document["policy"];
            if fits && reads_first {
                assert_eq!((&policy["bytesBefore"], &policy["bytes"]), (&json!(before), &json!(MOST)));
                assert_eq!((&policy["left"], &policy["nearlyFull"]), (&json!(0), &json!(true)));
                assert_eq!(dry.document["policy"], *policy);
            }
            if !fits {
                assert_eq!((&policy["bytes"], &policy["left"]), (&json!(before), &json!(MOST - before)));
                assert_eq!((reply.http.unwrap().0, &reply.document["retryable"]), (409, &json!(false)));
            }
        }
    }
    // Of an empty policy the frame is new as well; a layer's policy counts alike.
    let mut scene = Scene::new().await;
    scene.broker.reads_first = true;
    let reply = scene.ask(Door::Direct, &crate::support::layer_grant(json!({}))).await;
    let bytes = FRAME + layer_stored("partner").to_string().len();
    assert_eq!(
        (&reply.document["policy"]["bytesBefore"], &reply.document["policy"]["bytes"]),
        (&json!(0), &json!(bytes))
    );
    assert_eq!(scene.plane.policy(LAYER).unwrap().len(), bytes);
}

/// What stands, the fault of the read, the door, the calls and the ending.
type Look<'a> = (&'a [Value], Option<Fault>, Door, &'a [&'a str], &'a str);

#[tokio::test]
async fn a_look_before_the_write_spares_the_write() {
    let fault = |name| Fault::error(name, "no").on(Operation::GetPolicy).times(9);
    let other = json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } });
    let (there, another, full) = (stored("partner", json!({})), stored("partner", other), filled(MOST));
    let cases: Vec<Look<'_>> = vec![
        (&[], None, Door::Direct, &["read", "add"], "granted"),
        (std::slice::from_ref(&there), None, Door::Direct, &["read"], "already_granted"),
        (std::slice::from_ref(&another), None, Door::Direct, &["read"], "statement_conflict"),
        // Behind the queue what is said of a policy is said once it has settled.
        (&[], None, Door::Sqs, &["read", "add", "read"], "granted"),
        (std::slice::from_ref(&there), None, Door::Sqs, &["read", "read"], "already_granted"),
        (std::slice::from_ref(&another), None, Door::Sqs, &["read", "read"], "statement_conflict"),
        (&full, None, Door::Sqs, &["read"], "policy_full"),
        (&full, None, Door::EventBridge, &["read"], "policy_full"),
        // AWS keeps the limit too; that the policy cannot be read is no reason to refuse, but a missing right is.
        (&[], Some(fault(ErrorName::Service)), Door::Direct, &["read", "add"], "granted"),
        (&[], Some(fault(ErrorName::TooManyRequests)), Door::Direct, &["read", "read", "add"], "granted"),
        (&[], Some(fault(ErrorName::AccessDenied)), Door::Direct, &["read"], "access_denied"),
    ];
    for (statements, fault, door, calls, ending) in cases {
        let scene = reading(statements).await;
        if let Some(fault) = fault {
            scene.plane.inject(fault);
        }
        scene.ask(door, &grant(json!({}))).await;
        let records = scene.records();
        assert_eq!((records[0]["record"].as_str(), records.len()), (Some("intent"), 2));
        assert_eq!((word(&records[1]), scene.calls().as_slice()), (ending, calls));
    }
    // One that is throttled is made again: under load the look would else be left out just where it is needed.
    for door in DOORS {
        let scene = reading(&full).await;
        scene.plane.inject(fault(ErrorName::TooManyRequests).times(1));
        scene.ask(door, &grant(json!({}))).await;
        assert_eq!((word(&scene.records()[1]), scene.calls()), ("policy_full", vec!["read", "read"]), "{door:?}");
    }
    let scene = reading(&[]).await;
    let missing = scene.ask(Door::Direct, &grant(json!({ "Qualifier": "9" }))).await;
    assert_eq!((missing.code(), scene.calls()), ("target_not_found", vec!["read", "add"]));
}

/// What was to come and did not come is not told as the size of the policy.
#[tokio::test]
async fn a_grant_that_fails_has_changed_no_size() {
    let there = stored("other", json!({}));
    for fault in [Fault::throttled(None).times(9), Fault::error(ErrorName::InvalidParameterValue, "no")] {
        let scene = reading(std::slice::from_ref(&there)).await;
        scene.plane.inject(fault.on(Operation::AddPermission));
        let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
        let bytes = scene.plane.policy(ORDERS).unwrap().len();
        assert_eq!((&reply.document["policy"]["bytes"], scene.statements(ORDERS).len()), (&json!(bytes), 1));
        let record = scene.records().pop().unwrap();
        assert_eq!((&record["policyBytes"], record.get("policyBytesBefore")), (&json!(bytes), None));
    }
}

/// What is there already behind the queue is believed once it has settled: here somebody undoes it meanwhile.
#[tokio::test]
async fn behind_the_queue_what_is_undone_meanwhile_is_granted_again() {
    let there = stored("partner", json!({}));
    for statements in [vec![there.clone()], vec![stored("other", json!({})), there]] {
        let mut scene = reading(&statements).await;
        scene.broker.timing.settle = Duration::from_millis(100);
        let asked = grant(json!({}));
        let undone = async {
            while scene.plane.calls().is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(scene.ask(Door::Direct, &revoke(json!({}))).await.outcome(), "revoked");
        };
        tokio::join!(scene.ask(Door::Sqs, &asked), undone);
        let outcome = scene.records().pop().unwrap();
        assert_eq!((word(&outcome), scene.calls()), ("granted", vec!["read", "remove", "read", "add", "read"]));
        assert_eq!(scene.statements(ORDERS).len(), statements.len());
    }
}

/// The size before and after and the room left, in every record and metric of it.
#[tokio::test]
async fn the_room_left_is_on_record() {
    let before = MOST - 1000;
    for door in DOORS {
        let mut scene = reading(&filled(before)).await;
        scene.broker.audit = scene.broker.audit.measuring(true);
        scene.ask(door, &grant(json!({}))).await;
        let record = scene.records().pop().unwrap();
        let after = scene.plane.policy(ORDERS).unwrap().len();
        assert_eq!((&record["policyBytesBefore"], &record["policyBytes"]), (&json!(before), &json!(after)), "{door:?}");
        assert_eq!(record["policyBytesLeft"], MOST - after);
        let metrics = record["_aws"]["CloudWatchMetrics"][1]["Metrics"].as_array().unwrap();
        let names: Vec<&str> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert_eq!(names, ["attempts", "policyBytes", "policyBytesBefore", "policyBytesLeft"]);
    }
}

#[tokio::test]
async fn a_policy_is_called_nearly_full_from_eighty_percent() {
    let one = next(&stored("partner", json!({})));
    for (after, level) in [(16_383, "INFO"), (16_384, "WARN")] {
        for dry_run in [true, false] {
            let scene = reading(&filled(after - one)).await;
            let reply = scene.ask(Door::Direct, &beside(grant(json!({})), json!({ "dryRun": dry_run }))).await;
            let record = scene.records().pop().unwrap();
            assert_eq!((&record["policyBytes"], &record["level"]), (&json!(after), &json!(level)));
            assert_eq!(record["policyBytesBefore"], after - one);
            assert_eq!(reply.document["policy"]["nearlyFull"], if level == "WARN" { json!(true) } else { json!(null) });
        }
    }
}

/// The advice of a read, by its name.
async fn advice(scene: &Scene) -> Vec<Value> {
    let request = json!({ "operation": "GetPolicy", "parameters": { "FunctionName": "orders" } });
    let reply = scene.ask(Door::Direct, &request).await;
    reply.document["policy"]["advice"].as_array().cloned().unwrap_or_default()
}

/// Revokes what the advice names, grants what it proposes instead, and compares what that saved.
async fn follow(scene: &Scene, advice: &Value, instead: Option<Value>) {
    let before = scene.plane.policy(ORDERS).unwrap().len();
    let sids: Vec<&str> = advice["statementIds"].as_array().unwrap().iter().map(|sid| sid.as_str().unwrap()).collect();
    for sid in &sids {
        assert_eq!(scene.ask(Door::Direct, &revoke(json!({ "StatementId": sid }))).await.outcome(), "revoked");
    }
    if let Some(instead) = instead {
        let request = grant(with(instead, json!({ "StatementId": sids[0] })));
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted", "{request}");
    }
    let after = scene.plane.policy(ORDERS).unwrap().len();
    assert_eq!(advice["savesBytes"], before - after, "{advice}");
}

#[tokio::test]
async fn advice_that_is_followed_saves_what_it_says() {
    let other = || stored("bystander", json!({ "Action": "lambda:InvokeFunctionUrl" }));
    let root = |account: &str| json!({ "Principal": { "AWS": format!("arn:aws:iam::{account}:root") } });
    let topic = |name: &str| {
        let condition = json!({
            "StringEquals": { "AWS:SourceAccount": "210987654321" },
            "ArnLike": { "AWS:SourceArn": format!("arn:aws:sns:us-east-1:210987654321:{name}") },
        });
        json!({ "Principal": { "Service": "sns.amazonaws.com" }, "Condition": condition })
    };

    let scene =
        holding(&[(ORDERS, &[stored("a", json!({})), other(), stored("b", json!({})), stored("c", json!({}))])]).await;
    let told = advice(&scene).await;
    assert_eq!(told[0]["advice"], "revoke_duplicates");
    assert_eq!(told[0]["statementIds"], json!(["b", "c"]));
    follow(&scene, &told[0], None).await;
    assert_eq!(advice(&scene).await, [json!(null); 0]);

    // What lasts longest stays: what has no end, or else the last end; and one account is no organization.
    let [first, last, again] = [("a", "20261231"), ("b", "20270131"), ("c", "20261231")]
        .map(|(id, day)| format!("{id}-until-{day}T180000Z-1a2b3c4d"));
    let (first, last, again) = (first.as_str(), last.as_str(), again.as_str());
    for (sids, spare) in [([first, "d", last], json!([last, first])), ([first, last, again], json!([first, again]))] {
        let scene = holding(&[(ORDERS, &sids.map(|sid| stored(sid, root("210987654321"))))]).await;
        let told = advice(&scene).await;
        let all: Vec<_> = told.iter().map(|one| (&one["advice"], &one["statementIds"])).collect();
        assert_eq!(all, [(&json!("revoke_duplicates"), &spare)]);
    }

    let accounts = [
        stored("a", root("210987654321")),
        other(),
        stored("bb", root("123456789012")),
        stored("c", root("999999999999")),
    ];
    let scene = holding(&[(ORDERS, &accounts)]).await;
    let told = advice(&scene).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["advice"], "grant_to_the_organization_if_all_are_in_it");
    assert_eq!(told[0]["statementIds"], json!(["a", "bb", "c"]));
    follow(&scene, &told[0], Some(json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" }))).await;

    let topics =
        [stored("a", topic("orders-eu")), other(), stored("bb", topic("orders-us")), stored("c", topic("orders-us-2"))];
    let scene = holding(&[(ORDERS, &topics)]).await;
    let told = advice(&scene).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0]["advice"], &told[0]["instead"]),
        (&json!("use_one_source_arn"), &json!("arn:aws:sns:us-east-1:210987654321:orders-*"))
    );
    let instead =
        json!({ "Principal": "sns.amazonaws.com", "SourceAccount": "210987654321", "SourceArn": told[0]["instead"] });
    follow(&scene, &told[0], Some(instead)).await;

    // Each family has a pattern of its own, and none that would let in both.
    let buckets = ["bucket-a", "bk-a", "bucket-b", "bk-b", "bucket-c"].map(|name| {
        let condition = json!({
            "StringEquals": { "AWS:SourceAccount": "210987654321" },
            "ArnLike": { "AWS:SourceArn": format!("arn:aws:s3:::{name}") },
        });
        stored(name, json!({ "Principal": { "Service": "s3.amazonaws.com" }, "Condition": condition }))
    });
    let scene = holding(&[(ORDERS, &buckets)]).await;
    let told = advice(&scene).await;
    let patterns: Vec<_> = told.iter().map(|it| (&it["instead"], &it["statementIds"])).collect();
    let (long, short) = (json!("arn:aws:s3:::bucket-*"), json!("arn:aws:s3:::bk-*"));
    let (of_long, of_short) = (json!(["bucket-a", "bucket-b", "bucket-c"]), json!(["bk-a", "bk-b"]));
    assert_eq!(patterns, [(&long, &of_long), (&short, &of_short)]);
    for one in &told {
        let instead =
            json!({ "Principal": "s3.amazonaws.com", "SourceAccount": "210987654321", "SourceArn": one["instead"] });
        follow(&scene, one, Some(instead)).await;
    }

    // A token counts in full, though it is not shown.
    let token = json!({ "StringEquals": { "lambda:EventSourceToken": "amzn1.ask.skill.0" } });
    let skill = json!({ "Principal": { "Service": "alexa-appkit.amazon.com" }, "Condition": token });
    let scene = holding(&[(ORDERS, &[stored("a", skill.clone()), stored("b", skill)])]).await;
    let told = advice(&scene).await;
    assert_eq!(told[0]["statementIds"], json!(["b"]));
    follow(&scene, &told[0], None).await;
}

/// A pattern holds at least one whole word of the name, after the type where there is one: else it would let in all.
#[tokio::test]
async fn no_pattern_is_as_wide_as_a_type() {
    let of = |resource: &str| format!("arn:aws:events:us-east-1:210987654321:{resource}");
    let cases: [(&[&str], &[&str]); 9] = [
        (&["rule/nightly-a", "rule/nightly-b"], &["rule/nightly-*"]),
        (&["rule/nightly", "rule/hourly"], &[]),
        (&["rule/nightly-a", "rule/hourly-a"], &[]),
        (&["orders1", "orders2"], &[]),
        (&["a-1", "a-2"], &[]),
        (&["ab-1", "ab-2"], &["ab-*"]),
        (&["a-ab-1", "a-ab-2", "a-cd-1"], &["a-ab-*"]),
        (&["api1/*/GET/a", "api1/*/GET/b", "api1/*/POST/a"], &["api1/*/GET/*"]),
        (&["rule/a.b.c.d-1", "rule/a.b.c.d-2"], &[]),
    ];
    for (resources, patterns) in cases {
        let statements: Vec<Value> = resources
            .iter()
            .enumerate()
            .map(|(i, resource)| {
                let condition = json!({ "ArnLike": { "AWS:SourceArn": of(resource) } });
                let service = json!({ "Service": "events.amazonaws.com" });
                stored(&format!("s{i}"), json!({ "Principal": service, "Condition": condition }))
            })
            .collect();
        let scene = holding(&[(ORDERS, &statements)]).await;
        let told: Vec<Value> = advice(&scene).await.iter().map(|it| it["instead"].clone()).collect();
        assert_eq!(told, patterns.iter().map(|it| of(it)).collect::<Vec<_>>(), "{resources:?}");
    }
}

/// Nothing is proposed that the broker would refuse, or that would turn a Deny around.
#[tokio::test]
async fn no_advice_is_better_than_a_bad_one() {
    let bucket = |name: &str, account: Option<&str>| {
        let mut condition = json!({ "ArnLike": { "AWS:SourceArn": format!("arn:aws:s3:::{name}") } });
        if let Some(account) = account {
            condition["StringEquals"] = json!({ "AWS:SourceAccount": account });
        }
        json!({ "Principal": { "Service": "s3.amazonaws.com" }, "Condition": condition })
    };
    let deny =
        |account: &str| json!({ "Effect": "Deny", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") } });
    let equals = |principal: Value, key: &str, value: &str| json!({ "Principal": principal, "Condition": { "StringEquals": { key: value } } });
    let root = |account: &str| json!({ "AWS": format!("arn:aws:iam::{account}:root") });
    let service = |name: &str| json!({ "Service": name });
    let in_organization = |account: &str| equals(root(account), "aws:PrincipalOrgID", "o-a1b2c3d4e5");
    let skill = |token: &str| equals(service("alexa-appkit.amazon.com"), "lambda:EventSourceToken", token);
    let from_ours = |name: &str| equals(service(name), "AWS:SourceAccount", "210987654321");
    let topic = |name: &str| {
        let arn = format!("arn:aws:sns:us-east-1:210987654321:{name}");
        json!({ "Principal": service("sns.amazonaws.com"), "Condition": { "ArnLike": { "AWS:SourceArn": arn } } })
    };
    let denied = |statement: Value| with(statement, json!({ "Effect": "Deny" }));
    let ours = Some("210987654321");
    let cases = [
        (vec![bucket("logs-a", ours), bucket("logs-b", ours)], 1),
        (vec![bucket("logs-a", None), bucket("logs-b", None)], 0),
        (vec![bucket("logs-a", ours), bucket("logs-b", Some("123456789012"))], 0),
        // The ARN itself names the account.
        (vec![topic("orders-a"), topic("orders-b")], 1),
        (vec![denied(topic("orders-a")), denied(topic("orders-b"))], 0),
        (vec![deny("210987654321"), deny("123456789012")], 0),
        (vec![from_ours("sns.amazonaws.com"), from_ours("s3.amazonaws.com")], 0),
        (vec![in_organization("210987654321"), in_organization("123456789012")], 0),
        (vec![skill("amzn1.ask.skill.0"), skill("amzn1.ask.skill.0")], 1),
        (vec![skill("amzn1.ask.skill.0"), skill("amzn1.ask.skill.1")], 0),
        (vec![json!({}), json!({ "Action": "lambda:InvokeFunctionUrl" })], 0),
        (vec![json!({}), json!({ "NotAction": "lambda:GetFunction" })], 0),
    ];
    for (statements, proposals) in cases {
        let statements: Vec<Value> =
            statements.into_iter().enumerate().map(|(i, it)| stored(&format!("s{i}"), it)).collect();
        let scene = holding(&[(ORDERS, &statements)]).await;
        assert_eq!(advice(&scene).await.len(), proposals, "{statements:?}");
    }
    // The largest saving first, and not more than anybody reads.
    let many = (0..12).flat_map(|i| {
        let account = json!({ "Principal": { "AWS": format!("arn:aws:iam::{:012}:root", i / 2) }, "Action": format!("lambda:Do{}", "x".repeat(i)) });
        ["a", "b"].map(|half| stored(&format!("s{i}-{half}"), account.clone()))
    });
    let scene = holding(&[(ORDERS, &many.collect::<Vec<_>>())]).await;
    let told = advice(&scene).await;
    let saved: Vec<u64> = told.iter().map(|one| one["savesBytes"].as_u64().unwrap()).collect();
    assert_eq!(told.len(), 8);
    assert!(saved.is_sorted_by(|a, b| a >= b), "{saved:?}");
}
