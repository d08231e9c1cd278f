//! A policy document: its statements, found by their id or all of them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Statement, TOKEN_KEY, is_unique_id};
use crate::grant::StatementId;
use crate::resource::Own;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document<T> {
    statement: T,
}

/// AWS writes a list; the grammar of policies also allows a lone statement. `None` if the document cannot be read.
fn statements(policy: &str) -> Option<Vec<&RawValue>> {
    let list = serde_json::from_str(policy).map(|document: Document<Vec<&RawValue>>| document.statement);
    let lone = || serde_json::from_str(policy).map(|document: Document<&RawValue>| document.statement).ok();
    list.ok().or_else(|| lone().filter(|one| one.get().starts_with('{')).map(|one| vec![one]))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct JustSid<'a> {
    #[serde(borrow, default)]
    sid: Cow<'a, str>,
}

/// Whom a statement of any shape names.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Party {
    #[serde(default)]
    principal: Value,
}

impl Party {
    /// Whether one of its principals is a unique id: a user or a role that was deleted.
    fn names_the_dead(&self) -> bool {
        let is_dead = |value: &Value| value.as_str().is_some_and(is_unique_id);
        let aws = self.principal.get("AWS");
        aws.is_some_and(|aws| is_dead(aws) || aws.as_array().is_some_and(|all| all.iter().any(is_dead)))
    }
}

/// One statement of a policy.
pub(crate) enum Standing {
    /// One that the canonical form covers.
    Statement(Box<Statement>),
    /// One of another shape, without its secrets.
    Foreign(Box<RawValue>),
}

/// Every statement of a policy document, in order; `None` if the document cannot be read.
pub(crate) fn all(policy: &str) -> Option<Vec<Standing>> {
    statements(policy)?.into_iter().map(Standing::of).collect()
}

/// The ids of the statements whose principal IAM has replaced by its unique id, as it does when a user or
/// a role is deleted (IAM, principals); `None` if there is no such statement. Only an id that can be revoked is told.
pub(crate) fn dead_principals(policy: &str) -> Option<Vec<String>> {
    let dead: Vec<Standing> = all(policy)?.into_iter().filter(Standing::names_the_dead).collect();
    let ids = dead.iter().filter_map(Standing::id).map(|id| id.as_str().to_owned()).collect();
    (!dead.is_empty()).then_some(ids)
}

impl Standing {
    fn of(raw: &RawValue) -> Option<Self> {
        if let Some(statement) = Statement::parse(raw.get()) {
            return Some(Self::Statement(Box::new(statement)));
        }
        let mut value: Value = serde_json::from_str(raw.get()).ok()?;
        hide_tokens(&mut value);
        Some(Self::Foreign(serde_json::value::to_raw_value(&value).ok()?))
    }

    pub(crate) fn statement(&self) -> Option<&Statement> {
        match self {
            Self::Statement(statement) => Some(statement),
            Self::Foreign(_) => None,
        }
    }

    /// Its id, if it is one that can be revoked: others write what they like.
    pub(crate) fn id(&self) -> Option<StatementId> {
        match self {
            Self::Statement(statement) => StatementId::parse_of_any_age(&statement.sid).ok(),
            Self::Foreign(raw) => {
                let found: JustSid<'_> = serde_json::from_str(raw.get()).ok()?;
                StatementId::parse_of_any_age(&found.sid).ok()
            }
        }
    }

    pub(crate) fn names_the_dead(&self) -> bool {
        match self {
            Self::Statement(statement) => statement.names_the_dead(),
            Self::Foreign(raw) => serde_json::from_str(raw.get()).is_ok_and(|party: Party| party.names_the_dead()),
        }
    }

    /// The statement as AWS writes it, for replies; a token is only said to be there.
    pub(crate) fn shown(&self, own: &Own) -> Box<RawValue> {
        match self {
            Self::Statement(statement) => statement.shown(own),
            Self::Foreign(raw) => raw.clone(),
        }
    }
}

/// Under whatever operator the key of a token stands, and however it is written.
fn hide_tokens(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.iter_mut().for_each(|(key, value)| match key.eq_ignore_ascii_case(TOKEN_KEY) {
                true => *value = Value::from("present"),
                false => hide_tokens(value),
            })
        }
        Value::Array(values) => values.iter_mut().for_each(hide_tokens),
        _ => {}
    }
}

/// What a policy has under a statement id.
pub(crate) enum Found {
    /// No statement of that id.
    Absent,
    /// A statement that the canonical form covers.
    Statement(Box<Statement>),
    /// A statement of another shape, which no grant of ours can equal.
    Foreign,
}

fn has_id(raw: &RawValue, sid: &str) -> bool {
    serde_json::from_str::<JustSid<'_>>(raw.get()).is_ok_and(|found| found.sid == sid)
}

/// How many bytes a policy document has without a statement; without its last one it is gone.
pub(crate) fn bytes_without(policy: &str, sid: &str) -> Option<usize> {
    let statements = statements(policy)?;
    let gone = statements.iter().find(|raw| has_id(raw, sid)).map(|raw| raw.get().len() + 1)?;
    if statements.len() == 1 { Some(0) } else { policy.len().checked_sub(gone) }
}

/// Looks for a statement id in a policy document; `None` if the document cannot be read.
pub(crate) fn find(policy: &str, sid: &str) -> Option<Found> {
    Some(match statements(policy)?.iter().find(|raw| has_id(raw, sid)) {
        None => Found::Absent,
        Some(raw) => Statement::parse(raw.get()).map_or(Found::Foreign, |it| Found::Statement(Box::new(it))),
    })
}
