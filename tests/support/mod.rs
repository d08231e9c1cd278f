//! What several tests need: a broker over a control plane with a recording, failing sink; requests
//! in the envelope of each door; replies and audit lines read back.

pub(crate) mod door;
pub(crate) mod reply;
pub(crate) mod scene;
pub(crate) mod sink;

pub(crate) use door::{Door, grant, layer_grant, with};
pub(crate) use reply::Reply;
pub(crate) use scene::{HASTY, QUICK, Scene, adds};
pub(crate) use sink::{Fate, Sink};

/// How many random cases to try: few by default, as many as `BROKER_TEST_CASES` says in a long run.
pub(crate) fn cases(by_default: usize) -> usize {
    std::env::var("BROKER_TEST_CASES").map_or(by_default, |text| text.parse().expect("BROKER_TEST_CASES is a number"))
}

/// The seed of random cases: `BROKER_TEST_SEED`, to play a failure again, or a fresh one.
pub(crate) fn seed() -> u64 {
    std::env::var("BROKER_TEST_SEED")
        .map_or_else(|_| fastrand::u64(..), |text| text.parse().expect("BROKER_TEST_SEED is a number"))
}
