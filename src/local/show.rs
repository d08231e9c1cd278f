//! Replies, audit lines and policies for a person at a terminal: colour only where one is looking,
//! and nothing that would be lost without it.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::reply::Failure;

/// AWS's limit for one policy, in bytes.
const MOST_POLICY_BYTES: usize = 20_480;

/// Writes to a terminal or a file.
pub struct Show<W> {
    out: W,
    colour: bool,
}

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";
const BOLD: &str = "1";
const DIM: &str = "2";

impl<W: Write> Show<W> {
    /// Shows on a writer, with colour or without.
    pub fn new(out: W, colour: bool) -> Self {
        Self { out, colour }
    }

    /// One event: its name, then for each request in it who asked for what, what came of it and the audit.
    pub fn event(
        &mut self,
        name: &str,
        reply: &Result<Box<RawValue>, Failure>,
        audit: &[String],
        raw: bool,
    ) -> io::Result<()> {
        let name = self.paint(BOLD, name);
        writeln!(self.out, "{name}")?;
        let mut asked = None;
        for line in audit {
            let record: Value = serde_json::from_str(line).unwrap_or_default();
            let this = (text(&record, "requestId").to_owned(), text(&record, "eventId").to_owned());
            if asked.as_ref() != Some(&this) || record.get("outcome").is_none() {
                self.request(&record)?;
            }
            asked = Some(this);
            if record.get("outcome").is_some() {
                self.outcome(&record)?;
            }
            self.audit(line, &record, raw)?;
        }
        self.reply(reply)?;
        writeln!(self.out)
    }

    fn request(&mut self, record: &Value) -> io::Result<()> {
        let door = text(record, "door");
        let requester = text(record, "requester");
        let from =
            if door == requester || requester.is_empty() { door.to_owned() } else { format!("{door}  {requester}") };
        let from = self.paint(DIM, if from.is_empty() { "no door" } else { &from });
        writeln!(self.out, "  from     {from}")?;
        if record.get("target").is_some() {
            let to = text(record, "target").rsplit_once(":lambda:").map_or("", |(_, rest)| rest);
            let to = to.splitn(3, ':').nth(2).unwrap_or(to);
            writeln!(self.out, "  wants    {} to {} on {to}", text(record, "principal"), text(record, "action"))?;
        }
        Ok(())
    }

    fn outcome(&mut self, record: &Value) -> io::Result<()> {
        let outcome = text(record, "outcome");
        let colour = match outcome {
            "granted" | "already_granted" | "would_grant" => GREEN,
            "denied" | "rejected" | "conflict" => YELLOW,
            _ => RED,
        };
        let word = self.paint(colour, outcome);
        let because = match (record.get("rule"), record.get("code")) {
            (_, Some(_)) => reasons(record),
            (Some(_), None) => format!("rule {}, statement {}", text(record, "rule"), text(record, "statementId")),
            (None, None) => String::new(),
        };
        writeln!(self.out, "  {word}  {because}")
    }

    /// The line itself, or what a person looks for in it.
    fn audit(&mut self, line: &str, record: &Value, raw: bool) -> io::Result<()> {
        if raw {
            return writeln!(self.out, "    {line}");
        }
        const GIST: [&str; 9] = [
            "timestamp",
            "requestId",
            "statementId",
            "decision",
            "outcome",
            "code",
            "attempts",
            "awsRequestId",
            "durationMs",
        ];
        let gist: Vec<String> =
            GIST.iter().filter_map(|key| Some(format!("{key}={}", plain(record.get(*key)?)))).collect();
        let gist = self.paint(DIM, format!("audit {:<7} {}", text(record, "record"), gist.join(" ")));
        writeln!(self.out, "    {gist}")
    }

    fn reply(&mut self, reply: &Result<Box<RawValue>, Failure>) -> io::Result<()> {
        let said = match reply {
            Err(failure) => {
                self.paint(RED, format!("the invocation fails with {}: AWS delivers it again", failure.code().as_str()))
            }
            Ok(reply) => {
                let reply: Value = serde_json::from_str(reply.get()).unwrap_or_default();
                match (reply.get("statusCode"), reply.get("batchItemFailures")) {
                    (Some(status), _) => format!("HTTP {status}"),
                    (_, Some(failures)) => format!("batchItemFailures {failures}"),
                    _ => return Ok(()),
                }
            }
        };
        writeln!(self.out, "  reply    {said}")
    }

    /// The policies, statement by statement, and how full each is.
    pub fn policies(&mut self, policies: &[(String, String, String)]) -> io::Result<()> {
        let title = self.paint(BOLD, "Policies now");
        writeln!(self.out, "{title}")?;
        for (arn, document, _) in policies {
            let arn = self.paint(BOLD, arn);
            writeln!(self.out, "\n  {arn}  {} of {MOST_POLICY_BYTES} bytes", document.len())?;
            let document: Value = serde_json::from_str(document).unwrap_or_default();
            for statement in document.get("Statement").and_then(Value::as_array).into_iter().flatten() {
                self.statement(statement)?;
            }
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Value) -> io::Result<()> {
        let principal = match statement.get("Principal") {
            Some(Value::Object(parts)) => parts.values().map(plain).collect::<Vec<_>>().join(", "),
            Some(other) => plain(other),
            None => String::new(),
        };
        writeln!(self.out, "    {}  {principal}  {}", text(statement, "Sid"), text(statement, "Action"))?;
        for (operator, keys) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            for (key, value) in keys.as_object().into_iter().flatten() {
                // A policy holds the token in clear, a screen must not.
                let value = if key == "lambda:EventSourceToken" { "present".to_owned() } else { plain(value) };
                writeln!(self.out, "      if {key} {operator} {value}")?;
            }
        }
        Ok(())
    }

    fn paint(&self, colour: &str, text: impl Display) -> String {
        if self.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

/// Why not: each broken rule with its place, and why each rule of the allowlist did not match.
fn reasons(record: &Value) -> String {
    let list = |name: &str| record.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let error = |error: &Value| match text(error, "pointer") {
        "" => text(error, "code").to_owned(),
        pointer => format!("{} at {pointer}", text(error, "code")),
    };
    let rule = |rule: &Value| format!("rule {}: {}", text(rule, "rule"), text(rule, "code"));
    let mut reasons: Vec<String> = list("errors").iter().map(error).collect();
    if reasons.is_empty() {
        reasons.push(text(record, "code").to_owned());
    }
    reasons.extend(list("rules").iter().map(rule));
    reasons.join("; ")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
