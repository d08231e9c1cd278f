//! A layer with as many grants as fit, in a region where every call takes long: the carry finishes. Time is a value here: the
//! real broker and the real SDK run on tokio's paused clock, over a Lambda and a Scheduler that exist in this test only.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::config::Credentials;
use permission_broker::allowlist::Allowlist;
use permission_broker::audit::Audit;
use permission_broker::aws;
use permission_broker::broker::{Broker, Invocation};
use permission_broker::config;
use permission_broker::event::{Door, Doors};
use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::stage::{FUNCTION_ARN, WORLD};
use permission_broker::policy::{MOST_BYTES, Timing};
use permission_broker::schedule::Place;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{PARTNER, layer, published};
use crate::simulation::template;
use crate::support::answering::{Answer, Answering};
use crate::support::{Reply, Sink, json as parsed, string};

/// As many grants of this length as a policy has room for.
const GRANTS: usize = 89;

/// How often Lambda delivers an event that fails, and what it waits in between.
const DELIVERIES: [u64; 3] = [0, 60, 120];

#[derive(Default)]
struct World {
    policies: BTreeMap<u64, Vec<Value>>,
    /// What schedules are to send.
    waiting: Vec<String>,
    calls: usize,
}

fn standing(version: u64, i: usize) -> Value {
    json!({
        "Sid": format!("partner-{i:0>40}"), "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{PARTNER}:root") },
        "Action": "lambda:GetLayerVersion", "Resource": layer(version),
    })
}

fn policy(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements }).to_string()
}

impl World {
    fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.calls += 1;
        let labels: Vec<&str> = path.split('/').collect();
        if let Some(at) = labels.iter().position(|label| *label == "schedules") {
            let asked: Value = serde_json::from_slice(body).unwrap();
            self.waiting.push(string(&asked["Target"], "Input").replace("<aws.scheduler.execution-id>", "execution-1"));
            let (group, name) = (string(&asked, "GroupName"), labels[at + 1]);
            let arn = format!("arn:aws:scheduler:us-east-1:123456789012:schedule/{group}/{name}");
            return (200, None, json!({ "ScheduleArn": arn }));
        }
        let at = labels.iter().position(|label| *label == "versions").unwrap();
        let version: u64 = labels[at + 1].parse().unwrap();
        let missing =
            |text: String| (404, Some("ResourceNotFoundException"), json!({ "Type": "User", "Message": text }));
        if version > 3 {
            return missing(format!("Layer version {} does not exist.", layer(version)));
        }
        let statements = self.policies.entry(version).or_default();
        if method == "GET" {
            return match statements.as_slice() {
                [] => missing("No policy is associated with the given resource.".to_owned()),
                all => (200, None, json!({ "Policy": policy(all), "RevisionId": "1" })),
            };
        }
        let asked: Value = serde_json::from_slice(body).unwrap();
        assert!(statements.iter().all(|it| it["Sid"] != asked["StatementId"]), "nothing is sent twice");
        let mut statement = standing(version, 0);
        statement["Sid"] = asked["StatementId"].clone();
        statements.push(statement.clone());
        (201, None, json!({ "Statement": statement.to_string(), "RevisionId": "2" }))
    }
}

/// A deployed broker, with schedules or without, whose every call takes so long.
fn broker(aws: &Answering, with_schedules: bool, sink: impl io::Write + Send + 'static) -> Broker {
    let place = config::Aws {
        region: "us-east-1".to_owned(),
        endpoint: Some("http://lambda.invalid".to_owned()),
        events_endpoint: None,
        schedules_endpoint: Some("http://scheduler.invalid".to_owned()),
        authorities: None,
    };
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "example");
    let role = "arn:aws:iam::123456789012:role/permission-broker-schedules".to_owned();
    let group = with_schedules.then(|| Place { group: "broker".to_owned(), role, dead_letters: None });
    Broker {
        client: aws::client_with(&place, aws.clone(), credentials.clone()),
        allowlist: Allowlist::parse(&json!({ "accounts": [PARTNER] }).to_string()).unwrap().into(),
        doors: Doors::new([Door::EventBridge]),
        audit: Audit::new(sink),
        reads_first: true,
        results: None,
        schedules: aws::schedules_with(&place, group, aws.clone(), credentials),
        timing: Timing::DEPLOYED,
    }
}

/// How a carry went.
struct Run {
    /// What each delivery ended with: its outcome or code.
    endings: Vec<String>,
    /// Grants on the new version after each of them.
    given: Vec<usize>,
    /// The last records of each, as the audit has them.
    wholes: Vec<Value>,
    took: Duration,
}

/// Delivers CloudTrail's event as AWS does, and what schedules send, until nothing is left to deliver.
async fn carried(latency: Duration, with_schedules: bool) -> Run {
    let world =
        World { policies: BTreeMap::from([(2, (0..GRANTS).map(|i| standing(2, i)).collect())]), ..World::default() };
    let full = policy(&world.policies[&2]).len();
    assert!((MOST_BYTES - 229..=MOST_BYTES).contains(&full), "{full} bytes are a full policy");
    let world = Arc::new(Mutex::new(world));
    let asked = Arc::clone(&world);
    let aws = Answering::new(latency, move |method, path, body| asked.lock().unwrap().answer(method, path, body));
    let lines = Sink::new(&ControlPlane::from_world(WORLD).unwrap());
    let broker = broker(&aws, with_schedules, lines.clone());
    let (start, timeout) = (Instant::now(), Duration::from_secs(template("Timeout")));
    let mut run = Run { endings: Vec::new(), given: Vec::new(), wholes: Vec::new(), took: Duration::ZERO };
    let mut events = VecDeque::from([published(&json!({}))]);
    while let Some(event) = events.pop_front() {
        for pause in DELIVERIES {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            let begun = Instant::now();
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_442_922) + start.elapsed();
            let invocation =
                Invocation { request_id: "request-1", function_arn: FUNCTION_ARN, deadline: begun + timeout, now };
            let reply = Reply::of(broker.handle(&event, &invocation).await);
            assert!(begun.elapsed() < timeout, "{:?}", begun.elapsed());
            run.endings.push(reply.ending().to_owned());
            run.given.push(world.lock().unwrap().policies[&3].len());
            run.wholes.push(lines.take().pop().unwrap().line);
            if !reply.failed {
                break;
            }
        }
        let sent = std::mem::take(&mut world.lock().unwrap().waiting);
        if !sent.is_empty() {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        events.extend(sent.into_iter().map(String::into_bytes));
    }
    run.took = start.elapsed();
    run
}

/// Without anything else set up, three deliveries are enough for a full policy up to this time a call.
#[tokio::test(start_paused = true)]
async fn three_deliveries_carry_a_full_policy_in_a_slow_region() {
    let run = carried(Duration::from_millis(400), false).await;
    assert_eq!(run.endings, ["timed_out", "timed_out", "granted"]);
    assert_eq!(run.given, [30, 60, GRANTS]);
}

/// Where calls take nearly as long as they may, three deliveries are not enough, but each goes on where the last one stopped.
#[tokio::test(start_paused = true)]
async fn each_delivery_goes_on_where_the_last_one_stopped() {
    let run = carried(Duration::from_millis(1_900), false).await;
    assert_eq!(run.endings, ["timed_out"; 3]);
    assert_eq!(run.given, [4, 8, 12]);
}

/// With schedules the rest is sent on until nothing is left, and no event fails on the way.
#[tokio::test(start_paused = true)]
async fn with_schedules_a_carry_goes_on_until_it_is_done() {
    for (milliseconds, most) in [(120, 1), (400, 4), (1_900, 30)] {
        let run = carried(Duration::from_millis(milliseconds), true).await;
        assert!(run.endings.iter().all(|ending| ending == "granted"), "{:?}", run.endings);
        assert!(run.given.is_sorted_by(|a, b| a < b), "each gives something: {:?}", run.given);
        assert_eq!((run.given.last(), run.given.len()), (Some(&GRANTS), most), "{milliseconds} ms");
        let (last, before) = run.wholes.split_last().unwrap();
        assert!(last.get("carriesOnAt").is_none() && before.iter().all(|it| it["carriesOnAt"].is_string()));
        assert!(before.iter().all(|it| it["calls"].to_string().contains("schedule:200")));
        // Who asked stays who asked.
        assert!(run.wholes.iter().all(|it| it["requester"] == "eventbridge:123456789012:aws.lambda"));
        println!("{milliseconds} ms a call: {} invocations, {:?}", run.given.len(), run.took);
    }
}

/// What is sent is read as the request that it stands for, and what cannot be sent fails its event.
#[tokio::test]
async fn what_cannot_be_sent_on_comes_again() {
    use permission_broker::local::control_plane::{Fault, FaultKind, Operation};

    let parties: Vec<String> = (0..20).map(|i| format!("s{i:02}")).collect();
    let parties: Vec<_> = parties.iter().map(|id| (id.as_str(), json!({ "Principal": PARTNER }))).collect();
    for refused in [false, true] {
        let mut scene = super::granted(&parties).await;
        scene.plane.inject(
            Fault::new(FaultKind::Delay(Duration::from_millis(20))).on(Operation::AddLayerVersionPermission).times(99),
        );
        scene.broker.timing.call = Duration::from_millis(400);
        if refused {
            scene.plane.inject(Fault::access_denied().on(Operation::CreateSchedule));
        }
        let reply = scene.invoke_within(&published(&json!({ "dryRun": null })), Duration::from_millis(600)).await;
        let given = super::sids(&scene, 3).len();
        assert!((1..20).contains(&given), "{given}");
        let whole = scene.records().pop().unwrap();
        if refused {
            assert_eq!((reply.failed, reply.code(), whole.get("carriesOnAt")), (true, "access_denied", None));
            continue;
        }
        assert_eq!((reply.failed, reply.outcome()), (false, "granted"));
        assert_eq!(string(&whole, "carriesOnAt"), "2026-03-02T09:16:22Z");
        scene.plane.clear_faults();
        scene.now += Duration::from_secs(60);
        let [event] = scene.plane.take_due(scene.now).try_into().unwrap();
        let sent = parsed(&event);
        let parameters =
            json!({ "LayerName": "arn:aws:lambda:us-east-1:123456789012:layer:common", "VersionNumber": 3 });
        assert_eq!(sent["detail"], json!({ "operation": "CarryLayerForward", "parameters": parameters }));
        assert_eq!((&sent["source"], &sent["account"]), (&json!("aws.lambda"), &json!("123456789012")));
        let reply = scene.invoke(event.as_bytes()).await;
        assert_eq!((reply.failed, reply.outcome()), (false, "granted"));
        assert_eq!(super::sids(&scene, 3).len(), 20);
        assert!(scene.records().pop().unwrap().get("carriesOnAt").is_none());
    }
}
