//! Reads one request into the members of its operation, then holds them against the constraints.
//! Guarantees that a value of the wrong JSON type never passes, and that all broken constraints come in one answer.
//! It does not ask whether the function or layer exists.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::answer::AwsError;
use super::constraint::{self, Kind, Place, Rule};
use super::route::{self, Operation, Route};

/// A request whose members satisfy every documented constraint.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) operation: Operation,
    members: BTreeMap<&'static str, String>,
}

impl Request {
    pub(super) fn read(route: &Route<'_>, query: &str, body: &[u8]) -> Result<Self, AwsError> {
        let labels = route.labels()?;
        let query = route::query(query)?;
        let body = if wants_body(route.operation) { Body::read(body)? } else { Body::default() };
        let rules = constraint::rules(route.operation);
        let mut members = BTreeMap::new();
        for rule in rules {
            let value = match rule.place {
                Place::Uri => find(&labels, rule.member),
                Place::Query => find(&query, rule.member),
                Place::Body => body.get(rule)?,
            };
            if let Some(value) = value {
                check_long(rule, &value)?;
                members.insert(rule.member, value);
            }
        }
        constraint::validate(rules, |rule| members.get(rule.member).map(String::as_str))?;
        Ok(Self { operation: route.operation, members })
    }

    /// The value of a member, if it was given.
    pub(super) fn get(&self, member: &str) -> Option<&str> {
        self.members.get(member).map(String::as_str)
    }

    /// The value of a member that the constraints require.
    pub(super) fn required(&self, member: &str) -> Result<&str, AwsError> {
        self.get(member).ok_or_else(|| AwsError::serialization(format!("{member} is missing")))
    }
}

fn wants_body(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::AddPermission
            | Operation::AddLayerVersionPermission
            | Operation::PublishLayerVersion
            | Operation::CreateSchedule
    )
}

fn find<K: AsRef<str>>(members: &[(K, String)], name: &str) -> Option<String> {
    let found = members.iter().find(|(known, _)| known.as_ref() == name);
    found.map(|(_, value)| value.clone())
}

/// A label that must be a number but is none cannot be read at all. Not recorded, and read strictly: no `+`.
fn check_long(rule: &Rule, value: &str) -> Result<(), AwsError> {
    if rule.kind == Kind::Long && (value.starts_with('+') || value.parse::<i64>().is_err()) {
        return Err(AwsError::serialization("STRING_VALUE can not be converted to a Long"));
    }
    Ok(())
}

/// The members of a JSON body, before their types are known to be right.
#[derive(Default)]
struct Body(Vec<(String, Value)>);

impl Body {
    /// An empty body has no members: what is missing is then named by the constraints.
    fn read(body: &[u8]) -> Result<Self, AwsError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|_| AwsError::serialization("The request body is not a JSON object"))
    }

    /// A null is an absent member. Two members of one name are refused: which one AWS takes is not recorded.
    fn get(&self, rule: &Rule) -> Result<Option<String>, AwsError> {
        let mut values = self.0.iter().filter(|(name, _)| name == rule.member);
        let value = values.next().map(|(_, value)| value);
        if values.next().is_some() {
            return Err(AwsError::serialization("A member is given twice"));
        }
        match (rule.kind, value) {
            (_, None | Some(Value::Null)) => Ok(None),
            (Kind::Text, Some(Value::String(text))) => Ok(Some(text.clone())),
            (Kind::Flag, Some(Value::Bool(flag))) => Ok(Some(flag.to_string())),
            (Kind::Structure, Some(value @ Value::Object(_))) => Ok(Some(value.to_string())),
            (kind, Some(value)) => Err(wrong_type(kind, value)),
        }
    }
}

fn wrong_type(kind: Kind, value: &Value) -> AwsError {
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    };
    let wanted = match kind {
        Kind::Text => "String",
        Kind::Flag => "Boolean",
        Kind::Long => "Long",
        Kind::Structure => "Structure",
    };
    AwsError::serialization(format!("{found} can not be converted to a {wanted}"))
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

/// Keeps every member, so that a repeated name can be seen.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Body;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry::<String, Value>()? {
            members.push(member);
        }
        Ok(Body(members))
    }
}
