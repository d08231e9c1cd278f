//! The policies that stand at the end, statement by statement.

use std::io::{self, Write};

use serde_json::Value;

use super::page::Ink;
use super::{Show, plain, text};

/// AWS's limit for one policy, in bytes.
const MOST_POLICY_BYTES: usize = 20_480;

impl<W: Write> Show<W> {
    /// The policies, and how full each is: resource ARN, document, revision id.
    pub fn policies(&mut self, policies: &[(String, String, String)]) -> io::Result<()> {
        self.page.title("Policies now")?;
        if policies.is_empty() {
            self.page.indented(2, Ink::Plain, "none")?;
        }
        for (arn, document, _) in policies {
            self.page.line("")?;
            self.page.indented(2, Ink::Bold, &format!("{arn}  {} of {MOST_POLICY_BYTES} bytes", document.len()))?;
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
        let (sid, action) = (text(statement, "Sid"), text(statement, "Action"));
        self.page.indented(4, Ink::Plain, &format!("{sid}: {action} for {principal}"))?;
        for (operator, keys) in statement.get("Condition").and_then(Value::as_object).into_iter().flatten() {
            for (key, value) in keys.as_object().into_iter().flatten() {
                // A policy holds the token in clear, a screen must not.
                let value = if key.eq_ignore_ascii_case("lambda:EventSourceToken") {
                    "present".to_owned()
                } else {
                    plain(value)
                };
                self.page.indented(6, Ink::Dim, &format!("if {key} {operator} {value}"))?;
            }
        }
        Ok(())
    }
}
