//! An allowlist, looked at before it is deployed: what it says in plain words, and what in it does nothing.
//!
//! A mistake is something that can go without any grant that has an effect being decided otherwise, or that stops the
//! start. A hint is what nobody can tell from the allowlist alone.

mod action;
mod cover;
mod identity;
mod nothing;
mod patterns;
mod words;

use serde::de::IgnoredAny;

use crate::allowlist::{Allowlist, Rule};
pub use words::Sentence;

/// What was found out about an allowlist.
pub struct Checked {
    /// Each rule in plain words; none of an allowlist with which the broker would not start.
    pub rules: Vec<Told>,
    /// What stands in it for nothing, or stops the start.
    pub findings: Vec<Finding>,
}

/// A rule in plain words.
pub struct Told {
    /// Its id, or its position.
    pub id: String,
    /// Who may ask for what, each part with its label.
    pub sentences: Vec<Sentence>,
}

/// Something in an allowlist that is worth a look.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// What sort of thing it is.
    pub kind: Kind,
    /// A JSON pointer to it; empty for the whole.
    pub pointer: String,
    /// What it is, and what to do.
    pub detail: String,
}

/// The sorts of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The broker does not start with it.
    Malformed,
    /// A rule that says what an earlier one says.
    Duplicate,
    /// A rule under which nothing is allowed that another one does not allow.
    Shadowed,
    /// A rule under which nothing is allowed at all.
    AllowsNothing,
    /// A rule under which nothing can be granted; policies can still be read, and statements revoked.
    GrantsNothing,
    /// An entry that makes no difference to its rule.
    UselessEntry,
    /// An action that Lambda does not have, much like one that it has.
    UnknownAction,
    /// Accounts beside an organization that they may belong to, in the same rule or in another one.
    AccountsBesideOrganization,
    /// An action that is not known here.
    UnlikelyAction,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Duplicate => "duplicate",
            Self::Shadowed => "shadowed",
            Self::AllowsNothing => "allows nothing",
            Self::GrantsNothing => "grants nothing",
            Self::UselessEntry => "useless entry",
            Self::UnknownAction => "unknown action",
            Self::AccountsBesideOrganization | Self::UnlikelyAction => "hint",
        }
    }

    /// Whether it may be right all the same.
    pub const fn is_hint(self) -> bool {
        matches!(self, Self::AccountsBesideOrganization | Self::UnlikelyAction)
    }
}

impl Checked {
    /// How many findings are no hints.
    pub fn mistakes(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.kind.is_hint()).count()
    }
}

/// Looks at an allowlist.
pub fn check(text: &str) -> Checked {
    check_and_tell(text, |_, _| ())
}

/// Looks at an allowlist, and tells how many rules it has looked at, of how many.
pub fn check_and_tell(text: &str, mut told: impl FnMut(usize, usize)) -> Checked {
    let allowlist = match Allowlist::parse(text) {
        Ok(allowlist) => allowlist,
        Err(problems) => {
            let place = place_of_mistake(text).unwrap_or_default();
            let of = |problem: crate::allowlist::Problem| Finding {
                kind: Kind::Malformed,
                detail: format!("{}{place}", problem.detail),
                pointer: problem.pointer,
            };
            return Checked { rules: Vec::new(), findings: problems.into_iter().map(of).collect() };
        }
    };
    let is_list = text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('[');
    let pointer = |position: usize| if is_list { format!("/{position}") } else { String::new() };
    let known = cover::Rules::of(&allowlist.rules);
    let mut checked = Checked { rules: Vec::new(), findings: Vec::new() };
    for (position, rule) in allowlist.rules.iter().enumerate() {
        told(position, allowlist.rules.len());
        checked.rules.push(Told { id: rule.id.to_string(), sentences: words::of(rule) });
        checked.findings.extend(findings(&known, position, rule, &pointer(position)));
    }
    checked
}

/// Where a text stops being JSON. The parser's own sentence does not say it; for a person it is all that counts.
fn place_of_mistake(text: &str) -> Option<String> {
    let error = serde_json::from_str::<IgnoredAny>(text).err().filter(|_| !text.trim().is_empty())?;
    Some(format!(" (it stops being JSON at line {}, column {})", error.line(), error.column()))
}

/// What there is to say about one rule, which stands at this place.
fn findings(known: &cover::Rules<'_>, position: usize, rule: &Rule, at: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |kind, place: &str, detail| findings.push(Finding { kind, pointer: format!("{at}{place}"), detail });
    for (kind, place, detail) in words::misspelt(rule) {
        find(kind, &place, detail);
    }
    if let Some((kind, why)) = nothing::of(rule) {
        find(kind, "", why);
        return findings;
    }
    let covering = known.covering(position);
    if let Some((kind, other)) = covering {
        let what =
            if kind == Kind::Duplicate { "it says the same as rule" } else { "all that it allows is allowed by rule" };
        find(kind, "", format!("{what} `{other}` already; it can go"));
    }
    for (place, detail) in cover::entries(rule).into_iter().chain(nothing::entries(rule)) {
        find(Kind::UselessEntry, &place, detail);
    }
    // Of what can go as a whole nothing more has to be said.
    let other = || known.with_organization(position).filter(|_| covering.is_none()).map(str::to_owned);
    if let Some((kind, place, detail)) = words::hint(rule, other) {
        find(kind, &place, detail);
    }
    findings
}
