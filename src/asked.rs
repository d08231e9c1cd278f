//! What a request can ask for once it obeys every rule: a grant, a revoke or a read, each of one target.
//! Here is what they have in common; each has a file of its own.

use crate::error::{Broken, Code};
use crate::expiry::Expiry;
use crate::grant::{Fingerprint, Grant, RevisionId, StatementId};
use crate::request::{Fields, Operation};
use crate::resource::{Function, LayerVersion, Own, Qualifier, Target};

/// A change of a policy that can be decided, recorded and made.
pub trait Asked {
    /// The operation that makes it.
    fn operation(&self) -> Operation;

    /// The target whose policy it changes.
    fn target(&self) -> &Target;

    /// The id of the statement that it is about.
    fn statement_id(&self, own: &Own) -> StatementId;

    /// The revision that the policy must still have, if the requester named one.
    fn revision_id(&self) -> Option<&RevisionId>;

    /// Why the requester asks.
    fn reason(&self) -> Option<&str>;

    /// Whether only the answer is wanted.
    fn is_dry_run(&self) -> bool;

    /// The grant, if it is one.
    fn grant(&self) -> Option<&Grant> {
        None
    }

    /// Whether it undoes a change of the same request.
    fn takes_back(&self) -> bool {
        false
    }

    /// When what it grants ends, if it does.
    fn expiry(&self) -> Option<&Expiry> {
        None
    }

    /// The meaning that the statement must still have, if the requester named one.
    fn fingerprint(&self) -> Option<&Fingerprint> {
        None
    }
}

/// The target exactly as it was given, which is how AWS is sent it.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// `FunctionName` and `Qualifier`.
    Function { name: Box<str>, qualifier: Option<Qualifier> },
    /// `LayerName` and `VersionNumber`.
    Layer { name: Box<str>, version: i64 },
}

/// `FunctionName` and `Qualifier`.
pub(crate) fn function(fields: &mut Fields<'_>) -> Option<(Target, Given)> {
    let name = fields.required("FunctionName");
    let function = name.as_deref().and_then(|text| fields.check("FunctionName", Function::parse(text)));
    let qualifier = fields.optional("Qualifier").and_then(|text| fields.check("Qualifier", Qualifier::parse(&text)));
    let function = function.and_then(|function| fields.check("Qualifier", function.with_qualifier(qualifier.clone())));
    Some((Target::Function(function?), Given::Function { name: name?.into(), qualifier }))
}

/// `LayerName` and `VersionNumber`.
pub(crate) fn layer(fields: &mut Fields<'_>) -> Option<(Target, Given)> {
    let name = fields.required("LayerName");
    let version = fields.integer("VersionNumber").and_then(|number| {
        // AWS: "Layer Version Cannot be less than 1".
        const RULE: Broken = Broken::new(Code::InvalidVersionNumber, "a layer version number is at least 1");
        fields.check("VersionNumber", if number >= 1 { Ok(number) } else { Err(RULE) })
    });
    let layer =
        name.as_deref().and_then(|text| fields.check("LayerName", LayerVersion::parse(text, version.unwrap_or(1))));
    Some((Target::LayerVersion(layer?), Given::Layer { name: name?.into(), version: version? }))
}

/// `RevisionId`.
pub(crate) fn revision_id(fields: &mut Fields<'_>) -> Option<RevisionId> {
    fields.optional("RevisionId").and_then(|text| fields.check("RevisionId", RevisionId::parse(&text)))
}
