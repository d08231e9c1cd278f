//! Replies, audit lines and policies for a person at a terminal; nothing is lost without colour.

mod checked;
mod explanation;
mod page;
mod policies;

use std::io::{self, Write};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::outcome::Outcome;
use crate::reply::Failure;
pub use page::wants_colour;
use page::{Ink, Page};

/// Shows what came of events, and counts it.
pub struct Show<W> {
    page: Page<W>,
    events: usize,
    failed_invocations: usize,
    outcomes: Vec<String>,
}

impl<W: Write> Show<W> {
    /// Shows on a writer, with colour or without.
    pub fn new(out: W, colour: bool) -> Self {
        Self { page: Page::new(out, colour), events: 0, failed_invocations: 0, outcomes: Vec::new() }
    }

    /// One event: its name, then for each request in it who asked for what, what came of it and its
    /// records. Raw records are the lines as they were written.
    pub fn event(
        &mut self,
        name: &str,
        reply: &Result<Box<RawValue>, Failure>,
        audit: &[String],
        raw: bool,
    ) -> io::Result<()> {
        self.events += 1;
        self.page.title(name)?;
        let records: Vec<(&str, Value)> =
            audit.iter().map(|line| (line.as_str(), serde_json::from_str(line).unwrap_or_default())).collect();
        // An intent and the record after it belong to one request.
        for records in records.chunk_by(|(_, before), _| text(before, "record") == "intent") {
            self.request(records)?;
            for (line, record) in records {
                if raw { self.page.line(line)? } else { self.record(record)? }
            }
        }
        self.reply(reply)
    }

    /// What was told of an event on the bus: each result's type, and the statement or the code that it is about.
    pub fn results(&mut self, events: &[Value]) -> io::Result<()> {
        for event in events {
            let detail: Value = serde_json::from_str(&text(event, "Detail")).unwrap_or_default();
            let about = if detail.get("code").is_some() { "code" } else { "statementId" };
            let told = format!("{}  {about}={}", text(event, "DetailType"), text(&detail, about));
            self.page.labelled("told", Ink::Dim, &told)?;
        }
        self.page.line("")
    }

    /// Who asked for what, and what came of it.
    fn request(&mut self, records: &[(&str, Value)]) -> io::Result<()> {
        let Some((_, last)) = records.last() else { return Ok(()) };
        self.asked(records)?;
        let outcome = text(last, "outcome");
        let ink = match outcome.as_str() {
            "granted" | "already_granted" | "would_grant" => Ink::Green,
            "revoked" | "already_revoked" | "would_revoke" | "read" | "described" => Ink::Green,
            "denied" | "rejected" | "conflict" => Ink::Yellow,
            _ => Ink::Red,
        };
        self.page.list("outcome", ink, &reasons(last))?;
        self.outcomes.push(outcome);
        Ok(())
    }

    /// Who asked for what, and why.
    fn asked(&mut self, records: &[(&str, Value)]) -> io::Result<()> {
        let Some((_, last)) = records.last() else { return Ok(()) };
        let (door, requester) = (text(last, "door"), text(last, "requester"));
        let from = match (door.as_str(), requester.as_str()) {
            ("", _) => "no door".to_owned(),
            (_, "") => door,
            _ if door == requester => door,
            _ => format!("{door}  {requester}"),
        };
        self.page.labelled("from", Ink::Dim, &from)?;
        if last.get("target").is_some() {
            let target = text(last, "target");
            // A person reads `function:orders:live`; the account and the region are the broker's own.
            let name = target.splitn(6, ':').nth(5).unwrap_or(&target);
            let wants = if last.get("action").is_some() {
                format!("{} on {name} for {}", text(last, "action"), text(last, "principal"))
            } else if last.get("statementId").is_some() {
                format!("to revoke {} on {name}", text(last, "statementId"))
            } else {
                format!("{} of {name}", text(last, "operation"))
            };
            self.page.labelled("wants", Ink::Plain, &wants)?;
        }
        if last.get("reason").is_some() {
            self.page.labelled("because", Ink::Plain, &text(last, "reason"))?;
        }
        Ok(())
    }

    /// What a person looks for in a record, beside what the outcome already says.
    fn record(&mut self, record: &Value) -> io::Result<()> {
        const GIST: [&str; 5] = ["record", "outcome", "attempts", "calls", "durationMs"];
        let gist = GIST.iter().filter_map(|key| Some((*key, plain(record.get(*key)?))));
        let gist = gist.filter(|(_, value)| value != "outcome").map(|(key, value)| format!("{key}={value}"));
        let gist = gist.collect::<Vec<_>>().join(" ");
        self.page.labelled("audit", Ink::Dim, &format!("{}  {gist}", text(record, "timestamp")))
    }

    fn reply(&mut self, reply: &Result<Box<RawValue>, Failure>) -> io::Result<()> {
        let reply = match reply {
            Err(failure) => {
                self.failed_invocations += 1;
                let said = format!("the invocation fails with {}, to be tried again", failure.code().as_str());
                return self.page.labelled("reply", Ink::Red, &said);
            }
            Ok(reply) => serde_json::from_str::<Value>(reply.get()).unwrap_or_default(),
        };
        let body = reply.get("body").and_then(Value::as_str).unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let detail = |document: &Value| document.get("detail").map(plain);
        let said = match (reply.get("statusCode"), reply.get("batchItemFailures")) {
            (Some(status), _) => detail(&body).map_or(format!("HTTP {status}"), |it| format!("HTTP {status}: {it}")),
            (_, Some(failures)) => format!("batchItemFailures {failures}"),
            _ => match detail(&reply) {
                Some(detail) => detail,
                None => return Ok(()),
            },
        };
        self.page.labelled("reply", Ink::Plain, &said)
    }

    /// How many requests had each outcome; of a single one everything was said.
    pub fn summary(&mut self) -> io::Result<()> {
        if self.outcomes.len() < 2 {
            return Ok(());
        }
        let counts = Outcome::ALL.iter().filter_map(|outcome| {
            let count = self.outcomes.iter().filter(|word| *word == outcome.as_str()).count();
            (count > 0).then(|| format!("{count} {}", outcome.as_str()))
        });
        let counts = counts.collect::<Vec<_>>().join(", ");
        let (events, requests) = (of(self.events, "event"), of(self.outcomes.len(), "request"));
        self.page.line("")?;
        self.page.title(&format!("{events}, {requests}"))?;
        self.page.indented(2, Ink::Plain, &counts)?;
        if self.failed_invocations > 0 {
            let failed = of(self.failed_invocations, "invocation");
            self.page.indented(2, Ink::Red, &format!("{failed} failed, to be tried again"))?;
        }
        Ok(())
    }
}

/// The outcome with what brought it about: the rule that allowed it, or each broken rule with its place
/// and why each rule of the allowlist did not allow it.
fn reasons(record: &Value) -> Vec<String> {
    let outcome = text(record, "outcome");
    if record.get("code").is_none() {
        let statement = record.get("statementId").map(|id| format!(", statement {}", plain(id))).unwrap_or_default();
        let rule = record.get("rule").map(|rule| format!(" by rule {}", plain(rule))).unwrap_or_default();
        return vec![format!("{outcome}{rule}{statement}")];
    }
    let list = |name: &str| record.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let error = |error: &Value| match text(error, "pointer").as_str() {
        "" => text(error, "code"),
        pointer => format!("{} at {pointer}", text(error, "code")),
    };
    let rule = |rule: &Value| format!("rule {}: {}", text(rule, "rule"), text(rule, "code"));
    let mut reasons: Vec<String> = list("errors").iter().map(error).collect();
    if reasons.is_empty() {
        reasons.push(text(record, "code"));
    }
    // Two refusals of one field look alike here; the reply has a sentence for each.
    reasons.dedup();
    reasons.extend(list("rules").iter().map(rule));
    if let Some(first) = reasons.first_mut() {
        first.insert_str(0, &format!("{outcome}: "));
    }
    reasons
}

fn of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A string member as text that a terminal shows as it is.
fn text(value: &Value, key: &str) -> String {
    value.get(key).map(plain).unwrap_or_default()
}

/// A value as text; a character that could steer a terminal or turn the writing around is spelt out.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let shown = |char: char| char.is_alphanumeric() || matches!(char, ' '..='~');
    text.chars().map(|char| if shown(char) { char.to_string() } else { char.escape_unicode().to_string() }).collect()
}
