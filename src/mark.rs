//! A moment that the past is measured from, by two clocks.
//!
//! The clock on the wall can be set back, and the steady one stands still while the machine is suspended, as a sandbox
//! may be. So the longer of the two times is believed; and if the wall clock shows a time before the mark, nobody knows how
//! long ago that was.

use std::time::{Duration, Instant, SystemTime};

/// When something was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    wall: SystemTime,
    steady: Instant,
}

impl Mark {
    /// Now.
    pub(crate) fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// How long ago that was, at least.
    pub(crate) fn age(&self) -> Duration {
        self.steady.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }

    /// Whether it is certain that less time than this has passed.
    pub(crate) fn is_within(&self, time: Duration) -> bool {
        self.wall.elapsed().is_ok() && self.age() < time
    }

    /// A mark with its clocks changed, as they are after they were set or stood still.
    #[cfg(test)]
    pub(crate) fn changed(self, wall: impl FnOnce(SystemTime) -> SystemTime, steady: Duration) -> Self {
        Self { wall: wall(self.wall), steady: self.steady.checked_sub(steady).unwrap_or(self.steady) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_longer_of_two_times_counts_and_a_clock_set_back_is_not_believed() {
        let cases = [
            ("just now", Mark::now(), true, Duration::ZERO),
            ("an hour by both", Mark::now().changed(|wall| wall - HOUR, HOUR), false, HOUR),
            ("the steady clock stood still", Mark::now().changed(|wall| wall - HOUR, Duration::ZERO), false, HOUR),
            ("set back by as much as has passed", Mark::now().changed(|wall| wall, HOUR), false, HOUR),
            (
                "set back to before the mark",
                Mark::now().changed(|wall| wall + HOUR, Duration::ZERO),
                false,
                Duration::ZERO,
            ),
            ("set back after an hour", Mark::now().changed(|wall| wall + HOUR, HOUR), false, HOUR),
        ];
        for (name, mark, within, age) in cases {
            assert_eq!(mark.is_within(MINUTE), within, "{name}");
            assert!(mark.age() >= age && mark.age() < age + MINUTE, "{name}: {:?}", mark.age());
        }
        assert!(!Mark::now().is_within(Duration::ZERO), "nothing is younger than no time at all");
    }
}
