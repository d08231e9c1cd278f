//! What is allowed already: one rule by another, one entry by another of the same list.
//!
//! Each rule is held against those alone that may cover it: those that name the rarest of its parties, or one of
//! whose patterns may match its first target or its first requester, whichever are fewest.

use std::collections::HashMap;

use super::Kind;
use super::patterns::Patterns;
use crate::allowlist::{DEFAULT_ACTIONS, Pattern, Rule};
use crate::arn::AccountId;

/// The rules of an allowlist, in an order in which one is found.
pub(super) struct Rules<'a> {
    all: Vec<Sorted<'a>>,
    parties: HashMap<Party<'a>, Vec<usize>>,
    targets: Reach<'a>,
    requesters: Reach<'a>,
    /// Those that name an organization.
    of_organizations: Vec<usize>,
}

/// A rule with its lists in order.
struct Sorted<'a> {
    rule: &'a Rule,
    actions: Vec<&'a str>,
    organizations: Vec<&'a str>,
    services: Vec<&'a str>,
    targets: Option<Patterns<'a>>,
    requesters: Option<Patterns<'a>>,
}

#[derive(PartialEq, Eq, Hash)]
enum Party<'a> {
    Account(AccountId),
    Organization(&'a str),
    Service(&'a str),
}

/// The rules by one of their lists of patterns.
#[derive(Default)]
struct Reach<'a> {
    patterns: Patterns<'a>,
    /// Those without the list.
    open: Vec<usize>,
}

impl<'a> Rules<'a> {
    pub(super) fn of(rules: &'a [Rule]) -> Self {
        let mut all = Self {
            all: rules.iter().map(Sorted::of).collect(),
            parties: HashMap::new(),
            targets: Reach::default(),
            requesters: Reach::default(),
            of_organizations: Vec::new(),
        };
        for (position, rule) in rules.iter().enumerate() {
            parties(rule).for_each(|party| all.parties.entry(party).or_default().push(position));
            all.targets.add(rule.targets.as_deref(), position);
            all.requesters.add(rule.requesters.as_deref(), position);
            if !rule.organizations.is_empty() {
                all.of_organizations.push(position);
            }
        }
        all
    }

    /// Another rule that allows whatever a rule allows, and whether the two say the same. Of rules that say the same
    /// the first is the one that counts.
    pub(super) fn covering(&self, position: usize) -> Option<(Kind, &'a str)> {
        let narrow = self.all.get(position)?;
        let rarest =
            parties(narrow.rule).filter_map(|party| self.parties.get(&party)).min_by_key(|rules| rules.len())?;
        let mut shadowed = None;
        for other in self.candidates(narrow, rarest) {
            let wide = self.all.get(other).filter(|wide| other != position && wide.covers(narrow));
            let Some(wide) = wide else { continue };
            match narrow.covers(wide) {
                true if other < position => return Some((Kind::Duplicate, &wide.rule.id)),
                true => {}
                false => shadowed = shadowed.or(Some((Kind::Shadowed, &*wide.rule.id))),
            }
        }
        shadowed
    }

    /// Another rule that lets the same people grant an organization whatever a rule lets them grant an account.
    pub(super) fn with_organization(&self, position: usize) -> Option<&'a str> {
        let narrow = self.all.get(position).filter(|narrow| !narrow.rule.accounts.is_empty())?;
        let mut others = self.candidates(narrow, &self.of_organizations).into_iter().filter(|other| *other != position);
        others.find_map(|other| {
            let wide = self.all.get(other)?;
            let fits = !wide.rule.organizations.is_empty() && wide.reaches(narrow);
            fits.then_some(&*wide.rule.id)
        })
    }

    /// In order, the rules that may be wider than a rule: some that have to be among them, or those that its first
    /// target or its first requester leaves, whichever are fewer.
    fn candidates(&self, narrow: &Sorted<'_>, among: &[usize]) -> Vec<usize> {
        let Rule { targets, requesters, .. } = narrow.rule;
        // A rule without targets is covered by one that has none, either, or names every function.
        let target = targets.as_ref().map_or(Some("function:*"), |targets| Some(targets.first()?.as_str()));
        let requester = requesters.as_ref().and_then(|requesters| Some(requesters.first()?.as_str()));
        let mut fewest: Option<Vec<usize>> = None;
        for (reach, text) in [(&self.targets, target), (&self.requesters, requester)] {
            let most = fewest.as_ref().map_or(among.len(), Vec::len);
            fewest = reach.near(text, most).or(fewest);
        }
        let mut candidates = fewest.unwrap_or_else(|| among.to_vec());
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }
}

impl<'a> Reach<'a> {
    fn add(&mut self, patterns: Option<&'a [Pattern]>, rule: usize) {
        match patterns {
            None => self.open.push(rule),
            Some(patterns) => patterns.iter().for_each(|pattern| self.patterns.add(pattern, rule)),
        }
    }

    /// The rules without the list and those that may match a text; none if they are not fewer than so many.
    fn near(&self, text: Option<&str>, most: usize) -> Option<Vec<usize>> {
        let matching = text.into_iter().flat_map(|text| self.patterns.near(text));
        let near: Vec<usize> = self.open.iter().copied().chain(matching).take(most).collect();
        (near.len() < most).then_some(near)
    }
}

impl<'a> Sorted<'a> {
    fn of(rule: &'a Rule) -> Self {
        let sorted = |mut texts: Vec<&'a str>| {
            texts.sort_unstable();
            texts
        };
        Self {
            rule,
            actions: sorted(actions(rule)),
            organizations: sorted(rule.organizations.iter().map(|id| id.as_str()).collect()),
            services: sorted(rule.services.iter().map(AsRef::as_ref).collect()),
            targets: rule.targets.as_deref().map(Patterns::of),
            requesters: rule.requesters.as_deref().map(Patterns::of),
        }
    }

    /// Whether everything that another rule allows is allowed under this one, to everybody. Each field only ever
    /// narrows a rule, so it is asked field by field; a field that is new has to be asked here or in `reaches`, too,
    /// or this does not compile.
    fn covers(&self, narrow: &Self) -> bool {
        let Rule {
            id: _,
            accounts,
            organizations: _,
            services: _,
            actions: _,
            targets: _,
            requesters: _,
            max_duration: _,
        } = narrow.rule;
        self.reaches(narrow)
            && all_in(&narrow.organizations, &self.organizations)
            && all_in(&narrow.services, &self.services)
            && accounts.len() <= self.rule.accounts.len()
            && accounts.iter().all(|account| self.rule.accounts.binary_search(account).is_ok())
    }

    /// Whether whoever may ask under another rule may ask under this one for the same on the same targets, for as
    /// long; for whom is not looked at.
    fn reaches(&self, narrow: &Self) -> bool {
        let most = |most| narrow.rule.max_duration.is_some_and(|narrow| narrow <= most);
        self.rule.max_duration.is_none_or(most)
            && all_in(&narrow.actions, &self.actions)
            && self.reaches_targets(narrow.rule.targets.as_deref())
            && self.reaches_requesters(narrow.rule.requesters.as_deref())
    }

    fn reaches_targets(&self, narrow: Option<&[Pattern]>) -> bool {
        let (Some(wide), Some(near)) = (&self.rule.targets, &self.targets) else { return true };
        let any = |text| is_matched(wide, near, text);
        match narrow {
            None => any("function:*") && any("layer:*"),
            Some(narrow) => narrow.iter().all(|pattern| any(pattern.as_str())),
        }
    }

    /// A rule without `requesters` lets a direct invoke ask, which no pattern matches; and it lets no event of another
    /// account ask, which a pattern may.
    fn reaches_requesters(&self, narrow: Option<&[Pattern]>) -> bool {
        const EVENT: &str = "eventbridge:";
        let may_be_an_event = |pattern: &Pattern| {
            let start = pattern.as_str().split('*').next().unwrap_or_default();
            EVENT.starts_with(start) || start.starts_with(EVENT)
        };
        match (&self.rule.requesters, &self.requesters, narrow) {
            (Some(_), _, None) => false,
            (Some(wide), Some(near), Some(narrow)) => narrow.iter().all(|one| is_matched(wide, near, one.as_str())),
            (_, _, Some(narrow)) => !narrow.iter().any(may_be_an_event),
            (None, _, None) => true,
        }
    }
}

fn is_matched(patterns: &[Pattern], near: &Patterns<'_>, text: &str) -> bool {
    near.near(text).any(|position| patterns.get(position).is_some_and(|pattern| pattern.matches(text)))
}

fn parties(rule: &Rule) -> impl Iterator<Item = Party<'_>> {
    let accounts = rule.accounts.iter().copied().map(Party::Account);
    let organizations = rule.organizations.iter().map(|id| Party::Organization(id.as_str()));
    accounts.chain(organizations).chain(rule.services.iter().map(|service| Party::Service(service)))
}

/// The actions of a rule, those that it allows without a word included.
pub(super) fn actions(rule: &Rule) -> Vec<&str> {
    match &rule.actions {
        None => DEFAULT_ACTIONS.to_vec(),
        Some(actions) => actions.iter().map(AsRef::as_ref).collect(),
    }
}

/// Whether one list, in order, has all of another.
fn all_in(narrow: &[&str], wide: &[&str]) -> bool {
    let mut rest = wide.iter();
    narrow.len() <= wide.len() && narrow.iter().all(|one| rest.any(|other| other == one))
}

/// The entries that another entry of their list makes needless, each with its place in the rule. A `*` in the narrower
/// one is read as a character like any other, which only a `*` of the wider one matches.
pub(super) fn entries(rule: &Rule) -> Vec<(String, String)> {
    let lists = [("targets", &rule.targets), ("requesters", &rule.requesters)];
    let mut found = Vec::new();
    for (name, patterns) in lists.into_iter().filter_map(|(name, list)| Some((name, list.as_ref()?))) {
        let near = Patterns::of(patterns);
        for (position, narrow) in patterns.iter().enumerate() {
            let wider = |other: &usize| {
                patterns.get(*other).is_some_and(|wide| {
                    // Of two that match the same the first is the one that counts.
                    *other != position
                        && wide.matches(narrow.as_str())
                        && (!narrow.matches(wide.as_str()) || *other < position)
                })
            };
            let first = near.near(narrow.as_str()).filter(wider).min();
            if let Some(wide) = first.and_then(|first| patterns.get(first)) {
                found.push((format!("/{name}/{position}"), format!("`{}` covers it already", wide.as_str())));
            }
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use fastrand::Rng;
    use serde_json::{Value, json};

    use super::*;
    use crate::allowlist::Allowlist;

    /// Every rule is held against every other.
    fn covering_slowly<'a>(rules: &Rules<'a>, position: usize) -> Option<(Kind, &'a str)> {
        let narrow = &rules.all[position];
        let covering = |other: &usize| *other != position && rules.all[*other].covers(narrow);
        let others: Vec<usize> = (0..rules.all.len()).filter(covering).collect();
        let same = others.iter().find(|other| **other < position && narrow.covers(&rules.all[**other]));
        let wider = others.iter().find(|other| !narrow.covers(&rules.all[**other]));
        let found = same.map(|it| (Kind::Duplicate, it)).or(wider.map(|it| (Kind::Shadowed, it)));
        found.map(|(kind, other)| (kind, &*rules.all[*other].rule.id))
    }

    fn some(rng: &mut Rng, from: &[&str]) -> Value {
        let mut some: Vec<&str> = from.iter().copied().filter(|_| rng.u8(..3) == 0).collect();
        some.push(from[rng.usize(..from.len())]);
        some.sort_unstable();
        some.dedup();
        json!(some)
    }

    fn rule(rng: &mut Rng) -> Value {
        const ORGANIZATIONS: [&str; 2] = ["o-a1b2c3d4e5", "o-a1b2c3d4e6"];
        const TARGETS: [&str; 7] =
            ["function:*", "layer:*", "function:a*", "function:ab*", "function:ab", "function:b", "layer:a"];
        const REQUESTERS: [&str; 7] = ["arn:*", "*", "*a*", "sqs:a", "sqs:a*", "eventbridge:*", "s*a"];
        let mut rule = json!({ "accounts": some(rng, &["111122223333", "444455556666", "777788889999"]) });
        let mut add = |name: &str, from: &[&str]| {
            if rng.bool() {
                rule[name] = some(rng, from);
            }
        };
        add("organizations", &ORGANIZATIONS);
        add("services", &["sns.amazonaws.com", "s3.amazonaws.com"]);
        add("actions", &DEFAULT_ACTIONS);
        add("targets", &TARGETS);
        add("requesters", &REQUESTERS.map(|pattern| if pattern == "*" { "*:*" } else { pattern }));
        if rng.u8(..4) == 0 {
            rule["maxDuration"] = json!(["PT1H", "PT2H"][rng.usize(..2)]);
        }
        rule
    }

    #[test]
    fn looking_at_few_finds_what_looking_at_all_finds() {
        let rng = &mut Rng::with_seed(7);
        let mut found = [0_usize; 3];
        for _ in 0..60 {
            let mut list: Vec<Value> = (0..rng.usize(1..40)).map(|_| rule(rng)).collect();
            list.push(list[rng.usize(..list.len())].clone());
            let allowlist = Allowlist::parse(&json!(list).to_string()).unwrap();
            let rules = Rules::of(&allowlist.rules);
            for position in 0..list.len() {
                let covering = rules.covering(position);
                assert_eq!(covering, covering_slowly(&rules, position), "{position} of {list:?}");
                found[0] += usize::from(covering.is_some_and(|(kind, _)| kind == Kind::Duplicate));
                found[1] += usize::from(covering.is_some_and(|(kind, _)| kind == Kind::Shadowed));
                let narrow = &rules.all[position];
                let wider = |other: &Sorted<'_>| !other.organizations.is_empty() && other.reaches(narrow);
                let mut others = rules.all.iter().enumerate().filter(|(other, _)| *other != position);
                let first = others.find(|(_, other)| wider(other)).map(|(_, other)| &*other.rule.id);
                assert_eq!(rules.with_organization(position), first, "{position} of {list:?}");
                found[2] += usize::from(first.is_some());
            }
        }
        assert!(found.iter().all(|found| *found > 20), "{found:?}");
    }

    /// What a company writes: a rule for each partner, for each function, for each team that asks, or for all of these.
    #[test]
    fn each_rule_of_an_ordinary_allowlist_is_held_against_a_few_others() {
        const RULES: usize = 3000;
        let account = |i: usize| format!("{i:012}");
        let target = |i: usize| format!("function:team-{}-f{i}", i % 50);
        let requester = |i: usize| format!("arn:aws:sts::123456789012:assumed-role/team-{i}/*");
        type Made<'a> = Box<dyn Fn(usize) -> Value + 'a>;
        let allowlists: [(&str, Made<'_>); 5] = [
            ("by partner", Box::new(|i| json!({ "accounts": [account(i)] }))),
            ("by function", Box::new(|i| json!({ "accounts": ["210987654321"], "targets": [target(i)] }))),
            ("by team", Box::new(|i| json!({ "accounts": ["210987654321"], "requesters": [requester(i)] }))),
            (
                "of an organization",
                Box::new(|i| json!({ "organizations": ["o-a1b2c3d4e5"], "targets": [format!("{}*", target(i))] })),
            ),
            (
                "by partner and function",
                Box::new(
                    |i| json!({ "accounts": [account(i % 7)], "organizations": ["o-a1b2c3d4e5"], "targets": [target(i)] }),
                ),
            ),
        ];
        for (name, rule) in allowlists {
            let list: Vec<Value> = (0..RULES).map(rule).collect();
            let allowlist = Allowlist::parse(&json!(list).to_string()).unwrap();
            let rules = Rules::of(&allowlist.rules);
            let looked = |narrow: &Sorted<'_>| {
                let rarest =
                    parties(narrow.rule).map(|party| &rules.parties[&party]).min_by_key(|it| it.len()).unwrap();
                rules.candidates(narrow, rarest).len() + rules.candidates(narrow, &rules.of_organizations).len()
            };
            let looked: usize = rules.all.iter().map(looked).sum();
            assert!(looked <= 12 * RULES, "{name}: {looked}");
        }
    }
}
