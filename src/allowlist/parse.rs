//! Reading an allowlist: every problem is reported at once, and nothing is guessed or dropped.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Allowlist, Pattern, Rule};
use crate::arn::{AccountId, OrganizationId};
use crate::expiry::{LEAST_SECONDS, seconds_of_duration};
use crate::grant::Action;
use crate::json::{NotAnObject, Object};
use crate::principal::{Form, Principal};

/// One thing that is wrong with an allowlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A JSON pointer into the allowlist, e.g. `/0/accounts/3`.
    pub pointer: String,
    /// What would be right.
    pub detail: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{place}: {}", self.detail)
    }
}

/// The list form; the entries stay text until their own rule reads them.
#[derive(Deserialize)]
struct Entries<'a>(#[serde(borrow)] Vec<&'a RawValue>);

/// Longest id of a rule.
const MOST_ID_CHARS: usize = 64;

impl Allowlist {
    /// Parses one rule or a list of rules. An empty text, list or object denies everything.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        let rules = if text.is_empty() {
            Vec::new()
        } else if text.starts_with('[') {
            match serde_json::from_str::<Entries<'_>>(text) {
                Ok(entries) => {
                    let of = |(i, entry): (usize, &&RawValue)| rule(entry.get(), &format!("/{i}"), i, &mut problems);
                    entries.0.iter().enumerate().map(of).collect()
                }
                Err(_) => return Err(vec![Problem { pointer: String::new(), detail: NOT_JSON }]),
            }
        } else {
            vec![rule(text, "", 0, &mut problems)]
        };
        let mut ids = BTreeSet::new();
        for (i, one) in rules.iter().enumerate() {
            if !ids.insert(&*one.id) {
                problems.push(Problem { pointer: format!("/{i}/id"), detail: "this id is taken by an earlier rule" });
            }
        }
        if problems.is_empty() { Ok(Self { rules }) } else { Err(problems) }
    }
}

const NOT_JSON: &str = "the allowlist is one JSON object (a rule) or an array of them, and nothing after it";

/// Reads one rule; what it breaks is added to the problems.
fn rule(text: &str, pointer: &str, position: usize, problems: &mut Vec<Problem>) -> Rule {
    let mut reader = Reader { pointer, problems };
    let object = Object::parse(text).unwrap_or_else(|error| {
        let not_json = error == NotAnObject::NotJson;
        reader.problem("", if not_json { NOT_JSON } else { "a rule is a JSON object" });
        Object::default()
    });
    reader.names(&object);
    let id = reader.id(&object).unwrap_or_else(|| position.to_string().into());
    let accounts = reader.list(&object, "accounts", "an account is twelve digits", AccountId::parse);
    let mut accounts = accounts.unwrap_or_default();
    accounts.sort_unstable();
    Rule {
        id,
        accounts,
        organizations: reader
            .list(&object, "organizations", "an organization is `o-` and 10 to 32 lower-case letters or digits", |text| {
                OrganizationId::parse(text).ok()
            })
            .unwrap_or_default(),
        services: reader
            .list(&object, "services", "a service is its exact principal, e.g. s3.amazonaws.com", service)
            .unwrap_or_default(),
        actions: reader.list(&object, "actions", "an action is its exact name, e.g. lambda:InvokeFunction; no wildcard", action),
        targets: reader.list(&object, "targets", "a target is function:NAME or layer:NAME, with `*` at its end at most", target),
        requesters: reader.list(
            &object,
            "requesters",
            "a requester is a pattern over a verified identity, e.g. arn:aws:iam::123456789012:user/ci; never `*` alone",
            requester,
        ),
        max_duration: reader.max_duration(&object),
    }
}

struct Reader<'p> {
    pointer: &'p str,
    problems: &'p mut Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, place: &str, detail: &'static str) {
        self.problems.push(Problem { pointer: format!("{}{place}", self.pointer), detail });
    }

    /// An unknown or doubled name in a security setting is never dropped in silence.
    fn names(&mut self, object: &Object<'_>) {
        const KNOWN: [&str; 8] =
            ["id", "accounts", "organizations", "services", "actions", "targets", "requesters", "maxDuration"];
        if object.overflow || object.members.iter().any(|(name, _)| !KNOWN.contains(&name.as_ref())) {
            self.problem(
                "",
                "a rule has only the fields id, accounts, organizations, services, actions, targets, requesters, maxDuration",
            );
        }
        if object.has_duplicates() {
            self.problem("", "a rule gives each field once");
        }
    }

    fn id(&mut self, object: &Object<'_>) -> Option<Box<str>> {
        if !object.has("id") {
            return None;
        }
        let id = object.string("id").filter(|id| {
            let word = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            (1..=MOST_ID_CHARS).contains(&id.len()) && word
        });
        if id.is_none() {
            self.problem("/id", "an id has 1 to 64 letters, digits, dots, hyphens and underscores");
        }
        id.map(Into::into)
    }

    /// In seconds. Shorter than any grant can be, it would allow nothing.
    fn max_duration(&mut self, object: &Object<'_>) -> Option<u64> {
        if !object.has("maxDuration") {
            return None;
        }
        let text = object.string("maxDuration");
        let seconds = text.and_then(|text| seconds_of_duration(&text)).filter(|seconds| *seconds >= LEAST_SECONDS);
        if seconds.is_none() {
            self.problem("/maxDuration", "a duration is written as in ISO 8601, e.g. PT8H or P30D, and at least PT1M");
        }
        seconds
    }

    fn list<T>(
        &mut self,
        object: &Object<'_>,
        name: &str,
        rule: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        if !object.has(name) {
            return None;
        }
        #[derive(Deserialize)]
        struct Texts<'a>(#[serde(borrow)] Vec<Cow<'a, str>>);
        let texts = object.get(name).and_then(|value| serde_json::from_str::<Texts<'_>>(value.get()).ok());
        let Some(Texts(texts)) = texts else {
            self.problem(&format!("/{name}"), "this field is a list of strings; leave it out if it does not apply");
            return None;
        };
        let mut values = Vec::with_capacity(texts.len());
        for (i, text) in texts.iter().enumerate() {
            match parse(text) {
                Some(value) => values.push(value),
                None => self.problem(&format!("/{name}/{i}"), rule),
            }
        }
        if has_duplicates(&texts) {
            self.problem(&format!("/{name}"), "an entry stands here twice");
        }
        Some(values)
    }
}

/// Whether a text stands in a list twice, in `n log n`.
fn has_duplicates(texts: &[Cow<'_, str>]) -> bool {
    let mut sorted: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
}

fn service(text: &str) -> Option<Box<str>> {
    Principal::of_function(text).ok().filter(|principal| *principal.form() == Form::Service).map(|_| text.into())
}

fn action(text: &str) -> Option<Box<str>> {
    Action::of_function(text).ok().filter(|action| !action.as_str().contains('*')).map(|_| text.into())
}

pub(super) fn target(text: &str) -> Option<Pattern> {
    let name = text.strip_prefix("function:").or_else(|| text.strip_prefix("layer:"))?;
    let stem = name.strip_suffix('*').unwrap_or(name);
    let word = stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    (!name.is_empty() && word).then(|| Pattern(text.into()))
}

fn requester(text: &str) -> Option<Pattern> {
    let printable = text.bytes().all(|b| matches!(b, b' '..=b'~'));
    let says_something = text.bytes().any(|b| b != b'*');
    (printable && says_something && text.len() <= 2048).then(|| Pattern(text.into()))
}
