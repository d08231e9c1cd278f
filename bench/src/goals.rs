//! The goals: figures that the broker must keep, and those that it aims for.

use crate::figures::shown;

/// One goal and the figure that was measured.
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    pub(crate) measured: f64,
    pub(crate) must: f64,
    pub(crate) aim: f64,
}

impl Goal {
    /// At most `must`, better at most `aim`; where the aim is above the must, at least.
    pub(crate) fn row(&self) -> Vec<String> {
        let least = self.aim > self.must;
        let keeps = |bound: f64| if least { self.measured >= bound } else { self.measured <= bound };
        let sign = if least { "≥" } else { "≤" };
        let state = match (keeps(self.must), keeps(self.aim)) {
            (_, true) => "aim met",
            (true, false) => "must met",
            (false, false) => "**not met**",
        };
        let bound = |bound: f64| format!("{sign} {bound}");
        vec![self.what.to_owned(), shown(self.measured), bound(self.must), bound(self.aim), state.to_owned()]
    }
}
