//! Different grants on one function, through the queue, by many sandboxes at once, while AWS refuses
//! parallel writes, and while it loses them, with each policy read first and not: what is acknowledged is there at the
//! end, and stays.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use permission_broker::local::control_plane::{ConcurrentUpdates, ControlPlane};
use permission_broker::local::stage::{ALLOWLIST, Stage, WORLD};
use permission_broker::policy::Timing;
use serde_json::{Value, json};

use crate::support::{QUICK, Reply, cases, door, grant, writes};

/// A policy has room for some eighty of these statements, so one function's grants need qualifiers.
const PER_VERSION: usize = 40;
const SANDBOXES: usize = 16;
/// As in the template.
const BATCH: usize = 10;
const MOST_DELIVERIES: usize = 20;

/// A queue that delivers until it is told that a message is done.
struct Queue {
    waiting: VecDeque<usize>,
    under_way: usize,
    deliveries: BTreeMap<usize, usize>,
}

impl Queue {
    fn receive(&mut self) -> Vec<usize> {
        let batch: Vec<usize> = (0..BATCH).filter_map(|_| self.waiting.pop_front()).collect();
        self.under_way += batch.len();
        for message in &batch {
            *self.deliveries.entry(*message).or_default() += 1;
        }
        batch
    }

    fn answer(&mut self, batch: &[usize], failed: impl Iterator<Item = usize>) {
        self.under_way -= batch.len();
        self.waiting.extend(failed);
    }
}

fn request(message: usize) -> Value {
    let version = (message / PER_VERSION + 1).to_string();
    grant(json!({ "Qualifier": version, "StatementId": format!("grant-{message}") }))
}

/// One sandbox, which works until nothing is left.
async fn work(plane: ControlPlane, queue: Arc<Mutex<Queue>>, reads_first: bool) {
    let mut stage = Stage::new(plane, ALLOWLIST).await.unwrap();
    stage.broker.reads_first = reads_first;
    // All sandboxes share one thread here, so a write under way may take as long as all others need to move on: some
    // twenty milliseconds, when they start.
    stage.broker.timing = Timing { settle: Duration::from_millis(125), ..QUICK };
    loop {
        let batch = queue.lock().unwrap().receive();
        if batch.is_empty() {
            if queue.lock().unwrap().under_way == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        let bodies: Vec<String> = batch.iter().map(|message| request(*message).to_string()).collect();
        let event = door::messages(&bodies).to_string();
        let reply = Reply::of(stage.invoke("request-1", event.as_bytes()).await);
        let failed = reply.failed_messages().unwrap();
        let place = |id: &str| id.strip_prefix("message-").unwrap().parse::<usize>().unwrap();
        queue.lock().unwrap().answer(&batch, failed.iter().map(|id| batch[place(id)]));
    }
}

/// Floods the queue; gives how many writes AWS accepted beyond those that were asked for.
async fn flood(updates: ConcurrentUpdates, reads_first: bool) -> usize {
    let count = cases(if reads_first { 40 } else { 120 }).min(1_000);
    let plane = ControlPlane::from_world(WORLD).unwrap();
    let versions: Vec<u64> = (1..=count.div_ceil(PER_VERSION) as u64).collect();
    plane.add_function("orders", &versions, &[]);
    plane.concurrent_updates(updates);
    let queue = Queue { waiting: (0..count).collect(), under_way: 0, deliveries: BTreeMap::new() };
    let queue = Arc::new(Mutex::new(queue));
    let start = Instant::now();
    let mut sandboxes = tokio::task::JoinSet::new();
    for _ in 0..SANDBOXES {
        sandboxes.spawn(work(plane.clone(), queue.clone(), reads_first));
    }
    sandboxes.join_all().await;
    let documents: String = plane.policies().into_iter().map(|(_, document, _)| document).collect();
    let missing = |message: &usize| !documents.contains(&format!("\"grant-{message}\""));
    assert_eq!((0..count).filter(missing).collect::<Vec<_>>(), Vec::<usize>::new(), "acknowledged, but lost");
    assert_eq!(documents.matches("\"Sid\"").count(), count);
    let most = queue.lock().unwrap().deliveries.values().copied().max().unwrap();
    assert!(most <= MOST_DELIVERIES, "a message was delivered {most} times");
    let accepted = plane.calls().iter().filter(|call| call.committed).count();
    println!(
        "{updates:?}, reads first {reads_first}: {count} grants in {:.1} s, {} writes, {} reads, {} lost and made again, at most {most} deliveries",
        start.elapsed().as_secs_f64(),
        writes(&plane),
        plane.calls().len() - writes(&plane),
        accepted - count,
    );
    accepted - count
}

#[tokio::test]
async fn every_acknowledged_grant_is_there_where_aws_refuses_parallel_writes() {
    let refuses = ConcurrentUpdates::Refuse { window: Duration::from_millis(3) };
    let (lost, lost_reading_first) = tokio::join!(flood(refuses, false), flood(refuses, true));
    assert_eq!((lost, lost_reading_first), (0, 0));
}

#[tokio::test]
async fn every_acknowledged_grant_is_there_where_aws_loses_parallel_writes() {
    let loses = ConcurrentUpdates::LoseSilently { window: Duration::from_millis(4) };
    let (lost, lost_reading_first) = tokio::join!(flood(loses, false), flood(loses, true));
    assert!(lost > 0 && lost_reading_first > 0, "nothing was lost, so nothing was tried");
}
