//! An allowlist that was checked: its rules in plain words, then what was found.

use std::io::{self, Write};

use serde_json::Value;

use super::page::Ink;
use super::{Show, of, plain};
use crate::local::check::{Checked, Finding};

impl<W: Write> Show<W> {
    /// What an allowlist says, and what is wrong with it.
    pub fn checked(&mut self, checked: &Checked) -> io::Result<()> {
        let shown = |text: &str| plain(&Value::from(text));
        for rule in &checked.rules {
            self.page.title(&shown(&format!("rule {}", rule.id)))?;
            for (label, words) in &rule.sentences {
                self.page.labelled(label, Ink::Plain, &shown(words))?;
            }
            self.page.line("")?;
        }
        for Finding { kind, pointer, detail } in &checked.findings {
            let place = if pointer.is_empty() { "/" } else { pointer };
            let ink = if kind.is_hint() { Ink::Dim } else { Ink::Yellow };
            self.page.indented(0, ink, &format!("{}: {place}: {}", kind.as_str(), shown(detail)))?;
        }
        let hints = checked.findings.len() - checked.mistakes();
        let counts = format!("{}, {}", of(checked.mistakes(), "mistake"), of(hints, "hint"));
        match checked.rules.len() {
            0 if checked.mistakes() > 0 => self.page.line(format!("the broker would not start: {counts}")),
            0 => self.page.line(format!("no rules, so everything is denied: {counts}")),
            rules => self.page.line(format!("{}: {counts}", of(rules, "rule"))),
        }
    }
}
