//! What comes of a decision: the proof that something is allowed, or why it is not.

use crate::asked::Asked;
use crate::error::{Code, Fault};
use crate::grant::{Fingerprint, Grant, StatementId};
use crate::read::Read;
use crate::resource::Own;
use crate::revoke::Revoke;
use crate::statement::Statement;

/// A grant or a revoke that the allowlist allows. The only thing an audit intent can be made of.
///
/// ```compile_fail,E0451
/// # use permission_broker::{allowlist::Approved, grant::Grant};
/// # fn forge(asked: Grant) -> Approved {
/// Approved { asked, resource: String::new(), statement_id: todo!(), rule: "mine".into() }
/// # }
/// ```
#[derive(Debug)]
pub struct Approved<A = Grant> {
    asked: A,
    resource: String,
    statement_id: StatementId,
    rule: Box<str>,
}

impl<A: Asked> Approved<A> {
    /// What is approved.
    pub fn asked(&self) -> &A {
        &self.asked
    }

    /// The ARN that the policy belongs to.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The statement id, given or derived.
    pub fn statement_id(&self) -> &StatementId {
        &self.statement_id
    }

    /// The rule that allows it.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    pub(super) fn new(asked: A, own: &Own, rule: &str) -> Self {
        let (resource, statement_id) = (asked.target().arn(own), asked.statement_id(own));
        Self { asked, resource, statement_id, rule: rule.into() }
    }
}

impl Approved {
    /// The grant.
    pub fn grant(&self) -> &Grant {
        &self.asked
    }

    /// The same once more: for a second try, or for a record of what stands without one.
    pub(crate) fn again(&self) -> Self {
        let (resource, statement_id) = (self.resource.clone(), self.statement_id.clone());
        Self { asked: self.asked.clone(), resource, statement_id, rule: self.rule.clone() }
    }

    /// The way back: what was approved may be taken away again, as long as it is what was approved.
    pub(crate) fn taken_back(&self) -> Approved<Revoke> {
        let fingerprint = Statement::expected(self).fingerprint();
        let asked = Revoke::of(&self.asked, self.statement_id.clone(), fingerprint);
        let (resource, statement_id) = (self.resource.clone(), self.statement_id.clone());
        Approved { asked, resource, statement_id, rule: self.rule.clone() }
    }
}

impl Approved<Revoke> {
    /// The same for the statement that AWS made of the grant, where that is known.
    pub(crate) fn naming(self, stored: Option<&Fingerprint>) -> Self {
        Self { asked: self.asked.naming(stored), ..self }
    }
}

/// A read that the allowlist allows.
#[derive(Debug)]
pub struct Admitted {
    read: Read,
    resource: String,
    rule: Box<str>,
}

impl Admitted {
    pub(super) fn new(read: Read, own: &Own, rule: &str) -> Self {
        Self { resource: read.target().arn(own), read, rule: rule.into() }
    }

    /// The read.
    pub fn read(&self) -> &Read {
        &self.read
    }

    /// The ARN that the policy belongs to.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The rule that allows it.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// A request that the allowlist does not allow, and why.
#[derive(Debug)]
pub struct Denied<A = Grant> {
    /// What was asked for, for the audit.
    pub asked: A,
    /// Why.
    pub refusal: Refusal,
}

/// Why the allowlist does not allow something.
#[derive(Debug)]
pub struct Refusal {
    /// The reasons: every standing refusal, then the one that ruled out the last rules.
    pub faults: Vec<Fault>,
    /// Why each rule does not allow it: its id and the first of its conditions that fails.
    pub rules: Vec<(Box<str>, Code)>,
}
