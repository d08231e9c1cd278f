//! Replays everything the fuzzers found worth keeping, and the example events as seeds.

use std::path::Path;

use permission_broker::local::invariant;

type Invariant = fn(&[u8]);

fn replay(folder: &str, invariant: Invariant) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in &files {
        invariant(&std::fs::read(file).unwrap());
    }
    files.len()
}

#[test]
fn every_corpus_holds() {
    let targets: [(&str, Invariant); 4] = [
        ("fuzz/corpus/event", invariant::event),
        ("fuzz/corpus/request", invariant::request),
        ("fuzz/corpus/ids", invariant::ids),
        ("fuzz/corpus/allowlist", invariant::allowlist),
    ];
    for (folder, invariant) in targets {
        assert!(replay(folder, invariant) > 0, "{folder} is empty");
    }
}

#[test]
fn every_example_event_holds() {
    assert!(replay("events", invariant::event) > 0);
}
