//! What several tests need: a broker over a control plane with a recording, failing sink; requests
//! in the envelope of each door; replies and audit lines read back.

pub(crate) mod door;
pub(crate) mod reply;
pub(crate) mod scene;
pub(crate) mod sink;

pub(crate) use door::{Door, grant, layer_grant, with};
pub(crate) use reply::Reply;
pub(crate) use scene::{QUICK, Scene, adds, operations};
pub(crate) use sink::{Fate, Sink};
