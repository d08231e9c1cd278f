//! The page's data. Statements stand in columns, and every value that may come again is kept once: 50,000
//! statements are read in a browser in the time of a keystroke.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::collect::{Counts, Unread};

/// What the page shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub(super) made: String,
    pub(super) partition: String,
    pub(super) region: String,
    pub(super) account: String,
    pub(super) allowlist: String,
    pub(super) rules: usize,
    pub(super) prefix: String,
    /// Whether the published versions of functions were read.
    pub(super) with_versions: bool,
    /// The most bytes of a policy.
    pub(super) limit: usize,
    /// From here on a policy is called nearly full.
    pub(super) nearly_full: usize,
    pub(super) counts: Counts,
    pub(super) unread: Vec<Unread>,
    /// The names of the bits in `statements.findings`, lowest first.
    pub(super) findings: [&'static str; Finding::ALL.len()],
    pub(super) targets: Targets,
    pub(super) statements: Statements,
    /// What the numbers in `statements` stand for; the first is null.
    pub(super) values: Vec<Box<RawValue>>,
}

impl Report {
    /// The figures, for whoever sees no page.
    pub fn summary(&self) -> String {
        let of = |finding: Finding| self.statements.findings.iter().filter(|bits| **bits & finding.bit() != 0).count();
        let nearly_full = self.targets.bytes.iter().filter(|bytes| **bytes >= self.nearly_full).count();
        let (statements, targets) = (self.statements.sid.len(), self.targets.name.len());
        let mut text = format!(
            "{statements} statements on {targets} targets, {} open to everyone, {} without a confined source, \
             {} with a dead principal, {} that no rule gives today, {nearly_full} policies nearly full",
            of(Finding::Public),
            of(Finding::Unconfined),
            of(Finding::Dead),
            of(Finding::NoRule),
        );
        if !self.unread.is_empty() {
            text.push_str(&format!("; not complete, {} calls failed", self.unread.len()));
        }
        text
    }
}

/// One entry for each policy.
#[derive(Default, Serialize)]
pub(super) struct Targets {
    pub(super) name: Vec<String>,
    pub(super) bytes: Vec<usize>,
    /// How many of the statements, which stand in the order of the targets, are its own.
    pub(super) statements: Vec<usize>,
}

/// One entry for each statement; numbers are places in `values`.
#[derive(Default, Serialize)]
pub(super) struct Statements {
    pub(super) sid: Vec<String>,
    pub(super) principal: Vec<usize>,
    pub(super) action: Vec<usize>,
    pub(super) condition: Vec<usize>,
    /// A list of `account:…`, `organization:…`, `service:…`, `network:…`, `everyone`, `deleted:…`, `other:…`.
    pub(super) parties: Vec<usize>,
    /// A rule, as text, or a list of errors.
    pub(super) verdict: Vec<usize>,
    pub(super) findings: Vec<u8>,
    pub(super) fingerprint: Vec<String>,
    /// The whole statement, where the other columns are not all of it.
    pub(super) whole: Vec<usize>,
}

/// What is worth a look.
#[derive(Clone, Copy)]
pub(super) enum Finding {
    NoRule,
    Public,
    Unconfined,
    Dead,
    Form,
    Deny,
    ByBroker,
}

impl Finding {
    /// All, in the order of their bits.
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::NoRule, "noRule"),
        (Self::Public, "public"),
        (Self::Unconfined, "unconfined"),
        (Self::Dead, "dead"),
        (Self::Form, "form"),
        (Self::Deny, "deny"),
        (Self::ByBroker, "byBroker"),
    ];

    pub(super) fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Values, each kept once.
pub(super) struct Values {
    places: HashMap<String, usize>,
    values: Vec<Box<RawValue>>,
}

impl Values {
    pub(super) fn new() -> Self {
        let mut values = Self { places: HashMap::new(), values: Vec::new() };
        values.place(&());
        values
    }

    /// The place of a value.
    pub(super) fn place(&mut self, value: &(impl Serialize + ?Sized)) -> usize {
        let Ok(raw) = serde_json::value::to_raw_value(value) else { return 0 };
        if let Some(place) = self.places.get(raw.get()) {
            return *place;
        }
        let place = self.values.len();
        self.places.insert(raw.get().to_owned(), place);
        self.values.push(raw);
        place
    }

    pub(super) fn all(self) -> Vec<Box<RawValue>> {
        self.values
    }
}
