//! What several test modules need: a broker over a control plane with a recording, failing sink,
//! requests in the envelope of each door, the checkout's files, and JSON without ceremony.

pub(crate) mod answering;
pub(crate) mod document;
pub(crate) mod door;
pub(crate) mod envelope;
pub(crate) mod process;
pub(crate) mod reply;
pub(crate) mod sandbox;
pub(crate) mod scene;
pub(crate) mod sink;

pub(crate) use door::{Door, grant, layer_grant, with};
pub(crate) use reply::Reply;
pub(crate) use scene::{HASTY, QUICK, Scene, writes};
pub(crate) use sink::{Fate, Sink};

use std::path::PathBuf;

use futures_util::StreamExt;
use serde_json::Value;

/// Plays cases, so many at once: what waits holds up no other, and does not wait for all of them to be set up. Where a
/// call is given up soon it has to be few, as each of them waits while another one works.
pub(crate) async fn all<T>(at_once: usize, cases: Vec<impl Future<Output = T>>) -> Vec<T> {
    futures_util::stream::iter(cases).buffer_unordered(at_once).collect().await
}

/// A file or folder of the checkout.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The members by which a record, or a result, tells what a statement gives, to whom, and from where.
pub(crate) const PARTIES: [&str; 8] = [
    "action",
    "principal",
    "sourceArn",
    "sourceAccount",
    "organizationId",
    "functionUrlAuthType",
    "invokedViaFunctionUrl",
    "eventSourceToken",
];

/// The text of a file of the checkout.
pub(crate) fn text(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The JSON in a text.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// A string member; empty if it is not there.
pub(crate) fn string<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// The names of the event files, in the order in which they are played.
pub(crate) fn event_files() -> Vec<String> {
    let files = permission_broker::local::play::files(&path("events")).expect("the folder of events");
    files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// How many random cases to try: few by default, as many as `BROKER_TEST_CASES` says in a long run.
pub(crate) fn cases(by_default: usize) -> usize {
    std::env::var("BROKER_TEST_CASES").map_or(by_default, |text| text.parse().expect("BROKER_TEST_CASES is a number"))
}

/// The seed of random cases: `BROKER_TEST_SEED`, to play a failure again; in a long run a fresh one. A plain run says
/// something of the change that it is run for, so it tries the same each time.
pub(crate) fn seed() -> u64 {
    let fresh = || if std::env::var_os("BROKER_TEST_CASES").is_some() { fastrand::u64(..) } else { 1 };
    std::env::var("BROKER_TEST_SEED")
        .map_or_else(|_| fresh(), |text| text.parse().expect("BROKER_TEST_SEED is a number"))
}
