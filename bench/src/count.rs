//! What instructions are counted for: a start, and an event more.

use crate::Failure;
use crate::callgrind;
use crate::event::{Door, Wish};
use crate::lab::Lab;
use crate::program::Program;

/// One kind of work.
pub(crate) struct Count {
    pub(crate) what: &'static str,
    /// With the template's switches, or with one call to AWS for a grant.
    as_deployed: bool,
    wish: Wish,
    /// Two runs with so many events differ by what the events between them cost. Without any there is one run, and
    /// the start is counted, too.
    few: usize,
    many: usize,
}

/// All that is counted.
pub(crate) const COUNTS: [Count; 4] = [
    Count { what: "start and first grant", as_deployed: false, wish: Wish::Allowed, few: 0, many: 1 },
    Count { what: "warm grant", as_deployed: false, wish: Wish::Allowed, few: 20, many: 220 },
    Count { what: "denied warm request", as_deployed: false, wish: Wish::Denied, few: 20, many: 220 },
    // The policy that is read has one statement more each time: 25 on average, and never so many that it is nearly full.
    Count { what: "warm grant as deployed", as_deployed: true, wish: Wish::Allowed, few: 10, many: 40 },
];

/// What was taken from the runs of a count.
pub(crate) struct Taken<T> {
    few: Option<T>,
    many: T,
    events: f64,
}

impl Count {
    /// Runs the broker, and takes something from what callgrind writes.
    pub(crate) fn run<T>(
        &self,
        broker: &Program,
        lab: &Lab,
        door: Door,
        take: impl Fn(&str) -> Result<T, Failure>,
    ) -> Result<Taken<T>, Failure> {
        let broker = if self.as_deployed { broker.as_deployed() } else { broker.clone() };
        let run = |events| take(&callgrind::run(&broker, lab, door, self.wish, events)?);
        let few = if self.few == 0 { None } else { Some(run(self.few)?) };
        Ok(Taken { few, many: run(self.many)?, events: (self.many - self.few) as f64 })
    }
}

impl<T> Taken<T> {
    /// A figure of one event.
    pub(crate) fn each(&self, figure: impl Fn(&T) -> f64) -> f64 {
        (figure(&self.many) - self.few.as_ref().map_or(0.0, &figure)) / self.events
    }
}
