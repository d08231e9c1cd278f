//! What a carry comes to as a whole.

use crate::audit::Recorded;
use crate::error::{Code, Delivery, Kind};
use crate::outcome::Outcome;
use crate::policy::Ending;

/// What is known of the whole, from its looks and its grants.
///
/// What may succeed later makes it come again. Else it is `granted` if anything was given, the refusal that weighs most
/// if nothing was and something was refused, and `already_granted` only if nothing was to do.
#[derive(Default)]
pub(super) struct Whole {
    /// Why it comes again, or could not begin.
    failed: Option<Code>,
    /// Whether the new version is there.
    is_there: bool,
    given: Option<Outcome>,
    refused: Option<Code>,
}

impl Whole {
    pub(super) fn see_target(&mut self, is_there: bool) {
        self.is_there = is_there;
    }

    pub(super) fn fail(&mut self, code: Code) {
        self.failed = Some(code);
    }

    /// What never will be is told, and the rest goes on.
    pub(super) fn refuse(&mut self, code: Code) {
        if self.refused.is_none_or(|refused| weight(code) > weight(refused)) {
            self.refused = Some(code);
        }
    }

    /// Takes in what became of one grant.
    pub(super) fn note(&mut self, recorded: &Recorded, above: bool) {
        match recorded.code() {
            // What may succeed later comes again.
            Some(code) if code.kind().delivery() == Delivery::Fail => self.fail(code),
            Some(Code::TargetNotFound) if above => {}
            Some(Code::TargetNotFound) => self.is_there = false,
            Some(code) => self.refuse(code),
            None => {
                // A version that takes a grant is there, whatever the read said. One that would take it need not be.
                self.is_there |= !above && recorded.outcome() != Some(Outcome::WouldGrant);
                self.given = self.given.or(recorded.outcome().filter(|it| *it != Outcome::AlreadyGranted));
            }
        }
    }

    pub(super) fn comes_again(&self) -> bool {
        self.failed.is_some()
    }

    pub(super) fn has_given(&self) -> bool {
        self.given.is_some()
    }

    /// The rest follows by itself: what this has given is its ending.
    pub(super) fn goes_on(&mut self) {
        self.failed = None;
    }

    pub(super) fn ending(&self) -> Ending {
        match (self.failed, self.given, self.refused) {
            (Some(code), _, _) => Ending::Not(code),
            _ if !self.is_there => Ending::Not(Code::TargetNotFound),
            (None, Some(outcome), _) => Ending::Done(outcome),
            (None, None, Some(code)) => Ending::Not(code),
            (None, None, None) => Ending::Done(Outcome::AlreadyGranted),
        }
    }
}

/// What AWS refused weighs more than what another statement stands in the way of, and that more than what no rule allows.
fn weight(code: Code) -> u8 {
    match code.kind() {
        Kind::Refused => 2,
        Kind::Conflict => 1,
        _ => 0,
    }
}
