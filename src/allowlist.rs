//! The decision: default deny, pure, no I/O.
//!
//! A grant is approved if none of the standing refusals applies and **one** rule allows it as a
//! whole: who asks, which target, which action, and every account, organization and service that the
//! grant names in any role. A revoke or a read names no party, and needs a rule for its target and
//! its requester. Only the allowlist makes an [`Approved`] or an [`Admitted`].

mod approved;
mod parse;

use crate::arn::{AccountId, OrganizationId};
use crate::asked::Asked;
use crate::error::{Code, Fault};
use crate::expiry::{self, Moment};
use crate::grant::{FunctionUrlAuthType, Grant};
use crate::principal::Form;
use crate::read::Read;
use crate::requester::Requester;
use crate::resource::{Own, Target};
use crate::revoke::Revoke;

pub use approved::{Admitted, Approved, Denied, Refusal};
pub use parse::Problem;

/// The actions that a rule allows when it names none.
pub const DEFAULT_ACTIONS: [&str; 3] = ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:GetLayerVersion"];

/// A list of rules. Without rules it denies everything.
#[derive(Debug, Default)]
pub struct Allowlist {
    pub(crate) rules: Vec<Rule>,
}

/// The one that denies everything.
pub(crate) static NOTHING: Allowlist = Allowlist { rules: Vec::new() };

/// One rule: what may be granted under it, and who may ask.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: Box<str>,
    /// Sorted, so that 100,000 of them decide as fast as ten.
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) organizations: Vec<OrganizationId>,
    pub(crate) services: Vec<Box<str>>,
    pub(crate) actions: Option<Vec<Box<str>>>,
    pub(crate) targets: Option<Vec<Pattern>>,
    pub(crate) requesters: Option<Vec<Pattern>>,
    /// In seconds; what it allows has to end within it.
    pub(crate) max_duration: Option<u64>,
}

/// A text in which `*` stands for any run of characters.
#[derive(Debug)]
pub(crate) struct Pattern(pub(crate) Box<str>);

impl Allowlist {
    /// Decides a grant. Every account that it names in any role has to be allowed by the same rule.
    pub fn decide(&self, grant: Grant, requester: &Requester, own: &Own) -> Result<Approved, Box<Denied>> {
        let faults = standing_refusals(&grant, own);
        // With nothing to go by, a grant to an organization wants for that, any other for its principal.
        let of_organization = *grant.principal().form() == Form::Everyone && grant.conditions().organization.is_some();
        let unnamed = if of_organization { Criterion::Organization } else { Criterion::Principal };
        let refusal = |rule: &Rule| rule.refusal(&grant, requester, own);
        match self.first(faults, unnamed, refusal, |criterion| criterion.fault(&grant)) {
            Ok(rule) => Ok(Approved::new(grant, own, &rule.id)),
            Err(refusal) => Err(Box::new(Denied { asked: grant, refusal })),
        }
    }

    /// Decides a revoke: some rule lets the requester ask about the target.
    pub fn decide_revoke(
        &self,
        revoke: Revoke,
        requester: &Requester,
        own: &Own,
    ) -> Result<Approved<Revoke>, Box<Denied<Revoke>>> {
        match self.admit(revoke.target(), requester, own) {
            Ok(rule) => Ok(Approved::new(revoke, own, &rule.id)),
            Err(refusal) => Err(Box::new(Denied { asked: revoke, refusal })),
        }
    }

    /// Decides a read: some rule lets the requester ask about the target.
    pub fn decide_read(&self, read: Read, requester: &Requester, own: &Own) -> Result<Admitted, Box<Denied<Read>>> {
        match self.admit(read.target(), requester, own) {
            Ok(rule) => Ok(Admitted::new(read, own, &rule.id)),
            Err(refusal) => Err(Box::new(Denied { asked: read, refusal })),
        }
    }

    /// Decides an expiry: what says of itself that this broker gave it until a time which has passed may be taken
    /// away, whatever the rules say today and whoever asks.
    pub(crate) fn decide_expiry(
        &self,
        revoke: Revoke,
        own: &Own,
        now: Moment,
    ) -> Result<Approved<Revoke>, Box<Denied<Revoke>>> {
        const NOT_TIMED: &str = "this is not the id of a timed grant that this broker made on this target";
        const NOT_DUE: &str = "the time in the statement id has not come";
        let mut faults = target_refusals(revoke.target(), own);
        let sid = revoke.statement_id(own);
        match expiry::of_id(sid.as_str(), &revoke.target().arn(own), own) {
            None => faults.push(Fault::new("/parameters/StatementId", Code::InvalidStatementId, NOT_TIMED)),
            Some((_, at)) if at > now => faults.push(Fault::new("/parameters/StatementId", Code::NotDue, NOT_DUE)),
            Some(_) if faults.is_empty() => return Ok(Approved::new(revoke, own, EXPIRY)),
            Some(_) => {}
        }
        Err(Box::new(Denied { asked: revoke, refusal: Refusal { faults, rules: Vec::new() } }))
    }

    /// The names of functions or layers that any rule gives in full.
    pub(crate) fn names(&self, word: &'static str) -> impl Iterator<Item = &str> {
        let targets = self.rules.iter().filter_map(|rule| rule.targets.as_ref()).flatten();
        targets.filter_map(move |target| target.name_of(word)).filter(|name| !name.contains('*'))
    }

    /// Whether any rule reaches functions or layers that it does not name in full.
    pub(crate) fn reaches_more(&self, word: &str) -> bool {
        let more = |target: &Pattern| target.name_of(word).is_some_and(|name| name.contains('*'));
        self.rules.iter().any(|rule| rule.targets.as_ref().is_none_or(|targets| targets.iter().any(more)))
    }

    /// Whether any rule reaches a target, such as `function:orders`.
    pub(crate) fn reaches(&self, target: &str) -> bool {
        let matches = |targets: &Vec<Pattern>| targets.iter().any(|pattern| pattern.matches(target));
        self.rules.iter().any(|rule| rule.targets.as_ref().is_none_or(matches))
    }

    /// The rule that would allow a grant, whoever asked for it, or why none would.
    pub(crate) fn would_allow(&self, grant: &Grant, own: &Own) -> Result<&str, Refusal> {
        self.allowing(grant, own).map(|rule| &*rule.id)
    }

    fn allowing(&self, grant: &Grant, own: &Own) -> Result<&Rule, Refusal> {
        let faults = standing_refusals(grant, own);
        let refusal = |rule: &Rule| match rule.allows_target(grant.target()) {
            true => rule.refusal_of_parties(grant),
            false => Some(Criterion::Target),
        };
        self.first(faults, Criterion::Principal, refusal, |criterion| criterion.fault(grant))
    }

    fn admit(&self, target: &Target, requester: &Requester, own: &Own) -> Result<&Rule, Refusal> {
        let refusal = |rule: &Rule| rule.refusal_of_access(target, requester, own);
        let fault = |criterion: Criterion| match criterion {
            Criterion::Requester => Fault::new("", criterion.code(), NO_REQUESTER),
            _ => Fault::new(target_pointer(target), criterion.code(), NO_TARGET),
        };
        self.first(target_refusals(target, own), Criterion::Target, refusal, fault)
    }

    /// The rules that do not allow a grant, each with the first of its conditions that fails.
    pub(crate) fn not_allowing(&self, grant: &Grant, requester: &Requester, own: &Own) -> Vec<(Box<str>, Code)> {
        self.refusing(|rule| rule.refusal(grant, requester, own))
    }

    /// The rules that let nobody, or not this requester, ask about a target.
    pub(crate) fn not_admitting(&self, target: &Target, requester: &Requester, own: &Own) -> Vec<(Box<str>, Code)> {
        self.refusing(|rule| rule.refusal_of_access(target, requester, own))
    }

    fn refusing(&self, refusal: impl Fn(&Rule) -> Option<Criterion>) -> Vec<(Box<str>, Code)> {
        let of = |rule: &Rule| Some((rule.id.clone(), refusal(rule)?.code()));
        self.rules.iter().filter_map(of).collect()
    }

    /// The first rule that has nothing against it, if no standing refusal has.
    fn first(
        &self,
        mut faults: Vec<Fault>,
        unnamed: Criterion,
        refusal: impl Fn(&Rule) -> Option<Criterion>,
        fault: impl Fn(Criterion) -> Fault,
    ) -> Result<&Rule, Refusal> {
        let mut rules = Vec::new();
        for rule in &self.rules {
            match refusal(rule) {
                None if faults.is_empty() => return Ok(rule),
                None => {}
                Some(criterion) => rules.push((rule, criterion)),
            }
        }
        // Rules that fail late were close: the furthest criterion names what ruled out the last of them.
        if rules.len() == self.rules.len() {
            let furthest = rules.iter().map(|(_, criterion)| *criterion).max();
            faults.push(fault(furthest.unwrap_or(unnamed)));
        }
        let rules = rules.into_iter().map(|(rule, criterion)| (rule.id.clone(), criterion.code())).collect();
        Err(Refusal { faults, rules })
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it denies everything.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// What stands in the place of a rule where the statement itself decides. No rule can have this id.
const EXPIRY: &str = "(expiry)";

const NO_TARGET: &str = "no rule names this target";
const NO_REQUESTER: &str = "no rule for this target lets this requester ask";

/// What no rule can allow for any operation.
fn target_refusals(target: &Target, own: &Own) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut refuse = |detail| faults.push(Fault::new(target_pointer(target), Code::TargetNotAllowed, detail));
    if !target.is_beside(own) {
        refuse("the target lies in another account, region or partition than the broker");
    }
    if target.is_self(own) {
        refuse("the broker leaves its own policy alone");
    }
    faults
}

/// What no rule can allow to be granted.
fn standing_refusals(grant: &Grant, own: &Own) -> Vec<Fault> {
    let mut faults = target_refusals(grant.target(), own);
    let mut refuse = |pointer, code, detail| faults.push(Fault::new(pointer, code, detail));
    let conditions = grant.conditions();
    if grant.action().as_str().contains('*') {
        refuse(
            "/parameters/Action",
            Code::ActionNotAllowed,
            "an action is granted by its own name, never by a wildcard",
        );
    }
    if grant.principal().partition().is_some_and(|partition| partition != own.partition()) {
        refuse(
            "/parameters/Principal",
            Code::PrincipalNotAllowed,
            "the principal lies in another partition than the broker",
        );
    }
    if *grant.principal().form() == Form::Everyone && conditions.organization.is_none() {
        refuse("/parameters/Principal", Code::PublicGrant, "the principal `*` needs an organization id beside it");
    }
    if conditions.function_url_auth_type == Some(FunctionUrlAuthType::None) {
        refuse(
            "/parameters/FunctionUrlAuthType",
            Code::PublicGrant,
            "the auth type NONE would open the function URL to everyone",
        );
    }
    if *grant.principal().form() == Form::Service && !is_confined(grant) {
        refuse(
            "/parameters/Principal",
            Code::UnconfinedService,
            "a service acts for every AWS customer: add SourceAccount, or a SourceArn that names an account (S3 needs SourceAccount)",
        );
    }
    let arn_account = conditions.source_arn.as_ref().and_then(|arn| arn.account());
    if let (Some(account), Some(in_arn)) = (conditions.source_account, arn_account)
        && account != in_arn
    {
        refuse(
            "/parameters/SourceAccount",
            Code::SourceMismatch,
            "SourceAccount differs from the account in SourceArn",
        );
    }
    faults
}

/// Whether a service can use the grant only on behalf of accounts that the grant names.
fn is_confined(grant: &Grant) -> bool {
    let conditions = grant.conditions();
    let service = grant.principal().as_str();
    if conditions.source_account.is_some() {
        return true;
    }
    if service.starts_with("s3.") {
        // A bucket can be deleted and made again by another account, so its ARN alone confines nothing.
        return false;
    }
    // The Alexa services (`*.amazon.com`) have no source ARN; their skill id travels as the token.
    let skill = service.ends_with(".amazon.com") && conditions.event_source_token.is_some();
    skill || conditions.source_arn.as_ref().is_some_and(|arn| arn.account().is_some())
}

fn target_pointer(target: &Target) -> &'static str {
    match target {
        Target::Function(_) => "/parameters/FunctionName",
        Target::LayerVersion(_) => "/parameters/LayerName",
    }
}

/// What a rule looks at, in the order in which it looks. The target comes first: a rule for other
/// targets has nothing to say about who asks, and would only hide the rule that was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Criterion {
    Target,
    Requester,
    Action,
    Principal,
    Organization,
    Source,
    Duration,
}

impl Rule {
    /// The first criterion that speaks against a grant; `None` if the rule allows it.
    fn refusal(&self, grant: &Grant, requester: &Requester, own: &Own) -> Option<Criterion> {
        let access = self.refusal_of_access(grant.target(), requester, own);
        access.or_else(|| self.refusal_of_parties(grant))
    }

    /// The first criterion that speaks against anybody asking anything about a target.
    fn refusal_of_access(&self, target: &Target, requester: &Requester, own: &Own) -> Option<Criterion> {
        if !self.allows_target(target) {
            return Some(Criterion::Target);
        }
        (!self.allows_requester(requester, own)).then_some(Criterion::Requester)
    }

    /// The first criterion that speaks against what is granted to whom.
    fn refusal_of_parties(&self, grant: &Grant) -> Option<Criterion> {
        let criteria = [
            (Criterion::Action, self.allows_action(grant)),
            (Criterion::Principal, self.allows_principal(grant)),
            (Criterion::Organization, self.allows_organization(grant)),
            (Criterion::Source, self.allows_source(grant)),
            (Criterion::Duration, self.allows_duration(grant)),
        ];
        criteria.into_iter().find(|(_, allowed)| !allowed).map(|(criterion, _)| criterion)
    }

    /// Without `requesters`, whoever may reach the door may ask; an event that another account put on
    /// the bus is asked for by nobody of ours, and has to be named.
    fn allows_requester(&self, requester: &Requester, own: &Own) -> bool {
        match (&self.requesters, requester) {
            (None, Requester::EventBridge { account, .. }) => *account == own.account(),
            (None, _) => true,
            (Some(patterns), requester) => {
                requester.id().is_some_and(|id| patterns.iter().any(|pattern| pattern.matches(&id)))
            }
        }
    }

    fn allows_target(&self, target: &Target) -> bool {
        let Some(patterns) = &self.targets else { return true };
        let target = format!("{}:{}", target.word(), target.name());
        patterns.iter().any(|pattern| pattern.matches(&target))
    }

    fn allows_action(&self, grant: &Grant) -> bool {
        let action = grant.action().as_str();
        match &self.actions {
            None => DEFAULT_ACTIONS.contains(&action),
            Some(actions) => actions.iter().any(|allowed| **allowed == *action),
        }
    }

    fn allows_principal(&self, grant: &Grant) -> bool {
        let principal = grant.principal();
        match principal.form() {
            Form::Account(account) | Form::Identity(account) => self.allows_account(*account),
            Form::Service => self.services.iter().any(|service| **service == *principal.as_str()),
            // Everyone is a question of the organization, which is the next criterion.
            Form::Everyone => true,
        }
    }

    fn allows_organization(&self, grant: &Grant) -> bool {
        grant.conditions().organization.as_ref().is_none_or(|id| self.organizations.contains(id))
    }

    fn allows_source(&self, grant: &Grant) -> bool {
        let conditions = grant.conditions();
        let in_arn = conditions.source_arn.as_ref().and_then(|arn| arn.account());
        [conditions.source_account, in_arn].into_iter().flatten().all(|account| self.allows_account(account))
    }

    /// A rule with a `maxDuration` allows no grant without an end.
    fn allows_duration(&self, grant: &Grant) -> bool {
        self.max_duration.is_none_or(|most| grant.expiry().is_some_and(|expiry| expiry.is_within(most)))
    }

    fn allows_account(&self, account: AccountId) -> bool {
        self.accounts.binary_search(&account).is_ok()
    }
}

impl Criterion {
    fn code(self) -> Code {
        match self {
            Self::Target => Code::TargetNotAllowed,
            Self::Requester => Code::RequesterNotAllowed,
            Self::Action => Code::ActionNotAllowed,
            Self::Principal => Code::PrincipalNotAllowed,
            Self::Organization => Code::OrganizationNotAllowed,
            Self::Source => Code::SourceNotAllowed,
            Self::Duration => Code::DurationNotAllowed,
        }
    }

    fn fault(self, grant: &Grant) -> Fault {
        let layer = grant.target().word() == "layer";
        let (pointer, detail) = match self {
            Self::Target => (target_pointer(grant.target()), NO_TARGET),
            Self::Requester => ("", NO_REQUESTER),
            Self::Action => ("/parameters/Action", "no rule for this target and requester names this action"),
            Self::Principal => ("/parameters/Principal", "no rule for this target and action names this principal"),
            Self::Organization if layer => {
                ("/parameters/OrganizationId", "no rule for this grant names this organization")
            }
            Self::Organization => ("/parameters/PrincipalOrgID", "no rule for this grant names this organization"),
            Self::Source if grant.conditions().source_account.is_some() => {
                ("/parameters/SourceAccount", "no rule for this grant names the account of its source")
            }
            Self::Source => ("/parameters/SourceArn", "no rule for this grant names the account of its source"),
            Self::Duration => match grant.expiry() {
                Some(expiry) => (expiry.pointer(), "no rule for this grant lets it last that long"),
                None => ("", "every rule for this grant wants it to end: give expiresAt or duration"),
            },
        };
        Fault::new(pointer, self.code(), detail)
    }
}

impl Pattern {
    /// Parses `function:NAME` or `layer:NAME`, with `*` at its end at most.
    pub(crate) fn of_target(text: &str) -> Option<Self> {
        parse::target(text)
    }

    /// The name in a pattern of functions or of layers.
    pub(crate) fn name_of(&self, word: &str) -> Option<&str> {
        self.0.strip_prefix(word)?.strip_prefix(':')
    }

    /// The pattern itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Matches in time linear in both: between two `*` the first place that fits is as good as any.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.split_once(part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}
