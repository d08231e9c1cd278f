//! Many queued grants under AWS's limit, with time as a value: the real broker and the real SDK on
//! tokio's paused clock, over a Lambda, a queue and sandboxes that exist in this test only.
//!
//! `BROKER_TEST_CASES=100000 cargo test simulation --release -- --nocapture` runs the full size and
//! prints how the time splits.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_lambda::config::Credentials;
use permission_broker::allowlist::Allowlist;
use permission_broker::audit::Audit;
use permission_broker::aws;
use permission_broker::broker::{Broker, Invocation};
use permission_broker::config;
use permission_broker::event::{Door, Doors};
use permission_broker::local::stage::FUNCTION_ARN;
use permission_broker::policy::Timing;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::answering::{Answer, Answering};
use crate::support::{json as read_json, text};

/// AWS's limit for changes in one account and region, and its own for `GetPolicy`: calls a second.
const LIMIT: f64 = 15.0;

/// What a call takes to be answered.
const LATENCY: Duration = Duration::from_millis(40);

/// A second's worth of calls may come at once.
struct Bucket {
    calls: f64,
    at: Instant,
}

impl Bucket {
    fn new() -> Self {
        Self { calls: LIMIT, at: Instant::now() }
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        self.calls = (self.calls + (now - self.at).as_secs_f64() * LIMIT).min(LIMIT);
        self.at = now;
        let allowed = self.calls >= 1.0;
        self.calls -= if allowed { 1.0 } else { 0.0 };
        allowed
    }
}

/// Lambda: policies by function, and the two limits.
struct Lambda {
    changes: Bucket,
    reads: Bucket,
    policies: HashMap<String, Vec<(String, Value)>>,
    tally: Tally,
}

/// Where the time of the sandboxes went.
#[derive(Default, Debug)]
struct Tally {
    adds: usize,
    adds_throttled: usize,
    reads: usize,
    reads_throttled: usize,
    busy: Duration,
}

#[derive(Clone)]
struct Aws(Arc<Mutex<Lambda>>);

impl Aws {
    fn answering(&self) -> Answering {
        let aws = self.clone();
        Answering::new(LATENCY, move |method, path, body| aws.answer(method, path, body))
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut lambda = self.0.lock().unwrap();
        let function = path.split('/').nth(3).unwrap().to_owned();
        if method == "GET" {
            lambda.tally.reads += 1;
            if !lambda.reads.take() {
                lambda.tally.reads_throttled += 1;
                return throttled();
            }
            let Some(policy) = lambda.policies.get(&function) else {
                let body = json!({ "Type": "User", "Message": "The resource you requested does not exist." });
                return (404, Some("ResourceNotFoundException"), body);
            };
            let statements: Vec<&Value> = policy.iter().map(|(_, statement)| statement).collect();
            let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
            return (200, None, json!({ "Policy": policy.to_string(), "RevisionId": "1" }));
        }
        lambda.tally.adds += 1;
        if !lambda.changes.take() {
            lambda.tally.adds_throttled += 1;
            return throttled();
        }
        let asked: Value = serde_json::from_slice(body).unwrap();
        let sid = asked["StatementId"].as_str().unwrap().to_owned();
        let policy = lambda.policies.entry(function.clone()).or_default();
        if policy.iter().any(|(known, _)| *known == sid) {
            let body = json!({ "Type": "User", "message": "The statement id provided already exists." });
            return (409, Some("ResourceConflictException"), body);
        }
        let account = asked["Principal"].as_str().unwrap();
        let statement = json!({
            "Sid": sid, "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
            "Action": asked["Action"], "Resource": format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"),
        });
        policy.push((sid, statement.clone()));
        (201, None, json!({ "Statement": statement.to_string() }))
    }
}

fn throttled() -> Answer {
    let body = json!({ "Type": "User", "message": "Rate Exceeded.", "Reason": "CallerRateLimitExceeded" });
    (429, Some("TooManyRequestsException"), body)
}

/// A number of the template: what follows its name on a line.
pub(crate) fn template(name: &str) -> u64 {
    let template = text("template.yaml");
    let line = template.lines().find(|line| line.trim_start().starts_with(&format!("{name}:"))).unwrap();
    line.split(':').nth(1).unwrap().trim().parse().unwrap()
}

/// How many sandboxes read the queue, where each policy is read first and where not.
fn readers(reads_first: bool) -> usize {
    let template = text("template.yaml");
    let [on, off] = template
        .lines()
        .find_map(|line| line.trim().strip_prefix("MaximumConcurrency: !If [ReadsFirst, ")?.strip_suffix(']'))
        .map(|numbers| numbers.split(", ").map(|number| number.parse().unwrap()).collect::<Vec<usize>>())
        .unwrap()[..]
    else {
        panic!("two numbers")
    };
    if reads_first { on } else { off }
}

/// The queue: messages that can be seen, and those that come back later.
struct Queue {
    visible: VecDeque<Message>,
    hidden: VecDeque<(Instant, Message)>,
    done: usize,
    dead: usize,
    left: usize,
}

#[derive(Clone)]
struct Message {
    id: usize,
    received: u64,
}

impl Queue {
    fn receive(&mut self, most: u64) -> Vec<Message> {
        while self.hidden.front().is_some_and(|(at, _)| *at <= Instant::now()) {
            let (_, message) = self.hidden.pop_front().unwrap();
            self.visible.push_back(message);
        }
        let most = (most as usize).min(self.visible.len());
        self.visible.drain(..most).collect()
    }
}

/// One sandbox: takes batches from the queue and hands them to its broker, until nothing is left.
async fn sandbox(aws: Aws, queue: Arc<Mutex<Queue>>, functions: usize, broker: Broker) {
    let (batch, visibility, most_receives) =
        (template("BatchSize"), template("VisibilityTimeout"), template("maxReceiveCount"));
    let timeout = Duration::from_secs(template("Timeout"));
    while queue.lock().unwrap().left > 0 {
        let received = Instant::now();
        let messages = queue.lock().unwrap().receive(batch);
        if messages.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        let records: Vec<Value> = messages.iter().map(|message| record(message.id, functions)).collect();
        let event = json!({ "Records": records }).to_string();
        let invocation = Invocation {
            request_id: "simulated",
            function_arn: FUNCTION_ARN,
            deadline: received + timeout,
            now: std::time::SystemTime::now(),
        };
        let reply = broker.handle(event.as_bytes(), &invocation).await.unwrap();
        let reply = read_json(reply.get());
        let failed: Vec<&str> = reply["batchItemFailures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["itemIdentifier"].as_str().unwrap())
            .collect();
        let mut queue = queue.lock().unwrap();
        for mut message in messages {
            message.received += 1;
            if !failed.contains(&format!("m-{}", message.id).as_str()) {
                queue.done += 1;
                queue.left -= 1;
            } else if message.received >= most_receives {
                queue.dead += 1;
                queue.left -= 1;
            } else {
                queue.hidden.push_back((received + Duration::from_secs(visibility), message));
            }
        }
        aws.0.lock().unwrap().tally.busy += received.elapsed();
    }
}

fn record(id: usize, functions: usize) -> Value {
    let request = json!({
        "operation": "AddPermission",
        "parameters": {
            "FunctionName": format!("f-{}", id % functions), "StatementId": format!("s-{id}"),
            "Action": "lambda:InvokeFunction", "Principal": "210987654321",
        },
    });
    json!({
        "messageId": format!("m-{id}"), "eventSource": "aws:sqs", "body": request.to_string(),
        "attributes": { "SenderId": "AIDAEXAMPLE" },
    })
}

fn broker(aws: &Aws, reads_first: bool) -> Broker {
    let place = config::Aws {
        region: "us-east-1".to_owned(),
        endpoint: Some("http://lambda.invalid".to_owned()),
        events_endpoint: None,
        schedules_endpoint: None,
        authorities: None,
    };
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "example");
    let client = aws::client_with(&place, aws.answering(), credentials);
    Broker {
        client,
        allowlist: Allowlist::parse(r#"{"accounts":["210987654321"]}"#).unwrap().into(),
        doors: Doors::new([Door::Sqs]),
        audit: Audit::new(io::sink()),
        reads_first,
        results: None,
        schedules: None,
        timing: Timing::DEPLOYED,
    }
}

#[tokio::test(start_paused = true)]
async fn queued_grants_use_the_whole_limit_and_none_is_lost() {
    simulate(false).await;
}

/// As the template deploys it.
#[tokio::test(start_paused = true)]
async fn queued_grants_whose_policy_is_read_first_use_the_whole_limit_and_none_is_lost() {
    simulate(true).await;
}

/// Plays all grants, with the setting that reads each policy before it is written off or on. A grant is read back once it
/// has settled, so that with it each has two reads, and AWS's own limit for reads lets half as many through.
async fn simulate(reads_first: bool) {
    let full: Option<usize> = std::env::var("BROKER_TEST_CASES").ok().map(|cases| cases.parse().unwrap());
    let grants = full.unwrap_or(250);
    // A hundred of these statements fit into a policy; what does not fit, the budget would refuse.
    let functions = grants.div_ceil(100);
    let aws = Aws(Arc::new(Mutex::new(Lambda {
        changes: Bucket::new(),
        reads: Bucket::new(),
        policies: HashMap::new(),
        tally: Tally::default(),
    })));
    let visible = (0..grants).map(|id| Message { id, received: 0 }).collect();
    let queue = Arc::new(Mutex::new(Queue { visible, hidden: VecDeque::new(), done: 0, dead: 0, left: grants }));
    let start = Instant::now();
    let sandboxes = readers(reads_first);
    let reads_each = if reads_first { 2 } else { 1 };
    let running: Vec<_> = (0..sandboxes)
        .map(|_| tokio::spawn(sandbox(aws.clone(), queue.clone(), functions, broker(&aws, reads_first))))
        .collect();
    for one in running {
        one.await.unwrap();
    }
    let took = start.elapsed();

    let lambda = aws.0.lock().unwrap();
    let queue = queue.lock().unwrap();
    assert_eq!((queue.done, queue.dead), (grants, 0), "every message is answered, none is given up");
    let stored: usize = lambda.policies.values().map(Vec::len).sum();
    assert_eq!(stored, grants, "one statement for each grant");
    let floor = Duration::from_secs_f64((reads_each * grants) as f64 / LIMIT);
    // A message that failed comes back once its visibility timeout is over; in a short run that is most of the time.
    let most = if full.is_some() {
        floor.mul_f64(1.1)
    } else {
        floor + Duration::from_secs(3 * template("VisibilityTimeout"))
    };
    let answered = lambda.tally.reads - lambda.tally.reads_throttled;
    assert!(answered < (reads_each + 1) * grants, "more reads than are needed: {:?}", lambda.tally);
    // A look that is throttled twice is left out; that has to stay the exception.
    assert!(100 * answered >= 97 * reads_each * grants, "looks were left out: {:?}", lambda.tally);
    assert!(took <= most, "took {took:?}, the limit alone takes {floor:?}");

    let Tally { adds, adds_throttled, reads, reads_throttled, busy } = lambda.tally;
    let all = sandboxes as f64 * took.as_secs_f64();
    let share = |time: Duration| 100.0 * time.as_secs_f64() / all;
    let calls = LATENCY * u32::try_from(adds + reads).unwrap();
    let settle = Timing::DEPLOYED.settle * u32::try_from(grants).unwrap();
    println!(
        "{grants} grants on {functions} functions, {sandboxes} sandboxes, reads first {reads_first}: {:.0} s, the limit alone {:.0} s ({:.3} x)",
        took.as_secs_f64(),
        floor.as_secs_f64(),
        took.as_secs_f64() / floor.as_secs_f64()
    );
    println!("  adds {adds} ({adds_throttled} throttled), reads {reads} ({reads_throttled} throttled)");
    println!(
        "  sandbox time: calls {:.0} %, settling {:.0} %, pauses after throttling {:.0} %, idle {:.0} %",
        share(calls),
        share(settle),
        share(busy.saturating_sub(calls + settle)),
        100.0 - share(busy)
    );
}
