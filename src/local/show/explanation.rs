//! One request, explained: who asks for what, what speaks against it, and what the policy would come to.

use std::io::{self, Write};

use serde_json::Value;
use serde_json::value::RawValue;

use super::page::Ink;
use super::{Show, plain, text};

impl<W: Write> Show<W> {
    /// What a request came to, from its reply and its records.
    pub fn explanation(&mut self, name: &str, document: &RawValue, records: &[String]) -> io::Result<()> {
        self.page.title(name)?;
        let records: Vec<(&str, Value)> =
            records.iter().map(|line| (line.as_str(), serde_json::from_str(line).unwrap_or_default())).collect();
        self.asked(&records)?;
        let document: Value = serde_json::from_str(document.get()).unwrap_or_default();
        let list = |name: &str| document.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let detail = document.get("detail").map(|detail| format!(": {}", plain(detail))).unwrap_or_default();
        let rule = document.get("rule").map(|rule| format!(" by rule {}", plain(rule))).unwrap_or_default();
        let refused = document.get("code").is_some();
        let ink = if refused { Ink::Yellow } else { Ink::Green };
        self.page.labelled("outcome", ink, &format!("{}{rule}{detail}", text(&document, "outcome")))?;
        let broken = |error: &Value| {
            let at = match text(error, "pointer") {
                pointer if pointer.is_empty() => "the request".to_owned(),
                pointer => pointer,
            };
            format!("{at} {}: {}", text(error, "code"), text(error, "detail"))
        };
        self.page.list("broken", Ink::Yellow, &list("errors").iter().map(broken).collect::<Vec<_>>())?;
        let rule = |rule: &Value| format!("{} does not allow it: {}", text(rule, "rule"), text(rule, "code"));
        self.page.list("rules", Ink::Plain, &list("rules").iter().map(rule).collect::<Vec<_>>())?;
        self.page.list("blamed", Ink::Yellow, &list("blamed").iter().map(plain).collect::<Vec<_>>())?;
        let grants = list("grants");
        for part in if grants.is_empty() { std::slice::from_ref(&document) } else { &grants } {
            let stands = if text(part, "outcome") == "would_grant" { "stores" } else { "stands" };
            for (label, member) in [(stands, "statement"), ("to store", "wouldStore")] {
                let Some(statement) = part.get(member) else { continue };
                self.page.labelled(label, Ink::Plain, &plain(statement))?;
            }
        }
        let grants = list("grants");
        let refused = grants.iter().filter(|part| part.get("code").is_some());
        let refused = refused.map(|part| match part.get("statementId") {
            Some(sid) => format!("{}: {}", plain(sid), text(part, "code")),
            None => text(part, "code"),
        });
        self.page.list("refused", Ink::Yellow, &refused.collect::<Vec<_>>())?;
        if let Some(policy) = document.get("policy") {
            self.policy(policy)?;
        }
        self.page.line("")
    }

    /// The size of the policy, and what would make room in it.
    fn policy(&mut self, policy: &Value) -> io::Result<()> {
        let before = policy.get("bytesBefore").map(|before| format!("{} -> ", plain(before))).unwrap_or_default();
        let full = if policy.get("nearlyFull").is_some() { ", nearly full" } else { "" };
        let (bytes, limit) = (text(policy, "bytes"), text(policy, "limit"));
        let with = policy.get("bytesWith").map(|with| format!(", {} with it", plain(with))).unwrap_or_default();
        self.page.labelled("policy", Ink::Plain, &format!("{before}{bytes} of {limit} bytes{full}{with}"))?;
        let advice = policy.get("advice").and_then(Value::as_array).into_iter().flatten().map(|advice| {
            let instead = advice.get("instead").map(|it| format!(", instead {}", plain(it))).unwrap_or_default();
            let (what, sids) = (text(advice, "advice"), text(advice, "statementIds"));
            format!("{what}: {sids}{instead}, saves {} bytes", text(advice, "savesBytes"))
        });
        self.page.list("advice", Ink::Plain, &advice.collect::<Vec<_>>())
    }
}
