//! A grant: a request that obeys every rule AWS documents, so that nothing is sent which AWS would
//! refuse for its form. Whether it is *allowed* is decided elsewhere ([`crate::allowlist`]).
//!
//! Field rules stand with their types; here are the rules between fields. Sources: Lambda's API
//! model (2015-03-31, as of botocore 1.44) and answers recorded from AWS in November 2025.

mod terms;

use std::borrow::Cow;

use crate::arn::{AccountId, OrganizationId, SourceArn};
use crate::asked::{self, Asked, Given};
use crate::error::{Broken, Code, Fault};
use crate::expiry::{self, Expiry};
use crate::principal::{Form, Principal};
use crate::request::{Fields, Operation, Request};
use crate::resource::{Own, Target};

pub use terms::{Action, EventSourceToken, Fingerprint, FunctionUrlAuthType, RevisionId, StatementId};

/// The conditions of a grant, each of which narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// `AWS:SourceArn`, compared with `ArnLike`.
    pub source_arn: Option<SourceArn>,
    /// `AWS:SourceAccount`.
    pub source_account: Option<AccountId>,
    /// `aws:PrincipalOrgID`.
    pub organization: Option<OrganizationId>,
    /// `lambda:EventSourceToken`.
    pub event_source_token: Option<EventSourceToken>,
    /// `lambda:FunctionUrlAuthType`.
    pub function_url_auth_type: Option<FunctionUrlAuthType>,
    /// `lambda:InvokedViaFunctionUrl`.
    pub invoked_via_function_url: Option<bool>,
}

/// A validated grant. Its fields can be read, and only [`Grant::new`] makes one.
#[derive(Clone, Debug)]
pub struct Grant {
    target: Target,
    statement_id: Option<StatementId>,
    expiry: Option<Expiry>,
    action: Action,
    principal: Principal,
    conditions: Conditions,
    revision_id: Option<RevisionId>,
    given: Given,
    reason: Option<Box<str>>,
    dry_run: bool,
}

impl Grant {
    /// Checks a request against every rule. All broken rules are reported at once.
    pub fn new(request: Request<'_>) -> Result<Self, Vec<Fault>> {
        let operation = request.operation;
        let reason = request.reason.as_deref().map(Into::into);
        let dry_run = request.dry_run;
        let expiry = request.expiry();
        let mut fields = request.parameters();
        let draft = match operation {
            Some(Operation::AddPermission) => of_function(&mut fields),
            Some(Operation::AddLayerVersionPermission) => of_layer(&mut fields),
            // Without an operation of a grant no parameter can be called unknown.
            _ => return Err(fields.finish_unread()),
        };
        let mut faults = fields.finish();
        let expiry = expiry.unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        faults.extend(draft.iter().find_map(|draft| broken_id(draft.statement_id.as_ref(), expiry.is_some())));
        match draft {
            Some(draft) if faults.is_empty() => Ok(Self { reason, dry_run, expiry, ..draft }),
            _ => Err(faults),
        }
    }

    /// Checks a request for both statements of a function URL: the URL's own, then the function's.
    pub fn of_function_url(request: Request<'_>) -> Result<[Self; 2], Vec<Fault>> {
        let reason = request.reason.as_deref().map(Into::into);
        let dry_run = request.dry_run;
        let expiry = request.expiry();
        let mut fields = request.parameters();
        let drafts = of_function_url(&mut fields);
        let mut faults = fields.finish();
        let expiry = expiry.unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        let mut ids = drafts.iter().flatten().map(|draft| draft.statement_id.as_ref());
        faults.extend(ids.find_map(|id| broken_id(id, expiry.is_some())));
        match drafts {
            Some(drafts) if faults.is_empty() => {
                Ok(drafts.map(|draft| Self { reason: Option::clone(&reason), dry_run, expiry, ..draft }))
            }
            _ => Err(faults),
        }
    }

    /// The same under another statement id.
    pub(crate) fn under(self, id: StatementId) -> Self {
        Self { statement_id: Some(id), ..self }
    }

    /// The same with an end.
    pub(crate) fn ending(self, expiry: Expiry) -> Self {
        Self { expiry: Some(expiry), ..self }
    }

    /// The same as a dry run, or not.
    pub(crate) fn dry(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// What the principal may do.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Who may.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What narrows it.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    pub(crate) fn given(&self) -> &Given {
        &self.given
    }
}

impl Asked for Grant {
    fn operation(&self) -> Operation {
        match self.target {
            Target::Function(_) => Operation::AddPermission,
            Target::LayerVersion(_) => Operation::AddLayerVersionPermission,
        }
    }

    fn target(&self) -> &Target {
        &self.target
    }

    /// The statement id: the one given, or one derived from everything that the grant means, so that
    /// the same grant asked for twice is the same statement. That of a timed grant ends in its end.
    fn statement_id(&self, own: &Own) -> StatementId {
        let base = self.base_id(own);
        match &self.expiry {
            Some(expiry) => expiry::timed(&base, expiry.at(), &self.target.arn(own), own),
            None => base,
        }
    }

    fn revision_id(&self) -> Option<&RevisionId> {
        self.revision_id.as_ref()
    }

    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    fn grant(&self) -> Option<&Grant> {
        Some(self)
    }

    fn expiry(&self) -> Option<&Expiry> {
        self.expiry.as_ref()
    }
}

impl Grant {
    fn base_id(&self, own: &Own) -> StatementId {
        if let Some(id) = &self.statement_id {
            return id.clone();
        }
        let conditions = &self.conditions;
        let account = self.principal.account().filter(|_| matches!(self.principal.form(), Form::Account(_)));
        let canonical: [Cow<'_, str>; 9] = [
            self.target.arn(own).into(),
            self.action.as_str().into(),
            account.map_or_else(|| self.principal.as_str().into(), |account| account.to_string().into()),
            conditions.source_arn.as_ref().map_or("", SourceArn::as_str).into(),
            conditions.source_account.map_or_else(String::new, |account| account.to_string()).into(),
            conditions.organization.as_ref().map_or("", OrganizationId::as_str).into(),
            conditions.event_source_token.as_ref().map_or("", EventSourceToken::expose).into(),
            conditions.function_url_auth_type.map_or("", FunctionUrlAuthType::as_str).into(),
            if conditions.invoked_via_function_url.is_some() { "true".into() } else { "".into() },
        ];
        StatementId::derived(&canonical)
    }
}

/// What the id of a grant may not be: so long that the end has no room, or like that of a timed grant.
fn broken_id(id: Option<&StatementId>, timed: bool) -> Option<Fault> {
    const LONG: &str =
        "the id of a timed grant has at most 68 characters, of a function URL 61: its end is added to it";
    const TIMED: &str =
        "this ending is what the broker adds to the id of a timed grant: give expiresAt, and the id without it";
    let id = id?.as_str();
    let too_long = timed && id.len() + expiry::ENDING_CHARS > StatementId::MOST_CHARS;
    let detail = [(too_long, LONG), (expiry::looks_timed(id), TIMED)].into_iter().find(|(broken, _)| *broken)?.1;
    Some(Fault::new("/parameters/StatementId", Code::InvalidStatementId, detail))
}

/// `AddPermission`.
fn of_function(fields: &mut Fields<'_>) -> Option<Grant> {
    let place = asked::function(fields);
    let statement_id = statement_id(fields);
    let action = fields.required("Action").and_then(|text| fields.check("Action", Action::of_function(&text)));
    let principal = fields.required("Principal");
    let principal = principal.and_then(|text| fields.check("Principal", Principal::of_function(&text)));
    let conditions = Conditions {
        source_arn: fields.optional("SourceArn").and_then(|text| fields.check("SourceArn", SourceArn::parse(&text))),
        source_account: fields.optional("SourceAccount").and_then(|text| {
            const RULE: Broken = Broken::new(Code::InvalidSourceAccount, "a source account has twelve digits");
            fields.check("SourceAccount", AccountId::parse(&text).ok_or(RULE))
        }),
        organization: organization(fields, "PrincipalOrgID"),
        event_source_token: fields
            .optional("EventSourceToken")
            .and_then(|text| fields.check("EventSourceToken", EventSourceToken::parse(&text))),
        function_url_auth_type: fields
            .optional("FunctionUrlAuthType")
            .and_then(|text| fields.check("FunctionUrlAuthType", FunctionUrlAuthType::parse(&text))),
        invoked_via_function_url: fields.boolean("InvokedViaFunctionUrl").and_then(|via| {
            // What AWS stores for `false` is not recorded: no condition, or one that no call meets.
            const RULE: Broken = Broken::new(
                Code::InvalidInvokedViaFunctionUrl,
                "InvokedViaFunctionUrl is true or left out: AWS does not say what false means",
            );
            fields.check("InvokedViaFunctionUrl", via.then_some(true).ok_or(RULE))
        }),
    };
    let revision_id = asked::revision_id(fields);
    wildcard_rule(fields, &conditions);
    if let Some(action) = &action {
        function_url_rules(fields, action, &conditions);
    }
    let (target, given) = place?;
    Some(Grant {
        target,
        statement_id,
        expiry: None,
        action: action?,
        principal: principal?,
        conditions,
        revision_id,
        given,
        reason: None,
        dry_run: false,
    })
}

/// `GrantFunctionUrl`: the parameters of `AddPermission` that make sense for both of its statements.
fn of_function_url(fields: &mut Fields<'_>) -> Option<[Grant; 2]> {
    let place = asked::function(fields);
    let ids = fields.optional("StatementId").and_then(|text| {
        const RULE: Broken = Broken::new(
            Code::InvalidStatementId,
            "the statement id of a function URL has 1 to 93 letters, digits, hyphens and underscores; the second one gets `-invoke`",
        );
        let of = |text: &str| StatementId::parse(text).map_err(|_| RULE);
        let ids = of(&text).and_then(|first| Ok((first, of(&format!("{text}-invoke"))?)));
        fields.check("StatementId", ids)
    });
    let principal = fields.required("Principal");
    let principal = principal.and_then(|text| fields.check("Principal", Principal::of_function(&text)));
    let auth_type = fields.required("FunctionUrlAuthType");
    let auth_type = auth_type.and_then(|text| fields.check("FunctionUrlAuthType", FunctionUrlAuthType::parse(&text)));
    let organization = organization(fields, "PrincipalOrgID");
    let (target, given) = place?;
    let (first_id, second_id) = ids.unzip();
    let url = Grant {
        target,
        statement_id: first_id,
        expiry: None,
        action: Action::of_function("lambda:InvokeFunctionUrl").ok()?,
        principal: principal?,
        conditions: Conditions {
            organization: organization.clone(),
            function_url_auth_type: Some(auth_type?),
            ..Conditions::default()
        },
        revision_id: None,
        given,
        reason: None,
        dry_run: false,
    };
    let invoke = Grant {
        statement_id: second_id,
        action: Action::of_function("lambda:InvokeFunction").ok()?,
        conditions: Conditions { organization, invoked_via_function_url: Some(true), ..Conditions::default() },
        ..url.clone()
    };
    Some([url, invoke])
}

/// `AddLayerVersionPermission`.
fn of_layer(fields: &mut Fields<'_>) -> Option<Grant> {
    let place = asked::layer(fields);
    let statement_id = statement_id(fields);
    let action = fields.required("Action").and_then(|text| fields.check("Action", Action::of_layer(&text)));
    let principal = fields.required("Principal");
    let principal = principal.and_then(|text| fields.check("Principal", Principal::of_layer(&text)));
    // What AWS makes of an organization beside an account is documented for functions only. Whichever it
    // is, the allowlist has to allow both.
    let organization = organization(fields, "OrganizationId");
    let revision_id = asked::revision_id(fields);
    let (target, given) = place?;
    Some(Grant {
        target,
        statement_id,
        expiry: None,
        action: action?,
        principal: principal?,
        conditions: Conditions { organization, ..Conditions::default() },
        revision_id,
        given,
        reason: None,
        dry_run: false,
    })
}

fn statement_id(fields: &mut Fields<'_>) -> Option<StatementId> {
    fields.optional("StatementId").and_then(|text| fields.check("StatementId", StatementId::parse(&text)))
}

fn organization(fields: &mut Fields<'_>, name: &'static str) -> Option<OrganizationId> {
    fields.optional(name).and_then(|text| fields.check(name, OrganizationId::parse(&text)))
}

/// AWS accepts `arn:aws:s3:::*` alone, which matches the buckets of every customer. Stricter here: a
/// wildcard needs an account beside it, in the ARN or as the source account.
fn wildcard_rule(fields: &mut Fields<'_>, conditions: &Conditions) {
    let Some(arn) = &conditions.source_arn else { return };
    if arn.has_wildcard() && arn.account().is_none() && conditions.source_account.is_none() {
        const RULE: Broken = Broken::new(
            Code::InvalidSourceArn,
            "a source ARN with `*` or `?` needs an account: in the ARN, or as SourceAccount",
        );
        fields.check::<()>("SourceArn", Err(RULE));
    }
}

/// AWS answers 400 for both: "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl
/// action", and `InvokedViaFunctionUrl` is documented for `lambda:InvokeFunction` alone.
fn function_url_rules(fields: &mut Fields<'_>, action: &Action, conditions: &Conditions) {
    if conditions.function_url_auth_type.is_some() && action.as_str() != "lambda:InvokeFunctionUrl" {
        const RULE: Broken = Broken::new(
            Code::InvalidFunctionUrlAuthType,
            "a function URL auth type goes with the action lambda:InvokeFunctionUrl only",
        );
        fields.check::<()>("FunctionUrlAuthType", Err(RULE));
    }
    if conditions.invoked_via_function_url.is_some() && action.as_str() != "lambda:InvokeFunction" {
        const RULE: Broken = Broken::new(
            Code::InvalidInvokedViaFunctionUrl,
            "InvokedViaFunctionUrl goes with the action lambda:InvokeFunction only",
        );
        fields.check::<()>("InvokedViaFunctionUrl", Err(RULE));
    }
}
