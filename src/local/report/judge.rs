//! Judging: each statement as the broker would read it today, by the functions with which it answers `GetPolicy`.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Judge;
use super::collect::{Collected, Place, Policy, Unread};
use super::facts::{Facts, NOT_PRINCIPAL, names_the_dead};
use super::table::{Finding, Report, Statements, Targets, Values};
use crate::audit::timestamp;
use crate::expiry::Moment;
use crate::inventory;
use crate::policy::{MOST_BYTES, NEARLY_FULL};
use crate::read::Read;
use crate::request::Request;
use crate::resource::Own;

/// A statement as the inventory tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    statement: Box<RawValue>,
    #[serde(default)]
    fingerprint: String,
    #[serde(default)]
    parties: Parties,
    rule: Option<String>,
    #[serde(default)]
    errors: Vec<Value>,
    by_broker: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parties {
    accounts: BTreeSet<String>,
    organizations: BTreeSet<String>,
    services: BTreeSet<String>,
    everyone: bool,
}

/// What of a statement has a column of its own.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Shown {
    sid: Value,
    effect: Value,
    principal: Value,
    not_principal: Value,
    action: Value,
    not_action: Value,
    resource: Value,
    condition: Value,
}

impl Shown {
    /// Everyone or everything but what is named stands in the same column, under its own name.
    fn of(statement: &RawValue) -> Self {
        let mut shown: Self = serde_json::from_str(statement.get()).unwrap_or_default();
        let but = |name: &str, not: &mut Value| json!({ name: not.take() });
        if shown.principal.is_null() && !shown.not_principal.is_null() {
            shown.principal = but(NOT_PRINCIPAL, &mut shown.not_principal);
        }
        if shown.action.is_null() && !shown.not_action.is_null() {
            shown.action = but("NotAction", &mut shown.not_action);
        }
        shown
    }
}

pub(super) fn judge(judge: &Judge<'_>, collected: Collected, now: SystemTime) -> Report {
    let Collected { somewhere, policies, counts, mut unread, wanted } = collected;
    let place: Vec<String> = somewhere.unwrap_or_default().split(':').map(str::to_owned).collect();
    let part = |i: usize| place.get(i).cloned().unwrap_or_default();
    let (partition, region, account) = (part(1), part(3), part(4));
    let own = Own::parse(&format!("arn:{partition}:lambda:{region}:{account}:function:{}", judge.broker));
    let mut bench = Bench {
        judge,
        now: Moment::of(now),
        values: Values::new(),
        targets: Targets::default(),
        statements: Default::default(),
    };
    for policy in &policies {
        let done = own.as_ref().and_then(|own| bench.policy(policy, own));
        if done.is_none() {
            let operation = match policy.place {
                Place::Function { .. } => "GetPolicy",
                Place::Layer { .. } => "GetLayerVersionPolicy",
            };
            unread.push(Unread { target: policy.place.name(), operation, code: UNREADABLE.to_owned() });
        }
    }
    Report {
        made: timestamp(now),
        partition,
        region,
        account,
        allowlist: judge.name.to_owned(),
        rules: judge.allowlist.len(),
        prefix: wanted.prefix,
        with_versions: wanted.versions,
        limit: MOST_BYTES,
        nearly_full: NEARLY_FULL,
        counts,
        unread,
        findings: Finding::ALL.map(|(_, name)| name),
        targets: bench.targets,
        statements: bench.statements,
        values: bench.values.all(),
    }
}

const UNREADABLE: &str = "the policy is not a document of AWS";

struct Bench<'a> {
    judge: &'a Judge<'a>,
    now: Moment,
    values: Values,
    targets: Targets,
    statements: Statements,
}

impl Bench<'_> {
    /// Adds a policy and its statements; `None` if it cannot be read.
    fn policy(&mut self, Policy { place, document }: &Policy, own: &Own) -> Option<()> {
        let request = match place {
            Place::Function { name, qualifier } => {
                let mut parameters = json!({ "FunctionName": name });
                if let (Some(qualifier), Some(parameters)) = (qualifier, parameters.as_object_mut()) {
                    parameters.insert("Qualifier".to_owned(), json!(qualifier));
                }
                json!({ "operation": "GetPolicy", "parameters": parameters })
            }
            Place::Layer { name, version } => {
                let parameters = json!({ "LayerName": name, "VersionNumber": version });
                json!({ "operation": "GetLayerVersionPolicy", "parameters": parameters })
            }
        };
        let read = Read::new(Request::read(&request.to_string()).ok()?).ok()?;
        let arn = read.target().arn(own);
        let told = inventory::of(document, &read, self.judge.allowlist, own, self.now)?;
        let told: Vec<Told> = serde_json::from_str(told.get()).ok()?;
        if told.is_empty() {
            return Some(());
        }
        self.targets.name.push(place.name());
        self.targets.bytes.push(document.len());
        self.targets.statements.push(told.len());
        for told in &told {
            self.statement(told, &arn);
        }
        Some(())
    }

    fn statement(&mut self, told: &Told, arn: &str) {
        let shown = Shown::of(&told.statement);
        let denies = shown.effect == "Deny";
        let (parties, findings) = told.looked_at(&shown, denies);
        let verdict = match &told.rule {
            Some(rule) => self.values.place(rule),
            None => self.values.place(&told.errors),
        };
        // The columns are all of a statement that AddPermission made.
        let ours = !told.fingerprint.is_empty() && !denies && shown.resource == arn;
        let whole = if ours { 0 } else { self.values.place(&told.statement) };
        let rows = &mut self.statements;
        rows.sid.push(shown.sid.as_str().unwrap_or_default().to_owned());
        rows.principal.push(self.values.place(&shown.principal));
        rows.action.push(self.values.place(&shown.action));
        rows.condition.push(self.values.place(&shown.condition));
        rows.parties.push(self.values.place(&parties));
        rows.verdict.push(verdict);
        rows.findings.push(findings);
        rows.fingerprint.push(told.fingerprint.clone());
        rows.whole.push(whole);
    }
}

impl Told {
    /// Whom it names, and what about it is worth a look.
    fn looked_at(&self, shown: &Shown, denies: bool) -> (BTreeSet<String>, u8) {
        let is = |code: &str| self.errors.iter().any(|error| error.get("code").is_some_and(|it| it == code));
        let by_text = Facts::of(&shown.principal, &shown.condition);
        // A grant always names somebody.
        let mut parties = self.parties.all();
        let no_grant = parties.is_empty();
        if no_grant {
            parties = by_text.parties;
        } else if !by_text.everyone {
            // The allowlist lets nobody grant to everyone, whatever the source; whoever looks wants to know the source.
            parties.remove("everyone");
        }
        let open_url = || {
            let auth = shown.condition.pointer("/StringEquals/lambda:FunctionUrlAuthType");
            auth.is_some_and(|auth| auth == "NONE")
        };
        let found = |finding: Finding| match finding {
            Finding::NoRule => self.rule.is_none() && !denies,
            Finding::Public => !denies && (by_text.everyone || is("public_grant") && open_url()),
            Finding::Unconfined => !denies && (is("unconfined_service") || no_grant && by_text.unconfined),
            Finding::Dead => names_the_dead(&shown.principal),
            Finding::Form => no_grant,
            Finding::Deny => denies,
            Finding::ByBroker => self.by_broker == "likely",
        };
        let bits = Finding::ALL.into_iter().filter(|(finding, _)| found(*finding));
        (parties, bits.fold(0, |bits, (finding, _)| bits | finding.bit()))
    }
}

impl Parties {
    fn all(&self) -> BTreeSet<String> {
        let named = |kind: &'static str, ids: &BTreeSet<String>| -> Vec<String> {
            ids.iter().map(|id| format!("{kind}:{id}")).collect()
        };
        let mut all = BTreeSet::from_iter(named("account", &self.accounts));
        all.extend(named("organization", &self.organizations));
        all.extend(named("service", &self.services));
        if self.everyone {
            all.insert("everyone".to_owned());
        }
        all
    }
}
