//! Reading an account through the SDK: every page of every list, what is too busy, and what cannot be read.

use std::collections::BTreeMap;
use std::time::Duration;

use permission_broker::local::control_plane::{ControlPlane, Fault, Operation};
use permission_broker::local::report::{self, Step, Use, Wanted};
use permission_broker::local::stage::ALLOWLIST;
use serde_json::{Value, json};

use super::{LAYER, ORDERS, data, world};
use crate::support::all;

/// As it is by default, with pauses that a test has time for.
fn wanted() -> Wanted {
    Wanted { pause: Duration::from_millis(1), ..Wanted::default() }
}

async fn read(plane: &ControlPlane, wanted: &Wanted) -> Result<Value, String> {
    let report = report::of_world(plane.clone(), ("the test's", ALLOWLIST), wanted, |_| {}).await;
    report.map(|report| data(&report::html(&report, Use::File).unwrap())).map_err(|error| error.to_string())
}

fn account(resource: &str) -> Value {
    json!({
        "Sid": "s", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": "lambda:InvokeFunction", "Resource": resource,
    })
}

fn calls(plane: &ControlPlane) -> BTreeMap<&'static str, usize> {
    let mut calls = BTreeMap::new();
    for call in plane.calls() {
        *calls.entry(call.operation.map_or("other", Operation::name)).or_default() += 1;
    }
    calls
}

/// AWS answers 50 entries at most: both edges of one page, and several pages.
#[tokio::test]
async fn every_page_of_every_list_is_read() {
    all(6, [0, 1, 50, 51, 100, 101].map(every_page_is_read).into()).await;
}

async fn every_page_is_read(many: i64) {
    let plane = ControlPlane::new("aws", "us-east-1", "123456789012");
    plane.add_function("one", &[1], &[]);
    for n in 1..many {
        plane.add_function(&format!("function-{n}"), &[], &[]);
        plane.add_layer(&format!("layer-{n}"), &[1]);
    }
    let aliases: Vec<String> = (0..many).map(|n| format!("alias-{n}")).collect();
    let aliases: Vec<(&str, &str)> = aliases.iter().map(|alias| (alias.as_str(), "1")).collect();
    plane.add_function("one", &[], &aliases).add_layer("many", &(1..=many).collect::<Vec<i64>>());
    let data = read(&plane, &wanted()).await.unwrap();
    let (others, many) = (many.max(1) - 1, usize::try_from(many).unwrap());
    let counts = json!({
        "functions": others + 1, "aliases": many, "versions": 0,
        "layers": if many == 0 { others } else { others + 1 },
        "layerVersions": usize::try_from(others).unwrap() + many,
    });
    assert_eq!(data["counts"], counts, "{many}");
}

/// Of functions the aliases as well, of layers every version, and on request the versions of functions.
#[tokio::test]
async fn every_policy_that_is_wanted_is_read() {
    let (live, second) = (format!("{ORDERS}:live"), format!("{ORDERS}:2"));
    let layer = LAYER.replace("common:1", "common:2");
    let names = |data: &Value| data["targets"]["name"].clone();
    let all = [ORDERS, &live, &second, LAYER, &layer].map(|arn| (arn, vec![account(arn)]));
    let all: Vec<(&str, &[Value])> = all.iter().map(|(arn, statements)| (*arn, statements.as_slice())).collect();
    let plane = world(&all);
    let usual = read(&plane, &wanted()).await.unwrap();
    assert_eq!(names(&usual), json!(["function:orders", "function:orders:live", "layer:common:2", "layer:common:1"]));
    let with_versions = read(&plane, &Wanted { versions: true, ..wanted() }).await.unwrap();
    let mut wanted_names =
        json!(["function:orders", "function:orders:live", "function:orders:2", "layer:common:2", "layer:common:1"]);
    assert_eq!(names(&with_versions), wanted_names);
    assert_eq!((&with_versions["counts"]["versions"], &with_versions["withVersions"]), (&json!(2), &json!(true)));
    let prefixed = read(&plane, &Wanted { prefix: "com".to_owned(), ..wanted() }).await.unwrap();
    wanted_names = json!(["layer:common:2", "layer:common:1"]);
    assert_eq!((names(&prefixed), &prefixed["prefix"]), (wanted_names, &json!("com")));
    // The account is known all the same.
    let none = read(&plane, &Wanted { prefix: "none".to_owned(), ..wanted() }).await.unwrap();
    assert_eq!((names(&none), &none["account"]), (json!([]), &json!("123456789012")));
}

#[tokio::test]
async fn a_busy_aws_is_asked_again() {
    let plane = world(&[(ORDERS, &[account(ORDERS)])]);
    plane.inject(Fault::throttled(None).on(Operation::ListFunctions).times(6));
    plane.inject(Fault::throttled(None).on(Operation::GetPolicy).times(6));
    let data = read(&plane, &wanted()).await.unwrap();
    assert_eq!((&data["unread"], &data["targets"]["name"]), (&json!([]), &json!(["function:orders"])));
    let calls = calls(&plane);
    assert_eq!((calls["ListFunctions"], calls["GetPolicy"]), (7, 4 + 6));
}

/// What stays busy, what is refused and what fails is listed, and the rest is read.
#[tokio::test]
async fn what_cannot_be_read_is_listed_beside_the_rest() {
    let live = format!("{ORDERS}:live");
    let policies: [(&str, &[Value]); 3] =
        [(ORDERS, &[account(ORDERS)]), (&live, &[account(&live)]), (LAYER, &[account(LAYER)])];
    let unread =
        |target: &str, operation: &str, code: &str| json!({ "target": target, "operation": operation, "code": code });
    let cases = [
        (
            Fault::throttled(None).on(Operation::GetPolicy).times(7),
            unread("function:orders", "GetPolicy", "TooManyRequestsException"),
            2,
        ),
        (
            Fault::access_denied().on(Operation::GetPolicy),
            unread("function:orders", "GetPolicy", "AccessDeniedException"),
            2,
        ),
        (
            Fault::access_denied().on(Operation::ListAliases),
            unread("function:orders", "ListAliases", "AccessDeniedException"),
            2,
        ),
        (
            Fault::access_denied().on(Operation::ListFunctions),
            unread("functions", "ListFunctions", "AccessDeniedException"),
            1,
        ),
        (
            Fault::access_denied().on(Operation::ListLayerVersions),
            unread("layer:common", "ListLayerVersions", "AccessDeniedException"),
            2,
        ),
        (
            Fault::access_denied().on(Operation::GetLayerVersionPolicy).times(2),
            unread("layer:common:2", "GetLayerVersionPolicy", "AccessDeniedException"),
            2,
        ),
    ];
    for (fault, wanted_unread, read_all_the_same) in cases {
        let plane = world(&policies);
        plane.inject(fault.clone());
        let data = read(&plane, &wanted()).await.unwrap();
        assert_eq!(data["unread"][0], wanted_unread, "{fault:?}");
        assert_eq!(data["targets"]["name"].as_array().unwrap().len(), read_all_the_same, "{fault:?}");
        assert_eq!(plane.faults_left(), 0);
    }
}

/// Credentials that have expired are not tried two thousand times.
#[tokio::test]
async fn credentials_that_failed_are_not_used_again() {
    let plane = world(&[(ORDERS, &[account(ORDERS)])]);
    let expired = permission_broker::local::control_plane::FaultKind::Answer {
        status: 403,
        error_type: Some("ExpiredTokenException".to_owned()),
        headers: Vec::new(),
        body: r#"{"message":"The security token included in the request is expired"}"#.to_owned(),
    };
    plane.inject(Fault::new(expired).on(Operation::GetPolicy).times(2));
    let data = read(&plane, &wanted()).await.unwrap();
    assert_eq!(plane.faults_left(), 1, "one was enough");
    let unread = data["unread"].as_array().unwrap();
    assert!(unread.len() > 4 && unread.iter().all(|entry| entry["code"] == "ExpiredTokenException"), "{unread:?}");
}

/// A page that shows nothing at all would look like an account without a problem.
#[tokio::test]
async fn where_nothing_can_be_read_there_is_no_page() {
    let plane = world(&[(ORDERS, &[account(ORDERS)])]);
    plane.inject(Fault::access_denied().times(2));
    let error = read(&plane, &wanted()).await.unwrap_err();
    assert_eq!(
        error,
        "nothing could be read (ListFunctions: AccessDeniedException, ListLayers: AccessDeniedException)"
    );
    // An account that has nothing is another matter.
    let empty = ControlPlane::new("aws", "us-east-1", "123456789012");
    assert_eq!(read(&empty, &wanted()).await.unwrap()["targets"]["name"], json!([]));
}

#[tokio::test]
async fn it_tells_how_far_it_is() {
    let mut steps = Vec::new();
    let plane = world(&[(ORDERS, &[account(ORDERS)])]);
    report::of_world(plane, ("the test's", ALLOWLIST), &wanted(), |step| steps.push(step)).await.unwrap();
    let reading = (0..4).map(|done| Step::Reading(done, 4));
    assert_eq!(steps, [Step::Listing(3), Step::Listing(4)].into_iter().chain(reading).collect::<Vec<_>>());
}
