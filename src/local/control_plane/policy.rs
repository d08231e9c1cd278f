//! One resource's policy: its statements in insertion order, its revision id, its size.
//! Guarantees one statement per id, a new revision id on every change, and never more than 20,480 bytes.
//! Each function, version, alias and layer version has a policy of its own; whose it is, is not known here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{AwsError, ErrorName, fresh_uuid};
use super::principal;

/// The largest policy document that AWS stores, in bytes.
pub(super) const SIZE_LIMIT: usize = 20_480;

/// A policy with at least one statement; a policy without any does not exist.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Policy {
    #[serde(default = "fresh_uuid")]
    pub(super) revision_id: String,
    /// Kept as text: AWS hands back what it stored, in the order it stored it.
    pub(super) statements: Vec<Box<RawValue>>,
}

/// What has to be known about a statement, ours or seeded.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Known {
    sid: Option<String>,
    #[serde(default)]
    principal: Value,
}

/// A statement on its way into a policy, with what the caller expects to find there.
pub(super) struct Addition<'a> {
    pub(super) statement_id: &'a str,
    pub(super) statement: Box<RawValue>,
    /// The revision id that the caller names, if any: none means unconditional.
    pub(super) expected: Option<&'a str>,
    /// What counts as current while there is no policy: an alias has a revision id of its own, and it was
    /// accepted; for everything else any value was refused.
    pub(super) without_policy: Option<&'a str>,
    pub(super) api: &'static str,
}

impl Policy {
    /// The document as GetPolicy shows it.
    pub(super) fn document(&self) -> String {
        let statements: Vec<&str> = self.statements.iter().map(|raw| raw.get()).collect();
        let list = statements.join(",");
        format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{list}]}}"#)
    }

    pub(super) fn holds(&self, statement_id: &str) -> bool {
        self.statements.iter().any(|raw| has_id(raw, statement_id))
    }

    /// The policy with one more statement, checked in AWS's order: id, revision, then the whole document.
    pub(super) fn with(
        current: Option<&Self>,
        addition: Addition<'_>,
        deleted: &BTreeSet<String>,
    ) -> Result<Self, AwsError> {
        if current.is_some_and(|policy| policy.holds(addition.statement_id)) {
            return Err(AwsError::duplicate(addition.statement_id));
        }
        let revision = current.map_or(addition.without_policy, |policy| Some(&policy.revision_id));
        check_revision(addition.expected, revision, addition.api)?;
        let mut statements = current.map_or_else(Vec::new, |policy| policy.statements.clone());
        // A principal that was deleted later spoils the whole policy: AWS then blames the new statement.
        if statements.iter().any(|raw| names_any(raw, deleted)) {
            return Err(principal::invalid());
        }
        statements.push(addition.statement);
        let policy = Self { revision_id: fresh_uuid(), statements };
        policy.check_size()?;
        Ok(policy)
    }

    /// The policy without the statement, or nothing when that was the last one.
    pub(super) fn without(
        &self,
        statement_id: &str,
        expected: Option<&str>,
        api: &'static str,
    ) -> Result<Option<Self>, AwsError> {
        if !self.holds(statement_id) {
            return Err(AwsError::not_found(format!("Statement {statement_id} is not found in resource policy.")));
        }
        check_revision(expected, Some(&self.revision_id), api)?;
        let mut statements = self.statements.clone();
        statements.retain(|raw| !has_id(raw, statement_id));
        let revision_id = fresh_uuid();
        Ok((!statements.is_empty()).then_some(Self { revision_id, statements }))
    }

    /// Shows a principal under another name.
    pub(super) fn rename_principal(&mut self, name: &str, other: &str) {
        for raw in &mut self.statements {
            let text = raw.get().replace(&format!("\"{name}\""), &format!("\"{other}\""));
            if let Ok(renamed) = RawValue::from_string(text) {
                *raw = renamed;
            }
        }
    }

    fn check_size(&self) -> Result<(), AwsError> {
        let size = self.document().len();
        if size > SIZE_LIMIT {
            let message = format!("The final policy size ({size}) is bigger than the limit ({SIZE_LIMIT}).");
            return Err(AwsError::new(ErrorName::PolicyLengthExceeded, message));
        }
        Ok(())
    }

    /// Brings seeded statements into stored form and says what is wrong with them, if anything.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for raw in &mut self.statements {
            *raw = compact(raw).map_err(|error| error.to_string())?;
            if !raw.get().starts_with('{') {
                return Err("a statement is an object".to_owned());
            }
            let known: Known = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
            let fresh = known.sid.is_none_or(|sid| ids.insert(sid));
            if !fresh {
                return Err("two statements have the same Sid".to_owned());
            }
        }
        if self.statements.is_empty() {
            return Err("a policy needs a statement".to_owned());
        }
        self.check_size().map_err(|_| "the policy is too large".to_owned())
    }
}

fn check_revision(expected: Option<&str>, current: Option<&str>, api: &str) -> Result<(), AwsError> {
    match expected {
        Some(expected) if current != Some(expected) => Err(AwsError::revision_mismatch(api)),
        _ => Ok(()),
    }
}

fn known(raw: &RawValue) -> Option<Known> {
    serde_json::from_str(raw.get()).ok()
}

fn has_id(raw: &RawValue, statement_id: &str) -> bool {
    known(raw).is_some_and(|known| known.sid.as_deref() == Some(statement_id))
}

fn names_any(raw: &RawValue, arns: &BTreeSet<String>) -> bool {
    fn names(value: &Value, arns: &BTreeSet<String>) -> bool {
        match value {
            Value::String(text) => arns.contains(text),
            Value::Array(values) => values.iter().any(|value| names(value, arns)),
            Value::Object(members) => members.values().any(|value| names(value, arns)),
            _ => false,
        }
    }
    !arns.is_empty() && known(raw).is_some_and(|known| names(&known.principal, arns))
}

/// The statement without white space between its tokens, members in their order.
fn compact(raw: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
    let (mut in_text, mut escaped) = (false, false);
    let mut kept = String::with_capacity(raw.get().len());
    for letter in raw.get().chars() {
        if in_text || !letter.is_ascii_whitespace() {
            kept.push(letter);
        }
        if letter == '"' && !escaped {
            in_text = !in_text;
        }
        escaped = letter == '\\' && !escaped;
    }
    RawValue::from_string(kept)
}
