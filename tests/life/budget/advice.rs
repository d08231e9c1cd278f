//! What would make room in a policy: computed, and true when it is followed.

use serde_json::{Value, json};

use super::super::{ORDERS, holding, revoke, stored};
use super::{FRAME, MOST, next, reading};
use crate::support::{Door, Scene, grant, with};

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

/// Which of them is told may depend on nothing but the statements: there may be more than are listed.
#[tokio::test]
async fn what_saves_the_same_is_told_in_one_order() {
    // As many bytes as an account's statement, by its id.
    let everyone = |sid: &str| stored(&format!("{sid:x<38}"), json!({ "Principal": "*" }));
    let account = |sid: &str| stored(sid, json!({}));
    let all = [everyone("a"), account("b"), everyone("c"), account("d")];
    for turn in 0..all.len() {
        let mut statements = all.clone();
        statements.rotate_left(turn);
        let told = advice(&holding(&[(ORDERS, &statements)]).await).await;
        assert_eq!(told.len(), 2);
        assert_eq!(told[0]["savesBytes"], told[1]["savesBytes"]);
        let accounts = told[0]["statementIds"][0].as_str().unwrap();
        assert!(["b", "d"].contains(&accounts), "{told:?}");
    }
}

/// What ends is no reason for a grant that does not.
#[tokio::test]
async fn timed_grants_are_no_part_of_what_could_stand_for_several() {
    let root = |account: &str| json!({ "Principal": { "AWS": format!("arn:aws:iam::{account}:root") } });
    let timed = "b-until-20270131T180000Z-1a2b3c4d";
    for (second, told) in [("b", 1), (timed, 0)] {
        let statements = [stored("a", root("210987654321")), stored(second, root("999999999999"))];
        let scene = holding(&[(ORDERS, &statements)]).await;
        assert_eq!(advice(&scene).await.len(), told, "{second}");
    }
}

/// A pattern holds at least one whole word of the name, after the type where there is one: else it would let in all.
#[tokio::test]
async fn no_pattern_is_as_wide_as_a_type() {
    let of = |resource: &str| format!("arn:aws:events:us-east-1:210987654321:{resource}");
    let cases: [(&[&str], &[&str]); 12] = [
        (&["rule/nightly-a", "rule/nightly-b"], &["rule/nightly-*"]),
        (&["rule/nightly", "rule/hourly"], &[]),
        (&["rule/nightly-a", "rule/hourly-a"], &[]),
        (&["orders1", "orders2"], &[]),
        (&["a-1", "a-2"], &[]),
        (&["ab-1", "ab-2"], &["ab-*"]),
        (&["a-ab-1", "a-ab-2", "a-cd-1"], &["a-ab-*"]),
        (&["api1/*/GET/a", "api1/*/GET/b", "api1/*/POST/a"], &["api1/*/GET/*"]),
        (&["rule/a.b.c.d-1", "rule/a.b.c.d-2"], &[]),
        // Every name of these types begins so.
        (&["userpool/us-east-1_aB1", "userpool/us-east-1_aB2"], &[]),
        (&["config-rule/config-rule-ab1", "config-rule/config-rule-ab2"], &[]),
        (&["config-rule/config-rule-ab-1", "config-rule/config-rule-ab-2"], &["config-rule/config-rule-ab-*"]),
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

/// One API of API Gateway is granted route by route. What differs in stage or method alone has one pattern, with a `*` in
/// that place and nowhere else.
#[tokio::test]
async fn the_methods_of_one_route_have_one_pattern() {
    let of = |resource: &str| format!("arn:aws:execute-api:us-east-1:210987654321:{resource}");
    let cases: [(&[&str], &[&str]); 12] = [
        (&["api1/*/GET/orders", "api1/*/POST/orders"], &["api1/*/*/orders"]),
        (&["api1/prod/GET/orders", "api1/prod/POST/orders", "api1/prod/PUT/orders"], &["api1/prod/*/orders"]),
        (&["api1/prod/GET/orders", "api1/dev/GET/orders"], &["api1/*/GET/orders"]),
        (&["api1/prod/GET/orders", "api1/dev/POST/orders"], &["api1/*/*/orders"]),
        (&["api1/prod/GET/", "api1/prod/POST/"], &["api1/prod/*/"]),
        // One of them reaches as far as the pattern already.
        (&["api1/*/*/orders", "api1/*/GET/orders"], &["api1/*/*/orders"]),
        // Two paths are two routes, and two APIs have nothing in common.
        (&["api1/*/GET/orders", "api1/*/POST/invoices"], &[]),
        (&["api1/*/GET/orders", "api2/*/POST/orders"], &[]),
        (&["api1/*/GET/orders", "api1/*/GET/orders"], &[]),
        (&["api1/*/GET/orders/a", "api1/*/GET/orders/b"], &["api1/*/GET/orders/*"]),
        // No method, but a WebSocket's own route, or an authorizer.
        (&["api1/*/send/orders", "api1/*/read/orders"], &[]),
        (&["api1/authorizers/a1b2", "api1/dev/a1b2"], &[]),
    ];
    for (resources, patterns) in cases {
        let statement = |(i, resource): (usize, &&str)| {
            let condition = json!({ "ArnLike": { "AWS:SourceArn": of(resource) } });
            let service = json!({ "Service": "apigateway.amazonaws.com" });
            stored(&format!("s{i}"), json!({ "Principal": service, "Condition": condition }))
        };
        let scene = holding(&[(ORDERS, &resources.iter().enumerate().map(statement).collect::<Vec<_>>())]).await;
        let told = advice(&scene).await;
        let told: Vec<&Value> = told.iter().filter(|it| it["advice"] == "use_one_source_arn").collect();
        let instead: Vec<_> = told.iter().map(|it| it["instead"].as_str().unwrap().to_owned()).collect();
        assert_eq!(instead, patterns.iter().map(|it| of(it)).collect::<Vec<_>>(), "{resources:?}");
    }
}

/// A policy that is full of one route's methods says so where it refuses and where it warns, and the advice comes true.
#[tokio::test]
async fn what_a_route_saves_is_what_a_full_policy_proposes() {
    let service = "sns.amazonaws.com";
    let statement = |i: usize| {
        let method = ["GET", "POST", "PUT", "PATCH"][i % 4];
        let arn = format!("arn:aws:execute-api:us-east-1:210987654321:api1/stage{}/{method}/orders", i / 4);
        let condition =
            json!({ "StringEquals": { "AWS:SourceAccount": "210987654321" }, "ArnLike": { "AWS:SourceArn": arn } });
        stored(&format!("s{i:02}"), json!({ "Principal": { "Service": service }, "Condition": condition }))
    };
    let statements: Vec<Value> = (0..)
        .map(statement)
        .scan(FRAME, |bytes, it| {
            *bytes += next(&it);
            (*bytes <= MOST).then_some(it)
        })
        .collect();
    let scene = reading(&statements).await;
    let reply = scene.ask(Door::Direct, &grant(json!({ "Principal": "123456789012" }))).await;
    assert_eq!(reply.code(), "policy_full");
    let advice = &reply.document["policy"]["advice"][0];
    let pattern = "arn:aws:execute-api:us-east-1:210987654321:api1/*/*/orders";
    assert_eq!((&advice["advice"], &advice["instead"]), (&json!("use_one_source_arn"), &json!(pattern)));
    assert_eq!(advice["statementIds"].as_array().unwrap().len(), statements.len());
    let instead = json!({ "Principal": service, "SourceAccount": "210987654321", "SourceArn": pattern });
    follow(&scene, advice, Some(instead)).await;
    assert_eq!(scene.statements(ORDERS).len(), 1);
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

/// Of two that mean the same, whoever takes one away is not told that the other could go too.
#[tokio::test]
async fn the_dry_run_of_a_revoke_advises_on_what_stays() {
    let statements = ["a", "b", "c"].map(|sid| stored(sid, json!({})));
    for (standing, sid, spare) in
        [(2, "a", json!(null)), (2, "b", json!(null)), (3, "a", json!(["c"])), (3, "c", json!(["b"]))]
    {
        let scene = holding(&[(ORDERS, &statements[..standing])]).await;
        let request = revoke(json!({ "StatementId": sid }));
        let told = scene.ask(Door::Direct, &super::beside(request.clone(), json!({ "dryRun": true }))).await.document;
        assert_eq!(told["outcome"], "would_revoke");
        assert_eq!(told["policy"]["advice"][0]["statementIds"], spare, "{sid} of {standing}");
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "revoked");
        let after = advice(&scene).await;
        assert_eq!(told["policy"]["advice"].as_array().cloned().unwrap_or_default(), after, "{sid} of {standing}");
    }
}
