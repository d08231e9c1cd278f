//! How much time a grant has. Time is a value: the deployed broker has one [`Timing`], which no
//! setting changes, and tests give it shorter ones.

use std::time::Duration;

use tokio::time::Instant;

/// How long everything about a grant may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The longest that one call to AWS may take.
    pub call: Duration,
    /// A call that has less time than this is not started.
    pub least_call: Duration,
    /// The longest that one grant may take, all tries and reads included.
    pub grant: Duration,
    /// A grant is not started with less time than this, on top of the reserve.
    pub least_grant: Duration,
    /// What is kept back before the invocation's deadline for recording the outcome and replying.
    pub reserve: Duration,
    /// The pause before the second try of a call; the next ones are longer.
    pub pause: Duration,
    /// The pause before a new user or role is tried again.
    pub propagation: Duration,
    /// How long a statement that is seen may still be overwritten by a write that began before it.
    pub settle: Duration,
    /// The least time from one call of a sweep to its next.
    pub pace: Duration,
}

impl Timing {
    /// What the deployed broker has.
    pub const DEPLOYED: Self = Self {
        call: Duration::from_secs(2),
        least_call: Duration::from_millis(250),
        grant: Duration::from_secs(8),
        least_grant: Duration::from_secs(1),
        reserve: Duration::from_secs(1),
        pause: Duration::from_millis(100),
        // IAM names no time for its propagation; a few seconds are usual.
        propagation: Duration::from_secs(2),
        // AWS documents no such time. It is several times what a write takes to be answered.
        settle: Duration::from_millis(500),
        // AWS allows an account 15 GetPolicy a second, and 15 of all other calls to Lambda's API together.
        pace: Duration::from_millis(100),
    };
}

/// How much time a grant has left.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    timing: Timing,
    end: Instant,
}

impl Budget {
    /// The budget of a grant that starts now, in an invocation that Lambda ends after `left`.
    pub fn new(timing: Timing, left: Duration) -> Self {
        Self { timing, end: Instant::now() + left.saturating_sub(timing.reserve).min(timing.grant) }
    }

    /// The budget without some time at its end, for what may have to be done afterwards.
    pub(crate) fn sparing(self, time: Duration) -> Self {
        Self { end: self.end.checked_sub(time).unwrap_or(self.end), ..self }
    }

    /// Whether there is time to begin at all; asked before the intent is written.
    pub fn allows_grant(self) -> bool {
        self.left() >= self.timing.least_grant
    }

    fn left(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// The time that a call may take, if there is enough for one.
    pub(crate) fn of_call(self) -> Option<Duration> {
        Some(self.left().min(self.timing.call)).filter(|time| *time >= self.timing.least_call)
    }

    /// The pause before try `next`: each is twice the one before it, and spread, so that parallel
    /// sandboxes do not meet again.
    pub(crate) fn pause(self, next: u32) -> Duration {
        let base = self.timing.pause * (1 << next.saturating_sub(2).min(4));
        base + self.timing.pause.mul_f64(fastrand::f64())
    }

    /// The pause before a principal that IAM does not know everywhere yet is tried again.
    pub(super) fn propagation(self) -> Duration {
        self.timing.propagation
    }

    /// Waits, unless the wait would leave no time for a call.
    pub(crate) async fn wait(self, time: Duration) -> bool {
        // AWS may ask for any time, so the sum may have no room.
        if time.saturating_add(self.timing.least_call) > self.left() {
            return false;
        }
        tokio::time::sleep(time).await;
        true
    }

    /// Waits until what is seen in the policy stays.
    pub(super) async fn settle(self) -> bool {
        self.wait(self.timing.settle).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_each_pause_is_twice_that_of_the_one_before() {
        let budget = Budget::new(Timing::DEPLOYED, Duration::from_secs(15));
        for (next, least, most) in [(2, 100, 200), (3, 200, 300), (4, 400, 500), (99, 1600, 1700)] {
            for _ in 0..1000 {
                let pause = budget.pause(next).as_secs_f64() * 1e3;
                assert!((f64::from(least)..f64::from(most)).contains(&pause), "{pause} ms before try {next}");
            }
        }
    }
}
