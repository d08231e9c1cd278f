//! What several test modules share.

pub(crate) mod envelope;
pub(crate) mod sandbox;
