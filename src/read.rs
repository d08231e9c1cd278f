//! A read: a request to see the policy of one target, by `GetPolicy` or `GetLayerVersionPolicy`.

use crate::asked::{self, Given};
use crate::error::Fault;
use crate::request::{Operation, Request};
use crate::resource::Target;

/// A validated read. Only [`Read::new`] makes one.
#[derive(Clone, Debug)]
pub struct Read {
    target: Target,
    given: Given,
    reason: Option<Box<str>>,
    dry_run: bool,
}

impl Read {
    /// Checks a request against every rule. All broken rules are reported at once. A read changes
    /// nothing, so a dry run of one is the read itself; only what a layer is to carry forward is granted as well.
    pub fn new(request: Request<'_>) -> Result<Self, Vec<Fault>> {
        let carries = request.operation == Some(Operation::CarryLayerForward);
        let of_layer = carries || request.operation == Some(Operation::GetLayerVersionPolicy);
        let dry_run = carries && request.dry_run;
        let reason = request.reason.as_deref().map(Into::into);
        let mut fields = request.parameters();
        let place = if of_layer { asked::layer(&mut fields) } else { asked::function(&mut fields) };
        let faults = fields.finish();
        match place {
            Some((target, given)) if faults.is_empty() => Ok(Self { target, given, reason, dry_run }),
            _ => Err(faults),
        }
    }

    /// The target whose policy is wanted.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Why the requester asks.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Whether only the answer is wanted, where there is more to it.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    pub(crate) fn given(&self) -> &Given {
        &self.given
    }
}
