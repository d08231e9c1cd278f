//! A revoke: a request to take one statement out of a policy, checked against every rule AWS documents
//! for `RemovePermission` and `RemoveLayerVersionPermission`.

use crate::asked::{self, Asked, Given};
use crate::error::Fault;
use crate::grant::{Fingerprint, Grant, RevisionId, StatementId};
use crate::request::{Operation, Request};
use crate::resource::{Own, Target};
use crate::statement::{Standing, Statement};

/// A validated revoke. Only [`Revoke::new`] makes one.
#[derive(Clone, Debug)]
pub struct Revoke {
    target: Target,
    statement_id: StatementId,
    fingerprint: Option<Fingerprint>,
    revision_id: Option<RevisionId>,
    given: Given,
    reason: Option<Box<str>>,
    dry_run: bool,
    takes_back: bool,
}

impl Revoke {
    /// Checks a request against every rule. All broken rules are reported at once.
    pub fn new(request: Request<'_>) -> Result<Self, Vec<Fault>> {
        let operation = request.operation;
        let reason = request.reason.as_deref().map(Into::into);
        let (dry_run, fingerprint) = (request.dry_run, request.fingerprint.clone());
        let mut fields = request.parameters();
        let of_layer = match operation {
            Some(Operation::Expire) => fields.has("LayerName"),
            operation => operation == Some(Operation::RemoveLayerVersionPermission),
        };
        let place = if of_layer { asked::layer(&mut fields) } else { asked::function(&mut fields) };
        let parse = if of_layer { StatementId::parse } else { StatementId::parse_of_any_age };
        let statement_id = fields.required("StatementId");
        let statement_id = statement_id.and_then(|text| fields.check("StatementId", parse(&text)));
        let revision_id = asked::revision_id(&mut fields);
        let faults = fields.finish();
        match (place, statement_id) {
            (Some((target, given)), Some(statement_id)) if faults.is_empty() => {
                Ok(Self { target, statement_id, fingerprint, revision_id, given, reason, dry_run, takes_back: false })
            }
            _ => Err(faults),
        }
    }

    /// The revoke that undoes a grant of the same request.
    pub(crate) fn of(grant: &Grant, statement_id: StatementId, fingerprint: Fingerprint) -> Self {
        Self {
            target: grant.target().clone(),
            statement_id,
            fingerprint: Some(fingerprint),
            revision_id: None,
            given: grant.given().clone(),
            reason: grant.reason().map(Into::into),
            dry_run: false,
            takes_back: true,
        }
    }

    /// The revoke of a statement that stands on a target; `None` if its id is none that AWS takes.
    pub(crate) fn of_standing(standing: &Standing, target: &Target, given: &Given, dry_run: bool) -> Option<Self> {
        let stored = standing.statement();
        Some(Self {
            target: target.clone(),
            statement_id: standing.id()?,
            // Where a statement has a form that no grant makes, its id is all there is to go by.
            fingerprint: stored.map(Statement::fingerprint),
            revision_id: None,
            given: given.clone(),
            reason: None,
            dry_run,
            takes_back: false,
        })
    }

    /// The same for the statement that AWS made of the grant, where that is known.
    pub(crate) fn naming(self, stored: Option<&Fingerprint>) -> Self {
        Self { fingerprint: stored.cloned().or(self.fingerprint), ..self }
    }

    pub(crate) fn given(&self) -> &Given {
        &self.given
    }
}

impl Asked for Revoke {
    fn operation(&self) -> Operation {
        match self.target {
            Target::Function(_) => Operation::RemovePermission,
            Target::LayerVersion(_) => Operation::RemoveLayerVersionPermission,
        }
    }

    fn target(&self) -> &Target {
        &self.target
    }

    fn statement_id(&self, _: &Own) -> StatementId {
        self.statement_id.clone()
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

    fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_ref()
    }

    fn takes_back(&self) -> bool {
        self.takes_back
    }
}
