//! What is made larger, step by step, and how long the broker takes each time.

use std::hint::black_box;

use permission_broker::allowlist::Allowlist;
use permission_broker::grant::Grant;
use permission_broker::request::Request;
use permission_broker::requester::Requester;
use permission_broker::resource::Own;

use crate::aws::Lambda;
use crate::clock::{time, time_async};
use crate::stage::{FUNCTION_ARN, broker, invoke};
use crate::{Failure, document};

/// Times of one piece of work for growing sizes.
pub(crate) struct Series {
    pub(crate) what: &'static str,
    /// Sizes, and microseconds.
    pub(crate) points: Vec<(usize, f64)>,
}

/// Reading an allowlist, which happens once, and deciding by it.
fn parse_and_decide(
    names: [&'static str; 2],
    sizes: &[usize],
    document: impl Fn(usize) -> String,
) -> Result<Vec<Series>, Failure> {
    let own = Own::parse(FUNCTION_ARN).ok_or("no function ARN")?;
    let (mut parsing, mut deciding) = (Vec::new(), Vec::new());
    for &size in sizes {
        let text = document(size);
        let parse = |text: &str| Allowlist::parse(text).map_err(|problems| format!("{problems:?}"));
        let once = |()| {
            black_box(parse(&text)?);
            Ok(())
        };
        parsing.push((size, time(|| Ok(()), once)?));
        let allowlist = parse(&text)?;
        let request = document::request("s0").to_string();
        // One decision is too short for a clock.
        let thousand = || (0..1000).map(|_| grant(&request)).collect::<Result<Vec<Grant>, Failure>>();
        let decide = |grants: Vec<Grant>| {
            for grant in grants {
                black_box(allowlist.decide(grant, &Requester::Direct, &own)).map_err(|_| "denied")?;
            }
            Ok(())
        };
        deciding.push((size, time(thousand, decide)? / 1000.0));
    }
    let [parse, decide] = names;
    Ok(vec![Series { what: parse, points: parsing }, Series { what: decide, points: deciding }])
}

fn grant(request: &str) -> Result<Grant, Failure> {
    let request = Request::read(request).map_err(|_| "not a request")?;
    Ok(Grant::new(request).map_err(|_| "not a grant")?)
}

/// One rule with many accounts.
pub(crate) fn allowlist() -> Result<Vec<Series>, Failure> {
    let names = ["accounts in a rule: reading the allowlist, once", "accounts in a rule: one decision"];
    parse_and_decide(names, &[10, 1_000, 100_000], document::accounts)
}

/// Many rules, of which the last allows.
pub(crate) fn rules() -> Result<Vec<Series>, Failure> {
    let names = ["rules: reading the allowlist, once", "rules: one decision, by the last rule"];
    parse_and_decide(names, &[1, 10, 100, 1_000], document::rules)
}

/// A repeat: AWS refuses the id, and the whole policy is read and compared.
pub(crate) async fn policy() -> Result<Series, Failure> {
    let mut points = Vec::new();
    for statements in [1, 10, 30, 90] {
        let broker = broker(&document::accounts(1), Lambda::with(statements))?;
        // Over the HTTP API, as the reply to a batch does not tell one success from another.
        let event = document::http(&document::request(&format!("s{}", statements - 1)).to_string());
        let repeat = async || invoke(&broker, &event, "already_granted").await;
        points.push((statements, time_async(|| (), repeat).await?));
    }
    Ok(Series { what: "statements in the policy: a repeat, read back and compared", points })
}

/// Bodies of a request, up to what a request may have and far beyond.
pub(crate) async fn request() -> Result<Vec<Series>, Failure> {
    let broker = broker(&document::accounts(1), Lambda::default())?;
    let mut all = Vec::new();
    let within =
        ("bytes of a dry run: read and decided, and the policy looked at", [1_000, 8_000, 64_000], "would_grant");
    let beyond = ("bytes of a request: refused as too large", [100_000, 1_000_000, 6_000_000], "too_large");
    for (what, sizes, wanted) in [within, beyond] {
        let mut points = Vec::new();
        for bytes in sizes {
            let event = document::padded(bytes);
            points.push((bytes, time_async(|| (), async || invoke(&broker, &event, wanted).await).await?));
        }
        all.push(Series { what, points });
    }
    Ok(all)
}

/// Ten messages of the queue, and how they come: the same ten grants either way.
pub(crate) struct Batch {
    /// Microseconds of ten events, each with one message.
    pub(crate) ten_events: f64,
    /// Microseconds of one event with all of them.
    pub(crate) one_event: f64,
}

impl Batch {
    pub(crate) async fn measure() -> Result<Self, Failure> {
        Ok(Self { ten_events: ten_messages(10).await?, one_event: ten_messages(1).await? })
    }

    /// The same by messages in an event.
    pub(crate) fn series(&self) -> Series {
        let points = vec![(1, self.ten_events / 10.0), (10, self.one_event)];
        Series { what: "messages of the queue in one event, each granted and read back", points }
    }
}

/// Ten grants that come in so many events.
async fn ten_messages(events: usize) -> Result<f64, Failure> {
    let lambda = Lambda::default();
    let broker = broker(&document::accounts(1), lambda.clone())?;
    let messages = 10 / events;
    let events: Vec<String> = (0..events).map(|event| document::batch(event * messages, messages)).collect();
    let work = async || {
        for event in &events {
            invoke(&broker, event, r#"{"batchItemFailures":[]}"#).await?;
        }
        // That nothing failed does not say that something was granted.
        if lambda.len() == 10 { Ok(()) } else { Err(format!("{} statements of ten", lambda.len()).into()) }
    };
    time_async(|| lambda.clear(), work).await
}
