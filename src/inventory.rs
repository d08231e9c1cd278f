//! What a policy holds, for a person who reads it: each statement with the parties that it names, the rule
//! that would allow it today or why none would, and whether its id is one of the broker's own.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::allowlist::Allowlist;
use crate::asked::{Asked, Given};
use crate::error::{Code, Fault};
use crate::expiry::{self, Expiry, Moment};
use crate::grant::Grant;
use crate::principal::Form;
use crate::read::Read;
use crate::resource::Own;
use crate::statement::{self, Standing};

/// Most reasons that are listed for one statement.
const MOST_LISTED: usize = 8;

/// One statement of a policy.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    statement: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    parties: Parties,
    /// The rule that would allow it today, whoever asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// Why no rule would.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Reason>,
    /// When it ends, if it is a timed grant of this broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Whether that has come, and it still stands.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    overdue: bool,
    by_broker: ByBroker,
}

/// Whether the broker wrote a statement. AWS keeps no writer, so that its id is all there is to go by, and how the
/// broker makes an id is no secret: nothing here is proof, and nothing can say no. The audit can.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ByBroker {
    /// Its id is the one that the broker derives from this very statement, or has the mark that this broker gives to
    /// a grant with this end on this target.
    Likely,
    /// Any other id: one that a requester chose, or that somebody wrote without the broker.
    Unknown,
}

impl ByBroker {
    fn of(its_own_id: bool) -> Self {
        if its_own_id { Self::Likely } else { Self::Unknown }
    }
}

/// Everybody that a statement names, in whatever role.
#[derive(Default, Serialize)]
struct Parties {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    accounts: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    organizations: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    services: BTreeSet<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    everyone: bool,
}

#[derive(Serialize)]
struct Reason {
    pointer: String,
    code: &'static str,
    detail: String,
}

/// The statements of a policy document; `None` if it cannot be read.
pub(crate) fn of(document: &str, read: &Read, allowlist: &Allowlist, own: &Own, now: Moment) -> Option<Box<RawValue>> {
    let target = read.target().arn(own);
    let entries: Vec<Entry<'_>> = statement::all(document)?
        .iter()
        .map(|standing| entry(standing, (read.given(), &target), allowlist, own, now))
        .collect();
    serde_json::value::to_raw_value(&entries).ok()
}

fn entry<'a>(
    standing: &Standing,
    target: (&Given, &str),
    allowlist: &'a Allowlist,
    own: &Own,
    now: Moment,
) -> Entry<'a> {
    let id = standing.id();
    let until = id.and_then(|id| expiry::of_id(id.as_str(), target.1, own).map(|(_, at)| at));
    let (expires_at, overdue) = (until.map(Moment::to_rfc_3339), until.is_some_and(|at| at <= now));
    let dead =
        standing.names_the_dead().then(|| Fault::new("/parameters/Principal", Code::DeadPrincipal, DEAD)).into_iter();
    let Standing::Statement(stored) = standing else {
        return Entry {
            statement: standing.shown(own),
            fingerprint: None,
            parties: Parties::default(),
            rule: None,
            errors: dead.chain([Fault::new("", Code::ForeignStatement, FOREIGN)]).map(Reason::of).collect(),
            expires_at,
            overdue,
            by_broker: ByBroker::of(until.is_some()),
        };
    };
    let grant = stored.as_grant(target.0, target.1).map(|grant| match until {
        Some(at) => grant.ending(Expiry::standing(at, now)),
        None => grant,
    });
    let (rule, faults) = match &grant {
        // That it is nobody's says more than that no grant can name it.
        Err(_) if stored.names_the_dead() => (None, dead.collect()),
        Err(faults) => (None, faults.clone()),
        Ok(grant) => match allowlist.would_allow(grant, own) {
            Ok(rule) => (Some(rule), Vec::new()),
            Err(refusal) => (None, refusal.faults),
        },
    };
    Entry {
        statement: standing.shown(own),
        fingerprint: Some(stored.fingerprint().as_str().to_owned()),
        parties: grant.as_ref().map(Parties::of).unwrap_or_default(),
        rule,
        errors: faults.into_iter().take(MOST_LISTED).map(Reason::of).collect(),
        expires_at,
        overdue,
        by_broker: ByBroker::of(until.is_some() || grant.is_ok_and(derives(stored.sid(), own))),
    }
}

/// What a policy that is not there holds.
pub(crate) fn empty() -> Box<RawValue> {
    serde_json::value::to_raw_value(&[(); 0]).unwrap_or_default()
}

/// Whether a grant that names no id gets this one.
fn derives(sid: &str, own: &Own) -> impl FnOnce(Grant) -> bool {
    move |grant| grant.statement_id(own).as_str() == sid
}

const FOREIGN: &str = "this statement has a form that no grant makes";
const DEAD: &str =
    "the user or role that this statement names was deleted, and no grant can be added beside it: revoke it";

impl Reason {
    fn of(fault: Fault) -> Self {
        Self { pointer: fault.pointer.into_owned(), code: fault.code.as_str(), detail: fault.detail.into_owned() }
    }
}

impl Parties {
    fn of(grant: &Grant) -> Self {
        let (principal, conditions) = (grant.principal(), grant.conditions());
        let in_arn = conditions.source_arn.as_ref().and_then(|arn| arn.account());
        let accounts = [principal.account(), conditions.source_account, in_arn];
        Self {
            accounts: accounts.into_iter().flatten().map(|account| account.to_string()).collect(),
            organizations: conditions.organization.iter().map(|id| id.as_str().to_owned()).collect(),
            services: (*principal.form() == Form::Service).then(|| principal.as_str().to_owned()).into_iter().collect(),
            everyone: *principal.form() == Form::Everyone && conditions.organization.is_none(),
        }
    }
}
