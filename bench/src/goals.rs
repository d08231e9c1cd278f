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
    /// Whether the figure is what it must be; one that was not measured is not what it must not be.
    pub(crate) fn is_kept(&self) -> bool {
        self.measured.is_nan() || self.keeps(self.must)
    }

    pub(crate) fn row(&self) -> Vec<String> {
        let sign = if self.is_least() { "≥" } else { "≤" };
        let state = match (self.is_kept(), self.keeps(self.aim)) {
            _ if self.measured.is_nan() => "–",
            (_, true) => "aim met",
            (true, false) => "must met",
            (false, false) => "**not met**",
        };
        let bound = |bound: f64| format!("{sign} {bound}");
        vec![self.what.to_owned(), shown(self.measured), bound(self.must), bound(self.aim), state.to_owned()]
    }

    /// At most `must`, better at most `aim`; where the aim is above the must, at least.
    fn is_least(&self) -> bool {
        self.aim > self.must
    }

    fn keeps(&self, bound: f64) -> bool {
        if self.is_least() { self.measured >= bound } else { self.measured <= bound }
    }
}
