//! A statement of a resource-based policy, compared by what it means.
//!
//! AWS does not store what it was sent: an account becomes its root ARN, a source account becomes a
//! condition with its own key spelling, and older statements have another order. Both sides are
//! therefore brought into one form before they are compared. Recorded from AWS in November 2025.

mod document;
mod meaning;
mod request;
mod values;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::allowlist::Approved;
use crate::arn::AccountId;
use crate::grant::Fingerprint;
use crate::principal::Form;
use crate::resource::Own;
pub(crate) use document::{Found, Standing, all, bytes_without, dead_principals, find};
use values::Values;

/// The condition key under which a secret travels.
const TOKEN_KEY: &str = "lambda:eventsourcetoken";

// Operators and keys of conditions.
const ORGANIZATION: (&str, &str) = ("stringequals", "aws:principalorgid");
const SOURCE_ACCOUNT: (&str, &str) = ("stringequals", "aws:sourceaccount");
const SOURCE_ARN: (&str, &str) = ("arnlike", "aws:sourcearn");

/// A statement in one canonical form. It may hold a token, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    sid: String,
    allow: bool,
    principal: Party,
    action: String,
    resource: String,
    conditions: BTreeMap<Condition, Vec<String>>,
}

/// Operator and key of a condition, in lower case.
type Condition = (String, String);

/// A principal as AWS stores it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    Everyone,
    Account(AccountId),
    Aws(String),
    Service(String),
}

/// A statement as AWS writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Stored<'a> {
    #[serde(borrow)]
    sid: Cow<'a, str>,
    #[serde(borrow)]
    effect: Cow<'a, str>,
    #[serde(borrow)]
    principal: &'a RawValue,
    action: Values,
    resource: Values,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Values>>,
}

impl Statement {
    /// Parses a statement as AWS answers it; `None` for a shape that `AddPermission` never makes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_str(text).ok()?;
        let mut conditions = BTreeMap::new();
        for (operator, keys) in stored.condition {
            // ArnEquals and ArnLike are the same operator (IAM, condition operators).
            let operator = operator.to_ascii_lowercase().replace("arnequals", "arnlike");
            for (key, values) in keys {
                // Two spellings of one condition hold together; the form here has room for one.
                if conditions.insert((operator.clone(), key.to_ascii_lowercase()), values.0).is_some() {
                    return None;
                }
            }
        }
        Some(Self {
            sid: stored.sid.into_owned(),
            allow: stored.effect == "Allow",
            principal: Party::parse(stored.principal)?,
            action: stored.action.single()?,
            resource: stored.resource.single()?,
            conditions,
        })
    }

    /// The statement that AWS stores for an approved grant.
    pub(crate) fn expected(approved: &Approved) -> Self {
        let grant = approved.grant();
        let given = grant.conditions();
        let values = [
            ("stringequals", "aws:sourceaccount", given.source_account.map(|account| account.to_string())),
            ("stringequals", TOKEN_KEY, given.event_source_token.as_ref().map(|token| token.expose().to_owned())),
            ("stringequals", "aws:principalorgid", given.organization.as_ref().map(|id| id.as_str().to_owned())),
            (
                "stringequals",
                "lambda:functionurlauthtype",
                given.function_url_auth_type.map(|auth| auth.as_str().to_owned()),
            ),
            ("bool", "lambda:invokedviafunctionurl", given.invoked_via_function_url.map(|via| via.to_string())),
            ("arnlike", "aws:sourcearn", given.source_arn.as_ref().map(|arn| arn.as_str().to_owned())),
        ];
        let conditions = values
            .into_iter()
            .filter_map(|(operator, key, value)| Some(((operator.to_owned(), key.to_owned()), vec![value?])))
            .collect();
        let principal = grant.principal();
        Self {
            sid: approved.statement_id().as_str().to_owned(),
            allow: true,
            principal: match principal.form() {
                Form::Account(account) => Party::Account(*account),
                Form::Identity(_) => Party::Aws(principal.as_str().to_owned()),
                Form::Service => Party::Service(principal.as_str().to_owned()),
                Form::Everyone => Party::Everyone,
            },
            action: grant.action().as_str().to_owned(),
            resource: approved.resource().to_owned(),
            conditions,
        }
    }

    /// The statement id.
    pub(crate) fn sid(&self) -> &str {
        &self.sid
    }

    /// What it means, with its id and its resource, as a digest. A token is only said to be there, so that
    /// nobody can try tokens against it.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.written_out(true))
    }

    /// Everything in it but its id as one text, the same for two statements only if they mean the same.
    pub(crate) fn canonical(self) -> String {
        Self { sid: String::new(), ..self }.written_out(false)
    }

    fn written_out(&self, hide_token: bool) -> String {
        let (kind, party): (_, Cow<'_, str>) = match &self.principal {
            Party::Everyone => ("everyone", "".into()),
            Party::Account(account) => ("account", account.to_string().into()),
            Party::Aws(aws) => ("aws", aws.into()),
            Party::Service(service) => ("service", service.into()),
        };
        let conditions = self.conditions.iter().map(|((operator, key), values)| {
            let values = if hide_token && key == TOKEN_KEY { OneOf::Hidden(["present"]) } else { OneOf::Many(values) };
            (operator, key, values)
        });
        let conditions: Vec<_> = conditions.collect();
        let parts = (&self.sid, self.allow, kind, party, &self.action, &self.resource, conditions);
        serde_json::to_string(&parts).unwrap_or_default()
    }

    /// How many bytes of a policy it takes, as AWS writes it.
    pub(crate) fn bytes(&self) -> usize {
        let token = |(key, values): (&(String, String), &Vec<String>)| match key.1 == TOKEN_KEY {
            true => values.first().map(|token| token.len()),
            false => None,
        };
        let partition = self.resource.split(':').nth(1).unwrap_or_default();
        let mut shown = Counted(0);
        self.shown_in(partition, |it| serde_json::to_writer(&mut shown, it).unwrap_or_default());
        self.conditions.iter().find_map(token).map_or(shown.0, |token| shown.0 + token - "present".len())
    }

    /// Whether its principal is a unique id: a user or a role that was deleted.
    pub(crate) fn names_the_dead(&self) -> bool {
        matches!(&self.principal, Party::Aws(id) if is_unique_id(id))
    }

    /// Whether it gives the same parties the same, under whatever id and wherever.
    pub(crate) fn gives_the_same(&self, other: &Self) -> bool {
        (self.allow, &self.principal, &self.action, &self.conditions)
            == (other.allow, &other.principal, &other.action, &other.conditions)
    }

    /// What would grant the same to an organization, if it grants to one account.
    pub(crate) fn to_any_organization(&self) -> Option<Self> {
        const SOME_ORGANIZATION: &str = "o-0000000000";
        let to_everyone = || Self { principal: Party::Everyone, ..self.clone() };
        self.is_to_one_account().then(|| to_everyone().under(ORGANIZATION, SOME_ORGANIZATION))
    }

    fn is_to_one_account(&self) -> bool {
        self.allow && matches!(self.principal, Party::Account(_)) && self.condition(ORGANIZATION).is_none()
    }

    /// The values of a condition.
    fn condition(&self, wanted: (&str, &str)) -> Option<&[String]> {
        self.conditions.iter().find(|(condition, _)| is(condition, wanted)).map(|(_, values)| values.as_slice())
    }

    /// The same with a condition, in the place of one of the same key.
    fn under(mut self, (operator, key): (&str, &str), value: &str) -> Self {
        self.conditions.insert((operator.to_owned(), key.to_owned()), vec![value.to_owned()]);
        self
    }

    /// The source ARN, if it has exactly one.
    pub(crate) fn source_arn(&self) -> Option<&str> {
        let [arn] = self.condition(SOURCE_ARN)? else { return None };
        Some(arn)
    }

    /// Whether a grant may have a pattern in the place of its source ARN: an account stands beside it.
    pub(crate) fn takes_a_pattern(&self) -> bool {
        self.allow
            && (self.condition(SOURCE_ACCOUNT).is_some() || self.source_account().is_some_and(|it| !it.is_empty()))
    }

    /// The same with another source ARN.
    pub(crate) fn from(&self, source_arn: &str) -> Self {
        self.clone().under(SOURCE_ARN, source_arn)
    }

    /// Whether it lets in anything beyond what was asked: another effect, principal, action or
    /// resource, or a condition that is gone. A source account may be gone beside a source ARN that names it.
    pub(crate) fn is_wider_than(&self, asked: &Self) -> bool {
        let same = self.allow == asked.allow && self.principal == asked.principal && self.action == asked.action;
        // An ARN without its qualifier names the function whose version or alias was asked for.
        let of_asked = asked.resource.rsplit_once(':').is_some_and(|(function, _)| function == self.resource);
        let same = same && (self.resource == asked.resource || (of_asked && self.resource.split(':').count() > 6));
        let holds = |(key, values): (&(String, String), &Vec<String>)| {
            self.conditions.get(key) == Some(values)
                || (key.1 == "aws:sourceaccount" && self.source_account() == values.first().map(String::as_str))
        };
        !same || !asked.conditions.iter().all(holds)
    }

    /// The account that the condition on the source ARN names, if it holds for one ARN.
    fn source_account(&self) -> Option<&str> {
        self.source_arn()?.split(':').nth(4)
    }

    /// The statement as AWS writes it, for replies; a token is only said to be there.
    pub(crate) fn shown(&self, own: &Own) -> Box<RawValue> {
        self.shown_in(own.partition(), |it| serde_json::value::to_raw_value(it).unwrap_or_default())
    }

    fn shown_in<T>(&self, partition: &str, write: impl FnOnce(&Shown<'_>) -> T) -> T {
        let mut condition: BTreeMap<&str, BTreeMap<&str, OneOf<'_>>> = BTreeMap::new();
        for ((operator, key), values) in &self.conditions {
            let value = match values.as_slice() {
                _ if key == TOKEN_KEY => OneOf::One("present"),
                [one] => OneOf::One(one),
                many => OneOf::Many(many),
            };
            condition.entry(spelt(operator)).or_default().insert(spelt(key), value);
        }
        let root;
        write(&Shown {
            sid: &self.sid,
            effect: if self.allow { "Allow" } else { "Deny" },
            principal: match &self.principal {
                Party::Everyone => ShownPrincipal::Everyone("*"),
                Party::Account(account) => {
                    root = format!("arn:{partition}:iam::{account}:root");
                    ShownPrincipal::Of(BTreeMap::from([("AWS", root.as_str())]))
                }
                Party::Aws(aws) => ShownPrincipal::Of(BTreeMap::from([("AWS", aws.as_str())])),
                Party::Service(service) => ShownPrincipal::Of(BTreeMap::from([("Service", service.as_str())])),
            },
            action: &self.action,
            resource: &self.resource,
            condition,
        })
    }
}

impl Party {
    fn parse(raw: &RawValue) -> Option<Self> {
        if !raw.get().starts_with('{') {
            return serde_json::from_str::<&str>(raw.get()).is_ok_and(|star| star == "*").then_some(Self::Everyone);
        }
        let map: BTreeMap<String, Values> = serde_json::from_str(raw.get()).ok()?;
        let [(kind, value)] = <[_; 1]>::try_from(map.into_iter().collect::<Vec<_>>()).ok()?;
        let value = value.single()?;
        match kind.as_str() {
            "Service" => Some(Self::Service(value)),
            "AWS" => Some(Self::of_aws(value)),
            _ => None,
        }
    }

    /// An account is stored as its root ARN; emulators and old policies have the bare digits.
    fn of_aws(value: String) -> Self {
        if value == "*" {
            return Self::Everyone;
        }
        let account = match crate::principal::Principal::of_function(&value) {
            Ok(principal) => principal.account().filter(|_| matches!(principal.form(), Form::Account(_))),
            Err(_) => None,
        };
        account.map_or(Self::Aws(value), Self::Account)
    }
}

fn is(condition: &Condition, (operator, key): (&str, &str)) -> bool {
    condition.0 == operator && condition.1 == key
}

/// Whether a principal is what IAM puts in the place of a user or a role that was deleted.
pub(crate) fn is_unique_id(id: &str) -> bool {
    let unique = id.len() >= 16 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    unique && ["AIDA", "AROA"].iter().any(|kind| id.starts_with(kind))
}

/// AWS's own spelling of an operator or a key; others are shown in lower case.
fn spelt(word: &str) -> &str {
    const SPELT: [&str; 9] = [
        "StringEquals",
        "ArnLike",
        "Bool",
        "AWS:SourceAccount",
        "AWS:SourceArn",
        "aws:PrincipalOrgID",
        "lambda:EventSourceToken",
        "lambda:FunctionUrlAuthType",
        "lambda:InvokedViaFunctionUrl",
    ];
    SPELT.into_iter().find(|known| known.eq_ignore_ascii_case(word)).unwrap_or(word)
}

/// How many bytes were written, and none of them.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'a> {
    sid: &'a str,
    effect: &'a str,
    principal: ShownPrincipal<'a>,
    action: &'a str,
    resource: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'a str, BTreeMap<&'a str, OneOf<'a>>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ShownPrincipal<'a> {
    Everyone(&'a str),
    Of(BTreeMap<&'a str, &'a str>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum OneOf<'a> {
    One(&'a str),
    Many(&'a [String]),
    Hidden([&'a str; 1]),
}
