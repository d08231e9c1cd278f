//! Results: each outcome as an event on a bus, so that a chat bot or a ticket system follows without reading logs.
//!
//! An event is made of an outcome's written line and of nothing else: what is not on record is not told. The
//! events of one invocation are sent together, after its last record and before its reply. Whatever becomes of that,
//! the reply and what AWS delivers again stay as they are; events that are not known to have arrived are
//! counted in a record of their own.
//!
//! What the broker tells must never come back to it as a request: see `is_own` and `is_result`.

mod batch;
mod bus;

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant as Started};

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::operation::put_events::PutEventsOutput;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::audit::{Audit, Publication};
use crate::broker::Invocation;
use crate::error::{Code, Fault};
use crate::json::Object;
use crate::outcome::Outcome;
use crate::policy::{Timing, shown, word};
pub use bus::Bus;

/// The `source` of every event of the broker.
pub const SOURCE: &str = "permission-broker";

/// The `detail-type` of the events that carry a request.
pub(crate) const REQUEST: &str = "Grant Requested";

/// The version of the detail's shape. Members may be added to a version, and none is taken away or changes its meaning.
pub const DETAIL_VERSION: u32 = 1;

/// An event that waits to be published.
pub(crate) struct Event {
    pub(crate) detail_type: &'static str,
    pub(crate) detail: String,
    /// The ARN that the policy belongs to, for rules that look at `resources`.
    pub(crate) target: Option<String>,
}

/// What an outcome is called on the bus; a read and a dry run are not told.
pub const fn detail_type(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Granted => Some("grant.created"),
        Outcome::AlreadyGranted | Outcome::AlreadyRevoked => Some("grant.unchanged"),
        Outcome::Revoked => Some("grant.revoked"),
        Outcome::Denied | Outcome::Rejected => Some("grant.denied"),
        Outcome::Conflict | Outcome::Failed => Some("grant.failed"),
        Outcome::WouldGrant | Outcome::WouldRevoke | Outcome::Read | Outcome::Described => None,
    }
}

/// What the end of a timed grant is called, when its time has come.
pub const EXPIRED: &str = "grant.expired";

/// Whether an event has the broker's own source and does not say that it is a request. Requests may have that source,
/// so that a deployment which uses it for them goes on working.
pub(crate) fn is_own(event: &Object<'_>) -> bool {
    event.string("source").is_some_and(|source| source == SOURCE)
        && event.string("detail-type").is_none_or(|detail_type| detail_type != REQUEST)
}

/// Whether a document is the detail of a result, which a rule may have passed on without its envelope.
pub(crate) fn is_result(document: &Object<'_>) -> bool {
    document.has("outcome") && document.has("requestId")
}

/// The refusal of either. Its own outcome is not published, or it would come back for ever.
pub(crate) fn own() -> Fault {
    Fault::new("", Code::OwnResult, "this tells what became of a request; a rule sends the broker's results back to it")
}

/// The most events of one invocation that are published. A queue's batch and a layer's grants stay far below it; a
/// hostile event of ten thousand requests must not fill the memory with what became of them.
const MOST_EVENTS: usize = 1_000;

/// The events of one invocation.
#[derive(Default)]
pub(crate) struct Outbox(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    events: Vec<Event>,
    /// How many more there were than are kept.
    over: usize,
}

impl Outbox {
    pub(crate) fn put(&self, event: Event) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.events.len() < MOST_EVENTS {
            waiting.events.push(event);
        } else {
            waiting.over += 1;
        }
    }
}

/// The bus, and the way to it.
pub struct Results {
    bus: Bus,
    build: Box<dyn Fn() -> Client + Send + Sync>,
    client: OnceLock<Client>,
}

impl Results {
    /// The client is built when the first event is published.
    pub fn new(bus: Bus, build: impl Fn() -> Client + Send + Sync + 'static) -> Self {
        Self { bus, build: Box::new(build), client: OnceLock::new() }
    }

    /// Publishes, and records what did not arrive. Nothing of it is an error of the invocation: neither a panic nor
    /// a record that cannot be written.
    pub(crate) async fn publish(&self, outbox: Outbox, audit: &Audit, invocation: &Invocation<'_>, timing: Timing) {
        let Waiting { events, over } = outbox.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut publication = Publication {
            request_id: invocation.request_id,
            started: Started::now(),
            events: events.len() + over,
            lost: events.len() + over,
            calls: Vec::new(),
            aws_code: None,
            code: (over > 0).then_some(Code::TooLarge),
        };
        // Half of what is kept back before the deadline: the outcomes are recorded by now, the reply is not sent.
        let end = invocation.deadline.checked_sub(timing.reserve / 2).unwrap_or(invocation.deadline);
        let sending = self.send_all(&events, &mut publication, timing, end);
        if AssertUnwindSafe(sending).catch_unwind().await.is_err() {
            publication.code = Some(Code::Internal);
        }
        if publication.lost > 0 {
            let _ = audit.unpublished(&publication);
        }
    }

    async fn send_all(&self, events: &[Event], publication: &mut Publication<'_>, timing: Timing, end: Instant) {
        for batch in batch::batches(events) {
            let left = end.saturating_duration_since(Instant::now());
            if left < timing.least_call {
                publication.code = Some(Code::TimedOut);
                return;
            }
            self.send(batch, publication, left.min(timing.call)).await;
        }
    }

    /// One call. It is not repeated: an event that came twice would be told twice, and the audit has it.
    async fn send(&self, events: &[Event], publication: &mut Publication<'_>, time: Duration) {
        let client = self.client.get_or_init(&self.build);
        let entries = events.iter().map(|event| self.entry(event)).collect();
        let call = client.put_events().set_entries(Some(entries)).send();
        let (seen, lost, aws_code) = match tokio::time::timeout(time, call).await {
            Err(_) => ("timeout".to_owned(), events.len(), None),
            Ok(Err(error)) => {
                let (seen, aws_code) = shown(&error);
                (seen, events.len(), aws_code)
            }
            Ok(Ok(output)) => refused(&output, events.len()),
        };
        publication.calls.push(format!("put:{seen}"));
        publication.lost = publication.lost.saturating_sub(events.len() - lost.min(events.len()));
        publication.aws_code = publication.aws_code.take().or(aws_code);
    }

    fn entry(&self, event: &Event) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(self.bus.as_str())
            .source(SOURCE)
            .detail_type(event.detail_type)
            .detail(&event.detail)
            .set_resources(event.target.clone().map(|target| vec![target]))
            .build()
    }
}

/// AWS takes some events of a call and refuses others, all with 200: how many, and the first reason.
fn refused(output: &PutEventsOutput, sent: usize) -> (String, usize, Option<String>) {
    let codes = output.entries().iter().filter_map(|entry| entry.error_code());
    let counted = usize::try_from(output.failed_entry_count()).unwrap_or(sent);
    let lost = counted.max(codes.clone().count()).min(sent);
    let aws_code = codes.filter_map(word).next();
    let seen = aws_code.as_ref().map_or_else(|| "200".to_owned(), |code| format!("200 {code}"));
    (seen, lost, aws_code)
}
